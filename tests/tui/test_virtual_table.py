"""Rows drawn on demand: any number of them, columns that fit, a cursor that stays where it is."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from textual import events
from textual.app import App, ComposeResult

from litetui.jobs.progress import CancelToken
from litetui.replica.types import SnapshotInfo
from litetui.tui.glyphs import UNICODE
from litetui.tui.tables.arranged import Arranged, arrange
from litetui.tui.tables.file_sources import SnapshotSource
from litetui.tui.tables.sources import Cell, Column, Source
from litetui.tui.textutil import cut_middle, cut_path, fit
from litetui.tui.widgets.virtual_table import VirtualTable

MANY = 2_000_000


class Numbers(Source):
    """Rows that are their own number."""

    columns = (Column("Number", 8, right=True), Column("Word", 6, drop=1), Column("Rest", 4, grow=True))

    def __init__(self, count: int, first: int = 0) -> None:
        self.count = count
        self.first = first
        self.asked = 0

    def __len__(self) -> int:
        return self.count

    def cells(self, row: int) -> Sequence[Cell]:
        self.asked += 1
        return (str(row + self.first), "word", ("[/x]\n", "muted"))

    def key(self, row: int) -> int:
        return row + self.first

    def find(self, key: object) -> int | None:
        return key - self.first if isinstance(key, int) else None


class TableApp(App[None]):
    CSS_PATH = "../../litetui/tui/theme.tcss"

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.table = VirtualTable(UNICODE)
        self.first_source = source

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.show(self.first_source)
        self.table.focus()


async def test_two_million_rows_cost_a_page() -> None:
    source = Numbers(MANY)
    app = TableApp(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("G")
        await pilot.pause()
        assert app.table.cursor == MANY - 1
        assert str(MANY - 1) in app.table.render_line(23).text
        before = source.asked
        started = time.process_time()
        for _ in range(20):
            app.table.action_page_up()
            for y in range(24):
                app.table.render_line(y)
        assert time.process_time() - started < 2.0  # 100 ms a page, ten times what it takes
        assert source.asked - before <= 20 * 24 * 2
        await pilot.press("g")
        assert app.table.cursor == 0


async def test_keys_move_the_cursor() -> None:
    app = TableApp(Numbers(1000))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "j", "down", "k")
        assert app.table.cursor == 2
        await pilot.press("ctrl+d")
        assert app.table.cursor == 2 + 11
        await pilot.press("ctrl+u", "pagedown", "pageup", "end", "home")
        assert app.table.cursor == 0
        await pilot.click(VirtualTable, offset=(5, 4))
        assert app.table.cursor == 3


async def test_the_cursor_stays_on_its_row_when_rows_come() -> None:
    app = TableApp(Numbers(1000, first=100))
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(3):
            await pilot.press("pagedown")
        at, top = app.table.cursor, app.table.scroll_y
        app.table.show(Numbers(1010, first=90), same=True)
        await pilot.pause()
        assert app.table.key == 100 + at
        assert app.table.cursor - app.table.scroll_y == at - top


async def test_the_first_page_stays_the_first_as_long_as_the_cursor_is_on_it() -> None:
    app = TableApp(Numbers(1000, first=100))
    table = app.table
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "j")
        table.show(Numbers(1010, first=90), same=True)
        await pilot.pause()
        assert (table.key, table.cursor, table.scroll_y) == (102, 12, 0)
        table.show(Numbers(1030, first=70), same=True)
        await pilot.pause()
        assert table.key == 102
        assert table.cursor - table.scroll_y == 12


async def test_columns_go_by_their_order_where_it_is_narrow() -> None:
    app = TableApp(Numbers(10))
    async with app.run_test(size=(80, 24)):
        assert [c.title for _, c, _ in app.table.visible_columns(80)] == ["Number", "Word", "Rest"]
        assert [c.title for _, c, _ in app.table.visible_columns(17)] == ["Number", "Rest"]
        assert len(app.table.render_line(1).text) == 80
        assert "[/x]\\n" in app.table.render_line(1).text  # what comes from outside is data


class Ages(Source):
    """Numbers that get wider the further down, and words that may be cut."""

    newest_at = "last"
    columns = (
        Column("Index", 8),
        Column("Words", 30, drop=1),
        Column("Age", 6, right=True),
        Column("File", 9, grow=True, drop=2),
    )

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def cells(self, row: int) -> Sequence[Cell]:
        age = "9 d ago" if row != 4321 else "in 13 h (clocks differ)"
        return (f"{row:08x}", "word " * 20, (age, "muted"), "00000000_00000000.wal.lz4")

    def key(self, row: int) -> int:
        return row

    def find(self, key: object) -> int | None:
        return key if isinstance(key, int) and key < self.count else None


async def test_numbers_are_never_cut_and_text_is_before_columns_go() -> None:
    app = TableApp(Ages(10_000))
    table = app.table
    async with app.run_test(size=(100, 24)) as pilot:
        assert [(c.title, room) for _, c, room in table.visible_columns(100)][:3] == [
            ("Index", 8), ("Words", 30), ("Age", 7)
        ]  # fmt: skip
        for width in range(20, 100):
            columns = table.visible_columns(width)
            assert sum(room + 2 for _, _, room in columns) - 2 <= width - 2 or len(columns) == 2, width
            assert {"Index", "Age"} <= {c.title for _, c, _ in columns}
            assert all(room >= 7 for _, c, room in columns if c.title == "Age")
        table.set_cursor(4321)
        await pilot.pause()
        await pilot.pause()
        assert "in 13 h (clocks differ)" in table.render_line(table.cursor - round(table.scroll_y) + 1).text
        assert table.render_line(0).text.split() == ["Index", "Words", "Age", "File"]


async def test_the_heading_of_the_sorted_column_is_marked_and_whole() -> None:
    app = TableApp(Ages(10))
    async with app.run_test(size=(60, 24)):
        app.table.sorted_by, app.table.reversed = 2, True
        assert "Age ▼" in app.table.render_line(0).text


async def test_following_stays_on_the_newest_row_until_the_cursor_is_moved() -> None:
    app = TableApp(Ages(100))
    table = app.table
    async with app.run_test(size=(80, 24)) as pilot:
        assert table.follow(True)
        assert table.cursor == 99
        table.show(Ages(140), same=True)
        await pilot.pause()
        assert [table.key, table.cursor] == [139, 139]
        assert table.render_line(23).text.startswith(" 0000008b")
        order = np.arange(200)[::-1]
        table.show(Arranged(Ages(200), order), same=True)
        assert [table.key, table.cursor] == [199, 0]
        await pilot.press("j")
        assert not table.following
        table.show(Arranged(Ages(300), np.arange(300)[::-1]), same=True)
        assert [table.key] == [198]
        table.show(Numbers(10))
        assert not table.follow(True)  # its rows say nothing about time


async def test_rows_that_came_are_marked_until_they_were_seen() -> None:
    app = TableApp(Ages(5))
    table = app.table
    table.marks_new = True

    def marked() -> list[str]:
        return [line[1:9] for line in (table.render_line(y).text for y in range(1, 24)) if line.startswith("+")]

    async with app.run_test(size=(80, 24)) as pilot:
        assert marked() == []
        table.show(Ages(7), same=True)
        assert marked() == ["00000005", "00000006"]
        table.show(Arranged(Ages(8), np.array([7, 1, 5])), same=True)
        assert marked() == ["00000007", "00000005"]
        table.seen()
        await pilot.pause()
        assert marked() == []
        table.show(Ages(3))  # something else
        assert marked() == []


async def test_the_mouse_moves_opens_scrolls_and_names_columns() -> None:
    clicked: list[int] = []

    class Clicks(TableApp):
        def on_virtual_table_header_clicked(self, event: VirtualTable.HeaderClicked) -> None:
            clicked.append(event.column)

        def on_row_view_chosen(self) -> None:
            clicked.append(1000 + self.table.cursor)

    app = Clicks(Ages(100))
    table = app.table
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click(table, offset=(3, 0))
        await pilot.click(table, offset=(1 + 8 + 2 + 30 + 2 + 6, 0))
        await pilot.click(table, offset=(3, 5))
        assert (clicked, table.cursor) == ([0, 2], 4)
        await pilot.double_click(table, offset=(3, 7))
        assert (clicked[2:], table.cursor) == ([1006], 6)
        table.post_message(events.MouseScrollDown(table, 5, 5, 0, 0, 0, False, False, False))
        await pilot.pause()
        assert table.scroll_y > 0
        assert table.cursor == 6  # it is where it was, though out of sight perhaps


async def test_what_is_drawn_again_is_what_changed() -> None:
    source = Numbers(1000)
    app = TableApp(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("G")
        await pilot.pause()
        before = source.asked
        await pilot.press("k", "k", "k")
        assert source.asked - before <= 2 * 3 + 24  # the rows of the cursor, not all that are in sight
        app.table.refresh()
        await pilot.pause()
        assert source.asked - before >= 23  # after a second ages are others


async def test_rows_that_are_kept_take_another_theme_and_focus() -> None:
    app = TableApp(Numbers(100))

    def looks() -> set[str]:
        return {str(segment.style) for y in range(24) for segment in app.table.render_line(y)}

    async with app.run_test(size=(80, 24)) as pilot:
        before = looks()
        app.theme = "textual-light"
        await pilot.pause()
        light = looks()
        assert not before & light
        app.set_focus(None)
        await pilot.pause()
        assert looks() != light


def test_arrange_filters_sorts_and_reverses() -> None:
    def rows(**how: object) -> list[Cell]:
        options: dict[str, object] = {"filter_text": "", "column": None, "reverse": False, **how}
        arranged = arrange(Numbers(30), cancel=CancelToken(), **options)  # type: ignore[arg-type]
        return [arranged.cells(n)[0] for n in range(len(arranged))]

    assert rows(filter_text="29") == ["29"]
    assert rows(reverse=True)[0] == "29"
    assert len(rows(filter_text="!2")) == 18
    assert arrange(Numbers(30), filter_text="x9", column=None, reverse=False, cancel=CancelToken()).empty.startswith(
        "no row matches"
    )


def test_text_is_cut_where_it_hurts_least() -> None:
    assert cut_middle("5efbd8d042012dca", 14) == "5efbd8d…012dca"
    assert cut_path("/var/lib/replica", 9) == "…/replica"
    assert fit("12", 5, right=True) == "   12"
    assert fit("語語語", 5) == "語語…"


def test_snapshots_are_found_by_their_index() -> None:
    snapshots = [SnapshotInfo("5efbd8d042012dca", n, 100, n, f"{n:08x}.snapshot.lz4", True) for n in (0, 2, 7)]
    source = SnapshotSource(snapshots, lambda: 100)
    assert [source.find(n) for n in (7, 2, 0, 1, 8, "7")] == [0, 1, 2, None, None, None]
