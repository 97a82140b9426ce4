"""The time axis: round ticks, the date where the day changes, and holes that are never drawn over."""

from __future__ import annotations

import pytest

from litetui.tui.timeline.axis import DAY, HOUR, MINUTE, SECOND, Axis, Bar, Span, drawn
from litetui.units import parse_time

START = parse_time("2026-11-22T22:00:00Z")


@pytest.mark.parametrize(
    ("length", "texts"),
    [
        (4 * HOUR, ["22 Nov 22:00Z", "23:00Z", "23 Nov 00:00Z", "01:00Z", "02:00Z"]),
        (4 * SECOND, ["22 Nov 22:00:00Z", "22:00:01Z", "22:00:02Z", "22:00:03Z"]),
        (10 * MINUTE, ["22 Nov 22:00Z", "22:02Z", "22:04Z", "22:06Z", "22:08Z"]),
        (9 * DAY, ["23 Nov", "25 Nov", "27 Nov", "29 Nov", "1 Dec"]),
    ],
)
def test_ticks_are_round(length: int, texts: list[str]) -> None:
    found = [text for _, text in Axis(START, START + length, 100).ticks()]
    assert found[: len(texts) - 1] == texts[: len(texts) - 1]


@pytest.mark.parametrize("length", [0, 1, SECOND, 90 * MINUTE, 40 * DAY, 4000 * DAY])
@pytest.mark.parametrize("width", [1, 10, 37, 140])
def test_the_line_has_the_width_and_no_tick_touches_another(length: int, width: int) -> None:
    axis = Axis(START, START + length, width)
    assert len(axis.line()) == width
    ends = 0
    for cell, text in axis.ticks():
        assert cell >= ends
        ends = cell + len(text) + 1


def test_a_short_hole_is_still_a_hole() -> None:
    axis = Axis(0, 1000 * SECOND, 50)
    spans = (Span(0, 500 * SECOND), Span(501 * SECOND, 1000 * SECOND))
    cells = [kind for kind, _ in drawn(Bar("", spans, Span(0, 1000 * SECOND)), axis)]
    assert "hole" in cells
    assert cells.count("hole") == 1
    broken = drawn(Bar("", (Span(0, 9 * SECOND),), Span(0, 9 * SECOND), broken=True), Axis(0, 9 * SECOND, 20))
    assert [kind for kind, _ in broken] == ["span"] * 19 + ["hole"]
    whole = [kind for kind, _ in drawn(Bar("", (Span(0, 1000 * SECOND),), Span(0, 1000 * SECOND)), axis)]
    assert set(whole) == {"span"}


def test_times_outside_stand_at_the_ends() -> None:
    axis = Axis(START, START + HOUR, 60)
    assert (axis.cell(START - DAY), axis.cell(START + DAY)) == (0, 59)
