"""What tables show: rows on demand, from columns that stand in memory already. No textual, no files.

A source has columns and gives the cells of one row; a table asks for the rows on its screen, no others.
Sort and filter make an `Arranged` source, an order of row numbers over another one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from litetui.jobs.progress import CancelToken
from litetui.replica.types import Finding, SnapshotInfo
from litetui.tui.evidence import Checks, badge
from litetui.units import format_age, format_clock, format_size

if TYPE_CHECKING:
    from litetui.ops.frames import FrameTable
    from litetui.replica.catalog import WALTable
    from litetui.tui.model import ReplicaView

Cell = str | tuple[str, str]  # text, or text and the name of a style
Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `drop` says how early it goes when there is no room (0: never), `grow` takes what is left."""

    title: str
    width: int
    right: bool = False
    drop: int = 0
    grow: bool = False


CLOCKS_DIFFER = 26  # "in 13 h 20 min (clocks differ)", cut at worst


def wider(columns: Sequence[Column], title: str) -> Sequence[Column]:
    """The columns with room for ages that lie ahead of this clock."""
    return [replace(c, width=CLOCKS_DIFFER) if c.title == title else c for c in columns]


class Source:
    """Rows of a table. `empty` is what the table says when there are none."""

    columns: Sequence[Column] = ()
    empty = ""

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

    def text(self, row: int) -> str:
        """What a filter looks into."""
        return " ".join(cell if isinstance(cell, str) else cell[0] for cell in self.cells(row))

    def sort_values(self, column: int) -> Any:
        """An array of values to sort a column by, or None where it has no order of its own."""
        return None


class Arranged(Source):
    """Another source's rows in an order, or a choice of them."""

    def __init__(self, source: Source, order: Any, *, filtered: str = "") -> None:
        self.source = source
        self.order = order
        self.columns = source.columns
        self.empty = f"no row matches {filtered!r}\nesc clears the filter" if filtered else source.empty

    def __len__(self) -> int:
        return len(self.order)

    def cells(self, row: int) -> Sequence[Cell]:
        return self.source.cells(int(self.order[row]))

    def key(self, row: int) -> Hashable:
        return self.source.key(int(self.order[row]))

    def base_row(self, row: int) -> int:
        """The row of the source below."""
        return int(self.order[row])

    def find(self, key: Hashable) -> int | None:
        import numpy as np

        below = self.source.find(key)
        if below is None:
            return None
        at = np.nonzero(np.asarray(self.order) == below)[0]
        return int(at[0]) if len(at) else None


def arrange(source: Source, *, filter_text: str, column: int | None, reverse: bool, cancel: CancelToken) -> Source:
    """Filter, then sort. May take long on many rows: call it in a thread."""
    import numpy as np

    order = np.arange(len(source))
    if filter_text:
        inverse = filter_text.startswith("!")
        wanted = filter_text[1:] if inverse else filter_text
        order = order[_matching(source, wanted.casefold(), inverse, cancel)]
    if column is not None:
        values = source.sort_values(column)
        if values is not None:
            order = order[np.argsort(np.asarray(values)[order], kind="stable")]
    if reverse:
        order = order[::-1]
    return Arranged(source, order, filtered=filter_text)


def _matching(source: Source, wanted: str, inverse: bool, cancel: CancelToken) -> list[int]:
    rows: list[int] = []
    for row in range(len(source)):
        if row % 512 == 0:
            cancel.check()
        if (wanted in source.text(row).casefold()) is not inverse:
            rows.append(row)
    return rows


