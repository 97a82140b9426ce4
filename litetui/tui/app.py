"""The app: wires jobs, loads and screens together. Keys are in keys.py, what is shown in the screens."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.message import Message
from textual.notifications import SeverityLevel
from textual.screen import ModalScreen
from textual.scrollbar import ScrollBar, ScrollBarRender

from litetui.errors import LitetuiError
from litetui.jobs.job import Job, State
from litetui.jobs.runner import Runner
from litetui.tui.bridge import Bridge
from litetui.tui.config import config_path
from litetui.tui.config import load as load_config
from litetui.tui.contrast import readable
from litetui.tui.messages import Glanced, JobChanged, JobsMoved, LoadAnswered, LogLines, Stopped
from litetui.tui.opening import DEMO, first_look, open_or_begin, prepare
from litetui.tui.palette import ActionCommands
from litetui.tui.screens.browser import Browser
from litetui.tui.settings import Settings, locale_is_utf8, theme_of_terminal
from litetui.tui.signals import INTERRUPTED, ending_on_signals
from litetui.tui.textutil import clean
from litetui.tui.themes import Themes
from litetui.tui.tree_line import LTX_KINDS, Key
from litetui.tui.watching import Watching
from litetui.tui.work.checking import Checking
from litetui.tui.work.replication import ReplicateJob
from litetui.tui.work.retaining import Retaining
from litetui.tui.work.writing import WRITES, Writing
from litetui.units import set_clock_zone

if TYPE_CHECKING:
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica
    from litetui.replica.watch import ReplicaWatch
    from litetui.tui.model import ReplicaView

DRAIN_SECONDS = 2.0
LAST_SYNC_SECONDS = 15.0
HOLD_SECONDS = 0.5
FIRST_FRAME_SECONDS = 1.0  # how long reading waits for it
NO_REPLICA = "no replica is open: O opens one"
Opened = tuple["ReplicaWatch", "ReplicaView", str | None, LitetuiError | None]


class LitetuiApp(App[int]):
    """The session: one replica at a time, the database it belongs to, its jobs, its screens."""

    TITLE = "litetui"
    CSS_PATH = "theme.tcss"
    COMMANDS = {ActionCommands}  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "Quit", show=False, priority=True)]

    def __init__(self, path: str | None, settings: Settings, database: str | None = None) -> None:
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        ScrollBar.renderer = WholeCellBars
        self.path = path
        self.wanted_database = database
        self.database: str | None = None
        self.settings = settings
        set_clock_zone(settings.time_zone)
        self.themes = Themes(self)
        self.writing = Writing(self)
        self.checking = Checking(self)
        self.retaining = Retaining(self)
        self.runner = Runner()
        self.bridge = Bridge(self, self.runner)
        self.replica: FileReplica | LTXReplica | None = None
        self.watching = Watching(self)
        self._drawn = threading.Event()
        self._ended: set[int] = set()  # jobs whose end was told; a message may come late, and then finds it once more
        self._held: list[events.Key] | None = None
        self.leaving = False
        self.leaving_when_idle = False
        self.demos = ExitStack()
        self.stuck: list[Job] = []

    def get_css_variables(self) -> dict[str, str]:
        return readable(super().get_css_variables())

    def on_mount(self) -> None:
        self.set_class(self.settings.ascii, "-ascii")
        self.themes.start()
        self.bridge.start()
        self.browser = Browser()
        self.push_screen(self.browser)
        self.browser.call_after_refresh(self._first_frame)
        if self.path is not None:
            self.open_path(self.path)
        else:
            self.browser.call_after_refresh(self.browser.forget, NO_REPLICA)
            self.ask_for_path(first=True)

    def _first_frame(self) -> None:
        """It is drawn. What was made for it stays to the end: no collection has to look at it, now or later."""
        self._drawn.set()
        if not gc.isenabled():
            gc.freeze()
            gc.enable()

    # the replica

    @property
    def file_replica(self) -> FileReplica | None:
        """The replica where it is one of v0.3."""
        from litetui.tui.ltx.model import is_ltx

        return None if self.replica is None or is_ltx(self.replica) else self.replica

    def ask_for_path(self, error: LitetuiError | None = None, *, first: bool = False) -> None:
        from litetui.tui.screens.open import OpenDialog

        self.push_screen(OpenDialog(error, first=first), self.open_path)

    def open_path(self, path: str | None) -> None:
        """Open a replica in a thread; a path that is none leads back to the question, with the reason."""
        if path is None:
            return
        if self.replica is not None:
            self.database = None  # it belonged to the replica that was open
        self.path = "demo" if path == DEMO else path
        self.replica = None
        self.watching.leave()
        self.browser.forget("making the demo" if path == DEMO else "reading the replica")
        now_ns = self.settings.now_ns
        wanted = self.wanted_database or self.database
        self.wanted_database = None

        def work() -> Opened:
            self._drawn.wait(FIRST_FRAME_SECONDS)  # what is imported from here on would hold up the first frame
            prepare()
            from litetui.tui.model import look
            from litetui.tui.primary import judge

            where, database, trouble = path, wanted, None
            if path == DEMO:
                where, database = self.make_demo()
            try:
                database = judge(database, where).path if database else None
            except LitetuiError as error:
                database, trouble = None, error
            watch = first_look(open_or_begin(where, database), lambda seen: self.post_message(Glanced(path, seen)))
            return watch, look(watch.replica, now_ns(), database), database, trouble

        def then(answer: Opened) -> None:
            watch, view, self.database, trouble = answer
            self.replica, self.path = watch.replica, view.path
            self.watching.follow(watch)
            self.browser.show_view(view)
            if trouble is not None:
                self.ask_for_database(view.path, trouble)
            elif path == DEMO and not self.settings.readonly:
                self.writing.start_replication()

        def fail(error: LitetuiError) -> None:
            if self.bridge.loading("replica"):  # no answer yet, and one may still come
                self.browser.show_trouble(error)
                return
            self.wanted_database = wanted
            self.browser.forget(NO_REPLICA)
            self.browser.show_trouble(error)
            self.ask_for_path(error)

        def moved() -> int:
            return self.browser.sight.done() if self.browser.sight is not None else 0

        self.bridge.load("replica", work, then, fail, path=path, moved=moved)

    def make_demo(self) -> tuple[str, str]:
        """The demo's replica and database in a temporary folder, which go with the session. Blocks."""
        from litetui.demo import live_demo

        demo = self.demos.enter_context(live_demo())
        self.demos.callback(self._end_replications, os.path.dirname(demo.database))
        return demo.replica, demo.database

    def _end_replications(self, folder: str) -> None:
        """Nothing may write into a folder that is about to go. Any thread may call this."""
        for job in self.runner.unfinished:
            if job.target.startswith(folder):
                self.runner.cancel(job)
        self.drain()

    def ask_for_database(self, replica: str, trouble: LitetuiError | None = None) -> None:
        from litetui.tui.screens.attach import AttachDialog

        self.push_screen(AttachDialog(replica, self.database or "", trouble), self.attach)

    def attach(self, path: str | None) -> None:
        """Attach a database that was judged before, or none ("")."""
        if path is None or (path or None) == self.database:
            return
        self.database = path or None
        self.browser.attention.attached(path)
        self.browser.tick()
        self.say(f"attached {path}" if path else "no database is attached any more")
        self.read_again(anew=True)

    def read_again(self, *, loudly: bool = False, anew: bool = False) -> None:
        """Look for changes now. `anew`: whatever an earlier look still has to say."""
        self.watching.read_again(loudly=loudly, anew=anew)

    @on(Glanced)
    def _glanced(self, event: Glanced) -> None:
        if self.replica is None and self.path == event.path and self.bridge.loading("replica"):
            self.browser.show_glances(event.sight)

    @on(LoadAnswered)
    def _load_answered(self, event: LoadAnswered) -> None:
        opening = self.replica is None
        seconds = self.bridge.take(event.load)
        if seconds is not None and event.load.key == "replica" and not opening:
            self.watching.looked(seconds)

    # keys

    async def on_event(self, event: events.Event) -> None:
        """Keys that arrive in one read with the one that opens a dialog are meant for the dialog."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            if self._held is not None:
                self._held.append(event)
                return
            self.browser.seen()
            opens_dialog = getattr(self.screen, "opens_dialog", None)
            if opens_dialog is not None and opens_dialog(event.key):
                self._held = []
                self.set_timer(HOLD_SECONDS, self.let_keys_through)
        await super().on_event(event)

    async def let_keys_through(self) -> None:
        """The dialog is there, or none came."""
        held, self._held = self._held or [], None
        for event in held:
            await self.on_event(event)

    # jobs

    def submit(self, job: Job) -> None:
        self.bridge.submit(job)

    def cancel(self, job: Job) -> None:
        from litetui.tui.work.report import so_far

        words = so_far(job)
        if self.runner.cancel(job):
            self.say(f"cancelling {job.kind} {job.id}: {words}")

    @on(JobChanged)
    def _job_changed(self, event: JobChanged) -> None:
        from litetui.tui.work.report import alarm_of, outcome

        job = event.job
        self.bridge.job_changed(job)
        self.checking.note(job)
        self._pass_on(lambda: JobChanged(job))
        if not job.state.ended or job.id in self._ended:
            return
        self._ended.add(job.id)
        if not self.leaving and not self._looks_at(job):
            severity: SeverityLevel = "information"
            if job.state is not State.DONE or (alarm := alarm_of(job)):
                severity = "error" if job.state is State.FAILED or (job.result and alarm == "error") else "warning"
            words = job.error.cause if job.error is not None else outcome(job)
            hint = f"; try: {job.error.hint}" if job.state is State.FAILED and job.error and job.error.hint else ""
            self.say(f"{job.kind} {job.id} {job.state.value}: {words}{hint}", severity=severity)
        if job.kind in WRITES and not self.leaving:
            self.read_again(anew=True)
        if self.leaving_when_idle:
            self._leave_when_idle()

    def _looks_at(self, job: Job) -> bool:
        """Whether the end of the job is before the eyes anyway."""
        if getattr(self.screen, "job", None) is job:
            return True
        return self.screen is self.browser and self.browser.pane == "jobs"

    @on(JobsMoved)
    def _jobs_moved(self) -> None:
        self._pass_on(JobsMoved)
        job = self.writing.running
        if job is not None and job.at is not None:
            self.watching.replicated(str(job.at.pos))

    @on(LogLines)
    def _log_lines(self, event: LogLines) -> None:
        self._pass_on(lambda: LogLines(event.lines))

    def _pass_on(self, message: Callable[[], Message]) -> None:
        # Textual's own screen at the bottom would have everything above it drawn anew for each message.
        for screen in self.screen_stack[1:]:
            screen.post_message(message())

    def result_lines(self, job: Job) -> list[str]:
        from litetui.tui.work.report import result_lines

        return result_lines(job)

    # what screens ask for

    def say(self, text: str, severity: SeverityLevel = "information") -> None:
        """A toast, for as long as it takes to read; nothing in it is markup. What is said again takes the place of what
        was said before: a key pressed five times says why not once."""
        text = clean(text)
        for old in [old for old in self._notifications if old.message == text]:
            self._unnotify(old, refresh=False)
        self.notify(text, severity=severity, markup=False, timeout=max(5.0, len(text) / 15))

    def complain(self, error: LitetuiError) -> None:
        self.say(str(error), severity="error")

    def copy(self, text: str) -> None:
        """Send a text to the terminal, which may or may not put it on a clipboard (OSC 52)."""
        from litetui.tui.work.report import copied_text

        self.copy_to_clipboard(text.encode("utf-8", "replace").decode())
        self.say(f"sent to the terminal: {copied_text(text)}")

    def command_for(self, key: Key) -> str:
        """The command line that shows what a line of the tree shows."""
        from litetui.tui.work.report import command_for

        return command_for(self.path or "", key)

    def crumb(self, key: Key) -> str:
        path = self.path or ""
        if self.database:
            path += f" {self.settings.glyphs.from_} {os.path.basename(self.database)}"
        if key[0] in LTX_KINDS:
            from litetui.tui.ltx.view import ltx_crumb

            return " / ".join([path, *ltx_crumb(key)])
        return " / ".join([path, *([str(key[1])] if len(key) > 1 else []), *_last_crumb(key)])

    def action_command_palette(self) -> None:
        if self.use_command_palette and not isinstance(self.screen, ModalScreen):
            self.push_screen(CommandPalette(placeholder="search all actions", id="--command-palette"))

    # leaving

    async def action_quit(self) -> None:
        """The one way out: with jobs running it asks."""
        from litetui.tui.screens.quit import QuitDialog

        unfinished = self.runner.unfinished
        if not unfinished:
            self.exit(0)
        elif not isinstance(self.screen, QuitDialog):
            self.push_screen(QuitDialog(unfinished), self._leave)

    def _leave(self, answer: str | None) -> None:
        if answer == "wait":
            self.leaving_when_idle = True
            self.say("litetui ends when the jobs have ended")
            self._leave_when_idle()
        elif answer == "cancel":
            self._cancel_and_exit(0)

    def _leave_when_idle(self) -> None:
        """Leave once the jobs have ended; a replication, which has no end of its own, is ended behind the others."""
        unfinished = self.runner.unfinished
        if not unfinished:
            self.exit(0)
        elif all(isinstance(job, ReplicateJob) for job in unfinished):
            for job in unfinished:
                self.runner.cancel(job)

    @on(Stopped)
    def _stopped(self, event: Stopped) -> None:
        self._cancel_and_exit(INTERRUPTED)

    def _cancel_and_exit(self, code: int) -> None:
        """Cancel everything, wait two seconds at most for threads that are stuck, then go."""
        if self.leaving:
            return
        self.leaving = True
        self.runner.cancel_all()

        def then(stuck: list[Job]) -> None:
            self.stuck = stuck
            self.exit(code)

        self.bridge.load("drain", self.drain, then, self.complain, path="")

    def on_unmount(self) -> None:
        self.watching.leave()

    def drain(self) -> list[Job]:
        """Wait until nothing runs: two seconds for what may be stuck, longer for a last sync. Blocks."""
        stuck = self.runner.drain(DRAIN_SECONDS)
        until = time.monotonic() + LAST_SYNC_SECONDS
        while any(isinstance(job, ReplicateJob) for job in stuck) and time.monotonic() < until:
            stuck = self.runner.drain(0.5)
        return stuck


def _last_crumb(key: Key) -> list[str]:
    if key[0] in ("index", "snapshot"):
        return [f"{key[0]} {int(key[2]):08x}".replace("index", "WAL")]
    return [str(key[0])] if key[0] in ("snapshots", "wals") else []


class WholeCellBars(ScrollBarRender):
    """Scrollbars of whole cells: Textual's ends of block elements are no ASCII, and jump in many fonts."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


def run_app(
    path: str | None,
    *,
    readonly: bool = False,
    ascii: bool = False,
    demo: bool = False,
    database: str | None = None,
) -> int:
    """Run the terminal UI; afterwards one line a job on the normal screen. Returns the exit code.

    `demo` without a path: a live database and its replica, made for the occasion.
    """
    config = load_config(config_path())
    settings = Settings(
        readonly=readonly,
        ascii=ascii or config.ascii or not locale_is_utf8(os.environ),
        theme=config.theme or theme_of_terminal(os.environ),
        time_zone=config.time_zone,
        config_path=config.path,
        troubles=config.troubles,
    )
    app = LitetuiApp(DEMO if demo and path is None else path, settings, database)
    code: int | None = None
    try:
        with ending_on_signals(app):
            code = app.run()
    finally:
        app.runner.cancel_all()
        stuck = app.drain() if not app.stuck else app.stuck
        with app.demos, suppress(OSError):  # the terminal may be gone
            from litetui.tui.work.report import job_lines

            for line in job_lines(app.runner.jobs, stuck):
                sys.stdout.write(line + "\n")
            sys.stdout.flush()
    return 1 if code is None else code
