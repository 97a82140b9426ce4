"""The command line at the bottom: a word or a place, with what it could become above it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Protocol

from rich.cells import cell_len
from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static

from litetui.errors import LitetuiError
from litetui.tui.command.words import Suggestion
from litetui.tui.textutil import clean, cut_end
from litetui.tui.widgets.ordered_input import OrderedInput

if TYPE_CHECKING:
    from litetui.tui.app import LitetuiApp

Call = Callable[[], object]
LINES = 12  # of the list, where the screen has room for them
NAME_WIDTH = 12


class Commands(Protocol):
    """What the line asks: what a text can become, what it does (or LitetuiError), and what was run before."""

    history: list[str]

    def suggestions(self, text: str) -> list[Suggestion]: ...

    def resolve(self, text: str) -> Call: ...


class CommandList(Widget):
    """Suggestions, one a line; the one that tab has taken is marked. It scrolls so far that this one is in sight."""

    DEFAULT_CSS = "CommandList { height: auto; width: 1fr; text-wrap: nowrap; text-overflow: clip; }"

    def __init__(self, cut: str, pointer: str) -> None:
        super().__init__(id="commands")
        self.cut = cut
        self.pointer = pointer
        self.found: list[Suggestion] = []
        self.taken: int | None = None
        self.room = LINES

    def tell(self, found: list[Suggestion], taken: int | None, room: int) -> None:
        self.found, self.taken, self.room = found, taken, room
        self.styles.height = min(len(found), room)
        self.refresh()

    def render(self) -> Content:
        first = max(0, min((self.taken or 0) - self.room // 2, len(self.found) - self.room))
        lines = [self._line(number) for number in range(first, min(first + self.room, len(self.found)))]
        return Content("\n").join(lines)

    def _line(self, number: int) -> Content:
        one, width = self.found[number], self.size.width
        marked = number == self.taken
        name = clean(one.text.strip())
        left = f" {self.pointer if marked else ' '} {name:<{NAME_WIDTH}}  "
        room = max(0, width - cell_len(left) - 1)
        # A reason comes first: it is what matters now, and the meaning is cut where there is no room for both.
        words = cut_end(clean(f"not now: {one.reason}" if one.reason else one.meaning), room, self.cut)
        style = "$foreground-disabled" if one.reason else "bold" if marked else ""
        return Content.assemble(
            (left, style) if style else left, (words, "$text-warning" if one.reason else "$foreground-muted")
        )


class CommandInput(OrderedInput):
    """The field; its keys act in the order in which they were typed."""

    async def _on_key(self, event: events.Key) -> None:
        line = self.screen
        assert isinstance(line, CommandLine)
        at_end = self.cursor_position >= len(self.value)
        steps = {"tab": 1, "shift+tab": -1} | ({"right": 1} if at_end else {})
        moves = {"up": -1, "down": 1, "ctrl+p": -1, "ctrl+n": 1}
        if event.key in steps:
            line.complete(steps[event.key])
        elif event.key in moves:
            line.recall(moves[event.key])
        elif event.key == "enter":
            line.run(self.value.strip())
        elif event.key == "backspace" and not self.value:
            line.dismiss(None)
        else:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()


class CommandLine(ModalScreen[Call | None]):
    """Answers with what is to be done, or None. What is not possible says why, and the line stays."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close", show=False)]
    CSS_PATH = "dialogs.tcss"
    DEFAULT_CSS = """
    CommandLine > Vertical { height: auto; background: $panel; }
    CommandLine #said { height: auto; padding: 0 1; }
    CommandLine #line { height: 1; }
    CommandLine #colon { width: 2; background: $panel; color: $text-primary; text-style: bold; }
    CommandLine Input { width: 1fr; background: $panel; }
    """

    if TYPE_CHECKING:
        app = getters.app(LitetuiApp)

    def __init__(self, commands: Commands) -> None:
        super().__init__()
        self.commands = commands
        glyphs = self.app.settings.glyphs
        self.list = CommandList(glyphs.cut, glyphs.closed)
        self.typed = ""  # what tab completes
        self.taken: int | None = None
        self.filled: str | None = None  # what a key has put into the field
        self.back = 0  # so many entries of the history back
        self.draft = ""  # what was typed before one went back

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self.list
            yield Static(id="said", markup=False)
            with Horizontal(id="line"):
                yield Static(" :", id="colon", markup=False)
                words = "a word, an index, a position, a TXID, a time"
                yield CommandInput(id="command", compact=True, placeholder=words)

    def on_mount(self) -> None:
        self.query_one("#command").focus()
        self.say("tab completes; up: what was before; enter goes; esc closes", "$foreground-muted")
        self._tell()
        self.call_after_refresh(self.app.let_keys_through)

    def on_resize(self) -> None:
        self._tell()

    @property
    def field(self) -> Input:
        return self.query_one("#command", Input)

    def say(self, text: str, style: str) -> None:
        self.query_one("#said", Static).update(Content.styled(clean(text), style))

    def _tell(self) -> None:
        room = max(3, min(LINES, self.app.size.height - 10))
        self.list.tell(self.commands.suggestions(self.typed), self.taken, room)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if event.value == self.filled or not self.is_attached:
            return
        self.typed, self.taken, self.filled = event.value, None, None
        self.say("tab completes; enter goes; esc closes", "$foreground-muted")
        self._tell()

    def complete(self, step: int) -> None:
        """Take the next suggestion, or the one before."""
        found = self.list.found
        if not found:
            return
        if self.field.value not in (self.filled, self.typed):  # typed, but its message is still to come
            self.typed, self.taken = self.field.value, None
            found = self.commands.suggestions(self.typed)
        start = -1 if step > 0 else 0
        self.taken = ((start if self.taken is None else self.taken) + step) % len(found)
        self._fill(found[self.taken].text)
        if len(found) == 1:
            self.typed, self.taken = found[0].text, None
        self._tell()

    def recall(self, step: int) -> None:
        """What was run before, or after that."""
        history = self.commands.history
        back = min(max(self.back - step, 0), len(history))
        if back == self.back:
            return
        if not self.back:
            self.draft = self.field.value
        self.back = back
        self.typed = history[len(history) - back] if back else self.draft
        self.taken = None
        self._fill(self.typed)
        self._tell()

    def _fill(self, text: str) -> None:
        self.filled = text
        self.field.value = text
        self.field.cursor_position = len(text)

    def run(self, text: str) -> None:
        """Close with what a text does; say why where that is nothing."""
        if not text:
            self.dismiss(None)
            return
        try:
            call = self.commands.resolve(text)
        except LitetuiError as error:
            self.say(error.cause + (f"; try: {error.hint}" if error.hint else ""), "$text-error")
            return
        if text not in self.commands.history[-1:]:
            self.commands.history.append(text)
        self.dismiss(call)

    def action_close(self) -> None:
        self.dismiss(None)
