"""The report of a validation: the verdict first, what restores as a picture, findings by generation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import getters, on
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from litetui.replica.types import Finding
from litetui.tui import keys
from litetui.tui.findings import (
    ReportSource,
    Row,
    bars,
    finding_text,
    relative,
    verdict,
    what_was_checked,
    window_words,
)
from litetui.tui.keys import BY_ID, Action
from litetui.tui.messages import JobChanged, JobsMoved
from litetui.tui.naming import remedy
from litetui.tui.reasons import Situation
from litetui.tui.screens.copy_menu import CopyMenu
from litetui.tui.screens.export import ExportDialog, report_export
from litetui.tui.screens.help import HelpScreen
from litetui.tui.screens.restore import RestoreDialog, Start
from litetui.tui.settings import is_narrow
from litetui.tui.textutil import clean, cut_end, cut_path, short_times
from litetui.tui.tree_line import LTX
from litetui.tui.widgets.bars import Footer, Line, content
from litetui.tui.widgets.row_view import RowView, Span
from litetui.tui.widgets.stats import Stats
from litetui.tui.widgets.time_bars import TimeBars
from litetui.tui.widgets.virtual_table import VirtualTable
from litetui.tui.work.validation import ValidateJob
from litetui.units import format_age, format_clock

if TYPE_CHECKING:
    from litetui.ops.verdict import GenerationReport, Report
    from litetui.tui.app import LitetuiApp

OPENS = ("report_restore", "report_export", "report_copy", "report_help")


class ReportTable(VirtualTable):
    """Findings, with a generation's own row going over all columns."""

    def spans(self, row: int, width: int) -> Sequence[Span]:
        heading = self.source.heading(row) if isinstance(self.source, ReportSource) else None
        if heading is None:
            return super().spans(row, width)
        spans, left = [(" ", "")], width - 2
        for text, style in heading:
            text = cut_end(clean(text), left, self.glyphs.cut)
            left -= cell_len(text)
            spans.append((text, style))
        return spans


