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
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import apsw

from litetui.errors import LockedError, PrimaryError
from litetui.files import Owner, make_folder
from litetui.format import wal
from litetui.format.position import Pos
from litetui.jobs.progress import CancelToken
from litetui.primary import guard
from litetui.primary.connections import Connections, Mode, explained
from litetui.primary.meta import Meta
from litetui.primary.shadow import RealWAL, Reason, Shadow, ShadowWriter, Verdict, lost_end, verify
from litetui.units import NS

_LOOKS = 2  # a sync copies so often again before it keeps writers out
_RESTART_PAUSE = 10.0  # a RESTART that readers block holds up all writers for the busy timeout: not each second
_REST_PAUSE = 0.05


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
        self._connections: Connections | None = None
        self._owner = Owner(0o600, os.getuid(), os.getgid())
        self._shadows = ShadowWriter(self.meta, self._owner)
        self._shadow: Shadow | None = None
        self._why_no_shadow: Reason = "no generation exists"
        self._complete = False  # the shadow had all of the WAL since the read lock was taken, and it is still held
        self._untold = Change()
        self._ends: dict[tuple[str, int], int] = {}
        self._seen_version = -1
        self._holds = 0
        self._resting = threading.Lock()
        self._frozen_at = Pos()
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
        return self._connections is not None

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
                with explained("open the database", self.path, self.meta.path):
                    self._open(takeover)
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
        limits = self.limits
        self._connections = connections = Connections(
            self.path, busy_timeout_s=limits.busy_timeout_s, max_wal_pages=limits.max_checkpoint_pages
        )
        self.page_size = connections.page_size
        self._owner = Owner.of(self.path)
        self._shadows = ShadowWriter(self.meta, self._owner)
        make_folder(self.meta.path, self._owner)
        self._lock.acquire(self._owner)
        self.meta.remove_temporary()
        connections.make_tables()
        self._hold_wal()
        self._find_shadow()

    def close(self) -> None:
        """Let go of everything. The WAL stays as it is, also when this was the last connection to it."""
        with self._mutex:
            self._close()

    def _close(self) -> None:
        if self._connections is not None:
            self._connections.close()
            self._connections = None
        self._lock.release()
        self._shadow, self._complete = None, False

    @property
    def _sqlite(self) -> Connections:
        if self._connections is None:
            raise PrimaryError("use the database", "it is not open", path=self.path)
        return self._connections

    def _hold_wal(self) -> None:
        self._complete = False
        self._sqlite.hold()

    def _let_go(self) -> None:
        self._complete = False
        self._sqlite.let_go()

    # ---- where it is

    @property
    def generation(self) -> str:
        """The current generation, "" before the first sync."""
        return self.pos().generation

    def pos(self) -> Pos:
        """The end of the shadow WAL: everything that was committed up to the last sync."""
        shadow = self._shadow  # one frozen value: nobody has to wait for a sync to look at it
        return Pos(shadow.generation, shadow.index, shadow.offset) if shadow else Pos()

    def owner(self) -> Owner:
        """What the replica's files take from the database's file."""
        return self._owner

    def shadow_path(self, generation: str, index: int) -> str:
        return self.meta.wal_path(generation, index)

    def shadow_end(self, generation: str, index: int) -> int:
        """Behind the last committed byte of a shadow WAL; 0 where there is none, or not all of it any more."""
        at = self.pos()
        if (generation, index) == (at.generation, at.index):
            return at.offset
        try:
            size = os.stat(self.shadow_path(generation, index)).st_size
        except FileNotFoundError:
            return 0
        return size if size >= self._ends.get((generation, index), 0) else 0

    @property
    def size(self) -> int:
        """Bytes of the database's file now."""
        with self._mutex:  # nobody closes it meanwhile
            return self._sqlite.size

    def read(self, size: int, offset: int) -> bytes:
        """Bytes of the database's file, through the one descriptor that may be used for it."""
        with self._mutex:
            return self._sqlite.read(size, offset)

    # ---- sync

    def sync(self, cancel: CancelToken | None = None) -> Change:
        """Bring the shadow WAL up to the last commit; begin a new generation where it cannot go on.

        Raises PrimaryError, and Cancelled between two blocks of a long copy, of which nothing is kept then.
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
            self._check_identity()
            if self._wal_is_empty():
                self._sqlite.bump()
            with RealWAL(self.wal_path) as real:
                self._begin_generation(real, reason, None)
        self._tell()

    def _check_identity(self) -> None:
        if not self._sqlite.is_same_file():
            raise PrimaryError(
                "sync the database",
                "its file was replaced by another one" if os.path.exists(self.path) else "its file was removed",
                path=self.path,
                hint="open it again: a new generation begins with what is there now",
            )
        sides = self._sqlite.side_files()
        if sides == "gone":
            raise self._no_wal()
        if sides == "replaced":
            raise PrimaryError(
                "sync the database",
                "its -wal or -shm was replaced while it was open",
                path=self.wal_path,
                hint="open it again: a new generation begins with what is there now",
            )
        if not os.path.isdir(self.meta.path):
            self._lock.release()
            make_folder(self.meta.path, self._owner)
            self._lock.acquire(self._owner)

    def _no_wal(self) -> PrimaryError:
        return PrimaryError(
            "sync the database",
            "its WAL file was removed while connections have it open: what they write is in no file any more",
            path=self.wal_path,
            hint="stop the application and litetui, then start both again",
        )

    def is_stale(self) -> bool:
        """Whether the database's path names another file than the open one, or others have made it a WAL of their own:
        it must be opened anew. Where the WAL is only gone, that would make a second one beside the application's."""
        return not self._sqlite.is_same_file() or self._sqlite.side_files() == "replaced"

    def _sync(self, cancel: CancelToken | None) -> Change:
        self._check_shadow()
        if not self._sqlite.holds:
            self._hold_wal()
        version = self._sqlite.data_version()
        if version == self._seen_version and self._shadow is not None and self._complete:
            return Change()
        self._ensure_wal()
        change = self._copy(cancel)
        for _ in range(_LOOKS):
            if self._complete:
                break
            change += self._copy(cancel)  # commits came meanwhile
        if self._shadow is not None and self._committed_end(self._shadow) != self._shadow.offset:
            change += self._catch_up()
        self._seen_version = version
        return change

    def _catch_up(self) -> Change:
        """Copy while nobody writes. Commits that are still missing cannot be verified: bring them into the database,
        where the snapshot of a new generation finds them."""
        with self._sqlite.write_lock():
            change = self._copy(None)
            if self._shadow is None or self._complete:
                return change
            if self._committed_end(self._shadow) < self._shadow.offset:
                # A power loss took frames that we had copied, and the application goes on from before them.
                with RealWAL(self.wal_path) as real:
                    return change + self._begin_generation(real, "wal overwritten by another process", None)
            self._let_go()
            try:
                self._sqlite.checkpoint("PASSIVE")
            finally:
                self._hold_wal()
        with self._sqlite.write_lock():
            self._sqlite.bump()
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
        shadow = self._shadow
        assert shadow is not None
        if self._committed_end(shadow) != shadow.offset or real.raw_header() != shadow.raw:
            return False
        # A restart first sets the count to 0, then writes the new header: in between, a full WAL looks empty.
        return shadow.offset > wal.HEADER_SIZE or real.read(8, wal.HEADER_SIZE + 8) != shadow.raw[16:24]

    def _find_shadow(self) -> None:
        """The newest shadow WAL of the current generation, proved; or why there is none."""
        found = self._shadows.current(self._sqlite.identity[1])
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
        try:
            size = os.stat(self.shadow_path(shadow.generation, shadow.index)).st_size
        except FileNotFoundError:
            self._shadow, self._why_no_shadow = None, "no shadow wal"
        else:
            if size < shadow.offset:
                self._shadow, self._why_no_shadow = None, "short shadow wal"

    def _ensure_wal(self) -> None:
        """See to it that the WAL has a header. One that was emptied under our lock waits for somebody else's write: it
        goes on with the next salt then, while SQLite draws new ones for a connection that never restarted a WAL."""
        if not self._wal_is_empty():
            return
        if not self._complete:
            self._sqlite.bump()
        if not os.path.exists(self.wal_path):
            raise self._no_wal()

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
            added = 0
            if verdict.restarted:
                # Unless we had it all, nobody knows any more how much of the old one was committed.
                old = self._shadow if self._complete else self._shadows.extend(self._shadow, real, None, cancel)
                added = old.offset - self._shadow.offset
                self._ends[old.generation, old.index] = old.offset
                if not self._complete and lost_end(old, real, verdict.raw):
                    return self._begin_generation(real, "wal truncated by another process", cancel)
                if old.header.end_of(least_frames) > old.offset:
                    return self._begin_generation(real, "wal overwritten by another process", cancel)
                self._shadows.sync_to_disk()  # once the next one is there, nobody proves this one again
                self._shadow = self._shadows.begin(old.generation, old.index + 1, verdict.raw)
                added += self._shadow.offset
            added += self._extend(real, cancel)
            self._complete = self._has_all(real)
            return self._note(Change(added))

    def _extend(self, real: RealWAL, cancel: CancelToken | None) -> int:
        assert self._shadow is not None
        before = self._shadow.offset
        self._shadow = self._shadows.extend(self._shadow, real, self._committed_end(self._shadow), cancel)
        return self._shadow.offset - before

    def _committed_end(self, shadow: Shadow) -> int:
        """The offset up to which SQLite counts the WAL's frames as committed. A commit that its process did not live to
        count may be taken back, and written over."""
        return shadow.header.end_of(self._sqlite.committed_frames())

    def _begin_generation(self, real: RealWAL, reason: str, cancel: CancelToken | None) -> Change:
        generation = secrets.token_hex(8)
        shadow = self._shadows.begin(generation, 0, real.raw_header())
        shadow = self._shadows.extend(shadow, real, self._committed_end(shadow), cancel)
        self._shadows.sync_to_disk()
        self.meta.note_reason(generation, reason, self._sqlite.identity[1], self._now_ns(), self._owner)
        self.meta.set_generation(generation, self._owner)
        self._shadow = shadow
        self._complete = self._has_all(real)
        self.new_generation_reason = reason
        return self._note(Change(shadow.offset, reason))

    # ---- checkpoints

    def checkpoint_due(self) -> Mode | None:
        """Which checkpoint the size of the WAL and the age of the last one ask for, by Litestream's rules."""
        with self._mutex, self._errors("look at the database"):
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

    def _checkpoint(self, mode: Mode, *, freeze: bool = False) -> bool:
        self._sync(None)
        if self._wal_is_empty():
            return not freeze or self._freeze_emptied()
        self._shadows.sync_to_disk()
        began = time.monotonic()
        try:
            done = self._passive(freeze) if mode == "PASSIVE" else self._restart()
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

    def _passive(self, freeze: bool) -> bool:
        # Most of it is moved while others write; what is left keeps them out only for a moment. While we hold the write
        # lock nobody can restart the WAL, so the read lock may be let go and taken anew.
        self._sqlite.move_hold()
        self._complete = self._complete and self._sqlite.data_version() == self._seen_version
        self._sqlite.checkpoint("PASSIVE")
        with self._sqlite.write_lock():
            self._copy(None)
            if not self._complete:
                return False
            if self._wal_is_empty():  # an application has truncated it meanwhile: all that we have is in the database
                if freeze:
                    self._freeze()
                return True
            self._shadows.sync_to_disk()
            self._let_go()
            try:
                done, _ = self._sqlite.checkpoint("PASSIVE")
                if done and freeze:
                    self._freeze()
            finally:
                self._hold_wal()
            self._copy(None)
        return done

    def _freeze(self) -> None:
        self._sqlite.freeze()
        self._frozen_at = self.pos()

    def _freeze_emptied(self) -> bool:
        """The same for a WAL that was emptied under our lock: all that the shadow has is in the database."""
        with self._sqlite.write_lock():
            if not self._complete or not self._wal_is_empty():
                return False
            self._freeze()
            return True

    def _restart(self) -> bool:
        self._let_go()
        self._seen_version = -1
        try:
            done, frames = self._sqlite.checkpoint("RESTART")
        finally:
            self._hold_wal()
        self._copy(None, frames)
        return done

    def _next_index(self) -> None:
        """Write a frame, which restarts a WAL that is wholly in the database, and go on in the new one."""
        with self._sqlite.write_lock():
            self._copy(None)
            if not self._complete or self._wal_is_empty():  # whoever emptied it goes on with the next salt, not we
                return
            self._shadows.sync_to_disk()
            self._sqlite.bump()
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

    @contextmanager
    def at_rest(self, patience_s: float = 10.0, cancel: CancelToken | None = None) -> Iterator[Pos]:
        """While this lasts, the database's file holds the state of one position and nobody changes it, though writers
        go on; gives the position, which ends its index unless readers held the WAL. No checkpoint of ours meanwhile.

        It is a PASSIVE checkpoint under the write lock, not a RESTART: that one lets go of the WAL while others write,
        which under load costs a generation. Raises LockedError where readers, a writer or a snapshot are in the way
        for so many seconds; PrimaryError at the end if it was not one file all the while.
        """
        cancel = cancel or CancelToken()
        while not self._resting.acquire(timeout=0.1):
            cancel.check()
        try:
            connections, at = self._come_to_rest(time.monotonic() + patience_s, cancel)
            try:
                yield at
                if self._connections is not connections:
                    hint = "try again"
                    raise PrimaryError("read the database", "it was opened anew meanwhile", path=self.path, hint=hint)
            finally:
                with self._mutex:
                    self._holds -= 1
                    if self._connections is connections:
                        connections.thaw()
        finally:
            self._resting.release()

    def _come_to_rest(self, deadline: float, cancel: CancelToken) -> tuple[Connections, Pos]:
        pause = _REST_PAUSE
        while True:
            cancel.check()
            try:
                with self._mutex, self._errors("checkpoint the database"):
                    self._check_identity()
                    if not self._holds and self._frozen():
                        self._holds += 1
                        return self._sqlite, self._frozen_at
                    cause = "a snapshot is being taken" if self._holds else "long reads keep the WAL in place"
            except LockedError as error:
                cause = error.cause
            finally:
                self._tell()
            if time.monotonic() >= deadline:
                hint = "end long reads, or wait for the next time"
                raise LockedError("bring the database to rest", cause, path=self.path, hint=hint)
            cancel.wait(pause)
            pause = min(2 * pause, 1.0)  # each try keeps writers waiting for a moment

    def _frozen(self) -> bool:
        done = False
        try:
            done = self._checkpoint("PASSIVE", freeze=True)
        finally:
            if not done:
                self._sqlite.thaw()
        return done

    # ---- cleaning

    def clean(self, keep_from: int) -> list[str]:
        """Remove local generations that have ended, and shadow WALs below the index before `keep_from`, which is the
        lowest that a replica still needs. Returns what was removed."""
        with self._mutex, self._errors("clean the shadow WALs"):
            if self._shadow is None:
                return []
            generation = self._shadow.generation
            self._ends = {at: end for at, end in self._ends.items() if at[0] == generation and at[1] >= keep_from - 1}
            gone = self.meta.remove_other_generations(generation)
            gone += [f"{generation}/{i:08x}" for i in self.meta.remove_shadows_below(generation, keep_from - 1)]
            return gone

    def _errors(self, operation: str) -> AbstractContextManager[None]:
        return explained(operation, self.path, self.meta.path)
