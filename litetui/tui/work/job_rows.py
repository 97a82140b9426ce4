"""Jobs as rows of a table, and all of them in a line."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from litetui.jobs.job import Job, State
from litetui.tui.glyphs import Glyphs
from litetui.tui.tables.sources import Cell, Clock, Column, Source
from litetui.tui.textutil import cut_end, short_times
from litetui.tui.work.replication import ReplicateJob
from litetui.units import counted, format_age, format_duration, format_size

BAR = 8
BRIEFLY = 4
STATUS = {State.FAILED: "error", State.CANCELLED: "warning", State.CANCELLING: "warning"}
NS = 1_000_000_000


def state_glyph(job: Job, glyphs: Glyphs) -> str:
    """The glyph of a job's state; one that is done and has found damage has that one's."""
    from litetui.tui.work.report import alarm_of, by_names

    glyph: str = getattr(glyphs, job.state.value)
    return glyphs.damaged if alarm_of(job) else glyphs.unchecked if by_names(job) else glyph


def progress_text(job: Job, glyphs: Glyphs, now_ns: int) -> str:
    """How far a job is, in words: bar, percent, time left, rate, phase, so that what is cut off at the end is what
    matters least; or how it ended."""
    from litetui.tui.work.report import end_words, outcome

    if job.state is State.QUEUED:
        waits = job.waits_for
        return "waits" if waits is None else f"waits for {waits.kind} {waits.id}, which holds this replica"
    if job.state.ended:
        if job.state is not State.DONE:
            return end_words(job)
        words = outcome(job)
        return f"done in {format_duration(job.duration_ns)}" + (f": {short_times(words, now_ns)}" if words else "")
    if isinstance(job, ReplicateJob):
        return job.words(now_ns)[0]
    progress = job.progress
    parts = ["cancelling"] if job.state is State.CANCELLING else []
    if progress.fraction is not None:
        full = round(progress.fraction * BAR)
        bar = glyphs.bar_done * full + glyphs.bar_left * (BAR - full)
        parts.append(f"{bar} {progress.fraction * 100:3.0f} %")
    elif progress.done:
        done, unit = progress.done, progress.unit
        parts.append(
            format_size(done) if unit == "bytes" else counted(done, unit.removesuffix("s")) if unit else str(done)
        )
    if progress.seconds_left is not None:
        parts.append(f"{format_duration(int(progress.seconds_left * NS))} left")
    if progress.rate > 0 and progress.unit == "bytes":
        parts.append(f"{format_size(int(progress.rate))}/s")
    elif progress.rate >= 1 and progress.unit:
        parts.append(f"{progress.rate:.0f} {progress.unit}/s")
    return "  ".join([*parts, progress.phase or "begins"])


def job_status(job: Job) -> str:
    """The status of a job's row, "" where there is nothing to say."""
    from litetui.tui.work.report import alarm_of, by_names

    if isinstance(job, ReplicateJob) and not job.state.ended:
        return job.words(0)[1]
    if (alarm := alarm_of(job)) or by_names(job):
        return alarm
    return STATUS.get(job.state, "success" if job.state is State.DONE else "")


def summary(jobs: Sequence[Job], glyphs: Glyphs, now_ns: int) -> list[tuple[str, str]]:
    """All jobs in one line: text and style pairs, the unfinished first."""
    if not jobs:
        return [("none yet: r restores, v validates", "$foreground-muted")]
    from litetui.tui.work.report import verdict_of

    order = sorted(jobs, key=lambda job: (job.state.ended, -job.id))[:BRIEFLY]
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
        elif job.state is State.FAILED and job.error is not None:
            text = f"{job.kind} failed: {cut_end(job.error.cause, 60, glyphs.cut)}"
        parts.append((text + "   ", ""))
    if (more := len(jobs) - len(order)) > 0:
        parts.append((f"{more} more", "$foreground-muted"))
    return parts


class JobSource(Source):
    """The jobs of the session: those that are unfinished first, then the newest."""

    empty = "no job has run yet: r restores, v validates, s syncs"
    columns = (
        Column("", 2),
        Column("Job", 14),
        Column("What", 36, drop=1),
        Column("Progress", 30, grow=True),
        Column("Age", 10, right=True, drop=2),
    )

    def __init__(self, jobs: Sequence[Job], glyphs: Glyphs, now_ns: Clock) -> None:
        self.jobs = sorted(jobs, key=lambda job: (job.state.ended, -job.id))
        self.glyphs = glyphs
        self.now_ns = now_ns

    def __len__(self) -> int:
        return len(self.jobs)

    @property
    def last(self) -> Hashable:
        """The key of the job that came last."""
        return max((job.id for job in self.jobs), default=0)

    def cells(self, row: int) -> Sequence[Cell]:
        job, now = self.jobs[row], self.now_ns()
        status, at = job_status(job), job.ended_ns or job.started_ns
        return (
            (state_glyph(job, self.glyphs), status or "accent"),
            f"{job.kind} {job.id}",
            job.title,
            (progress_text(job, self.glyphs, now), "error" if status == "error" else ""),
            ("" if at is None else format_age(at, now), "muted"),
        )

    def key(self, row: int) -> Hashable:
        return self.jobs[row].id
