"""Opening a replica, in a thread; and what stands on the screen while the sizes and times of a big one are being read:
its names, counted."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litetui.errors import LitetuiError, NotAReplicaError
from litetui.tui.tree_line import Key, Line

if TYPE_CHECKING:
    from litetui.replica.file import FileReplica
    from litetui.replica.glance import Glance
    from litetui.replica.ltx import LTXReplica
    from litetui.replica.watch import ReplicaWatch

DEMO = "/demo"  # in the place of a path: the demo
WORTH = 5_000  # with fewer files the whole is there before one has read it


@dataclass(frozen=True, slots=True)
class Sight:
    """The names of a replica, and `done`, which says how many files' sizes and times have been read so far."""

    glances: Sequence[Glance]
    done: Callable[[], int]

    @property
    def total(self) -> int:
        """All files."""
        return sum(one.snapshots + one.files for one in self.glances)

    def words(self) -> str:
        """How far the reading is."""
        wals = sum(one.files for one in self.glances if one.indexes)
        snapshots = self.total - wals
        what = f"{self.total} files"
        if wals:
            what = f"{wals} WAL files, {snapshots} snapshot{'s' if snapshots != 1 else ''}"
        return f"{what} by their names\nreading sizes and times: {min(99, 100 * self.done() // max(self.total, 1))} %"


def prepare() -> None:
    """Import what a replica is shown with, in the thread that reads it: on the app's own it would hold up the screen,
    and before the first frame that frame."""
    from litetui.tui import details, outline, wal_view  # noqa: F401


def open_or_begin(path: str, database: str | None) -> FileReplica | LTXReplica:
    """The replica at a path; with a database also one that a first sync will make there. Raises LitetuiError."""
    from litetui.replica.detect import open_any

    try:
        return open_any(path, listed=False)
    except NotAReplicaError:
        if database is None:
            raise
    from litetui.ops.sync import existing
    from litetui.replica.file import FileReplica

    return existing(path) or FileReplica(os.path.expanduser(path))


def first_look(replica: FileReplica | LTXReplica, tell: Callable[[Sight], object]) -> ReplicaWatch:
    """List a replica that has just been opened; `tell` is given its names if the rest takes long. Blocks; raises
    LitetuiError."""
    from litetui.replica.glance import glance
    from litetui.replica.watch import ReplicaWatch

    watch = ReplicaWatch(replica)
    try:
        watch.begin()
        sight = Sight(glance(replica), lambda: replica.storage.looked_at)
        if sight.total >= WORTH:
            tell(sight)
        watch.refresh()
    except LitetuiError:
        watch.close()
        raise
    return watch


def lines(name: str, glances: Sequence[Glance]) -> list[Line]:
    """The tree of what is known by names: no branch can be opened yet. Keys are those of the tree that comes."""
    root: Key = ("replica",)
    found = [Line(root, 0, name, "reading", branch=True, open=True)]
    for one in glances:
        if not one.snapshots and not one.indexes:
            found.append(Line(("level", int(one.name)), 1, f"level {one.name}", str(one.files), glyph="blank"))
            continue
        found.append(Line(("generation", one.name), 1, one.name, "", "unchecked", branch=True, open=True))
        found.append(Line(("snapshots", one.name), 2, "snapshots", str(one.snapshots), branch=True))
        found.append(Line(("wals", one.name), 2, "wal", str(one.indexes), branch=True))
    return found
