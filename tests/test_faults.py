"""What can go wrong around a replication: an error that says what to do, nothing lost, and on it goes afterwards."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from litetui import files
from litetui.errors import LitetuiError, LockedError, OutputError, PrimaryError, UnreadableError
from litetui.jobs.progress import CancelToken
from litetui.ops import sync
from litetui.ops.replicate import Options, Replicator
from litetui.primary import shadow
from litetui.primary.database import Database
from litetui.replica import writer
from litetui.replica.live import Layout
from tests.primary.rig import Rig, restored, wait
from tests.primary.rig import files as files_below
from tests.primary.rig import rig as make_rig
from tests.primary.sql import ROOT, App, once

LAYOUTS: list[Layout] = ["segments", "wal"]
both_layouts = pytest.mark.parametrize("layout", LAYOUTS)
NOBODY = 65534


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock is waited for only a moment."""
    monkeypatch.setattr(sync, "_PATIENCE_S", 0.1)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with make_rig(tmp_path) as made:
        yield made


def refused(kind: type[LitetuiError], work: Callable[[], object], cause: str) -> LitetuiError:
    """The error, which says where it was and what to do, and leaves no temporary file."""
    with pytest.raises(kind, match=cause) as caught:
        work()
    assert caught.value.hint, caught.value
    assert caught.value.path, caught.value
    assert "unexpected" not in str(caught.value)
    return caught.value


def goes_on(rig: Rig, generation: str) -> None:
    """The next sync needs no new generation, and gives what the application has."""
    assert rig.sync().pos.generation == generation
    rig.same()
    assert not list(rig.root.rglob("*.tmp"))
    rig.app.add(1)
    assert rig.sync().pos.generation == generation
    rig.same()


