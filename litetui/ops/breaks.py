"""Where the frames of a WAL stop being valid: what its header and the frame before ask for, what stands there instead,
and what that says of the cause.

The rules: https://www.sqlite.org/fileformat2.html#wal_file_format. A frame's salts are those of the WAL's header; its
checksum goes on from that of the frame before, over the first 8 bytes of its own header and its page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from litetui.format import wal

Pair = tuple[int, int]
_NEAR = 1 << 12  # so many WALs away a salt still tells which one it is of


@dataclass(frozen=True, slots=True)
class FrameFault:
    """The first frame that is not valid, with the two 32-bit words of both fields as its header has them.

    page, commit, salts, checksum   what was found; None where the file ends inside the frame
    expected_salts, expected_checksum   what must stand there for this page; the checksum None where the frame was cut
    reason   what that says of the cause, a sentence without a full stop
    """

    frame: int
    offset: int
    page: int | None
    commit: int | None
    salts: Pair | None
    expected_salts: Pair
    checksum: Pair | None
    expected_checksum: Pair | None
    reason: str


def pair_text(pair: Pair | None) -> str:
    """Two words in hex, `8e5c1a40 1f00a2b7`."""
    return "none" if pair is None else f"{pair[0]:08x} {pair[1]:08x}"


def cut_frame(header: wal.WALHeader, frame: int, end: int, *, may_grow: bool = False) -> FrameFault:
    """The fault of a frame in which the WAL ends, at offset `end`; where it may grow, a writer may be at it."""
    offset = header.end_of(frame)
    why = "torn, or still being written" if may_grow else "it was cut"
    reason = f"the file ends {end - offset} bytes into the frame, of {header.frame_size}: {why}"
    return FrameFault(frame, offset, None, None, None, (header.salt1, header.salt2), None, None, reason)


def fault_of(header: wal.WALHeader, index: int, frame: int, state: Pair, found: Sequence[bytes]) -> FrameFault:
    """The fault of a frame that is not valid after the checksum `state`: `found` has it, and the frame after it where
    there is one."""
    one = found[0]
    page, commit, *words = (int.from_bytes(one[i : i + 4], "big") for i in range(0, wal.FRAME_HEADER_SIZE, 4))
    salts, stored = (words[0], words[1]), (words[2], words[3])
    wanted, right = (header.salt1, header.salt2), _checksum(header, one, state)
    if not any(one):
        reason = "it is all zeros: room that was never written, or a write that was lost"
    elif salts != wanted:
        reason = _of_salts(index, salts, wanted, whole=stored == right)
    elif page == 0:
        reason = "it names page 0, and pages count from 1: its header was changed"
    else:
        reason = _of_checksum(header, stored, right, found[1:])
    return FrameFault(frame, header.end_of(frame), page, commit, salts, wanted, stored, right, reason)


def _checksum(header: wal.WALHeader, frame: bytes, state: Pair) -> Pair:
    covered = frame[:8] + frame[wal.FRAME_HEADER_SIZE :]
    return wal.checksum(covered, state, little_endian=header.little_endian)


def _of_salts(index: int, salts: Pair, wanted: Pair, *, whole: bool) -> str:
    if whole:
        return "its checksum is right, so only the salts in its header were changed"
    steps = (salts[0] - wanted[0] + _NEAR) % (1 << 32) - _NEAR
    if steps == 0:
        return "salt-1 is right and salt-2 is not: it was written into a WAL of another generation or another copy"
    if abs(steps) < _NEAR and index + steps >= 0:
        return f"its salt-1 is that of index {index + steps:08x}: a piece of that WAL stands here"
    return "its salts are of no WAL near this one: a piece of another generation or database, or other bytes altogether"


def _of_checksum(header: wal.WALHeader, stored: Pair, right: Pair, after: Sequence[bytes]) -> str:
    if not after:
        return (
            "it does not follow on the checksum of the frame before it, and no frame comes after it: a write that was "
            "torn, or its bytes were changed"
        )
    following = tuple(int.from_bytes(after[0][i : i + 4], "big") for i in (16, 20))
    if following == _checksum(header, after[0], right):
        return "only the checksum in its header was changed: the frame after it follows on the right one"
    if following == _checksum(header, after[0], stored):
        return (
            "it does not follow on the checksum of the frame before it, and the frame after it follows on its own: its "
            "page or its header was changed, or frames before it are missing"
        )
    return "neither does it follow on the frame before it, nor the frame after it on it: more than one frame is damaged"
