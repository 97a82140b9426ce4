"""Reads an LTX file with none of litetui's code, slowly and plainly: what the fuzzer and the judge of damage go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import fastcrc
import lz4.block
import lz4.frame

_BIT63 = 1 << 63
_LARGEST_FRAME = (64 << 10) + 1024  # of a page; litetui looks no further for the end of one


def crc64(data: bytes, crc: int = 0) -> int:
    """CRC-64/GO-ISO, by a library that a test compares with the plain recurrence."""
    return fastcrc.crc64.go_iso(data, crc)


def rolling(pages: Mapping[int, bytes]) -> int:
    """The checksum of a database by its pages."""
    out = _BIT63
    for page, image in pages.items():
        out = (out ^ crc64(image, crc64(page.to_bytes(4, "big")))) | _BIT63
    return out


@dataclass(frozen=True)
class LTXFile:
    """A sound file. `timestamp` in ms."""

    flags: int
    page_size: int
    commit: int
    min_txid: int
    max_txid: int
    timestamp: int
    pre_apply: int
    post_apply: int
    pages: Mapping[int, bytes]

    @property
    def checked(self) -> bool:
        """Whether it keeps checksums of the database."""
        return not self.flags & 2


class Unsound(Exception):
    """The file breaks a rule of the format."""


def read(data: bytes, checksum: bool = True) -> LTXFile | None:
    """The file, or None where it breaks any rule. `checksum` False: whatever checksum it ends with."""
    try:
        return _read(data, checksum)
    except Unsound:
        return None


@lru_cache(maxsize=20_000)
def read_known(data: bytes) -> LTXFile | None:
    """The same, remembered: a damaged replica shares most of its files with the sound one."""
    return read(data)


def _must(rule: bool) -> None:
    if not rule:
        raise Unsound


def _read(data: bytes, checksum: bool) -> LTXFile:
    def number(at: int, size: int) -> int:
        _must(at + size <= len(data))
        return int.from_bytes(data[at : at + size], "big")

    flags, page_size, commit = number(4, 4), number(8, 4), number(12, 4)
    low, high, time, pre = number(16, 8), number(24, 8), number(32, 8), number(40, 8)
    offset, size, salts = number(48, 8), number(56, 8), number(64, 8)
    _must(len(data) >= 100 and data[:4] == b"LTX1" and flags in (0, 2))
    _must(page_size in (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536))
    _must(commit > 0 and 1 <= low <= high and offset < _BIT63 and size < _BIT63)
    _must(offset > 0 or not (salts or size))
    _must(not pre if flags or low == 1 else pre >= _BIT63)
    pages: dict[int, bytes] = {}
    fed, index, at = [data[:100]], b"", 100
    while number(at, 6):
        page, kind, begin = number(at, 4), number(at + 4, 2), at
        _must(max(pages, default=0) < page <= commit and page != 0x40000000 // page_size + 1)
        if kind == 1:
            length = number(at + 6, 4)
            image, at = _block(data[at + 10 : at + 10 + length], page_size), at + 10 + length
            fed.append(data[begin : begin + 10])
        else:
            _must(kind == 0)
            image, used = _frame(data[at + 6 : at + 6 + _LARGEST_FRAME])
            at += 6 + used
            fed.append(data[begin : begin + 6])
        _must(at <= len(data) and len(image) == page_size)
        fed.append(image)
        pages[page] = image
        index += b"".join(_leb128(n) for n in (page, begin, at - begin))
    index += b"\0"
    index += len(index).to_bytes(8, "big")
    end = bytes(6) + index
    _must(data[at : at + len(end)] == end and len(data) == at + len(end) + 16)
    post = number(len(data) - 16, 8)
    fed += [end, data[-16:-8]]
    lock = 0x40000000 // page_size + 1
    _must(low > 1 or len(pages) == commit - (lock <= commit))
    _must(not checksum or crc64(b"".join(fed)) | _BIT63 == number(len(data) - 8, 8))
    _must(not post if flags else low > 1 or post == rolling(pages))
    return LTXFile(flags, page_size, commit, low, high, time - (time >> 63 << 64), pre, post, pages)


def _block(data: bytes, page_size: int) -> bytes:
    try:
        image: bytes = lz4.block.decompress(data, uncompressed_size=page_size)
    except (lz4.block.LZ4BlockError, ValueError):
        raise Unsound from None
    return image


def _frame(data: bytes) -> tuple[bytes, int]:
    """What a frame holds, and its length."""
    reader = lz4.frame.LZ4FrameDecompressor()
    try:
        image: bytes = reader.decompress(data, max_length=1 << 17)
    except RuntimeError:
        raise Unsound from None
    _must(reader.eof)
    return image, len(data) - len(reader.unused_data or b"")


def _leb128(value: int) -> bytes:
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])
