"""The shadow WAL: a byte-exact copy of the real WAL's committed frames, which survives the WAL's restarts.

A shadow WAL is a prefix of the real WAL (the same header, the same frames) that ends behind a commit (FORMAT-v0.3,
section 3). Every frame is verified in the very bytes that are written. The shadow's file may hold frames behind its
`offset` while a transaction is copied, or after a crash; they are cut off before anybody counts on them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from litetui.files import Owner, fsync, make_folder, write_all
from litetui.format import names, wal
from litetui.jobs.progress import CancelToken
from litetui.primary.meta import Meta

_BLOCK_BYTES = 4 << 20

Reason = Literal[
    "",
    "no generation exists",
    "max index exceeded",
    "no shadow wal",
    "short shadow wal",
    "wal truncated by another process",
    "wal header only, mismatched",
    "wal overwritten by another process",
    "wal restarted more than once by another process",
    "wal frames with wrong checksums",
    "database file replaced",
]
"""Why a generation cannot go on: Litestream's own words (FORMAT-v0.3, section 5), and three that it does not know."""

AVOID: dict[str, str] = {
    "wal truncated by another process": "the application closed its last connection, or truncated the WAL, while "
    "nothing replicated; litetui replicate holds the WAL in place, and so does a connection that stays open",
    "wal overwritten by another process": "the WAL was restarted while nothing replicated; litetui replicate "
    "prevents that, and so do syncs that are closer together than the application's checkpoints",
    "wal restarted more than once by another process": "the WAL was restarted twice while nothing replicated; "
    "litetui replicate prevents that, and so do syncs that are closer together",
    "wal frames with wrong checksums": "the application's SQLite wrote commits that nobody could recover after a "
    "crash: a ROLLBACK TO after a large savepoint, before SQLite 3.50.4; update it",
}


def avoid(reason: str) -> str:
    """What would have avoided a new generation for this reason, "" where nothing can be said."""
    return AVOID.get(reason, "")


@dataclass(frozen=True, slots=True)
class Shadow:
    """One shadow WAL, proved from its first byte to `offset`.

    raw     the 32 bytes of its header; `header` is what they say
    offset  behind its last commit, or behind the header where there is none
    state   the checksum there
    """

    generation: str
    index: int
    raw: bytes
    header: wal.WALHeader
    offset: int
    state: tuple[int, int]

    @property
    def last_frame(self) -> int:
        """Where its last frame begins; there must be one."""
        return self.offset - self.header.frame_size


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the shadow can go on with the real WAL: `reason` is "" if so; `restarted` if the real WAL has begun anew,
    with the header `raw`, and the shadow is to be finished from what is still in place."""

    reason: Reason = ""
    restarted: bool = False
    raw: bytes = b""


class RealWAL:
    """The database's own WAL, open for reading. It carries no locks, so opening and closing it is safe."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> RealWAL:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    @property
    def size(self) -> int:
        return os.fstat(self._fd).st_size

    @property
    def mtime_ns(self) -> int:
        return os.fstat(self._fd).st_mtime_ns

    def raw_header(self) -> bytes:
        return self.read(wal.HEADER_SIZE, 0)

    def read(self, size: int, offset: int) -> bytes:
        return os.pread(self._fd, size, offset)

    def read_into(self, view: memoryview, offset: int) -> int:
        """Fill the view as far as the file goes; how many bytes that are."""
        done = 0
        while done < len(view) and (got := os.preadv(self._fd, [view[done:]], offset + done)):
            done += got
        return done


def next_salt(header: wal.WALHeader) -> int:
    """The salt-1 of the WAL that follows on this one (FORMAT-v0.3, section 1.5)."""
    return (header.salt1 + 1) & 0xFFFFFFFF