# ---- a disk that is full, or read-only


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A small disk of its own, mounted at a folder."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"there is no mount: {error}")
    if result.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {result.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def remount(folder: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all that is free on a disk."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return path


@both_layouts
def test_a_replicas_disk_without_room_for_the_snapshot(rig: Rig, tmp_path: Path, layout: Layout) -> None:
    rig.app.add(400)
    rig.app.checkpoint()
    with disk(tmp_path / "disk", "64k") as mounted:
        rig.root = mounted / "replica"
        for _ in range(2):
            error = refused(OutputError, lambda: rig.sync(layout=layout), os.strerror(errno.ENOSPC))
            assert "free some space on the replica's disk" in (error.hint or "")
            assert files_below(rig.root) == []
        generation = rig.meta.generation()
        remount(mounted, "size=8m")
        assert rig.sync(layout=layout).snapshot_created
        check_elsewhere(rig, tmp_path)
        rig.app.add(1)
        assert rig.sync().pos.generation == generation
        check_elsewhere(rig, tmp_path)


@both_layouts
def test_room_for_the_first_snapshot_but_not_for_its_wal(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, layout: Layout
) -> None:
    def write_all(fd: int, data: bytes | memoryview) -> None:
        if "/wal/" in os.readlink(f"/proc/self/fd/{fd}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        files.write_all(fd, data)

    monkeypatch.setattr(writer, "write_all", write_all)
    for _ in range(3):
        refused(OutputError, lambda: rig.sync(layout=layout), os.strerror(errno.ENOSPC))
    generation = rig.meta.generation()
    monkeypatch.undo()
    rig.sync(layout=layout)
    assert [p.name for p in (rig.root / "generations").iterdir()] == [generation]
    rig.same()


def check_elsewhere(rig: Rig, tmp_path: Path) -> None:
    """The replica's content, restored beside its disk."""
    copy = tmp_path / "copy"
    shutil.copytree(rig.root, copy)
    assert restored(copy) == rig.app.content()
    shutil.rmtree(copy)


@both_layouts
def test_a_replicas_disk_that_is_full(rig: Rig, tmp_path: Path, layout: Layout) -> None:
    with disk(tmp_path / "disk", "2m") as mounted:
        rig.root = mounted / "replica"
        generation = rig.sync(layout=layout).pos.generation
        filler = fill(mounted)
        before = {p: p.read_bytes() for p in rig.root.rglob("*") if p.is_file()}
        for _ in range(2):
            rig.app.add(60)
            refused(OutputError, rig.sync, os.strerror(errno.ENOSPC))
            assert {p: p.read_bytes() for p in rig.root.rglob("*") if p.is_file()} == before
        filler.unlink()
        assert rig.sync().pos.generation == generation
        check_elsewhere(rig, tmp_path)


def test_the_databases_own_disk_is_full(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "4m") as mounted, make_rig(mounted) as rig:
        rig.root = tmp_path / "replica"
        generation = rig.sync().pos.generation
        rig.app.add(600)
        filler = fill(mounted)
        size = rig.shadow().stat().st_size
        for _ in range(2):
            error = refused(PrimaryError, rig.sync, os.strerror(errno.ENOSPC))
            assert "nothing was lost" in (error.hint or "")
            assert rig.shadow().stat().st_size == size, "what is half is cut off"
        filler.unlink()
        assert rig.sync().pos.generation == generation
        rig.same()
        rig.app.add(1)
        rig.sync()
        rig.same()


def test_the_databases_disk_is_full_when_a_generation_begins(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "4m") as mounted, make_rig(mounted) as rig:
        rig.root = tmp_path / "replica"
        first = rig.sync().pos.generation
        rig.app.add(600)
        rig.shadow().unlink()
        filler = fill(mounted)
        for _ in range(2):
            refused(PrimaryError, rig.sync, os.strerror(errno.ENOSPC))
            assert rig.meta.generation() == first, "only a whole one becomes the current one"
        filler.unlink()
        second = rig.sync().pos.generation
        assert second != first
        rig.same()
        assert rig.meta.generations() == [second]


def test_the_databases_disk_is_read_only(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "4m") as mounted, make_rig(mounted) as rig:
        rig.root = tmp_path / "replica"
        generation = rig.sync().pos.generation
        rig.app.add(3)
        rig.app.end()
        remount(mounted, "ro")
        try:
            refused(PrimaryError, rig.sync, "not writable|SQLite cannot open it|Read-only")
        finally:
            remount(mounted, "rw")
        rig.app = App(rig.db)
        goes_on(rig, generation)


def test_the_replicas_disk_is_read_only(rig: Rig, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "4m") as mounted:
        rig.root = mounted / "replica"
        generation = rig.sync().pos.generation
        rig.app.add(1)
        remount(mounted, "ro")
        error = refused(OutputError, rig.sync, os.strerror(errno.EROFS))
        assert "remount it" in (error.hint or "")
        remount(mounted, "rw")
        assert rig.sync().pos.generation == generation
        check_elsewhere(rig, tmp_path)


# ---- no permission


_NOBODY = """
import contextlib, io, json, os, sys
from litetui.cli import run
from litetui.errors import LitetuiError
from litetui.ops import sync

def work(args):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = run(args) if args[0] != "plan" else sync.plan(*args[1:]) and 0
        except LitetuiError as error:
            code = print(f"Error: {error}\\nTry: {error.hint}", file=err) or 1
        except Exception as error:
            code = print(f"Traceback: {error!r}", file=err) or 1
    return code, err.getvalue()

# Python itself may lie where nobody can read: all that these commands load is loaded before, by using them.
warm, root = sys.argv[1:]
for args in (["sync", warm, root], ["sync", "/dev/null", root], ["info", root, "--db", warm], ["plan", warm, root]):
    work(args)
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
for line in sys.stdin:
    print(json.dumps(work(json.loads(line))), flush=True)
"""


class Nobody:
    """A process without root's rights that runs command lines."""

    def __init__(self, folder: Path) -> None:
        warm = folder / "warm.db"
        once(warm, "pragma journal_mode = wal", "create table t (x)")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _NOBODY, str(warm), str(folder / "warm")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip

    def __call__(self, *args: object) -> tuple[int, str]:
        """Exit code and stderr."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([str(a) for a in args]) + "\n")
        process.stdin.flush()
        code, text = json.loads(process.stdout.readline())
        assert "Traceback" not in text, text
        assert "unexpected" not in text, text
        return code, text

    def does(self, *args: object) -> None:
        """Without an error."""
        code, text = self(*args)
        assert code == 0, text

    def end(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nobody]:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    made = Nobody(tmp_path_factory.mktemp("nobody"))
    yield made
    made.end()


@pytest.fixture
def public(nobody: Nobody) -> Iterator[Rig]:
    """A rig in a folder that others can reach, all of it nobody's."""
    with tempfile.TemporaryDirectory(prefix="litetui-test-") as folder:
        path = Path(folder)
        os.chmod(path, 0o755)
        with make_rig(path) as made:
            made.root = path / "replicas/replica"
            made.root.parent.mkdir()
            give(path)
            yield made


def give(folder: Path, uid: int = NOBODY) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid)


def lock(path: Path, mode: int) -> Callable[[], None]:
    """Make a file or folder root's; what is given undoes it."""
    info = path.stat()
    os.chown(path, 0, 0)
    path.chmod(mode)

    def undo() -> None:
        os.chown(path, info.st_uid, info.st_gid)
        path.chmod(info.st_mode & 0o7777)

    return undo


FORBIDDEN: dict[str, Callable[[Rig], Callable[[], None]]] = {
    "the replica's folder": lambda rig: lock(rig.root, 0o700),
    "the replica's generation, to write": lambda rig: lock(wal_folder(rig), 0o555),
    "a file of the replica": lambda rig: lock(max(rig.root.rglob("*.wal.lz4")), 0o600),
    "the meta folder": lambda rig: lock(Path(rig.meta.path), 0o700),
    "the name of the generation": lambda rig: lock(Path(rig.meta.generation_file), 0o600),
    "the shadow WAL": lambda rig: lock(rig.shadow(), 0o600),
    "the shadow WAL, to write": lambda rig: lock(rig.shadow(), 0o444),
    "the lock": lambda rig: lock(Path(rig.meta.path, "litetui.lock"), 0o600),
    "the database": lambda rig: lock(rig.db, 0o600),
    "the WAL": lambda rig: lock(rig.wal, 0o600),
    "the WAL, to write": lambda rig: lock(rig.wal, 0o444),
}


def wal_folder(rig: Rig) -> Path:
    return next((rig.root / "generations").iterdir()) / "wal"


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_may_not_be_read_or_written(public: Rig, nobody: Nobody, name: str) -> None:
    rig = public
    nobody.does("sync", rig.db, rig.root)
    generation = rig.meta.generation()
    rig.app.add(2)
    allow = FORBIDDEN[name](rig)
    code, text = nobody("sync", rig.db, rig.root)
    assert code == 1
    assert text.startswith("Error: cannot ")
    assert "\nTry: " in text
    assert str(rig.db.parent) in text
    allow()
    nobody.does("sync", rig.db, rig.root)
    assert rig.meta.generation() == generation
    rig.same()


@pytest.mark.parametrize(
    "name",
    [
        "the replica's folder",
        "the meta folder",
        "the name of the generation",
        "the shadow WAL",
        "the WAL",
    ],
)
def test_a_plan_for_what_may_not_be_read_says_so(public: Rig, nobody: Nobody, name: str) -> None:
    rig = public
    nobody.does("sync", rig.db, rig.root)
    rig.app.add(1)
    FORBIDDEN[name](rig)
    code, text = nobody("plan", rig.db, rig.root)
    assert code == 1
    assert text.startswith("Error: cannot ")
    assert "\nTry: " in text


@pytest.mark.parametrize("name", ["the meta folder", "the WAL", "the database"])
def test_the_lag_of_what_may_not_be_read(public: Rig, nobody: Nobody, name: str) -> None:
    rig = public
    nobody.does("sync", rig.db, rig.root)
    FORBIDDEN[name](rig)
    code, text = nobody("info", rig.root, "--db", rig.db)
    assert code == 0 or "\nTry: " in text


def test_the_first_sync_writes_into_the_database(public: Rig, nobody: Nobody) -> None:
    rig = public
    rig.db.chmod(0o444)
    code, text = nobody("sync", rig.db, rig.root)
    assert code == 1
    assert "replication writes two small tables into it" in text
    assert "Try: run litetui as the owner of the database" in text
    rig.db.chmod(0o644)
    nobody.does("sync", rig.db, rig.root)
    rig.same()


def test_a_new_replica_where_nobody_may_make_one(public: Rig, nobody: Nobody) -> None:
    rig = public
    allow = lock(rig.root.parent, 0o755)
    code, text = nobody("sync", rig.db, rig.root)
    assert code == 1
    assert "Permission denied" in text
    assert "Try: run litetui as a user who may write into the replica" in text
    allow()
    nobody.does("sync", rig.db, rig.root)
    rig.same()


def test_what_root_began_the_owner_can_go_on_with(public: Rig, nobody: Nobody) -> None:
    """One `sudo litetui sync` must not lock the application's own user out."""
    rig = public
    rig.sync()
    rig.app.add(1)
    nobody.does("sync", rig.db, rig.root)
    rig.same()


# ---- a disk that fails


class Fails:
    """In a function's place, an error of the system, as long as it is `on`; `after` that many calls."""

    def __init__(self, real: Callable[..., object], number: int = errno.EIO, after: int = 0) -> None:
        self._real, self._number, self._after = real, number, after
        self.on = True
        self.calls = 0

    def __call__(self, *args: object, **more: object) -> object:
        self.calls += 1
        if self.on and self.calls > self._after:
            raise OSError(self._number, os.strerror(self._number))
        return self._real(*args, **more)


def test_the_wal_cannot_be_read(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    generation = rig.sync().pos.generation
    rig.app.add(3)
    for name in ("read_into", "read"):
        fails = Fails(getattr(shadow.RealWAL, name))
        monkeypatch.setattr(shadow.RealWAL, name, lambda self, *args, fails=fails: fails(self, *args))
        error = refused(PrimaryError, rig.sync, os.strerror(errno.EIO))
        assert "check it (dmesg)" in (error.hint or "")
        monkeypatch.undo()
    goes_on(rig, generation)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_the_shadow_cannot_be_written(rig: Rig, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    with rig.open() as db:
        db.sync()
        replica = rig.bind(db)
        replica.sync()
        generation = db.generation
        rig.app.add(30)
        fails = Fails(files.write_all, number)
        monkeypatch.setattr(shadow, "write_all", fails)
        for _ in range(2):
            refused(PrimaryError, db.sync, os.strerror(number))
            assert replica.sync().bytes == 0, "it has what the shadow has"
        assert db.counters.sync_errors == 2
        fails.on = False
        db.sync()
        replica.sync()
        assert db.generation == generation
        rig.same()


def test_the_next_shadow_cannot_be_begun(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one is finished, and nothing of the restarted WAL is lost."""
    with rig.open() as db:
        db.sync()
        replica = rig.bind(db)
        replica.sync()
        generation = db.generation
        fails = Fails(shadow.ShadowWriter.begin, errno.ENOSPC)
        monkeypatch.setattr(shadow.ShadowWriter, "begin", lambda self, *args: fails(self, *args))
        rig.app.add(2)
        refused(PrimaryError, lambda: db.checkpoint("PASSIVE"), os.strerror(errno.ENOSPC))
        for _ in range(2):
            rig.app.add(2)
            refused(PrimaryError, db.sync, os.strerror(errno.ENOSPC))
        fails.on = False
        db.sync()
        replica.sync()
        assert (db.generation, db.pos().index) == (generation, 1)
        rig.same()


@both_layouts
@pytest.mark.parametrize("what", ["write_all", "fsync"])
def test_the_replica_cannot_be_written(rig: Rig, monkeypatch: pytest.MonkeyPatch, layout: Layout, what: str) -> None:
    generation = rig.sync(layout=layout).pos.generation
    rig.app.add(3)
    with rig.open() as db:
        db.sync()
        db.checkpoint("PASSIVE")
        replica = rig.bind(db)
        for after in range(4):
            fails = Fails(getattr(files if what == "write_all" else os, what), after=after)
            monkeypatch.setattr(writer if what == "write_all" else os, what, fails)
            try:
                replica.snapshot()
            except OutputError as error:
                assert "check it (dmesg)" in (error.hint or "")
                assert error.path
            monkeypatch.undo()
            assert not list(rig.root.rglob("*.tmp"))
            restored(rig.root)
            rig.app.add(1)
            db.sync()
        replica.sync()
        rig.same()
    goes_on(rig, generation)


def test_the_database_cannot_be_read_for_a_snapshot(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Database, "read", Fails(lambda *_: b""))
    error = refused(UnreadableError, rig.sync, os.strerror(errno.EIO))
    assert error.path == str(rig.db)


def test_a_snapshot_that_failed_is_made_by_the_next_sync(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Database, "read", Fails(lambda *_: b""))
    with pytest.raises(UnreadableError, match=os.strerror(errno.EIO)):
        rig.sync()
    assert not list(rig.root.rglob("*.lz4*"))
    monkeypatch.undo()
    goes_on(rig, rig.meta.generation())


def test_a_shadow_that_cannot_be_read_is_not_the_replicas_fault(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    generation = rig.sync().pos.generation
    with rig.open() as db:
        rig.app.add(3)
        db.sync()
        replica = rig.bind(db)
        replica.sync()
        rig.app.add(3)
        db.sync()
        monkeypatch.setattr(os, "pread", Fails(os.pread))
        error = refused(LitetuiError, replica.sync, os.strerror(errno.EIO))
        monkeypatch.undo()
    goes_on(rig, generation)
    assert (error.path or "").startswith(rig.meta.path)


# ---- locks of others, and what is no database in WAL mode


def exclusive(rig: Rig) -> App:
    """A process that keeps the database to itself."""
    rig.app.close()
    other = App(rig.db, wal=False)
    other("pragma locking_mode = exclusive", "pragma journal_mode = wal", "insert into item (body) values ('mine')")
    return other


def test_a_database_that_another_keeps_to_itself(rig: Rig) -> None:
    rig.sync()
    other = exclusive(rig)
    for _ in range(2):
        error = refused(LockedError, rig.sync, "another process holds it locked")
        assert "locking_mode=EXCLUSIVE" in (error.hint or "")
    made = sync.plan(str(rig.db), str(rig.root))
    assert made.refusal is None, "a plan reads the WAL only, and cannot know"
    other.end()
    rig.app.reopen()
    rig.sync()
    rig.same()


def test_a_replicator_waits_for_a_database_that_another_keeps_to_itself(rig: Rig) -> None:
    rig.sync()
    other = exclusive(rig)
    token, errors = CancelToken(), list[LitetuiError]()
    replicator = Replicator(str(rig.db), [str(rig.root)], Options(monitor_interval_s=0.01, sync_interval_s=0.01))

    def run() -> None:
        try:
            replicator.run(token)
        except LitetuiError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait(lambda: replicator.state().error, "the error")
        assert isinstance(replicator.state().error, LockedError)
        other.end()
        rig.app.reopen()
        wait(lambda: replicator.state().replicas[0].synced_ns, "the sync")
        rig.app.add(2)
    finally:
        token.cancel()
        thread.join(40)
    assert errors == []
    rig.same()


def test_a_writer_that_holds_the_lock(rig: Rig) -> None:
    """The first sync makes two tables and must wait; the later ones only read."""
    rig.app("begin immediate", "insert into item (body) values ('held')")
    refused(LockedError, rig.sync, "another process holds it locked")
    rig.app("commit")
    generation = rig.sync().pos.generation
    before = rig.app.content()
    rig.app("begin immediate", "insert into item (body) values ('held')")
    assert rig.sync().pos.generation == generation
    assert restored(rig.root) == before
    rig.app("commit")
    goes_on(rig, generation)


def test_a_database_that_is_not_in_wal_mode(rig: Rig, tmp_path: Path) -> None:
    generation = rig.sync().pos.generation
    rig.app("pragma journal_mode = delete")
    error = refused(PrimaryError, rig.sync, "not in WAL mode")
    assert error.hint == f"sqlite3 {rig.db} 'PRAGMA journal_mode=WAL'"
    assert not rig.wal.exists()
    rig.app("pragma journal_mode = wal")
    rig.app.add(1)
    result = rig.sync()
    assert result.pos.generation != generation
    assert result.new_generation_reason
    rig.same()


# ---- files that go away


def test_a_wal_that_is_removed_under_everybody(rig: Rig) -> None:
    """What is written then is in no file that anybody else can see; the application's last close saves it."""
    rig.sync()
    with rig.open() as db:
        db.sync()
        rig.wal.unlink()
        rig.app.add(2)
        for _ in range(2):
            error = refused(PrimaryError, db.sync, "removed while connections have it open")
            assert error.path == str(rig.wal)
            assert "start both again" in (error.hint or "")
    rig.app.close()
    rig.app.reopen()
    assert rig.app("select count(*) from item") == [(22,)]
    rig.sync()
    rig.same()


def test_a_replica_that_vanishes_and_comes_back(rig: Rig) -> None:
    with rig.open() as db:
        db.sync()
        replica = rig.bind(db)
        replica.sync()
        generation = db.generation
        away = rig.root.with_name("away")
        os.rename(rig.root, away)
        for _ in range(2):
            rig.app.add(1)
            db.sync()
            assert db.checkpoint("PASSIVE")
            error = refused(OutputError, replica.sync, "folder is gone")
            assert "is its disk mounted" in (error.hint or "")
        assert not rig.root.exists(), "nothing is written beside the mount"
        os.rename(away, rig.root)
        change = replica.sync()
        assert (change.snapshots, db.generation) == (0, generation)
        rig.same()
