"""What restores by names: what is said of a time is what a restore to that time does."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from litetui.errors import DamageError, LitetuiError
from litetui.ops import validate
from litetui.ops.others import points_around
from litetui.ops.plan import RestorePlan, plan
from litetui.ops.restorable import around, points_of, window, windows
from litetui.ops.survey import survey_generation
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
    for time, index in found:
        way = plan(replica, Target(timestamp_ns=time))
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


def test_of_files_whose_times_run_backwards_a_time_gives_the_last(tmp_path: Path) -> None:
    """As of a WAL that Litestream v0.3.0-0.3.4 compressed after it had begun the next."""
    built = write_replica(tmp_path, usual_history(), layout="whole")
    first, second = (next((built.folder / "wal").glob(f"0000000{n}.*")) for n in (0, 1))
    at = second.stat().st_mtime_ns
    os.utime(first, ns=(at + 1000, at + 1000))
    replica = open_replica(tmp_path)
    assert [index for time, index in points(replica) if abs(time - at) <= 1000] == [1]
    for ns in (at, at + 1000, at + 2000):
        before, after = points_around(replica, [GENERATION], ns)
        assert before is not None
        assert after is not None
        assert (before.time_ns, before.index, after.index) == (at, 1, 2)
        assert plan(replica, Target(timestamp_ns=ns)).position.index == 1


@pytest.mark.parametrize(
    ("file", "code"), [("00000001_00000000.wal.lz4", "missing-segment"), ("00000002_00000000.wal.lz4", "empty-file")]
)
def test_a_plan_carries_what_names_and_sizes_tell(tmp_path: Path, file: str, code: str) -> None:
    """As the survey does, so that no screen says that it would restore."""
    built = write_replica(tmp_path, usual_history())
    path = built.folder / "wal" / file
    if code == "empty-file":
        os.truncate(path, 0)
    else:
        path.unlink()
    replica, index = open_replica(tmp_path), int(file[:8])
    fault = plan(replica, Target()).fault
    assert isinstance(fault, DamageError)
    assert (fault.code, fault.index) == (code, index)
    assert not survey_generation(replica, GENERATION, T0).restorable
    assert plan(replica, Target(GENERATION, index - 1)).fault is None


def test_an_empty_snapshot_is_passed_over_where_another_leads_on(tmp_path: Path) -> None:
    history = usual_history()
    built = write_replica(tmp_path, history, snapshots={0: history.states[0, 0], 1: history.states[1, 0]})
    folder = built.folder / "snapshots"
    os.truncate(folder / "00000001.snapshot.lz4", 0)
    replica = open_replica(tmp_path)
    way = plan(replica, Target())
    assert (way.snapshot.index, way.fault) == (0, None)
    assert any("00000001 does not serve" in note for note in way.notes)
    assert survey_generation(replica, GENERATION, T0).restorable
    assert restore(tmp_path, Target()) == history.database
    os.truncate(folder / "00000000.snapshot.lz4", 0)
    replica = open_replica(tmp_path)
    fault = plan(replica, Target()).fault
    assert isinstance(fault, DamageError)
    assert fault.code == "empty-file"
    assert not survey_generation(replica, GENERATION, T0).restorable
    assert window(replica.wals(GENERATION), replica.snapshots(GENERATION), complete=False) is None


def test_a_snapshot_inside_a_hole_leads_nowhere(tmp_path: Path) -> None:
    history = usual_history()
    built = write_replica(tmp_path, history, snapshots={0: history.states[0, 0], 1: history.states[1, 0]})
    for path in [*(built.folder / "wal").glob("00000000_*"), *(built.folder / "wal").glob("00000001_*")]:
        path.unlink()
    replica = open_replica(tmp_path)
    found = survey_generation(replica, GENERATION, T0)
    assert [(f.severity, f.code) for f in found.findings] == [("error", "missing-wal")]
    assert not found.restorable
    assert plan(replica, Target()).fault is not None


def test_a_newest_wal_that_has_just_begun_takes_no_point_away(tmp_path: Path) -> None:
    """Its state is that of the snapshot, or of the WAL before it."""
    history = usual_history()
    built = write_replica(tmp_path, history, layout="whole")
    built.snapshot(2, history.states[2, 0], T0 + 30 * SECOND)
    built.put("wal/00000002.wal", b"", T0 + 20 * SECOND)
    replica = open_replica(tmp_path)
    assert points(replica)[-2:] == [(T0 + 2 * SECOND, 1), (T0 + 30 * SECOND, 2)]
    for index, ns in ((1, T0 + 2 * SECOND), (2, T0 + 30 * SECOND)):
        way = plan(replica, Target(timestamp_ns=ns))
        assert (way.position.index, way.fault) == (index, None)
    assert survey_generation(replica, GENERATION, T0).restorable
    assert plan(replica, Target()).fault is None


def test_a_report_by_names_has_a_window_for_each_way(tmp_path: Path) -> None:
    """As one that has read the bytes."""
    history = usual_history()
    built = write_replica(tmp_path, history, snapshots={0: history.states[0, 0], 2: history.states[2, 0]})
    for path in (built.folder / "wal").glob("00000001_*"):
        path.unlink()
    replica = open_replica(tmp_path)
    report = validate.run(validate.plan(replica, depth="names"))
    assert [TimeRange(w.start_ns, w.end_ns) for w in report.generations[0].windows] == by_content(replica)
    assert [(w.start.index, w.end.index) for w in report.generations[0].windows] == [(0, 0), (2, 2)]
    assert report.generations[0].restorable_until_ns == by_content(replica)[-1].end_ns


# many shapes: snapshots that are late or empty, WALs and segments that are missing, times that run backwards


def a_shape(root: Path, seed: int) -> FileReplica:
    """A replica of up to six WALs of three segments each; its files hold nothing that could be read."""
    dice = random.Random(seed)
    folder = root / "generations" / GENERATION
    for name in ("wal", "snapshots"):
        (folder / name).mkdir(parents=True)

    def put(name: str, ns: int, size: int = 1) -> None:
        (folder / name).write_bytes(b"x" * size)
        os.utime(folder / name, ns=(ns, ns))

    now, gaps, begin = T0, dice.random() < 0.6, dice.randint(0, 1)
    for index in range(begin, begin + dice.randint(1, 6)):
        now += 1000
        if dice.random() < (0.8 if index == begin else 0.4):
            late = dice.choice([0, 0, 1500, 3500])
            put(f"snapshots/{index:08x}.snapshot.lz4", now + late + 7, dice.random() >= 0.1)
        if gaps and dice.random() < 0.25:
            now += 3000
            continue
        for number in range(3):
            now += 1000
            if dice.random() < 0.95:
                early = 1001 if dice.random() < 0.05 else 0
                put(f"wal/{index:08x}_{number * 4152:08x}.wal.lz4", now - early, dice.random() >= 0.02)
    return FileReplica(str(root))


def without_fault(replica: FileReplica, target: Target) -> RestorePlan | None:
    try:
        found = plan(replica, target)
    except LitetuiError:
        return None
    return found if found.fault is None else None


def test_of_many_shapes_points_plans_and_survey_say_the_same(tmp_path: Path) -> None:
    met = 0
    for seed in range(80):
        replica = a_shape(tmp_path / str(seed), seed)
        if not replica.generations():
            continue
        table, snapshots = replica.wals(GENERATION), replica.snapshots(GENERATION)
        times = {*table.mtime_ns.tolist(), *(s.created_ns for s in snapshots)}
        for ns in sorted({*times, *(ns + 3 for ns in times)})[:-1]:
            way = without_fault(replica, Target(GENERATION, timestamp_ns=ns))
            before, _ = around(iter([(table, snapshots)]), ns)
            if way is not None:  # else a hole lies there, or nothing leads to what is so old
                assert before is not None, seed
                assert before.index == way.position.index, (seed, ns - T0)
            if before is not None and before.time_ns == ns:
                assert way is not None, (seed, ns - T0)
        latest = without_fault(replica, Target(GENERATION))
        found = survey_generation(replica, GENERATION, T0)
        assert (latest is not None) == found.restorable, seed
        by_search = window(table, snapshots, complete=False)
        assert window(table, snapshots, complete=found.restorable) == by_search, seed
        given = points(replica)
        spans = windows(table, snapshots)
        assert all(any(time in span for *_, span in spans) for time, _ in given), seed
        ends = [ns for *_, span in spans for ns in (span.start_ns, span.end_ns)]
        assert (min(ends), max(ends)) == (by_search.start_ns, by_search.end_ns) if by_search else not spans, seed
        for first, last, _ in spans:  # no WAL is missing inside
            assert {*range(first, last)} <= {*table.index.tolist()}, seed
        for index in [None, *sorted(set(table.index.tolist()))]:
            way = without_fault(replica, Target(GENERATION, index))
            if way is None:
                continue
            again = without_fault(replica, Target(GENERATION, timestamp_ns=way.until_ns))
            assert again is not None, (seed, index)
            if index is None or (way.until_ns, index) in given:
                assert again.position.index == way.position.index, (seed, index)
            met += 1
    assert met > 120
