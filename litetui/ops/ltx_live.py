"""The state of a v0.5 replica that a look at the live database can be held against, to the byte.

Each file of level 0 says which bytes of which WAL it holds: where they end, and the WAL's salts (FORMAT-v0.5-ltx,
section 1.1). But Litestream 0.5 keeps one state a sync, not one a transaction, so that a database that is written has
seldom just the state of a sync. The first sync that ends at or behind the look is taken, and the look goes on to it: by
the committed frames of the WAL in between, as they are still there. The read transaction is over by then; where the WAL
was restarted meanwhile, a new look is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from litetui.errors import PrimaryError
from litetui.format import wal
from litetui.format.ltx_header import HEADER_SIZE, LTXError, LTXHeader
from litetui.format.pagehash import U64, hash_pages
from litetui.format.position import TXID
from litetui.ops.reached import Reach, distance
from litetui.primary.peek import Image
from litetui.primary.shadow import RealWAL
from litetui.replica.ltx import LTXReplica
from litetui.replica.types import LTXInfo

_FAR = 1 << 16  # a salt-1 that is further away was drawn anew
_OPERATION = "read the database's WAL"


def lost_between(sync: LTXHeader, following: LTXHeader) -> str:
    """What of the WAL two files of level 0, one TXID after the other, do not hold although the second goes on behind
    it; "" where that is nothing, or cannot be told. A file that holds the whole database needs nothing before it.

    A WAL's salt-1 is one more than that of the WAL before (FORMAT-v0.3, section 1.5)."""
    if not sync.wal_offset or not following.wal_offset:
        return ""
    ahead = distance(following.salt1, sync.salt1)
    before = sync.wal_offset + sync.wal_size if following.salt2 == sync.salt2 and not ahead else wal.HEADER_SIZE
    if 1 < ahead < _FAR:
        return f"{ahead - 1} whole WAL(s) between them"
    if ahead in (0, 1) and following.wal_offset > before:
        return f"{following.wal_offset - before} bytes of the WAL before it"
    return ""


@dataclass(slots=True)
class Syncs:
    """The files of level 0 of a replica, by what their headers say; each is read once."""

    replica: LTXReplica
    database: str
    _known: dict[int, LTXHeader] = field(init=False, default_factory=dict)

    def reach(self, image: Image) -> Reach:
        """The first sync that has all that a look at the database saw, as the replica was listed last.

        Raises UnreadableError, DamageError (a header that is none): a writer may be at work."""
        header = wal.WALHeader.parse(image.raw)
        found = self._sync(header, image.end)
        if isinstance(found, Reach):
            return found
        hashes = go_on(image.hashes, self.database + "-wal", image.raw, image.end, found.wal_offset + found.wal_size)
        if hashes is None:
            words = "the WAL is restarted each time before a sync can be compared with it"
            return Reach(None, words, passed=True)
        return Reach(TXID.of(found.max_txid), hashes=hashes)

    def _sync(self, header: wal.WALHeader, end: int) -> LTXHeader | Reach:
        """The first sync of the WAL with that header that ends at or behind `end`, or why there is none."""
        table = self.replica.table.of_level(0)
        if not len(table):
            return Reach(
                None,
                "the replica has no files of level 0, which alone say what part of the WAL they hold: its state can be "
                "placed after the next sync",
            )
        salts, found, missing, ahead = (header.salt1, header.salt2), None, 0, 0
        for row in reversed(range(len(table))):
            sync = self._header(table[row])
            ahead = distance(header.salt1, sync.salt1)
            if (sync.salt1, sync.salt2) == salts:
                missing = end - sync.wal_offset - sync.wal_size
                if missing > 0:
                    break
                found = sync
            elif not -_FAR < ahead < 0:
                break
        if found is not None:
            return found
        newest = f"TXID {int(table.max_txid[-1]):016x}"
        later = distance(self._header(table[len(table) - 1]).salt1, header.salt1)
        if 0 < later < _FAR:
            return Reach(None, f"the replica is in a later WAL already, at {newest}", passed=True)
        if missing:
            return Reach(None, f"the replica is {missing} bytes of transactions behind, at {newest}")
        if 0 < ahead < _FAR:
            return Reach(None, f"the replica ends in an earlier WAL, at {newest}: the database is {ahead} further")
        return Reach(
            None,
            "the newest files of the replica are not from the WAL that the database has now, nor from one shortly "
            "before: it is the replica of another database, or nobody replicates",
        )

    def _header(self, info: LTXInfo) -> LTXHeader:
        known = self._known.get(info.max_txid)
        if known is None:
            try:
                with self.replica.open(info) as file:
                    known = LTXHeader.parse(file.read_at(HEADER_SIZE, 0))
            except LTXError as error:
                raise self.replica.damage(info, error) from None
            self._known[info.max_txid] = known
        return known


def go_on(hashes: U64, path: str, raw: bytes, start: int, end: int) -> U64 | None:
    """The hashes of all pages after the transactions of the WAL `path` between two offsets, which are the ends of
    transactions; None where that part of the WAL is not there any more.

    raw  the 32 bytes that the WAL's header must have"""
    if start == end:
        return hashes
    header = wal.WALHeader.parse(raw)
    with RealWAL(path) as real:
        state = header.checksum
        if start > wal.HEADER_SIZE:
            before = real.read(wal.FRAME_HEADER_SIZE, start - header.frame_size)
            state = (int.from_bytes(before[16:20], "big"), int.from_bytes(before[20:24], "big"))
        data = real.read(end - start, start)
        if len(data) < end - start or real.raw_header() != raw:
            return None
    frames = np.frombuffer(data, np.uint8).reshape(-1, header.frame_size)
    block = wal.check_frames(frames, header, state)
    if block.valid < len(frames) or not block.commits[-1]:
        raise PrimaryError(
            _OPERATION,
            f"the frames from {start} to {end}, which the replica has, are no whole transactions with right checksums",
            path=path,
            hint="validate again",
        )
    least, size = int(block.commits[block.commits > 0].min()), int(block.commits[-1])
    out = np.zeros(size, np.uint64)
    kept = min(len(hashes), least, size)
    out[:kept] = hashes[:kept]
    known = np.zeros(size, np.bool_)
    known[:kept] = True
    for page, frame in zip(block.pages.tolist(), frames, strict=True):
        if page <= size:
            out[page - 1] = hash_pages(frame[wal.FRAME_HEADER_SIZE :].tobytes(), header.page_size)[0]
            known[page - 1] = True
    return out if known.all() else None
