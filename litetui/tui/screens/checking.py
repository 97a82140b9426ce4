"""A validation while it runs: its progress, and what it finds as it comes. Its end leads to the report."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from litetui.jobs.job import State
from litetui.tui.screens.dialog import plain
from litetui.tui.screens.job import JobScreen
from litetui.tui.tables.sources import FindingSource
from litetui.tui.widgets.virtual_table import VirtualTable
from litetui.tui.work.validation import ValidateJob


class ValidateJobScreen(JobScreen):
    """The last findings, the newest first, over the log."""

    tab_key = "tab: log"

    def __init__(self, job: ValidateJob) -> None:
        super().__init__(job)
        self.validation = job
        self.shown_found: tuple[int, bool] | None = None

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
        ended = self.job.state.ended
        if (count, ended) != self.shown_found:
            self.shown_found = count, ended
            title = f"Found {count}" + (f", the last {len(found)} of them" if len(found) < count else "")
            self.query_one("#found-title", Static).update(title)
            words = "nothing was found before the end" if ended else "nothing found so far"
            self.query_one("#found", VirtualTable).show(FindingSource(found, words), same=count > 1)
        if self.job.state is State.DONE and self.app.screen is self and not self.closing:
            self.dismiss(None)  # the report takes its place
            self.app.checking.open(self.job)