class SnapshotSource(Source):
    """The snapshots of a generation, the newest first."""

    empty = "no snapshot: this generation cannot be restored"
    columns: Sequence[Column] = (
        Column("Index", 8),
        Column("Stored", 10, right=True),
        Column("Created (UTC)", 22, right=True, drop=1),
        Column("Age", 10, right=True),
        Column("File", 20, drop=2, grow=True),
    )

    def __init__(self, snapshots: Sequence[SnapshotInfo], now_ns: Clock) -> None:
        self.snapshots = tuple(reversed(snapshots))
        if any(snapshot.created_ns > now_ns() for snapshot in snapshots):
            self.columns = wider(self.columns, "Age")
        self.now_ns = now_ns

    def __len__(self) -> int:
        return len(self.snapshots)

    def cells(self, row: int) -> Sequence[Cell]:
        one, now = self.snapshots[row], self.now_ns()
        return (
            f"{one.index:08x}",
            format_size(one.size),
            format_clock(one.created_ns, now),
            (format_age(one.created_ns, now), "muted"),
            (one.name, "muted"),
        )

    def key(self, row: int) -> Hashable:
        return self.snapshots[row].index

    def sort_values(self, column: int) -> Any:
        pick: tuple[Callable[[SnapshotInfo], Any], ...] = (
            lambda s: s.index,
            lambda s: s.size,
            lambda s: s.created_ns,
            lambda s: -s.created_ns,
            lambda s: s.name,
        )
        return [pick[column](snapshot) for snapshot in self.snapshots]


class WALSource(Source):
    """WAL files of a generation, the newest first; `start` and `stop` are rows of its table."""

    empty = "no WAL files: nothing was written since the snapshot"

    def __init__(self, wals: WALTable, now_ns: Clock, start: int = 0, stop: int | None = None) -> None:
        self.wals = wals
        self.now_ns = now_ns
        self.start = start
        self.stop = len(wals) if stop is None else stop
        self.columns: Sequence[Column] = (
            Column("Index", 8),
            Column("Offset", 12, right=True),
            Column("Stored", 10, right=True),
            Column("Created (UTC)", 22, right=True, drop=1),
            Column("Age", 10, right=True),
            Column("File", 20, drop=2, grow=True),
        )
        if len(self) and int(wals.mtime_ns[self.start : self.stop].max()) > now_ns():
            self.columns = wider(self.columns, "Age")

    def __len__(self) -> int:
        return self.stop - self.start

    def at(self, row: int) -> int:
        """The row of the generation's table."""
        return self.stop - 1 - row

    def cells(self, row: int) -> Sequence[Cell]:
        one, now = self.wals[self.at(row)], self.now_ns()
        return (
            f"{one.index:08x}",
            ("whole", "muted") if one.offset is None else str(one.offset),
            format_size(one.size),
            format_clock(one.created_ns, now),
            (format_age(one.created_ns, now), "muted"),
            (one.name, "muted"),
        )

    def key(self, row: int) -> Hashable:
        at = self.at(row)
        return (int(self.wals.index[at]), int(self.wals.offset[at]), int(self.wals.form[at]))

    def find(self, key: Hashable) -> int | None:
        if not isinstance(key, tuple):
            return None
        of_index = self.wals.rows_of(key[0])
        for at in range(max(of_index.start, self.start), min(of_index.stop, self.stop)):
            if (int(self.wals.offset[at]), int(self.wals.form[at])) == key[1:]:
                return self.stop - 1 - at
        return None

    def text(self, row: int) -> str:
        at = self.at(row)
        return f"{int(self.wals.index[at]):08x} {int(self.wals.offset[at])}"

    def sort_values(self, column: int) -> Any:
        import numpy as np

        of = slice(self.start, self.stop)
        wals = self.wals
        index = wals.index[of].astype(np.uint64)
        values = (index, wals.offset[of], wals.size[of], wals.mtime_ns[of], -wals.mtime_ns[of], index)
        return values[column][::-1]


class FindingSource(Source):
    """Findings, the worst first."""

    empty = "nothing that the names of the files show; their content was not checked"
    columns = (
        Column("", 9),
        Column("Where", 17, drop=2),
        Column("What", 30, grow=True),
        Column("Code", 18, drop=1),
    )

    def __init__(self, findings: Sequence[Finding], empty: str = empty) -> None:
        self.findings = tuple(findings)
        self.empty = empty

    def __len__(self) -> int:
        return len(self.findings)

    def cells(self, row: int) -> Sequence[Cell]:
        one = self.findings[row]
        style = {"error": "error", "warning": "warning"}.get(one.severity, "")
        where = f"{one.index:08x}" if one.index is not None else (one.generation or "")
        return ((one.severity, style), where, one.message, (one.code, "muted"))

    def key(self, row: int) -> Hashable:
        one = self.findings[row]
        return (one.code, one.path, one.generation, one.index, one.offset)


