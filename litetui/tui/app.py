"""The app: wires jobs, loads and screens together. Keys are in keys.py, what is shown in the screens."""

from __future__ import annotations

import os
import sys
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
from textual.scrollbar import ScrollBar, ScrollBarRender

from litetui.errors import LitetuiError, NotAReplicaError
from litetui.jobs.job import Job, State
from litetui.jobs.runner import Runner
from litetui.tui.bridge import Bridge
from litetui.tui.checking import Checking
from litetui.tui.contrast import readable
from litetui.tui.ltx_model import LTX_KINDS, is_ltx, refresh
from litetui.tui.ltx_view import ltx_crumb
from litetui.tui.messages import JobChanged, JobsMoved, LoadAnswered, LogLines, Stopped
from litetui.tui.model import ReplicaView, look
from litetui.tui.outline import Key
from litetui.tui.palette import ActionCommands
from litetui.tui.primary import PrimaryView, judge, look_at
from litetui.tui.replication import ReplicateJob
from litetui.tui.report import alarm_of, command_for, copied_text, job_lines, outcome, result_lines
from litetui.tui.retaining import Retaining
from litetui.tui.screens.attach import AttachDialog
from litetui.tui.screens.browser import Browser
from litetui.tui.screens.job import JobScreen
from litetui.tui.screens.open import DEMO, OpenDialog
from litetui.tui.screens.quit import QuitDialog
from litetui.tui.screens.report import ReportScreen
from litetui.tui.settings import Settings, locale_is_utf8
from litetui.tui.signals import INTERRUPTED, ending_on_signals
from litetui.tui.textutil import clean
from litetui.tui.writing import WRITES, Writing
from litetui.units import format_clock

if TYPE_CHECKING:
    from textual.timer import Timer

    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica

DRAIN_SECONDS = 2.0
LAST_SYNC_SECONDS = 15.0
HOLD_SECONDS = 0.5
WATCH_SHARE = 20  # at most a twentieth of the time is spent on looking for changes
NO_REPLICA = "no replica is open: O opens one"
Opened = tuple["FileReplica | LTXReplica", ReplicaView, str | None, LitetuiError | None]


