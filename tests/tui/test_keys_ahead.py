"""Keys that come faster than the screen: they are meant for what the key before them leads to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual import events

from tests.tui.helpers import Session, session

Golden = Callable[[str], Path]


async def burst(ui: Session, *keys: str) -> None:
    """Keys in one read, as a paste or a slow line brings them."""
    for key in keys:
        ui.app.post_message(events.Key(key, key if len(key) == 1 else None))
    await ui.idle()
    await ui.pilot.pause()


async def test_keys_behind_one_that_goes_to_a_pane_are_for_that_pane(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        browser = ui.app.browser
        await burst(ui, "2", "G")
        await ui.until(lambda: browser.table.cursor == len(browser.table.source) - 1)
        assert browser.tree_view.cursor == 0
        await burst(ui, "1", "G")
        await ui.until(lambda: browser.tree_view.cursor == len(browser.tree_view.lines) - 1)
        await burst(ui, "1", "g", "tab", "tab", "k", "tab", "1", "j")
        await ui.until(lambda: browser.tree_view.cursor == 1)


async def test_a_click_on_the_footer_acts_where_the_filter_belongs_to(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        browser = ui.app.browser
        await ui.press("1", "slash")
        browser.act("open_node")
        await ui.press("escape", "2", "slash")
        before = browser.shown_key
        browser.act("open_row")
        await ui.idle()
        assert browser.shown_key != before  # the row led into the tree


async def test_q_goes_back_as_esc_does_and_quits_at_the_top(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (160, 45)) as ui:
        await ui.press("2", "slash")
        await ui.type("x")
        await ui.press("enter", "q")
        assert not ui.app.browser.filter_text
        await ui.press("3", "plus", "q", "q")
        assert ui.app.browser.pane == "tree"
        await ui.pilot.press("q")
        await ui.left()
