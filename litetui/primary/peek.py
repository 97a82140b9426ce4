"""A look at a live database that another process replicates: a hash of each page, and the WAL's position they are at.

Nothing of it is written or moved: one read transaction, no checkpoint, no table. What the transaction sees is known
from outside of it: the committed frames are counted before and after it begins, by the WAL's index, until both counts
are the same. A page is then the last of those frames, or what the database's file holds: while the transaction is
open, a checkpoint moves no later frame there. The WAL may be restarted only if all of it is in the file already.

The file is read through SQLite's own layer, which knows the locks that this process holds on it, and closes no
descriptor under them (FORMAT-v0.3, section 10). Without a WAL there is no transaction either, as it would make one.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import apsw
import numpy as np

from litetui.errors import LockedError, PrimaryError
from litetui.format import dbheader, wal
from litetui.format.pagehash import U64, hash_pages
from litetui.jobs.progress import CancelToken
from litetui.primary.connections import begin_read, explained, rows
from litetui.primary.meta import meta_path
from litetui.primary.shadow import RealWAL
from litetui.units import printable

HOLD_S = 30.0
_BUSY_MS = 1000
_TRIES = 200
_PIECE = 1 << 20
_BLOCK_BYTES = 4 << 20
_SETTLED_NS = 100_000_000  # a file that was changed this short ago may change again within its mtime
_OPERATION = "look at the database"


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A database at one moment.

    raw     the 32 bytes of its WAL's header; b"" where it has no WAL, or an empty one: the file is all there is
    end     the offset in that WAL behind the last transaction; `wal.HEADER_SIZE` where it has none yet
    hashes  one of each page
    held_s  how long the read transaction was open
    """

    raw: bytes
    end: int
    page_size: int
    hashes: U64
    held_s: float = 0.0


def look(database: str, *, hold_s: float = HOLD_S, cancel: CancelToken | None = None) -> Image:
    """The database as it is now. Raises PrimaryError: a LockedError where that may pass, and where all pages cannot be
    read within `hold_s` seconds, as long as the transaction is open at most."""
    cancel = cancel or CancelToken()
    path = os.path.realpath(database)
    if not os.path.isfile(path):
        raise PrimaryError(_OPERATION, "there is no such file", path=database, hint="check the path of the database")
    with _explained(path):
        inode = os.stat(path).st_ino
        file = _File(path)
        try:
            image = _look(file, hold_s, cancel)
        finally:
            file.close()
        if os.stat(path).st_ino != inode:
            raise LockedError(_OPERATION, "its file was replaced by another one meanwhile", path=path, hint="try again")
        return image


def _look(file: _File, hold_s: float, cancel: CancelToken) -> Image:
    for _ in range(_TRIES):
        cancel.check()
        page_size = file.page_size()
        has_wal = _has_wal(file.path)
        found = _with_wal(file, page_size, hold_s, cancel) if has_wal else _alone(file, page_size, cancel)
        if found is not None:
            return found
    raise _in_motion(file.path)


