"""SIGTERM, SIGHUP and SIGINT end the session cleanly, even when the terminal is gone.

A terminal that went away kills Textual's writing thread; the main thread then blocks at its next write, for ever. So
nothing here relies on the event loop: a thread of its own cancels the jobs and waits for them, and ends the process
if the app does not.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from types import FrameType
from typing import TYPE_CHECKING

from litetui.tui.messages import Stopped

if TYPE_CHECKING:
    from litetui.tui.app import LitetuiApp

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
INTERRUPTED = 130
SECONDS = 2.0


@contextmanager
def ending_on_signals(app: LitetuiApp) -> Iterator[None]:
    """Within it, the three signals cancel the app's jobs, and end the app."""
    over = Event()

    def end(number: int) -> None:
        app.runner.cancel_all()
        app.post_message(Stopped(number))
        app.drain()
        if not over.wait(SECONDS):
            app.demos.close()
            os._exit(INTERRUPTED)

    def handle(number: int, frame: FrameType | None) -> None:
        Thread(target=end, args=(number,), name="signal", daemon=True).start()

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        over.set()
        for number, handler in before.items():
            signal.signal(number, handler)
