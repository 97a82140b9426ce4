"""What the browser's keys do. The table of actions (keys.py) names each; `do_ID` carries it out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual import on
from textual.widgets import Input

from litetui.tui import keys
from litetui.tui.going import Going
from litetui.tui.reasons import Situation
from litetui.tui.screens.browser_view import BrowserView
from litetui.tui.widgets.bars import TabBar
from litetui.tui.widgets.replica_tree import ReplicaTree
from litetui.tui.widgets.row_view import RowView
from litetui.tui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica
    from litetui.tui.command.commanding import Commanding

STOPS = ("tree", "timeline", "detail", "jobs", "log")
TO_PANES = ("pane_1", "pane_2", "pane_3", "pane_4", "next_pane", "previous_pane")
TO_DIALOGS = ("restore", "validate", "retention", "attach", "open", "copy", "save", "export", "help", "command")


class Browser(BrowserView):
    """The browser with its actions."""

    BINDINGS = [*keys.bindings("browser")]  # noqa: RUF012
    commanding: Commanding | None = None

    def __init__(self) -> None:
        super().__init__()
        self.going = Going(self)

    def action_do(self, action_id: str) -> None:
        self.act(action_id)

    def redirects(self, key: str) -> bool:
        """Whether keys typed behind this one are meant for what it leads to: a dialog, or another pane."""
        if isinstance(self.focused, Input):
            return False
        action = next((a for a in keys.ACTIONS if a.id in ("filter", *TO_PANES, *TO_DIALOGS) and key in a.keys), None)
        return action is not None and not action.why_not(self.situation())

    # restore

    def do_restore(self, target: str | None = None) -> None:
        from litetui.tui.ltx.view import shows_ltx

        if self.view is None or self.app.replica is None:
            return
        self._line_changed()  # of keys that come together: the line under the cursor counts, not the one before
        replica: FileReplica | LTXReplica = self.app.replica
        if self.view.ltx is not None and shows_ltx(self.view, self.shown_key):
            replica = self.view.ltx.replica  # also where the folder holds v0.3 generations beside it
        from litetui.tui.screens.restore import RestoreDialog
        from litetui.tui.standing import restore_start

        start = restore_start(self)
        if target is not None:
            start = replace(start, target=target)
        self.app.push_screen(RestoreDialog(replica, self.view, start))

    def do_timeline_restore(self) -> None:
        self.do_restore()

    # checking and cleaning

    def do_validate(self) -> None:
        """Of the generation or the LTX files under the cursor, or of all where it stands on the replica."""
        self.app.checking.ask(self.shown_key)

    def do_retention(self) -> None:
        self.app.retaining.ask()

    # the database

    def do_attach(self) -> None:
        self.app.opening.ask_for_database()

    def do_sync(self) -> None:
        self.app.writing.sync()

    def do_snapshot(self) -> None:
        self.app.writing.snapshot()

    def do_replicate(self) -> None:
        self.app.writing.replicate()

    # looking

    def do_filter(self) -> None:
        then = self.app.let_keys_through
        if self.pane == "log":
            self.log_pane.open_filter(self.log_pane.book.wanted.text, then)
        elif self.pane == "tree":
            self.tree_pane.open_filter(self.tree_view.filter_text, then)
        else:
            self.turn_to("detail")
            self.detail_pane.open_filter(self.filter_text, then)

    def _let_keys_through(self) -> None:
        """Keys typed meanwhile come behind the focus, which is given in the same way."""
        later = self.app.call_later
        self.call_after_refresh(lambda: later(self.app.let_keys_through))

    def filter_by(self, text: str) -> None:
        """Filter the table of the details, and go there."""
        self.filter_text = text
        self.detail_pane.open_filter(text)
        self.go_to("detail")
        self.show_tab()

    def clear_filter(self) -> None:
        self.app.bridge.forget("filter")
        self.filter_text = ""
        self.detail_pane.close_filter()
        self.show_tab(same=True)  # the cursor stays on its row

    def do_tab_before(self) -> None:
        self._step_tab(-1)

    def do_tab_after(self) -> None:
        self._step_tab(1)

    def _step_tab(self, step: int) -> None:
        tabs = self.shown.tabs if self.shown else ()
        at = next((n for n, tab in enumerate(tabs) if tab.id == self.tab), 0)
        self.pick_tab(tabs[(at + step) % len(tabs)].id)

    def pick_tab(self, tab: str) -> None:
        """Show another tab, the first where it is there no more, and begin with it on the next line of this kind."""
        ids = [one.id for one in self.shown.tabs] if self.shown is not None else []
        if not ids:
            return
        self.leave_place()
        self.tab = tab if tab in ids else ids[0]
        self.tab_of_kind[str(self.shown_key[0])] = self.tab
        self.show_tab()

    @on(TabBar.Picked)
    def _tab_picked(self, event: TabBar.Picked) -> None:
        if self.shown is not None:
            self.pick_tab(self.shown.tabs[event.number].id)

    def do_sort_before(self) -> None:
        self.rows.sort(-1)

    def do_sort_after(self) -> None:
        self.rows.sort(1)

    @on(VirtualTable.HeaderClicked, "#table")
    def _header_clicked(self, event: VirtualTable.HeaderClicked) -> None:
        self.rows.sort_by(event.column)

    def do_reverse(self) -> None:
        self.table.reversed = not self.table.reversed
        self.show_tab()

    def do_follow(self) -> None:
        self.rows.follow()

    def do_refresh(self) -> None:
        self.app.read_again(loudly=True)

    def do_watch(self) -> None:
        self.app.watching.turn(not self.app.watching.on)

    @on(ReplicaTree.LeafChosen)
    def _leaf_chosen(self) -> None:
        self.go_to("detail")

    @on(RowView.Chosen, "#table")
    def _row_chosen(self) -> None:
        go = self.going.from_row()
        if go is not None:
            go()
        else:
            self._say_if_it_leads_nowhere()

    def _say_if_it_leads_nowhere(self) -> None:
        if why_not := keys.BY_ID["open_row"].why_not(self.situation()):
            self.app.say(why_not, severity="warning", kind="why")

    def situation(self) -> Situation:
        return super().situation()._replace(leads=self.pane != "detail" or self.going.from_row() is not None)

    @on(RowView.Chosen, "#jobs")
    def _job_chosen(self) -> None:
        job = self.jobs_pane.job_of(self.app.runner.jobs)
        self._say_if_it_leads_nowhere()
        if job is not None and not self.app.checking.open(job):
            from litetui.tui.screens.job import JobScreen

            self.app.push_screen(JobScreen(job))

    # panes

    def do_pane_1(self) -> None:
        self._step_to("tree")

    def do_pane_2(self) -> None:
        to_timeline = self.pane == "detail" and self.timeline.there and not self.timeline.focused
        self._step_to("timeline" if to_timeline else "detail")

    def do_pane_3(self) -> None:
        self._step_to("jobs")

    def do_pane_4(self) -> None:
        self._step_to("log")

    def action_next_pane(self) -> None:
        self._go_on(1)

    def action_previous_pane(self) -> None:
        self._go_on(-1)

    def _go_on(self, step: int) -> None:
        stops = [place for place in STOPS if place != "timeline" or self.timeline.there]
        self._step_to(stops[(stops.index(self.stop) + step) % len(stops)])

    def _step_to(self, place: str) -> None:
        self.go_to(place)
        self._let_keys_through()

    def do_zoom(self) -> None:
        self.zoomed = not self.zoomed
        self.arrange_panes()

    def do_back(self) -> None:
        self.go_back()

    def go_back(self) -> bool:
        """One step back: the filter, the zoom, the pane; False at the top."""
        if self.pane == "log" and self.log_pane.filtered:
            self.log_pane.clear()
            self.log_pane.table.focus()
        elif self.pane == "tree" and self.tree_pane.filter is not None:
            self.tree_pane.clear_filter()
            self.tree_view.focus()
        elif self.filter_text or self.detail_pane.filter is not None:
            self.clear_filter()
            self.table.focus()
        elif self.zoomed:
            self.do_zoom()
        elif self.pane != "tree":
            self.go_to("tree")
        else:
            return False
        return True

    # jobs and the rest

    def do_log_level(self) -> None:
        self.log_pane.next_level()

    def do_log_job(self) -> None:
        self.log_pane.one_job()

    def do_cancel(self) -> None:
        job = self.job_at_cursor()
        if job is not None:
            self.app.cancel(job)

    def do_copy(self) -> None:
        from litetui.tui.screens.copy_menu import CopyMenu
        from litetui.tui.standing import copyable

        self.app.push_screen(CopyMenu(copyable(self)))

    def do_export(self) -> None:
        self.rows.export()

    def do_save(self) -> None:
        from litetui.tui.standing import copyable

        self.rows.save(copyable(self))

    def do_open(self) -> None:
        self.app.opening.ask()

    def do_palette(self) -> None:
        self.app.action_command_palette()

    def do_theme(self) -> None:
        self.app.themes.next()

    def do_save_theme(self) -> None:
        self.app.themes.save()

    def do_command(self) -> None:
        from litetui.tui.command.commanding import Commanding

        if self.commanding is None:
            self.commanding = Commanding(self)
        self.commanding.ask()

    def do_help(self) -> None:
        from litetui.tui.screens.help import HelpScreen

        at = self.situation()
        self.app.push_screen(HelpScreen(self.stop, lambda one: "" if one.where == "report" else one.why_not(at)))

    def do_quit(self) -> None:
        if not self.go_back():
            self.app.leaving.ask()
