"""litetui is killed at random moments, again and again on the same database, while an application writes.

After each kill the replica as it lies there restores to a state that the application had, and the next sync goes on, or
begins a generation for a reason; then the replica restores to a state no older than that sync. 30 kills;
LITETUI_KILLS=500 pytest tests/crash/test_kill.py -rP does 500 and reports.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from litetui.errors import DamageError, NoSuchTargetError, NotAReplicaError
from litetui.ops.target import Target
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from litetui.replica.live import Layout
from tests.crash.helpers import Application, Place, Victim, application
from tests.crash.victim import LAYOUTS
from tests.load import committed

SEEDS = 3
THREADS = 2  # the seed of the runs in which it is `litetui replicate` with its threads
KILLS = -(-int(os.environ.get("LITETUI_KILLS", "30")) // (SEEDS * len(LAYOUTS)))
SAMPLE = max(20, KILLS)  # earlier restore points, once all kills are done
AIMS = (
    "open",
    "sync",
    "WAL",
    "snapshot",
    "checkpoint PASSIVE",
    "checkpoint RESTART",
    "compress",
    "clean",
    "generation",
)
_PLANTED = "7fffffff.wal.tmp"
_LONGEST = 0.3  # seconds from the phase to the kill


@dataclass
class Tally:
    """What happened, for the report."""

    died: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    without_snapshot: int = 0
    left_behind: int = 0
    points: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return "\n".join(
            [
                f"kills: {self.died.total()}",
                *(f"{n:6} in {phase}" for phase, n in self.died.most_common()),
                f"generations begun by the next sync: {self.reasons.total()}",
                *(f"{n:6} {reason}" for reason, n in self.reasons.most_common()),
                f"newest generation was without a snapshot when it was killed: {self.without_snapshot}",
                f"temporary files left in generations that had ended: {self.left_behind}",
                f"earlier restore points: {dict(self.points)}",
            ]
        )


class Round:
    """One kill and what follows."""

    def __init__(self, place: Place, app: Application, rng: random.Random, tally: Tally, threads: bool) -> None:
        self.place, self.app, self.rng, self.tally, self.threads = place, app, rng, tally, threads

    def run(self) -> None:
        self._kill()
        self._restore_what_is_there()
        if self.rng.random() < 0.2:
            self.app.order("restart")
        if self.rng.random() < 0.2:
            self._plant_temporary_files()
        self._sync_and_restore()

    def _kill(self) -> None:
        aim = "replicate" if self.threads else self.rng.choice(AIMS)
        if aim == "generation":
            self.app.order("restart")  # nobody else has it open: the WAL goes, and the generation ends
        with Victim(self.place, self.rng.randrange(1 << 30), threads=self.threads) as victim:
            victim.wait_for(aim, 1.0)
            victim.let_run(10 ** self.rng.uniform(-4, 0) * _LONGEST)
            self.tally.died[victim.kill()] += 1
            assert victim.errors == []

    def _restore_what_is_there(self) -> None:
        """As somebody would whose machine is gone."""
        if not self.place.replica.is_dir():
            return
        try:
            self.place.restore()
        except DamageError as error:
            if error.code != "no-snapshot":
                raise
            self.tally.without_snapshot += 1
        except NotAReplicaError as error:
            assert "this folder is empty" in error.cause, error
        except NoSuchTargetError as error:
            assert "holds no data" in error.cause, error

    def _plant_temporary_files(self) -> None:
        """As a machine that went down may leave them."""
        meta = self.place.meta
        generation = meta.generation()
        ours = self.place.replica / "generations" / generation
        for folder in (Path(meta.path), Path(meta.wal_folder(generation)), ours / "wal", ours / "snapshots"):
            if folder.is_dir():
                (folder / _PLANTED).write_bytes(self.rng.randbytes(99))

    def _sync_and_restore(self) -> None:
        before, at_least = self.place.meta.generation(), committed(self.place.log)
        done = self.place.sync()
        if done.pos.generation != before:
            # Where the sync was tried again, the one before may have begun it; its reason is noted all the same.
            reason = done.new_generation_reason or self.place.meta.reasons()[done.pos.generation]
            assert reason
            self.tally.reasons[reason] += 1
        assert self.place.temporary(done.pos.generation) == []
        assert self.place.restore() >= at_least


def restore_earlier(place: Place, rng: random.Random, tally: Tally) -> None:
    """Whatever the kills have left of earlier generations leads to states that the application had."""
    replica = open_replica(place.replica)
    points = list(_points(replica))
    for generation, index in rng.sample(points, min(SAMPLE, len(points))):
        snapshots = replica.snapshots(generation)
        if snapshots and index >= snapshots[0].index:
            place.restore(Target(generation, index))
            tally.points["restored"] += 1
        else:
            with pytest.raises((DamageError, NoSuchTargetError), match="snapshot"):
                place.restore(Target(generation, index))
            tally.points["without a snapshot"] += 1
    for generation in replica.generations():
        tally.left_behind += sum(not path.endswith(_PLANTED) for path in place.temporary(generation))


def _points(replica: FileReplica) -> Iterator[tuple[str, int]]:
    for generation in replica.generations():
        indexes = {s.index for s in replica.snapshots(generation)} | set(replica.wals(generation).indexes().tolist())
        yield from ((generation, index) for index in sorted(indexes))


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_killed_at_random_moments(tmp_path: Path, layout: Layout, seed: int) -> None:
    place, rng, tally = Place(tmp_path, layout), random.Random(f"{layout} {seed}"), Tally()
    with application(place, seed) as app:
        for number in range(KILLS):
            try:
                Round(place, app, rng, tally, seed == THREADS).run()
            except BaseException as error:
                error.add_note(f"kill {number} of {KILLS}, {layout}, seed {seed}, in {place.folder}\n{tally}")
                raise
        app.order("stop")
    restore_earlier(place, rng, tally)
    print(tally)
