"""WALs as batches of whole frames: files of either layout, joined in fixed buffers, read ahead in a thread."""

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
from litetui.jobs.progress import CancelToken
from litetui.replica.catalog import WALTable
from litetui.replica.file import FileReplica

BATCH_BYTES = 8 << 20
T = TypeVar("T")
_OPERATION = "read the WAL"


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
                if self._end is not None and self._at >= self._end:
                    break
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
        skip = self._at - offset
        if skip < 0 or (skip and not self._repeats(row, offset)):
            what = (
                f"it begins at {offset}, but the WAL before it ends at {self._at}: "
                + ("a segment is missing or was cut" if skip < 0 else "they overlap, with other bytes")
                if self._at
                else "the WAL's first segment is missing"
            )
            raise DamageError(_OPERATION, what, code="missing-segment", path=path, index=info.index, offset=self._at)
        self._pieces.append((offset, path))
        empty = info.compressed
        for block in self._replica.read_wal_file(info):
            empty = empty and not block
            data = memoryview(block)[skip:]
            skip = max(0, skip - len(block))
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

        if empty:
            cause = "it is an LZ4 frame without content"
            raise DamageError(_OPERATION, cause, code="empty-file", path=path, index=info.index, offset=self._at)

    def _repeats(self, row: int, offset: int) -> bool:
        """Whether a segment begins with the bytes that the one before it ends with. Litestream 0.3.13 may leave such
        ones when it is stopped in the middle of a sync: its last sync writes the same bytes again."""
        before = self._table[self._rows[self._rows.index(row) - 1]]
        if before.offset is None or before.offset > offset:
            return False
        old = b"".join(self._replica.read_wal_file(before))[offset - before.offset :]
        new = b"".join(self._replica.read_wal_file(self._table[row]))
        common = min(len(old), len(new))
        return old[:common] == new[:common] and offset + len(old) == self._at

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


@contextmanager
def prefetched(source: Iterator[T], cancel: CancelToken, depth: int = 2) -> Iterator[Iterator[T]]:
    """Run an iterator in a thread of its own, at most `depth` items ahead; its errors come out of the result.

    A cancel ends the waiting for an item within a tenth of a second, also where the thread is stuck in the kernel.
    """
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
            cancel.check()
            try:
                item, error = items.get(timeout=0.1)
            except queue.Empty:
                continue
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
