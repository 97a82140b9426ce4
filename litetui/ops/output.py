"""The file that a restore makes: whether it may be made there, and that it appears whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import shlex
import stat
import time
from datetime import UTC, datetime
from types import TracebackType
from urllib.parse import quote_from_bytes

from litetui.errors import Cancelled, DamageError, LitetuiError, OutputError
from litetui.files import fsync
from litetui.jobs.progress import CancelToken, Reporter
from litetui.processes import processes_with
from litetui.units import format_size, printable

SIDE_FILES = ("-wal", "-shm", "-journal")
CHECKS = ("none", "quick", "full")
_OPERATION = "restore"


def check_output(replica_path: str, output: str, *, force: bool = False) -> None:
    """Raises OutputError if nothing may be written at `output`: something is there (unless forced), a process has it
    open, it lies inside the replica, or its folder is not there or not writable."""
    full = os.path.abspath(output)
    folder = os.path.dirname(full)
    if not output:
        raise OutputError(_OPERATION, "the name of the output is empty", hint="name the file: -o FOLDER/app.db")
    if os.path.lexists(full) and not os.path.isdir(full) and not stat.S_ISREG(os.lstat(full).st_mode):
        raise OutputError(
            _OPERATION,
            "it is a link or a device, not a file that could be moved aside",
            path=output,
            hint="name the database file itself, or another path",
        )
    if not os.path.basename(output) or os.path.isdir(full):
        raise OutputError(_OPERATION, "the output is a folder", path=output, hint="name the file: -o FOLDER/app.db")
    if not os.path.isdir(folder):
        raise OutputError(
            _OPERATION, "the folder of the output does not exist", path=folder, hint=f"mkdir -p {shlex.quote(folder)}"
        )
    inside = os.path.realpath(replica_path)
    if os.path.commonpath([inside, os.path.join(os.path.realpath(folder), "x")]) == inside:
        raise OutputError(
            _OPERATION, "the output lies inside the replica", path=output, hint="choose a path outside the replica"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            _OPERATION,
            "the folder of the output is not writable for you",
            path=folder,
            hint="restore to a folder that you may write, then move the file as its owner",
        )
    there = [p for p in (full, *(full + s for s in SIDE_FILES)) if os.path.lexists(p)]
    if there and not force:
        what = "it exists already" if there[0] == full else f"{os.path.basename(there[0])} of another database is there"
        raise OutputError(
            _OPERATION,
            what,
            path=output,
            hint="choose another path, or --force, which moves what is there to NAME.before-restore-TIME",
        )
    users = processes_with(there)
    if users:
        raise OutputError(
            _OPERATION,
            f"{', '.join(map(str, users))} has it open",
            path=output,
            hint="stop the application and Litestream first, or restore to another path",
        )


def check_space(output: str, size: int) -> None:
    """Raises OutputError if the file system of the output has no room for that many bytes."""
    folder = os.path.dirname(os.path.abspath(output))
    try:
        fs = os.statvfs(folder)
    except OSError as error:
        raise write_error(error, output) from None
    free = fs.f_bavail * fs.f_frsize
    if size > free:
        raise OutputError(
            _OPERATION,
            f"the database has {format_size(size)}, but only {format_size(free)} are free",
            path=folder,
            hint="free some space, or restore to another disk",
        )


class Output:
    """OUT.tmp while it is made; `commit` gives it its name. Leaving the context without a commit removes it."""

    def __init__(self, path: str, *, force: bool) -> None:
        self.path = path
        self.tmp = path + ".tmp"
        self._force = force
        self._done = False
        self.fd = -1

    def __enter__(self) -> Output:
        try:
            self.fd = os.open(self.tmp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise OutputError(
                _OPERATION,
                "a temporary file of another restore is there",
                path=self.tmp,
                hint=f"if no restore is running: rm {shlex.quote(printable(self.tmp))}",
            ) from None
        except OSError as error:
            raise write_error(error, self.tmp) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._done:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.tmp)

    def commit(self) -> list[str]:
        """Give the file its name and bring the folder to the disk. Returns what was moved aside, by its new names."""
        moved: list[tuple[str, str]] = []
        try:
            if self._force:
                self._copy_owner()
                moved = self._move_aside()
            self._rename()
            fsync(os.path.dirname(os.path.abspath(self.path)))
        except OSError as error:
            for old, new in reversed(moved):
                with contextlib.suppress(OSError):
                    if not os.path.lexists(old):
                        os.rename(new, old)
            raise write_error(error, self.path) from None
        self._done = True
        return [new for _, new in moved]

    def _rename(self) -> None:
        # A hard link fails where something appeared at the name meanwhile; a rename would replace it.
        try:
            os.link(self.tmp, self.path)
        except FileExistsError:
            raise
        except OSError:
            if os.path.lexists(self.path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self.path) from None
            os.rename(self.tmp, self.path)
        else:
            os.unlink(self.tmp)

    def _copy_owner(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            info = os.stat(self.path)
            with contextlib.suppress(PermissionError):
                os.chown(self.tmp, info.st_uid, info.st_gid)
            os.chmod(self.tmp, info.st_mode & 0o7777)

    def _move_aside(self) -> list[tuple[str, str]]:
        stamp = datetime.fromtimestamp(time.time(), UTC).strftime("%Y%m%dT%H%M%SZ")
        base, n = f"{self.path}.before-restore-{stamp}", 1
        while any(os.path.lexists(base + s) for s in ("", *SIDE_FILES)):
            n += 1
            base = f"{self.path}.before-restore-{stamp}-{n}"
        moved = []
        for side in ("", *SIDE_FILES):
            if os.path.lexists(self.path + side):
                os.rename(self.path + side, base + side)
                moved.append((self.path + side, base + side))
        return moved


def write_error(error: OSError, path: str) -> LitetuiError:
    """What a failed write means to an operator."""
    hints = {
        errno.ENOSPC: "free some space, or restore to another disk",
        errno.EDQUOT: "free some space, or restore to another disk",
        errno.EACCES: "restore to a folder that you may write",
        errno.EROFS: "restore to another disk",
        errno.EEXIST: "something appeared there meanwhile; choose another path",
    }
    return OutputError(_OPERATION, error.strerror or str(error), path=path, hint=hints.get(error.errno or 0))


def check_integrity(path: str, check: str, report: Reporter, cancel: CancelToken) -> str:
    """Run SQLite's own check on a file that nobody else has open; "ok" or "skipped". Raises DamageError."""
    if check == "none":
        return "skipped"
    messages = integrity_messages(path, check, report, cancel)
    if not messages:
        return "ok"
    raise DamageError(
        _OPERATION,
        f"the restored database fails SQLite's {check} check: {'; '.join(messages[:3])}",
        code="integrity-check",
        hint="the replica's bytes are sound as far as they have checksums, so the database was damaged before it was "
        "replicated, or frames are missing without a trace; litetui validate --find-last-good searches for the newest "
        "state that passes; --integrity-check none restores it as it is",
    )


