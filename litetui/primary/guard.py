"""Is another replicator at work on this database?

Two replicators on one database ruin each other: one checkpoints or restarts the WAL under the other, whose replica
then has a hole. So litetui looks before it begins (`look`), says no where it must (`refusal`), says what it could not
see (`warnings`), and keeps other litetuis out while it works (`MetaLock`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shlex
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from litetui import processes
from litetui.errors import LitetuiError, PrimaryError
from litetui.files import Owner
from litetui.processes import Process
from litetui.units import NS, format_age, printable

LITESTREAM = "litestream"
LOCK_NAME = "litetui.lock"
FRESH_NS = 60 * NS
_VERSION = re.compile(r"[0-9]+\.[0-9]+[0-9A-Za-z.+-]{0,40}")
_VERSION_SECONDS = 2.0
_PROBE_SECONDS = 2.0
_RUIN = "two replicators on one database ruin each other"

# What `litestream version` said, by the path and the identity of the program.
_versions: dict[tuple[str, int, int, int], str] = {}
# The locks that this very process holds: (pid, device, inode). The pid, because a forked child has a copy of this.
_held: set[tuple[int, int, int]] = set()


@dataclass(frozen=True, slots=True)
class Replicator:
    """A process that replicates the database. `version` "" and `pid` 0: not known."""

    name: str
    version: str
    pid: int

    def __str__(self) -> str:
        name = f"{self.name} {self.version}" if self.version else self.name
        return f"{name} (pid {self.pid or 'unknown'})"


@dataclass(frozen=True, slots=True)
class Watch:
    """What was seen of other replicators.

    replicators    those at work on the database
    unseen         why there may be more, "" if everything could be looked into
    meta           which Litestream's traces the meta folder holds: "", "v0.3", "v0.5" or "v0.3 and v0.5"
    newest_ltx_ns  when Litestream 0.5 last wrote into the meta folder
    """

    replicators: tuple[Replicator, ...]
    unseen: str
    meta: str
    newest_ltx_ns: int | None


# ---- looking


def look(database: str, meta: str, *, versions: bool = False) -> Watch:
    """Look for other replicators of a database whose meta folder is `meta`. Reads /proc, stats and listings, and opens
    no file of the database. `versions` runs `litestream version` for each Litestream found."""
    unseen: list[str] = []
    names = set(_listing(meta, unseen))
    others = _other_litetui(meta, unseen) if LOCK_NAME in names else []
    # Where litetui has been, the v0.3 files are its own.
    v03, v05 = bool({"generation", "generations"} & names) and LOCK_NAME not in names, "ltx" in names
    layouts = [name for name, there in (("v0.3", v03), ("v0.5", v05)) if there]
    newest = _newest_ltx(os.path.join(meta, "ltx"), unseen) if v05 else None
    replicators = (*_litestreams(database, versions), *others)
    return Watch(replicators, "; ".join([*_blind_spots(), *unseen]), " and ".join(layouts), newest)


def version_of(process: Process) -> str:
    """What the running program says of its version; "" if it cannot or must not be asked."""
    try:
        fd = os.open(f"{processes.PROC}/{process.pid}/exe", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        info = os.fstat(fd)
        if not _may_be_run(process, info):
            return ""
        key = (process.exe, info.st_dev, info.st_ino, info.st_mtime_ns)
        if key not in _versions and (version := _ask_version(fd)):
            _versions[key] = version  # a failure is not kept: the machine may just have been busy
        return _versions.get(key, "")
    finally:
        os.close(fd)


def _litestreams(database: str, versions: bool) -> list[Replicator]:
    # SQLite keeps -wal and -shm beside the file itself, not beside a link to it.
    base = os.path.realpath(database)
    users = processes.processes_with([base, base + "-wal", base + "-shm"])
    found = [p for p in users if LITESTREAM in (p.name, p.program)]
    return [Replicator(LITESTREAM, version_of(p) if versions else "", p.pid) for p in found]


def _other_litetui(meta: str, unseen: list[str]) -> list[Replicator]:
    try:
        if _is_ours(_lock_path(meta)):
            return []
        pid = holder(meta)
    except PrimaryError as error:
        unseen.append(f"{printable(error.path or meta)} cannot be looked at: {error.cause}")
        return []
    return [] if pid is None else [Replicator("litetui", "", pid)]


def _listing(folder: str, unseen: list[str]) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        unseen.append(f"{printable(folder)} cannot be listed: {error.strerror}")
        return []


def _newest_ltx(folder: str, unseen: list[str]) -> int | None:
    """The newest mtime among FOLDER/*/*.ltx."""
    newest = None
    for level in _listing(folder, unseen):
        inner = os.path.join(folder, level)
        for name in _listing(inner, unseen):
            if not name.endswith(".ltx"):
                continue
            try:
                mtime = os.stat(os.path.join(inner, name)).st_mtime_ns
            except OSError:
                continue  # Litestream has removed it meanwhile; a newer one is there
            newest = mtime if newest is None else max(newest, mtime)
    return newest


def _blind_spots() -> Iterator[str]:
    """Why a replicator may run that cannot be seen from here."""
    if not processes.proc_is_there():
        yield "/proc is not there, so no process can be looked at"
        return
    if processes.in_container():
        yield "this is a container, and processes outside it cannot be seen"
    if processes.others_are_invisible():
        yield "/proc hides the processes of other users (hidepid)"
    hidden = processes.hidden_processes()
    if hidden:
        named = ", ".join(str(p) for p in hidden if p.name == LITESTREAM)
        count = "1 process" if len(hidden) == 1 else f"{len(hidden)} processes"
        yield f"{count} cannot be looked into (permission denied){', among them ' + named if named else ''}"


def _may_be_run(process: Process, info: os.stat_result) -> bool:
    """Only what lies under that very path for us too, and what nobody but root and ourselves can have written: a user,
    or a container, could have root run anything that it names litestream."""
    try:
        here = os.stat(process.exe)
    except OSError:
        return False
    strangers = stat.S_IWOTH if info.st_gid in (0, os.getegid()) else stat.S_IWOTH | stat.S_IWGRP
    return (
        os.path.basename(process.exe) == LITESTREAM
        and stat.S_ISREG(info.st_mode)
        and (here.st_dev, here.st_ino) == (info.st_dev, info.st_ino)
        and info.st_uid in (0, os.geteuid())
        and not info.st_mode & strangers
    )


def _ask_version(fd: int) -> str:
    try:
        result = subprocess.run(
            [f"/proc/self/fd/{fd}", "version"], pass_fds=(fd,), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=_VERSION_SECONDS, cwd="/", env={}, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    found = _VERSION.search(result.stdout.decode("ascii", "replace"))
    return found[0] if found else ""


# ---- deciding


def refusal(watch: Watch, database: str, now_ns: int, *, takeover: bool) -> LitetuiError | None:
    """Why litetui must not replicate this database now, or None. `takeover` is the operator's word that the other
    replicator has stopped; it does not stand against one that is seen running."""
    if watch.replicators:
        names = ", ".join(map(str, watch.replicators))
        return PrimaryError(
            "replicate", f"{names} is at work on it", path=database, hint=_how_to_stop(watch.replicators, takeover)
        )
    if takeover or watch.newest_ltx_ns is None or not -FRESH_NS <= now_ns - watch.newest_ltx_ns < FRESH_NS:
        return None
    return PrimaryError(
        "replicate",
        f"Litestream 0.5 seems to be at work on it: its newest LTX file was written "
        f"{format_age(watch.newest_ltx_ns, now_ns)}",
        path=database,
        hint="stop Litestream first; if it was stopped a moment ago, --takeover is safe, and so is a minute's patience",
    )


def warnings(watch: Watch) -> list[str]:
    """What an operator should know before a replication that is not refused."""
    texts = []
    if not watch.replicators and "v0.5" in watch.meta:
        texts.append(
            "Litestream 0.5 has replicated this database (its meta folder holds ltx/); if it still runs somewhere "
            f"unseen, stop it first: {_RUIN}"
        )
    elif not watch.replicators and watch.meta and watch.unseen:
        texts.append(
            "Litestream 0.3 or litetui has replicated this database before; if a Litestream still runs somewhere "
            f"unseen, stop it first: {_RUIN}"
        )
    if watch.unseen:
        texts.append(f"another replicator cannot be ruled out: {watch.unseen}")
    return texts


def _how_to_stop(replicators: tuple[Replicator, ...], takeover: bool) -> str:
    theirs = any(r.name == LITESTREAM for r in replicators)
    ways = ["systemctl stop litestream" if theirs else "quit it where it runs"] if replicators else []
    pids = [str(r.pid) for r in replicators if r.pid]
    ways += [f"kill {' '.join(pids)}"] if pids else []
    hint = f"stop it first{': ' if ways else ''}{', or '.join(ways)}"
    if takeover:
        return f"{hint}; --takeover is not safe while it runs: {_RUIN}"
    return f"{hint}; {_RUIN}"


# ---- keeping other litetuis out


class MetaLock:
    """An exclusive lock on a database's meta folder, for as long as this process works on the database.

    It is a flock on META/litetui.lock, so it ends with its process however that ends. The file stays: were it removed,
    two processes could each lock a file of that name. Its one line tells who locked it last.
    """

    def __init__(self, meta: str, command: str = "litetui") -> None:
        self.path = _lock_path(meta)
        self._command = command
        self._fd = -1

    def acquire(self, owner: Owner | None = None) -> None:
        """Raises PrimaryError if another has the lock, or if the folder does not let us make it. The folder must be
        there. Does nothing if this lock is held already. The file is given to the owner: what root has locked once, the
        application's user may lock next."""
        if self._fd >= 0:
            return
        try:
            self._fd = _take(self.path, self._command)
            _held.add(_key(os.fstat(self._fd)))
            if owner is not None:
                owner.give(self._fd)
        except OSError as error:
            raise _refused(error, self.path) from None

    def release(self) -> None:
        """Does nothing if the lock is not held."""
        if self._fd < 0:
            return
        _held.discard(_key(os.fstat(self._fd)))
        # A child that is just being started still has a copy of the descriptor, so closing ours is not enough.
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> MetaLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder(meta: str) -> int | None:
    """The pid of the process that holds the meta folder's lock now; 0 if it is held by one that cannot be seen from
    here, None if it is free. Raises PrimaryError if the lock cannot be looked at."""
    path = _lock_path(meta)
    if _is_ours(path):
        return os.getpid()
    try:
        fd = _open_lock(path, os.O_RDONLY)
        try:
            return None if _try(fd, fcntl.LOCK_SH) else _signer(fd, path)
        finally:
            os.close(fd)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _refused(error, path) from None


def _lock_path(meta: str) -> str:
    return os.path.join(meta, LOCK_NAME)


def _key(info: os.stat_result) -> tuple[int, int, int]:
    return os.getpid(), info.st_dev, info.st_ino


def _is_ours(path: str) -> bool:
    """Whether this process holds the lock. Known without a probe: where flock is made of POSIX locks, one drops it."""
    try:
        return _key(os.stat(path)) in _held
    except OSError:
        return False


def _open_lock(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)


def _take(path: str, command: str) -> int:
    """Open, lock and sign the lock file."""
    fd = _open_lock(path, os.O_RDWR | os.O_CREAT)
    try:
        _lock(fd, path)
        line = f"{os.getpid()} {printable(command)}\n".encode()
        os.pwrite(fd, line, 0)
        os.ftruncate(fd, len(line))
    except BaseException:
        os.close(fd)
        raise
    return fd


def _lock(fd: int, path: str) -> None:
    # Whoever only probes holds it shared for a moment. If we can share it too, nobody has it for himself: once more.
    deadline = time.monotonic() + _PROBE_SECONDS
    while not _try(fd, fcntl.LOCK_EX):
        if not _try(fd, fcntl.LOCK_SH) or time.monotonic() > deadline:
            raise _taken(_signer(fd, path), path)
        fcntl.flock(fd, fcntl.LOCK_UN)
        time.sleep(0.01)


def _try(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _signer(fd: int, path: str) -> int:
    """Who wrote the line in the lock file, if it still has the file open; otherwise 0. The holder may be just about to
    write its own line over an old one, and the pid of another container would name somebody else here."""
    if _is_ours(path):
        return os.getpid()
    first = os.pread(fd, 32, 0).split(maxsplit=1)[:1]
    pid = int(first[0]) if first and first[0].isdigit() else 0
    users = {process.pid for process in processes.processes_with([path])} - {os.getpid()}
    return pid if pid in users else 0


def _taken(pid: int, path: str) -> PrimaryError:
    if pid == os.getpid():
        hint = "this litetui itself works on it: wait until that job is done, or cancel it"
    else:
        hint = f"wait until it is done, or quit it where it runs{f', or kill {pid}' if pid else ''}"
    who = Replicator("litetui", "", pid)
    return PrimaryError("lock the meta folder", f"{who} is at work on this database", path=path, hint=hint)


def _refused(error: OSError, path: str) -> PrimaryError:
    """What the system's refusal means to an operator."""
    folder = os.path.dirname(path)
    cause, hint = error.strerror or str(error), None
    if isinstance(error, FileNotFoundError):
        cause, path, hint = "it does not exist", folder, f"mkdir -m 700 {shlex.quote(printable(folder))}"
    elif isinstance(error, PermissionError):
        owner = _owner(path) or _owner(folder)
        hint = f"run it as its owner: sudo -u {owner} litetui …" if owner else "run it as a user who may write there"
        cause = f"permission denied{f' (it belongs to {owner})' if owner else ''}"
    elif error.errno == errno.ELOOP:
        cause, hint = "it is a link, which litetui never makes", f"look at it, then: rm {shlex.quote(printable(path))}"
    elif error.errno == errno.EROFS:
        hint = "replication needs a writable folder beside the database: remount the disk"
    elif error.errno in (errno.ENOLCK, errno.EOPNOTSUPP):
        cause, hint = "the file system there has no locks", "keep the database on a disk of this machine"
    return PrimaryError("lock the meta folder", cause, path=path, hint=hint)


def _owner(path: str) -> str:
    try:
        return Path(path).owner()
    except (OSError, KeyError):
        return ""
