"""Another replicator on the same database: seen, refused, warned of, kept out."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from litetui import processes
from litetui.errors import PrimaryError
from litetui.primary import guard
from litetui.primary.guard import MetaLock, Replicator, Watch, holder, look, refusal, version_of, warnings
from litetui.processes import Process
from litetui.units import NS
from tests.primary.helpers import ROOT, child, holding

NOW = 1_700_000_000 * NS


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    path.write_bytes(b"data")
    return path


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    path = tmp_path / ".app.db-litestream"
    path.mkdir()
    return path


def see(db: Path, meta: Path, *, versions: bool = False) -> Watch:
    return look(str(db), str(meta), versions=versions)


def _wait(until: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        threading.Event().wait(0.02)


# ---- looking


def test_nobody_is_there(db: Path, meta: Path) -> None:
    for folder in (meta, meta / "none", db):
        watch = see(db, folder)
        assert (watch.replicators, watch.meta, watch.newest_ltx_ns) == ((), "", None)
    assert list(meta.iterdir()) == [], "looking makes nothing"


@pytest.mark.parametrize("side", ["", "-wal", "-shm"])
def test_a_process_called_litestream_with_the_database_open_is_one(db: Path, meta: Path, side: str) -> None:
    path = Path(f"{db}{side}")
    path.touch()
    with holding("litestream", path) as pid, holding("sqlite3", path):
        for versions in (False, True):
            assert see(db, meta, versions=versions).replicators == (Replicator("litestream", "", pid),)


def test_a_litestream_of_another_database_is_none(db: Path, meta: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(b"data")
    with holding("litestream", other):
        assert see(db, meta).replicators == ()


def test_a_link_to_the_database_has_its_side_files_beside_the_database(db: Path, meta: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere/link.db"
    link.symlink_to(db)
    wal = Path(f"{db}-wal")
    wal.touch()
    with holding("litestream", wal) as pid:
        assert see(link, meta).replicators == (Replicator("litestream", "", pid),)


def test_the_meta_folder_tells_who_was_here(db: Path, meta: Path) -> None:
    (meta / "generation").write_text("0123456789abcdef\n")
    assert see(db, meta).meta == "v0.3"
    (meta / "generation").unlink()
    (meta / "generations").mkdir()
    assert see(db, meta).meta == "v0.3"
    (meta / "ltx/0").mkdir(parents=True)
    (meta / "ltx/stray").write_text("no folder")
    assert (see(db, meta).meta, see(db, meta).newest_ltx_ns) == ("v0.3 and v0.5", None)
    (meta / "generations").rmdir()
    for n, name in enumerate(["0/a.ltx", "0/b.ltx", "0/c.ltx.tmp", "1/a.ltx"]):
        path = meta / "ltx" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, ns=(NOW, NOW - n if name.endswith("x") else NOW + NS))
    watch = see(db, meta)
    assert (watch.meta, watch.newest_ltx_ns) == ("v0.5", NOW)


def test_what_cannot_be_seen_is_said(db: Path, meta: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hide(*hidden: Process) -> str:
        monkeypatch.setattr(processes, "hidden_processes", lambda: list(hidden))
        return see(db, meta).unseen

    monkeypatch.setattr(processes, "in_container", lambda: False)
    assert hide() == ""
    assert hide(Process(1, "init", "")) == "1 process cannot be looked into (permission denied)"
    text = hide(Process(1, "init", ""), Process(812, "litestream", ""))
    assert text == "2 processes cannot be looked into (permission denied), among them litestream (pid 812)"
    monkeypatch.setattr(processes, "in_container", lambda: True)
    monkeypatch.setattr(processes, "others_are_invisible", lambda: True)
    assert hide().startswith("this is a container, ")
    assert "hidepid" in hide()
    monkeypatch.setattr(processes, "PROC", str(meta / "no-proc"))
    assert hide() == "/proc is not there, so no process can be looked at"


_AS_NOBODY = """
import os, sys
from litetui.primary.guard import MetaLock, look
from litetui.errors import PrimaryError
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(look(sys.argv[1], sys.argv[2]).unseen)
try:
    MetaLock(sys.argv[2]).acquire()
