"""The file that a restore makes: where it may be made, and that it appears whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from litetui.errors import Cancelled, DamageError, LitetuiError, OutputError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import output
from litetui.ops import restore as ops
from litetui.ops.pages import PageFile
from litetui.ops.restore import RestorePlan, RestoreResult
from litetui.ops.target import Target
from litetui.replica.detect import open_replica
from tests.build import History, usual_history, write_replica


@pytest.fixture
def history() -> History:
    return usual_history()


@pytest.fixture
def root(tmp_path: Path, history: History) -> Path:
    return write_replica(tmp_path / "replica", history).root


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out/app.db"


def go(root: Path, out: Path, *, force: bool = False, check: str = "none", cancel: CancelToken | None = None,
       report: Reporter | None = None) -> RestoreResult[RestorePlan]:  # fmt: skip
    plan = ops.plan(open_replica(root), Target())
    return ops.run(plan, str(out), integrity_check=check, force=force, report=report, cancel=cancel)


def names(out: Path) -> list[str]:
    return sorted(p.name for p in out.parent.iterdir())


# ---- refused


@pytest.mark.parametrize("side", ["", "-wal", "-shm", "-journal"])
def test_what_is_there_is_not_touched(root: Path, out: Path, side: str) -> None:
    beside = Path(f"{out}{side}")
    beside.write_bytes(b"precious")
    with pytest.raises(OutputError) as caught:
        go(root, out)
    assert "--force" in (caught.value.hint or "")
    assert beside.read_bytes() == b"precious"
    assert names(out) == [beside.name]


def test_only_a_regular_file_is_ever_moved_aside(root: Path, out: Path) -> None:
    out.symlink_to("nowhere")
    for force in (False, True):
        with pytest.raises(OutputError, match="a link or a device"):
            go(root, out, force=force)
    assert out.is_symlink()


def test_a_folder_a_missing_folder_and_the_replica_itself_are_refused(root: Path, out: Path, tmp_path: Path) -> None:
    cases = {
        out.parent: "the output is a folder",
        tmp_path / "no/app.db": "does not exist",
        root / "app.db": "inside the replica",
        root / "generations/app.db": "inside the replica",
    }
    before = sorted(root.rglob("*"))
    for path, cause in cases.items():
        with pytest.raises(OutputError, match=cause) as caught:
            go(root, path)
        assert caught.value.hint
    link = tmp_path / "link"
    link.symlink_to(root)
    with pytest.raises(OutputError, match="inside the replica"):
        go(root, link / "app.db")
    assert sorted(root.rglob("*")) == before


def test_a_database_that_a_process_has_open_is_refused_even_with_force(root: Path, out: Path) -> None:
    out.write_bytes(b"in use")
    hold = "import sys; f = open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(out)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        with pytest.raises(OutputError, match=rf"\(pid {holder.pid}\) has it open"):
            go(root, out, force=True)
        assert out.read_bytes() == b"in use"
    finally:
        holder.communicate()


def test_another_restores_temporary_file_is_left_alone(root: Path, out: Path) -> None:
    Path(f"{out}.tmp").write_bytes(b"theirs")
    with pytest.raises(OutputError, match="temporary file of another restore") as caught:
        go(root, out)
    assert "rm " in (caught.value.hint or "")
    assert Path(f"{out}.tmp").read_bytes() == b"theirs"
    assert names(out) == ["app.db.tmp"]


# ---- force


def test_force_moves_the_database_and_its_side_files_aside_together(root: Path, out: Path, history: History) -> None:
    for side in ("", "-wal", "-shm"):
        Path(f"{out}{side}").write_text("old" + side)
    out.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(out, 65534, 65534)
    result = go(root, out, force=True)
    assert out.read_bytes() == history.database
    assert out.stat().st_mode & 0o777 == result.mode == 0o640
    if os.geteuid() == 0:
        assert (out.stat().st_uid, out.stat().st_gid) == (65534, 65534)
    moved = names(out)[1:]
    base = moved[0]
    assert base.startswith("app.db.before-restore-")
    assert moved == [base, f"{base}-shm", f"{base}-wal"]
    for side in ("", "-wal", "-shm"):
        assert (out.parent / f"{base}{side}").read_text() == "old" + side
    assert [os.path.basename(m) for m in result.moved] == [base, f"{base}-wal", f"{base}-shm"]
    assert any(base in step for step in result.next_steps)


def test_force_twice_in_a_second_keeps_both(root: Path, out: Path) -> None:
    for n in range(3):
        go(root, out, force=True)
        out.write_bytes(b"%d" % n)
    kept = [p for p in out.parent.iterdir() if "before-restore" in p.name]
    assert sorted(p.read_bytes() for p in kept) == [b"0", b"1"]


def test_force_that_fails_leaves_what_was_there(root: Path, out: Path) -> None:
    out.write_bytes(b"old")
    with pytest.raises(DamageError):
        go(root, out, force=True, check="quick")  # the pages of a History are no real database
    assert out.read_bytes() == b"old"
    assert names(out) == ["app.db"]


def test_a_new_file_is_for_its_owner_only(root: Path, out: Path) -> None:
    result = go(root, out)
    assert out.stat().st_mode & 0o777 == result.mode == 0o600
    assert any("belongs to" in step for step in result.next_steps)


def test_the_file_is_compared_with_the_database_that_it_is_for(root: Path, out: Path, tmp_path: Path) -> None:
    result = go(root, out)
    database = tmp_path / "live one.db"
    assert ops.beside(result, str(database)) == result
    database.write_bytes(b"")
    database.chmod(0o640)
    first, *rest = ops.beside(result, str(database)).next_steps
    assert first == f"the file has mode 600, live one.db 640: chmod 640 {out}"
    assert tuple(rest) == result.next_steps[1:]
    if os.geteuid() == 0:
        os.chown(database, 12345, 12346)
        owner = output.owner_name(0, 0)
        words = f"the file belongs to {owner}, live one.db to 12345:12346 and has mode 600, live one.db 640"
        assert output.owner_step(str(out), str(database)) == f"{words}: chown 12345:12346 {out} && chmod 640 {out}"
        os.chown(database, 0, 0)
    database.chmod(0o600)
    assert output.owner_step(str(out), str(database)).endswith("mode 600, as live one.db does")


# ---- nothing is left behind


def test_a_failed_integrity_check_leaves_nothing(root: Path, out: Path) -> None:
    for check in ("quick", "full"):
        with pytest.raises(DamageError) as caught:
            go(root, out, check=check)
        assert caught.value.code == "integrity-check"
        assert "--integrity-check none" in (caught.value.hint or "")
        assert names(out) == []


def test_no_space_is_seen_before_anything_is_written(
    root: Path, out: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs(out.parent)
    fields = list(real)
    fields[4] = (len(history.database) - 1) // real.f_frsize  # f_bavail
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(fields))
    monkeypatch.setattr(output.Output, "__enter__", lambda _: pytest.fail("a file was made"))
    with pytest.raises(OutputError, match="are free"):
        go(root, out)
    assert names(out) == []


@pytest.mark.parametrize("where", ["append", "apply", "finish"])
def test_a_disk_that_fills_up_leaves_nothing(
    root: Path, out: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(PageFile, where, full)
    with pytest.raises(OutputError) as caught:
        go(root, out)
    assert "space" in (caught.value.hint or "")
    assert names(out) == []


def test_something_that_appears_meanwhile_is_not_replaced(
    root: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object) -> str:
        out.write_bytes(b"came meanwhile")
        return "skipped"

    monkeypatch.setattr(output, "check_integrity", slow)
    with pytest.raises(OutputError, match="exists"):
        go(root, out)
    assert out.read_bytes() == b"came meanwhile"
    assert names(out) == ["app.db"]


def test_cancel_at_any_moment_leaves_nothing(root: Path, out: Path) -> None:
    """A token that is cancelled at its nth look, for every n until the restore gets through."""

    class Counting(CancelToken):
        def __init__(self, looks: int) -> None:
            super().__init__()
            self.looks = looks

        def check(self) -> None:
            self.looks -= 1
            if self.looks == 0:
                self.cancel()
            super().check()

    for n in range(1, 1000):
        try:
            go(root, out, cancel=Counting(n))
            break
        except Cancelled:
            assert names(out) == [], n
    assert n > 5
    assert names(out) == ["app.db"]


def test_a_cancelled_token_stops_before_anything_is_made(root: Path, out: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        go(root, out, cancel=token)
    assert names(out) == []


def test_progress_names_its_phases_and_only_grows(root: Path, out: Path) -> None:
    seen: list[int] = []
    phases: list[str] = []

    class Watching(Reporter):
        def phase(self, name: str, total: int = 0, unit: str = "bytes") -> None:
            super().phase(name, total, unit)
            phases.append(name)

        def advance(self, done: int) -> None:
            super().advance(done)
            seen.append(self.progress.done)
            assert 0 <= (self.progress.fraction or 0) <= 1

    go(root, out, report=Watching())
    assert phases[-3:] == ["snapshot", "WAL", "write to disk"]
    assert seen == sorted(seen)
    assert seen[-1] > 0


# ---- signals, in a process of its own

_SLOW = """
import sys, time
from litetui.ops import pages
append = pages.PageFile.append
def slow(self, block):
    append(self, block)
    while True:  # a restore that never ends: only the token stops it
        time.sleep(0.005)
        TOKEN.check()
