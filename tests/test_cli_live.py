"""The commands that write into a replica, as they are seen from outside."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from litetui.cli import run
from tests.primary.rig import restored, wait
from tests.primary.sql import App

LITETUI = (sys.executable, "-m", "litetui")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with App(tmp_path / "app.db") as application:
        application.add(20)
        yield application


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "replica"


def called(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    code = run([str(a) for a in args])
    output, errors = capsys.readouterr()
    assert "Traceback" not in errors
    return code, output, errors


def test_sync_as_json(app: App, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, _ = called(capsys, "sync", app.path, root, "--json")
    first = json.loads(output)
    assert code == 0
    assert first == {
        "generation": first["generation"],
        "index": 0,
        "offset": app.path.with_name("app.db-wal").stat().st_size,
        "bytes": first["offset"],
        "snapshot_created": True,
        "compressed": 0,
        "new_generation_reason": "no generation exists",
        "duration_ms": first["duration_ms"],
    }
    assert first["duration_ms"] >= 0
    app.add(1)
    code, output, _ = called(capsys, "sync", app.path, root, "--json")
    second = json.loads(output)
    assert code == 0
    assert second["generation"] == first["generation"]
    assert second["bytes"] == second["offset"] - first["offset"] > 0
    assert second["snapshot_created"] is False
    assert second["new_generation_reason"] is None
    assert restored(root) == app.content()


def test_sync_in_words(app: App, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, output, _ = called(capsys, "sync", app.path, root)
    assert "a snapshot" in output
    assert "a new generation began: no generation exists" in output
    _, output, errors = called(capsys, "sync", app.path, root)
    assert "nothing was missing" in output
    assert errors == ""


def test_a_new_generation_says_what_avoids_it(app: App, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called(capsys, "sync", app.path, root)
    app("pragma wal_checkpoint(truncate)")
    app.add(1)
    code, output, _ = called(capsys, "sync", app.path, root)
    assert code == 0
    assert "a new generation began: wal truncated by another process" in output
    assert "litetui replicate holds the WAL in place" in output
    assert restored(root) == app.content()


def test_a_snapshot_of_its_own(app: App, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called(capsys, "sync", app.path, root)
    app.add(300)
    _, output, _ = called(capsys, "snapshot", app.path, root, "--json")
    assert json.loads(output)["snapshot_created"] is False  # that of this index is there
    app("pragma wal_checkpoint(restart)")
    app.add(1)
    _, output, _ = called(capsys, "snapshot", app.path, root, "--json")
    result = json.loads(output)
    assert (result["index"], result["snapshot_created"], result["new_generation_reason"]) == (1, True, None)
    assert restored(root) == app.content()


def test_layouts(app: App, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called(capsys, "sync", app.path, root, "--layout", "wal")
    assert [p.name for p in root.rglob("*.wal*")] == ["00000000.wal"]
    code, _, errors = called(capsys, "sync", app.path, root, "--layout", "segments")
    assert code == 2
    assert "its layout is wal, not segments" in errors
    app.add(1)
    assert called(capsys, "sync", app.path, root)[0] == 0
    assert [p.name for p in root.rglob("*.wal*")] == ["00000000.wal"]
    assert restored(root) == app.content()


def test_lag(app: App, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called(capsys, "sync", app.path, root)
    _, output, _ = called(capsys, "generations", root, "--db", app.path, "--json")
    assert json.loads(output)[0]["lag_seconds"] == 0.0
    assert "nothing: the replica has every commit" in called(capsys, "info", root, "--db", app.path)[1]
    app.add(5)
    _, output, _ = called(capsys, "generations", root, "--db", app.path, "--json")
    assert json.loads(output)[0]["lag_seconds"] >= 0.0
    assert "of WAL, last written" in called(capsys, "info", root, "--db", app.path)[1]
    _, output, _ = called(capsys, "generations", root, "--json")
    assert json.loads(output)[0]["lag_seconds"] is None


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["sync", "{folder}/none.db", "{folder}/r"], 1, "there is no such file"),
        (["sync", "{folder}", "{folder}/r"], 1, "it is no regular file"),
        (["sync", "{db}", "{folder}/a/b/r"], 1, "the folder above it does not exist"),
        (["sync", "{db}", "{db}"], 1, "this looks like a SQLite database"),
        (["replicate", "{db}"], 2, "Missing argument"),
        (["replicate", "{db}", "{folder}/r", "{folder}/r/"], 2, "the same replica is named twice"),
        (["replicate", "{db}", "{folder}/r", "--sync-interval", "soon"], 2, "no duration"),
        (["replicate", "{db}", "{folder}/r", "--min-checkpoint-pages", "20000"], 2, "above --max-checkpoint-pages"),
        (["replicate", "{db}", "{folder}/r", "--metrics", "nowhere"], 2, "no HOST:PORT"),
        (["info", "{folder}/r", "--db", "{folder}/none.db"], 1, "there is no such folder"),
    ],
)
def test_wrong_input(
    app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str], args: list[str], code: int, words: str
) -> None:
    filled = [a.format(folder=tmp_path, db=app.path) for a in args]
    got, output, errors = called(capsys, *filled)
    assert (got, output) == (code, "")
    assert words in errors
    assert not (tmp_path / "r").exists()


def test_once(app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    roots = [tmp_path / "one", tmp_path / "two"]
    code, output, _ = called(capsys, "replicate", app.path, *roots, "--once")
    assert code == 0
    assert all(str(r) in output for r in roots)
    assert [restored(r) for r in roots] == [app.content()] * 2


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_replicate_with_metrics_until_sigterm(app: App, root: Path, tmp_path: Path) -> None:
    port = free_port()
    command = [*LITETUI, "replicate", str(app.path), str(root), "--metrics", f"127.0.0.1:{port}",
               "--monitor-interval", "20ms", "--sync-interval", "20ms", "-v"]  # fmt: skip
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stderr=log)

    def metrics() -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = [line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    def replicated() -> bool:
        try:
            return metrics()[f'litestream_replica_wal_offset{{{db},name="file"}}'] > 0
        except OSError:
            return False

    db = f'db="{app.path}"'
    wait(replicated, "the first sync")
    before = metrics()
    app.add(50)
    wait(
        lambda: metrics()[f"litestream_total_wal_bytes{{{db}}}"] > before[f"litestream_total_wal_bytes{{{db}}}"], "more"
    )
    seen = metrics()
    assert {name.partition("{")[0].removeprefix("litestream_") for name in seen} >= {
        "db_size", "wal_size", "total_wal_bytes", "shadow_wal_index", "shadow_wal_size", "sync_count",
        "sync_error_count", "sync_seconds", "replica_wal_bytes", "replica_wal_index", "replica_wal_offset",
    }  # fmt: skip
    assert seen[f"litestream_sync_error_count{{{db}}}"] == 0
    app.add(7)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    words = (tmp_path / "log").read_text()
    assert "stopping after a last sync" in words
    assert "Traceback" not in words
    assert restored(root) == app.content()
    assert app.path.with_name("app.db-wal").stat().st_size > 0


def test_two_litetui_on_one_database(app: App, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = subprocess.Popen([*LITETUI, "replicate", str(app.path), str(root), "--monitor-interval", "20ms"])
    try:
        wait(lambda: list(root.glob("generations/*/snapshots/*.lz4")), "the first sync")
        code, _, errors = called(capsys, "sync", app.path, tmp_path / "other")
        assert code == 1
        assert f"pid {process.pid}" in errors
        code, _, errors = called(capsys, "sync", app.path, tmp_path / "other", "--takeover")
        assert code == 1
        assert not (tmp_path / "other").exists()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert called(capsys, "sync", app.path, tmp_path / "other")[0] == 0
