"""The restore plan of a v0.5 replica: which LTX files lead to a target, as Litestream 0.5.17 chooses them.

From the newest snapshot that is eligible on, each time the file that reaches furthest of those that follow on, whatever
its level (FORMAT-v0.5-ltx, section 4). Where Litestream ends a restore at a gap without a word, this is an error.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from litetui.errors import DamageError, LitetuiError, NoSuchTargetError, UnreadableError
from litetui.ops.target import Target
from litetui.replica.ltx import SNAPSHOTS, LTXReplica, LTXTable
from litetui.replica.types import LTXInfo
from litetui.units import format_size, format_time, printable

_OPERATION = "restore"
_MS = 1_000_000  # times are strict: the state of a file is that of a millisecond later


@dataclass(frozen=True, slots=True)
class LTXPlan:
    """What a restore from LTX files will read, and which state that gives.

    chain          the files, in order; together they hold every transaction up to `txid`
    until_ns       the time of the last of them
    database_size  bytes to expect, None before `settle`
    left_out       what the replica holds after the target, in words; "" where that is nothing
    fault          why the plan cannot be run
    """

    replica: LTXReplica = field(repr=False)
    target: Target
    chain: tuple[LTXInfo, ...] = field(repr=False)
    txid: int
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
        return f"{self.txid:016x}"

    @property
    def file_count(self) -> int:
        return len(self.chain)

    @property
    def bytes_to_read(self) -> int:
        return sum(info.size for info in self.chain)

    def files(self) -> Iterator[str]:
        """Paths of the files in the order of reading, relative to the replica."""
        return (self.replica.file_path(info) for info in self.chain)

    def command(self, output: str, integrity_check: str = "quick") -> str:
        """The command line that does the same, the TXID resolved where it leads to the same."""
        # Damage, which --txid does not go around; before the files are read it may lie anywhere.
        around = self.target.last_good and (self.notes or not self.settled)
        target = ["--to-last-good"] if around else ["--txid", self.place]
        words = ["litetui", "restore", printable(self.source), "-o", printable(output), *target]
        words += [] if integrity_check == "quick" else ["--integrity-check", integrity_check]
        return shlex.join(words)


def plan(replica: LTXReplica, target: Target) -> LTXPlan:
    """Which files lead to the target. Raises NoSuchTargetError, UnreadableError, DamageError (a gap)."""
    for finding in replica.problems():
        raise UnreadableError("read", finding.message.removeprefix("cannot read: "), hint=finding.hint)
    table = replica.table
    if not len(table):
        raise NoSuchTargetError(
            _OPERATION,
            "the replica holds no LTX files",
            path=replica.path,
            hint="Litestream has written nothing here yet",
        )
    if target.timestamp_ns is not None:
        _check_time(replica, target.timestamp_ns)
    return plan_from(replica, table, target)


def anew(plan_: LTXPlan) -> LTXPlan:
    """The plan to the same target with the files that are there now. Raises as `plan` does."""
    plan_.replica.refresh(anew=True)
    return plan(plan_.replica, plan_.target)


def plan_from(replica: LTXReplica, table: LTXTable, target: Target) -> LTXPlan:
    """The plan with the files of a table alone."""
    eligible = table
    if target.txid is not None:
        eligible = eligible.take(eligible.max_txid <= np.uint64(target.txid))
    if target.timestamp_ns is not None:
        eligible = eligible.take(eligible.time_ns < target.timestamp_ns)
    rows = chain_of(eligible)
    reached = int(eligible.max_txid[rows[-1]]) if rows else 0
    notes = _check_reached(replica, table, eligible, target, reached)
    chain = tuple(eligible[row] for row in rows)
    if replica.copied and target.timestamp_ns is not None:
        notes.append(
            "the files' times are not Litestream's (the replica was copied without them): those in their headers count"
        )
    return LTXPlan(replica, target, chain, reached, chain[-1].time_ns, left_out(table, reached), tuple(notes))


def chain_of(table: LTXTable) -> list[int]:
    """The rows of the chain, in order: from the last snapshot (level 9) on, each time of the files that follow on the
    one that reaches furthest; among equals the one that begins first, then the higher level, then the older one."""
    snapshots = np.flatnonzero(table.level == SNAPSHOTS)
    rows, reached = [], 0
    if len(snapshots):
        rows, reached = [int(snapshots[-1])], int(table.max_txid[snapshots[-1]])
    others = np.flatnonzero((table.level < SNAPSHOTS) & (table.max_txid > np.uint64(reached)))
    others = others[np.argsort(table.min_txid[others], kind="stable")]
    starts = table.min_txid[others].tolist()
    keys = list(
        zip(
            table.max_txid[others].tolist(),
            (-np.array(starts, np.object_)).tolist(),
            table.level[others].tolist(),
            (-table.time_ns[others]).tolist(),
            strict=True,
        )
    )
    best, at = -1, 0
    while True:
        while at < len(starts) and starts[at] <= reached + 1:
            if best < 0 or keys[at] > keys[best]:
                best = at
            at += 1
        if best < 0 or keys[best][0] <= reached:
            return rows
        rows.append(int(others[best]))
        reached = keys[best][0]


def _check_time(replica: LTXReplica, ns: int) -> None:
    span = replica.times
    assert span is not None
    if ns in span:
        return
    first = (_first_time(replica.table) or span.start_ns) + _MS
    raise NoSuchTargetError(
        _OPERATION,
        f"no file of the replica reaches {format_time(ns)}: they are from {format_time(span.start_ns)} to "
        f"{format_time(span.end_ns)}",
        path=replica.path,
        hint=f"the first restore point: --timestamp {format_time(first)}"
        if ns < span.start_ns
        else "restore the latest: leave --timestamp away; where that is damaged: --to-last-good",
    )


def _check_reached(replica: LTXReplica, table: LTXTable, eligible: LTXTable, target: Target, reached: int) -> list[str]:
    """What was asked for must be reached, and nothing may lie behind a gap. Returns what there is to say.

    Before a TXID or a time there may be files that do not follow on, where those in between were compacted into later
    ones: in a sound replica too, so it is no damage."""
    beyond = eligible.min_txid[eligible.max_txid > np.uint64(reached)]
    if reached and (target.txid == reached or target.last_good):
        return []
    only_later = ""
    if len(beyond):
        gap = int(beyond.min())
        if _furthest(table) < gap - 1:
            raise _gap(replica, reached, gap)
        only_later = f"TXIDs {reached + 1:016x} to {gap - 1:016x} are only in later, compacted files"
    if target.txid is not None:
        raise _no_txid(replica, table, target.txid, reached, only_later or "no file ends with it")
    if not reached:
        first = _first_time(table)
        raise NoSuchTargetError(
            _OPERATION,
            f"no restore point lies before {format_time(target.timestamp_ns or 0)}",
            path=replica.path,
            hint=f"the first one: --timestamp {format_time(first + _MS)}" if first else "restore the latest",
        )
    return [f"{only_later}: {reached:016x} is the last restore point before that time"] if only_later else []


def _gap(replica: LTXReplica, reached: int, gap: int) -> DamageError:
    """Files are missing, and no others hold what was in them."""
    last = f"{reached:016x} is the last TXID that can be reached" if reached else "no file begins with the first TXID"
    return DamageError(
        _OPERATION,
        f"the LTX files from {reached + 1:016x} to {gap - 1:016x} are missing: {last}",
        code="ltx-gap",
        path=replica.path,
        hint=to_last_good(replica) if reached else "nothing can be restored: copy the replica before anything else",
    )


def _furthest(table: LTXTable) -> int:
    """The last TXID that all files together reach."""
    rows = chain_of(table)
    return int(table.max_txid[rows[-1]]) if rows else 0


def _no_txid(replica: LTXReplica, table: LTXTable, txid: int, before: int, why: str) -> NoSuchTargetError:
    """A TXID inside a compacted file, or one that the replica does not have: with the nearest ones that it has."""
    following = (table.max_txid > np.uint64(txid)) & (table.min_txid <= np.uint64(before + 1))
    after = int(table.max_txid[following].min()) if following.any() else 0
    points = [f"{point:016x}" for point in (before, after) if point]
    return NoSuchTargetError(
        _OPERATION,
        f"TXID {txid:016x} is no restore point: {why}; the nearest are {' and '.join(points) or 'none'}",
        path=replica.path,
        hint=f"--txid {points[0]}" if points else "litetui ltx REPLICA --level all",
    )


def _first_time(table: LTXTable) -> int | None:
    """The time of the first state that can be restored."""
    snapshots = table.time_ns[table.min_txid == 1]
    return int(snapshots.min()) if len(snapshots) else None


def to_last_good(replica: LTXReplica) -> str:
    """The command that restores what the sound files lead to."""
    return f"litetui restore {shlex.quote(printable(replica.path))} -o OUT --to-last-good"


def left_out(table: LTXTable, reached: int) -> str:
    """What a replica holds after a TXID, in words; "" where that is nothing."""
    after = table.take(table.max_txid > np.uint64(reached))
    if not len(after):
        return ""
    last = int(after.max_txid.max())
    return (
        f"{len(after)} newer LTX file{'s' if len(after) > 1 else ''}, {format_size(int(after.size.sum()))}, up to TXID "
        f"{last:016x}"
    )
