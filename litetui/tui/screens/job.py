"""A job: its command, its result or its error, its log."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from litetui.jobs.job import Job, State
from litetui.tui.messages import JobChanged, JobsMoved, LogLines
from litetui.tui.screens.dialog import Dialog
from litetui.tui.textutil import clean
from litetui.tui.widgets.row_view import RowView
from litetui.tui.widgets.stats import Stats
from litetui.tui.widgets.virtual_table import VirtualTable
from litetui.tui.work.job_rows import job_status, progress_text
from litetui.tui.work.log_book import LogSource, log_text
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
    keys_line = "x: cancel; ctrl+y: copy the command; y: copy the log; e: save it; esc: close"

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
        known = table.source.lines if isinstance(table.source, LogSource) else None
        if known is None or len(lines) != len(known) or lines[-1:] != known[-1:]:
            at_end = known is None or table.cursor >= len(known) - 1
            table.show(LogSource(lines, self.app.settings.now_ns, "it has written no log lines"), same=True)
            if at_end and lines:
                table.set_cursor(len(lines) - 1)
            self._tell_line()

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
        return lines + [Content(clean(line)) for line in self.app.result_lines(job)]

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
        if self.job.state.ended:
            self.app.say(f"this job has ended already: {self.job.state.value}", severity="warning")
        else:
            self.app.cancel(self.job)

    def action_copy(self) -> None:
        if self.job.command:
            self.app.copy(self.job.command)
        else:
            self.app.say("no command line does this", severity="warning")

    def action_copy_log(self) -> None:
        if lines := self.job.lines_since(0):
            self.app.copy(log_text(lines, self.app.settings.now_ns()))
        else:
            self.app.say("there are no log lines to copy", severity="warning")

    def action_export(self) -> None:
        from litetui.tui.screens.export import ExportDialog, table_export

        source = self.query_one("#job-log", VirtualTable).source
        self.app.push_screen(ExportDialog(table_export(source, f"log {self.title_text}")))
