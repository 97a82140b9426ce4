"""The way out: all of them come here. With jobs running it asks; it never waits long for a thread that is stuck."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from litetui.jobs.job import Job
from litetui.tui.work.replication import ReplicateJob

if TYPE_CHECKING:
    from litetui.tui.app import LitetuiApp

DRAIN_SECONDS = 2.0
LAST_SYNC_SECONDS = 15.0


class Leaving:
    """How the session ends.

    now    the jobs are being cancelled, and the app ends behind them
    stuck  jobs that stay behind
    """

    def __init__(self, app: LitetuiApp) -> None:
        self.app = app
        self.now = False
        self.stuck: list[Job] = []
        self._when_idle = False

    def ask(self) -> None:
        """Leave, where no job runs; else ask."""
        from litetui.tui.screens.quit import QuitDialog

        unfinished = self.app.runner.unfinished
        if not unfinished:
            self.app.exit(0)
        elif not isinstance(self.app.screen, QuitDialog):
            self.app.push_screen(QuitDialog(unfinished), self._answered)

    def _answered(self, answer: str | None) -> None:
        self._when_idle = answer == "wait"
        if answer == "wait":
            self.app.say("litetui ends when the jobs have ended")
            self.job_ended()
        elif answer == "cancel":
            self.cancel_and_exit(0)

    def job_ended(self) -> None:
        """Leave if that was wished and nothing runs; a replication, which has no end of its own, is ended behind the
        others."""
        if not self._when_idle:
            return
        unfinished = self.app.runner.unfinished
        if not unfinished:
            self.app.exit(0)
        elif all(isinstance(job, ReplicateJob) for job in unfinished):
            for job in unfinished:
                self.app.runner.cancel(job)

    def cancel_and_exit(self, code: int) -> None:
        """Cancel everything, wait for it without holding up the screen, then go."""
        if self.now:
            return
        self.now = True
        self.app.runner.cancel_all()

        def then(stuck: list[Job]) -> None:
            self.stuck = stuck
            self.app.exit(code)

        self.app.bridge.load("drain", self.drain, then, self.app.complain, path="")

    def drain(self) -> list[Job]:
        """Wait until nothing runs: two seconds for what may be stuck, longer for a last sync. What stays. Blocks."""
        runner = self.app.runner
        stuck = runner.drain(DRAIN_SECONDS)
        until = time.monotonic() + LAST_SYNC_SECONDS
        while any(isinstance(job, ReplicateJob) for job in stuck) and time.monotonic() < until:
            stuck = runner.drain(0.5)
        return stuck

    def end_replications(self, folder: str) -> None:
        """Nothing may write into a folder that is about to go. Blocks."""
        for job in self.app.runner.unfinished:
            if job.target.startswith(folder):
                self.app.runner.cancel(job)
        self.drain()
