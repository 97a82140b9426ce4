"""The retention plan: each file with the reason for its going or staying, and what restores before and after."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from litetui.errors import PrimaryError, UsageError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.retention.items import Item, Items, row_at
from litetui.ops.retention.rules import YOUNG_NS, NewSnapshot, Rules
from litetui.ops.survey import survey
from litetui.primary import guard
from litetui.primary.meta import Meta
from litetui.replica.file import FileReplica
from litetui.replica.storage import unreadable
from litetui.replica.types import SnapshotInfo, TimeRange
from litetui.units import duration_text, format_duration, format_size, format_time, printable

__all__ = ["Item", "Items", "RetentionPlan", "Rule", "free_bytes", "plan"]

Rule = Literal["window", "litestream"]


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """What a retention would do.

    delete                  in the order of deletion: snapshots first, oldest first; then WALs by index, within one the
                            highest offset first
    window_before, _after   from the first to the last time that can be restored, by the times of files
    snapshot_first          whether a snapshot is taken before, because none is younger than the retention
    snapshot_bytes          what that needs, about; `free_bytes` is what the replica's disk has
    delete_before_snapshot  how many of `delete` may go before it: a prefix, and the window loses nothing by that
    rests_on                the snapshots without which nothing of this may be done
    emptied                 generations of which nothing stays
    generation              the database's own, "" where none is at hand
    """

    replica: FileReplica = field(repr=False)
    retention_ns: int
    rule: Rule
    database: str | None
    now_ns: int
    cutoff_ns: int
    keep: Items
    delete: Items
    window_before: TimeRange | None
    window_after: TimeRange | None
    snapshot_first: bool
    snapshot_bytes: int
    free_bytes: int
    delete_before_snapshot: int
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    rests_on: tuple[SnapshotInfo, ...] = ()
    emptied: tuple[str, ...] = ()
    generation: str = ""

    @property
    def bytes_freed(self) -> int:
        return self.delete.bytes

    def command(self) -> str:
        """The command line that does the same."""
        words = ["litetui", "retention", printable(self.replica.path), "--retention", duration_text(self.retention_ns)]
        words += [] if self.rule == "window" else ["--rule", self.rule]
        return shlex.join(words + (["--db", printable(self.database)] if self.database else []))


def plan(
    replica: FileReplica,
    retention_ns: int,
    *,
    now_ns: int,
    rule: Rule = "window",
    database: str | None = None,
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
) -> RetentionPlan:
    """Decide what goes. Reads the snapshots on which the rest would then rest, nothing else. Raises LitetuiError."""
    if retention_ns <= 0:
        raise UsageError("enforce the retention", "it must be longer than nothing", hint="--retention 24h")
    replica.refresh()
    current = _generation_of(database) if database is not None else ""
    look = Rules(replica, retention_ns, now_ns, report or Reporter(), cancel or CancelToken(), current)
    snapshot = _new_snapshot(look, database, current)
    bounds = window = look.window() if rule == "window" or snapshot.first else {}
    if rule == "litestream":
        bounds = look.litestream(snapshot)
    elif not snapshot.first and not snapshot.why_not and look.is_overdue():
        look.notes.append(
            "no snapshot of the newest generation is younger than the retention, so its window cannot move on: with "
            "--db one is taken first"
        )
    nothing = dict.fromkeys(bounds, 0)
    high = {g: b.index for g, b in bounds.items()}
    early = {g: min(high[g], window[g].index) for g in bounds} if snapshot.first else high
    before = Items(look.deleted(bounds, nothing, early))
    delete = Items((*before.groups, *look.deleted(bounds, early, high)))
    bases = [b[g].base for g in {group.generation: 0 for group in delete.groups} for b in (bounds, window) if g in b]
    result = RetentionPlan(
        replica,
        retention_ns,
        rule,
        database,
        now_ns,
        look.cutoff,
        Items(look.kept(bounds)),
        delete,
        _times(look, nothing, False),
        _times(look, high, snapshot.first),
        snapshot.first,
        snapshot.size if snapshot.first else 0,
        free_bytes(replica),
        len(before),
        (*look.notes, *look.basis.notes, *_writers(look, database), *_foreign(look)),
        (*look.warnings, *_incomplete(look, delete)),
        tuple(dict.fromkeys(base for base in bases if base is not None)),
        tuple(look.emptied(bounds, snapshot)),
        snapshot.generation,
    )
    return _with_warnings(result)


def free_bytes(replica: FileReplica) -> int:
    """What the replica's disk has left. Raises UnreadableError."""
    try:
        info = os.statvfs(replica.path)
    except OSError as error:
        raise unreadable(error, replica.path) from None
    return info.f_bavail * info.f_frsize


def _generation_of(database: str) -> str:
    """The generation that the database is in, "" where there is none. Raises PrimaryError, UnreadableError."""
    path = os.path.realpath(database)
    try:
        if not os.path.isfile(path):
            raise PrimaryError(
                "enforce the retention", "there is no such file", path=database, hint="check the path of the database"
            )
        return Meta(path).generation()
    except OSError as error:
        raise unreadable(error, error.filename or path) from None


