"""Words about jobs and places that several screens and the end of the session share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from litetui.jobs.job import Job, State
from litetui.tui.ltx.preview import is_ltx_plan
from litetui.tui.owning import OwnersJob
from litetui.tui.sentences import said
from litetui.tui.textutil import clean
from litetui.tui.work.replication import ReplicateJob
from litetui.tui.work.validation import ValidateJob
from litetui.units import counted, format_duration, format_size

if TYPE_CHECKING:
    from litetui.ops.clean_point import CleanPoint
    from litetui.ops.replicate import ReplicaState
    from litetui.ops.restore import RestoreResult
    from litetui.ops.retention import RetentionResult
    from litetui.ops.sync import SyncResult
    from litetui.ops.verdict import Report

Severity = Literal["information", "warning", "error"]
SYNCS = ("sync", "snapshot")


def outcome(job: Job) -> str:
    """What a job that is done has made, in a few words."""
    if job.state is not State.DONE:
        return ""
    if isinstance(job, ReplicateJob):
        at: ReplicaState = job.result
        return f"up to {at.pos.short}, {format_size(at.wal_bytes)} written"
    if job.kind == "validate":
        report: Report = job.result
        return said(report)
    if job.kind == "clean-point":
        found: CleanPoint = job.result
        return found.words
    if job.kind == "retention":
        return _retention_lines(job.result)[0]
    if isinstance(job, OwnersJob):
        return job.outcome
    if job.kind not in SYNCS:
        return job.output
    result: SyncResult = job.result
    words = f"up to {result.pos.short}, {format_size(result.bytes)} of WAL"
    if result.snapshot_created:
        words += f", snapshot {result.pos.index:08x}"
    elif job.kind == "snapshot":
        words += ", the snapshot of this index was there already"
    return words + (", new generation" if result.new_generation_reason else "")


def result_lines(job: Job) -> list[str]:
    """What a finished job says. A restore: the file, its mode and owner, the check, the next steps."""
    if job.state is not State.DONE:
        return []
    if isinstance(job, ReplicateJob):
        return [f"position {job.result.pos}", f"{format_size(job.result.wal_bytes)} of WAL written"]
    if job.kind in SYNCS:
        return _sync_lines(job.result)
    if job.kind == "retention":
        return _retention_lines(job.result)
    return _restore_lines(job.result) if job.kind == "restore" else []


def _sync_lines(result: SyncResult) -> list[str]:
    lines = [f"position {result.pos}", f"{format_size(result.bytes)} of WAL written"]
    if result.snapshot_created:
        lines.append(f"snapshot {result.pos.index:08x} written")
    if result.compressed:
        lines.append(f"{counted(result.compressed, 'WAL')} compressed")
    if result.new_generation_reason:
        lines.append(f"generation {result.pos.generation} began: {result.new_generation_reason}")
    return lines + list(result.warnings)


def verdict_of(job: Job) -> str:
    """What a validation found, in a few words; "" for what has no verdict."""
    if job.kind != "validate" or job.state is not State.DONE:
        return ""
    report: Report = job.result
    if report.live is not None and report.live.status == "mismatch":
        return "differs from the database"
    if report.verdict != "damaged":
        sound = "ok" if report.depth != "names" else "names complete"
        return {"unrestorable": "nothing restores", "unknown": "not all could be read"}.get(report.verdict, sound)
    if report.default is not None and report.default.around:
        return "damaged, latest restores by last-good alone"
    return "damaged, latest restores" if report.latest_restores else "damaged, latest does not restore"


def by_names(job: Job) -> bool:
    """Whether a job that is done is a validation that opened no file: no success of it is one of the bytes."""
    return job.kind == "validate" and job.state is State.DONE and job.result.depth == "names"


def alarm_of(job: Job) -> str:
    """The status of what a job that is done has found, "" where that is no reason to worry."""
    if job.state is not State.DONE or job.kind != "validate":
        return ""
    report: Report = job.result
    mismatch = report.live is not None and report.live.status == "mismatch"
    if report.verdict == "ok" and not mismatch:
        return ""
    return "warning" if report.verdict == "damaged" and report.latest_restores and not mismatch else "error"


def _retention_lines(result: RetentionResult) -> list[str]:
    count = len(result.deleted)
    lines = [f"{counted(count, 'file')} deleted, {format_size(result.bytes_freed)} freed"]
    if result.free_bytes is not None:
        lines[0] += f"; {format_size(result.free_bytes)} are free on the replica's disk now"
    if result.snapshot is not None:
        lines.append(f"snapshot {result.snapshot.pos.short} written before")
    if (missing := len(result.plan.delete) - count) > 0:
        lines.append(f"{missing} were gone already")
    return lines


def _restore_lines(result: RestoreResult[Any]) -> list[str]:
    pragma = {"quick": "quick_check", "full": "integrity_check"}.get(result.checked_with)
    checked = f"PRAGMA {pragma} {result.integrity_check}" if pragma else "not checked by SQLite"
    lines = [
        f"{result.output}: {format_size(result.database_size)}, mode {result.mode & 0o7777:o}, "
        f"owner {result.owner}, {checked}",
        f"{'TXID' if is_ltx_plan(result.plan) else 'position'} {result.plan.place}",
    ]
    lines += [f"moved aside: {path}" for path in result.moved]
    lines += [f"next: {step}" for step in result.next_steps]
    return lines


def so_far(job: Job) -> str:
    """What cancelling a job that has not ended leaves behind, and what it has done by now."""
    if job.state is State.QUEUED:
        return "it has not begun"
    progress = job.progress
    if isinstance(job, ReplicateJob):
        at = job.at
        done = "" if at is None or not at.pos.generation else f"; {format_size(at.wal_bytes)} up to {at.pos.short} stay"
        return f"a last sync is made{done}"
    if isinstance(job, ValidateJob):
        count = job.found[0]
        done = f" at {progress.fraction * 100:.0f} % of {progress.phase}" if progress.fraction else ""
        return f"it wrote nothing; {counted(count, 'finding')} so far{done}"
    if job.kind in SYNCS:
        return "what is whole in the replica stays, and the next sync goes on from there"
    if job.kind == "retention":
        if progress.unit != "files":
            return "nothing is deleted yet"
        return f"{progress.done} of {progress.total} files are deleted, and stay so"
    if job.kind == "restore":
        done = f", {progress.fraction * 100:.0f} % of {progress.phase} done" if progress.fraction else ""
        return f"nothing of {os.path.basename(job.output)} is left behind{done}"
    if job.kind == "export":
        return f"nothing of {os.path.basename(job.output)} is left behind"
    return "it writes nothing that stays"


def end_words(job: Job) -> str:
    """How a job that is not done has ended: after how long, and what it said then."""
    words = f"{job.state.value} after {format_duration(job.duration_ns)}"
    if job.error is None:
        return words
    why = str(job.error)
    if job.state is State.CANCELLED:
        why = why.removeprefix("cancelled").removeprefix(": ").strip()
    return f"{words}: {why}" if why else words


def end_toast(job: Job) -> tuple[str, Severity]:
    """What a toast says of a job that has ended, and how loudly."""
    severity: Severity = "information"
    if job.state is State.FAILED or alarm_of(job) == "error":
        severity = "error"
    elif job.state is not State.DONE or alarm_of(job):
        severity = "warning"
    words = job.error.cause if job.error is not None else outcome(job)
    if job.state is State.FAILED and job.error is not None and job.error.hint:
        words += f"; try: {job.error.hint}"
    if job.kind == "restore" and job.state is State.DONE:
        words += "; J, then enter: the next steps"
    return f"{job.kind} {job.id} {job.state.value}: {words}", severity


def job_lines(jobs: Sequence[Job], stuck: Sequence[Job]) -> list[str]:
    """One line a job for the normal screen: how it ended, its output, its command."""
    lines = []
    for job in jobs:
        words = f"left behind, no answer from {job.target}" if job in stuck else end_words(job)
        parts = [f"{job.kind} {words}"]
        if words := outcome(job):
            parts.append(words)
        if job.command:
            parts.append(f"$ {job.command}")
        lines.append(clean("  ".join(parts)))
    return lines
