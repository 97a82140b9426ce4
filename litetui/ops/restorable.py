"""Which states restore, by the names, sizes and times of files: one rule for the timeline, the window and the restore
points around a time. Pure.

The end of a WAL file restores if a snapshot leads to it: from the snapshot's index on no index is missing, each begins
with its first segment, and no file is empty. It counts from the time of the first snapshot that leads to it: as
Litestream has it, a time is never restored from a snapshot that is newer (FORMAT-v0.3, section 6). Of the files of that
snapshot's own WAL that are older, as is usual after a retention, only the last is a state that a time gives. And of
files whose times run backwards, as where a WAL is compressed after the next one began, a time gives only the last: it
takes the last file in order of position that is not newer, and a snapshot alone where none is of its index or later.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from litetui.replica.catalog import WHOLE, WALTable
from litetui.replica.types import SnapshotInfo, TimeRange


class Ways:
    """Which rows of a table can be reached, and what breaks the way to those that cannot; columns of its length.

    index      of each row, as int64
    jump       an index before the row is missing
    headless   the first segment of its WAL is missing
    empty      the file has no content
    damaged    as far as a check has read; set with `damage`
    reached    whether a snapshot leads to the end of the row's file
    openers    of a row that is reached: the first row of the WAL of the first snapshot that leads there
    lost       the opposite; a newest whole WAL that has just begun is neither
    """

    def __init__(self, table: WALTable, snapshot_index: Any) -> None:
        self.table, self.index = table, table.index.astype(np.int64)
        n = len(table)
        first = np.ones(n, bool)
        first[1:] = self.index[1:] != self.index[:-1]
        self.jump = np.zeros(n, bool)
        self.jump[1:] = self.index[1:] > self.index[:-1] + 1
        self.headless = first & (table.offset != 0)
        self.empty = table.size == 0
        self._begun = n > 0 and bool(self.empty[-1]) and int(table.form[-1]) == WHOLE
        self.empty[-1:] &= not self._begun
        self._snapshot_index = snapshot_index
        self._at = np.searchsorted(self.index, snapshot_index)
        self._there = self._at < n
        self._there[self._there] = self.index[self._at[self._there]] == snapshot_index[self._there]
        self._starts = np.zeros(n, bool)
        self._starts[self._at[self._there]] = True
        self.damage(np.zeros(n, bool))

    def damage(self, damaged: Any) -> None:
        """Take rows out that are known to be damaged, and what only they lead to."""
        rows = np.arange(len(self.index))
        self.damaged = damaged
        hard = self.headless | self.empty | damaged
        starts = self._starts & ~hard
        start = np.maximum.accumulate(np.where(starts, rows, -1))
        broken = np.maximum.accumulate(np.where(hard | self.jump, rows, -1))
        self.reached = ~hard & (start >= 0) & (start >= broken)
        earlier = np.concatenate([[-1], start[:-1]])
        self.openers = np.maximum.accumulate(np.where(starts & ((earlier < 0) | (earlier < broken)), rows, -1))
        self.lost = ~self.reached
        if self._begun:
            self.reached[-1] = self.lost[-1] = False

    def opener(self) -> int | None:
        """The index of the first snapshot that leads to the last row, None where none does."""
        row = int(self.openers[-1]) if len(self.index) else -1
        return int(self.index[row]) if row >= 0 else None

    def points(self, row_x: Any, snapshot_x: Any) -> tuple[Any, Any]:
        """The rows whose ends are restore points, and the place of every row where its state counts, ascending.

        `row_x` are the rows' times as `until_later` has them, or their places in order; `snapshot_x` those of the
        snapshots.
        """
        opens = np.zeros(len(self.index), np.int64)
        opens[self._at[self._there]] = snapshot_x[self._there]
        since = np.where(self.reached, opens[self.openers], row_x)
        late = self.reached & (row_x < since)
        passed = np.zeros(len(late), bool)  # the state of the next row is the one that counts then
        passed[:-1] = late[:-1] & self.reached[1:] & (self.openers[1:] == self.openers[:-1])
        passed[:-1] &= row_x[1:] <= since[:-1]
        return np.flatnonzero(self.reached & ~passed), until_later(np.where(late, since, row_x))

    def by_time(self, created: Any) -> tuple[Any, Any, Any]:
        """Which rows a time gives, and since when each; and which snapshots, created then, alone. Ascending."""
        times = until_later(self.table.mtime_ns)
        rows, since = self.points(times, created)
        following = np.append(times[1:], np.iinfo(np.int64).max)
        if self._begun:  # its state is that of the row before
            following[-2:-1] = following[-1]
        rows = rows[since[rows] < following[rows]]
        last = np.searchsorted(times, created, "right") - 1  # the row that a time takes; -1: none
        taken = np.append(self.index, -1)
        if self._begun:
            taken[-2] = taken[-3] if len(taken) > 2 else -1
        return rows, since[rows], np.flatnonzero(taken[last] < self._snapshot_index)


def until_later(times_ns: Any) -> Any:
    """Times in order of position, each at most those that come later: what is older counts no more from there on."""
    return np.minimum.accumulate(times_ns[::-1])[::-1]


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """A state that the replica's files lead to, by their names; `time_ns` is the first time that gives it."""

    generation: str
    index: int
    time_ns: int


