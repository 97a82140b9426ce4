"""Who replicates a database, and how far its replica is behind: read without opening the database through SQLite.

The WAL carries no locks, so it may be read; the database's own file and its -shm may not (FORMAT-v0.3, section 10).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from litetui.errors import LitetuiError
from litetui.format import wal
from litetui.primary import guard
from litetui.primary.meta import Meta
from litetui.primary.shadow import RealWAL, Shadow, ShadowReader, next_salt
from litetui.replica.file import FileReplica
from litetui.replica.ltx import LTXReplica
from litetui.replica.storage import unreadable


@dataclass(frozen=True, slots=True)
class Lag:
    """How a replica stands to its database.

    watch     who replicates, and what cannot be seen
    bytes     committed bytes of WAL that the replica does not have; None where that cannot be told, then `why`
    since_ns  when the WAL was last written, if the replica lacks something of it
    reasons   why generations began, as far as litetui began them
    """

    database: str
    watch: guard.Watch
    bytes: int | None
    since_ns: int | None
    why: str
    reasons: dict[str, str]

    def seconds(self, now_ns: int) -> float | None:
        """How long the replica has been behind; 0.0 if it has everything, None where that cannot be told."""
        if self.bytes is None:
            return None
        return max(0.0, (now_ns - self.since_ns) / 1e9) if self.bytes and self.since_ns is not None else 0.0


def lag(database: str, replica: FileReplica | LTXReplica, *, versions: bool = True) -> Lag:
    """Look at the WAL and at the end of the replica's newest generation. Raises LitetuiError."""
    path = os.path.realpath(database)
    if not os.path.isfile(path):
        raise LitetuiError(
            "look at the database", "there is no such file", path=database, hint="check the path of the database"
        )
    meta = Meta(path)
    try:
        watch = guard.look(path, meta.path, versions=versions)
        if isinstance(replica, LTXReplica):
            behind, since, why = None, None, "litetui validate --db compares a replica of v0.5 with its database"
        else:
            behind, since, why = _behind(path + "-wal", replica)
        return Lag(path, watch, behind, since, why, meta.reasons())
    except OSError as error:
        raise unreadable(error, error.filename or meta.path) from None


def _behind(wal_path: str, replica: FileReplica) -> tuple[int | None, int | None, str]:
    newest = next(iter(replica.generations()), None)
    if newest is None:
        return None, None, "the replica has no generation yet"
    try:
        at = replica.calc_pos(newest)
        table = replica.wals(newest)
        rows = replica.forms_of(table, at.index)[0] if len(table) and at.offset else []
        head = b"".join(replica.first_bytes(table[rows[0]], wal.HEADER_SIZE)) if rows else b""
        with RealWAL(wal_path) as real:
            since = real.mtime_ns
            raw = real.raw_header()
            header = wal.WALHeader.parse(raw)
            own = wal.WALHeader.parse(head[: wal.HEADER_SIZE]) if head else None
            begun = Shadow(newest, at.index, raw, header, wal.HEADER_SIZE, header.checksum)
            end = ShadowReader(Meta(wal_path.removesuffix("-wal"))).reach(real, begun).offset
    except FileNotFoundError:
        return None, None, "the database has no WAL: the application has closed it, or never wrote"
    except wal.WALError:
        return None, None, "the database's WAL is empty or is being rewritten"
    except OSError as error:
        return None, None, f"the WAL cannot be read: {error.strerror}"
    except LitetuiError as error:
        return None, None, str(error)
    if own is None:
        return None, None, "the replica has no WAL yet to compare with the database's"
    if head[: wal.HEADER_SIZE] == raw:
        behind = max(0, end - at.offset)
    elif header.salt1 == next_salt(own):
        behind = end
    else:
        return None, None, "the database's WAL does not follow on the replica's: the next sync begins a new generation"
    return behind, since if behind else None, ""
