"""Small replicas made by hand: WALs with right checksums, in either layout, with any times and any damage.

A `History` is a database that exists only as pages: it knows the bytes of every state that it had, so a test can say
exactly what a restore must give. Its checksums are computed by the plain recurrence of SQLite's documentation, with
none of litetui's code.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import lz4.frame

GENERATION = "5efbd8d042012dca"
T0 = 1_700_000_000_000_000_000  # 2023-11-14T22:13:20Z
SECOND = 1_000_000_000


def slow_checksum(data: bytes, state: tuple[int, int] = (0, 0), *, little: bool = True) -> tuple[int, int]:
    """SQLite's WAL checksum, word after word."""
    s0, s1 = state
    words = struct.unpack(f"{'<' if little else '>'}{len(data) // 4}I", data)
    for x, y in zip(words[::2], words[1::2], strict=True):
        s0 = (s0 + x + s1) & 0xFFFFFFFF
        s1 = (s1 + y + s0) & 0xFFFFFFFF
    return s0, s1


def wal_header(page_size: int, salt1: int, salt2: int, *, little: bool = True, sequence: int = 0) -> bytes:
    magic = 0x377F0682 if little else 0x377F0683
    head = struct.pack(">6I", magic, 3007000, page_size, sequence, salt1, salt2)
    return head + struct.pack(">2I", *slow_checksum(head, little=little))


def add_frame(wal: bytearray, page: int, commit: int, image: bytes) -> None:
    """Add one frame with the right salts and checksum to a WAL."""
    little = wal[3] == 0x82
    before = struct.unpack(">2I", wal[24:32])
    if len(wal) > 32:
        at = len(wal) - len(image) - 24
        before = struct.unpack(">2I", wal[at + 16 : at + 24])
    head = struct.pack(">2I", page, commit)
    s0, s1 = slow_checksum(head + image, (before[0], before[1]), little=little)
    wal += head + wal[16:24] + struct.pack(">2I", s0, s1) + image


def compress(data: bytes) -> bytes:
    """As Litestream does it."""
    compressor = lz4.frame.LZ4FrameCompressor(
        block_size=lz4.frame.BLOCKSIZE_MAX4MB, block_linked=False, content_checksum=True
    )
    out: bytes = compressor.begin() + compressor.compress(data) + compressor.flush()
    return out


@dataclass
class History:
    """A database, the WALs of its life, and every state that it had.

    states  the database's bytes by (index, offset behind the commit); (index, 0) is the state at the index's start
    wals    one WAL an index
    """

    page_size: int = 512
    pages: int = 4
    little: bool = True
    salt1: int = 0x10203040
    seed: int = 1
    wals: list[bytearray] = field(default_factory=list)
    states: dict[tuple[int, int], bytes] = field(default_factory=dict)
    _page: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        for page in range(1, self.pages + 1):
            self._page[page] = self._image(page, self.pages)
        self.restart()

    def _image(self, page: int, count: int) -> bytes:
        data = self._random.randbytes(self.page_size)
        if page > 1:
            return data
        stored = 1 if self.page_size == 65536 else self.page_size
        head = b"SQLite format 3\x00" + struct.pack(">HBB", stored, 2, 2) + data[20:28] + struct.pack(">I", count)
        return head + data[len(head) :]

    @property
    def index(self) -> int:
        return len(self.wals) - 1

    @property
    def frame_size(self) -> int:
        return 24 + self.page_size

    @property
    def database(self) -> bytes:
        return b"".join(self._page[p] for p in sorted(self._page))

    def restart(self) -> int:
        """Begin the next index, as a checkpoint and the next write do."""
        salt1 = (self.salt1 + len(self.wals)) & 0xFFFFFFFF
        salt2 = self._random.getrandbits(32)
        self.wals.append(bytearray(wal_header(self.page_size, salt1, salt2, little=self.little)))
        self.states[self.index, 0] = self.database
        return self.index

    def commit(self, *pages: int, size: int | None = None) -> int:
        """A transaction that writes these pages (and all that a growth adds). Returns its end in the WAL."""
        new = len(self._page) if size is None else size
        written = [*pages, *(p for p in range(len(self._page) + 1, new + 1) if p not in pages)]
        for n, page in enumerate(written):
            image = self._image(page, new)
            add_frame(self.wals[-1], page, new if n == len(written) - 1 else 0, image)
            self._page[page] = image
        self._page = {p: data for p, data in self._page.items() if p <= new}
        end = len(self.wals[-1])
        self.states[self.index, end] = self.database
        return end

    def ends(self, index: int) -> list[int]:
        """The ends of an index's transactions."""
        return [offset for i, offset in self.states if i == index and offset]


