"""Sync: bring a replica up to what the database has committed, once.

`plan` says what would be written, without touching the database, its meta folder or the replica; `run` does it.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from litetui.errors import LitetuiError, NotAReplicaError, OutputError, PrimaryError
from litetui.format import dbheader, wal
from litetui.format.position import Pos
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.frames import read_frames
from litetui.primary import guard
from litetui.primary.database import Database, Limits
from litetui.primary.meta import Meta
from litetui.primary.shadow import RealWAL, Shadow, ShadowReader, avoid, verify
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from litetui.replica.live import Layout, layout_of
from litetui.replica.storage import unreadable
from litetui.units import format_size

NEW_REPLICA_NOTE = (
    "a new replica gets the layout `segments` (v0.3.5+): Litestream 0.3.5 and later restore an empty or old database "
    "from the layout `wal`, silently"
)

_PATIENCE_S = 10.0  # for a lock of the application: a command that runs once has no second chance


@dataclass(frozen=True, slots=True)
class Extent:
    """How large a database is: pages, and bytes a page."""

    pages: int
    page_size: int

    @property
    def size(self) -> int:
        return self.pages * self.page_size

    def __str__(self) -> str:
        return f"{format_size(self.size)}, {self.pages} pages of {self.page_size}"


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What a sync would do.

    generation  the one that goes on, "" where a new one begins for the `reason`; `avoids` says what prevents that
    snapshot    whether one is written first
    wal_bytes   of committed WAL that the replica lacks, uncompressed; None where it cannot be told beforehand
    size        of the database's file, in bytes
    extent      the database at its last commit, `before` at the end of the replica's newest generation; None where not
                known
    """

    database: str
    replica: str
    layout: Layout
    generation: str
    reason: str
    avoids: str
    new_replica: bool
    snapshot: bool
    wal_bytes: int | None
    size: int
    extent: Extent | None
    before: Extent | None
    replicators: tuple[guard.Replicator, ...]
    warnings: tuple[str, ...]
    refusal: LitetuiError | None

    @property
    def first_write(self) -> bool:
        """Whether it would write more than the next piece of WAL: worth a question."""
        return self.new_replica or not self.generation or self.snapshot

    @property
    def command(self) -> tuple[str, ...]:
        return ("litetui", "sync", self.database, self.replica)


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync did. `bytes` of WAL, uncompressed; `new_generation_reason` "" where the generation went on."""

    pos: Pos
    bytes: int
    snapshot_created: bool
    compressed: int
    new_generation_reason: str
    duration_s: float
    warnings: tuple[str, ...] = ()


def plan(database: str, replica: str, *, layout: Layout | None = None, takeover: bool = False) -> SyncPlan:
    """Look at the WAL, the shadow WAL and the replica by reading only. Raises LitetuiError."""
    path = os.path.realpath(database)
    if not os.path.isfile(path):
        raise PrimaryError(
            "sync the database", "there is no such file", path=database, hint="check the path of the database"
        )
    try:
        return _plan(path, replica, layout, takeover)
    except OSError as error:
        raise unreadable(error, error.filename or path) from None


def _plan(path: str, replica: str, layout: Layout | None, takeover: bool) -> SyncPlan:
    meta = Meta(path)
    replica = _full(replica)
    check_place(replica, meta)
    watch = guard.look(path, meta.path, versions=True)
    opened = existing(replica)
    now = _shadow_now(path, meta)
    generation = now.shadow.generation if now.shadow is not None and not now.reason else ""
    known = opened is not None and generation in opened.generations() and bool(opened.snapshots(generation))
    newest = next(iter(opened.generations()), None) if opened else None
    lacking = None
    if known and opened is not None and now.shadow is not None and not now.restarted:
        lacking = _lacking(opened, now.shadow, generation)
    return SyncPlan(
        path,
        replica,
        (layout_of(opened) if opened else None) or layout or "segments",
        generation,
        now.reason,
        avoid(now.reason),
        opened is None or not opened.generations(),
        not known,
        lacking,
        os.stat(path).st_size,
        now.extent,
        extent_of(opened, newest) if opened and newest else None,
        watch.replicators,
        tuple(guard.warnings(watch)),
        guard.refusal(watch, path, time.time_ns(), takeover=takeover),
    )


def existing(replica: str) -> FileReplica | None:
    """The replica that is at a path, None where the path is free for a new one. Raises LitetuiError."""
    try:
        return open_replica(replica)
    except NotAReplicaError:
        path = _full(replica)
        if not os.path.lexists(path) or (os.path.isdir(path) and not os.listdir(path)):
            return None
        raise


@dataclass(frozen=True, slots=True)
class _Now:
    """The shadow WAL as it would be after a sync, why a new generation would begin (""), whether the next index would,
    and the database's size where the WAL tells it."""

    shadow: Shadow | None
    reason: str
    restarted: bool
    extent: Extent | None


