"""Jobs and log lines as rows of tables."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence

from litetui.jobs.job import Job, LogLine, State
from litetui.tui.glyphs import Glyphs
from litetui.tui.replication import ReplicateJob
from litetui.tui.report import alarm_of, outcome, verdict_of
from litetui.tui.sources import Cell, Clock, Column, Source
from litetui.units import format_clock, format_duration, format_size

BAR = 16
STATUS = {State.FAILED: "error", State.CANCELLED: "warning", State.CANCELLING: "warning"}
NS = 1_000_000_000


def state_glyph(job: Job, glyphs: Glyphs) -> str:
    """The glyph of a job's state; one that is done and has found damage has that one's."""
    glyph: str = getattr(glyphs, job.state.value)
    return glyphs.damaged if alarm_of(job) else glyph


def progress_text(job: Job, glyphs: Glyphs, now_ns: int) -> str:
    """How far a job is, in words: phase, bar, percent, rate, time left; or how it ended."""
    if job.state is State.QUEUED:
        waits = job.waits_for
        return "waits" if waits is None else f"waits for {waits.kind} {waits.id}, which holds this replica"
    if job.state.ended:
        took = f"{job.state.value} after {format_duration(job.duration_ns)}"
        if job.state is State.DONE:
            words = outcome(job)
            return f"done in {format_duration(job.duration_ns)}" + (f": {words}" if words else "")
        return f"{took}: {job.error}" if job.error is not None else took
    if isinstance(job, ReplicateJob):
        return job.words(now_ns)[0]
    progress = job.progress
    parts = [progress.phase or "begins"]
    if progress.fraction is not None:
        full = round(progress.fraction * BAR)
        parts.append(glyphs.bar_done * full + glyphs.bar_left * (BAR - full))
        parts.append(f"{progress.fraction * 100:3.0f} %")
    elif progress.done:
        parts.append(_amount(progress.done, progress.unit))
    if progress.rate > 0 and progress.unit == "bytes":
        parts.append(f"{format_size(int(progress.rate))}/s")
    if progress.seconds_left is not None:
        parts.append(f"{format_duration(int(progress.seconds_left * NS))} left")
    if job.state is State.CANCELLING:
        parts.insert(0, "cancelling,")
    return "  ".join(parts)


def _amount(done: int, unit: str) -> str:
    return format_size(done) if unit == "bytes" else f"{done} {unit}".strip()


def job_status(job: Job) -> str:
    """The status of a job's row, "" where there is nothing to say."""
    if isinstance(job, ReplicateJob) and not job.state.ended:
        return job.words(0)[1]
    if alarm := alarm_of(job):
        return alarm
    return STATUS.get(job.state, "success" if job.state is State.DONE else "")


def summary(jobs: Sequence[Job], glyphs: Glyphs, now_ns: int) -> list[tuple[str, str]]:
    """All jobs in one line: text and style pairs, the unfinished first."""
    if not jobs:
        return [("none yet: r restores, v validates", "$foreground-muted")]
    order = sorted(jobs, key=lambda job: (job.state.ended, -job.id))[:4]
    parts: list[tuple[str, str]] = []
    for job in order:
        status = job_status(job)
        parts.append((f"{state_glyph(job, glyphs)} ", f"$text-{status}" if status else ""))
        text = f"{job.kind} {job.state.value}"
        if job.state is State.RUNNING and job.progress.fraction is not None:
            text = f"{job.kind} {job.progress.fraction * 100:.0f} %"
        elif isinstance(job, ReplicateJob) and not job.state.ended:
            text = f"{job.kind} {job.short(now_ns)}"
        elif job.state is State.DONE:
            text = f"{job.kind} {verdict_of(job) or format_duration(job.duration_ns)}"
        parts.append((text + "   ", ""))
    return parts


class JobSource(Source):
    """The jobs of the session: those that are unfinished first, then the newest."""

    empty = "no job has run yet: r restores, v validates, s syncs"
    columns = (
        Column("", 2),
        Column("Job", 11),
        Column("What", 36, drop=1),
        Column("Progress", 30, grow=True),
    )

    def __init__(self, jobs: Sequence[Job], glyphs: Glyphs, now_ns: Clock) -> None:
        self.jobs = sorted(jobs, key=lambda job: (job.state.ended, -job.id))
        self.glyphs = glyphs
        self.now_ns = now_ns

    def __len__(self) -> int:
        return len(self.jobs)

    def cells(self, row: int) -> Sequence[Cell]:
        job = self.jobs[row]
        status = job_status(job)
        return (
            (state_glyph(job, self.glyphs), status or "accent"),
            job.kind,
            job.title,
            (progress_text(job, self.glyphs, self.now_ns()), "error" if status == "error" else ""),
        )

    def key(self, row: int) -> Hashable:
        return self.jobs[row].id


class LogSource(Source):
    """Lines of all logs, the newest last; as many as `lines` keeps."""

    empty = "no log lines yet: jobs write them"
    columns = (
        Column("Time (UTC)", 14),
        Column("Job", 12, drop=1),
        Column("Level", 7),
        Column("Message", 30, grow=True),
    )

    def __init__(self, lines: deque[LogLine], now_ns: Clock) -> None:
        self.lines = list(lines)
        self.now_ns = now_ns

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, row: int) -> Sequence[Cell]:
        one = self.lines[row]
        style = {"error": "error", "warning": "warning", "debug": "muted"}.get(one.level, "")
        return (
            (format_clock(one.at_ns, self.now_ns()), "muted"),
            f"{one.kind} {one.job_id}" if one.job_id else "",
            (one.level, style),
            (one.text, style if one.level != "info" else ""),
        )

    def key(self, row: int) -> Hashable:
        return (self.lines[row].job_id, self.lines[row].number)
