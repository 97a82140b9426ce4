"""WALs as batches of whole frames, and the chain that they must form.

`read_batches` turns files of either layout into blocks of frames in fixed buffers; `Chain` insists on everything
that makes frames one history: page size, salts that go on by one, checksums, and commits that carry the pages they
add (FORMAT-v0.3, sections 1.4, 1.5 and 6).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from litetui.errors import DamageError
from litetui.format import wal
from litetui.format.dbheader import lock_page
from litetui.replica.catalog import WALTable
from litetui.replica.file import FileReplica
from litetui.replica.types import Pos

BATCH_BYTES = 8 << 20
T = TypeVar("T")
_OPERATION = "read the WAL"
_CODES = {"salt": "wal-salt", "page": "wal-checksum", "checksum": "wal-checksum"}
_CAUSES = {
    "salt": "its salt is not that of the WAL's header",
    "page": "it names page 0",
    "checksum": "its checksum is wrong",
}


@dataclass(slots=True)
class Batch:
    """Whole frames of one WAL.

    frames   (n, 24 + page size) bytes, n ≥ 0, valid until `release`
    offset   where the first of them begins in the WAL
    pieces   (offset, path) of the files that the frames came from, ascending
    first, last   whether the WAL begins or ends with this batch
    """

    index: int
    header: wal.WALHeader
    offset: int
    frames: npt.NDArray[np.uint8]
    pieces: list[tuple[int, str]]
    first: bool
    last: bool
    _pool: list[npt.NDArray[np.uint8]] = field(repr=False)
    _buffer: npt.NDArray[np.uint8] = field(repr=False)

    def release(self) -> None:
        """Give the buffer back; the frames may not be looked at any more."""
        self._pool.append(self._buffer)

    def path_at(self, offset: int) -> str:
        """The file that holds the byte at this offset of the WAL."""
        return [path for start, path in self.pieces if start <= offset or start == self.pieces[0][0]][-1]


def read_index(
    replica: FileReplica,
    table: WALTable,
    rows: Sequence[int],
    *,
    end: int | None = None,
    tail: bool = False,
    pool: list[npt.NDArray[np.uint8]] | None = None,
) -> Iterator[Batch]:
    """One WAL in batches, up to offset `end` (None: all of it). The last batch may be empty.

    With `tail` a partial frame at the end is passed over, as it may stand in a WAL that is being written. Raises
    DamageError, after the frames before the damage were yielded.
    """
    joiner = _Joiner(replica, table, rows, end, [] if pool is None else pool)
    yield from joiner.batches(tail)


def read_batches(replica: FileReplica, table: WALTable, end: int | None) -> Iterator[Batch]:
    """All WALs of a table of consecutive indexes, the last one up to offset `end`."""
    pool: list[npt.NDArray[np.uint8]] = []
    indexes = table.indexes().tolist()
    for index in indexes:
        stop = end if index == indexes[-1] else None
        yield from read_index(replica, table, table.rows_of(index), end=stop, pool=pool)


class _Joiner:
    """Joins the pieces of one WAL in buffers of whole frames."""

    def __init__(
        self,
        replica: FileReplica,
        table: WALTable,
        rows: Sequence[int],
        end: int | None,
        pool: list[npt.NDArray[np.uint8]],
    ) -> None:
        self._replica, self._table, self._rows, self._end, self._pool = replica, table, rows, end, pool
        self._head = b""
        self._header: wal.WALHeader | None = None
        self._at = 0
        self._fill = 0
        self._start = wal.HEADER_SIZE
        self._pieces: list[tuple[int, str]] = []
        self._buffer: npt.NDArray[np.uint8] = np.zeros(0, np.uint8)

    def batches(self, tail: bool) -> Iterator[Batch]:
        try:
            for row in self._rows:
                yield from self._add_file(row)
            self._finish(tail)
        except DamageError:
            if self._header is not None and self._fill:
                yield self._batch(last=False)
            raise
        yield self._batch(last=True)

    def _add_file(self, row: int) -> Iterator[Batch]:
        info = self._table[row]
        path = self._replica.storage.path(self._replica.wal_path(info))
        offset = info.offset or 0
        if offset != self._at:
            what = (
                f"it begins at {offset}, but the WAL before it ends at {self._at}: a segment is missing or was cut"
                if self._at
                else "the WAL's first segment is missing"
            )
            raise DamageError(_OPERATION, what, code="missing-segment", path=path, index=info.index, offset=self._at)
        self._pieces.append((offset, path))
        for block in self._replica.read_wal_file(info):
            data = memoryview(block)
            if self._end is not None:
                data = data[: max(0, self._end - self._at)]
            self._at += len(data)
            if self._header is None:
                data = self._take_header(data, path, info.index)
            while len(data):
                size = min(len(data), len(self._buffer) - self._fill)
                memoryview(self._buffer)[self._fill : self._fill + size] = data[:size]  # type: ignore[arg-type]
                self._fill += size
                data = data[size:]
                if self._fill == len(self._buffer):
                    yield self._batch(last=False)

    def _take_header(self, data: memoryview, path: str, index: int) -> memoryview:
        missing = wal.HEADER_SIZE - len(self._head)
        self._head += bytes(data[:missing])
        if len(self._head) < wal.HEADER_SIZE:
            return data[missing:]
        try:
            self._header = wal.WALHeader.parse(self._head)
        except wal.WALError as error:
            raise DamageError(_OPERATION, str(error), code="wal-header", path=path, index=index, offset=0) from None
        self._new_buffer()
        return data[missing:]

    def _new_buffer(self) -> None:
        assert self._header is not None
        size = max(1, BATCH_BYTES // self._header.frame_size) * self._header.frame_size
        while self._pool:
            buffer = self._pool.pop()
            if len(buffer) == size:
                self._buffer = buffer
                return
        self._buffer = np.empty(size, np.uint8)

    def _finish(self, tail: bool) -> None:
        index = int(self._table.index[self._rows[-1]])
        path = self._pieces[-1][1]
        if self._header is None:
            code = "empty-file" if not self._head else "truncated"
            cause = "the WAL is empty" if not self._head else "the WAL is shorter than its header"
            raise DamageError(_OPERATION, cause, code=code, path=path, index=index, offset=0)
        partial = self._fill % self._header.frame_size
        if partial and not tail:
            raise DamageError(
                _OPERATION,
                "it ends inside a frame",
                code="partial-frame",
                path=path,
                index=index,
                offset=self._at,
                frame=(self._at - wal.HEADER_SIZE) // self._header.frame_size,
            )

    def _batch(self, *, last: bool) -> Batch:
        header = self._header
        assert header is not None
        count = self._fill // header.frame_size
        used = count * header.frame_size
        batch = Batch(
            int(self._table.index[self._rows[0]]),
            header,
            self._start,
            self._buffer[:used].reshape(count, header.frame_size),
            self._pieces,
            self._start == wal.HEADER_SIZE,
            last,
            self._pool,
            self._buffer,
        )
        self._start += used
        self._fill = 0
        self._pieces = self._pieces[-1:]
        self._new_buffer()
        return batch


class Chain:
    """What the frames of a generation's WALs must keep to, one index after the other, from a snapshot on.

    snapshot_index, page_size, page_count   of the snapshot that the chain begins with; None for `page_count` where a
        WAL is looked at alone, without the history before it
    last        the position behind the last good commit; (snapshot index, 0) before the first
    page_count  the database's size in pages at `last`
    """

    def __init__(self, generation: str, snapshot_index: int, page_size: int, page_count: int) -> None:
        self.last = Pos(generation, snapshot_index, 0)
        self.page_size = page_size
        self.page_count = page_count
        self.frames = 0
        self._own_index = snapshot_index
        self._salt1: int | None = None
        self._state = (0, 0)
        self._open_pages: list[npt.NDArray[np.uint32]] = []  # of a transaction whose commit is still to come
        self._open = False
        # Pages that neither the snapshot nor a frame holds: only frames that the snapshot is ahead of explain them.
        self._unbacked: set[int] = set()

    def check(self, batch: Batch) -> wal.FrameBlock:
        """Verify the next batch. Raises DamageError; `last` then stands behind the last good commit."""
        header = batch.header
        if batch.first:
            self._begin(batch)
        block = wal.check_frames(batch.frames, header, self._state)
        self._state = block.state
        first_frame = (batch.offset - wal.HEADER_SIZE) // header.frame_size
        self._account(batch, block, first_frame)
        if block.fault:
            frame = first_frame + block.valid
            offset = header.end_of(frame)
            raise DamageError(
                _OPERATION,
                _CAUSES[block.fault],
                code=_CODES[block.fault],
                path=batch.path_at(offset),
                index=batch.index,
                offset=offset,
                frame=frame,
            )
        if batch.last:
            self._finish(batch, first_frame + len(block.pages))
        return block

    def _begin(self, batch: Batch) -> None:
        header, path = batch.header, batch.pieces[0][1]
        if header.page_size != self.page_size:
            raise DamageError(
                _OPERATION,
                f"its pages have {header.page_size} bytes, those of the database {self.page_size}",
                code="page-size",
                path=path,
                index=batch.index,
                offset=8,
            )
        if self._salt1 is not None and header.salt1 != (self._salt1 + 1) & 0xFFFFFFFF:
            raise DamageError(
                _OPERATION,
                f"it does not follow on the WAL before it (salt {header.salt1:08x} after {self._salt1:08x}): "
                "a WAL of another generation or index stands here, or one is missing before it",
                code="wal-salt",
                path=path,
                index=batch.index,
                offset=16,
            )
        self._salt1 = header.salt1
        self._state = header.checksum
        self._open_pages, self._open = [], False

    def _account(self, batch: Batch, block: wal.FrameBlock, first_frame: int) -> None:
        """Follow the commits among the valid frames."""
        n = block.valid
        self.frames += n
        ends = np.flatnonzero(block.commits[:n])
        start = 0
        if len(ends):
            sizes = block.commits[ends].astype(np.int64)
            before = np.concatenate([[self.page_count], sizes[:-1]])
            watch = range(len(ends)) if self._unbacked else np.flatnonzero(sizes != before)
            for k in watch:
                begin = int(ends[k - 1]) + 1 if k else 0
                pages = block.pages[begin : int(ends[k]) + 1]
                if k:
                    self.last = Pos(self.last.generation, batch.index, batch.header.end_of(first_frame + begin))
                elif self._open_pages:
                    pages = np.concatenate([*self._open_pages, pages])
                self._commit(batch, pages, int(before[k]), int(sizes[k]), first_frame + int(ends[k]))
            self.page_count = int(sizes[-1])
            start = int(ends[-1]) + 1
            self.last = Pos(self.last.generation, batch.index, batch.header.end_of(first_frame + start))
            self._open_pages = []
        rest = block.pages[start:n]
        self._open = start < n or (self._open and not len(ends))
        if len(rest):
            fresh = rest if self._unbacked else rest[rest > self.page_count]
            if len(fresh):
                self._open_pages.append(np.unique(fresh))

    def _commit(self, batch: Batch, pages: npt.NDArray[np.uint32], old: int, new: int, frame: int) -> None:
        """A transaction that changes the size, or any where pages are missing from the snapshot."""
        missing = _missing(pages, old, new, self.page_size) if new > old else set()
        if self._unbacked:
            self._unbacked.difference_update(pages.tolist())
            self._unbacked = {p for p in self._unbacked if p <= new}
        if not missing:
            return
        if batch.index == self._own_index:
            self._unbacked |= missing
            return
        raise self._missing_page(batch, missing, old, new, frame)

    def _finish(self, batch: Batch, frames: int) -> None:
        if self._open:
            raise DamageError(
                _OPERATION,
                "it ends inside a transaction",
                code="incomplete-transaction",
                path=batch.pieces[-1][1],
                index=batch.index,
                offset=batch.header.end_of(frames),
                frame=frames - 1,
            )
        if batch.index == self._own_index and self._unbacked:
            raise self._missing_page(batch, self._unbacked, self.page_count, self.page_count, frames - 1)

    def _missing_page(self, batch: Batch, missing: set[int], old: int, new: int, frame: int) -> DamageError:
        grows = f"the database grows from {old} to {new} pages here, but " if new > old else ""
        return DamageError(
            _OPERATION,
            f"{grows}page {min(missing)} is neither in the snapshot nor in a WAL: frames before this are missing",
            code="missing-page",
            path=batch.path_at(batch.header.end_of(frame)),
            index=batch.index,
            offset=batch.header.end_of(frame),
            frame=frame,
        )


def _missing(pages: npt.NDArray[np.uint32], old: int, new: int, page_size: int) -> set[int]:
    """The pages from old + 1 to new that the transaction does not carry; the lock page is never written."""
    fresh = np.unique(pages[(pages > old) & (pages <= new)])
    lock = lock_page(page_size)
    wanted = new - old - (1 if old < lock <= new else 0)
    if len(fresh) == wanted:
        return set()
    return set(range(old + 1, new + 1)) - set(fresh.tolist()) - {lock}


@contextmanager
def prefetched(source: Iterator[T], depth: int = 2) -> Iterator[Iterator[T]]:
    """Run an iterator in a thread of its own, at most `depth` items ahead; its errors come out of the result."""
    items: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: tuple[T | None, BaseException | None]) -> bool:
        while not stop.is_set():
            try:
                items.put(item, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            for item in source:
                if not put((item, None)):
                    return
            put((None, None))
        except BaseException as error:  # noqa: BLE001  it is raised again by the consumer
            put((None, error))

    def consume() -> Iterator[T]:
        while True:
            item, error = items.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item

    thread = threading.Thread(target=produce, name="litetui-read-ahead", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stop.set()
        thread.join(timeout=2)
