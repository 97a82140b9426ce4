"""Do the files of a v0.5 replica that hold the same transactions hold the same pages?

Nothing in an LTX file says which file comes before it (FORMAT-v0.5-ltx, section 1.5), so that a wrong one shows only by
another that says the same: a compacted file by the files of lower levels that it was made of, a snapshot by the way
that leads to its TXID without it. Where no file ends there (those of level 0 live for minutes), both ways go on side by
side to the next TXID that both reach. A snapshot may be ahead of its TXID (those of Litestream 0.5.5 are, under load):
then the files after it bring what it holds too early, and the difference ends.

Of each page 8 bytes of hash are kept: in each way that is followed, and in each compacted file until it is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import xxhash

from litetui.format.ltx import PageBatch
from litetui.format.pagehash import U64
from litetui.ops import pagediff
from litetui.ops.pagediff import Pages
from litetui.replica.ltx import SNAPSHOTS, LTXTable

U32 = npt.NDArray[np.uint32]
_BEHIND = 3  # ways that wait for the next TXID: snapshots that follow each other without a file's end in between
_SMALL = 1 << 16


@dataclass(frozen=True, slots=True)
class Difference:
    """Files that contradict each other at a TXID.

    row      the compacted file, or the file that the newer way begins with
    others   the lower files, in order, or the one that the other way begins with
    pages    those that differ, numbers from 1
    direct   whether it is the file `row` itself that was compared, not a state that rests on it
    ended    the TXID from which on both ways are the same again; 0 where they never are
    """

    row: int
    others: tuple[int, ...]
    txid: int
    pages: Pages
    direct: bool
    ended: int = 0


class Content:
    """What one file holds: page numbers, ascending, and a hash of each."""

    def __init__(self) -> None:
        self._pages: list[U32] = []
        self._hashes: list[U64] = []
        self.commit = 0

    def add(self, batch: PageBatch) -> None:
        of = xxhash.xxh3_64_intdigest
        self._pages.append(batch.pages)
        self._hashes.append(np.fromiter(map(of, batch.images), np.uint64, len(batch.pages)))

    @property
    def pages(self) -> U32:
        return np.concatenate(self._pages) if self._pages else np.zeros(0, np.uint32)

    @property
    def hashes(self) -> U64:
        return np.concatenate(self._hashes) if self._hashes else np.zeros(0, np.uint64)


def reading_order(table: LTXTable) -> list[int]:
    """The rows by their last TXID, then by level: the files that a compaction or a snapshot was made of come before
    it, and those of a restore's chain in its order."""
    order: list[int] = np.lexsort((~table.min_txid, table.level, table.max_txid)).tolist()
    return order


def originals(table: LTXTable) -> dict[int, list[int]]:
    """For each compacted file (levels 1 to 8) the files of lower levels that together hold just its transactions, as
    far as they are all there; of the highest level that has the next one."""
    begins: dict[tuple[int, int], list[int]] = {}
    for row, key in enumerate(zip(table.level.tolist(), table.min_txid.tolist(), strict=True)):
        begins.setdefault(key, []).append(row)  # their last TXIDs ascend
    found = {}
    for row in np.flatnonzero((table.level > 0) & (table.level < SNAPSHOTS)).tolist():
        at, last = int(table.min_txid[row]), int(table.max_txid[row])
        parts: list[int] = []
        while at <= last:
            part = _next_part(table, begins, int(table.level[row]), at, last)
            if part is None:
                break
            parts.append(part)
            at = int(table.max_txid[part]) + 1
        if at == last + 1:
            found[row] = parts
    return found


def _next_part(
    table: LTXTable, begins: dict[tuple[int, int], list[int]], below: int, first: int, last: int
) -> int | None:
    for level in reversed(range(below)):
        fitting = [row for row in begins.get((level, first), ()) if int(table.max_txid[row]) <= last]
        if fitting:
            return fitting[-1]
    return None


class _Merge:
    """The newest hash of each page of some files, one after the other."""

    def __init__(self) -> None:
        self._parts: list[tuple[U32, U64]] = []
        self._count = self._settled = 0
        self.commit = 0

    def add(self, content: Content) -> None:
        self._parts.append((content.pages, content.hashes))
        self._count += len(self._parts[-1][0])
        self.commit = content.commit
        if self._count > 2 * self._settled + _SMALL:
            self._parts = [self.merged()]
            self._count = self._settled = len(self._parts[0][0])

    def merged(self) -> tuple[U32, U64]:
        pages = np.concatenate([p for p, _ in self._parts])[::-1]
        hashes = np.concatenate([h for _, h in self._parts])[::-1]
        numbers, newest = np.unique(pages, return_index=True)
        return numbers, hashes[newest]

    def differing(self, content: Content) -> Pages:
        """The pages that a compaction of these files holds otherwise than `content`; it drops those behind the end."""
        numbers, hashes = self.merged()
        keep = numbers <= self.commit
        numbers, hashes = numbers[keep], hashes[keep]
        pages, theirs = content.pages, content.hashes
        _, a, b = np.intersect1d(numbers, pages, assume_unique=True, return_indices=True)
        wrong = [numbers[a[hashes[a] != theirs[b]]], np.setxor1d(numbers, pages, assume_unique=True)]
        if self.commit != content.commit:
            low, high = sorted((self.commit, content.commit))
            wrong.append(np.array([low + 1, high], np.uint32))
        return np.unique(np.concatenate(wrong)).astype(np.int64)