except PrimaryError as error:
    print(error, "Try:", error.hint)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    ("mode", "unseen"),
    [(0o700, "meta cannot be listed: Permission denied"), (0o755, "litetui.lock cannot be looked at: permission")],
)
def test_what_we_may_not_read_is_said_too(mode: int, unseen: str) -> None:
    with tempfile.TemporaryDirectory(prefix="litetui-test-") as folder:  # pytest's own is closed to others
        os.chmod(folder, 0o755)
        meta = Path(folder) / "meta"
        meta.mkdir()
        meta.chmod(mode)
        with MetaLock(str(meta)):
            command = [sys.executable, "-c", _AS_NOBODY, f"{folder}/app.db", str(meta)]
            result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    seen, refused = result.stdout.splitlines()
    assert unseen in seen
    assert "permission denied" in refused
    assert "Try: run it as" in refused


# ---- versions


def test_only_a_program_that_nobody_else_can_have_written_is_asked(tmp_path: Path) -> None:
    program = tmp_path / "litestream"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    process = subprocess.Popen([program, "60"])
    try:
        exe = os.readlink(f"/proc/{process.pid}/exe")
        info = os.stat(exe)
        running = Process(process.pid, "litestream", exe)
        assert guard._may_be_run(running, info)
        assert not guard._may_be_run(Process(process.pid, "litestream", "/bin/sleep"), info)
        assert not guard._may_be_run(Process(process.pid, "litestream", exe + " (deleted)"), info)
        program.chmod(0o757)
        assert not guard._may_be_run(running, os.stat(exe))
        program.chmod(0o755)
        assert version_of(running) == "", "sleep fails with the word version"
        if os.geteuid() == 0:
            os.chown(program, 65534, 65534)
            assert not guard._may_be_run(running, os.stat(exe))
    finally:
        process.kill()
        process.wait()
    assert version_of(running) == "", "it has ended"


# ---- deciding

LITESTREAM = Watch((Replicator("litestream", "0.3.13", 812),), "", "v0.3", None)
LITETUI = Watch((Replicator("litetui", "", 0),), "", "v0.3", None)
QUIET = Watch((), "", "", None)


def test_replicators_read_like_this() -> None:
    assert str(Replicator("litestream", "0.3.13", 812)) == "litestream 0.3.13 (pid 812)"
    assert str(Replicator("litestream", "", 812)) == "litestream (pid 812)"
    assert str(Replicator("litetui", "", 0)) == "litetui (pid unknown)"


def test_a_running_replicator_always_refuses() -> None:
    for takeover in (False, True):
        error = refusal(LITESTREAM, "/x/app.db", NOW, takeover=takeover)
        assert isinstance(error, PrimaryError)
        assert str(error) == "cannot replicate: /x/app.db: litestream 0.3.13 (pid 812) is at work on it"
        assert error.hint is not None
        assert error.hint.startswith("stop it first: systemctl stop litestream, or kill 812; ")
        assert ("--takeover is not safe" in error.hint) == takeover
        error = refusal(LITETUI, "/x/app.db", NOW, takeover=takeover)
        assert error is not None
        assert "litetui (pid unknown)" in str(error)
        assert "systemctl" not in str(error.hint)
        assert "kill" not in str(error.hint)


@pytest.mark.parametrize(
    ("age", "refused"),
    [(-3600, False), (-61, False), (-60, True), (0, True), (59, True), (60, False), (9999, False)],
)
def test_a_fresh_ltx_file_refuses_but_for_a_takeover(age: int, refused: bool) -> None:
    watch = Watch((), "", "v0.5", NOW - age * NS)
    error = refusal(watch, "/x/app.db", NOW, takeover=False)
    assert (error is not None) == refused
    if error is not None:
        assert "Litestream 0.5" in error.cause
        assert "--takeover" in str(error.hint)
        assert "stopped a moment ago" in str(error.hint)
    assert refusal(watch, "/x/app.db", NOW, takeover=True) is None


