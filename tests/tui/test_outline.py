"""The tree's lines: how WALs are grouped, and what keeps its key."""

from __future__ import annotations

import numpy as np
import pytest

from litetui.ops.survey import GenerationSurvey, Survey
from litetui.replica.catalog import WALTable
from litetui.replica.types import GenerationStats, SnapshotInfo
from litetui.tui.grouping import groups
from litetui.tui.marks import Marks
from litetui.tui.model import GenerationView, ReplicaView, index_columns
from litetui.tui.outline import branches_above, find_group, outline
from litetui.tui.tree_line import GROUPS, Key
from litetui.units import parse_time

G = "5efbd8d042012dca"
START = parse_time("2026-11-20T22:30:00Z")
MINUTE = 60 * 1_000_000_000


def view_of(minutes: list[int], files: int = 1, first: int = 0, snapshots: int = 0) -> ReplicaView:
    """A replica of one generation whose indexes were last written at these minutes, with a snapshot every hour."""
    count = len(minutes)
    index = np.repeat(np.arange(first, first + count, dtype=np.uint32), files)
    mtime = np.repeat(np.array([START + m * MINUTE for m in minutes], np.int64), files)
    stats = GenerationStats(G, 0, count, 0, START, int(mtime.max()))
    of_one = GenerationSurvey(G, stats, True, "", 0, count - 1, ())
    taken = tuple(
        SnapshotInfo(G, n, 4096, START + 60 * n * MINUTE, f"{n:08x}.snapshot.lz4", True) for n in range(snapshots)
    )
    generation = GenerationView(of_one, taken, WALTable.empty(G), index_columns(index, mtime), newest=True)
    return ReplicaView("/r", "r", "segments", Survey((of_one,), ()), (generation,), START)


def kinds(view: ReplicaView) -> list[str]:
    columns = view.generations[0].indexes
    return [group.kind for group in groups(columns, 0, len(columns)) or []]


def test_few_indexes_are_not_grouped() -> None:
    assert kinds(view_of(list(range(20)))) == []


def test_a_day_is_grouped_by_hours_and_more_by_days() -> None:
    assert kinds(view_of(list(range(0, 300, 5)))) == ["hour"] * 6
    assert kinds(view_of(list(range(0, 3 * 1440, 15)))) == ["day"] * 4


def test_an_hour_with_too_many_and_times_that_jump_go_by_ranges() -> None:
    assert set(kinds(view_of([0] * 1000))) == {"range"}
    jumping = [0, 500, 3, 1000] * 250
    assert set(kinds(view_of(jumping))) == {"range"}


def test_a_million_indexes_never_make_a_branch_of_more_than_the_limit() -> None:
    columns = index_columns(np.arange(1_000_000, dtype=np.uint32), np.zeros(1_000_000, np.int64))

    def widest(start: int, stop: int, inside: str) -> int:
        inner = groups(columns, start, stop, inside)
        if inner is None:
            return stop - start
        first = inner[0]
        return max(len(inner), widest(first.start, first.stop, first.kind))

    assert widest(0, len(columns), "") <= 300


@pytest.mark.parametrize(
    "view",
    [
        view_of(list(range(0, 3 * 1440, 3)), snapshots=400),
        view_of([0] * 100_000, first=0x10000),
        view_of(list(range(300)) * 2, snapshots=3),
    ],
    ids=["days", "ranges in ranges", "copied"],
)
def test_every_file_is_reached_through_the_branches_above_it(view: ReplicaView) -> None:
    (generation,) = view.generations
    last = int(generation.indexes.index[-1])
    keys: list[Key] = [("index", G, int(index)) for index in generation.indexes.index[[0, 200, -1]]]
    keys += [("snapshot", G, one.index) for one in (generation.snapshots[:1] + generation.snapshots[-1:])]
    for key in keys:
        opened = set(branches_above(view, key))
        lines = outline(view, opened, START)
        assert any(line.key == key for line in lines)
        assert len({line.key for line in lines}) == len(lines)
        for branch in opened:
            if branch[0] in GROUPS:
                group = find_group(generation, branch)
                assert group is not None
                assert group.first <= int(key[2]) <= group.last <= last
                assert opened.issuperset(branches_above(view, branch))


def test_more_snapshots_than_the_limit_are_grouped() -> None:
    snapshots: Key = ("snapshots", G)
    opened = {("replica",), ("generation", G), snapshots}

    def below(count: int) -> list[tuple[str, str, str]]:
        lines = outline(view_of([1], snapshots=count), opened, START, marked=Marks(snapshots={G: [1]}))
        return [(line.text, line.note, line.status) for line in lines if line.depth == 3]

    assert len(below(300)) == 300
    assert below(301)[0] == ("3 Dec", "11", "")
    assert below(301)[-1] == ("20 Nov", "2", "error")


def test_a_groups_key_does_not_change_when_it_grows_or_loses_its_first() -> None:
    opened: set[Key] = {("replica",), ("generation", G), ("wals", G)}
    grown, cut = view_of(list(range(0, 320, 5))), view_of(list(range(10, 300, 5)), first=2)
    keys = [line.key for line in outline(view_of(list(range(0, 300, 5))), opened, START)]
    assert set(keys) <= {line.key for line in outline(grown, opened, START)}
    assert keys == [line.key for line in outline(cut, opened, START)]


def test_the_newest_stands_first_and_says_that_it_is_active() -> None:
    lines = outline(view_of([1, 2, 3], files=4), {("replica",), ("generation", G), ("wals", G)}, START)
    indexes = [(line.text, line.note) for line in lines if line.kind == "index"]
    assert indexes == [("00000002", "active"), ("00000001", "4 segments"), ("00000000", "4 segments")]
