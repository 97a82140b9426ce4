"""The plan of a retention: what goes and what stays, confirmed by typing how many files it deletes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input, Static

from litetui.errors import LitetuiError
from litetui.jobs.progress import CancelToken
from litetui.tui.glyphs import Glyphs
from litetui.tui.screens.dialog import Dialog, plain
from litetui.tui.screens.retention import Plan, Seen, look
from litetui.tui.tables.sources import Source
from litetui.tui.textutil import clean
from litetui.tui.widgets.bars import TabBar, content
from litetui.tui.widgets.ordered_input import OrderedInput
from litetui.tui.widgets.plan_view import PlanView
from litetui.tui.widgets.row_view import RowView
from litetui.tui.widgets.time_bars import TimeBars
from litetui.tui.widgets.virtual_table import VirtualTable
from litetui.tui.work.retention_rows import ItemSource, RangeSource, bars, items_of, why
from litetui.units import counted

if TYPE_CHECKING:
    from litetui.ops.retention import RetentionPlan

CHANGED = "The replica changed since the plan was made: this is a new one."


class CountInput(OrderedInput):
    """Digits only: other keys are the dialog's."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return character is not None and character in "0123456789"

    async def _on_key(self, event: events.Key) -> None:
        if event.is_printable and not self.check_consume_key(event.key, event.character):
            event.prevent_default()  # Input would stop it here

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, restrict=r"[0-9]*", placeholder="number", compact=True, select_on_focus=False)


