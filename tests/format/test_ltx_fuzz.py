"""Damaged LTX files, with right and wrong checksums: the decoder refuses them, or gives what a plain reader finds."""

from __future__ import annotations

import io
import random
import tracemalloc

import pytest

from litetui.format.ltx import Decoder
from litetui.format.ltx_header import HEADER_SIZE, LTXError, LTXHeader
from litetui.format.ltx_small import decode_small
from tests import fuzz_ltx, ltx_reader
from tests.ltx_encode import encode


def test_the_plain_reader_knows_the_checksum_of_the_format() -> None:
    assert ltx_reader.crc64(b"123456789") == 0xB90956C775A41001
    data = random.Random(1).randbytes(500)
    crc = 2**64 - 1
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xD800000000000000 if crc & 1 else 0)
    assert ltx_reader.crc64(data) == crc ^ 2**64 - 1


def test_sound_files_are_read_as_the_plain_reader_reads_them() -> None:
    for data in fuzz_ltx.made_files():
        assert fuzz_ltx.judge(data, "damaged", (data,)) == ("accepted", "")
        assert fuzz_ltx.repair(data) == data


def test_what_litestream_writes_is_taken_at_once() -> None:
    """Else the fast way would never be under test, nor used."""
    pages = [(n, random.Random(n).randbytes(300) + bytes(212)) for n in range(1, 5)]
    for header in (LTXHeader(512, 4, 1, 1, 0), LTXHeader(512, 9, 7, 8, 5, wal_offset=32, wal_size=536, salt1=1)):
        small = decode_small(encode(header, pages))
        assert small is not None
        assert small[0] == header
        assert small[1].pages.tolist() == [1, 2, 3, 4]
        assert [row.tobytes() for row in small[1].images] == [image for _, image in pages]
    assert decode_small(encode(LTXHeader(512, 4, 1, 1, 0), pages, sized=False)) is None
    assert decode_small(encode(LTXHeader(65536, 40, 2, 2, 0), [(n, bytes(65536)) for n in range(1, 20)])) is None


def test_some_hundred_inputs_never_lie() -> None:
    counts = fuzz_ltx.run(fuzz_ltx.made_files(), 7, range(800))
    assert counts.by_way["repaired", "accepted"] > 20
    assert counts.by_way["rebuilt", "accepted"] > 10
    assert counts.results["refused"] > 400
    assert {"ltx-invalid", "ltx-checksum", "truncated", "missing-page"} <= set(counts.codes)


@pytest.mark.parametrize("at", [12, 106, 100, 104])
def test_a_number_without_end_takes_no_memory(at: int) -> None:
    """The number of pages, the length of a block, a page's number, its flags: all bits set."""
    data = bytearray(encode(LTXHeader(512, 4, 1, 1, 0), [(n, bytes(512)) for n in range(1, 5)]))
    assert len(data) > HEADER_SIZE
    data[at : at + 4] = b"\xff" * 4
    tracemalloc.start()
    try:
        with pytest.raises(LTXError):
            list(Decoder(io.BytesIO(fuzz_ltx.repair(bytes(data)))).batches())
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
