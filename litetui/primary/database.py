"""Database: a live SQLite database that is being replicated.

It keeps one read transaction open as long as it is open itself: while that is held, nobody's checkpoint can restart
the WAL before the shadow WAL has it all. It never opens, copies or links the database's file or its -shm beside the
one descriptor that it keeps: closing any other would drop the locks that this process holds (FORMAT-v0.3, section 10).

Threads: every method may be called from any thread; they take turns.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import apsw

from litetui.errors import LitetuiError, LockedError, PrimaryError
from litetui.files import Owner, make_folder
from litetui.format import wal
from litetui.format.position import Pos
from litetui.jobs.progress import CancelToken
from litetui.primary import guard
from litetui.primary.meta import Meta
from litetui.primary.shadow import RealWAL, Reason, Shadow, ShadowWriter, Verdict, verify
from litetui.units import NS

Mode = Literal["PASSIVE", "RESTART"]
_TABLES = (
    "CREATE TABLE IF NOT EXISTS _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)",
    "CREATE TABLE IF NOT EXISTS _litestream_lock (id INTEGER)",
)
_BUMP = "INSERT INTO _litestream_seq (id, seq) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET seq = seq + 1"
_LOOKS = 2  # a sync copies so often again before it keeps writers out
_RESTART_PAUSE = 10.0  # a RESTART that readers block holds up all writers for the busy timeout: not each second

_open_files: set[tuple[int, int]] = set()
_open_files_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Limits:
    """When to checkpoint, with Litestream's defaults: pages of WAL, seconds, and how long to wait for a lock."""

    min_checkpoint_pages: int = 1000
    max_checkpoint_pages: int = 10000
    checkpoint_interval_s: float = 60.0
    busy_timeout_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Change:
    """What a sync of the shadow WAL has found: bytes of committed frames, and why a new generation began ("")."""

    bytes: int = 0
    new_generation_reason: str = ""

    def __bool__(self) -> bool:
        return bool(self.bytes or self.new_generation_reason)

    def __add__(self, later: Change) -> Change:
        return Change(self.bytes + later.bytes, later.new_generation_reason or self.new_generation_reason)


@dataclass(slots=True)
class Counters:
    """What metrics show, in Litestream's terms; bytes and counts since the start, seconds of work."""

    wal_bytes: int = 0
    syncs: int = 0
    sync_errors: int = 0
    sync_seconds: float = 0.0


@dataclass(slots=True)
class CheckpointCounters:
    """Checkpoints of one mode: how many, how many did not reach their end, seconds."""

    count: int = 0
    errors: int = 0
    seconds: float = 0.0


