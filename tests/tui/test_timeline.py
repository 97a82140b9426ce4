"""The timeline's model and picture: what it offers as a restore point is exactly what restores."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from litetui.errors import LitetuiError
from litetui.ops import validate
from litetui.ops.restore import RestorePlan, plan, run, settle
from litetui.ops.survey import GenerationSurvey, Survey
from litetui.ops.target import Target, parse_target
from litetui.replica.catalog import WALTable
from litetui.replica.detect import open_any
from litetui.replica.file import FileReplica
from litetui.replica.types import Finding, GenerationStats, SnapshotInfo
from litetui.tui.checks import Check, window_of
from litetui.tui.ltx.model import ltx_of as ltx_replica
from litetui.tui.model import GenerationView, ReplicaView, index_columns, look
from litetui.tui.timeline.axis import DAY, HOUR, MINUTE, Axis
from litetui.tui.timeline.model import Timeline
from litetui.tui.timeline.picture import LEVELS, Picture, draw, following, whole, zoomed
from litetui.tui.timeline.points import (
    Spot,
    beside_words,
    end_offset,
    evidence_words,
    find,
    ltx_of,
    nothing_words,
    point_of_line,
    point_words,
    spot,
    target,
    time_of,
)
from litetui.tui.timeline.tracks import timeline
from litetui.tui.timeline.way import way, way_words
from tests.build import GENERATION, SECOND, T0, Builder, usual_history, write_replica

Golden = Callable[[str], Path]
NOW = T0 + HOUR


def see(path: Path) -> ReplicaView:
    return look(open_any(str(path)), NOW)


def of(view: ReplicaView, name: str = "", checks: dict[str, Check] | None = None) -> Timeline:
    made = timeline(view, [name or GENERATION], checks or {})
    assert made is not None
    return made


def checked(path: Path) -> dict[str, Check]:
    """What a validation of the content says of each generation."""
    replica = open_any(str(path))
    report = validate.run(validate.plan(replica, depth="content"))
    ltx = ltx_replica(replica)
    listed = ltx.table if ltx is not None else None
    return {one.generation: Check(one, report.depth, NOW, listed=listed) for one in report.generations}


def texts(made: Timeline, point: int) -> str:
    return "  ".join(text for text, _ in point_words(made, point, NOW))


def holes(made: Timeline) -> list[str]:
    return [track.holes.words(n)[0] for track in made.tracks for n in range(len(track.holes))]


def bar(picture: Picture) -> str:
    """The bar as text: `=` restores, `#` a snapshot, `:` a hole."""
    return "".join({"window": "=", "snapshot": "#", "hole": ":"}.get(kind, " ") for kind, _ in picture.cells)


# what restores


def targets(view: ReplicaView, made: Timeline) -> Iterator[tuple[int, Target]]:
    """Every file of a track as a target, by the track's item."""
    track = made.tracks[0]
    if (ltx := ltx_of(track)) is not None:
        points = ltx.points.txid.tolist()
        ends = sorted(set(ltx.table.max_txid.tolist()))
        yield from ((points.index(t) if t in points else -1 - t, Target(txid=t)) for t in ends)
        return
    generation = view.generation(track.name)
    assert generation is not None
    for row in range(len(generation.wals)):
        yield row, Target(track.name, int(generation.wals.index[row]), end_offset(track, row))
    for n, one in enumerate(generation.snapshots):
        yield -1 - n, Target(track.name, one.index, 0)


SOUND_AND_DAMAGED = (
    "seed-multi-snapshot",
    "seed-dmg-wrong-generation-wal",
    "v03-multi-snapshot",
    "v03-dmg-flip-byte-segment",
    "v03-dmg-gap-middle-index",
    "v03-dmg-missing-last-segment-of-index",
    "v03-dmg-missing-middle-segment",
    "v03-dmg-missing-snapshot",
)


