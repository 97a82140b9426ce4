"""The browser under a pilot: open, move, look into a WAL, and what the screen says of damage and of no replica."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from litetui.tui.screens.browser import Browser
from litetui.tui.tree_line import Key
from tests.tui.helpers import SETTINGS, Session, session
from tests.tui.ltx_files import make_replica

Golden = Callable[[str], Path]


def shown(ui: Session) -> Key:
    return ui.app.browser.shown_key


NEWEST = "37a3dbace36f1ae1"


async def test_the_first_screen_answers_with_its_evidence(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        text = ui.screen_text
        assert "names complete to 20:55:32Z (4 min ago), content not checked" in text
        assert NEWEST in text
        assert ui.app.browser.headline.verdict[1] == ""  # neutral: names make nothing green


async def test_the_first_frame_pays_for_no_dialog(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        assert [type(screen) for screen in ui.app.screen_stack] == [Browser]  # none below it that is styled for nobody
        assert not [path for path, _ in ui.app.stylesheet.source if path.endswith("dialogs.tcss")]
        assert not ui.app.browser.query(Input)
        await ui.press("r")
        assert [path for path, _ in ui.app.stylesheet.source if path.endswith("dialogs.tcss")]


async def test_move_open_and_look_into_a_wal(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("j", "j", "j", "l", "j", "j")
        assert shown(ui) == ("index", NEWEST, 2)
        assert "Transactions 7" in ui.screen_text
        assert "119512" in ui.screen_text
        await ui.press("2", "j", "enter", "enter")  # to the pages of the second, to the frame of the first
        assert ui.app.browser.tab == "frames"
        assert ui.app.browser.table.cursor == 1
        assert "valid" in ui.screen_text
        await ui.press("]")
        assert ui.app.browser.tab == "wal"


async def test_rows_lead_into_the_tree(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("2", "j", "enter")
        assert shown(ui) == ("generation", "b1af8a513325d54b")
        await ui.press("G", "enter")
        assert shown(ui) == ("index", "b1af8a513325d54b", 0)


async def test_filter_sort_and_reverse(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("j", "2", "slash")
        await ui.type("00000002")
        await ui.press("enter")
        table = ui.app.browser.table
        assert table.row_count == 7
        await ui.press("escape")
        assert table.row_count == 23
        await ui.press("greater_than_sign", "I")
        assert table.source.cells(0)[0] == "00000003"
        await ui.press("I")
        assert table.source.cells(0)[0] == "00000000"
        await ui.press("slash")
        await ui.type("nothing like it")
        assert "no row matches" in ui.screen_text


async def test_damage_is_red_and_said_in_words(golden: Golden) -> None:
    async with session(golden("v03-dmg-gap-middle-index"), (160, 45)) as ui:
        words = "latest does not restore; names complete to 20:55:30Z (4 min ago); WAL 00000002 is missing"
        assert words in ui.screen_text
        assert "error" in ui.app.browser.headline.verdict[1]
        assert "Attention 1" in ui.screen_text


async def test_a_broken_wal_shows_what_is_valid_and_why_it_ends(golden: Golden) -> None:
    async with session(golden("seed-dmg-flip-byte-wal-frame")) as ui:
        browser = ui.app.browser
        view = browser.view
        assert view is not None
        assert view.newest is not None
        said = []
        for index in view.newest.indexes.index:
            browser.tree_view.reveal(("index", view.newest.name, int(index)))
            await ui.idle()
            said.append(ui.screen_text)
        assert any("checksum expected" in text and ", found" in text for text in said)


async def test_selection_is_kept_when_the_replica_changes(golden_copy: Golden) -> None:
    replica = golden_copy("v03-multi-gen")
    async with session(replica) as ui:
        await ui.press("j", "j", "j", "l", "j", "j")
        before = shown(ui)
        wal = replica / "generations" / NEWEST / "wal"
        newest = sorted(wal.iterdir())[-1]
        shutil.copy2(newest, wal / "00000004_00000000.wal.lz4")
        await ui.press("R")
        assert shown(ui) == before
        assert ui.app.browser.tree_view.cursor == 6  # one line more above it
        assert "00000004" in ui.screen_text


async def test_files_that_vanish_are_words_not_a_crash(golden_copy: Golden) -> None:
    replica = golden_copy("v03-multi-gen")
    async with session(replica) as ui:
        shutil.rmtree(replica)
        await ui.press("R")
        assert ui.app.is_running


async def test_no_replica_explains_itself(tmp_path: Path) -> None:
    async with session(None) as ui:
        assert "Litestream replica directory" in ui.screen_text
        assert "litetui --demo" in ui.screen_text
        await ui.type(str(tmp_path))
        await ui.press("enter")
        assert "This is no replica" in ui.screen_text
        assert "Try:" in ui.screen_text
        await ui.press("tab", "enter")  # Cancel
        assert ui.in_browser
        assert ui.app.replica is None


@pytest.mark.parametrize("v05", [False, True])
async def test_the_folder_above_a_replica_proposes_it(golden: Golden, tmp_path: Path, v05: bool) -> None:
    folder = tmp_path / "größe"
    folder.mkdir()
    replica = str(folder / "replica")
    shutil.copytree(make_replica(tmp_path).root if v05 else golden("v03-multi-gen"), replica)
    async with session(folder) as ui:
        assert "this is the folder above a replica" in re.sub(r"[│\s]+", " ", ui.screen_text)
        assert "enter opens it" in ui.screen_text
        assert ui.app.screen.query_one("#path", Input).value == replica
        await ui.press("enter")
        assert ui.app.path == replica
        assert ui.in_browser


async def test_the_demo_opens_from_the_question() -> None:
    async with session(None) as ui:
        await ui.press("tab", "tab", "enter")
        assert ui.app.replica is not None
        assert "content not checked" in ui.screen_text
        path = ui.app.path
    assert path is not None
    ui.app.opening.demos.close()
    assert not os.path.exists(path)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (160, 45)])
async def test_names_that_hurt_do_no_harm(golden: Golden, tmp_path: Path, size: tuple[int, int]) -> None:
    hostile = os.fsencode(tmp_path) + b"/[/x] [bold]a\nb\x1b[31m\xff db"
    shutil.copytree(golden("v03-multi-gen"), os.fsdecode(hostile))
    async with session(os.fsdecode(hostile), size) as ui:
        text = ui.screen_text
        assert "\x1b" not in text
        assert "content not checked" in text
        assert "[bold]a\\nb\\x1b[31m\\xff db" in text.replace("\n", "") or size == (100, 30)
        await ui.press("r")
        assert "settled" not in ui.screen_text
        await ui.press("enter")
        assert "settled" in ui.screen_text
        await ui.press("escape", "y", "escape", "j", "y", "enter")
        assert ui.toasts


async def test_an_action_that_is_not_possible_says_why(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), settings=replace(SETTINGS, readonly=True)) as ui:
        await ui.press("s")
        assert "started with --readonly" in ui.toasts
        await ui.press("x")
        assert "no job runs" in ui.toasts
        await ui.press("r")
        assert "Into" in ui.screen_text  # a restore to a new path stays


async def test_everything_is_reached_at_80_by_24(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (80, 24)) as ui:
        browser = ui.app.browser
        assert browser.tree_view.display
        assert not browser.detail_pane.display
        await ui.press("j", "j", "j", "l", "j", "enter")  # a leaf: to its details
        assert browser.pane == "detail"
        assert "Transactions" in ui.screen_text
        assert "content not checked" in ui.screen_text
        for pane, word in (("3", "Jobs"), ("4", "Log"), ("1", "Generations")):
            await ui.press(pane)
            assert word in ui.screen_text
        await ui.press("2", "escape")
        assert browser.pane == "tree"
        for key, word in (("question_mark", "Help"), ("r", "Into"), ("O", "Open a replica")):
            await ui.press(key)
            assert word in ui.screen_text
            await ui.press("escape")
        assert "q quit" in ui.screen_text
        assert "? help" in ui.screen_text


async def test_zoom_and_back(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("2", "plus")
        assert not ui.app.browser.tree_pane.display
        await ui.press("escape")
        assert ui.app.browser.tree_pane.display


async def test_ascii_is_ascii(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), settings=replace(SETTINGS, ascii=True)) as ui:
        for keys in (
            [],
            ["j", "j", "l"],
            ["r"],
            ["enter"],
            ["escape", "question_mark"],
            ["escape", "O"],
            ["escape", "ctrl+p"],
        ):
            await ui.press(*keys)
            odd = {c for c in ui.screen_text if not c.isascii()}
            assert not odd, keys


async def test_the_palette_offers_the_actions(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.pilot.press("ctrl+p")
        await ui.pilot.press(*"retention")
        await ui.pilot.pause()
        await ui.app.workers.wait_for_complete()
        await ui.pilot.press("enter")
        await ui.idle()
        assert "Show the plan" in ui.screen_text


async def test_watching_can_be_paused(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("w")
        assert "paused at 21:00:00Z" in ui.screen_text