class Database:
    """A live database, and its shadow WAL beside it.

        with Database("/var/lib/app.db") as db:
            db.sync()
            print(db.pos())

    path   the database's file; symbolic links are followed
    meta   the folder for the shadow WALs; default `.NAME-litestream` beside the database, as Litestream has it
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        meta: str | None = None,
        limits: Limits | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.path = os.path.realpath(os.fspath(path))
        self.meta = Meta(self.path, meta)
        self.limits = limits or Limits()
        self.page_size = 0
        self.counters = Counters()
        self.checkpoints: dict[Mode, CheckpointCounters] = {}
        self.warnings: list[str] = []
        self.listeners: list[Callable[[], None]] = []
        self.new_generation_reason = ""
        self._now_ns = now_ns
        self._mutex = threading.RLock()
        self._lock = guard.MetaLock(self.meta.path)
        self._fd = -1
        self._identity = (0, 0)
        self._reader: apsw.Connection | None = None
        self._next_reader: apsw.Connection | None = None
        self._writer: apsw.Connection | None = None
        self._checkpointer: apsw.Connection | None = None
        self._owner = Owner(0o600, os.getuid(), os.getgid())
        self._shadows = ShadowWriter(self.meta, self._owner)
        self._shadow: Shadow | None = None
        self._why_no_shadow: Reason = "no generation exists"
        self._complete = False
        self._untold = Change()
        self._ends: dict[tuple[str, int], int] = {}
        self._seen_version = -1
        self._holds = 0
        self._next_restart = 0.0
        self._next_passive = 0.0

    # ---- open and close

    def __enter__(self) -> Database:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        return self._reader is not None

    @property
    def wal_path(self) -> str:
        return self.path + "-wal"

    def open(self, *, takeover: bool = False) -> None:
        """Connect, take the read lock, and find the shadow WAL that is to go on. Raises PrimaryError.

        `takeover` goes on where a Litestream that was stopped a moment ago left off (guard.refusal).
        """
        with self._mutex:
            if self.is_open:
                return
            try:
                self._open(takeover)
            except OSError as error:
                self._close()
                raise _system_error(error, "open the database", self.path) from None
            except UnicodeError:
                self._close()
                cause = "its path is not UTF-8, and SQLite takes no other"
                raise PrimaryError("open the database", cause, path=self.path, hint="rename it") from None
            except apsw.Error as error:
                self._close()
                raise _sqlite_error(error, "open the database", self.path) from None
            except BaseException:
                self._close()
                raise

    def _open(self, takeover: bool) -> None:
        if not os.path.isfile(self.path):
            raise PrimaryError(
                "open the database",
                "there is no such file" if not os.path.exists(self.path) else "it is no regular file",
                path=self.path,
                hint="check the path of the database",
            )
        watch = guard.look(self.path, self.meta.path)
        refusal = guard.refusal(watch, self.path, self._now_ns(), takeover=takeover)
        if refusal is not None:
            raise refusal
        self.warnings = guard.warnings(watch)
        # The descriptor comes first and goes last: closing it drops every lock of this process on the file.
        info = os.stat(self.path)
        with _open_files_lock:
            if (info.st_dev, info.st_ino) in _open_files:
                raise PrimaryError("open the database", "litetui itself has it open already", path=self.path)
            _open_files.add((info.st_dev, info.st_ino))
        self._identity = (info.st_dev, info.st_ino)
        self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self._owner = Owner.of(self.path)
        self._shadows = ShadowWriter(self.meta, self._owner)
        self._connect()
        make_folder(self.meta.path, self._owner)
        self._lock.acquire(self._owner)
        self.meta.remove_temporary()
        self._make_tables()
        self._hold_wal()
        self._find_shadow()

    def _connect(self) -> None:
        self._writer = self._connection()
        if self._writer.readonly("main"):
            raise apsw.ReadOnlyError
        mode = str(self._writer.pragma("journal_mode"))
        if mode != "wal":
            raise PrimaryError(
                "replicate the database",
                f"it is not in WAL mode (journal_mode is {mode})",
                path=self.path,
                hint=f"sqlite3 {self.path} 'PRAGMA journal_mode=WAL'",
            )
        self.page_size = int(str(self._writer.pragma("page_size")))
        most = wal.HEADER_SIZE + self.limits.max_checkpoint_pages * (wal.FRAME_HEADER_SIZE + self.page_size)
        # Only this connection's own commits shorten the WAL, and only once the shadow has all of it.
        self._writer.pragma("journal_size_limit", most)
        self._reader = self._connection()
        self._next_reader = self._connection()
        self._checkpointer = self._connection()

    def _connection(self) -> apsw.Connection:
        connection = apsw.Connection(self.path, flags=apsw.SQLITE_OPEN_READWRITE)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.set_busy_timeout(round(self.limits.busy_timeout_s * 1000))
        connection.wal_autocheckpoint(0)
        return connection

    def _make_tables(self) -> None:
        names = "'_litestream_seq', '_litestream_lock'"
        (count,) = _rows(self._writer, f"SELECT count(*) FROM sqlite_schema WHERE name IN ({names})")[0]
        if count == 2:
            return
        with self._write_lock():
            for statement in _TABLES:
                _rows(self._writer, statement)

    def close(self) -> None:
        """Let go of everything. The WAL stays as it is, also when this was the last connection to it."""
        with self._mutex:
            self._close()

    def _close(self) -> None:
        for connection in (self._reader, self._next_reader, self._checkpointer, self._writer):
            if connection is not None:
                connection.close(True)
        self._reader = self._next_reader = self._checkpointer = self._writer = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        with _open_files_lock:
            _open_files.discard(self._identity)
        self._identity = (0, 0)
        self._lock.release()
        self._shadow, self._complete = None, False

    # ---- the long read lock, and writing

    def _hold_wal(self) -> None:
        _begin_read(self._reader)
        self._complete = False

    def _move_hold(self) -> None:
        """Hold the WAL at its present end instead, without letting go in between: a checkpoint may go up to there."""
        _begin_read(self._next_reader)
        self._reader, self._next_reader = self._next_reader, self._reader
        self._complete = False
        _rows(self._next_reader, "ROLLBACK")

    def _let_go(self) -> None:
        self._complete = False
        if self._reader is not None and self._reader.in_transaction:
            _rows(self._reader, "ROLLBACK")

    @contextmanager
    def _write_lock(self) -> Iterator[None]:
        """Keep every other writer out; committed at the end."""
        _rows(self._writer, "BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._writer is not None and self._writer.in_transaction:
                _rows(self._writer, "ROLLBACK")
            raise
        _rows(self._writer, "COMMIT")

    def _bump(self) -> None:
        """Force a write, so that the WAL has a header and a frame; also where the application dropped the tables."""
        for statement in (*_TABLES, _BUMP):
            _rows(self._writer, statement)

    # ---- where it is

    @property
    def generation(self) -> str:
        """The current generation, "" before the first sync."""
        with self._mutex:
            return self._shadow.generation if self._shadow else ""

    def pos(self) -> Pos:
        """The end of the shadow WAL: everything that was committed up to the last sync."""
        with self._mutex:
            return Pos(self._shadow.generation, self._shadow.index, self._shadow.offset) if self._shadow else Pos()

    def owner(self) -> Owner:
        """What the replica's files take from the database's file."""
        return self._owner

    def shadow_path(self, generation: str, index: int) -> str:
        return self.meta.wal_path(generation, index)

    def shadow_end(self, generation: str, index: int) -> int:
        """Behind the last committed byte of a shadow WAL; 0 where there is none, or not all of it any more."""
        with self._mutex:
            shadow = self._shadow
            if shadow is not None and (generation, index) == (shadow.generation, shadow.index):
                return shadow.offset
        try:
            size = os.stat(self.shadow_path(generation, index)).st_size
        except FileNotFoundError:
            return 0
        return size if size >= self._ends.get((generation, index), 0) else 0

    @property
    def size(self) -> int:
        """Bytes of the database's file now."""
        self._check_open()
        return os.fstat(self._fd).st_size

    def read(self, size: int, offset: int) -> bytes:
        """Bytes of the database's file, through the one descriptor that may be used for it."""
        self._check_open()
        return os.pread(self._fd, size, offset)

    # ---- sync

    def sync(self, cancel: CancelToken | None = None) -> Change:
        """Bring the shadow WAL up to the last commit; begin a new generation where it cannot go on.

        Raises PrimaryError, and Cancelled between two blocks of a long copy (what is whole is kept).
        """
        with self._mutex, self._errors("sync the database"):
            began = time.monotonic()
            self.counters.syncs += 1
            try:
                self._check_identity()
                change = self._sync(cancel)
            except BaseException:
                self.counters.sync_errors += 1
                raise
            finally:
                self.counters.sync_seconds += time.monotonic() - began
        self._tell()
        return change

    def _note(self, change: Change) -> Change:
        self._untold += change
        return change

    def _tell(self) -> None:
        """Count what was copied, and wake whoever waits for it."""
        with self._mutex:
            change, self._untold = self._untold, Change()
        self.counters.wal_bytes += change.bytes
        if change:
            for listener in list(self.listeners):
                listener()

    def new_generation(self, reason: str) -> None:
        """Begin a new generation at the WAL's present state, because a replica cannot go on in this one."""
        with self._mutex, self._errors("begin a generation"):
            self._check_open()
            if self._wal_is_empty():
                self._bump()
            with RealWAL(self.wal_path) as real:
                self._begin_generation(real, reason, None)
        self._tell()

    def _check_open(self) -> None:
        if not self.is_open:
            raise PrimaryError("use the database", "it is not open", path=self.path)

    def _check_identity(self) -> None:
        self._check_open()
        if not self.is_same_file():
            raise PrimaryError(
                "sync the database",
                "its file was replaced by another one" if os.path.exists(self.path) else "its file was removed",
                path=self.path,
                hint="open it again: a new generation begins with what is there now",
            )
        if not os.path.isdir(self.meta.path):
            self._lock.release()
            make_folder(self.meta.path, self._owner)
            self._lock.acquire(self._owner)

    def is_same_file(self) -> bool:
        """Whether the database's path still names the file that is open."""
        try:
            info = os.stat(self.path)
        except FileNotFoundError:
            return False
        return (info.st_dev, info.st_ino) == self._identity

    def _sync(self, cancel: CancelToken | None) -> Change:
        self._check_shadow()
        if self._reader is not None and not self._reader.in_transaction:
            self._hold_wal()  # SQLite ends a transaction by itself after some errors
        # The checkpointer's connection writes nothing, so this changes with every commit of anybody.
        version = _rows(self._checkpointer, "PRAGMA data_version")[0][0]
        if version == self._seen_version and self._shadow is not None and self._complete:
            return Change()
        self._ensure_wal()
        change = self._copy(cancel)
        for _ in range(_LOOKS):
            if self._complete:
                break
            change += self._copy(cancel)  # commits came meanwhile
        if not self._complete:
            change += self._catch_up()
        self._seen_version = version
        return change

    def _catch_up(self) -> Change:
        """Copy while nobody writes. Commits that are still missing cannot be verified: bring them into the database,
        where the snapshot of a new generation finds them."""
        with self._write_lock():
            change = self._copy(None)
            if self._complete:
                return change
            self._let_go()
            try:
                self._run_checkpoint("PASSIVE")
            finally:
                self._hold_wal()
        with self._write_lock():
            self._bump()
        with RealWAL(self.wal_path) as real:
            if self._shadow is None or real.raw_header() == self._shadow.raw:
                raise PrimaryError(
                    "sync the database",
                    "its WAL holds commits whose checksums are wrong (SQLite before 3.50.4 writes such ones), and a "
                    "reader keeps them from being moved into the database",
                    path=self.wal_path,
                    hint="end long reads, and update the application's SQLite: a crash would lose those commits",
                )
            return change + self._begin_generation(real, "wal frames with wrong checksums", None)

    def _has_all(self, real: RealWAL) -> bool:
        """Whether the shadow holds everything that SQLite counts as committed, in the WAL as it stands.

        What is missing may have come this moment; or its checksums are wrong: SQLite before 3.50.4 writes such frames
        after a ROLLBACK TO a savepoint that had spilled into the WAL. It finds them by the WAL's index alone.
        """
        assert self._checkpointer is not None
        assert self._shadow is not None
        frames, _ = self._checkpointer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        return self._shadow.header.end_of(frames) <= self._shadow.offset and real.raw_header() == self._shadow.raw

    def _find_shadow(self) -> None:
        """The newest shadow WAL of the current generation, proved; or why there is none."""
        found = self._shadows.current(self._identity[1])
        if isinstance(found, Shadow):
            self._shadow = found
        else:
            self._shadow, self._why_no_shadow = None, found

    def _check_shadow(self) -> None:
        """Somebody may have removed the meta folder, the generation's name or the shadow WAL."""
        shadow = self._shadow
        if shadow is None:
            return
        if self.meta.generation() != shadow.generation:
            self._shadow, self._why_no_shadow = None, "no generation exists"
            return
        size = self.shadow_size()
        if size < shadow.offset:
            self._shadow = None
            self._why_no_shadow = "no shadow wal" if size < 0 else "short shadow wal"

    def shadow_size(self) -> int:
        """Bytes of the newest shadow WAL's file, -1 where it is not there."""
        with self._mutex:
            if self._shadow is None:
                return -1
            try:
                return os.stat(self.shadow_path(self._shadow.generation, self._shadow.index)).st_size
            except FileNotFoundError:
                return -1

    def _ensure_wal(self) -> None:
        """See to it that the WAL has a header. One that was emptied under our lock waits for somebody else's write: it
        goes on with the next salt then, while SQLite draws new ones for a connection that never restarted a WAL."""
        if not self._wal_is_empty():
            return
        if not self._complete:
            self._bump()
        if not os.path.exists(self.wal_path):
            raise PrimaryError(
                "sync the database",
                "its WAL file was removed while connections have it open: what they write is in no file any more",
                path=self.wal_path,
                hint="stop the application and litetui, then start both again",
            )

    def _wal_is_empty(self) -> bool:
        try:
            return os.stat(self.wal_path).st_size < wal.HEADER_SIZE
        except FileNotFoundError:
            return True

    def _copy(self, cancel: CancelToken | None, least_frames: int = 0) -> Change:
        """Verify, then copy what was committed; follow a WAL that was restarted after at least so many frames."""
        if self._complete and self._wal_is_empty():
            return Change()
        with RealWAL(self.wal_path) as real:
            verdict = (
                Verdict(self._why_no_shadow)
                if self._shadow is None
                else verify(self.meta, self._shadow, real, complete=self._complete)
            )
            if verdict.reason:
                return self._begin_generation(real, verdict.reason, cancel)
            assert self._shadow is not None
            added = self._extend(real, cancel)
            if verdict.restarted:
                old = self._shadow
                self._ends[old.generation, old.index] = old.offset
                if old.header.end_of(least_frames) > old.offset:
                    return self._begin_generation(real, "wal overwritten by another process", cancel)
                self._shadows.sync_to_disk()  # once the next one is there, nobody proves this one again
                self._shadow = self._shadows.begin(old.generation, old.index + 1, verdict.raw)
                added += self._shadow.offset + self._extend(real, cancel)
            self._complete = self._has_all(real)
            return self._note(Change(added))

    def _extend(self, real: RealWAL, cancel: CancelToken | None) -> int:
        assert self._shadow is not None
        before = self._shadow.offset
        self._shadow = self._shadows.extend(self._shadow, real, cancel)
        return self._shadow.offset - before

    def _begin_generation(self, real: RealWAL, reason: str, cancel: CancelToken | None) -> Change:
        generation = secrets.token_hex(8)
        shadow = self._shadows.begin(generation, 0, real.raw_header())
        shadow = self._shadows.extend(shadow, real, cancel)
        self._shadows.sync_to_disk()
        self.meta.note_reason(generation, reason, self._identity[1], self._now_ns(), self._owner)
        self.meta.set_generation(generation, self._owner)
        self._shadow = shadow
        self._complete = self._has_all(real)
        self.new_generation_reason = reason
        return self._note(Change(shadow.offset, reason))

    # ---- checkpoints

    def checkpoint_due(self) -> Mode | None:
        """Which checkpoint the size of the WAL and the age of the last one ask for, by Litestream's rules."""
        with self._mutex:
            shadow, now = self._shadow, time.monotonic()
            if shadow is None or self._holds or not self.is_open:
                return None
            if shadow.offset >= shadow.header.end_of(self.limits.max_checkpoint_pages) and now >= self._next_restart:
                return "RESTART"
            if now < self._next_passive:
                return None
            if shadow.offset >= shadow.header.end_of(self.limits.min_checkpoint_pages):
                return "PASSIVE"
            age = self._now_ns() - os.stat(self.path).st_mtime_ns
            if age > self.limits.checkpoint_interval_s * NS and shadow.offset > shadow.header.end_of(1):
                return "PASSIVE"
            return None

    def checkpoint(self, mode: Mode) -> bool:
        """Move the WAL's frames into the database, and begin the next index. True if all of them were moved.

        The shadow WAL is on the disk before. PASSIVE works under the write lock, so nothing can be lost; RESTART also
        waits for readers, and what came in between is proved to be in the shadow, or a new generation begins.
        Never TRUNCATE, which drops frames (FORMAT-v0.3, section 10).
        """
        try:
            with self._mutex, self._errors("checkpoint the database"):
                self._check_identity()
                return not self._holds and self._checkpoint(mode)
        finally:
            self._tell()

    def _checkpoint(self, mode: Mode) -> bool:
        self._sync(None)
        if self._wal_is_empty():
            return True
        self._shadows.sync_to_disk()
        began = time.monotonic()
        try:
            done = self._passive() if mode == "PASSIVE" else self._restart()
            if done:
                self._next_index()
        except apsw.BusyError:
            done = False
        counters = self.checkpoints.setdefault(mode, CheckpointCounters())
        counters.count += 1
        counters.errors += not done
        counters.seconds += time.monotonic() - began
        pause = time.monotonic() + (0.0 if done else self.limits.busy_timeout_s)
        if mode == "PASSIVE":
            self._next_passive = pause
        elif not done:
            self._next_restart = pause + _RESTART_PAUSE
        return done

    def _passive(self) -> bool:
        # Most of it is moved while others write; what is left keeps them out only for a moment.
        self._move_hold()
        self._run_checkpoint("PASSIVE")
        with self._write_lock():
            self._copy(None)
            if not self._complete:
                return False
            self._shadows.sync_to_disk()
            self._let_go()
            try:
                done, _ = self._run_checkpoint("PASSIVE")
            finally:
                self._hold_wal()
            self._copy(None)
        return done

    def _restart(self) -> bool:
        self._let_go()
        self._seen_version = -1
        try:
            done, frames = self._run_checkpoint("RESTART")
        finally:
            self._hold_wal()
        self._copy(None, frames)
        return done

    def _run_checkpoint(self, mode: Mode) -> tuple[bool, int]:
        """Whether all frames were moved, and how many there are."""
        busy, frames, moved = _rows(self._checkpointer, f"PRAGMA wal_checkpoint({mode})")[0]
        return not busy and frames == moved, frames

    def _next_index(self) -> None:
        """Write a frame, which restarts a WAL that is wholly in the database, and go on in the new one."""
        with self._write_lock():
            self._copy(None)
            if not self._complete:
                return
            self._shadows.sync_to_disk()
            self._bump()
        self._copy(None)

    @contextmanager
    def holding_checkpoints(self) -> Iterator[Pos]:
        """No checkpoint of ours while a snapshot is copied; gives the position that the snapshot belongs to."""
        with self._mutex:
            if self._shadow is None:
                raise PrimaryError("take a snapshot", "the database has no generation yet", path=self.path)
            self._holds += 1
            at = self.pos()
        try:
            yield at
        finally:
            with self._mutex:
                self._holds -= 1

    # ---- cleaning

    def clean(self, keep_from: int) -> list[str]:
        """Remove local generations that have ended, and shadow WALs below the index before `keep_from`, which is the
        lowest that a replica still needs. Returns what was removed."""
        with self._mutex, self._errors("clean the shadow WALs"):
            if self._shadow is None:
                return []
            generation = self._shadow.generation
            gone = self.meta.remove_other_generations(generation)
            gone += [f"{generation}/{i:08x}" for i in self.meta.remove_shadows_below(generation, keep_from - 1)]
            return gone

    @contextmanager
    def _errors(self, operation: str) -> Iterator[None]:
        """Errors of SQLite and the system in words for an operator."""
        try:
            yield
        except LitetuiError:
            raise
        except apsw.Error as error:
            raise _sqlite_error(error, operation, self.path) from None
        except wal.WALError as error:
            raise PrimaryError(
                operation, f"{error}", path=self.wal_path, hint="it was read while it was rewritten: try again"
            ) from None
        except OSError as error:
            raise _system_error(error, operation, error.filename or self.meta.path) from None


