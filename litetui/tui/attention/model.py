"""What needs attention, the worst first: each with what it means, since when, and the key that helps. Pure.

Put together from the names of the files, from what validations and restores of the session met, from the attached
database and its replicators, from the jobs that write, and from the room that is left on the disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from litetui.errors import DamageError, LitetuiError
from litetui.jobs.job import Job, State
from litetui.replica.types import Finding
from litetui.tui import primary
from litetui.tui.attention.entries import ORDER, Entry
from litetui.tui.attention.helping import anew, began, helps
from litetui.tui.attention.room import Room
from litetui.tui.checks import Check, Checks, since, since_ltx
from litetui.tui.evidence import restore_damage
from litetui.tui.ltx.evidence import met
from litetui.tui.ltx.model import LTXView
from litetui.tui.model import GenerationView, ReplicaView
from litetui.tui.tree_line import LTX
from litetui.units import NS, format_age, format_duration, format_size

if TYPE_CHECKING:
    from litetui.tui.work.replication import ReplicateJob

STALE_NS = 600 * NS  # a replica that stands still for so long
SKEW_NS = 5 * NS
OLD_CHECK_NS = 24 * 3600 * NS
MANY_FILES = 100
WRITERS = ("sync", "snapshot", "replicate", "retention")


@dataclass(frozen=True, slots=True)
class Beside:
    """What else bears on a replica.

    jobs      of the session; `own` the replication that it runs, `checks` what it has validated
    trouble   why the replica could not be read again
    room      on the disk that it lies on
    replaced  the file of the attached database is another one than when it was attached
    """

    jobs: Sequence[Job] = ()
    own: ReplicateJob | None = None
    checks: Checks = field(default_factory=dict)
    trouble: LitetuiError | None = None
    room: Room | None = None
    replaced: bool = False


def of_replica(view: ReplicaView, now_ns: int, beside: Beside) -> list[Entry]:
    """Everything that bears on a replica."""
    entries = list(_trouble(view, beside))
    for generation in view.generations:
        entries += _found(generation, view, beside)
    if view.ltx is not None:
        entries += _found_in_ltx(view.ltx, view, beside)
    known = {_mark(entry.finding) for entry in entries if entry.finding is not None}
    entries += [_of_finding(f, view, None) for f in view.findings if _mark(f) not in known]
    return _sorted([*entries, *_live(view, now_ns, beside)])


def of_generation(view: ReplicaView, generation: GenerationView, now_ns: int, beside: Beside) -> list[Entry]:
    """What bears on one generation; on the newest one also what bears on the replication."""
    entries = list(_found(generation, view, beside))
    if generation.newest and not view.from_ltx:
        entries = [*_trouble(view, beside), *entries, *_live(view, now_ns, beside)]
    return _sorted(entries)


def of_ltx(view: ReplicaView, ltx: LTXView, now_ns: int, beside: Beside) -> list[Entry]:
    """What bears on the LTX files, and on what writes them."""
    entries = [*_trouble(view, beside), *_found_in_ltx(ltx, view, beside)]
    if view.from_ltx:
        entries += _live(view, now_ns, beside)
    return _sorted(entries)


def calm(checks: Iterable[Check]) -> str:
    """The sentence that stands where nothing needs attention."""
    read = any(check.read_bytes for check in checks)
    return "Nothing needs attention." if read else "By the names of the files nothing needs attention."


def _sorted(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: ORDER.index(entry.severity))


# what lies there


def _trouble(view: ReplicaView, beside: Beside) -> Iterator[Entry]:
    if beside.trouble is not None:
        words = f"the replica cannot be read: {beside.trouble.cause}; what is shown is older"
        yield Entry("error", "unreadable", words, view.taken_ns, beside.trouble.hint or "", "refresh", "reads again")


def _found(generation: GenerationView, view: ReplicaView, beside: Beside) -> Iterator[Entry]:
    """Of a generation: damage that was met, then what the names tell beside it."""
    check = beside.checks.get(generation.name)
    if check is not None and check.differs:
        words = "a restore of it is not what the database holds, as its validation found"
        key = anew(generation, view) if view.primary is not None else ("", "")
        advice = "copy the replica before anything else, then write a new snapshot, or begin a new generation"
        yield Entry("error", "live-mismatch", words, None, advice, *key, found_ns=check.at_ns)
    found = with_checked(generation.survey.findings, [check] if check is not None else [])
    seen = [s for s in (*generation.seen, *generation.unread)
            if all(f.index != s.finding.index for f in _errors(found))]  # fmt: skip
    job = restore_damage(view, generation, beside.jobs)
    if job is not None and isinstance(job.error, DamageError):
        error = job.error
        if all(f.index != error.index for f in _errors(found)):
            yield _of_restore(job, error, generation, view)
    if not generation.indexes.in_order and all(f.code != "time-order" for f in found):
        words = "file times do not rise with the indexes: was this replica copied without its times?"
        hint = "restore by index or position rather than by time; copy replicas with cp -a or rsync -t"
        found.append(Finding("warning", "time-order", words, hint, generation=generation.name))
    for finding in found:
        yield _of_finding(finding, view, check)
    for one in seen:
        yield _of_finding(one.finding, view, None, one.at_ns)


def _of_restore(job: Job, error: DamageError, generation: GenerationView, view: ReplicaView) -> Entry:
    where = "" if error.index is None else f" in {error.index:08x}"
    finding = Finding("error", error.code, "", "", error.path, generation.name, error.index, error.offset)
    return Entry("error", error.code, f"{job.kind} {job.id} met damage{where}: {error.cause}", began(finding, view),
                 error.hint or "", "restore", "to last-good", finding, found_ns=job.ended_ns)  # fmt: skip


def _found_in_ltx(ltx: LTXView, view: ReplicaView, beside: Beside) -> Iterator[Entry]:
    check = beside.checks.get(LTX)
    named = (*met(view.path, ltx, beside.jobs), *ltx.findings)
    found = with_checked(named, [check] if check is not None else [])
    seen = [s for s in (*ltx.seen, *ltx.unread) if all(f.path != s.finding.path for f in _errors(found))]
    for finding in found:
        yield _of_finding(finding, view, check)
    for one in seen:
        yield _of_finding(one.finding, view, None, one.at_ns)


def _of_finding(finding: Finding, view: ReplicaView, check: Check | None, found_ns: int | None = None) -> Entry:
    """`found_ns`: when it was met, where that was not by a check."""
    read = check is not None and check.read_bytes and finding in check.report.findings
    action, does = helps(finding, view, check if read else None)
    since_ns = began(finding, view)
    newest = view.newest is not None and finding.generation == view.newest.name
    words = finding.message.replace(f" of generation {finding.generation}", "") if newest else finding.message
    if finding.path and finding.code == "unreadable":  # why is more than where
        words = words.replace(finding.path, os.path.basename(finding.path))
    met_ns = check.at_ns if check is not None and read else found_ns
    return Entry(finding.severity, finding.code, words, since_ns, finding.hint, action, does, finding, found_ns=met_ns)


def _errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


def with_checked(findings: Iterable[Finding], checks: Iterable[Check]) -> list[Finding]:
    """What validations found, and what the names show beside that, of other files; errors first."""
    known = [finding for check in checks for finding in check.report.findings]
    marks, paths = {_mark(f) for f in known}, {f.path for f in _errors(known) if f.path}
    known += [f for f in findings if _mark(f) not in marks and f.path not in paths]
    return sorted(known, key=lambda f: ORDER.index(f.severity))


def _mark(finding: Finding) -> tuple[object, ...]:
    """What makes two findings the same one; of LTX files it is the words, as they have no index."""
    place = (finding.generation, finding.index, finding.offset)
    return (finding.code, *place, "" if finding.generation else finding.message)


# what goes on


def _live(view: ReplicaView, now_ns: int, beside: Beside) -> Iterator[Entry]:
    """Of the database, its replicators, the jobs that write, the clock, the disk, the last check."""
    newest_ns, known = newest_file_ns(view), view.primary
    wrong: list[Entry] = []
    if known is not None:
        wrong += primary.entries(known, beside.own, now_ns, replaced=beside.replaced, ltx=view.from_ltx)
        yield from wrong
    in_step = known is not None and known.lag is not None and known.lag.bytes is not None
    if newest_ns and now_ns - newest_ns > STALE_NS and not (in_step or wrong or beside.trouble):
        age = format_duration(now_ns - newest_ns)
        words = f"no file for {age}: idle, or replication stopped"
        helps = ("attach", "attaches the database") if known is None else ("", "")
        yield Entry("info", "stale", words, None, "", *helps)  # the words tell the age
    yield from _writers(view, beside.jobs)
    if newest_ns - now_ns > SKEW_NS:
        ahead = format_duration(newest_ns - now_ns)
        words = f"the newest file is of {ahead} ahead of this clock: clocks differ, and every age is wrong by that much"
        yield Entry("warning", "clock-skew", words, newest_ns, "set the clocks by NTP; restore by position meanwhile")
    if beside.room is not None:
        yield from _disk(view, beside.room)
    yield from _old_check(view, now_ns, beside.checks)


def newest_file_ns(view: ReplicaView) -> int:
    """The time of the newest file, 0 where there is none."""
    times = [g.stats.updated_ns or 0 for g in view.generations]
    return max([*times, (view.ltx.last_ns or 0) if view.ltx is not None else 0])


def _writers(view: ReplicaView, jobs: Sequence[Job]) -> Iterator[Entry]:
    """Jobs that failed to write here, unless one of their kind did since."""
    last: dict[str, Job] = {}
    for job in jobs:
        if job.kind in WRITERS and job.target.removesuffix("#live") == view.path and job.state.ended:
            last["sync" if job.kind == "replicate" else job.kind] = job
    for job in last.values():
        if job.state is State.FAILED and job.error is not None:
            words = f"{job.kind} {job.id} failed: {job.error.cause}"
            yield Entry("error", "job-failed", words, job.ended_ns, job.error.hint or "", "pane_3", "shows its log",
                        job=job.id)  # fmt: skip


def _disk(view: ReplicaView, room: Room) -> Iterator[Entry]:
    """Nearly full: the next snapshot may not fit, or little is left of a disk."""
    sizes = [g.snapshots[-1].size for g in view.generations[:1] if g.snapshots]
    snapshot = sizes[0] if sizes else 0
    full = "disk nearly full" if room.free else "disk full"
    left = f"{full}: {format_size(room.free)} of {format_size(room.total)} free"
    if room.free < snapshot or not room.free:
        words = f"{left}; the next snapshot, about {format_size(snapshot)}, does not fit"
        yield Entry("error", "disk-full", words, None, "make room on that disk", "retention", "deletes what is old")
    elif room.nearly_full:
        words = f"{left}; replication stops when it is full"
        yield Entry("warning", "disk-full", words, None, "make room on that disk", "retention", "deletes what is old")


def _old_check(view: ReplicaView, now_ns: int, checks: Checks) -> Iterator[Entry]:
    """The check of what a restore takes, where it was long ago or much came since."""
    newest = view.newest
    check = checks.get(LTX) if view.from_ltx else checks.get(newest.name) if newest is not None else None
    if check is None or not check.read_bytes:
        return
    if view.from_ltx and view.ltx is not None:
        newer = since_ltx(check, view.ltx)
    elif newest is not None:
        newer = since(check, newest)
    if now_ns - check.at_ns > OLD_CHECK_NS or newer.wals + newer.snapshots >= MANY_FILES:
        words = f"checked {format_age(check.at_ns, now_ns)}" + (f", {newer.words} came since" if newer else "")
        yield Entry("info", "old-check", words, None, "", "validate", "checks again")  # the words tell the age
