"""SQLite's write-ahead log: header, frames, cumulative checksum, salts, commits.

Layout and rules: https://www.sqlite.org/fileformat2.html#the_write_ahead_log and FORMAT-v0.3, section 1. All integers
are big-endian; only the words that the checksum adds up take their byte order from the magic number.

The checksum is a linear recurrence, so a frame's own contribution is the dot product of its words with two fixed
vectors (Fibonacci numbers mod 2^32), and each frame can be checked against the stored checksum of the frame before
it: all frames of a block at once, in one einsum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from litetui.format.dbheader import is_page_size

HEADER_SIZE = 32
FRAME_HEADER_SIZE = 24
MAGIC_LITTLE = 0x377F0682
MAGIC_BIG = 0x377F0683
VERSION = 3007000
_MASK = 0xFFFFFFFF

U32 = npt.NDArray[np.uint32]
U8 = npt.NDArray[np.uint8]
Fault = Literal["", "salt", "page", "checksum"]


class WALError(Exception):
    """A WAL header that is none. The message says why."""


@dataclass(frozen=True, slots=True)
class WALHeader:
    """The 32 bytes at the start of a WAL. `checksum` is the state that the first frame's checksum goes on from."""

    page_size: int
    sequence: int
    salt1: int
    salt2: int
    little_endian: bool
    checksum: tuple[int, int]

    @property
    def frame_size(self) -> int:
        return FRAME_HEADER_SIZE + self.page_size

    @property
    def checksum_order(self) -> Literal["little", "big"]:
        return "little" if self.little_endian else "big"

    def end_of(self, frames: int) -> int:
        """The offset behind that many frames."""
        return HEADER_SIZE + frames * self.frame_size

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview) -> WALHeader:
        """Read and verify the header. Raises WALError."""
        if len(data) < HEADER_SIZE:
            raise WALError(f"{len(data)} bytes are too short for a WAL header")
        words = [int.from_bytes(data[i : i + 4], "big") for i in range(0, HEADER_SIZE, 4)]
        magic, version, page_size, sequence, salt1, salt2, s0, s1 = words
        if magic not in (MAGIC_LITTLE, MAGIC_BIG):
            raise WALError(f"the magic number is {magic:08x}: no SQLite WAL")
        little = magic == MAGIC_LITTLE
        if checksum(bytes(data[:24]), little_endian=little) != (s0, s1):
            raise WALError("the checksum of the WAL header is wrong")
        if version != VERSION:
            raise WALError(f"WAL version {version}, where SQLite writes {VERSION}")
        if not is_page_size(page_size):
            raise WALError(f"{page_size} is no page size of SQLite")
        return cls(page_size, sequence, salt1, salt2, little, (s0, s1))


@dataclass(frozen=True, slots=True)
class FrameBlock:
    """What one block of whole frames holds, in columns of the same length.

    pages    page numbers (from 1)
    commits  the database's size in pages where the frame ends a transaction, else 0
    valid    how many of the frames are valid; the first invalid one ends the WAL
    fault    what is wrong with frame `valid`, "" where all are valid
    state    the checksum after the last valid frame
    """

    pages: U32
    commits: U32
    valid: int
    fault: Fault
    state: tuple[int, int]


def checksum(data: bytes, state: tuple[int, int] = (0, 0), *, little_endian: bool) -> tuple[int, int]:
    """SQLite's WAL checksum, one pair of words after the other; the length must be a multiple of 8."""
    s0, s1 = state
    words = memoryview(data)
    order: Literal["little", "big"] = "little" if little_endian else "big"
    for i in range(0, len(data), 8):
        s0 = (s0 + int.from_bytes(words[i : i + 4], order) + s1) & _MASK
        s1 = (s1 + int.from_bytes(words[i + 4 : i + 8], order) + s0) & _MASK
    return s0, s1


def check_frames(frames: U8, header: WALHeader, state: tuple[int, int]) -> FrameBlock:
    """Verify a block of whole frames against the checksum state before it.

    `frames` is a C-contiguous (n, 24 + page size) array of bytes, n ≥ 0; `state` is `header.checksum` for the first
    block of a WAL and the last block's `state` after it.
    """
    n = len(frames)
    if n == 0:
        empty = np.zeros(0, np.uint32)
        return FrameBlock(empty, empty, 0, "", state)
    weights, (a, b, c) = _weights(header.page_size)
    words = frames.view("<u4" if header.little_endian else ">u4")
    sums = np.einsum("ij,kj->ik", words, weights)
    heads = frames[:, :FRAME_HEADER_SIZE].view(">u4").astype(np.uint32)
    before = np.empty((n, 2), np.uint32)
    before[0] = state
    before[1:] = heads[:-1, 4:]
    right = (heads[:, 4] == a * before[:, 0] + b * before[:, 1] + sums[:, 0]) & (
        heads[:, 5] == b * before[:, 0] + c * before[:, 1] + sums[:, 1]
    )
    salts = (heads[:, 2] == header.salt1) & (heads[:, 3] == header.salt2)
    pages, commits = heads[:, 0].copy(), heads[:, 1].copy()
    ok = right & salts & (pages != 0)
    valid = n if ok.all() else int(ok.argmin())
    fault: Fault = ""
    if valid < n:
        fault = "salt" if not salts[valid] else "page" if pages[valid] == 0 else "checksum"
    if valid:
        state = (int(heads[valid - 1, 4]), int(heads[valid - 1, 5]))
    return FrameBlock(pages, commits, valid, fault, state)


@cache
def _weights(page_size: int) -> tuple[U32, tuple[np.uint32, np.uint32, np.uint32]]:
    """What each word of a frame adds to s0 and s1, and the matrix that carries the state before it over.

    Of N pairs of words, word r counted from the end adds word * Fib(r) to s0 and word * Fib(r + 1) to s1; the state
    is multiplied by [[Fib(2N-1), Fib(2N)], [Fib(2N), Fib(2N+1)]]. Salts and checksum (words 2 to 5) add nothing.
    """
    count = 2 + page_size // 4
    fib = [0, 1]
    while len(fib) < count + 2:
        fib.append((fib[-1] + fib[-2]) & _MASK)
    out = np.zeros((2, 4 + count), np.uint32)
    for row in (0, 1):
        series = np.array(fib[row : row + count][::-1], np.uint32)
        out[row, :2] = series[:2]
        out[row, 6:] = series[2:]
    a, b, c = np.array([fib[count - 1], fib[count], fib[count + 1]], np.uint32)
    return out, (a, b, c)
