"""LZ4 frames as streams, with every checksum and the end mark insisted on.

The frame is parsed by hand and its blocks are decoded by lz4.block, which is four times as fast as lz4.frame and
refuses what lz4.frame lets pass: bytes after the first frame, and a frame that was cut
(https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md; what Litestream writes: FORMAT-v0.3, section 2.2).
A frame without a content checksum is refused: Litestream writes none, and without it damage cannot be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import lz4.block
import xxhash

MAGIC = b"\x04\x22\x4d\x18"
AGE_MAGIC = b"age-encryption.org/v1"
_BLOCK_MAX = {4: 64 << 10, 5: 256 << 10, 6: 1 << 20, 7: 4 << 20}
_STORED = 0x80000000
_WINDOW = 64 << 10
_USUAL_HEADER = b"\x04\x22\x4d\x18\x64\x70\xb9"  # what Litestream writes, all 7 bytes of it


class LZ4Error(Exception):
    """The bytes are no sound LZ4 frame. `offset` is the place in the compressed file."""

    def __init__(self, cause: str, offset: int, code: str = "lz4-invalid") -> None:
        super().__init__(cause)
        self.offset = offset
        self.code = code


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def decompress_stream(source: Readable) -> Iterator[bytes]:
    """Yield the decoded blocks (each at most 4 MiB) of the one LZ4 frame that `source` must hold.

    Raises LZ4Error with the codes of findings: `empty-file`, `truncated`, `lz4-checksum`, `lz4-invalid`. The content
    is proved only when the iterator has ended: whoever acts on a block before that must be able to take it back.
    """
    reader = _Reader(source)
    flags, block_max, content_size = _read_header(reader)
    linked, block_checksum = not flags & 0x20, bool(flags & 0x10)
    digest = xxhash.xxh32()
    window = b""
    total = 0
    while True:
        at = reader.offset
        size = int.from_bytes(reader.take(4, "a block's size"), "little")
        if size == 0:
            break
        stored, size = bool(size & _STORED), size & ~_STORED
        if size == 0 or size > block_max:
            raise LZ4Error(f"a block of {size} bytes where at most {block_max} may be", at)
        data = reader.take(size, "a block")
        if block_checksum:
            reader.check(data, "block")
        block = data if stored else _decode(data, block_max, window, at)
        if linked:
            window = (window + block)[-_WINDOW:]
        digest.update(block)
        total += len(block)
        yield block
    wanted = int.from_bytes(reader.take(4, "the content checksum"), "little")
    if wanted != digest.intdigest():
        raise LZ4Error("the content checksum is wrong", reader.offset - 4, "lz4-checksum")
    if content_size is not None and content_size != total:
        raise LZ4Error(f"{total} bytes of content where the header says {content_size}", reader.offset)
    if reader.rest():
        raise LZ4Error("there are bytes after the end of the frame", reader.offset)


def decompress(data: bytes) -> bytes:
    """The content of a whole frame in memory. Raises LZ4Error."""
    if data[:7] == _USUAL_HEADER and len(data) > 19:
        # One block is all that most segments have; 20,000 of them are opened in a row.
        size = int.from_bytes(data[7:11], "little")
        if size & ~_STORED == len(data) - 19 and data[-8:-4] == b"\0\0\0\0":
            body = data[11:-8]
            block = body if size & _STORED else _decode(body, _BLOCK_MAX[7], b"", 7)
            if xxhash.xxh32_intdigest(block) == int.from_bytes(data[-4:], "little"):
                return block
    blocks = list(decompress_stream(_Bytes(data)))
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def compress_stream(blocks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """One frame with the parameters of Litestream's own files (FORMAT-v0.3, section 2.2), piece by piece.

    Made by hand, as it is read: lz4.frame takes a buffer of 4 MiB for the smallest content.
    """
    digest = xxhash.xxh32()
    yield _USUAL_HEADER
    for content in blocks:
        view = memoryview(content)
        digest.update(view)
        for at in range(0, len(view), _BLOCK_MAX[7]):
            block = view[at : at + _BLOCK_MAX[7]]
            packed = lz4.block.compress(block, store_size=False)
            if len(packed) < len(block):
                yield len(packed).to_bytes(4, "little") + packed
            else:
                yield (len(block) | _STORED).to_bytes(4, "little") + block
    yield bytes(4) + digest.intdigest().to_bytes(4, "little")


def compress(data: bytes) -> bytes:
    """One frame of content in memory."""
    return b"".join(compress_stream([data]))


def _decode(data: bytes, block_max: int, window: bytes, at: int) -> bytes:
    # LZ4 cannot grow a block more than 255 times: asking for no more spares a 4 MiB buffer for each small segment.
    limit = min(block_max, 255 * len(data) + 64)
    try:
        block: bytes = lz4.block.decompress(data, uncompressed_size=limit, dict=window or None)
    except (lz4.block.LZ4BlockError, ValueError, MemoryError):
        raise LZ4Error("a compressed block is damaged and cannot be decoded", at, "lz4-checksum") from None
    return block


def _read_header(reader: _Reader) -> tuple[int, int, int | None]:
    """The frame's flags, its largest block, and its content size where it is written. Raises LZ4Error."""
    magic = reader.rest(len(AGE_MAGIC))
    reader.unread(magic)
    if not magic:
        raise LZ4Error("the file is empty", 0, "empty-file")
    if magic == AGE_MAGIC:
        raise LZ4Error("it is encrypted with age, which litetui cannot read: decrypt the replica first", 0)
    if reader.take(4, "the frame's magic number") != MAGIC:
        raise LZ4Error("it does not begin like an LZ4 frame", 0)
    descriptor = reader.take(2, "the frame header")
    flags, largest = descriptor
    if flags >> 6 != 1:
        raise LZ4Error("an LZ4 frame of an unknown version", 4)
    if not flags & 0x04:
        raise LZ4Error("an LZ4 frame without a content checksum, which Litestream never writes", 4)
    block_max = _BLOCK_MAX.get(largest >> 4)
    if block_max is None or largest & 0x8F or flags & 0x02:
        raise LZ4Error("the LZ4 frame header is wrong", 5)
    if flags & 0x01:
        raise LZ4Error("an LZ4 frame that needs a dictionary, which Litestream never writes", 4)
    content_size = None
    if flags & 0x08:
        extra = reader.take(8, "the frame header")
        content_size = int.from_bytes(extra, "little")
        descriptor += extra
    if reader.take(1, "the frame header")[0] != (xxhash.xxh32_intdigest(descriptor) >> 8) & 0xFF:
        raise LZ4Error("the checksum of the LZ4 frame header is wrong", reader.offset - 1, "lz4-checksum")
    return flags, block_max, content_size


