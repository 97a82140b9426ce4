"""From threads to the screen: jobs and loads become messages, progress is looked at ten times a second.

Threads only post messages. All state here is touched by the app's own thread alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litetui.errors import LitetuiError
from litetui.jobs.job import Job
from litetui.jobs.progress import Reporter
from litetui.jobs.runner import Load, Runner
from litetui.tui.messages import JobChanged, JobsMoved, LoadAnswered, LogLines
from litetui.tui.work.replication import ReplicateJob

if TYPE_CHECKING:
    from textual.app import App
    from textual.timer import Timer

POLL_SECONDS = 0.1
NO_ANSWER_SECONDS = 10.0


@dataclass
class _Waiting:
    load: Load
    then: Callable[[Any], None]
    fail: Callable[[LitetuiError], None]
    timer: Timer
    moved: Callable[[], int] | None
    seen: int = 0


class Bridge:
    """The app's hand on its runner and its loads."""

    def __init__(self, app: App[Any], runner: Runner) -> None:
        self.app = app
        self.runner = runner
        self._seen: dict[int, int] = {}
        self._ended: set[int] = set()
        self._waiting: dict[str, _Waiting] = {}
        self._delayed: dict[str, Timer] = {}
        self._poll: Timer | None = None
        runner.listener = self._heard

    def start(self) -> None:
        """Begin to poll; called when the app is mounted."""
        self._poll = self.app.set_interval(POLL_SECONDS, self._look, pause=True)

    def submit(self, job: Job) -> None:
        self.runner.submit(job)

    # loads

    def load(
        self,
        key: str,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        fail: Callable[[LitetuiError], None],
        *,
        path: str,
        moved: Callable[[], int] | None = None,
    ) -> None:
        """Run `work` in a thread and hand its result to `then`. A newer load of the key drops this answer. `path`: what
        is read, "" where nothing is. `moved`: a number that grows while the reading goes on; without that, after ten
        seconds `fail` is told that there is no answer, and the answer may still come."""
        self.forget(key)
        load = Load(key, work, path=path, done=self._answered)
        timer = self.app.set_timer(NO_ANSWER_SECONDS, lambda: self._overdue(key, load))
        self._waiting[key] = _Waiting(load, then, fail, timer, moved)
        load.start()

    def delay(self, key: str, seconds: float, call: Callable[[], None]) -> None:
        """Call after a pause in which nobody asks for the same key again."""
        if (timer := self._delayed.pop(key, None)) is not None:
            timer.stop()

        def now() -> None:
            self._delayed.pop(key, None)
            call()

        self._delayed[key] = self.app.set_timer(max(seconds, 0.001), now)

    def forget(self, key: str) -> None:
        """No answer to this key is wanted any more."""
        if (waiting := self._waiting.pop(key, None)) is not None:
            waiting.timer.stop()
        if (timer := self._delayed.pop(key, None)) is not None:
            timer.stop()

    def loading(self, key: str) -> bool:
        return key in self._waiting

    @property
    def busy(self) -> bool:
        """Whether a load, a delayed call or a job has still to come to its end, and be told. A replication that goes
        its way has none."""
        left = (job for job in self.runner.jobs if job.id not in self._ended)
        return bool(self._waiting or self._delayed) or any(
            not (isinstance(job, ReplicateJob) and job.steady and not job.state.ended) for job in left
        )

    def waits(self, key: str) -> bool:
        """Whether a delayed call of this key is still to come."""
        return key in self._delayed

    def take(self, load: Load) -> float | None:
        """Deliver an answer; how long it took in seconds, or None if nobody waits for it any more."""
        waiting = self._waiting.get(load.key)
        if waiting is None or waiting.load is not load:
            return None
        del self._waiting[load.key]
        waiting.timer.stop()
        if load.error is not None:
            waiting.fail(load.error)
        else:
            waiting.then(load.result)
        return load.seconds

    def _answered(self, load: Load) -> None:
        self.app.post_message(LoadAnswered(load))

    def _overdue(self, key: str, load: Load) -> None:
        waiting = self._waiting.get(key)
        if waiting is None or waiting.load is not load or not load.path:
            return
        if waiting.moved is not None and (now := waiting.moved()) != waiting.seen:
            waiting.seen = now
            waiting.timer = self.app.set_timer(NO_ANSWER_SECONDS, lambda: self._overdue(key, load))
            return
        waiting.fail(load.no_answer())

    # jobs

    def _heard(self, job: Job) -> None:
        self.app.post_message(JobChanged(job))

    def job_changed(self, job: Job) -> None:
        """A job is in another state: poll while any is unfinished, and fetch the last lines of its log."""
        self._look()
        if job.state.ended:
            self._ended.add(job.id)
        if self._poll is not None:
            if self.runner.unfinished:
                self._poll.resume()
            else:
                self._poll.pause()

    def _look(self) -> None:
        lines = []
        for job in self.runner.jobs:
            new = job.lines_since(self._seen.get(job.id, 0))
            if new:
                self._seen[job.id] = new[-1].number
                lines.extend(new)
        if lines:
            self.app.post_message(LogLines(sorted(lines, key=lambda line: line.at_ns)))
        if self.runner.unfinished:
            self.app.post_message(JobsMoved())


def moves(report: Reporter) -> Callable[[], int]:
    """A number that grows while an operation goes on: what `Bridge.load` wants to know of one that may take long."""
    begun = report.progress.at
    return lambda: int((report.progress.at - begun) * 1000)