def points_of(table: WALTable, snapshots: Sequence[SnapshotInfo]) -> tuple[Any, Any]:
    """The restore points of a generation, ascending by time: their times, and their indexes."""
    times, indexes = _points(table, snapshots)
    order = np.argsort(times, kind="stable")
    return times[order], indexes[order]


def _ways(table: WALTable, snapshots: Sequence[SnapshotInfo]) -> tuple[Ways, Any, Any]:
    """The ways from the snapshots that hold something, and the indexes and times of these."""
    sound = [s for s in snapshots if s.size > 0]
    index, created = (np.array([getattr(s, name) for s in sound], np.int64) for name in ("index", "created_ns"))
    return Ways(table, index), index, created


def _points(table: WALTable, snapshots: Sequence[SnapshotInfo]) -> tuple[Any, Any]:
    """Those that are snapshots, then the ends of WAL files."""
    ways, index, created = _ways(table, snapshots)
    rows, row_ns, alone = ways.by_time(created)
    return np.concatenate([created[alone], row_ns]), np.concatenate([index[alone], ways.index[rows]])


def window(table: WALTable, snapshots: Sequence[SnapshotInfo], *, complete: bool) -> TimeRange | None:
    """From the first to the last time that restores, by names; None where nothing does. `complete`: nothing is missing
    from the newest snapshot to the newest file, which saves the search."""
    sound = [s for s in snapshots if s.size > 0]
    if complete and sound and len(table) and table.size[-1]:
        own, end_ns, last = table.rows_of(sound[0].index), int(table.mtime_ns[-1]), int(table.index[-1])
        begins = not own or (not table.offset[own.start] and bool(table.size[own.start : own.stop].all()))
        if begins and not any(s.created_ns > end_ns and s.index <= last for s in sound):
            starts = [s.created_ns for s in sound]
            return TimeRange(min(starts), max(end_ns, *starts))
    times, _ = _points(table, snapshots)
    return TimeRange(int(times.min()), int(times.max())) if len(times) else None


def windows(table: WALTable, snapshots: Sequence[SnapshotInfo]) -> list[tuple[int, int, TimeRange]]:
    """The spans of restore points without a hole, by names: the first and the last index of each, ascending, and its
    times."""
    ways, index, created = _ways(table, snapshots)
    rows, since, alone = ways.by_time(created)
    openers = ways.openers[rows]
    edges = np.flatnonzero(np.diff(openers, prepend=-1, append=-1))
    found = []
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        first, row = int(ways.index[openers[begin]]), int(rows[end - 1])
        start_ns = min(int(since[begin]), int(created[index == first][0]))
        whole = row + 1 == len(table) or int(ways.index[row + 1]) > int(ways.index[row])
        found.append((first, int(ways.index[row]), whole, start_ns, int(since[end - 1])))
    for own, ns in zip(index[alone].tolist(), created[alone].tolist(), strict=True):
        at = bisect.bisect_right(found, own, key=lambda span: span[0]) - 1
        if at >= 0 and own == found[at][1] + 1 and found[at][2]:  # the state that the span before it ends with
            first, _, _, start_ns, end_ns = found[at]
            found[at] = (first, own, False, start_ns, max(end_ns, ns))
        elif at < 0 or own > found[at][1]:
            found.insert(at + 1, (own, own, False, ns, ns))
    return [(first, last, TimeRange(start_ns, end_ns)) for first, last, _, start_ns, end_ns in found]


def around(
    generations: Iterator[tuple[WALTable, Sequence[SnapshotInfo]]], ns: int
) -> tuple[RestorePoint | None, RestorePoint | None]:
    """The last restore point at or before a time and the first after it, of some generations."""
    before: RestorePoint | None = None
    after: RestorePoint | None = None
    for table, snapshots in generations:
        times, indexes = points_of(table, snapshots)
        at = int(np.searchsorted(times, ns, "right"))
        if at and (before is None or int(times[at - 1]) > before.time_ns):
            before = RestorePoint(table.generation, int(indexes[at - 1]), int(times[at - 1]))
        if at < len(times) and (after is None or int(times[at]) < after.time_ns):
            after = RestorePoint(table.generation, int(indexes[at]), int(times[at]))
    return before, after
