"""File names of Litestream replicas: parse and format.

    generations/GGGGGGGGGGGGGGGG/snapshots/IIIIIIII.snapshot[.lz4]
    generations/GGGGGGGGGGGGGGGG/wal/IIIIIIII.wal[.lz4]              v0.3.0–0.3.4: a file holds a whole WAL
    generations/GGGGGGGGGGGGGGGG/wal/IIIIIIII_OOOOOOOO.wal.lz4       v0.3.5+: a file holds a segment of a WAL

    ltx/L/MMMMMMMMMMMMMMMM-NNNNNNNNNNNNNNNN.ltx                      v0.5: the transactions from M to N, on level L
    LLLL/MMMMMMMMMMMMMMMM-NNNNNNNNNNNNNNNN.ltx                       the same in a bucket

All hex is lower case. An offset past 4 GiB takes more than 8 digits, up to 16; offsets are numbers, never
sorted as text (FORMAT-v0.3, section 2.1). Anything else is a foreign name.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_GENERATION = re.compile(r"[0-9a-f]{16}")
_SNAPSHOT = re.compile(r"([0-9a-f]{8})\.snapshot(\.lz4)?")
_WAL = re.compile(r"([0-9a-f]{8})(?:_([0-9a-f]{8,16}))?\.wal(\.lz4)?")

_LTX = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.ltx")
_BUCKET_LEVEL = re.compile(r"000[0-9]")

MAX_INDEX = 0x7FFFFFFF


class SnapshotName(NamedTuple):
    index: int  # type: ignore[assignment]  # a tuple's own `index` is of no use here
    compressed: bool


class WALName(NamedTuple):
    """`offset` is None where the file holds a whole WAL."""

    index: int  # type: ignore[assignment]
    offset: int | None
    compressed: bool


def is_generation(name: str) -> bool:
    """True for 16 lower-case hex digits."""
    return _GENERATION.fullmatch(name) is not None


def parse_snapshot(name: str) -> SnapshotName | None:
    """A snapshot's name, or None for any other name."""
    m = _SNAPSHOT.fullmatch(name)
    return None if m is None else SnapshotName(int(m[1], 16), m[2] is not None)


def format_snapshot(index: int, *, compressed: bool = True) -> str:
    return f"{index:08x}.snapshot{'.lz4' if compressed else ''}"


def parse_wal(name: str) -> WALName | None:
    """The name of a WAL file of either layout, or None for any other name."""
    m = _WAL.fullmatch(name)
    if m is None:
        return None
    return WALName(int(m[1], 16), None if m[2] is None else int(m[2], 16), m[3] is not None)


def format_wal(index: int, offset: int | None = None, *, compressed: bool = True) -> str:
    piece = "" if offset is None else f"_{offset:08x}"
    return f"{index:08x}{piece}.wal{'.lz4' if compressed else ''}"


def parse_ltx(name: str) -> tuple[int, int] | None:
    """First and last TXID of an LTX file's name, or None for any other name."""
    m = _LTX.fullmatch(name)
    return None if m is None else (int(m[1], 16), int(m[2], 16))


def format_ltx(min_txid: int, max_txid: int) -> str:
    return f"{min_txid:016x}-{max_txid:016x}.ltx"


def is_bucket_level(name: str) -> bool:
    """True for a level's folder as it is named in a bucket."""
    return _BUCKET_LEVEL.fullmatch(name) is not None


def format_bucket_level(level: int) -> str:
    return f"{level:04x}"
