"""The timeline's place in the browser: makes its model in a thread when the replica changes, and plans the way to its
cursor in another. Holds what is shown; the widget draws it."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from litetui.errors import LitetuiError
from litetui.tui.tables.arranged import base_of
from litetui.tui.tree_line import LTX, Key, generation_of
from litetui.tui.watching import MOST_SECONDS, SHARE
from litetui.tui.widgets.timeline import HIGH, TimelineView
from litetui.tui.widgets.virtual_table import EmptySource

if TYPE_CHECKING:
    from litetui.ops.restore import AnyPlan
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica
    from litetui.tui.model import ReplicaView
    from litetui.tui.screens.browser_view import BrowserView
    from litetui.tui.timeline.model import Timeline

LOW_HEIGHT = 30  # rows of the terminal under which it is there only while it has the focus
COMING_SECONDS = 0.5  # that one which is being made is given before the next
Scope = tuple[str, ...]  # names of tracks


class TimelineDesk:
    """The browser's hand on its timeline."""

    def __init__(self, browser: BrowserView) -> None:
        self.browser = browser
        self.view = TimelineView(browser.settings, id="timeline")
        self.view.display = False
        self.wanted = False  # the focus goes there, or is there
        self._of: tuple[str, Scope] | None = None  # replica and tracks that are shown
        self._made_of: tuple[object, ...] = ()
        self._line: Key = ()
        self._free_at = 0.0  # when the next may be made, by the cost of the last
        self._coming = False  # another one, in place of one that was shown: its place is kept, or all would jump

    @property
    def there(self) -> bool:
        """Whether there is anything to show, and so a place for the focus."""
        return self.view.timeline is not None or self._coming

    @property
    def focused(self) -> bool:
        return self.browser.focused is self.view

    # the model

    def follow(self) -> None:
        """The replica, the line of the tree, or what is known of its bytes has changed."""
        view, key, app = self.browser.view, self.browser.shown_key, self.browser.app
        if view is None:
            self._drop()
            self.arrange()
            return
        scope, checks = _scope(view, key), app.checking.checks
        of = (view.path, scope)
        made_of = (*of, *_columns(view, scope), *(checks.get(name) for name in scope))
        if of == self._of and _same(made_of, self._made_of):
            self._go_to_line(key)
            return
        if of != self._of:
            was_there = self.there
            self._drop()
            self._of, self._coming = of, was_there
        self._made_of = made_of
        if not app.bridge.waits("timeline-rest"):
            rest = max(self.browser.settings.debounce_s / 4, self._free_at - time.monotonic())
            app.bridge.delay("timeline-rest", rest, self._make)

    def _make(self) -> None:
        """Make the model of what there is now. That is dear where there are many files: a twentieth of the time at
        most is spent on it."""
        view, app = self.browser.view, self.browser.app
        if view is None or self._of is None:
            return
        scope, checks = self._of[1], app.checking.checks

        def work() -> tuple[Timeline | None, float]:
            from litetui.tui.timeline.tracks import timeline

            began = time.thread_time()
            return timeline(view, scope, checks), time.thread_time() - began

        def then(answer: tuple[Timeline | None, float]) -> None:
            from litetui.tui.timeline.points import point_of_line

            made, seconds = answer
            self._free_at = time.monotonic() + min(MOST_SECONDS, SHARE * seconds)
            same, now_at = self.view.timeline is not None, self.browser.shown_key
            point = point_of_line(made, now_at) if made is not None and now_at != self._line else None
            self._line, self._coming = now_at, False
            self.view.show(made, same=same, point=point)
            self.arrange()

        def fail(error: LitetuiError) -> None:
            self._coming = False
            self.arrange()
            app.complain(error)

        self._free_at = time.monotonic() + COMING_SECONDS
        app.bridge.load("timeline", work, then, fail, path=view.path)

    def _drop(self) -> None:
        """Nothing of another replica or generation stays in sight."""
        bridge = self.browser.app.bridge
        for name in ("timeline", "timeline-rest", "timeline-way", "timeline-way-rest"):
            bridge.forget(name)
        self._of, self._made_of, self._line, self._coming, self._free_at = None, (), (), False, 0.0
        if self.view.timeline is not None:
            self.view.show(None)

    def _go_to_line(self, key: Key) -> None:
        from litetui.tui.timeline.points import point_of_line

        if key == self._line or self.view.timeline is None:
            return
        self._line = key
        point = point_of_line(self.view.timeline, key)
        if point is None and key[0] in ("replica", "generation", "ltx"):
            point = len(self.view.timeline) - 1
        if point is not None and point >= 0:
            self.view.put(point)

    def follow_row(self) -> None:
        """Without the focus the cursor stands on what the row under the table's cursor stands for."""
        from litetui.tui.timeline.points import find, spot_of_row

        browser, timeline = self.browser, self.view.timeline
        row = browser.table.base_row
        if timeline is None or row is None or browser.pane != "detail" or self.focused:
            return
        at = spot_of_row(base_of(browser.table.source), row, generation_of(browser.shown_key))
        point = find(timeline, at) if at is not None else None
        if point is not None:
            self.view.put(point)

    # the way to the cursor

    def plan(self) -> None:
        """The cursor has moved: once it rests, find out what a restore there takes."""
        app, here = self.browser.app, self.view.here
        app.bridge.forget("timeline-way")
        app.bridge.forget("timeline-way-rest")
        replica = self._replica(here.kind) if here is not None else None
        if here is None or replica is None:
            return

        def then(plan: AnyPlan) -> None:
            from litetui.tui.timeline.way import way_words

            self.view.tell_way(way_words(plan))

        def fail(error: LitetuiError) -> None:
            self.view.tell_way([(error.cause, "error")])

        def read() -> None:
            from litetui.tui.timeline.way import way

            app.bridge.load("timeline-way", partial(way, replica, here), then, fail, path=replica.path)

        app.bridge.delay("timeline-way-rest", self.browser.settings.debounce_s / 2, read)

    def _replica(self, kind: str) -> FileReplica | LTXReplica | None:
        view = self.browser.view
        if kind == "txid":
            return view.ltx.replica if view is not None and view.ltx is not None else None
        return self.browser.app.file_replica

    def target(self) -> tuple[str, str] | None:
        """Generation and target of the cursor; None where it stands on no restore point."""
        from litetui.tui.timeline.points import target

        timeline = self.view.timeline
        if timeline is None or self.view.cursor < 0:
            return None
        return target(timeline, self.view.cursor)

    # its place on the screen

    def arrange(self) -> None:
        """Show it where there is something to show, and room for it, or it is wanted."""
        room = self.browser.size.height >= LOW_HEIGHT
        self.view.display = self.there and (room or self.wanted)
        self.browser.call_after_refresh(self.use_room)

    def use_room(self) -> None:
        """Show the text of the cursor where the rows of the table leave room for it; while they are still being read,
        it stays as it is."""
        table = self.browser.table
        if not self.view.display or isinstance(table.source, EmptySource):
            return
        free = self.view.size.height + table.size.height - table.header_lines - table.row_count
        self.view.take_room(free >= HIGH)


def _scope(view: ReplicaView, key: Key) -> Scope:
    """The tracks that a line of the tree is about."""
    from litetui.tui.ltx.view import shows_ltx

    if shows_ltx(view, key):
        return (LTX,)
    if (name := generation_of(key)) and view.generation(name) is not None:
        return (name,)
    return (*(g.name for g in view.generations), *([LTX] if view.ltx is not None else []))


def _columns(view: ReplicaView, scope: Scope) -> list[object]:
    """What the tracks are made of: these are made anew when they change, and else stay the same objects."""
    found: list[object] = []
    for generation in view.generations:
        if generation.name in scope:
            found += [generation.wals, *generation.snapshots, generation.newest]
    if LTX in scope and view.ltx is not None:
        found.append(view.ltx.table)
    return found


def _same(a: tuple[object, ...], b: tuple[object, ...]) -> bool:
    return len(a) == len(b) and all(x is y or x == y for x, y in zip(a, b, strict=True))
