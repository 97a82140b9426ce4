"""Is the newest generation another database than the one before it?

An application that comes up with an empty database (a lost mount, a wrong path, a fresh container) replicates that one
faithfully: `latest` then restores nothing of worth, while the replica looks sound. So the newest generation is compared
with the one before it: how large the database was at the end, and which tables it had.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from litetui.errors import LitetuiError
from litetui.format import dbheader, wal
from litetui.ops.wals import read_index
from litetui.replica.file import FileReplica
from litetui.replica.types import Finding
from litetui.units import format_size, printable

CODE = "other-database"
FEWEST_PAGES = 16  # below that a database is too small for its size to say anything
SHRUNK_TO = 4  # smaller than a quarter of what it was
MOST_BYTES = 64 << 20  # stored WAL that is read for one generation; where that does not reach, less is compared
_NAMED = 5
_LEAF_TABLE = 0x0D
_ENCODINGS = {1: "utf-8", 2: "utf-16-le", 3: "utf-16-be"}


@dataclass(frozen=True, slots=True)
class _End:
    """A database at the end of a generation; `tables` None where its schema is not on page 1 alone, or not known."""

    pages: int
    page_size: int
    tables: frozenset[str] | None

    @property
    def size(self) -> int:
        return self.pages * self.page_size


_ends: WeakKeyDictionary[FileReplica, dict[str, tuple[object, _End | None]]] = WeakKeyDictionary()


def another_database(replica: FileReplica) -> Finding | None:
    """A finding where the newest generation's database is far smaller than the one's before it, or lacks its tables.

    Reads the end of both generations; what has not changed since the last call is not read again. Damage is no matter
    of this: where something cannot be read, there is nothing to compare.
    """
    generations = replica.generations()[:2]
    return differs(replica, *generations) if len(generations) == 2 else None


def is_known(replica: FileReplica, generation: str) -> bool:
    """Whether the database at the end of a generation can be told at all."""
    return _end(replica, generation) is not None


def differs(replica: FileReplica, newer: str, before: str) -> Finding | None:
    """The same of any two generations, one after the other."""
    now, was = _end(replica, newer), _end(replica, before)
    if now is None or was is None:
        return None
    shrunk = was.pages >= FEWEST_PAGES and now.size * SHRUNK_TO < was.size
    lost = sorted(was.tables - now.tables) if was.tables is not None and now.tables is not None else []
    if not shrunk and not lost:
        return None
    words = (
        f"{'the newest ' if newer == replica.generations()[0] else ''}generation {newer} ends with "
        f"{format_size(now.size)} ({now.pages} pages), "
        f"the one before it, {before}, with {format_size(was.size)} ({was.pages} pages)"
    )
    if lost:
        named = ", ".join(printable(name) for name in lost[:_NAMED])
        words += f"; tables that it had are missing: {named}"
        words += f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    return Finding(
        "warning",
        CODE,
        f"{words}: the application may have come up with an empty database",
        f"to have the earlier one: litetui restore {shlex.quote(printable(replica.path))} --generation {before} -o OUT",
        generation=newer,
    )


def size_at_end(replica: FileReplica, generation: str) -> int | None:
    """How large the database is at the end of a generation, in bytes; None where that cannot be told quickly."""
    end = _end(replica, generation)
    return end.size if end is not None else None


def _end(replica: FileReplica, generation: str) -> _End | None:
    """The database at the end of a generation, from what is known of it or from its files."""
    table, snapshots = replica.wals(generation), replica.snapshots(generation)
    last = table[len(table) - 1] if len(table) else None
    stamp = (len(table), last, snapshots[-1] if snapshots else None)
    known = _ends.setdefault(replica, {})
    if generation not in known or known[generation][0] != stamp:
        try:
            known[generation] = (stamp, _read_end(replica, generation))
        except (LitetuiError, ValueError):
            known[generation] = (stamp, None)
    return known[generation][1]


def _read_end(replica: FileReplica, generation: str) -> _End | None:
    """Go back from the newest WAL to the newest snapshot, until a commit and an image of page 1 were found."""
    table, snapshots = replica.wals(generation), replica.snapshots(generation)
    if not snapshots:
        return None
    budget = MOST_BYTES
    extent: tuple[int, int] | None = None  # pages, and bytes a page
    page: bytes | None = None
    whole = True
    for index in reversed(table.indexes().tolist()):
        if index < snapshots[-1].index or (extent and page):
            break
        budget -= int(table.size[list(replica.forms_of(table, index)[0])].sum())
        if budget < 0:
            whole = False
            break
        found, image = _read_index(replica, generation, index)
        extent, page = extent or found, page or image
    if extent is None or (page is None and whole):
        head = b""
        for block in replica.read_snapshot_file(snapshots[-1]):
            head += block
            if len(head) >= dbheader.HEADER_SIZE:
                size = dbheader.DatabaseHeader.parse(head).page_size
                if len(head) >= size:
                    break
        header = dbheader.DatabaseHeader.parse(head)
        if extent is None and whole:
            extent = (header.page_count, header.page_size)
        if page is None and whole:
            page = head[: header.page_size]
    return None if extent is None else _End(*extent, tables_of(page) if page else None)


def _read_index(replica: FileReplica, generation: str, index: int) -> tuple[tuple[int, int] | None, bytes | None]:
    """Of one WAL: the database's size at its last commit, and the last committed image of page 1."""
    table = replica.wals(generation)
    rows = replica.forms_of(table, index)[0]
    extent: tuple[int, int] | None = None  # pages, and bytes a page
    page: bytes | None = None
    pending: bytes | None = None  # in a transaction whose commit is in a later batch
    state: tuple[int, int] | None = None
    for batch in read_index(replica, table, rows, tail=not table[rows[-1]].compressed):
        block = wal.check_frames(batch.frames, batch.header, state or batch.header.checksum)
        commits = block.commits[: block.valid].nonzero()[0]
        ones = (block.pages[: block.valid] == 1).nonzero()[0]
        last = int(commits[-1]) if len(commits) else -1
        if len(commits):
            extent = (int(block.commits[last]), batch.header.page_size)
            page, pending = pending or page, None
            if len(committed := ones[ones <= last]):
                page = batch.frames[int(committed[-1]), wal.FRAME_HEADER_SIZE :].tobytes()
        if len(left := ones[ones > last]):
            pending = batch.frames[int(left[-1]), wal.FRAME_HEADER_SIZE :].tobytes()
        state = block.state
        bad = block.fault
        batch.release()
        if bad:
            break
    return extent, page