class RetentionPlanDialog(Dialog["RetentionPlan | None"]):
    """The plan. Answers with it once the number of its files was typed and it still holds; `refusal` says why it can
    only be looked at, "" where it can be carried out."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+y", "copy", "Copy the command", show=False),
        Binding("e", "export", "Export the table", show=False),
        Binding("left_square_bracket", "tab(-1)", show=False),
        Binding("right_square_bracket", "tab(1)", show=False),
    ]
    box_id = "retention-plan"
    loads = ("retention-plan",)

    def __init__(self, seen: Seen, plan: Plan, name: str, refusal: str = "") -> None:
        super().__init__()
        self.refusal = refusal
        self.seen = seen
        self.make_plan = plan
        self.name_of_replica = name
        self.token = CancelToken()
        self.tab = 0
        self.said: tuple[str, str] = ("", "")
        self.keys_line = "[ ]: other tab; e: export; tab: next; ctrl+y: copy command; esc: close"

    @property
    def plan(self) -> RetentionPlan:
        return self.seen.plan

    @property
    def count(self) -> int:
        return len(self.plan.delete)

    @property
    def idle(self) -> bool:
        """There is nothing to do."""
        return not self.count and not self.plan.emptied

    @property
    def title_text(self) -> str:
        if self.idle:
            return f"Retention of {self.name_of_replica}: nothing to delete"
        deletes = "would delete" if self.refusal else "deletes"
        return f"Retention of {self.name_of_replica}: {deletes} {counted(self.count, 'file')}"

    def body(self) -> ComposeResult:
        glyphs: Glyphs = self.app.settings.glyphs
        with VerticalScroll(classes="scroll"):
            yield PlanView((), "", glyphs)
        yield plain("", id="command", classes="hint")
        yield TimeBars(glyphs, id="windows")
        yield TabBar(id="sides")
        yield VirtualTable(glyphs, id="files")
        yield plain("", id="why", classes="hint")
        yield Static(id="said")
        with Horizontal(classes="confirm"):
            yield Button("Cancel", id="close", compact=True)
            yield plain("", id="ask")
            yield CountInput(id="count")
            yield Button("Delete", id="go", compact=True, disabled=True)

    def on_mount(self) -> None:
        self.query_one("#close").focus()
        self._show()

    def on_unmount(self) -> None:
        self.token.cancel()

    # showing

    def _show(self) -> None:
        """The plan as it is now, which may be another one than at first."""
        now = self.app.settings.now_ns()
        self.query_one(f"#{self.box_id}").border_title = content((self.title_text, ""))
        self.query_one(PlanView).tell(items_of(self.plan, now), "")
        self.query_one("#command", Static).update(content((f"$ {self.plan.command()}", "")))
        self.query_one(TimeBars).tell(bars(self.plan))
        self._say(*self.said)
        for name in ("#ask", "#count", "#go"):
            self.query_one(name).display = not self.idle
        files = f"delete the {counted(self.count, 'file')}"
        if not self.count:
            files = f"remove the folders of {counted(len(self.plan.emptied), 'empty generation')}"
        asks = f"  To {files}, type {self.count}: "
        if self.refusal:
            self.query_one("#count").display = False
            asks = f"  Not now: {self.refusal}"
        self.query_one("#ask", Static).update(content((asks, "")))
        self._show_tab()

    def _sources(self) -> list[tuple[str, Source]]:
        clock, plan = self.app.settings.now_ns, self.plan
        return [
            ("By reason", RangeSource(self.seen.rows, self.app.settings.glyphs.between, clock)),
            (f"Deletes {self.count:,}", ItemSource(plan.delete, "nothing is deleted", clock)),
            (f"Keeps {len(plan.keep):,}", ItemSource(plan.keep, "nothing stays", clock)),
        ]

    def _show_tab(self) -> None:
        sources = self._sources()
        self.query_one(TabBar).tell([(label, "") for label, _ in sources], self.tab)
        self.query_one(VirtualTable).show(sources[self.tab][1])
        self._tell_why()

    @on(RowView.Highlighted)
    def _tell_why(self) -> None:
        table = self.query_one(VirtualTable)
        self.query_one("#why", Static).update(content((why(table.source, table.base_row), "")))

    def _say(self, words: str, style: str) -> None:
        self.said = (words, style)
        self.query_one("#said", Static).update(content(self.said))
        self.query_one("#said").display = bool(words)

    @on(TabBar.Picked)
    def _picked(self, event: TabBar.Picked) -> None:
        self.tab = event.number
        self._show_tab()

    def action_tab(self, step: int) -> None:
        self.tab = (self.tab + step) % 3
        self._show_tab()

    # the confirmation

    def on_key(self, event: events.Key) -> None:
        """Digits are meant for the field, also those that come faster than the tab before them is done; so is the key
        that takes one back."""
        field_ = self.query_one("#count", Input)
        if self.idle or self.refusal or self.focused is field_:
            return
        if event.character and event.character in "0123456789":
            event.stop()
            field_.focus()
            field_.insert_text_at_cursor(event.character)
        elif event.key == "backspace":
            event.stop()
            field_.focus()
            field_.action_delete_left()

    @property
    def confirmed(self) -> bool:
        number = self.query_one("#count", Input).value
        return not self.idle and not self.refusal and number == str(self.count)

    @on(Input.Changed)
    def _typed(self) -> None:
        """Another number: what was confirmed, and is being looked at once more, is not any longer."""
        if self.closing:
            return
        self.token.cancel()
        self.app.bridge.forget("retention-plan")
        self._allow(self.confirmed)
        self._say("", "")

    def _allow(self, yes: bool) -> None:
        go = self.query_one("#go", Button)
        go.disabled, go.variant = not yes, "error" if yes else "default"

    @on(Input.Submitted)
    @on(Button.Pressed, "#go")
    def _go(self) -> None:
        """Make the plan once more: only what was seen is done."""
        if not self.confirmed:
            self._say(f"type {self.count}, the number of files that are deleted", "$text-warning")
            return
        plan, old = self.make_plan, self.plan
        self.token.cancel()
        token = self.token = CancelToken()
        self._say("looking whether the plan still holds", "$foreground-muted")
        look(self, old.replica.path, lambda report: plan(old.retention_ns, old.rule, report, token), self._again,
             self._refused)  # fmt: skip

    def _again(self, seen: Seen) -> None:
        if same(self.plan, seen.plan):
            self.dismiss(seen.plan)
            return
        self.seen, self.said = seen, (CHANGED, "$text-warning bold")
        field_ = self.query_one("#count", Input)
        with field_.prevent(Input.Changed):
            field_.value = ""
        self._allow(False)
        self._show()
        self.query_one("#close").focus()

    def _refused(self, error: LitetuiError) -> None:
        self._say(clean(str(error)), "$text-error")

    def action_copy(self) -> None:
        self.app.copy(self.plan.command())

    def action_export(self) -> None:
        from litetui.tui.screens.export import ExportDialog, table_export

        name = ("plan", "deletes", "keeps")[self.tab]
        self.app.push_screen(ExportDialog(table_export(self.query_one(VirtualTable).source, f"retention {name}")))


def same(one: RetentionPlan, other: RetentionPlan) -> bool:
    """Whether two plans delete the same files, as they were seen, after the same preparation."""
    if len(one.delete.groups) != len(other.delete.groups):
        return False
    if (one.snapshot_first, one.emptied) != (other.snapshot_first, other.emptied):
        return False
    return all(
        a.folder == b.folder and a.names() == b.names() and (a.sizes == b.sizes).all() and (a.times == b.times).all()
        for a, b in zip(one.delete.groups, other.delete.groups, strict=True)
    )
