"""The restore dialog: one field for the target, its meaning and the plan live below it, enter and enter again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from litetui.errors import LitetuiError
from litetui.jobs.job import Job
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.bridge import moves
from litetui.tui.ltx.model import is_ltx
from litetui.tui.ltx.preview import is_ltx_plan
from litetui.tui.model import ReplicaView
from litetui.tui.preview import Preview, meaning, plan_items, preview, propose_output
from litetui.tui.screens.dialog import Dialog, buttons, field, plain
from litetui.tui.textutil import clean
from litetui.tui.tree_line import LTX
from litetui.tui.widgets.choice import Choice
from litetui.tui.widgets.ordered_input import OrderedInput
from litetui.tui.widgets.plan_view import PlanView
from litetui.units import format_age, format_clock, printable

if TYPE_CHECKING:
    from litetui.ops.restore import AnyPlan, RestoreResult
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica

TARGETS = "latest; or 10m, 14:03Z, an index, position, generation, last-good"
BOTH_TARGETS = TARGETS.replace("position,", "position, TXID,")
LTX_TARGETS = "latest; or 10m, 14:03, 14:03:22Z, a TXID (0x1f or 16 hex digits), last-good"


@dataclass(frozen=True, slots=True)
class Start:
    """What the dialog begins with: a generation, "" for whichever the target lies in, and a target's text."""

    generation: str
    target: str


