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
    """Another generation that may be restored, with the command for it."""
    other = another(replica, generation)
    if other is None:
        return "no other generation of this replica restores"
    name, complete = other
    span = restorable.window(replica.wals(name), replica.snapshots(name), complete=complete)
    at = span.end_ns if span is not None else 0
    words = ["litetui", "restore", printable(replica.path), "-o", "OUT", "--generation", name]
    words += [] if complete else ["--to-last-good"]
    return (
        f"another generation is {name}, which by its names restores to {format_time(at)} "
        f"({format_age(at, time.time_ns())}): {shlex.join(words)}"
    )


def another(replica: FileReplica, generation: str) -> tuple[str, bool] | None:
    """The newest other generation whose latest state restores by its names (True), or else the newest of which
    something does (False)."""
    partly: str | None = None
    for name in replica.generations():
        if name == generation or not replica.snapshots(name):
            continue
        if survey_generation(replica, name, time.time_ns()).restorable:
            return name, True
        if partly is None and restores_by_names(replica, name):
            partly = name
    return None if partly is None else (partly, False)


def restores_by_names(replica: FileReplica, generation: str) -> bool:
    """Whether something of a generation restores by its names."""
    return restorable.window(replica.wals(generation), replica.snapshots(generation), complete=False) is not None
