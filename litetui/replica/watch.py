"""Keeping a replica's picture true at little cost.

On file systems of this machine the kernel tells which files came and went, and only these are looked at. Elsewhere
(NFS, sshfs and other FUSE, 9p), where another machine's changes are not told, and when the system has no more watches
to give, the times of the folders are looked at, and a folder that changed is listed anew.
"""

from __future__ import annotations

import errno
import os
import re
import threading
from typing import TYPE_CHECKING

from litetui.replica.inotify import Changes, Inotify

if TYPE_CHECKING:
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica

MOUNTS = "/proc/self/mountinfo"
# Where every change goes through this kernel. What is not named here may change without it.
LOCAL = frozenset(
    ("bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "msdos", "ntfs3", "overlay", "ramfs",
     "reiserfs", "tmpfs", "vfat", "xfs", "zfs")
)  # fmt: skip
_ESCAPED = re.compile(r"\\([0-7]{3})")
_NONE_LEFT = {errno.ENOSPC: "no watches left", errno.EMFILE: "no watches left", errno.ENFILE: "no files left"}


def file_system(path: str, mounts: str = MOUNTS) -> str:
    """The type of the file system that a path lies on, as the kernel names it: ext4, nfs4, fuse.sshfs; "" where it
    cannot be told (proc_pid_mountinfo(5)). Blocks on a dead mount."""
    full = os.path.realpath(path)
    found, longest = "", -1
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                before, _, after = line.partition(" - ")
                point = _ESCAPED.sub(lambda m: chr(int(m[1], 8)), before.split(" ")[4])
                inside = full == point or full.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= longest:  # of two on one point, the later one lies above
                    found, longest = after.split(" ", 1)[0], len(point)
    except (OSError, IndexError):
        return ""
    return found


class ReplicaWatch:
    """Follows one replica. `begin` and `refresh` block, and may be called from any thread.

    why_polling  why the kernel does not tell: "nfs4", "no watches left"; "" where it does
    """

    def __init__(self, replica: FileReplica | LTXReplica) -> None:
        self.replica = replica
        self.why_polling = "not begun"
        self._inotify: Inotify | None = None
        self._lock = threading.Lock()
        self._sure = False  # whether the last look came to its end, so that the kernel's news complete it
        self._closing = False
        self.behind = False  # something is new that is not shown yet; who shows it says so here

    @property
    def fd(self) -> int | None:
        """A descriptor that can be read from once something has changed; None while it is polled."""
        return self._inotify.fd if self._inotify is not None else None

    def begin(self) -> None:
        """Ask the kernel to tell, where it can."""
        kind = file_system(self.replica.path)
        self.why_polling = "" if kind in LOCAL else kind or "unknown file system"
        if not self.why_polling:
            try:
                self._inotify = Inotify()
            except OSError as error:
                self._give_up(error)

    def refresh(self, *, whole: bool = False) -> bool:
        """Look for changes; whether there are any. `whole`: in every folder, whatever the kernel told. Raises
        LitetuiError, ChangedError where the replica is gone."""
        try:
            with self._lock:
                changed = self._refresh(whole)
                self.behind = self.behind or changed
                return changed
        finally:
            if self._closing:
                self.close()

    def _refresh(self, whole: bool) -> bool:
        changes = self._inotify.take() if self._inotify is not None else Changes(folders=True)
        sure, self._sure = self._sure, False
        changed = False
        # Folders are watched before they are listed, so that nothing comes in between.
        if self._follow() or changes.folders or whole or not sure:
            changed = self.replica.refresh()
            while self._follow():
                changed = self.replica.refresh() or changed
        if changes.names:  # also after a listing: what is overwritten in place leaves the time of its folder as it was
            start = len(os.path.join(self.replica.path, ""))
            only = {folder[start:]: names for folder, names in changes.names.items()}
            changed = self.replica.refresh(only=only) or changed
        self._sure = True
        return changed

    def _follow(self) -> bool:
        """Watch the folders that there are now; True if one came to be watched only now."""
        if self._inotify is None:
            return False
        root = self.replica.path
        try:
            return self._inotify.follow([root, *(os.path.join(root, folder) for folder in self.replica.folders())])
        except OSError as error:
            self._give_up(error)
            return True

    def _give_up(self, error: OSError) -> None:
        self._stop()
        self.why_polling = _NONE_LEFT.get(error.errno or 0, "no inotify")

    def _stop(self) -> None:
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def close(self) -> None:
        """Watch no more. Never waits for a look that is stuck: that one closes behind itself."""
        self._closing = True
        if self._lock.acquire(blocking=False):
            self._stop()
            self._lock.release()
