"""The only code that creates, appends to, compresses or deletes files of a replica.

Every file is written as NAME.tmp, brought to the disk, renamed, and its folder brought to the disk; only a plain `.wal`
is appended to in place, as Litestream v0.3.0–0.3.4 did. Nothing is deleted before what replaces it is on the disk.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager

from litetui.errors import OutputError
from litetui.files import Owner, fsync, make_folder, write_all
from litetui.format import lz4, names

_CHUNK = 1 << 20


class ReplicaWriter:
    """Writes into one replica's folder, with the mode and the owner of the database. Raises OutputError."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.owner: Owner | None = None

    def snapshot_folder(self, generation: str) -> str:
        return os.path.join(self.root, "generations", generation, "snapshots")

    def wal_folder(self, generation: str) -> str:
        return os.path.join(self.root, "generations", generation, "wal")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep writers in other processes out, by a lock on the folder's descriptor: nothing is written for it."""
        with self._errors(self.root):
            fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(
                    "write into the replica",
                    "another litetui writes into it",
                    path=self.root,
                    hint="wait for it, or end it",
                ) from None
            except OSError:
                pass  # a file system without locks: the lock on the database still keeps replicators apart
            yield
        finally:
            os.close(fd)

    def create(self) -> None:
        """Make the replica's folder. Only its last part: the disk that it is on must be there."""
        parent = os.path.dirname(self.root)
        if not os.path.isdir(parent):
            raise OutputError(
                "make the replica", "the folder above it does not exist", path=parent, hint=f"mkdir -p {parent}"
            )
        with self._errors(self.root):
            make_folder(self.root, self.owner)

    def remove_temporary(self) -> list[str]:
        """Remove what writers that were stopped have left in any generation; only under the lock."""
        gone = []
        base = os.path.join(self.root, "generations")
        for generation in os.listdir(base) if os.path.isdir(base) else []:
            for folder in (self.snapshot_folder(generation), self.wal_folder(generation)):
                with self._errors(folder):
                    for name in os.listdir(folder) if names.is_generation(generation) and os.path.isdir(folder) else []:
                        if name.endswith(".tmp"):
                            os.unlink(os.path.join(folder, name))
                            gone.append(name)
        return gone

    @contextmanager
    def snapshot(self, generation: str, index: int, blocks: Iterable[bytes]) -> Iterator[Callable[[], str]]:
        """Write a snapshot under a temporary name. Calling what this gives lets it have its own name, and returns its
        path; leaving the context without that removes it."""
        folder = self.snapshot_folder(generation)
        path = os.path.join(folder, names.format_snapshot(index))
        tmp = path + ".tmp"

        def finish() -> str:
            with self._errors(path):
                now = time.time_ns()
                os.utime(tmp, ns=(now, now))  # it counts from now on: the WAL that it needs is there
                fsync(tmp)
                os.rename(tmp, path)
                fsync(folder)
            return path

        try:
            with self._errors(tmp):
                make_folder(folder, self.owner)
                self._write(tmp, lz4.compress_stream(blocks))
            yield finish
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(tmp)

    def segment(self, generation: str, index: int, offset: int, blocks: Iterable[bytes | memoryview]) -> None:
        """Write a segment of a WAL (v0.3.5+)."""
        path = os.path.join(self.wal_folder(generation), names.format_wal(index, offset))
        self._replace(path, lz4.compress_stream(blocks))

    def append(self, generation: str, index: int, offset: int, blocks: Iterable[bytes | memoryview]) -> None:
        """Append to a plain WAL from `offset` on (v0.3.0–0.3.4); what stands behind it is cut off first."""
        folder = self.wal_folder(generation)
        path = os.path.join(folder, names.format_wal(index, compressed=False))
        with self._errors(path):
            make_folder(folder, self.owner)
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | (0 if offset else os.O_CREAT), 0o600)
            try:
                if os.fstat(fd).st_size < offset:
                    raise OutputError(
                        "append to the WAL", f"it is shorter than {offset} bytes now", path=path, hint="try again"
                    )
                if self.owner is not None and not offset:
                    self.owner.give(fd)
                os.ftruncate(fd, offset)
                os.lseek(fd, offset, os.SEEK_SET)
                for block in blocks:
                    write_all(fd, block)
                os.fsync(fd)
            except BaseException:
                self._take_back(fd, path, offset)
                raise
            finally:
                os.close(fd)
            if not offset:
                fsync(folder)

    def _take_back(self, fd: int, path: str, offset: int) -> None:
        """What was appended in vain must not stay; not even an empty file."""
        if not offset:
            os.unlink(path)
        elif os.fstat(fd).st_size > offset:
            os.ftruncate(fd, offset)

    def discard_wals(self, generation: str) -> None:
        """Remove the WALs of a generation whose first snapshot did not come about."""
        folder = self.wal_folder(generation)
        with self._errors(folder):
            for name in os.listdir(folder) if os.path.isdir(folder) else []:
                if names.parse_wal(name) is not None:
                    os.unlink(os.path.join(folder, name))

    def cut(self, generation: str, index: int, size: int) -> None:
        """Cut a plain WAL behind its last commit, where a crash left more."""
        path = os.path.join(self.wal_folder(generation), names.format_wal(index, compressed=False))
        with self._errors(path):
            os.truncate(path, size)
            fsync(path)

    def compress(self, generation: str, index: int) -> None:
        """Make `.wal.lz4` of a finished plain WAL, with its time, and remove the plain one."""
        folder = self.wal_folder(generation)
        plain = os.path.join(folder, names.format_wal(index, compressed=False))
        with self._errors(plain), open(plain, "rb", buffering=0) as source:
            info = os.fstat(source.fileno())
            path = os.path.join(folder, names.format_wal(index))
            self._replace(path, lz4.compress_stream(_blocks(source.fileno())), info.st_mtime_ns)
            os.unlink(plain)
            fsync(folder)

    def delete(self, folder: str, files: Iterable[str]) -> Generator[bool, None, None]:
        """Remove files of a folder, one after the other in this order, and say of each whether it was still there. The
        folder is on the disk when this ends or is closed."""
        with self._errors(folder):
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in files:
                with self._errors(os.path.join(folder, name)):
                    try:
                        os.unlink(name, dir_fd=fd)
                        there = True
                    except FileNotFoundError:
                        there = False
                yield there
        finally:
            try:
                with self._errors(folder):
                    os.fsync(fd)
            finally:
                os.close(fd)

    def remove_folders(self, generation: str) -> bool:
        """Remove the folders of a generation that has no files; what is not empty stays. True if all went."""
        base = os.path.join(self.root, "generations", generation)
        gone = True
        for folder in (self.snapshot_folder(generation), self.wal_folder(generation), base):
            with self._errors(folder):
                try:
                    os.rmdir(folder)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                        raise
                    gone = False
        with self._errors(base):
            fsync(os.path.dirname(base))
        return gone

    def _replace(self, path: str, pieces: Iterable[bytes], mtime_ns: int | None = None) -> None:
        tmp, folder = path + ".tmp", os.path.dirname(path)
        with self._errors(path):
            make_folder(folder, self.owner)
            try:
                self._write(tmp, pieces, mtime_ns)
                os.rename(tmp, path)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(tmp)
                raise
            fsync(folder)

    def _write(self, path: str, pieces: Iterable[bytes], mtime_ns: int | None = None) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            if self.owner is not None:
                self.owner.give(fd)
            for piece in pieces:
                write_all(fd, piece)
            if mtime_ns is not None:
                os.utime(fd, ns=(mtime_ns, mtime_ns))
            os.fsync(fd)
        finally:
            os.close(fd)

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        """Errors of the system in words for an operator."""
        try:
            yield
        except OSError as error:
            raise self._explain(error, path) from None

    def gone(self) -> OutputError:
        """The folder was there, and is not any more."""
        return OutputError(
            "write into the replica",
            "the replica's folder is gone",
            path=self.root,
            hint="is its disk mounted? when it is back, the next sync goes on",
        )

    def _explain(self, error: OSError, path: str) -> OutputError:
        hints = {
            errno.ENOSPC: "free some space on the replica's disk: nothing was lost, the next sync goes on",
            errno.EDQUOT: "free some space on the replica's disk: nothing was lost, the next sync goes on",
            errno.EACCES: "run litetui as a user who may write into the replica",
            errno.EPERM: "run litetui as a user who may write into the replica",
            errno.EROFS: "the replica's disk is mounted read-only: remount it, the next sync goes on",
            errno.EIO: "the replica's disk fails: check it (dmesg)",
            errno.ESTALE: "the replica's disk does not answer: check the mount",
        }
        hint = hints.get(error.errno or 0, "try again")
        if error.errno == errno.ENOENT and not os.path.isdir(self.root):
            return self.gone()
        return OutputError("write into the replica", error.strerror or str(error), path=path, hint=hint)


def _blocks(fd: int) -> Iterator[bytes]:
    while block := os.read(fd, _CHUNK):
        yield block
