"""The command `retention`, as it is seen from outside; and `replicate` that enforces one."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from litetui.cli import run
from tests.build import GENERATION, usual_history, write_replica
from tests.primary.rig import restored, wait
from tests.primary.sql import App

LITETUI = (sys.executable, "-m", "litetui")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A replica of long ago: snapshots of two indexes, four segments each."""
    history = usual_history(2)
    snapshots = {n: history.states[n, 0] for n in (0, 1)}
    return write_replica(tmp_path / "replica", history, snapshots=snapshots).root


def called(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    code = run([str(a) for a in args])
    output, errors = capsys.readouterr()
    assert "Traceback" not in errors
    return code, output, errors


def files(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}


def on_a_terminal(root: Path, typed: str) -> tuple[int, str]:
    """The exit code and the words of a command whose input is a terminal at which somebody types."""
    ours, its = pty.openpty()
    try:
        os.write(ours, f"{typed}\n".encode())
        command = [*LITETUI, "retention", str(root), "--retention", "1h"]
        done = subprocess.run(command, stdin=its, capture_output=True, text=True, check=False)
    finally:
        os.close(ours)
        os.close(its)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_the_plan_as_json_and_its_enforcement(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(root)
    code, output, errors = called(capsys, "retention", root, "--retention", "1h", "--dry-run", "--json")
    assert (code, errors) == (0, "")
    plan = json.loads(output)
    assert plan["applied"] is False
    assert plan["retention"] == "1h"
    assert {i["path"] for i in plan["keep"]} | {i["path"] for i in plan["delete"]} == before
    assert [i["path"] for i in plan["delete"]][:2] == [
        f"generations/{GENERATION}/snapshots/00000000.snapshot.lz4",
        f"generations/{GENERATION}/wal/00000000_{usual_history(1).ends(0)[-2]:08x}.wal.lz4",
    ]
    assert set(plan["delete"][0]) == {"path", "size", "reason"}
    assert plan["bytes_freed"] == sum((root / i["path"]).stat().st_size for i in plan["delete"])
    assert plan["window_before"] == {"start": "2023-11-14T22:13:20Z", "end": "2023-11-14T22:13:29Z"}
    assert plan["window_after"] == {"start": "2023-11-14T22:13:25Z", "end": "2023-11-14T22:13:29Z"}
    assert files(root) == before

    code, output, _ = called(capsys, "retention", root, "--retention", "1h", "--yes", "--json")
    done = json.loads(output)
    assert (code, done["applied"]) == (0, True)
    assert done["delete"] == plan["delete"]
    assert files(root) == {i["path"] for i in plan["keep"]}
    code, output, _ = called(capsys, "retention", root, "--retention", "1h", "--yes")
    assert code == 0
    assert "nothing to delete" in output


def test_the_plan_in_words(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(root)
    _, output, _ = called(capsys, "retention", root, "--retention", "36h", "--dry-run")
    lines = output.splitlines()
    assert "1d12h, back to " in output
    assert "2023-11-14T22:13:20Z to 2023-11-14T22:13:29Z (9.0 s) now" in output
    assert "2023-11-14T22:13:25Z to 2023-11-14T22:13:29Z (4.0 s) afterwards" in output
    assert next(line for line in lines if line.startswith("deletes")).startswith("deletes    5 files, ")
    wals = f"{GENERATION} WAL 00000000: 4 files, "
    reason = "older than snapshot 00000001 of 2023-11-14T22:13:25Z"
    assert next(line for line in lines if wals in line).endswith(f": {reason}")
    assert len(lines) < 15
    _, verbose, _ = called(capsys, "retention", root, "--retention", "36h", "--dry-run", "-v")
    assert {line.split()[1] for line in verbose.splitlines() if line.split()[1].startswith("generations/")} == before
    assert files(root) == before


def test_a_database_that_the_replica_is_not_of_is_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(root)
    with App(tmp_path / "other.db") as app:
        app.add(1)
        code, _, errors = called(capsys, "retention", root, "--retention", "1h", "--db", app.path, "--yes")
    assert (code, files(root)) == (1, before)
    assert "is it the replica of another database?" in errors


def test_a_person_types_the_number(root: Path) -> None:
    before = files(root)
    code, words = on_a_terminal(root, "4")
    assert (code, files(root)) == (2, before)
    assert "nothing was deleted: '4' is not 5" in words
    assert "type 5 to delete 5 files" in words
    code, words = on_a_terminal(root, "5")
    assert code == 0, words
    assert "deleted 5 files" in words
    assert len(files(root)) == len(before) - 5


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--retention", "1h"], 2, "this is no terminal, so nobody can be asked"),
        (["--retention", "1h", "--json"], 2, "this is no terminal"),
        (["--retention", "0s", "--yes"], 2, "longer than nothing"),
        (["--retention", "soon", "--yes"], 2, "no duration"),
        (["--yes"], 2, "Missing option '--retention'"),
        (["--retention", "1h", "--rule", "mine", "--yes"], 2, "'mine' is not one of"),
        (["--retention", "1h", "--db", "/nowhere/x.db", "--yes"], 1, "there is no such file"),
    ],
)
def test_wrong_input(root: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, words: str) -> None:
    before = files(root)
    got, output, errors = called(capsys, "retention", root, *options)
    assert (got, output) == (code, "")
    assert words in errors
    assert files(root) == before


def test_readonly(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(root)
    code, _, errors = called(capsys, "--readonly", "retention", root, "--retention", "1h", "--yes")
    assert (code, files(root)) == (2, before)
    assert "started with --readonly" in errors
    assert called(capsys, "--readonly", "retention", root, "--retention", "1h", "--dry-run")[0] == 0


def test_an_error_says_how_far_it_came(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wal = root / "generations" / GENERATION / "wal"
    real = os.unlink

    def unlink(path: str, *, dir_fd: int | None = None) -> None:
        if path.endswith("_00000000.wal.lz4"):
            raise PermissionError(13, "Permission denied")
        real(path, dir_fd=dir_fd)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "unlink", unlink)
        code, _, errors = called(capsys, "retention", root, "--retention", "1h", "--yes")
    assert code == 1
    assert f"{wal}/00000000_00000000.wal.lz4: Permission denied; 4 of 5 files were deleted before" in errors
    assert "then run it again for the rest" in errors


# ---- beside replicate


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with App(tmp_path / "app.db") as application:
        application.add(20)
        yield application


def replicating(app: App, root: Path, *options: str) -> subprocess.Popen[str]:
    fast = ["--monitor-interval", "10ms", "--sync-interval", "10ms", "--min-checkpoint-pages", "5"]
    return subprocess.Popen(
        [*LITETUI, "replicate", str(app.path), str(root), "-v", *fast, *options], stderr=subprocess.PIPE, text=True
    )


def test_replicate_enforces_it(app: App, tmp_path: Path) -> None:
    root = tmp_path / "live"
    process = replicating(app, root, "--retention", "300ms")
    try:
        seen: set[str] = set()

        def one_is_gone() -> bool:
            app.add(8)
            now = {path for path in files(root) if not path.endswith(".tmp")}
            seen.update(now)
            return any("/snapshots/" in path for path in seen - now)

        wait(one_is_gone, "the retention", 30)
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0, log
    assert re.search(r"retention.* deleted", log), "or cancelled in its midst, which says so too"
    assert " error: " not in log
    assert restored(root) == app.content()


def test_replicate_without_a_retention(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from litetui.ops import replicate

    seen: list[replicate.Options] = []

    def once(self: replicate.Replicator, cancel: object) -> list[object]:
        seen.append(self.options)
        return []

    monkeypatch.setattr(replicate.Replicator, "once", once)
    for options in (["--retention", "0"], ["--retention", "10m"], []):
        assert run(["replicate", str(app.path), str(tmp_path / "r"), "--once", *options]) in (0, 1)
    none, short, usual = seen
    assert none.retain is None
    assert short.retain is not None
    assert short.retention_check_interval_s == 600.0
    assert usual.retention_check_interval_s == 3600.0


def test_what_goes_anyway_is_not_read(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in root.rglob("00000000_*"):
        info = path.stat()
        path.write_bytes(b"\0" * info.st_size)
        os.utime(path, ns=(info.st_mtime_ns, info.st_mtime_ns))
    code, output, _ = called(capsys, "retention", root, "--retention", "1h", "--yes", "--json")
    assert code == 0
    assert len(json.loads(output)["delete"]) == 5
