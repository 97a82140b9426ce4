"""Tables and tree in the browser: filter, sort, follow, what is new, and files that are written of them."""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from litetui.errors import OutputError
from litetui.jobs.job import State
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.ltx.pages import read_pages
from litetui.tui.screens.export import write_text
from litetui.tui.tables import desk
from litetui.tui.tables.arranged import arrange
from litetui.tui.tables.sources import Source
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


def test_a_disk_that_is_full_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    """Also where the text is short enough to wait in the file's buffer until it is closed."""
    path = tmp_path / "rows.txt"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(OutputError, match="File too large"):
            write_text("a line that is longer than that", str(path), Reporter(), CancelToken())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not path.exists()


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
    (snapshot,) = (wal.parent / "snapshots").iterdir()
    for index in range(1, 301):
        os.link(snapshot, wal.parent / "snapshots" / f"{index:08x}.snapshot.lz4")
    async with session(replica) as ui:
        browser, tree = ui.app.browser, ui.app.browser.tree_view
        for _ in range(4):  # everything is opened
            for line in [line for line in tree.lines if line.branch and not line.open]:
                tree.reveal(line.key)
                tree.action_open()
        found = {line.kind: line for line in tree.lines if line.key[2:3] != ("snapshot",)}
        assert found.keys() >= kinds
        of_snapshots = [line for line in tree.lines if line.key[2:3] == ("snapshot",)]
        assert [(line.text, line.note) for line in of_snapshots] == [
            ("00000100-0000012c", "45"),
            ("00000000-000000ff", "256"),
        ]
        for line in (*found.values(), of_snapshots[0]):
            tree.reveal(line.key)
            await ui.idle()
            assert shown(ui) == line.key
            assert browser.table.row_count
            if line.kind in ("day", "hour", "range"):
                branch = "snapshots" if line.key[2] == "snapshot" else "wals"
                assert browser.crumbs.render().plain.endswith(f"{NEWEST} / {branch} / {line.text}")
        assert (browser.tab, browser.table.row_count) == ("snapshots", 45)
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
            for tab in browser.shown.tabs if browser.shown is not None else ():
                browser.pick_tab(tab.id)
                await ui.pilot.pause()
                table = browser.table
                columns = table.visible_columns(table.size.width)
                assert sum(room + 2 for _, _, room in columns) <= table.size.width, (browser.shown_key, browser.tab)
                for row in range(min(table.row_count, 20)):
                    for at, column, room in columns:
                        cell = table.source.cells(row)[at]
                        text = cell if isinstance(cell, str) else cell[0]
                        assert len(text) <= room or not (column.right or column.title == "Index"), (text, room)


async def test_a_row_is_gone_back_to_whatever_the_order_was_and_whatever_came(golden_copy: Golden) -> None:
    replica = golden_copy("v03-multi-gen")
    async with session(replica) as ui:
        table = ui.app.browser.table
        await ui.press("j", "2", "I", "j", "j")  # the third from below
        key = table.key
        await ui.press("left_square_bracket")
        add_wal(replica, 4)
        await ui.press("R", "right_square_bracket")
        assert not table.reversed
        assert table.cursor == table.row_count - 3
        assert table.key == key


async def test_a_filter_goes_with_the_table_that_it_is_of(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        browser = ui.app.browser
        await ui.press("j", "2", "slash")
        await ui.type("00000002")
        await ui.press("enter", "1", "j", "j", "j")
        assert browser.shown_key == ("generation", OLDER)
        assert browser.filter_text == ""
        assert browser.detail_pane.filter is None  # nor does a field still say so
        await ui.press("2", "slash")
        await ui.type("00000001")
        await ui.press("enter", "greater_than_sign")
        ui.app.opening.open(str(golden("v03-multi-snapshot")))
        await ui.idle()
        assert browser.filter_text == ""
        assert not browser.rows.arranged
        assert browser.detail_pane.filter is None


async def test_rows_that_come_do_not_keep_a_filter_from_ending(
    golden_copy: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = golden_copy("v03-multi-gen")
    gate, began = threading.Event(), list[Source]()

    def slow(source: Source, **how: Any) -> Source:
        began.append(source)
        assert gate.wait(30)
        return arrange(source, **how)

    monkeypatch.setattr(desk, "arrange", slow)
    async with session(replica) as ui:
        browser = ui.app.browser
        await ui.press("j", "2")
        browser.filter_by("0000000")
        for index in (4, 5):
            add_wal(replica, index)
            ui.app.read_again()
            await ui.until(lambda: not ui.app.bridge.loading("replica"))
        assert len(began) == 1
        gate.set()
        await ui.idle()
        assert len(began) == 2
        assert browser.table.row_count == 25


async def test_a_column_that_has_lost_its_order_is_left(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        table = ui.app.browser.table
        await ui.press("2")
        table.sorted_by = 6  # as of the owners' column, until owners are known again
        await ui.press("greater_than_sign")
        assert table.sorted_by == 0


async def test_what_was_read_of_another_replica_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = make_replica(tmp_path / "a").root, make_replica(tmp_path / "b").root
    gate = threading.Event()

    def slow(*args: Any) -> object:
        assert gate.wait(30)
        return read_pages(*args)

    monkeypatch.setattr("litetui.tui.ltx.pages.read_pages", slow)
    async with session(first) as ui:
        browser = ui.app.browser
        browser.tree_view.reveal(("ltxfile", 0, 9, 9))
        await ui.until(lambda: ui.app.bridge.loading("frames"))
        ui.app.opening.open(str(second))
        gate.set()
        await ui.idle()
        assert browser.shown_key == ("replica",)
        assert browser.contents.known == {}
