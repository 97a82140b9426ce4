"""The snapshot that a generation may rest on once everything before it is gone.

It must be intact, and lead to every state of the window that could be restored before: also to those inside its own
WAL, of which it may hold frames from later (reach.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from litetui.errors import DamageError, UnreadableError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import reach
from litetui.ops.retention.items import row_at
from litetui.replica.catalog import WHOLE
from litetui.replica.file import FileReplica
from litetui.replica.types import SnapshotInfo
from litetui.units import format_time

# What a writer may leave at the end of the newest plain WAL at any moment.
_UNFINISHED = {"empty-file", "truncated", "partial-frame", "incomplete-transaction"}


class Basis:
    """Looks for it, reading no more than is needed: where nothing would go, nothing is read. `notes` say why a newer
    snapshot was passed over."""

    def __init__(self, replica: FileReplica, cutoff_ns: int, report: Reporter, cancel: CancelToken) -> None:
        self.replica, self.cutoff_ns, self.report, self.cancel = replica, cutoff_ns, report, cancel
        self.notes: list[str] = []
        self._faults: dict[SnapshotInfo, str] = {}
        self._of_window: dict[str, SnapshotInfo | None] = {}

    def of_window(self, generation: str) -> SnapshotInfo | None:
        """The newest snapshot at or before the window's start that everything in the window can rest on."""
        if generation not in self._of_window:
            self._of_window[generation] = self._find(generation)
        return self._of_window[generation]

    def _find(self, generation: str) -> SnapshotInfo | None:
        for snapshot in reversed(self.replica.snapshots(generation)):
            if snapshot.created_ns > self.cutoff_ns:
                continue
            why = self._why_not_in_window(snapshot) if self.has_below(snapshot) else ""
            if not why:
                return snapshot
            self._pass_over(snapshot, why)
        return None

    def newest_intact(self, snapshots: Iterable[SnapshotInfo]) -> SnapshotInfo | None:
        """The newest of these, by index, that is intact; not read where nothing lies before it."""
        for snapshot in reversed(list(snapshots)):
            why = self.fault(snapshot) if self.has_below(snapshot) else ""
            if not why:
                return snapshot
            self._pass_over(snapshot, why)
        return None

    def has_below(self, snapshot: SnapshotInfo) -> bool:
        """Whether the generation has files of lower indexes."""
        first = self.replica.snapshots(snapshot.generation)[0].index
        return first < snapshot.index or row_at(self.replica.wals(snapshot.generation), snapshot.index) > 0

    def fault(self, snapshot: SnapshotInfo) -> str:
        """What is wrong with a snapshot or the WAL of its index, "" where both are sound to their ends."""
        if snapshot not in self._faults:
            self._faults[snapshot] = self._read(snapshot)
        return self._faults[snapshot]

    def _read(self, snapshot: SnapshotInfo) -> str:
        table = self.replica.wals(snapshot.generation)
        try:
            _, damage = reach.walk(self.replica, snapshot, self.report, self.cancel, snapshot.index)
        except (DamageError, UnreadableError) as error:
            return str(error)
        rows = table.rows_of(snapshot.index)
        growing = bool(rows) and rows.stop == len(table) and int(table.form[-1]) == WHOLE
        if damage is None or (growing and damage.code in _UNFINISHED):
            return ""
        return str(damage)

    def _why_not_in_window(self, snapshot: SnapshotInfo) -> str:
        if self._is_younger_below(snapshot):
            return f"files of earlier indexes are younger than {format_time(self.cutoff_ns)}"
        return self.fault(snapshot) or self._is_ahead(snapshot)

    def _is_younger_below(self, snapshot: SnapshotInfo) -> bool:
        table = self.replica.wals(snapshot.generation)
        times = table.mtime_ns[: row_at(table, snapshot.index)]
        below = [s for s in self.replica.snapshots(snapshot.generation) if s.index < snapshot.index]
        return bool((times >= self.cutoff_ns).any()) or any(s.created_ns >= self.cutoff_ns for s in below)

    def _is_ahead(self, snapshot: SnapshotInfo) -> str:
        """Whether a state of the window ends inside the snapshot's own WAL, before frames that the snapshot holds.

        Only segments have times of their own; what was committed after the snapshot stands behind all that it holds.
        """
        table = self.replica.wals(snapshot.generation)
        if not table.rows_of(snapshot.index):
            return ""
        rows = self.replica.forms_of(table, snapshot.index)[0]
        if table.whole[rows[0]]:
            return ""
        in_time = [at for at, row in enumerate(rows) if int(table.mtime_ns[row]) <= self.cutoff_ns]
        after = max(in_time, default=0) + 1  # the segment that the first state inside this WAL leaves out
        if after >= len(rows):
            return ""
        proof = reach.prove(self.replica, snapshot, int(table.offset[rows[after]]), self.report, self.cancel)
        return "" if proof.ok else "it holds transactions from after states of the window"

    def _pass_over(self, snapshot: SnapshotInfo, why: str) -> None:
        self.notes.append(f"nothing rests on snapshot {snapshot.generation}/{snapshot.index:08x}: {why}")
