"""Open a replica: at the start without one, after a path that is none, and with the key O."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.widgets import Button, Input

from litetui.errors import LitetuiError, NotAReplicaError
from litetui.tui.opening import DEMO
from litetui.tui.screens.dialog import Dialog, buttons, field, plain
from litetui.tui.widgets.ordered_input import OrderedInput

EXPLAIN = (
    "litetui shows what a Litestream replica directory holds, and restores databases from it. It opens the "
    "folder that Litestream's file replica writes: the one that holds generations/ (v0.3) or ltx/ (v0.5)."
)


class OpenDialog(Dialog[str | None]):
    """Asks for a path; answers with it, with DEMO for the demo, or None."""

    box_id = "open-dialog"
    keys_line = "enter opens; esc closes; ctrl+q quits"

    def __init__(self, error: LitetuiError | None = None, *, first: bool = False) -> None:
        super().__init__()
        self.error = error
        self.first = first

    @property
    def title_text(self) -> str:
        return "This is no replica" if self.error is not None else "Open a replica"

    def body(self) -> ComposeResult:
        error = self.error
        meant = error.meant if isinstance(error, NotAReplicaError) else ""
        if error is not None:
            yield plain(str(error), classes="error-text")
            if meant:
                yield plain("The replica that is meant stands in the field: enter opens it.", classes="wrapped")
            elif error.hint:
                yield plain(f"Try: {error.hint}", classes="wrapped")
            yield plain("")
        elif self.first:
            yield plain(EXPLAIN)
            yield plain("")
        path = meant or (error.path if error is not None and error.path else "")
        shown = path if path.isprintable() else ""
        yield field("Replica", OrderedInput(shown, id="path", placeholder="/var/lib/replica", compact=True))
        yield plain("No replica at hand? The demo opens a small real one: litetui --demo", classes="hint")
        demo = Button("Demo", id="demo", compact=True)
        yield buttons(demo, Button("Open", id="open", compact=True, variant="primary"))

    def on_mount(self) -> None:
        self.query_one("#path").focus()

    @on(Input.Submitted)
    @on(Button.Pressed, "#open")
    def _open(self) -> None:
        path = self.query_one("#path", Input).value.strip()
        if path:
            self.dismiss(path)
        else:
            self.app.say("write the path of the replica's folder", severity="warning")

    @on(Button.Pressed, "#demo")
    def _demo(self) -> None:
        self.dismiss(DEMO)
