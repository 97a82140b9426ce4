"""What the right side says about a line of the tree: pure functions of the view, without textual.

Colour follows the evidence: names alone never make anything green.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from litetui.tui import primary
from litetui.tui.attention.entries import Entry, worst
from litetui.tui.attention.model import Beside, calm, newest_file_ns, of_generation, of_replica
from litetui.tui.attention.rows import AttentionSource, lines
from litetui.tui.cards import Brief, Card, Note
from litetui.tui.checks import Check, Checks, until_of, window_of
from litetui.tui.evidence import badge, checked_of, evidence, generation_card, incomplete
from litetui.tui.ltx.model import SNAPSHOTS, which
from litetui.tui.ltx.sources import LevelSource
from litetui.tui.model import GenerationView, ReplicaView
from litetui.tui.outline import find_group, group_text
from litetui.tui.tables.file_sources import GenerationSource, SnapshotSource, WALSource
from litetui.tui.tables.sources import Clock, Source
from litetui.tui.tree_line import GROUPS, Key, generation_of
from litetui.units import counted, format_age, format_clock, format_duration, format_size


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
    attention: Sequence[Brief] = ()


def detail(view: ReplicaView, key: Key, clock: Clock, beside: Beside) -> Detail:
    """What to show for a line of the tree; a WAL's is made by wal_view.py."""
    generation = view.generation(generation_of(key))
    if generation is None:
        return _replica(view, clock, beside)
    shown: Detail | None = None
    if key[0] == "snapshot":
        shown = _snapshot(generation, int(key[2]), clock)
    elif key[0] != "index":
        return _generation(view, generation, key, clock, beside)
    return shown or _generation(view, generation, ("generation", generation.name), clock, beside)


def _replica(view: ReplicaView, clock: Clock, beside: Beside) -> Detail:
    now = clock()
    snapshots = sum(g.stats.snapshots for g in view.generations)
    wals = sum(g.stats.wal_files for g in view.generations)
    size = sum(g.stats.size for g in view.generations)
    updated = newest_file_ns(view)
    of_ltx, others = 0, list[Card]()
    ltx = view.ltx
    if ltx is not None:
        of_ltx = int((ltx.table.level == SNAPSHOTS).sum())
        others = [Card("LTX files", f"{len(ltx.table) - of_ltx:,}", counted(len(ltx.levels), "level"))]
    cards = [
        _generations(view, beside.checks, now),
        Card("Snapshots", f"{snapshots + of_ltx:,}", f"{of_ltx:,} of v0.5" if of_ltx else ""),
        Card("WAL files", f"{wals:,}"),
        *others,
        Card("Stored", format_size(size + (ltx.size if ltx is not None else 0)),
             f"{format_size(ltx.size)} of v0.5" if ltx is not None else "", drop=2),
        Card("Newest file", format_clock(updated, now, millis=False) if updated else "none",
             format_age(updated, now) if updated else ""),
        generation_card(view, view.newest, beside.jobs, None, now) if view.newest is not None and not beside.checks
        else checked_of(view, beside.checks, now),
    ]  # fmt: skip
    notes, found = live_notes(view, now, beside), of_replica(view, now, beside)
    tabs = [
        Tab("generations", f"Generations {len(view.generations):,}", GenerationSource(view, clock, beside.checks)),
        attention_tab(found, clock, beside.checks.values()),
    ]
    if view.ltx is not None:
        notes.insert(0, (which(view), ""))
        tabs.append(Tab("levels", f"Levels {len(view.ltx.levels)}", LevelSource(view.ltx.levels, clock)))
    if not found:
        notes.append((calm(beside.checks.values()), ""))
    layout = view.layout + (f", and {view.ltx.layout}" if view.ltx is not None else "")
    start = "levels" if view.ltx is not None and not view.generations else ""
    return Detail(view.name or view.path, layout, cards, notes, tabs, start, lines(found, now))


def _generations(view: ReplicaView, checks: Checks, now: int) -> Card:
    """How many there are, of how many nothing restores, and how many others are damaged."""
    lost = [g for g in view.generations if until_of(g, checks.get(g.name))[0] is None]
    damaged = [g for g in view.generations if g not in lost and badge(g, checks.get(g.name), now).status == "error"]
    words = [f"{len(lost):,} without restore"] if lost else []
    words += [f"{len(damaged):,} damaged"] if damaged else []
    return Card("Generations", f"{len(view.generations):,}", ", ".join(words), "warning" if words else "")


def _indexes(count: int) -> str:
    return f"{count:,} {'index' if count == 1 else 'indexes'}"


