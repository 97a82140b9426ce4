"""What the restore dialog shows while one types: made in a thread, as one frozen value. No textual."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from litetui.errors import DamageError, LitetuiError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.ltx.model import is_ltx, restore_points
from litetui.tui.ltx.preview import Point, is_ltx_plan, ltx_way, parse, points_around, txids_beside
from litetui.tui.work.write_plan import Item
from litetui.units import format_clock, format_duration, format_size

if TYPE_CHECKING:
    from litetui.ops.restore import AnyPlan, RestorePlan
    from litetui.ops.target import Target
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica

Note = tuple[str, str]  # text, status


@dataclass(frozen=True, slots=True)
class Preview:
    """What a target and an output mean.

    plan      None where the target has none; `error` says why
    before, after  the restore points around a time, or before and after a TXID
    output_error   why the output cannot be written, with `other_output` as the next free name
    free      bytes free where the output goes, None where that is not known
    why       why the plan takes this one of two replicas in one folder, "" where there is no choice
    passed    what the newest good state leaves behind in newer generations, "" where that is none
    instead   what to write into the field so that something restores, where the target does not; "": nothing is known
    newest    the generation that was the newest one of the plan's replica, "" where none is known
    """

    target: Target | None
    plan: AnyPlan | None
    error: LitetuiError | None
    before: Point | None
    after: Point | None
    output_error: LitetuiError | None
    other_output: str
    free: int | None
    why: str = ""
    passed: str = ""
    instead: str = ""
    newest: str = ""

    @property
    def latest(self) -> bool:
        """Whether the latest state is asked for, of a generation or of all."""
        from litetui.ops.target import Target

        return self.target is not None and self.target == Target(self.target.generation)


def preview(
    replica: FileReplica | LTXReplica,
    text: str,
    generation: str,
    output: str,
    now_ns: int,
    *,
    settle_with: tuple[Reporter, CancelToken] | None = None,
) -> Preview:
    """Find out what a target means; with `settle_with` down to the byte, which reads the replica."""
    from litetui.ops.output import check_output
    from litetui.ops.source import choose

    target, chosen, error, why, passed, newest = None, None, None, "", "", ""
    before, after = None, None
    try:
        target = parse(replica, text, generation, now_ns)
        source = choose(replica, target)
        replica, why = source.replica, source.why
        chosen, passed = _plan(replica, target, settle_with)
        newest = "" if is_ltx(replica) else next(iter(replica.generations()), "")
        error = chosen.fault
        if error is not None and target.last_good and not is_ltx_plan(chosen):  # the good part ends before it
            note = f"{error.cause}; enter reads how far the good part leads"
            chosen, error = replace(chosen, notes=(*chosen.notes, note)), None
    except LitetuiError as known:
        error = known
    if target is not None and target.timestamp_ns is not None:
        taken = chosen if error is None else None
        before, after = points_around(replica, taken, target.generation or "", target.timestamp_ns)
    elif target is not None and target.txid is not None and is_ltx(replica):
        before, after = txids_beside(replica, target.txid)
    output_error, other = None, ""
    try:
        check_output(replica.path, output)
    except LitetuiError as known:
        output_error = known
        if os.path.lexists(output):
            other = next_free(output)
    instead = way_out(replica, target, text, generation, error) if error is not None and target is not None else ""
    free = _free(output)
    return Preview(target, chosen, error, before, after, output_error, other, free, why, passed, instead, newest)


def _plan(
    replica: FileReplica | LTXReplica, target: Target, settle_with: tuple[Reporter, CancelToken] | None
) -> tuple[AnyPlan, str]:
    """The plan, settled or not, and what it passes over."""
    from litetui.ops.last_good import plan_anywhere
    from litetui.ops.restore import plan, settle

    if target.last_good and target.generation is None and not is_ltx(replica):
        return plan_anywhere(replica, settle_with)
    chosen = plan(replica, target)
    return (chosen if settle_with is None else settle(chosen, *settle_with)), ""


def way_out(replica: FileReplica | LTXReplica, target: Target, text: str, generation: str, error: LitetuiError) -> str:
    """What to write into the field instead of a target that does not restore; "" where nothing helps."""
    from litetui.ops.others import another
    from litetui.ops.plan import holding

    damaged = isinstance(error, DamageError)
    if is_ltx(replica):  # where no file begins with the first TXID, nothing restores
        return "last-good" if damaged and not target.last_good and len(restore_points(replica.table)) else ""
    of = target.generation or next(iter(replica.generations()), "")
    if damaged and not target.last_good and replica.snapshots(of):
        return "last-good" if target.generation in (None, generation or None) else f"{of} last-good"
    if damaged and (other := another(replica, of)) is not None:
        return other[0] if other[1] else f"{other[0]} last-good"
    if target.timestamp_ns is not None and target.generation is not None:
        holds = holding(replica, target.timestamp_ns)
        when = text.strip().removeprefix(target.generation).strip()
        return f"{holds} {when}" if holds not in (None, of) else ""
    return ""


def _free(output: str) -> int | None:
    try:
        fs = os.statvfs(os.path.dirname(os.path.abspath(output)))
    except OSError:
        return None
    return fs.f_bavail * fs.f_frsize


def next_free(path: str) -> str:
    """The path, or the next one with a number at which neither a file nor a side file of SQLite's stands."""
    stem, ending = os.path.splitext(path)
    number = 1
    candidate = path
    while any(os.path.lexists(candidate + side) for side in ("", "-wal", "-shm", "-journal")):
        number += 1
        candidate = f"{stem}-{number}{ending}"
    return candidate


