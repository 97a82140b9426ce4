"""Restore: decide what leads to a state (plan, settle), then make the database file (run).

`plan` looks at names and times only. `settle` reads the bytes that the decision hangs on: where the last transaction
ends, whether a position is one, and whether a snapshot holds frames from after the target. `run` does what a settled
plan says, or fails and leaves nothing.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from litetui.errors import DamageError, LitetuiError, NoSuchTargetError, UnreadableError
from litetui.format import wal
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import output as out
from litetui.ops import reach
from litetui.ops.frames import FrameTable, read_frames
from litetui.ops.pages import PageFile, check_snapshot_size, snapshot_header
from litetui.ops.target import Target
from litetui.ops.wals import Chain, prefetched, read_batches
from litetui.replica.catalog import SEGMENT, WHOLE, WALTable
from litetui.replica.file import FileReplica
from litetui.replica.types import Pos, SnapshotInfo, TimeRange
from litetui.units import format_age, format_size, format_time, printable


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


@dataclass(frozen=True, slots=True)
class RestoreResult:
    plan: RestorePlan
    output: str
    database_size: int
    duration_s: float
    bytes_read: int
    pages_written: int
    integrity_check: str
    mode: int
    owner: str
    moved: tuple[str, ...]
    next_steps: tuple[str, ...]


# ---- deciding, by names and times


def plan(replica: FileReplica, target: Target) -> RestorePlan:
    """Which snapshot and which WAL files lead to the target. Raises NoSuchTargetError."""
    generation = choose_generation(replica, target)
    _check_readable(replica, [generation], "")
    table = replica.wals(generation)
    index, row = _last_file(replica, generation, table, target)
    return _plan_to(replica, target, generation, index, row)


def choose_generation(replica: FileReplica, target: Target) -> str:
    """The generation that a target means: the one that it names, or the one updated last (that holds its time)."""
    known = replica.generations()
    if target.generation is not None:
        replica.generation_stats(target.generation)
        return target.generation
    _check_readable(replica, known, "which generation is the newest cannot be told: name one with --generation")
    spans = [(g, t) for g in known if (t := replica.generation_stats(g).times) is not None]
    if not spans:
        raise NoSuchTargetError(
            "restore", "the replica holds no data", path=replica.path, hint="Litestream has written nothing here yet"
        )
    if target.timestamp_ns is None:
        return spans[0][0]
    for generation, span in spans:
        if target.timestamp_ns in span:
            return generation
    raise _outside(replica, spans, target.timestamp_ns)


def _check_readable(replica: FileReplica, generations: list[str], hint: str) -> None:
    """What cannot be read may be newer than all that can: never restore less because of it."""
    for generation in generations:
        for finding in replica.problems(generation):
            if finding.code == "unreadable":
                cause = finding.message.removeprefix("cannot read: ")
                raise UnreadableError("read", cause, hint=hint or finding.hint)


def _outside(replica: FileReplica, spans: list[tuple[str, TimeRange]], ns: int) -> NoSuchTargetError:
    before = max(((s.end_ns, g) for g, s in spans if s.end_ns < ns), default=None)
    after = min(((s.start_ns, g) for g, s in spans if s.start_ns > ns), default=None)
    parts = []
    if before:
        parts.append(f"{before[1]} ends at {format_time(before[0])}")
    if after:
        parts.append(f"{after[1]} begins at {format_time(after[0])}")
    nearest = min((p[0] for p in (before, after) if p), key=lambda at: abs(at - ns), default=ns)
    return NoSuchTargetError(
        "restore",
        f"no generation holds {format_time(ns)}: {', '.join(parts)}",
        path=replica.path,
        hint=f"the nearest restore point: --timestamp {format_time(nearest)}",
    )


def _last_file(replica: FileReplica, generation: str, table: WALTable, target: Target) -> tuple[int, int]:
    """The last index to restore, and the last row of the table to take (-1: none, so that a snapshot stands alone)."""
    snapshots = replica.snapshots(generation)
    newest = max([s.index for s in snapshots] + ([int(table.index[-1])] if len(table) else []), default=-1)
    if target.timestamp_ns is not None:
        _check_time(replica, generation, target.timestamp_ns)
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
            hint=f"litetui wal {printable(replica.path)} --generation {generation} lists what is there",
        )
    if target.offset is not None and target.offset <= wal.HEADER_SIZE and target.offset in (0, wal.HEADER_SIZE):
        return target.index, (rows_of.start - 1 if rows_of.start else -1)
    return target.index, rows_of.stop - 1 if rows_of else -1


def _check_time(replica: FileReplica, generation: str, ns: int) -> None:
    span = replica.generation_stats(generation).times
    if span is None or ns not in span:
        raise _outside(replica, [] if span is None else [(generation, span)], ns)


def _plan_to(
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
    table = replica.wals(generation)
    rows = np.arange(len(table))
    taken = (table.index >= snapshot.index) & (rows <= row)
    whole_time = target.timestamp_ns is not None
    wals = _one_form(replica, table.take(taken))
    fault = None if not len(wals) else _gap(replica, generation, snapshot, wals)
    end = -1
    if not len(wals) or int(wals.index[-1]) < index:
        end = 0
        if len(wals) and int(wals.index[-1]) < index - 1:
            fault = fault or _missing_wal(replica, generation, int(wals.index[-1]) + 1)
        if not len(wals) and snapshot.index < index:
            fault = _missing_wal(replica, generation, snapshot.index)
    elif target.offset is not None:
        end = target.offset
    until = int(wals.mtime_ns[-1]) if len(wals) else snapshot.created_ns
    if whole_time and len(wals):
        until = int(wals.mtime_ns[wals.mtime_ns <= (target.timestamp_ns or 0)].max())
    after = table.take(rows > max(row, -1)) if row >= 0 else table.take(table.index >= index)
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


def _describe_rest_of(plan_: RestorePlan, index: int, offset: int, transactions: int) -> str:
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


def _one_form(replica: FileReplica, table: WALTable) -> WALTable:
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


def _missing_wal(replica: FileReplica, generation: str, index: int) -> DamageError:
    return DamageError(
        "restore",
        f"the WAL {generation}/{index:08x} is missing",
        code="missing-wal",
        path=replica.path,
        index=index,
    )


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
        hint=_other_generation(replica, generation),
    )


def _other_generation(replica: FileReplica, generation: str) -> str:
    """The newest other generation that may be restored, in words."""
    for other in replica.generations():
        if other != generation and replica.snapshots(other):
            at = replica.generation_stats(other).updated_ns or 0
            return (
                f"the newest other generation with a snapshot is {other}, which ends at {format_time(at)} "
                f"({format_age(at, time.time_ns())}): --generation {other}"
            )
    return "no other generation of this replica has a snapshot"


# ---- deciding, by bytes


def settle(plan_: RestorePlan, report: Reporter | None = None, cancel: CancelToken | None = None) -> RestorePlan:
    """The plan with its end known to the byte, and proved to be a state that the application had.

    Raises DamageError that names the last good position, or NoSuchTargetError.
    """
    if plan_.settled:
        return plan_
    report, cancel = report or Reporter(), cancel or CancelToken()
    if plan_.target.last_good:
        try:
            return _settle_last_good(plan_, report, cancel)
        except DamageError as error:
            error.hint = error.hint or _other_generation(plan_.replica, plan_.generation)
            raise
    try:
        return _settle(plan_, report, cancel)
    except DamageError as error:
        raise explain(plan_, error, report, cancel) from None


def explain(plan_: RestorePlan, error: DamageError, report: Reporter, cancel: CancelToken) -> DamageError:
    """The same damage with the last good position before it, and the command that restores up to it."""
    if error.hint:
        return error
    try:
        good = reach.find_last_good(plan_.replica, plan_.generation, report, cancel)
    except (DamageError, NoSuchTargetError):
        error.hint = (
            f"nothing of generation {plan_.generation} can be restored: copy the replica before anything else; "
            + _other_generation(plan_.replica, plan_.generation)
        )
        return error
    error.hint = (
        f"the last good position is {good.pos}: litetui restore {shlex.quote(printable(plan_.source))} -o OUT "
        f"--generation {plan_.generation} --to-last-good"
    )
    return error


def _settle_last_good(plan_: RestorePlan, report: Reporter, cancel: CancelToken) -> RestorePlan:
    good = reach.find_last_good(plan_.replica, plan_.generation, report, cancel)
    pos = good.pos
    target = replace(Target.at(pos), last_good=True)
    _, row = _last_file(plan_.replica, plan_.generation, plan_.replica.wals(plan_.generation), target)
    base = _plan_to(
        plan_.replica, target, plan_.generation, pos.index, row, None if good.before is None else good.before
    )  # fmt: skip
    base = replace(base, notes=base.notes + good.notes)
    return _settle(base, report, cancel, proved=True)


def _settle(plan_: RestorePlan, report: Reporter, cancel: CancelToken, *, proved: bool = False) -> RestorePlan:
    if plan_.fault is not None:
        raise plan_.fault
    replica = plan_.replica
    plan_ = _choose_forms(plan_, report, cancel)
    snapshot = plan_.snapshot
    path = replica.storage.path(replica.snapshot_path(snapshot))
    head, _ = snapshot_header(replica.read_snapshot_file(snapshot), path, snapshot.index)
    if plan_.position.offset == 0 or not len(plan_.wals):
        end = Pos(plan_.generation, plan_.position.index, 0)
        expected = head.page_count * head.page_size
        if len(plan_.wals):  # the end of the WAL before; the state is the same
            last = read_frames(replica, plan_.generation, int(plan_.wals.index[-1]), report, cancel)
            expected = _size_after(last, expected)
        return replace(plan_, position=end, database_size=expected, settled=True)
    plan_, size, frames = _find_end(plan_, report, cancel)
    if size is None:
        size = head.page_count * head.page_size
    if not proved and plan_.position.index == snapshot.index and _replays_a_part(plan_, frames):
        verdict = reach.prove(replica, snapshot, plan_.position.offset, report, cancel)
        if not verdict.ok:
            return _earlier_snapshot(plan_, verdict, report, cancel)
    return replace(plan_, database_size=size, settled=True)


def _size_after(frames: FrameTable, size: int) -> int:
    sizes = frames.transactions.database_pages
    return int(sizes[-1]) * frames.page_size if len(sizes) else size


def _choose_forms(plan_: RestorePlan, report: Reporter, cancel: CancelToken) -> RestorePlan:
    """Where an index is there in two forms, take the first that verifies, and the longer one if both do."""
    table = plan_.replica.wals(plan_.generation)
    notes = list(plan_.notes)
    chosen: dict[int, list[int]] = {}
    for index in plan_.wals.indexes().tolist():
        if len(table.rows_of(index)) == 1:
            continue
        forms = plan_.replica.forms_of(table, index)
        if len(forms) < 2:
            continue
        best: tuple[int, list[int]] | None = None
        for rows in forms:
            frames = read_frames(plan_.replica, plan_.generation, index, report, cancel, rows=rows)
            if frames.problem is None and (best is None or frames.end_of_commits > best[0]):
                best = (frames.end_of_commits, rows)
        if best is not None:
            chosen[index] = best[1]
            notes.append(f"index {index:08x} is there twice: {table[best[1][0]].name} is taken, the most complete")
    if not chosen:
        return plan_
    keep = [r for r in range(len(table)) if int(table.index[r]) in plan_.wals.index]
    keep = [r for r in keep if r in chosen.get(int(table.index[r]), [r])]
    one = _one_form(plan_.replica, table.take(np.array(keep)))
    rows_until = plan_.wals.index[-1]
    if int(rows_until) not in chosen:  # the last index may be taken only in part
        part = plan_.wals.take(plan_.wals.index == rows_until)
        one = _join(one.take(one.index != rows_until), part)
    return replace(plan_, wals=one, notes=tuple(notes))


def _join(a: WALTable, b: WALTable) -> WALTable:
    return replace(
        a,
        index=np.concatenate([a.index, b.index]),
        offset=np.concatenate([a.offset, b.offset]),
        form=np.concatenate([a.form, b.form]),
        size=np.concatenate([a.size, b.size]),
        mtime_ns=np.concatenate([a.mtime_ns, b.mtime_ns]),
    )


def _find_end(
    plan_: RestorePlan, report: Reporter, cancel: CancelToken
) -> tuple[RestorePlan, int | None, FrameTable | None]:
    """Where the last transaction ends, and the size of the database after it."""
    index = int(plan_.wals.index[-1])
    last = plan_.wals[len(plan_.wals) - 1]
    if plan_.position.offset < 0 and last.offset is not None:
        return (*_end_of_segment(plan_, last.offset), None)
    rows = [r for r in range(len(plan_.wals)) if int(plan_.wals.index[r]) == index]
    full = plan_.replica.wals(plan_.generation)
    wanted = {plan_.wals.name(r) for r in rows}
    source = [r for r in full.rows_of(index) if full.name(r) in wanted]
    frames = read_frames(plan_.replica, plan_.generation, index, report, cancel, rows=source)
    if plan_.position.offset >= 0:
        return (*_end_at_position(plan_, frames), frames)
    newest = index == int(full.index[-1]) and last.compressed is False
    if newest and last.size < wal.HEADER_SIZE:  # a WAL that has just begun; all before it counts
        return (*_without_last(plan_, report, cancel), frames)
    if frames.problem is not None:
        raise frames.problem
    end = frames.end_of_commits
    if not newest and end != frames.offset(len(frames)):
        raise DamageError(
            "read the WAL",
            "it ends inside a transaction",
            code="incomplete-transaction",
            path=plan_.replica.storage.path(plan_.replica.wal_path(last)),
            index=index,
            offset=end,
        )
    if end == 0:
        return (*_without_last(plan_, report, cancel), frames)
    if newest and end < last.size:
        note = f"the newest WAL ends with {last.size - end} bytes of a transaction without its commit: left out"
        plan_ = replace(plan_, notes=(*plan_.notes, note))
    return replace(plan_, position=Pos(plan_.generation, index, end)), _size_after(frames, 0), frames


def _without_last(plan_: RestorePlan, report: Reporter, cancel: CancelToken) -> tuple[RestorePlan, int | None]:
    """The plan without a newest WAL that holds no transaction yet."""
    index = int(plan_.wals.index[-1])
    wals = plan_.wals.take(plan_.wals.index < index)
    size = None
    if len(wals):
        before = read_frames(plan_.replica, plan_.generation, index - 1, report, cancel)
        size = _size_after(before, 0) or None
    return replace(plan_, wals=wals, position=Pos(plan_.generation, index, 0)), size


def _end_of_segment(plan_: RestorePlan, offset: int) -> tuple[RestorePlan, int | None]:
    info = plan_.wals[len(plan_.wals) - 1]
    path = plan_.replica.storage.path(plan_.replica.wal_path(info))
    data = b"".join(plan_.replica.read_wal_file(info))
    size = None
    body = data[wal.HEADER_SIZE :] if offset == 0 else data
    first = plan_.wals[plan_.wals.rows_of(info.index).start]
    head = b"".join(plan_.replica.first_bytes(first, wal.HEADER_SIZE)) if offset else data
    try:
        header = wal.WALHeader.parse(head)
    except wal.WALError as error:
        raise DamageError(
            "read the WAL", str(error), code="wal-header", path=path, index=info.index, offset=0
        ) from None
    if body:
        partial = len(body) % header.frame_size
        commit = int.from_bytes(body[-header.frame_size + 4 : -header.frame_size + 8], "big")
        if partial or not commit:
            raise DamageError(
                "read the WAL",
                "the segment ends inside a frame" if partial else "the segment ends inside a transaction",
                code="partial-frame" if partial else "incomplete-transaction",
                path=path,
                index=info.index,
                offset=offset + len(data),
            )
        size = commit * header.page_size
    return replace(plan_, position=Pos(plan_.generation, info.index, offset + len(data))), size


def _end_at_position(plan_: RestorePlan, frames: FrameTable) -> tuple[RestorePlan, int]:
    offset, done = plan_.position.offset, frames.transactions
    ends = done.end_offset
    at = int(np.searchsorted(ends, offset))
    if at < len(ends) and int(ends[at]) == offset:
        wals = plan_.wals
        wals = wals.take((wals.index < frames.index) | (wals.offset < offset))
        size = int(done.database_pages[at]) * frames.page_size
        left_out = _describe_rest_of(plan_, frames.index, offset, len(ends) - at - 1)
        return replace(plan_, wals=wals, until_ns=int(wals.mtime_ns[-1]), left_out=left_out), size
    if frames.problem is not None and (frames.problem.offset or 0) < offset:
        raise frames.problem
    near = [int(ends[i]) for i in (at - 1, at) if 0 <= i < len(ends)]
    if not near:
        near = [0]
    raise NoSuchTargetError(
        "restore",
        f"no transaction of index {frames.index:08x} ends at offset {offset}; the nearest end at "
        + " and ".join(str(n) for n in near),
        path=plan_.source,
        hint=f"--position {Pos(plan_.generation, frames.index, near[0])}",
    )


def _replays_a_part(plan_: RestorePlan, frames: FrameTable | None) -> bool:
    """True if some of the WAL of the last index lies behind the plan's end."""
    table = plan_.replica.wals(plan_.generation)
    rows = plan_.replica.forms_of(table, plan_.position.index)[0]
    if plan_.wals.offset[-1] < table.offset[rows[-1]]:
        return True
    return frames is not None and plan_.position.offset < max(frames.end_of_commits, frames.offset(len(frames)))


