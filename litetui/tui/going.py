"""Where things lead: the row under the cursor, a finding, a place that was named."""

from __future__ import annotations

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

    def row_leads(self) -> bool:
        """Whether the row under the cursor leads anywhere, as `from_row` has it."""
        from litetui.tui.attention.rows import AttentionSource
        from litetui.tui.ltx.page_source import PageSource
        from litetui.tui.ltx.sources import LevelSource, LTXFileSource, PointSource
        from litetui.tui.tables.wal_sources import TransactionSource, WrittenPageSource

        browser = self.browser
        leading = LevelSource | LTXFileSource | PointSource | AttentionSource
        leading |= TransactionSource | PageSource | WrittenPageSource
        if isinstance(base_of(browser.table.source), leading):
            return True
        return browser.tab in ("generations", "snapshots") or (browser.tab == "wal" and browser.shown_key[0] != "index")

    def from_row(self) -> None:
        """Go where the row under the cursor points to."""
        from litetui.tui.attention.rows import AttentionSource
        from litetui.tui.ltx.page_source import PageSource
        from litetui.tui.ltx.sources import LevelSource, LTXFileSource, PointSource
        from litetui.tui.tables.wal_sources import TransactionSource, WrittenPageSource

        browser = self.browser
        key, row = browser.table.key, browser.table.base_row
        source = base_of(browser.table.source)
        if row is None or browser.shown is None:
            return
        generation = generation_of(browser.shown_key)
        if isinstance(source, LevelSource):
            browser.tree_view.reveal(("level", int(str(key))))
        elif isinstance(source, LTXFileSource):
            self._open_file(source.table[source.at(row)])
        elif isinstance(source, PointSource):
            self._open_file(source.view.table[int(source.points.row[source.at(row)])])
        elif browser.tab == "generations":
            browser.tree_view.reveal(("generation", str(key)))
        elif browser.tab == "snapshots":
            browser.tree_view.reveal(("snapshot", generation, int(str(key))))
        elif browser.tab == "wal" and browser.shown_key[0] != "index" and (index := _index_of(key)) is not None:
            browser.tree_view.reveal(("index", generation, index))
        elif isinstance(source, AttentionSource):
            browser.attention.open(source.entries[row])
        elif isinstance(source, TransactionSource):
            browser.owning.choose(browser.shown_key, row)
            browser.place[(browser.shown_key, "pages")] = TOP
            browser.tell_facts()
            browser.pick_tab("pages")
        elif isinstance(source, PageSource):
            browser.owning.ask(browser.shown_key, 0)
        elif isinstance(source, WrittenPageSource):
            self.to_place(browser.shown_key, "frames", int(source.rows[row]))

    def _open_file(self, info: LTXInfo) -> None:
        """An LTX file gets a line of the tree once it was opened."""
        self.browser.tree_view.reveal(("ltxfile", info.level, info.min_txid, info.max_txid))

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


def _index_of(key: Any) -> int | None:
    return int(key[0]) if isinstance(key, tuple) and key else None
