"""Small LTX replicas made by hand: a database that exists only as pages, whose every state is known to the byte."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path

from litetui.format import names
from litetui.format.ltx_header import LTXHeader
from tests.ltx_encode import encode

MS = 1_000_000
T0 = 1_700_000_000_000 * MS  # ns, in whole milliseconds as Litestream sets it
SECOND = 1000 * MS


@dataclass
class LTXHistory:
    """Transactions from 1 on, a second apart.

    states   the database's bytes after each
    changes  the pages that each has written, with the database's size in pages
    """

    page_size: int = 512
    seed: int = 1
    states: dict[int, bytes] = field(default_factory=dict)
    changes: dict[int, tuple[dict[int, bytes], int]] = field(default_factory=dict)
    _pages: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.commit(*range(1, 5), size=4)

    @property
    def txid(self) -> int:
        return len(self.states)

    @property
    def size(self) -> int:
        return max(self._pages)

    def commit(self, *pages: int, size: int | None = None) -> int:
        """A transaction that writes these pages and all that a growth adds. Returns its TXID."""
        old = max(self._pages, default=0)
        new = old if size is None else size
        written = {p: self._image(p) for p in sorted({*pages, *range(old + 1, new + 1)}) if p <= new}
        self._pages |= written
        self._pages = {p: image for p, image in self._pages.items() if p <= new}
        txid = self.txid + 1
        self.changes[txid] = (written, new)
        self.states[txid] = b"".join(self._pages[p] for p in sorted(self._pages))
        return txid

    def _image(self, page: int) -> bytes:
        image = self._random.randbytes(self.page_size)
        return b"SQLite format 3\0" + image[16:] if page == 1 else image

    @staticmethod
    def time_of(txid: int) -> int:
        return T0 + txid * SECOND

    def pages(self, first: int, last: int) -> tuple[dict[int, bytes], int]:
        """What a file of these transactions holds."""
        merged: dict[int, bytes] = {}
        size = 0
        for txid in range(first, last + 1):
            written, size = self.changes[txid]
            merged = {p: image for p, image in (merged | written).items() if p <= size}
        return merged, size

    def file(self, first: int, last: int, *, sized: bool = True) -> bytes:
        pages, size = self.pages(first, last)
        header = LTXHeader(self.page_size, size, first, last, self.time_of(last) // MS)
        return encode(header, sorted(pages.items()), sized=sized)


@dataclass
class LTXBuilder:
    """Writes files of a replica; `bucket`: as a bucket names the levels."""

    root: Path
    history: LTXHistory
    bucket: bool = False

    def path(self, level: int, first: int, last: int) -> Path:
        folder = names.format_bucket_level(level) if self.bucket else f"ltx/{level}"
        return self.root / folder / names.format_ltx(first, last)

    def put(self, level: int, first: int, last: int, data: bytes | None = None, *, sized: bool = True) -> Path:
        path = self.path(level, first, last)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.history.file(first, last, sized=sized) if data is None else data)
        os.utime(path, ns=(self.history.time_of(last),) * 2)
        return path


def usual_ltx(root: Path, *, bucket: bool = False, sized: bool = True, page_size: int = 512) -> LTXBuilder:
    """20 transactions that grow and shrink: all on level 0 from 9 on, compactions below, a snapshot of the first 12."""
    history = LTXHistory(page_size)
    for n in range(2, 21):
        history.commit(1, 2 + n % 3, size=4 + (n * 7) % 5)
    builder = LTXBuilder(root, history, bucket)
    for txid in range(9, 21):
        builder.put(0, txid, txid, sized=sized)
    for first, last in ((1, 4), (5, 8), (9, 12), (13, 16)):
        builder.put(1, first, last, sized=sized)
    builder.put(2, 1, 8, sized=sized)
    builder.put(9, 1, 12, sized=sized)
    return builder
