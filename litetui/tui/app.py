"""The app: wires jobs, loads and screens together. Keys are in keys.py, what is shown in the screens."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.message import Message
from textual.notifications import Notification, Notify, SeverityLevel
from textual.screen import ModalScreen
from textual.scrollbar import ScrollBar

from litetui.errors import LitetuiError
from litetui.jobs.job import Job
from litetui.jobs.runner import Runner
from litetui.tui.bridge import Bridge
from litetui.tui.contrast import readable
from litetui.tui.leaving import Leaving
from litetui.tui.messages import Glanced, JobChanged, JobsMoved, LoadAnswered, LogLines, Stopped
from litetui.tui.opening import NO_REPLICA, Opening
from litetui.tui.palette import ActionCommands
from litetui.tui.screens.browser import Browser
from litetui.tui.settings import Settings
from litetui.tui.signals import INTERRUPTED
from litetui.tui.textutil import clean, cut_end, in_a_line, short_times
from litetui.tui.themes import Themes
from litetui.tui.watching import Watching
from litetui.tui.widgets.bars import WholeCellBars
from litetui.tui.work.checking import Checking
from litetui.tui.work.retaining import Retaining
from litetui.tui.work.writing import WRITES, Writing
from litetui.units import set_clock_zone

if TYPE_CHECKING:
    from textual.timer import Timer

    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica

HOLD_SECONDS = 0.5
MOST_TOASTS = 3


@dataclass
class Said(Notification):
    """A toast; the next one of its kind takes its place."""

    kind: str = ""


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
        self.opening = Opening(self, database)
        self.leaving = Leaving(self)
        self._ended: set[int] = set()  # jobs whose end was told; a message may come late, and then finds it once more
        self._held: list[events.Key] | None = None
        self._let_through: Timer | None = None

    def get_css_variables(self) -> dict[str, str]:
        return readable(super().get_css_variables())

    def on_load(self) -> None:
        self.set_class(self.settings.ascii, "-ascii")
        self.themes.start()
        self.bridge.start()

    def get_default_screen(self) -> Browser:
        """The browser is the screen at the bottom: another one below it would be styled and laid out for nobody."""
        self.browser = Browser()
        return self.browser

    def on_mount(self) -> None:
        self.browser.call_after_refresh(self._first_frame)
        if self.path is not None:
            self.opening.open(self.path)
        else:
            self.browser.call_after_refresh(self.browser.forget, NO_REPLICA)
            self.opening.ask(first=True)

    def _first_frame(self) -> None:
        """It is drawn. What was made for it stays to the end: no collection has to look at it, now or later."""
        self.opening.drawn.set()
        if not gc.isenabled():
            gc.freeze()
            gc.enable()

    # the replica

    @property
    def file_replica(self) -> FileReplica | None:
        """The replica where it is one of v0.3."""
        from litetui.tui.ltx.model import is_ltx

        return None if self.replica is None or is_ltx(self.replica) else self.replica

    def read_again(self, *, loudly: bool = False, anew: bool = False) -> None:
        """Look for changes now. `anew`: whatever an earlier look still has to say."""
        self.watching.read_again(loudly=loudly, anew=anew)

    @on(Glanced)
    def _glanced(self, event: Glanced) -> None:
        self.opening.glanced(event.path, event.sight)

    @on(LoadAnswered)
    def _load_answered(self, event: LoadAnswered) -> None:
        seconds = self.bridge.take(event.load)
        if seconds is not None and event.load.key == "replica":
            self.watching.looked(seconds)

    # keys

    async def on_event(self, event: events.Event) -> None:
        """Keys that arrive in one read with one that leads elsewhere are meant for what is there."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            if self._held is not None:
                self._held.append(event)
                return
            self.browser.seen()
            redirects = getattr(self.screen, "redirects", None)
            if redirects is not None and redirects(event.key):
                self._held = []
                self._let_through = self.set_timer(HOLD_SECONDS, self.let_keys_through)
        await super().on_event(event)

    async def let_keys_through(self) -> None:
        """What they are meant for is there, or did not come."""
        if self._let_through is not None:
            self._let_through.stop()
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
        from litetui.tui.work.report import end_toast

        job = event.job
        self.bridge.job_changed(job)
        self.checking.note(job)
        self._pass_on(lambda: JobChanged(job))
        if not job.state.ended or job.id in self._ended:
            return
        self._ended.add(job.id)
        if not self.leaving.now and not self._looks_at(job):
            words, severity = end_toast(job)
            self.say(short_times(words, self.settings.now_ns()), severity)
        if job.kind in WRITES and not self.leaving.now:
            self.read_again(anew=True)
        self.leaving.job_ended()

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
        for screen in self.screen_stack:
            screen.post_message(message())

    # what screens ask for

    def say(self, text: str, severity: SeverityLevel = "information", *, kind: str = "") -> None:
        """A toast, for as long as it takes to read; nothing in it is markup. It takes the place of what was said before
        in the same words, or of the same kind: a key pressed five times says why not once."""
        text = clean(text)
        toast = Said(text, severity=severity, timeout=max(5.0, len(text) / 15), markup=False, kind=kind or text)
        self.post_message(Notify(toast))

    def on_notify(self, event: Notify) -> None:
        """Before a toast is shown: make room for it."""
        said, new = list(self._notifications), event.notification
        old = [one for one in said if isinstance(one, Said) and isinstance(new, Said) and one.kind == new.kind]
        rest = sorted((one for one in said if one not in old), key=lambda one: one.severity == "error")
        for one in [*old, *rest[: max(0, len(rest) + 1 - MOST_TOASTS)]]:
            self._unnotify(one, refresh=False)

    def complain(self, error: LitetuiError) -> None:
        self.say(str(error), severity="error")

    def copy(self, text: str) -> None:
        """Send a text to the terminal, which may or may not put it on a clipboard (OSC 52)."""
        self.copy_to_clipboard(text.encode("utf-8", "replace").decode())
        cut = self.settings.glyphs.cut
        self.say(f"sent to the terminal: {cut_end(in_a_line(text, cut), 120, cut)}", kind="copied")

    def action_command_palette(self) -> None:
        if self.use_command_palette and not isinstance(self.screen, ModalScreen):
            self.push_screen(CommandPalette(placeholder="search all actions", id="--command-palette"))

    # leaving

    async def action_quit(self) -> None:
        """The one way out: with jobs running it asks."""
        self.leaving.ask()

    @on(Stopped)
    def _stopped(self, event: Stopped) -> None:
        self.leaving.cancel_and_exit(INTERRUPTED)

    def on_unmount(self) -> None:
        self.watching.leave()
