"""Which processes have a file open, and what of them the system hides from us.

The files themselves are never opened, only stat'ed: to open and close a live SQLite database, or its -shm, would drop
every POSIX lock that this process holds on it, and with them the application's protection from us.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from litetui.units import printable

PROC = "/proc"
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")
_FIRST_PID_NAMESPACE = "pid:[4026531836]"  # the same on every Linux: PROC_PID_INIT_INO
_KERNEL_THREAD = 0x0020_0000  # PF_KTHREAD
_DELETED = " (deleted)"


@dataclass(frozen=True, slots=True)
class Process:
    """A process. `name` is fit for a screen; `exe` is its program's path as the kernel tells it, "" if it does not."""

    pid: int
    name: str
    exe: str

    @property
    def program(self) -> str:
        """The file name of its program, also after an upgrade has replaced the file under the running process."""
        return os.path.basename(self.exe.removesuffix(_DELETED))

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def proc_is_there() -> bool:
    """Whether processes can be looked at here at all."""
    return os.path.isdir(f"{PROC}/self/fd")


def processes_with(paths: list[str]) -> list[Process]:
    """The processes that have one of these files open, as far as we may see them; links are followed."""
    wanted = {key for path in paths if (key := _inode(path)) is not None}
    if not wanted:
        return []
    found = (_process(pid) for pid in _pids() if _has_open(pid, wanted))
    return [process for process in found if process is not None]


def hidden_processes() -> list[Process]:
    """The processes whose open files we have no permission to see. Their names are mostly public, so that a
    Litestream of another user can be named all the same."""
    return [_process(pid) or Process(pid, "a process", "") for pid in _pids() if _is_hidden(pid)]


def others_are_invisible() -> bool:
    """Whether /proc keeps even the ids of other users' processes from us (hidepid=2): pid 1 always runs."""
    return proc_is_there() and not os.path.exists(f"{PROC}/1")


def in_container() -> bool:
    """Whether we run in a container, or otherwise in a PID namespace of our own: processes outside are not in /proc."""
    if any(map(os.path.exists, CONTAINER_MARKS)):
        return True
    try:
        if os.readlink(f"{PROC}/self/ns/pid") != _FIRST_PID_NAMESPACE:
            return True
    except OSError:
        pass  # an old kernel or no /proc: the other signs decide
    try:
        with open(f"{PROC}/1/environ", "rb") as file:
            return any(variable.startswith(b"container=") for variable in file.read().split(b"\0"))
    except OSError:
        return False


def _pids() -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir(PROC) if name.isdecimal())
    except OSError:
        return []


def _inode(path: str) -> tuple[int, int] | None:
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_dev, info.st_ino


def _has_open(pid: int, wanted: set[tuple[int, int]]) -> bool:
    folder = f"{PROC}/{pid}/fd"
    try:
        return any(_inode(f"{folder}/{fd}") in wanted for fd in os.listdir(folder))
    except OSError:
        return False


def _process(pid: int) -> Process | None:
    """None if it has ended meanwhile, or hides its name too."""
    try:
        with open(f"{PROC}/{pid}/comm", encoding="utf-8", errors="replace") as file:
            name = printable(file.read().strip())
    except OSError:
        return None
    try:
        exe = os.readlink(f"{PROC}/{pid}/exe")
    except OSError:
        exe = ""
    return Process(pid, name, exe)


def _is_hidden(pid: int) -> bool:
    # To list descriptors is not enough: root without CAP_SYS_PTRACE (as in Docker) may list those of others but not
    # follow them. `exe` asks for the same right, and every process but a kernel thread has one.
    try:
        os.listdir(f"{PROC}/{pid}/fd")
        os.readlink(f"{PROC}/{pid}/exe")
    except PermissionError:
        return _may_hold_files(pid)
    except OSError:
        pass  # a kernel thread, or it has ended: nothing is hidden there
    return False


def _may_hold_files(pid: int) -> bool:
    """False for kernel threads and for the dead, who have no files but refuse us like everybody else."""
    try:
        with open(f"{PROC}/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except PermissionError:
        return True
    except OSError:
        return False
    state, flags = fields[0], int(fields[6])
    return state not in (b"Z", b"X") and not flags & _KERNEL_THREAD
