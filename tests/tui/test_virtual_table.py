"""Rows drawn on demand: any number of them, columns that fit, a cursor that stays where it is."""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual.app import App, ComposeResult

from litetui.jobs.progress import CancelToken
from litetui.tui.glyphs import UNICODE
from litetui.tui.sources import Cell, Column, Source, arrange
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


async def test_columns_go_by_their_order_where_it_is_narrow() -> None:
    app = TableApp(Numbers(10))
    async with app.run_test(size=(80, 24)):
        assert [c.title for _, c, _ in app.table.visible_columns(80)] == ["Number", "Word", "Rest"]
        assert [c.title for _, c, _ in app.table.visible_columns(20)] == ["Number", "Rest"]
        assert len(app.table.render_line(1).text) == 80
        assert "[/x]\\n" in app.table.render_line(1).text  # what comes from outside is data


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
