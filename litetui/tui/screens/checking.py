"""A validation while it runs: its progress, and what it finds as it comes. Its end leads to the report."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from litetui.jobs.job import State
from litetui.tui.screens.dialog import plain
from litetui.tui.screens.job import JobScreen
from litetui.tui.tables.sources import FindingSource
from litetui.tui.widgets.virtual_table import VirtualTable
from litetui.tui.work.validation import ValidateJob


class ValidateJobScreen(JobScreen):
    """The last findings, the newest first, over the log."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "report", "Report", show=False)]
    keys_line = "x cancels; tab: log; ctrl+y: copy command; esc: back, it goes on"

    def __init__(self, job: ValidateJob) -> None:
        super().__init__(job)
        self.validation = job
        self.shown_count = -1

    def body(self) -> ComposeResult:
        facts, *log = super().body()
        yield facts
        yield plain("", id="found-title", classes="label")
        yield VirtualTable(self.app.settings.glyphs, id="found")
        yield from log

    def on_mount(self) -> None:
        self.query_one("#found").focus()

    def on_screen_resume(self) -> None:
        self.show()

    def show(self) -> None:
        super().show()
        count, found = self.validation.found
        if count != self.shown_count:
            self.shown_count = count
            title = f"Found {count}" + (f", the last {len(found)} of them" if len(found) < count else "")
            self.query_one("#found-title", Static).update(title)
            words = "nothing found so far" if not self.job.state.ended else "nothing was found before the end"
            self.query_one("#found", VirtualTable).show(FindingSource(found, words), same=count > 1)
        if self.job.state is State.DONE and self.app.screen is self:
            self.action_report()

    def action_report(self) -> None:
        """The report takes the place of this screen once there is one."""
        if self.job.state is State.DONE and not self.closing:
            self.dismiss(None)
            self.app.checking.open(self.job)
