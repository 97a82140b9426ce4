"""What has reached the disk and what has not, as the system calls of a process tell, and the rules that litetui keeps.

A file is dirty from a write to its fsync; a name is pending from its making to the fsync of its folder. At some calls
nothing may be dirty or pending that could be the only copy of what the call destroys: those are the rules.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

CALLS = (
    "openat,mkdir,mkdirat,write,writev,pwrite64,pwritev,pwritev2,truncate,ftruncate,fallocate,copy_file_range,"
    "sendfile,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,fsync,fdatasync,sync_file_range"
)
# The rules.
NAMED = "a file that gets its name is on the disk"
SNAPSHOT = "a snapshot gets its name after the WAL that it needs is on the disk"
REPLICA = "the replica is on the disk before a file of it or a shadow WAL is removed"
CHECKPOINT = "the shadow WAL is on the disk before a checkpoint writes into the database"
RESTART = "the shadow WAL is on the disk before the WAL is restarted"
GENERATION = "the shadow WAL is on the disk before its generation is named"
NEXT = "a shadow WAL is on the disk before the next one begins"
RULES = (NAMED, SNAPSHOT, REPLICA, CHECKPOINT, RESTART, GENERATION, NEXT)

_ROOT = Path(__file__).parent.parent.parent
_LINE = re.compile(r"(\d+) +(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
_FILE = re.compile(r'(?:\d+|AT_FDCWD)<(?P<opened>.*?)>|"(?P<path>[^"]*)"')
_WRITES = {"write", "writev", "pwrite64", "pwritev", "pwritev2", "truncate", "ftruncate", "fallocate"}


def strace(out: Path, *command: object) -> list[str]:
    """Run a command. Returns the calls that it and its children made."""
    full = ["strace", "-f", "-y", "-s", "0", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", out, *command]
    subprocess.run(list(map(str, full)), stdout=subprocess.DEVNULL, cwd=_ROOT, check=True, timeout=120)
    return out.read_text().splitlines()


@dataclass(frozen=True)
class Call:
    """A call that succeeded: the files it is about, and its arguments as text."""

    name: str
    paths: tuple[str, ...]
    arguments: str


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """The calls in the output of `strace -f -y`, in the order in which they ended."""
    begun: dict[str, str] = {}
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        pid, text = found[1], found[2]
        if text.endswith("<unfinished ...>"):
            begun[pid] = text.removesuffix("<unfinished ...>").rstrip()
            continue
        if text.startswith("<... "):
            text = begun.pop(pid, "") + text.partition("resumed>")[2]
        if (call := _CALL.match(text)) and int(call[3]) >= 0:
            yield Call(call[1], tuple(_paths(call[2])), call[2])


def _paths(arguments: str) -> Iterator[str]:
    """The files that a call names: by a descriptor, by a path, or by a path beside a folder's descriptor."""
    opened = ""
    for found in _FILE.finditer(arguments):
        if found["path"] is not None:
            yield str(Path(opened, found["path"]))
            opened = ""
            continue
        if opened:
            yield opened
        opened = found["opened"]
    if opened:
        yield opened


@dataclass
class Disk:
    """What is on the disk, and which rules were kept and broken so far."""

    db: str
    meta: str
    replica: str
    dirty: set[str] = field(default_factory=set)
    pending: set[str] = field(default_factory=set)
    kept: Counter[str] = field(default_factory=Counter)
    broken: dict[str, str] = field(default_factory=dict)  # where each was broken first
    _made: set[str] = field(default_factory=set)
    _generation: str = ""  # the folder of the current generation's shadow WALs, the last that was made

    def follow(self, lines: Iterable[str]) -> Disk:
        for call in calls(lines):
            self._judge(call)
            self._do(call)
        return self

    def _do(self, call: Call) -> None:
        name, path = call.name, call.paths[0] if call.paths else ""
        if name in _WRITES:
            self.dirty.add(path)
        elif name in ("mkdir", "mkdirat"):
            self.pending.add(path)
            if Path(path).parent == Path(self.meta, "generations"):
                self._generation = path
        elif name == "openat":
            if "O_CREAT" in call.arguments and path not in self._made:
                self.pending.add(path)
                self._made.add(path)
            if "O_TRUNC" in call.arguments:
                self.dirty.add(path)
        elif name in ("fsync", "fdatasync"):
            self.dirty.discard(path)
            self.pending = {p for p in self.pending if p.rpartition("/")[0] != path}
        elif name.startswith(("rename", "link")):
            to = call.paths[1]
            if path in self.dirty:
                self.dirty.add(to)
            self.pending.add(to)
            self._made.add(to)
            if name.startswith("rename"):
                self._forget(path)
        elif name in ("unlink", "unlinkat", "rmdir"):
            self._forget(path)
        else:
            assert not any(self._is_ours(p) for p in call.paths), f"a call that the model does not know: {call}"

    def _forget(self, path: str) -> None:
        self.dirty.discard(path)
        self.pending.discard(path)
        self._made.discard(path)

    def _is_ours(self, path: str) -> bool:
        return path.startswith((self.db, self.meta, self.replica))

    def _judge(self, call: Call) -> None:
        shadows = f"{self.meta}/generations"
        if call.name.startswith("rename"):
            self._judge_rename(call, call.paths[0], call.paths[1])
        elif call.name in ("unlink", "unlinkat"):
            if call.paths[0].startswith((self.replica, shadows)) and call.paths[0].endswith((".wal", ".lz4")):
                self._rule(REPLICA, call, self._unsafe(self.replica))
        elif call.name in _WRITES and call.paths[0] == self.db:
            self._rule(CHECKPOINT, call, self._unsafe(self._generation))
        elif call.name in _WRITES and call.paths[0] == f"{self.db}-wal" and call.arguments.endswith(", 32, 0"):
            self._rule(RESTART, call, self._unsafe(self._generation))

    def _judge_rename(self, call: Call, old: str, new: str) -> None:
        if new.startswith(self._generation or "-"):
            # A shadow WAL may have its name early: it is proved from its first byte before anybody counts on it.
            others = {p for p in self.dirty if Path(p).parent == Path(new).parent} - {old}
            self._rule(NEXT, call, others)
        elif self._is_ours(new):
            self._rule(NAMED, call, self.dirty & {old})
        if new.startswith(self.replica) and "/snapshots/" in new:
            self._rule(SNAPSHOT, call, self._unsafe(self.replica) - {old})
        if new == f"{self.meta}/generation":
            self._rule(GENERATION, call, self._unsafe(self._generation))

    def _unsafe(self, below: str) -> set[str]:
        """What is not on the disk yet below a folder ("": there is none yet)."""
        return {p for p in self.dirty | self.pending if below and p.startswith(below)}

    def _rule(self, rule: str, call: Call, unsafe: set[str]) -> None:
        if not unsafe:
            self.kept[rule] += 1
        elif rule not in self.broken:
            self.broken[rule] = f"{call.name} {' '.join(call.paths)} before the fsync of {sorted(unsafe)}"
