"""The restore plan: which snapshot and which WAL files lead to a target, decided by names and times alone.

Pure: it opens no file. What only bytes can tell is left to `settle`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from litetui.errors import DamageError, LitetuiError, NoSuchTargetError, UnreadableError
from litetui.format import wal
from litetui.ops import restorable
from litetui.ops.others import other_generation, points_around
from litetui.ops.target import Target
from litetui.replica.catalog import SEGMENT, WHOLE, WALTable
from litetui.replica.file import FileReplica
from litetui.replica.types import Pos, SnapshotInfo, TimeRange
from litetui.units import format_size, format_time, printable


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore will read, and which state that gives.

    wals           the WAL files it reads, in order; the last index only up to `position.offset`
    position       the end of the last transaction; its offset is settled by `settle`
    until_ns       the time of the newest file that it takes, the snapshot's where no WAL is taken
    database_size  bytes to expect, None before `settle`
    left_out       what the generation holds after the target, in words; "" where that is nothing
    fault          why the plan cannot be run, found by names; `settle` raises it
    """

    replica: FileReplica = field(repr=False)
    target: Target
    generation: str
    snapshot: SnapshotInfo
    wals: WALTable = field(repr=False)
    position: Pos
    until_ns: int
    left_out: str = ""
    notes: tuple[str, ...] = ()
    database_size: int | None = None
    fault: LitetuiError | None = None
    settled: bool = False

    @property
    def source(self) -> str:
        return self.replica.path

    @property
    def layout(self) -> str:
        return self.replica.layout()

    @property
    def place(self) -> str:
        """Where the plan leads to, as it can be pasted."""
        return str(self.position)

    @property
    def min_index(self) -> int:
        return self.snapshot.index

    @property
    def max_index(self) -> int:
        return self.position.index

    @property
    def file_count(self) -> int:
        return 1 + len(self.wals)

    @property
    def bytes_to_read(self) -> int:
        return self.snapshot.size + int(self.wals.size.sum())

    def files(self) -> Iterator[str]:
        """Paths of the files in the order of reading, relative to the replica."""
        yield self.replica.snapshot_path(self.snapshot)
        for row in range(len(self.wals)):
            yield self.replica.wal_path(self.wals[row])

    def command(self, output: str, integrity_check: str = "quick") -> str:
        """The command line that does the same, generation and position resolved."""
        words = ["litetui", "restore", printable(self.source), "-o", printable(output)]
        words += ["--position", str(self.position)] if self.settled else self._target_words()
        words += [] if integrity_check == "quick" else ["--integrity-check", integrity_check]
        return shlex.join(words)

    def _target_words(self) -> list[str]:
        """The target as options, while it is not known which position it comes to."""
        target = self.target
        if target.offset is not None:
            return ["--position", str(Pos(self.generation, self.position.index, target.offset))]
        words = ["--generation", self.generation]
        if target.index is not None:
            words += ["--index", f"{target.index:08x}"]
        if target.timestamp_ns is not None:
            words += ["--timestamp", format_time(target.timestamp_ns)]
        return [*words, "--to-last-good"] if target.last_good else words


def plan(replica: FileReplica, target: Target) -> RestorePlan:
    """Which snapshot and which WAL files lead to the target. Raises NoSuchTargetError."""
    generation = choose_generation(replica, target)
    _check_readable(replica, [generation], "")
    table = replica.wals(generation)
    index, row = last_file(replica, generation, table, target)
    return plan_to(replica, target, generation, index, row)


def choose_generation(replica: FileReplica, target: Target) -> str:
    """The generation that a target means: the one that it names, or the one updated last (that holds its time)."""
    known = replica.generations()
    if target.generation is not None:
        replica.generation_stats(target.generation)
        return target.generation
    which = "which generation is the newest cannot be told: name one with --generation" if len(known) > 1 else ""
    _check_readable(replica, known, which)
    spans = [(g, t) for g in known if (t := replica.generation_stats(g).times) is not None]
    if not spans:
        raise NoSuchTargetError(
            "restore", "the replica holds no data", path=replica.path, hint="Litestream has written nothing here yet"
        )
    if target.timestamp_ns is None:
        _check_newest(replica, spans[0][1].end_ns)
        return spans[0][0]
    for generation, span in spans:
        if target.timestamp_ns in span:
            return generation
    raise _outside(replica, spans, target)


