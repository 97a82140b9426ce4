"""Which table or index each page of a database file belongs to, asked of SQLite's `dbstat` table.

dbstat walks all b-trees and their overflow chains (https://www.sqlite.org/dbstat.html). What it does not name is the
freelist, the pointer map of an auto-vacuum database, the page of the lock bytes, or nobody's
(https://www.sqlite.org/fileformat2.html, sections 1.2 to 1.8).

All pages are read once: 1 GB takes about 0.7 s where the system holds it in memory, else what the disk gives.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

import apsw
import numpy as np
import numpy.typing as npt

from litetui.errors import Cancelled
from litetui.format import dbheader
from litetui.jobs.progress import CancelToken

U32 = npt.NDArray[np.uint32]
SCHEMA = "sqlite_schema"
_SCHEMA_NAMES = (SCHEMA, "sqlite_master")  # as SQLite before 3.33 has it
_CHUNK = 8192
_ENCODINGS = {"UTF-16le": "utf-16-le", "UTF-16be": "utf-16-be"}


@dataclass(frozen=True, slots=True)
class Owner:
    """What a page belongs to.

    name  of the table or index, as the schema has it; "" for pages that are no table's
    kind  "table", "index", "schema", "overflow" (of a table or index), "freelist", "pointer map", "lock page",
          "unknown" (of no table that can be found), or "" where nobody has looked
    """

    name: str
    kind: str

    @property
    def group(self) -> str:
        """The name, or the kind where there is none: what pages are counted by."""
        return self.name or self.kind


NOT_LOOKED, UNKNOWN = Owner("", ""), Owner("", "unknown")
FREELIST, POINTER_MAP, LOCK_PAGE = Owner("", "freelist"), Owner("", "pointer map"), Owner("", "lock page")


class Labels:
    """Owners by small numbers, so that an array can say whose each page is. 0 is NOT_LOOKED, 1 is UNKNOWN."""

    def __init__(self) -> None:
        self._owners = [NOT_LOOKED, UNKNOWN]
        self._codes = {owner: code for code, owner in enumerate(self._owners)}

    def __getitem__(self, code: int) -> Owner:
        return self._owners[code]

    def __len__(self) -> int:
        return len(self._owners)

    def code(self, owner: Owner) -> int:
        """The number of an owner, a new one where it has none."""
        if (code := self._codes.get(owner)) is None:
            code = self._codes[owner] = len(self._owners)
            self._owners.append(owner)
        return code


@dataclass(frozen=True, slots=True, eq=False)
class PageOwners:
    """The owners of all pages of one state of a database.

    codes    numbers of `labels`, four bytes a page; page 1 stands first
    problem  why not all could be found, "" where all were: such pages are "unknown"
    """

    codes: U32
    labels: Labels = field(repr=False)
    problem: str = ""

    def of(self, pages: npt.ArrayLike) -> U32:
        """The codes of some pages, numbered from 1; UNKNOWN for those behind the end."""
        at = np.asarray(pages, np.int64) - 1
        inside = (at >= 0) & (at < len(self.codes))
        found = np.full(len(at), self.labels.code(UNKNOWN), np.uint32)
        found[inside] = self.codes[at[inside]]
        return found


def page_owners(
    path: str,
    cancel: CancelToken,
    advance: Callable[[int], None] | None = None,
    *,
    labels: Labels | None = None,
    pages: int | None = None,
) -> PageOwners:
    """Look through a database file that nobody else has open, of that many pages (None: as long as it is). `advance`
    is told how many pages have been looked at.

    A file that is damaged, encrypted or no database gives what could be found, and `problem`. Raises OSError,
    Cancelled.
    """
    labels = labels or Labels()
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            header = dbheader.DatabaseHeader.parse(head := file.read(dbheader.HEADER_SIZE))
        except ValueError as error:
            return PageOwners(np.ones(pages or 0, np.uint32), labels, str(error))
        count = min(size // header.page_size, pages if pages is not None else size)
        codes = np.ones(count, np.uint32)
        if count:
            codes[_freelist(file.fileno(), head, header.page_size, count)] = labels.code(FREELIST)
            codes[_pointer_map(head, header, count) - 1] = labels.code(POINTER_MAP)
            if (lock := dbheader.lock_page(header.page_size)) <= count:
                codes[lock - 1] = labels.code(LOCK_PAGE)
            codes[0] = labels.code(Owner(SCHEMA, "schema"))
    problem = ""
    try:
        with _opened(path, cancel) as connection:
            _ask(connection, codes, labels, cancel, advance)
    except apsw.InterruptError:
        raise Cancelled from None
    except apsw.Error as error:
        problem = f"SQLite cannot look through all of it: {error}"
    return PageOwners(codes, labels, problem)


@contextmanager
def _opened(path: str, cancel: CancelToken) -> Iterator[apsw.Connection]:
    """A connection that neither locks nor writes."""
    uri = f"file:{quote_from_bytes(os.fsencode(os.path.abspath(path)))}?immutable=1&mode=ro"
    connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        connection.set_progress_handler(lambda: cancel.cancelled, 20_000)
        yield connection
    finally:
        connection.close(True)


def _ask(
    connection: apsw.Connection,
    codes: U32,
    labels: Labels,
    cancel: CancelToken,
    advance: Callable[[int], None] | None,
) -> None:
    """Fill in what dbstat says. Names go through BLOBs: a damaged schema holds bytes that are no text."""
    encoding = _ENCODINGS.get(str(connection.pragma("encoding")), "utf-8")
    names = "SELECT CAST(name AS BLOB), CAST(type AS BLOB) FROM sqlite_schema WHERE rootpage > 0"
    types = {name: (kind or b"").decode(encoding, "replace") for name, kind in connection.execute(names)}
    known: dict[tuple[bytes, str], int] = {}
    rows: list[tuple[int, int]] = []
    done = 0
    for number, kind, name in connection.execute("SELECT pageno, pagetype, CAST(name AS BLOB) FROM dbstat"):
        code = known.get((name, kind))
        if code is None:
            text = (name or b"").decode(encoding, "replace")
            what = "overflow" if kind == "overflow" else "schema" if text in _SCHEMA_NAMES else types.get(name, "")
            owner = Owner(SCHEMA if text in _SCHEMA_NAMES else text, what if what in _KINDS else "unknown")
            code = known[name, kind] = labels.code(owner)
        rows.append((number, code))
        if len(rows) == _CHUNK:
            _fill(codes, rows)
            done += len(rows)
            rows.clear()
            if advance:
                advance(done)
            cancel.check()
    _fill(codes, rows)


_KINDS = ("table", "index", "schema", "overflow")


def _fill(codes: U32, rows: Sequence[tuple[int, int]]) -> None:
    if not rows:
        return
    numbers, found = np.array(rows, np.int64).T
    inside = (numbers >= 1) & (numbers <= len(codes))
    codes[numbers[inside] - 1] = found[inside]


def _freelist(fd: int, head: bytes, page_size: int, count: int) -> npt.NDArray[np.bool_]:
    """Which pages are free: trunk pages and those they list, up to the first trunk page that is wrong."""
    free = np.zeros(count, np.bool_)
    seen = np.zeros(count, np.bool_)
    trunk = int.from_bytes(head[32:36], "big")
    while 1 < trunk <= count and not seen[trunk - 1]:  # a damaged list may lead in a circle
        seen[trunk - 1] = free[trunk - 1] = True
        data = os.pread(fd, page_size, (trunk - 1) * page_size)
        listed = np.frombuffer(data, ">u4")[2 : 2 + int.from_bytes(data[4:8], "big")].astype(np.int64)
        free[listed[(listed > 1) & (listed <= count)] - 1] = True
        trunk = int.from_bytes(data[:4], "big")
    return free


def _pointer_map(head: bytes, header: dbheader.DatabaseHeader, count: int) -> npt.NDArray[np.int64]:
    """The pages of the pointer map: page 2, then one before each run of pages that it tells of (section 1.8)."""
    if not header.auto_vacuum:
        return np.zeros(0, np.int64)
    maps = np.arange(2, count + 1, (header.page_size - head[20]) // 5 + 1, dtype=np.int64)
    maps += maps == dbheader.lock_page(header.page_size)
    return maps[maps <= count]
