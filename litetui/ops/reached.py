"""Does a replica hold a position of the live database's WAL, and what is that position called there?

A WAL is known by the 32 bytes of its header. Its salt-1 goes on by one from index to index (FORMAT-v0.3, section 1.5),
so that the index is known without a search.
"""

from __future__ import annotations

from dataclasses import dataclass

from litetui.format import wal
from litetui.format.pagehash import U64
from litetui.primary.peek import Image
from litetui.replica.catalog import WALTable
from litetui.replica.file import FileReplica
from litetui.replica.types import Pos

_FAR = 1 << 16  # a salt-1 that is further away was drawn anew: it belongs to another generation


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """`pos` where the replica has all up to it, else None and why in words.

    lost    it never will, as it has the WAL after that already
    passed  it never will have just that state, which is no fault: a new look at the database is needed
    hashes  of the database's pages at `pos`, where that is later than the look (ltx_live.py)
    """

    pos: Pos | None
    words: str = ""
    lost: bool = False
    passed: bool = False
    hashes: U64 | None = None


def reached(replica: FileReplica, image: Image) -> Reach:
    """Look in the newest generation, as it was listed last, for the WAL that a look at the database saw.

    Raises DamageError, UnreadableError and NoSuchTargetError: a writer may be at work, and a later look may help.
    """
    raw, end = image.raw, image.end
    generation = next(iter(replica.generations()), None)
    if generation is None:
        return Reach(None, "the replica has no generation yet")
    table = replica.wals(generation)
    newest = next(((i, h) for i in _newest(table) if (h := _header(replica, table, i))), None)
    if newest is None:
        return Reach(None, f"generation {generation} of the replica has no WAL yet")
    last, own = newest
    ahead = distance(wal.WALHeader.parse(raw).salt1, wal.WALHeader.parse(own).salt1)
    index = last + ahead
    if 0 < ahead < _FAR:
        return Reach(None, f"the replica ends at WAL {last:08x}: the database is {ahead} further")
    if abs(ahead) >= _FAR or not table.rows_of(index) or _header(replica, table, index) != raw:
        words = (
            f"generation {generation} of the replica does not hold the WAL that the database has now: it is the "
            "replica of another database, nobody replicates, or a new generation is about to begin"
        )
        return Reach(None, words)
    there = _end(replica, table, index)
    if there >= end:
        return Reach(Pos(generation, index, end))
    missing = f"{end - there} bytes of transactions"
    if index < last:
        words = f"WAL {index:08x} of the replica ends {missing} too early, though {last:08x} is there already"
        return Reach(None, words, lost=True)
    return Reach(None, f"the replica is {missing} behind, at {Pos(generation, index, there)}")


def _newest(table: WALTable) -> list[int]:
    """The newest index, and the one before it: a plain WAL may just have been made, without a header yet."""
    return [int(index) for index in table.indexes()[:-3:-1]]


def _header(replica: FileReplica, table: WALTable, index: int) -> bytes:
    """The 32 bytes of a WAL's header in the replica; b"" where there is none yet. A whole header is not proved."""
    first = table[replica.forms_of(table, index)[0][0]]
    raw = b"".join(replica.first_bytes(first, wal.HEADER_SIZE))[: wal.HEADER_SIZE]
    try:
        wal.WALHeader.parse(raw)
    except wal.WALError:
        return b""
    return raw


def distance(a: int, b: int) -> int:
    """How far two salts are apart: a - b, where both go round at 2^32."""
    return ((a - b + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def _end(replica: FileReplica, table: WALTable, index: int) -> int:
    """Where the WAL of an index ends in the replica."""
    last = table[replica.forms_of(table, index)[0][-1]]
    if not last.compressed:
        return last.size
    return (last.offset or 0) + sum(len(block) for block in replica.read_wal_file(last))
