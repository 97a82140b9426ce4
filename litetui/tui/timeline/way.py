"""What a restore to a restore point of the timeline takes, reads and leaves out, by names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litetui.errors import LitetuiError
from litetui.tui.cards import Note
from litetui.tui.timeline.points import Spot, row_of
from litetui.units import format_size

if TYPE_CHECKING:
    from litetui.ops.restore import AnyPlan
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica


def way(replica: FileReplica | LTXReplica, here: Spot) -> AnyPlan:
    """The plan to a point, by names. Blocks; raises LitetuiError."""
    from litetui.ops.plan import plan_to
    from litetui.ops.restore import plan
    from litetui.ops.target import Target
    from litetui.replica.file import FileReplica

    if here.kind == "txid":
        return plan(replica, Target(txid=here.index))
    assert isinstance(replica, FileReplica)
    at = Target(here.track, here.index, 0 if here.kind == "snapshot" else None)
    row: int | None = -1
    if here.kind == "wal":
        row = row_of(replica.wals(here.track), here.index, here.offset, here.form)
    if row is None:
        raise LitetuiError("plan the restore", "the file is gone", hint="R reads the replica again")
    return plan_to(replica, at, here.track, here.index, row)


def way_words(plan: AnyPlan) -> list[Note]:
    """What a plan reads, leaves out, and begins with, which a narrow line lacks first."""
    from litetui.tui.ltx.preview import is_ltx_plan

    if plan.fault is not None:
        return [(plan.fault.cause, "error")]
    if is_ltx_plan(plan):
        first = plan.chain[0]
        begins = f"from snapshot {first.max_txid:016x}" if first.level == 9 else f"from level {first.level}"
    else:
        begins = f"from snapshot {plan.snapshot.index:08x}"
    files = f"{plan.file_count} file" + ("s" if plan.file_count > 1 else "")
    words: list[Note] = [(f"reads {files}, {format_size(plan.bytes_to_read)}", "")]
    words += [(f"leaves out {plan.left_out}", "")] if plan.left_out else []
    return [*words, (begins, "muted")]
