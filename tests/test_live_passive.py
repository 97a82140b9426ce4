"""A replica compared with the live database that real Litestream 0.3.13, or another litetui, replicates under load."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from litetui.ops import live_check
from litetui.ops.verdict import LiveCheck
from litetui.replica import FileReplica
from tests.test_oracle import Application, indexes, litestream, litetui, until

CHECKS = 6


@contextmanager
def logged(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A replicator that writes its log into a file: a pipe that nobody reads would stop it once it is full."""
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield process
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            process.wait(30)


def checks(app: Application, replica: Path) -> list[LiveCheck]:
    found = [
        live_check.passive(FileReplica(replica), str(app.db), scratch=str(app.folder), wait_s=20) for _ in range(CHECKS)
    ]
    assert not list(app.folder.glob("litetui-*"))
    return found


@pytest.mark.parametrize("who", ["litestream", "litetui"])
def test_under_load_it_is_the_same_each_time(tmp_path: Path, who: str) -> None:
    with Application(tmp_path) as app:
        root = tmp_path / "replica"
        replica = FileReplica(root)
        command = litestream(app, root) if who == "litestream" else litetui(app, root)
        with logged(command, tmp_path / "log"):
            until(lambda: len(indexes(replica)) > 2, "three indexes")
            found = checks(app, root)
            states = len(app.states)
            assert [f.status for f in found] == ["ok"] * CHECKS, found
            positions = [f.pos for f in found if f.pos]
            assert positions == sorted(set(positions)), "each time a later position"
            until(lambda: len(app.states) > states + 20, "more transactions")
            before = len(indexes(replica))
            until(lambda: len(indexes(replica)) > before + 1, "checkpoints go on")
        assert len(replica.generations()) == 1, "nothing was disturbed"


def test_litetui_validates_what_it_replicates(tmp_path: Path) -> None:
    log = tmp_path / "log"
    line = re.compile(r"file: validation status=ok db=([0-9a-f]{16}) replica=\1 position=")
    with Application(tmp_path) as app:
        command = litetui(app, tmp_path / "replica", "--validation-interval", "50ms", "-v")
        with logged(command, log) as process:
            until(lambda: len(line.findall(log.read_text())) > 3, "validations")
        text = log.read_text()
        assert process.returncode == 0, text
        assert "status=mismatch" not in text
        assert "error: file" not in text
        assert "Traceback" not in text
        assert len(FileReplica(tmp_path / "replica").generations()) == 1


def test_the_command_says_how_often() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "litetui", "replicate", "--help"], capture_output=True, text=True, check=True
    )
    assert "--validation-interval" in done.stdout
    assert "Not in this version" not in done.stdout