def live_notes(view: ReplicaView, now: int, beside: Beside) -> list[Note]:
    """Who replicates, and what is not in the replica; without a database that cannot be said. Where the replica cannot
    be read, it is of the last time that it could."""
    found = [] if view.primary is None else primary.notes(view.primary, beside.own, now)
    if beside.trouble is None:
        return found
    seen = f"not known; as of {format_clock(view.taken_ns, now, millis=False)}:"
    return [(text.replace(": ", f": {seen} ", 1), "") for text, _ in found]


def attention_tab(found: Sequence[Entry], clock: Clock, checks: Iterable[Check] = ()) -> Tab:
    """The tab of what needs attention, with the count, red or yellow as the worst of it."""
    source = AttentionSource(found, calm(checks), clock)
    return Tab("attention", f"Attention {len(found):,}" if found else "Attention", source, worst(found))


def _generation(view: ReplicaView, generation: GenerationView, key: Key, clock: Clock, beside: Beside) -> Detail:
    now = clock()
    stats, columns = generation.stats, generation.indexes
    check = beside.checks.get(generation.name)
    files, window = stats.times, window_of(generation, check)
    snapshot = generation.snapshots[-1] if generation.snapshots else None
    start, stop, subtitle = 0, len(columns), _standing(view, generation, now, beside)
    snapshots, of_snapshots = generation.snapshots, key[0] == "snapshots"
    if key[0] in GROUPS and (group := find_group(generation, key)) is not None:
        of_snapshots = key[2] == "snapshot"
        if of_snapshots:
            snapshots = snapshots[group.start : group.stop]
        else:
            start, stop = group.start, group.stop
        what = "snapshots" if of_snapshots else "WAL"
        subtitle = f"{group_text(group, now)}: {what} {group.first:08x} to {group.last:08x}"
    cards = [
        Card("Window", format_duration(window.end_ns - window.start_ns) if window else "none",
             f"from {format_clock(window.start_ns, now, millis=False)}" if window else ""),
        Card("Newest file", format_clock(files.end_ns, now, millis=False) if files else "none",
             format_age(files.end_ns, now) if files else ""),
        Card("Snapshots", f"{stats.snapshots:,}",
             f"newest {format_age(snapshot.created_ns, now)}" if snapshot else "none to restore from",
             "" if snapshot else "error"),
        Card("WAL", _indexes(len(columns)), counted(stats.wal_files, "file"), drop=1),
        Card("Stored", format_size(stats.size), view.layout.removeprefix("Litestream "), drop=2),
        generation_card(view, generation, beside.jobs, check, now),
    ]  # fmt: skip
    found = of_generation(view, generation, now, beside)
    wals = wal_source(generation, start, stop, clock)
    tabs = [
        Tab("snapshots", f"Snapshots {len(snapshots):,}", SnapshotSource(snapshots, clock)),
        Tab("wal", f"WAL files {len(wals):,}", wals),
        attention_tab(found, clock, [check] if check is not None else []),
    ]  # fmt: skip
    notes = live_notes(view, now, beside) if generation.newest else []
    whole = key[0] == "generation"
    if whole and generation.newest and not found:
        notes.append((calm([check] if check is not None else []), ""))
    begin = "snapshots" if of_snapshots else "wal"
    return Detail(generation.name, subtitle, cards, notes, tabs, begin, lines(found, now) if whole else ())


def _standing(view: ReplicaView, generation: GenerationView, now: int, beside: Beside) -> str:
    """Newest or ended, why it began where that is known, and what can be said of it on what evidence."""
    created, words = generation.stats.created_ns, generation.standing(now)
    reason = view.primary.reason(generation.name) if view.primary is not None else ""
    if reason and created is not None:
        words += f", began {format_clock(created, now, millis=False)}: {reason}"
    if not generation.survey.restorable:
        return f"{words}; {incomplete(view, generation, beside.checks, now)}"
    if (met := evidence(view, generation, now, beside.jobs, beside.checks)) is not None:
        return f"{words}; {met[0]}"
    return f"{words}; {'' if reason else 'complete by its names, '}content not checked"


def wal_source(generation: GenerationView, start: int, stop: int, clock: Clock) -> WALSource:
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
        Card("WAL from here", _indexes(after),
             "" if updated is None else f"to {format_clock(updated, now, millis=False)}"),
    ]  # fmt: skip
    start = 0 if not after else len(columns) - after
    wals = wal_source(generation, start, len(columns), clock)
    return Detail(
        f"Snapshot {index:08x}",
        f"of {generation.name}: {one.name}",
        cards,
        [],
        [Tab("wal", f"WAL files from here {len(wals):,}", wals)],
    )
