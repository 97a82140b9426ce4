"""Settling a restore plan: the bytes that the decision hangs on.

Where the last transaction ends, whether a position is one, which of two forms of a WAL is sound, and whether a
snapshot holds frames from after the target. Damage that is found comes with the last good position before it.
"""

from __future__ import annotations

import shlex
from dataclasses import replace

import numpy as np

from litetui.errors import DamageError, LitetuiError, NoSuchTargetError
from litetui.format import wal
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import reach
from litetui.ops.frames import FrameTable, best_form, has_just_begun, read_frames
from litetui.ops.others import other_generation
from litetui.ops.pages import expected_size, snapshot_header
from litetui.ops.plan import RestorePlan, counts_from, describe_rest_of, last_file, one_form, plan_to
from litetui.ops.target import Target
from litetui.replica.catalog import WALTable
from litetui.replica.types import Pos
from litetui.units import printable


def settle(plan_: RestorePlan, report: Reporter | None = None, cancel: CancelToken | None = None) -> RestorePlan:
    """The plan with its end known to the byte, and proved to be a state that the application had.

    Raises DamageError that names the last good position, or NoSuchTargetError.
    """
    if plan_.settled:
        return plan_
    report, cancel = report or Reporter(), cancel or CancelToken()
    if plan_.target.last_good:
        try:
            return _settle_last_good(plan_, report, cancel)
        except DamageError as error:
            error.hint = error.hint or other_generation(plan_.replica, plan_.generation)
            raise
    try:
        return _settle(plan_, report, cancel)
    except DamageError as error:
        earlier = without_snapshot(plan_, error)
        if earlier is None:
            raise explain(plan_, error, report, cancel) from None
    return settle(earlier, report, cancel)


def without_snapshot(plan_: RestorePlan, error: DamageError) -> RestorePlan | None:
    """The plan to the same target from an earlier snapshot of the generation, where the plan's own is what is damaged:
    it leads to the same bytes. None where there is none, or the damage is elsewhere."""
    snapshot = plan_.snapshot
    own = error.operation == "read the snapshot"
    own = own or (error.code in ("missing-page", "wal-salt") and error.index == snapshot.index)
    if not own or plan_.fault is not None or plan_.target.last_good:
        return None
    try:
        table = plan_.replica.wals(plan_.generation)
        index, row = last_file(plan_.replica, plan_.generation, table, plan_.target)
        earlier = plan_to(plan_.replica, plan_.target, plan_.generation, index, row, snapshot.index)
    except LitetuiError:
        return None
    if earlier.fault is not None:
        return None
    note = (
        f"snapshot {snapshot.index:08x} does not serve ({error.cause}): the way leads from {earlier.snapshot.index:08x}"
    )
    return replace(earlier, notes=(*earlier.notes, note))


def explain(plan_: RestorePlan, error: DamageError, report: Reporter, cancel: CancelToken) -> DamageError:
    """The same damage with the last good position before it, and the command that restores up to it."""
    if error.hint:
        return error
    try:
        index = plan_.position.index
        good = reach.find_last_good(plan_.replica, plan_.generation, report, cancel, up_to=index)
    except (DamageError, NoSuchTargetError):
        error.hint = (
            f"nothing of generation {plan_.generation} can be restored: copy the replica before anything else; "
            + other_generation(plan_.replica, plan_.generation)
        )
        return error
    # What lies after a target that was asked for may be what the operator wants to avoid: never lead past it.
    latest = plan_.target.index is None and plan_.target.timestamp_ns is None
    words = f"--generation {plan_.generation} --to-last-good" if latest else f"--position {good.pos}"
    error.hint = (
        f"the last good position is {good.pos}: litetui restore {shlex.quote(printable(plan_.source))} -o OUT {words}"
    )
    return error


def _settle_last_good(plan_: RestorePlan, report: Reporter, cancel: CancelToken) -> RestorePlan:
    good = reach.find_last_good(plan_.replica, plan_.generation, report, cancel)
    pos = good.pos
    target = replace(Target.at(pos), last_good=True)
    _, row = last_file(plan_.replica, plan_.generation, plan_.replica.wals(plan_.generation), target)
    base = plan_to(
        plan_.replica, target, plan_.generation, pos.index, row, None if good.before is None else good.before
    )  # fmt: skip
    base = replace(base, notes=base.notes + good.notes)
    return _settle(base, report, cancel, proved=True)