def _new_snapshot(look: Rules, database: str | None, generation: str) -> NewSnapshot:
    """Whether the database should and can be asked for a snapshot first."""
    if database is None:
        return NewSnapshot()
    path = os.path.realpath(database)
    meta = Meta(path)
    size = os.stat(path).st_size
    if generation not in look.order or not look.replica.snapshots(generation):
        why = f"the database's generation {generation or '(none)'} has no snapshot in this replica: sync it first"
        look.notes.append(f"no new snapshot is taken: {why}")
        return NewSnapshot(why_not=why)
    if any(s.created_ns >= look.cutoff for s in look.replica.snapshots(generation)):
        return NewSnapshot(generation=generation)
    watch = guard.look(path, meta.path)
    refusal = guard.refusal(watch, path, look.now, takeover=False)
    if refusal is not None:
        why = str(refusal) + (f" ({refusal.hint})" if refusal.hint else "")
        look.notes.append(f"no new snapshot is taken: {why}")
        return NewSnapshot(generation=generation, why_not=f"no new snapshot could be taken: {refusal}")
    return NewSnapshot(True, generation, size)


def _times(look: Rules, low: Mapping[str, int], new: bool) -> TimeRange | None:
    """From the first snapshot's time to the last file's, of what stays in each generation."""
    starts, ends = ([look.now], [look.now]) if new else ([], [])
    for g, index in low.items():
        snapshots = [s for s in look.replica.snapshots(g) if s.index >= index]
        wals = look.replica.wals(g)
        times = wals.mtime_ns[row_at(wals, snapshots[0].index) :] if snapshots else wals.mtime_ns[:0]
        starts += [s.created_ns for s in snapshots]
        ends += [s.created_ns for s in snapshots] + ([int(times.max())] if len(times) else [])
    return TimeRange(min(starts), max(ends)) if starts else None


def _with_warnings(plan_: RetentionPlan) -> RetentionPlan:
    warnings = list(plan_.warnings)
    before, after = plan_.window_before, plan_.window_after
    if plan_.delete and before and after and after.start_ns > max(before.start_ns, plan_.cutoff_ns):
        warnings.append(
            f"the first time that can be restored will be {format_time(after.start_ns)}: less than the retention, "
            f"which goes back to {format_time(plan_.cutoff_ns)} (--rule window keeps all of it)"
        )
    notes = list(plan_.notes)
    newest = max((int(g.times.max()) for g in (*plan_.keep.groups, *plan_.delete.groups)), default=plan_.now_ns)
    if plan_.delete and newest < plan_.cutoff_ns:
        notes.append(f"the newest file is of {format_time(newest)}: nothing was written since, or this clock is wrong")
    if plan_.snapshot_first and plan_.free_bytes < plan_.snapshot_bytes:
        count = plan_.delete_before_snapshot
        warnings.append(
            f"the new snapshot needs up to {format_size(plan_.snapshot_bytes)}, and {format_size(plan_.free_bytes)} "
            "are free: " + (f"{count} files that the window does not need go before it" if count else "free some space")
        )
    return replace(plan_, notes=tuple(notes), warnings=tuple(warnings))


def _foreign(look: Rules) -> Iterator[str]:
    count = sum(len([p for p in look.replica.foreign(g) if not p.endswith(".tmp")]) for g in look.order)
    if count:
        yield f"{count} foreign file(s) in the generations' folders stay, and so do the folders that they are in"


def _incomplete(look: Rules, delete: Items) -> Iterator[str]:
    """Nothing should go from a replica of which the latest state does not restore."""
    newest = survey(look.replica, look.now).generations[:1] if delete else ()
    for one in newest:
        if not one.restorable:
            yield (
                f"the newest generation {one.generation} does not restore to its end ({one.why_not}): copy the "
                "replica, and validate it, before anything is deleted"
            )


def _writers(look: Rules, database: str | None) -> Iterator[str]:
    """A note where somebody else seems to write into the replica right now."""
    if database is not None and _is_ours(database):
        return
    times = [look.replica.generation_stats(g).updated_ns or 0 for g in look.order]
    for g in look.order:
        names = [path.rpartition("/") for path in look.replica.foreign(g) if path.endswith(".tmp")]
        for folder, _, name in names:
            sizes, mtimes = look.replica.storage.stat_many(folder, [name])
            times += mtimes[sizes >= 0].tolist()
    youngest = min((abs(look.now - at) for at in times), default=YOUNG_NS)
    if youngest < YOUNG_NS:
        yield f"another process writes this replica right now: its newest file is {format_duration(youngest)} old"


def _is_ours(database: str) -> bool:
    """Whether it is this process that replicates the database."""
    try:
        return guard.holder(Meta(database).path) == os.getpid()
    except PrimaryError:
        return False
