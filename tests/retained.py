"""What a retention must not change: every state of its window, as bytes. And a database that lives for weeks."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

from litetui.errors import LitetuiError
from litetui.ops import restore, sync
from litetui.ops.retention import RetentionPlan, plan
from litetui.ops.target import Target
from litetui.primary.database import Database
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from litetui.replica.live import Layout
from tests.build import T0
from tests.primary.rig import Rig, rig

HOUR = 3600 * 1_000_000_000
DAY = 24 * HOUR


def targets(root: Path, cutoff_ns: int, now_ns: int) -> list[Target]:
    """The latest state, and of the window: its bounds, each time of a file, times in between, and each index."""
    replica = open_replica(root)
    times, found = {cutoff_ns, now_ns}, [Target()]
    for generation in replica.generations():
        table = replica.wals(generation)
        own = [(s.index, s.created_ns) for s in replica.snapshots(generation)]
        own += zip(table.index.tolist(), table.mtime_ns.tolist(), strict=True)
        young = [(index, at) for index, at in own if at >= cutoff_ns]
        times |= {at for _, at in young}
        found += [Target(generation, index) for index in sorted({index for index, _ in young})]
    ordered = sorted(times)
    times |= {(a + b) // 2 for a, b in pairwise(ordered)}
    return found + [Target(timestamp_ns=at) for at in sorted(times)]


def states(root: Path, wanted: list[Target]) -> dict[Target, str]:
    """The bytes that each target gives, as a digest, or the error that it is."""
    replica, out = open_replica(root), root.parent / "state.db"
    found = {}
    for target in wanted:
        out.unlink(missing_ok=True)
        try:
            with patch.object(os, "fsync"):  # nine tenths of the time, and no power fails here
                restore.run(restore.plan(replica, target), str(out), integrity_check="none")
            found[target] = hashlib.sha256(out.read_bytes()).hexdigest()
        except LitetuiError as error:
            found[target] = type(error).__name__
    out.unlink(missing_ok=True)
    return found


def same_states(root: Path, before: dict[Target, str]) -> None:
    """All that could be restored still can, with the same bytes."""
    after = states(root, list(before))
    wrong = {t: after[t] for t, value in before.items() if len(value) == 64 and after[t] != value}
    assert not wrong, f"{len(wrong)} of {len(before)} targets give something else now: {list(wrong.items())[:3]}"
    assert any(len(value) == 64 for value in before.values())


@dataclass
class Month:
    """A database that is replicated, and its clock."""

    rig: Rig
    database: Database
    replica: FileReplica
    random: random.Random
    now: int = T0
    seen: dict[Path, int] = field(default_factory=dict)

    def day(self, syncs: int = 4) -> None:
        """Some transactions and syncs, mostly a checkpoint, now and then a snapshot."""
        for _ in range(syncs):
            self.now += DAY // syncs
            self.rig.app.add(self.random.randrange(1, 12))
            sync.run_open(self.database, self.replica, snapshot=self.random.random() < 0.07)
            self.date()
        if self.random.random() < 0.8:
            self.database.checkpoint("PASSIVE")

    def new_generation(self) -> None:
        self.database.new_generation("a test wants it")

    def date(self) -> None:
        """Files that were written since the last look were written at this clock's time."""
        for path in self.rig.root.rglob("*.*"):
            at = path.stat().st_mtime_ns
            if path.is_file() and self.seen.get(path) != at:
                if at > self.now:
                    os.utime(path, ns=(self.now, self.now))
                self.seen[path] = path.stat().st_mtime_ns

    def plan(self, retention_ns: int, *, database: bool = True) -> RetentionPlan:
        return plan(
            FileReplica(self.rig.root),
            retention_ns,
            now_ns=self.now,
            database=str(self.rig.db) if database else None,
        )


@contextmanager
def month(folder: Path, layout: Layout, seed: int) -> Iterator[Month]:
    assert time.time_ns() > T0 + 60 * DAY
    with rig(folder) as made:
        database = made.open()
        try:
            yield Month(made, database, made.bind(database, layout), random.Random(f"{layout} {seed}"))
        finally:
            database.close()
