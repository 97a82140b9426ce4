"""What stands on the screen while a big replica is being read: how far that is, and what its names tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litetui.tui.tree_line import Key, Line
from litetui.units import counted

if TYPE_CHECKING:
    from litetui.replica.glance import Glance
    from litetui.replica.storage import LocalStorage


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of a replica that is being read: its generations or levels, and once the names in them are read
    (`counted`) what they tell."""

    glances: Sequence[Glance]
    storage: LocalStorage
    counted: bool = True

    def done(self) -> int:
        """A number that grows as long as the reading goes on."""
        return self.storage.listed + self.storage.looked_at

    @property
    def total(self) -> int:
        """All files."""
        return sum(one.snapshots + one.files for one in self.glances)

    def words(self) -> str:
        """How far the reading is."""
        if not self.counted:
            return f"reading names: {self.storage.listed:,} so far"
        wals = sum(one.files for one in self.glances if one.indexes)
        snapshots = self.total - wals
        what = counted(self.total, "file")
        if wals:
            what = f"{counted(wals, 'WAL file')}, {counted(snapshots, 'snapshot')}"
        share = min(99, 100 * self.storage.looked_at // max(self.total, 1))
        return f"{what} by their names\nreading sizes and times: {share} %"


def lines(name: str, sight: Sight) -> list[Line]:
    """The tree of what is known by names: no branch can be opened yet. Keys are those of the tree that comes."""
    from litetui.format.names import is_generation

    root: Key = ("replica",)
    found = [Line(root, 0, name, "reading", branch=True, open=True)]
    for one in sight.glances:
        if not is_generation(one.name):
            count = f"{one.files:,}" if sight.counted else ""
            found.append(Line(("level", int(one.name)), 1, f"level {one.name}", count, glyph="blank"))
            continue
        found.append(Line(("generation", one.name), 1, one.name, "", "unchecked", branch=True, open=sight.counted))
        if sight.counted:
            found.append(Line(("snapshots", one.name), 2, "snapshots", f"{one.snapshots:,}", branch=True))
            found.append(Line(("wals", one.name), 2, "wal", f"{one.indexes:,}", branch=True))
    return found
