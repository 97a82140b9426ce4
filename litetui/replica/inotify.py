"""What changed in some folders, told by the Linux kernel: inotify, through libc.

The numbers are those of <sys/inotify.h>. Nothing here waits: the descriptor becomes readable when there is news.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

_MODIFY, _ATTRIB, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO = 0x2, 0x4, 0x8, 0x40, 0x80
_CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF, _UNMOUNT = 0x100, 0x200, 0x400, 0x800, 0x2000
_Q_OVERFLOW, _IGNORED, _ONLYDIR, _ISDIR = 0x4000, 0x8000, 0x1000000, 0x40000000
_MASK = _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
_LEFT = _DELETE_SELF | _MOVE_SELF | _UNMOUNT | _IGNORED
_EVENT = struct.Struct("iIII")  # watch descriptor, mask, cookie, length of the name
_READ = 1 << 16


@dataclass(slots=True)
class Changes:
    """names by folder: what came, went or was written there; `folders`: a folder came or went, or events were lost, so
    that only a listing can tell."""

    names: dict[str, set[str]] = field(default_factory=dict)
    folders: bool = False

    def __bool__(self) -> bool:
        return self.folders or bool(self.names)


class Inotify:
    """Watches folders, none below them. Raises OSError where the system has none to give (ENOSPC, EMFILE, ENOSYS)."""

    fd = -1

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self._libc, "inotify_init1"):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        self.fd = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._folders: dict[int, str] = {}

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result

    def follow(self, folders: Iterable[str]) -> bool:
        """Watch these folders and no others; those that are not there, or cannot be read, are passed over. True if one
        came to be watched only now: what happened in it before is not known."""
        found: dict[int, str] = {}
        for folder in folders:
            try:
                # Also for one that is watched: under its path another folder may lie now.
                watch = self._libc.inotify_add_watch(self.fd, os.fsencode(folder), ctypes.c_uint32(_MASK | _ONLYDIR))
                found[self._checked(watch)] = folder
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
                    raise
        for watch in self._folders.keys() - found.keys():
            self._libc.inotify_rm_watch(self.fd, watch)
        new = not found.keys() <= self._folders.keys()
        self._folders = found
        return new

    def take(self) -> Changes:
        """What has happened since the last time."""
        changes = Changes()
        with suppress(BlockingIOError):
            while data := os.read(self.fd, _READ):
                self._note(data, changes)
        return changes

    def _note(self, data: bytes, changes: Changes) -> None:
        at = 0
        while at < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size + length
            if mask & _IGNORED and watch not in self._folders:
                continue  # we left it ourselves
            folder = self._folders.pop(watch, None) if mask & _IGNORED else self._folders.get(watch)
            if mask & (_Q_OVERFLOW | _LEFT | _ISDIR):  # of a folder also its mode: it may be readable now
                changes.folders = True
            elif folder is not None:
                name = os.fsdecode(data[at - length : at].rstrip(b"\0"))
                if name:
                    changes.names.setdefault(folder, set()).add(name)

    def __del__(self) -> None:
        self.close()  # also where the answer of a look that was made with it is not wanted any more

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
