"""Looking for changes of the open replica: when, how dear, and what the headline says about it.

The kernel's news make a descriptor readable; where it has none to give, a timer looks. Either way at most a twentieth
of the time is spent on looking, and the looking is done in a thread.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from litetui.jobs.job import LogLine
from litetui.tui.messages import LogLines
from litetui.units import format_clock

if TYPE_CHECKING:
    from textual.timer import Timer

    from litetui.errors import LitetuiError
    from litetui.replica.watch import ReplicaWatch
    from litetui.tui.app import LitetuiApp
    from litetui.tui.model import ReplicaView
    from litetui.tui.primary import PrimaryView

SHARE = 20  # at most a twentieth of the time is spent on looking
MOST_SECONDS = 5.0  # that news are kept waiting for what showing the last ones has cost
SETTLE_SECONDS = 0.1  # a file that came is seldom alone: its folder, its temporary name, its time


class Watching:
    """Of one session: follows the replica that is open. All methods are for the app's own thread."""

    def __init__(self, app: LitetuiApp) -> None:
        self.app = app
        self.on = True
        self.paused_at_ns = 0
        self._watch: ReplicaWatch | None = None
        self._heard_fd: int | None = None
        self._timer: Timer | None = None
        self._interval = app.settings.watch_s
        self._free_at = 0.0  # when the next look may be, by the cost of the last
        self._ended_at = self._spent = 0.0  # when the last ended, and what this thread had computed until then
        self._seen_pos = ""
        self._once_more = False  # a look was asked for while another one was at work
        self._lines = 0  # of the log, so far

    # what is followed

    def follow(self, watch: ReplicaWatch) -> None:
        """Another replica was opened, and has been looked at just now."""
        self.leave()
        self._watch = watch
        self._wait()

    def leave(self) -> None:
        """No replica is open any more."""
        self._deafen()
        if self._timer is not None:
            self._timer.stop()
        if self._watch is not None:
            self._watch.close()
        self._watch, self._once_more = None, False
        self.app.bridge.forget("replica")
        self._free_at, self._interval = 0.0, self.app.settings.watch_s

    def turn(self, on: bool) -> None:
        """Watch, or do not. Off, the headline says since when."""
        self.on = on
        self.paused_at_ns = self.app.settings.now_ns()
        self._deafen()
        self.app.browser.tick()
        self.app.say("watching for changes" if on else "watching is off: R reads again", kind="watch")
        if on:
            self.read_again()

    def words(self) -> tuple[str, str]:
        """What the headline says about it, and how loudly."""
        if not self.on:
            since = format_clock(self.paused_at_ns, self.app.settings.now_ns(), millis=False)
            return f"paused at {since}", "$text-warning bold"
        if self._watch is None or not self.app.settings.watch_s:
            return "", ""
        if self._watch.fd is not None:
            return "watching: inotify", "$foreground-muted"
        return f"polling every {max(1, round(self._interval))} s ({self._watch.why_polling})", "$foreground-muted"

    # looking

    def read_again(self, *, loudly: bool = False, anew: bool = False) -> None:
        """Look for changes now. `loudly`: at every folder, and say so. `anew`: drop what an earlier look has to say."""
        from litetui.tui.model import ReplicaView, look
        from litetui.tui.primary import look_at

        app, watch = self.app, self._watch
        if watch is None:
            return
        if app.bridge.loading("replica") and not anew:
            self._once_more = self._once_more or loudly
            return
        now_ns, database = app.settings.now_ns, app.database
        self._deafen()

        def work() -> ReplicaView | PrimaryView | None:
            replica = watch.replica
            watch.refresh(whole=loudly)
            if watch.behind or loudly or anew:
                view = look(replica, now_ns(), database)
                watch.behind = False  # only now: the look may fail, and what is new is told once
                return view
            return look_at(database, replica) if database else None

        def then(answer: ReplicaView | PrimaryView | None) -> None:
            if app.browser.trouble is not None:
                self._log(f"{watch.replica.path} can be read again", "info")
            if isinstance(answer, ReplicaView):
                app.browser.show_view(answer)
            elif answer is not None:
                app.browser.show_primary(answer)
            elif app.browser.trouble is not None:
                app.browser.trouble = None
                app.browser.tick()
            if loudly:
                app.say("read again")

        def fail(error: LitetuiError) -> None:
            if str(error) != str(app.browser.trouble):
                self._log(str(error), "error")
            app.browser.show_trouble(error)

        app.bridge.load("replica", work, then, fail, path=watch.replica.path)

    def _log(self, text: str, level: str) -> None:
        """A line of no job in the log: the replica has gone, or is there again."""
        self._lines += 1
        line = LogLine(self._lines, self.app.settings.now_ns(), level, 0, "watch", text)
        self.app.post_message(LogLines([line]))

    def looked(self, seconds: float) -> None:
        """A look has ended, and has taken so long."""
        self._ended_at, self._spent = time.monotonic(), time.thread_time()
        self._free_at = self._ended_at + SHARE * seconds
        self._interval = max(self.app.settings.watch_s, SHARE * seconds)
        if self._once_more:
            self._once_more = False
            self.read_again(loudly=True)
        else:
            self._wait()

    def replicated(self, pos: str) -> None:
        """A replication of this session has come to a position: its files are there."""
        if self.on and pos != self._seen_pos and not self.app.bridge.loading("replica"):
            self._seen_pos = pos
            self._look_at(self._free_at)

    def _wait(self) -> None:
        """Until there is news, or it is time to look without any."""
        watch = self._watch
        if watch is None or not self.on or not self.app.settings.watch_s:
            return
        fd = watch.fd
        if fd is not None and self._heard_fd is None:
            asyncio.get_running_loop().add_reader(fd, self._heard)
            self._heard_fd = fd
        # The kernel tells nothing about the database's WAL, nor when what is gone comes back.
        if fd is None or self.app.database is not None or self.app.browser.trouble is not None:
            self._look_at(time.monotonic() + self._interval)

    def _heard(self) -> None:
        self._deafen()
        shown = min(MOST_SECONDS, SHARE * (time.thread_time() - self._spent))  # drawing is the dearer part
        self._look_at(max(time.monotonic() + SETTLE_SECONDS, self._free_at, self._ended_at + shown))

    def _deafen(self) -> None:
        if self._heard_fd is not None:
            asyncio.get_running_loop().remove_reader(self._heard_fd)
            self._heard_fd = None

    def _look_at(self, when: float) -> None:
        """Look at this moment of the monotonic clock."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.app.set_timer(max(0.001, when - time.monotonic()), self._time_to_look)

    def _time_to_look(self) -> None:
        if self.on and not self.app.bridge.loading("replica"):
            self.read_again()
