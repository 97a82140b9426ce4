"""The browser's hand on what needs attention: what bears on it beside the view, and where an entry leads to."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING

from litetui.tui.textutil import clean

if TYPE_CHECKING:
    from litetui.errors import LitetuiError
    from litetui.tui.attention.entries import Entry
    from litetui.tui.attention.model import Beside
    from litetui.tui.attention.room import Room
    from litetui.tui.details import Detail
    from litetui.tui.screens.browser_view import BrowserView

ROOM_SECONDS = 30.0


class AttentionDesk:
    """Of one browser. All methods are for the app's own thread."""

    def __init__(self, browser: BrowserView) -> None:
        self.browser = browser
        self.room: Room | None = None
        self._room_of = ""
        self._files: dict[str, tuple[int, int]] = {}  # of the databases, as they were when they were attached

    def beside(self) -> Beside:
        """What else bears on the replica that is shown."""
        from litetui.tui.attention.model import Beside

        app, view = self.browser.app, self.browser.view
        primary = view.primary if view is not None else None
        now = primary.file if primary is not None else None
        replaced = False
        if primary is not None and now is not None:
            replaced = self._files.setdefault(primary.database, now) != now
        return Beside(
            app.runner.jobs, app.writing.running, app.checking.checks, self.browser.trouble, self.room, replaced
        )

    def attached(self, database: str) -> None:
        """A database is attached now: the file that it is now is the right one."""
        self._files.pop(database, None)

    def look_at_room(self) -> None:
        """Ask how full the disk is, in a thread. Full disks bring no new files that would lead to a look."""
        from litetui.tui.attention.room import look_at_room

        bridge, path = self.browser.app.bridge, self.browser.app.path or ""
        if self.browser.view is None or bridge.loading("room"):
            return

        def then(room: Room | None) -> None:
            self.room = room
            self.browser.tick()

        def fail(error: LitetuiError) -> None:
            self.room = None  # the look at the replica itself says what is wrong

        if path != self._room_of:
            self.room, self._room_of = None, path
        bridge.load("room", partial(look_at_room, path), then, fail, path=path)

    def tick(self, before: Detail, shown: Detail) -> None:
        """Entries come and go while nothing else changes: the tab's label and its rows follow."""
        self._tell_tree()
        old, new = _entries(before), _entries(shown)
        if old == new:
            return
        if self.browser.tab == "attention":
            self.browser.show_tab(same=True)
        else:
            self.browser.tell_tabs()

    def _tell_tree(self) -> None:
        """The worst under the tree, where that has the screen for itself."""
        from litetui.tui.attention.model import of_ltx, of_replica
        from litetui.tui.attention.rows import lines

        browser = self.browser
        if browser.view is None or not browser.narrow:
            return
        now = browser.settings.now_ns()
        if browser.view.ltx_alone and browser.view.ltx is not None:
            entries = of_ltx(browser.view, browser.view.ltx, now, self.beside())
        else:
            entries = of_replica(browser.view, now, self.beside())
        browser.tree_pane.attention.tell([], [], lines(entries, now))

    def start(self, entry: Entry) -> tuple[str, str] | None:
        """What the restore dialog begins with for an entry: generation and target, None where it says nothing of it."""
        from litetui.tui.attention.helping import EARLIER, LATEST, earlier

        view, finding = self.browser.view, entry.finding
        if view is None or finding is None or entry.action != "restore":
            return None
        if entry.does == EARLIER:
            before = earlier(view, finding.generation or "")
            return (before.name, "") if before is not None else None
        if entry.does == LATEST:
            return finding.generation or "", ""
        return finding.generation or "", "" if finding.code == "time-order" else "last-good"

    def remedy(self, entry: Entry) -> str:
        """The command that helps: the one of the advice, or what does the same as the key; "" where none does."""
        from litetui.tui.naming import filled, remedy

        path, database = clean(self.browser.app.path or ""), clean(self.browser.app.database or "")
        start = self.start(entry)
        if command := remedy(entry.advice, path, database or None):
            return command
        if start is not None and (entry.finding is None or entry.finding.code != "time-order"):
            words = ["restore", path, "-o", "OUT", *(["--generation", start[0]] if start[0] else [])]
            words += ["--to-last-good"] if start[1] == "last-good" else []
        elif entry.action == "validate":
            words = ["validate", path, *(["--db", database] if entry.code == "replaced" else [])]
        elif database and entry.action in ("snapshot", "replicate") and entry.code != "two-replicators":
            words = [entry.action, database, path]
        else:
            return ""
        return filled(shlex.join(["litetui", *words]), path, database or None)

    def open(self, entry: Entry) -> None:
        """Go where an entry leads to; where that is nowhere, do what helps."""
        from litetui.tui.screens.job import JobScreen

        browser = self.browser
        job = next((job for job in browser.app.runner.jobs if job.id == entry.job), None)
        if job is not None:
            browser.app.push_screen(JobScreen(job))
        elif entry.finding is not None:
            browser.app.browser.going.to_finding(entry.finding)
        elif entry.action:
            browser.act(entry.action)


def _entries(shown: Detail) -> tuple[Entry, ...]:
    from litetui.tui.attention.rows import AttentionSource

    source = next((tab.source for tab in shown.tabs if tab.id == "attention"), None)
    return source.entries if isinstance(source, AttentionSource) else ()