class ReportScreen(Screen[None]):
    """A report, and the ways on from it: into the browser, to a restore, into a file."""

    BINDINGS = [*keys.bindings("report")]  # noqa: RUF012

    if TYPE_CHECKING:
        app = getters.app(LitetuiApp)

    def __init__(self, job: ValidateJob) -> None:
        super().__init__()
        self.job = job
        self.report: Report = job.result
        settings = self.app.settings
        self.settings = settings
        self.source = ReportSource(self.report, settings.glyphs, settings.now_ns())
        self.head = Line(id="headline")
        self.time_bars = TimeBars(settings.glyphs, id="windows")
        self.table = ReportTable(settings.glyphs, id="findings")
        self.row_note = Stats(settings.glyphs, id="row-note")
        self.footer_bar = Footer(id="footer")

    def compose(self) -> ComposeResult:
        yield self.head
        yield Static(id="verdict")
        yield Static(id="checked")
        yield self.time_bars
        yield self.table
        yield self.row_note
        yield self.footer_bar

    def on_mount(self) -> None:
        self.table.focus()
        self.time_bars.tell(bars(self.report, self.settings.glyphs))
        self.table.show(self.source)
        self.table.set_cursor(self.source.first_finding())
        self.set_interval(1.0, self.tick)
        self.tick()
        self._tell_row()
        self.call_after_refresh(self.app.let_keys_through)

    @property
    def narrow(self) -> bool:
        return is_narrow(self.app.size)

    def on_resize(self) -> None:
        self.set_class(self.narrow, "-narrow")

    # showing

    @on(JobChanged)
    @on(JobsMoved)
    def tick(self) -> None:
        """Ages grow, and the search for a clean point goes on."""
        now = self.settings.now_ns()
        ended = self.job.ended_ns or now
        age = f"{format_clock(ended, now, millis=False)} ({format_age(ended, now)})"
        path = cut_path(clean(self.report.path), self.app.size.width - cell_len(age) - 16, self.settings.glyphs.cut)
        self.head.say((" Validation ", "bold $text-primary"), (path, "bold"), (f"  {age}", ""))
        text, status = verdict(self.report, self.settings.glyphs)
        text = short_times(text, now)
        self.query_one("#verdict", Static).update(content((text, f"bold $text-{status}" if status else "bold")))
        self.query_one("#checked", Static).update(self._facts())
        at = self.situation()
        self.footer_bar.tell(keys.for_footer("report"), lambda action: action.why_not(at))

    def _facts(self) -> Content:
        parts = [(what_was_checked(self.job), "")]
        live = self.report.live
        if live is not None:
            status = {"mismatch": "$text-error bold", "ok": "$text-success"}.get(live.status, "$text-warning")
            parts.append((f"\nlive database: {live.words}", status))
        one = self.generation
        if one is not None and one.windows:
            what = "names complete" if self.report.depth == "names" else "restores"
            parts.append((f"\n{what}: ", "$foreground-muted"))
            parts.append((window_words(one, self.settings.now_ns(), self.settings.glyphs.between), ""))
        if one is not None and (words := self._clean_words(one)):
            parts.append((f"\n{words}", "$text-warning"))
        now = self.settings.now_ns()
        told = [(clean_lines(short_times(text, now)), style) for text, style in parts]
        return Content.assemble(*((text, style) if style else text for text, style in told))

    def _clean_words(self, one: GenerationReport) -> str:
        """What is known of the last state that SQLite finds in order."""
        if one.integrity in ("", "ok"):
            return ""
        checking = self.app.checking
        if (search := checking.looking_for_clean_point(self.report.path, one.generation)) is not None:
            return f"looking for the last clean point: {search.progress.phase or 'begins'}"
        found = checking.clean_point(self.report.path, one.generation)
        return found.words if found is not None else "F finds the last point at which the integrity check is ok"

    @on(RowView.Highlighted, "#findings")
    def _tell_row(self) -> None:
        row, finding = self.row, self.finding
        now = self.settings.now_ns()
        words = [(short_times(text, now), "") for text in row.whole] if row is not None else []
        if finding is not None and finding.path and not self.narrow:
            words.append((relative(finding.path), ""))
        self.row_note.tell([], words)
        self.row_note.display = bool(words)
        self.tick()

    # what the cursor stands on

    @property
    def row(self) -> Row | None:
        at = self.table.base_row
        return self.source.rows[at] if at is not None else None

    @property
    def finding(self) -> Finding | None:
        return self.row.finding if self.row is not None else None

    @property
    def generation(self) -> GenerationReport | None:
        """The generation under the cursor, the first one where it stands on none."""
        one = self.row.generation if self.row is not None else None
        return one or self.report.default

    def situation(self) -> Situation:
        one, path = self.generation, self.report.path
        drilled = one is not None and one.integrity not in ("", "ok")
        opened = self.app.replica is not None and self.app.replica.path == path
        searching = one is not None and self.app.checking.looking_for_clean_point(path, one.generation) is not None
        return Situation(
            pane="report",
            replica=opened,
            table_rows=len(self.source),
            restorable=one is not None and (one.restorable_to is not None or bool(one.windows)),
            integrity_failed=drilled,
            searching=searching,
        )

    # keys

    def redirects(self, key: str) -> bool:
        """Whether this key opens a dialog at once."""
        action = next((BY_ID[name] for name in OPENS if key in BY_ID[name].keys), None)
        return action is not None and not action.why_not(self.situation())

    def action_do(self, action_id: str) -> None:
        self.act(action_id)

    @on(Footer.Pressed)
    def _footer_pressed(self, event: Footer.Pressed) -> None:
        self.act(event.action_id)

    def act(self, action_id: str) -> None:
        """Do an action of the table, or say why it is not possible."""
        action: Action = BY_ID[action_id]
        if why_not := action.why_not(self.situation()):
            self.app.say(why_not, severity="warning", kind="why")
        else:
            getattr(self, f"do_{action_id.removeprefix('report_')}")()

    @on(RowView.Chosen, "#findings")
    def _row_chosen(self) -> None:
        self.act("report_jump")

    def do_jump(self) -> None:
        """Leave the report for the place of the finding."""
        finding, one = self.finding, self.generation
        if self.row is not None and self.row.step:
            self.app.say("this is something to do; y copies it", severity="warning")
            return
        self.dismiss(None)
        if finding is not None:
            self.app.browser.going.to_finding(finding)
        elif one is not None and one.generation == LTX:
            self.app.browser.going.to_ltx()
        elif one is not None:
            self.app.browser.tree_view.reveal(("generation", one.generation))

    def do_restore(self) -> None:
        one, view, replica = self.generation, self.app.browser.view, self.app.replica
        if one is None or view is None or replica is None:
            return
        if one.generation == LTX and view.ltx is not None:
            # A TXID alone would lead through the damaged file again, where another way leads around it.
            found = self.app.checking.clean_point(self.report.path, LTX)
            good = one.restorable_to if one.latest_restores else None
            good = found.pos if found is not None else good
            start = Start("", str(good) if good is not None else "last-good")
            self.app.push_screen(RestoreDialog(view.ltx.replica, view, start))
            return
        good = self.app.checking.last_good(self.report.path, one.generation) or one.restorable_to
        start = Start(one.generation, str(good) if good is not None else "last-good")
        self.app.push_screen(RestoreDialog(replica, view, start))

    def do_clean_point(self) -> None:
        if (one := self.generation) is not None:
            self.app.checking.find_clean_point(self.report.path, one.generation, self.job.plan.scratch)
            self.tick()

    def do_export(self) -> None:
        self.app.push_screen(ExportDialog(report_export(self.report)))

    def do_copy(self) -> None:
        step = self.row.step if self.row is not None else ""
        path, app = self.report.path, self.app
        database = app.database if app.path == path else None
        command = remedy(self.finding.hint if self.finding is not None else step, path, database)
        found = [("remedy", command)] if command else []
        found += [("finding", finding_text(self.finding))] if self.finding is not None else []
        found += [("step", step)] if step else []
        found += [("path", self.finding.path)] if self.finding is not None and self.finding.path else []
        one = self.generation
        if one is not None and one.restorable_to is not None:
            found.append(("TXID" if one.generation == LTX else "position", str(one.restorable_to)))
        found += [("verdict", self.report.sentence()), ("command", self.job.command)]
        self.app.push_screen(CopyMenu(found))

    def do_help(self) -> None:
        at = self.situation()
        self.app.push_screen(HelpScreen("report", lambda one: one.why_not(at) if one.where == "report" else ""))

    def do_back(self) -> None:
        self.dismiss(None)


def clean_lines(text: str) -> str:
    """Text made harmless, its line breaks kept."""
    return "\n".join(map(clean, text.split("\n")))
