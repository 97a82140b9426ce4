"""A fuzzer of the LTX decoder: files that were damaged at random, some with their checksums made right again.

    python -m tests.fuzz_ltx --inputs 100000 --seed 1 [--files FOLDER]     FOLDER: more files to damage, *.ltx or tar.gz
    python -m tests.fuzz_ltx --seed 1 --only 4711                          one input again

Of every input one of two things must come: an LTXError, or pages; nothing else, in little time and memory. Pages must
be those that a plain reader finds in the same bytes (tests/ltx_reader.py), and where no checksum was made right, those
of one of the files that the input was made of.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import signal
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import fastcrc
import lz4.block
import lz4.frame

from litetui.format.ltx import Decoder
from litetui.format.ltx_header import NO_CHECKSUM, LTXError, LTXHeader
from litetui.format.ltx_small import decode_small
from tests import ltx_reader
from tests.ltx_encode import encode

PAGE_SIZES = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
SECONDS = 5.0  # for one input
GROWTH_KB = 64 << 10  # of this process over all inputs: a batch has 8 MiB
_SPACE = 3 << 30
_LARGEST = 1 << 20
_BITS = (7, 8, 15, 16, 31, 32, 40, 63)
_EXTREMES = (0, 1, 2, *((1 << n) - 1 for n in _BITS), *(1 << n for n in _BITS))
# Header fields, and those of a first page: place and length.
_FIELDS = [(4, 4), (8, 4), (12, 4), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8), (56, 8), (64, 4), (100, 4), (104, 2)]
_FIELDS += [(106, 4), (113, 4)]


@dataclass
class Counts:
    """What came of the inputs; `slowest` in seconds, `grown` in KiB."""

    inputs: int = 0
    results: Counter[str] = field(default_factory=Counter)
    by_way: Counter[tuple[str, str]] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    grown: int = 0

    def __str__(self) -> str:
        lines = [f"{self.inputs} inputs: {dict(self.results)}", f"refused as {dict(self.codes)}"]
        lines += [f"  {way:<12} {result:<10} {count:>8}" for (way, result), count in sorted(self.by_way.items())]
        return "\n".join([*lines, f"slowest {self.slowest * 1000:.1f} ms, memory grew by {self.grown} KiB"])


def image(rng: random.Random, size: int) -> bytes:
    """A page: noise, repetition, zeros, or some of each."""
    noise = rng.randbytes(size)
    kind = rng.randrange(4)
    if kind == 0:
        return noise
    part = noise[: rng.randrange(1, 40)]
    return (bytes(size), (part * size)[:size], (noise[: size // 3] + bytes(size))[:size])[kind - 1]


def made_files(seed: int = 0) -> list[bytes]:
    """Sound files of every page size, in both encodings, with and without checksums of the database."""
    rng = random.Random(seed)
    files = []
    for page_size in PAGE_SIZES:
        for sized in (True, False):
            for flags in (NO_CHECKSUM, 0):
                for first in (1, 5):
                    commit = rng.randrange(2, 9 if page_size < 8192 else 4)
                    numbers = range(1, commit + 1)
                    if first > 1:
                        numbers = sorted(rng.sample(numbers, rng.randrange(1, commit)))  # type: ignore[assignment]
                    pages = {n: image(rng, page_size) for n in numbers}
                    pre = 0 if flags or first == 1 else 1 << 63 | rng.getrandbits(40)
                    head = LTXHeader(page_size, commit, first, first + rng.randrange(3), 1_700_000_000_000, flags, pre)
                    post = 0 if flags else ltx_reader.rolling(pages)
                    files.append(encode(head, pages.items(), sized=sized, post_apply=post))
    head = LTXHeader(512, 300, 1, 40, 1_700_000_000_000)
    return [*files, encode(head, [(n, image(rng, 512)) for n in range(1, 301)])]


def files_in(folder: Path) -> list[bytes]:
    """All LTX files in a folder, and in the archives there, each once."""
    found = {path.read_bytes() for path in folder.rglob("*.ltx") if path.is_file()}
    for path in sorted(folder.glob("*.tar.gz")):
        with tarfile.open(path) as archive:
            members = [m for m in archive if m.isfile() and m.name.endswith(".ltx")]
            found |= {file.read() for m in members if (file := archive.extractfile(m)) is not None}
    return sorted(data for data in found if len(data) <= _LARGEST)


# ---- damage


def _place(rng: random.Random, data: bytearray) -> int:
    """Anywhere, but often in the header, at a page's beginning, or at the end."""
    end = len(data)
    spans = ((0, end), (0, 100), (4, 48), (100, 117), (end - 60, end), (end - 24, end))
    low, high = rng.choice(spans)
    return max(0, min(end - 1, rng.randrange(low, max(high, low + 1))))


def _span(rng: random.Random, data: bytearray) -> slice:
    at = _place(rng, data)
    return slice(at, at + rng.choice((1, 2, 4, 8, 16, rng.randrange(1, len(data) + 1))))


