"""LTX files, as Litestream 0.5 writes them: header, pages, page index, trailer (FORMAT-v0.5-ltx, section 1).

    header (100 bytes) · pages in ascending order · 6 zero bytes · page index · trailer (16 bytes)

Fixed-width integers are big-endian, those of the index LEB128. Two encodings of a page share one magic number: an LZ4
block with its length (v0.5.16 on), and a whole LZ4 frame without (before that). Every checksum of Litestream's files is
CRC-64/GO-ISO with bit 63 set.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import fastcrc
import lz4.block
import lz4.frame
import numpy as np
import numpy.typing as npt
import xxhash

from litetui.format.buffered import Buffered, Readable
from litetui.format.dbheader import lock_page
from litetui.format.ltx_header import HEADER_SIZE, NO_CHECKSUM, LTXError, LTXHeader

TRAILER_SIZE = 16
LEAST_SIZE = HEADER_SIZE + 6 + 9 + TRAILER_SIZE  # no page, an index of its end alone
SIZED = 1  # a page's flag: its LZ4 block's length is written
BATCH_BYTES = 1 << 20  # so much stays in the processor's cache

_CHUNK = 256 << 10
_BIT63 = 1 << 63
FRAME_HEADER = b"\x04\x22\x4d\x18\x64\x40\xa7"  # what Litestream writes before an old-style page
_LARGEST_FRAME = (64 << 10) + 1024
_PAGE = struct.Struct(">IH")
SIZED_PAGE = struct.Struct(">IHI")
_FRAMED_PAGE = struct.Struct(">IH7s")
_FRAME_SIZE = struct.Struct("<I")
_FRAME_END = struct.Struct("<II")
_END = struct.Struct(">QQQ")

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]


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
        self._reader = Buffered(source)
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
        lock, last, largest = lock_page(page_size), self._last, largest_block(page_size)
        buffer, pos, end = reader.window(0)
        view, base, room = memoryview(buffer), reader.offset - pos, most - len(run.pages)
        pages, starts, rows = run.pages, run.starts, run.rows
        decompress, unpack = lz4.block.decompress, SIZED_PAGE.unpack_from
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
        lock, last, largest = lock_page(page_size), self._last, largest_block(page_size)
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
                if len(image) != page_size or frame != FRAME_HEADER or _FRAME_END.unpack_from(buffer, stop) != found:
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
        if not 0 < size <= largest_block(page_size):
            raise LTXError(f"{size} bytes of LZ4 for page {page} of {page_size}", at + 6, page=page)
        return _decompress(self._reader.take(size, f"page {page}"), page_size, page, at)

    def _read_frame(self, page: int, at: int) -> bytes:
        """A page as one LZ4 frame: what Litestream writes by hand, anything else through lz4.frame."""
        reader, page_size = self._reader, self.header.page_size
        reader.window(_LARGEST_FRAME)  # no way back leads over another one
        head = reader.take(11, f"page {page}")
        size = int.from_bytes(head[7:], "little")
        length = size & 0x7FFFFFFF
        if head[:7] != FRAME_HEADER or not 0 < length <= 64 << 10:
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


def checksum_of(crc: int) -> bytes:
    """The checksum of that CRC-64, as it is stored."""
    return (crc | _BIT63).to_bytes(8, "big")


def largest_block(page_size: int) -> int:
    """Bytes that LZ4 makes of a page at the most, and some more."""
    return page_size + page_size // 255 + 64


def least_stored(page_size: int) -> int:
    """Bytes that a page takes in a file at the least: its header, and LZ4 at its best."""
    return 10 + page_size // 255


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
