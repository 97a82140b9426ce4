"""The copy menu: which text of what the cursor stands on."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from litetui.tui.screens.dialog import Dialog
from litetui.tui.textutil import in_a_line


class CopyMenu(Dialog[tuple[str, str]]):
    """Names and texts; enter sends one to the terminal's clipboard, or, where it `saves`, is what one was chosen."""

    box_id = "copy-dialog"

    def __init__(self, texts: Sequence[tuple[str, str]], *, saves: bool = False) -> None:
        super().__init__()
        self.texts = texts
        self.saves = saves
        self.keys_line = f"enter {'asks for a file' if saves else 'copies'}; esc closes"

    @property
    def title_text(self) -> str:
        return "Save" if self.saves else "Copy"

    def body(self) -> ComposeResult:
        width = max(len(name) for name, _ in self.texts) + 2
        cut = self.app.settings.glyphs.cut
        lines = [f"{name:<{width}}{in_a_line(text, cut)}" for name, text in self.texts]
        yield OptionList(*(Option(Content(line)) for line in lines), compact=True)

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        chosen = self.texts[event.option_index]
        if not self.saves:
            self.app.copy(chosen[1])
        self.dismiss(chosen if self.saves else None)
