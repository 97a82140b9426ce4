from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litetui import units
from litetui.errors import UsageError

NS = units.NS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("24h", 86400), ("7d", 604800), ("1d12h", 129600), ("1.5h", 5400), ("1w", 604800),
     ("1h30m15s", 5415), ("0s", 0)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert units.parse_duration(text) == seconds * NS


@given(st.integers(0, 9_000 * 86400 * NS))
def test_durations_as_text(ns: int) -> None:
    assert units.parse_duration(units.duration_text(ns)) == ns


@pytest.mark.parametrize("text", ["", "10", "h", "10 m", "-1h", "1y", "1h-", "1e3s", "10m ago", "١h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        units.parse_duration(text)
    assert caught.value.exit_code == 2
    assert caught.value.hint


@given(st.integers(-62135596800 * NS, 253402300799 * NS))
def test_times_round_trip_to_the_nanosecond(ns: int) -> None:
    assert units.parse_time(units.format_time(ns)) == ns


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01 01:00:00.5+01:00", NS // 2),
        ("2026-11-22T20:55:21.844886811Z", 1795380921844886811),
        ("2026-11-22T15:55:21.844886811-05:00", 1795380921844886811),
        ("1969-12-31T23:59:59.999999999Z", -1),
    ],
)
def test_times(text: str, ns: int) -> None:
    assert units.parse_time(text) == ns


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-11-22T20:55:21", "2026-11-22", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
     "2026-11-22T24:00:61Z", "2026-11-22T20:55:21.1234567890Z", "2026-11-22T20:55:21+99:00", "1795380921"],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        units.parse_time(text)
    assert "with its zone" in (caught.value.hint or "")


def test_words_for_people() -> None:
    assert [units.counted(n, "frame") for n in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]
    assert units.format_size(824_300) == "824.3 kB"
    assert units.format_size(1) == "1 B"
    assert units.format_size(0) == "0 B"
    assert units.format_duration(340_000_000) == "340 ms"
    assert units.format_duration(2 * NS) == "2.0 s"
    assert units.format_duration((26 * 3600 + 14 * 60) * NS) == "1 d 2 h"
    assert units.format_age(0, 90 * NS) == "1 min ago"
    assert units.format_age(5 * NS, 0) == "in 5.0 s (clocks differ)"
    assert units.format_clock(NS * 3600, NS * 7200) == "01:00:00.000Z"
    assert units.format_clock(NS * 3600, NS * 86400 * 3) == "1 Jan 01:00:00.000Z"


@given(st.text())
def test_printable_text_holds_no_control_character(text: str) -> None:
    shown = units.printable(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) <= 0xDFFF for c in shown)
    assert units.printable(shown) == shown


def test_printable_shows_what_was_there() -> None:
    assert units.printable("a\x1b[31m\nb\udcff") == "a\\x1b[31m\\nb\\xff"
    assert units.printable("[/x] ünï") == "[/x] ünï"