@pytest.mark.parametrize("name", SOUND_AND_DAMAGED)
def test_after_a_check_its_points_are_what_restores(golden: Golden, tmp_path: Path, name: str) -> None:
    path = golden(name)
    replica, view, checks = open_any(str(path)), see(path), checked(path)
    for generation in view.generations:
        made = of(view, generation.name, checks)
        offered = set(made.tracks[0].point_item.tolist())
        restored = set()
        for item, wanted in targets(view, made):
            out = tmp_path / "out.db"
            try:
                settled = settle(plan(replica, wanted))
                assert isinstance(settled, RestorePlan)
                run(settled, str(out), integrity_check="none")
                restored.add(item)
            except LitetuiError:
                continue
            out.unlink()
        assert offered == restored


ONE_RULE = (
    "seed-multi-gen",
    "seed-dmg-flip-byte-wal-frame",
    "v03-retention",
    "v03-dmg-flip-byte-segment",
    "v03-dmg-gap-middle-index",
    "v03-dmg-missing-middle-segment",
    "v03-dmg-missing-snapshot",
)


@pytest.mark.parametrize("name", ONE_RULE)
def test_timeline_window_times_and_checks_agree(golden: Golden, name: str) -> None:
    """Where a snapshot is younger than the WAL of its index, too, as after a retention."""
    replica, view, checks = open_any(str(golden(name))), see(golden(name)), checked(golden(name))
    for generation in view.generations:
        by_names, read = of(view, generation.name), of(view, generation.name, checks)
        for made, check in ((by_names, None), (read, checks[generation.name])):
            window = window_of(generation, check)
            points = range(len(made))
            assert (window is None) == (not points)
            if window is not None:
                assert (window.start_ns, window.end_ns) == (time_of(made, 0), time_of(made, len(made) - 1))
            for point in points:
                found = plan(replica, Target(generation.name, timestamp_ns=time_of(made, point)))
                assert found.fault is None
        windows = checks[generation.name].report.windows
        if windows:
            assert windows[0].start_ns == time_of(read, 0)
            with pytest.raises(LitetuiError):
                plan(replica, Target(generation.name, timestamp_ns=windows[0].start_ns - 1))


def test_a_point_is_said_as_the_restore_takes_it(tmp_path: Path) -> None:
    history = usual_history()
    write_replica(tmp_path / "r", history)
    replica = open_any(str(tmp_path / "r"))
    made = of(look(replica, NOW))
    assert len(made) == 13
    for point in range(len(made)):
        generation, text = target(made, point)
        here = spot(made, point)
        by_names = way(replica, here)
        settled = settle(plan(replica, parse_target(text, now_ns=NOW, generation=generation)))
        assert isinstance(settled, RestorePlan)
        expected = history.states[settled.position.index, settled.position.offset]
        out = tmp_path / f"{point}.db"
        run(settled, str(out), integrity_check="none")
        assert out.read_bytes() == expected
        assert by_names.until_ns == time_of(made, point)
        assert find(made, here) == point


def test_words_of_points(tmp_path: Path) -> None:
    write_replica(tmp_path, usual_history())
    replica = open_any(str(tmp_path))
    made = of(look(replica, NOW))
    assert f"{GENERATION}/00000000:0  snapshot  1 of 13" in texts(made, 0)
    assert texts(made, 0).startswith("by ")
    assert f"{GENERATION} 00000000, all of it  5 of 13" in texts(made, 4)
    first_end = usual_history().ends(0)[0]
    assert f"{GENERATION}/00000000:{first_end}" in texts(made, 1)
    words = [text for text, _ in way_words(way(replica, spot(made, 1)))]
    assert words[0].startswith("reads 2 files, ")
    assert words[1].startswith("leaves out 11 newer WAL files")
    assert words[2] == "from snapshot 00000000"
    assert evidence_words(made, 1, NOW) == ("content not checked", "")


# holes


def test_a_missing_wal_takes_all_that_follows(tmp_path: Path) -> None:
    built = write_replica(tmp_path, usual_history(4))
    for path in built.folder.glob("wal/00000001_*"):
        path.unlink()
    made = of(see(tmp_path))
    assert holes(made) == ["WAL 00000001 missing"]
    assert len(made) == 5
    assert beside_words(made, 4) == ("then WAL 00000001 missing: later states do not restore", "error")
    picture = draw(made, whole(made, NOW + DAY), 60, 4)
    assert bar(picture).rstrip(":").count(":") == 0
    assert bar(picture).endswith(":" * 20)
    assert {status for kind, status in picture.cells if kind == "hole"} == {"error"}
    assert [words for _, words in picture.labels] == ["WAL 00000001 missing"]