def _settle(plan_: RestorePlan, report: Reporter, cancel: CancelToken, *, proved: bool = False) -> RestorePlan:
    if plan_.fault is not None:
        raise plan_.fault
    replica = plan_.replica
    plan_ = _choose_forms(plan_, report, cancel)
    snapshot = plan_.snapshot
    path = replica.storage.path(replica.snapshot_path(snapshot))
    head, _ = snapshot_header(replica.read_snapshot_file(snapshot), path, snapshot.index)
    expected = expected_size(head, snapshot)
    if len(plan_.wals) and int(plan_.wals.index[0]) == snapshot.index:
        fault = reach.own_wal_fault(replica, snapshot)
        if fault is not None:
            raise fault
    if plan_.position.offset == 0 or not len(plan_.wals):
        end = Pos(plan_.generation, plan_.position.index, 0)
        if len(plan_.wals):  # the end of the WAL before; the state is the same
            last = read_frames(replica, plan_.generation, int(plan_.wals.index[-1]), report, cancel)
            expected = _size_after(last, expected)
        return replace(plan_, position=end, database_size=expected, settled=True)
    plan_, size, frames = _find_end(plan_, report, cancel)
    if size is None:
        size = expected
    if not proved and plan_.position.index == snapshot.index and _replays_a_part(plan_, frames):
        verdict = reach.prove(replica, snapshot, plan_.position.offset, report, cancel, _own_rows(plan_))
        if not verdict.ok:
            return _earlier_snapshot(replace(plan_, database_size=size), verdict, report, cancel)
    return replace(plan_, database_size=size, settled=True)


def _size_after(frames: FrameTable, size: int) -> int:
    sizes = frames.transactions.database_pages
    return int(sizes[-1]) * frames.page_size if len(sizes) else size


def _choose_forms(plan_: RestorePlan, report: Reporter, cancel: CancelToken) -> RestorePlan:
    """Where an index is there in two forms, take the one whose sound frames reach furthest."""
    table = plan_.replica.wals(plan_.generation)
    notes = list(plan_.notes)
    chosen: dict[int, list[int]] = {}
    last = int(plan_.wals.index[-1]) if len(plan_.wals) else -1
    for index in plan_.wals.indexes().tolist():
        if len(table.rows_of(index)) == 1:
            continue
        forms = plan_.replica.forms_of(table, index)
        if index == last and plan_.target.timestamp_ns is not None:
            forms = _not_after(table, forms, plan_.target.timestamp_ns)
        if len(forms) < 2:
            continue
        best = best_form(plan_.replica, plan_.generation, index, forms, report, cancel)
        if best.problem and not (index == last and 0 < plan_.position.offset <= best.end):
            raise best.problem
        chosen[index] = best.rows
        notes.append(f"index {index:08x} is there twice: {table[best.rows[0]].name} is taken, the most complete")
    if not chosen:
        return plan_
    keep = np.isin(table.index, plan_.wals.indexes())
    for index, rows in chosen.items():
        keep[table.rows_of(index)] = False
        keep[rows] = True
    one = one_form(plan_.replica, table.take(keep))
    rows_until = plan_.wals.index[-1]
    if int(rows_until) not in chosen:  # the last index may be taken only in part
        part = plan_.wals.take(plan_.wals.index == rows_until)
        one = _join(one.take(one.index != rows_until), part)
    return replace(plan_, wals=one, notes=tuple(notes))


def _not_after(table: WALTable, forms: list[list[int]], ns: int) -> list[list[int]]:
    """What the forms of one WAL hold up to a time: segments up to the last one that is not newer, a file that holds
    the whole WAL if it is not newer itself."""
    rows = [r for form in forms for r in form if int(table.mtime_ns[r]) <= ns]
    kept = [[r for r in form if r <= max(rows) and (r in rows or not table.whole[r])] for form in forms] if rows else []
    return [form for form in kept if any(r in rows for r in form)]


