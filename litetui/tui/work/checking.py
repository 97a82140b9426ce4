"""What the session checks: validations, searches for a clean point, and what is known from them of each generation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from litetui.jobs.job import Job, State
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.tree_line import LTX, Key
from litetui.tui.work.replication import ReplicateJob

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from litetui.ops.clean_point import CleanPoint
    from litetui.ops.validate import ValidationPlan
    from litetui.ops.verdict import LiveCheck, Report
    from litetui.replica.types import Pos
    from litetui.tui.app import LitetuiApp
    from litetui.tui.checks import Check, Checks
    from litetui.tui.screens.validate import Wish
    from litetui.tui.work.validation import Compare, ValidateJob

CLEAN_POINT = "clean-point"


def is_validation(job: Job) -> TypeIs[ValidateJob]:
    """Whether a job is a validation. The module of these is not imported before there is one."""
    return job.kind == "validate"


class Checking:
    """The app's hand on its validations. The last check of each generation is kept, by the replica's path."""

    def __init__(self, app: LitetuiApp) -> None:
        self.app = app
        self._checks: dict[str, dict[str, Check]] = {}
        self._clean: dict[tuple[str, str], CleanPoint] = {}

    @property
    def checks(self) -> Checks:
        """The checks of the replica that is open."""
        return self._checks.get(self.app.replica.path, {}) if self.app.replica is not None else {}

    def note(self, job: Job) -> None:
        """A job has ended: what it found out stays. Names alone never take the place of what read the bytes."""
        from litetui.tui.checks import Check

        if job.state is not State.DONE:
            return
        if job.kind == CLEAN_POINT:
            self._clean[job.target, job.title] = job.result
        if not is_validation(job):
            return
        report: Report = job.result
        known = self._checks.setdefault(report.path, {})
        live = report.live if report.live is not None and report.live.status == "mismatch" else None
        compared = live.pos.generation if live is not None and live.pos is not None else ""
        if live is not None and not compared and report.default is not None:
            compared = report.default.generation
        for one in report.generations:
            listed = job.listed if one.generation == LTX else None
            check = Check(one, report.depth, job.ended_ns or 0, one.generation == compared, listed)
            before = known.get(one.generation)
            if check.read_bytes or check.differs or before is None or not before.read_bytes:
                known[one.generation] = check
        # A new dict, as what is shown is compared with what it was.
        self._checks[report.path] = dict(known)

    # validate

    def ask(self, key: Key) -> None:
        """The dialog, for what the cursor stands on."""
        from litetui.tui.screens.validate import ValidateDialog
        from litetui.tui.work.validation import scopes

        replica, view = self.app.replica, self.app.browser.view
        if replica is None or view is None:
            return
        database, own = self.app.database or "", self.app.writing.running is not None
        dialog = ValidateDialog(view, *scopes(replica, view, key), database=database, own=own)

        def then(wish: Wish | None) -> None:
            if wish is not None:
                self.start(wish, database if wish.compare else "")

        self.app.push_screen(dialog, then)

    def start(self, wish: Wish, database: str = "") -> None:
        """Run it, and show what it finds as it comes."""
        from litetui.tui.screens.checking import ValidateJobScreen
        from litetui.tui.work.validation import ValidateJob

        compare = self._comparison(database, wish.plan) if database else None
        attached, now_ns = self.app.database, self.app.settings.now_ns
        job = ValidateJob(wish.plan, attached=attached, database=database, compare=compare, now_ns=now_ns)
        self.app.submit(job)
        self.app.push_screen(ValidateJobScreen(job))

    def _comparison(self, database: str, plan: ValidationPlan) -> Compare:
        """How the live database is compared with: never by opening it where this process replicates it, which would
        drop the replication's locks."""
        replica, scratch = plan.replica, plan.scratch
        if (own := self.app.writing.running) is not None:
            return partial(own.compare, scratch)
        others = [j for j in self.app.runner.unfinished if isinstance(j, ReplicateJob) and j.database == database]

        def work(report: Reporter, cancel: CancelToken) -> LiveCheck:
            from litetui.ops.live_check import passive
            from litetui.ops.verdict import LiveCheck

            if others:
                words = "not compared: this session replicates it into another replica"
                return LiveCheck(database, "unknown", None, words)
            return passive(replica, database, scratch=scratch, report=report, cancel=cancel)

        return work

    # the report

    def open(self, job: Job) -> bool:
        """Show a validation: its report once it has one, else what it finds; False for other jobs."""
        if not is_validation(job):
            return False
        if job.state is State.DONE:
            from litetui.tui.screens.report import ReportScreen

            self.app.push_screen(ReportScreen(job))
        else:
            from litetui.tui.screens.checking import ValidateJobScreen

            self.app.push_screen(ValidateJobScreen(job))
        return True

    @property
    def last(self) -> ValidateJob | None:
        """The last validation of the open replica that has a report."""
        for job in reversed(self.app.runner.jobs):
            if is_validation(job) and job.state is State.DONE and job.target == self._path:
                return job
        return None

    @property
    def _path(self) -> str:
        return self.app.replica.path if self.app.replica is not None else ""

    # the clean point

    def clean_point(self, path: str, generation: str) -> CleanPoint | None:
        """The last state that SQLite finds in order, once it was searched for."""
        return self._clean.get((path, generation))

    def looking_for_clean_point(self, path: str, generation: str) -> Job | None:
        """The search that runs."""
        jobs = self.app.runner.unfinished
        return next((j for j in jobs if (j.kind, j.target, j.title) == (CLEAN_POINT, path, generation)), None)

    def find_clean_point(self, path: str, generation: str, scratch: str) -> None:
        """Search for it, as a job."""
        replica = self.app.replica
        if replica is None or replica.path != path or self.looking_for_clean_point(path, generation) is not None:
            return

        def work(report: Reporter, cancel: CancelToken) -> CleanPoint:
            from litetui.ops.clean_point import find

            return find(replica, [generation], scratch=scratch, report=report, cancel=cancel)

        now_ns = self.app.settings.now_ns
        self.app.submit(Job(CLEAN_POINT, work, title=generation, target=path, now_ns=now_ns))

    def last_good(self, path: str, generation: str) -> Pos | None:
        """Where to restore to: the clean point, or else the last position that a validation found to restore."""
        if (clean := self.clean_point(path, generation)) is not None and clean.pos is not None:
            return clean.pos
        check = self._checks.get(path, {}).get(generation)
        return check.report.restorable_to if check is not None else None
