"""The page merge under every restore: a snapshot, then for each page its last committed image.

No SQLite is needed to apply a WAL (FORMAT-v0.3, section 1.4), and the result has the same bytes. Frames are applied
as they come, before their commit is seen: whoever merges writes a temporary file, reads only up to a commit that is
known beforehand, and throws everything away at the first error.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from litetui.errors import DamageError
from litetui.format import dbheader, wal
from litetui.ops.wals import Batch
from litetui.replica.types import SnapshotInfo

_WRITE = 256 << 10  # larger pieces make the kernel use huge folios, and later overwrites three times slower


_NO_PAGES = np.zeros((0, 0), np.uint8)


class PageFile:
    """A database file that is being made: first the snapshot in a row, then pages anywhere.

    Pages in a row go through pwrite: to have a page come up in a map for the first time costs ten times as much. Others
    go through a map of the file, which costs half of what pwrite costs, where the file system can promise the space
    beforehand (or a full disk would kill the process); elsewhere through pwrite too.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._map: mmap.mmap | None = None
        self._view = _NO_PAGES  # the map's pages
        self._use_map = True
        self._reserved = 0
        self.page_size = 0
        self.limit: int | None = None  # pages behind this one are not wanted in the end
        self.size = 0
        self.pages_written = 0

    def append(self, block: bytes) -> None:
        """Add bytes of the snapshot."""
        view = memoryview(block)
        while len(view):
            done = os.write(self._fd, view[:_WRITE])
            view = view[done:]
        self.size += len(block)

    def apply(self, batch: Batch, block: wal.FrameBlock) -> None:
        """Write the last image of each page among the batch's frames."""
        if not len(block.pages):
            return
        backwards = block.pages[::-1]
        pages, first = np.unique(backwards, return_index=True)
        if self.limit is not None and int(pages[-1]) > self.limit:
            pages, first = pages[pages <= self.limit], first[pages <= self.limit]
            if not len(pages):
                return
        frames = len(block.pages) - 1 - first
        self.write(pages, batch.frames[:, wal.FRAME_HEADER_SIZE :], frames)

    def write(
        self, pages: npt.NDArray[np.uint32], images: npt.NDArray[np.uint8], rows: npt.NDArray[np.intp] | None = None
    ) -> None:
        """Write pages, ascending: their images are all rows of `images`, or these rows."""
        first, last = int(pages[0]), int(pages[-1])
        images = images if rows is None else images[rows]
        if last - first == len(pages) - 1 and images.size >= _ROW:
            self._pwrite(images, (first - 1) * self.page_size)
        else:
            self._scatter(pages, images, last)
        self.size = max(self.size, last * self.page_size)
        self.pages_written += len(pages)

    def _scatter(self, pages: npt.NDArray[np.uint32], images: npt.NDArray[np.uint8], last: int) -> None:
        """Write pages that are not in a row."""
        top = last * self.page_size
        if last > len(self._view) and top <= max(self.size, self._reserved) + _FAR:
            self._map_up_to(top)
        if last <= len(self._view) and len(pages) > _FEW:
            self._view[pages - np.uint32(1)] = images
        elif last <= len(self._view):
            for page, image in zip(pages.tolist(), images, strict=True):
                self._view[page - 1] = image
        else:
            for page, image in zip(pages.tolist(), images, strict=True):
                self._pwrite(image, (page - 1) * self.page_size)

    def _pwrite(self, images: npt.NDArray[np.uint8], at: int) -> None:
        data = memoryview(np.ascontiguousarray(images)).cast("B")  # type: ignore[arg-type]
        while len(data):
            done = os.pwrite(self._fd, data[:_WRITE], at)
            data, at = data[done:], at + done

    def reserve(self, size: int) -> None:
        """Have the file system promise room for so many bytes, so that the file can be mapped.

        A full disk is an OSError here.
        """
        if size <= self._reserved or not self._use_map:
            return
        try:
            os.posix_fallocate(self._fd, 0, size)
        except OSError as error:
            if error.errno not in _NO_FALLOCATE:
                raise
            self._use_map = False
            self._close_map()
            return
        self._reserved = size

    def _map_up_to(self, size: int) -> None:
        """Map the file at least so far, where it can be mapped."""
        mapped = len(self._map) if self._map is not None else 0
        if size <= mapped or not self._use_map:
            return
        wanted = max(size, self.size, self._reserved)
        wanted = -(-wanted // self.page_size) * self.page_size
        if mapped:  # the database outgrows what was foreseen: room for more is a wish, not a need
            with contextlib.suppress(OSError):
                self.reserve(wanted + min(mapped // 4, 64 << 20) // self.page_size * self.page_size)
        self.reserve(wanted)
        if self._use_map:
            self._close_map()
            self._map = mmap.mmap(self._fd, self._reserved)
            pages = self._reserved // self.page_size
            self._view = np.frombuffer(self._map, np.uint8, pages * self.page_size).reshape(pages, self.page_size)

    def _close_map(self) -> None:
        self._view = _NO_PAGES
        if self._map is not None:
            self._map.close()
            self._map = None

    def set_size(self, size: int) -> None:
        """Set the file's length."""
        self._close_map()
        os.ftruncate(self._fd, size)
        self.size = size

    def finish(self, size: int) -> None:
        """Set the file's length and bring it to the disk."""
        self.set_size(size)
        os.fsync(self._fd)

    def close(self) -> None:
        with contextlib.suppress(BufferError):
            self._close_map()
        os.close(self._fd)


_ROW = 64 << 10  # bytes that are worth a call
_FEW = 8  # pages that are sooner written one by one
_MOST_RATIO = 255  # of LZ4
_FAR = 1 << 30  # a page so far behind the end is no reason to reserve all that is before it
_NO_FALLOCATE = {95, 22, 38, 19}  # EOPNOTSUPP, EINVAL, ENOSYS, ENODEV


def snapshot_header(blocks: Iterator[bytes], path: str, index: int) -> tuple[dbheader.DatabaseHeader, bytes]:
    """The database header at the start of a snapshot, and the bytes that were read for it. Raises DamageError."""
    head = b""
    for block in blocks:
        head = head + block if head else block
        if len(head) >= dbheader.HEADER_SIZE:
            break
    try:
        return dbheader.DatabaseHeader.parse(head), head
    except ValueError as error:
        raise DamageError(
            "read the snapshot", str(error), code="snapshot-invalid", path=path, index=index, offset=0
        ) from None


def expected_size(head: dbheader.DatabaseHeader, info: SnapshotInfo) -> int:
    """How large a snapshot's content will be, in bytes, by its header. That has no checksum of its own: no more than
    LZ4 can make of what is stored."""
    if not info.compressed:
        return info.size
    return min(head.page_count * head.page_size, _MOST_RATIO * info.size + head.page_size)


def check_snapshot_size(size: int, page_size: int, path: str, index: int) -> int:
    """The number of pages of a snapshot of that many bytes. Raises DamageError."""
    if size % page_size:
        cause = f"its {size} bytes are no whole number of pages of {page_size}: it was cut"
        raise DamageError("read the snapshot", cause, code="snapshot-invalid", path=path, index=index, offset=size)
    return size // page_size