class _File:
    """The database's file, read by SQLite's own functions for files."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = apsw.VFSFile("", path, [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0])

    def close(self) -> None:
        self._file.xClose()

    def page_size(self) -> int:
        """From its header. Raises PrimaryError where it is no database in WAL mode."""
        try:
            header = dbheader.DatabaseHeader.parse(self._read(0, dbheader.HEADER_SIZE))
        except ValueError as error:
            raise PrimaryError(_OPERATION, str(error), path=self.path, hint="check the path of the database") from None
        if not header.wal_mode:
            hint = f"sqlite3 {shlex.quote(printable(self.path))} 'PRAGMA journal_mode=WAL'"
            raise PrimaryError(_OPERATION, "it is not in WAL mode: nothing replicates it", path=self.path, hint=hint)
        return header.page_size

    @property
    def size(self) -> int:
        return self._file.xFileSize()

    def pieces(self, pages: int, page_size: int) -> Iterator[tuple[int, bytes]]:
        """The first so many pages, some at a time, with the number of pages before them; zeros behind the end."""
        size, most = self.size, max(1, _PIECE // page_size)
        for first in range(0, pages, most):
            wanted = min(most, pages - first) * page_size
            there = max(0, min(wanted, size - first * page_size))
            yield first, self._read(first * page_size, there).ljust(wanted, b"\0") if there else bytes(wanted)

    def _read(self, offset: int, size: int) -> bytes:
        return self._file.xRead(size, offset)


def _has_wal(path: str) -> bool:
    try:
        return os.stat(path + "-wal").st_size >= wal.HEADER_SIZE
    except FileNotFoundError:
        return False


def _in_motion(path: str) -> LockedError:
    cause = "it is written faster than it can be looked at"
    return LockedError(_OPERATION, cause, path=path, hint="try again when the application is less busy")


def _alone(file: _File, page_size: int, cancel: CancelToken) -> Image | None:
    """The file where it has no WAL: whoever changes it makes one, and then the file is newer. None if it changed."""
    before = _stamp(file.path)
    if time.time_ns() - before[1] < _SETTLED_NS:
        cancel.wait(_SETTLED_NS / 1e9)
        return None
    hashes = []
    for _, piece in file.pieces(file.size // page_size, page_size):
        cancel.check()
        hashes.append(hash_pages(piece, page_size))
    if _stamp(file.path) != before or _has_wal(file.path):
        return None
    return Image(b"", 0, page_size, np.concatenate(hashes))


def _stamp(path: str) -> tuple[int, int]:
    info = os.stat(path)
    return info.st_size, info.st_mtime_ns


# ---- with a WAL


def _with_wal(file: _File, page_size: int, hold_s: float, cancel: CancelToken) -> Image | None:
    """What a read transaction sees; None where the WAL was emptied before it began."""
    with _connections(file.path) as (reader, asker):
        raw, frames = _stand(reader, asker, file.path, cancel)
        if not raw:
            return None
        began = time.monotonic()
        header = wal.WALHeader.parse(raw)
        (count,) = rows(reader, "PRAGMA page_count")[0]
        hashes = np.zeros(count, np.uint64)
        in_wal = _hash_frames(file.path, header, raw, frames, hashes, began + hold_s, cancel)
        for first, piece in file.pieces(count, page_size):
            _check_time(file.path, began + hold_s, cancel)
            part = slice(first, first + len(piece) // page_size)
            if not in_wal[part].all():
                hashes[part] = np.where(in_wal[part], hashes[part], hash_pages(piece, page_size))
        rows(reader, "ROLLBACK")
        return Image(raw, header.end_of(frames), page_size, hashes, time.monotonic() - began)


@contextmanager
def _connections(path: str) -> Iterator[tuple[apsw.Connection, apsw.Connection]]:
    """One connection for the transaction, one to ask the WAL's index; neither writes, nor checkpoints at its end."""
    made: list[apsw.Connection] = []
    try:
        for _ in range(2):
            connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
            made.append(connection)
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.wal_autocheckpoint(0)
            connection.set_busy_timeout(_BUSY_MS)
            rows(connection, "SELECT count(*) FROM sqlite_schema")  # before the first read it does not know the WAL
        yield made[0], made[1]
    finally:
        for connection in made:
            connection.close(True)


def _stand(reader: apsw.Connection, asker: apsw.Connection, path: str, cancel: CancelToken) -> tuple[bytes, int]:
    """Begin the transaction at a known place: the WAL's header, b"" for an emptied WAL, and how many frames of it."""
    for _ in range(_TRIES):
        cancel.check()
        raw, frames = _raw_header(path), _committed(asker)
        begin_read(reader)
        if _committed(asker) == frames and _raw_header(path) == raw:
            if len(raw) < wal.HEADER_SIZE:
                return b"", 0
            if frames or _is_new(asker, path, raw):
                return raw, frames
            cancel.wait(0.01)
        rows(reader, "ROLLBACK")
    raise _in_motion(path)


