"""A replica made on the spot by real Litestream 0.3.13 under a write load, restored by both.

The binary is LITETUI_LITESTREAM_0_3 (`bash .ci/run` installs it). Without it the tests are skipped, but not under CI.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import lz4.frame
import pytest

from litetui.errors import NoSuchTargetError
from litetui.ops import restore as ops
from litetui.ops.frames import read_frames
from litetui.ops.target import Target
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from litetui.replica.types import Pos
from litetui.units import format_time
from tests.live_writer import content

LITESTREAM = os.environ.get("LITETUI_LITESTREAM_0_3", "")
INDEXES = 8
_WHY = "LITETUI_LITESTREAM_0_3 names no real Litestream 0.3.13"


@dataclass(frozen=True)
class Live:
    replica: FileReplica
    generation: str
    states: frozenset[tuple[int, str]]

    def real(self, out: Path, *args: str) -> subprocess.CompletedProcess[str]:
        """Real `litestream restore`."""
        url = f"file://{self.replica.path}"
        command = [LITESTREAM, "restore", "-o", str(out), *args, url]
        return subprocess.run(command, capture_output=True, text=True, check=False)


def _wait(until: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        Event().wait(0.05)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Live:
    if not os.access(LITESTREAM, os.X_OK):
        if os.environ.get("CI"):
            pytest.fail(_WHY)
        pytest.skip(_WHY)
    folder = tmp_path_factory.mktemp("live")
    db, log, stop, root = folder / "app.db", folder / "states", folder / "stop", folder / "replica"
    config = folder / "litestream.yml"
    config.write_text(
        f"dbs:\n  - path: {db}\n    monitor-interval: 20ms\n    min-checkpoint-page-count: 150\n"
        f"    checkpoint-interval: 1h\n"
        f"    replicas:\n      - path: {root}\n        sync-interval: 40ms\n        snapshot-interval: 1200ms\n"
        f"        retention: 1h\n"
    )
    writer = subprocess.Popen([sys.executable, "-m", "tests.live_writer", str(db), str(log), str(stop)])
    _wait(lambda: log.exists() and log.stat().st_size, 20, "the writer")
    with (folder / "litestream.log").open("w") as output:
        litestream = subprocess.Popen([LITESTREAM, "replicate", "-config", str(config)], stdout=output, stderr=output)
        try:

            def enough() -> bool:
                assert litestream.poll() is None, (folder / "litestream.log").read_text()
                wals = {p.name[:8] for p in root.glob("generations/*/wal/*.wal.lz4")}
                return len(wals) > INDEXES and len(list(root.glob("generations/*/snapshots/*.lz4"))) > 1

            _wait(enough, 40, f"{INDEXES} indexes and two snapshots")
            stop.touch()
            writer.wait(20)
        finally:
            litestream.terminate()  # it syncs a last time
            litestream.wait(20)
            writer.kill()
            writer.wait()
    lines = [line.split() for line in log.read_text().splitlines()]
    replica = open_replica(root)
    return Live(replica, replica.generations()[0], frozenset((int(n), digest) for n, digest in lines))


def state_of(path: Path) -> tuple[int, str]:
    connection = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    try:
        return content(connection)
    finally:
        connection.close()


def litetui(live: Live, target: Target, out: Path, check: str = "quick") -> bytes:
    out.unlink(missing_ok=True)
    ops.run(ops.plan(live.replica, target), str(out), integrity_check=check)
    return out.read_bytes()


def litestream(live: Live, tmp_path: Path, *args: str) -> bytes:
    out = tmp_path / "real.db"
    for left in tmp_path.glob("real.db*"):
        left.unlink()
    result = live.real(out, *args)
    assert result.returncode == 0, result.stderr
    return out.read_bytes()


def test_the_load_made_what_the_tests_need(live: Live) -> None:
    table = live.replica.wals(live.generation)
    assert len(table.indexes()) > INDEXES
    assert len(table) > 3 * INDEXES
    assert len(live.replica.snapshots(live.generation)) > 1
    assert len(live.states) > 100


def test_the_latest_state(live: Live, tmp_path: Path) -> None:
    got = litetui(live, Target(), tmp_path / "out.db", check="full")
    assert got == litestream(live, tmp_path)
    assert state_of(tmp_path / "out.db") == max(live.states)


def test_every_index(live: Live, tmp_path: Path) -> None:
    for index in live.replica.wals(live.generation).indexes().tolist():
        got = litetui(live, Target(live.generation, index), tmp_path / "out.db")
        assert got == litestream(live, tmp_path, "-generation", live.generation, "-index", f"{index:08x}"), index
        assert state_of(tmp_path / "out.db") in live.states


def test_every_segments_time(live: Live, tmp_path: Path) -> None:
    """Real Litestream is asked for a sample of them, each of the rest must be a state, and no older than the last."""
    table = live.replica.wals(live.generation)
    newest = -1
    for row in range(len(table)):
        ns = int(table.mtime_ns[row])
        out = tmp_path / "out.db"
        try:
            got = litetui(live, Target(live.generation, timestamp_ns=ns), out, check="none")
        except NoSuchTargetError as error:  # a snapshot that is ahead of the segment, and none before it
            assert "cannot be reached" in error.cause
            continue
        state = state_of(out)
        assert state in live.states, row
        assert state[0] >= newest
        newest = state[0]
        if row % 4 == 0 or row == len(table) - 1:
            args = ("-generation", live.generation, "-timestamp", format_time(ns))
            real = litestream(live, tmp_path, *args)
            if got != real:
                # Real Litestream takes a snapshot that holds frames from after the time, and mixes two states; and
                # when it is ended it may write a last segment over the one before, with which its restore goes wrong.
                assert _uses_an_earlier_snapshot(live, ns) or _overlaps(live, row), row
    assert newest == max(live.states)[0]


def _overlaps(live: Live, row: int) -> bool:
    """Whether a segment begins before the one before it ends."""
    table = live.replica.wals(live.generation)
    if row == 0 or table.index[row] != table.index[row - 1]:
        return False
    index, offset = int(table.index[row]), int(table.offset[row - 1])
    name = f"generations/{live.generation}/wal/{index:08x}_{offset:08x}.wal.lz4"
    end = offset + len(lz4.frame.decompress(Path(live.replica.path, name).read_bytes()))
    return end > int(table.offset[row])


def _uses_an_earlier_snapshot(live: Live, ns: int) -> bool:
    plan = ops.settle(ops.plan(live.replica, Target(live.generation, timestamp_ns=ns)))
    return any("an earlier one is taken" in note for note in plan.notes)


def test_every_transaction_by_its_position(live: Live, tmp_path: Path) -> None:
    """Each commit of each WAL is a state that the application had, or is refused and names a position that works."""
    seen: set[int] = set()
    restored = refused = 0
    out = tmp_path / "out.db"
    for index in live.replica.wals(live.generation).indexes().tolist():
        frames = read_frames(live.replica, live.generation, index)
        assert frames.problem is None
        for end in frames.transactions.end_offset.tolist():
            try:
                litetui(live, Target.at(Pos(live.generation, index, end)), out, check="none")
            except NoSuchTargetError as error:
                first = re.search(r"first position that can be reached is (\S+)", error.cause)
                assert first is not None, error
                litetui(live, Target.at(Pos.parse(first[1])), out)
                assert state_of(out) in live.states
                refused += 1
                continue
            state = state_of(out)
            assert state in live.states, (index, end)
            seen.add(state[0])
            restored += 1
    assert restored > 10 * refused
    assert len(seen) > 0.7 * len(live.states)
    assert max(seen) == max(live.states)[0]
