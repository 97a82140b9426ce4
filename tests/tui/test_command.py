"""The command line `:`: words, places, completion, history, and what it says of what is not possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from litetui.tui.keys import ACTIONS
from litetui.tui.screens.command import CommandLine
from litetui.tui.screens.restore import RestoreDialog
from litetui.tui.screens.validate import ValidateDialog
from litetui.tui.tree_line import Key
from tests.tui.helpers import SETTINGS, Session, session
from tests.tui.ltx_files import make_replica

Golden = Callable[[str], Path]
NEWEST, OLDER = "37a3dbace36f1ae1", "b1af8a513325d54b"


def line_of(ui: Session) -> CommandLine:
    assert isinstance(ui.app.screen, CommandLine)
    return ui.app.screen


async def typed(ui: Session, text: str) -> None:
    """Open the line and put a text into it."""
    await ui.press("colon")
    if text:
        await ui.type(text)


async def run(ui: Session, text: str) -> Key:
    """Run a text; the line of the tree that is shown then."""
    await typed(ui, text)
    await ui.press("enter")
    return ui.app.browser.shown_key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("00000002", ("index", NEWEST, 2)),
        ("0x00000003", ("index", NEWEST, 3)),
        ("0x1", ("index", NEWEST, 1)),
        (OLDER, ("generation", OLDER)),
        ("b1af8a51", ("generation", OLDER)),  # eight digits, and no index
        (f"{OLDER}/00000000:4152", ("index", OLDER, 0)),
        ("latest", ("index", NEWEST, 3)),
        ("gen", ("replica",)),
        ("snap", ("generation", NEWEST)),
        ("attention", ("replica",)),
    ],
)
async def test_places_and_views(golden: Golden, text: str, key: Key) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        assert await run(ui, text) == key
        assert ui.in_browser


async def test_a_position_leads_to_the_segment_that_holds_it(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        browser = ui.app.browser
        assert browser.view is not None
        wals = browser.view.generations[0].wals
        row = list(wals.rows_of(2))[1]
        begins = int(wals.offset[row])
        assert await run(ui, f"00000002:{begins + 10}") == ("index", NEWEST, 2)
        assert (browser.tab, browser.pane) == ("wal", "detail")
        assert browser.table.source.cells(browser.table.cursor)[1] == str(begins)
        await ui.press("r")  # and a restore from there goes to the end of that segment, not of the whole WAL
        ends = int(wals.offset[row + 1])
        assert ui.app.screen.query_one("#target").value == f"{NEWEST}/00000002:{ends}"  # type: ignore[attr-defined]


async def test_a_time_leads_to_the_newest_file_by_then_and_says_how_far_it_is(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        browser = ui.app.browser
        await run(ui, "2026-11-22T20:55:33Z")
        assert browser.shown_key == ("index", NEWEST, 3)
        assert "newest file by 20:55:33.000Z: 20:55:32." in ui.toasts[-1]
        assert ui.toasts[-1].endswith("earlier")
        await typed(ui, "2001-01-01T00:00:00Z")
        await ui.press("enter")
        assert "nothing can be restored to" in ui.screen_text
        assert "the first file is of" in ui.screen_text


async def test_txids(tmp_path: Path) -> None:
    async with session(make_replica(tmp_path).root) as ui:
        view = ui.app.browser.view
        assert view is not None
        assert view.ltx is not None
        last = view.ltx.points.last
        assert (await run(ui, f"{last:016x}"))[3] == last
        assert (await run(ui, f"0x{last:x}"))[3] == last
        for words in (
            "L1 0000000000000004",
            "0000000000000001-0000000000000004",
            "L1 0000000000000001-0000000000000004",
        ):
            await ui.press("g")
            assert await run(ui, words) == ("ltxfile", 1, 1, 4)  # as it stands in tables and in the tree
        await typed(ui, "L2 0000000000000004")
        await ui.press("enter")
        assert "there is no LTX file L2 0000000000000004" in ui.screen_text
        await ui.press("escape")
        await typed(ui, "0xfffff")
        await ui.press("enter")
        assert "there is no TXID 00000000000fffff" in ui.screen_text
        await ui.press("escape")
        assert await run(ui, "0x3") == ("ltxfile", 1, 1, 4)
        assert ui.toasts[-1] == "no file ends with 0000000000000003: this one holds it"
        assert (await run(ui, "20:46:30Z"))[2:] == (1, 4)
        assert ui.toasts[-1] == "newest file by 20:46:30Z: 20:43:00.000Z, 3 min 30 s earlier"
        assert await run(ui, "snap") == ("level", 9)
        await typed(ui, "gen")
        await ui.press("enter")
        assert "a v0.5 replica has levels" in ui.screen_text


async def test_words_do_what_their_keys_do(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await run(ui, "validate")
        assert isinstance(ui.app.screen, ValidateDialog)
        await ui.press("escape")
        await run(ui, "jobs")
        assert ui.app.browser.pane == "jobs"
        await run(ui, "timeline")
        assert ui.app.browser.stop == "timeline"
        await run(ui, "valid")  # the only word that begins so
        assert isinstance(ui.app.screen, ValidateDialog)


async def test_words_that_something_follows(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await run(ui, "theme nord")
        assert ui.app.theme == "nord"
        await run(ui, f"filter {OLDER[:6]}")
        assert ui.app.browser.table.row_count == 1
        await run(ui, "restore 10m")
        assert isinstance(ui.app.screen, RestoreDialog)
        assert ui.app.screen.query_one("#target").value == "10m"  # type: ignore[attr-defined]
        await ui.press("escape")
        await run(ui, "theme nothing")
        assert "there is no theme 'nothing'" in ui.screen_text
        await ui.press("escape")
        await run(ui, "jobs now")
        assert "nothing follows jobs" in ui.screen_text
        await ui.press("escape")
        other = golden("v03-page-512")
        await run(ui, f"open {other}")
        assert ui.app.path == str(other)


async def test_what_is_not_possible_says_why_and_the_line_stays(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (80, 24)) as ui:
        await ui.pilot.press("colon", *"sync")  # in one go
        await ui.idle()
        assert "not now: no database attached: press o" in ui.screen_text
        await ui.press("enter")
        assert "no database attached: press o" in ui.screen_text.splitlines()[-2]
        line_of(ui)


async def test_an_unknown_word_says_what_is_near(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await run(ui, "retsore")
        assert "there is no retsore; near: restore" in ui.screen_text
        await ui.press("escape")
        await run(ui, "re")
        assert "several words begin with re: restore, replicate, retention" in ui.screen_text
        await ui.press("escape")
        await run(ui, "qqqq")
        assert "'qqqq' is no word and no place" in ui.screen_text
        await ui.press("escape")
        await run(ui, "0000ffff")
        assert f"there is no WAL 0000ffff; {NEWEST} has 00000000 to 00000003" in ui.screen_text


async def test_completion_and_history(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await typed(ui, "snap")
        line = line_of(ui)
        few = len(line.list.found)
        await ui.press(*["backspace"] * 4)
        assert len(line.list.found) > few  # nothing is typed: all of them again
        await ui.type("snap")
        await ui.pilot.press("tab")
        assert line.field.value == "snap"
        await ui.pilot.press("tab")
        assert line.field.value == "snapshot"
        await ui.pilot.press("shift+tab")
        assert line.field.value == "snap"
        await ui.press("enter")
        assert ui.app.browser.tab == "snapshots"
        await typed(ui, "theme no")
        await ui.press("right", "enter")
        assert ui.app.theme == "nord"
        await typed(ui, "")
        line = line_of(ui)
        await ui.pilot.press("up")
        assert line.field.value == "theme nord"
        await ui.pilot.press("up", "up")
        assert line.field.value == "snap"
        await ui.pilot.press("down", "down")
        assert line.field.value == ""
        await ui.pilot.press("w", "up", "down")
        assert line.field.value == "w"  # what was being typed comes back
        await ui.press("escape")
        assert ui.in_browser


async def test_places_are_offered_while_one_types(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await typed(ui, "0000000")
        assert [one.text for one in line_of(ui).list.found[:4]] == ["00000000", "00000001", "00000002", "00000003"]
        await ui.press("escape")
        await typed(ui, "b1a")
        await ui.press("tab", "enter")
        assert ui.app.browser.shown_key == ("generation", OLDER)
        await typed(ui, "20:55:33Z")
        assert "newest file by 20:55:33.000Z" in ui.screen_text


async def test_without_a_replica_it_says_so(tmp_path: Path) -> None:
    async with session(None) as ui:
        await ui.press("escape")
        await run(ui, "0000002c")
        assert "no replica is open: press O" in ui.screen_text
        await ui.press("escape")
        await run(ui, "wal")
        assert "no replica is open: press O" in ui.screen_text


async def test_every_action_has_a_word_that_is_its_own(golden: Golden) -> None:
    names = [action.name for action in ACTIONS if action.where == "browser"]
    assert len(set(names)) == len(names)
    async with session(golden("v03-multi-gen"), (80, 24)) as ui:
        await typed(ui, "")
        offered = {one.text.strip() for one in line_of(ui).list.found}
        assert set(names) - offered == {"command", "palette"}
        await ui.pilot.press("shift+tab")  # the last one: the list scrolls to it
        await ui.pilot.pause()
        last = line_of(ui).list.found[-1].text.strip()
        assert any(line.startswith(f" ▸ {last}") for line in ui.screen_text.splitlines())


async def test_the_line_fits_a_narrow_screen_and_ascii(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (80, 24), replace(SETTINGS, ascii=True)) as ui:
        await typed(ui, "")
        await ui.pilot.press("tab")
        assert ui.screen_text.isascii()
        lines = ui.screen_text.splitlines()
        assert lines[-1].startswith(" :gen")
        assert any(line.startswith(" > gen") for line in lines)
