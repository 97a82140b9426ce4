"""Writing files so that they are there after a crash: whole, on the disk, with the right mode and owner."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Owner:
    """Mode, user and group that everything made for a database takes from the database's file."""

    mode: int
    uid: int
    gid: int

    @classmethod
    def of(cls, path: str) -> Owner:
        info = os.stat(path)
        return cls(stat.S_IMODE(info.st_mode) & 0o777, info.st_uid, info.st_gid)

    @property
    def folder_mode(self) -> int:
        """The mode for folders: who may read a file may enter its folder, and the owner may write in it."""
        return self.mode | (self.mode & 0o444) >> 2 | 0o700

    def give(self, fd: int, *, folder: bool = False) -> None:
        """Set mode and owner of an open file or folder, as far as the system permits it."""
        with contextlib.suppress(PermissionError):
            os.fchown(fd, self.uid, self.gid)
        with contextlib.suppress(PermissionError):
            os.fchmod(fd, self.folder_mode if folder else self.mode)


def make_folder(path: str, owner: Owner | None) -> None:
    """Make a folder and what is missing above it, each with the owner's mode, on the disk when it returns."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent != path:
        make_folder(parent, owner)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
        if owner is not None:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                owner.give(fd, folder=True)
            finally:
                os.close(fd)
        fsync(parent)


def fsync(path: str) -> None:
    """Bring a file's bytes, or the names in a folder, to the disk. Never for a live database: see primary/."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_file(path: str, data: bytes, owner: Owner | None) -> None:
    """Write a small file as NAME.tmp, bring it to the disk, and give it its name."""
    tmp = path + ".tmp"
    fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        if owner is not None:
            owner.give(fd)
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(tmp, path)
    fsync(os.path.dirname(path))


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of it where the descriptor stands; the system may take less at a time."""
    view = memoryview(data)
    while len(view):
        view = view[os.write(fd, view) :]
