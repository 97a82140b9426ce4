"""Look into one WAL: its frames and transactions, valid or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash

from litetui.errors import DamageError
from litetui.format import wal
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.breaks import FrameFault, cut_frame, fault_of
from litetui.ops.chain import frame_fault
from litetui.ops.wals import read_index
from litetui.replica.file import FileReplica
from litetui.replica.types import WALInfo

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class TransactionTable:
    """Transactions in columns: frames from first to last, the offset behind the last one, how many frames, and the
    database's size in pages after the commit."""

    first_frame: npt.NDArray[np.int64]
    last_frame: npt.NDArray[np.int64]
    end_offset: npt.NDArray[np.int64]
    database_pages: U32

    @property
    def pages(self) -> npt.NDArray[np.int64]:
        return self.last_frame - self.first_frame + 1

    def __len__(self) -> int:
        return len(self.last_frame)


@dataclass(frozen=True, slots=True, eq=False)
class FrameTable:
    """The frames of one WAL in columns, and why the valid ones end before the file does (`problem`).

    `header` is None where the WAL has none that can be read. `hashes` is empty unless it was asked for. `fault` is what
    the first frame that is not valid holds and should hold; None where all are, or where a file cannot be read on. A
    fault without a problem is a frame that a writer may be at.
    """

    generation: str
    index: int
    header: wal.WALHeader | None
    pages: U32
    commits: U32
    valid_frames: int
    hashes: U64
    problem: DamageError | None
    fault: FrameFault | None = None

    def __len__(self) -> int:
        return len(self.pages)

    @property
    def page_size(self) -> int:
        return self.header.page_size if self.header else 0

    @property
    def checksum_order(self) -> str:
        return self.header.checksum_order if self.header else "little"

    @property
    def salt1(self) -> int:
        return self.header.salt1 if self.header else 0

    @property
    def salt2(self) -> int:
        return self.header.salt2 if self.header else 0

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        return np.arange(len(self.pages)) < self.valid_frames

    def offset(self, frame: int) -> int:
        """Where a frame begins in the WAL."""
        return self.header.end_of(frame) if self.header else 0

    @property
    def transactions(self) -> TransactionTable:
        """The committed transactions among the valid frames."""
        last = np.flatnonzero(self.commits[: self.valid_frames]).astype(np.int64)
        first = np.concatenate([np.zeros(1, np.int64), last[:-1] + 1])[: len(last)]
        size = self.header.frame_size if self.header else 0
        return TransactionTable(first, last, wal.HEADER_SIZE + (last + 1) * size, self.commits[last])

    @property
    def end_of_commits(self) -> int:
        """The offset behind the last commit; 0 where there is none."""
        ends = self.transactions.end_offset
        return int(ends[-1]) if len(ends) else 0


def read_frames(
    replica: FileReplica,
    generation: str,
    index: int,
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
    *,
    rows: Sequence[int] | None = None,
    hashes: bool = False,
) -> FrameTable:
    """Read and verify all frames of a WAL by themselves: salts and checksums, not how it follows the one before.

    Damage does not raise: it ends the valid frames and is the table's `problem`. A tail that a writer may be at
    (a partial frame at the end of a plain `.wal`) is none. `hashes` adds a 64-bit hash of each valid frame's page.
    """
    table = replica.wals(generation)
    if rows is None:
        rows = replica.forms_of(table, index)[0]
    if report:
        report.phase(f"WAL {index:08x}", int(table.size[list(rows)].sum()))
    plain = not table[rows[-1]].compressed
    blocks: list[wal.FrameBlock] = []
    digests: list[U64] = [np.zeros(0, np.uint64)]
    header: wal.WALHeader | None = None
    problem: DamageError | None = None
    state, valid, seen = (0, 0), 0, 0
    broken: list[bytes] = []  # the first frame that is not valid, and the one after it
    try:
        for batch in read_index(replica, table, rows, tail=plain):
            if cancel:
                cancel.check()
            if header is None:
                header, state = batch.header, batch.header.checksum
            block = wal.check_frames(batch.frames, header, state)
            if problem is None:
                if hashes:
                    own = (xxhash.xxh3_64_intdigest(f[24:]) for f in batch.frames[: block.valid])
                    digests.append(np.fromiter(own, np.uint64, block.valid))
                valid += block.valid
                state = block.state
                if block.fault:
                    problem = frame_fault(batch, block.fault, valid)
                    broken = [f.tobytes() for f in batch.frames[block.valid : block.valid + 2]]
            elif len(broken) == 1:
                broken += [f.tobytes() for f in batch.frames[:1]]
            blocks.append(block)
            seen += batch.frames.nbytes
            if report:
                report.advance(seen)
            batch.release()
    except DamageError as error:
        problem = problem or error
    fault: FrameFault | None = None
    if header is not None and broken:
        fault = fault_of(header, index, valid, state, broken)
    elif header is not None and problem is not None and problem.code == "partial-frame" and problem.offset:
        fault = cut_frame(header, valid, problem.offset)
    elif header is not None and problem is None and plain:
        frames, end = sum(len(b.pages) for b in blocks), (table[rows[-1]].offset or 0) + table[rows[-1]].size
        if header.end_of(frames) < end < header.end_of(frames + 1):
            fault = cut_frame(header, frames, end, may_grow=True)
    return FrameTable(
        generation,
        index,
        header,
        np.concatenate([b.pages for b in blocks]) if blocks else np.zeros(0, np.uint32),
        np.concatenate([b.commits for b in blocks]) if blocks else np.zeros(0, np.uint32),
        valid,
        np.concatenate(digests),
        problem,
        fault,
    )


def has_just_begun(replica: FileReplica, info: WALInfo) -> bool:
    """Whether a plain WAL has not its whole header yet, and what it has is the beginning of one."""
    if info.size >= wal.HEADER_SIZE:
        return False
    data = b"".join(replica.read_wal_file(info))[:4]
    return any(magic.to_bytes(4, "big").startswith(data) for magic in (wal.MAGIC_LITTLE, wal.MAGIC_BIG))


@dataclass(frozen=True, slots=True)
class BestForm:
    """Of the forms that one WAL is there in, the one whose sound frames reach furthest: its rows, the end of its last
    good commit, and (`problem`) why that is not all of the WAL, as another form shows."""

    rows: list[int]
    end: int
    problem: DamageError | None


def best_form(
    replica: FileReplica,
    generation: str,
    index: int,
    forms: Sequence[list[int]],
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
) -> BestForm:
    """Look into all forms of one WAL, given as rows and in the order of preference."""
    tables = [read_frames(replica, generation, index, report, cancel, rows=rows) for rows in forms]
    best = max(range(len(forms)), key=lambda i: (tables[i].end_of_commits, tables[i].problem is None, -i))
    end, problem = tables[best].end_of_commits, tables[best].problem
    offsets = replica.wals(generation).offset
    for table, rows in zip(tables, forms, strict=True):
        # A damaged form still tells by its length and its names that there was more.
        if problem is None and (len(table) > len(tables[best]) or int(offsets[rows].max()) >= end > 0):
            problem = table.problem
    return BestForm(forms[best], end, problem)