def test_a_snapshot_after_a_hole_leads_on(tmp_path: Path) -> None:
    history = usual_history(4)
    built = write_replica(tmp_path, history, snapshots={0: history.states[0, 0], 2: history.states[2, 0]})
    for path in built.folder.glob("wal/00000001_*"):
        path.unlink()
    made = of(see(tmp_path))
    assert holes(made) == ["WAL 00000001 missing"]
    number = find(made, Spot("snapshot", GENERATION, 2))
    assert number == 5
    assert beside_words(made, 5) == ("before it WAL 00000001 missing", "warning")
    assert beside_words(made, 4) == ("then WAL 00000001 missing", "error")
    assert made.landmarks.tolist() == [0, 4, 5, len(made) - 1]
    assert (made.landmark(0, 1), made.landmark(4, 1), made.landmark(5, -1), made.landmark(0, -1)) == (4, 5, 4, 0)
    cells = bar(draw(made, whole(made, NOW + DAY), 60, 0))
    assert cells.count("#") == 2
    assert ":#" in cells


@pytest.mark.parametrize("width", [10, 61, 200])
def test_a_hole_of_a_moment_is_still_drawn(tmp_path: Path, width: int) -> None:
    history = usual_history(6, 20)
    built = write_replica(tmp_path, history, snapshots={0: history.states[0, 0], 3: history.states[3, 0]})
    times = [path.stat().st_mtime_ns for path in sorted(built.folder.glob("wal/*"))]
    assert max(times) - min(times) > 100 * SECOND
    for path in built.folder.glob("wal/00000002_*"):
        path.unlink()
    cells = bar(draw(made := of(see(tmp_path)), whole(made, NOW + DAY), width, -1))
    assert ":" in cells
    assert len(cells) == width


def test_what_is_empty_or_has_no_start_breaks_the_way(tmp_path: Path) -> None:
    built = write_replica(tmp_path / "a", usual_history())
    first = sorted(built.folder.glob("wal/00000001_*"))
    first[1].write_bytes(b"")
    made = of(see(tmp_path / "a"))
    assert holes(made) == [f"WAL file {first[1].name} is empty"]
    assert len(made) == 6
    built = write_replica(tmp_path / "b", usual_history())
    sorted(built.folder.glob("wal/00000001_*"))[0].unlink()
    made = of(see(tmp_path / "b"))
    assert holes(made) == ["the first segment of 00000001 is missing"]
    assert len(made) == 5


def test_without_a_snapshot_all_is_a_hole(tmp_path: Path) -> None:
    built = write_replica(tmp_path, usual_history())
    for path in built.folder.glob("snapshots/*"):
        path.unlink()
    made = of(see(tmp_path))
    assert len(made) == 0
    assert made.near(T0) == -1
    assert nothing_words(made) == ("no restore point: no snapshot: nothing of it restores", "error")
    assert bar(draw(made, whole(made, NOW + DAY), 40, -1)) == ":" * 40


def test_wals_before_the_first_snapshot_lead_nowhere(tmp_path: Path) -> None:
    history = usual_history(3)
    built = write_replica(tmp_path, history)
    (built.folder / "snapshots/00000000.snapshot.lz4").unlink()
    built.snapshot(1, history.states[1, 0], T0 + 5 * SECOND)
    made = of(see(tmp_path))
    assert holes(made) == ["before the first snapshot"]
    assert spot(made, 0).index == 1
    assert made.tracks[0].holes.before.tolist() == [-1]
    assert bar(draw(made, whole(made, NOW + DAY), 40, -1)).startswith(":")


def test_the_newest_whole_wal_that_has_just_begun_is_no_hole(tmp_path: Path) -> None:
    built = write_replica(tmp_path, usual_history(), layout="whole")
    built.whole(3, b"", plain=True)
    made = of(see(tmp_path))
    assert holes(made) == []
    assert spot(made, len(made) - 1).index == 2