class _Way:
    """The database after some TXID, as a hash of each page (0: no file has brought it), by way of some files; and the
    differences from other ways that are there still."""

    def __init__(self, base: int, content: Content, txid: int) -> None:
        self.base = base
        self.open: list[Difference] = []
        self._room = np.zeros(0, np.uint64)
        self._commit = 0
        self.txid = 0
        self.go_on(content, txid)

    @property
    def hashes(self) -> U64:
        return self._room[: self._commit]

    def goes_on(self, content: Content, first: int, last: int) -> list[Difference]:
        """Go on to the TXID `last`, if a file that begins with `first` follows here and brings what it grows by.
        Returns the differences that have ended with it."""
        grown = content.commit - self._commit
        if first > self.txid + 1 or last <= self.txid or int((content.pages > self._commit).sum()) < grown - 1:
            return []  # the lock page is never there
        self.go_on(content, last)
        open_, ended = [], []
        for one in self.open:
            left = one.pages[(one.pages <= content.commit) & ~np.isin(one.pages, content.pages)]
            if len(left):
                open_.append(replace(one, pages=left))
            else:
                ended.append(replace(one, ended=last))
        self.open = open_
        return ended

    def go_on(self, content: Content, txid: int) -> None:
        commit = content.commit
        if commit > len(self._room):
            more = max(commit - len(self._room), len(self._room) // 8)
            self._room = np.concatenate([self._room, np.zeros(more, np.uint64)])
        self._room[commit : self._commit] = 0
        self._room[content.pages.astype(np.int64) - 1] = content.hashes
        self._commit, self.txid = commit, txid


@dataclass(slots=True)
class Ways:
    """Compares the files of a table, which are given one after the other in `reading_order`, whole and proved."""

    table: LTXTable
    _originals: dict[int, list[int]] = field(init=False)
    _wanted: dict[int, list[int]] = field(init=False)
    _merges: dict[int, _Merge] = field(init=False, default_factory=dict)
    _way: _Way | None = field(init=False, default=None)
    _behind: list[_Way] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._originals = originals(self.table)
        self._wanted = {}
        for row, parts in self._originals.items():
            for part in parts:
                self._wanted.setdefault(part, []).append(row)

    def lose(self, row: int) -> None:
        """This file is damaged, or could not be read."""
        for parent in (row, *self._wanted.get(row, ())):
            self._originals.pop(parent, None)
            self._merges.pop(parent, None)

    def add(self, row: int, content: Content) -> list[Difference]:
        """The next file. Returns what it contradicts; differences between ways only when they have ended."""
        found = []
        parts = self._originals.get(row)
        if parts is not None and len(pages := self._merges.pop(row).differing(content)):
            found.append(Difference(row, tuple(parts), int(self.table.max_txid[row]), pages, True))
        for parent in self._wanted.get(row, ()):
            if parent in self._originals:
                self._merges.setdefault(parent, _Merge()).add(content)
        first, last = int(self.table.min_txid[row]), int(self.table.max_txid[row])
        return found + (self._base(row, content, last) if first == 1 else self._step(content, first, last))

    def _base(self, row: int, content: Content, last: int) -> list[Difference]:
        """A file of the whole database: another way, if no file has led to its TXID yet."""
        new = _Way(row, content, last)
        if self._way is None:
            self._way = new
        elif self._way.txid < last:
            dropped = self._behind[: 1 - _BEHIND]
            self._behind = [*self._behind[1 - _BEHIND :], self._way]
            self._way = new
            return [one for way in dropped for one in way.open]
        elif row not in self._originals:
            self._way.open += self._compared(new, self._way, direct=True)
        return []

    def _step(self, content: Content, first: int, last: int) -> list[Difference]:
        if self._way is None:
            return []
        ended = [one for way in (self._way, *self._behind) for one in way.goes_on(content, first, last)]
        for way in self._behind:
            if way.txid == self._way.txid:
                self._way.open += way.open + self._compared(self._way, way, direct=False)
        self._behind = [way for way in self._behind if way.txid != self._way.txid]
        return ended

    def finish(self) -> list[Difference]:
        """What is different to the end."""
        return [one for way in (self._way, *self._behind) if way is not None for one in way.open]

    def _compared(self, one: _Way, other: _Way, *, direct: bool) -> list[Difference]:
        pages = pagediff.differing(one.hashes, other.hashes)
        return [Difference(one.base, (other.base,), one.txid, pages, direct)] if len(pages) else []
