from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from litetui.format import names
from litetui.replica.catalog import SEGMENT, SEGMENT_PLAIN, WHOLE, WHOLE_LZ4, WALTable

G = "5efbd8d042012dca"
INDEX = st.integers(0, 6) | st.integers(0, 0xFFFFFFFF)
OFFSET = st.none() | st.integers(0, 5000) | st.integers(0, 2**64 - 1)
WAL_NAME = st.builds(lambda i, o, c: names.format_wal(i, o, compressed=c), INDEX, OFFSET, st.booleans())
# Foreign names, among them names of a segment's length, in other scripts, and with bytes that are not UTF-8.
OTHER = st.sampled_from(
    ["00000000_0000000g.wal.lz4", "0000000A_00000000.wal.lz4", "00000000-00000000.wal.lz4", "00000000_00000000.wal_lz4",
     "00000000_00000000.wal.LZ4",
     "٠0000000_00000000.wal.lz4", "\udcff0000000_00000000.wal.lz4", "0000000:_00000000.wal.lz4",
     "00000000_00000000.wal.lz4.tmp", "garbage.txt", "", "x" * 25, "\0" * 25]
) | st.text(max_size=30)  # fmt: skip
LISTING = st.lists(WAL_NAME | OTHER, unique=True, max_size=40)


def form(name: names.WALName) -> int:
    if name.offset is None:
        return WHOLE_LZ4 if name.compressed else WHOLE
    return SEGMENT if name.compressed else SEGMENT_PLAIN


def rows(table: WALTable) -> list[tuple[int, int, int, str]]:
    return [(int(table.index[i]), int(table.offset[i]), int(table.form[i]), table.name(i)) for i in range(len(table))]


def spread(listing: list[str]) -> list[str]:
    """Without a second name of the same file: an offset may be written with leading zeros."""
    seen: set[object] = set()
    return [n for n in listing if (key := names.parse_wal(n) or n) not in seen and not seen.add(key)]  # type: ignore[func-returns-value]


@settings(max_examples=200, deadline=None)
@given(LISTING.map(spread))
def test_names_parsed_at_once_are_what_one_by_one_gives(listing: list[str]) -> None:
    table, foreign = WALTable.parse(G, listing)
    wanted = [(p.index, p.offset or 0, form(p), n) for n in listing if (p := names.parse_wal(n)) is not None]
    assert rows(table) == sorted(wanted)
    assert sorted(foreign) == sorted(n for n in listing if names.parse_wal(n) is None)
    assert (table.size == -1).all()
    assert table.indexes().tolist() == sorted({w[0] for w in wanted})
    for index in {0, 3, *(w[0] for w in wanted)}:
        assert [int(table.index[r]) for r in table.rows_of(index)] == [w[0] for w in wanted if w[0] == index]


USUAL = st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))


@given(st.lists(USUAL, unique=True, max_size=20), st.lists(WAL_NAME, unique=True, max_size=2))
def test_names_written_at_once_are_what_one_by_one_gives(usual: list[tuple[int, int]], more: list[str]) -> None:
    table, _ = WALTable.parse(G, spread([names.format_wal(*pair) for pair in usual] + more))
    some = np.arange(len(table))[::2]
    assert table.names_of(some) == [table.name(int(row)) for row in some]


def test_offsets_are_numbers_and_odd_spellings_keep_their_names() -> None:
    listing = ["00000000_100000000.wal.lz4", "00000000_ffffffff.wal.lz4", "00000000_0000000000000020.wal.lz4"]
    table, foreign = WALTable.parse(G, listing)
    assert foreign == []
    assert [table.name(i) for i in range(3)] == [listing[2], listing[1], listing[0]]
    assert table.offset.tolist() == [32, 0xFFFFFFFF, 1 << 32]
    assert table[0].offset == 32
    assert table[0].compressed


@settings(max_examples=150, deadline=None)
@given(LISTING.map(spread), st.data())
def test_what_is_known_is_carried_over_to_the_same_files(listing: list[str], data: st.DataObject) -> None:
    old_names = [n for n in listing if data.draw(st.booleans())]
    new_names = [n for n in listing if data.draw(st.booleans())]
    old, _ = WALTable.parse(G, old_names)
    old.size[:] = np.arange(len(old)) + 1000
    old.mtime_ns[:] = np.arange(len(old)) * 7
    new, _ = WALTable.parse(G, new_names)
    known = {row: (int(old.size[i]), int(old.mtime_ns[i])) for i, row in enumerate(rows(old))}
    carried = new.carry_over(old)
    assert rows(carried) == rows(new)
    for i, row in enumerate(rows(carried)):
        assert (int(carried.size[i]), int(carried.mtime_ns[i])) == known.get(row, (-1, 0))
    assert (new.size == -1).all(), "the table itself never changes"


def test_files_that_came_at_the_end_are_the_usual_case() -> None:
    listing = [names.format_wal(i // 4, i % 4 * 536) for i in range(20_000)]
    old, _ = WALTable.parse(G, listing)
    old.size[:] = 1
    carried = WALTable.parse(G, [*listing, "ffffffff_00000000.wal.lz4"])[0].carry_over(old)
    assert carried.size.tolist() == [1] * 20_000 + [-1]


def test_an_empty_table() -> None:
    table, foreign = WALTable.parse(G, [])
    assert (len(table), foreign, table.indexes().tolist(), list(table.rows_of(0))) == (0, [], [], [])
    assert len(WALTable.empty(G)) == 0