def tables_of(page: bytes) -> frozenset[str] | None:
    """The names of the application's tables, from page 1 of a database; None where the schema does not fit on it.

    SQLite's own tables and Litestream's are left out (https://www.sqlite.org/fileformat2.html, sections 1.6 and 2.6).
    """
    head = dbheader.HEADER_SIZE
    if len(page) < head + 8 or page[head] != _LEAF_TABLE:
        return None
    encoding = _ENCODINGS.get(int.from_bytes(page[56:60], "big"), "utf-8")
    count = int.from_bytes(page[head + 3 : head + 5], "big")
    if head + 8 + 2 * count > len(page):
        return None
    found = set()
    for at in range(head + 8, head + 8 + 2 * count, 2):
        try:
            kind, name = _type_and_name(page, int.from_bytes(page[at : at + 2], "big"))
        except IndexError:
            return None
        text = name.decode(encoding, "replace")
        if kind.decode(encoding, "replace") == "table" and not text.startswith(("sqlite_", "_litestream_")):
            found.add(text)
    return frozenset(found)


def _type_and_name(page: bytes, at: int) -> tuple[bytes, bytes]:
    """The first two columns of a cell of sqlite_schema. Raises IndexError where they are not on the page."""
    _, at = _varint(page, at)  # the payload's size
    _, at = _varint(page, at)  # the rowid
    start = at
    header_size, at = _varint(page, at)
    sizes = []
    for _ in range(2):
        serial, at = _varint(page, at)
        if serial < 13 or serial % 2 == 0:
            raise IndexError  # no text
        sizes.append((serial - 13) // 2)
    body = start + header_size
    if at > body or body + sum(sizes) > len(page):
        raise IndexError
    return page[body : body + sizes[0]], page[body + sizes[0] : body + sum(sizes)]


def _varint(page: bytes, at: int) -> tuple[int, int]:
    """A big-endian varint of SQLite, and where it ends."""
    value = 0
    for n in range(9):
        byte = page[at + n]
        if n == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + n + 1
    raise IndexError
