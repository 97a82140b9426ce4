"""The plan of a write, and the question whether to go on. Nothing is deleted, so the button has the focus."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Button

from litetui.tui.screens.dialog import Dialog, buttons, field, plain
from litetui.tui.widgets.choice import Choice
from litetui.tui.widgets.plan_view import PlanView
from litetui.tui.work.write_plan import WritePlan


class WriteDialog(Dialog[int]):
    """Answers with the number of what was chosen, 0 where the plan leaves no choice, or None for not going on. A plan
    that is refused has no way on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "Go on", show=False),
        Binding("ctrl+y", "copy", "Copy the command", show=False),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
    ]
    box_id = "write-dialog"

    def __init__(self, plan: WritePlan) -> None:
        super().__init__()
        self.plan = plan
        go = f"enter: {plan.go.lower()}; " if plan.go else ""
        go += "tab: choice; " if plan.options else ""
        self.keys_line = f"{go}ctrl+y: copy command; j k: scroll; esc: close"

    @property
    def title_text(self) -> str:
        return self.plan.title

    def body(self) -> ComposeResult:
        plan, glyphs = self.plan, self.app.settings.glyphs
        with VerticalScroll(classes="scroll", can_focus=False):
            if plan.error is not None:
                yield plain(str(plan.error), classes="error-text")
                yield plain(f"Try: {plan.error.hint}" if plan.error.hint else "", classes="wrapped")
            yield PlanView(plan.items, plan.command, glyphs)
        if plan.options:
            yield plain("")
            yield field(plan.options.label, Choice(plan.options.words, plan.options.words[0], glyphs, id="options"))
        go = [Button(plan.go, id="go", compact=True, variant="primary")] if plan.go else []
        yield buttons(*go, close="Close")

    def on_mount(self) -> None:
        self.query_one("#go" if self.plan.go else "#close").focus()

    @property
    def chosen(self) -> int:
        return self.query_one("#options", Choice).chosen if self.plan.options else 0

    @property
    def command(self) -> str:
        """The command line that does the same, with what was chosen."""
        return self.plan.command + (self.plan.options.adds[self.chosen] if self.plan.options else "")

    @on(Choice.Changed)
    def _changed(self) -> None:
        if not self.closing:
            self.query_one(PlanView).tell(self.plan.items, self.command)

    @on(Button.Pressed, "#go")
    def action_go(self) -> None:
        if self.plan.go:
            self.dismiss(self.chosen)

    def action_copy(self) -> None:
        self.app.copy(self.command)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
