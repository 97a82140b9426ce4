from __future__ import annotations

import time
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from litetui.errors import UsageError
from litetui.ops.target import Target, parse_index, parse_target
from litetui.replica.types import Pos
from litetui.units import parse_time
from tests.build import GENERATION, SECOND

NOW = parse_time("2026-11-22T14:30:00Z")


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC-02:00")  # two hours east of Greenwich
    time.tzset()


@pytest.fixture(autouse=True, scope="module")
def _zone_back() -> Iterator[None]:
    yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("", Target()),
        ("latest", Target()),
        ("  latest ", Target()),
        ("last-good", Target(last_good=True)),
        ("0000007f", Target(index=0x7F)),
        ("0x0000007f", Target(index=0x7F)),
        ("0000007f:824312", Target(index=0x7F, offset=824312)),
        (f"{GENERATION}/0000007f:32", Target(GENERATION, 0x7F, 32)),
        ("10m", Target(timestamp_ns=NOW - 600 * SECOND)),
        ("1h30m ago", Target(timestamp_ns=NOW - 5400 * SECOND)),
        ("14:03Z", Target(timestamp_ns=parse_time("2026-11-22T14:03:00Z"))),
        ("14:03", Target(timestamp_ns=parse_time("2026-11-22T12:03:00Z"))),
        ("9:03:22.118", Target(timestamp_ns=parse_time("2026-11-22T07:03:22.118Z"))),
        ("2026-11-20 14:03:22", Target(timestamp_ns=parse_time("2026-11-20T12:03:22Z"))),
        ("2026-11-20T14:03:22.123456789Z", Target(timestamp_ns=parse_time("2026-11-20T14:03:22.123456789Z"))),
        ("2026-11-20T14:03:22+01:00", Target(timestamp_ns=parse_time("2026-11-20T13:03:22Z"))),
    ],
)
def test_what_a_person_may_write(text: str, target: Target) -> None:
    assert parse_target(text, now_ns=NOW) == target


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("14:03+01", "2026-11-22T13:03:00Z"),
        ("14:03:22.5+05:30", "2026-11-22T08:33:22.5Z"),
        ("2026-07-01 14:03-05", "2026-07-01T19:03:00Z"),
        ("2026-11-21T14:00Z", "2026-11-21T14:00:00Z"),
        ("03:30+13", "2026-11-22T14:30:00Z"),  # the day is that of the zone
        ("23:50Z", "2026-11-21T23:50:00Z"),  # what is still to come was yesterday
        ("09:31-05", "2026-11-21T14:31:00Z"),
    ],
)
def test_a_short_time_with_its_zone(text: str, at: str) -> None:
    assert parse_target(text, now_ns=NOW) == Target(timestamp_ns=parse_time(at))


def test_a_short_time_without_one_is_in_the_zone_that_is_given() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert parse_target("14:03", now_ns=NOW, zone=berlin).timestamp_ns == parse_time("2026-11-22T13:03:00Z")
    assert parse_target("2026-07-01 14:03", now_ns=NOW, zone=berlin).timestamp_ns == parse_time("2026-07-01T12:03:00Z")
    assert parse_target("14:03Z", now_ns=NOW, zone=berlin).timestamp_ns == parse_time("2026-11-22T14:03:00Z")
    assert parse_target("14:03", now_ns=NOW).timestamp_ns == parse_time("2026-11-22T12:03:00Z")


def test_a_generation_given_beside_it_stays() -> None:
    assert parse_target("", now_ns=NOW, generation=GENERATION) == Target(GENERATION)
    assert parse_target("10m", now_ns=NOW, generation=GENERATION).generation == GENERATION


@pytest.mark.parametrize(
    "text",
    ["yesterday", "7f", "25:00", "14:03+99", "10 minutes", f"{GENERATION}/7f", "a/b", "-5m", "2026-13-01 10:00",
     "0000007f:", "[/x]"],
)  # fmt: skip
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(UsageError):
        parse_target(text, now_ns=NOW)


def test_indexes_and_positions() -> None:
    assert [parse_index(t) for t in ("7f", "0x7F", "0000007f", "ffffffff")] == [127, 127, 127, 0xFFFFFFFF]
    for text in ("", "g", "123456789", "0x", "-1", "1_0"):
        with pytest.raises(UsageError):
            parse_index(text)
    pos = Pos(GENERATION, 127, 824312)
    assert Pos.parse(str(pos)) == pos
    assert str(pos) == f"{GENERATION}/0000007f:824312"
    assert pos.short == "0000007f:824312"
    assert str(Pos()) == ""
    for text in ("", "x", f"{GENERATION}/7f:1", f"{GENERATION}/0000007f:0x10", f"{GENERATION.upper()}/0000007f:1"):
        with pytest.raises(UsageError):
            Pos.parse(text)


def test_positions_are_ordered() -> None:
    g = GENERATION
    assert Pos(g, 1, 99) < Pos(g, 2, 0) < Pos(g, 2, 32) < Pos(g, 10, 0)