def _earlier_snapshot(plan_: RestorePlan, verdict: reach.Proof, report: Reporter, cancel: CancelToken) -> RestorePlan:
    """The same target from an earlier snapshot, through all of its WAL; or the error that says why not."""
    snapshot = plan_.snapshot
    table = plan_.replica.wals(plan_.generation)
    target = replace(Target.at(plan_.position), timestamp_ns=None)
    row = table.rows_of(plan_.position.index).stop - 1
    note = f"snapshot {snapshot.index:08x} holds transactions from after the target; an earlier one is taken"
    try:
        earlier = _plan_to(plan_.replica, target, plan_.generation, plan_.position.index, row, snapshot.index)
        settled = _settle(earlier, report, cancel)
    except LitetuiError:
        first = verdict.first_reachable
        what = f"the first position that can be reached is {first}" if first else "no position in it can be reached"
        raise NoSuchTargetError(
            "restore",
            f"{plan_.position} cannot be reached: snapshot {snapshot.index:08x} holds transactions from after it "
            f"(Litestream had checkpointed before it copied), and no earlier snapshot leads there; {what}",
            path=plan_.source,
            hint=f"--position {first}" if first else "restore a later index",
        ) from None
    return replace(settled, notes=(*settled.notes, note), target=plan_.target, left_out=plan_.left_out)


