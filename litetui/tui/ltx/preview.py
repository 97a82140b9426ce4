"""The restore dialog's words for targets and plans of both kinds of replica, where they differ. No textual."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litetui.tui.ltx.model import is_ltx, restore_points
from litetui.units import typed_zone

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from litetui.ops.ltx_plan import LTXPlan
    from litetui.ops.restore import AnyPlan
    from litetui.ops.target import Target
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica

_WHOLE = re.compile(r"(?:0x)?[0-9a-f]{16}", re.IGNORECASE)
_SHORT = re.compile(r"0x[0-9a-f]{1,16}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Point:
    """A restore point as it is shown: an index or a TXID, and its time."""

    place: str
    time_ns: int


def is_ltx_plan(plan: AnyPlan) -> TypeIs[LTXPlan]:
    """Whether a plan goes through LTX files."""
    from litetui.ops.ltx_plan import LTXPlan

    return isinstance(plan, LTXPlan)


def parse(replica: FileReplica | LTXReplica, text: str, generation: str, now_ns: int) -> Target:
    """What the one target field means: 16 hex digits, or fewer with 0x, are a TXID. With v0.3 generations 0x and eight
    digits are an index, and a generation of the replica may stand alone, for its latest, or before a target. Raises
    UsageError."""
    from litetui.ops.target import Target, parse_target, parse_txid

    text = text.strip()
    first, _, rest = text.partition(" ")
    if not is_ltx(replica) and first in replica.generations():
        generation, text = first, rest.strip()
    if _WHOLE.fullmatch(text) or (_SHORT.fullmatch(text) and (is_ltx(replica) or len(text) != len("0x0000007f"))):
        return Target(txid=parse_txid(text))
    return parse_target(text, now_ns=now_ns, generation=generation or None, zone=typed_zone())


def points_around(
    replica: FileReplica | LTXReplica, plan: AnyPlan | None, generation: str, timestamp_ns: int
) -> tuple[Point | None, Point | None]:
    """The restore points on both sides of a time: the one that a plan takes, and the next. `generation` "": of all of
    them. Blocks."""
    from litetui.ops.others import points_around as around
    from litetui.ops.restorable import RestorePoint

    if is_ltx(replica):
        return _txids_around(replica, plan, timestamp_ns)
    before, after = around(replica, [generation] if generation else replica.generations(), timestamp_ns)
    if plan is not None and not is_ltx_plan(plan):
        before = RestorePoint(plan.generation, plan.position.index, plan.until_ns)
    several = before is not None and after is not None and before.generation != after.generation

    def point(at: RestorePoint | None) -> Point | None:
        return None if at is None else Point(f"{at.generation} " * several + f"{at.index:08x}", at.time_ns)

    return point(before), point(after)


def _txids_around(replica: LTXReplica, plan: AnyPlan | None, timestamp_ns: int) -> tuple[Point | None, Point | None]:
    """Litestream takes what is older than a time, not what is of that time."""
    import numpy as np

    points = restore_points(replica.table)
    reached = plan.txid if plan is not None and is_ltx_plan(plan) else 0
    before = None if plan is None else Point(plan.place, plan.until_ns)
    later = np.flatnonzero((points.time_ns >= timestamp_ns) & (points.txid > np.uint64(reached)))
    if not len(later):
        return before, None
    return before, Point(f"{int(points.txid[later[0]]):016x}", int(points.time_ns[later[0]]))


def txids_beside(replica: LTXReplica, txid: int) -> tuple[Point | None, Point | None]:
    """The restore points before and after a TXID, which is one itself or not."""
    import numpy as np

    points = restore_points(replica.table)
    low, high = (int(np.searchsorted(points.txid, np.uint64(txid), side)) for side in ("left", "right"))

    def point(at: int) -> Point | None:
        inside = 0 <= at < len(points)
        return Point(f"{int(points.txid[at]):016x}", int(points.time_ns[at])) if inside else None

    return point(low - 1), point(high)


def ltx_way(plan: LTXPlan) -> list[tuple[str, str]]:
    """The LTX files that a plan goes through."""
    by_level: dict[int, int] = {}
    for info in plan.chain:
        by_level[info.level] = by_level.get(info.level, 0) + 1
    return [
        (
            "LTX",
            ", ".join(f"{count} file{'s' if count > 1 else ''} of level {level}" for level, count in by_level.items()),
        ),
        ("TXIDs", f"{plan.chain[0].min_txid:016x} to {plan.place}"),
    ]
