"""Replicate: keep replicas of a database up to date until told to stop.

One thread looks after the database (the monitor: sync, checkpoints, cleaning), one after each replica. They meet only
in the database's and the replicas' own locks. What fails is tried again, less and less often; nothing is lost by that,
as the shadow WALs are kept until every replica has them.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from litetui.errors import Cancelled, LitetuiError, LockedError, UsageError
from litetui.format.position import Pos
from litetui.jobs.loop import Loop
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.sync import SyncResult, bind, existing, run_open
from litetui.ops.validator import Validator
from litetui.ops.verdict import LiveCheck
from litetui.primary.database import Database, Limits
from litetui.primary.shadow import avoid
from litetui.replica.file import FileReplica
from litetui.replica.live import Layout, ReplicaChange

_STOP_SECONDS = 10.0
_MIN_INTERVAL_S = 0.01
Periodic = Callable[[FileReplica, CancelToken], None]


@dataclass(frozen=True, slots=True)
class Options:
    """Intervals in seconds, with Litestream's defaults. `retain` and `validate` are called for each replica, every so
    often; an interval of 0: never. Without a `validate` each replica is compared with the database (live_check)."""

    layout: Layout | None = None
    monitor_interval_s: float = 1.0
    sync_interval_s: float = 1.0
    limits: Limits = field(default_factory=Limits)
    takeover: bool = False
    retain: Periodic | None = None
    retention_check_interval_s: float = 3600.0
    validate: Periodic | None = None
    validation_interval_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """One replica as it is now: its position, when it was last in step, what is wrong (None: nothing), and what came of
    its last comparison with the database."""

    name: str
    path: str
    pos: Pos
    wal_bytes: int
    synced_ns: int | None
    error: LitetuiError | None
    validation: LiveCheck | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Everything as it is now. `error` is what the monitor last met, None when all is well."""

    pos: Pos
    replicas: tuple[ReplicaState, ...]
    error: LitetuiError | None


