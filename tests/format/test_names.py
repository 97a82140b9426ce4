from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litetui.format import names

INDEX = st.integers(0, 0xFFFFFFFF)
OFFSET = st.integers(0, 2**64 - 1)


@given(INDEX, st.none() | OFFSET, st.booleans())
def test_wal_names_round_trip(index: int, offset: int | None, compressed: bool) -> None:
    name = names.format_wal(index, offset, compressed=compressed)
    assert names.parse_wal(name) == names.WALName(index, offset, compressed)


@given(INDEX, st.booleans())
def test_snapshot_names_round_trip(index: int, compressed: bool) -> None:
    name = names.format_snapshot(index, compressed=compressed)
    assert names.parse_snapshot(name) == names.SnapshotName(index, compressed)


@given(st.integers(0, 0xFFFFFFFF), st.integers(9, 16))
def test_offsets_of_9_to_16_digits_are_read(offset: int, digits: int) -> None:
    parsed = names.parse_wal(f"0000007f_{offset:0{digits}x}.wal.lz4")
    assert parsed == names.WALName(0x7F, offset, True)


def test_real_names() -> None:
    assert names.parse_wal("00000002_0000c140.wal.lz4") == (2, 49472, True)
    assert names.parse_wal("00000000_100000000.wal.lz4") == (0, 1 << 32, True)
    assert names.parse_wal("00000004.wal") == (4, None, False)
    assert names.parse_wal("00000003.wal.lz4") == (3, None, True)
    assert names.parse_snapshot("0000000a.snapshot.lz4") == (10, True)
    assert names.is_generation("5efbd8d042012dca")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "0000000A.wal",
        "0000001.wal",
        "000000001.wal",
        "0000000g.wal",
        "00000003.wal.lz4.bak",
        "00000003.wal.lz4.tmp",
        "00000003.wal.lz4\n",
        "00000003.wal\n",
        "\n00000003.wal",
        "00000003.walxlz4",
        "00000003xwal.lz4",
        "00000002_0000c14.wal.lz4",
        "00000002_0000C140.wal.lz4",
        "00000002_12345678901234567.wal.lz4",
        "00000002_.wal.lz4",
        "00000002-0000c140.wal.lz4",
        " 0000002.wal",
        "٠٠٠٠٠٠٠٠.wal",
        "00000000.wal.gz",
        "\udcff0000000.wal",
    ],
)
def test_foreign_names_are_no_wal(name: str) -> None:
    assert names.parse_wal(name) is None


@pytest.mark.parametrize(
    "name",
    ["", "0000000A.snapshot.lz4", "0000001.snapshot", "00000001.snapshot.lz4\n", "00000001.snapshotxlz4",
     "00000001.snapshot.lz4.tmp", "00000001_00000000.snapshot.lz4", "00000001.wal"],
)  # fmt: skip
def test_foreign_names_are_no_snapshot(name: str) -> None:
    assert names.parse_snapshot(name) is None


@pytest.mark.parametrize(
    "name",
    ["", "NOTAGEN", "5efbd8d042012dc", "5efbd8d042012dcaa", "5EFBD8D042012DCA", "5efbd8d042012dca\n"],
)  # fmt: skip
def test_foreign_names_are_no_generation(name: str) -> None:
    assert not names.is_generation(name)


@given(st.text())
def test_any_text_is_read_or_refused_and_what_is_read_is_that_name(name: str) -> None:
    wal = names.parse_wal(name)
    if wal is not None and (wal.offset or 0) < 1 << 32:
        assert names.format_wal(wal.index, wal.offset, compressed=wal.compressed).lstrip("0") == name.lstrip("0")
    snapshot = names.parse_snapshot(name)
    if snapshot is not None:
        assert names.format_snapshot(snapshot.index, compressed=snapshot.compressed) == name
