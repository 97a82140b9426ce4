"""LTX files, as Litestream 0.5 writes them: header, pages, page index, trailer (FORMAT-v0.5-ltx, section 1).

    header (100 bytes) · pages in ascending order · 6 zero bytes · page index · trailer (16 bytes)

Fixed-width integers are big-endian, those of the index LEB128. Two encodings of a page share one magic number: an LZ4
block with its length (v0.5.16 on), and a whole LZ4 frame without (before that). Every checksum of Litestream's files is
CRC-64/GO-ISO with bit 63 set.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import fastcrc
import lz4.block
import lz4.frame
import numpy as np
import numpy.typing as npt
import xxhash

from litetui.format.dbheader import is_page_size, lock_page

MAGIC = b"LTX1"
HEADER_SIZE = 100
TRAILER_SIZE = 16
LEAST_SIZE = HEADER_SIZE + 6 + 9 + TRAILER_SIZE  # no page, an index of its end alone
NO_CHECKSUM = 2
SIZED = 1  # a page's flag: its LZ4 block's length is written
BATCH_BYTES = 1 << 20  # so much stays in the processor's cache

_CHUNK = 256 << 10
_BIT63 = 1 << 63
_FRAME_HEADER = b"\x04\x22\x4d\x18\x64\x40\xa7"  # what Litestream writes before an old-style page
_LARGEST_FRAME = (64 << 10) + 1024
_HEADER = struct.Struct(">4sIIIQQqQQQIIQ")
_PAGE = struct.Struct(">IH")
_SIZED_PAGE = struct.Struct(">IHI")
_FRAMED_PAGE = struct.Struct(">IH7s")
_FRAME_SIZE = struct.Struct("<I")
_FRAME_END = struct.Struct("<II")
_END = struct.Struct(">QQQ")

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]


class LTXError(Exception):
    """The bytes are no sound LTX file. `offset` is the place in the file, `page` the number of the page it is in."""

    def __init__(self, cause: str, offset: int, code: str = "ltx-invalid", page: int | None = None) -> None:
        super().__init__(cause)
        self.offset = offset
        self.code = code
        self.page = page


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(slots=True)  # frozen would be 2 µs more for each file, of 15
class LTXHeader:
    """The first 100 bytes of an LTX file.

    commit        the database's size in pages after it was applied
    timestamp_ms  milliseconds since the epoch
    pre_apply     the database's checksum before, 0 where none is kept (Litestream keeps none)
    wal_offset, wal_size, salt1, salt2  the bytes of the WAL that it came from; 0 in compacted files
    """

    page_size: int
    commit: int
    min_txid: int
    max_txid: int
    timestamp_ms: int
    flags: int = NO_CHECKSUM
    pre_apply: int = 0
    wal_offset: int = 0
    wal_size: int = 0
    salt1: int = 0
    salt2: int = 0
    node_id: int = 0

    @property
    def is_snapshot(self) -> bool:
        """Whether it must hold the whole database: it begins with the first transaction."""
        return self.min_txid == 1

    @property
    def timestamp_ns(self) -> int:
        return self.timestamp_ms * 1_000_000

    def pack(self) -> bytes:
        data = _HEADER.pack(
            MAGIC,
            self.flags,
            self.page_size,
            self.commit,
            self.min_txid,
            self.max_txid,
            self.timestamp_ms,
            self.pre_apply,
            self.wal_offset,
            self.wal_size,
            self.salt1,
            self.salt2,
            self.node_id,
        )
        return data + bytes(HEADER_SIZE - len(data))

    @classmethod
    def parse(cls, data: bytes) -> LTXHeader:
        """Read and check the header. Raises LTXError."""
        if not data:
            raise LTXError("the file is empty", 0, "empty-file")
        if data[:4] != MAGIC[: len(data)]:
            raise LTXError("it does not begin like an LTX file", 0)
        if len(data) < HEADER_SIZE:
            raise LTXError(f"the file ends in its header, after {len(data)} bytes: it was cut", len(data), "truncated")
        _, flags, page_size, commit, first, last, timestamp, *rest = _HEADER.unpack_from(data)
        header = cls(page_size, commit, first, last, timestamp, flags, *rest)
        wrong = header._wrong()
        if wrong is not None:
            raise LTXError(*wrong)
        return header

    def _wrong(self) -> tuple[str, int] | None:
        """What the rules of the format do not allow, and where."""
        if self.flags & ~NO_CHECKSUM:
            return f"unknown flags {self.flags:08x}", 4
        if not is_page_size(self.page_size):
            return f"{self.page_size} is no page size of SQLite", 8
        if not self.commit:
            return "a database of no pages: Litestream writes no such file", 12
        if not 1 <= self.min_txid <= self.max_txid:
            return f"TXIDs {self.min_txid:016x} to {self.max_txid:016x} are no range", 16
        if max(self.wal_offset, self.wal_size) >> 63:
            return "a negative place in the WAL", 48
        if not self.wal_offset and (self.salt1 or self.salt2 or self.wal_size):
            return "salts or a size of the WAL without its offset", 48
        if self.pre_apply and (self.flags & NO_CHECKSUM or self.is_snapshot):
            return "a checksum from before it where there can be none", 40
        if not self.flags & NO_CHECKSUM and not self.is_snapshot and not self.pre_apply >> 63:
            return "the checksum from before it is missing", 40
        return None


@dataclass(slots=True)
class PageBatch:
    """Pages of a file in ascending order.

    pages    their numbers, (n,)
    images   their bytes, (n, page size)
    places   where each begins in the file, and where the last one ends, (n + 1)
    """

    pages: U32
    images: U8
    places: list[int]


class _Run:
    """Pages of one encoding that are being gathered: numbers, places, and rows of header and image."""

    __slots__ = ("flag", "pages", "rows", "starts")

    def __init__(self, flag: int) -> None:
        self.flag = flag
        self.pages: list[int] = []
        self.starts: list[int] = []
        self.rows: list[bytes] = []

    def add(self, page: int, at: int, head: bytes, image: bytes) -> None:
        self.pages.append(page)
        self.starts.append(at)
        self.rows += (head, image)


@dataclass(frozen=True, slots=True)
class Trailer:
    """The end of a file: the checksum of the database after it (0: none kept), and that of the file."""

    post_apply: int
    checksum: int


_NO_TRAILER = Trailer(0, 0)


class Decoder:
    """Reads one LTX file from its beginning to its end, and checks all of it.

        decoder = Decoder(source)
        for batch in decoder.batches(): …
        decoder.trailer

    What the batches hold is proved only when they have ended. Memory is a few batches of at most 1 MiB.
    """

    def __init__(self, source: Readable) -> None:
        """Reads the header. Raises LTXError."""
        self._reader = _Reader(source)
        head = self._reader.upto(HEADER_SIZE)
        self.header = LTXHeader.parse(head)
        self.trailer = _NO_TRAILER
        self.page_count = 0
        self._crc = fastcrc.crc64.go_iso(head)
        self._index = xxhash.xxh3_64()
        self._index_size = 0
        self._last = 0
        self._rolling = 0

    def batches(self) -> Iterator[PageBatch]:
        """All pages, then index and trailer. Raises LTXError."""
        header, reader = self.header, self._reader
        most = max(1, BATCH_BYTES // header.page_size)
        run = _Run(SIZED)
        while True:
            if run.flag == SIZED:
                self._read_sized(run, most)
            else:
                self._read_framed(run, most)
            at = reader.offset
            head = reader.take(6, "a page's header")
            page, flag = _PAGE.unpack(head)
            if run.pages and (not page or flag != run.flag or len(run.pages) >= most):
                yield self._flush(run, at)
                run = _Run(flag)
            if not page:
                if flag:
                    raise LTXError(f"flags {flag:04x} without a page", at + 4)
                break
            self._check_page(page, flag, at)
            run.flag = flag
            if flag == SIZED:
                size = reader.take(4, f"page {page}")
                run.add(page, at, head + size, self._read_block(page, at, int.from_bytes(size, "big")))
            else:
                run.add(page, at, head, self._read_frame(page, at + 6))
            self._last = page
        self._crc = fastcrc.crc64.go_iso(bytes(6), self._crc)
        if header.is_snapshot and self.page_count != header.commit - (lock_page(header.page_size) <= header.commit):
            cause = f"a snapshot of {header.commit} pages holds {self.page_count}: pages are missing"
            raise LTXError(cause, reader.offset, "missing-page")
        self._read_end()

    def _check_page(self, page: int, flag: int, at: int) -> None:
        header = self.header
        if flag not in (0, SIZED):
            raise LTXError(f"unknown flags {flag:04x} of page {page}", at + 4, page=page)
        if page <= self._last:
            raise LTXError(f"page {page} after page {self._last}: pages must ascend", at, page=page)
        if page > header.commit:
            raise LTXError(f"page {page} of a database of {header.commit} pages", at, page=page)
        if page == lock_page(header.page_size):
            raise LTXError(f"page {page} is SQLite's lock page, which is never stored", at, page=page)

    def _read_sized(self, run: _Run, most: int) -> None:
        """Pages with their length that the buffer holds whole, in one tight loop. It ends before whatever is unusual or
        wrong: `batches` looks at that."""
        reader, page_size, commit = self._reader, self.header.page_size, self.header.commit
        lock, last, largest = lock_page(page_size), self._last, _largest_block(page_size)
        buffer, pos, end = reader.window(0)
        view, base, room = memoryview(buffer), reader.offset - pos, most - len(run.pages)
        pages, starts, rows = run.pages, run.starts, run.rows
        decompress, unpack = lz4.block.decompress, _SIZED_PAGE.unpack_from
        try:
            while room > 0 and end - pos >= 10:
                page, flag, size = unpack(buffer, pos)
                block, stop = pos + 10, pos + 10 + size
                if flag != SIZED or not last < page <= commit or page == lock or not 0 < size <= largest or stop > end:
                    break
                image = decompress(view[block:stop], uncompressed_size=page_size)
                if len(image) != page_size:
                    break
                pages.append(page)
                starts.append(base + pos)
                rows += (buffer[pos:block], image)
                last, pos, room = page, stop, room - 1
        except (lz4.block.LZ4BlockError, ValueError):
            pass  # `batches` comes to it
        self._last = last
        reader.skip(pos - reader.at)

    def _read_framed(self, run: _Run, most: int) -> None:
        """The same for pages as LZ4 frames, of the form that Litestream writes."""
        reader, page_size, commit = self._reader, self.header.page_size, self.header.commit
        lock, last, largest = lock_page(page_size), self._last, _largest_block(page_size)
        buffer, pos, end = reader.window(0)
        view, base, room = memoryview(buffer), reader.offset - pos, most - len(run.pages)
        try:
            while room > 0 and end - pos >= 17:
                page, flag, frame = _FRAMED_PAGE.unpack_from(buffer, pos)
                (size,) = _FRAME_SIZE.unpack_from(buffer, pos + 13)
                block, stop = pos + 17, pos + 17 + size
                if flag or not last < page <= commit or page == lock or not 0 < size <= largest or stop + 8 > end:
                    break
                image = lz4.block.decompress(view[block:stop], uncompressed_size=page_size)
                found = (0, xxhash.xxh32_intdigest(image))
                if len(image) != page_size or frame != _FRAME_HEADER or _FRAME_END.unpack_from(buffer, stop) != found:
                    break
                run.add(page, base + pos, buffer[pos : pos + 6], image)
                last, pos, room = page, stop + 8, room - 1
        except (lz4.block.LZ4BlockError, ValueError):
            pass  # `batches` comes to it
        self._last = last
        reader.skip(pos - reader.at)

    def _read_block(self, page: int, at: int, size: int) -> bytes:
        """A page as one LZ4 block."""
        page_size = self.header.page_size
        if not 0 < size <= _largest_block(page_size):
            raise LTXError(f"{size} bytes of LZ4 for page {page} of {page_size}", at + 6, page=page)
        return _decompress(self._reader.take(size, f"page {page}"), page_size, page, at)

    def _read_frame(self, page: int, at: int) -> bytes:
        """A page as one LZ4 frame: what Litestream writes by hand, anything else through lz4.frame."""
        reader, page_size = self._reader, self.header.page_size
        reader.window(_LARGEST_FRAME)  # no way back leads over another one
        head = reader.take(11, f"page {page}")
        size = int.from_bytes(head[7:], "little")
        length = size & 0x7FFFFFFF
        if head[:7] != _FRAME_HEADER or not 0 < length <= 64 << 10:
            reader.back(11)
            return self._read_odd_frame(page, at)
        body = reader.take(length + 8, f"page {page}")
        if body[-8:-4] != bytes(4):
            reader.back(11 + len(body))
            return self._read_odd_frame(page, at)
        image = body[:-8] if size >> 31 else _decompress(body[:-8], page_size, page, at)
        if len(image) != page_size:
            raise LTXError(f"page {page} has {len(image)} bytes instead of {page_size}", at, page=page)
        if xxhash.xxh32_intdigest(image) != int.from_bytes(body[-4:], "little"):
            raise LTXError(f"the checksum of page {page} is wrong", at, "ltx-checksum", page)
        return image

    def _read_odd_frame(self, page: int, at: int) -> bytes:
        """A page as an LZ4 frame of another form."""
        decompressor = lz4.frame.LZ4FrameDecompressor()
        page_size = self.header.page_size
        buffer, pos, end = self._reader.window(_LARGEST_FRAME)
        try:
            out: bytes = decompressor.decompress(buffer[pos : min(end, pos + _LARGEST_FRAME)], max_length=page_size + 1)
        except (RuntimeError, ValueError, MemoryError):
            raise LTXError(f"the LZ4 frame of page {page} is damaged", at, "ltx-checksum", page) from None
        if len(out) != page_size or not decompressor.eof:
            raise LTXError(f"the LZ4 frame of page {page} is cut, or has not {page_size} bytes", at, "truncated", page)
        used = min(end, pos + _LARGEST_FRAME) - pos - len(decompressor.unused_data or b"")
        self._reader.skip(used)
        return out

    def _flush(self, run: _Run, end: int) -> PageBatch:
        """A batch of pages of one encoding, counted into the checksums."""
        data = b"".join(run.rows)
        self._crc = fastcrc.crc64.go_iso(data, self._crc)
        places = [*run.starts, end]
        index = pack_index(run.pages, places)
        self._index.update(index)
        self._index_size += len(index)
        self.page_count += len(run.pages)
        count, page_size = len(run.pages), self.header.page_size
        width = len(data) // count
        images = np.ndarray((count, page_size), np.uint8, data, width - page_size, (width, 1))
        if not self.header.flags & NO_CHECKSUM:
            for number, image in zip(run.pages, images, strict=True):
                self._rolling = (self._rolling ^ page_checksum(number, image.tobytes())) | _BIT63
        return PageBatch(np.array(run.pages, np.uint32), images, places)

    def _read_end(self) -> None:
        """The index, which must say of each page what was read, and the trailer."""
        reader, crc = self._reader, self._crc
        at = reader.offset
        self._index.update(b"\0")
        expected = self._index_size + 1
        found, left = xxhash.xxh3_64(), expected
        while left:
            piece = reader.take(min(left, _CHUNK), "the page index")
            found.update(piece)
            crc = fastcrc.crc64.go_iso(piece, crc)
            left -= len(piece)
        end = reader.take(8 + TRAILER_SIZE, "the trailer")
        size, post, wanted = _END.unpack(end)
        if found.intdigest() != self._index.intdigest() or size != expected:
            raise LTXError("the page index does not say where the pages are", at)
        at = reader.offset - TRAILER_SIZE
        if reader.upto(1):
            raise LTXError("there are bytes after the end", at + TRAILER_SIZE)
        if fastcrc.crc64.go_iso(end[:16], crc) | _BIT63 != wanted:
            raise LTXError("the file's checksum is wrong", at + 8, "ltx-checksum")
        header = self.header
        if header.flags & NO_CHECKSUM:
            if post:
                raise LTXError("a checksum of the database where there can be none", at)
        elif header.is_snapshot and post != self._rolling:
            raise LTXError("the checksum of the database is wrong", at, "ltx-checksum")
        self.trailer = Trailer(post, wanted)


def _largest_block(page_size: int) -> int:
    """Bytes that LZ4 makes of a page at the most, and some more."""
    return page_size + page_size // 255 + 64


def _decompress(block: bytes, page_size: int, page: int, at: int) -> bytes:
    try:
        image: bytes = lz4.block.decompress(block, uncompressed_size=page_size)
    except (lz4.block.LZ4BlockError, ValueError, MemoryError):
        raise LTXError(f"page {page} cannot be decompressed", at, "ltx-checksum", page) from None
    if len(image) != page_size:
        raise LTXError(f"page {page} has {len(image)} bytes instead of {page_size}", at, "ltx-checksum", page)
    return image


def page_checksum(page: int, image: bytes) -> int:
    """The checksum of one page in the database's rolling checksum."""
    return fastcrc.crc64.go_iso(image, fastcrc.crc64.go_iso(page.to_bytes(4, "big"))) | _BIT63