pages.PageFile.append = slow
from litetui import cli
from litetui.cli import restore
from contextlib import contextmanager
real = restore.interruptible
@contextmanager
def kept():
    global TOKEN
    with real() as TOKEN:
        yield TOKEN
restore.interruptible = kept
sys.exit(cli.run(sys.argv[1:]))
"""


def _start(root: Path, out: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW, "restore", str(root), "-o", str(out)], stderr=subprocess.PIPE, text=True
    )
    tmp = Path(f"{out}.tmp")
    deadline = time.monotonic() + 20
    while not (tmp.exists() and tmp.stat().st_size):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
    return process


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_stop_it_and_leave_nothing(root: Path, out: Path, name: str) -> None:
    process = _start(root, out)
    process.send_signal(getattr(signal, name))
    _, error = process.communicate(timeout=10)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert error.startswith("Error: ")
    assert names(out) == []


def test_a_kill_leaves_the_temporary_file_at_most(root: Path, out: Path, history: History) -> None:
    process = _start(root, out)
    process.kill()
    process.communicate(timeout=10)
    assert names(out) == ["app.db.tmp"]
    with pytest.raises(LitetuiError, match="temporary file of another restore"):
        go(root, out)
    Path(f"{out}.tmp").unlink()
    go(root, out)
    assert out.read_bytes() == history.database
