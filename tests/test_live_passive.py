"""A replica compared with the live database that real Litestream, or another litetui, replicates under load."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from litetui.format import ltx
from litetui.ops import live_check, validate
from litetui.ops.verdict import DEPTHS, LiveCheck
from litetui.replica import FileReplica
from litetui.replica.detect import open_any
from litetui.replica.ltx import LTXReplica
from tests.ltx_encode import encode
from tests.test_oracle import Application, indexes, litestream, litetui, real, until

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


def litestream_0_5(app: Application, root: Path) -> list[str]:
    config = app.folder / "litestream.yml"
    config.write_text(
        "levels:\n  - interval: 500ms\n  - interval: 2s\nsnapshot:\n  interval: 2500ms\n  retention: 1h\n"
        "l0-retention: 1s\nl0-retention-check-interval: 500ms\n"
        f"dbs:\n  - path: {app.db}\n    monitor-interval: 100ms\n    min-checkpoint-page-count: 150\n"
        f"    checkpoint-interval: 1s\n    replica:\n      type: file\n      path: {root}\n      sync-interval: 50ms\n"
    )
    return [real("0_5"), "replicate", "-config", str(config)]


def test_litestream_0_5_under_load(tmp_path: Path) -> None:
    """Checkpoints, compactions and its retention go on: the same each time, and sound each time; and a page that a
    snapshot has otherwise is found in both ways."""
    with Application(tmp_path) as app:
        root = tmp_path / "replica"
        snapshots = root / "ltx" / "9"
        with logged(litestream_0_5(app, root), tmp_path / "log"):
            until(lambda: snapshots.is_dir() and len(list(snapshots.iterdir())) > 1, "two snapshots")
            found, reports = [], []
            for depth in DEPTHS[1:] * CHECKS:
                replica = open_any(root)
                reports.append(validate.run(validate.plan(replica, depth=depth, scratch=str(tmp_path))))
                found.append(live_check.passive(replica, str(app.db), scratch=str(tmp_path), wait_s=20))
            assert [f.status for f in found] == ["ok"] * len(found), found
            assert {r.verdict for r in reports} == {"ok"}, [r.all_findings for r in reports]
            assert not list(tmp_path.glob("litetui-*"))
            app.end()
            until(lambda: at_end(root) == {0, 9}, "a snapshot of the last state")
            assert live_check.passive(open_any(root), str(app.db), scratch=str(tmp_path)).status == "ok"
            page = garble(max(snapshots.glob("*.ltx")))
            check = live_check.passive(open_any(root), str(app.db), scratch=str(tmp_path), wait_s=0)
            assert (check.status, check.pages) == ("mismatch", 1), check
            assert f": {page} (" in check.words
            report = validate.run(validate.plan(open_any(root)))
            assert [f.code for f in report.all_findings] == ["chains-differ"]
            assert f"differ ({page})" in report.all_findings[0].message


def at_end(root: Path) -> set[int]:
    """The levels (0 or 9) of the files that end with the newest TXID."""
    replica = open_any(root)
    assert isinstance(replica, LTXReplica)
    table = replica.table
    return set(table.level[table.max_txid == table.max_txid.max()].tolist()) & {0, 9}


def garble(path: Path) -> int:
    """Change a byte of a page in the midst of a snapshot, whose checksums are right again afterwards. Which page?"""
    info = path.stat()
    with path.open("rb") as file:
        decoder = ltx.Decoder(file)
        pages = [
            (int(number), image.tobytes())
            for batch in decoder.batches()
            for number, image in zip(batch.pages, batch.images, strict=True)
        ]
    number, image = pages[len(pages) // 2]
    pages[len(pages) // 2] = number, image[:-7] + bytes([image[-7] ^ 1]) + image[-6:]
    path.write_bytes(encode(decoder.header, pages))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    return number


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
