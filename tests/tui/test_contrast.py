"""Every built-in theme can be read: text at 4.5, muted text at 3, as it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual.color import Color

from litetui.tui.contrast import contrast
from litetui.tui.glyphs import UNICODE
from tests.tui.helpers import Session, session

MUTED = 2.95  # colours are rounded to whole steps on the way to the screen
DECORATION = {"▕", UNICODE.mark}
BOX = {chr(n) for n in range(0x2500, 0x2580)} - {UNICODE.window}  # frames of dialogs


def unreadable(ui: Session) -> list[tuple[str, float]]:
    found = []
    for strip in ui.app.screen._compositor.render_strips():
        for segment in strip:
            style, text = segment.style, segment.text.strip()
            if (
                style is None
                or style.color is None
                or style.bgcolor is None
                or not text
                or text in DECORATION
                or set(text) <= BOX
            ):
                continue
            ratio = contrast(Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor))
            if ratio < MUTED:
                found.append((text, round(ratio, 2)))
    return found


async def test_all_themes_are_readable(golden: Callable[[str], Path]) -> None:
    async with session(golden("v03-dmg-gap-middle-index")) as ui:
        for name in sorted(ui.app.available_themes):
            if "ansi" in name:
                continue  # the terminal's own colours
            ui.app.theme = name
            await ui.idle()
            assert unreadable(ui) == [], name
            variables = ui.app.get_css_variables()
            for text in ("foreground", "text-error", "text-warning", "text-success", "text-primary"):
                for ground in ("background", "surface", "panel"):
                    ratio = contrast(Color.parse(variables[text]), Color.parse(variables[ground]))
                    assert ratio >= 4.5, (name, text, ground)


async def test_a_report_and_a_plan_are_readable(golden: Callable[[str], Path]) -> None:
    async with session(golden("v03-dmg-flip-byte-segment"), (80, 24)) as ui:
        names = ["textual-dark", "textual-light", "atom-one-dark", "flexoki", "solarized-light", "dracula"]
        for keys in (["v", "right"], ["enter"], ["escape", "t"], ["ctrl+u", "1", "s", "enter"]):
            await ui.press(*keys)
            for name in names:
                ui.app.theme = name
                await ui.idle()
                assert unreadable(ui) == [], (name, keys)
