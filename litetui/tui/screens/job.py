"""A job: its command, its result or its error, its log."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from litetui.jobs.job import Job, LogLine, State
from litetui.tui import reasons
from litetui.tui.messages import JobChanged, JobsMoved, LogLines
from litetui.tui.reasons import Situation
from litetui.tui.screens.dialog import Dialog
from litetui.tui.textutil import clean
from litetui.tui.widgets.row_view import RowView
from litetui.tui.widgets.stats import Stats
from litetui.tui.widgets.virtual_table import VirtualTable
from litetui.tui.work.job_rows import job_status, progress_text
from litetui.tui.work.log_book import LogSource, log_text
from litetui.tui.work.report import result_lines
from litetui.units import format_age, format_clock


class JobScreen(Dialog[None]):
    """Follows the job while it runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "cancel", "Cancel", show=False),
        Binding("ctrl+y", "copy", "Copy the command", show=False),
        Binding("y", "copy_log", "Copy the log", show=False),
        Binding("e", "export", "Save the log", show=False),
    ]
    box_id = "job-dialog"
    keys_line = ""
    tab_key = ""  # what the key tab does, where it does something

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job

    @property
    def title_text(self) -> str:
        return f"{self.job.kind} {self.job.id}"

    def body(self) -> ComposeResult:
        yield Static(id="job-facts")
        yield VirtualTable(self.app.settings.glyphs, id="job-log")
        yield Stats(self.app.settings.glyphs, id="job-line")

    def on_mount(self) -> None:
        self.query_one("#job-log").focus()
        self.set_interval(1.0, self.show)  # ages grow
        self.show()

    @on(JobChanged)
    @on(JobsMoved)
    @on(LogLines)
    def _moved(self) -> None:
        self.show()

    def show(self) -> None:
        """The facts and the log as they are now."""
        if self.closing:
            return
        self.query_one("#job-facts", Static).update(Content("\n").join(self._facts()))
        table = self.query_one("#job-log", VirtualTable)
        lines = self.job.lines_since(0)
        self.tell_keys("; ".join(self._keys(logged=bool(lines))))
        known = table.source.lines if isinstance(table.source, LogSource) else None
        if known is None or len(lines) != len(known) or lines[-1:] != known[-1:]:
            at_end = known is None or table.cursor >= len(known) - 1
            table.show(LogSource(lines, self.app.settings.now_ns, "it has written no log lines"), same=True)
            if at_end and lines:
                table.set_cursor(len(lines) - 1)
            self._tell_line()

    def _keys(self, *, logged: bool) -> list[str]:
        """The keys that do something as the job is now."""
        job = self.job
        keys = ["x: cancel"] if job.state in (State.QUEUED, State.RUNNING) else []
        keys += [self.tab_key] if self.tab_key else []
        keys += ["ctrl+y: copy command"] if job.command else []
        keys += ["y: copy log", "e: save"] if logged else []
        return [*keys, "esc: close"]

    def _facts(self) -> list[Content]:
        job, now = self.job, self.app.settings.now_ns()
        status = job_status(job)
        lines = [Content(clean(job.title))]
        if job.command:
            lines.append(Content.styled(f"$ {clean(job.command)}", "$foreground-muted"))
        words = progress_text(job, self.app.settings.glyphs, now)
        lines.append(Content.styled(clean(words), f"$text-{status}" if status else "bold"))
        if job.started_ns is not None:
            at, word = (job.started_ns, "began") if job.ended_ns is None else (job.ended_ns, "ended")
            words = f"{word} {format_clock(at, now, millis=False)} ({format_age(at, now)})"
            lines.append(Content.styled(words, "$foreground-muted"))
        if job.error is not None and job.error.hint and job.state is State.FAILED:
            lines.append(Content(f"Try: {clean(job.error.hint)}"))
        return lines + [Content(clean(line)) for line in result_lines(job)]

    @on(RowView.Highlighted, "#job-log")
    def _tell_line(self) -> None:
        """The whole of the line under the cursor, where a row is too short for it."""
        table, note = self.query_one("#job-log", VirtualTable), self.query_one("#job-line", Stats)
        source = table.source
        text = source.lines[table.cursor].text if isinstance(source, LogSource) and len(source) else ""
        long = len(text) > table.size.width - 40
        note.tell([], [(text, "")] if long else [])
        note.display = long

    def action_cancel(self) -> None:
        if why_not := reasons.cancel(Situation(job_state=self.job.state.value)):
            self.app.say(why_not, severity="warning", kind="why")
        else:
            self.app.cancel(self.job)

    def action_copy(self) -> None:
        self.copy_command(self.job.command, "no command line does this")

    def action_copy_log(self) -> None:
        if lines := self._lines():
            self.app.copy(log_text(lines, self.app.settings.now_ns()))

    def action_export(self) -> None:
        from litetui.tui.screens.export import ExportDialog, table_export

        if self._lines():
            source = self.query_one("#job-log", VirtualTable).source
            self.app.push_screen(ExportDialog(table_export(source, f"log {self.title_text}")))

    def _lines(self) -> list[LogLine]:
        """The log; where there is none it says so."""
        lines = self.job.lines_since(0)
        if not lines:
            self.app.say("it has written no log lines", severity="warning")
        return lines
