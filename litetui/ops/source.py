"""Which of two replicas in one folder a restore takes: the v0.3 generations, or the LTX files of v0.5 beside them.

As Litestream 0.5.17 decides it (FORMAT-v0.5-ltx, section 6); what names a generation or a TXID decides by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from litetui.errors import UsageError
from litetui.ops.target import Target
from litetui.replica.file import FileReplica
from litetui.replica.ltx import SNAPSHOTS, LTXReplica
from litetui.units import format_time


@dataclass(frozen=True, slots=True)
class Source:
    """The replica to restore from, and why, where there was a choice ("": there was none)."""

    replica: FileReplica | LTXReplica
    why: str = ""


def choose(replica: FileReplica | LTXReplica, target: Target) -> Source:
    """The replica that a target means. Raises UsageError where it names what this replica has not."""
    by_position = target.generation is not None or target.index is not None
    if isinstance(replica, LTXReplica):
        if by_position:
            hint = "--txid, --timestamp, or nothing for the latest"
            raise UsageError("restore", "a replica of Litestream v0.5 has no generations and positions", hint=hint)
        return Source(replica)
    ltx = replica.ltx if replica.ltx is not None and replica.ltx.has_data() else None
    if target.txid is not None:
        if ltx is None:
            hint = "--position, --index, --timestamp, or nothing for the latest"
            raise UsageError("restore", "a replica of Litestream v0.3 has no TXIDs", hint=hint)
        return Source(ltx, "a TXID is asked for")
    if ltx is None or by_position:
        return Source(replica)
    if not any(replica.snapshots(g) for g in replica.generations()):
        return Source(ltx, "the v0.3 generations have no snapshot")
    if ltx.problems():
        return Source(ltx, "something in ltx/ cannot be read, and may be newer")
    return _by_time(replica, ltx, target.timestamp_ns)


def _by_time(replica: FileReplica, ltx: LTXReplica, at: int | None) -> Source:
    """Both could be meant: the newer files decide, or before a time the newer snapshots."""
    old, new = _newest(replica, at), _newest_ltx(ltx, at)
    what = "newest files" if at is None else "newest snapshots before that time"
    if old is not None and (new is None or old > new):
        than = "there is none in ltx/" if new is None else f"those of ltx/ are of {_short(new)}"
        return Source(replica, f"the v0.3 generations have the {what}, {_short(old)}; {than}")
    than = "the v0.3 generations have none" if old is None else f"those of the v0.3 generations are of {_short(old)}"
    return Source(ltx, f"ltx/ (v0.5) has the {what}" + (f", {_short(new)}; {than}" if new is not None else ""))


def _newest(replica: FileReplica, at: int | None) -> int | None:
    if at is None:
        return max((replica.generation_stats(g).updated_ns or 0 for g in replica.generations()), default=None)
    times = [s.created_ns for g in replica.generations() for s in replica.snapshots(g) if s.created_ns <= at]
    return max(times, default=None)


def _newest_ltx(ltx: LTXReplica, at: int | None) -> int | None:
    table = ltx.table
    if at is None:
        return int(table.time_ns.max())
    times = table.time_ns[(table.level == SNAPSHOTS) & (table.time_ns < at)]
    return int(np.max(times)) if len(times) else None


def _short(ns: int) -> str:
    """A time for a sentence, in whole milliseconds, as Litestream 0.5 has them."""
    return format_time(ns // 1_000_000 * 1_000_000)
