"""LTX files: what Litestream wrote, what encode makes, and everything that a file may be instead."""

from __future__ import annotations

import io
import tracemalloc
from dataclasses import replace

import lz4.frame
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litetui.format import ltx
from litetui.format.ltx import Decoder, page_checksum
from litetui.format.ltx_header import LTXError, LTXHeader
from tests.ltx_encode import encode

# A whole file of Litestream 0.5.17 (FORMAT-v0.5-ltx, section 1.6), but for the middle of its page, which is unknown.
HEADER = bytes.fromhex(
    "4c545831 00000002 00001000 0000000f 0000000000000009 0000000000000009 000001a204efce15 0000000000000000"
    "0000000000000020 0000000000001018 84cb097d a09737f8 0000000000000000" + "00" * 20
)


def header(**options: int) -> LTXHeader:
    fields = {"page_size": 512, "commit": 9, "min_txid": 5, "max_txid": 7, "timestamp_ms": 1_700_000_000_123}
    return LTXHeader(**{**fields, **options})


def image(number: int, size: int = 512) -> bytes:
    return (number.to_bytes(4, "big") * size)[: size // 2] + bytes(size - size // 2)


def decode(data: bytes) -> tuple[LTXHeader, dict[int, bytes], Decoder]:
    decoder = Decoder(io.BytesIO(data))
    pages: dict[int, bytes] = {}
    for batch in decoder.batches():
        for n, page in enumerate(batch.pages.tolist()):
            pages[page] = batch.images[n].tobytes()
    return decoder.header, pages, decoder


def refused(data: bytes) -> LTXError:
    with pytest.raises(LTXError) as caught:
        decode(data)
    return caught.value


def sound(**options: int) -> bytes:
    return encode(header(**options), [(n, image(n)) for n in (2, 3, 9)])


# ---- headers


def test_the_header_of_a_real_file() -> None:
    found = LTXHeader.parse(HEADER)
    assert (found.page_size, found.commit, found.min_txid, found.max_txid) == (4096, 15, 9, 9)
    assert (found.wal_offset, found.wal_size) == (32, 4120)
    assert (found.salt1, found.salt2) == (0x84CB097D, 0xA09737F8)
    assert found.timestamp_ns == 1_795_379_154_453_000_000
    assert not found.is_snapshot
    assert found.pack() == HEADER


@given(
    st.sampled_from([512, 1024, 4096, 65536]),
    st.integers(1, 2**32 - 1),
    st.integers(1, 2**40),
    st.integers(0, 2**40),
    st.integers(-(2**62), 2**62),
)
def test_headers_round_trip(page_size: int, commit: int, first: int, more: int, at: int) -> None:
    made = LTXHeader(page_size, commit, first, first + more, at)
    assert LTXHeader.parse(made.pack()) == made


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"flags": 4}, "unknown flags"),
        ({"page_size": 1000}, "no page size"),
        ({"min_txid": 0}, "no range"),
        ({"min_txid": 8}, "no range"),
        ({"salt1": 1}, "without its offset"),
        ({"pre_apply": 1 << 63}, "can be none"),
        ({"flags": 0}, "is missing"),
    ],
)
def test_headers_that_cannot_be(change: dict[str, int], words: str) -> None:
    with pytest.raises(LTXError, match=words):
        LTXHeader.parse(replace(header(), **change).pack())


# ---- whole files


@given(
    st.sampled_from([512, 1024, 4096]),
    st.lists(st.tuples(st.integers(1, 200), st.binary(max_size=40)), max_size=60, unique_by=lambda p: p[0]),
    st.booleans(),
)
def test_files_round_trip(page_size: int, pages: list[tuple[int, bytes]], sized: bool) -> None:
    wanted = {page: data.ljust(page_size, b"\1") for page, data in sorted(pages)}
    made = header(page_size=page_size, commit=200)
    data = encode(made, wanted.items(), sized=sized)
    found, got, decoder = decode(data)
    assert (found, got) == (made, wanted)
    assert decoder.trailer.checksum >> 63 == 1
    assert decoder.page_count == len(wanted)


