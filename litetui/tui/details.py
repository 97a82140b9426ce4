"""What the right side says about a line of the tree: pure functions of the view, without textual.

Colour follows the evidence: names alone never make anything green.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from litetui.errors import LitetuiError
from litetui.jobs.job import Job
from litetui.replica.types import Finding
from litetui.tui import primary
from litetui.tui.cards import Card
from litetui.tui.evidence import Check, Checks, checked_card, checked_of, evidence
from litetui.tui.ltx_model import which
from litetui.tui.ltx_sources import LevelSource
from litetui.tui.model import GenerationView, ReplicaView
from litetui.tui.outline import Key, find_group, generation_of, group_text
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


@dataclass(frozen=True, slots=True)
class Beside:
    """What else bears on it: the jobs of the session, what it checked, and the replication that it runs."""

    jobs: Sequence[Job] = ()
    own: ReplicateJob | None = None
    checks: Checks = field(default_factory=dict)


def detail(
    view: ReplicaView, key: Key, clock: Clock, frames: FrameTable | LitetuiError | None, beside: Beside
) -> Detail:
    """What to show for a line of the tree; `frames` is what a WAL holds, once it was read."""
    generation = view.generation(generation_of(key))
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
        Card("Stored", format_size(size), drop=2),
        Card("Newest file", format_clock(updated, now, millis=False) if updated else "none",
             format_age(updated, now) if updated else ""),
        checked_of(view, beside.checks, now),
    ]  # fmt: skip
    notes = _live_notes(view, updated, now, beside)
    found = with_checked(view.findings, beside.checks.values())
    tabs = [
        attention(found),
        Tab("generations", f"Generations {len(view.generations)}", GenerationSource(view, clock, beside.checks)),
    ]
    if not found:
        tabs.reverse()
    if view.ltx is not None:
        notes.insert(0, (which(view), ""))
        tabs.append(Tab("levels", f"Levels {len(view.ltx.levels)}", LevelSource(view.ltx.levels, clock)))
    layout = view.layout + (f", and {view.ltx.layout}" if view.ltx is not None else "")
    start = "levels" if view.ltx is not None and not view.generations else ""
    return Detail(view.name or view.path, layout, cards, notes, tabs, start)


def _live_notes(view: ReplicaView, updated: int, now: int, beside: Beside) -> list[Note]:
    """Is replication running, and behind? Without a database that cannot be said."""
    if view.primary is not None:
        return primary.notes(view.primary, beside.own, now)
    if not updated or now - updated <= STALE_NS:
        return []
    age = format_duration(now - updated)
    return [(f"Newest file {age} old: nothing was written, or replication stopped; o attaches the database.", "")]


def with_checked(findings: Iterable[Finding], checks: Iterable[Check]) -> list[Finding]:
    """What validations found, and what the names show beside that; errors first."""
    known = [finding for check in checks for finding in check.report.findings]
    seen = {(f.code, f.generation, f.index, f.offset) for f in known}
    known += [f for f in findings if (f.code, f.generation, f.index, f.offset) not in seen]
    return sorted(known, key=lambda f: ("error", "warning", "info").index(f.severity))


def attention(found: Sequence[Finding], check: Check | None = None) -> Tab:
    """The tab of findings, red or yellow as the worst of them."""
    severities = {finding.severity for finding in found}
    status = next((s for s in ("error", "warning") if s in severities), "")
    read = check is not None and check.read_bytes
    source = FindingSource(found, "the check found nothing" if read else FindingSource.empty)
    return Tab("attention", f"Attention {len(found)}" if found else "Attention", source, status)


def _generation(view: ReplicaView, generation: GenerationView, key: Key, clock: Clock, beside: Beside) -> Detail:
    now = clock()
    stats, columns = generation.stats, generation.indexes
    window, check = stats.times, beside.checks.get(generation.name)
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
        Card("WAL", f"{len(columns)} indexes", f"{stats.wal_files} files", drop=1),
        Card("Stored", format_size(stats.size), drop=2),
        checked_card(generation, check, now),
    ]  # fmt: skip
    found = with_checked(generation.survey.findings, [check] if check is not None else [])
    wals = _wal_source(generation, start, stop, clock)
    tabs = [
        Tab("snapshots", f"Snapshots {len(generation.snapshots)}",
            SnapshotSource(generation.snapshots, clock)),
        Tab("wal", f"WAL files {len(wals)}", wals),
        attention(found, check),
    ]  # fmt: skip
    notes = _live_notes(view, generation.stats.updated_ns or 0, now, beside) if generation.newest else []
    if not columns.in_order:
        notes.append(("File times do not rise with the indexes: was this replica copied without its times? "
                      "Times are no safe restore target here.", "warning"))  # fmt: skip
    begin = {
        "snapshots": "snapshots",
        "generation": "attention" if any(f.severity == "error" for f in found) else "wal",
    }
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
    if (met := evidence(view, generation, now, beside.jobs, beside.checks)) is not None:
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
