"""Replicate as a job of the session: what it is at is one frozen value that the screen may read at any time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from litetui.errors import LitetuiError, PrimaryError
from litetui.jobs.job import Job, Mode
from litetui.jobs.job import State as JobState
from litetui.jobs.progress import CancelToken, Reporter
from litetui.units import NS, format_age, format_size, parse_duration

if TYPE_CHECKING:
    from litetui.ops.replicate import ReplicaState, Replicator, State
    from litetui.ops.retention import RetentionPlan, RetentionResult
    from litetui.ops.sync import SyncResult
    from litetui.ops.verdict import LiveCheck

LOOK_SECONDS = 0.2
TURN_SECONDS = 0.1


class ReplicateJob(Job):
    """Runs until it is cancelled, then syncs a last time.

    seen  the replicator's state a moment ago. Asking for it waits for the database's lock, so the screen never asks:
          a thread of the job's own does
    """

    def __init__(
        self, database: str, replica: str, *, every: str = "", now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """`every`: how often the replica is compared with the database, as in "24h"; "": never."""
        from litetui.tui.work.write_plan import replicate_command

        super().__init__(
            "replicate",
            self._replicate,
            title=f"{os.path.basename(database)} into {os.path.basename(replica)}",
            target=replica,
            mode=Mode.WRITE,
            command=replicate_command(database, replica, every),
            now_ns=now_ns,
        )
        self.validation_s = parse_duration(every) / NS if every else 0.0
        self.database = database
        self.seen: State | None = None
        self._replicator: Replicator | None = None
        self._turn = Lock()
        self._turn_token = CancelToken()
        self._stopping = False

    @property
    def steady(self) -> bool:
        """Whether it runs, and has nothing to say but that."""
        return self.state is JobState.RUNNING and self.seen is not None

    @property
    def at(self) -> ReplicaState | None:
        """The replica as it was a moment ago."""
        return self.seen.replicas[0] if self.seen is not None else None

    @property
    def trouble(self) -> LitetuiError | None:
        """What goes wrong now, None when all is well."""
        seen = self.seen
        return None if seen is None else seen.replicas[0].error or seen.error

    def words(self, now_ns: int) -> tuple[str, str]:
        """What it is at, and the status of that."""
        at = self.at
        if self.state is JobState.CANCELLING:
            return "stopping: a last sync is made", "warning"
        if (trouble := self.trouble) is not None:
            return f"the last sync failed, it is tried again: {trouble}", "error"
        if at is None or not at.pos.generation:
            return "begins", ""
        words = f"{at.pos.short}  {format_size(at.wal_bytes)} written"
        if at.synced_ns is not None:
            words += f"  last sync {format_age(at.synced_ns, now_ns)}"
        if at.validation is not None and at.validation.pos is not None:
            words += f"  validated {at.validation.status} at {at.validation.pos.short}"
        return words, ""

    def short(self, now_ns: int) -> str:
        """The same in two words."""
        if self.trouble is not None:
            return "fails: it is tried again"
        at = self.at
        if self.state is JobState.CANCELLING or at is None or at.synced_ns is None:
            return self.words(now_ns)[0].split(":")[0]
        return f"synced {format_age(at.synced_ns, now_ns)}"

    def sync_now(self) -> None:
        """Look at the database at once."""
        if self._replicator is not None:
            self._replicator.sync_now()

    # beside the running replication, each as the work of a job of its own; these raise LitetuiError

    def snapshot(self, report: Reporter, cancel: CancelToken) -> SyncResult:
        """A snapshot."""
        with self._beside("take a snapshot", cancel) as replicator:
            return replicator.snapshot_now(report, cancel)[0]

    def retain(self, plan: RetentionPlan, report: Reporter, cancel: CancelToken) -> RetentionResult:
        """A retention, through the hand that the replication has on the replica."""
        from litetui.ops.retention import run

        with self._beside("enforce the retention", cancel) as replicator:
            return run(plan, live=replicator.replicas[0], report=report, cancel=cancel)

    def compare(self, scratch: str, report: Reporter, cancel: CancelToken) -> LiveCheck:
        """A restore of the replica with the database, page by page."""
        from litetui.ops.live_check import active

        with self._beside("compare", cancel) as replicator:
            return active(replicator.database, replicator.replicas[0], scratch=scratch, report=report, cancel=cancel)

    @contextmanager
    def _beside(self, operation: str, cancel: CancelToken) -> Iterator[Replicator]:
        """One at a time, and none once the replication is about to end; the end waits for the one that is at work."""
        while not self._turn.acquire(timeout=TURN_SECONDS):
            cancel.check()
        try:
            self._turn_token = cancel  # before one looks: the end cancels whatever stands here
            replicator = self._replicator
            if self._stopping or replicator is None:
                words = "the replication has ended meanwhile" if self._stopping else "the replication only begins"
                raise PrimaryError(operation, words, path=self.database, hint="try it again in a moment")
            yield replicator
        finally:
            self._turn.release()

    def _replicate(self, report: Reporter, cancel: CancelToken) -> ReplicaState:
        from litetui.ops.replicate import Options, Replicator

        options = Options(validation_interval_s=self.validation_s)
        replicator = Replicator(self.database, [self.target], options, report)
        over, stop = Event(), CancelToken()
        watcher = Thread(target=self._watch, args=(replicator, cancel, stop, over), name="replicate-look", daemon=True)
        watcher.start()
        try:
            replicator.run(stop)
        finally:
            over.set()
            watcher.join()
        state = replicator.state()
        self.seen = state
        if (error := self.trouble) is not None:
            raise LitetuiError(
                "sync a last time", error.cause, path=error.path, hint=error.hint or "the next sync goes on from here"
            )
        return state.replicas[0]

    def _watch(self, replicator: Replicator, cancel: CancelToken, stop: CancelToken, over: Event) -> None:
        """Keep `seen` up to date; pass the cancel on once nothing is at work beside it."""
        while not over.is_set() and not cancel.wait(LOOK_SECONDS):
            state = replicator.state()
            if state.pos.generation or state.error or self.seen is not None:
                self._replicator, self.seen = replicator, state
        self._stopping = True
        self._turn_token.cancel()
        with self._turn:
            stop.cancel()