def mutate(rng: random.Random, data: bytearray, other: bytes) -> bytearray:
    """One damage."""
    if not data:
        return data
    kind = rng.randrange(9)
    at = _place(rng, data)
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data[at] = rng.choice((0, 0xFF, 0x7F, 0x80, rng.randrange(256)))
    elif kind == 2:
        del data[at:]
    elif kind == 3:
        data += rng.choice((b"\0", b"\0" * 6, rng.randbytes(rng.randrange(1, 40)), bytes(other)))
    elif kind == 4:
        span = _span(rng, data)
        data[at:at] = data[span]
    elif kind == 5:
        del data[_span(rng, data)]
    elif kind == 6:
        span = _span(rng, data)
        piece = data[span]
        del data[span]
        data[at:at] = piece
    elif kind == 7:
        data = data[:at] + other[min(len(other), rng.choice((at, rng.randrange(len(other) + 1)))) :]
    else:
        at, size = rng.choice([*_FIELDS, (len(data) - 24, 8), (len(data) - 16, 8), (at, 4)])
        at, value = max(0, at), rng.choice((*_EXTREMES, *PAGE_SIZES)) & (1 << 8 * size) - 1
        data[at : at + size] = value.to_bytes(size, rng.choice(("big", "big", "little")))
    return data


def repair(data: bytes) -> bytes:
    """The file with page index, its length and the file's checksum made right, as far as its pages can be followed."""
    at, fed, index = 100, [data[:100]], b""
    page_size = int.from_bytes(data[8:12], "big")
    while len(data) - at >= 10 and any(data[at : at + 6]):
        page, kind, begin = int.from_bytes(data[at : at + 4], "big"), data[at + 5], at
        size = int.from_bytes(data[at + 6 : at + 10], "big")
        width = 10 if kind else 6
        try:
            if kind:
                block = data[at + 10 : at + 10 + size]
                page_bytes = lz4.block.decompress(block, uncompressed_size=min(page_size, 1 << 16))
                at += 10 + size
            else:
                page_bytes, used = lz4.frame.decompress(data[at + 6 :], return_bytes_read=True)
                at += 6 + used
        except (RuntimeError, ValueError, MemoryError, lz4.block.LZ4BlockError):
            return data
        fed += [data[begin : begin + width], page_bytes]
        index += b"".join(ltx_reader._leb128(n) for n in (page, begin, at - begin))
    index += b"\0"
    end = bytes(6) + index + len(index).to_bytes(8, "big") + data[-16:-8].rjust(8, b"\0")
    crc = fastcrc.crc64.go_iso(b"".join(fed) + end) | 1 << 63
    return data[:at] + end + crc.to_bytes(8, "big")


