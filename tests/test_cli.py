"""The command line's contract: JSON keys, exit codes, one clear line and a hint for everything that can go wrong."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from litetui import __version__
from litetui.__main__ import only_a_path
from tests.build import GENERATION, SECOND, T0, History, usual_history, write_replica
from tests.conftest import Run
from tests.sqlite_wals import real_replica


@pytest.fixture
def history() -> History:
    return usual_history()


@pytest.fixture
def root(tmp_path: Path, history: History) -> Path:
    return write_replica(tmp_path / "r", history).root


def error(result: tuple[int, str, str], code: int = 1) -> str:
    """The whole of stderr of a command that failed as it should: `Error: …` and `Try: …`."""
    got, out, err = result
    assert got == code, (out, err)
    lines = err.splitlines()
    assert lines[0].startswith("Error: ")
    assert len(lines) == 2, err
    assert lines[1].startswith("Try: ")
    assert out == ""
    return err


# ---- what a replica holds


def test_info(cli: Run, root: Path, history: History) -> None:
    code, out, err = cli("info", root, "--json")
    assert (code, err) == (0, "")
    data = json.loads(out)
    size = sum(p.stat().st_size for p in root.rglob("*") if p.is_file())
    assert data == {
        "path": str(root),
        "layout": "Litestream v0.3.5+",
        "generations": 1,
        "snapshots": 1,
        "wal_files": 12,
        "ltx_files": 0,
        "size": size,
        "newest_file": "2023-11-14T22:13:32Z",
        "newest_generation": GENERATION,
        "position": f"{GENERATION}/00000002:{history.ends(2)[-1]}",
        "start": "2023-11-14T22:13:20Z",
        "end": "2023-11-14T22:13:32Z",
        "attention": [],
    }
    code, out, _ = cli("info", root)
    assert code == 0
    assert "names complete to 2023-11-14T22:13:32Z; content not checked" in out


def test_generations(cli: Run, root: Path, history: History) -> None:
    code, out, _ = cli("generations", root, "--json")
    assert code == 0
    (row,) = json.loads(out)
    assert row == {
        "generation": GENERATION,
        "snapshots": 1,
        "wal_files": 12,
        "size": sum(p.stat().st_size for p in root.rglob("*") if p.is_file()),
        "start": "2023-11-14T22:13:20Z",
        "end": "2023-11-14T22:13:32Z",
        "position": f"{GENERATION}/00000002:{history.ends(2)[-1]}",
        "restorable": True,
        "lag_seconds": None,
    }
    code, out, _ = cli("generations", root)
    assert out.splitlines()[0].split()[:2] == ["generation", "snapshots"]
    assert GENERATION in out.splitlines()[1]


def test_a_generation_with_a_missing_index_is_not_restorable(cli: Run, root: Path) -> None:
    for path in root.rglob("00000001_*"):
        path.unlink()
    _, out, _ = cli("generations", root, "--json")
    assert json.loads(out)[0]["restorable"] is False
    _, out, _ = cli("info", root, "--json")
    assert [(f["severity"], f["code"]) for f in json.loads(out)["attention"]] == [("error", "missing-wal")]


def test_snapshots(cli: Run, root: Path) -> None:
    code, out, _ = cli("snapshots", root, "--json")
    assert code == 0
    path = next(root.rglob("*.snapshot.lz4"))
    assert json.loads(out) == [
        {
            "replica": "file",
            "generation": GENERATION,
            "index": 0,
            "size": path.stat().st_size,
            "created": "2023-11-14T22:13:20Z",
        }
    ]
    _, out, _ = cli("snapshots", root, "--generation", GENERATION)
    assert out.splitlines()[1].split()[2] == "00000000"


@pytest.mark.parametrize("layout", ["segments", "whole"])
def test_wal(cli: Run, tmp_path: Path, history: History, layout: str) -> None:
    root = write_replica(tmp_path / layout, history, layout=layout).root
    code, out, _ = cli("wal", root, "--json")
    assert code == 0
    rows = json.loads(out)
    assert all(set(r) == {"replica", "generation", "index", "offset", "size", "created", "compressed"} for r in rows)
    if layout == "segments":
        assert [(r["index"], r["offset"]) for r in rows] == [
            (i, o) for i in range(3) for o in [0, *history.ends(i)[:-1]]
        ]
        assert all(r["compressed"] for r in rows)
    else:
        assert [(r["index"], r["offset"], r["compressed"]) for r in rows] == [
            (0, None, True),
            (1, None, True),
            (2, None, False),
        ]
    for spelled in ("1", "00000001", "0x1"):
        _, out, _ = cli("wal", root, "--index", spelled, "--json")
        assert {r["index"] for r in json.loads(out)} == {1}
    _, out, _ = cli("wal", root, "--index", "7", "--json")
    assert json.loads(out) == []
    _, out, _ = cli("wal", root)
    assert len(out.splitlines()) == len(rows) + 1


def test_frames(cli: Run, root: Path, history: History) -> None:
    code, out, _ = cli("frames", root, "--generation", GENERATION, "--index", "00000001", "--json")
    assert code == 0
    data = json.loads(out)
    assert (data["generation"], data["index"], data["page_size"]) == (GENERATION, 1, 512)
    assert data["checksum_order"] == "little"
    assert data["salt1"] == history.salt1 + 1
    assert [t["end_offset"] for t in data["transactions"]] == history.ends(1)
    assert [t["transaction"] for t in data["transactions"]] == [0, 1, 2, 3]
    assert all(f["valid"] for f in data["frames"])
    assert (data["problem"], data["fault"]) == (None, None)
    assert [f["offset"] for f in data["frames"]] == [32 + n * 536 for n in range(len(data["frames"]))]
    for t in data["transactions"]:
        assert data["frames"][t["last_frame"]]["commit"] == t["database_pages"]
        assert t["pages"] == t["last_frame"] - t["first_frame"] + 1
    _, out, _ = cli("frames", root, "--generation", GENERATION, "--index", "1")
    assert "4 transactions" in out


def test_whose_pages_the_transactions_write(cli: Run, tmp_path: Path) -> None:
    rows = ["create table t (a)", "insert into t values (zeroblob(1000))"]
    root = real_replica(tmp_path, [rows]).root
    words = ("frames", root, "--generation", GENERATION, "--index", "0", "--owners", "--scratch", tmp_path)
    code, out, _ = cli(*words, "--json")
    data = json.loads(out)
    assert (code, data["owners_problem"]) == (0, None)
    assert [t["owners"] for t in data["transactions"]] == [{"sqlite_schema": 1, "t": 1}, {"t": 3, "sqlite_schema": 1}]
    kinds = {(f["page"], f["owner"], f["kind"]) for f in data["frames"]}
    assert kinds == {(1, "sqlite_schema", "schema"), (2, "t", "table"), (3, "t", "overflow"), (4, "t", "overflow")}
    _, out, _ = cli(*words)
    assert [line.split("  ")[-1] for line in out.splitlines()[1:4]] == [
        "what",
        "sqlite_schema 1, t 1",
        "t 3, sqlite_schema 1",
    ]
    code, _, err = cli(*words[:-1], tmp_path / "nowhere")
    assert code == 1
    assert "--scratch" in err


def test_frames_of_a_damaged_wal_say_where_the_valid_ones_end(cli: Run, tmp_path: Path, history: History) -> None:
    builder = write_replica(tmp_path / "d", history, layout="whole")
    data = bytearray(history.wals[2])
    data[32 + 536 * 3 + 100] ^= 1
    builder.whole(2, bytes(data), plain=True)
    code, out, _ = cli("frames", builder.root, "--generation", GENERATION, "--index", "2", "--json")
    assert code == 0
    found = json.loads(out)
    assert [f["valid"] for f in found["frames"]][:5] == [True, True, True, False, False]
    fault = found["fault"]
    assert (fault["frame"], fault["offset"], found["problem"][-21:]) == (3, 32 + 536 * 3, "its checksum is wrong")
    stored = bytes(data[fault["offset"] + 16 : fault["offset"] + 24]).hex(" ", 4)
    assert fault["checksum"]["found"] == stored != fault["checksum"]["expected"]
    assert fault["salts"]["found"] == fault["salts"]["expected"] == bytes(data[16:24]).hex(" ", 4)
    _, out, _ = cli("frames", builder.root, "--generation", GENERATION, "--index", "2")
    assert "the valid frames end here" in out
    assert f"frame 3 at offset {fault['offset']}: it does not follow on the checksum of the frame before it" in out
    assert f"checksum  {fault['checksum']['expected']}  {stored}" in out


# ---- restore

PLAN_KEYS = [
    "source", "target_path", "layout", "generation", "snapshot_index", "min_index", "max_index", "position",
    "min_txid", "max_txid", "files", "bytes_to_read", "database_size",
]  # fmt: skip
RESULT_KEYS = [*PLAN_KEYS, "duration_ms", "bytes_read", "pages_written", "sha256", "integrity_check"]


def test_restore(cli: Run, golden: Callable[[str], Path], tmp_path: Path) -> None:
    root, out_path = golden("v03-multi-gen"), tmp_path / "out.db"
    code, out, err = cli("restore", root, "-o", out_path, "--dry-run", "--json")
    assert (code, err) == (0, "")
    plan = json.loads(out)
    assert list(plan) == PLAN_KEYS
    assert not out_path.exists()
    code, out, err = cli("restore", root, "-o", out_path, "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert list(result) == RESULT_KEYS
    assert {k: result[k] for k in PLAN_KEYS} == plan
    assert result["integrity_check"] == "ok"
    assert result["database_size"] == out_path.stat().st_size
    assert result["bytes_read"] == sum((root / f).stat().st_size for f in result["files"])
    code, out, _ = cli("restore", root, "-o", tmp_path / "b.db", "--integrity-check", "none", "--json")
    assert json.loads(out)["integrity_check"] == "skipped"
    code, out, err = cli("restore", root, "-o", tmp_path / "c.db", "--position", result["position"])
    assert (code, err) == (0, "")
    assert f"restored {result['position']}" in out
    assert (tmp_path / "c.db").read_bytes() == out_path.read_bytes()


def test_a_dry_run_for_people(cli: Run, root: Path, tmp_path: Path) -> None:
    code, out, _ = cli("restore", root, "-o", tmp_path / "o.db", "--timestamp", "2023-11-14T22:13:25Z", "--dry-run")
    assert code == 0
    words = {line.split()[0] for line in out.splitlines()}
    assert words >= {"restore", "to", "snapshot", "WAL", "reads", "database", "leaves"}
    assert "7 newer WAL files" in out


def test_if_db_not_exists_and_if_replica_exists(cli: Run, root: Path, tmp_path: Path) -> None:
    out_path = tmp_path / "out.db"
    out_path.write_bytes(b"there")
    code, out, err = cli("restore", root, "-o", out_path, "--if-db-not-exists")
    assert (code, out) == (0, "")
    assert "nothing to do" in err
    code, out, err = cli("restore", tmp_path / "none", "-o", tmp_path / "b.db", "--if-replica-exists")
    assert (code, out) == (0, "")
    assert not (tmp_path / "b.db").exists()
    assert out_path.read_bytes() == b"there"


def test_the_log_comes_with_verbose_only(cli: Run, root: Path, tmp_path: Path) -> None:
    args = ["restore", root, "--integrity-check", "none", "-o"]
    assert cli(*args, tmp_path / "a.db")[2] == ""
    assert "info: restored" in cli(*args, tmp_path / "b.db", "-v")[2]


# ---- what goes wrong


def test_usage(cli: Run, root: Path, tmp_path: Path) -> None:
    o = ["-o", tmp_path / "out.db"]
    two = ["--timestamp", "2023-11-14T22:13:25Z", "--to-last-good"]
    assert "exclude each other" in error(cli("restore", root, *o, *two), 2)
    assert "--index needs --generation" in error(cli("restore", root, *o, "--index", "1"), 2)
    assert "no RFC 3339 time" in error(cli("restore", root, *o, "--timestamp", "yesterday"), 2)
    assert "is no position" in error(cli("restore", root, *o, "--position", "1:2"), 2)
    assert "is no index" in error(cli("wal", root, "--index", "xyz"), 2)
    two = ["--generation", "a" * 16, "--position", f"{GENERATION}/00000000:32"]
    assert "two generations" in cli("restore", root, *o, *two)[2]
    error(cli("restore", root), 2)
    error(cli("restore"), 2)
    error(cli("restore", root, *o, "--integrity-check", "some"), 2)
    error(cli("restore", root, *o, "--no-such-option"), 2)
    error(cli("wal"), 2)
    error(cli("completion", "cmd"), 2)
    assert not (tmp_path / "out.db").exists()


def test_no_terminal_no_ui(cli: Run, root: Path) -> None:
    for args in ([], [root], ["--demo"]):
        code, _, err = cli(*args)
        assert code == 2
        assert "no terminal" in err


def test_targets_that_are_not_there(cli: Run, root: Path, tmp_path: Path, history: History) -> None:
    o = ["-o", tmp_path / "out.db"]
    assert "there is no generation" in error(cli("restore", root, *o, "--generation", "0" * 16))
    assert "it has 00000000 to 00000002" in error(cli("restore", root, *o, "--generation", GENERATION, "--index", "9"))
    a, b = history.ends(1)[:2]
    text = error(cli("restore", root, *o, "--position", f"{GENERATION}/00000001:{a + 1}"))
    assert f"nearest end at {a} and {b}" in text
    text = error(cli("restore", root, *o, "--timestamp", "2000-01-01T00:00:00Z"))
    assert "--timestamp 2023-11-14T22:13:20Z" in text
    assert "there is no generation" in error(cli("frames", root, "--generation", "0" * 16, "--index", "0"))
    assert "there is no generation" in error(cli("snapshots", root, "--generation", "0" * 16))
    assert "there is no generation" in error(cli("wal", root, "--generation", "0" * 16))
    code, _, err = cli("frames", root, "--generation", GENERATION, "--index", "9")
    assert code == 1
    assert "has no WAL 00000009" in err
    assert "litetui wal" in err
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("verb", ["info", "generations", "snapshots", "wal"])
def test_paths_that_are_no_replica(cli: Run, tmp_path: Path, verb: str) -> None:
    (tmp_path / "empty").mkdir()
    assert "no such folder" in error(cli(verb, tmp_path / "none"))
    assert "is empty" in error(cli(verb, tmp_path / "empty"))


def test_damage_has_its_place_and_a_command_that_works(cli: Run, root: Path, tmp_path: Path, history: History) -> None:
    next(root.rglob(f"00000001_{history.ends(1)[0]:08x}.wal.lz4")).unlink()
    text = error(cli("restore", root, "-o", tmp_path / "out.db"))
    assert "index 00000001" in text
    command = re.search(r"litetui (restore .*--to-last-good)", text)
    assert command is not None
    args = [str(tmp_path / "out.db") if a == "OUT" else a for a in command[1].split()]
    assert cli(*args, "--integrity-check", "none")[0] == 0
    assert (tmp_path / "out.db").read_bytes() == history.states[1, history.ends(1)[0]]


def test_a_path_that_exists(cli: Run, root: Path, tmp_path: Path) -> None:
    (tmp_path / "out.db").write_bytes(b"x")
    assert "--force" in error(cli("restore", root, "-o", tmp_path / "out.db"))
    assert "mkdir -p" in error(cli("restore", root, "-o", tmp_path / "no/out.db"))


def test_a_pipe_that_closes_is_no_traceback(root: Path) -> None:
    script = f"{sys.executable} -m litetui wal '{root}' --json | head -c 10"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert result.stdout.startswith("[")


# ---- names that hurt

HOSTILE = "[/x] a\nb\x1b[31m 'q\" $(id) \udcff"


def test_names_that_hurt(cli: Run, tmp_path: Path, history: History) -> None:
    builder = write_replica(tmp_path / HOSTILE, history)
    builder.put("wal/\udcfe[/y]\x1b[2J.wal", b"foreign")
    root, out_path = builder.root, tmp_path / HOSTILE.replace("/", "\\")
    for verb in ("info", "generations", "snapshots", "wal"):
        code, out, err = cli(verb, root)
        assert (code, err) == (0, ""), verb
        assert "\x1b" not in out
        code, out, _ = cli(verb, root, "--json")
        json.loads(out)
    assert json.loads(cli("info", root, "--json")[1])["path"] == str(root)
    code, out, err = cli("restore", root, "-o", out_path, "--integrity-check", "none")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert out_path.read_bytes() == history.database
    code, _, err = cli("restore", root, "-o", out_path)
    assert code == 1
    assert "\x1b" not in err
    assert len(err.splitlines()) == 2
    code, _, err = cli("info", f"{root}-none")
    assert code == 1
    assert "\x1b" not in err
    assert len(err.splitlines()) == 2


def test_a_hostile_path_passes_sqlites_check_too(cli: Run, golden_copy: Callable[[str], Path], tmp_path: Path) -> None:
    root = tmp_path / HOSTILE
    root.parent.mkdir()
    golden_copy("v03-page-512").rename(root)
    out_path = tmp_path / "a?mode=rwc&b#c%41\udcff.db"
    code, out, err = cli("restore", root, "-o", out_path, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["integrity_check"] == "ok"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["golden", HOSTILE.split("/")[0], out_path.name])


# ---- the frame


def test_version_help_and_completion(cli: Run) -> None:
    assert cli("--version") == (0, f"litetui {__version__}\n", "")
    code, out, _ = cli("--help")
    assert code == 0
    for verb in ("info", "generations", "snapshots", "wal", "frames", "restore", "completion"):
        assert verb in out
        assert cli(verb, "--help")[0] == 0
    for shell in ("bash", "zsh", "fish"):
        code, out, _ = cli("completion", shell)
        assert code == 0
        assert "_LITETUI_COMPLETE" in out


def test_python_m_litetui_has_the_exit_code(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "litetui", "info", str(tmp_path / "none")], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")


def test_progress_is_drawn_on_a_terminal_only(tmp_path: Path, root: Path) -> None:
    """On a terminal stderr shows a bar, and stdout still holds nothing but the JSON document."""
    ours, theirs = pty.openpty()
    args: list[Any] = ["restore", root, "-o", tmp_path / "out.db", "--integrity-check", "none", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "litetui", *map(str, args)],
        stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    out, _ = process.communicate(timeout=30)
    os.close(ours)
    assert process.returncode == 0
    assert json.loads(out)["target_path"] == str(tmp_path / "out.db")


def test_times_are_those_of_the_files(cli: Run, root: Path) -> None:
    newest = max(p.stat().st_mtime_ns for p in root.rglob("*.lz4"))
    assert newest == T0 + 12 * SECOND
    path = next(root.rglob("*.snapshot.lz4"))
    os.utime(path, ns=(T0 - 1, T0 - 1))
    assert json.loads(cli("snapshots", root, "--json")[1])[0]["created"] == "2023-11-14T22:13:19.999999999Z"


@pytest.mark.parametrize(
    ("words", "alone"),
    [
        (["/var/lib/replica"], True),
        (["./restore"], True),
        (["restore"], False),
        (["replica"], False),
        (["--demo"], False),
        (["--db=/a/b"], False),
        (["/var/lib/replica", "--readonly"], False),
        ([], False),
    ],
)
def test_a_path_alone_waits_for_no_parser(words: list[str], alone: bool) -> None:
    assert only_a_path(words) is alone
