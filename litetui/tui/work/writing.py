"""What the session writes: sync, snapshot, replicate. Plans are made in threads and shown first where that is due."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from litetui.jobs.job import Job, Mode
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.work.replication import ReplicateJob

if TYPE_CHECKING:
    from litetui.ops.replicate import ReplicaState
    from litetui.ops.sync import SyncPlan, SyncResult
    from litetui.tui.app import LitetuiApp
    from litetui.tui.work.write_plan import WritePlan

WRITES = ("sync", "snapshot", "replicate", "retention")


class Writing:
    """The app's hand on the jobs that write into the replica. `confirmed`: the pairs of database and replica that a
    person has said yes to in this session."""

    def __init__(self, app: LitetuiApp) -> None:
        self.app = app
        self.confirmed: set[tuple[str, str]] = set()

    @property
    def pair(self) -> tuple[str, str]:
        """The database and the replica, as they are open now."""
        return self.app.database or "", self.app.replica.path if self.app.replica is not None else ""

    @property
    def running(self) -> ReplicateJob | None:
        """The replication of this database into this replica, while this session runs one."""
        for job in self.app.runner.unfinished:
            if isinstance(job, ReplicateJob) and (job.database, job.target) == self.pair:
                return job
        return None

    # sync

    def sync(self) -> None:
        """At once where it was said yes to before and nothing new would begin, else with the plan first."""
        if (job := self.running) is not None:
            job.sync_now()
            self.app.say("the running replication looks at once")
            return
        pair = self.pair

        def work() -> tuple[bool, WritePlan]:
            from litetui.tui.work.write_plan import sync_plan

            plan = self._plan(pair)
            return plan.first_write or plan.refusal is not None, sync_plan(plan)

        def then(answer: tuple[bool, WritePlan]) -> None:
            asks, plan = answer
            if asks or pair not in self.confirmed:
                self._ask(pair, plan, lambda _: self._start_sync(pair, plan.command))
            elif pair == self.pair:
                self._start_sync(pair, plan.command)

        self.app.bridge.load("write-plan", work, then, self.app.complain, path=pair[0])

    def _start_sync(self, pair: tuple[str, str], command: str) -> None:
        def work(report: Reporter, cancel: CancelToken) -> SyncResult:
            from litetui.ops.sync import run

            return run(*pair, report=report, cancel=cancel)

        self._submit("sync", work, pair, command, pair[1])

    # snapshot

    def snapshot(self) -> None:
        """The plan, then a job; beside a running replication it is that one's own."""
        pair, job = self.pair, self.running
        at = job.at if job is not None else None

        def work() -> WritePlan:
            from litetui.tui.work.write_plan import room, snapshot_plan

            space = room(*pair)
            return snapshot_plan(*pair, space, None if job is not None else self._plan(pair), at)

        def then(plan: WritePlan) -> None:
            self._ask(pair, plan, lambda _: self._start_snapshot(pair, plan.command))

        self.app.bridge.load("write-plan", work, then, self.app.complain, path=pair[0])

    def _start_snapshot(self, pair: tuple[str, str], command: str) -> None:
        # The replicate job holds the replica, and takes the snapshot itself: it must not wait behind that.
        job = self.running
        if job is not None:
            self._submit("snapshot", job.snapshot, pair, command, f"{pair[1]}#live")
            return

        def work(report: Reporter, cancel: CancelToken) -> SyncResult:
            from litetui.ops.sync import run

            return run(*pair, snapshot=True, report=report, cancel=cancel)

        self._submit("snapshot", work, pair, command, pair[1])

    # replicate

    def replicate(self) -> None:
        """The plan, then a job that runs on; while it does, the question whether it shall."""
        pair, job = self.pair, self.running
        if job is not None:
            at: ReplicaState | None = job.at
            from litetui.tui.screens.write import WriteDialog
            from litetui.tui.work.write_plan import replicating

            def end(chosen: int | None) -> None:
                if chosen is not None:
                    self.app.cancel(job)

            self.app.push_screen(WriteDialog(replicating(*pair, at, job.command)), end)
            return

        def work() -> WritePlan:
            from litetui.tui.work.write_plan import replicate_plan

            return replicate_plan(self._plan(pair))

        def then(plan: WritePlan) -> None:
            self._ask(pair, plan, self.start_replication)

        self.app.bridge.load("write-plan", work, then, self.app.complain, path=pair[0])

    def start_replication(self, option: int = 0) -> None:
        """`option`: the number in `EVERY` of how often the replica is compared with the database."""
        from litetui.tui.work.write_plan import EVERY

        pair = self.pair
        if pair[0] and pair[1] and self.running is None:
            self.confirmed.add(pair)
            self.app.submit(ReplicateJob(*pair, every=EVERY[option], now_ns=self.app.settings.now_ns))

    # all of them

    @staticmethod
    def _plan(pair: tuple[str, str]) -> SyncPlan:
        from litetui.ops.sync import plan

        return plan(*pair)

    def _ask(self, pair: tuple[str, str], plan: WritePlan, go: Callable[[int], None]) -> None:
        """Show the plan of a pair, as long as that is what is open."""
        from litetui.tui.screens.write import WriteDialog

        def then(chosen: int | None) -> None:
            if chosen is not None and pair == self.pair:
                self.confirmed.add(pair)
                go(chosen)

        if pair == self.pair:
            self.app.push_screen(WriteDialog(plan), then)

    def _submit(
        self,
        kind: str,
        work: Callable[[Reporter, CancelToken], SyncResult],
        pair: tuple[str, str],
        command: str,
        target: str,
    ) -> None:
        self.app.submit(
            Job(
                kind,
                work,
                title=f"{os.path.basename(pair[0])} into {os.path.basename(pair[1])}",
                target=target,
                mode=Mode.WRITE,
                command=command,
                now_ns=self.app.settings.now_ns,
            )
        )