def _begin_read(connection: apsw.Connection | None) -> None:
    """Begin a read transaction, or leave the connection without one."""
    _rows(connection, "BEGIN")
    try:
        _rows(connection, "SELECT count(*) FROM sqlite_schema")
    except BaseException:
        _rows(connection, "ROLLBACK")
        raise


def _rows(connection: apsw.Connection | None, statement: str) -> list[tuple[int, ...]]:
    """Run one statement to its end: apsw stops at the first row unless all are fetched."""
    assert connection is not None, "the database is not open"
    return list(connection.execute(statement))


def _sqlite_error(error: apsw.Error, operation: str, path: str) -> PrimaryError:
    if isinstance(error, apsw.BusyError):
        hint = "a long write or locking_mode=EXCLUSIVE of the application: try again, or end that process"
        return LockedError(operation, "another process holds it locked", path=path, hint=hint)
    hints: dict[type[apsw.Error], tuple[str, str]] = {
        apsw.NotADBError: ("it is no SQLite database, or an encrypted one", "check the path of the database"),
        apsw.CorruptError: (
            f"SQLite says that it is corrupt ({error})",
            "restore a good state to another path: litetui restore REPLICA -o OUT",
        ),
        apsw.ReadOnlyError: (
            "it is not writable for you: replication writes two small tables into it",
            "run litetui as the owner of the database",
        ),
        apsw.CantOpenError: (
            "SQLite cannot open it",
            "run litetui as the owner of the database; its folder must be writable as well",
        ),
        apsw.FullError: ("the disk is full", "free some space: nothing was lost, the next sync goes on"),
    }
    for kind, (cause, hint) in hints.items():
        if isinstance(error, kind):
            return PrimaryError(operation, cause, path=path, hint=hint)
    return PrimaryError(operation, f"SQLite: {error}", path=path, hint="check the disk (dmesg), then try again")


def _system_error(error: OSError, operation: str, path: str) -> PrimaryError:
    import errno

    hints = {
        errno.ENOSPC: "free some space: nothing was lost, the next sync goes on",
        errno.EDQUOT: "free some space: nothing was lost, the next sync goes on",
        errno.EACCES: "run litetui as the owner of the database",
        errno.EPERM: "run litetui as the owner of the database",
        errno.EROFS: "replication needs a writable folder beside the database",
        errno.EIO: "the disk fails: check it (dmesg), and copy the replica before anything else",
    }
    return PrimaryError(
        operation, error.strerror or str(error), path=path, hint=hints.get(error.errno or 0, "then try again")
    )