class _Reader:
    """Exact reads with their place in the file."""

    def __init__(self, source: Readable) -> None:
        self._read: Callable[[int], bytes] = source.read
        self._ahead = b""
        self.offset = 0

    def unread(self, data: bytes) -> None:
        self._ahead = data + self._ahead
        self.offset -= len(data)

    def rest(self, size: int = 1) -> bytes:
        """Up to `size` bytes, fewer only at the end of the file."""
        out = self._ahead[:size]
        self._ahead = self._ahead[size:]
        while len(out) < size:
            more = self._read(size - len(out))
            if not more:
                break
            out = out + more if out else more
        self.offset += len(out)
        return out

    def take(self, size: int, what: str) -> bytes:
        at = self.offset
        data = self.rest(size)
        if len(data) < size:
            raise LZ4Error(f"the file ends inside {what}: it was cut", at + len(data), "truncated")
        return data

    def check(self, data: bytes, what: str) -> None:
        if int.from_bytes(self.take(4, f"a {what}'s checksum"), "little") != xxhash.xxh32_intdigest(data):
            raise LZ4Error(f"the checksum of a {what} is wrong", self.offset - 4, "lz4-checksum")


class _Bytes:
    """Bytes in memory as a source."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    def read(self, size: int, /) -> bytes:
        out = bytes(self._data[self._at : self._at + size])
        self._at += len(out)
        return out
