"""One of a few words, in one line. Textual's RadioSet marks chosen and unchosen alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from litetui.tui.glyphs import Glyphs


class Choice(Widget, can_focus=True):
    """Left and right, or a click, choose."""

    DEFAULT_CSS = "Choice { height: 1; } Choice:focus { text-style: underline; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", show=False),
        Binding("right,l,space", "step(1)", show=False),
    ]
    chosen: reactive[int] = reactive(0)

    class Changed(Message):
        """Another word was chosen."""

    def __init__(self, words: Sequence[str], chosen: str, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(id=id)
        self.words = tuple(words)
        self.glyphs = glyphs
        self.set_reactive(Choice.chosen, self.words.index(chosen))

    @property
    def value(self) -> str:
        return self.words[self.chosen]

    def watch_chosen(self) -> None:
        self.post_message(self.Changed())

    def action_step(self, step: int) -> None:
        self.chosen = (self.chosen + step) % len(self.words)

    def render(self) -> Content:
        parts: list[tuple[str, str]] = []
        for number, word in enumerate(self.words):
            mark = self.glyphs.chosen if number == self.chosen else self.glyphs.unchosen
            parts.append((f"{mark} {word}   ", "bold" if number == self.chosen else "$foreground-muted"))
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        x = 0
        for number, word in enumerate(self.words):
            width = len(self.glyphs.chosen) + len(word) + 4
            if x <= event.x < x + width:
                self.chosen = number
            x += width