# ---- doing


def run(
    plan_: RestorePlan,
    output: str,
    *,
    integrity_check: str = "quick",
    force: bool = False,
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
) -> RestoreResult:
    """Restore into the file `output`. On any failure or cancel nothing of it is left behind.

    Raises OutputError, DamageError, UnreadableError, NoSuchTargetError, Cancelled.
    """
    report, cancel = report or Reporter(), cancel or CancelToken()
    began = time.monotonic()
    out.check_output(plan_.source, output, force=force)
    plan_ = settle(plan_, report, cancel)
    out.check_space(output, plan_.database_size or 0)
    for note in plan_.notes:
        report.log(note, "warning")
    with out.Output(output, force=force) as target:
        file = PageFile(target.fd)
        try:
            size = _merge(plan_, file, report, cancel)
            report.phase("write to disk")
            file.finish(size)
        except DamageError as error:
            raise explain(plan_, error, report, cancel) from None
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
    report.log(f"restored {plan_.position or plan_.generation} to {output}: {format_size(size)}")
    return RestoreResult(
        plan_,
        output,
        size,
        time.monotonic() - began,
        plan_.bytes_to_read,
        file.pages_written,
        checked,
        mode,
        owner,
        tuple(moved),
        out.next_steps(output, mode, owner, moved),
    )


