"""SIGTERM, SIGHUP and SIGINT end the session cleanly, even when the terminal is gone.

A terminal that went away kills Textual's writing thread; the main thread then blocks at its next write, for ever. So
nothing here relies on the event loop: a thread of its own cancels the jobs and waits for them, and ends the process
if the app does not.
"""

from __future__ import annotations

import os
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from types import FrameType
from typing import TYPE_CHECKING, Any

from litetui.tui.messages import Stopped

if TYPE_CHECKING:
    from litetui.tui.app import LitetuiApp

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
INTERRUPTED = 130
SECONDS = 2.0
# Leave the alternate screen; cursor on; mouse, focus, paste and key reports off.
_NORMAL_SCREEN = b"\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[<u"


@contextmanager
def ending_on_signals(app: LitetuiApp) -> Iterator[None]:
    """Within it, the three signals cancel the app's jobs, and end the app."""
    over = Event()
    terminal = _Terminal()

    def end(number: int) -> None:
        app.runner.cancel_all()
        app.post_message(Stopped(number))
        app.leaving.drain()
        if not over.wait(SECONDS):
            app.opening.demos.close()
            terminal.give_back()
            os._exit(INTERRUPTED)

    def handle(number: int, frame: FrameType | None) -> None:
        Thread(target=end, args=(number,), name="signal", daemon=True).start()

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        over.set()
        _stop_reading(app)
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop_reading(app: LitetuiApp) -> None:
    """A terminal that goes sends SIGCONT behind SIGHUP. Textual takes that for the end of a ctrl+z, and reads from the
    terminal again, in a thread that nobody would end."""
    signal.signal(signal.SIGCONT, signal.SIG_DFL)
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    asked_to_end = getattr(app._driver, "exit_event", None)
    if isinstance(asked_to_end, Event):
        asked_to_end.set()


class _Terminal:
    """The terminal as it was before the app took it."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None
        with suppress(OSError, ValueError, termios.error):  # none, as in tests
            self._before = termios.tcgetattr(sys.stdin.fileno())

    def give_back(self) -> None:
        """Where the app cannot do it any more. Never waits: the terminal may be gone."""
        if self._before is None:
            return
        with suppress(OSError, ValueError, termios.error):
            fd = sys.stderr.fileno()
            os.set_blocking(fd, False)
            try:
                os.write(fd, _NORMAL_SCREEN)
            finally:
                os.set_blocking(fd, True)  # the shell writes to the same open file
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._before)
