"""The lines around the panes: headline, title of a pane, tabs, footer. One line each, markup never parsed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.scrollbar import ScrollBarRender
from textual.widget import Widget

from litetui.tui.glyphs import Glyphs
from litetui.tui.keys import Action, footer_place
from litetui.tui.textutil import clean, cut_end, cut_path

Part = tuple[str, str]  # text, style (a theme variable such as "$foreground-muted", or "")


def content(*parts: Part) -> Content:
    """Parts as content, each made harmless."""
    return Content.assemble(*((clean(text), style) if style else clean(text) for text, style in parts))


class Line(Widget):
    """One line of parts; a subclass or its owner sets them."""

    DEFAULT_CSS = "Line { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.parts: tuple[Part, ...] = ()

    def say(self, *parts: Part) -> None:
        if parts != self.parts:
            self.parts = parts
            self.refresh()

    def render(self) -> Content:
        return content(*self.parts)


class Headline(Line):
    """What is open, and what can be said of it on what evidence."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self.path = ""
        self.database = ""
        self.verdict: Part = ("", "")
        self.aside: Part = ("", "")

    def tell(self, path: str, verdict: Part, aside: Part, database: str = "") -> None:
        told = (path, verdict, aside, database)
        if told != (self.path, self.verdict, self.aside, self.database):
            self.path, self.verdict, self.aside, self.database = told
            self.refresh()

    def _places(self, room: int) -> str:
        """The replica and the database it comes from, in at most `room` cells."""
        cut, arrow = self.glyphs.cut, f" {self.glyphs.from_} "
        path, database = clean(self.path), clean(self.database)
        if not database:
            return cut_path(path, room, cut) if room >= 12 else ""
        left = room - cell_len(arrow)
        name = database.rpartition("/")[2]
        if cell_len(path) + cell_len(database) > left:
            database = database if cell_len(database) <= left // 2 else name
            path = cut_path(path, max(left - cell_len(database), 0), cut)
        if cell_len(path) < 6 or cell_len(path) + cell_len(database) > left:
            return cut_path(clean(self.path), room, cut) if room >= 12 else ""
        return path + arrow + database

    def render(self) -> Content:
        width = self.size.width
        verdict, aside = clean(self.verdict[0]), clean(self.aside[0])
        room = width - 11 - cell_len(verdict) - (cell_len(aside) + 2 if aside else 0)
        if room < min(24, cell_len(clean(self.path))) and aside:
            room += cell_len(aside) + 2
            aside = ""
        path = self._places(room)
        verdict = cut_end(verdict, max(0, width - 11 - cell_len(path)), self.glyphs.cut)
        right = verdict + ("  " + aside if aside else "")
        pad = " " * max(2, width - 9 - cell_len(path) - cell_len(right) - 1)
        parts: list[Part] = [(" litetui ", "bold $text-primary"), (path, "bold"), (pad, "")]
        parts.append((verdict, self.verdict[1]))
        if aside:
            parts.append(("  " + aside, self.aside[1]))
        return Content.assemble(*((text, style) if style else text for text, style in parts))


class TabBar(Widget):
    """The tabs of a pane in one line; a click or `[` `]` changes them."""

    DEFAULT_CSS = "TabBar { height: 1; width: 1fr; }"

    class Picked(Message):
        """A tab was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.labels: Sequence[tuple[str, str]] = ()
        self.active = 0
        self.aside = ""

    def tell(self, labels: Sequence[tuple[str, str]], active: int, aside: str = "") -> None:
        """Show tabs: label and status of each, and which one is active; `aside` stands at the end of the line."""
        told = (tuple(labels), active, aside)
        if told != (self.labels, self.active, self.aside):
            self.labels, self.active, self.aside = told
            self.display = len(labels) > 0
            self.refresh()

    def render(self) -> Content:
        parts: list[Part] = []
        for number, (label, status) in enumerate(self.labels):
            style = f"$text-{status}" if status else ("" if number == self.active else "$foreground-muted")
            if number == self.active:
                style = f"{style} bold reverse"
            parts.append((f" {label} ", style.strip()))
            parts.append((" ", ""))
        if self.aside:
            room = self.size.width - cell_len(self.aside) - 2
            used = sum(cell_len(clean(text)) for text, _ in parts)
            while used > room and len(parts) > 1:  # what is done to the rows has to be seen
                used -= cell_len(clean(parts.pop()[0]))
            parts += [(" " * max(1, room - used), ""), (self.aside + " ", "$text-primary")]
        return content(*parts)

    def on_click(self, event: events.Click) -> None:
        x = 0
        for number, (label, _) in enumerate(self.labels):
            width = cell_len(clean(label)) + 2
            if x <= event.x < x + width:
                self.post_message(self.Picked(number))
                return
            x += width + 1


class Footer(Widget):
    """The actions of the focused pane, greyed where they are not possible; a click is as good as the key."""

    DEFAULT_CSS = "Footer { height: 1; dock: bottom; width: 1fr; }"

    class Pressed(Message):
        """An action was clicked."""

        def __init__(self, action_id: str) -> None:
            super().__init__()
            self.action_id = action_id

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.actions: Sequence[Action] = ()
        self.why_not: Callable[[Action], str] = lambda _: ""
        self._places: list[tuple[int, int, str]] = []
        self._told: list[tuple[str, bool]] = []

    def tell(self, actions: Sequence[Action], why_not: Callable[[Action], str]) -> None:
        """Show actions, given the most important first: those of rank 0 always, the others as long as there is room.
        What is not possible now takes what room is left, behind all that is."""
        self.actions, self.why_not = actions, why_not
        told = [(action.id, not why_not(action)) for action in actions]
        if told != self._told:  # this comes every second
            self._told = told
            self.refresh()

    def render(self) -> Content:
        possible_of = {action.id: not self.why_not(action) for action in self.actions}
        shown = [action for action in self.actions if action.rank == 0]
        room = self.size.width - 1 - sum(_width(action) for action in shown)
        for action in sorted(self.actions, key=lambda one: not possible_of[one.id]):
            if action.rank and _width(action) <= room:
                room -= _width(action)
                shown.append(action)
        shown.sort(key=lambda one: (one.rank != 0 and not possible_of[one.id], footer_place(one)))
        parts: list[Part] = [(" ", "")]
        self._places = []
        x = 1
        for action in shown:
            possible = possible_of[action.id]
            parts.append((action.shown_key, "$text-primary bold" if possible else "$foreground-disabled"))
            parts.append((f" {action.label}  ", "" if possible else "$foreground-disabled"))
            self._places.append((x, x + _width(action), action.id))
            x += _width(action)
        return content(*parts)

    def on_click(self, event: events.Click) -> None:
        for start, stop, action_id in self._places:
            if start <= event.x < stop:
                self.post_message(self.Pressed(action_id))


def _width(action: Action) -> int:
    return len(action.shown_key) + len(action.label) + 3


class WholeCellBars(ScrollBarRender):
    """Scrollbars of whole cells: Textual's ends of block elements are no ASCII, and jump in many fonts."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8
