"""Words about jobs and places that several screens and the end of the session share."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from litetui.jobs.job import Job, State
from litetui.tui.outline import Key
from litetui.tui.textutil import clean
from litetui.units import format_duration, format_size

if TYPE_CHECKING:
    from litetui.ops.restore import RestoreResult


def result_lines(job: Job) -> list[str]:
    """What a finished restore says: the file, its mode and owner, the check, the next steps."""
    if job.state is not State.DONE or job.kind != "restore":
        return []
    result: RestoreResult = job.result
    lines = [
        f"{result.output}: {format_size(result.database_size)}, mode {result.mode & 0o7777:o}, "
        f"owner {result.owner}, integrity check {result.integrity_check}",
        f"position {result.plan.position}",
    ]
    lines += [f"moved aside: {path}" for path in result.moved]
    lines += [f"next: {step}" for step in result.next_steps]
    return lines


def job_lines(jobs: Sequence[Job], stuck: Sequence[Job]) -> list[str]:
    """One line a job for the normal screen: how it ended, its output, its command."""
    lines = []
    for job in jobs:
        if job in stuck:
            words = f"left behind, no answer from {job.target}"
        else:
            words = f"{job.state.value} after {format_duration(job.duration_ns)}"
            if job.error is not None and job.state is State.FAILED:
                words += f": {job.error}"
        parts = [f"{job.kind} {words}"]
        if job.state is State.DONE and job.output:
            parts.append(job.output)
        if job.command:
            parts.append(f"$ {job.command}")
        lines.append(clean("  ".join(parts)))
    return lines


def command_for(path: str, key: Key) -> str:
    """The command line that shows what a line of the tree shows."""
    words = ["litetui"]
    place = clean(path)
    if key[0] == "index":
        words += ["frames", place, "--generation", str(key[1]), "--index", f"{int(key[2]):08x}"]
    elif key[0] in ("snapshot", "snapshots"):
        words += ["snapshots", place, "--generation", str(key[1])]
    elif len(key) > 1:
        words += ["wal", place, "--generation", str(key[1])]
    else:
        words += ["generations", place]
    return shlex.join(words)


def copied_text(text: str) -> str:
    return text if len(text) <= 120 else text[:119] + "…"
