"""The app's hand on retention: the question, the plan, then a job that has the replica for itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from litetui.jobs.job import Job, Mode
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.reasons import READONLY
from litetui.units import counted, format_duration

if TYPE_CHECKING:
    from litetui.ops.retention import RetentionPlan, RetentionResult, Rule
    from litetui.tui.app import LitetuiApp
    from litetui.tui.screens.retention import Plan, Seen

WAIT_SECONDS = 0.1


class Retaining:
    """Asks, plans in threads, and starts the job."""

    def __init__(self, app: LitetuiApp) -> None:
        self.app = app

    def ask(self) -> None:
        """How much to keep, then the plan."""
        from litetui.tui.screens.retention import RetentionDialog
        from litetui.tui.screens.retention_plan import RetentionPlanDialog

        app, replica = self.app, self.app.file_replica
        if replica is None or app.browser.view is None:
            return
        name, path, plan = app.browser.view.name, replica.path, self._planner()

        def confirmed(chosen: RetentionPlan | None) -> None:
            if chosen is not None and app.replica is replica and not app.settings.readonly:
                self.start(chosen)

        def planned(seen: Seen | None) -> None:
            if seen is not None:
                refusal = READONLY if app.settings.readonly else ""
                app.push_screen(RetentionPlanDialog(seen, plan, name, refusal), confirmed)

        app.push_screen(RetentionDialog(path, name, plan), planned)

    def _planner(self) -> Plan:
        """How a plan is made. A replica of its own is listed for it, as the screen's one changes while one looks."""
        assert self.app.replica is not None
        path, database, now_ns = self.app.replica.storage.root, self.app.database, self.app.settings.now_ns

        def make(retention_ns: int, rule: Rule, report: Reporter, cancel: CancelToken) -> RetentionPlan:
            from litetui.ops.retention import plan
            from litetui.replica.detect import open_replica

            replica = open_replica(path)
            return plan(
                replica, retention_ns, now_ns=now_ns(), rule=rule, database=database, report=report, cancel=cancel
            )

        return make

    def start(self, plan: RetentionPlan) -> None:
        """Run it: alone on the replica, or beside the running replication, through that one's own hand on it."""
        app, own = self.app, self.app.writing.running
        path = app.replica.path if app.replica is not None else plan.replica.path

        def alone(report: Reporter, cancel: CancelToken) -> RetentionResult:
            from litetui.ops.retention import run

            return run(plan, report=report, cancel=cancel)

        def beside(report: Reporter, cancel: CancelToken) -> RetentionResult:
            # The replication holds the replica in the runner, without end; so the readers are waited for here.
            assert own is not None
            while (reader := self._reader(path)) is not None:
                report.phase(f"waits for {reader.kind} {reader.id}, which reads this replica")
                cancel.wait(WAIT_SECONDS)
                cancel.check()
            return own.retain(plan, report, cancel)

        files = counted(len(plan.delete), "file")
        app.submit(
            Job(
                "retention",
                alone if own is None else beside,
                title=f"{os.path.basename(path)}: {files} beyond {format_duration(plan.retention_ns)}",
                target=path if own is None else f"{path}#live",
                mode=Mode.EXCLUSIVE,
                command=plan.command(),
                now_ns=app.settings.now_ns,
            )
        )

    def _reader(self, path: str) -> Job | None:
        jobs = self.app.runner.unfinished
        return next((j for j in jobs if j.target == path and j.mode is Mode.READ), None)
