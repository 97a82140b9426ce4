"""The validation dialog: how deep, how much, beside which database, and where a drill goes. Enter starts the job."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Button, Input

from litetui.errors import LitetuiError
from litetui.tui.ltx.model import is_ltx
from litetui.tui.model import ReplicaView
from litetui.tui.screens.dialog import Dialog, buttons, field
from litetui.tui.textutil import cut_middle
from litetui.tui.widgets.choice import Choice
from litetui.tui.widgets.ordered_input import OrderedInput
from litetui.tui.widgets.plan_view import PlanView
from litetui.tui.work.validation import Scope, command
from litetui.tui.work.write_plan import Item
from litetui.units import counted, format_size

if TYPE_CHECKING:
    from litetui.ops.validate import ValidationPlan
    from litetui.ops.verdict import Depth

DEPTH_WORDS = {
    "names": "names, sizes and times; no file is opened, so nothing turns green",
    "content": "every byte that has a checksum, and that each file follows on the one before it",
    "restore": "every byte, and restores each generation into a scratch file, which SQLite checks",
}
LTX_DEPTH_WORDS = {
    "names": "names, sizes and times; no file is opened, so nothing turns green",
    "content": "every byte of every level, all of which has checksums, and that the files lead to the last TXID",
    "restore": "every byte, and restores the latest state into a scratch file, which SQLite checks",
}
COMPARE, LEAVE_OUT = "compare with it", "leave it out"


@dataclass(frozen=True, slots=True)
class Wish:
    """What to validate: a plan, and whether the database is compared with."""

    plan: ValidationPlan
    compare: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    depth: Depth
    scope: Scope
    scratch: str | None


class ValidateDialog(Dialog[Wish | None]):
    """Answers with what to validate. The plan is made anew with each change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "Validate", show=False),
        Binding("ctrl+y", "copy", "Copy the command", show=False),
    ]
    box_id = "validate-dialog"
    loads = ("validation-plan", "validation-typed")
    keys_line = "enter: validate; left right: choose; ctrl+y: copy command; esc: close"

    def __init__(
        self, view: ReplicaView, scopes: Sequence[Scope], start: int = 0, *, database: str = "", own: bool = False
    ) -> None:
        """`scopes`: what can be checked, `start` the one to begin with; `own`: this session replicates the database."""
        super().__init__()
        self.view = view
        self.scopes = tuple(scopes)
        self.first_scope = start
        self.database = database
        self.own = own
        self.plan: ValidationPlan | None = None
        self.planned: _Asked | None = None  # what the plan is about
        self.error: LitetuiError | None = None
        self.wanted: _Asked | None = None  # what enter was pressed for

    @property
    def title_text(self) -> str:
        return f"Validate {self.view.name}"

    def body(self) -> ComposeResult:
        glyphs = self.app.settings.glyphs
        yield field("Depth", Choice(("names", "content", "restore"), "content", glyphs, id="depth"))
        if len(self.scopes) > 1:
            names = [cut_middle(scope.words, 12 if scope.generation else 40, glyphs.cut) for scope in self.scopes]
            yield field("Scope", Choice(names, names[self.first_scope], glyphs, id="scope"))
        if self.database:
            yield field("Database", Choice((COMPARE, LEAVE_OUT), COMPARE, glyphs, id="database"))
        yield field("Scratch", OrderedInput(id="scratch", compact=True))
        with VerticalScroll(classes="scroll"):
            yield PlanView((), "", glyphs)
        yield buttons(Button("Validate", id="go", compact=True, variant="primary"))

    def on_mount(self) -> None:
        self.query_one("#depth").focus()
        self._ask()

    # what is asked for

    @property
    def asked(self) -> _Asked:
        depths: dict[str, Depth] = {"names": "names", "content": "content", "restore": "restore"}
        depth = depths[self.query_one("#depth", Choice).value]
        scratch = self.query_one("#scratch", Input).value.strip()
        folder = os.path.abspath(os.path.expanduser(scratch)) if scratch and depth == "restore" else None
        return _Asked(depth, self.scope, folder)

    @property
    def scope(self) -> Scope:
        return self.scopes[self.query("#scope").first(Choice).chosen if self.query("#scope") else 0]

    @property
    def compares(self) -> bool:
        wanted = bool(self.query("#database")) and self.query_one("#database", Choice).value == COMPARE
        return wanted and not self.scope.no_live

    @on(Choice.Changed)
    @on(Input.Changed)
    def _changed(self) -> None:
        if self.closing:
            return
        self.plan = None
        self.app.bridge.forget("validation-plan")
        self.app.bridge.delay("validation-typed", self.app.settings.debounce_s / 2, self._ask)

    def _ask(self) -> None:
        if self.closing:
            return
        asked = self.asked
        replica, generation = asked.scope.replica, asked.scope.generation

        def work() -> ValidationPlan:
            from litetui.ops.validate import plan

            return plan(replica, depth=asked.depth, generation=generation, scratch=asked.scratch)

        def answered(plan: ValidationPlan) -> None:
            self.plan, self.planned, self.error = plan, asked, plan.fault
            self.query_one("#scratch", Input).placeholder = plan.scratch
            self._draw()
            if self.wanted == asked:
                self.action_go()

        self.app.bridge.load("validation-plan", work, answered, self._refused, path=replica.path)
        self._draw()

    def _refused(self, error: LitetuiError) -> None:
        self.plan, self.error, self.wanted = None, error, None
        self._draw()

    # showing

    def _draw(self) -> None:
        drill = self.asked.depth == "restore"
        scratch = self.query_one("#scratch").parent
        if scratch is not None:
            scratch.display = drill
        if self.query("#database"):
            self.query_one("#database", Choice).disabled = bool(self.scope.no_live)
        self.query_one(PlanView).tell(self._items(), self.command)
        self.query_one("#go", Button).disabled = self.error is not None

    def _items(self) -> list[Item]:
        levels = is_ltx(self.scope.replica)
        items = [Item("checks", (LTX_DEPTH_WORDS if levels else DEPTH_WORDS)[self.asked.depth])]
        plan = self.plan
        if plan is not None:
            files = counted(plan.file_count, "file")
            if plan.depth == "names":
                items.append(Item("lists", files))
            else:
                items.append(Item("reads", f"{files}, {format_size(plan.bytes_to_read)}"))
            if plan.depth == "restore":
                items.append(_room(plan))
        if self.database and self.scope.no_live:
            items.append(Item("database", self.scope.no_live))
        elif self.compares:
            items.append(Item("compares", self._comparison()))
        if self.error is not None:
            items.append(Item("error", str(self.error), "error"))
            hint = (self.error.hint or "").replace(": --scratch DIR", " in the field Scratch")
            items += [Item("try", hint)] if hint else []
        return items

    def _comparison(self) -> str:
        if self.own:
            return "a restore with the database, which this session replicates: at its next sync"
        return "a restore with the database as it is, at a position that both have; waits for one 10 s at most"

    # keys and buttons

    @on(Input.Submitted)
    @on(Button.Pressed, "#go")
    def action_go(self) -> None:
        """Start it, as soon as the plan of what is chosen is there; what is chosen after that is not meant."""
        self.wanted = asked = self.asked
        if self.plan is not None and self.planned == asked and self.error is None:
            self.dismiss(Wish(self.plan, self.compares))

    @property
    def command(self) -> str:
        """The command line that does the same, "" while there is no plan."""
        return "" if self.plan is None else command(self.plan, self.database if self.compares else "")

    def action_copy(self) -> None:
        self.copy_command(self.command)


def _room(plan: ValidationPlan) -> Item:
    if not plan.free_bytes:
        return Item("needs", f"{format_size(plan.scratch_bytes)} in {plan.scratch}")
    short = plan.scratch_bytes > plan.free_bytes
    words = f"{format_size(plan.scratch_bytes)} in {plan.scratch}, where {format_size(plan.free_bytes)} are free"
    return Item("needs", words, "error" if short else "")