def _shadow_now(path: str, meta: Meta) -> _Now:
    reader = ShadowReader(meta)
    found = reader.current(os.stat(path).st_ino)
    shadow, reason = (found, "") if isinstance(found, Shadow) else (None, str(found))
    restarted = False
    try:
        with RealWAL(path + "-wal") as real:
            header = wal.WALHeader.parse(real.raw_header())
            if shadow is not None:
                verdict = verify(meta, shadow, real, complete=False)
                reason, restarted = verdict.reason, verdict.restarted
                if not reason and not restarted:
                    shadow = reader.reach(real, shadow)
            begun = Shadow("", 0, real.raw_header(), header, wal.HEADER_SIZE, header.checksum)
            pages = reader.database_pages(real, begun)
    except (FileNotFoundError, wal.WALError):
        # No WAL: the first write begins one, and whatever the shadow had is not in it.
        return _Now(shadow, reason or "wal truncated by another process", False, None)
    return _Now(shadow, reason, restarted, Extent(pages, header.page_size) if pages else None)


def _lacking(replica: FileReplica, shadow: Shadow, generation: str) -> int | None:
    try:
        at = replica.calc_pos(generation)
    except LitetuiError:
        return None
    return max(0, shadow.offset - at.offset) if at.index == shadow.index else None


def extent_of(replica: FileReplica, generation: str) -> Extent | None:
    """How large the database was at the end of a generation: what its last commit says, else its newest snapshot."""
    table = replica.wals(generation)
    snapshots = replica.snapshots(generation)
    try:
        if len(table) and (not snapshots or int(table.index[-1]) >= snapshots[-1].index):
            frames = read_frames(replica, generation, int(table.index[-1]))
            if len(frames.transactions):
                return Extent(int(frames.transactions.database_pages[-1]), frames.page_size)
        if snapshots:
            head = next(replica.read_snapshot_file(snapshots[-1]), b"")
            header = dbheader.DatabaseHeader.parse(head)
            return Extent(header.page_count, header.page_size)
    except (LitetuiError, ValueError):
        return None  # damaged: a restore says what is wrong
    return None


def run(
    database: str,
    replica: str,
    *,
    layout: Layout | None = None,
    takeover: bool = False,
    snapshot: bool = False,
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
) -> SyncResult:
    """Sync once; `snapshot` also takes one unless that of the present index is there. Raises LitetuiError."""
    opened = existing(replica)
    db = Database(database, limits=Limits(busy_timeout_s=_PATIENCE_S))
    db.open(takeover=takeover)
    try:
        db.warnings += _stranger(db.meta, opened)
        result = run_open(db, bind(db, replica, layout), snapshot=snapshot, report=report, cancel=cancel)
        db.clean(result.pos.index)
        return result
    finally:
        db.close()


def _stranger(meta: Meta, replica: FileReplica | None) -> list[str]:
    """A warning where a replica's newest generation is none that began beside this database: two databases in one
    replica hide each other."""
    newest = next(iter(replica.generations()), None) if replica else None
    if newest is None or newest in {meta.generation(), *meta.generations(), *meta.reasons()}:
        return []
    return [f"generation {newest} of the replica was not begun by this database: is this the replica of another one?"]


def bind(database: Database, replica: str, layout: Layout | None = None, name: str = "file") -> FileReplica:
    """A replica, there or new, that follows a database."""
    path = _full(replica)
    check_place(path, database.meta)
    return FileReplica(path, name, database=database, layout=layout)


def _full(replica: str) -> str:
    return os.path.abspath(os.path.expanduser(replica))


def check_place(replica: str, meta: Meta) -> None:
    """Raises OutputError for a replica in the folder that litetui and Litestream keep beside the database."""
    own = os.path.realpath(meta.path)
    if os.path.commonpath([own, os.path.realpath(replica)]) == own:
        raise OutputError(
            "sync the database",
            "this is the folder for the shadow WALs beside the database",
            path=replica,
            hint="name another folder for the replica, on another disk if there is one",
        )


def run_open(
    database: Database,
    replica: FileReplica,
    *,
    snapshot: bool = False,
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
) -> SyncResult:
    """The same with a database that is open and a replica that is bound to it."""
    report, cancel = report or Reporter(), cancel or CancelToken()
    began, before = time.monotonic(), database.generation
    for warning in database.warnings:
        report.log(warning, "warning")
    report.phase("shadow WAL")
    database.sync(cancel)
    done = replica.snapshot(report, cancel) if snapshot else replica.sync(report, cancel)
    reason = database.new_generation_reason if database.generation != before else ""
    if reason:
        hint = avoid(reason)
        report.log(f"generation {database.generation} began: {reason}" + (f" ({hint})" if hint else ""), "warning")
    report.log(f"{done.pos} +{done.bytes} bytes")
    return SyncResult(
        done.pos,
        done.bytes,
        done.snapshots > 0,
        done.compressed,
        reason,
        time.monotonic() - began,
        tuple(database.warnings),
    )
