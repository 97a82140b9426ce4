"""Where things lead: the row under the cursor, a finding, a place that was named."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from litetui.tui.tables.arranged import base_of
from litetui.tui.tree_line import Key, generation_of
from litetui.tui.widgets.virtual_table import TOP, Place

if TYPE_CHECKING:
    from litetui.replica.types import Finding, LTXInfo
    from litetui.tui.screens.browser import Browser

ROWS_BEFORE = 3  # a row that is gone to is seen with so many before it


class Going:
    """The browser's way from one place to another."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def from_row(self) -> Callable[[], object] | None:
        """What goes where the row under the cursor leads; None where it leads nowhere."""
        from litetui.tui.attention.rows import AttentionSource
        from litetui.tui.ltx.page_source import PageSource
        from litetui.tui.ltx.sources import LevelSource, LTXFileSource, PointSource
        from litetui.tui.tables.wal_sources import TransactionSource, WrittenPageSource

        browser = self.browser
        key, row, source = browser.table.key, browser.table.base_row, base_of(browser.table.source)
        if row is None:
            return None
        generation = generation_of(browser.shown_key)
        reveal = browser.tree_view.reveal
        if isinstance(source, LevelSource):
            return partial(reveal, ("level", int(str(key))))
        if isinstance(source, LTXFileSource):
            return partial(reveal, _line_of(source.table[source.at(row)]))
        if isinstance(source, PointSource):
            return partial(reveal, _line_of(source.view.table[int(source.points.row[source.at(row)])]))
        if isinstance(source, AttentionSource):
            return partial(browser.attention.open, source.entries[row])
        if isinstance(source, TransactionSource):
            return partial(self._to_pages, row)
        if isinstance(source, PageSource):
            return partial(browser.owning.ask, browser.shown_key, 0)
        if isinstance(source, WrittenPageSource):
            return partial(self.to_place, browser.shown_key, "frames", int(source.rows[row]))
        if browser.tab == "generations":
            return partial(reveal, ("generation", str(key)))
        if browser.tab == "snapshots":
            return partial(reveal, ("snapshot", generation, int(str(key))))
        if browser.tab == "wal" and browser.shown_key[0] != "index" and (index := _index_of(key)) is not None:
            return partial(reveal, ("index", generation, index))
        return None

    def _to_pages(self, transaction: int) -> None:
        """The pages that a transaction writes."""
        browser = self.browser
        browser.owning.choose(browser.shown_key, transaction)
        browser.place[(browser.shown_key, "pages")] = TOP
        browser.tell_facts()
        browser.pick_tab("pages")

    def to_ltx(self) -> None:
        """Go to the LTX files: the replica itself where they are all of it."""
        view = self.browser.view
        alone = view is not None and view.ltx_alone
        self.browser.tree_view.reveal(("replica",) if alone else ("ltx",))

    def to_finding(self, finding: Finding) -> None:
        """Go to the file of a finding in the tree, and to its frame or its segment in the table."""
        from litetui.tui.ltx.model import ltx_key

        browser = self.browser
        if browser.view is not None and browser.view.ltx is not None and (key := ltx_key(finding.path)) is not None:
            browser.tree_view.reveal(key)
        if browser.view is None or finding.generation is None:
            return
        from litetui.tui.ways import way_to

        way = way_to(finding, browser.view)
        if way.tab:
            self.to_place(way.key, way.tab, way.row)
        else:
            browser.tree_view.reveal(way.key)

    def to_place(self, key: Key, tab: str, row: int) -> None:
        """A row of a table of a line of the tree."""
        browser = self.browser
        browser.place[(key, tab)] = Place(row, max(0, row - ROWS_BEFORE))
        browser.tab_of_kind[str(key[0])] = tab
        same = key == browser.shown_key
        if not browser.tree_view.reveal(key):
            return
        browser.go_to("detail")
        if same and browser.shown is not None:
            browser.tab = ""  # the place that is left is not the one that is gone to
            browser.pick_tab(tab)


def _line_of(info: LTXInfo) -> Key:
    """An LTX file's line of the tree, which it gets once it was opened."""
    return ("ltxfile", info.level, info.min_txid, info.max_txid)


def _index_of(key: Any) -> int | None:
    return int(key[0]) if isinstance(key, tuple) and key else None
