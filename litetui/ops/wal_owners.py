"""Whose pages the transactions of a WAL write: for each frame the table or index that its page belongs to when its
transaction has been committed.

The state at the end of the first transaction is restored into a scratch file, the others are applied to it one after
the other. A page changes hands only through the freelist or the end of the file, and both have their heads on page 1
(https://www.sqlite.org/fileformat2.html, section 1.3), so SQLite is asked anew only after transactions that write it.

One transaction of a database of 1 GB takes 6 to 8 s, nearly all of them for the restore.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from litetui.errors import ChangedError, NoSuchTargetError
from litetui.format import wal
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import reach, restore
from litetui.ops.frames import FrameTable, TransactionTable
from litetui.ops.owners import Labels, Owner, PageOwners, page_owners
from litetui.ops.pages import PageFile
from litetui.ops.states import scratch_state
from litetui.ops.target import Target
from litetui.ops.wals import Batch, read_index
from litetui.replica.file import FileReplica

U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OwnersCost:
    """What it takes to look at some transactions: stored bytes to read, the size of the scratch file, and how often
    SQLite looks through all of it."""

    bytes_to_read: int
    scratch_bytes: int
    looks: int

    @property
    def bytes_to_look_through(self) -> int:
        return self.scratch_bytes * self.looks


@dataclass(frozen=True, slots=True, eq=False)
class WALOwners:
    """The owners of a WAL's frames, as far as they were looked at.

    codes    numbers of `labels`, one for each frame; 0 where nobody has looked
    problem  why not all could be told, "" where all were
    """

    codes: U32
    labels: Labels = field(repr=False)
    problem: str = ""

    def of_frame(self, frame: int) -> Owner:
        return self.labels[int(self.codes[frame])]

    def looked_at(self, frame: int) -> bool:
        return bool(self.codes[frame])

    def resized(self, frames: int) -> WALOwners:
        """The same for so many frames: a WAL that is being written has more than when they were looked at."""
        if frames == len(self.codes):
            return self
        codes = np.zeros(frames, np.uint32)
        codes[: len(self.codes)] = self.codes[:frames]
        return replace(self, codes=codes)

    def groups(self, first: int, last: int, pages: U32) -> list[tuple[str, int]]:
        """How many pages of each table or index, or of none, the frames from first to last write; the most first."""
        own = np.unique(pages[first : last + 1].astype(np.int64) << 32 | self.codes[first : last + 1])
        counts: dict[str, int] = {}
        for code, n in zip(*np.unique(own & 0xFFFFFFFF, return_counts=True), strict=True):
            group = self.labels[int(code)].group
            counts[group] = counts.get(group, 0) + int(n)
        return sorted(counts.items(), key=lambda item: -item[1])

    def text(self, first: int, last: int, pages: U32) -> str:
        """The same in words: `users 12, by_name 3, freelist 1`; "" where nobody has looked."""
        if not self.looked_at(first):
            return ""
        return ", ".join(f"{group} {count}" for group, count in self.groups(first, last, pages))


def looks(frames: FrameTable, first: int, last: int) -> I64:
    """The transactions from first to last after which SQLite must be asked."""
    done = frames.transactions
    writes = np.flatnonzero(frames.pages[: int(done.last_frame[last]) + 1] == 1)
    at = np.searchsorted(done.last_frame, writes)
    return np.union1d([first], at[at >= first])


def cost(replica: FileReplica, frames: FrameTable, first: int = 0, last: int | None = None) -> OwnersCost:
    """What `wal_owners` will do, by names and frames alone. Raises as `restore.plan`."""
    done = frames.transactions
    last = len(done) - 1 if last is None else last
    plan = restore.plan(replica, _target(frames, done, last))
    size = int(done.database_pages[first : last + 1].max()) * frames.page_size
    return OwnersCost(plan.bytes_to_read, size, len(looks(frames, first, last)))


def wal_owners(
    replica: FileReplica,
    frames: FrameTable,
    first: int = 0,
    last: int | None = None,
    *,
    known: WALOwners | None = None,
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
    scratch: str | None = None,
) -> WALOwners:
    """Look at the transactions from `first` to `last` (None: all). `known`: what was found before, also when the WAL
    was shorter; the result has it too.

    The first transactions of a snapshot's own WAL may not be reachable, as the snapshot holds later ones: they stay as
    they are, and `problem` says so. Raises DamageError, NoSuchTargetError (nothing leads there), ChangedError,
    OutputError (no room for the scratch file), UnreadableError, Cancelled. The scratch file is gone in every case.
    """
    report, cancel = report or Reporter(), cancel or CancelToken()
    done = frames.transactions
    known = known or WALOwners(np.zeros(0, np.uint32), Labels())
    labels, codes = known.labels, known.resized(len(frames)).codes.copy()
    if not len(done):
        return WALOwners(codes, labels)
    last = len(done) - 1 if last is None else last
    plan, start = _first_reachable(replica, frames, first, last, report, cancel)
    problem = "" if start == first else _NOT_REACHED.format(end=int(done.end_offset[start]), index=frames.index)
    size = int(done.database_pages[start : last + 1].max()) * frames.page_size
    with scratch_state(plan, size, report, cancel, scratch) as (file, path):
        walk = _Walk(replica, frames, file, path, labels, report, cancel)
        found = walk.go(codes, start, last)
    return WALOwners(codes, labels, "; ".join(part for part in (problem, found) if part))


_NOT_REACHED = (
    "the snapshot of index {index:08x} was made after its first transactions: whose pages they write can be told from "
    "that on which ends at offset {end}"
)


def _target(frames: FrameTable, done: TransactionTable, transaction: int) -> Target:
    return Target(frames.generation, frames.index, int(done.end_offset[transaction]))


def _first_reachable(
    replica: FileReplica, frames: FrameTable, first: int, last: int, report: Reporter, cancel: CancelToken
) -> tuple[restore.RestorePlan, int]:
    """The plan to the end of a transaction, or of the first one after it that can be reached, and which that is.
    Raises NoSuchTargetError where none up to `last` can be."""
    done = frames.transactions
    target = _target(frames, done, first)
    try:
        return restore.settle(restore.plan(replica, target), report, cancel), first
    except NoSuchTargetError:
        own = [s for s in replica.snapshots(frames.generation) if s.index == frames.index]
        if not own:
            raise
        found = reach.prove(replica, own[0], int(done.end_offset[first]), report, cancel).first_reachable
        if found is None or found.offset > int(done.end_offset[last]):
            raise
    plan = restore.settle(restore.plan(replica, Target.at(found)), report, cancel)
    return plan, int(np.searchsorted(done.end_offset, found.offset))


class _Walk:
    """Takes the scratch file from the end of one transaction to the next, and asks SQLite where it must."""

    def __init__(
        self,
        replica: FileReplica,
        frames: FrameTable,
        file: PageFile,
        path: str,
        labels: Labels,
        report: Reporter,
        cancel: CancelToken,
    ) -> None:
        self.replica, self.frames, self.done = replica, frames, frames.transactions
        self.file, self.path, self.labels = file, path, labels
        self.report, self.cancel = report, cancel
        self.seen = 0  # bytes that were looked through

    def go(self, codes: U32, start: int, last: int) -> str:
        """Fill in the codes of the transactions from `start`, at whose end the file is. Returns the first problem."""
        stops = looks(self.frames, start, last)
        self.report.phase("look whose pages", int(self.done.database_pages[stops].sum()) * self.frames.page_size)
        owners = self._look(start)
        problem = owners.problem
        self._fill(codes, start, int(stops[1]) - 1 if len(stops) > 1 else last, owners)
        if len(stops) == 1:
            return problem
        ends = self.done.last_frame[stops] + 1
        at, k = int(ends[0]), 1  # frames that the file has, and the next look
        for batch, block in self._batches(int(self.done.end_offset[stops[-1]])):
            base = (batch.offset - wal.HEADER_SIZE) // batch.header.frame_size
            stop = base + len(block.pages)
            while at < stop:
                upto = min(stop, int(ends[k]))
                self._apply(batch, block, at - base, upto - base)
                at = upto
                if at == int(ends[k]):
                    owners = self._look(int(stops[k]))
                    problem = problem or owners.problem
                    k += 1
                    self._fill(codes, int(stops[k - 1]), int(stops[k]) - 1 if k < len(stops) else last, owners)
            batch.release()
        return problem

    def _batches(self, end: int) -> Iterator[tuple[Batch, wal.FrameBlock]]:
        """The WAL again, up to an offset, verified to hold the frames that it held. Raises ChangedError."""
        table = self.replica.wals(self.frames.generation)
        rows = self.replica.forms_of(table, self.frames.index)[0]
        state: tuple[int, int] | None = None
        for batch in read_index(self.replica, table, rows, end=end):
            self.cancel.check()
            block = wal.check_frames(batch.frames, batch.header, state or batch.header.checksum)
            state = block.state
            base = (batch.offset - wal.HEADER_SIZE) // batch.header.frame_size
            same = np.array_equal(block.pages, self.frames.pages[base : base + len(block.pages)])
            if block.fault or batch.header != self.frames.header or not same:
                cause = "the WAL is another one than when its frames were read"
                hint = "a writer is at work: read it again"
                raise ChangedError("read the WAL", cause, path=batch.path_at(batch.offset), hint=hint)
            yield batch, block

    def _apply(self, batch: Batch, block: wal.FrameBlock, first: int, stop: int) -> None:
        part = replace(batch, frames=batch.frames[first:stop])
        self.file.apply(part, replace(block, pages=block.pages[first:stop]))

    def _look(self, transaction: int) -> PageOwners:
        pages, before = int(self.done.database_pages[transaction]), self.seen

        def advance(done: int) -> None:
            self.report.advance(before + done * self.frames.page_size)

        found = page_owners(self.path, self.cancel, advance, labels=self.labels, pages=pages)
        self.seen = before + pages * self.frames.page_size
        return found

    def _fill(self, codes: U32, first: int, last: int, owners: PageOwners) -> None:
        a, b = int(self.done.first_frame[first]), int(self.done.last_frame[last]) + 1
        codes[a:b] = owners.of(self.frames.pages[a:b])