class RestoreDialog(Dialog[None]):
    """Plans while one types; the first enter reads what the plan hangs on, the second one runs it as a job."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "Go on", show=False),
        Binding("ctrl+y", "copy", "Copy the command", show=False),
    ]
    box_id = "restore-dialog"
    loads = ("plan", "plan-typed", "settle", "propose")
    keys_line = "enter: plan, then restore; ctrl+y: copy command; F1: help; esc: close"

    def __init__(self, replica: FileReplica | LTXReplica, view: ReplicaView, start: Start) -> None:
        super().__init__()
        self.replica = replica
        self.targets = LTX_TARGETS if is_ltx(replica) else TARGETS if view.ltx is None else BOTH_TARGETS
        self.view = view
        self.start = start
        self.settings = self.app.settings
        self.seen: Preview | None = None
        self.asked_ns = self.settings.now_ns()
        self.token = CancelToken()
        self.reading = False
        self.proposed = False

    @property
    def title_text(self) -> str:
        return f"Restore {self.start.generation or self.view.name}"

    def body(self) -> ComposeResult:
        yield plain("", id="warning", classes="error-text")
        yield field("To", OrderedInput(self.start.target, id="target", placeholder=self.targets, compact=True))
        yield Static(id="meaning", classes="under")
        yield field("Into", OrderedInput(id="output", compact=True))
        yield Static(id="output-error", classes="under")
        yield field("Check", Choice(("none", "quick", "full"), "quick", self.settings.glyphs, id="check"))
        with VerticalScroll(classes="scroll", can_focus=False):
            yield Static(id="plan")
            yield PlanView((), "", self.settings.glyphs)
        yield buttons(Button("Show the plan", id="go", compact=True, variant="primary"))

    def on_mount(self) -> None:
        self._warn(self.start.generation, not self.start.target)
        self.query_one("#target").focus()
        path = self.replica.path
        self.app.bridge.load("propose", lambda: propose_output(path), self._propose, self._not_proposed, path=path)

    def on_unmount(self) -> None:
        self.token.cancel()

    def _met(self, generation: str) -> str:
        """What a validation of this session knows of the latest state, where a plain restore of that fails."""
        newest = self.view.newest
        name = LTX if is_ltx(self.replica) else generation or (newest.name if newest is not None else "")
        check = self.app.checking.checks.get(name)
        if check is None or not check.read_bytes or (check.report.latest_restores is not False):
            return ""
        words = f"checked {format_age(check.at_ns, self.settings.now_ns())}: a plain restore of the latest state fails"
        leads = check.report.around or check.report.restorable_to is not None
        return f"{words}; write last-good into the field To" if leads else words

    def _warn(self, generation: str, latest: bool, words: str = "") -> None:
        """What is known to fail; and the latest state of an ended generation, which is rarely what one wants."""
        newest, one = self.view.newest, self.view.generation(generation)
        words = words or (self._met(generation) if latest else "")
        if not words and latest and newest is not None and one is not None and not one.newest:
            now = self.settings.now_ns()
            ended = "" if one.stats.updated_ns is None else format_age(one.stats.updated_ns, now)
            reaches = "" if newest.stats.updated_ns is None else format_clock(newest.stats.updated_ns, now)
            words = f"latest of {one.name} ended {ended}; {newest.name} reaches {reaches}"
        line = self.query_one("#warning", Static)
        line.update(Content(clean(words)))
        line.display = bool(words)

    # the fields

    @property
    def target_text(self) -> str:
        return self.query_one("#target", Input).value

    @property
    def output(self) -> str:
        # The field shows names that are not UTF-8 as escapes; only what was typed or proposed in UTF-8 comes back.
        return os.path.abspath(os.path.expanduser(self.query_one("#output", Input).value.strip()))

    def _propose(self, output: str) -> None:
        self.query_one("#output", Input).value = printable(output)
        self.proposed = True

    def _not_proposed(self, error: LitetuiError) -> None:
        self.proposed = True
        self._failed(error)

    @on(Choice.Changed)
    def _draw_check(self) -> None:
        if not self.closing:
            self._draw()

    @on(Input.Changed)
    def _typed(self) -> None:
        """Whatever was settled is not what is asked for any more."""
        if self.closing:
            return
        self.token.cancel()
        self.reading = False
        self.app.bridge.forget("settle")
        self.app.bridge.delay("plan-typed", self.settings.debounce_s, self._plan)

    def _plan(self) -> None:
        if self.closing or not self.proposed:
            return
        self.asked_ns = self.settings.now_ns()
        replica, text, output, now = self.replica, self.target_text, self.output, self.asked_ns
        generation = self.start.generation
        self.app.bridge.load(
            "plan", lambda: preview(replica, text, generation, output, now), self._show, self._failed,
            path=replica.path,
        )  # fmt: skip

    def _settle(self) -> None:
        """Read what the plan hangs on. A time that is meant relative to now is meant relative to this moment."""
        self.app.bridge.forget("plan-typed")
        self.app.bridge.forget("plan")
        self.asked_ns = self.settings.now_ns()
        token = self.token = CancelToken()
        replica, text, output, now = self.replica, self.target_text, self.output, self.asked_ns
        generation, report = self.start.generation, Reporter()
        self.reading = True

        def work() -> Preview:
            return preview(replica, text, generation, output, now, settle_with=(report, token))

        def then(seen: Preview) -> None:
            self.reading = False
            self._show(seen)

        self.app.bridge.load("settle", work, then, self._failed, path=replica.path, moved=moves(report))
        self._draw()

    def _failed(self, error: LitetuiError) -> None:
        """There is no plan: what was seen before is not what is asked for now."""
        self.seen, self.reading = None, False
        self.query_one("#plan", Static).update(Content.styled(clean(str(error)), "$text-error"))
        self.query_one(PlanView).display = False
        self._draw_button()

    # showing

    def _show(self, seen: Preview) -> None:
        self.seen = seen
        self._draw()

    def _draw(self) -> None:
        seen = self.seen
        if seen is None:
            return
        now = self.settings.now_ns()
        self._warn((seen.target.generation or "") if seen.target is not None else "", seen.latest, seen.passed)
        lines = meaning(seen, now)
        self.query_one("#meaning", Static).update(_lines(lines))
        error = seen.output_error
        words: list[tuple[str, str]] = []
        if error is not None:
            words.append((error.cause + (f"; free: {seen.other_output}" if seen.other_output else ""), "error"))
            if not seen.other_output and error.hint:
                words.append((f"Try: {error.hint}", ""))
        self.query_one("#output-error", Static).update(_lines(words))
        self.query_one("#output-error").display = bool(words)
        self.query_one("#plan", Static).update(self._plan_text(seen))
        way = self.query_one(PlanView)
        way.display = seen.plan is not None and seen.error is None
        way.tell(plan_items(seen, self.query_one("#check", Choice).value, now), self._command())
        self._draw_button()

    def _draw_button(self) -> None:
        go = self.query_one("#go", Button)
        go.label = Content("Restore" if self._ready else "Show the plan")
        go.disabled = self.reading

    def _plan_text(self, seen: Preview) -> Content:
        parts: list[Content | str | tuple[str, str]] = []
        if seen.error is not None:
            parts.append((clean(str(seen.error)), "$text-error"))
            if seen.error.hint:
                parts.append(f"\nTry: {clean(seen.error.hint)}")
            if seen.instead:
                parts.append(f"\nHere: write {seen.instead} into the field To.")
            return Content.assemble(*parts)
        if seen.plan is None:
            return Content("")
        state = "reading what it hangs on" if self.reading else "by names; enter reads what it hangs on"
        if seen.plan.settled:
            state = "settled: enter restores"
        parts += ["" if self.has_class("-narrow") else "\n", ("The plan  ", "bold"), (state, "$foreground-muted")]
        return Content.assemble(*parts)

    @property
    def _ready(self) -> bool:
        """Settled, and nothing speaks against it."""
        seen = self.seen
        if seen is None or seen.plan is None or self.reading:
            return False
        return seen.plan.settled and seen.error is None and seen.output_error is None

    def _command(self) -> str:
        seen = self.seen
        if seen is None or seen.plan is None:
            return ""
        return seen.plan.command(self.output, self.query_one("#check", Choice).value)

    # keys and buttons

    @on(Input.Submitted)
    @on(Button.Pressed, "#go")
    def action_go(self) -> None:
        """Read what the plan hangs on, or run it once that is done."""
        if self.reading or not self.proposed:
            return
        seen = self.seen
        if self._ready and seen is not None and seen.plan is not None and not self._being_typed:
            self._run(seen.plan)
        elif seen is not None and seen.output_error is not None and seen.other_output and not self._being_typed:
            self.query_one("#output", Input).value = printable(seen.other_output)
        else:
            self._settle()

    @property
    def _being_typed(self) -> bool:
        """The last key is newer than what is shown."""
        return self.app.bridge.waits("plan-typed") or self.app.bridge.loading("plan")

    def action_copy(self) -> None:
        self.copy_command(self._command())

    def action_help(self) -> None:
        zone = self.settings.time_zone or "local"
        self.app.say(f"The target: {self.targets}. Times without a zone are {zone}. {self.keys_line}.")

    def _run(self, plan: AnyPlan) -> None:
        output, check = self.output, self.query_one("#check", Choice).value

        database = self.app.database
        known: Any = plan  # of either kind

        def work(report: Reporter, cancel: CancelToken) -> RestoreResult[Any]:
            from litetui.ops.restore import beside, run

            result = run(known, output, integrity_check=check, report=report, cancel=cancel)
            return beside(result, database) if database else result

        job = Job(
            "restore",
            work,
            title=f"{plan.place if is_ltx_plan(plan) else plan.position.short} into {os.path.basename(output)}",
            target=self.replica.path,
            command=self._command(),
            output=output,
            now_ns=self.settings.now_ns,
        )
        self.app.submit(job)
        self.dismiss(None)


def _lines(lines: list[tuple[str, str]]) -> Content:
    return Content("\n").join(
        [Content.styled(clean(text), f"$text-{status}") if status else Content(clean(text)) for text, status in lines]
    )