def _join(a: WALTable, b: WALTable) -> WALTable:
    return replace(
        a,
        index=np.concatenate([a.index, b.index]),
        offset=np.concatenate([a.offset, b.offset]),
        form=np.concatenate([a.form, b.form]),
        size=np.concatenate([a.size, b.size]),
        mtime_ns=np.concatenate([a.mtime_ns, b.mtime_ns]),
    )


def _find_end(
    plan_: RestorePlan, report: Reporter, cancel: CancelToken
) -> tuple[RestorePlan, int | None, FrameTable | None]:
    """Where the last transaction ends, and the size of the database after it."""
    index = int(plan_.wals.index[-1])
    last = plan_.wals[len(plan_.wals) - 1]
    if plan_.position.offset < 0 and last.offset is not None:
        return (*_end_of_segment(plan_, last.offset, cancel), None)
    full = plan_.replica.wals(plan_.generation)
    wanted = {plan_.wals.name(r) for r in plan_.wals.rows_of(index)}
    source = [r for r in full.rows_of(index) if full.name(r) in wanted]
    frames = read_frames(plan_.replica, plan_.generation, index, report, cancel, rows=source)
    if plan_.position.offset >= 0:
        return (*_end_at_position(plan_, frames), frames)
    newest = index == int(full.index[-1]) and last.compressed is False
    if newest and has_just_begun(plan_.replica, last):  # all before it counts
        return (*_without_last(plan_, report, cancel), frames)
    if frames.problem is not None:
        raise frames.problem
    end = frames.end_of_commits
    if not newest and end != frames.offset(len(frames)):
        raise DamageError(
            "read the WAL",
            "it ends inside a transaction",
            code="incomplete-transaction",
            path=plan_.replica.storage.path(plan_.replica.wal_path(last)),
            index=index,
            offset=end,
        )
    if end == 0:
        return (*_without_last(plan_, report, cancel), frames)
    if newest and end < last.size:
        note = f"the newest WAL ends with {last.size - end} bytes of a transaction without its commit: left out"
        plan_ = replace(plan_, notes=(*plan_.notes, note))
    return replace(plan_, position=Pos(plan_.generation, index, end)), _size_after(frames, 0), frames


def _without_last(plan_: RestorePlan, report: Reporter, cancel: CancelToken) -> tuple[RestorePlan, int | None]:
    """The plan without a newest WAL that holds no transaction yet."""
    index = int(plan_.wals.index[-1])
    wals = plan_.wals.take(plan_.wals.index < index)
    size = None
    if len(wals):
        before = read_frames(plan_.replica, plan_.generation, index - 1, report, cancel)
        size = _size_after(before, 0) or None
        if size is None:
            cause = "it holds no transaction, though another WAL follows it"
            raise before.problem or DamageError("read the WAL", cause, code="truncated", index=index - 1)
    notes = (*plan_.notes, f"the newest WAL {index:08x} holds no transaction yet")
    return replace(plan_, wals=wals, position=Pos(plan_.generation, index, 0), notes=notes), size


def _end_of_segment(plan_: RestorePlan, offset: int, cancel: CancelToken) -> tuple[RestorePlan, int | None]:
    """Where the newest segment ends, which must be with a commit, and the size of the database there."""
    replica, info = plan_.replica, plan_.wals[len(plan_.wals) - 1]
    path = replica.storage.path(replica.wal_path(info))
    first = plan_.wals[plan_.wals.rows_of(info.index).start]
    try:
        header = wal.WALHeader.parse(b"".join(replica.first_bytes(first, wal.HEADER_SIZE)))
    except wal.WALError as error:
        raise DamageError(
            "read the WAL", str(error), code="wal-header", path=path, index=info.index, offset=0
        ) from None
    size, last = 0, b""  # a segment may hold a transaction of any length: no more than its last frame is kept
    for block in replica.read_wal_file(info):
        cancel.check()
        size += len(block)
        last = (last + block[-header.frame_size :])[-header.frame_size :]
    frames = size if offset else size - wal.HEADER_SIZE
    if frames <= 0:  # only a plain WAL is written so
        cause, code = "it holds the header of a WAL, and no transaction", "truncated"
        if not size:
            cause, code = "it is an LZ4 frame without content", "empty-file"
        raise DamageError("read the WAL", cause, code=code, path=path, index=info.index, offset=offset + size)
    commit = int.from_bytes(last[4:8], "big")
    if (partial := frames % header.frame_size) or not commit:
        raise DamageError(
            "read the WAL",
            "the segment ends inside a frame" if partial else "the segment ends inside a transaction",
            code="partial-frame" if partial else "incomplete-transaction",
            path=path,
            index=info.index,
            offset=offset + size,
        )
    return replace(plan_, position=Pos(plan_.generation, info.index, offset + size)), commit * header.page_size


