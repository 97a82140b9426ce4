"""Which lines of the tree get a `+`: those that came, and closed branches that hide one."""

from __future__ import annotations

from dataclasses import replace

from litetui.tui.model import ReplicaView
from litetui.tui.newness import is_news
from litetui.tui.outline import outline
from litetui.tui.tree_line import Key
from tests.tui.test_outline import START, G, view_of

ROOT: Key = ("replica",)
OPEN: set[Key] = {ROOT, ("generation", G), ("wals", G)}


def news(seen: ReplicaView, view: ReplicaView, opened: set[Key]) -> list[str]:
    return [line.text for line in outline(view, opened, START) if is_news(seen, view, line)]


def test_nothing_is_new_in_the_same_state() -> None:
    view = view_of(list(range(0, 300, 5)))
    assert news(view, view_of(list(range(0, 300, 5))), OPEN) == []


def test_the_new_index_or_the_closed_branch_above_it() -> None:
    seen, view = view_of([1, 2, 3]), view_of([1, 2, 3, 4])
    assert news(seen, view, OPEN) == ["00000003"]
    assert news(seen, view, {ROOT, ("generation", G)}) == ["wal"]
    assert news(seen, view, {ROOT}) == [G]
    assert news(seen, view, set()) == ["r"]


def test_more_segments_of_a_known_index_are_no_new_line() -> None:
    assert news(view_of([1, 2, 3]), view_of([1, 2, 3], files=3), OPEN) == []


def test_a_group_is_marked_where_it_grew() -> None:
    seen, view = view_of(list(range(0, 300, 5))), view_of(list(range(0, 305, 5)))
    marked = news(seen, view, OPEN)
    assert len(marked) == 1
    assert marked == [next(line.text for line in outline(view, OPEN, START) if line.kind == "hour")]  # the newest


def test_a_new_generation_is_new_with_all_that_it_has() -> None:
    seen = view_of([1, 2])
    (old,) = seen.generations
    survey = replace(old.survey, generation="b1af8a513325d54b")
    new = replace(old, survey=survey)
    view = replace(seen, generations=(new, replace(old, newest=False)))
    opened: set[Key] = {ROOT, ("generation", "b1af8a513325d54b")}
    assert news(seen, view, opened) == ["b1af8a513325d54b", "snapshots", "wal"]
    assert news(seen, view, {ROOT}) == ["b1af8a513325d54b"]


def test_what_retention_took_away_is_no_news() -> None:
    assert news(view_of(list(range(8))), view_of(list(range(5))), OPEN) == []
