"""The copy menu: which text of what the cursor stands on."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from litetui.tui.screens.dialog import Dialog
from litetui.tui.textutil import clean


class CopyMenu(Dialog[None]):
    """Names and texts; enter sends one to the terminal's clipboard."""

    box_id = "copy-dialog"
    keys_line = "enter copies; esc closes"

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.texts = texts

    @property
    def title_text(self) -> str:
        return "Copy"

    def body(self) -> ComposeResult:
        options = [Option(Content(f"{name:<12}{clean(text.replace(chr(9), '  '))}")) for name, text in self.texts]
        yield OptionList(*options, compact=True)

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.app.copy(self.texts[event.option_index][1])
        self.dismiss(None)