def usual_history(indexes: int = 3, transactions: int = 4, **options: int) -> History:
    """Some indexes with some transactions each, of which some grow and some shrink the database."""
    history = History(**options)  # type: ignore[arg-type]
    for i in range(indexes):
        if i:
            history.restart()
        for t in range(transactions):
            count = history.pages + t
            history.commit(1, 2 + t % 3, size=count)
    return history


@dataclass
class Builder:
    """Writes files of one generation, each a second newer than the one before unless told."""

    root: Path
    generation: str = GENERATION
    now: int = T0

    @property
    def folder(self) -> Path:
        return self.root / "generations" / self.generation

    def put(self, path: str, data: bytes, mtime_ns: int | None = None) -> Path:
        """A file below the generation's folder."""
        full = self.folder / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(data)
        if mtime_ns is None:
            mtime_ns = self.now
            self.now += SECOND
        os.utime(full, ns=(mtime_ns, mtime_ns))
        return full

    def snapshot(self, index: int, data: bytes, mtime_ns: int | None = None, *, plain: bool = False) -> Path:
        name = f"snapshots/{index:08x}.snapshot"
        return self.put(name, data, mtime_ns) if plain else self.put(name + ".lz4", compress(data), mtime_ns)

    def whole(self, index: int, data: bytes, mtime_ns: int | None = None, *, plain: bool = False) -> Path:
        name = f"wal/{index:08x}.wal"
        return (
            self.put(name, bytes(data), mtime_ns) if plain else self.put(name + ".lz4", compress(bytes(data)), mtime_ns)
        )

    def segment(self, index: int, offset: int, data: bytes, mtime_ns: int | None = None) -> Path:
        return self.put(f"wal/{index:08x}_{offset:08x}.wal.lz4", compress(bytes(data)), mtime_ns)

    def segments(self, index: int, wal: bytes, cuts: Sequence[int]) -> list[Path]:
        """A WAL in segments that end at these offsets."""
        starts = [0, *cuts[:-1]]
        return [self.segment(index, a, wal[a:b]) for a, b in zip(starts, cuts, strict=True)]


def write_replica(
    root: Path,
    history: History,
    *,
    layout: str = "segments",
    snapshots: dict[int, bytes] | None = None,
    generation: str = GENERATION,
    start_ns: int = T0,
) -> Builder:
    """A sound replica: segments a transaction, or whole WALs of which the newest is plain.

    `snapshots` by index; without them there is one of index 0. Files are a second apart, in the order of positions.
    """
    builder = Builder(root, generation, start_ns)
    given = {0: history.states[0, 0]} if snapshots is None else snapshots
    for index, wal in enumerate(history.wals):
        if index in given:
            builder.snapshot(index, given[index])
        if index < min(given, default=0):
            continue
        if layout == "segments":
            builder.segments(index, bytes(wal), history.ends(index))
        else:
            builder.whole(index, bytes(wal), plain=index == history.index)
    (builder.folder / "snapshots").mkdir(parents=True, exist_ok=True)
    (builder.folder / "wal").mkdir(parents=True, exist_ok=True)
    return builder
