"""Opening a replica, in a thread, and attaching the database that it belongs to."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from litetui.errors import LitetuiError, NotAReplicaError
from litetui.tui.messages import Glanced
from litetui.tui.sight import Sight

if TYPE_CHECKING:
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica
    from litetui.replica.watch import ReplicaWatch
    from litetui.tui.app import LitetuiApp
    from litetui.tui.model import ReplicaView

    Opened = tuple[ReplicaWatch, ReplicaView, str | None, LitetuiError | None]

DEMO = "\0demo"  # in the place of a path, and none itself: the demo
WORTH = 5_000  # with fewer files the whole is there before one has read it
FIRST_FRAME_SECONDS = 1.0  # how long reading waits for it
NO_REPLICA = "no replica is open: O opens one"
KEY = "opening"


class Opening:
    """The app's hand on which replica is open. All methods but `make_demo` are for the app's own thread."""

    def __init__(self, app: LitetuiApp, database: str | None) -> None:
        self.app = app
        self.drawn = threading.Event()  # the first frame is; nothing is read before
        self.demos = ExitStack()  # they go with the session
        self._database = database  # to be attached to the first replica that opens
        self._wanted = ""
        self._sight: Sight | None = None  # of what is being read

    @property
    def reading(self) -> bool:
        """Whether a replica is being read, which is not there yet."""
        return self.app.bridge.loading(KEY)

    def ask(self, error: LitetuiError | None = None, *, first: bool = False) -> None:
        """Ask for a path, with the reason why the last one did not open."""
        from litetui.tui.screens.open import OpenDialog

        self.app.push_screen(OpenDialog(error, first=first), self.open)

    def open(self, path: str | None) -> None:
        """Open a replica. What is open stays so until the other one is there; a path that is none leads back to the
        question, with the reason."""
        app = self.app
        if path is None:
            return
        self._wanted, self._sight = path, None
        name = "demo" if path == DEMO else path
        if app.replica is None:
            app.path = name
            app.browser.forget("making the demo" if path == DEMO else "reading the replica")
        else:
            app.say(f"opening {name}")
        if path == DEMO:
            folder = tempfile.mkdtemp(prefix="litetui-demo-")
            self.demos.callback(shutil.rmtree, folder, ignore_errors=True)
        now_ns, wanted = app.settings.now_ns, self._database

        def work() -> Opened:
            self.drawn.wait(FIRST_FRAME_SECONDS)  # what is imported from here on would hold up the first frame
            prepare()
            from litetui.tui.model import look
            from litetui.tui.primary import judge

            where, database, trouble = path, wanted, None
            if path == DEMO:
                where, database = self.make_demo(folder)
            try:
                database = judge(database, where).path if database else None
            except LitetuiError as error:
                database, trouble = None, error
            watch = first_look(open_or_begin(where, database), lambda seen: app.post_message(Glanced(path, seen)))
            try:
                return watch, look(watch.replica, now_ns(), database), database, trouble
            except BaseException:
                watch.close()
                raise

        def then(answer: Opened) -> None:
            watch, view, database, trouble = answer
            self._leave()
            self._database = None
            app.replica, app.path, app.database = watch.replica, view.path, database
            app.watching.follow(watch)
            app.browser.show_view(view)
            if trouble is not None:
                self.ask_for_database(trouble)
            elif path == DEMO and not app.settings.readonly:
                app.writing.start_replication()

        def fail(error: LitetuiError) -> None:
            if app.bridge.loading(KEY):  # no answer yet, and one may still come
                self._tell(error)
                return
            if app.replica is None:
                app.browser.forget(NO_REPLICA)
                app.browser.show_trouble(error)
            self.ask(error)

        def moved() -> int:
            return self._sight.done() if self._sight is not None else 0

        app.bridge.load(KEY, work, then, fail, path=path, moved=moved)

    def glanced(self, path: str, sight: Sight) -> None:
        """What is read of a replica that takes long. Once its names are there, it is one, and takes the place of what
        was open."""
        app = self.app
        if path == self._wanted and app.bridge.loading(KEY):
            self._sight = sight
            if app.replica is not None and not sight.counted:
                return
            if app.replica is not None:
                self._leave()
                app.path = path
                app.browser.forget("reading the replica")
            app.browser.show_glances(sight)

    def _leave(self) -> None:
        """The replica that was open, and its database."""
        app = self.app
        app.watching.leave()
        if app.replica is not None:
            app.browser.forget("")
        app.replica = app.database = None

    def _tell(self, error: LitetuiError) -> None:
        if self.app.replica is None:
            self.app.browser.show_trouble(error)
        else:
            self.app.complain(error)

    def make_demo(self, folder: str) -> tuple[str, str]:
        """The demo's replica and database in a folder. Blocks; raises LitetuiError."""
        from litetui.demo import live_demo

        demo = self.demos.enter_context(live_demo(folder))
        self.demos.callback(self.app.leaving.end_replications, folder)
        return demo.replica, demo.database

    # the database

    def ask_for_database(self, trouble: LitetuiError | None = None) -> None:
        from litetui.tui.screens.attach import AttachDialog

        app = self.app
        app.push_screen(AttachDialog(app.path or "", app.database or "", trouble), self.attach)

    def attach(self, path: str | None) -> None:
        """Attach a database that was judged before, or none ("")."""
        app = self.app
        if path is None or (path or None) == app.database:
            return
        app.database = path or None
        app.browser.attention.attached(path)
        app.browser.tick()
        app.say(f"attached {path}" if path else "no database is attached any more")
        app.read_again(anew=True)


def prepare() -> None:
    """Import what a replica is shown with, in the thread that reads it: on the app's own it would hold up the screen,
    and before the first frame that frame."""
    from litetui.tui import details, outline, wal_view  # noqa: F401


def open_or_begin(path: str, database: str | None) -> FileReplica | LTXReplica:
    """The replica at a path; with a database also one that a first sync will make there. Raises LitetuiError."""
    from litetui.replica.detect import open_any

    try:
        return open_any(path, listed=False)
    except NotAReplicaError:
        if database is None:
            raise
    from litetui.ops.sync import existing
    from litetui.replica.file import FileReplica

    return existing(path) or FileReplica(os.path.expanduser(path))


def first_look(replica: FileReplica | LTXReplica, tell: Callable[[Sight], object]) -> ReplicaWatch:
    """List a replica that has just been opened; `tell` is given what is known of it meanwhile. Blocks; raises
    LitetuiError."""
    from litetui.replica.glance import Glance, glance, there
    from litetui.replica.watch import ReplicaWatch

    watch = ReplicaWatch(replica)
    try:
        watch.begin()
        tell(Sight([Glance(name) for name in there(replica)], replica.storage, counted=False))
        sight = Sight(glance(replica), replica.storage)
        if sight.total >= WORTH:
            tell(sight)
        watch.refresh()
    except BaseException:
        watch.close()
        raise
    return watch
