"""The browser: headline, tree, details, jobs, log, footer. Holds what is looked at, knows nothing of files.

The view of the replica comes finished from a thread (model.py); what a line of the tree shows is decided by
details.py; this screen brings the two together.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import events, getters, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input
from textual.widgets._toast import ToastRack

from litetui.errors import LitetuiError
from litetui.jobs.job import Job
from litetui.tui import keys
from litetui.tui.attention.desk import ROOM_SECONDS, AttentionDesk
from litetui.tui.contents import Contents
from litetui.tui.keys import BY_ID, Action
from litetui.tui.looks import Looks
from litetui.tui.messages import JobChanged, JobsMoved, LogLines
from litetui.tui.naming import crumb
from litetui.tui.owning import Owning
from litetui.tui.reasons import Situation
from litetui.tui.settings import is_narrow
from litetui.tui.sight import Sight, lines
from litetui.tui.tables.arranged import base_of
from litetui.tui.tables.desk import TableDesk
from litetui.tui.textutil import clean, cut_path
from litetui.tui.timeline.desk import TimelineDesk
from litetui.tui.tree_line import LTX, Key, generation_of
from litetui.tui.widgets.bars import Footer, Headline, Line
from litetui.tui.widgets.job_panes import JobsPane, LogPane
from litetui.tui.widgets.panes import DetailPane, TreePane
from litetui.tui.widgets.replica_tree import ReplicaTree
from litetui.tui.widgets.row_view import RowView
from litetui.tui.widgets.timeline import TimelineView
from litetui.tui.widgets.virtual_table import TOP, EmptySource, Place, VirtualTable
from litetui.tui.work.replication import ReplicateJob

if TYPE_CHECKING:
    from litetui.tui.app import LitetuiApp
    from litetui.tui.cards import Note
    from litetui.tui.checks import Checks
    from litetui.tui.contents import Content
    from litetui.tui.details import Detail, Tab
    from litetui.tui.marks import Marks
    from litetui.tui.model import ReplicaView
    from litetui.tui.primary import PrimaryView

PANES = ("tree", "detail", "jobs", "log")


class BrowserView(Screen[None]):
    """The first and main screen, without what its keys do (browser.py)."""

    if TYPE_CHECKING:
        app = getters.app(LitetuiApp)

    def __init__(self) -> None:
        super().__init__()
        settings = self.app.settings
        self.settings = settings
        self.headline = Headline(settings.glyphs, id="headline")
        self.crumbs = Line(id="crumbs")
        self.tree_pane = TreePane(settings.glyphs)
        self.timeline = TimelineDesk(self)
        self.rows = TableDesk(self)
        self.attention = AttentionDesk(self)
        self.detail_pane = DetailPane(settings.glyphs, self.timeline.view)
        self.jobs_pane = JobsPane(settings)
        self.log_pane = LogPane(settings)
        self.footer_bar = Footer(id="footer")
        self.view: ReplicaView | None = None
        self.trouble: LitetuiError | None = None
        self.sight: Sight | None = None
        self.shown_key: Key = ("replica",)
        self.shown: Detail | None = None
        self.tab = ""
        self.tab_of_kind: dict[str, str] = {}
        self.place: dict[Hashable, Place] = {}
        self.contents = Contents(self)
        self.looks = Looks()
        self.owning = Owning(self)
        self.filter_text = ""
        self.zoomed = False
        self.pane = "tree"
        self.add_class(f"-show-{self.pane}")  # now, while that costs nothing
        self.tree_pane.add_class("-active")
        self._marked: tuple[ReplicaView, Checks, int, Marks] | None = None

    def compose(self) -> ComposeResult:
        yield self.headline
        yield self.crumbs
        with Horizontal(id="body"):
            yield self.tree_pane
            yield self.detail_pane
        yield self.jobs_pane
        yield self.log_pane
        yield self.footer_bar

    async def on_event(self, event: events.Event) -> None:
        """When it comes to be shown for the first time, everything on it has just been styled."""
        if isinstance(event, events.ScreenResume) and not self.stack_updates:
            event.refresh_styles = False
        await super().on_event(event)

    def on_mount(self) -> None:
        self.tree_view.focus()
        self.screen_layout_refresh_signal.subscribe(self, self._laid_out, immediate=True)
        self.set_interval(1.0, self.tick)
        self.set_interval(ROOM_SECONDS, self.attention.look_at_room)
        self.tick()

    @property
    def tree_view(self) -> ReplicaTree:
        return self.tree_pane.tree_view

    @property
    def table(self) -> VirtualTable:
        return self.detail_pane.table

    @property
    def table_in_focus(self) -> VirtualTable:
        """The table of the pane that is active; the tree's is the one of the details."""
        return {"jobs": self.jobs_pane.table, "log": self.log_pane.table}.get(self.pane, self.table)

    @property
    def narrow(self) -> bool:
        return is_narrow(self.size)

    # the replica

    def show_view(self, view: ReplicaView) -> None:
        """Another state of the replica: tree and table keep their place."""
        view = self.looks.on(view, self.app.checking.checks)
        before, self.view, self.trouble, self.sight = self.view, view, None, None
        self.contents.changed(view, before)
        self.tree_view.checks, self.tree_view.marks = self.app.checking.checks, self._marks(view)
        self.tree_view.show(view, self.settings.now_ns())
        self.tell_following()
        self._tell_new_generation(before, view)
        self.show_detail(same=self.shown is not None)
        self.attention.look_at_room()
        self.tick()

    def _tell_new_generation(self, before: ReplicaView | None, view: ReplicaView) -> None:
        """Who stands on what was the newest generation shall know that it has ended."""
        was, now = before.newest if before is not None else None, view.newest
        if was is None or now is None or was.name == now.name or before is None or before.generation(now.name):
            return
        reason = view.primary.reason(now.name) if view.primary is not None else ""
        words = f"a new generation began: {now.name}{', ' + reason if reason else ''}"
        if generation_of(self.shown_key) == was.name:
            words += f"; the cursor stays on {was.name}, which has ended"
        self.app.say(words, severity="warning")

    def show_primary(self, primary: PrimaryView) -> None:
        """The database was looked at again, and the replica is as it was."""
        if self.view is not None:
            self.view, self.trouble = replace(self.view, primary=primary, taken_ns=self.settings.now_ns()), None
            self.tick()

    def show_trouble(self, error: LitetuiError) -> None:
        """The replica could not be read again; what was seen stays in sight."""
        self.trouble = error
        self.tick()

    def show_glances(self, sight: Sight) -> None:
        """What is known of a replica that is still being read: at once where that takes long, else at the next tick,
        if it has not been read by then."""
        self.sight = sight
        if sight.counted:
            self.tick()

    def forget(self, words: str) -> None:
        """Another replica comes, or none: begin anew, with words that say so."""
        for load in ("room", "filter"):
            self.app.bridge.forget(load)
        self.leave_place()
        self.contents.forget()
        self.view, self.trouble, self.shown, self.sight = None, None, None, None
        self.shown_key = ("replica",)
        self.looks.forget()
        self.owning.forget()
        self.place.clear()
        self.tree_view.forget(words)
        self.tree_pane.attention.tell([])
        self.detail_pane.title(("Details", "bold"))
        self.detail_pane.stats.tell([])
        self.detail_pane.tab_bar.tell([], 0)
        self.table.show(EmptySource(words))
        self.timeline.follow()
        self.tick()

    def tick(self) -> None:
        """Ages grow: the headline and the rows in sight are drawn again."""
        now = self.settings.now_ns()
        path = self.app.path or ""
        aside = self.app.watching.words()
        if self.trouble is not None:
            verdict = (f"cannot read: {self.trouble.cause}", "$text-error bold")
        elif self.view is None:
            what = "sizes and times" if self.sight is not None and self.sight.counted else "names"
            verdict = (f"reading {what}" if path else "", "$foreground-muted")
        else:
            from litetui.tui.evidence import headline
            from litetui.tui.ltx.evidence import ltx_headline

            jobs, checks = self.app.runner.jobs, self.app.checking.checks
            if self.view.ltx is not None and self.view.from_ltx:
                text, status = ltx_headline(self.view.path, self.view.ltx, now, jobs, checks.get(LTX))
            else:
                text, status = headline(self.view, now, jobs, checks)
            verdict = (text, f"$text-{status} bold" if status else "")
        in_crumbs = self.narrow and self.shown is not None
        self.headline.tell("" if in_crumbs else path, verdict, aside, "" if in_crumbs else self.app.database or "")
        if self.sight is not None:
            self.tree_view.show_lines(lines(os.path.basename(self.app.path or ""), self.sight))
            self.table.show(EmptySource(self.sight.words()))
        if self.view is not None:
            self.tree_view.tick(now, self.app.checking.checks, self._marks(self.view))
        self.table.tick()
        self.timeline.view.refresh()
        self.tell_facts()
        if self.pane == "jobs":
            self.jobs_pane.show(self.app.runner.jobs)
        self.refresh_footer()

    def _marks(self, view: ReplicaView) -> Marks:
        """What is damaged: looked for anew where the view, the checks or the jobs that have ended are others."""
        from litetui.tui.marks import marks

        checks, jobs = self.app.checking.checks, self.app.runner.jobs
        known, ended = self._marked, sum(job.state.ended for job in jobs)
        if known is None or known[0] is not view or known[1] is not checks or known[2] != ended:
            self._marked = known = (view, checks, ended, marks(view, checks, jobs))
        return known[3]

    def tell_facts(self) -> None:
        """The facts of the shown line as they are now: ages grow, and evidence comes with jobs."""
        if self.view is None or self.shown is None:
            return
        before, self.shown = self.shown, self._detail(self.view)
        shown = self.shown
        self.detail_pane.title((shown.title, "bold"), ("  " + shown.subtitle, ""))
        self.detail_pane.stats.tell(shown.cards, shown.notes, shown.attention)
        self.attention.tick(before, shown)

    def _detail(self, view: ReplicaView) -> Detail:
        from litetui.tui.details import detail
        from litetui.tui.ltx.pages import LTXPages
        from litetui.tui.ltx.view import ltx_detail, shows_ltx
        from litetui.tui.wal_view import wal_detail

        beside = self.attention.beside()
        key, clock, content = self.shown_key, self.settings.now_ns, self.contents.known.get(self.shown_key)
        if view.ltx is not None and shows_ltx(view, key):
            of_file = content if isinstance(content, LTXPages | LitetuiError) else None
            return ltx_detail(view, view.ltx, key, clock, of_file, self.owning.looked(key), beside)
        if key[0] == "index" and (generation := view.generation(generation_of(key))) is not None:
            frames = None if isinstance(content, LTXPages) else content
            if (shown := wal_detail(generation, int(key[2]), clock, frames, self.owning.looked(key))) is not None:
                return shown
        return detail(view, key, clock, beside)

    def _tell_looks(self, view: ReplicaView) -> None:
        """What looking into files has met is evidence: it stands in the headline and in the tree as well."""
        self.view = self.looks.on(view, self.app.checking.checks)
        self.tree_view.show(self.view, self.settings.now_ns())
        self.tick()

    # what the tree's line shows

    @on(RowView.Highlighted, "#tree")
    def _line_changed(self) -> None:
        line = self.tree_view.line
        if line is not None and line.key != self.shown_key:
            self.leave_place()
            self.shown_key = line.key
            self.show_detail()

    def show_detail(self, *, same: bool = False) -> None:
        if self.view is None:
            return
        self.contents.rest(self.shown_key)
        self.owning.rest(self.shown_key, self.contents.known.get(self.shown_key))
        self.shown = shown = self._detail(self.view)
        ids = [tab.id for tab in shown.tabs]
        if not same or self.tab not in ids:
            wanted = self.tab_of_kind.get(str(self.shown_key[0]), shown.start_tab)
            self.tab = wanted if wanted in ids else (ids[0] if ids else "")
        self.detail_pane.title((shown.title, "bold"), ("  " + shown.subtitle, ""))
        root = self.app.path or ""
        if self.app.database:
            root += f" {self.settings.glyphs.from_} {os.path.basename(self.app.database)}"
        line = self.tree_view.line
        name = line.text if line is not None and line.key == self.shown_key else ""
        way = cut_path(clean(crumb(root, self.shown_key, name)), self.size.width - 2, self.settings.glyphs.cut)
        self.crumbs.say((f" {way}", "$foreground-muted"))
        self.detail_pane.stats.tell(shown.cards, shown.notes, shown.attention)
        self.timeline.follow()
        self.show_tab(same=same)

    def tell_tabs(self) -> int:
        """The tabs as they are now; which one is active."""
        tabs = self.shown.tabs if self.shown is not None else ()
        active = next((n for n, tab in enumerate(tabs) if tab.id == self.tab), 0)
        self.detail_pane.tab_bar.tell([(tab.label, tab.status) for tab in tabs], active, self.rows.state)
        return active

    @on(RowView.FollowEnded)
    def tell_following(self) -> None:
        """Whether the tree or the table follows what comes stands in their titles."""
        alone = self.view is not None and self.view.ltx_alone
        words = "  following" if self.tree_view.following else ""
        self.tree_pane.title(("Levels" if alone else "Generations", "bold"), (words, "$text-primary"))
        self.tell_tabs()

    def seen(self) -> None:
        """A key was pressed: what has come until now is no news any more."""
        self.tree_view.seen()
        self.table.seen()

    def show_tab(self, *, same: bool = False) -> None:
        if self.shown is None:
            return
        tabs = self.shown.tabs
        active = self.tell_tabs()
        tab: Tab | None = tabs[active] if tabs else None
        if tab is None or tab.source is None:
            words = "nothing to list here" if tab is None else "reading the file"
            if self.detail_pane.stats.notes and tab is not None and self.shown_key in self.contents.known:
                words = "it could not be read: see above"
            self.table.show(EmptySource(words))
            self.tell_row()
            return
        if self.rows.arranged:
            self.rows.arrange(tab.source, same=same)
            return
        self.rows.leave()
        place = self.place.get((self.shown_key, self.tab), TOP)
        was_there = len(self.table.source) > 0  # else it has just been read, and the place is still to be gone to
        self.table.show(tab.source, same=same and was_there, place=place)
        self.tell_tabs()
        self.tell_row()
        self.timeline.use_room()
        self.refresh_footer()

    def leave_place(self) -> None:
        """Another table comes: this one's place is kept, its order and its filter are not."""
        self.place[(self.shown_key, self.tab)] = self.table.place
        self.table.sorted_by, self.table.reversed, self.table.following = None, False, False
        self.rows.leave()
        self.app.bridge.forget("filter")
        self.filter_text = ""
        self.detail_pane.close_filter()

    @on(RowView.Highlighted, "#table")
    def tell_row(self) -> None:
        """A finding's whole message and its hint stand below the table: a row is too short for them."""
        base = base_of(self.table.source)
        row = self.table.base_row
        words: list[Note] = []
        if row is not None:
            from litetui.tui.attention.rows import AttentionSource, whole

            if isinstance(base, AttentionSource):
                words += [(text, "") for text in whole(base.entries[row], self.settings.now_ns())]
        self.detail_pane.row_note.tell([], words)
        self.detail_pane.row_note.display = bool(words)
        self.timeline.follow_row()

    def content_came(self, key: Key, content: Content, began: ReplicaView | None) -> None:
        """A file was looked into, which is the one of the view of when the reading began."""
        problem = content if isinstance(content, LitetuiError) else content.problem
        noted = began is not None and self.looks.note(began, key, problem, self.settings.now_ns())
        if self.view is not None and noted:
            self._tell_looks(self.view)
        if key == self.shown_key:
            self.show_detail(same=True)

    # panes

    def on_descendant_focus(self) -> None:
        self._focus_moved()

    def _focus_moved(self) -> None:
        focused: Widget | None = self.focused
        while focused is not None and focused.id not in {f"{name}-pane" for name in PANES}:
            parent = focused.parent
            focused = parent if isinstance(parent, Widget) else None
        if focused is not None and focused.id is not None:
            self.pane = focused.id.removesuffix("-pane")
        self.timeline.wanted = self.timeline.focused
        self.arrange_panes()

    def on_resize(self) -> None:
        self.arrange_panes()
        self.tick()

    def _laid_out(self, _: Screen[None]) -> None:
        """Toasts stand above the jobs and the log, which tell the same and more. The timeline's text is there where the
        table leaves room for it."""
        below = 1 + self.jobs_pane.size.height + self.log_pane.size.height
        for rack in self.query_children(ToastRack):
            rack.styles.margin = (0, 0, below if below < self.size.height // 2 else 1, 0)
        self.timeline.use_room()

    def arrange_panes(self) -> None:
        """One pane where it is narrow or zoomed, else all."""
        states = {"-narrow": self.narrow, "-single": self.narrow or self.zoomed, f"-show-{self.pane}": True}
        self.set_classes(name for name, on in states.items() if on)  # at once: each change styles the whole screen anew
        for name in PANES:
            self.query_one(f"#{name}-pane").set_class(self.pane == name, "-active")
        self.jobs_pane.low, self.jobs_pane.chosen = self.narrow, self.pane == "jobs"
        self.jobs_pane.whole = (self.narrow or self.zoomed) and self.pane == "jobs"
        self.jobs_pane.show(self.app.runner.jobs)
        self.log_pane.tell()
        self.timeline.arrange()
        self.refresh_footer()

    @property
    def stop(self) -> str:
        """Where the focus is: a pane, or the timeline, which has a place of its own in the pane of details."""
        return "timeline" if self.timeline.focused else self.pane

    def turn_to(self, place: str) -> None:
        """Make the pane of a place the one that is active, and visible where only one is."""
        self.timeline.wanted = place == "timeline"
        self.pane = "detail" if place == "timeline" else place
        self.arrange_panes()

    def go_to(self, place: str) -> None:
        """Give a place the focus."""
        self.turn_to(place)
        self.call_after_refresh(self.widget_of(place).focus)

    def widget_of(self, place: str) -> Widget:
        """What has the focus where a place has it."""
        places: dict[str, Widget] = {
            "tree": self.tree_view,
            "timeline": self.timeline.view,
            "detail": self.table,
            "jobs": self.jobs_pane.table,
            "log": self.log_pane.table,
        }
        return places[place]

    # messages

    @on(TimelineView.Moved)
    def _timeline_moved(self) -> None:
        self.timeline.plan()
        self.refresh_footer()

    @on(TimelineView.Asked)
    def _timeline_asked(self, event: TimelineView.Asked) -> None:
        self.act(event.action_id)

    @on(Footer.Pressed)
    def _footer_pressed(self, event: Footer.Pressed) -> None:
        self.act(event.action_id)

    @on(Input.Changed, "#detail-filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        if event.input is self.detail_pane.filter and event.value != self.filter_text:
            self.filter_text = event.value
            self.app.bridge.delay("filter", self.settings.debounce_s / 2, self.show_tab)

    @on(Input.Submitted, "#detail-filter")
    def _filter_kept(self) -> None:
        if not self.filter_text:
            self.detail_pane.close_filter()
        self.table.focus()

    @on(JobChanged)
    def _jobs_changed(self, event: JobChanged) -> None:
        self.jobs_pane.show(self.app.runner.jobs)
        if event.job.kind == "validate" and event.job.state.ended and self.view is not None:
            self._tell_looks(self.view)
        self.tick()
        if self.owning.note(event.job) or (event.job.kind in ("validate", "restore") and event.job.state.ended):
            self.show_detail(same=self.shown is not None)

    @on(JobsMoved)
    def _jobs_moved(self) -> None:
        self.jobs_pane.show(self.app.runner.jobs)

    @on(LogLines)
    def _log_lines(self, event: LogLines) -> None:
        self.log_pane.add(event.lines)

    def refresh_footer(self) -> None:
        at = self.situation()

        def why_not(action: Action) -> str:
            return action.why_not(at)

        self.footer_bar.tell(keys.for_footer(self.stop, database=at.database and not at.kept), why_not)

    @property
    def shows_ltx(self) -> bool:
        """Whether the line of the tree is about LTX files."""
        if self.view is None:
            return False
        from litetui.tui.ltx.view import shows_ltx

        return shows_ltx(self.view, self.shown_key)

    def situation(self) -> Situation:
        """What actions depend on."""
        job, line = self.job_at_cursor(), self.tree_view.line
        return Situation(
            pane=self.pane,
            replica=self.view is not None,
            opening=self.view is None and self.app.opening.reading,
            database=self.app.database is not None,
            replicating=self.app.writing.running is not None,
            generations=len(self.view.generations) if self.view else 0,
            readonly=self.settings.readonly,
            table_rows=len(self.table_in_focus.source),
            filtered=bool(self.filter_text) or (self.pane == "log" and self.log_pane.filtered),
            branch=line is not None and line.branch,
            inside=line is not None and (line.open or line.depth > 0),
            tabs=len(self.shown.tabs) if self.shown else 0,
            zoomed=self.zoomed,
            narrow=self.narrow,
            restore_point=self.timeline.view.cursor >= 0,
            ltx=self.shows_ltx,
            taken_over=self.view is not None and self.view.from_ltx and not self.view.ltx_alone,
            ltx_files=len(self.view.ltx.table) if self.view is not None and self.view.ltx is not None else 0,
            path=self.app.path or "",
            database_path=self.app.database or "",
            job_state=job.state.value if job is not None else "several" if self.app.runner.unfinished else "",
        )

    def job_at_cursor(self) -> Job | None:
        """The job under the cursor of the jobs pane, else the only one that is unfinished beside a replication."""
        runner = self.app.runner
        if self.pane == "jobs":
            return self.jobs_pane.job_of(runner.jobs)
        unfinished = runner.unfinished
        passing = [job for job in unfinished if not isinstance(job, ReplicateJob)] or unfinished
        return passing[0] if len(passing) == 1 else None

    def act(self, action_id: str) -> None:
        """Do an action of the table, or say why it is not possible."""
        action = BY_ID[action_id]
        why_not = action.why_not(self.situation())
        if why_not:
            self.app.say(why_not, severity="warning", kind="why")
            return
        if action.act:
            widget = self.widget_of(self.stop)  # a click finds the focus in a filter's field
            call = getattr(widget, f"action_{action.act}", None) or getattr(self, f"action_{action.act}")
            call()
            self.refresh_footer()
        else:
            getattr(self, f"do_{action_id}")()
