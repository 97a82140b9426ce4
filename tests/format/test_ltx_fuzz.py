"""Damaged LTX files, with right and wrong checksums: the decoder refuses them, or gives what a plain reader finds."""

from __future__ import annotations

import io
import random
import tracemalloc

import pytest

from litetui.format.ltx import HEADER_SIZE, Decoder, LTXError, LTXHeader, encode
from tests import fuzz_ltx, ltx_reader


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
