"""What every dialog shares: a frame that dims what is behind it, esc to close, filling a narrow screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import getters, on
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Static

from litetui.tui.settings import is_narrow
from litetui.tui.textutil import clean

if TYPE_CHECKING:
    from litetui.tui.app import LitetuiApp

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A framed dialog; subclasses give `title_text`, `box_id`, `body` and the line of keys at its end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", show=False),
        Binding("f1", "help", "Help", show=False),
    ]
    CSS_PATH = "dialogs.tcss"
    box_id = "dialog"
    keys_line = "esc closes"
    loads: ClassVar[tuple[str, ...]] = ()  # keys of the loads whose answers nobody wants once it is closed

    if TYPE_CHECKING:
        app = getters.app(LitetuiApp)

    @property
    def title_text(self) -> str:
        return ""

    def body(self) -> ComposeResult:
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        with Vertical(id=self.box_id, classes="dialog") as box:
            box.border_title = Content(clean(self.title_text))
            yield from self.body()
            yield plain(self.keys_line, id="keys", classes="hint")

    def on_mount(self) -> None:
        # Textual calls the on_mount of every class, so this comes beside a subclass's own.
        self.app.clear_notifications()  # toasts of what came before would lie on the buttons
        self.call_after_refresh(self.app.let_keys_through)

    def on_resize(self) -> None:
        self.set_class(is_narrow(self.size), "-narrow")

    @property
    def closing(self) -> bool:
        """Its widgets are going, or gone."""
        return not self.is_attached or not self.query(f"#{self.box_id}")

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        for key in self.loads:
            self.app.bridge.forget(key)
        return super().dismiss(result)

    def on_unmount(self) -> None:
        for key in self.loads:
            self.app.bridge.forget(key)

    def tell_keys(self, line: str) -> None:
        """Other keys are possible now."""
        if line != self.keys_line:
            self.keys_line = line
            self.query_one("#keys", Static).update(Content(clean(line)))

    @on(Button.Pressed, "#close")
    def _close_pressed(self) -> None:
        self.action_close()

    def action_close(self) -> None:
        self.dismiss(None)

    def action_help(self) -> None:
        self.app.say(self.keys_line)

    def copy_command(self, command: str, lacking: str = "there is no plan to copy the command of") -> None:
        """Send a command to the terminal, or say why there is none."""
        if command:
            self.app.copy(command)
        else:
            self.app.say(lacking, severity="warning")


def plain(text: str = "", *, id: str | None = None, classes: str | None = None) -> Static:
    """A text in which nothing is markup."""
    return Static(Content(clean(text)), id=id, classes=classes, markup=False)


def field(label: str, widget: Widget) -> Widget:
    """A label and what is filled in beside it."""
    return Horizontal(plain(label, classes="label"), widget, classes="field")


def buttons(*others: Button, close: str = "Cancel") -> Horizontal:
    """The buttons of a dialog: first the one that closes it, as esc does."""
    closes = Button(close, id="close", compact=True, variant="default" if others else "primary")
    return Horizontal(closes, *others, classes="buttons")
