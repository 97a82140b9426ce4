"""One operation that runs beside the screen: its state, its progress, its log, its result.

A job knows its operation only as a callable. Every field is written under the job's own lock or by one
assignment, so any thread may read it at any time. The end state is set by the thread that did the work, never
by whoever asked for the end: a job that says "cancelled" has stopped.
"""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from itertools import count
from threading import Lock
from typing import Any

from litetui.errors import Cancelled, LitetuiError
from litetui.jobs.progress import CancelToken, Progress, Reporter

LOG_LINES = 10_000
_ids = count(1)


class State(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (State.DONE, State.FAILED, State.CANCELLED)


class Mode(Enum):
    """What a job does to its target, which decides beside what it may run (runner.py)."""

    READ = "read"
    WRITE = "write"
    EXCLUSIVE = "exclusive"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a job's log. `number` rises by one a line, so that a reader knows what it has seen."""

    number: int
    at_ns: int
    level: str
    job_id: int
    kind: str
    text: str


Work = Callable[[Reporter, CancelToken], Any]


class Job:
    """An operation as a job.

    kind     one word for people: "restore"
    title    what this one does, short: "restore 0000007f:824312 into /tmp/app.db"
    target   what it works on; jobs of one target are kept apart by their modes
    command  the equivalent command line, "" where there is none
    work     called in the job's own thread; what it returns is the result, a LitetuiError is its failure
    """

    def __init__(
        self,
        kind: str,
        work: Work,
        *,
        title: str,
        target: str,
        mode: Mode = Mode.READ,
        command: str = "",
        output: str = "",
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.id = next(_ids)
        self.kind = kind
        self.title = title
        self.target = target
        self.mode = mode
        self.command = command
        self.output = output
        self.token = CancelToken()
        self.reporter = Reporter(self._log_from_reporter)
        self.result: Any = None
        self.error: LitetuiError | None = None
        self.waits_for: Job | None = None
        self.started_ns: int | None = None
        self.ended_ns: int | None = None
        self._work = work
        self._now_ns = now_ns
        self._state = State.QUEUED
        self._lock = Lock()
        self._lines: deque[LogLine] = deque(maxlen=LOG_LINES)
        self._line_count = 0

    @property
    def state(self) -> State:
        return self._state

    @property
    def progress(self) -> Progress:
        return self.reporter.progress

    @property
    def duration_ns(self) -> int:
        """How long it has run, or ran."""
        if self.started_ns is None:
            return 0
        return max(0, (self._now_ns() if self.ended_ns is None else self.ended_ns) - self.started_ns)

    def log(self, text: str, level: str = "info") -> None:
        """Add lines to the job's log, from any thread. `level` is "debug", "info", "warning" or "error"."""
        with self._lock:
            for line in text.splitlines() or [""]:
                self._line_count += 1
                self._lines.append(LogLine(self._line_count, self._now_ns(), level, self.id, self.kind, line))

    def lines_since(self, number: int) -> list[LogLine]:
        """The lines after line `number` that are still kept, oldest first."""
        with self._lock:
            new = min(self._line_count - number, len(self._lines))
            return list(self._lines)[len(self._lines) - new :] if new > 0 else []

    def begin(self) -> bool:
        """Leave the queue, just before the thread starts; False if the job was cancelled while it waited."""
        with self._lock:
            self.waits_for = None
            if self._state is not State.QUEUED:
                return False
            self._state = State.RUNNING
            self.started_ns = self._now_ns()
            return True

    def ask_to_cancel(self) -> bool:
        """Ask for the end; True if there was something to end. A queued job, having no thread, ends here."""
        with self._lock:
            self.token.cancel()
            if self._state is State.QUEUED:
                self._state = State.CANCELLED
                self.ended_ns = self._now_ns()
                self.waits_for = None
                self.error = Cancelled(self.kind, "cancelled before it began")
                return True
            if self._state is State.RUNNING:
                self._state = State.CANCELLING
                return True
            return False

    def run(self) -> None:
        """Do the work in the calling thread and set the end state. Raises nothing."""
        result: Any = None
        error: LitetuiError | None = None
        try:
            result = self._work(self.reporter, self.token)
        except LitetuiError as known:
            error = known
        except BaseException as unknown:  # noqa: BLE001  (a job's thread is the last that can turn it into words)
            self.log("".join(traceback.format_exception(unknown)), "debug")
            error = unexpected(self.kind, unknown)
        if error is not None:
            self.fail(error)
        else:
            self._end(State.DONE, result, None)

    def fail(self, error: LitetuiError) -> None:
        """End without a result."""
        state = State.CANCELLED if isinstance(error, Cancelled) else State.FAILED
        self.log(str(error), "warning" if state is State.CANCELLED else "error")
        self._end(state, None, error)

    def _end(self, state: State, result: Any, error: LitetuiError | None) -> None:
        with self._lock:
            self.result = result
            self.error = error
            self.ended_ns = self._now_ns()
            self._state = state

    def _log_from_reporter(self, level: str, message: str) -> None:
        self.log(message, level)


def unexpected(operation: str, error: BaseException) -> LitetuiError:
    """Words for an exception that nobody foresaw."""
    return LitetuiError(
        operation,
        f"unexpected error {type(error).__name__}: {error}, please report",
        hint="the log of the job holds the details (level debug)",
    )