def test_what_a_check_found(golden: Golden) -> None:
    path = golden("v03-dmg-flip-byte-segment")
    view, checks = see(path), checked(path)
    name = view.generations[0].name
    before, made = of(view, name), of(view, name, checks)
    assert len(before) == 24
    assert len(made) == 14
    assert holes(made) == ["damaged from 00000002 on"]
    assert evidence_words(made, 3, NOW) == ("checked 0 s ago", "success")
    cells = draw(made, whole(made, NOW + 9999 * DAY), 80, -1).cells
    assert {status for kind, status in cells if kind in ("window", "snapshot")} == {"success"}
    assert {status for kind, status in cells if kind == "hole"} == {"error"}
    plain = draw(before, whole(before, NOW + 9999 * DAY), 80, -1).cells
    assert {status for _, status in plain} == {""}  # names make nothing green
    unread = Finding("error", "unreadable", "permission denied", generation=name, index=2)
    report = replace(checks[name].report, verdict="unknown", findings=(unread,))
    made = of(view, name, {name: replace(checks[name], report=report)})
    assert holes(made) == ["not read from 00000002 on"]
    assert beside_words(made, len(made) - 1) == ("then not read from 00000002 on: v checks again", "warning")
    failed = {name: replace(checks[name], report=replace(checks[name].report, integrity="row 3 missing"))}
    made = of(view, name, failed)
    assert evidence_words(made, len(made) - 1, NOW) == ("SQLite's integrity check failed, 0 s ago", "error")
    assert "success" not in {status for _, status in draw(made, whole(made, NOW), 80, -1).cells}


def test_files_after_a_check_are_not_checked(tmp_path: Path) -> None:
    history = usual_history()
    built = write_replica(tmp_path, history)
    checks = checked(tmp_path)
    built.segment(2, history.ends(2)[-1], b"newer")
    made = of(see(tmp_path), checks=checks)
    assert len(made) == 14
    last = len(made) - 1
    assert evidence_words(made, last, NOW) == ("content not checked", "")
    assert evidence_words(made, last - 1, NOW)[1] == "success"
    statuses = [status for _, status in draw(made, whole(made, NOW + DAY), 14, -1).cells]
    assert statuses[0] == "success"
    assert statuses[-1] == ""


def test_a_damaged_file_of_which_a_part_is_good_says_how_far(golden: Golden) -> None:
    path = golden("seed-dmg-flip-byte-wal-frame")
    view = see(path)
    made = of(view, view.generations[0].name, checked(path))
    words = beside_words(made, len(made) - 1)
    assert words is not None
    assert words[0].endswith("later states do not restore; last-good goes on to 00000004:24752")


# times


def test_a_copied_replica_stands_in_order(tmp_path: Path) -> None:
    write_replica(tmp_path / "a", usual_history(4))
    shutil.copytree(tmp_path / "a", tmp_path / "b", copy_function=shutil.copyfile)
    view = see(tmp_path / "b")
    made = of(view)
    assert made.by_order
    assert np.diff(made.x).min() == 1
    assert [spot(made, n).index for n in (0, 1, 5, 16)] == [0, 0, 1, 3]
    picture = draw(made, whole(made, NOW), 60, 16)
    assert picture.ticks.split() == ["00000000", "00000001", "00000002", "00000003"]
    assert picture.cursor == 59
    assert "copied without its times?" in texts(made, 3)
    assert not of(see(tmp_path / "a")).by_order


def test_times_may_be_equal_lie_ahead_or_step_back_a_little(tmp_path: Path) -> None:
    history = usual_history(2, 20)
    builder = Builder(tmp_path)
    builder.snapshot(0, history.states[0, 0], T0)
    ends = history.ends(0)
    for n, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        at = {7: T0 + 6 * SECOND, 12: T0 + 10 * SECOND}.get(n, T0 + n * SECOND)  # 6 and 7 at once, 12 before 11
        builder.segment(0, start, bytes(history.wals[0])[start:end], at)
    made = of(see(tmp_path))
    assert not made.by_order
    assert (np.diff(made.x) >= 0).all()
    assert len(made) == 21
    places = {target(made, n) for n in range(len(made))}
    assert len(places) == 21
    early = T0 - DAY
    assert "clocks differ" in "  ".join(text for text, _ in point_words(made, 20, early))
    assert whole(made, early) == (T0, T0 + 19 * SECOND)


