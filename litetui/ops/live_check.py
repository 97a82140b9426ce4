"""Does a replica restore to what the live database holds? Every page, at one position.

`passive` looks at a database that another process replicates, or nobody: it writes and moves nothing there. The replica
may be one of Litestream 0.5, whose files say what part of the WAL they hold (ltx_live.py). `active` is Litestream's own
validation, for a database that this process replicates (FORMAT-v0.3, section 8).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np
from fastcrc import crc64

from litetui.errors import (
    Cancelled,
    ChangedError,
    DamageError,
    LitetuiError,
    NoSuchTargetError,
    PrimaryError,
    UnreadableError,
)
from litetui.files import write_all
from litetui.format import wal
from litetui.format.pagehash import U64, hash_pages
from litetui.format.position import TXID
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import pagediff
from litetui.ops.drill import check_room, default_scratch, restore_state, scratch_error, scratch_folder
from litetui.ops.keep import keep
from litetui.ops.ltx_live import Syncs
from litetui.ops.reached import Reach, reached
from litetui.ops.source import choose
from litetui.ops.target import Target
from litetui.ops.verdict import LiveCheck
from litetui.primary import peek
from litetui.primary.database import Database
from litetui.replica.file import FileReplica
from litetui.replica.ltx import LTXReplica
from litetui.replica.types import Pos

WAIT_S = 10.0
_POLL_S = 0.1
_TRIES = 5
_AGAIN = 3  # later syncs that a mismatch must hold for
_PIECE = 256 << 10  # larger writes make the kernel use huge folios, and CRC-64 holds the GIL meanwhile


def passive(
    replica: FileReplica | LTXReplica,
    database: str,
    *,
    scratch: str | None = None,
    wait_s: float = WAIT_S,
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
) -> LiveCheck:
    """Look at the database in one read transaction, wait for the replica to reach its position, restore to it, compare.

    `scratch` is the folder for the restored file. Where v0.3 generations and LTX files are in one folder, those that a
    restore takes are compared. Raises PrimaryError where there is no such database, and Cancelled; whatever else is in
    the way is `unknown`, in words.
    """
    path = os.path.realpath(database)
    if not os.path.isfile(path):
        raise PrimaryError("compare", "there is no such file", path=database, hint="check the path of the database")
    source = choose(replica, Target()).replica
    run = _Run(path, source, scratch, wait_s, report or Reporter(), cancel or CancelToken())
    return run.tried(run.passive)


def active(
    database: Database,
    replica: FileReplica,
    *,
    keep_in: str | None = None,
    scratch: str | None = None,
    wait_s: float = WAIT_S,
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
) -> LiveCheck:
    """Copy the database's file while it is at rest, wait for the replica, restore to the same position, compare.

    The replica is bound to the database, and somebody else syncs it. On a mismatch both files are kept in `keep_in`
    (default: the folder `mismatch` in the database's meta folder), of each replica the last pair. Raises Cancelled;
    whatever else is in the way is `unknown`, in words.
    """
    run = _Run(database.path, replica, scratch, wait_s, report or Reporter(), cancel or CancelToken())
    folder = keep_in or os.path.join(database.meta.path, "mismatch")
    return run.tried(lambda: run.active(database, replica, folder))


@dataclass(slots=True)
class _Run:
    """One comparison; `pos` is the position that it has come to."""

    database: str
    replica: FileReplica | LTXReplica
    scratch: str | None
    wait_s: float
    report: Reporter
    cancel: CancelToken
    pos: Pos | None = field(default=None, init=False)

    def tried(self, once: Callable[[], LiveCheck]) -> LiveCheck:
        """Once more, at a later position, where the replica does not restore: while it is written, files come and go,
        and a new snapshot may be ahead of the position. And a few times where a file changes under our eyes."""
        again, left = True, _TRIES
        while True:
            try:
                return once()
            except Cancelled:
                raise
            except (DamageError, NoSuchTargetError, UnreadableError) as error:
                left -= 1
                if isinstance(error, ChangedError) and left:
                    continue
                if not again:
                    words = f"the replica does not restore to where the database is: {error}"
                    return self._result("mismatch" if isinstance(error, DamageError) else "unknown", words)
                again = False
            except LitetuiError as error:
                return self._result("unknown", f"{error}" + (f" (try: {error.hint})" if error.hint else ""))
            except OSError as error:
                return self._result("unknown", str(scratch_error(error, error.filename or self.database)))

    def _result(self, status: Literal["mismatch", "unknown"], words: str) -> LiveCheck:
        return LiveCheck(self.database, status, self.pos, words)

    # ---- passive

    def passive(self) -> LiveCheck:
        # A list of its own: whoever gave us the replica may be reading it.
        if not isinstance(self.replica, LTXReplica):
            own = FileReplica(self.replica.path, self.replica.name)
            return self._passive(own, partial(reached, own))
        levels = LTXReplica(self.replica.path, self.replica.name)
        syncs = Syncs(levels, self.database)
        first = found = self._passive(levels, syncs.reach)
        for _ in range(_AGAIN):
            if found.status != "mismatch" or not isinstance(found.pos, TXID) or not self._later(levels, found.pos):
                break
            found = self._passive(levels, syncs.reach)
        if first.status != "mismatch" or found.status != "ok":
            return first if found.status == "unknown" else found
        words = (
            f"{found.words}; but {first.words}: its snapshot is ahead of its TXID (Litestream 0.5.5 writes such ones), "
            "or transactions were missing that a later file has brought"
        )
        return replace(found, words=words)

    def _later(self, replica: LTXReplica, than: TXID) -> bool:
        """Wait for a file with a later TXID; False where none comes."""
        self.report.phase("compare again")
        deadline = time.monotonic() + self.wait_s
        while int(replica.table.max_txid.max()) <= than.value:
            self.cancel.check()
            if time.monotonic() >= deadline:
                return False
            self.cancel.wait(_POLL_S)
            replica.refresh()
        return True

    def _passive(self, own: FileReplica | LTXReplica, reach: Callable[[peek.Image], Reach]) -> LiveCheck:
        deadline = time.monotonic() + self.wait_s
        while True:
            self.report.phase("live database")
            image = peek.look(self.database, cancel=self.cancel)
            if not image.raw:
                return self._with_latest(own, image)
            self.report.phase("wait for the replica")
            found = self._wait(own, partial(reach, image))
            if not found.passed or time.monotonic() >= deadline:
                break
        if found.pos is None:
            return self._result("mismatch" if found.lost else "unknown", found.words)
        self.pos = found.pos
        with scratch_folder(self.scratch or default_scratch()) as folder:
            restored = self._restored(own, _target(found.pos), folder)
            live = image.hashes if found.hashes is None else found.hashes
            return self._compared(live, restored, image.page_size, restored)

    def _wait(self, replica: FileReplica | LTXReplica, look: Callable[[], Reach]) -> Reach:
        """Until the replica has what is looked for, or never will have it."""
        deadline = time.monotonic() + self.wait_s
        while True:
            self.cancel.check()
            replica.refresh()
            try:
                found = look()
            except (DamageError, NoSuchTargetError, UnreadableError) as error:
                found = Reach(None, str(error))
            if found.pos is not None or found.passed or time.monotonic() >= deadline:
                return found
            self.cancel.wait(_POLL_S)

    def _with_latest(self, replica: FileReplica | LTXReplica, image: peek.Image) -> LiveCheck:
        """Without a WAL nothing says which position the database is at: only the same content says something."""
        with scratch_folder(self.scratch or default_scratch()) as folder:
            restored = self._restored(replica, Target(), folder)
            found = self._compared(image.hashes, restored, image.page_size, restored)
        why = "the database has no WAL (its application has ended, or emptied it), which would tell its position"
        if found.status == "ok":
            return LiveCheck(self.database, "ok", self.pos, f"{found.words}; {why}, so the replica's latest was taken")
        words = f"{why}; the replica's latest is something else: {found.words}; one of the two may just be newer"
        return LiveCheck(self.database, "unknown", self.pos, words, found.pages, found.tables)

    # ---- active

    def active(self, database: Database, replica: FileReplica, keep_in: str) -> LiveCheck:
        parent = self.scratch or default_scratch()
        check_room(parent, 2 * database.size)
        with scratch_folder(parent) as folder:
            copy = os.path.join(folder, "live.db")
            self.report.phase("live database", database.size)
            with database.at_rest(self.wait_s, self.cancel) as pos:
                self.pos = pos
                hashes, crc = self._copy(database, copy)
            self.report.phase("wait for the replica")
            words = self._wait_bound(database, replica, pos)
            if words:
                return self._result("unknown", words)
            restored = self._restored(FileReplica(replica.path, replica.name), _target(pos), folder)
            self.report.phase("compare")
            found = self._compared(hashes, restored, database.page_size, copy)
            sums = (crc, _crc(restored, self.cancel))
            if found.status == "ok" and sums[0] == sums[1]:
                return LiveCheck(self.database, "ok", pos, found.words, checksums=sums)
            kept, where = keep(keep_in, replica.name, copy, restored, database.owner(), self.cancel)
        words = f"{found.words}; {where}"
        return LiveCheck(self.database, "mismatch", pos, words, found.pages, found.tables, kept, sums)

    def _copy(self, database: Database, path: str) -> tuple[U64, int]:
        """Copy the database's file. Returns a hash of each page, and the CRC-64 of all."""
        hashes, crc, at, size = [np.zeros(0, np.uint64)], 0, 0, database.size
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                while at < size and (piece := _read(database, min(_PIECE, size - at), at)):
                    self.cancel.check()
                    write_all(fd, piece)
                    crc = crc64.go_iso(piece, crc)
                    hashes.append(hash_pages(piece, database.page_size))
                    at += len(piece)
                    self.report.advance(at)
            finally:
                os.close(fd)
        except OSError as error:
            raise scratch_error(error, path) from None
        return np.concatenate(hashes), crc

    def _wait_bound(self, database: Database, replica: FileReplica, pos: Pos) -> str:
        """Until the replica has the position; "" or why it does not."""
        deadline = time.monotonic() + self.wait_s
        replica.wake()
        while replica.last_pos < pos or replica.last_pos.generation != pos.generation:
            self.cancel.check()
            if database.generation != pos.generation:
                return f"generation changed to {database.generation or 'none'} while the replica was waited for"
            if time.monotonic() >= deadline:
                return f"the replica has not reached {pos} within {self.wait_s:g} s: it is at {replica.last_pos}"
            self.cancel.wait(_POLL_S)
        return ""

    # ---- both

    def _restored(self, replica: FileReplica | LTXReplica, target: Target, folder: str) -> str:
        path = os.path.join(folder, "restored.db")
        pos, _ = restore_state(replica, target, path, self.report, self.cancel)
        self.pos = self.pos or pos
        return path

    def _compared(self, live: U64, restored: str, page_size: int, names_from: str) -> LiveCheck:
        """`names_from` is the file that says which table a page belongs to."""
        theirs = pagediff.file_hashes(restored, page_size, self.cancel)
        pages = pagediff.differing(live, theirs)
        if not len(pages):
            words = f"the restore to {self.pos} is the database, all {len(live)} pages of it"
            return LiveCheck(self.database, "ok", self.pos, words)
        tables = pagediff.owners(names_from, pages, self.cancel)
        words = (
            f"{len(pages)} of {max(len(live), len(theirs))} pages differ between the database and the restore to "
            f"{self.pos}: {pagediff.runs(pages)} ({pagediff.listed(tables)})"
        )
        if len(live) != len(theirs):
            words += f"; the database has {len(live)} pages, the restore {len(theirs)}"
        return LiveCheck(self.database, "mismatch", self.pos, words, len(pages), tables)


def _read(database: Database, size: int, offset: int) -> bytes:
    try:
        return database.read(size, offset)
    except OSError as error:
        cause, hint = error.strerror or str(error), "check the disk (dmesg)"
        raise PrimaryError("read the database", cause, path=database.path, hint=hint) from None


def _target(pos: Pos) -> Target:
    """The state at a position; before the first transaction of a WAL it is the end of the one before."""
    return (
        Target.at(pos)
        if isinstance(pos, TXID) or pos.offset > wal.HEADER_SIZE
        else Target(pos.generation, pos.index - 1)
    )


def _crc(path: str, cancel: CancelToken) -> int:
    crc = 0
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            cancel.check()
            crc = crc64.go_iso(piece, crc)
    return crc
