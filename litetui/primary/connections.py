"""The connections to a live database: the long read lock, the write lock, checkpoints, and the one descriptor.

Four connections, none of which checkpoints when it is closed: two readers, of which one holds the WAL in place; a
writer; and one for checkpoints, which writes nothing itself. A fifth keeps the database's file as it is while it is
compared with a replica. The descriptor is opened before the first of them and
closed after the last: closing any descriptor of the database drops every lock that this process holds on it
(FORMAT-v0.3, section 10). Raises apsw.Error and OSError, which `explained` turns into words.
"""

from __future__ import annotations

import errno
import os
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import apsw

from litetui.errors import LitetuiError, LockedError, PrimaryError
from litetui.format import wal
from litetui.units import printable

Mode = Literal["PASSIVE", "RESTART"]
_TABLES = (
    "CREATE TABLE IF NOT EXISTS _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)",
    "CREATE TABLE IF NOT EXISTS _litestream_lock (id INTEGER)",
)
_BUMP = "INSERT INTO _litestream_seq (id, seq) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET seq = seq + 1"

_open_files: set[tuple[int, int]] = set()
_open_files_lock = threading.Lock()


class Connections:
    """All of this process's ways into one database. Not for two threads at a time."""

    def __init__(self, path: str, *, busy_timeout_s: float, max_wal_pages: int) -> None:
        """`max_wal_pages`: a commit of ours that restarts a longer WAL shortens its file to so many."""
        self.path = path
        self.page_size = 0
        self.identity = (0, 0)
        self._fd = -1
        self._freezer: apsw.Connection | None = None
        self._busy_ms = round(busy_timeout_s * 1000)
        try:
            self._open(max_wal_pages)
        except BaseException:
            self.close()
            raise

    def _open(self, max_wal_pages: int) -> None:
        self._all: list[apsw.Connection] = []
        info = os.stat(self.path)
        with _open_files_lock:
            if (info.st_dev, info.st_ino) in _open_files:
                raise PrimaryError("open the database", "litetui itself has it open already", path=self.path)
            _open_files.add((info.st_dev, info.st_ino))
        self.identity = (info.st_dev, info.st_ino)
        self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self._writer = self._connect()
        if self._writer.readonly("main"):
            raise apsw.ReadOnlyError
        mode = str(self._writer.pragma("journal_mode"))
        if mode != "wal":
            raise PrimaryError(
                "replicate the database",
                f"it is not in WAL mode (journal_mode is {mode})",
                path=self.path,
                hint=f"sqlite3 {shlex.quote(printable(self.path))} 'PRAGMA journal_mode=WAL'",
            )
        self.page_size = int(str(self._writer.pragma("page_size")))
        most = wal.HEADER_SIZE + max_wal_pages * (wal.FRAME_HEADER_SIZE + self.page_size)
        self._writer.pragma("journal_size_limit", most)
        self._reader, self._next_reader = self._connect(), self._connect()
        self._checkpointer = self._connect()
        self.data_version()  # before the first read it does not know the WAL
        self._sides = {path: _identity(path) for path in (self.path + "-wal", self.path + "-shm")}

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(self.path, flags=apsw.SQLITE_OPEN_READWRITE)
        self._all.append(connection)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.set_busy_timeout(self._busy_ms)
        connection.wal_autocheckpoint(0)
        return connection

    def close(self) -> None:
        """The WAL stays as it is, also when these were the last connections to it."""
        for connection in self._all:
            connection.close(True)
        self._all, self._freezer = [], None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        with _open_files_lock:
            _open_files.discard(self.identity)
        self.identity = (0, 0)

    # ---- the file

    @property
    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def read(self, size: int, offset: int) -> bytes:
        return os.pread(self._fd, size, offset)

    def is_same_file(self) -> bool:
        """Whether the path still names the file that is open."""
        return _identity(self.path) == self.identity

    def side_files(self) -> Literal["same", "gone", "replaced"]:
        """Whether -wal and -shm are still those that these connections use. While they are open nobody but a person
        with rm takes them away; whoever opens the database then makes new ones, and knows nothing of ours."""
        now = {path: _identity(path) for path in self._sides}
        if any(found is not None and found != self._sides[path] for path, found in now.items()):
            return "replaced"
        return "gone" if None in now.values() else "same"

    # ---- reading: the long lock

    @property
    def holds(self) -> bool:
        """Whether the read lock is held: SQLite ends a transaction by itself after some errors."""
        return self._reader.in_transaction

    def hold(self) -> None:
        """Keep the WAL from being restarted before we have it all.

        It may still restart once, if all of it was in the database when the lock was taken; what comes after that
        cannot get into the database against the lock, so it cannot restart again.
        """
        begin_read(self._reader)

    def move_hold(self) -> None:
        """Hold the WAL at its present end instead, without letting go in between: a checkpoint may go up to there."""
        begin_read(self._next_reader)
        self._reader, self._next_reader = self._next_reader, self._reader
        rows(self._next_reader, "ROLLBACK")

    def let_go(self) -> None:
        if self._reader.in_transaction:
            rows(self._reader, "ROLLBACK")

    def freeze(self) -> None:
        """Keep everybody's checkpoints out of the database's file until `thaw`. All of the WAL must be in it, and the
        write lock held: then what is written later cannot get there against this read lock, whether the WAL goes on
        or restarts."""
        self.thaw()
        self._freezer = self._connect()
        begin_read(self._freezer)

    def thaw(self) -> None:
        """Does nothing where nothing is frozen."""
        if self._freezer is not None:
            self._all.remove(self._freezer)
            self._freezer.close(True)
            self._freezer = None

    def data_version(self) -> int:
        """A number that changes with every commit of anybody, ours included."""
        return rows(self._checkpointer, "PRAGMA data_version")[0][0]

    def committed_frames(self) -> int:
        """How many frames of the WAL SQLite counts as committed, by the WAL's index; nothing is moved."""
        frames, _ = self._checkpointer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        return frames

    # ---- writing

    @contextmanager
    def write_lock(self) -> Iterator[None]:
        """Keep every other writer out; committed at the end."""
        rows(self._writer, "BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._writer.in_transaction:
                rows(self._writer, "ROLLBACK")
            raise
        rows(self._writer, "COMMIT")

    def make_tables(self) -> None:
        """Litestream's two tables, where they are missing."""
        names = "'_litestream_seq', '_litestream_lock'"
        (count,) = rows(self._writer, f"SELECT count(*) FROM sqlite_schema WHERE name IN ({names})")[0]
        if count < 2:
            with self.write_lock():
                for statement in _TABLES:
                    rows(self._writer, statement)

    def bump(self) -> None:
        """Force a write, so that the WAL has a header and a frame; also where the application dropped the tables."""
        for statement in (*_TABLES, _BUMP):
            rows(self._writer, statement)

    def checkpoint(self, mode: Mode) -> tuple[bool, int]:
        """Whether all frames of the WAL were moved, and how many it has."""
        busy, frames, moved = rows(self._checkpointer, f"PRAGMA wal_checkpoint({mode})")[0]
        return not busy and frames == moved, frames


def _identity(path: str) -> tuple[int, int] | None:
    """Device and inode of what is at a path, by stat alone; None where there is nothing."""
    try:
        info = os.stat(path)
    except FileNotFoundError:
        return None
    return info.st_dev, info.st_ino


def begin_read(connection: apsw.Connection) -> None:
    """Begin a read transaction, or leave the connection without one."""
    rows(connection, "BEGIN")
    try:
        rows(connection, "SELECT count(*) FROM sqlite_schema")
    except BaseException:
        rows(connection, "ROLLBACK")
        raise


def rows(connection: apsw.Connection, statement: str) -> list[tuple[int, ...]]:
    """Run one statement to its end: apsw stops at the first row unless all are fetched."""
    return list(connection.execute(statement))


# ---- errors


@contextmanager
def explained(operation: str, path: str, meta: str) -> Iterator[None]:
    """Errors of SQLite and of the system in words for an operator. `path` of the database, `meta` of its folder."""
    try:
        yield
    except LitetuiError:
        raise
    except apsw.Error as error:
        raise _sqlite_error(error, operation, path) from None
    except wal.WALError as error:
        hint = "it was read while it was rewritten: try again"
        raise PrimaryError(operation, str(error), path=path + "-wal", hint=hint) from None
    except UnicodeError:
        cause = "its path is not UTF-8, and SQLite takes no other"
        raise PrimaryError(operation, cause, path=path, hint="rename it") from None
    except OSError as error:
        where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else meta
        hint = _HINTS.get(error.errno or 0, "try again")
        raise PrimaryError(operation, error.strerror or str(error), path=where, hint=hint) from None


_AS_OWNER = "run litetui as the owner of the database"
_NO_SPACE = "free some space: nothing was lost, the next sync goes on"
_HINTS = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EACCES: _AS_OWNER,
    errno.EPERM: _AS_OWNER,
    errno.EROFS: "replication needs a writable folder beside the database",
    errno.EIO: "the disk fails: check it (dmesg), and copy the replica before anything else",
}


def _sqlite_error(error: apsw.Error, operation: str, path: str) -> PrimaryError:
    if isinstance(error, apsw.BusyError):
        hint = "a long write or locking_mode=EXCLUSIVE of the application: try again, or end that process"
        return LockedError(operation, "another process holds it locked", path=path, hint=hint)
    known: dict[type[apsw.Error], tuple[str, str]] = {
        apsw.NotADBError: ("it is no SQLite database, or an encrypted one", "check the path of the database"),
        apsw.CorruptError: (
            f"SQLite says that it is corrupt ({error})",
            "restore a good state to another path: litetui restore REPLICA -o OUT",
        ),
        apsw.ReadOnlyError: (
            "it is not writable for you: replication writes two small tables into it",
            _AS_OWNER,
        ),
        apsw.CantOpenError: ("SQLite cannot open it", f"{_AS_OWNER}; its folder must be writable as well"),
        apsw.FullError: ("the disk is full", _NO_SPACE),
    }
    for kind, (cause, hint) in known.items():
        if isinstance(error, kind):
            return PrimaryError(operation, cause, path=path, hint=hint)
    return PrimaryError(operation, f"SQLite: {error}", path=path, hint="check the disk (dmesg), then try again")