def _is_new(asker: apsw.Connection, path: str, raw: bytes) -> bool:
    """Whether a WAL without committed frames really has none. A restart first sets the count to 0, then writes the new
    header: in between, a full WAL looks empty."""
    header = wal.WALHeader.parse(raw)
    with RealWAL(path + "-wal") as real:
        none = not any(block.commits[: block.valid].any() for _, block in _blocks(real, header, None))
        return none and real.raw_header() == raw and not _committed(asker)


def _committed(asker: apsw.Connection) -> int:
    frames, _ = asker.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    return frames


def _raw_header(path: str) -> bytes:
    with RealWAL(path + "-wal") as real:
        return real.raw_header()


def _blocks(real: RealWAL, header: wal.WALHeader, count: int | None) -> Iterator[tuple[np.ndarray, wal.FrameBlock]]:
    """The WAL's first `count` frames (None: all there are), verified; the last block may hold invalid ones."""
    most = max(1, _BLOCK_BYTES // header.frame_size)
    buffer = np.empty(most * header.frame_size, np.uint8)
    done, state = 0, header.checksum
    while count is None or done < count:
        wanted = most if count is None else min(most, count - done)
        view = memoryview(buffer)[: wanted * header.frame_size]  # type: ignore[arg-type]
        got = real.read_into(view, header.end_of(done)) // header.frame_size
        frames = buffer[: got * header.frame_size].reshape(got, header.frame_size)
        block = wal.check_frames(frames, header, state)
        yield frames, block
        if block.valid < wanted:
            return
        done, state = done + got, block.state


def _hash_frames(
    path: str, header: wal.WALHeader, raw: bytes, count: int, hashes: U64, deadline: float, cancel: CancelToken
) -> np.ndarray:
    """Hash the last image that each page has among the first frames. Returns which pages have one: none of them where
    the WAL was restarted meanwhile, as then all of it is in the file."""
    in_wal = np.zeros(len(hashes), np.bool_)
    done = 0
    with RealWAL(path + "-wal") as real:
        for frames, block in _blocks(real, header, count):
            _check_time(path, deadline, cancel)
            done += block.valid
            pages, last = np.unique(block.pages[: block.valid][::-1], return_index=True)
            for page, frame in zip(pages.tolist(), (block.valid - 1 - last).tolist(), strict=True):
                if page <= len(hashes):
                    image = memoryview(frames[frame, wal.FRAME_HEADER_SIZE :])  # type: ignore[arg-type]
                    hashes[page - 1] = hash_pages(image, header.page_size)[0]
                    in_wal[page - 1] = True
        if done == count:
            return in_wal
        if real.raw_header() != raw:
            return np.zeros(len(hashes), np.bool_)
    raise PrimaryError(
        _OPERATION,
        f"frame {done} of its WAL does not have the checksum that it should have",
        path=path + "-wal",
        hint="SQLite before 3.50.4 writes such ones: update the application's SQLite",
    )


def _check_time(path: str, deadline: float, cancel: CancelToken) -> None:
    cancel.check()
    if time.monotonic() > deadline:
        raise LockedError(
            _OPERATION,
            "it cannot be read as fast as a read transaction may last, which keeps checkpoints from their end",
            path=path,
            hint="validate it while litetui itself replicates it: litetui replicate --validation-interval 24h",
        )


# ---- errors


@contextmanager
def _explained(path: str) -> Iterator[None]:
    with explained(_OPERATION, path, meta_path(path)):
        try:
            yield
        except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError):
            cause = "a read transaction needs its -wal and -shm, and you may not read or write them"
            raise PrimaryError(_OPERATION, cause, path=path, hint="run litetui as the owner of the database") from None
