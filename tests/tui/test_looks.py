"""How it looks where there is little: 80 by 24 cells, ASCII only, no colours, nothing to show."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.color import Color
from textual.widgets import Button

from litetui.tui.contrast import FILLED, TEXT, contrast, readable
from litetui.tui.keys import ACTIONS
from litetui.tui.screens.dialog import Dialog
from litetui.tui.screens.help import PANES, HelpScreen
from litetui.tui.screens.job import JobScreen
from litetui.tui.screens.quit import QuitDialog
from litetui.tui.screens.write import WriteDialog
from litetui.tui.settings import theme_of_terminal
from litetui.tui.work.write_plan import sync_plan
from tests.tui.fakes import new_generation_plan
from tests.tui.helpers import SETTINGS, Session, session
from tests.tui.ltx_files import make_replica

Golden = Callable[[str], Path]
SMALL = (80, 24)
DAMAGED = "v03-dmg-flip-byte-segment"

# keys that lead from the browser to each dialog, and the keys that lead on within it
DIALOGS = {
    "restore": (["r"], ["enter"]),
    "validate": (["v"], ["right"]),
    "retention": (["t"], ["ctrl+u", "1", "s", "enter"]),
    "attach": (["o"], []),
    "open": (["O"], []),
    "copy": (["y"], []),
    "export": (["2", "e"], []),
    "help": (["question_mark"], ["slash", "r", "e"]),
}


def whole(ui: Session) -> None:
    """All buttons and the line of keys of the dialog are on the screen, and nothing is beside it."""
    dialog = ui.app.screen
    assert isinstance(dialog, Dialog)
    screen = ui.app.screen.region
    for button in dialog.query(Button):
        if button.display:
            assert screen.contains_region(button.region), button.id
            assert button.region.height == 1
            assert str(button.label) in ui.screen_text
    keys = re.sub(r"\s+", " ", dialog.keys_line)
    assert keys in ui.screen_text, "the line of keys is cut"
    assert screen.contains_region(dialog.query_one(f"#{dialog.box_id}").region)


@pytest.mark.parametrize("layout", ["v0.3", "v0.5"])
async def test_a_dialog_is_whole_at_80_by_24(layout: str, golden: Golden, tmp_path: Path) -> None:
    path = golden("v03-multi-gen") if layout == "v0.3" else make_replica(tmp_path).root
    async with session(path, SMALL) as ui:
        for name, steps in DIALOGS.items():
            if (layout, name) == ("v0.5", "retention"):
                continue  # it stays with Litestream
            for keys in steps:
                await ui.press(*keys)
                whole(ui)
            await home(ui)


async def home(ui: Session) -> None:
    """Out of all dialogs, to the tree."""
    while not ui.in_browser:
        await ui.press("escape")
    await ui.press("1")


async def test_the_dialogs_of_jobs_are_whole_at_80_by_24(golden: Golden) -> None:
    async with session(golden(DAMAGED), SMALL) as ui:
        await ui.press("v", "enter", "escape", "J")
        job = ui.app.runner.jobs[-1]
        plan = sync_plan(new_generation_plan("/var/lib/a/replica/whose/path/is/long/" + "and/" * 30))
        for dialog in (WriteDialog(plan), JobScreen(job), QuitDialog([job])):
            ui.app.push_screen(dialog)
            await ui.idle()
            whole(ui)
            ui.app.pop_screen()
            await ui.idle()


async def test_a_long_plan_scrolls(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), SMALL) as ui:
        ui.app.push_screen(WriteDialog(sync_plan(new_generation_plan("/var/lib/" + "long/" * 300))))
        await ui.idle()
        whole(ui)
        before = ui.screen_text
        await ui.press(*"jjjjj")
        assert ui.screen_text != before
        whole(ui)


@pytest.mark.parametrize("layout", ["v0.3", "v0.5"])
async def test_ascii_is_ascii_everywhere(layout: str, golden: Golden, tmp_path: Path) -> None:
    """Each screen, with bars, timeline, tabs, guides, borders, choices and toasts."""
    path = golden(DAMAGED) if layout == "v0.3" else make_replica(tmp_path).root
    async with session(path, settings=replace(SETTINGS, ascii=True)) as ui:

        async def see(*keys: str) -> None:
            await ui.press(*keys)
            odd = {c for c in ui.screen_text if not " " <= c <= "~" and c != "\n"}
            assert not odd, keys

        await see("2", "2", "left")  # the timeline
        await see("escape", "1")
        for to, on in DIALOGS.values():
            await see(*to)
            if on:
                await see(*on)
            await home(ui)
            await see()
        await see("v", "enter")  # the report
        await see("e")
        await see("escape", "escape", "3")
        await see("enter")  # the job
        await see("escape", "4")
        for key in ("right_square_bracket", "j", "l", "j"):
            await see("1", key)
        await see("colon", "r", "tab")
        await see("escape", "ctrl+p")
        await see("escape", "plus")
        for severity in ("information", "warning", "error"):
            ui.app.say(f"a toast: {severity}", severity)
        await see()


async def test_the_help_of_a_pane_fits(golden: Golden) -> None:
    """No line is wrapped by anything but the help itself, which keeps texts beside their keys."""
    assert [a.id for a in ACTIONS if len(a.shown_keys) > 12] == []
    async with session(golden("v03-multi-gen"), SMALL) as ui:
        for pane in PANES:
            ui.app.push_screen(HelpScreen(pane, lambda action: action.why_not(ui.app.browser.situation())))
            await ui.idle()
            whole(ui)
            lines = ui.screen_text.splitlines()
            assert all(len(line) == SMALL[0] for line in lines)
            assert ui.app.screen.query_one("#help-text").size.width >= SMALL[0] - 6
            for number, line in enumerate(lines):
                if "Here" in line:
                    for row in lines[number + 1 : -2]:
                        assert re.match(r"│ (  \S| {14}|\S| {20})", row), row
            ui.app.pop_screen()


async def test_an_empty_pane_says_what_would_be_here() -> None:
    """And which key makes it."""
    words = {
        "1": ("no replica is open", "O opens one"),
        "2": ("no replica is open", "O opens one"),
        "3": ("none yet", "r restores, v validates"),
        "4": ("no log lines yet", "r restores, v validates"),
    }
    async with session(None, SMALL) as ui:
        await ui.press("escape")
        for pane in words:
            await ui.press(pane)
            for word in (*words[pane], "? help", "q quit"):
                assert word in ui.screen_text, pane


async def test_a_filter_that_leaves_nothing_says_so(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), SMALL) as ui:
        await ui.press("2", "slash", "z", "z", "enter")
        assert re.search("no row|nothing", ui.screen_text)
        assert "esc" in ui.screen_text


async def test_a_line_that_does_not_fit_shows_that_it_was_cut(tmp_path: Path) -> None:
    for settings, sign in ((SETTINGS, "…"), (replace(SETTINGS, ascii=True), "words")):
        async with session(make_replica(tmp_path / sign).root, SMALL, settings) as ui:
            await ui.press("2")
            ui.app.browser.detail_pane.title(("a title of many words " * 9, ""))
            await ui.pilot.pause()
            line = next(line for line in ui.screen_text.splitlines() if "a title" in line)
            assert line.isascii() == settings.ascii
            assert len(line.rstrip()) >= SMALL[0] - 5
            assert sign in line


@pytest.mark.parametrize(
    ("environ", "theme"),
    [
        ({"TERM": "xterm"}, "ansi-dark"),
        ({"TERM": "screen"}, "ansi-dark"),
        ({"TERM": "xterm-256color"}, ""),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, ""),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "ansi-dark"),
    ],
)
def test_the_theme_follows_the_terminal(environ: dict[str, str], theme: str) -> None:
    assert theme_of_terminal(environ) == theme


async def test_no_color_needs_no_colour(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has a colour, and the cursor, the tab, the pane and the button of enter are reversed."""
    monkeypatch.setenv("NO_COLOR", "1")
    async with session(golden(DAMAGED), (100, 30), replace(SETTINGS, theme="dracula")) as ui:

        def reversed_texts() -> list[str]:
            found = []
            for strip in ui.app.screen._compositor.render_strips():
                for segment in strip:
                    style = segment.style
                    if style is not None:
                        assert style.color is None or style.color.is_default
                        assert style.bgcolor is None or style.bgcolor.is_default
                        if style.reverse and segment.text.strip():
                            found.append(segment.text.strip())
            return found

        found = " ".join(reversed_texts())
        for words in ("Generations", "37a3d", "WAL files"):
            assert words in found
        await ui.press("v")
        assert "Validate" in reversed_texts()
        await ui.press("enter")
        assert "✗ damaged: the latest state" in ui.screen_text
        assert reversed_texts()


def test_what_is_filled_can_be_read() -> None:
    """Also where a theme gives white on a light blue."""
    names = ("background", "surface", "panel", "primary-muted", "foreground", "text-primary", "text-success",
             "text-warning", "text-error", "foreground-muted")  # fmt: skip
    theme = dict.fromkeys(names, "#202020") | {"error": "#ff8080", "block-cursor-background": "#0178D4"}
    mended = readable({**theme, "foreground": "#e0e0e0"})
    for ground, text in FILLED.items():
        assert contrast(Color.parse(mended[text]), Color.parse(mended[ground])) >= TEXT - 0.05
    assert readable({**theme, "background": "ansi_default"})["error"].lower() == "#ff8080"
