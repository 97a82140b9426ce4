"""Where a WAL stops being valid: what is expected there, what is found, and the cause that is named."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from litetui.ops.breaks import FrameFault, pair_text
from litetui.ops.frames import read_frames
from litetui.replica.detect import open_replica
from tests.build import GENERATION, History, add_frame, slow_checksum, usual_history, wal_header, write_replica

FRAME = 3
SIZE = 24 + 512


def at(frame: int) -> int:
    return 32 + frame * SIZE


@pytest.fixture
def history() -> History:
    return usual_history()


def fault(
    tmp_path: Path, history: History, data: bytes | bytearray, index: int = 1, *, plain: bool = False
) -> FrameFault | None:
    builder = write_replica(tmp_path / "r", history, layout="whole")
    for path in (builder.folder / "wal").glob(f"{index:08x}.wal*"):
        path.unlink()
    builder.whole(index, bytes(data), plain=plain)
    return read_frames(open_replica(builder.root), GENERATION, index).fault


def words(data: bytes | bytearray, frame: int, field: int) -> tuple[int, int]:
    """Two words of a frame's header, from that byte of it on."""
    one, two = struct.unpack_from(">2I", data, at(frame) + field)
    return one, two


def test_a_sound_wal_has_none(tmp_path: Path, history: History) -> None:
    assert fault(tmp_path, history, history.wals[1]) is None


@pytest.mark.parametrize("little", [True, False])
def test_a_changed_page(tmp_path: Path, little: bool) -> None:
    history = usual_history(little=little)
    data = bytearray(history.wals[1])
    right = words(data, FRAME, 16)
    data[at(FRAME) + 100] ^= 1
    found = fault(tmp_path, history, data)
    assert found is not None
    before = words(data, FRAME - 1, 16)
    frame = bytes(data[at(FRAME) : at(FRAME + 1)])
    expected = slow_checksum(frame[:8] + frame[24:], before, little=little)
    assert (found.frame, found.offset, found.checksum, found.expected_checksum) == (FRAME, at(FRAME), right, expected)
    assert found.salts == found.expected_salts == struct.unpack_from(">2I", data, 16)
    assert (found.page, found.commit) == words(data, FRAME, 0)
    assert "its page or its header was changed, or frames before it are missing" in found.reason


def test_a_changed_checksum(tmp_path: Path, history: History) -> None:
    data = bytearray(history.wals[1])
    right = words(data, FRAME, 16)
    data[at(FRAME) + 17] ^= 1
    found = fault(tmp_path, history, data)
    assert found is not None
    assert (found.expected_checksum, found.checksum) == (right, words(data, FRAME, 16))
    assert found.reason.startswith("only the checksum in its header was changed")


def test_a_frame_that_is_missing(tmp_path: Path, history: History) -> None:
    data = bytearray(history.wals[1])
    del data[at(FRAME) : at(FRAME + 1)]
    found = fault(tmp_path, history, data)
    assert found is not None
    assert "or frames before it are missing" in found.reason


def test_two_changed_frames(tmp_path: Path, history: History) -> None:
    data = bytearray(history.wals[1])
    data[at(FRAME) + 100] ^= 1
    data[at(FRAME + 1) + 100] ^= 1
    found = fault(tmp_path, history, data)
    assert found is not None
    assert "more than one frame is damaged" in found.reason


def test_the_last_frame(tmp_path: Path, history: History) -> None:
    data = bytearray(history.wals[1])
    data[-1] ^= 1
    found = fault(tmp_path, history, data)
    assert found is not None
    assert "no frame comes after it: a write that was torn" in found.reason


def test_changed_salts(tmp_path: Path, history: History) -> None:
    data = bytearray(history.wals[1])
    data[at(FRAME) + 11] ^= 0x40
    found = fault(tmp_path, history, data)
    assert found is not None
    assert found.salts == words(data, FRAME, 8) != found.expected_salts
    assert found.checksum == found.expected_checksum
    assert found.reason == "its checksum is right, so only the salts in its header were changed"


@pytest.mark.parametrize(
    ("other", "reason"),
    [(0, "that of index 00000000: a piece of that WAL"), (2, "that of index 00000002: a piece of that WAL")],
)
def test_a_piece_of_another_index(tmp_path: Path, history: History, other: int, reason: str) -> None:
    data = bytes(history.wals[1][: at(FRAME)] + history.wals[other][at(FRAME) :])
    found = fault(tmp_path, history, data)
    assert found is not None
    assert reason in found.reason


@pytest.mark.parametrize(
    ("salt1", "reason"),
    [
        (lambda own: own, "salt-1 is right and salt-2 is not"),
        (lambda own: own ^ 0x80000000, "its salts are of no WAL near this one"),
        (lambda own: own - 2, "its salts are of no WAL near this one"),  # there is no index before 0
    ],
)
def test_a_piece_of_something_else(tmp_path: Path, history: History, salt1: object, reason: str) -> None:
    assert callable(salt1)
    own = struct.unpack_from(">I", history.wals[1], 16)[0]
    other = bytearray(wal_header(512, salt1(own), 0x55AA55AA))
    for page in range(1, FRAME + 2):
        add_frame(other, page, 0, bytes(512))
    found = fault(tmp_path, history, bytes(history.wals[1][: at(FRAME)] + other[at(FRAME) :]))
    assert found is not None
    assert reason in found.reason


def test_zeros(tmp_path: Path, history: History) -> None:
    found = fault(tmp_path, history, bytes(history.wals[1][: at(FRAME)] + bytes(SIZE)))
    assert found is not None
    assert found.reason.startswith("it is all zeros")
    assert (found.salts, found.checksum) == ((0, 0), (0, 0))


def test_page_0(tmp_path: Path, history: History) -> None:
    data = bytearray(history.wals[1][: at(FRAME)])
    add_frame(data, 0, 4, bytes(512))
    found = fault(tmp_path, history, bytes(data))
    assert found is not None
    assert "page 0" in found.reason


@pytest.mark.parametrize("cut", [1, 23, 24, SIZE - 1])
@pytest.mark.parametrize("plain", [True, False])
def test_a_frame_that_is_cut(tmp_path: Path, history: History, cut: int, plain: bool) -> None:
    """Where a writer may be at it, that is no damage."""
    last = len(history.wals) - 1
    data = bytes(history.wals[last][: at(FRAME) + cut])
    found = fault(tmp_path, history, data, last, plain=plain)
    assert found is not None
    assert (found.frame, found.offset, found.checksum) == (FRAME, at(FRAME), None)
    why = "torn, or still being written" if plain else "it was cut"
    assert found.reason == f"the file ends {cut} bytes into the frame, of {SIZE}: {why}"
    problem = read_frames(open_replica(tmp_path / "r"), GENERATION, last).problem
    assert (problem is None) is plain


def test_the_next_frame_is_found_in_the_next_batch(
    tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litetui.ops.wals.BATCH_BYTES", SIZE)
    data = bytearray(history.wals[1])
    data[at(FRAME) + 17] ^= 1
    found = fault(tmp_path, history, data)
    assert found is not None
    assert found.reason.startswith("only the checksum in its header was changed")


def test_pairs_read_as_in_a_hex_dump() -> None:
    assert (pair_text((0x10203040, 0xA)), pair_text(None)) == ("10203040 0000000a", "none")
