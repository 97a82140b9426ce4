"""litetui replicates under a mixed load, and at random moments what it has written is restored and judged.

The load (tests/load.py) runs in processes of its own, and so does litetui. In CI each run takes a few seconds; by hand,
LITETUI_LOAD_SECONDS=60 LITETUI_LOAD_BLOB=100000000 gives the long ones.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

import pytest

from litetui.errors import LitetuiError, NoSuchTargetError, UnreadableError
from litetui.ops import restore as ops
from litetui.ops.frames import read_frames
from litetui.ops.target import Target
from litetui.replica import FileReplica, open_replica
from litetui.replica.types import Pos
from tests.load import committed, judge, states
from tests.test_load_self import Load

SECONDS = float(os.environ.get("LITETUI_LOAD_SECONDS", "5"))
BLOB = os.environ.get("LITETUI_LOAD_BLOB", "400000")
LITETUI = (sys.executable, "-m", "litetui")
FAST = ("--monitor-interval", "20ms", "--sync-interval", "20ms", "--min-checkpoint-pages", "200",
        "--max-checkpoint-pages", "1500", "--checkpoint-interval", "2s", "-v")  # fmt: skip
KINDS = [
    pytest.param("segments", ("--page-size", "4096"), id="segments"),
    pytest.param("wal", ("--page-size", "512", "--auto-vacuum", "full"), id="wal-512"),
    pytest.param("segments", ("--page-size", "65536", "--auto-vacuum", "incremental"), id="segments-65536"),
]


class Race:
    """A load and a replica beside it."""

    def __init__(self, folder: Path, layout: str, options: Sequence[str]) -> None:
        self.load = Load(folder)
        self.layout = layout
        self.path = folder / "replica"
        self.log = folder / "litetui.log"
        self.out = folder / "out.db"
        self.refusals: list[str] = []
        self.rng = random.Random(11)
        self.process = self.load.start("--blob", BLOB, "--seconds", str(SECONDS), *options)
        self.processes: list[subprocess.Popen[str] | subprocess.Popen[bytes]] = [self.process]
        deadline = time.monotonic() + 30
        while not self.load.db.exists() or committed(self.load.log) < 1:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            Event().wait(0.02)

    def sync(self) -> bool:
        """`litetui sync`, once; False where the load held a lock too long, which is no failure of ours."""
        command = [*LITETUI, "sync", str(self.load.db), str(self.path), "--layout", self.layout]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Traceback" not in result.stderr
        assert result.returncode == 0 or "holds it locked" in result.stderr, result.stderr
        return result.returncode == 0

    def restore(self, target: Target, *, at_least: int = -1) -> int | None:
        """Restore and judge. None where it is refused because a generation has just begun, or was read in a change."""
        self.out.unlink(missing_ok=True)
        try:
            replica = open_replica(self.path)
            ops.run(ops.plan(replica, target), str(self.out), integrity_check="none")
        except (NoSuchTargetError, UnreadableError) as error:
            self.refusals.append(str(error))
            return None
        counter = judge(self.out, states(self.load.log))
        assert counter >= at_least
        return counter

    def restore_points(self, replica: FileReplica, count: int) -> list[Target]:
        """Random ones of all generations: indexes, times and ends of transactions."""
        found: list[Target] = []
        for generation in replica.generations():
            table = replica.wals(generation)
            found += [Target(generation, index) for index in table.indexes().tolist()]
            found += [Target(generation, timestamp_ns=int(ns)) for ns in table.mtime_ns]
            for index in self.rng.sample(table.indexes().tolist(), min(6, len(table.indexes()))):
                frames = read_frames(replica, generation, index)
                assert frames.problem is None
                ends = frames.transactions.end_offset.tolist()
                found += [Target.at(Pos(generation, index, end)) for end in self.rng.sample(ends, min(4, len(ends)))]
        return self.rng.sample(found, min(count, len(found)))

    def finish(self) -> None:
        _, errors = self.process.communicate(timeout=120)
        assert (self.process.returncode, errors) == (0, "")


@pytest.fixture
def race(tmp_path: Path, layout: str, options: Sequence[str]) -> Iterator[Race]:
    running = Race(tmp_path, layout, options)
    yield running
    for process in running.processes:
        process.kill()  # the load's own processes follow
        process.communicate()


@pytest.mark.parametrize(("layout", "options"), KINDS)
def test_replicate_under_load(race: Race, layout: str) -> None:
    command = [*LITETUI, "replicate", str(race.load.db), str(race.path), "--layout", layout, *FAST]
    with race.log.open("w") as log:
        litetui = subprocess.Popen(command, stderr=log)
    race.processes.append(litetui)
    seen: list[int] = []
    deadline = time.monotonic() + 30
    while not list(race.path.glob("generations/*/snapshots/*.lz4")):
        assert litetui.poll() is None, race.log.read_text()
        assert time.monotonic() < deadline
        Event().wait(0.02)
    while race.process.poll() is None:
        assert litetui.poll() is None, race.log.read_text()
        Event().wait(race.rng.uniform(0.0, 0.2))  # a random moment
        counter = race.restore(Target())
        if counter is not None:
            seen.append(counter)
    race.finish()
    litetui.send_signal(signal.SIGTERM)
    assert litetui.wait(60) == 0
    # Everything that was committed is there, and time went forward.
    assert race.restore(Target(), at_least=committed(race.load.log)) is not None
    assert seen == sorted(seen)
    assert len(seen) > 4 * len(race.refusals), race.refusals
    assert check_restore_points(race) > 10


@pytest.mark.parametrize(("layout", "options"), KINDS[:2])
def test_single_syncs_race_the_load(race: Race) -> None:
    """Between syncs nobody holds the WAL: it restarts and vanishes, and new generations begin."""
    syncs = 0
    while race.process.poll() is None:
        before = committed(race.load.log)
        if race.sync():
            assert race.restore(Target(), at_least=before) is not None
            syncs += 1
    race.finish()
    assert race.sync()
    assert race.restore(Target(), at_least=committed(race.load.log)) is not None
    assert syncs > 1
    # The first WAL of a generation is mostly older than its snapshot: there, most positions are out of reach.
    assert check_restore_points(race) > 2


def check_restore_points(race: Race) -> int:
    """Restore points of the whole history give states that the application had, or are refused in words. Returns how
    many were restored."""
    replica = open_replica(race.path)
    done = 0
    for target in race.restore_points(replica, int(os.environ.get("LITETUI_LOAD_POINTS", "40"))):
        try:
            race.out.unlink(missing_ok=True)
            ops.run(ops.plan(replica, target), str(race.out), integrity_check="none")
        except NoSuchTargetError:
            continue
        except LitetuiError as error:
            pytest.fail(f"{target}: {error}")
        judge(race.out, states(race.load.log))
        done += 1
    return done
