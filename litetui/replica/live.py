"""A replica that follows a live database: where it is, what it lacks, and how it gets that.

The shadow WAL's bytes are verified once more on their way. A replica that cannot go on from where it is (it is ahead
of the database, differs from it, or needs a shadow WAL that is gone) makes the database begin a new generation.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import numpy as np

from litetui.errors import DamageError, OutputError, UnreadableError, UsageError
from litetui.files import Owner
from litetui.format import lz4, names, wal
from litetui.format.position import Pos
from litetui.jobs.progress import CancelToken, Reporter
from litetui.replica.catalog import WHOLE, WHOLE_LZ4
from litetui.replica.types import SnapshotInfo, WALInfo
from litetui.replica.writer import ReplicaWriter

if TYPE_CHECKING:
    from litetui.replica.file import FileReplica

Layout = Literal["wal", "segments"]
T = TypeVar("T")
_BLOCK = 4 << 20
_SNAPSHOT_BLOCK = 1 << 20
_TRIES = 3
_GONE = "the shadow wal that the replica needs is gone"
_DAMAGED = "the shadow wal is damaged"


class Primary(Protocol):
    """What a replica needs of a live database; `primary.Database` has it."""

    path: str
    page_size: int
    listeners: list[Callable[[], None]]

    @property
    def size(self) -> int: ...
    def read(self, size: int, offset: int) -> bytes: ...
    def pos(self) -> Pos: ...
    def owner(self) -> Owner: ...
    def sync(self, cancel: CancelToken | None = None) -> object: ...
    def new_generation(self, reason: str) -> None: ...
    def shadow_path(self, generation: str, index: int) -> str: ...
    def shadow_end(self, generation: str, index: int) -> int: ...
    def holding_checkpoints(self) -> AbstractContextManager[Pos]: ...


@dataclass(frozen=True, slots=True)
class ReplicaChange:
    """What one sync did to a replica: where it is now, WAL bytes written, snapshots, WALs compressed."""

    pos: Pos
    bytes: int = 0
    snapshots: int = 0
    compressed: int = 0


class _CannotGoOn(Exception):
    """The replica cannot go on in this generation; the text is the reason for a new one."""


class _Ended(Exception):
    """The database has begun another generation meanwhile."""


class Live:
    """The writing side of a FileReplica that is bound to a database. Threads take turns."""

    def __init__(self, replica: FileReplica, database: Primary, layout: Layout | None) -> None:
        self.replica = replica
        self.database = database
        self.writer = ReplicaWriter(replica.path)
        self.pos = Pos()
        self.wal_bytes = 0
        self._wanted = layout
        self._layout: Layout = layout or "segments"
        self._header: wal.WALHeader | None = None
        self._has_snapshot = ""  # the generation that is known to have one
        self._rests_on: dict[str, tuple[str, tuple[int, int]]] = {}  # files that the position rests on, as they were
        self._was_there = os.path.isdir(replica.path)
        self._mutex = threading.Lock()

    def sync(self, report: Reporter | None = None, cancel: CancelToken | None = None) -> ReplicaChange:
        """Write what the shadow WAL has and the replica lacks, a snapshot first where the generation has none.

        On any error the position is forgotten, and found again by the next sync. Raises LitetuiError.
        """
        return self._run(self._sync, report, cancel)

    def snapshot(self, report: Reporter | None = None, cancel: CancelToken | None = None) -> ReplicaChange:
        """A sync, and a snapshot of the database now unless the one of this index is there. Raises LitetuiError."""

        def work(report: Reporter, cancel: CancelToken) -> ReplicaChange:
            done = self._sync(report, cancel)
            if done.snapshots:
                return done
            more = self._snapshot(report, cancel)
            return replace(more, bytes=done.bytes + more.bytes, compressed=done.compressed + self._compress(cancel))

        return self._run(work, report, cancel)

    def exclusively(self, work: Callable[[ReplicaWriter], T], cancel: CancelToken | None = None) -> T:
        """Do something else to the replica's files, while nothing is synced by this process or another."""
        with self._turn(cancel or CancelToken()), self.writer.locked():
            return work(self.writer)

    @contextmanager
    def _turn(self, cancel: CancelToken) -> Iterator[None]:
        while not self._mutex.acquire(timeout=0.1):
            cancel.check()
        try:
            cancel.check()
            yield
        finally:
            self._mutex.release()

    def _run(
        self,
        work: Callable[[Reporter, CancelToken], ReplicaChange],
        report: Reporter | None,
        cancel: CancelToken | None,
    ) -> ReplicaChange:
        report, cancel = report or Reporter(), cancel or CancelToken()
        with self._turn(cancel):
            try:
                self._ready()
                with self.writer.locked():
                    for _ in range(_TRIES):
                        try:
                            return work(report, cancel)
                        except _Ended:
                            continue
                        except _CannotGoOn as why:
                            report.log(f"a new generation is needed: {why}", "warning")
                            self.database.new_generation(str(why))
                raise OutputError(
                    "sync the replica",
                    "generation after generation ends while it is written",
                    path=self.replica.path,
                    hint="something restarts the WAL all the time: see the log, stop the other replicator",
                )
            except BaseException:
                self.pos = Pos()
                raise

    def _ready(self) -> None:
        self.writer.owner = self.database.owner()
        if not os.path.isdir(self.replica.path):
            if self._was_there:
                raise self.writer.gone()
            self.writer.create()
        self._was_there = True

    def _sync(self, report: Reporter, cancel: CancelToken) -> ReplicaChange:
        generation = self.database.pos().generation
        if self.pos.generation != generation or self._is_changed():
            self._begin(generation, report)
        if self._has_snapshot != generation:
            return replace(self._snapshot(report, cancel, first=True), compressed=self._compress(cancel))
        goal = self.database.pos()
        if goal.generation != generation:
            raise _Ended
        written = self._copy(goal, report, cancel)
        return ReplicaChange(self.pos, written, 0, self._compress(cancel))

    @property
    def needs_snapshot(self) -> bool:
        """Whether the next sync would have to copy the whole database."""
        return self._has_snapshot != self.database.pos().generation

    def _rely_on(self, kind: Literal["snapshot", "wal"], path: str) -> None:
        """From now on the position rests on this file as it is now."""
        self._rests_on[kind] = (path, _stamp(path))

    def _is_changed(self) -> bool:
        """Whether somebody else has taken away or changed what the position rests on."""
        return any(_stamp(path) != stamp for path, stamp in self._rests_on.values())

    # where it is

    def _begin(self, generation: str, report: Reporter) -> None:
        """Find the position in the database's generation, and clear away what a crash has left there."""
        replica = self.replica
        self.pos, self._header, self._has_snapshot, self._rests_on = Pos(), None, "", {}
        for name in self.writer.remove_temporary():
            report.log(f"removed {name}, which a writer that was stopped had left", "warning")
        replica.forget()  # a replica that somebody emptied is begun anew
        own = layout_of(replica)
        if self._wanted is not None and own is not None and own != self._wanted:
            raise UsageError(
                "sync the replica",
                f"its layout is {own}, not {self._wanted}",
                path=replica.path,
                hint="an existing replica goes on in its own layout: leave --layout away, or take a new folder",
            )
        self._layout = own or self._wanted or "segments"
        if generation not in replica.generations():
            return
        for problem in replica.problems(generation):
            raise UnreadableError("sync the replica", problem.message, path=problem.path, hint=problem.hint)
        if replica.snapshots(generation):
            self.pos = self._proved(generation)
            self._has_snapshot = generation
            snapshot = replica.storage.path(replica.snapshot_path(replica.snapshots(generation)[-1]))
            if not self._looks_whole(replica.snapshots(generation)[-1]):
                raise _CannotGoOn("the replica's newest snapshot was cut")
            self._rely_on("snapshot", snapshot)
            table = replica.wals(generation)
            if len(table):
                self._rely_on("wal", replica.storage.path(replica.wal_path(table[len(table) - 1])))
        elif len(replica.wals(generation)):
            raise _CannotGoOn("the replica has WALs of this generation, but no snapshot")

    def _looks_whole(self, snapshot: SnapshotInfo) -> bool:
        """Whether a snapshot has its beginning and its end mark. Not read whole: that could take long."""
        if not snapshot.compressed:
            return True
        with self.replica.storage.open(self.replica.snapshot_path(snapshot)) as file:
            head = file.read(len(lz4.MAGIC))
            return head == lz4.MAGIC and file.read_at(4, max(0, snapshot.size - 8)) == b"\0\0\0\0"

    def _snapshots(self, generation: str) -> list[SnapshotInfo]:
        if generation not in self.replica.generations():
            return []
        return self.replica.snapshots(generation)

    def _proved(self, generation: str) -> Pos:
        """The end of the newest WAL, whose bytes are those of the shadow WAL. Raises _CannotGoOn."""
        replica = self.replica
        table = replica.wals(generation)
        newest = replica.max_snapshot_index(generation)
        if not len(table) or int(table.index[-1]) < newest:
            self._check_shadows(generation, newest, 0)
            return Pos(generation, newest, 0)
        index = int(table.index[-1])
        last = table[replica.forms_of(table, index)[0][-1]]
        start = last.offset or 0
        self._check_shadows(generation, index, start)
        shadow_end = self.database.shadow_end(generation, index)
        with self._shadow(generation, index) as shadow:
            end, same = self._common_end(shadow, shadow_end, last, start)
            good = _last_commit(shadow, min(end, shadow_end))
        if end > shadow_end:
            raise _CannotGoOn("the replica is ahead of the database")
        if not same or (last.compressed and good != end):
            raise _CannotGoOn("the replica differs from the shadow wal")
        if not last.compressed and good < last.size:
            self.writer.cut(generation, index, good)
        if last.offset is None and last.compressed and good < shadow_end:
            raise _CannotGoOn("the replica's newest wal is compressed before its end")
        return Pos(generation, index, good)

    @contextmanager
    def _shadow(self, generation: str, index: int) -> Iterator[int]:
        """A shadow WAL's descriptor. Its errors are not the replica's."""
        path = self.database.shadow_path(generation, index)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise _CannotGoOn(_GONE) from None
        except OSError as error:
            raise _no_shadow(error, path) from None
        try:
            yield fd
        finally:
            os.close(fd)

    def _common_end(self, shadow: int, shadow_end: int, last: WALInfo, start: int) -> tuple[int, bool]:
        """How far a file of the replica goes, and whether it has the bytes of the shadow WAL as far as that goes."""
        at = start
        try:
            for block in self.replica.read_wal_file(last):
                own = os.pread(shadow, max(0, min(len(block), shadow_end - at)), at)
                if block[: len(own)] != own:
                    return at, False
                at += len(block)
        except DamageError:
            raise _CannotGoOn("the replica's newest file is damaged") from None
        return at, True

    def _check_shadows(self, generation: str, index: int, offset: int) -> None:
        """The shadow WALs from a position on must be there."""
        goal = self.database.pos()
        if (index, offset) > (goal.index, goal.offset):
            raise _CannotGoOn("the replica is ahead of the database")
        for i in range(index, goal.index + 1):
            if self.database.shadow_end(generation, i) < wal.HEADER_SIZE:
                raise _CannotGoOn(_GONE)

    # WALs

    def _copy(self, goal: Pos, report: Reporter, cancel: CancelToken) -> int:
        """Write everything between the position and the goal. Returns the bytes."""
        written = 0
        report.phase("WAL", self._missing(goal))
        while self.pos.index <= goal.index:
            index, start = self.pos.index, self.pos.offset
            end = goal.offset if index == goal.index else self.database.shadow_end(goal.generation, index)
            if end < start or end < wal.HEADER_SIZE:
                raise _CannotGoOn(_GONE)
            if end > max(start, wal.HEADER_SIZE) or (index < goal.index and end > start):
                write = self.writer.segment if self._layout == "segments" else self.writer.append
                write(goal.generation, index, start, self._verified(goal.generation, index, start, end, cancel))
                written += end - start
                self.wal_bytes += end - start
                self.pos = Pos(goal.generation, index, end)
                self._rely_on("wal", self._wal_file(index, start))
                report.advance(written)
            if index == goal.index:
                break
            self.pos = Pos(goal.generation, index + 1, 0)
        return written

    def _wal_file(self, index: int, start: int) -> str:
        segments = self._layout == "segments"
        name = names.format_wal(index, start if segments else None, compressed=segments)
        return os.path.join(self.writer.wal_folder(self.pos.generation), name)

    def _missing(self, goal: Pos) -> int:
        ends = [self.database.shadow_end(goal.generation, i) for i in range(self.pos.index, goal.index)]
        return max(0, sum(ends) + goal.offset - self.pos.offset)

    def _verified(self, generation: str, index: int, start: int, end: int, cancel: CancelToken) -> Iterator[bytes]:
        """The bytes of a shadow WAL, whole frames at a time, each frame verified."""
        with self._shadow(generation, index) as fd:
            header = self._take_header(_read(fd, wal.HEADER_SIZE, 0), start)
            frame = header.frame_size
            state = header.checksum if start <= wal.HEADER_SIZE else _state_before(fd, start, frame)
            if not start:
                yield _read(fd, wal.HEADER_SIZE, 0)
                start = wal.HEADER_SIZE
            committed = True
            while start < end:
                cancel.check()
                size = min(end - start, max(1, _BLOCK // frame) * frame)
                data = _read(fd, size, start)
                frames = np.frombuffer(data, np.uint8)[: len(data) // frame * frame].reshape(-1, frame)
                block = wal.check_frames(frames, header, state)
                if len(data) < size or block.fault:
                    raise _CannotGoOn("replica salt mismatch" if block.fault == "salt" else _DAMAGED)
                state, committed = block.state, bool(block.commits[-1])
                start += size
                yield data
            if not committed:
                raise _CannotGoOn(_DAMAGED)

    def _take_header(self, raw: bytes, start: int) -> wal.WALHeader:
        """The header of a shadow WAL, which must follow on the one before it."""
        try:
            header = wal.WALHeader.parse(raw)
        except wal.WALError:
            raise _CannotGoOn(_DAMAGED) from None
        before = self._header
        if before is not None and header.salt1 != (before.salt1 + (0 if start else 1)) & 0xFFFFFFFF:
            raise _CannotGoOn("replica salt mismatch")
        self._header = header
        return header

    def _compress(self, cancel: CancelToken) -> int:
        """Compress the plain WALs that have ended. Returns how many."""
        if self._layout != "wal":
            return 0
        finished = _plain_indexes(self.writer.wal_folder(self.pos.generation))[:-1]
        for index in finished:
            cancel.check()
            self.writer.compress(self.pos.generation, index)
        return len(finished)

    # snapshots

    def _snapshot(self, report: Reporter, cancel: CancelToken, *, first: bool = False) -> ReplicaChange:
        """Copy the database's file. It counts only once the replica has the WAL of its index up to the end of the copy:
        a checkpoint may have moved frames of that WAL into the file meanwhile (FORMAT-v0.3, section 10)."""
        with self.database.holding_checkpoints() as at:
            if any(s.index == at.index for s in self._snapshots(at.generation)):
                return ReplicaChange(self.pos)
            if first:
                self.pos, self._rests_on = Pos(at.generation, at.index, 0), {}
            report.phase(f"snapshot {at.index:08x}", self.database.size)
            with self.writer.snapshot(at.generation, at.index, self._file(report, cancel)) as finish:
                self.database.sync(cancel)
                goal = self.database.pos()
                if goal.generation != at.generation:
                    raise _Ended
                try:
                    written = self._copy(goal, report, cancel)
                    path = finish()
                except BaseException:
                    if first:
                        self.writer.discard_wals(at.generation)  # they are of no use without it, and nobody's before
                    raise
        self._rely_on("snapshot", path)
        report.log(f"snapshot {at.generation}/{at.index:08x} written")
        self.replica.refresh()
        self._has_snapshot = at.generation
        return ReplicaChange(self.pos, written, 1)

    def _file(self, report: Reporter, cancel: CancelToken) -> Iterator[bytes]:
        """The database's file as it is now, whole pages only."""
        at, page = 0, self.database.page_size
        while True:
            cancel.check()
            try:
                block = self.database.read(_SNAPSHOT_BLOCK, at)
            except OSError as error:
                cause, path = error.strerror or str(error), self.database.path
                raise UnreadableError("take the snapshot", cause, path=path, hint="check the disk (dmesg)") from None
            block = block[: len(block) // page * page]
            if not block:
                return
            at += len(block)
            report.advance(at)
            yield block


def layout_of(replica: FileReplica) -> Layout | None:
    """The layout in which a replica's newest generation has its WALs; None where it has none yet."""
    for generation in replica.generations():
        forms = replica.wals(generation).form
        if len(forms):
            return "wal" if int(forms[-1]) in (WHOLE, WHOLE_LZ4) else "segments"
    return None


def _plain_indexes(folder: str) -> list[int]:
    """The indexes that have a plain `.wal`, ascending."""
    parsed = (names.parse_wal(n) for n in (os.listdir(folder) if os.path.isdir(folder) else []))
    return sorted(p.index for p in parsed if p is not None and p.offset is None and not p.compressed)


def _stamp(path: str) -> tuple[int, int]:
    """Size and mtime of a file; (-1, 0) where it is not there."""
    try:
        info = os.stat(path)
    except OSError:
        return -1, 0
    return info.st_size, info.st_mtime_ns


def _read(fd: int, size: int, offset: int) -> bytes:
    """Bytes of a shadow WAL. Raises UnreadableError."""
    try:
        return os.pread(fd, size, offset)
    except OSError as error:
        raise _no_shadow(error, os.readlink(f"/proc/self/fd/{fd}")) from None


def _no_shadow(error: OSError, path: str) -> UnreadableError:
    hint = "check the disk of the database (dmesg) and who owns the folder"
    return UnreadableError("read the shadow WAL", error.strerror or str(error), path=path, hint=hint)


def _state_before(fd: int, offset: int, frame: int) -> tuple[int, int]:
    """The checksum that the frame before an offset has stored."""
    data = os.pread(fd, 8, offset - frame + 16)
    return int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big")


def _last_commit(fd: int, offset: int) -> int:
    """The end of the last transaction of a WAL at or before an offset; 0 where there is none."""
    raw = os.pread(fd, wal.HEADER_SIZE, 0)
    if offset < wal.HEADER_SIZE or len(raw) < wal.HEADER_SIZE:
        return 0
    frame = wal.WALHeader.parse(raw).frame_size
    at = wal.HEADER_SIZE + (offset - wal.HEADER_SIZE) // frame * frame
    while at > wal.HEADER_SIZE and os.pread(fd, 4, at - frame + 4) == b"\0\0\0\0":
        at -= frame
    return at if at > wal.HEADER_SIZE else 0
