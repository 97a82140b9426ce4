"""The scratch file of a restore drill: made as a restore makes its output, compared with snapshots, thrown away."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import numpy as np
import numpy.typing as npt

from litetui.errors import LitetuiError, OutputError
from litetui.format import wal
from litetui.format.position import TXID, Pos
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import restore
from litetui.ops.output import integrity_messages, write_error
from litetui.ops.pages import PageFile
from litetui.ops.target import Target
from litetui.ops.wals import Batch
from litetui.replica.file import FileReplica
from litetui.replica.ltx import LTXReplica
from litetui.units import format_size

Pages = npt.NDArray[np.int64]
_OTHER_DISK = "name a folder on a disk with room: --scratch DIR"


def default_scratch() -> str:
    """Where drills go unless a folder is named: $TMPDIR, or /var/tmp, which is a disk where /tmp may be memory."""
    named = os.environ.get("TMPDIR")
    if named or not os.access("/var/tmp", os.W_OK | os.X_OK):
        return tempfile.gettempdir()
    return "/var/tmp"


def free_bytes(folder: str) -> int:
    """What may be written there. Raises OutputError."""
    try:
        fs = os.statvfs(folder)
    except OSError as error:
        raise scratch_error(error, folder) from None
    return fs.f_bavail * fs.f_frsize


def check_room(folder: str, size: int) -> None:
    """Raises OutputError where a file of that size has no room in the scratch folder, or nothing may be written."""
    free = free_bytes(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            "restore into the scratch folder", "it is not writable for you", path=folder, hint=_OTHER_DISK
        )
    if size > free:
        cause = f"the database has {format_size(size)}, but only {format_size(free)} are free"
        raise OutputError("restore into the scratch folder", cause, path=folder, hint=_OTHER_DISK)


def scratch_error(error: OSError, path: str) -> LitetuiError:
    """What a failed write into the scratch folder means."""
    explained = write_error(error, path)
    explained.operation, explained.hint = "restore into the scratch folder", _OTHER_DISK
    return explained


@contextmanager
def scratch_folder(parent: str) -> Iterator[str]:
    """A new folder in the scratch folder, removed at the end with all that is in it."""
    try:
        folder = tempfile.mkdtemp(prefix="litetui-drill-", dir=parent)
    except OSError as error:
        raise scratch_error(error, parent) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def restore_state(
    replica: FileReplica | LTXReplica, target: Target, path: str, report: Reporter, cancel: CancelToken
) -> tuple[Pos, int]:
    """Restore into a file in the scratch folder, without SQLite's check. Returns the position that was reached, and the
    time of the file that carries it (ns). Raises what `restore.plan` and `restore.run` raise."""
    if isinstance(replica, LTXReplica):
        levels = restore.run(
            restore.plan(replica, target), path, integrity_check="none", report=report, cancel=cancel
        ).plan  # fmt: skip
        return TXID.of(levels.txid), levels.until_ns
    done = restore.run(restore.plan(replica, target), path, integrity_check="none", report=report, cancel=cancel)
    return done.plan.position, done.plan.until_ns


class Drill:
    """One database file in a scratch folder. Not for two threads. Raises OutputError where it cannot be written."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.path = os.path.join(folder, "drill.db")
        self._fd = -1
        self._file: PageFile | None = None

    def __enter__(self) -> Drill:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        if os.path.lexists(self.path):
            os.unlink(self.path)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def begin(self, page_size: int) -> None:
        """Begin anew, with an empty file."""
        self._close()
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            self._file = PageFile(self._fd)
            self._file.page_size = page_size
        except OSError as error:
            raise scratch_error(error, self.path) from None

    @property
    def _open(self) -> PageFile:
        assert self._file is not None
        return self._file

    def append(self, block: bytes) -> int:
        """Add bytes of the snapshot. Returns how many."""
        try:
            self._open.append(block)
        except OSError as error:
            raise scratch_error(error, self.path) from None
        return len(block)

    def apply(self, batch: Batch, block: wal.FrameBlock) -> None:
        """Write the last image of each page of a batch."""
        try:
            self._open.apply(batch, block)
        except OSError as error:
            raise scratch_error(error, self.path) from None

    def write(self, pages: npt.NDArray[np.uint32], images: npt.NDArray[np.uint8]) -> None:
        """Write pages, ascending."""
        try:
            self._open.write(pages, images)
        except OSError as error:
            raise scratch_error(error, self.path) from None

    def differing(self, at: int, block: bytes, size: int) -> Pages:
        """Which pages of a block, at that offset of a snapshot, the file has otherwise, or not at all: it counts up to
        `size` bytes. Both begin on a page; page numbers from 1."""
        page_size = self._open.page_size
        own = os.pread(self._fd, max(0, min(len(block), size - at)), at)
        if own == block:
            return np.zeros(0, np.int64)
        whole = min(len(own), len(block)) // page_size
        a = np.frombuffer(own, np.uint8, whole * page_size).reshape(whole, page_size)
        b = np.frombuffer(block, np.uint8, whole * page_size).reshape(whole, page_size)
        wrong = np.ones(-(-len(block) // page_size), bool)
        wrong[:whole] = (a != b).any(axis=1)
        return np.flatnonzero(wrong) + at // page_size + 1

    def check(self, size: int, report: Reporter, cancel: CancelToken) -> list[str]:
        """SQLite's integrity check of the file at that size: its messages, none where all is well."""
        try:
            self._open.set_size(size)
        except OSError as error:
            raise scratch_error(error, self.path) from None
        self._close()
        return integrity_messages(self.path, "full", report, cancel)
