"""Where in the browser a finding is shown. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from litetui.replica.types import Finding
from litetui.tui.model import ReplicaView
from litetui.tui.tree_line import Key


@dataclass(frozen=True, slots=True)
class Way:
    """Where something is shown: a line of the tree, and where it has one, a row of a table of it."""

    key: Key
    tab: str = ""
    row: int = 0


def way_to(finding: Finding, view: ReplicaView) -> Way:
    """The place of a finding: its frame, its segment, its file, or else its generation."""
    generation = view.generation(finding.generation or "")
    if generation is None:
        return Way(("replica",))
    index = finding.index
    if index is None:
        return Way(("generation", generation.name), "attention")
    if "/snapshots/" in (finding.path or "") and any(s.index == index for s in generation.snapshots):
        return Way(("snapshot", generation.name, index))
    at = generation.indexes.row_of(index)
    if at is None:
        return Way(("generation", generation.name), "attention")
    key: Key = ("index", generation.name, index)
    if finding.frame is not None:
        return Way(key, "frames", finding.frame)
    first, count = int(generation.indexes.first_row[at]), int(generation.indexes.files[at])
    name = (finding.path or "").rpartition("/")[2]
    for row in range(first, first + count):
        if generation.wals.name(row) == name or (not name and int(generation.wals.offset[row]) == finding.offset):
            return Way(key, "wal", first + count - 1 - row)
    return Way(key)
