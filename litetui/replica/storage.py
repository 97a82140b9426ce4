"""Where the bytes of a replica lie: list names, stat, read. The layouts speak only to this.

A local folder now; a bucket would be a second class with the same methods. Paths are relative to the root, with "/"
between their parts; names that are not UTF-8 carry surrogates, as `os.fsdecode` makes them. Nothing here writes.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType

import numpy as np
import numpy.typing as npt

from litetui.errors import ChangedError, LitetuiError, UnreadableError
from litetui.replica.types import Finding

I64 = npt.NDArray[np.int64]
GONE, NO_FILE = -1, -2
_SOME = 16_384  # names that are counted at once
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a FIFO under a WAL's name must not hold us for ever


@dataclass(frozen=True, slots=True)
class FileStat:
    size: int
    mtime_ns: int


class LocalFile:
    """One regular file, open for reading. `stat` is what it was when it was opened."""

    def __init__(self, fd: int, path: str, info: FileStat) -> None:
        self._fd = fd
        self.path = path
        self.stat = info

    def read(self, size: int, /) -> bytes:
        try:
            return os.read(self._fd, size)
        except OSError as error:
            raise unreadable(error, self.path) from None

    def read_at(self, size: int, offset: int) -> bytes:
        try:
            return os.pread(self._fd, size, offset)
        except OSError as error:
            raise unreadable(error, self.path) from None

    def read_all(self) -> bytes:
        """The whole file, as far as it reached when it was opened, or less if it was cut meanwhile."""
        parts = []
        left = self.stat.size
        while left > 0 and (part := self.read(left)):
            parts.append(part)
            left -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> LocalFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LocalStorage:
    """A folder of this machine."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.listed = 0  # how many names were read: for whoever waits for a million of them
        self.looked_at = 0  # how many files' sizes and times were read, about

    def path(self, path: str) -> str:
        """The full path, for messages and for other programs."""
        return os.path.join(self.root, path) if path else self.root

    def names(self, folder: str) -> list[str]:
        """The names in a folder, in no order; [] where there is no such folder. Raises UnreadableError."""
        found: list[str] = []
        try:
            with os.scandir(self.path(folder)) as entries:
                while some := [entry.name for entry in islice(entries, _SOME)]:
                    found += some
                    self.listed += len(some)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unreadable(error, self.path(folder)) from None
        return found

    def is_folder(self, path: str) -> bool:
        return os.path.isdir(self.path(path))

    def folder_mtime_ns(self, folder: str) -> int:
        """When a name last came into the folder or left it; -1 where it cannot be told."""
        try:
            return os.stat(self.path(folder)).st_mtime_ns
        except OSError:
            return -1

    def stat_many(self, folder: str, names: Sequence[str]) -> tuple[I64, I64]:
        """Sizes and mtimes (ns) of files in one folder; size GONE for what is not there any more, and NO_FILE for what
        cannot be read as a file: a folder, a FIFO, a link to nothing."""
        sizes = np.full(len(names), GONE, np.int64)
        mtimes = np.zeros(len(names), np.int64)
        if not names:
            return sizes, mtimes
        try:
            fd = os.open(self.path(folder), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return sizes, mtimes
        except OSError as error:
            raise unreadable(error, self.path(folder)) from None
        try:
            regular, lookup = stat.S_ISREG, os.stat
            for i, name in enumerate(names):
                try:
                    info = lookup(name, dir_fd=fd)
                except FileNotFoundError:
                    if os.path.islink(self.path(f"{folder}/{name}")):
                        sizes[i] = NO_FILE
                    continue
                if not i & 1023:
                    self.looked_at += 1024
                sizes[i] = NO_FILE
                if regular(info.st_mode):
                    sizes[i] = info.st_size
                    mtimes[i] = info.st_mtime_ns
        except OSError as error:
            raise unreadable(error, self.path(f"{folder}/{name}")) from None
        finally:
            os.close(fd)
        return sizes, mtimes

    def open(self, path: str) -> LocalFile:
        """Open a regular file. Raises UnreadableError, also for a file that is gone."""
        full = self.path(path)
        try:
            fd = os.open(full, _READ)
        except OSError as error:
            raise unreadable(error, full) from None
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            os.close(fd)
            raise UnreadableError("read", "it is no regular file", path=full)
        return LocalFile(fd, full, FileStat(info.st_size, info.st_mtime_ns))

    def open_known(self, path: str, size: int, mtime_ns: int | None, *, growing: bool = False) -> LocalFile:
        """Open a file that must still be what a listing said (None: of whatever time); a `growing` one may only have
        grown."""
        file = self.open(path)
        now = file.stat
        if now.size < size if growing else now.size != size or mtime_ns not in (None, now.mtime_ns):
            file.close()
            raise ChangedError(
                "read",
                f"it changed while it was read ({size} bytes before, {now.size} now)",
                path=file.path,
                hint="another process writes this replica: try again",
            )
        return file

    def read_known(self, path: str, size: int) -> bytes:
        """All of a small file that must still have that size, in the fewest calls."""
        full = f"{self.root}/{path}"
        try:
            fd = os.open(full, _READ)
            try:
                data = os.read(fd, size + 1)
            finally:
                os.close(fd)
        except OSError as error:
            raise unreadable(error, full) from None
        if len(data) == size:
            return data
        with self.open_known(path, size, None) as file:  # it says why
            return file.read_all()


def gone(path: str) -> ChangedError:
    """A replica's folder that was there, and is not any more."""
    hint = "is it mounted? if it was moved, open it where it is now"
    return ChangedError("read the replica", "the folder is gone: removed, renamed or not mounted", path=path, hint=hint)


def no_file(path: str, generation: str | None) -> Finding:
    """A finding about something that has a file's name and is none."""
    return Finding(
        "error",
        "unreadable",
        f"cannot read: {path}: it has the name of a file of the replica, but is no regular file, or a link to nothing",
        "bring the file back, or move this away",
        path,
        generation,
    )


def unreadable_finding(error: LitetuiError, generation: str | None) -> Finding:
    """A finding about something that cannot be read."""
    return Finding("error", "unreadable", str(error), error.hint or "", error.path, generation)


def unreadable(error: OSError, path: str) -> LitetuiError:
    """What the system's refusal means to an operator, with the owner, the mode and the next step."""
    if error.errno in (errno.EACCES, errno.EPERM):
        blocked = _blocked_part(path)
        owner, mode = describe_owner(blocked)
        hint = f"run it as its owner: sudo -u {owner} litetui …" if owner else "run it as a user who may read it"
        detail = f" ({blocked} belongs to {owner}, mode {mode})" if owner else ""
        return UnreadableError("read", f"permission denied{detail}", path=path, hint=hint)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        gone = _gone_part(path)
        if gone != path and not {"generations", "ltx"} & set(gone.split(os.sep)):
            hint = "the whole folder was moved or removed, or a mount went: bring it back, then read the replica again"
            return ChangedError("read", f"the folder {gone} is not there any more", path=path, hint=hint)
        hint = "another process may have removed it (retention, a compression): read the replica again"
        return ChangedError("read", "it is not there any more", path=path, hint=hint)
    if error.errno in (errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENOTCONN, errno.ETIMEDOUT):
        hint = "check the disk or the mount (dmesg, mount), and copy the replica before anything else"
        return UnreadableError("read", f"the storage fails ({os.strerror(error.errno)})", path=path, hint=hint)
    return UnreadableError("read", error.strerror or str(error), path=path)


def describe_owner(path: str) -> tuple[str, str]:
    """Name of the owner and mode in octal, ("", "") where they cannot be read."""
    try:
        info = os.stat(path)
    except OSError:
        return "", ""
    try:
        owner = pwd.getpwuid(info.st_uid).pw_name
    except KeyError:
        owner = f"#{info.st_uid}"
    return owner, f"{stat.S_IMODE(info.st_mode):o}"


def _gone_part(path: str) -> str:
    """The path, or the highest folder on the way to it that is not there."""
    gone = os.path.abspath(path)
    while not os.path.lexists(parent := os.path.dirname(gone)):
        gone = parent
    return gone


def _blocked_part(path: str) -> str:
    """The folder or file on the way to `path` that refuses us."""
    part = os.path.abspath(path)
    while True:
        try:
            os.stat(part)
        except OSError:
            parent = os.path.dirname(part)
            if parent == part:
                return part
            part = parent
        else:
            return part
