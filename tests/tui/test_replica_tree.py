"""The tree as a widget: its place when lines come, go or are grouped otherwise, and its filter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from textual.app import App, ComposeResult
from textual.widgets import Input

from litetui.tui.glyphs import UNICODE
from litetui.tui.marks import NONE
from litetui.tui.model import ReplicaView
from litetui.tui.tree_line import Key
from litetui.tui.widgets.replica_tree import ReplicaTree
from tests.tui.helpers import session
from tests.tui.ltx_files import make_replica
from tests.tui.test_outline import MINUTE, START, G, view_of

Golden = Callable[[str], Path]
NEWEST = "37a3dbace36f1ae1"
OLDER, OLDEST = "b1af8a513325d54b", "94a4ddb46bb3f1d3"


class TreeApp(App[None]):
    def __init__(self, view: ReplicaView) -> None:
        super().__init__()
        self.tree_view = ReplicaTree(UNICODE)
        self.first_view = view
        self.told: list[Key] = []

    def compose(self) -> ComposeResult:
        yield self.tree_view

    def on_mount(self) -> None:
        self.tree_view.focus()
        self.tree_view.show(self.first_view, START)

    def on_row_view_highlighted(self) -> None:
        if self.tree_view.line is not None:
            self.told.append(self.tree_view.line.key)


async def test_the_cursor_stays_on_a_wal_that_comes_to_be_grouped() -> None:
    app = TreeApp(view_of(list(range(24))))
    async with app.run_test() as pilot:
        tree = app.tree_view
        tree.reveal(("index", G, 3))
        await pilot.pause()
        for minutes in (list(range(0, 250, 10)), list(range(0, 3 * 1440, 15)), [0] * 500):
            tree.show(view_of(minutes), START)
            assert tree.line is not None
            assert tree.line.key == ("index", G, 3)


async def test_what_takes_the_place_of_a_line_that_is_gone_is_told() -> None:
    app = TreeApp(view_of(list(range(5))))
    async with app.run_test() as pilot:
        tree = app.tree_view
        tree.reveal(("index", G, 1))
        tree.show(view_of([2, 3, 4], first=2), START)  # retention took it away, and the one below it
        await pilot.pause()
        assert app.told[-1] == ("index", G, 2)
        two = view_of([2, 3, 4], first=2)
        (old,) = two.generations
        tree.show(replace(two, generations=(old, replace(old, survey=replace(old.survey, generation=OLDER)))), START)
        tree.reveal(("index", G, 2))
        tree.show(view_of([3, 4], first=3), START)
        await pilot.pause()
        assert app.told[-1] == ("index", G, 3)  # not the generation that stood below it


async def test_ages_grow_where_nothing_was_checked() -> None:
    view = view_of([0, 1])
    (one,) = view.generations
    app = TreeApp(replace(view, generations=(replace(one, newest=False),)))
    async with app.run_test():
        tree = app.tree_view
        assert tree.line is not None
        before = tree.line.note
        tree.tick(START + 90 * MINUTE, {}, NONE)
        assert tree.line.note != before
        assert "ended 1 h" in tree.line.note


async def test_slash_filters_the_tree_that_has_the_focus(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        browser, tree = ui.app.browser, ui.app.browser.tree_view
        await ui.press("j", "slash")
        await ui.type("0000002")
        assert {line.text for line in tree.lines if not line.branch} == {"00000002"}
        assert [line.text for line in tree.lines[1:4]] == [NEWEST, "wal", "00000002"]
        assert tree.lines[2].note == "1 of 4"
        assert browser.shown_key == ("index", NEWEST, 2)
        await ui.press("enter", "G")
        assert browser.shown_key == ("index", OLDEST, 2)
        assert browser.filter_text == ""  # of the table
        await ui.press("escape")
        assert browser.focused is tree
        assert browser.tree_pane.filter is None
        assert browser.shown_key == ("index", OLDEST, 2)  # what hid it is open
        assert [line.key for line in tree.lines if line.text == "00000002"] == [("index", OLDEST, 2)]
        await ui.press("slash")
        await ui.type("b1af")
        assert [line.key for line in tree.lines[1:]] == [("generation", OLDER)]
        await ui.press("enter", "l")
        assert [line.key for line in tree.lines[2:]] == [("snapshots", OLDER), ("wals", OLDER)]
        tree.reveal(("index", NEWEST, 2))  # as a row of the table does it
        await ui.idle()
        assert browser.shown_key == ("index", NEWEST, 2)
        assert browser.tree_pane.filter is None
        await ui.press("slash")
        await ui.type("xyz")
        assert len(tree.lines) == 1
        assert "no index, TXID or generation holds 'xyz'" in tree.lines[0].note
        await ui.press("escape", "slash", "enter")
        assert browser.tree_pane.filter is None
        browser.tree_pane.open_filter("2")  # as keys that come in one read do it
        browser.tree_pane.close_filter()
        browser.tree_pane.open_filter("3")
        await ui.idle()
        assert tree.filter_text == "3"


async def test_h_goes_up_where_a_filter_holds_the_branches_open(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        tree = ui.app.browser.tree_view
        await ui.press("slash")
        await ui.type("00000001")
        await ui.press("enter")
        opened, kinds = set(tree.opened), []
        for key in ("h", "enter", "h", "h", "h"):
            await ui.press(key)
            kinds.append(tree.line.kind if tree.line is not None else "")
        assert kinds == ["wals", "wals", "generation", "replica", "replica"]
        assert tree.opened == opened
        tree.filter("")
        await ui.press("h")
        assert tree.opened == opened - {("replica",)}
        assert len(tree.lines) == 1


async def test_the_filter_finds_ltx_files_by_their_txids(tmp_path: Path) -> None:
    async with session(make_replica(tmp_path).root) as ui:
        tree = ui.app.browser.tree_view
        await ui.press("slash")
        await ui.type("0x8")
        found = [line.key for line in tree.lines if line.kind == "ltxfile"]
        assert found
        assert all("8" in f"{int(key[2]):x} {int(key[3]):x}" for key in found)
        assert isinstance(ui.app.browser.focused, Input)
        await ui.press("enter")
        assert tree.line is not None
        assert tree.line.key == found[0]
        await ui.press("escape")
        assert [line.key for line in tree.lines if line.kind == "ltxfile"] == found[:1]
