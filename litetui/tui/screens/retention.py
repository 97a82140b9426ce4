"""Retention: how much to keep and by which rule; the answer is the plan, which retention_plan.py shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Button, Input, Static

from litetui.errors import LitetuiError, UsageError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.bridge import moves
from litetui.tui.screens.dialog import Dialog, buttons, field
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


def look(
    dialog: Dialog[Any],
    path: str,
    plan: Callable[[Reporter], RetentionPlan],
    then: Callable[[Seen], None],
    fail: Callable[[LitetuiError], None],
) -> None:
    """Make a plan in a thread, and hand it to `then` or its error to `fail`."""
    report = Reporter()

    def work() -> Seen:
        made = plan(report)
        return Seen(made, ranges(made))

    dialog.app.bridge.load("retention-plan", work, then, fail, path=path, moved=moves(report))


class RetentionDialog(Dialog[Seen | None]):
    """Asks how much to keep; answers with the plan."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "go", "Show the plan", show=False)]
    box_id = "retention-dialog"
    loads = ("retention-plan",)
    keys_line = "enter: show the plan, nothing is deleted yet; tab: next; esc: close"

    def __init__(self, replica_path: str, name: str, plan: Plan) -> None:
        super().__init__()
        self.replica_path = replica_path
        self.name_of_replica = name
        self.make_plan = plan
        self.token = CancelToken()
        self.asked: tuple[str, Rule] | None = None  # what the plan that is being made is about

    @property
    def title_text(self) -> str:
        return f"Retention of {self.name_of_replica}"

    def body(self) -> ComposeResult:
        yield field("Keep", OrderedInput("24h", id="duration", placeholder="24h, 7d, 1d12h", compact=True))
        yield field("Rule", Choice(tuple(RULES), "window", self.app.settings.glyphs, id="rule"))
        yield Static(id="rule-words", classes="under")
        yield Static(id="said", classes="under")
        yield buttons(Button("Show the plan", id="go", compact=True, variant="primary"))

    def on_mount(self) -> None:
        self.query_one("#duration").focus()
        self._changed()

    def on_unmount(self) -> None:
        self.token.cancel()

    @property
    def rule(self) -> Rule:
        return "window" if self.query_one("#rule", Choice).value == "window" else "litestream"

    @property
    def wish(self) -> tuple[str, Rule]:
        """What stands in the fields."""
        return self.query_one("#duration", Input).value, self.rule

    @on(Input.Changed)
    @on(Choice.Changed)
    def _changed(self) -> None:
        # Of a choice and an enter that come in one read, the message of the choice may come last.
        if self.closing or (self.asked == self.wish and self.app.bridge.loading("retention-plan")):
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
        self.asked = text, rule = self.wish
        try:
            retention_ns = parse_duration(text)
        except LitetuiError as error:
            self._refused(error)
            return
        plan, token = self.make_plan, CancelToken()
        self.token.cancel()
        self.token = token
        self._say("making the plan: it reads the snapshots that all would rest on", "$foreground-muted")
        look(self, self.replica_path, lambda report: plan(retention_ns, rule, report, token), self._planned,
             self._refused)  # fmt: skip

    def _planned(self, seen: Seen) -> None:
        self.dismiss(seen)

    def _refused(self, error: LitetuiError) -> None:
        words = error.cause if isinstance(error, UsageError) else str(error)
        self._say(words + (f"; try: {error.hint}" if error.hint else ""), "$text-error")
