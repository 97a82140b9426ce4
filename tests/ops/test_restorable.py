"""What restores by names: what is said of a time is what a restore to that time does."""

from __future__ import annotations

from pathlib import Path

import pytest

from litetui.errors import LitetuiError
from litetui.ops import validate
from litetui.ops.others import points_around
from litetui.ops.plan import plan
from litetui.ops.restorable import points_of, window
from litetui.ops.target import Target
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from litetui.replica.types import TimeRange
from tests.build import GENERATION, SECOND, T0, Builder, usual_history, write_replica
from tests.ops.helpers import at_time, restore

OTHER = "a" * 16


def after_retention(root: Path, *, layout: str = "segments", later: int = 4) -> Builder:
    """From index 1 on, whose snapshot came after `later` files of its own WAL (a second each, from T0 on)."""
    history = usual_history()
    built = write_replica(root, history, layout=layout, snapshots={1: history.states[1, 0]})
    snapshot = next((built.folder / "snapshots").iterdir())
    snapshot.unlink()
    built.snapshot(1, history.states[1, 0], T0 + later * SECOND + SECOND // 2)
    return built


def points(replica: FileReplica, generation: str = GENERATION) -> list[tuple[int, int]]:
    """Time and index of each."""
    times, indexes = points_of(replica.wals(generation), replica.snapshots(generation))
    return list(zip(times.tolist(), indexes.tolist(), strict=True))


def by_content(replica: FileReplica) -> list[TimeRange]:
    report = validate.run(validate.plan(replica, depth="content"))
    return [TimeRange(w.start_ns, w.end_ns) for w in report.generations[0].windows]


def test_the_points_around_a_time(tmp_path: Path) -> None:
    replica = open_replica(write_replica(tmp_path, usual_history()).root)
    before, after = points_around(replica, [GENERATION], T0 + 3 * SECOND + 1)
    assert before is not None
    assert after is not None
    assert (before.time_ns, after.time_ns) == (T0 + 3 * SECOND, T0 + 4 * SECOND)
    before, after = points_around(replica, [GENERATION], T0 - 1)
    assert before is None
    assert after is not None
    assert (after.index, after.time_ns) == (0, T0)
    before, after = points_around(replica, [GENERATION], T0 + 99 * SECOND)
    assert after is None


def test_around_a_time_between_generations(tmp_path: Path) -> None:
    write_replica(tmp_path, usual_history())
    write_replica(tmp_path, usual_history(), generation=OTHER, start_ns=T0 + 100 * SECOND)
    replica = open_replica(tmp_path)
    before, after = points_around(replica, replica.generations(), T0 + 50 * SECOND)
    assert before is not None
    assert after is not None
    assert (before.generation, before.time_ns) == (GENERATION, T0 + 12 * SECOND)
    assert (after.generation, after.time_ns) == (OTHER, T0 + 100 * SECOND)


@pytest.mark.parametrize("layout", ["segments", "whole"])
@pytest.mark.parametrize("later", [1, 2, 4, 6])
def test_a_snapshot_that_is_younger_than_its_wal(tmp_path: Path, layout: str, later: int) -> None:
    """Nothing restores before it, and every point is what a restore to its time takes, down to the byte."""
    built = after_retention(tmp_path / "r", layout=layout, later=later)
    replica = open_replica(built.root)
    first = T0 + later * SECOND + SECOND // 2
    found = points(replica)
    assert min(time for time, _ in found) == first
    for number, (time, index) in enumerate(found):
        way = plan(replica, Target(timestamp_ns=time))
        if number + 1 < len(found) and found[number + 1][0] == time:
            continue  # of two at one time the later counts
        assert (way.until_ns, way.position.index, way.fault) == (time, index, None)
    with pytest.raises(LitetuiError):
        plan(replica, Target(timestamp_ns=first - 1))
    assert restore(built.root, at_time(found[-1][0])) == usual_history().database
    span = window(replica.wals(GENERATION), replica.snapshots(GENERATION), complete=True)
    assert [span] == by_content(replica)


def test_a_hole_before_a_late_snapshot(tmp_path: Path) -> None:
    history = usual_history()
    built = write_replica(tmp_path / "r", history, snapshots={0: history.states[0, 0]})
    built.snapshot(2, history.states[2, 0], T0 + 10 * SECOND + 1)  # after two of the four files of index 2
    for path in (built.folder / "wal").glob("00000001_*"):
        path.unlink()
    replica = open_replica(built.root)
    assert points(replica) == [
        *((T0 + n * SECOND, 0) for n in range(5)),
        (T0 + 10 * SECOND + 1, 2),
        (T0 + 10 * SECOND + 1, 2),
        (T0 + 11 * SECOND, 2),
        (T0 + 12 * SECOND, 2),
    ]
    for time, _ in points(replica):
        assert plan(replica, Target(timestamp_ns=time)).fault is None
    assert plan(replica, Target(timestamp_ns=T0 + 10 * SECOND)).fault is not None


def test_the_window_of_what_is_damaged_or_empty(tmp_path: Path) -> None:
    history = usual_history()
    built = write_replica(tmp_path / "r", history)
    next((built.folder / "wal").glob("00000001_00000000*")).unlink()
    replica = open_replica(built.root)
    table, snapshots = replica.wals(GENERATION), replica.snapshots(GENERATION)
    assert window(table, snapshots, complete=False) == TimeRange(T0, T0 + 4 * SECOND)
    assert window(table, [], complete=False) is None
    assert window(table.take(table.index < 0), snapshots, complete=True) == TimeRange(T0, T0)