def _merge(plan_: RestorePlan, file: PageFile, report: Reporter, cancel: CancelToken) -> int:
    """Snapshot and WALs into the file. Returns the size that the database has at the plan's position, in bytes."""
    replica, snapshot = plan_.replica, plan_.snapshot
    path = replica.storage.path(replica.snapshot_path(snapshot))
    report.phase("snapshot", plan_.database_size or 0)
    with prefetched(replica.read_snapshot_file(snapshot)) as blocks:
        head, first = snapshot_header(blocks, path, snapshot.index)
        file.page_size = head.page_size
        file.append(first)
        for block in blocks:
            cancel.check()
            file.append(block)
            report.advance(file.size)
    pages = check_snapshot_size(file.size, head.page_size, path, snapshot.index)
    if not len(plan_.wals):
        return file.size
    chain = Chain(plan_.generation, snapshot.index, head.page_size, pages)
    end = plan_.position.offset if int(plan_.wals.index[-1]) == plan_.position.index else None
    report.phase("WAL", _wal_bytes(plan_))
    done = 0
    with prefetched(read_batches(replica, plan_.wals, end)) as batches:
        for batch in batches:
            cancel.check()
            block_ = chain.check(batch)
            file.apply(batch, block_)
            done += batch.frames.nbytes
            report.advance(done)
            batch.release()
    return chain.page_count * head.page_size


def _wal_bytes(plan_: RestorePlan) -> int:
    """How many bytes of WAL there will be, uncompressed: known from names for all but the last segment of an index."""
    table = plan_.wals
    if (table.form == WHOLE).all():
        return int(table.size.sum())
    if not (table.form == SEGMENT).all():
        return 0
    last = np.append(table.index[1:] != table.index[:-1], True)
    return int(table.offset[last].sum())


__all__ = ["RestorePlan", "RestoreResult", "Target", "check_output", "explain", "plan", "run", "settle"]
check_output = out.check_output
