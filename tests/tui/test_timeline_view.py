"""The timeline on the screen: where it stands, its keys, its words, and what stays when the replica changes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from litetui.tui.screens.copy_menu import CopyMenu
from litetui.tui.screens.restore import RestoreDialog
from litetui.tui.widgets.timeline import TimelineView
from tests.build import usual_history, write_replica
from tests.tui.helpers import SETTINGS, Session, session
from tests.tui.ltx_files import make_replica

Golden = Callable[[str], Path]
NEWEST = "37a3dbace36f1ae1"


def view(ui: Session) -> TimelineView:
    return ui.app.browser.timeline.view


def text(ui: Session) -> list[str]:
    """The lines of the timeline as they are on the screen."""
    region = view(ui).region
    lines = [strip.text for strip in ui.app.screen._compositor.render_strips()]
    return [line[region.x : region.right].rstrip() for line in lines[region.y : region.bottom]]


def target(ui: Session) -> str:
    assert isinstance(ui.app.screen, RestoreDialog)
    return ui.app.screen.query_one("#target", Input).value


async def test_it_stands_above_the_table_and_says_the_newest_point(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (160, 45)) as ui:
        await ui.press("j")
        ticks, bar, levels, point, way = text(ui)
        assert "22 Nov 20:55:30Z" in ticks
        assert bar.startswith("◆━")
        assert bar.rstrip("▸").endswith("┃")
        assert levels.endswith("peak 12.7 kB/43 ms") or "peak " in levels
        assert point == f"by 20:55:32.568Z  4 min ago  {NEWEST} 00000003, all of it  24 of 24"
        assert way == "reads 24 files, 189.6 kB  from snapshot 00000000  content not checked"


async def test_tab_and_2_lead_to_it(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        stops = []
        for _ in range(5):
            await ui.press("tab")
            stops.append(ui.app.browser.stop)
        assert stops == ["timeline", "detail", "jobs", "log", "tree"]
        await ui.press("shift+tab")
        assert ui.app.browser.stop == "log"
        stops = []
        for _ in range(3):
            await ui.press("2")
            stops.append(ui.app.browser.stop)
        assert stops == ["detail", "timeline", "detail"]
        await ui.press("2", "escape")
        assert ui.app.browser.stop == "tree"


async def test_a_low_terminal_shows_it_with_the_focus_only(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (80, 24)) as ui:
        await ui.press("j", "2")
        assert not view(ui).display
        await ui.press("2")
        assert view(ui).display
        assert len(text(ui)) == 5
        assert f"{NEWEST} 00000003, all of it" in text(ui)[3]
        assert "enter restore here" in ui.screen_text
        await ui.press("2")
        assert not view(ui).display
        await ui.press("tab", "tab", "tab", "tab")
        assert ui.app.browser.stop == "timeline"
        assert view(ui).display


async def test_its_text_is_there_where_the_table_leaves_room(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (100, 30)) as ui:
        assert ui.app.browser.stop == "tree"
        await ui.until(lambda: len(text(ui)) == 5)  # three rows are in the table
        assert NEWEST in text(ui)[3]
        await ui.press("j", "2")
        ui.app.browser.pick_tab("wal")
        await ui.idle()
        assert ui.app.browser.table.row_count > 20
        await ui.until(lambda: len(text(ui)) == 3)
        await ui.press("2")
        await ui.until(lambda: len(text(ui)) == 5)
        await ui.press("1", "k")
        assert ui.app.browser.stop == "tree"
        await ui.until(lambda: len(text(ui)) == 5)


async def test_keys_move_over_points_and_marks(golden: Golden) -> None:
    async with session(golden("v03-multi-snapshot")) as ui:
        await ui.press("tab")
        assert "62 of 62" in text(ui)[3]
        await ui.press("left", "h", "right")
        assert "61 of 62" in text(ui)[3]
        await ui.press("shift+left")
        assert "00000006:0  snapshot  57 of 62" in text(ui)[3]
        await ui.press("shift+left", "shift+right", "shift+right")
        assert "62 of 62" in text(ui)[3]
        await ui.press("home")
        assert "00000000:0  snapshot  1 of 62" in text(ui)[3]
        await ui.press("left")
        assert "1 of 62" in text(ui)[3]
        await ui.press("G", "right")
        assert "62 of 62" in text(ui)[3]
        assert text(ui)[4].startswith("reads 10 files, 55.7 kB  from snapshot 00000006")
        await ui.press("tab", "j", "j")  # without the focus it stands where the row of the table does
        assert "60 of 62" in text(ui)[3]
        await ui.press("left_square_bracket", "j")
        assert "00000004:0  snapshot" in text(ui)[3]


async def test_zoom_in_and_out(golden: Golden) -> None:
    async with session(golden("v03-multi-snapshot")) as ui:
        await ui.press("tab", "shift+left", "shift+left")
        whole = text(ui)[:3]
        place = text(ui)[1].index("┃")
        await ui.press("up", "k")
        assert "zoom 4:1" in text(ui)[1]
        assert abs(text(ui)[1].index("┃") - place) <= 1
        await ui.press("home")  # the stretch goes with the cursor
        assert text(ui)[1].startswith("┃")
        assert "zoom 4:1" in text(ui)[1]
        await ui.press("shift+right", "shift+right", "shift+right", "down", "j", "down")
        assert text(ui)[:3] == whole


async def test_enter_restores_there_and_y_copies(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("j", "tab", "left", "enter")
        assert target(ui) == f"{NEWEST}/00000003:107152"
        await ui.press("escape", "left", "r")
        assert target(ui) == f"{NEWEST}/00000003:90672"
        await ui.press("escape", "y")
        assert isinstance(ui.app.screen, CopyMenu)
        assert f"position    {NEWEST}/00000003:90672" in ui.screen_text
        await ui.press("escape", "G", "enter")
        assert target(ui) == "00000003"


async def test_the_dialog_plans_what_the_timeline_said(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("j", "tab", "left", "left", "left")
        said = text(ui)
        assert said[4].startswith("reads 21 files, 158.7 kB  leaves out 3 newer WAL files")
        await ui.press("enter", "enter")
        assert "158.7 kB in 21 files" in ui.screen_text


async def test_the_mouse(golden: Golden) -> None:
    async with session(golden("v03-multi-snapshot")) as ui:
        await ui.press("tab")
        await ui.pilot.click(TimelineView, offset=(0, 1))
        await ui.idle()
        assert "1 of 62" in text(ui)[3]
        await ui.pilot.click(TimelineView, offset=(20, 1))
        await ui.idle()
        assert text(ui)[1].index("┃") == 20
        view(ui)._zoom(0.5)
        await ui.idle()
        assert "zoom 2:1" in text(ui)[1]
        await ui.pilot.click(TimelineView, offset=(20, 1), times=2)
        await ui.idle()
        assert isinstance(ui.app.screen, RestoreDialog)


async def test_it_follows_the_tree(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (120, 45)) as ui:
        assert "72 of 72" in text(ui)[3]  # all generations on one axis
        assert text(ui)[1].count("◆") == 3
        await ui.press("j", "j", "j", "l", "j")
        assert ui.app.browser.shown_key == ("index", NEWEST, 3)
        await ui.press("j")
        assert f"{NEWEST} 00000002, all of it" in text(ui)[3]
        await ui.press("h", "k")
        ui.app.browser.tree_view.reveal(("snapshot", NEWEST, 0))
        await ui.idle()
        assert f"{NEWEST}/00000000:0  snapshot  1 of 24" in text(ui)[3]
        ui.app.browser.tree_view.reveal(("generation", "b1af8a513325d54b"))
        await ui.idle()
        assert "b1af8a513325d54b 00000002, all of it  22 of 22" in text(ui)[3]
        assert "▸" not in text(ui)[1]  # it has ended


async def test_new_files_leave_the_cursor_where_it_is(tmp_path: Path) -> None:
    built = write_replica(tmp_path / "r", history := usual_history())
    async with session(tmp_path / "r", (160, 45)) as ui:
        await ui.press("tab", "left", "left")
        before = text(ui)[3]
        assert "11 of 13" in before
        built.segment(2, history.ends(2)[-1], b"newer")
        await ui.press("R")
        assert text(ui)[3] == before.replace("11 of 13", "11 of 14")
        assert "leaves out 3 newer WAL files" in text(ui)[4]
        await ui.press("G")
        built.segment(2, history.ends(2)[-1] + 100, b"newer still")
        await ui.press("R")
        assert "15 of 15" in text(ui)[3]  # at the end it stays at the end


async def test_a_validation_shows_what_does_not_restore(golden: Golden) -> None:
    async with session(golden("v03-dmg-flip-byte-segment")) as ui:
        assert "24 of 24" in text(ui)[3]
        await ui.press("v", "enter")
        await ui.until(lambda: ui.app.checking.checks)
        await ui.press("escape", "escape")
        await ui.press("tab")
        assert "░damaged from 00000002 on░" in text(ui)[1]
        assert "14 of 14" in text(ui)[3]
        assert text(ui)[4].startswith("then damaged from 00000002 on: later states do not restore  checked")
        await ui.press("left")
        assert text(ui)[4].startswith("checked 0 s ago  reads 13 files, 99.8 kB  leaves out 11 newer WAL files")


async def test_without_a_restore_point_its_keys_say_why(golden: Golden) -> None:
    async with session(golden("v03-dmg-missing-snapshot")) as ui:
        ui.app.browser.tree_view.reveal(("generation", NEWEST))
        await ui.idle()
        await ui.press("tab")
        assert "░no snapshot: nothing of it restores░" in text(ui)[1]
        assert text(ui)[3] == "no restore point: no snapshot: nothing of it restores"
        await ui.press("left", "right", "shift+left", "up", "down", "home", "end")
        await ui.press("enter")
        assert ui.in_browser
        assert ui.toasts == ["the timeline has no restore point"]


async def test_a_copied_replica_says_that_its_times_are_not_the_writers(golden: Golden, tmp_path: Path) -> None:
    shutil.copytree(golden("v03-multi-gen"), tmp_path / "r", copy_function=shutil.copyfile)
    async with session(tmp_path / "r", (160, 45)) as ui:
        await ui.press("j")
        assert "by order, not time" in text(ui)[0]
        assert "00000000" in text(ui)[0]
        assert "copied without its times? by the order of the files" in text(ui)[3]


async def test_a_v05_replica(tmp_path: Path) -> None:
    made = make_replica(tmp_path)
    async with session(made.root, (160, 45)) as ui:
        assert "by 20:51:00.000Z  9 min ago  TXID 000000000000000c  7 of 7" in text(ui)[3]
        assert text(ui)[4].startswith("reads 6 files, 2.7 kB  from snapshot 0000000000000004")
        await ui.press("tab", "left", "left", "enter")
        assert target(ui) == "000000000000000a"
        await ui.press("escape", "tab", "right_square_bracket", "G")
        assert "1 of 7" in text(ui)[3]
        await ui.press("shift+tab", "end", "left", "left", "enter")
        await ui.press("escape", "y")
        assert "TXID     000000000000000a" in ui.screen_text


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40), (60, 20)])
@pytest.mark.parametrize("name", ["v03-dmg-gap-middle-index", "v03-multi-snapshot"])
async def test_in_ascii_it_is_ascii_and_never_wraps(golden: Golden, name: str, size: tuple[int, int]) -> None:
    async with session(golden(name), size, replace(SETTINGS, ascii=True)) as ui:
        await ui.press("tab")
        lines = text(ui)
        assert len(lines) == 5
        assert "".join(lines).isascii()
        assert lines[1].startswith("#=")
        assert "peak " in lines[2]
        assert lines[3].startswith("by 20:")


async def test_another_replica_leaves_nothing_of_the_one_before(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("tab")
        ui.app.opening.open(str(golden("v03-snapshot-only")))
        await ui.idle()
        assert view(ui).timeline is not None
        assert len(view(ui).timeline or ()) == 1
        assert "".join(text(ui)).count("◆") + "".join(text(ui)).count("┃") == 1


async def test_between_generations_nothing_jumps(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (120, 45)) as ui:
        browser = ui.app.browser
        browser.tree_view.reveal(("generation", "b1af8a513325d54b"))
        await ui.idle()
        top = browser.table.region.y
        browser.shown_key = ("generation", "94a4ddb46bb3f1d3")
        browser.timeline.follow()
        assert view(ui).timeline is None  # what was there is of another generation, and gone at once
        assert view(ui).display
        await ui.idle()
        assert view(ui).timeline is not None
        assert browser.table.region.y == top