def _check_newest(replica: FileReplica, end_ns: int) -> None:
    """The latest state of a folder that Litestream v0.5 went on in is not in the v0.3 generations."""
    ltx = replica.ltx_newest_ns()
    if ltx is not None and ltx > end_ns:
        raise NoSuchTargetError(
            "restore",
            f"the latest state is in ltx/, a replica of Litestream v0.5 that goes on to {format_time(ltx)}; the v0.3 "
            f"generations end at {format_time(end_ns)}",
            path=replica.path,
            hint=f"a restore without --generation takes it; --generation {replica.generations()[0]} is the older one",
        )


def _check_readable(replica: FileReplica, generations: list[str], hint: str) -> None:
    """What cannot be read may be newer than all that can: never restore less because of it."""
    for generation in generations:
        for finding in replica.problems(generation):
            if finding.code == "unreadable":
                cause = finding.message.removeprefix("cannot read: ")
                raise UnreadableError("read", cause, hint=hint or finding.hint)


def _outside(replica: FileReplica, spans: list[tuple[str, TimeRange]], target: Target) -> NoSuchTargetError:
    """No file is of that time: between, before or after those that were looked at."""
    ns = target.timestamp_ns or 0
    before = max(((s.end_ns, g) for g, s in spans if s.end_ns < ns), default=None)
    after = min(((s.start_ns, g) for g, s in spans if s.start_ns > ns), default=None)
    parts = []
    if before:
        parts.append(f"{before[1]} ends at {format_time(before[0])}")
    if after:
        parts.append(f"{after[1]} begins at {format_time(after[0])}")
    words = f"no generation holds {format_time(ns)}: {', '.join(parts)}"
    if (named := target.generation) is not None:
        words = f"generation {named} does not hold {format_time(ns)}: it {parts[0].removeprefix(named).strip()}"
    return NoSuchTargetError("restore", words, path=replica.path, hint=_nearest(replica, [g for g, _ in spans], target))


def _nearest(replica: FileReplica, generations: list[str], target: Target) -> str:
    """What can be restored instead of a time: the restore point next to it, and the other generation that has it."""
    ns, named = target.timestamp_ns or 0, target.generation
    points = [p for p in points_around(replica, generations, ns) if p is not None]
    holds = holding(replica, ns) if named else None
    hints = []
    if points:
        nearest = min(points, key=lambda point: abs(point.time_ns - ns))
        words = f"--generation {named} " if named else ""
        hints.append(f"the nearest restore point: {words}--timestamp {format_time(nearest.time_ns)}")
    elif named and holds is None:
        hints.append(other_generation(replica, named))
    if holds is not None:
        hints.append(f"{holds} holds that time: --generation {holds} --timestamp {format_time(ns)}")
    return "; ".join(hints)


def holding(replica: FileReplica, ns: int) -> str | None:
    """The generation that a time is restored from where none is named, None where none leads there by its names."""
    try:
        found = plan(replica, Target(timestamp_ns=ns))
    except LitetuiError:
        return None
    return found.generation if found.fault is None else None


def last_file(replica: FileReplica, generation: str, table: WALTable, target: Target) -> tuple[int, int]:
    """The last index to restore, and the last row of the table to take (-1: none, so that a snapshot stands alone)."""
    snapshots = replica.snapshots(generation)
    newest = max([s.index for s in snapshots] + ([int(table.index[-1])] if len(table) else []), default=-1)
    if target.timestamp_ns is not None:
        _check_time(replica, generation, target)
        rows = np.flatnonzero(table.mtime_ns <= target.timestamp_ns)
        candidates = [s.index for s in snapshots if s.created_ns <= target.timestamp_ns]
        snapshot = max(candidates, default=-1)
        if len(rows) and int(table.index[rows[-1]]) >= snapshot:
            return int(table.index[rows[-1]]), int(rows[-1])
        return snapshot, -1
    if target.index is None:
        has_wal = len(table) and int(table.index[-1]) == newest
        return newest, len(table) - 1 if has_wal else -1
    rows_of = table.rows_of(target.index)
    if not rows_of and not any(s.index == target.index for s in snapshots):
        first = min([s.index for s in snapshots] + ([int(table.index[0])] if len(table) else []), default=0)
        raise NoSuchTargetError(
            "restore",
            f"generation {generation} has no index {target.index:08x}; it has {first:08x} to {newest:08x}",
            path=replica.path,
            hint=f"litetui wal {shlex.quote(printable(replica.path))} --generation {generation}",
        )
    if target.offset in (0, wal.HEADER_SIZE):
        return target.index, (rows_of.start - 1 if rows_of.start else -1)
    if not rows_of or target.offset is None or table.whole[rows_of.start : rows_of.stop].any():
        return target.index, rows_of.stop - 1 if rows_of else -1
    before = int(np.searchsorted(table.offset[rows_of.start : rows_of.stop], np.uint64(target.offset)))
    return target.index, rows_of.start + max(before, 1) - 1