def verify(meta: Meta, shadow: Shadow, real: RealWAL, *, complete: bool) -> Verdict:
    """Compare the newest shadow WAL with the real one.

    `complete`: the shadow held all of the real WAL while our read lock was on it, and the lock was held ever since.
    Then a single restart cannot have lost anything, even where it overwrote everything: a WAL restarts only when all
    of it is in the database, and nothing that is written later gets there against the lock.
    """
    if shadow.index >= names.MAX_INDEX:
        return Verdict("max index exceeded")
    size, raw = real.size, real.raw_header()
    same = raw == shadow.raw
    follows = not same and _follows(shadow, raw)
    if follows and complete:
        return Verdict(restarted=True, raw=raw)
    if shadow.offset > size:
        return Verdict("wal truncated by another process")
    if shadow.offset == wal.HEADER_SIZE:
        return Verdict() if same else Verdict("wal header only, mismatched")
    frame = shadow.header.frame_size
    if real.read(frame, shadow.last_frame) != _last_frame(meta, shadow):
        return Verdict("wal overwritten by another process")
    if same:
        return Verdict()
    if not follows:
        return Verdict("wal restarted more than once by another process")
    if (size - wal.HEADER_SIZE) % frame:
        # A journal_size_limit may have cut the old WAL's end away when the new one began.
        return Verdict("wal truncated by another process")
    if not _same_behind(meta, shadow, real, raw):
        return Verdict("wal overwritten by another process")
    return Verdict(restarted=True, raw=raw)


def _same_behind(meta: Meta, shadow: Shadow, real: RealWAL, raw: bytes) -> bool:
    """Whether all frames of the shadow that the next WAL has not overwritten yet are still in place. After a power loss
    SQLite may have gone on from a hole before the last of them, and written over some."""
    frame = shadow.header.frame_size
    low, high = 0, (shadow.offset - wal.HEADER_SIZE) // frame
    while low < high and real.read(8, shadow.header.end_of(low) + 8) == raw[16:24]:
        low += 1
    with open(meta.wal_path(shadow.generation, shadow.index), "rb", buffering=0) as file:
        for n in range(low, high):
            at = shadow.header.end_of(n)
            if os.pread(file.fileno(), frame, at) != real.read(frame, at):
                return False
    return True


def lost_end(shadow: Shadow, real: RealWAL, raw: bytes) -> bool:
    """Whether there was more behind the shadow's end than could be copied: a frame of its own WAL lies there, of which
    nobody knows whether it was committed, or one of the next WAL, which overwrote it meanwhile."""
    return real.read(8, shadow.offset + 8) in (shadow.raw[16:24], raw[16:24])


def _follows(shadow: Shadow, raw: bytes) -> bool:
    try:
        header = wal.WALHeader.parse(raw)
    except wal.WALError:
        return False
    return header.salt1 == next_salt(shadow.header) and header.page_size == shadow.header.page_size


def _last_frame(meta: Meta, shadow: Shadow) -> bytes:
    with open(meta.wal_path(shadow.generation, shadow.index), "rb", buffering=0) as file:
        return os.pread(file.fileno(), shadow.header.frame_size, shadow.last_frame)


