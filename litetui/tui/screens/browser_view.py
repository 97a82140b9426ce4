"""The browser: headline, tree, details, jobs, log, footer. Holds what is looked at, knows nothing of files.

The view of the replica comes finished from a thread (loader.py); what a line of the tree shows is decided by
details.py; this screen brings the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual import getters, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from litetui.errors import LitetuiError
from litetui.jobs.job import Job
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui import keys
from litetui.tui.details import Beside, Detail, Note, Tab, detail
from litetui.tui.evidence import headline
from litetui.tui.keys import BY_ID, Action, Situation
from litetui.tui.ltx_pages import LTXPages, read_pages
from litetui.tui.ltx_view import file_of, ltx_detail, ltx_headline, shows_ltx
from litetui.tui.messages import JobChanged, JobsMoved, LogLines
from litetui.tui.model import ReplicaView
from litetui.tui.outline import Key
from litetui.tui.primary import PrimaryView
from litetui.tui.replication import ReplicateJob
from litetui.tui.sources import Arranged, FindingSource, Source, arrange
from litetui.tui.textutil import clean, cut_path
from litetui.tui.widgets.bars import Footer, Headline, Line
from litetui.tui.widgets.panes import DetailPane, JobsPane, LogPane, TreePane
from litetui.tui.widgets.replica_tree import ReplicaTree
from litetui.tui.widgets.row_view import RowView
from litetui.tui.widgets.virtual_table import EmptySource, VirtualTable

if TYPE_CHECKING:
    from litetui.ops.frames import FrameTable
    from litetui.tui.app import LitetuiApp

    Content = FrameTable | LTXPages | LitetuiError

PANES = ("tree", "detail", "jobs", "log")
NARROW_WIDTH, NARROW_HEIGHT = 100, 30


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
        self.detail_pane = DetailPane(settings.glyphs)
        self.jobs_pane = JobsPane(settings)
        self.log_pane = LogPane(settings)
        self.footer_bar = Footer(id="footer")
        self.view: ReplicaView | None = None
        self.trouble: LitetuiError | None = None
        self.shown_key: Key = ("replica",)
        self.shown: Detail | None = None
        self.tab = ""
        self.tab_of_kind: dict[str, str] = {}
        self.place: dict[Hashable, tuple[int, int]] = {}
        self.frames: dict[Key, Content] = {}  # what files hold: of a WAL, or of an LTX file
        self.stale: set[Key] = set()  # frames that are shown until they are read again
        self.frames_coming: Key = ()
        self.frames_token = CancelToken()
        self.arranging = CancelToken()
        self.filter_text = ""
        self.zoomed = False
        self.pane = "tree"

    def compose(self) -> ComposeResult:
        yield self.headline
        yield self.crumbs
        with Horizontal(id="body"):
            yield self.tree_pane
            yield self.detail_pane
        yield self.jobs_pane
        yield self.log_pane
        yield self.footer_bar

    def on_mount(self) -> None:
        self.tree_view.focus()
        self.set_interval(1.0, self.tick)
        self.tick()

    @property
    def tree_view(self) -> ReplicaTree:
        return self.tree_pane.tree_view

    @property
    def table(self) -> VirtualTable:
        return self.detail_pane.table

    @property
    def narrow(self) -> bool:
        return self.size.width < NARROW_WIDTH or self.size.height < NARROW_HEIGHT

    # the replica

    def show_view(self, view: ReplicaView) -> None:
        """Another state of the replica: tree and table keep their place."""
        before, self.view, self.trouble = self.view, view, None
        self._note_changed_frames(before)
        self.tree_view.checks = self.app.checking.checks
        self.tree_pane.title(("Levels" if view.ltx_alone else "Generations", "bold"))
        self.tree_view.show(view, self.settings.now_ns())
        self.show_detail(same=self.shown is not None)
        self.tick()

    def show_primary(self, primary: PrimaryView) -> None:
        """The database was looked at again, and the replica is as it was."""
        if self.view is not None:
            self.view, self.trouble = replace(self.view, primary=primary), None
            self.tick()

    def show_trouble(self, error: LitetuiError) -> None:
        """The replica could not be read again; what was seen stays in sight."""
        self.trouble = error
        self.tick()

    def forget(self, words: str) -> None:
        """Another replica comes, or none: begin anew, with words that say so."""
        self.view, self.trouble, self.shown = None, None, None
        self.shown_key = ("replica",)
        self.frames.clear()
        self.stale.clear()
        self.place.clear()
        self.tree_view.forget(words)
        self.detail_pane.title(("Details", "bold"))
        self.detail_pane.stats.tell([])
        self.detail_pane.tab_bar.tell([], 0)
        self.table.show(EmptySource(words))
        self.tick()

    def tick(self) -> None:
        """Ages grow: the headline and the rows in sight are drawn again."""
        now = self.settings.now_ns()
        path = self.app.path or ""
        aside = ("", "") if self.app.watching else (self.app.paused_since(), "$text-warning bold")
        if self.trouble is not None:
            verdict = (f"cannot read: {self.trouble.cause}", "$text-error bold")
        elif self.view is None:
            verdict = ("reading names" if path else "", "$foreground-muted")
        else:
            jobs = self.app.runner.jobs
            if self.view.ltx is not None and self.view.from_ltx:
                text, status = ltx_headline(self.view, self.view.ltx, now, jobs)
            else:
                text, status = headline(self.view, now, jobs, self.app.checking.checks)
            verdict = (text, f"$text-{status} bold" if status else "")
        self.headline.tell(path, verdict, aside, self.app.database or "")
        self.tree_view.tick(now, self.app.checking.checks)
        self.table.refresh()
        self._tell_facts()
        self.refresh_footer()

    def _tell_facts(self) -> None:
        """The facts of the shown line as they are now: ages grow, and evidence comes with jobs."""
        if self.view is None or self.shown is None:
            return
        shown = self._detail(self.view)
        self.detail_pane.title((shown.title, "bold"), ("  " + shown.subtitle, ""))
        self.detail_pane.stats.tell(shown.cards, shown.notes)

    def _detail(self, view: ReplicaView) -> Detail:
        beside = Beside(self.app.runner.jobs, self.app.writing.running, self.app.checking.checks)
        key, clock, content = self.shown_key, self.settings.now_ns, self.frames.get(self.shown_key)
        if view.ltx is not None and shows_ltx(view, key):
            of_file = content if isinstance(content, LTXPages | LitetuiError) else None
            return ltx_detail(view, view.ltx, key, clock, of_file, beside)
        return detail(view, key, clock, None if isinstance(content, LTXPages) else content, beside)

    # what the tree's line shows

    @on(RowView.Highlighted, "#tree")
    def _line_changed(self) -> None:
        line = self.tree_view.line
        if line is not None and line.key != self.shown_key:
            self.leave_place()
            self.shown_key = line.key
            self.filter_text = ""
            self.show_detail()

    def show_detail(self, *, same: bool = False) -> None:
        if self.view is None:
            return
        self._load_frames()
        self.shown = shown = self._detail(self.view)
        ids = [tab.id for tab in shown.tabs]
        if not same or self.tab not in ids:
            wanted = self.tab_of_kind.get(str(self.shown_key[0]), shown.start_tab)
            self.tab = wanted if wanted in ids else (ids[0] if ids else "")
        self.detail_pane.title((shown.title, "bold"), ("  " + shown.subtitle, ""))
        crumb = cut_path(clean(self.app.crumb(self.shown_key)), self.size.width - 2, self.settings.glyphs.cut)
        self.crumbs.say((f" {crumb}", "$foreground-muted"))
        self.detail_pane.stats.tell(shown.cards, shown.notes)
        self.show_tab(same=same)

    def show_tab(self, *, same: bool = False) -> None:
        if self.shown is None:
            return
        tabs = self.shown.tabs
        active = next((n for n, tab in enumerate(tabs) if tab.id == self.tab), 0)
        self.detail_pane.tab_bar.tell([(tab.label, tab.status) for tab in tabs], active)
        tab: Tab | None = tabs[active] if tabs else None
        if tab is None or tab.source is None:
            words = "nothing to list here" if tab is None else "reading the file"
            if self.detail_pane.stats.notes and tab is not None and self.shown_key in self.frames:
                words = "it could not be read: see above"
            self.table.show(EmptySource(words))
            self.tell_row()
            return
        if self.filter_text or self.table.sorted_by is not None or self.table.reversed:
            self._arrange(tab.source, same=same)
            return
        cursor, top = self.place.get((self.shown_key, self.tab), (0, 0))
        was_there = len(self.table.source) > 0  # else it has just been read, and the place is still to be gone to
        self.table.show(tab.source, same=same and was_there, cursor=cursor, top=top)
        self.tell_row()
        self.refresh_footer()

    def _arrange(self, source: Source, *, same: bool) -> None:
        """Sort and filter in a thread: there may be millions of rows."""
        token = CancelToken()
        text, column, backwards = self.filter_text, self.table.sorted_by, self.table.reversed

        def work() -> Source:
            return arrange(source, filter_text=text, column=column, reverse=backwards, cancel=token)

        def then(arranged: Source) -> None:
            self.table.show(arranged, same=same)
            self.tell_row()
            self.refresh_footer()

        self.arranging.cancel()
        self.arranging = token
        self.app.bridge.load("arrange", work, then, self.app.complain, path=self.app.path or "")

    def leave_place(self) -> None:
        self.place[(self.shown_key, self.tab)] = (self.table.cursor, round(self.table.scroll_y))
        self.table.sorted_by, self.table.reversed = None, False
        self.app.bridge.forget("arrange")

    @on(RowView.Highlighted, "#table")
    def tell_row(self) -> None:
        """A finding's whole message and its hint stand below the table: a row is too short for them."""
        base = self.table.source.source if isinstance(self.table.source, Arranged) else self.table.source
        row = self.table.base_row
        words: list[Note] = []
        if isinstance(base, FindingSource) and row is not None:
            one = base.findings[row]
            words.append((one.message, ""))
            if one.hint:
                words.append((f"Try: {one.hint}", ""))
        self.detail_pane.row_note.tell([], words)
        self.detail_pane.row_note.display = bool(words)

    # what a file holds

    def _load_frames(self) -> None:
        """Read a WAL's frames, or an LTX file's pages, once the cursor rests on it, unless they are known."""
        key = self.shown_key
        if key == self.frames_coming and self.app.bridge.loading("frames"):
            return  # the newest WAL grows all the time, and this must come to an end some time
        self.frames_token.cancel()
        self.app.bridge.forget("frames")
        if key in self.frames and key not in self.stale:
            return
        work = self._reader(key)
        if work is None:
            return

        def then(answer: Content) -> None:
            if len(self.frames) > 8:
                self.frames.pop(next(iter(self.frames)))
            self.frames[key] = answer
            self.stale.discard(key)
            if key == self.shown_key:
                self.show_detail(same=True)

        def read() -> None:
            self.frames_coming = key
            self.app.bridge.load("frames", work, then, then, path=self.app.path or "")

        self.app.bridge.delay("frames-rest", self.settings.debounce_s / 2, read)

    def _reader(self, key: Key) -> Callable[[], Content] | None:
        """How the content of what a line stands for is read, None where it has none."""
        token = CancelToken()
        if key[0] == "index" and (replica := self.app.file_replica) is not None:
            self.frames_token = token

            def read_wal() -> FrameTable:
                from litetui.ops.frames import read_frames

                return read_frames(replica, str(key[1]), int(key[2]), Reporter(), token)

            return read_wal
        ltx = self.view.ltx if self.view is not None else None
        level = ltx.level(int(key[1])) if ltx is not None and key[0] == "ltxfile" else None
        info = file_of(level, key) if level is not None else None
        if ltx is None or info is None:
            return None
        self.frames_token = token
        return partial(read_pages, ltx.replica, info, token)

    def _note_changed_frames(self, before: ReplicaView | None) -> None:
        """The newest WAL may have grown: what is known of it stays in sight until it is read again."""
        for view in (self.view, before):
            newest = view.newest if view is not None else None
            if newest is not None and len(newest.indexes):
                key: Key = ("index", newest.name, int(newest.indexes.index[-1]))
                if key in self.frames:
                    self.stale.add(key)

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
        self.arrange_panes()

    def on_resize(self) -> None:
        self.arrange_panes()

    def arrange_panes(self) -> None:
        """One pane where it is narrow or zoomed, else all."""
        self.set_class(self.narrow, "-narrow")
        self.set_class(self.narrow or self.zoomed, "-single")
        for name in PANES:
            self.set_class(self.pane == name, f"-show-{name}")
            self.query_one(f"#{name}-pane").set_class(self.pane == name, "-active")
        self.jobs_pane.show(self.app.runner.jobs)
        self.refresh_footer()

    def go_to(self, pane: str) -> None:
        """Give a pane the focus; it is made visible first where only one is."""
        self.pane = pane
        self.arrange_panes()
        widget = {
            "tree": self.tree_view,
            "detail": self.table,
            "jobs": self.jobs_pane.table,
            "log": self.log_pane.table,
        }[pane]
        self.call_after_refresh(widget.focus)

    # messages

    @on(Footer.Pressed)
    def _footer_pressed(self, event: Footer.Pressed) -> None:
        self.act(event.action_id)

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        if event.value != self.filter_text:
            self.filter_text = event.value
            self.app.bridge.delay("filter", self.settings.debounce_s / 2, self.show_tab)

    @on(Input.Submitted, "#filter")
    def _filter_kept(self) -> None:
        self.detail_pane.filter.display = bool(self.filter_text)
        self.table.focus()

    @on(JobChanged)
    def _jobs_changed(self, event: JobChanged) -> None:
        self.jobs_pane.show(self.app.runner.jobs)
        self.tick()
        if event.job.kind in ("validate", "restore") and event.job.state.ended:
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

        self.footer_bar.tell(keys.for_footer(self.pane, database=at.database), why_not)

    def situation(self) -> Situation:
        """What actions depend on."""
        table = {"jobs": self.jobs_pane.table, "log": self.log_pane.table}.get(self.pane, self.table)
        job = self.job_at_cursor()
        return Situation(
            pane=self.pane,
            replica=self.view is not None,
            database=self.app.database is not None,
            replicating=self.app.writing.running is not None,
            generations=len(self.view.generations) if self.view else 0,
            readonly=self.settings.readonly,
            table_rows=len(table.source),
            filtered=bool(self.filter_text),
            tabs=len(self.shown.tabs) if self.shown else 0,
            zoomed=self.zoomed,
            narrow=self.narrow,
            ltx=self.view is not None and shows_ltx(self.view, self.shown_key),
            ltx_files=len(self.view.ltx.table) if self.view is not None and self.view.ltx is not None else 0,
            path=self.app.path or "",
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
            self.app.say(why_not, severity="warning")
            return
        if action.act:
            focused = self.focused or self.tree_view
            call = getattr(focused, f"action_{action.act}", None) or getattr(self, f"action_{action.act}")
            call()
        else:
            getattr(self, f"do_{action_id}")()
