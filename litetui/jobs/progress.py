"""How an operation tells how far it is, and how it is told to stop.

Operations take a `Reporter` and a `CancelToken`. The reporter keeps one frozen `Progress` that others read
whenever they like (the UI polls it ten times a second); it sends nothing, so it costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from litetui.errors import Cancelled


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a phase is. `total` 0 means that the end is not known; `unit` is "bytes", "files" or ""."""

    phase: str = ""
    done: int = 0
    total: int = 0
    unit: str = "bytes"
    started: float = field(default_factory=time.monotonic)
    at: float = field(default_factory=time.monotonic)

    @property
    def fraction(self) -> float | None:
        """0.0 to 1.0, or None where the end is not known."""
        return min(1.0, self.done / self.total) if self.total > 0 else None

    @property
    def rate(self) -> float:
        """Units a second since the phase began, 0.0 before anything was done."""
        seconds = self.at - self.started
        return self.done / seconds if seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end of the phase at the rate so far, or None where it cannot be known."""
        if self.total <= 0 or self.rate <= 0:
            return None
        return max(0.0, (self.total - self.done) / self.rate)


class Reporter:
    """Where an operation leaves its progress and its log lines. Safe to read from any thread."""

    def __init__(self, log: Callable[[str, str], None] | None = None) -> None:
        self.progress = Progress()
        self._log = log

    def phase(self, name: str, total: int = 0, unit: str = "bytes") -> None:
        """Begin a phase."""
        now = time.monotonic()
        self.progress = Progress(name, 0, total, unit, now, now)

    def advance(self, done: int) -> None:
        """Say how many units of the phase are done in all."""
        p = self.progress
        self.progress = Progress(p.phase, done, p.total, p.unit, p.started, time.monotonic())

    def log(self, message: str, level: str = "info") -> None:
        """Add a line to the job's log; `level` is "info", "warning" or "error"."""
        if self._log is not None:
            self._log(level, message)


class CancelToken:
    """A promise that an operation looks at: `check()` raises `Cancelled` once `cancel()` was called."""

    def __init__(self) -> None:
        self._event = Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the cancel; False if the seconds ran out before."""
        return self._event.wait(seconds)

    def check(self) -> None:
        if self._event.is_set():
            raise Cancelled
