"""Rows drawn on demand: the base of the tree and of every table.

Only the lines on the screen are rendered, so a view of two million rows costs what a page costs. What a row
looks like is said by the subclass as spans, pairs of text and style name; names are those of `STYLES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

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
KEPT = 500  # drawn rows
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

    class FollowEnded(Message):
        """The cursor was moved by hand: it follows the newest row no more."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.following = False  # the newest row, as rows come
        self._drawn: dict[tuple[int, bool, bool, int], Strip] = {}  # rows as they stand until the next refresh
        self._looks: dict[str, Style] = {}  # styles by name, as long

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

    def _keep_place(self, row: int, on_page: int) -> None:
        """There are other rows: the cursor goes to its own, which stood so far below the top of the page. The first
        page stays the first as long as the cursor is on it: there the news come."""
        top = row - on_page
        if round(self.scroll_y) == 0 and row < self.page_rows:
            top = 0
        self.rows_changed(row, top=top)

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

    def moved_by_hand(self) -> None:
        """The cursor was moved: it follows nothing any more."""
        if self.following:
            self.following = False
            self.post_message(self.FollowEnded())

    def _move(self, row: int) -> None:
        self.moved_by_hand()
        self.set_cursor(row)

    def action_cursor_up(self) -> None:
        self._move(self.cursor - 1)

    def action_cursor_down(self) -> None:
        self._move(self.cursor + 1)

    def action_cursor_first(self) -> None:
        self._move(0)

    def action_cursor_last(self) -> None:
        self._move(self.row_count - 1)

    def action_page_up(self) -> None:
        self._move(self.cursor - self.page_rows)

    def action_page_down(self) -> None:
        self._move(self.cursor + self.page_rows)

    def action_half_up(self) -> None:
        self._move(self.cursor - max(1, self.page_rows // 2))

    def action_half_down(self) -> None:
        self._move(self.cursor + max(1, self.page_rows // 2))

    def action_choose(self) -> None:
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
        self._move(row)
        if event.chain > 1:
            self.action_choose()

    # drawing

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        if not regions:  # scrolling names one: what comes into sight is drawn, what stays is not drawn again
            self._forget_drawn()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        self._forget_drawn()
        super().notify_style_update()

    def _forget_drawn(self) -> None:
        self._drawn.clear()
        self._looks.clear()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        row = y - self.header_lines + round(self.scroll_y)
        if y < self.header_lines:
            return self._strip(self.header_spans(width), width, "header")
        if row < self.row_count:
            state = (row, row == self.cursor, self.has_focus, width)
            if state not in self._drawn:
                if len(self._drawn) > KEPT:
                    self._drawn.clear()
                under = ("cursor" if self.has_focus else "cursor-blurred") if row == self.cursor else ""
                self._drawn[state] = self._strip(self.spans(row, width), width, under)
            return self._drawn[state]
        lines = self.empty_text().split("\n") if self.row_count == 0 else []
        line = y - self.header_lines - 1
        if 0 <= line < len(lines):
            return self._strip([("  " + lines[line], "muted")], width)
        return Strip.blank(width, self._look(""))

    def _look(self, name: str) -> Style:
        """The style of a span, on the background of the widget."""
        if name not in self._looks:
            look = self.rich_style
            if name.startswith("cursor"):
                look += self.get_component_rich_style(f"row--{name}")  # not partial: its colours have alpha
            elif name:
                # The partial style alone would lose the alpha of colours such as $text-muted.
                blended = self.get_component_rich_style(f"row--{name}")
                look += self.get_component_rich_style(f"row--{name}", partial=True) + Style(color=blended.color)
            self._looks[name] = look
        return self._looks[name]

    def _strip(self, spans: Sequence[Span], width: int, under: str = "") -> Strip:
        """Spans as exactly `width` cells; where a style lies `under` the whole row, theirs do not count."""
        segments: list[Segment] = []
        left = width
        for text, name in spans:
            if left <= 0:
                break
            cells = cell_len(text)
            if cells > left:
                text = set_cell_size(text, left)
                cells = left
            segments.append(Segment(text, self._look(under or name)))
            left -= cells
        if left > 0:
            segments.append(Segment(" " * left, self._look(under)))
        return Strip(segments, width)