def test_one_point_alone_stands_in_the_middle(tmp_path: Path) -> None:
    history = usual_history(1)
    Builder(tmp_path).snapshot(0, history.states[0, 0])
    made = of(see(tmp_path))
    assert (len(made), made.landmark(0, 1), made.landmark(0, -1)) == (1, 0, 0)
    picture = draw(made, whole(made, NOW), 61, 0)
    assert picture.cursor == 30
    assert bar(picture) == " " * 30 + "#" + " " * 30
    assert picture.peak == ""


@pytest.mark.parametrize(("days", "unit"), [(4000, "/d"), (20, "/h"), (1, "/min")])
def test_the_peak_is_a_rate_in_a_unit_that_a_cell_is_not_shorter_than(tmp_path: Path, days: int, unit: str) -> None:
    history = usual_history(3)
    builder = Builder(tmp_path)
    builder.snapshot(0, history.states[0, 0], T0)
    for index, data in enumerate(history.wals):
        builder.segments(index, bytes(data), history.ends(index))
    for n, path in enumerate(sorted((builder.folder / "wal").iterdir())):
        at = T0 + n * days * DAY // 11
        os.utime(path, ns=(at, at))
    made = of(see(tmp_path))
    picture = draw(made, whole(made, made.end + 999999 * DAY), 60, 0)
    assert picture.peak.endswith(unit)
    assert picture.peak.startswith("peak ")
    assert max(picture.levels) == LEVELS
    assert sum(level > 0 for level in picture.levels) == 12
    assert len(picture.ticks) == 60


# all generations, and both formats


def test_generations_stand_on_one_axis(golden: Golden) -> None:
    view = see(golden("v03-multi-gen"))
    names = [g.name for g in view.generations]
    made = timeline(view, names, {})
    assert made is not None
    assert len(made) == 72
    assert (np.diff(made.x) >= 0).all()
    assert [spot(made, n).track for n in (0, 30, 71)] == names[::-1]
    assert bar(draw(made, whole(made, NOW + 9999 * DAY), 100, 0)).count("#") == 3
    for point in (0, 25, 26, 47, 48, 71):
        assert find(made, spot(made, point)) == point
    assert point_of_line(made, ("index", names[1], 1)) is not None
    assert point_of_line(made, ("generation", names[1])) is None


def test_copied_generations_stand_one_behind_the_other(golden: Golden, tmp_path: Path) -> None:
    shutil.copytree(golden("v03-multi-gen"), tmp_path / "r", copy_function=shutil.copyfile)
    view = see(tmp_path / "r")
    made = timeline(view, [g.name for g in view.generations], {})
    assert made is not None
    assert made.by_order
    assert len(made) == 72
    assert (np.diff(made.x) > 0).all()


# drawing and moving


def test_the_bytes_of_all_cells_are_those_of_the_files(tmp_path: Path) -> None:
    write_replica(tmp_path, usual_history(3, 9))
    view = see(tmp_path)
    made = of(view)
    stored = int(view.generations[0].wals.size.sum())
    assert int(made.tracks[0].bytes_before[-1]) == stored
    one = draw(made, whole(made, NOW + 9999 * DAY), 1, 0)
    length = (made.end - made.start) // 10**9
    assert one.peak == f"peak {stored / length / 1000:.1f} kB/s"


@pytest.mark.parametrize("width", [7, 40, 133])
def test_cells_are_those_of_the_axis(tmp_path: Path, width: int) -> None:
    write_replica(tmp_path, usual_history(3, 9))
    made = of(see(tmp_path))
    shown = whole(made, NOW + 9999 * DAY)
    axis = Axis(*shown, width)
    for point in range(len(made)):
        assert draw(made, shown, width, point).cursor == axis.cell(int(made.x[point]))
        middle = shown[0] + (2 * axis.cell(int(made.x[point])) + 1) * (shown[1] - shown[0]) // (2 * width)
        assert axis.cell(int(made.x[made.near(middle)])) == axis.cell(int(made.x[point]))