def test_silence_is_no_refusal() -> None:
    assert refusal(QUIET, "/x/app.db", NOW, takeover=False) is None
    assert refusal(Watch((), "a container", "v0.3", None), "/x/app.db", NOW, takeover=False) is None


def test_warnings() -> None:
    def words(meta: str, unseen: str = "") -> list[str]:
        return warnings(Watch((), unseen, meta, None))

    assert words("") == words("v0.3") == []
    for meta in ("v0.5", "v0.3 and v0.5"):
        (text,) = words(meta)
        assert text.startswith("Litestream 0.5 has replicated this database")
    assert words("", "it is dark") == ["another replicator cannot be ruled out: it is dark"]
    first, second = words("v0.3", "it is dark")
    assert first.startswith("Litestream 0.3 or litetui has replicated this database")
    assert second.endswith("it is dark")
    assert warnings(LITESTREAM) == []


# ---- the lock

_LOCK = """
import sys
from litetui.primary.guard import MetaLock
lock = MetaLock(sys.argv[1], sys.argv[2])
lock.acquire()
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_litetui(meta: Path) -> Iterator[int]:
    with child(_LOCK, meta, "replicate app.db") as process:
        yield process.pid


def test_a_lock_keeps_another_litetui_out_until_it_ends(db: Path, meta: Path) -> None:
    assert holder(str(meta)) is None
    with another_litetui(meta) as pid:
        assert (meta / "litetui.lock").read_text() == f"{pid} replicate app.db\n"
        for _ in range(2):
            assert holder(str(meta)) == pid
            assert see(db, meta).replicators == (Replicator("litetui", "", pid),)
            with pytest.raises(PrimaryError, match=rf"litetui \(pid {pid}\) is at work") as caught:
                MetaLock(str(meta)).acquire()
            assert f"kill {pid}" in str(caught.value.hint)
    assert holder(str(meta)) is None
    assert see(db, meta).replicators == ()
    with MetaLock(str(meta), "x"):
        assert (meta / "litetui.lock").read_text() == f"{os.getpid()} x\n", "the longer line is gone"
    assert (meta / "litetui.lock").stat().st_mode & 0o777 == 0o600


def test_a_killed_litetui_leaves_no_lock(meta: Path) -> None:
    with child(_LOCK, meta, "x") as process:
        process.kill()
        process.wait()
        assert holder(str(meta)) is None
        with MetaLock(str(meta)):
            pass


def test_two_locks_of_one_process_exclude_each_other_and_look_skips_its_own(db: Path, meta: Path) -> None:
    lock, second = MetaLock(str(meta)), MetaLock(str(meta))
    lock.acquire()
    lock.acquire()
    assert holder(str(meta)) == os.getpid()
    assert see(db, meta).replicators == ()
    with pytest.raises(PrimaryError, match=f"pid {os.getpid()}") as caught:
        second.acquire()
    assert "kill" not in str(caught.value.hint)
    second.release()
    assert holder(str(meta)) == os.getpid(), "what was not acquired releases nothing"
    lock.release()
    lock.release()
    assert holder(str(meta)) is None
    with second:
        assert holder(str(meta)) == os.getpid()
    assert (meta / "litetui.lock").exists()


def test_a_pid_that_does_not_hold_the_file_is_not_named(db: Path, meta: Path) -> None:
    """A line of a run before, or of another container whose pid is ours or somebody else's here."""
    for line in ("1 litetui", f"{os.getpid()} litetui", "", "x" * 100, "-5"):
        with another_litetui(meta):
            (meta / "litetui.lock").write_text(line)
            assert holder(str(meta)) == 0
            assert see(db, meta).replicators == (Replicator("litetui", "", 0),)
            with pytest.raises(PrimaryError, match="pid unknown"):
                MetaLock(str(meta)).acquire()