def _end_at_position(plan_: RestorePlan, frames: FrameTable) -> tuple[RestorePlan, int]:
    offset, done = plan_.position.offset, frames.transactions
    ends = done.end_offset
    at = int(np.searchsorted(ends, offset))
    if at < len(ends) and int(ends[at]) == offset:
        wals = plan_.wals
        wals = wals.take((wals.index < frames.index) | (wals.offset < offset))
        size = int(done.database_pages[at]) * frames.page_size
        left_out = describe_rest_of(plan_, frames.index, offset, len(ends) - at - 1)
        table = plan_.replica.wals(plan_.generation)
        after = table.take((table.index > frames.index) | ((table.index == frames.index) & (table.offset >= offset)))
        until = counts_from(plan_.replica, plan_.generation, int(wals.mtime_ns[-1]), wals, after)
        return replace(plan_, wals=wals, until_ns=until, left_out=left_out), size
    if frames.problem is not None and (frames.problem.offset or 0) < offset:
        raise frames.problem
    near = [int(ends[i]) for i in (at - 1, at) if 0 <= i < len(ends)]
    if not near:
        near = [0]
    raise NoSuchTargetError(
        "restore",
        f"no transaction of index {frames.index:08x} ends at offset {offset}; the nearest end at "
        + " and ".join(str(n) for n in near),
        path=plan_.source,
        hint=f"--position {Pos(plan_.generation, frames.index, near[0])}",
    )


def _own_rows(plan_: RestorePlan) -> list[int]:
    """All files of the last index, in the form that the plan takes."""
    table = plan_.replica.wals(plan_.generation)
    form = int(plan_.wals.form[-1])
    return [row for row in table.rows_of(plan_.position.index) if int(table.form[row]) == form]


def _replays_a_part(plan_: RestorePlan, frames: FrameTable | None) -> bool:
    """True if some of the WAL of the last index lies behind the plan's end, and some of it is replayed."""
    if not len(plan_.wals):
        return False
    table = plan_.replica.wals(plan_.generation)
    if plan_.wals.offset[-1] < table.offset[_own_rows(plan_)[-1]]:
        return True
    return frames is not None and plan_.position.offset < max(frames.end_of_commits, frames.offset(len(frames)))


def _earlier_snapshot(plan_: RestorePlan, verdict: reach.Proof, report: Reporter, cancel: CancelToken) -> RestorePlan:
    """The same target from an earlier snapshot, through all of its WAL; or the error that says why not."""
    snapshot = plan_.snapshot
    table = plan_.replica.wals(plan_.generation)
    target = replace(Target.at(plan_.position), timestamp_ns=None)
    row = table.rows_of(plan_.position.index).stop - 1
    note = f"snapshot {snapshot.index:08x} holds transactions from after the target; an earlier one is taken"
    try:
        earlier = plan_to(plan_.replica, target, plan_.generation, plan_.position.index, row, snapshot.index)
        settled = _settle(earlier, report, cancel)
    except LitetuiError:
        first = verdict.first_reachable
        if first == plan_.position and not verdict.complete:
            doubt = reach.NOT_PROVED.format(index=first.index)
            return replace(plan_, settled=True, notes=(*plan_.notes, doubt))
        what = f"the first position that can be reached is {first}" if first else "no position in it can be reached"
        raise NoSuchTargetError(
            "restore",
            f"{plan_.position} cannot be reached: snapshot {snapshot.index:08x} holds transactions from after it "
            f"(Litestream had checkpointed before it copied), and no earlier snapshot leads there; {what}",
            path=plan_.source,
            hint=f"--position {first}" if first else "restore a later index",
        ) from None
    return replace(settled, notes=(*settled.notes, note), target=plan_.target, left_out=plan_.left_out)
