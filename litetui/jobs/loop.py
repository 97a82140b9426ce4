"""Something that is done again and again in a thread of its own: when it is woken, or on an interval."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from litetui.errors import LitetuiError
from litetui.jobs.job import unexpected

_MIN_PAUSE_S, _MAX_PAUSE_S = 0.1, 60.0  # after errors


class Loop:
    """Calls `work` after each `wake`, at most once an interval; after errors more rarely, up to a minute apart.

    every   without being woken, call it again after this many seconds; None: only when woken
    failed  told of each error, in the loop's thread
    """

    def __init__(
        self,
        name: str,
        interval_s: float,
        work: Callable[[], object],
        failed: Callable[[LitetuiError], None],
        *,
        every: float | None = None,
    ) -> None:
        self.name = name
        self.interval_s = interval_s
        self.failures = 0
        self._work = work
        self._failed = failed
        self._every = every
        self._changed = threading.Condition()
        self._woken = False
        self._hurried = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self, *, now: bool = False) -> None:
        """There is something to do; `now`: whatever the interval says. From any thread."""
        with self._changed:
            self._woken, self._hurried = True, self._hurried or now
            self._changed.notify_all()

    def ask_to_stop(self) -> None:
        """Ask for the end, and do not wait."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def stop(self, *, timeout: float | None = None) -> bool:
        """Ask for the end and wait for it; True if the thread has ended."""
        self.ask_to_stop()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def once(self) -> None:
        """A last call, in the calling thread, after the end; not if the last one failed."""
        if not self.failures:
            self._once()

    def _run(self) -> None:
        while self._wait():
            began = time.monotonic()
            self._once()
            pause = max(0.0, self.interval_s - (time.monotonic() - began))
            if self.failures:
                interval = max(self.interval_s, _MIN_PAUSE_S)
                pause = max(pause, min(_MAX_PAUSE_S, interval * 2 ** min(self.failures - 1, 16)))
            if not self._pause(pause):
                return

    def _once(self) -> None:
        try:
            self._work()
            self.failures = 0
        except LitetuiError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  (the loop's thread is the last that can turn it into words)
            self._fail(unexpected(self.name, error))

    def _fail(self, error: LitetuiError) -> None:
        self.failures += 1
        with contextlib.suppress(Exception):  # it may be the log's own disk that is full: the loop goes on
            self._failed(error)

    def _wait(self) -> bool:
        """Until there is something to do; False at the end."""
        with self._changed:
            if not self.failures:
                self._changed.wait_for(lambda: self._woken or self._stopping, self._every)
            self._woken = self._hurried = False
            return not self._stopping

    def _pause(self, seconds: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._hurried, seconds)
            return not self._stopping
