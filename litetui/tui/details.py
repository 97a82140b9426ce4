"""What the right side says about a line of the tree: pure functions of the view, without textual.

Colour follows the evidence: names alone never make anything green.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litetui.errors import DamageError, LitetuiError
from litetui.jobs.job import Job
from litetui.tui import primary
from litetui.tui.cards import Card
from litetui.tui.model import GenerationView, ReplicaView
from litetui.tui.outline import Key, find_group, group_text
from litetui.tui.sources import (
    Clock,
    FindingSource,
    FrameSource,
    GenerationSource,
    SnapshotSource,
    Source,
    TransactionSource,
    WALSource,
)
from litetui.units import format_age, format_clock, format_duration, format_size

if TYPE_CHECKING:
    from litetui.ops.frames import FrameTable
    from litetui.tui.replication import ReplicateJob

Note = tuple[str, str]
STALE_NS = 600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab with its table; `source` None while it is being read."""

    id: str
    label: str
    source: Source | None
    status: str = ""


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything that the right side shows."""

    title: str
    subtitle: str
    cards: Sequence[Card]
    notes: Sequence[Note]
    tabs: Sequence[Tab]
    start_tab: str = ""


def headline(view: ReplicaView, now_ns: int, jobs: Sequence[Job] = ()) -> Note:
    """The answer of the first screen, with its evidence: text and status. Restores read bytes, so they are evidence."""
    newest = view.newest
    elsewhere = next((f for f in view.findings if f.code in ("ltx-beside", "unreadable")), None)
    if elsewhere is not None and elsewhere.severity == "error":
        ltx = elsewhere.code == "ltx-beside"
        return ("latest is in ltx/ (Litestream v0.5)" if ltx else "not known: a part cannot be read", "error")
    if newest is None:
        return ("no generations: nothing to restore", "error")
    if not newest.survey.restorable:
        return (f"latest does not restore: {_without_name(newest.survey.why_not, newest).split(': ')[0]}", "error")
    error = next((f for f in newest.survey.findings if f.severity == "error"), None)
    if error is not None:
        return (f"damaged: {_without_name(error.message, newest)}", "error")
    updated = newest.stats.updated_ns
    if updated is None:
        return ("no files", "error")
    if (met := _evidence(view, newest, now_ns, jobs)) is not None:
        return met
    until, age = format_clock(updated, now_ns, millis=False), format_age(updated, now_ns)
    return (f"names complete to {until} ({age}), content not checked", "")


def _evidence(view: ReplicaView, newest: GenerationView, now_ns: int, jobs: Sequence[Job]) -> Note | None:
    """What the last restore from the newest generation met."""
    for job in reversed(jobs):
        if job.kind != "restore" or job.target != view.path or job.ended_ns is None:
            continue
        age = format_age(job.ended_ns, now_ns)
        if isinstance(job.error, DamageError) and newest.name in (job.error.path or ""):
            where = "" if job.error.index is None else f" in {job.error.index:08x}"
            return (f"damaged{where}: a restore met it {age}", "error")
        plan = getattr(job.result, "plan", None)
        if plan is None or plan.generation != newest.name or job.result.integrity_check != "ok":
            continue
        until = format_clock(plan.until_ns, now_ns, millis=False)
        newer = int((newest.wals.mtime_ns > plan.until_ns).sum())
        rest = f"; {newer} WAL files newer" if newer else ""
        return (f"restored and checked to {until}, {age}{rest}", "success")
    return None


def _without_name(text: str, generation: GenerationView) -> str:
    return text.replace(f" of generation {generation.name}", "")


@dataclass(frozen=True, slots=True)
class Beside:
    """What else bears on it: the jobs of the session, and the replication that it runs."""

    jobs: Sequence[Job] = ()
    own: ReplicateJob | None = None


def detail(
    view: ReplicaView, key: Key, clock: Clock, frames: FrameTable | LitetuiError | None, beside: Beside
) -> Detail:
    """What to show for a line of the tree; `frames` is what a WAL holds, once it was read."""
    generation = view.generation(str(key[1])) if len(key) > 1 else None
    if generation is None:
        return _replica(view, clock, beside)
    shown: Detail | None = None
    if key[0] == "snapshot":
        shown = _snapshot(generation, int(key[2]), clock)
    elif key[0] == "index":
        shown = _index(generation, int(key[2]), clock, frames)
    else:
        return _generation(view, generation, key, clock, beside)
    return shown or _generation(view, generation, ("generation", generation.name), clock, beside)


def _replica(view: ReplicaView, clock: Clock, beside: Beside) -> Detail:
    now = clock()
    snapshots = sum(g.stats.snapshots for g in view.generations)
    wals = sum(g.stats.wal_files for g in view.generations)
    size = sum(g.stats.size for g in view.generations)
    updated = max((g.stats.updated_ns or 0 for g in view.generations), default=0)
    broken = [g for g in view.generations if not g.survey.restorable]
    cards = [
        Card("Generations", str(len(view.generations)), f"{len(broken)} without restore" if broken else "",
             "warning" if broken else ""),
        Card("Snapshots", str(snapshots)),
        Card("WAL files", str(wals)),
        Card("Stored", format_size(size)),
        Card("Newest file", format_clock(updated, now, millis=False) if updated else "none",
             format_age(updated, now) if updated else ""),
    ]  # fmt: skip
    notes = _live_notes(view, updated, now, beside)
    tabs = [
        _attention(view.findings),
        Tab("generations", f"Generations {len(view.generations)}", GenerationSource(view, clock)),
    ]
    if not view.findings:
        tabs.reverse()
    return Detail(view.name or view.path, view.layout, cards, notes, tabs)


def _live_notes(view: ReplicaView, updated: int, now: int, beside: Beside) -> list[Note]:
    """Is replication running, and behind? Without a database that cannot be said."""
    if view.primary is not None:
        return primary.notes(view.primary, beside.own, now)
    if not updated or now - updated <= STALE_NS:
        return []
    age = format_duration(now - updated)
    return [(f"Newest file {age} old: nothing was written, or replication stopped; o attaches the database.", "")]


def _attention(findings: Sequence[object]) -> Tab:
    from litetui.replica.types import Finding

    found = [finding for finding in findings if isinstance(finding, Finding)]
    severities = {finding.severity for finding in found}
    status = next((s for s in ("error", "warning") if s in severities), "")
    return Tab("attention", f"Attention {len(found)}" if found else "Attention", FindingSource(found), status)


def _generation(view: ReplicaView, generation: GenerationView, key: Key, clock: Clock, beside: Beside) -> Detail:
    now = clock()
    stats, columns = generation.stats, generation.indexes
    window = stats.times
    snapshot = generation.snapshots[-1] if generation.snapshots else None
    start, stop, subtitle = 0, len(columns), _standing(view, generation, now, beside)
    if key[0] in ("day", "hour", "range") and (group := find_group(generation, key)) is not None:
        start, stop = group.start, group.stop
        subtitle = f"{group_text(group, now)}: WAL {group.first:08x} to {group.last:08x}"
    cards = [
        Card("Window", format_duration(window.end_ns - window.start_ns) if window else "none",
             f"from {format_clock(window.start_ns, now, millis=False)}" if window else ""),
        Card("Newest file", format_clock(window.end_ns, now, millis=False) if window else "none",
             format_age(window.end_ns, now) if window else ""),
        Card("Snapshots", str(stats.snapshots),
             f"newest {format_age(snapshot.created_ns, now)}" if snapshot else "none to restore from",
             "" if snapshot else "error"),
        Card("WAL", f"{len(columns)} indexes", f"{stats.wal_files} files"),
        Card("Stored", format_size(stats.size)),
    ]  # fmt: skip
    wals = _wal_source(generation, start, stop, clock)
    tabs = [
        Tab("snapshots", f"Snapshots {len(generation.snapshots)}",
            SnapshotSource(generation.snapshots, clock)),
        Tab("wal", f"WAL files {len(wals)}", wals),
        _attention(generation.survey.findings),
    ]  # fmt: skip
    notes = _live_notes(view, generation.stats.updated_ns or 0, now, beside) if generation.newest else []
    if not columns.in_order:
        notes.append(("File times do not rise with the indexes: was this replica copied without its times? "
                      "Times are no safe restore target here.", "warning"))  # fmt: skip
    begin = {"snapshots": "snapshots", "generation": "attention" if generation.worst == "error" else "wal"}
    return Detail(generation.name, subtitle, cards, notes, tabs, begin.get(str(key[0]), "wal"))


def _standing(view: ReplicaView, generation: GenerationView, now: int, beside: Beside) -> str:
    """Newest or ended, why it began where that is known, and what can be said of it on what evidence."""
    updated, created = generation.stats.updated_ns, generation.stats.created_ns
    age = "" if updated is None else " " + format_age(updated, now)
    words = "newest" if generation.newest else f"ended{age}"
    reason = view.primary.reason(generation.name) if view.primary is not None else ""
    if reason and created is not None:
        words += f", began {format_clock(created, now, millis=False)}: {reason}"
    if not generation.survey.restorable:
        return f"{words}; does not restore: {generation.survey.why_not}"
    if (met := _evidence(view, generation, now, beside.jobs)) is not None:
        return f"{words}; {met[0]}"
    return f"{words}; {'' if reason else 'complete by its names, '}content not checked"


def _wal_source(generation: GenerationView, start: int, stop: int, clock: Clock) -> WALSource:
    columns = generation.indexes
    if start >= stop:
        return WALSource(generation.wals, clock, 0, 0)
    last = stop - 1
    return WALSource(
        generation.wals,
        clock,
        int(columns.first_row[start]),
        int(columns.first_row[last]) + int(columns.files[last]),
    )


def _snapshot(generation: GenerationView, index: int, clock: Clock) -> Detail | None:
    now = clock()
    one = next((s for s in generation.snapshots if s.index == index), None)
    if one is None:
        return None
    columns = generation.indexes
    after = int((columns.index >= index).sum())
    updated = generation.stats.updated_ns
    cards = [
        Card("Index", f"{index:08x}"),
        Card("Stored", format_size(one.size), "LZ4" if one.compressed else "not compressed"),
        Card("Created", format_clock(one.created_ns, now, millis=False), format_age(one.created_ns, now)),
        Card("WAL from here", f"{after} indexes",
             "" if updated is None else f"to {format_clock(updated, now, millis=False)}"),
    ]  # fmt: skip
    start = 0 if not after else len(columns) - after
    wals = _wal_source(generation, start, len(columns), clock)
    return Detail(
        f"Snapshot {index:08x}",
        f"of {generation.name}: {one.name}",
        cards,
        [],
        [Tab("wal", f"WAL files from here {len(wals)}", wals)],
    )


def _index(
    generation: GenerationView, index: int, clock: Clock, frames: FrameTable | LitetuiError | None
) -> Detail | None:
    now = clock()
    columns = generation.indexes
    at = columns.row_of(index)
    if at is None:
        return None
    last_ns = int(columns.last_ns[at])
    files = _wal_source(generation, at, at + 1, clock)
    stored = int(generation.wals.size[files.start : files.stop].sum())
    cards = [
        Card("Stored", format_size(stored), "1 file" if len(files) == 1 else f"{len(files)} segments"),
        Card("Last file", format_clock(last_ns, now, millis=False), format_age(last_ns, now)),
    ]
    notes: list[Note] = []
    transactions: Tab = Tab("transactions", "Transactions", None)
    pages: Tab = Tab("frames", "Frames", None)
    if isinstance(frames, LitetuiError):
        notes.append((str(frames), "error"))
        if frames.hint:
            notes.append((f"Try: {frames.hint}", ""))
    elif frames is not None:
        cards += _frame_cards(frames)
        transactions = Tab("transactions", f"Transactions {len(frames.transactions)}",
                           TransactionSource(frames))  # fmt: skip
        bad = len(frames) - frames.valid_frames
        pages = Tab("frames", f"Frames {len(frames)}", FrameSource(frames), "error" if bad else "")
        if frames.problem is not None:
            notes.append((str(frames.problem), "error"))
            if frames.problem.hint:
                notes.append((f"Try: {frames.problem.hint}", ""))
    tabs = [transactions, pages, Tab("wal", f"Files {len(files)}", files)]
    active = generation.newest and at == len(columns) - 1
    return Detail(
        f"WAL {index:08x}",
        f"of {generation.name}{', active: more may be written' if active else ''}",
        cards,
        notes,
        tabs,
    )


def _frame_cards(frames: FrameTable) -> list[Card]:
    bad = len(frames) - frames.valid_frames
    read = "checksums right" if not bad and frames.problem is None else ""
    return [
        Card("Transactions", str(len(frames.transactions)), "committed"),
        Card("Frames", str(len(frames)), f"{bad} invalid" if bad else read, "error" if bad else ""),
        Card("Page size", str(frames.page_size), f"{frames.checksum_order} endian"),
        Card("Salts", f"{frames.salt1:08x} {frames.salt2:08x}"),
    ]
