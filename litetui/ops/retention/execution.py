"""Retention, carried out: what the plan names is deleted, in its order, if the replica is still what the plan saw."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

import numpy as np

from litetui.errors import Cancelled, OutputError, UnreadableError
from litetui.format import names
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import sync
from litetui.ops.retention.basis import Basis
from litetui.ops.retention.items import Group, Items
from litetui.ops.retention.planning import RetentionPlan, Rule, free_bytes, plan
from litetui.ops.sync import SyncResult
from litetui.replica.file import FileReplica
from litetui.replica.storage import GONE
from litetui.replica.writer import ReplicaWriter
from litetui.units import format_size

_OPERATION = "enforce the retention"


@dataclass(frozen=True, slots=True)
class RetentionResult:
    """What was done. A file that somebody else has deleted meanwhile is not in `deleted`. `free_bytes` is what the
    replica's disk has left then, None where that cannot be told."""

    plan: RetentionPlan
    deleted: Items
    bytes_freed: int
    snapshot: SyncResult | None
    duration_s: float
    free_bytes: int | None


def run(
    plan_: RetentionPlan,
    *,
    live: FileReplica | None = None,
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
) -> RetentionResult:
    """Do what the plan says, if the replica is still what it saw. `live`: the same replica, bound to the database by a
    replicator that runs in this process.

    Raises LitetuiError; its words say what was deleted before.
    """
    return _Run(plan_, live, report or Reporter(), cancel or CancelToken()).run()


def periodic(
    database: str, retention_ns: int, report: Reporter, *, rule: Rule = "window"
) -> Callable[[FileReplica, CancelToken], None]:
    """What a replicator calls for each of its replicas, every so often. A clock that jumps forward meanwhile must not
    delete anything: time goes on by the monotonic clock, where that is behind."""
    began, since = time.time_ns(), time.monotonic_ns()

    def retain(live: FileReplica, cancel: CancelToken) -> None:
        try:
            now = min(time.time_ns(), began + time.monotonic_ns() - since)
            plan_ = plan(
                FileReplica(live.path), retention_ns, now_ns=now, rule=rule, database=database, cancel=cancel
            )  # fmt: skip
            for warning in plan_.warnings:
                report.log(f"retention {live.name}: {warning}", "warning")
            if plan_.delete or plan_.snapshot_first or plan_.emptied:
                run(plan_, live=live, report=report, cancel=cancel)
        except Cancelled as error:
            report.log(f"retention {live.name}: {error}")

    return retain


