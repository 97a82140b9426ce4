"""What is inside the files that the cursor of the tree rests on: a WAL's frames, an LTX file's pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from litetui.errors import LitetuiError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.bridge import moves
from litetui.tui.tree_line import Key

if TYPE_CHECKING:
    from litetui.ops.frames import FrameTable
    from litetui.tui.ltx.pages import LTXPages
    from litetui.tui.model import ReplicaView
    from litetui.tui.screens.browser_view import BrowserView

    Content = FrameTable | LTXPages | LitetuiError

KEPT = 8  # files whose content is remembered
LOAD, REST = "frames", "frames-rest"


class Contents:
    """Of one browser: what was read, in a thread, by the keys of the tree's lines."""

    def __init__(self, browser: BrowserView) -> None:
        self.browser = browser
        self.known: dict[Key, Content] = {}
        self._stale: set[Key] = set()  # known, and shown until it is read again
        self._coming: Key = ()
        self._missed: tuple[ReplicaView | None, ...] | None = None  # what changed while a file was being read
        self._token = CancelToken()

    def rest(self, key: Key) -> None:
        """The cursor has come to a line: read its file once it rests there, unless that is known."""
        bridge = self.browser.app.bridge
        if key == self._coming and bridge.loading(LOAD):
            return  # the newest WAL grows all the time, and this must come to an end some time
        self.leave()
        if key in self.known and key not in self._stale:
            return
        report = Reporter()
        work = self._reader(key, report)
        if work is None:
            return

        def read() -> None:
            began = self.browser.view

            def then(answer: Content) -> None:
                self.known[key] = answer
                if len(self.known) > KEPT:
                    self.known.pop(next(iter(self.known)))
                self._stale.discard(key)
                missed, self._missed = self._missed, None
                if missed is not None:
                    self.changed(*missed)
                self.browser.content_came(key, answer, began)

            self._coming, self._missed = key, None
            bridge.load(LOAD, work, then, then, path=self.browser.app.path or "", moved=moves(report))

        bridge.delay(REST, self.browser.settings.debounce_s / 2, read)

    def leave(self) -> None:
        """What is being read is not wanted any more."""
        self._token.cancel()
        self.browser.app.bridge.forget(LOAD)
        self.browser.app.bridge.forget(REST)

    def forget(self) -> None:
        """Another replica comes."""
        self.leave()
        self.known.clear()
        self._stale.clear()

    def changed(self, *views: ReplicaView | None) -> None:
        """The newest WAL of any of these views may have grown, and what could not be read may be readable now."""
        if self.browser.app.bridge.loading(LOAD):
            self._missed = views
        self._stale.update(key for key, content in self.known.items() if isinstance(content, LitetuiError))
        for view in views:
            newest = view.newest if view is not None else None
            if newest is not None and len(newest.indexes):
                key: Key = ("index", newest.name, int(newest.indexes.index[-1]))
                if key in self.known:
                    self._stale.add(key)

    def _reader(self, key: Key, report: Reporter) -> Callable[[], Content] | None:
        """How the content of what a line stands for is read, None where it has none."""
        from litetui.tui.ltx.pages import read_pages
        from litetui.tui.ltx.view import file_of

        token = CancelToken()
        if key[0] == "index" and (replica := self.browser.app.file_replica) is not None:
            self._token = token

            def read_wal() -> FrameTable:
                from litetui.ops.frames import read_frames

                return read_frames(replica, str(key[1]), int(key[2]), report, token)

            return read_wal
        ltx = self.browser.view.ltx if self.browser.view is not None else None
        level = ltx.level(int(key[1])) if ltx is not None and key[0] == "ltxfile" else None
        info = file_of(level, key) if level is not None else None
        if ltx is None or info is None:
            return None
        self._token = token
        return partial(read_pages, ltx.replica, info, report, token)
