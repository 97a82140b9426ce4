"""Rows drawn on demand: the base of the tree and of every table.

Only the lines on the screen are rendered, so a view of two million rows costs what a page costs. What a row
looks like is said by the subclass as spans, pairs of text and style name; names are those of `STYLES`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from litetui.tui import keys

Span = tuple[str, str]
STYLES = ("muted", "success", "warning", "error", "accent", "strong", "header")


class RowView(ScrollView, can_focus=True):
    """A scrolling list of rows with a cursor."""

    BINDINGS = [*keys.bindings("rows")]  # noqa: RUF012  (Textual's own idiom)
    COMPONENT_CLASSES = {f"row--{name}" for name in (*STYLES, "cursor", "cursor-blurred")}  # noqa: RUF012
    header_lines = 0

    cursor: var[int] = var(0)

    class Highlighted(Message):
        """The cursor stands on another row."""

        def __init__(self, view: RowView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> RowView:
            return self.view

    class Chosen(Highlighted):
        """Enter was pressed on the row, or it was clicked twice."""

    @property
    def row_count(self) -> int:
        raise NotImplementedError

    def spans(self, row: int, width: int) -> Sequence[Span]:
        """What stands in a row."""
        raise NotImplementedError

    def header_spans(self, width: int) -> Sequence[Span]:
        return ()

    def empty_text(self) -> str:
        """What a view without rows says instead."""
        return ""

    # rows and cursor

    @property
    def page_rows(self) -> int:
        """How many rows are on the screen."""
        return max(1, self.size.height - self.header_lines)

    def rows_changed(self, cursor: int | None = None, top: int | None = None) -> None:
        """There are other rows: the scroll range follows, and the cursor, if asked, moves with the page."""
        self.virtual_size = Size(self.size.width, self.row_count + self.header_lines)
        if cursor is not None:
            self.set_cursor(cursor, top=top)
        elif self.cursor >= self.row_count:
            self.cursor = max(0, self.row_count - 1)
        self.refresh()

    def set_cursor(self, row: int, *, top: int | None = None) -> None:
        """Move the cursor; `top` is the row that the page shall begin with, else the page moves as needed."""
        self.cursor = max(0, min(row, self.row_count - 1))
        if top is None:
            self._show_cursor()
        else:
            self.scroll_to(y=max(0, top), animate=False, force=True, immediate=True)

    def watch_cursor(self, before: int, now: int) -> None:
        if before != now:
            self.refresh_row(before)
            self.refresh_row(now)
            self.post_message(self.Highlighted(self))

    def refresh_row(self, row: int) -> None:
        y = row - round(self.scroll_y) + self.header_lines
        if self.header_lines <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _show_cursor(self) -> None:
        top = round(self.scroll_target_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True, immediate=True)
        elif self.cursor >= top + self.page_rows:
            self.scroll_to(y=self.cursor - self.page_rows + 1, animate=False, force=True, immediate=True)

    def action_cursor_up(self) -> None:
        self.set_cursor(self.cursor - 1)

    def action_cursor_down(self) -> None:
        self.set_cursor(self.cursor + 1)

    def action_cursor_first(self) -> None:
        self.set_cursor(0)

    def action_cursor_last(self) -> None:
        self.set_cursor(self.row_count - 1)

    def action_page_up(self) -> None:
        self.set_cursor(self.cursor - self.page_rows)

    def action_page_down(self) -> None:
        self.set_cursor(self.cursor + self.page_rows)

    def action_half_up(self) -> None:
        self.set_cursor(self.cursor - max(1, self.page_rows // 2))

    def action_half_down(self) -> None:
        self.set_cursor(self.cursor + max(1, self.page_rows // 2))

    def action_choose(self) -> None:
        if self.row_count:
            self.post_message(self.Chosen(self))

    # events

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, self.row_count + self.header_lines)
        self._show_cursor()

    def row_at(self, y: int) -> int | None:
        """The row under a line of the widget."""
        row = y - self.header_lines + round(self.scroll_y)
        return row if y >= self.header_lines and row < self.row_count else None

    def on_click(self, event: events.Click) -> None:
        row = self.row_at(event.y)
        if row is None:
            return
        self.set_cursor(row)
        if event.chain > 1:
            self.action_choose()

    # drawing

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        if y < self.header_lines:
            return self._strip(self.header_spans(width), width, base + self._style("header"))
        row = y - self.header_lines + round(self.scroll_y)
        if row < self.row_count:
            style = base
            if row == self.cursor:
                name = "row--cursor" if self.has_focus else "row--cursor-blurred"
                style = base + self.get_component_rich_style(name)  # not partial: its colours have alpha
            return self._strip(self.spans(row, width), width, style, plain=row == self.cursor)
        if self.row_count == 0:
            lines = self.empty_text().split("\n")
            line = y - self.header_lines - 1
            if 0 <= line < len(lines):
                return self._strip([("  " + lines[line], "muted")], width, base)
        return Strip.blank(width, base)

    def _style(self, name: str) -> Style:
        # The partial style alone would lose the alpha of colours such as $text-muted.
        blended = self.get_component_rich_style(f"row--{name}")
        return self.get_component_rich_style(f"row--{name}", partial=True) + Style(color=blended.color)

    def _strip(self, spans: Sequence[Span], width: int, base: Style, plain: bool = False) -> Strip:
        """Spans as exactly `width` cells. `plain`: no colours of spans, the row's own carries them all."""
        segments: list[Segment] = []
        left = width
        for text, name in spans:
            if left <= 0:
                break
            cells = cell_len(text)
            if cells > left:
                text = set_cell_size(text, left)
                cells = left
            style = base if plain or not name else base + self._style(name)
            segments.append(Segment(text, style))
            left -= cells
        if left > 0:
            segments.append(Segment(" " * left, base))
        return Strip(segments, width)