class GenerationSource(Source):
    """The generations of a replica, the newest first."""

    empty = (
        "no generations: nothing was ever replicated into this folder\n"
        "with a database attached (o), s makes the first sync"
    )
    columns = (
        Column("Generation", 16),
        Column("Snapshots", 9, right=True, drop=3),
        Column("WAL files", 9, right=True, drop=3),
        Column("Stored", 10, right=True, drop=2),
        Column("Newest file (UTC)", 22, right=True, drop=1),
        Column("Age", 12, right=True),
        Column("State", 22, grow=True),
    )

    def __init__(self, view: ReplicaView, now_ns: Clock, checks: Checks) -> None:
        self.view = view
        self.now_ns = now_ns
        self.checks = checks

    def __len__(self) -> int:
        return len(self.view.generations)

    def cells(self, row: int) -> Sequence[Cell]:
        one, now = self.view.generations[row], self.now_ns()
        updated = one.stats.updated_ns
        said = badge(one, self.checks.get(one.name), now)
        verdict: Cell = ("names complete", "") if said.glyph == "unchecked" else (said.words[-1], said.status)
        if not one.survey.restorable:
            verdict = (one.survey.why_not, "error")
        elif one.name in self.checks and said.glyph != "unchecked":
            verdict = (said.words[1], said.status)
        return (
            one.name,
            str(one.stats.snapshots),
            str(one.stats.wal_files),
            format_size(one.stats.size),
            "" if updated is None else format_clock(updated, now),
            ("" if updated is None else format_age(updated, now), "muted"),
            verdict,
        )

    def key(self, row: int) -> Hashable:
        return self.view.generations[row].name


class TransactionSource(Source):
    """The transactions of a WAL, in their order."""

    empty = "no committed transaction in this WAL"

    def __init__(self, frames: FrameTable) -> None:
        self.frames = frames
        self.transactions = frames.transactions
        self.columns = (
            Column("Transaction", 11, right=True),
            Column("First frame", 11, right=True, drop=1),
            Column("Last frame", 10, right=True, drop=1),
            Column("Frames", 9, right=True, drop=3),
            Column("Pages", 9, right=True),
            Column("Database pages", 14, right=True, drop=2),
            Column("Ends at offset", 14, right=True),
        )

    def __len__(self) -> int:
        return len(self.transactions)

    def cells(self, row: int) -> Sequence[Cell]:
        t = self.transactions
        first, last = int(t.first_frame[row]), int(t.last_frame[row])
        return (
            str(row + 1),
            str(first),
            str(last),
            str(last - first + 1),
            str(int(t.pages[row])),
            str(int(t.database_pages[row])),
            str(int(t.end_offset[row])),
        )

    def find(self, key: Hashable) -> int | None:
        return key if isinstance(key, int) and key < len(self) else None

    def sort_values(self, column: int) -> Any:
        import numpy as np

        t = self.transactions
        plain = np.arange(len(t))
        length = t.last_frame - t.first_frame
        return (plain, t.first_frame, t.last_frame, length, t.pages, t.database_pages, t.end_offset)[column]


class FrameSource(Source):
    """The frames of a WAL, in their order."""

    empty = "no frames in this WAL"
    columns = (
        Column("Frame", 9, right=True),
        Column("Offset", 12, right=True),
        Column("Page", 10, right=True),
        Column("Commit", 10, right=True),
        Column("Checksum", 9, drop=1),
    )

    def __init__(self, frames: FrameTable) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    def cells(self, row: int) -> Sequence[Cell]:
        commit = int(self.frames.commits[row])
        valid = row < self.frames.valid_frames
        return (
            str(row),
            str(self.frames.offset(row)),
            str(int(self.frames.pages[row])),
            str(commit) if commit else "",
            ("valid", "muted") if valid else ("invalid", "error"),
        )

    def find(self, key: Hashable) -> int | None:
        return key if isinstance(key, int) and key < len(self) else None

    def text(self, row: int) -> str:
        commit = "commit " if self.frames.commits[row] else ""
        return f"{int(self.frames.pages[row])} {commit}{'valid' if row < self.frames.valid_frames else 'invalid'}"

    def sort_values(self, column: int) -> Any:
        import numpy as np

        plain = np.arange(len(self))
        return (plain, plain, self.frames.pages, self.frames.commits, self.frames.valid)[column]
