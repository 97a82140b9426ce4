"""Validate as a job of the session: its findings can be read while it runs."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from litetui.jobs.job import Job
from litetui.jobs.progress import CancelToken, Reporter
from litetui.replica.types import Finding
from litetui.tui.ltx.model import is_ltx, ltx_of
from litetui.tui.model import ReplicaView
from litetui.tui.tree_line import LTX_KINDS, Key, generation_of
from litetui.units import printable

if TYPE_CHECKING:
    from litetui.ops.validate import ValidationPlan
    from litetui.ops.verdict import LiveCheck, Report
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica, LTXTable

FOUND_KEPT = 1_000
Compare = Callable[[Reporter, CancelToken], "LiveCheck"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be validated: its name, the replica, and the one generation of it (None: all).

    no_live  why it cannot be compared with the database, "" where it can
    """

    words: str
    replica: FileReplica | LTXReplica
    generation: str | None
    no_live: str = ""


def scopes(replica: FileReplica | LTXReplica, view: ReplicaView, key: Key) -> tuple[list[Scope], int]:
    """What a line of the tree offers, and which of it to begin with; one alone where there is no choice."""
    if is_ltx(replica):
        return [Scope("all levels", replica, None)], 0
    of_ltx, count = view.ltx is not None and key[0] in LTX_KINDS, len(view.generations)
    one, everything = generation_of(key), Scope(f"all {count} generations", replica, None)
    if view.ltx is not None:
        everything = Scope(f"all: {count} generation{'s' if count != 1 else ''}, and ltx", replica, None)
        if of_ltx or (not one and view.from_ltx) or not count:
            no_live = "" if view.from_ltx else "the newest files are those of a generation: compare that"
            return [Scope("ltx", view.ltx.replica, None, no_live), everything], 0 if of_ltx else 1
    elif count < 2:
        return [everything], 0
    name = one or view.generations[0].name
    no_live = "the newest files are those of ltx: compare that" if view.from_ltx else ""
    return [Scope(name, replica, name, no_live), everything], 0 if one else 1


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
        self.listed: LTXTable | None = None  # the LTX files there were at the start
        super().__init__(
            "validate",
            self._validate,
            title=f"{plan.depth} of {_what(plan)}",
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

        plan = self.plan if self.plan.depth != "names" else _listed_anew(self.plan)
        beside = ltx_of(plan.replica)
        self.listed = beside.table if beside is not None else None
        made = run(plan, report=report, cancel=cancel, found=self._add)
        if self.compare is not None:
            made = made.with_live(self.compare(report, cancel))
        return advise(made, self.attached)


def _listed_anew(plan: ValidationPlan) -> ValidationPlan:
    """The plan for the names that there are now: what the screen knows is older. Blocks; raises LitetuiError."""
    from litetui.ops import validate
    from litetui.replica.detect import open_any

    replica = open_any(plan.replica.path)
    if is_ltx(plan.replica):
        replica = ltx_of(replica) or replica
    return validate.plan(replica, depth="names", generation=plan.generations[0] if plan.one else None)


def _what(plan: ValidationPlan) -> str:
    if is_ltx(plan.replica):
        return "the LTX files"
    count = len(plan.generations)
    what = f"{count} generations" if count != 1 else f"generation {plan.generations[0]}"
    return what if plan.one or plan.replica.ltx is None else f"{what} and the LTX files"


def command(plan: ValidationPlan, database: str) -> str:
    """The command line that does the same."""
    return plan.command() + (f" --db {shlex.quote(printable(database))}" if database else "")