# ---- the page index


def pack_index(pages: list[int], places: list[int]) -> bytes:
    """The index entries of pages, without its end: page, offset and size as LEB128. `places` has one more: the end."""
    if len(pages) < 16:
        triples = zip(pages, places, places[1:], strict=False)
        return b"".join([_varint(value) for page, at, end in triples for value in (page, at, end - at)])
    ends = np.array(places, np.uint64)
    values = np.stack([np.array(pages, np.uint64), ends[:-1], np.diff(ends)], axis=1).ravel()
    groups = (values[:, None] >> np.arange(0, 63, 7, dtype=np.uint64)) & np.uint64(0x7F)
    lengths = 9 - (groups[:, ::-1] != 0).argmax(axis=1)
    column = np.arange(9)
    groups[column < (lengths - 1)[:, None]] |= np.uint64(0x80)
    packed: bytes = groups[column < lengths[:, None]].astype(np.uint8).tobytes()
    return packed


@functools.lru_cache(1 << 14)
def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


# ---- writing, for tests and builders


def encode(header: LTXHeader, pages: Iterable[tuple[int, bytes]], *, sized: bool = True, post_apply: int = 0) -> bytes:
    """A whole file. `sized`: the encoding of v0.5.16 on, else the one before it. Pages as they come, unchecked."""
    head = header.pack()
    out = bytearray(head)
    crc = fastcrc.crc64.go_iso(head)
    index = bytearray()
    for page, image in pages:
        at = len(out)
        start = page.to_bytes(4, "big") + (SIZED if sized else 0).to_bytes(2, "big")
        block = lz4.block.compress(image, store_size=False)
        if sized:
            start += len(block).to_bytes(4, "big")
            out += start + block
        else:
            if len(block) >= len(image):  # a frame keeps as it is what does not get smaller
                block = image
            length = len(block) | (1 << 31 if block is image else 0)
            out += start + _FRAME_HEADER + length.to_bytes(4, "little") + block + bytes(4)
            out += xxhash.xxh32_intdigest(image).to_bytes(4, "little")
        crc = fastcrc.crc64.go_iso(start + image, crc)
        index += pack_index([page], [at, len(out)])
    index += b"\0"
    index += len(index).to_bytes(8, "big")
    end = bytes(6) + index + post_apply.to_bytes(8, "big")
    crc = fastcrc.crc64.go_iso(end, crc)
    return bytes(out) + end + (crc | _BIT63).to_bytes(8, "big")