def propose_output(replica_path: str) -> str:
    """A free name for the restored database: in the working folder, or where there is a disk to write to."""
    inside = os.path.realpath(replica_path)
    folders = [os.path.expanduser("~"), "/var/tmp"]
    with suppress(FileNotFoundError):  # it was removed meanwhile
        folders.insert(0, os.getcwd())
    usable = [
        folder
        for folder in folders
        if os.access(folder, os.W_OK | os.X_OK) and os.path.commonpath([inside, os.path.realpath(folder)]) != inside
    ]
    on_disk = [folder for folder in usable if not _is_tmpfs(folder)]
    folder = (on_disk or usable or folders)[0]
    return next_free(os.path.join(folder, restored_name(replica_path)))


def restored_name(replica_path: str) -> str:
    """What the restored database is called unless another name is given."""
    name = os.path.basename(os.path.normpath(replica_path))
    for ending in ("-replica", ".replica", "-litestream"):
        name = name.removesuffix(ending)
    return f"{name.removesuffix('.db') or 'database'}-restored.db"


def _is_tmpfs(folder: str) -> bool:
    """Whether a folder lies in memory, as far as the mount table tells."""
    best, kind = "", ""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                _, where, fs_type, *_ = line.split(" ")
                where = where.replace("\\040", " ")
                inside = folder == where or folder.startswith(where.rstrip("/") + "/")
                if inside and len(where) >= len(best):
                    best, kind = where, fs_type
    except OSError:
        return False
    return kind in ("tmpfs", "ramfs")


def meaning(seen: Preview, now_ns: int) -> list[Note]:
    """What the target means, in up to three lines: a time with the restore points on both sides."""
    target = seen.target
    if target is None or target.timestamp_ns is None:
        plan = seen.plan
        taken: list[Note] = []
        if plan is not None:
            until = format_clock(plan.until_ns, now_ns)
            taken = [(f"by {until}  {_position(plan)}  ({format_duration(now_ns - plan.until_ns)} ago)", "")]
        return [*_beside("before", seen.before, now_ns), *taken, *_beside("after", seen.after, now_ns)]
    asked = target.timestamp_ns
    lines: list[Note] = []
    if seen.before is not None:
        gap = format_duration(asked - seen.before.time_ns)
        words = f"before  {format_clock(seen.before.time_ns, now_ns)}  {seen.before.place}  {gap} earlier"
        goes = seen.plan is not None and seen.error is None
        lines.append((f"{words}: taken", "") if goes else (words, "muted"))
    lines.append((f"asked   {format_clock(asked, now_ns)}{_in_older(seen)}", "muted"))
    if seen.after is not None:
        gap = format_duration(seen.after.time_ns - asked)
        lines.append((f"after   {format_clock(seen.after.time_ns, now_ns)}  {seen.after.place}  {gap} later", "muted"))
    return lines


def _in_older(seen: Preview) -> str:
    """The generation that a time was found in, where none was named and it is not the newest."""
    plan = seen.plan
    if plan is None or is_ltx_plan(plan) or seen.error is not None or seen.target is None or seen.target.generation:
        return ""
    return f"  in {plan.generation}" if plan.generation != seen.newest else ""


def _beside(side: str, point: Point | None, now_ns: int) -> list[Note]:
    """The restore point before or after a TXID."""
    return [] if point is None else [(f"{side:<6}  {format_clock(point.time_ns, now_ns)}  {point.place}", "muted")]


def _position(plan: AnyPlan) -> str:
    if is_ltx_plan(plan):
        return f"TXID {plan.place}"
    return plan.position.short if plan.settled or plan.position.offset > 0 else f"WAL {plan.position.index:08x}"


def plan_items(seen: Preview, check: str, now_ns: int) -> list[Item]:
    """The plan as labels and texts."""
    plan = seen.plan
    if plan is None:
        return []
    lines = [("from", f"{plan.layout}: {seen.why}")] if seen.why else []
    lines += ltx_way(plan) if is_ltx_plan(plan) else _wal_way(plan, now_ns)
    count = plan.file_count
    reads = f"{format_size(plan.bytes_to_read)} in {count} file{'s' if count != 1 else ''}"
    if plan.database_size is not None:
        reads += f"   writes {format_size(plan.database_size)}"
    lines.append(("reads", reads))
    if seen.free is not None:
        lines.append(("free", f"{format_size(seen.free)} where the output goes"))
    if plan.left_out:
        lines.append(("leaves", plan.left_out))
    pragma = {"none": "no check of the database", "quick": "PRAGMA quick_check", "full": "PRAGMA integrity_check"}
    lines.append(("checks", f"all checksums of the files; {pragma[check]}"))
    lines += [("note", note) for note in plan.notes]
    return [Item(label, text) for label, text in lines]


def _wal_way(plan: RestorePlan, now_ns: int) -> list[tuple[str, str]]:
    """The snapshot and the WALs that a plan goes through."""
    snapshot = plan.snapshot
    lines = [
        (
            "snapshot",
            f"{snapshot.index:08x}  {format_size(snapshot.size)}  {format_clock(snapshot.created_ns, now_ns)}",
        )
    ]
    if plan.file_count > 1:
        count = plan.max_index - plan.min_index + 1
        span = f"{plan.min_index:08x} to {plan.max_index:08x}, {count} indexes"
        if count == 1:
            span = f"{plan.min_index:08x}"
        end = f", up to offset {plan.position.offset}" if plan.settled else ""
        lines.append(("WAL", span + end))
    else:
        lines.append(("WAL", "none: the snapshot as it stands"))
    return lines
