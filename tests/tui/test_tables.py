"""Tables and tree in the browser: filter, sort, follow, what is new, and files that are written of them."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Input

from litetui.jobs.job import State
from litetui.tui.tree_line import Key
from litetui.tui.widgets.row_view import RowView
from litetui.units import parse_time
from tests.tui.helpers import Session, session
from tests.tui.ltx_files import make_replica

Golden = Callable[[str], Path]
START = parse_time("2026-11-18T10:00:00Z")
MINUTE = 60 * 1_000_000_000
NEWEST = "37a3dbace36f1ae1"
OLDER = "b1af8a513325d54b"


def add_wal(replica: Path, index: int) -> None:
    """A WAL more in the newest generation."""
    wal = replica / "generations" / NEWEST / "wal"
    shutil.copy2(sorted(wal.iterdir())[-1], wal / f"{index:08x}_00000000.wal.lz4")


def shown(ui: Session) -> Key:
    return ui.app.browser.shown_key


def lines(view: RowView) -> list[str]:
    return [view.render_line(y).text for y in range(view.size.height)]


async def test_a_filter_says_how_many_rows_it_leaves(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        table = ui.app.browser.table
        await ui.press("j", "2", "slash")
        await ui.type("00000002 whole")
        assert "0 of 23" in ui.screen_text
        assert "no row matches" in ui.screen_text
        await ui.press("escape", "slash")
        await ui.type("!00000002")
        await ui.press("enter", "j", "j")
        assert "16 of 23" in ui.screen_text
        key = table.key
        await ui.press("escape")
        assert table.row_count == 23
        assert table.key == key  # the cursor stays on its row
        assert " of 23" not in ui.screen_text


async def test_headings_sort(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        table = ui.app.browser.table
        await ui.press("j")

        async def click(title: str) -> list[str]:
            await ui.pilot.click(table, offset=(table.render_line(0).text.index(title) + 1, 0))
            await ui.idle()
            return [str(table.source.cells(row)[0]) for row in range(table.row_count)]

        await click("Index")
        places = [(r["index"], r["offset"]) for r in map(table.source.record, range(table.row_count))]
        assert places == sorted(places)
        assert (await click("Stored"))[0] == "00000003"
        sizes = [table.source.record(row)["size"] for row in range(table.row_count)]
        assert sizes == sorted(sizes)  # type: ignore[type-var]
        assert "Stored ▲" in lines(table)[0]
        await click("Stored")
        assert "Stored ▼" in lines(table)[0]
        assert [table.source.record(row)["size"] for row in range(table.row_count)] == sizes[::-1]
        await click("Stored")
        assert "Stored ▲" not in lines(table)[0]
        assert table.sorted_by is None
        await ui.press("2", "I")
        assert "reversed" in ui.screen_text


async def test_new_rows_and_lines_are_marked_until_the_next_key(golden_copy: Golden) -> None:
    replica = golden_copy("v03-multi-gen")
    async with session(replica) as ui:
        browser = ui.app.browser
        await ui.press("j", "2", "j", "j")
        key, cursor = browser.table.key, browser.table.cursor
        add_wal(replica, 4)
        ui.app.read_again()
        await ui.idle()
        assert (browser.table.key, browser.table.cursor) == (key, cursor + 1)
        assert [line[:9] for line in lines(browser.table) if line.startswith("+")] == ["+00000004"]
        assert [line.split()[2] for line in lines(browser.tree_view) if line.startswith("+")] == ["wal"]
        await ui.press("j")
        assert not [line for line in (*lines(browser.table), *lines(browser.tree_view)) if line.startswith("+")]


async def test_f_follows_the_newest_row_of_the_table(golden_copy: Golden) -> None:
    replica = golden_copy("v03-multi-gen")
    async with session(replica) as ui:
        table = ui.app.browser.table
        await ui.press("j", "2", "j", "f")
        assert table.cursor == 0
        assert "following" in ui.screen_text
        add_wal(replica, 4)
        await ui.press("R")
        assert table.key == (4, 0, 0)
        await ui.press("less_than_sign")  # sorted by the age: the newest stays under the cursor
        await ui.press("less_than_sign")
        assert (table.sorted_by, table.key) == (4, (4, 0, 0))
        await ui.press("j")
        assert "following" not in ui.screen_text
        await ui.press("f", "f")
        assert not table.following


async def test_f_follows_the_newest_wal_of_the_tree(golden_copy: Golden) -> None:
    replica = golden_copy("v03-multi-gen")
    async with session(replica) as ui:
        await ui.press("f")
        assert shown(ui) == ("index", NEWEST, 3)
        assert "Generations  following" in ui.screen_text
        add_wal(replica, 4)
        await ui.press("R")
        assert shown(ui) == ("index", NEWEST, 4)
        await ui.press("k")
        assert "following" not in ui.screen_text
        add_wal(replica, 5)
        await ui.press("R")
        assert shown(ui) == ("wals", NEWEST)


async def test_where_nothing_is_newest_f_says_so(tmp_path: Path) -> None:
    async with session(make_replica(tmp_path).root) as ui:
        await ui.press("f")
        assert any("the tree has no lines for single LTX files" in toast for toast in ui.toasts)
        await ui.press("2", "f")
        assert any("not in the order of time" in toast for toast in ui.toasts)


async def test_a_new_generation_is_said_and_the_cursor_stays(golden_copy: Golden) -> None:
    replica = golden_copy("v03-multi-gen")
    aside = replica.parent / "aside"
    (replica / "generations" / NEWEST).rename(aside)
    async with session(replica) as ui:
        browser = ui.app.browser
        await ui.press("j", "j")
        was = browser.shown_key
        assert was[1] != NEWEST
        aside.rename(replica / "generations" / NEWEST)
        ui.app.read_again(anew=True)
        await ui.idle()
        assert browser.shown_key == was
        assert any(f"a new generation began: {NEWEST}" in t and f"the cursor stays on {was[1]}" in t for t in ui.toasts)
        assert any(line.startswith("+") and NEWEST[:5] in line for line in lines(browser.tree_view))


async def export(ui: Session, name: str) -> None:
    await ui.press("e")
    ui.app.screen.query_one("#path", Input).value = name
    await ui.press("enter")
    assert ui.app.runner.jobs[-1].state is State.DONE, ui.app.runner.jobs[-1].error


async def test_a_table_is_exported_as_it_is_arranged_with_exact_values(golden: Golden, tmp_path: Path) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        table = ui.app.browser.table
        await ui.press("j", "2", "slash")
        await ui.type("00000002")
        await ui.press("enter", "I")
        await export(ui, str(tmp_path / "rows.csv"))
        await export(ui, str(tmp_path / "rows.json"))
        wanted = [table.source.record(row) for row in range(7)]
        with (tmp_path / "rows.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [list(row) for row in rows] == [["index", "offset", "size", "created", "file"]] * 7
        assert rows == [{name: str(value) for name, value in record.items()} for record in wanted]
        assert json.loads((tmp_path / "rows.json").read_text()) == wanted
        stored = ui.app.file_replica
        assert stored is not None
        one = wanted[0]
        path = Path(stored.path) / "generations" / NEWEST / "wal" / str(one["file"])
        assert path.stat().st_size == one["size"]


async def test_a_name_that_is_taken_is_not_proposed_and_a_folder_takes_the_name(golden: Golden, tmp_path: Path) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("j", "2")
        Path(f"{NEWEST}.csv").write_text("mine")
        await ui.press("e")
        field = ui.app.screen.query_one("#path", Input)
        assert field.value == f"{NEWEST}-2.csv"
        field.value = str(tmp_path / "nowhere" / "rows.csv")
        await ui.press("enter")
        assert "There is no folder" in ui.screen_text
        (tmp_path / "some").mkdir()
        field.value = str(tmp_path / "some")
        await ui.press("enter")
        assert (tmp_path / "some" / f"{NEWEST}.csv").exists()
        assert Path(f"{NEWEST}.csv").read_text() == "mine"


async def test_what_can_be_copied_can_be_saved(golden: Golden, tmp_path: Path) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("j", "Y")
        assert "asks for a file" in ui.screen_text
        await ui.press("enter")
        assert "Save the generation" in ui.screen_text
        ui.app.screen.query_one("#path", Input).value = str(tmp_path / "generation.txt")
        await ui.press("enter")
        assert (tmp_path / "generation.txt").read_text() == f"{NEWEST}\n"


async def test_the_log_is_exported_from_its_pane_and_f_goes_to_its_end(golden: Golden, tmp_path: Path) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("j", "2")
        await export(ui, str(tmp_path / "rows.csv"))  # a job has lines
        ui.app.runner.jobs[-1].log("one")
        ui.app.bridge.job_changed(ui.app.runner.jobs[-1])
        await ui.press("4", "f")
        await export(ui, str(tmp_path / "log.json"))
        rows = json.loads((tmp_path / "log.json").read_text())
        assert rows[-1]["message"] == "one"
        assert set(rows[-1]) == {"time (utc)", "job", "level", "message"}


@pytest.mark.parametrize(
    ("spread", "kinds"), [(True, {"day", "hour", "index"}), (False, {"range", "index"})], ids=["times", "copied"]
)
async def test_every_kind_of_group_can_be_stood_on(golden_copy: Golden, spread: bool, kinds: set[str]) -> None:
    replica = golden_copy("v03-multi-gen")
    wal = replica / "generations" / NEWEST / "wal"
    template = sorted(wal.iterdir())[-1]
    for index in range(4, 400):
        shutil.copy(template, wal / f"{index:08x}_00000000.wal.lz4")
    for path in wal.iterdir():
        index = int(path.name[:8], 16)
        at = START + (index * 10 if spread else (index * 7919 % 400) * 60) * MINUTE
        os.utime(path, ns=(at, at))
    async with session(replica) as ui:
        browser, tree = ui.app.browser, ui.app.browser.tree_view
        for _ in range(4):  # everything is opened
            for line in [line for line in tree.lines if line.branch and not line.open]:
                tree.reveal(line.key)
                tree.action_open()
        found = {line.kind: line.key for line in tree.lines}
        assert found.keys() >= kinds
        for key in found.values():
            tree.reveal(key)
            await ui.idle()
            assert shown(ui) == key
            assert browser.table.row_count
        groups = [line for line in tree.lines if line.kind in ("day", "hour", "range")]
        assert all(len(line.text) <= 18 for line in groups)


async def test_the_tree_takes_clicks(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        tree = ui.app.browser.tree_view

        async def click(row: int, x: int, times: int = 1) -> None:
            await ui.pilot.click(tree, offset=(x, row), times=times)
            await ui.idle()

        count = len(tree.lines)
        await click(3, 4)  # the arrow of `wal`
        assert len(tree.lines) == count + 4
        assert shown(ui) == ("wals", NEWEST)
        await click(3, 4)
        assert len(tree.lines) == count
        await click(3, 10)  # its name
        assert len(tree.lines) == count
        await click(3, 10, times=2)
        assert len(tree.lines) == count + 4
        await click(5, 10, times=2)  # a leaf: to its details
        assert ui.app.browser.pane == "detail"
        assert shown(ui) == ("index", NEWEST, 2)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (160, 45)])
@pytest.mark.parametrize("v05", [False, True])
async def test_no_number_is_cut_in_any_table(golden: Golden, tmp_path: Path, size: tuple[int, int], v05: bool) -> None:
    async with session(make_replica(tmp_path).root if v05 else golden("v03-multi-gen"), size) as ui:
        browser = ui.app.browser
        assert browser.view is not None
        browser.go_to("detail")  # at 80 columns only one pane is there, and has a width
        for _ in range(7):
            browser.tree_view.action_open()
            browser.tree_view.action_cursor_down()
            await ui.idle()
            for number in range(len(browser.shown.tabs) if browser.shown is not None else 0):
                browser.pick_tab(number)
                await ui.pilot.pause()
                table = browser.table
                columns = table.visible_columns(table.size.width)
                assert sum(room + 2 for _, _, room in columns) <= table.size.width, (browser.shown_key, browser.tab)
                for row in range(min(table.row_count, 20)):
                    for at, column, room in columns:
                        cell = table.source.cells(row)[at]
                        text = cell if isinstance(cell, str) else cell[0]
                        assert len(text) <= room or not (column.right or column.title == "Index"), (text, room)
