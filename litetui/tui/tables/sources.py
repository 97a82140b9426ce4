"""What tables show: rows on demand, from columns that stand in memory already. No textual, no files.

A source has columns and gives the cells of one row; a table asks for the rows on its screen, no others. What is
sorted or filtered is a source over another one (arranged.py).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litetui.jobs.progress import CancelToken

if TYPE_CHECKING:
    from litetui.replica.types import Finding

Cell = str | tuple[str, str]  # text, or text and the name of a style
Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `drop` says how early it goes when there is no room (0: never), `grow` takes what is left.

    Its width is what it gets where there is room; one of numbers (`right`) is always as wide as the widest of them.
    """

    title: str
    width: int
    right: bool = False
    drop: int = 0
    grow: bool = False


class Source:
    """Rows of a table. `empty` is what the table says when there are none, `newest_at` where the newest row stands:
    "first", "last", or "" where rows are not in the order of time."""

    columns: Sequence[Column] = ()
    empty = ""
    newest_at = ""

    def __len__(self) -> int:
        raise NotImplementedError

    def cells(self, row: int) -> Sequence[Cell]:
        """The cells of a row, one for each column."""
        raise NotImplementedError

    def key(self, row: int) -> Hashable:
        """What the row is about; the cursor stays on it when rows come and go."""
        return row

    def find(self, key: Hashable) -> int | None:
        """The row of a key."""
        return next((row for row in range(len(self)) if self.key(row) == key), None)

    def newest(self) -> int | None:
        """The row that came last."""
        if not self.newest_at or not len(self):
            return None
        return 0 if self.newest_at == "first" else len(self) - 1

    def text(self, row: int) -> str:
        """What `matching` looks into."""
        return " ".join(cell if isinstance(cell, str) else cell[0] for cell in self.cells(row))

    def matching(self, word: str, cancel: CancelToken) -> Any:
        """For each row whether it holds a word, which is casefolded: an array of truth values. Sources of very many
        rows override it, to look at whole columns at once. In a thread; raises when it is cancelled."""
        import numpy as np

        found = np.zeros(len(self), np.bool_)
        for row in range(len(self)):
            if row % 512 == 0:
                cancel.check()
            found[row] = word in self.text(row).casefold()
        return found

    def sort_values(self, column: int) -> Any:
        """An array of values to sort a column by, or None where it has no order of its own."""
        return None

    def sortable(self, column: int) -> bool:
        """Whether a column has an order of its own."""
        return self.sort_values(column) is not None

    def record(self, row: int) -> dict[str, object]:
        """A row for a program: exact values by name, times as RFC 3339, sizes in bytes, no ages."""
        cells = [cell if isinstance(cell, str) else cell[0] for cell in self.cells(row)]
        return {c.title.lower() or "state": cell for c, cell in zip(self.columns, cells, strict=True)}


class FindingSource(Source):
    """Findings, the worst first."""

    empty = "nothing that the names of the files show; their content was not checked"
    columns = (
        Column("", 9),
        Column("Where", 17, drop=1),
        Column("What", 30, grow=True),
        Column("Code", 18, drop=2),
    )

    def __init__(self, findings: Sequence[Finding], empty: str = empty) -> None:
        self.findings = tuple(findings)
        self.empty = empty

    def __len__(self) -> int:
        return len(self.findings)

    def cells(self, row: int) -> Sequence[Cell]:
        from litetui.tui.ltx.model import ltx_place

        one = self.findings[row]
        style = {"error": "error", "warning": "warning"}.get(one.severity, "")
        where = f"{one.index:08x}" if one.index is not None else (one.generation or ltx_place(one.path))
        return ((one.severity, style), where, one.message, (one.code, "muted"))

    def key(self, row: int) -> Hashable:
        one = self.findings[row]
        return (one.code, one.path, one.generation, one.index, one.offset)