def _check_time(replica: FileReplica, generation: str, target: Target) -> None:
    span = replica.generation_stats(generation).times
    if span is None:
        raise NoSuchTargetError(
            "restore",
            f"generation {generation} holds no data",
            path=replica.path,
            hint=f"list what there is: litetui generations {printable(replica.path)}",
        )
    if target.timestamp_ns not in span:
        raise _outside(replica, [(generation, span)], replace(target, generation=generation))


def plan_to(
    replica: FileReplica, target: Target, generation: str, index: int, row: int, before: int | None = None
) -> RestorePlan:
    """The plan that ends with that index and row, from the newest snapshot that may lead there.

    `before` leaves out snapshots from that index on.
    """
    fits = [
        s
        for s in replica.snapshots(generation)
        if s.index <= index
        and (before is None or s.index < before)
        and (target.timestamp_ns is None or s.created_ns <= target.timestamp_ns)
    ]
    if not fits:
        raise _no_snapshot(replica, target, generation, index)
    snapshot = fits[-1]
    sound = [s for s in fits if s.size]
    if sound and not snapshot.size:  # it leads nowhere; an earlier one may
        earlier = plan_to(replica, target, generation, index, row, sound[-1].index + 1)
        if earlier.fault is None:
            words = f"snapshot {snapshot.index:08x} does not serve (the file is empty): the way leads from "
            return replace(earlier, notes=(*earlier.notes, f"{words}{sound[-1].index:08x}"))
    table = replica.wals(generation)
    rows = np.arange(len(table))
    taken = (table.index >= snapshot.index) & (rows <= row)
    whole_time = target.timestamp_ns is not None
    wals = one_form(replica, table.take(taken))
    fault = _faulty_file(replica, snapshot, wals)
    if len(wals) and snapshot.size:
        fault = _gap(replica, generation, snapshot, wals) or fault
    end = -1
    if not len(wals) or int(wals.index[-1]) < index:
        end = 0
        if len(wals) and int(wals.index[-1]) < index - 1:
            fault = fault or _missing_wal(replica, generation, int(wals.index[-1]) + 1)
        if not len(wals) and snapshot.index < index:
            fault = fault or _missing_wal(replica, generation, snapshot.index)
    elif target.offset is not None:
        end = target.offset
    until = int(wals.mtime_ns[-1]) if len(wals) else snapshot.created_ns
    if whole_time and len(wals):
        until = int(wals.mtime_ns[wals.mtime_ns <= (target.timestamp_ns or 0)].max())
    after = table.take(rows > row) if row >= 0 else table.take(table.index >= index)
    if len(wals):
        until = counts_from(replica, generation, until, wals, after)
    return RestorePlan(
        replica,
        target,
        generation,
        snapshot,
        wals,
        Pos(generation, index, end),
        until,
        _describe_rest(after),
        _time_notes(target, wals),
        fault=fault,
    )


def _describe_rest(after: WALTable) -> str:
    if not len(after):
        return ""
    last = int(after.index[-1])
    return (
        f"{len(after)} newer WAL file{'s' if len(after) > 1 else ''}, {format_size(int(after.size.sum()))}, "
        f"up to index {last:08x}"
    )


def describe_rest_of(plan_: RestorePlan, index: int, offset: int, transactions: int) -> str:
    """What is left out after a position inside a WAL."""
    table = plan_.replica.wals(plan_.generation)
    after = table.take((table.index > index) | ((table.index == index) & (table.offset >= offset)))
    own = f"{transactions} later transaction(s) of index {index:08x}" if transactions else ""
    return "; ".join(part for part in (own, _describe_rest(after)) if part)


