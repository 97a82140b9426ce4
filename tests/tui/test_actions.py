"""The one table of actions: each in each state, by its key, a click, the palette, `:` and in the help, at 80x24."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from textual.command import CommandList
from textual.widgets import Input, Static

from litetui.tui import keys
from litetui.tui.keys import ACTIONS, Action
from litetui.tui.screens.browser import Browser
from litetui.tui.screens.command import CommandLine
from litetui.tui.screens.help import HelpScreen
from litetui.tui.screens.report import ReportScreen
from tests.tui.fakes import DATABASE, attached
from tests.tui.helpers import SETTINGS, Session, session
from tests.tui.ltx_files import make_replica

Golden = Callable[[str], Path]
BROWSER = [action for action in ACTIONS if action.where == "browser"]
STATES = ("no replica", "v0.3", "readonly", "v0.5", "jobs", "log")


@asynccontextmanager
async def in_state(
    state: str, golden: Golden, tmp_path: Path, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Session]:
    path = None if state == "no replica" else golden("v03-multi-gen")
    if state == "v0.5":
        path = make_replica(tmp_path).root
    async with session(path, size, replace(SETTINGS, readonly=state == "readonly")) as ui:
        if path is None:
            await ui.press("escape")
        if state in ("jobs", "log"):
            await ui.press({"jobs": "3", "log": "4"}[state])
        yield ui


def joined(text: str) -> str:
    """The words on a screen, whatever stands at the sides."""
    return re.sub(r"[^!-~]+", "", text)


def refused(ui: Session) -> list[tuple[Action, str]]:
    at = ui.app.browser.situation()
    return [(action, why) for action in BROWSER if (why := action.why_not(at))]


@pytest.mark.parametrize("state", STATES)
async def test_the_key_of_what_is_not_possible_says_why(state: str, golden: Golden, tmp_path: Path) -> None:
    async with in_state(state, golden, tmp_path) as ui:
        found = refused(ui)
        assert found
        for action, why in found:
            ui.app.clear_notifications()
            for key in action.keys[:1]:
                await ui.pilot.press(key)
                assert ui.toasts == [why], action.id
                assert isinstance(ui.app.screen, Browser)
            await ui.pilot.pause()
            lines = [line[18:].rstrip() for line in ui.screen_text.splitlines()]
            assert joined(why) in joined("".join(lines)), action.id


@pytest.mark.parametrize("state", ["v0.5", "readonly"])
async def test_the_command_line_says_why_too(state: str, golden: Golden, tmp_path: Path) -> None:
    async with in_state(state, golden, tmp_path) as ui:
        for action, why in refused(ui):
            await ui.press("colon")
            await ui.type(action.name)
            await ui.press("enter")
            assert isinstance(ui.app.screen, CommandLine), action.id
            assert joined(why) in joined(ui.screen_text), action.id
            await ui.press("escape")


@pytest.mark.parametrize("state", ["v0.3", "v0.5", "jobs"])
async def test_a_click_in_the_footer_says_why_too(state: str, golden: Golden, tmp_path: Path) -> None:
    async with in_state(state, golden, tmp_path, (230, 24)) as ui:
        footer = ui.app.browser.footer_bar
        at = ui.app.browser.situation()
        places = [(start, keys.BY_ID[name].why_not(at)) for start, _, name in footer._places]
        assert any(why for _, why in places)
        for start, why in places:
            if why:
                ui.app.clear_notifications()
                await ui.pilot.click(footer, offset=(start, 0))
                await ui.idle()
                assert ui.toasts == [why]


def footer(ui: Session) -> list[str]:
    return [name for _, _, name in ui.app.browser.footer_bar._places]


async def test_the_footer_has_what_the_pane_does_then_the_work_and_what_is_not_possible_last(golden: Golden) -> None:
    with attached("37a3dbace36f1ae1"):
        async with session(golden("v03-multi-gen"), (200, 45), database=DATABASE) as ui:
            shown = footer(ui)
            assert shown[:4] == ["open_node", "close_node", "filter", "tab_after"]
            work = shown[shown.index("restore") :]
            assert work[:6] == ["restore", "validate", "sync", "replicate", "snapshot", "retention"]
            assert work[7:9] == ["command", "copy"]
            assert shown[-2:] == ["help", "quit"]
            ui.app.browser.tree_view.reveal(("index", "37a3dbace36f1ae1", 1))
            await ui.idle()
            assert footer(ui)[0] == "close_node"
            assert footer(ui)[-2:] == ["quit", "open_node"]  # nothing is below this line
    async with session(golden("v03-multi-gen"), (80, 24)) as ui:
        at = ui.app.browser.situation()
        assert not [name for name in footer(ui) if keys.BY_ID[name].why_not(at)]  # no room for those
        assert footer(ui)[-2:] == ["help", "quit"]


async def test_toasts_are_few_and_stand_above_jobs_and_log(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (120, 40)) as ui:
        await ui.press("T", "T", "T")
        assert ui.toasts == [f"theme {ui.app.theme}"]
        ui.app.say("an error", severity="error")
        for number in range(4):
            ui.app.say(f"words {number}")
        await ui.idle()
        assert ui.toasts == ["an error", "words 2", "words 3"]
        await ui.press("v", "enter", "escape", "3")
        await ui.press("x")
        lowest = max(toast.region.bottom for toast in ui.app.screen.query("Toast"))
        assert ui.toasts[-1].startswith("this job has ended")
        assert lowest == ui.app.browser.jobs_pane.region.y


async def test_keys_of_the_tree_and_of_tables_say_why_too(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (80, 24)) as ui:
        await ui.press("h", "h")
        assert ui.toasts == ["this is the top of the tree"]
        await ui.press("l")
        assert ui.app.browser.tree_view.lines[0].open
        ui.app.browser.tree_view.reveal(("index", "37a3dbace36f1ae1", 1))
        await ui.idle()
        footer = ui.app.browser.footer_bar
        open_node = keys.BY_ID["open_node"]
        assert footer.why_not(open_node) == "nothing is below this line: enter goes to its details"
        await ui.press("right")
        assert ui.toasts[-1] == footer.why_not(open_node)
        await ui.press("2", "left_square_bracket", "enter")
        assert ui.app.browser.tab == "wal"
        assert ui.toasts[-1] == "nothing is below this row"
        await ui.press("3", "enter")
        assert ui.toasts[-1] == "there is no row here"


async def test_a_reason_is_said_once_and_a_dialog_opens_without_toasts_on_its_buttons(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), size=(80, 24)) as ui:
        for key in ("s", "x", "S", "s"):
            await ui.press(key)
        assert ui.toasts == ["no database attached: press o"]  # the last reason takes the place of the others
        await ui.press("r")
        assert not ui.toasts
        assert "Show the plan" in ui.screen_text


async def palette(ui: Session, text: str) -> CommandList:
    """Search in the palette; its list, once it is there."""
    await ui.pilot.press("ctrl+p", *text)
    await ui.idle()
    for _ in range(100):
        await ui.pilot.pause(0.02)
        lists = ui.app.screen.query(CommandList)
        if lists and lists.first().option_count:
            return lists.first()
    raise AssertionError("nothing in the palette")


async def test_the_palette_greys_what_is_not_possible_and_says_why(golden: Golden, tmp_path: Path) -> None:
    async with in_state("v0.5", golden, tmp_path) as ui:
        found = await palette(ui, "snapshot")
        prompt = found.get_option_at_index(0).prompt
        why = keys.BY_ID["snapshot"].why_not(ui.app.browser.situation())
        assert str(prompt).startswith("snapshot\nnot now: Litestream 0.5 keeps this replica")
        assert joined(why) in joined(ui.screen_text)
        await ui.press("enter", "enter")
        assert ui.toasts[-1] == why


async def test_the_palette_has_every_action_of_the_browser(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (80, 24)) as ui:
        found = await palette(ui, "")
        async with asyncio.timeout(10):
            while found.option_count < len(BROWSER) - 1:
                await ui.pilot.pause(0.02)
        labels = {str(found.get_option_at_index(n).prompt).split("\n")[0] for n in range(found.option_count)}
        assert labels == {action.label for action in BROWSER if action.id != "palette"}


async def test_a_path_in_a_reason_is_no_markup(tmp_path: Path) -> None:
    folder = tmp_path / "[bold]" / "[/x]"
    folder.mkdir(parents=True)
    async with session(make_replica(folder).root) as ui:
        found = await palette(ui, "retention")
        assert "[/x]" in str(found.get_option_at_index(0).prompt)


async def test_a_report_says_why_too_and_its_palette_has_its_actions(golden: Golden) -> None:
    async with session(golden("v03-dmg-gap-middle-index"), (80, 24)) as ui:
        await ui.press("v", "enter")
        report = ui.app.screen
        assert isinstance(report, ReportScreen)
        at = report.situation()
        found = [(action, why) for action in ACTIONS if action.where == "report" and (why := action.why_not(at))]
        assert [action.id for action, _ in found] == ["report_clean_point"]
        for action, why in found:
            ui.app.clear_notifications()
            await ui.press(action.keys[0])
            assert ui.toasts == [why]
            assert all(word in ui.screen_text for word in why.split())
        listed = await palette(ui, "clean point")
        assert "not now: only after a validation" in str(listed.get_option_at_index(0).prompt)


# help


def help_text(ui: Session) -> str:
    assert isinstance(ui.app.screen, HelpScreen)
    return str(ui.app.screen.query_one("#help-text", Static).content)


@pytest.mark.parametrize("pane", ["tree", "detail", "jobs", "log"])
async def test_help_begins_with_the_pane_in_focus(golden: Golden, pane: str) -> None:
    async with session(golden("v03-multi-gen"), (80, 24)) as ui:
        await ui.press({"tree": "1", "detail": "2", "jobs": "3", "log": "4"}[pane], "question_mark")
        text = help_text(ui)
        here = text.split("\nHere\n")[1].split("\n\n")[0]
        for action in ACTIONS:
            if pane in action.panes:
                assert f"  {action.shown_keys} " in here, action.id
        assert all(len(line) <= 80 - 4 for line in here.splitlines())
        await ui.press("question_mark")
        assert ui.in_browser


async def test_help_has_every_action_and_why_it_is_not_possible(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (80, 24)) as ui:
        await ui.press("question_mark")
        text = " ".join(help_text(ui).split())
        assert [action.id for action in ACTIONS if action.help not in text] == []
        assert "not now: no database attached: press o" in text
        await ui.press("G")
        assert keys.ACTIONS[-1].help[:20] in ui.screen_text  # the end can be reached


async def test_help_is_filtered(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (80, 24)) as ui:
        await ui.pilot.press("question_mark", "slash", *"retent")  # in one go
        await ui.idle()
        assert ui.app.screen.query_one("#help-filter", Input).value == "retent"
        text = help_text(ui)
        assert "delete what is older" in text
        assert "show only rows" not in text
        await ui.press(*["backspace"] * 6, "x")
        assert "cancel the job" in help_text(ui)
        await ui.press("escape")
        assert "show only rows" in help_text(ui)
        await ui.press("escape")
        assert ui.in_browser


async def test_letters_that_come_with_the_filter_key_are_typed_into_it(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("2")
        await ui.pilot.press("slash", *"b1af")
        await ui.idle()
        assert ui.app.browser.filter_text == "b1af"
        assert ui.app.browser.table.row_count == 1