class Replicator:
    """Replicates one database to one or more replicas. `run` blocks; the rest may be called from any thread."""

    def __init__(
        self, database: str, replicas: Sequence[str], options: Options | None = None, report: Reporter | None = None
    ) -> None:
        self.options = options or Options()
        self.report = report or Reporter()
        self.database = Database(database, limits=self.options.limits)
        names = _names(replicas)
        for path in replicas:
            existing(path)
        self.replicas = [bind(self.database, p, self.options.layout, n) for p, n in zip(replicas, names, strict=True)]
        self._errors: dict[str, LitetuiError] = {}
        self.validator = Validator(self.database, names, self.report)
        self._synced_ns: dict[str, int] = {}
        self._told: set[tuple[str, str]] = set()  # replicas and generations a sync of which was told
        self._monitor = Loop(
            "monitor",
            max(_MIN_INTERVAL_S, self.options.monitor_interval_s),
            self._tick,
            self._monitor_failed,
            every=0.0,
        )
        self._periodic: list[Loop] = []
        self._cancel = CancelToken()
        self._generation = ""

    # ---- running

    def run(self, cancel: CancelToken) -> None:
        """Replicate until cancelled, then sync a last time. Raises LitetuiError where it cannot begin, or where in the
        end a replica is not in step."""
        self.report.phase("replicate", 0, "")
        try:
            if not self._first_look(cancel):
                return
            self._start()
            cancel.wait()
            self.report.log("stopping after a last sync")
        finally:
            self._stop()
            self.database.close()
        for error in self._errors.values():
            raise error

    def _first_look(self, cancel: CancelToken) -> bool:
        """Says at once what is wrong; only a lock is waited for. False if it was cancelled meanwhile."""
        while True:
            try:
                self._tick()
            except LockedError as error:
                self._note("monitor", error)
                if cancel.wait(self.options.monitor_interval_s):
                    return False
            else:
                return True

    def once(self, cancel: CancelToken) -> list[SyncResult | LitetuiError]:
        """Sync every replica once: what was done, or what went wrong, for each. Raises LitetuiError where the database
        cannot be opened."""
        self.database.open(takeover=self.options.takeover)
        results: list[SyncResult | LitetuiError] = []
        try:
            for replica in self.replicas:
                try:
                    results.append(run_open(self.database, replica, report=self.report, cancel=cancel))
                except Cancelled:
                    raise
                except LitetuiError as error:
                    results.append(error)
            self._generation = self.database.generation
            self._clean()
        finally:
            self.database.close()
        return results

    def _start(self) -> None:
        self._monitor.start()
        for replica in self.replicas:
            replica.start(
                max(_MIN_INTERVAL_S, self.options.sync_interval_s),
                failed=self._failure_of(replica),
                done=self._success_of(replica),
            )
        o, validate = self.options, self.options.validate or self.validator
        for work, interval in ((o.retain, o.retention_check_interval_s), (validate, o.validation_interval_s)):
            if work is not None and interval > 0:
                self._periodic += [self._every(work, interval, replica) for replica in self.replicas]
        for loop in self._periodic:
            loop.start()

    def _every(self, work: Periodic, interval: float, replica: FileReplica) -> Loop:
        def call() -> None:
            with contextlib.suppress(Cancelled):  # it is the end
                work(replica, self._cancel)

        return Loop(f"periodic-{replica.name}", 0.0, call, self._failure_of(replica), every=interval)

    def _stop(self) -> None:
        """End all threads; monitor and replicas look a last time. What is stuck is left after ten seconds."""
        deadline = time.monotonic() + _STOP_SECONDS
        self._cancel.cancel()
        for loop in (*self._periodic, self._monitor):
            loop.ask_to_stop()
        for loop in self._periodic:
            loop.stop(timeout=_left(deadline))
        if self._monitor.stop(timeout=_left(deadline)) and self.database.is_open:
            self._monitor.once()
        for replica in self.replicas:
            replica.stop(_left(deadline))

    # ---- the monitor

    def _tick(self) -> None:
        """One look at the database: sync, checkpoint, clean."""
        database = self.database
        if not database.is_open:
            database.open(takeover=self.options.takeover)
            for warning in database.warnings:
                self.report.log(warning, "warning")
        database.sync()
        mode = database.checkpoint_due()
        if mode is not None:
            done = database.checkpoint(mode)
            self.report.log(f"checkpoint {mode}: {'done' if done else 'readers are in the way'}", "debug")
        if database.generation != self._generation:
            self._generation = database.generation
            self._say_generation()
        self._clean()
        if self._errors.pop("monitor", None) is not None:
            self.report.log("the database is in order again")

    def _say_generation(self) -> None:
        reason = self.database.new_generation_reason
        if not reason:
            self.report.log(f"going on in generation {self._generation}")
            return
        hint = avoid(reason)
        self.report.log(
            f"generation {self._generation} began: {reason}" + (f" ({hint})" if hint else ""), "warning"
        )  # fmt: skip

    def _clean(self) -> None:
        """What every replica has may go; what one lacks, or may lack, stays."""
        positions = [replica.last_pos for replica in self.replicas]
        if all(p.generation == self._generation for p in positions):
            self.database.clean(min(p.index for p in positions))

    def _monitor_failed(self, error: LitetuiError) -> None:
        self._note("monitor", error)
        if self.database.is_open and self.database.is_stale():
            # The next look opens what is there now.
            self.database.close()

    # ---- the replicas

    def _failure_of(self, replica: FileReplica) -> Callable[[LitetuiError], None]:
        return lambda error: self._note(replica.name, error)

    def _success_of(self, replica: FileReplica) -> Callable[[ReplicaChange], None]:
        def done(change: ReplicaChange) -> None:
            self._synced_ns[replica.name] = time.time_ns()
            if self._errors.pop(replica.name, None) is not None:
                self.report.log(f"{replica.name}: in order again")
            if change.bytes or change.snapshots:
                first = (replica.name, change.pos.generation) not in self._told
                self._told.add((replica.name, change.pos.generation))
                # One comes each second: what is only that is a detail.
                level = "info" if first or change.snapshots else "debug"
                self.report.log(f"sync {replica.name} {change.pos} +{change.bytes} bytes", level)

        return done

    def _note(self, name: str, error: LitetuiError) -> None:
        """Log an error when it is new; the same one again only counts."""
        before = self._errors.get(name)
        self._errors[name] = error
        if before is None or str(before) != str(error):
            self.report.log(f"{name}: {error}" + (f" (try: {error.hint})" if error.hint else ""), "error")

    # ---- what others ask

    def sync_now(self) -> None:
        """Look at once, whatever the intervals say."""
        self._monitor.wake(now=True)
        for replica in self.replicas:
            replica.wake()

    def snapshot_now(self, report: Reporter, cancel: CancelToken) -> list[SyncResult]:
        """A snapshot into each replica, beside the running loops."""
        return [
            run_open(self.database, replica, snapshot=True, report=report, cancel=cancel) for replica in self.replicas
        ]

    def state(self) -> State:
        return State(
            self.database.pos(),
            tuple(
                ReplicaState(
                    r.name,
                    r.path,
                    r.last_pos,
                    r.wal_bytes,
                    self._synced_ns.get(r.name),
                    self._errors.get(r.name) or self.validator.mismatches.get(r.name),
                    self.validator.checks.get(r.name),
                )
                for r in self.replicas
            ),
            self._errors.get("monitor"),
        )


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _names(replicas: Sequence[str]) -> list[str]:
    """A name for each replica, as logs and metrics have it: `file`, or `file-1`, `file-2` where there are several."""
    if not replicas:
        raise UsageError("replicate", "there is no replica to write to", hint="litetui replicate DB REPLICA…")
    if len({os.path.realpath(r) for r in replicas}) < len(replicas):
        raise UsageError("replicate", "the same replica is named twice", hint="name each folder once")
    return ["file"] if len(replicas) == 1 else [f"file-{n}" for n in range(1, len(replicas) + 1)]