def test_a_probe_does_not_keep_anybody_out(meta: Path) -> None:
    path = meta / "litetui.lock"
    path.touch()
    probe = os.open(path, os.O_RDONLY)
    fcntl.flock(probe, fcntl.LOCK_SH)
    assert holder(str(meta)) is None
    lock = MetaLock(str(meta))
    thread = threading.Thread(target=lock.acquire)
    thread.start()
    os.close(probe)
    thread.join(10)
    assert holder(str(meta)) == os.getpid()
    lock.release()


def test_a_probe_that_never_ends_is_an_error(meta: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_PROBE_SECONDS", 0.05)
    (meta / "litetui.lock").touch()
    with (meta / "litetui.lock").open() as probe:
        fcntl.flock(probe, fcntl.LOCK_SH)
        with pytest.raises(PrimaryError, match="at work"):
            MetaLock(str(meta)).acquire()


def test_a_folder_that_cannot_be_locked_says_why(meta: Path) -> None:
    with pytest.raises(PrimaryError, match="does not exist") as caught:
        MetaLock(str(meta / "no")).acquire()
    assert caught.value.path == str(meta / "no")
    assert "mkdir" in str(caught.value.hint)
    (meta / "litetui.lock").symlink_to("/etc/passwd")
    with pytest.raises(PrimaryError, match="a link"):
        MetaLock(str(meta)).acquire()
    with pytest.raises(PrimaryError, match="a link"):
        holder(str(meta))
    (meta / "litetui.lock").unlink()
    (meta / "litetui.lock").mkdir()
    with pytest.raises(PrimaryError, match="directory"):
        MetaLock(str(meta)).acquire()


# ---- real Litestream


@pytest.mark.parametrize(("release", "version"), [("3", "0.3."), ("5", "0.5.")])
def test_real_litestream_is_found_with_its_version(release: str, version: str, tmp_path: Path) -> None:
    variable = f"LITETUI_LITESTREAM_0_{release}"
    binary = os.environ.get(variable, "")
    if not os.access(binary, os.X_OK):
        why = f"{variable} names no real Litestream 0.{release}"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    db, meta, replica = tmp_path / "app.db", tmp_path / ".app.db-litestream", tmp_path / "replica"
    connection = apsw.Connection(str(db))
    connection.execute("PRAGMA journal_mode = wal").fetchall()
    connection.execute("CREATE TABLE t (x)")
    log = tmp_path / "log"
    with log.open("w") as output:
        litestream = subprocess.Popen([binary, "replicate", str(db), f"file://{replica}"], stdout=output, stderr=output)
    try:

        def ready() -> bool:
            assert litestream.poll() is None, log.read_text()
            watch = see(db, meta, versions=True)
            versions = [r.version for r in watch.replicators]
            return bool(any(versions) and watch.meta and (watch.newest_ltx_ns or release == "3"))

        _wait(ready, 20, "Litestream to open the database")
        watch = see(db, meta, versions=True)
        (found,) = watch.replicators
        assert (found.name, found.pid) == ("litestream", litestream.pid)
        assert re.fullmatch(rf"{re.escape(version)}[0-9]+.*", found.version), found
        assert watch.meta == f"v0.{release}"
        error = refusal(watch, str(db), time.time_ns(), takeover=True)
        assert error is not None
        assert str(found) in str(error)
    finally:
        litestream.terminate()
        litestream.wait(20)
        connection.close()
    watch = see(db, meta)
    assert watch.replicators == ()
    now = time.time_ns()
    assert refusal(watch, str(db), now, takeover=True) is None
    assert (refusal(watch, str(db), now, takeover=False) is None) == (release == "3")
