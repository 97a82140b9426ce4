"""Every built-in theme can be read: text at 4.5, muted text at 3, as it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.screen import Screen

from litetui.jobs.job import Job
from litetui.jobs.progress import CancelToken, Progress, Reporter
from litetui.tui.app import LitetuiApp
from litetui.tui.contrast import contrast
from litetui.tui.glyphs import UNICODE
from litetui.tui.screens.job import JobScreen
from litetui.tui.screens.quit import QuitDialog
from litetui.tui.screens.report import ReportScreen
from litetui.tui.screens.write import WriteDialog
from litetui.tui.work.write_plan import sync_plan
from tests.tui.fakes import new_generation_plan
from tests.tui.helpers import Session, session

Golden = Callable[[str], Path]

ROUNDED = 0.05  # colours are rounded to whole steps on the way to the screen
TEXT, MUTED = 4.5 - ROUNDED, 3 - ROUNDED
DECORATION = {"▕", "▌", UNICODE.mark}
BOX = {chr(n) for n in range(0x2500, 0x2580)} - {UNICODE.window}  # frames of dialogs


def colours(segment: Segment) -> tuple[Color, Color] | None:
    """Of the text and of what it stands on; None where nothing is written."""
    style, text = segment.style, segment.text.strip()
    if style is None or style.color is None or style.bgcolor is None:
        return None
    if not text or text in DECORATION or set(text) <= BOX:
        return None
    return Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)


def muted_colours(ui: Session) -> set[tuple[int, int, int]]:
    """The colours of text that is muted, or stands for what is not possible."""
    variables = ui.app.get_css_variables()
    return {Color.parse(variables[name]).rgb for name in ("foreground-muted", "foreground-disabled")}


def unreadable(ui: Session, screen: Screen[object]) -> set[tuple[str, str, str, str, float]]:
    """Texts of a screen whose contrast is too low, with both colours."""
    found = set()
    muted = muted_colours(ui)
    for strip in screen._compositor.render_strips():
        for segment in strip:
            pair = colours(segment)
            if pair is None:
                continue
            ratio = contrast(*pair)
            if ratio < (MUTED if pair[0].rgb in muted else TEXT):
                found.add((type(screen).__name__, segment.text.strip(), pair[0].hex, pair[1].hex, round(ratio, 2)))
    return found


async def see_all_themes(ui: Session) -> None:
    """Take each theme once, and read every screen of the stack in it."""
    found = set()
    for name in sorted(ui.app.available_themes):
        if "ansi" in name:
            continue  # the terminal's own colours: see test_looks.py
        ui.app.theme = name
        await ui.pilot.pause()
        for screen in ui.app.screen_stack:
            found |= {(name, *one) for one in unreadable(ui, screen)}
    assert found == set()


def standing(release: Event) -> Callable[[Reporter, CancelToken], None]:
    """Work that stands still in its middle."""

    def work(report: Reporter, cancel: CancelToken) -> None:
        report.log("the first line")
        report.log("and a warning", "warning")
        report.progress = Progress("apply the WAL", 1_000_000, 3_000_000, "bytes", 0.0, 1.0)
        release.wait(60)

    return work


def test_what_is_too_faint_is_found() -> None:
    def ratio(text: str, ground: str) -> float:
        pair = colours(Segment("word", Style.parse(f"{text} on {ground}")))
        assert pair is not None
        return contrast(*pair)

    assert ratio("#777777", "#ffffff") < 4.5 < ratio("#767676", "#ffffff")
    assert round(ratio("#000000", "#ffffff"), 3) == 21


async def test_the_browser_and_a_report(golden: Golden) -> None:
    release = Event()
    async with session(golden("v03-dmg-flip-byte-segment"), (120, 40)) as ui:
        await ui.press("v", "right", "enter")
        assert isinstance(ui.app.screen, ReportScreen)
        ui.app.submit(Job("export", standing(release), title="into a file", target="elsewhere"))
        for severity in ("information", "warning", "error"):
            ui.app.say(f"a toast: {severity}", severity)
        await ui.until(lambda: ui.app.browser.jobs_pane.has_class("-open"))
        assert ui.attention
        await see_all_themes(ui)
        await ui.pilot.press("escape", "2", "2", "4")  # by the timeline to the log
        await see_all_themes(ui)
        release.set()


async def test_the_dialogs(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    """One upon the other; at this size each of them fills the screen, and none shows what is behind it."""
    monkeypatch.setattr(LitetuiApp, "CSS", "ModalScreen { background: $background !important; }")
    release = Event()
    async with session(golden("v03-dmg-missing-snapshot"), (80, 24)) as ui:
        do = ui.app.browser.action_do
        do("retention")
        await ui.until(lambda: not ui.in_browser)
        await ui.press("ctrl+u", "1", "s", "enter")
        for wanted, action in enumerate(("restore", "validate", "attach", "open", "copy", "export", "help"), 3):
            do(action)
            await ui.until(partial(lambda count: len(ui.app.screen_stack) == count, wanted))
        job = Job("export", standing(release), title="into a file", target="elsewhere", command="litetui restore R")
        ui.app.submit(job)
        ui.app.push_screen(WriteDialog(sync_plan(new_generation_plan("/var/lib/replica"))))
        ui.app.push_screen(JobScreen(job))
        ui.app.push_screen(QuitDialog([job]))
        await ui.pilot.pause()
        do("command")
        await ui.pilot.pause()
        shown = {type(screen).__name__ for screen in ui.app.screen_stack}
        assert len(shown) == 13, shown
        await see_all_themes(ui)
        release.set()
