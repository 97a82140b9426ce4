"""A table that draws only the rows on the screen. Two million rows open as fast as ten."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from litetui.tui import keys
from litetui.tui.glyphs import Glyphs
from litetui.tui.sources import Arranged, Cell, Column, Source
from litetui.tui.textutil import clean, fit
from litetui.tui.widgets.row_view import RowView, Span

GAP = 2


class VirtualTable(RowView):
    """Shows a `Source`. The cursor stays on its row's key when a newer source of the same thing comes."""

    BINDINGS = [*keys.bindings("table")]  # noqa: RUF012
    header_lines = 1

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self.source: Source = EmptySource("")
        self.sorted_by: int | None = None
        self.reversed = False

    @property
    def row_count(self) -> int:
        return len(self.source)

    @property
    def key(self) -> Hashable | None:
        """The key of the row under the cursor."""
        return self.source.key(self.cursor) if 0 <= self.cursor < len(self.source) else None

    @property
    def base_row(self) -> int | None:
        """The row under the cursor, in the source before it was sorted or filtered."""
        if not 0 <= self.cursor < len(self.source):
            return None
        return self.source.base_row(self.cursor) if isinstance(self.source, Arranged) else self.cursor

    def show(self, source: Source, *, same: bool = False, cursor: int = 0, top: int = 0) -> None:
        """Show a source; `same`: a newer state of what was shown, so that cursor and page stay."""
        key, on_page = self.key, self.cursor - round(self.scroll_y)
        followed = same and self.cursor > 0 and self.cursor == len(self.source) - 1
        self.source = source
        if not same:
            self.rows_changed(cursor, top)
            return
        if self.cursor == 0 and not self.has_focus:
            self.rows_changed(0, top=0)  # nobody stands here: the first row is the newest
            return
        at = source.find(key) if key is not None else 0
        if at is None:
            self.rows_changed(self.cursor)
        elif self.cursor == 0 and on_page == 0 and not followed:
            self.rows_changed(at, top=at)
        else:
            self.rows_changed(at, top=at - on_page)

    def visible_columns(self, width: int) -> list[tuple[int, Column, int]]:
        """Which columns fit, with their number and width: those with the highest `drop` go first."""
        chosen = list(enumerate(self.source.columns))

        def needed() -> int:
            return sum(column.width + GAP for _, column in chosen)

        for level in (3, 2, 1):
            if needed() - GAP + 2 <= width:
                break
            chosen = [(n, column) for n, column in chosen if column.drop < level]
        left = max(0, width - 1 - (needed() - GAP + 1))
        return [(n, c, c.width + (left if c.grow else 0)) for n, c in chosen]

    def header_spans(self, width: int) -> Sequence[Span]:
        cells: list[str] = []
        for number, column, room in self.visible_columns(width):
            title = column.title
            if number == self.sorted_by:
                title = f"{title} {self.glyphs.down if self.reversed else self.glyphs.up}"
            cells.append(fit(title, room, right=column.right, mark=self.glyphs.cut))
        return [(" " + (" " * GAP).join(cells), "")]

    def spans(self, row: int, width: int) -> Sequence[Span]:
        cells = self.source.cells(row)
        spans: list[Span] = [(" ", "")]
        for number, column, room in self.visible_columns(width):
            text, style = _parts(cells[number])
            spans.append((fit(clean(text), room, right=column.right, mark=self.glyphs.cut), style))
            spans.append((" " * GAP, ""))
        return spans[:-1]

    def empty_text(self) -> str:
        return self.source.empty


class EmptySource(Source):
    """No rows, and words that say why."""

    def __init__(self, words: str, columns: Sequence[Column] = ()) -> None:
        self.empty = words
        self.columns = columns

    def __len__(self) -> int:
        return 0

    def cells(self, row: int) -> Sequence[Cell]:
        raise IndexError(row)


def _parts(cell: Cell) -> tuple[str, str]:
    return (cell, "") if isinstance(cell, str) else cell
