"""`litetui validate` as it is seen from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.build import GENERATION, usual_history, write_replica
from tests.conftest import Run

KEYS = {"verdict", "latest_restores", "depth", "complete", "generations", "findings", "checked"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_replica(tmp_path / "r", usual_history()).root


def damage(root: Path, pattern: str = "wal/00000002_*") -> None:
    path = sorted((root / "generations" / GENERATION).glob(pattern))[-1]
    path.write_bytes(path.read_bytes()[:-1])


def test_the_json_of_the_contract(cli: Run, root: Path) -> None:
    code, out, err = cli("validate", root, "--json")
    result = json.loads(out)
    assert (code, err) == (0, "")
    assert set(result) == KEYS
    assert (result["verdict"], result["latest_restores"], result["depth"]) == ("ok", True, "content")
    (one,) = result["generations"]
    assert {"generation", "verdict", "restorable_to", "restorable_until", "windows", "findings"} <= set(one)
    assert set(one["windows"][0]) == {"start", "end"}
    assert result["checked"].keys() == {"files", "bytes", "frames", "transactions"}
    damage(root)
    code, out, _ = cli("validate", root, "--json", "--generation", GENERATION)
    result = json.loads(out)
    assert (code, result["verdict"]) == (3, "damaged")
    (finding,) = result["generations"][0]["findings"]
    assert set(finding) == {
        "severity", "code", "path", "generation", "index", "offset", "frame", "message", "hint",
    }  # fmt: skip
    assert (finding["severity"], finding["code"], finding["index"]) == ("error", "truncated", 2)


def test_the_first_line_is_the_verdict(cli: Run, root: Path) -> None:
    assert cli("validate", root)[1].startswith("ok: the latest state restores, ")
    assert cli("validate", root, "--depth", "names")[1].startswith("ok: the names are complete; no file was opened")
    damage(root)
    code, out, _ = cli("validate", root)
    assert code == 3
    assert out.startswith("damaged: the latest state of generation")
    assert "1. before anything else" in out
    assert cli("validate", root, "--depth", "names")[0] == 0


def test_wrong_words(cli: Run, root: Path, tmp_path: Path) -> None:
    assert cli("validate", root, "--depth", "deep")[0] == 2
    assert cli("validate", tmp_path / "nowhere")[0] == 1
    (tmp_path / "notes.txt").write_text("no database at all")
    for name, words in (("nowhere.db", "no such file"), ("notes.txt", "no SQLite database")):
        code, out, err = cli("validate", root, "--db", tmp_path / name)
        assert (code, out, words in err) == (1, "", True)
    code, out, err = cli("validate", root, "--generation", "f" * 16)
    assert (code, out) == (1, "")
    assert "no generation" in err
    code, out, err = cli("validate", root, "--depth", "restore", "--scratch", tmp_path / "nowhere")
    assert (code, out) == (1, "")
    assert "Try: name a folder on a disk with room: --scratch DIR" in err


def test_the_search_for_a_sound_state(cli: Run, root: Path, tmp_path: Path) -> None:
    """The pages of this history are random, so no state is sound."""
    code, out, _ = cli("validate", root, "--find-last-good", "--scratch", tmp_path)
    assert code == 3
    assert "no restore point passes SQLite's integrity check" in out
    result = json.loads(cli("validate", root, "--find-last-good", "--scratch", tmp_path, "--json")[1])
    assert result["depth"] == "restore"
    assert result["last_good"]["position"] is None
    assert result["last_good"]["probes"] > 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r"]


def test_a_signal_leaves_nothing_behind(tmp_path: Path) -> None:
    """A real process, stopped once its scratch folder is there."""
    root = write_replica(tmp_path / "r", usual_history(40, 4, page_size=65536)).root
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "litetui", "validate", root, "--depth", "restore", "--scratch", scratch, "-v"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not any(scratch.iterdir()):
        os.sched_yield()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode in (130, 3)  # 3: it was faster
    assert "Traceback" not in err
    assert not list(scratch.iterdir())
