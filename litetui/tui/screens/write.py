"""The plan of a write, and the question whether to go on. Nothing is deleted, so the button has the focus."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button

from litetui.tui.screens.dialog import Dialog, plain
from litetui.tui.widgets.plan_view import PlanView
from litetui.tui.work.write_plan import WritePlan


class WriteDialog(Dialog[bool]):
    """Answers True for going on. A plan that is refused has no way on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+y", "copy", "Copy the command", show=False),
        Binding("f1", "help", "Help", show=False),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
    ]
    box_id = "write-dialog"

    def __init__(self, plan: WritePlan) -> None:
        super().__init__()
        self.plan = plan
        go = f"enter: {plan.go.lower()}; " if plan.go else ""
        self.keys_line = f"{go}ctrl+y: copy command; j k: scroll; esc: close"

    @property
    def title_text(self) -> str:
        return self.plan.title

    def body(self) -> ComposeResult:
        plan = self.plan
        with VerticalScroll(classes="scroll", can_focus=False):
            if plan.error is not None:
                yield plain(str(plan.error), classes="error-text")
                yield plain(f"Try: {plan.error.hint}" if plan.error.hint else "", classes="wrapped")
            yield PlanView(plan.items, plan.command, self.app.settings.glyphs)
        with Horizontal(classes="buttons"):
            yield Button("Close", id="close", compact=True, variant="default" if self.plan.go else "primary")
            if self.plan.go:
                yield Button(self.plan.go, id="go", compact=True, variant="primary")

    def on_mount(self) -> None:
        self.query_one("#go" if self.plan.go else "#close").focus()

    @on(Button.Pressed)
    def _answered(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "go")

    def action_copy(self) -> None:
        self.app.copy(self.plan.command)

    def action_help(self) -> None:
        self.app.say(self.keys_line)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_close(self) -> None:
        self.dismiss(False)
