from __future__ import annotations

import io
from itertools import product

import lz4.frame
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from litetui.format import lz4 as codec
from litetui.format.lz4 import LZ4Error

TEXT = b"A page of a database, and again a page of a database. " * 40


class OneByte(io.BytesIO):
    """A source that never gives more than one byte at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(1 if size else 0)


def stream(data: bytes) -> bytes:
    return b"".join(codec.decompress_stream(io.BytesIO(data)))


def frame(
    data: bytes,
    *,
    block_size: int = lz4.frame.BLOCKSIZE_MAX64KB,
    linked: bool = False,
    checks: bool = False,
    size: bool = False,
) -> bytes:
    out: bytes = lz4.frame.compress(
        data,
        block_size=block_size,
        block_linked=linked,
        content_checksum=True,
        block_checksum=checks,
        store_size=size,
    )
    return out


OPTIONS = list(
    product(
        range(lz4.frame.BLOCKSIZE_MAX64KB, lz4.frame.BLOCKSIZE_MAX4MB + 1),
        [False, True],
        [False, True],
        [False, True],
    )
)  # fmt: skip


@pytest.mark.parametrize(("block_size", "linked", "checks", "size"), OPTIONS)
def test_every_kind_of_frame_is_read(block_size: int, linked: bool, checks: bool, size: bool) -> None:
    noise = bytes(xxhash.xxh3_128_digest(i.to_bytes(4, "big"))[0] for i in range(70_000))
    data = TEXT * 120 + noise + TEXT * 3  # several blocks of 64 KiB, one of them stored as it is
    made = frame(data, block_size=block_size, linked=linked, checks=checks, size=size)
    assert stream(made) == data
    assert codec.decompress(made) == data


def test_linked_blocks_reach_back_over_the_block_before() -> None:
    noise = xxhash.xxh3_128_digest(b"seed") * 4000  # 64,000 bytes that repeat only as a whole
    data = noise + noise + noise
    made = frame(data, linked=True)
    assert len(made) < len(frame(data, linked=False))
    assert stream(made) == data


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=5000), st.booleans(), st.booleans(), st.booleans())
def test_any_content_round_trips(data: bytes, linked: bool, checks: bool, size: bool) -> None:
    made = frame(data, linked=linked, checks=checks, size=size)
    assert stream(made) == codec.decompress(made) == data
    assert b"".join(codec.decompress_stream(OneByte(made))) == data


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=5000))
def test_what_is_compressed_has_the_parameters_of_litestream(data: bytes) -> None:
    made = codec.compress(data)
    assert made[:7] == b"\x04\x22\x4d\x18\x64\x70\xb9"
    assert made[-4:] == xxhash.xxh32_intdigest(data).to_bytes(4, "little")
    assert lz4.frame.decompress(made) == data
    assert codec.decompress(made) == stream(made) == data


SMALL = {
    "litestream": codec.compress(TEXT[:300]),
    "stored": codec.compress(xxhash.xxh3_128_digest(b"noise") * 2),
    "blocks": frame(TEXT[:200], linked=True, checks=True, size=True),
    "empty": codec.compress(b""),
}
FUNCTIONS = {"whole": codec.decompress, "stream": stream}


@pytest.mark.parametrize("how", FUNCTIONS)
@pytest.mark.parametrize("name", SMALL)
def test_every_cut_is_an_error(name: str, how: str) -> None:
    made = SMALL[name]
    for size in range(len(made)):
        with pytest.raises(LZ4Error) as caught:
            FUNCTIONS[how](made[:size])
        assert caught.value.code == ("truncated" if size else "empty-file"), size
        assert caught.value.offset <= size


@pytest.mark.parametrize("how", FUNCTIONS)
@pytest.mark.parametrize("name", SMALL)
def test_every_flip_is_an_error_or_changes_nothing(name: str, how: str) -> None:
    made = SMALL[name]
    wanted = lz4.frame.decompress(made)
    passed = []
    for at in range(len(made)):
        for bit in (0x01, 0x10, 0x40, 0x80, 0xFF):
            flipped = bytearray(made)
            flipped[at] ^= bit
            try:
                assert FUNCTIONS[how](bytes(flipped)) == wanted, (at, bit)
                passed.append(at)
            except LZ4Error:
                pass
    assert not passed or set(passed) <= set(range(11, len(made) - 8)), "only another coding of the same bytes may pass"


@pytest.mark.parametrize("how", FUNCTIONS)
def test_bytes_after_the_frame_are_refused(how: str) -> None:
    made = SMALL["litestream"]
    for extra in (b"\0", b"\0" * 8, made, made[:3]):
        with pytest.raises(LZ4Error, match="after the end"):
            FUNCTIONS[how](made + extra)


def test_a_frame_without_content_checksum_is_refused() -> None:
    made = lz4.frame.compress(TEXT, content_checksum=False)
    with pytest.raises(LZ4Error, match="without a content checksum"):
        codec.decompress(made)


def test_an_encrypted_file_is_named_as_such() -> None:
    with pytest.raises(LZ4Error, match="encrypted with age"):
        codec.decompress(b"age-encryption.org/v1\n-> X25519 abc\n")


def test_other_files_are_no_frames() -> None:
    for data in (b"SQLite format 3\0" * 10, b"\0" * 100, b"\x1f\x8b\x08" + b"\0" * 50):
        with pytest.raises(LZ4Error, match="does not begin like"):
            codec.decompress(data)


def test_a_block_larger_than_the_frame_allows_is_refused_without_its_buffer() -> None:
    made = bytearray(SMALL["litestream"])
    made[7:11] = (0x7FFFFFFF).to_bytes(4, "little")
    with pytest.raises(LZ4Error, match="at most 4194304"):
        codec.decompress(bytes(made))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_noise_never_gets_past_as_a_frame(data: bytes) -> None:
    for start in (b"", b"\x04\x22\x4d\x18", SMALL["litestream"][:7], SMALL["litestream"][:11]):
        with pytest.raises(LZ4Error):
            codec.decompress(start + data)
