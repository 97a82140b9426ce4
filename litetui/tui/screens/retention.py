"""Retention: how much to keep and by which rule; the answer is the plan, which retention_plan.py shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Input, Static

from litetui.errors import LitetuiError, UsageError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.screens.dialog import Dialog, field
from litetui.tui.widgets.bars import content
from litetui.tui.widgets.choice import Choice
from litetui.tui.widgets.ordered_input import OrderedInput
from litetui.tui.work.retention_rows import Range, ranges
from litetui.units import parse_duration

if TYPE_CHECKING:
    from litetui.ops.retention import RetentionPlan, Rule

RULES = {
    "window": "every state of that time can still be restored: the last snapshot before it stays",
    "litestream": "as Litestream does it: only snapshots of that time stay, and what follows them",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A plan, and what is shown of it; made in a thread."""

    plan: RetentionPlan
    rows: list[Range]


Plan = Callable[[int, "Rule", Reporter, CancelToken], "RetentionPlan"]


def look(plan: Plan, retention_ns: int, rule: Rule, cancel: CancelToken) -> Seen:
    """Make the plan. Blocks; raises LitetuiError."""
    made = plan(retention_ns, rule, Reporter(), cancel)
    return Seen(made, ranges(made))


class RetentionDialog(Dialog[Seen | None]):
    """Asks how much to keep; answers with the plan."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "Show the plan", show=False),
        Binding("f1", "help", "Help", show=False),
    ]
    box_id = "retention-dialog"
    loads = ("retention-plan",)
    keys_line = "enter: show the plan, nothing is deleted yet; tab: next; esc: close"

    def __init__(self, replica_path: str, name: str, plan: Plan) -> None:
        super().__init__()
        self.replica_path = replica_path
        self.name_of_replica = name
        self.make_plan = plan
        self.token = CancelToken()

    @property
    def title_text(self) -> str:
        return f"Retention of {self.name_of_replica}"

    def body(self) -> ComposeResult:
        yield field("Keep", OrderedInput("24h", id="duration", placeholder="24h, 7d, 1d12h", compact=True))
        yield field("Rule", Choice(tuple(RULES), "window", self.app.settings.glyphs, id="rule"))
        yield Static(id="rule-words", classes="under")
        yield Static(id="said", classes="under")
        with Horizontal(classes="buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button("Show the plan", id="go", compact=True, variant="primary")

    def on_mount(self) -> None:
        self.query_one("#duration").focus()
        self._changed()

    def on_unmount(self) -> None:
        self.token.cancel()

    @property
    def rule(self) -> Rule:
        return "window" if self.query_one("#rule", Choice).value == "window" else "litestream"

    @on(Input.Changed)
    @on(Choice.Changed)
    def _changed(self) -> None:
        if self.closing:
            return
        self.token.cancel()
        self.app.bridge.forget("retention-plan")
        self.query_one("#rule-words", Static).update(content((RULES[self.rule], "$foreground-muted")))
        self._say("", "")

    def _say(self, words: str, style: str) -> None:
        self.query_one("#said", Static).update(content((words, style)))
        self.query_one("#said").display = bool(words)

    @on(Input.Submitted)
    @on(Button.Pressed, "#go")
    def action_go(self) -> None:
        """Make the plan."""
        try:
            retention_ns = parse_duration(self.query_one("#duration", Input).value)
        except LitetuiError as error:
            self._refused(error)
            return
        plan, rule = self.make_plan, self.rule
        token = self.token = CancelToken()
        self._say("making the plan: it reads the snapshots that all would rest on", "$foreground-muted")
        self.app.bridge.load(
            "retention-plan", lambda: look(plan, retention_ns, rule, token), self._planned, self._refused,
            path=self.replica_path,
        )  # fmt: skip

    def _planned(self, seen: Seen) -> None:
        self.dismiss(seen)

    def _refused(self, error: LitetuiError) -> None:
        words = error.cause if isinstance(error, UsageError) else str(error)
        self._say(words + (f"; try: {error.hint}" if error.hint else ""), "$text-error")

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    def action_help(self) -> None:
        self.app.say(self.keys_line)