class _Reader:
    """Exact reads through a buffer. `offset` is the place in the file, `at` the one in the buffer."""

    def __init__(self, source: Readable) -> None:
        self._read = source.read
        self._buffer = b""
        self._base = 0  # of the buffer in the file
        self.at = 0

    @property
    def offset(self) -> int:
        return self._base + self.at

    def window(self, size: int) -> tuple[bytes, int, int]:
        """The buffer, the present place in it and its end; it has so many bytes from there, if the file has."""
        at = self.at
        if len(self._buffer) - at < size:
            parts = [self._buffer[at:]] if at < len(self._buffer) else []
            have = len(self._buffer) - at
            while have < size and (more := self._read(max(_CHUNK, size - have))):
                parts.append(more)
                have += len(more)
            self._base += at
            self._buffer, self.at = parts[0] if len(parts) == 1 else b"".join(parts), 0
        return self._buffer, self.at, len(self._buffer)

    def upto(self, size: int) -> bytes:
        """So many bytes, fewer only at the end of the file."""
        buffer, at, _ = self.window(size)
        out = buffer[at : at + size]
        self.at = at + len(out)
        return out

    def take(self, size: int, what: str) -> bytes:
        at = self.at
        out = self._buffer[at : at + size]
        if len(out) == size:
            self.at = at + size
            return out
        out = self.upto(size)
        if len(out) < size:
            raise LTXError(f"the file ends inside {what}: it was cut", self.offset, "truncated")
        return out

    def skip(self, size: int) -> None:
        self.at += size

    def back(self, size: int) -> None:
        """Go back over bytes that were taken from the window."""
        self.at -= size
