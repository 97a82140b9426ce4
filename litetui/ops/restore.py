"""Restore: make the database file that a plan describes, or fail and leave nothing.

`plan` (by names and times) and `settle` (by bytes) decide; `run` does just what the settled plan says. Plans of v0.3
replicas go through WALs (plan.py, settle.py, wal_merge.py), those of v0.5 through LTX files (ltx_plan, ltx_merge).
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, overload

from litetui.errors import ChangedError, DamageError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import ltx_merge, ltx_plan, wal_merge
from litetui.ops import output as out
from litetui.ops import plan as wal_plan
from litetui.ops import settle as wal_settle
from litetui.ops.ltx_plan import LTXPlan
from litetui.ops.output import check_output, check_space
from litetui.ops.pages import PageFile
from litetui.ops.plan import RestorePlan
from litetui.ops.target import Target
from litetui.replica.file import FileReplica
from litetui.replica.ltx import LTXReplica
from litetui.units import format_size

__all__ = ["AnyPlan", "RestorePlan", "RestoreResult", "Target", "check_output", "check_space", "plan", "run", "settle"]

AnyPlan = RestorePlan | LTXPlan
P = TypeVar("P", RestorePlan, LTXPlan)
_ATTEMPTS = 4  # while Litestream removes files that a plan names


@dataclass(frozen=True, slots=True)
class RestoreResult(Generic[P]):
    """What was restored. `integrity_check` is "ok" or "skipped", `checked_with` which check of SQLite's was asked for:
    "none", "quick" or "full"."""

    plan: P
    output: str
    database_size: int
    duration_s: float
    bytes_read: int
    pages_written: int
    integrity_check: str
    checked_with: str
    mode: int
    owner: str
    moved: tuple[str, ...]
    next_steps: tuple[str, ...]


@overload
def plan(replica: FileReplica, target: Target) -> RestorePlan: ...
@overload
def plan(replica: LTXReplica, target: Target) -> LTXPlan: ...
def plan(replica: FileReplica | LTXReplica, target: Target) -> AnyPlan:
    """Which files lead to the target, by names and times. Raises NoSuchTargetError, UnreadableError."""
    if isinstance(replica, LTXReplica):
        return ltx_plan.plan(replica, target)
    return wal_plan.plan(replica, target)


@overload
def settle(plan_: RestorePlan, report: Reporter | None = None, cancel: CancelToken | None = None) -> RestorePlan: ...
@overload
def settle(plan_: LTXPlan, report: Reporter | None = None, cancel: CancelToken | None = None) -> LTXPlan: ...
def settle(plan_: AnyPlan, report: Reporter | None = None, cancel: CancelToken | None = None) -> AnyPlan:
    """The plan with its end known to the byte. Raises DamageError that names the last good state, NoSuchTargetError."""
    if isinstance(plan_, LTXPlan):
        return ltx_merge.settle(plan_, report or Reporter(), cancel or CancelToken())
    return wal_settle.settle(plan_, report, cancel)


def run(
    plan_: P,
    output: str,
    *,
    integrity_check: str = "quick",
    force: bool = False,
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
) -> RestoreResult[P]:
    """Restore into the file `output`. On any failure or cancel nothing of it is left behind.

    Where LTX files go while they are read, the way to the same target is planned anew: Litestream's retention removes
    them once others hold the same. Raises OutputError, DamageError, UnreadableError, NoSuchTargetError, Cancelled.
    """
    report, cancel = report or Reporter(), cancel or CancelToken()
    began = time.monotonic()
    out.check_output(plan_.source, output, force=force)
    for _ in range(_ATTEMPTS - 1):
        try:
            return _attempt(plan_, output, integrity_check, force, report, cancel, began)
        except ChangedError as error:
            if not isinstance(plan_, LTXPlan):
                raise
            report.log(f"{error}; the way is planned anew", "warning")
            plan_ = ltx_plan.anew(plan_)
    return _attempt(plan_, output, integrity_check, force, report, cancel, began)


def beside(result: RestoreResult[P], database: str) -> RestoreResult[P]:
    """The result with a first step that compares the file with the database that it is for."""
    step = out.owner_step(result.output, database)
    return replace(result, next_steps=(step, *result.next_steps[1:])) if step else result


def _attempt(
    plan_: P,
    output: str,
    integrity_check: str,
    force: bool,
    report: Reporter,
    cancel: CancelToken,
    began: float,
) -> RestoreResult[P]:
    """The restore of a plan, or of one from an earlier snapshot where the newest is damaged."""
    while True:
        plan_ = settle(plan_, report, cancel)
        try:
            return _run(plan_, output, integrity_check, force, report, cancel, began)
        except DamageError as error:
            if isinstance(plan_, LTXPlan):
                raise ltx_merge.explain(plan_, error) from None
            earlier = wal_settle.without_snapshot(plan_, error)
            if earlier is None:
                raise wal_settle.explain(plan_, error, report, cancel) from None
            plan_ = earlier


def _run(
    plan_: P,
    output: str,
    integrity_check: str,
    force: bool,
    report: Reporter,
    cancel: CancelToken,
    began: float,
) -> RestoreResult[P]:
    """The restore of a settled plan."""
    out.check_space(output, plan_.database_size or 0)
    for note in plan_.notes:
        report.log(note, "warning")
    with out.Output(output, force=force) as target:
        file = PageFile(target.fd)
        try:
            size = _merge(plan_, file, report, cancel)
            report.phase("write to disk")
            file.finish(size)
        except OSError as error:
            raise out.write_error(error, output) from None
        finally:
            file.close()
        cancel.check()
        checked = out.check_integrity(target.tmp, integrity_check, report, cancel)
        cancel.check()
        moved = target.commit()
    info = os.stat(output)
    mode, owner = info.st_mode & 0o7777, out.owner_name(info.st_uid, info.st_gid)
    report.log(f"restored {plan_.place} to {output}: {format_size(size)}")
    return RestoreResult(
        plan_,
        output,
        size,
        time.monotonic() - began,
        plan_.bytes_to_read,
        file.pages_written,
        checked,
        integrity_check,
        mode,
        owner,
        tuple(moved),
        out.next_steps(output, mode, owner, moved),
    )


def _merge(plan_: AnyPlan, file: PageFile, report: Reporter, cancel: CancelToken) -> int:
    if isinstance(plan_, LTXPlan):
        return ltx_merge.merge(plan_, file, report, cancel)
    return wal_merge.merge(plan_, file, report, cancel)