def rebuild(rng: random.Random, data: bytes) -> bytes:
    """The file with other fields or pages, written as a whole: only what is said in it can be wrong."""
    try:
        header = LTXHeader.parse(data)
    except LTXError:
        return data
    found = ltx_reader.read(data)
    if found is None:
        return data
    pages = list(found.pages.items())
    at = rng.randrange(len(pages)) if pages else 0
    kind = rng.randrange(8)
    if kind == 0 and pages:
        del pages[at]
    elif kind == 1 and pages:
        pages.insert(rng.randrange(len(pages) + 1), pages[at])
    elif kind == 2 and pages:
        pages[at] = (
            rng.choice((*(n for n in _EXTREMES if n < 1 << 32), header.commit + 1, 0x40000000 // header.page_size + 1)),
            pages[at][1],
        )
    elif kind == 3 and pages:
        size = rng.choice((0, 1, header.page_size - 1, header.page_size + 1, header.page_size * 2, header.page_size))
        pages[at] = (pages[at][0], image(rng, size) if size else b"")
    elif kind == 4:
        rng.shuffle(pages)
    elif kind == 5:
        header = replace(header, commit=rng.choice((0, 1, header.commit - 1, header.commit + 1, 0xFFFFFFFF)))
    elif kind == 6:
        header = replace(header, min_txid=rng.choice((0, 1, 2, 1 << 63)), max_txid=rng.choice((0, 1, 9, (1 << 64) - 1)))
    else:
        header = replace(
            header,
            flags=rng.choice((0, 1, 2, 3)),
            pre_apply=rng.choice((0, 1, 1 << 63)),
            page_size=rng.choice((0, 1, 511, 131072, *PAGE_SIZES)),
        )
    post = rng.choice((found.post_apply, found.post_apply, 0, 1 << 63, ltx_reader.rolling(dict(pages))))
    header = replace(header, commit=max(0, header.commit))
    return encode(header, pages, sized=rng.random() < 0.5, post_apply=post)


def make(seeds: list[bytes], seed: int, number: int) -> tuple[bytes, str, tuple[bytes, ...]]:
    """One input, the way it was made, and the files it was made of."""
    rng = random.Random(seed * 1_000_003 + number)
    first, other = rng.choice(seeds), rng.choice(seeds)
    way = rng.choice(("damaged", "damaged", "repaired", "repaired", "rebuilt"))
    if way == "rebuilt":
        return rebuild(rng, first), way, (first,)
    data = bytearray(first)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = mutate(rng, data, other)
    return (repair(bytes(data)) if way == "repaired" else bytes(data)), way, (first, other)


# ---- what must come of it


class Wrong(AssertionError):
    """The decoder did what it must never do."""


class _Slow(Exception):
    """An alarm."""


def decode(data: bytes) -> tuple[Decoder, dict[int, bytes]]:
    decoder = Decoder(io.BytesIO(data))
    pages: dict[int, bytes] = {}
    for batch in decoder.batches():
        pages.update(zip(batch.pages.tolist(), (row.tobytes() for row in batch.images), strict=True))
    return decoder, pages


def judge(data: bytes, way: str, parents: tuple[bytes, ...]) -> tuple[str, str]:
    """`refused` and its code, or `accepted`. Raises Wrong."""
    small = None
    try:
        with _alarm():
            small = decode_small(data)
            decoder, pages = decode(data)
    except LTXError as error:
        if small is not None:
            raise Wrong(f"taken at once, though the decoder refuses it: {error}") from None
        if not 0 <= error.offset <= len(data):
            raise Wrong(f"the place {error.offset} of {error} is not in {len(data)} bytes") from None
        if ltx_reader.read(data) is not None:
            raise Wrong(f"refused, though the plain reader finds it sound: {error}") from None
        return "refused", error.code
    except _Slow:
        raise Wrong(f"more than {SECONDS} seconds for {len(data)} bytes") from None
    except Exception as error:
        raise Wrong(f"{type(error).__name__}: {error}") from error
    if small is not None:
        at_once = dict(zip(small[1].pages.tolist(), (row.tobytes() for row in small[1].images), strict=True))
        if small[0] != decoder.header or at_once != pages:
            raise Wrong("taken at once, but not as the decoder takes it")
    found = ltx_reader.read(data)
    if found is None:
        raise Wrong("accepted, though the plain reader refuses it")
    header = decoder.header
    said = (header.flags, header.page_size, header.commit, header.min_txid, header.max_txid, header.timestamp_ms)
    if said != (found.flags, found.page_size, found.commit, found.min_txid, found.max_txid, found.timestamp):
        raise Wrong(f"{header} is not what the plain reader finds: {found}")
    if pages != found.pages or decoder.page_count != len(pages) or decoder.trailer.post_apply != found.post_apply:
        raise Wrong("other pages than the plain reader finds")
    if way == "damaged" and pages not in [(p := ltx_reader.read_known(one)) and p.pages for one in parents]:
        raise Wrong("damage went by without a word: other pages than before")
    return "accepted", ""


def _peak() -> int:
    """The most memory that this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextmanager
def _alarm() -> Iterator[None]:
    """Raises _Slow where what is done takes too long."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def _limits() -> Iterator[None]:
    """Memory without end is an error at once, and alarms are heard."""

    def slow(*_: object) -> None:
        raise _Slow

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_SPACE, before[1]))
    handler = signal.signal(signal.SIGALRM, slow)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


def run(seeds: list[bytes], seed: int, numbers: range) -> Counts:
    """Judge so many inputs. Raises Wrong with the number of the input."""
    counts = Counts()
    for data in seeds:
        decode(data)
    before = _peak()
    with _limits():
        for number in numbers:
            data, way, parents = make(seeds, seed, number)
            began = time.monotonic()
            try:
                result, code = judge(data, way, parents)
            except Wrong as wrong:
                raise Wrong(f"input {number} of seed {seed} ({way}, {len(data)} bytes): {wrong}") from wrong.__cause__
            counts.slowest = max(counts.slowest, time.monotonic() - began)
            counts.grown = _peak() - before
            if counts.grown > GROWTH_KB:
                raise Wrong(f"input {number} of seed {seed} ({way}): memory grew by {counts.grown} KiB")
            counts.inputs += 1
            counts.results[result] += 1
            counts.by_way[way, result] += 1
            counts.codes.update([code] if code else [])
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="this input alone")
    parser.add_argument("--files", type=Path, help="a folder with more files to damage")
    args = parser.parse_args()
    seeds = [*made_files(), *(files_in(args.files) if args.files else [])]
    seeds = [data for data in seeds if ltx_reader.read_known(data) is not None]
    numbers = range(args.inputs) if args.only is None else range(args.only, args.only + 1)
    began = time.monotonic()
    try:
        counts = run(seeds, args.seed, numbers)
    except Wrong as wrong:
        print(f"WRONG: {wrong}", file=sys.stderr)
        return 1
    print(f"{len(seeds)} files to damage\n{counts}\n{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
