"""A job: its command, its result or its error, its log."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from litetui.jobs.job import Job
from litetui.tui.job_rows import LogSource, job_status, progress_text
from litetui.tui.messages import JobChanged, JobsMoved, LogLines
from litetui.tui.screens.dialog import Dialog
from litetui.tui.textutil import clean
from litetui.tui.widgets.virtual_table import VirtualTable


class JobScreen(Dialog[None]):
    """Follows the job while it runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "cancel", "Cancel", show=False),
        Binding("ctrl+y", "copy", "Copy the command", show=False),
    ]
    box_id = "job-dialog"
    keys_line = "x cancels; ctrl+y copies the command; esc closes"

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job

    @property
    def title_text(self) -> str:
        return f"{self.job.kind} {self.job.id}"

    def body(self) -> ComposeResult:
        yield Static(id="job-facts")
        yield VirtualTable(self.app.settings.glyphs, id="job-log")

    def on_mount(self) -> None:
        self.query_one("#job-log").focus()
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
        job = self.job
        status = job_status(job)
        parts: list[Content | str | tuple[str, str]] = [f"{clean(job.title)}\n"]
        if job.command:
            parts += [(f"$ {clean(job.command)}\n", "$foreground-muted")]
        words = progress_text(job, self.app.settings.glyphs, self.app.settings.now_ns())
        parts.append((clean(words), f"$text-{status}" if status else "bold"))
        if job.error is not None and job.error.hint and job.state.value == "failed":
            parts.append(f"\nTry: {clean(job.error.hint)}")
        for line in self.app.result_lines(job):
            parts.append(f"\n{clean(line)}")
        self.query_one("#job-facts", Static).update(Content.assemble(*parts))
        table = self.query_one("#job-log", VirtualTable)
        lines = job.lines_since(0)
        if len(lines) != len(table.source) or not lines:
            from collections import deque

            table.show(LogSource(deque(lines), self.app.settings.now_ns), same=True)

    def action_cancel(self) -> None:
        self.app.cancel(self.job)

    def action_copy(self) -> None:
        self.app.copy(self.job.command)