class ShadowReader:
    """Proves shadow WALs and looks ahead in the real one; writes nothing. Raises OSError."""

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self._buffer = np.empty(0, np.uint8)

    def current(self, inode: int) -> Shadow | Reason:
        """The newest shadow WAL of the current generation of a database, by its file's inode; or why there is none."""
        generation = self._meta.generation()
        if not generation:
            return "no generation exists"
        if self._meta.inode(generation) not in (None, inode):
            return "database file replaced"
        return self.recover(generation)

    def recover(self, generation: str) -> Shadow | Reason:
        """The newest shadow WAL of a generation, proved from its first byte; or why there is none."""
        indexes = self._meta.indexes(generation)
        if not indexes:
            return "no shadow wal"
        with RealWAL(self._meta.wal_path(generation, indexes[-1])) as file:
            raw = file.raw_header()
            try:
                header = wal.WALHeader.parse(raw)
            except wal.WALError:
                return "short shadow wal"
            return self.reach(file, Shadow(generation, indexes[-1], raw, header, wal.HEADER_SIZE, header.checksum))

    def reach(self, file: RealWAL, shadow: Shadow) -> Shadow:
        """The shadow as it would be with all the committed frames of a file."""
        end, state, _ = self._scan(file, shadow, None, None, None)
        return replace(shadow, offset=end, state=state)

    def database_pages(self, file: RealWAL, shadow: Shadow) -> int:
        """The database's size in pages at the last commit of a file; 0 where it has none."""
        end = self.reach(file, shadow).offset
        if end == wal.HEADER_SIZE:
            return 0
        return int.from_bytes(file.read(4, end - shadow.header.frame_size + 4), "big")

    def _scan(
        self, real: RealWAL, shadow: Shadow, stop: int | None, out: int | None, cancel: CancelToken | None
    ) -> tuple[int, tuple[int, int], bool]:
        """Verify frames from the shadow's end up to `stop`, and write them to `out`. Returns the end behind the last
        commit, the checksum there, and whether there may be bytes in `out` behind it."""
        header, frame = shadow.header, shadow.header.frame_size
        most = max(1, _BLOCK_BYTES // frame)
        end, end_state = shadow.offset, shadow.state
        at, state = end, end_state
        while True:
            count = most if stop is None else min(most, max(0, stop - at) // frame)
            view = self._view(count * frame)
            got = real.read_into(view, at) // frame
            frames = self._buffer[: got * frame].reshape(got, frame)
            block = wal.check_frames(frames, header, state)
            commits = np.flatnonzero(block.commits[: block.valid])
            last = block.valid < most
            keep = int(commits[-1]) + 1 if len(commits) else 0
            if len(commits):
                end = at + keep * frame
                sums = frames[keep - 1, 16:24].view(">u4")
                end_state = (int(sums[0]), int(sums[1]))
            if out is not None:
                write_all(out, view[: (keep if last else block.valid) * frame])
            at, state = at + block.valid * frame, block.state
            if last:
                return end, end_state, at > end
            if cancel is not None:
                cancel.check()

    def _view(self, size: int) -> memoryview:
        if len(self._buffer) < size:
            self._buffer = np.empty(size, np.uint8)
        return memoryview(self._buffer)[:size]  # type: ignore[arg-type]


class ShadowWriter(ShadowReader):
    """Makes and extends the shadow WALs of one meta folder. Raises OSError, and WALError for a header that is none."""

    def __init__(self, meta: Meta, owner: Owner) -> None:
        super().__init__(meta)
        self._owner = owner
        self._unsynced: set[str] = set()

    def begin(self, generation: str, index: int, raw: bytes) -> Shadow:
        """A new shadow WAL that holds the header only."""
        header = wal.WALHeader.parse(raw)
        path = self._meta.wal_path(generation, index)
        make_folder(os.path.dirname(path), self._owner)
        fd = os.open(path + ".tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._owner.give(fd)
            write_all(fd, raw)
        finally:
            os.close(fd)
        os.rename(path + ".tmp", path)
        self._unsynced |= {path, os.path.dirname(path)}
        return Shadow(generation, index, raw, header, wal.HEADER_SIZE, header.checksum)

    def recover(self, generation: str) -> Shadow | Reason:
        """The same, and its file is cut behind the last commit. Who wrote it may not have brought it to the disk."""
        found = super().recover(generation)
        if isinstance(found, Shadow):
            path = self._meta.wal_path(generation, found.index)
            if os.stat(path).st_size > found.offset:
                os.truncate(path, found.offset)
            self._unsynced |= {path, os.path.dirname(path)}
        return found

    def extend(
        self, shadow: Shadow, real: RealWAL, stop: int | None = None, cancel: CancelToken | None = None
    ) -> Shadow:
        """Append the real WAL's committed frames from the shadow's end up to the offset `stop` (None: as far as there
        are any that belong to this WAL)."""
        path = self._meta.wal_path(shadow.generation, shadow.index)
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        end, written = shadow.offset, True
        try:
            os.lseek(fd, shadow.offset, os.SEEK_SET)
            end, state, written = self._scan(real, shadow, stop, fd, cancel)
        finally:
            # Also after an error: what is behind the last commit is not the shadow's.
            if written:
                os.ftruncate(fd, end)
                self._unsynced.add(path)
            os.close(fd)
        if end == shadow.offset:
            return shadow
        self._unsynced.add(path)
        return replace(shadow, offset=end, state=state)

    def sync_to_disk(self) -> None:
        """Bring everything that was written to the disk: files, then folders."""
        for path in sorted(self._unsynced, key=len, reverse=True):
            if os.path.exists(path):  # else cleaned away meanwhile
                fsync(path)
        self._unsynced.clear()
