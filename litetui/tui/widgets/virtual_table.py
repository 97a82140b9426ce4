"""A table that draws only the rows on the screen. Two million rows open as fast as ten."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import NamedTuple

from textual import events
from textual.message import Message

from litetui.tui import keys
from litetui.tui.glyphs import Glyphs
from litetui.tui.tables.arranged import Arranged, base_of
from litetui.tui.tables.sources import Cell, Column, Source
from litetui.tui.textutil import clean, fit
from litetui.tui.widgets.row_view import RowView, Span
from litetui.units import zone_heading

GAP = 2
SAMPLE = 24  # rows that are measured at the begin, at the end and between
MIN_GROW = 4
IN_UTC = "(UTC)"


class Place(NamedTuple):
    """Where one stands in a source, in its own order: the row, the first row of the page, and what the row is about,
    which is gone to where it has got another number."""

    row: int = 0
    top: int = 0
    key: Hashable = None


TOP = Place()


class VirtualTable(RowView):
    """Shows a `Source`. The cursor stays on its row's key when a newer source of the same thing comes."""

    BINDINGS = [*keys.bindings("table")]  # noqa: RUF012
    header_lines = 1

    class HeaderClicked(Message):
        """The heading of a column was clicked."""

        def __init__(self, table: VirtualTable, column: int) -> None:
            super().__init__()
            self.table = table
            self.column = column

        @property
        def control(self) -> VirtualTable:
            return self.table

    def __init__(self, glyphs: Glyphs, *, id: str | None = None, marks_new: bool = False) -> None:
        """`marks_new`: rows that come get a `+` until `seen` is called."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self.source: Source = EmptySource("")
        self.sorted_by: int | None = None
        self.reversed = False
        self.marks_new = marks_new
        self._seen: Source = self.source  # rows that it has not are new
        self._widths: list[int] = []  # of each column's content, as far as it was seen
        self._layout: tuple[object, list[tuple[int, Column, int]]] = ((), [])
        self._page: list[Sequence[Cell]] = []

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

    @property
    def place(self) -> Place:
        """Where the cursor stands. On the first row it is no row's: there the news come."""
        row, on_page = self.base_row or 0, self.cursor - round(self.scroll_y)
        return Place(row, max(0, row - on_page), self.key if row else None)

    def tick(self) -> None:
        """Time goes on: draw the page again where it reads otherwise by now."""
        first = round(self.scroll_y)
        page = [self.source.cells(row) for row in range(first, min(first + self.page_rows, len(self.source)))]
        if page != self._page:
            self._page = page
            self.refresh()

    def show(self, source: Source, *, same: bool = False, place: Place = TOP) -> None:
        """Show a source; `same`: a newer state of what was shown, so that cursor and page stay, else they go to `place`
        of it."""
        key, on_page = self.key, self.cursor - round(self.scroll_y)
        self.source = source
        self._measure(same)
        if not same:
            self._seen = base_of(source)
        newest = source.newest() if self.following else None
        if newest is not None:
            self.rows_changed(newest)
            return
        if not same:
            row = source.find(place.key) if place.key is not None else None
            row = place.row if row is None else row
            self.rows_changed(row, max(0, row - place.row + place.top))
            return
        if self.cursor == 0 and not self.has_focus:
            self.rows_changed(0, top=0)  # nobody stands here: the first row is the newest
            return
        at = source.find(key) if key is not None else 0
        if at is None:
            self.rows_changed(self.cursor)
        else:
            self._keep_place(at, on_page)

    # new rows

    def follow(self, on: bool) -> bool:
        """Keep the cursor on the newest row, or no more; False where no row is the newest."""
        newest = self.source.newest()
        if newest is None and len(self.source):
            return False
        self.following = on
        if on and newest is not None:
            self.set_cursor(newest)
        return True

    def seen(self) -> None:
        """A key was pressed: what came until now is new no more."""
        base = base_of(self.source)
        if self.marks_new and self._seen is not base:
            self._seen = base
            self.refresh()

    def is_new(self, row: int) -> bool:
        if not self.marks_new or self._seen is base_of(self.source):
            return False
        return self._seen.find(self.source.key(row)) is None

    # columns

    def _measure(self, same: bool) -> None:
        """How wide the content of each column is: of some rows here, of the others when they are drawn."""
        columns, count = self.source.columns, len(self.source)
        if not same or len(self._widths) != len(columns):
            self._widths = [0] * len(columns)
        some = {*range(min(count, SAMPLE)), *range(max(0, count - SAMPLE), count)}
        some.update(count * n // SAMPLE for n in range(SAMPLE if count else 0))
        self._layout = ((), [])
        for row in some:
            self._note_widths(self.source.cells(row))

    def _note_widths(self, cells: Sequence[Cell]) -> bool:
        """Whether something is wider than all that was seen."""
        wider = False
        for number, cell in enumerate(cells):
            text, _ = _parts(cell)
            if len(text) > self._widths[number]:
                self._widths[number] = len(text)
                wider = True
        return wider

    def visible_columns(self, width: int) -> list[tuple[int, Column, int]]:
        """Which columns fit, with their number and width.

        Where there is no room for all, or a growing text would be cut, they first lose what their content does not
        need, and then those with the highest `drop` go. Numbers are never cut.
        """
        state = (width, self.source, self.sorted_by)
        if self._layout[0] != state:
            self._layout = (state, self._columns(width))
        return self._layout[1]

    def _columns(self, width: int) -> list[tuple[int, Column, int]]:
        room = width - 2
        shown = [(n, c, self._wanted(n, c)) for n, c in enumerate(map(_in_zone, self.source.columns))]

        def needed() -> int:
            return sum(cells + GAP for _, _, cells in shown) - GAP

        grown = max(0, room - needed())
        if needed() > room or any(c.grow and self._widths[n] > cells + grown for n, c, cells in shown):
            shown = [(n, c, self._least(n, c)) for n, c, _ in shown]
        for level in (3, 2, 1):
            for one in reversed([one for one in shown if one[1].drop == level]):
                if needed() > room:
                    shown.remove(one)
        left = room - needed()
        grows = any(c.grow for _, c, _ in shown)
        return [(n, c, max(MIN_GROW, cells + left) if c.grow and grows else cells) for n, c, cells in shown]

    def _wanted(self, number: int, column: Column) -> int:
        """The width of a column where there is room."""
        return max(column.width, self._least(number, column) if column.right else self._titled(number, column))

    def _least(self, number: int, column: Column) -> int:
        """The width that a column's content needs; text may be cut where it has its column's width."""
        content = self._widths[number]
        return max(content if column.right else min(content, column.width), self._titled(number, column))

    def _titled(self, number: int, column: Column) -> int:
        return len(column.title) + (2 if number == self.sorted_by and column.title else 0)

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
        if self._note_widths(cells):
            self._layout = ((), [])
            self.call_later(self.refresh)
        spans: list[Span] = [("+", "accent") if self.is_new(row) else (" ", "")]
        for number, column, room in self.visible_columns(width):
            text, style = _parts(cells[number])
            spans.append((fit(clean(text), room, right=column.right, mark=self.glyphs.cut), style))
            spans.append((" " * GAP, ""))
        return spans[:-1]

    def on_click(self, event: events.Click) -> None:
        if event.y >= self.header_lines:
            return
        event.prevent_default()
        x = 1
        for number, _, room in self.visible_columns(self.size.width):
            if x <= event.x < x + room + GAP:
                self.post_message(self.HeaderClicked(self, number))
                return
            x += room + GAP

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


def _in_zone(column: Column) -> Column:
    """A column of clocks as the screen's zone has it: its name in the heading, and room for it."""
    if IN_UTC not in column.title or (zone := zone_heading(time.time_ns())) == "UTC":
        return column
    return replace(column, title=column.title.replace("UTC", zone), width=column.width + len(zone) - 1)


def _parts(cell: Cell) -> tuple[str, str]:
    return (cell, "") if isinstance(cell, str) else cell