class _Run:
    def __init__(self, plan_: RetentionPlan, live: FileReplica | None, report: Reporter, cancel: CancelToken) -> None:
        self.plan, self.live, self.report, self.cancel = plan_, live, report, cancel
        self.replica = plan_.replica
        self.deleted: list[Group] = []
        self.count = self.bytes = 0

    def run(self) -> RetentionResult:
        began, plan_ = time.monotonic(), self.plan
        snapshot = None
        groups = list(plan_.delete.groups)
        if plan_.snapshot_first:
            early = _prefix(groups, plan_.delete_before_snapshot)
            if early and free_bytes(self.replica) < plan_.snapshot_bytes:
                self._exclusively(groups[:early])
                groups, early = groups[early:], 0
            snapshot = self._snapshot()
            self._check_new_snapshot(snapshot, groups[early:])
        if groups or plan_.emptied:
            self._exclusively(groups)
        if self.count:
            self.report.log(f"retention: deleted {self.count} files, {format_size(self.bytes)}, of {self.replica.path}")
        free = None
        with suppress(UnreadableError):
            free = free_bytes(self.replica)
        return RetentionResult(plan_, Items(self.deleted), self.bytes, snapshot, time.monotonic() - began, free)

    # the new snapshot

    def _snapshot(self) -> SyncResult:
        if self.live is None:
            assert self.plan.database is not None
            return sync.run(
                self.plan.database, self.replica.path, snapshot=True, report=self.report, cancel=self.cancel
            )
        began = time.monotonic()
        done = self.live.snapshot(self.report, self.cancel)
        return SyncResult(done.pos, done.bytes, done.snapshots > 0, done.compressed, "", time.monotonic() - began)

    def _check_new_snapshot(self, result: SyncResult, groups: Sequence[Group]) -> None:
        """What may go only because of the new snapshot goes only if that stands."""
        if not groups:
            return
        generation = self.plan.generation
        below = max((g.indexes[1] for g in groups if g.generation == generation), default=-1)
        self.replica.refresh()
        known = self.replica.snapshots(generation) if generation in self.replica.generations() else []
        new = [s for s in known if s.index == result.pos.index and s.index > below]
        if result.pos.generation != generation or not new:
            raise self._stop("the new snapshot is not where the plan has it: a new generation has begun", None)
        if fault := Basis(self.replica, self.plan.cutoff_ns, self.report, self.cancel).fault(new[0]):
            raise self._stop(f"the new snapshot does not stand: {fault}", None)

    # deleting

    def _exclusively(self, groups: Sequence[Group]) -> None:
        """Delete these, with all other writers kept out."""

        def work(writer: ReplicaWriter) -> None:
            self._check_basis()
            for group in groups:
                self._check(group)
            self.report.phase("delete", sum(map(len, groups)), "files")
            before = self.count
            for group in groups:
                self._delete(writer, group, before)
            for generation in self.plan.emptied:
                writer.remove_folders(generation)

        try:
            if self.live is not None:
                return self.live.exclusively(work, self.cancel)
            writer = ReplicaWriter(self.replica.path)
            with writer.locked():
                return work(writer)
        finally:
            self.replica.refresh()

    def _check_basis(self) -> None:
        storage = self.replica.storage
        for s in self.plan.rests_on:
            path = self.replica.snapshot_path(s)
            folder, _, name = path.rpartition("/")
            sizes, times = storage.stat_many(folder, [name])
            if (int(sizes[0]), int(times[0])) != (s.size, s.created_ns):
                raise self._stop("the snapshot that all would rest on is gone or changed since the plan", path)

    def _check(self, group: Group) -> None:
        """The files must be as the plan saw them, or gone, with nothing in their place."""
        storage, planned = self.replica.storage, group.names()
        sizes, times = storage.stat_many(group.folder, planned)
        there = sizes != GONE
        wrong = there & ((sizes != group.sizes) | (times != group.times))
        if wrong.any():
            raise self._changed(f"{group.folder}/{planned[int(wrong.argmax())]}")
        if there.all():
            return
        low, high = group.indexes
        unknown = set(storage.names(group.folder)).difference(planned, self._kept_names(group))
        for name in sorted(unknown):
            parsed = names.parse_wal(name) if group.kind == "wal" else names.parse_snapshot(name)
            if parsed is not None and low <= parsed.index <= high:
                raise self._changed(f"{group.folder}/{name}")

    def _kept_names(self, group: Group) -> set[str]:
        """What the plan knows in the same folder beside the group: other files, and foreign ones."""
        others = [g for g in (*self.plan.delete.groups, *self.plan.keep.groups) if g.folder == group.folder]
        foreign = [path.rpartition("/")[2] for path in self.replica.foreign(group.generation)]
        return {name for g in others for name in g.names()}.union(foreign)

    def _delete(self, writer: ReplicaWriter, group: Group, before: int) -> None:
        sizes = group.sizes.tolist()
        gone = np.zeros(len(group), np.bool_)
        done = self.count
        try:
            with closing(writer.delete(self.replica.storage.path(group.folder), group.names())) as each:
                for at, size in enumerate(sizes):
                    self.cancel.check()
                    gone[at] = next(each)
                    self.count += int(gone[at])
                    self.bytes += size if gone[at] else 0
                    self.report.advance(self.count - before)
        except OutputError as error:
            raise self._stop(error.cause, error.path, error.hint) from None
        except Cancelled:
            raise Cancelled(_OPERATION, f"cancelled: {self._so_far()}") from None
        finally:
            if self.count > done:
                self.deleted.append(group.only(gone))

    # words

    def _so_far(self) -> str:
        if not self.count:
            return "nothing was deleted"
        return f"{self.count} of {len(self.plan.delete)} files were deleted before, {format_size(self.bytes)}"

    def _changed(self, path: str) -> OutputError:
        return self._stop("the replica changed since the plan", path)

    def _stop(self, cause: str, path: str | None, hint: str | None = None) -> OutputError:
        full = self.replica.storage.path(path) if path else self.replica.path
        hint = f"{hint}; then run it again for the rest" if hint else "plan again"
        return OutputError(_OPERATION, f"{cause}; {self._so_far()}", path=full, hint=hint)


def _prefix(groups: Sequence[Group], count: int) -> int:
    """How many groups the first `count` files are: a prefix ends between two groups."""
    ends = np.cumsum([0, *map(len, groups)])
    return int(np.searchsorted(ends, count))
