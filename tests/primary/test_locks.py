"""The trap of POSIX locks: whatever this process does beside an open Database, its locks on the file must stay.

Closing any other descriptor of the database, or of its -shm, would drop them (FORMAT-v0.3, section 10). Then another
process' last close takes the WAL away under us, which is what these tests look for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from litetui.cli import run as command_line
from litetui.errors import LitetuiError, NotAReplicaError
from litetui.ops import sync
from litetui.ops.lag import lag
from litetui.ops.live_check import passive
from litetui.ops.output import check_output
from litetui.primary import guard
from litetui.primary.database import Database
from litetui.processes import processes_with
from litetui.replica.detect import open_replica
from tests.primary.helpers import child
from tests.primary.rig import Rig
from tests.primary.rig import rig as make_rig
from tests.primary.sql import App, AppError, once


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Its application has gone: whoever holds the database is a Database."""
    with make_rig(tmp_path) as made:
        made.app.end()
        yield made


def locks_hold(rig: Rig) -> None:
    """Another process writes and closes, as the last that has the database open beside the holder; then it wants to
    leave WAL mode, and to cut the WAL while frames are in it that the holder has not copied."""
    inode = rig.wal.stat().st_ino
    once(rig.db, "insert into item (body) values ('from another process')")
    assert rig.wal.exists(), "the WAL was removed"
    assert rig.wal.stat().st_ino == inode, "the WAL was removed, and a new one made"
    with pytest.raises(AppError, match="locked"):
        once(rig.db, "pragma journal_mode = delete")
    with App(rig.db) as other:
        other.add(1)
        for mode in ("passive", "truncate", "restart"):
            other.checkpoint(mode)
        other.add(1)
        other.close()
    assert rig.wal.stat().st_ino == inode


def guessed(rig: Rig) -> None:
    """What the open dialog does with the database's own path."""
    for path in (rig.db, rig.wal, Path(f"{rig.db}-shm"), rig.meta.path, rig.db.parent):
        with pytest.raises(NotAReplicaError):
            open_replica(path)
        with pytest.raises(NotAReplicaError):
            sync.existing(str(path))


def restored_over(rig: Rig) -> None:
    for force in (False, True):
        with pytest.raises(LitetuiError):
            check_output(str(rig.root), str(rig.db), force=force)
    for flag in ([], ["--force"]):
        assert command_line(["restore", str(rig.root), "-o", str(rig.db), *flag]) == 1
        assert command_line(["restore", str(rig.db), "-o", f"{rig.db}.out", *flag]) == 1


def commands(rig: Rig) -> None:
    for verb in ("info", "generations"):
        assert command_line([verb, str(rig.root), "--db", str(rig.db)]) == 0
    for verb in ("info", "generations", "snapshots", "wal"):
        assert command_line([verb, str(rig.db)]) == 1
    assert command_line(["sync", str(rig.db), str(rig.root)]) == 1
    assert command_line(["replicate", str(rig.db), str(rig.root), "--once"]) == 1


def opened_again(rig: Rig) -> None:
    with pytest.raises(LitetuiError, match="litetui itself"):
        Database(rig.db).open()


def compared(rig: Rig) -> None:
    assert passive(open_replica(rig.root), str(rig.db), scratch=str(rig.db.parent)).status == "ok"


HARMLESS: dict[str, Callable[[Rig], object]] = {
    "nothing": lambda rig: None,
    "lag": lambda rig: lag(str(rig.db), open_replica(rig.root)),
    "a guess": guessed,
    "a plan": lambda rig: sync.plan(str(rig.db), str(rig.root)),
    "a refused output": restored_over,
    "who has it open": lambda rig: processes_with([f"{rig.db}{side}" for side in ("", "-wal", "-shm")]),
    "who replicates": lambda rig: guard.look(str(rig.db), rig.meta.path, versions=True),
    "commands": commands,
    "opened again": opened_again,
    "a comparison": compared,
}