@pytest.mark.parametrize("sized", [True, False])
def test_many_pages_come_in_batches_of_bounded_size(sized: bool) -> None:
    count = 3 * (ltx.BATCH_BYTES // 4096) + 5
    data = encode(header(page_size=4096, commit=count), ((n, image(n, 4096)) for n in range(1, count + 1)), sized=sized)
    tracemalloc.start()
    decoder = Decoder(io.BytesIO(data))
    total, largest = 0, 0
    for batch in decoder.batches():
        assert (np.diff(batch.pages.astype(int)) > 0).all()
        assert batch.places[-1] - batch.places[0] > 0
        assert batch.images[0].tobytes() == image(int(batch.pages[0]), 4096)
        total += len(batch.pages)
        largest = max(largest, batch.images.nbytes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == count
    assert largest <= ltx.BATCH_BYTES
    assert peak < 6 * ltx.BATCH_BYTES


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("damaged", [1, 2, 300, 700])
def test_of_many_pages_the_damaged_one_is_named(sized: bool, damaged: int) -> None:
    made = header(page_size=4096, commit=700)
    data = encode(made, ((n, image(n, 4096)) for n in range(1, 701)), sized=sized)
    place = next(iter(Decoder(io.BytesIO(data)).batches())).places[0]
    for batch in Decoder(io.BytesIO(data)).batches():
        if damaged in batch.pages:
            place = batch.places[batch.pages.tolist().index(damaged)]
    start = place + (10 if sized else 17)
    error = refused(data[:start] + b"\xff" * 8 + data[start + 8 :])
    assert (error.code, error.page) == ("ltx-checksum", damaged)
    assert place <= error.offset <= start
    error = refused(data[:start])
    assert error.code == "truncated"
    assert f"page {damaged}" in str(error)


def test_both_encodings_in_one_file() -> None:
    """A compaction by a newer Litestream may leave pages as they were."""
    old, new = encode(header(), [(2, image(2))], sized=False), encode(header(), [(3, image(3))])
    parts = [(2, image(2), old[100 : _end_of_pages(old)]), (3, image(3), new[100 : _end_of_pages(new)])]
    rebuilt = _rebuild(parts)
    assert decode(rebuilt)[1] == {2: image(2), 3: image(3)}


def _end_of_pages(data: bytes) -> int:
    return len(data) - 24 - int.from_bytes(data[-24:-16], "big") - 6


def _rebuild(parts: list[tuple[int, bytes, bytes]]) -> bytes:
    """A file of pages that are encoded already."""
    import fastcrc

    head = header().pack()
    out, crc, index = bytearray(head), fastcrc.crc64.go_iso(head), b""
    for page, content, body in parts:
        index += ltx.pack_index([page], [len(out), len(out) + len(body)])
        out += body
        crc = fastcrc.crc64.go_iso(body[: 10 if body[5] else 6] + content, crc)
    index += b"\0"
    end = bytes(6) + index + len(index).to_bytes(8, "big") + bytes(8)
    crc = fastcrc.crc64.go_iso(end, crc)
    return bytes(out) + end + (crc | 1 << 63).to_bytes(8, "big")


@pytest.mark.parametrize("options", [{"block_linked": True}, {"store_size": True}, {"block_checksum": True}])
def test_other_lz4_frames_are_read(options: dict[str, bool]) -> None:
    content = image(2)
    body = (2).to_bytes(4, "big") + bytes(2) + lz4.frame.compress(content, content_checksum=True, **options)
    assert decode(_rebuild([(2, content, body)]))[1] == {2: content}


@pytest.mark.parametrize("count", [1, 15, 16, 17, 1000])
def test_the_index_is_the_same_however_many_pages(count: int) -> None:
    pages = [1 + n * 7 for n in range(count)]
    places = [100 + n * 3_000_000 for n in range(count + 1)]
    one_by_one = b"".join(ltx.pack_index(pages[n : n + 1], places[n : n + 2]) for n in range(count))
    assert ltx.pack_index(pages, places) == one_by_one


def test_the_checksum_of_a_real_page() -> None:
    """The start and the end of the page of the worked example are known, its middle is zero."""
    page = (
        bytes.fromhex("0d00000001 0ffb00") + b"\x0f\xfb" + bytes(4096 - 9 - 9) + bytes.fromhex("000000030103000900")[:9]
    )
    assert page_checksum(3, page) >> 63 == 1
    assert page_checksum(3, page) != page_checksum(4, page)


def test_checksums_of_the_database_are_verified_where_they_are_kept() -> None:
    pages = [(n, image(n)) for n in range(1, 4)]
    rolling = 0
    for number, content in pages:
        rolling = (rolling ^ page_checksum(number, content)) | 1 << 63
    made = header(commit=3, min_txid=1, max_txid=1, flags=0)
    assert decode(encode(made, pages, post_apply=rolling))[2].trailer.post_apply == rolling
    assert "database" in str(refused(encode(made, pages, post_apply=rolling ^ 2)))
    assert "can be none" in str(refused(encode(header(), pages, post_apply=1 << 63)))


# ---- what is wrong with a file


@pytest.mark.parametrize("sized", [True, False])
def test_every_cut_is_seen(sized: bool) -> None:
    data = encode(header(), [(n, image(n)) for n in (2, 3, 9)], sized=sized)
    for end in range(len(data)):
        error = refused(data[:end])
        assert error.code == ("empty-file" if not end else "truncated"), (end, str(error))
    assert "after the end" in str(refused(data + b"\0"))


@pytest.mark.parametrize("sized", [True, False])
def test_every_flipped_bit_is_seen(sized: bool) -> None:
    """Everything but the compressed form of a page is under the checksum; of the page its content is."""
    data = encode(header(), [(n, image(n)) for n in (2, 3, 9)], sized=sized)
    good = decode(data)[1]
    for at in range(len(data)):
        for bit in (0, 3, 7):
            wrong = bytearray(data)
            wrong[at] ^= 1 << bit
            try:
                found = decode(bytes(wrong))
            except LTXError:
                continue
            assert found[1] == good, (at, bit)
            assert found[0] == header()


def test_pages_must_ascend_and_belong() -> None:
    assert "must ascend" in str(refused(encode(header(), [(3, image(3)), (2, image(2))])))
    assert "must ascend" in str(refused(encode(header(), [(3, image(3)), (3, image(3))])))
    assert "of a database of 9 pages" in str(refused(encode(header(), [(10, image(10))])))
    lock = 0x40000000 // 512 + 1
    assert "lock page" in str(refused(encode(header(commit=lock), [(lock, image(1))])))


def test_a_snapshot_holds_every_page_but_the_lock_page() -> None:
    made = header(commit=3, min_txid=1)
    error = refused(encode(made, [(1, image(1)), (3, image(3))]))
    assert (error.code, "missing" in str(error)) == ("missing-page", True)
    assert len(decode(encode(made, [(n, image(n)) for n in (1, 2, 3)]))[1]) == 3


def test_a_page_of_another_length() -> None:
    for sized in (True, False):
        for wrong in (image(2)[:-1], image(2) + b"\1"):
            assert refused(encode(header(), [(2, wrong)], sized=sized)).page == 2


def test_an_index_that_points_elsewhere() -> None:
    import fastcrc

    data = bytearray(sound())
    at = _end_of_pages(bytes(data)) + 6
    data[at + 1] ^= 1  # the first page's place
    body = b"".join(data[a : a + 10] + image(n) for n, a in zip((2, 3, 9), _places(bytes(data)), strict=True))
    crc = fastcrc.crc64.go_iso(bytes(data[:100]) + body + bytes(data[at - 6 : -8]))
    data[-8:] = (crc | 1 << 63).to_bytes(8, "big")
    assert "index" in str(refused(bytes(data)))


def _places(data: bytes) -> list[int]:
    at, places = 100, []
    while at < _end_of_pages(data):
        places.append(at)
        at += 10 + int.from_bytes(data[at + 6 : at + 10], "big")
    return places


@settings(max_examples=400)
@given(st.binary(max_size=400))
def test_no_other_error_comes_out_of_noise(noise: bytes) -> None:
    for data in (noise, HEADER + noise, sound()[:100] + noise):
        try:
            decode(data)
        except LTXError as error:
            assert 0 <= error.offset <= len(data)


@settings(max_examples=400)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=12), st.booleans())
def test_no_other_error_comes_out_of_damage(at: int, patch: bytes, sized: bool) -> None:
    data = bytearray(encode(header(), [(n, image(n)) for n in (2, 3, 9)], sized=sized))
    data[at : at + len(patch)] = patch
    try:
        decode(bytes(data))
    except LTXError as error:
        assert str(error)
