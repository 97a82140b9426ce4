from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litetui.format import wal
from litetui.format.wal import WALError, WALHeader, check_frames
from tests.build import History, add_frame, slow_checksum, wal_header

PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]


def split(data: bytes | bytearray) -> tuple[WALHeader, npt.NDArray[np.uint8]]:
    header = WALHeader.parse(bytes(data[:32]))
    count = (len(data) - 32) // header.frame_size
    frames = np.frombuffer(bytes(data[32:]), np.uint8)[: count * header.frame_size]
    return header, frames.reshape(count, header.frame_size).copy()


def a_wal(page_size: int, frames: int, *, little: bool = True) -> bytearray:
    out = bytearray(wal_header(page_size, 0xC3DD8CBD, 0xAB6A85B6, little=little))
    for i in range(frames):
        image = np.random.default_rng(i).integers(0, 256, page_size, np.uint8).tobytes()
        add_frame(out, i % 3 + 1, 3 if i % 2 else 0, image)
    return out


def test_the_worked_example_of_a_real_wal() -> None:
    """The header of a segment that Litestream 0.3.13 wrote, with the checksum states that SQLite stored."""
    data = bytes.fromhex("377f0682002de2180000100000000001c3dd8cbdab6a85b69373e0d602e12326")
    header = WALHeader.parse(data)
    assert (header.page_size, header.sequence, header.salt1, header.salt2) == (4096, 1, 0xC3DD8CBD, 0xAB6A85B6)
    assert header.checksum == (0x9373E0D6, 0x02E12326)
    assert header.little_endian
    assert wal.checksum(bytes.fromhex("000000030000000f"), header.checksum, little_endian=True) == (
        0x995503FC,
        0xAB362722,
    )
    assert wal.checksum(data[:24], little_endian=False) == (0xD9E27390, 0x2C25E0FD)


@given(st.binary(max_size=800).map(lambda b: b[: len(b) // 8 * 8]), st.booleans())
def test_the_checksum_is_sqlites(data: bytes, little: bool) -> None:
    assert wal.checksum(data, little_endian=little) == slow_checksum(data, little=little)
    assert wal.checksum(data, (7, 0xFFFFFFFF), little_endian=little) == slow_checksum(
        data, (7, 0xFFFFFFFF), little=little
    )


@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize("page_size", PAGE_SIZES)
def test_all_frames_at_once_give_what_one_after_the_other_gives(page_size: int, little: bool) -> None:
    header, frames = split(a_wal(page_size, 5, little=little))
    block = check_frames(frames, header, header.checksum)
    assert (block.valid, block.fault) == (5, "")
    assert block.pages.tolist() == [1, 2, 3, 1, 2]
    assert block.commits.tolist() == [0, 3, 0, 3, 0]
    state = header.checksum
    for row in frames:
        state = slow_checksum(row[:8].tobytes() + row[24:].tobytes(), state, little=little)
        assert struct.unpack(">2I", row[16:24].tobytes()) == state
    assert block.state == state


def test_blocks_of_any_size_chain() -> None:
    header, frames = split(a_wal(512, 9))
    for cut in range(10):
        first = check_frames(frames[:cut], header, header.checksum)
        second = check_frames(np.ascontiguousarray(frames[cut:]), header, first.state)
        assert (first.valid, second.valid) == (cut, 9 - cut)
        assert second.state == check_frames(frames, header, header.checksum).state


@pytest.mark.parametrize("little", [True, False])
def test_a_flip_anywhere_is_found_at_its_frame(little: bool) -> None:
    header, frames = split(a_wal(512, 3, little=little))
    for frame in range(3):
        for at in range(header.frame_size):
            frames[frame, at] ^= 0x40
            block = check_frames(frames, header, header.checksum)
            assert block.valid == frame, (frame, at)
            assert block.fault == ("salt" if 8 <= at < 16 else "checksum"), (frame, at)
            frames[frame, at] ^= 0x40


@pytest.mark.parametrize("page_size", PAGE_SIZES)
def test_a_flip_is_found_in_pages_of_every_size(page_size: int) -> None:
    header, frames = split(a_wal(page_size, 3))
    for at in (24, 24 + page_size // 2, header.frame_size - 1):
        frames[1, at] ^= 1
        assert check_frames(frames, header, header.checksum).valid == 1
        frames[1, at] ^= 1


def test_page_zero_ends_the_wal() -> None:
    data = a_wal(512, 2)
    add_frame(data, 0, 3, bytes(512))
    header, frames = split(data)
    block = check_frames(frames, header, header.checksum)
    assert (block.valid, block.fault) == (2, "page")


def test_frames_that_were_swapped_are_found() -> None:
    header, frames = split(a_wal(512, 4))
    frames[[1, 2]] = frames[[2, 1]]
    assert check_frames(frames, header, header.checksum).valid == 1


@pytest.mark.parametrize("at", range(32))
def test_every_flip_in_the_header_is_an_error(at: int) -> None:
    data = bytearray(wal_header(4096, 1, 2))
    for bit in range(8):
        data[at] ^= 1 << bit
        with pytest.raises(WALError):
            WALHeader.parse(data)
        data[at] ^= 1 << bit
    assert WALHeader.parse(data).page_size == 4096


def test_wrong_headers_say_why() -> None:
    with pytest.raises(WALError, match="31 bytes are too short"):
        WALHeader.parse(bytes(31))
    with pytest.raises(WALError, match="no SQLite WAL"):
        WALHeader.parse(bytes(32))
    for page_size in (0, 1, 256, 1000, 131072):
        with pytest.raises(WALError, match="no page size"):
            WALHeader.parse(wal_header(page_size, 1, 2))
    head = struct.pack(">6I", 0x377F0682, 3007001, 4096, 0, 1, 2)
    with pytest.raises(WALError, match="version"):
        WALHeader.parse(head + struct.pack(">2I", *slow_checksum(head)))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_histories_of_any_shape_verify(data: st.DataObject) -> None:
    history = History(page_size=data.draw(st.sampled_from([512, 1024])), seed=data.draw(st.integers(0, 99)))
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=6))
    for size in sizes:
        history.commit(1, size=size)
    header, frames = split(history.wals[0])
    block = check_frames(frames, header, header.checksum)
    assert block.valid == len(frames)
    assert block.commits[block.commits > 0].tolist() == sizes
    assert [header.end_of(i + 1) for i in np.flatnonzero(block.commits).tolist()] == history.ends(0)