@pytest.mark.parametrize("name", HARMLESS)
def test_the_locks_hold_beside(rig: Rig, name: str) -> None:
    with Database(rig.db) as db:
        db.sync()
        replica = rig.bind(db)
        replica.sync()
        HARMLESS[name](rig)
        locks_hold(rig)
        db.sync()
        replica.sync()
        assert db.pos().index == 0
        rig.app = App(rig.db)
        rig.same()
        rig.app.end()


@pytest.mark.parametrize("mode", ["PASSIVE", "RESTART"])
def test_the_locks_hold_after_snapshots_checkpoints_and_cleaning(rig: Rig, mode: str) -> None:
    with Database(rig.db) as db:
        db.sync()
        replica = rig.bind(db)
        for _ in range(3):
            replica.snapshot()
            assert db.checkpoint("PASSIVE" if mode == "PASSIVE" else "RESTART")
            assert db.size == rig.db.stat().st_size
            db.new_generation("to see")
            replica.sync()
            db.clean(db.pos().index)
        locks_hold(rig)
        db.sync()
        replica.sync()
        rig.app = App(rig.db)
        rig.same()
        rig.app.end()


_HOLDER = """
import os, sys
from litetui.primary.database import Database
db = Database(sys.argv[1])
db.open()
db.sync()
if sys.argv[2] != "nothing":
    fd = os.open(sys.argv[2], os.O_RDONLY)
    os.close(fd)
print("open", flush=True)
sys.stdin.read()
"""


def test_the_test_sees_a_holder_that_keeps_its_locks(rig: Rig) -> None:
    with child(_HOLDER, rig.db, "nothing"):
        locks_hold(rig)


@pytest.mark.parametrize("side", ["", "-shm"])
def test_the_test_sees_a_holder_that_has_lost_them(rig: Rig, side: str) -> None:
    """The proof that these tests can fail. Of the -shm only the long read lock is lost: the WAL is restarted."""
    with child(_HOLDER, rig.db, f"{rig.db}{side}"):
        if side:
            with App(rig.db) as other:
                other.add(1)
                assert other.checkpoint("restart")[0] == 0, "nothing held it"
        else:
            with pytest.raises((AssertionError, pytest.fail.Exception)):
                locks_hold(rig)


_opened: list[str] | None = None


def _watch_opens() -> None:
    """From now on `_opened`, where it is a list, gets the path of everything that Python opens, links or copies."""

    def hook(event: str, args: tuple[object, ...]) -> None:
        if _opened is not None and event in ("open", "os.link", "shutil.copyfile") and isinstance(args[0], str | bytes):
            _opened.append(os.path.realpath(os.fsdecode(args[0])))

    sys.addaudithook(hook)


def test_nothing_but_database_opens_the_database(rig: Rig) -> None:
    """All of the above once more, seen from within."""
    global _opened
    _watch_opens()
    _opened = []
    try:
        with Database(rig.db) as db:
            db.sync()
            replica = rig.bind(db)
            replica.sync()
            for harmless in HARMLESS.values():
                harmless(rig)
            db.checkpoint("PASSIVE")
            replica.snapshot()
            db.clean(db.pos().index)
    finally:
        seen, _opened = _opened, None
    assert seen.count(str(rig.db)) == 1
    assert f"{rig.db}-shm" not in seen
    assert f"{rig.db}-wal" in seen, "the hook works"


def test_no_descriptor_of_the_database_is_ours_but_one(rig: Rig) -> None:
    """Ours, and one a connection of SQLite's, of which it closes none before the last."""

    def count(path: Path) -> int:
        found = 0
        for fd in os.listdir("/proc/self/fd"):
            try:
                found += os.path.samefile(f"/proc/self/fd/{fd}", path)
            except FileNotFoundError:
                continue
        return found

    with Database(rig.db) as db:
        db.sync()
        before = count(rig.db)
        replica = rig.bind(db)
        replica.sync()
        replica.snapshot()
        db.checkpoint("PASSIVE")
        assert count(rig.db) == before
    assert count(rig.db) == 0
