"""Runs jobs in daemon threads of their own, one a job, and keeps apart what must not meet.

    READ       starts at once, beside anything that only reads or appends
    WRITE      one after the other on one target
    EXCLUSIVE  (retention) alone on its target: waits for its readers and writers, and they wait while it runs

A queued job has no thread: the thread of the job it waited for starts it. A reader never waits for a queued
exclusive job, only for a running one: a restore at night must not stand behind a cleaning that stands behind
a check.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Condition, Thread, current_thread, main_thread
from typing import Any

from litetui.errors import LitetuiError
from litetui.jobs.job import Job, Mode, unexpected

Listener = Callable[[Job], None]


class Runner:
    """All jobs of a session. Every method may be called from any thread."""

    def __init__(self, listener: Listener | None = None) -> None:
        self.listener = listener
        self._changed = Condition()
        self._jobs: list[Job] = []
        self._active: dict[int, Job] = {}
        self._queue: list[Job] = []

    @property
    def jobs(self) -> list[Job]:
        """Every job of the session, oldest first."""
        with self._changed:
            return list(self._jobs)

    @property
    def unfinished(self) -> list[Job]:
        """Jobs that run, are being cancelled, or wait."""
        return [job for job in self.jobs if not job.state.ended]

    def submit(self, job: Job) -> Job:
        """Start a job, or queue it behind what it must not meet."""
        with self._changed:
            self._jobs.append(job)
            self._queue.append(job)
            started = self._start_what_may()
        self._tell(job, *(other for other in started if other is not job))
        return job

    def cancel(self, job: Job) -> bool:
        """Ask a job to end; False if it has ended already. A running one ends at its next safe point."""
        if not job.ask_to_cancel():
            return False
        with self._changed:
            if job in self._queue:
                self._queue.remove(job)
            started = self._start_what_may()
            self._changed.notify_all()
        self._tell(job, *started)
        return True

    def cancel_all(self) -> None:
        for job in reversed(self.unfinished):  # the queued ones first, so that none starts in between
            self.cancel(job)

    def drain(self, timeout: float = 2.0) -> list[Job]:
        """Wait until nothing runs, at most `timeout` seconds; the jobs that stay behind stuck."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._active or self._queue:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return [*self._active.values(), *self._queue]

    def _start_what_may(self) -> list[Job]:
        """Start every queued job whose way is free, in the order they came. Called with the lock held."""
        started: list[Job] = []
        ahead: list[Job] = []
        for job in list(self._queue):
            job.waits_for = self._obstacle(job, ahead)
            if job.waits_for is not None:
                ahead.append(job)
                continue
            self._queue.remove(job)
            if not job.begin():
                continue
            self._active[job.id] = job
            started.append(job)
            try:
                Thread(target=self._run, args=(job,), name=f"job-{job.id}-{job.kind}", daemon=True).start()
            except RuntimeError as error:  # the system has no thread left
                del self._active[job.id]
                job.fail(LitetuiError(job.kind, str(error), hint="end other programs, or raise the limit: ulimit -u"))
        return started

    def _obstacle(self, job: Job, ahead: list[Job]) -> Job | None:
        for other in self._active.values():
            if other.target == job.target and _exclude(job.mode, other.mode):
                return other
        if job.mode is Mode.READ:
            return None
        return next((o for o in ahead if o.target == job.target and _exclude(job.mode, o.mode)), None)

    def _run(self, job: Job) -> None:
        job.run()
        with self._changed:
            del self._active[job.id]
            started = self._start_what_may()
            self._changed.notify_all()
        self._tell(job, *started)

    def _tell(self, *jobs: Job) -> None:
        if self.listener is not None:
            for job in jobs:
                self.listener(job)


def _exclude(one: Mode, other: Mode) -> bool:
    if Mode.EXCLUSIVE in (one, other):
        return True
    return one is Mode.WRITE and other is Mode.WRITE


class Load:
    """A short reading for the screen in a daemon thread of its own, never in asyncio's pool.

    key   what it loads; a newer load of the same key makes this one's answer stale
    path  what it reads from, named when there is no answer
    done  called in the load's thread when result or error is set
    """

    def __init__(self, key: str, work: Callable[[], Any], *, path: str, done: Callable[[Load], None]) -> None:
        self.key = key
        self.path = path
        self.result: Any = None
        self.error: LitetuiError | None = None
        self.started = time.monotonic()
        self.seconds = 0.0
        self._work = work
        self._done = done

    def start(self) -> Load:
        Thread(target=self._run, name=f"load-{self.key}", daemon=True).start()
        return self

    def no_answer(self) -> LitetuiError:
        """What to say about a load that has not come back: a dead NFS keeps the thread in the kernel."""
        return LitetuiError(
            "read",
            f"no answer from {self.path}",
            hint="the file system may hang (a dead network mount); the reading goes on and may still end",
        )

    def _run(self) -> None:
        assert current_thread() is not main_thread()
        try:
            self.result = self._work()
        except LitetuiError as known:
            self.error = known
        except Exception as unknown:  # noqa: BLE001  (the last that can turn it into words)
            self.error = unexpected(f"load {self.key}", unknown)
        self.seconds = time.monotonic() - self.started
        self._done(self)
