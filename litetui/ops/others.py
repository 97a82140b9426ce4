"""What else of a replica restores, by names: another generation, and the restore points around a time."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable

from litetui.ops import restorable
from litetui.ops.restorable import RestorePoint
from litetui.ops.survey import survey_generation
from litetui.replica.file import FileReplica
from litetui.units import format_age, format_time, printable


def points_around(
    replica: FileReplica, generations: Iterable[str], ns: int
) -> tuple[RestorePoint | None, RestorePoint | None]:
    """The last restore point of some generations at or before a time, and the first after it, by names."""
    return restorable.around(((replica.wals(g), replica.snapshots(g)) for g in generations), ns)


def other_generation(replica: FileReplica, generation: str) -> str:
    """The newest other generation that may be restored, with the command for it."""
    other = another(replica, generation)
    if other is None:
        return "no other generation of this replica has a snapshot"
    name, complete = other
    at = replica.generation_stats(name).updated_ns or 0
    words = ["litetui", "restore", printable(replica.path), "-o", "OUT", "--generation", name]
    words += [] if complete else ["--to-last-good"]
    return (
        f"the newest other generation with a snapshot is {name}, which ends at {format_time(at)} "
        f"({format_age(at, time.time_ns())}): {shlex.join(words)}"
    )


def another(replica: FileReplica, generation: str) -> tuple[str, bool] | None:
    """The newest other generation with a snapshot, and whether its latest state restores by its names."""
    for name in replica.generations():
        if name != generation and replica.snapshots(name):
            return name, survey_generation(replica, name, time.time_ns()).restorable
    return None
