"""Which rows a filter finds: whole columns at once find what a look at every row's text finds."""

from __future__ import annotations

import numpy as np
import pytest

from litetui.errors import Cancelled
from litetui.jobs.progress import CancelToken
from litetui.replica.catalog import WALTable
from litetui.tui.tables.arranged import arrange
from litetui.tui.tables.file_sources import WALSource
from litetui.tui.tables.matching import clock_holds, decimal_holds, hex_holds
from litetui.tui.tables.sources import Source
from litetui.units import format_clock, parse_time, set_clock_zone

G = "5efbd8d042012dca"
NOW = parse_time("2026-11-22T21:00:00Z")
MINUTE = 60 * 1_000_000_000


@pytest.mark.parametrize("word", ["0", "00", "4e", "4e7", "ffffffff", "7fff", "g", "", "100000000", "2c"])
def test_hex_numbers(word: str) -> None:
    numbers = np.array([0, 1, 0x4E7, 0x4E70, 0x2C, 0xFFFFFFFF, 0x7FFF0000], np.uint32)
    assert hex_holds(numbers, 8, word).tolist() == [bool(word) and word in f"{n:08x}" for n in numbers.tolist()]


@pytest.mark.parametrize(
    "word", ["0", "00", "1", "10", "05", "4120", "1844674407370955161", "x", "18446744073709551615"]
)
def test_decimal_numbers(word: str) -> None:
    numbers = np.array([0, 1, 10, 100, 105, 1005, 4120, 82412032, 2**63, 18446744073709551610], np.uint64)
    assert decimal_holds(numbers, word).tolist() == [word in str(n) for n in numbers.tolist()]
    assert decimal_holds(np.zeros(0, np.uint64), word).tolist() == []


@pytest.mark.parametrize("zone", ["", "Asia/Kathmandu", "America/New_York"])
@pytest.mark.parametrize("word", ["14:", "14:0", "14:03", "14:03:2", "14:03:22.1", "14:03:22.118", "23:59:59", "4:03"])
def test_times_of_day_in_the_zone_of_the_screen(word: str, zone: str) -> None:
    times = np.array([parse_time(f"2026-{day}Z") for day in DAYS], np.int64)
    try:
        set_clock_zone(zone)
        shown = [format_clock(int(at), int(at)) for at in times]
        assert clock_holds(times, word).tolist() == [text.startswith(word) for text in shown]
    finally:
        set_clock_zone("")
    assert not clock_holds(times, "14").any()
    assert not clock_holds(times, "14:03:22x").any()


DAYS = (
    *(
        f"11-{day}T{hour:02d}:{minute}"
        for day in ("01", "22")
        for hour in range(24)
        for minute in ("03:22.118", "18:30.5")
    ),
    *(f"07-01T{hour:02d}:{minute}" for hour in range(24) for minute in ("00:00", "59:59.999")),
)


def wals() -> WALTable:
    """Two indexes of segments, one whole WAL of each form, and a file whose name is written otherwise."""
    names = [f"{index:08x}_{offset:08x}.wal.lz4" for index in (0, 0x2C) for offset in (0, 4152, 0x10000, 1048576)]
    names += ["00000041.wal.lz4", "00000042.wal", "00000043_0000000000001038.wal.lz4"]
    table, _ = WALTable.parse(G, names)
    table.mtime_ns[:] = NOW - np.arange(len(table)) * MINUTE
    return table


@pytest.mark.parametrize(
    "words",
    ["2c", "!2c", "4152", "00000041", "0000002c_0000", "1038.wal", "00000043_0000000000001038", ".lz4", "lz4 2c",
     "!lz4 2c", "whole", "20:5", "WAL.LZ4", "nothing", "!", "  "],
)  # fmt: skip
def test_wal_files_are_found_by_what_their_rows_show(words: str) -> None:
    source = WALSource(wals(), lambda: NOW)

    def shows(row: int, word: str) -> bool:
        index, offset, _, clock, _, name = (cell if isinstance(cell, str) else cell[0] for cell in source.cells(row))
        in_clock = ":" in word and clock.startswith(word)
        return any(word.casefold() in text for text in (index, offset, name)) or in_clock

    wanted = words.removeprefix("!").split()
    rows = [n for n in range(len(source)) if all(shows(n, word) for word in wanted) is not words.startswith("!")]
    assert found(source, words) == (rows if wanted else list(range(len(source))))


def test_a_part_of_the_files_is_searched_alone() -> None:
    assert found(WALSource(wals(), lambda: NOW, 4, 8), "4152") == [2]
    assert found(WALSource(wals(), lambda: NOW, 4, 4), "4152") == []


def found(source: Source, words: str) -> list[int]:
    arranged = arrange(source, filter_text=words, column=None, reverse=False, cancel=CancelToken())
    return [int(arranged.source.find(arranged.key(n))) for n in range(len(arranged))]  # type: ignore[attr-defined]


def test_a_search_that_nobody_wants_any_more_ends() -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        arrange(WALSource(wals(), lambda: NOW), filter_text="lz4", column=None, reverse=False, cancel=token)
