"""Validate as a job of the session: its findings can be read while it runs."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from litetui.jobs.job import Job
from litetui.jobs.progress import CancelToken, Reporter
from litetui.replica.types import Finding
from litetui.units import printable

if TYPE_CHECKING:
    from litetui.ops.validate import ValidationPlan
    from litetui.ops.verdict import LiveCheck, Report

FOUND_KEPT = 1_000
Compare = Callable[[Reporter, CancelToken], "LiveCheck"]


class ValidateJob(Job):
    """Its result is a Report.

    attached  the database of the session, for the report's advice
    database  the same where it is compared with, else ""; `compare` does that, after the rest
    """

    def __init__(
        self,
        plan: ValidationPlan,
        *,
        attached: str | None,
        database: str,
        compare: Compare | None,
        now_ns: Callable[[], int],
    ) -> None:
        self.plan = plan
        self.attached = attached
        self.compare = compare
        self._found: deque[Finding] = deque(maxlen=FOUND_KEPT)
        self._found_count = 0
        self._found_lock = Lock()
        count = len(plan.generations)
        what = f"{count} generations" if count != 1 else f"generation {plan.generations[0]}"
        super().__init__(
            "validate",
            self._validate,
            title=f"{plan.depth} of {what}",
            target=plan.replica.path,
            command=command(plan, database),
            now_ns=now_ns,
        )

    @property
    def found(self) -> tuple[int, list[Finding]]:
        """How many findings there are so far, and the last ones of them, the newest first. Any thread may ask."""
        with self._found_lock:
            return self._found_count, list(reversed(self._found))

    def _add(self, finding: Finding) -> None:
        with self._found_lock:
            self._found_count += 1
            self._found.append(finding)

    def _validate(self, report: Reporter, cancel: CancelToken) -> Report:
        from litetui.ops.advice import advise
        from litetui.ops.validate import run

        made = run(self.plan, report=report, cancel=cancel, found=self._add)
        if self.compare is not None:
            made = made.with_live(self.compare(report, cancel))
        return advise(made, self.attached)


def command(plan: ValidationPlan, database: str) -> str:
    """The command line that does the same."""
    return plan.command() + (f" --db {shlex.quote(printable(database))}" if database else "")
