"""The browser's hand on its table: what is filtered, sorted, followed, and written to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litetui.jobs.progress import CancelToken
from litetui.tui.tables.arranged import Arranged, arrange, base_of
from litetui.tui.tables.sources import Source

if TYPE_CHECKING:
    from litetui.tui.screens.browser_view import BrowserView

NOT_IN_TIME = "no row here is the newest: the rows are not in the order of time"
NO_FILES = "the tree has no lines for single LTX files: f in a level's table follows the newest"


class TableDesk:
    """Of one browser. All methods are for the app's own thread."""

    def __init__(self, browser: BrowserView) -> None:
        self.browser = browser
        self._token = CancelToken()
        self._asked: object = None  # what is being looked for
        self._again = False  # rows have come meanwhile

    @property
    def state(self) -> str:
        """What is done to the rows, for the line of tabs."""
        browser, table = self.browser, self.browser.table
        words = []
        if self.arranging and (browser.filter_text or len(table.source) > MANY):
            words.append("looking" if browser.filter_text else "sorting")
        elif browser.filter_text and isinstance(table.source, Arranged):
            words.append(f"{len(table.source):,} of {len(table.source.source):,}")
        if table.reversed and table.sorted_by is None:
            words.append("reversed")
        if table.following:
            words.append("following")
        return ", ".join(words)

    # order and choice

    @property
    def arranging(self) -> bool:
        """Whether rows are being sorted or filtered."""
        return self.browser.app.bridge.loading("arrange")

    @property
    def arranged(self) -> bool:
        """Whether the rows are to be shown otherwise than they come."""
        table = self.browser.table
        return bool(self.browser.filter_text) or table.sorted_by is not None or table.reversed

    def arrange(self, source: Source, *, same: bool) -> None:
        """Sort and filter in a thread: there may be millions of rows. `same`: rows have come; what is being arranged
        comes to its end all the same, as they may come all the time."""
        browser = self.browser
        asked = text, column, backwards = browser.filter_text, browser.table.sorted_by, browser.table.reversed
        if same and self.arranging and asked == self._asked:
            self._again = True
            return
        self.leave()
        token = self._token = CancelToken()
        self._asked = asked

        def work() -> Source:
            return arrange(source, filter_text=text, column=column, reverse=backwards, cancel=token)

        def then(arranged: Source) -> None:
            browser.table.show(arranged, same=same)
            browser.tell_tabs()
            browser.tell_row()
            browser.refresh_footer()
            if self._again:
                browser.show_tab(same=True)

        browser.app.bridge.load("arrange", work, then, browser.app.complain, path=browser.app.path or "")
        browser.tell_tabs()

    def leave(self) -> None:
        """No order that is still being made is wanted any more."""
        self._token.cancel()
        self._again = False
        self.browser.app.bridge.forget("arrange")

    def sort(self, step: int) -> None:
        """Sort by the next column that has an order; after the last, the table's own order."""
        source, table = base_of(self.browser.table.source), self.browser.table
        choices: list[int | None] = [None, *(n for n in range(len(source.columns)) if source.sortable(n))]
        if len(choices) == 1:
            self.browser.app.say("this table has one order only", severity="warning")
            return
        at = choices.index(table.sorted_by) if table.sorted_by in choices else 0
        table.sorted_by = choices[(at + step) % len(choices)]
        self.browser.show_tab()

    def sort_by(self, column: int) -> None:
        """Sort by a column; by the one that it is sorted by already, backwards, and then not at all."""
        source, table = base_of(self.browser.table.source), self.browser.table
        if not len(source) or not source.sortable(column):
            self.browser.app.say("this column has no order of its own", severity="warning")
            return
        if table.sorted_by != column:
            table.sorted_by, table.reversed = column, False
        elif not table.reversed:
            table.reversed = True
        else:
            table.sorted_by, table.reversed = None, False
        self.browser.show_tab()

    # the newest row

    def follow(self) -> None:
        """Keep the cursor on the newest row of the tree or the table, or no more; the log does it at its end."""
        browser = self.browser
        if browser.pane == "log":
            browser.log_pane.table.action_cursor_last()
            return
        in_tree = browser.pane == "tree"
        rows = browser.tree_view if in_tree else browser.table
        if not rows.follow(not rows.following):
            browser.app.say(NO_FILES if in_tree else NOT_IN_TIME, severity="warning")
        browser.tell_following()

    # files

    def export(self) -> None:
        """The table of the pane, as it is arranged, into a file."""
        from litetui.tui.screens.export import ExportDialog, table_export

        browser = self.browser
        table, title = browser.table, browser.shown.title if browser.shown is not None else "table"
        if browser.pane in ("jobs", "log"):
            table, title = (browser.jobs_pane if browser.pane == "jobs" else browser.log_pane).table, browser.pane
        browser.app.push_screen(ExportDialog(table_export(table.source, title)))

    def save(self, texts: list[tuple[str, str]]) -> None:
        """One of the texts that can be copied here, into a file."""
        from litetui.tui.screens.copy_menu import CopyMenu
        from litetui.tui.screens.export import ExportDialog, text_export

        def then(chosen: tuple[str, str] | None) -> None:
            if chosen is not None:
                self.browser.app.push_screen(ExportDialog(text_export(*chosen)))

        self.browser.app.push_screen(CopyMenu(texts, saves=True), then)


MANY = 50_000  # rows that are not sorted in the twinkling of an eye
