"""For pictures, which must not change from run to run: a database that is attached without being there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from unittest.mock import patch

from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.lag import Lag
from litetui.ops.replicate import ReplicaState, State
from litetui.ops.sync import Extent, SyncPlan
from litetui.primary import guard
from litetui.primary.shadow import avoid
from litetui.replica.types import Pos
from litetui.tui import model, primary
from litetui.tui.primary import Candidate, PrimaryView
from litetui.tui.work.replication import ReplicateJob

DATABASE = "/var/lib/app.db"
SIZE = 433_192_960
SECOND = 1_000_000_000
REASON = "wal overwritten by another process"


class StandingReplication(ReplicateJob):
    """A replication that stands still, a second after a sync, until `release` is set."""

    def __init__(self, replica: str, pos: Pos, now_ns: int) -> None:
        super().__init__(DATABASE, replica, now_ns=lambda: now_ns)
        self.pos, self.at_ns = pos, now_ns
        self.release = Event()

    def _replicate(self, report: Reporter, cancel: CancelToken) -> ReplicaState:
        at = ReplicaState("file", self.target, self.pos, 1_284_512, self.at_ns - SECOND, None)
        self.seen = State(self.pos, (at,), None)
        report.log(f"going on in generation {self.pos.generation}")
        report.log(f"sync file {self.pos} +49472 bytes")
        self.release.wait(30)
        return at


def new_generation_plan(replica: str) -> SyncPlan:
    """A plan that begins a new generation."""
    return SyncPlan(DATABASE, replica, "segments", "", REASON, avoid(REASON), False, True, None, SIZE,
                    Extent(105_760, 4096), Extent(105_312, 4096), (), (), None)  # fmt: skip


@contextmanager
def attached(generation: str, *, alone: bool = False) -> Iterator[None]:
    """Within it, DATABASE can be attached, and litetui knows why the generation began. `alone`: no Litestream runs."""
    running = () if alone else (guard.Replicator("litestream", "0.3.13", 812),)
    watch = guard.Watch(running, "", "v0.3", None)
    view = PrimaryView(DATABASE, Lag(DATABASE, watch, 0, None, "", {generation: REASON}), None, None)
    with (
        patch.object(primary, "judge", lambda path, _: Candidate(path, SIZE, watch)),
        patch.object(primary, "look_at", lambda *_: view),
        patch.object(model, "look_at", lambda *_: view),
    ):
        yield