def integrity_messages(path: str, check: str, report: Reporter, cancel: CancelToken) -> list[str]:
    """What SQLite's `quick` or `full` check says about a file that nobody else has open; nothing where it is sound."""
    import apsw

    report.phase(f"{check} integrity check")
    uri = f"file:{quote_from_bytes(os.fsencode(os.path.abspath(path)))}?immutable=1&mode=ro"
    try:
        connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            connection.set_progress_handler(lambda: cancel.cancelled, 20_000)
            connection.pragma("mmap_size", 1 << 40)
            pragma = "quick_check" if check == "quick" else "integrity_check"
            messages = [printable(str(row[0])) for row in connection.execute(f"PRAGMA {pragma}(20)")]
        finally:
            connection.close()
    except apsw.InterruptError:
        raise Cancelled(_OPERATION) from None
    except (apsw.CorruptError, apsw.NotADBError) as error:
        messages = [printable(str(error))]
    except apsw.Error as error:
        raise OutputError(
            _OPERATION, f"SQLite cannot check the restored file: {error}", path=path, hint="try it again"
        ) from None
    return [] if messages == ["ok"] else messages


def owner_name(uid: int, gid: int) -> str:
    """`user:group`, by number where there is no name."""
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    try:
        group = grp.getgrgid(gid).gr_name
    except KeyError:
        group = str(gid)
    return f"{user}:{group}"


def owner_step(output: str, database: str) -> str:
    """Whether a restored file has the owner and the mode of the database that it is for, and the command that gives it
    those. "" where one of them is not there."""
    try:
        made, meant = os.stat(output), os.stat(database)
    except OSError:
        return ""
    mode, owner = meant.st_mode & 0o7777, owner_name(meant.st_uid, meant.st_gid)
    name, path = printable(os.path.basename(database)), shlex.quote(printable(output))
    commands, wrong = [], []
    if (made.st_uid, made.st_gid) != (meant.st_uid, meant.st_gid):
        wrong.append(f"belongs to {owner_name(made.st_uid, made.st_gid)}, {name} to {owner}")
        commands.append(f"chown {owner} {path}")
    if made.st_mode & 0o7777 != mode:
        wrong.append(f"has mode {made.st_mode & 0o7777:o}, {name} {mode:o}")
        commands.append(f"chmod {mode:o} {path}")
    if not commands:
        return f"the file belongs to {owner}, mode {mode:o}, as {name} does"
    return f"the file {' and '.join(wrong)}: {' && '.join(commands)}"


def next_steps(output: str, mode: int, owner: str, moved: list[str]) -> tuple[str, ...]:
    """What remains to be done by hand, in order."""
    steps = [f"the file belongs to {owner}, mode {mode:o}: chown and chmod it to what the application needs"]
    if moved:
        steps.append(f"what was there is now {moved[0]}")
        steps.append("start the application, then Litestream (it begins a new generation)")
    else:
        steps.append(
            "stop the application and Litestream, remove the database's -wal and -shm, put the file in its place, "
            "start both again"
        )
    return tuple(steps)
