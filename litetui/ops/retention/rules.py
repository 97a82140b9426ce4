"""What goes and what stays, generation by generation, and why.

The rule `window`: everything from the newest intact snapshot at or before the window's start on stays, and a generation
that ended before the window goes if a newer one leads on from there. The rule `litestream`: what lies before the oldest
snapshot that is younger than the retention goes, and a generation without one goes whole. Under both, the last snapshot
that leads anywhere stays, and so does what cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import compare
from litetui.ops.retention.basis import Basis
from litetui.ops.retention.items import Group, files_of, row_at
from litetui.ops.survey import survey
from litetui.replica.file import FileReplica
from litetui.replica.types import SnapshotInfo
from litetui.units import NS, format_time

ALL = 1 << 32  # above every index
YOUNG_NS = 10 * NS


@dataclass(frozen=True, slots=True)
class Bound:
    """Of one generation: the files of indexes below `index` go for the reason `goes`, the others stay because of
    `stays`. `base` is the snapshot that this rests on."""

    index: int
    goes: str = ""
    stays: str = ""
    base: SnapshotInfo | None = None


@dataclass(frozen=True, slots=True)
class NewSnapshot:
    """Whether one is taken first, of which generation, and if not, why not ("": none is needed or asked for)."""

    first: bool = False
    generation: str = ""
    size: int = 0
    why_not: str = ""


class Rules:
    """What the rules look at, and what they have to say."""

    def __init__(
        self,
        replica: FileReplica,
        retention_ns: int,
        now_ns: int,
        report: Reporter,
        cancel: CancelToken,
        current: str = "",
    ) -> None:
        """`current`: the generation that the database is in now, which counts as the newest whatever times say."""
        self.replica, self.now, self.cutoff = replica, now_ns, now_ns - retention_ns
        self.order = sorted(replica.generations(), key=lambda g: g != current)
        self.basis = Basis(replica, self.cutoff, report, cancel)
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self._protected: dict[str, str] = {}

    @cached_property
    def _complete(self) -> set[str]:
        return {g.generation for g in survey(self.replica, self.now).generations if g.restorable}

    def is_overdue(self) -> bool:
        """Whether the newest generation has only snapshots that are older than the retention, and files since."""
        newest = self.replica.snapshots(self.order[0]) if self.order else []
        if not newest or max(s.created_ns for s in newest) >= self.cutoff:
            return False
        return (self.replica.generation_stats(self.order[0]).updated_ns or 0) >= self.cutoff

    # the rules

    def window(self) -> dict[str, Bound]:
        return {g: self._ended(g) or self._from_base(g) for g in self.order}

    def litestream(self, new: NewSnapshot) -> dict[str, Bound]:
        bounds = {g: b for g in self.order if (b := self._from_retained(g)) is not None}
        if new.first and new.generation not in bounds:
            last = self._last_index(new.generation)
            bounds[new.generation] = Bound(
                last, "older than the snapshot that is taken first", f"the new snapshot leads on from {last:08x}"
            )
        without = [g for g in self.order if g not in bounds]
        if not without:
            return bounds
        why = new.why_not or "no database at hand to take a new snapshot"
        survivor = new.generation if new.first else self._survivor(bounds, why)
        for g in without:
            if g not in bounds:
                older = survivor != "" and self.order.index(g) > self.order.index(survivor)
                bounds[g] = self._whole(g, survivor, bounds[survivor].base) if older else self._all_of(g, survivor)
        return bounds

    def _from_base(self, g: str) -> Bound:
        """The window's rule for a generation of which something stays."""
        if self.replica.problems(g):
            return Bound(0, stays="the generation cannot be read completely, so all of it stays")
        base = self.basis.of_window(g)
        if base is None:
            return Bound(
                self._orphans(g), stays="no snapshot that all could rest on is as old as the window: all of it stays"
            )
        at = f"{base.index:08x} of {format_time(base.created_ns)}"
        return Bound(base.index, f"older than snapshot {at}", f"snapshot {at} and what it leads to", base)

    def _ended(self, g: str) -> Bound | None:
        """The window's rule for a generation that ended before the window, if a newer one leads on from there."""
        updated = self.replica.generation_stats(g).updated_ns
        if updated is None or updated >= self.cutoff or self.replica.problems(g):
            return None
        for newer in self.order[: self.order.index(g)]:
            began = self.replica.generation_stats(newer).created_ns
            if self.replica.problems(newer) or newer not in self._complete or began is None or began < updated:
                continue  # where their times overlap, nothing says which of them went on
            base = self.basis.of_window(newer)
            if base is not None and not self.basis.fault(base):
                return self._whole(g, newer, base)
        return None

    def _whole(self, g: str, newer: str, base: SnapshotInfo | None) -> Bound:
        """All of a generation goes, unless it has the last state before its database suddenly shrank."""
        if g not in self._protected:
            self._protected[g] = self._shrank_after(g)
            if self._protected[g]:
                self.warnings.append(f"generation {g} stays: {self._protected[g]}")
        if self._protected[g]:
            return Bound(0, stays="the last state before the database suddenly shrank or lost tables: it stays")
        ended = self.replica.generation_stats(g).updated_ns
        at = format_time(ended) if ended is not None else "an unknown time"
        return Bound(ALL, f"the generation ended at {at}, {newer} leads on", base=base)

    def _shrank_after(self, g: str) -> str:
        for newer in reversed(self.order[: self.order.index(g)]):
            if compare.is_known(self.replica, newer):
                finding = compare.differs(self.replica, newer, g)
                return f"{finding.message}; once you are sure, remove it by hand" if finding else ""
        return ""

    def _from_retained(self, g: str) -> Bound | None:
        """Litestream's rule for a generation that has a snapshot within the retention; None where it has none."""
        if self.replica.problems(g):
            return Bound(0, stays="the generation cannot be read completely, so all of it stays")
        snapshots = self.replica.snapshots(g)
        young = [s for s in snapshots if s.created_ns >= self.cutoff]
        if not young:
            return None
        base = self.basis.newest_intact([s for s in snapshots if s.index <= young[0].index])
        if base is None:
            return Bound(0, stays="no snapshot up to the first one within the retention is intact: all of it stays")
        at = f"{base.index:08x} of {format_time(base.created_ns)}"
        return Bound(base.index, f"older than snapshot {at}", f"snapshot {at} and what it leads to", base)

    def _survivor(self, bounds: dict[str, Bound], why: str) -> str:
        """The newest generation that can be restored; where it has no young snapshot its newest intact one stays."""
        for g in self.order:
            if g not in self._complete:
                continue
            if g in bounds:
                base = bounds[g].base
                if base is None or self.basis.fault(base):
                    continue
                return g
            base = self.basis.newest_intact(self.replica.snapshots(g))
            if base is not None and not self.basis.fault(base):
                self.notes.append(f"snapshot {g}/{base.index:08x} stays although it is older: {why}")
                stays = f"the last snapshot that can be restored stays: {why}"
                bounds[g] = Bound(base.index, f"older than snapshot {base.index:08x}", stays, base)
                return g
        return ""

    def _all_of(self, g: str, survivor: str) -> Bound:
        newer = f"it is newer than {survivor}" if survivor else "no newer generation can be restored"
        return Bound(self._orphans(g), stays=f"{newer}, the last generation that can be: all of it stays")

    def _orphans(self, g: str) -> int:
        """The index below which WALs that no snapshot leads to can go: leftovers, if they are older than the window."""
        snapshots, table = self.replica.snapshots(g), self.replica.wals(g)
        if not snapshots or self.replica.problems(g):
            return 0
        young = (table.mtime_ns[: row_at(table, snapshots[0].index)] >= self.cutoff).nonzero()[0]
        return int(table.index[young[0]]) if len(young) else snapshots[0].index

    def _last_index(self, g: str) -> int:
        table, snapshots = self.replica.wals(g), self.replica.snapshots(g)
        return max([s.index for s in snapshots[-1:]] + ([int(table.index[-1])] if len(table) else []), default=0)

    # their files

    def deleted(self, bounds: Mapping[str, Bound], low: Mapping[str, int], high: Mapping[str, int]) -> Iterator[Group]:
        """The files to delete from a generation's `low` up to its `high`, the oldest generation first."""
        for g in reversed(self.order):
            snapshots, table = self.replica.snapshot_files(g), self.replica.wals(g)
            first = min(high[g], snapshots[0].index if snapshots and bounds[g].index < ALL else 0)
            if low[g] < first:
                orphan = "no snapshot leads to it"
                yield from files_of(g, snapshots, table, low[g], first, orphan, deletion=True)
            yield from files_of(g, snapshots, table, max(low[g], first), high[g], bounds[g].goes, deletion=True)

    def kept(self, bounds: Mapping[str, Bound]) -> Iterator[Group]:
        for g, bound in bounds.items():
            files = self.replica.snapshot_files(g)
            yield from files_of(g, files, self.replica.wals(g), bound.index, ALL, bound.stays)

    def emptied(self, bounds: Mapping[str, Bound], new: NewSnapshot) -> Iterator[str]:
        """Generations of which nothing stays, also those whose files an interrupted retention has deleted."""
        for g in self.order[1:]:
            folder = self.replica.generation_dir(g)
            if g == new.generation or self.replica.problems(g):
                continue
            empty = self.replica.generation_stats(g).updated_ns is None and not self.replica.foreign(g)
            begun = empty and self.now - self.replica.storage.folder_mtime_ns(folder) < YOUNG_NS
            if bounds[g].index == ALL or (empty and not begun):
                yield g
