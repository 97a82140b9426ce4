"""Which states restore, by the names, sizes and times of files: one rule for the timeline, the window and the restore
points around a time. Pure.

The end of a WAL file restores if a snapshot leads to it: from the snapshot's index on no index is missing, each begins
with its first segment, and no file is empty. It counts from the time of the first snapshot that leads to it: as
Litestream has it, a time is never restored from a snapshot that is newer (FORMAT-v0.3, section 6). Of the files of that
snapshot's own WAL that are older, as is usual after a retention, only the last is a state that a time gives.
"""

from __future__ import annotations

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
        self._opener = np.maximum.accumulate(np.where(starts & ((earlier < 0) | (earlier < broken)), rows, -1))
        self.lost = ~self.reached
        if self._begun:
            self.reached[-1] = self.lost[-1] = False

    def points(self, row_x: Any, snapshot_x: Any) -> tuple[Any, Any]:
        """The rows whose ends are restore points, and the place of every row where its state counts, ascending.

        `row_x` are the rows' times, ascending, or their places in order; `snapshot_x` those of the snapshots.
        """
        opens = np.zeros(len(self.index), np.int64)
        opens[self._at[self._there]] = snapshot_x[self._there]
        since = np.where(self.reached, opens[self._opener], row_x)
        late = self.reached & (row_x < since)
        passed = np.zeros(len(late), bool)  # the state of the next row is the one that counts then
        passed[:-1] = late[:-1] & self.reached[1:] & (self._opener[1:] == self._opener[:-1])
        passed[:-1] &= row_x[1:] <= since[:-1]
        return np.flatnonzero(self.reached & ~passed), np.maximum.accumulate(np.where(late, since, row_x))


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


def _points(table: WALTable, snapshots: Sequence[SnapshotInfo]) -> tuple[Any, Any]:
    """Those that are snapshots, then the ends of WAL files: at the same time the state of the WAL counts."""
    sound = [s for s in snapshots if s.size > 0]
    index, created = (np.array([getattr(s, name) for s in sound], np.int64) for name in ("index", "created_ns"))
    ways = Ways(table, index)
    rows, row_ns = ways.points(np.maximum.accumulate(table.mtime_ns), created)
    return np.concatenate([created, row_ns[rows]]), np.concatenate([index, ways.index[rows]])


def window(table: WALTable, snapshots: Sequence[SnapshotInfo], *, complete: bool) -> TimeRange | None:
    """From the first to the last time that restores, by names; None where nothing does. `complete`: nothing is missing
    from the newest snapshot to the newest file, which saves the search."""
    starts = [s.created_ns for s in snapshots if s.size > 0]
    if not starts:
        return None
    if complete and (not len(table) or table.size[-1]):
        newest = int(table.mtime_ns.max()) if len(table) else 0
        return TimeRange(min(starts), max(newest, *starts, 0))
    times, _ = _points(table, snapshots)
    return TimeRange(int(times.min()), int(times.max()))


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