def test_zooming_keeps_the_place_and_stays_inside() -> None:
    full = (T0, T0 + DAY)
    at = T0 + DAY // 3
    shown = full
    for _ in range(50):
        shown = zoomed(shown, full, at, 0.5, 100, by_order=False)
        assert full[0] <= shown[0] <= at <= shown[1] <= full[1]
    assert shown[1] - shown[0] == 100 * SECOND // 1000
    for _ in range(50):
        shown = zoomed(shown, full, at, 2.0, 100, by_order=False)
    assert shown == full
    assert following((T0, T0 + HOUR), full, T0 + 10 * HOUR) == (T0 + 10 * HOUR - HOUR // 2, T0 + 10 * HOUR + HOUR // 2)
    assert following((T0, T0 + HOUR), full, T0 + MINUTE) == (T0, T0 + HOUR)
    assert following((T0, T0 + HOUR), full, full[1]) == (full[1] - HOUR, full[1])


# size


def big_view(count: int) -> ReplicaView:
    """A generation of many segments, 40 an index and 1.5 s apart, with a snapshot each 200 indexes and some holes."""
    rows = np.arange(count)
    index = (rows // 40).astype(np.uint32)
    keep = index % 1000 != 500
    times = T0 + rows * 1_500_000_000
    name = "0123456789abcdef"
    table = WALTable(
        name, index, ((rows % 40) * 4152).astype(np.uint64), np.zeros(count, np.uint8), np.full(count, 999), times
    ).take(keep)
    snapshots = tuple(
        SnapshotInfo(name, n, 10**6, int(times[n * 40 + 20]), "", True) for n in range(0, count // 40, 200)
    )
    stats = GenerationStats(name, len(snapshots), len(table), 1, int(times[0]), int(times[-1]))
    one = GenerationView(
        GenerationSurvey(name, stats, True, "", 0, int(index[-1]), ()),
        snapshots,
        table,
        index_columns(table.index, table.mtime_ns),
        True,
    )
    return ReplicaView("/r", "r", "", Survey((), ()), (one,), NOW)


def test_a_million_files_are_drawn_at_once() -> None:
    view = big_view(1_000_000)
    made = of(view, view.generations[0].name)
    assert len(made.tracks[0].holes) == 25
    assert len(made) > 800_000
    full = whole(made, made.end + SECOND)
    costs = []
    for n in range(5):
        start = time.perf_counter()
        shown = zoomed(full, full, int(made.x[400_000]), 0.5**n, 150, by_order=False)
        draw(made, shown, 150, 400_000)
        point_words(made, 400_000, NOW)
        costs.append(time.perf_counter() - start)
    assert min(costs) < 0.02


def test_many_holes_are_drawn_at_once() -> None:
    view = big_view(400_000)
    generation = view.generations[0]
    table = generation.wals.take(generation.wals.index % 3 != 2)
    snapshots = tuple(
        replace(generation.snapshots[0], index=n, created_ns=T0 + n * 60 * SECOND) for n in range(0, 10_000, 3)
    )
    one = replace(generation, wals=table, snapshots=snapshots, indexes=index_columns(table.index, table.mtime_ns))
    made = of(replace(view, generations=(one,)), generation.name)
    assert len(made.tracks[0].holes) > 3000
    full = whole(made, made.end + SECOND)
    start = time.perf_counter()
    cells = bar(draw(made, full, 150, 0))
    assert time.perf_counter() - start < 1
    assert set(cells) <= {":", "#"}
    near = bar(draw(made, (made.start, made.start + 9 * 60 * SECOND), 150, 0))
    assert near.count("#") == 4
    assert "=" in near


def test_a_refresh_finds_the_point_again(tmp_path: Path) -> None:
    built = write_replica(tmp_path, usual_history())
    replica = open_any(str(tmp_path))
    assert isinstance(replica, FileReplica)
    before = of(look(replica, NOW))
    built.segment(2, 10**6, b"newer")
    replica.refresh()
    after = of(look(replica, NOW))
    assert len(after) == len(before) + 1
    for point in range(len(before)):
        assert spot(after, find(after, spot(before, point)) or 0) == spot(before, point)
    assert find(after, Spot("wal", GENERATION, 99)) is None