class LitetuiApp(App[int]):
    """The session: one replica at a time, the database it belongs to, its jobs, its screens."""

    TITLE = "litetui"
    CSS_PATH = "theme.tcss"
    COMMANDS = {ActionCommands}  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "Quit", show=False, priority=True)]

    def __init__(self, path: str | None, settings: Settings, database: str | None = None) -> None:
        super().__init__()
        ScrollBar.renderer = WholeCellBars
        self.path = path
        self.wanted_database = database
        self.database: str | None = None
        self.settings = settings
        self.writing = Writing(self)
        self.checking = Checking(self)
        self.retaining = Retaining(self)
        self.runner = Runner()
        self.bridge = Bridge(self, self.runner)
        self.replica: FileReplica | LTXReplica | None = None
        self.watching = True
        self._look_timer: Timer | None = None
        self._opening = False  # the first look takes longer than those that follow
        self._seen_pos = ""
        self._ended: set[int] = set()  # jobs whose end was told; a message may come late, and then finds it once more
        self.paused_at_ns = 0
        self._held: list[events.Key] | None = None
        self.leaving = False
        self.leaving_when_idle = False
        self.demos = ExitStack()
        self.stuck: list[Job] = []

    def get_css_variables(self) -> dict[str, str]:
        return readable(super().get_css_variables())

    def on_mount(self) -> None:
        self.set_class(self.settings.ascii, "-ascii")
        self.bridge.start()
        self.browser = Browser()
        self.push_screen(self.browser)
        if self.path is not None:
            self.open_path(self.path)
        else:
            self.browser.call_after_refresh(self.browser.forget, NO_REPLICA)
            self.push_screen(OpenDialog(first=True), self.open_path)

    # the replica

    @property
    def file_replica(self) -> FileReplica | None:
        """The replica where it is one of v0.3."""
        return None if self.replica is None or is_ltx(self.replica) else self.replica

    def open_path(self, path: str | None) -> None:
        """Open a replica in a thread; a path that is none leads back to the question, with the reason."""
        if path is None:
            return
        if self.replica is not None:
            self.database = None  # it belonged to the replica that was open
        self.path = "demo" if path == DEMO else path
        self.replica = None
        self.browser.forget("making the demo" if path == DEMO else "reading the replica")
        self._opening = True
        now_ns = self.settings.now_ns
        wanted = self.wanted_database or self.database
        self.wanted_database = None

        def work() -> Opened:
            where, database, trouble = path, wanted, None
            if path == DEMO:
                where, database = self.make_demo()
            try:
                database = judge(database, where).path if database else None
            except LitetuiError as error:
                database, trouble = None, error
            replica = open_or_begin(where, database)
            if is_ltx(replica):
                database, trouble = None, None  # Litestream keeps such a replica: there is nothing to do with it here
            return replica, look(replica, now_ns(), database), database, trouble

        def then(answer: Opened) -> None:
            self.replica, view, self.database, trouble = answer
            self.path = view.path
            self.browser.show_view(view)
            if trouble is not None:
                self.push_screen(AttachDialog(view.path, "", trouble), self.attach)
            elif wanted and view.ltx_alone:
                self.say("no database is attached: Litestream 0.5 keeps this replica, litetui only reads it")
            elif path == DEMO and not self.settings.readonly:
                self.writing.start_replication()

        def fail(error: LitetuiError) -> None:
            self.wanted_database = wanted
            self.browser.forget(NO_REPLICA)
            self.browser.show_trouble(error)
            self.push_screen(OpenDialog(error), self.open_path)

        self.bridge.load("replica", work, then, fail, path=path)

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

    def attach(self, path: str | None) -> None:
        """Attach a database that was judged before, or none ("")."""
        if path is None or (path or None) == self.database:
            return
        self.database = path or None
        self.browser.tick()
        self.say(f"attached {path}" if path else "no database is attached any more")
        self.read_again(anew=True)

    def read_again(self, *, loudly: bool = False, anew: bool = False) -> None:
        """Look for changes now. `anew`: whatever an earlier look still has to say."""
        replica, now_ns, database = self.replica, self.settings.now_ns, self.database
        if replica is None or (self.bridge.loading("replica") and not anew):
            return

        def work() -> ReplicaView | PrimaryView | None:
            if refresh(replica) or loudly or anew:
                return look(replica, now_ns(), database)
            return look_at(database, replica) if database and not is_ltx(replica) else None

        def then(answer: ReplicaView | PrimaryView | None) -> None:
            if isinstance(answer, ReplicaView):
                self.browser.show_view(answer)
            elif answer is not None:
                self.browser.show_primary(answer)
            elif self.browser.trouble is not None:
                self.browser.trouble = None
            if loudly:
                self.say("read again")

        self.bridge.load("replica", work, then, self.browser.show_trouble, path=replica.path)

    def _look_later(self, cost_s: float) -> None:
        if self._look_timer is not None:
            self._look_timer.stop()
        if self.settings.watch_s and self.watching:
            self._look_timer = self.set_timer(max(self.settings.watch_s, WATCH_SHARE * cost_s), self._watch)

    def _watch(self) -> None:
        if not self.watching:
            return
        if self.bridge.loading("replica") or self.replica is None:
            self._look_later(0.0)
        else:
            self.read_again()

    def set_watching(self, on: bool) -> None:
        self.watching = on
        self.paused_at_ns = self.settings.now_ns()
        self.browser.tick()
        self.say("watching for changes" if on else "watching is off: R reads again")
        if on:
            self.read_again()

    def paused_since(self) -> str:
        return f"paused at {format_clock(self.paused_at_ns, self.settings.now_ns(), millis=False)}"

    @on(LoadAnswered)
    def _load_answered(self, event: LoadAnswered) -> None:
        seconds = self.bridge.take(event.load)
        if seconds is not None and event.load.key == "replica" and self.replica is not None:
            self._look_later(0.0 if self._opening else seconds)
            self._opening = False

    # keys

    async def on_event(self, event: events.Event) -> None:
        """Keys that arrive in one read with the one that opens a dialog are meant for the dialog."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            if self._held is not None:
                self._held.append(event)
                return
            if isinstance(self.screen, Browser | ReportScreen) and self.screen.opens_dialog(event.key):
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
        if self.runner.cancel(job):
            words = {
                "replicate": "a last sync is made",
                "sync": "what is whole in the replica stays, the next sync goes on from there",
                "retention": "what was deleted before stays deleted",
                "validate": "it has written nothing",
            }
            self.say(f"cancelling {job.kind} {job.id}: {words.get(job.kind, 'nothing of it will be left behind')}")

    @on(JobChanged)
    def _job_changed(self, event: JobChanged) -> None:
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
        if isinstance(self.screen, JobScreen | ReportScreen):
            return self.screen.job is job
        return self.screen is self.browser and self.browser.pane == "jobs"

    @on(JobsMoved)
    def _jobs_moved(self) -> None:
        self._pass_on(JobsMoved)
        job = self.writing.running
        at = job.at if job is not None else None
        if at is not None and self.watching and str(at.pos) != self._seen_pos and not self.bridge.loading("replica"):
            self._seen_pos = str(at.pos)
            self.read_again()

    @on(LogLines)
    def _log_lines(self, event: LogLines) -> None:
        self._pass_on(lambda: LogLines(event.lines))

    def _pass_on(self, message: Callable[[], Message]) -> None:
        # Textual's own screen at the bottom would have everything above it drawn anew for each message.
        for screen in self.screen_stack[1:]:
            screen.post_message(message())

    def result_lines(self, job: Job) -> list[str]:
        return result_lines(job)

    # what screens ask for

    def say(self, text: str, severity: SeverityLevel = "information") -> None:
        """A toast; nothing in it is markup."""
        self.notify(clean(text), severity=severity, markup=False)

    def complain(self, error: LitetuiError) -> None:
        self.say(str(error), severity="error")

    def copy(self, text: str) -> None:
        """Send a text to the terminal, which may or may not put it on a clipboard (OSC 52)."""
        self.copy_to_clipboard(text.encode("utf-8", "replace").decode())
        self.say(f"sent to the terminal: {copied_text(text)}")

    def command_for(self, key: Key) -> str:
        """The command line that shows what a line of the tree shows."""
        return command_for(self.path or "", key)

    def crumb(self, key: Key) -> str:
        path = self.path or ""
        if self.database:
            path += f" {self.settings.glyphs.from_} {os.path.basename(self.database)}"
        if key[0] in LTX_KINDS:
            return " / ".join([path, *ltx_crumb(key)])
        return " / ".join([path, *([str(key[1])] if len(key) > 1 else []), *_last_crumb(key)])

    def action_command_palette(self) -> None:
        if self.use_command_palette and not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(placeholder="search all actions", id="--command-palette"))

    def next_theme(self) -> None:
        names = sorted(self.available_themes)
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self.say(f"theme {self.theme}")

    # leaving

    async def action_quit(self) -> None:
        """The one way out: with jobs running it asks."""
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


def open_or_begin(path: str, database: str | None) -> FileReplica | LTXReplica:
    """The replica at a path; with a database also one that a first sync will make there. Raises LitetuiError."""
    from litetui.replica.detect import open_any

    try:
        return open_any(path)
    except NotAReplicaError:
        if database is None:
            raise
    from litetui.ops.sync import existing
    from litetui.replica.file import FileReplica

    return existing(path) or FileReplica(os.path.expanduser(path))


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
    settings = Settings(readonly=readonly, ascii=ascii or not locale_is_utf8(os.environ))
    app = LitetuiApp(DEMO if demo and path is None else path, settings, database)
    code: int | None = None
    try:
        with ending_on_signals(app):
            code = app.run()
    finally:
        app.runner.cancel_all()
        stuck = app.drain() if not app.stuck else app.stuck
        with app.demos, suppress(OSError):  # the terminal may be gone
            for line in job_lines(app.runner.jobs, stuck):
                sys.stdout.write(line + "\n")
            sys.stdout.flush()
    return 1 if code is None else code
