"""The files that a retention keeps or deletes: groups of one folder and one reason, and single files made on demand.

A replica may hold a million WAL files, so the groups are rows of columns; nothing is made for a file before somebody
asks for it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Literal, overload

import numpy as np

from litetui.replica.catalog import I64, Rows, WALTable
from litetui.replica.types import SnapshotInfo

Kind = Literal["snapshot", "wal"]


@dataclass(frozen=True, slots=True)
class Item:
    """One file: its path in the replica, and why it goes or stays."""

    path: str
    size: int
    reason: str
    generation: str
    index: int
    kind: Kind
    created_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Files of one folder that go or stay for the same reason, in order: `rows` of `files`. Never empty."""

    generation: str
    reason: str
    files: tuple[SnapshotInfo, ...] | WALTable = field(repr=False)
    rows: Rows = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def kind(self) -> Kind:
        return "wal" if isinstance(self.files, WALTable) else "snapshot"

    @property
    def folder(self) -> str:
        """The folder of the files, relative to the replica."""
        return f"generations/{self.generation}/{'wal' if self.kind == 'wal' else 'snapshots'}"

    @property
    def indexes(self) -> tuple[int, int]:
        """The lowest and the highest index."""
        if isinstance(self.files, WALTable):
            own = self.files.index[self.rows]
            return int(own.min()), int(own.max())
        known = [self.files[row].index for row in self.rows.tolist()]
        return min(known), max(known)

    @property
    def sizes(self) -> I64:
        if isinstance(self.files, WALTable):
            return self.files.size[self.rows]
        return np.array([self.files[row].size for row in self.rows.tolist()], np.int64)

    @property
    def times(self) -> I64:
        if isinstance(self.files, WALTable):
            return self.files.mtime_ns[self.rows]
        return np.array([self.files[row].created_ns for row in self.rows.tolist()], np.int64)

    def names(self) -> list[str]:
        if isinstance(self.files, WALTable):
            return self.files.names_of(self.rows)
        return [self.files[row].name for row in self.rows.tolist()]

    def item(self, at: int) -> Item:
        info = self.files[int(self.rows[at])]
        path = f"{self.folder}/{info.name}"
        return Item(path, info.size, self.reason, self.generation, info.index, self.kind, info.created_ns)

    def only(self, mask: np.ndarray) -> Group:
        return replace(self, rows=self.rows[mask])


class Items(Sequence[Item]):
    """Files in order, as groups; a single one is made when it is asked for."""

    def __init__(self, groups: Iterable[Group] = ()) -> None:
        self.groups = tuple(g for g in groups if len(g))
        self._ends = list(accumulate(len(g) for g in self.groups))

    @property
    def bytes(self) -> int:
        return sum(int(g.sizes.sum()) for g in self.groups)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[Item]:
        for group in self.groups:
            for at in range(len(group)):
                yield group.item(at)

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, at: int | slice) -> Item | tuple[Item, ...]:
        if isinstance(at, slice):
            return tuple(self[n] for n in range(*at.indices(len(self))))
        at = at + len(self) if at < 0 else at
        if not 0 <= at < len(self):
            raise IndexError(at)
        which = bisect_right(self._ends, at)
        return self.groups[which].item(at - (self._ends[which - 1] if which else 0))

    def __repr__(self) -> str:
        return f"<{len(self)} files, {self.bytes} bytes>"


def files_of(
    generation: str,
    snapshots: Sequence[SnapshotInfo],
    table: WALTable,
    low: int,
    high: int,
    reason: str,
    *,
    deletion: bool = False,
) -> Iterator[Group]:
    """The snapshots and WAL files of the indexes from `low` up to, not with, `high`.

    For a deletion within an index the highest offset comes first: as long as its first segment is there, Litestream
    0.3.13 restores (FORMAT-v0.3, section 10).
    """
    rows = [row for row, s in enumerate(snapshots) if low <= s.index < high]
    if rows:
        yield Group(generation, reason, tuple(snapshots), np.array(rows, np.intp))
    start, stop = row_at(table, low), row_at(table, high)
    if start < stop:
        wals = np.arange(start, stop)
        yield Group(generation, reason, table, wals[np.lexsort((-wals, table.index[wals]))] if deletion else wals)


def row_at(table: WALTable, index: int) -> int:
    """The first row whose index is not below this one."""
    if index > int(table.index[-1]) if len(table) else True:
        return len(table)
    return int(table.index.searchsorted(np.uint32(max(0, index))))