def _time_notes(target: Target, wals: WALTable) -> tuple[str, ...]:
    if target.timestamp_ns is None or not len(wals):
        return ()
    late = int(((wals.mtime_ns > target.timestamp_ns) & (wals.form == SEGMENT)).sum())
    if not late:
        return ()
    return (
        f"{late} file(s) before the target's position have a later time than asked for: position order is time order "
        "(was this replica copied without its times?)",
    )


def one_form(replica: FileReplica, table: WALTable) -> WALTable:
    """The table with one form of each index: where two are there, the better one (settle looks into both)."""
    if not len(table):
        return table
    same = table.index[1:] == table.index[:-1]
    mixed = same & (table.form[1:] != table.form[:-1])
    mixed |= same & table.whole[1:]
    if not mixed.any():
        return table
    keep = np.ones(len(table), bool)
    for index in np.unique(table.index[1:][mixed]).tolist():
        rows = table.rows_of(index)
        keep[rows.start : rows.stop] = False
        keep[replica.forms_of(table, index)[0]] = True
    return table.take(keep)


def _gap(replica: FileReplica, generation: str, snapshot: SnapshotInfo, wals: WALTable) -> DamageError | None:
    """The first index that is missing between a snapshot and the end, as an error."""
    indexes = wals.indexes().astype(np.int64)
    wanted = snapshot.index + np.arange(len(indexes))
    wrong = np.flatnonzero(indexes != wanted)
    return _missing_wal(replica, generation, int(wanted[wrong[0]])) if len(wrong) else None


def _faulty_file(replica: FileReplica, snapshot: SnapshotInfo, wals: WALTable) -> DamageError | None:
    """The first of the files that a plan takes that cannot serve, by names and sizes, as an error: a file without
    content, a WAL without its first segment. Of a WAL that is there in two forms only `settle` can tell."""
    if not snapshot.size:
        path = replica.storage.path(replica.snapshot_path(snapshot))
        return DamageError("read the snapshot", "the file is empty", code="empty-file", path=path, index=snapshot.index)
    first = np.ones(len(wals), bool)
    first[1:] = wals.index[1:] != wals.index[:-1]
    table = replica.wals(wals.generation)
    for row in np.flatnonzero((first & (wals.offset != 0)) | (wals.size == 0)).tolist():
        info, size = wals[row], int(wals.size[row])
        begun = not size and int(wals.form[row]) == WHOLE and info.name == table.name(len(table) - 1)
        if begun or len(replica.forms_of(table, info.index)) > 1:
            continue
        path = replica.storage.path(replica.wal_path(info))
        if size:
            cause, code, offset = "the WAL's first segment is missing", "missing-segment", 0
            return DamageError("read the WAL", cause, code=code, path=path, index=info.index, offset=offset)
        return DamageError("read the WAL", "the file is empty", code="empty-file", path=path, index=info.index)
    return None


def _missing_wal(replica: FileReplica, generation: str, index: int) -> DamageError:
    return DamageError(
        "restore",
        f"the WAL {generation}/{index:08x} is missing",
        code="missing-wal",
        path=replica.path,
        index=index,
    )


def counts_from(replica: FileReplica, generation: str, until_ns: int, wals: WALTable, after: WALTable) -> int:
    """The time that gives the state at the end of the WAL files that are taken: where they are older than the first
    snapshot that leads there, that snapshot's (ops.restorable)."""
    index = int(wals.index[-1])
    sound = [s for s in replica.snapshots(generation) if s.size and s.index <= index]
    if all(s.created_ns <= until_ns for s in sound):
        return until_ns
    table = replica.wals(generation)
    ways = restorable.Ways(table.take(table.index <= index), np.array([s.index for s in sound], np.int64))
    first = next((s.created_ns for s in sound if s.index == ways.opener()), until_ns)
    return first if until_ns < first and (not len(after) or int(after.mtime_ns[0]) > first) else until_ns


def _no_snapshot(replica: FileReplica, target: Target, generation: str, index: int) -> LitetuiError:
    snapshots = replica.snapshots(generation)
    if snapshots:
        first = snapshots[0]
        return NoSuchTargetError(
            "restore",
            f"the first snapshot of generation {generation} is {first.index:08x} of {format_time(first.created_ns)}: "
            "nothing leads to a state before it",
            path=replica.path,
            hint=f"the first restore point: --generation {generation} --timestamp {format_time(first.created_ns)}",
        )
    return DamageError(
        "restore",
        f"generation {generation} has no snapshot",
        code="no-snapshot",
        path=replica.path,
        hint=other_generation(replica, generation),
    )
