"""Tables of what a v0.3 replica holds: generations, snapshots, WAL files. No textual, no files."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from litetui.jobs.progress import CancelToken
from litetui.replica.types import SnapshotInfo
from litetui.tui.checks import Checks, until_of
from litetui.tui.evidence import badge
from litetui.tui.tables.matching import clock_holds, decimal_holds, hex_holds
from litetui.tui.tables.sources import Cell, Clock, Column, Source
from litetui.units import format_age, format_clock, format_size, format_time

if TYPE_CHECKING:
    from litetui.replica.catalog import WALTable
    from litetui.tui.model import ReplicaView

CHUNK = 16_384  # names that are made at once, between two looks at whether it is still wanted


class GenerationSource(Source):
    """The generations of a replica, the newest first."""

    newest_at = "first"
    empty = (
        "no generations: nothing was ever replicated into this folder\n"
        "with a database attached (o), s makes the first sync"
    )
    columns = (
        Column("Generation", 16),
        Column("Snapshots", 9, right=True, drop=3),
        Column("WAL files", 9, right=True, drop=3),
        Column("Stored", 10, right=True, drop=2),
        Column("Newest file (UTC)", 22, right=True, drop=1),
        Column("Age", 12, right=True),
        Column("State", 22, grow=True),
    )

    def __init__(self, view: ReplicaView, now_ns: Clock, checks: Checks) -> None:
        self.view = view
        self.now_ns = now_ns
        self.checks = checks

    def __len__(self) -> int:
        return len(self.view.generations)

    def cells(self, row: int) -> Sequence[Cell]:
        one, now = self.view.generations[row], self.now_ns()
        updated = one.stats.updated_ns
        said = badge(one, self.checks.get(one.name), now)
        verdict: Cell = ("names complete", "") if said.glyph == "unchecked" else (said.words[-1], said.status)
        if not one.survey.restorable:
            until_ns, _ = until_of(one, self.checks.get(one.name))
            upto = "" if until_ns is None else f"to {format_clock(until_ns, now, millis=False)}, "
            verdict = (upto + (said.words[-1] if upto else one.survey.why_not), "error")
        elif one.name in self.checks and said.glyph != "unchecked":
            verdict = (said.words[1], said.status)
        return (
            one.name,
            f"{one.stats.snapshots:,}",
            f"{one.stats.wal_files:,}",
            format_size(one.stats.size),
            "" if updated is None else format_clock(updated, now),
            ("" if updated is None else format_age(updated, now), "muted"),
            verdict,
        )

    def key(self, row: int) -> Hashable:
        return self.view.generations[row].name

    def record(self, row: int) -> dict[str, object]:
        one, stats = self.view.generations[row], self.view.generations[row].stats
        return {
            "generation": one.name,
            "snapshots": stats.snapshots,
            "wal_files": stats.wal_files,
            "size": stats.size,
            "start": None if stats.created_ns is None else format_time(stats.created_ns),
            "end": None if stats.updated_ns is None else format_time(stats.updated_ns),
            "restorable": one.survey.restorable,
        }

    def sort_values(self, column: int) -> Any:
        stats = [one.stats for one in self.view.generations]
        updated = [one.updated_ns or 0 for one in stats]
        values = (
            [one.generation for one in stats],
            [one.snapshots for one in stats],
            [one.wal_files for one in stats],
            [one.size for one in stats],
            updated,
            [-one for one in updated],
            None,
        )
        return values[column]


class SnapshotSource(Source):
    """The snapshots of a generation, the newest first."""

    empty = "no snapshot: this generation cannot be restored"
    newest_at = "first"
    columns: Sequence[Column] = (
        Column("Index", 8),
        Column("Stored", 10, right=True),
        Column("Created (UTC)", 22, right=True, drop=1),
        Column("Age", 10, right=True),
        Column("File", 20, drop=2, grow=True),
    )

    def __init__(self, snapshots: Sequence[SnapshotInfo], now_ns: Clock) -> None:
        self.snapshots = tuple(reversed(snapshots))
        self.now_ns = now_ns

    def __len__(self) -> int:
        return len(self.snapshots)

    def cells(self, row: int) -> Sequence[Cell]:
        one, now = self.snapshots[row], self.now_ns()
        return (
            f"{one.index:08x}",
            format_size(one.size),
            format_clock(one.created_ns, now),
            (format_age(one.created_ns, now), "muted"),
            (one.name, "muted"),
        )

    def key(self, row: int) -> Hashable:
        return self.snapshots[row].index

    def find(self, key: Hashable) -> int | None:
        if not isinstance(key, int):
            return None
        at = bisect_left(self.snapshots, -key, key=lambda one: -one.index)  # the newest first
        return at if at < len(self) and self.snapshots[at].index == key else None

    def record(self, row: int) -> dict[str, object]:
        one = self.snapshots[row]
        created = format_time(one.created_ns)
        return {"index": f"{one.index:08x}", "size": one.size, "created": created, "file": one.name}

    def sort_values(self, column: int) -> Any:
        pick: tuple[Callable[[SnapshotInfo], Any], ...] = (
            lambda s: s.index,
            lambda s: s.size,
            lambda s: s.created_ns,
            lambda s: -s.created_ns,
            lambda s: s.name,
        )
        return [pick[column](snapshot) for snapshot in self.snapshots]


class WALSource(Source):
    """WAL files of a generation, the newest first; `start` and `stop` are rows of its table."""

    empty = "no WAL files: nothing was written since the snapshot"
    newest_at = "first"

    def __init__(self, wals: WALTable, now_ns: Clock, start: int = 0, stop: int | None = None) -> None:
        self.wals = wals
        self.now_ns = now_ns
        self.start = start
        self.stop = len(wals) if stop is None else stop
        self.columns: Sequence[Column] = (
            Column("Index", 8),
            Column("Offset", 12, right=True),
            Column("Stored", 10, right=True),
            Column("Created (UTC)", 22, right=True, drop=1),
            Column("Age", 10, right=True),
            Column("File", 20, drop=2, grow=True),
        )

    def __len__(self) -> int:
        return self.stop - self.start

    def at(self, row: int) -> int:
        """The row of the generation's table."""
        return self.stop - 1 - row

    def target(self, row: int) -> str:
        """What a restore up to the end of a file is called: a position, or the index of a WAL that ends with it."""
        from litetui.tui.timeline.points import segment_end

        at = self.at(row)
        index, end = int(self.wals.index[at]), segment_end(self.wals, at)
        return f"{index:08x}" if end is None else f"{self.wals.generation}/{index:08x}:{end}"

    def cells(self, row: int) -> Sequence[Cell]:
        one, now = self.wals[self.at(row)], self.now_ns()
        return (
            f"{one.index:08x}",
            ("whole", "muted") if one.offset is None else str(one.offset),
            format_size(one.size),
            format_clock(one.created_ns, now),
            (format_age(one.created_ns, now), "muted"),
            (one.name, "muted"),
        )

    def key(self, row: int) -> Hashable:
        at = self.at(row)
        return (int(self.wals.index[at]), int(self.wals.offset[at]), int(self.wals.form[at]))

    def find(self, key: Hashable) -> int | None:
        import numpy as np

        if not isinstance(key, tuple):
            return None
        rows = self.wals.rows_of(key[0])
        at = rows.start + int(self.wals.offset[rows.start : rows.stop].searchsorted(np.uint64(key[1])))
        while at < rows.stop and int(self.wals.offset[at]) == key[1]:
            if int(self.wals.form[at]) == key[2] and self.start <= at < self.stop:
                return self.stop - 1 - at
            at += 1
        return None

    def matching(self, word: str, cancel: CancelToken) -> Any:
        """By index, offset, name (its offset is hex) and the time of day."""
        import numpy as np

        of, wals = np.arange(self.start, self.stop), self.wals
        segments, index, offset = ~wals.whole[of], wals.index[of], wals.offset[of]
        found = hex_holds(index, 8, word) | clock_holds(wals.mtime_ns[of], word)
        found |= (decimal_holds(offset, word) | hex_holds(offset, 8, word)) & segments
        if word in "whole":
            found |= ~segments
        if set(word) & set("_.wlz"):
            for start in range(0, len(of), CHUNK):
                cancel.check()
                some = wals.names_of(of[start : start + CHUNK])
                found[start : start + CHUNK] |= [word in name for name in some]
        return found[::-1]

    def record(self, row: int) -> dict[str, object]:
        one = self.wals[self.at(row)]
        created = format_time(one.created_ns)
        return {"index": f"{one.index:08x}", "offset": one.offset, "size": one.size, "created": created,
                "file": one.name}  # fmt: skip

    def sort_values(self, column: int) -> Any:
        import numpy as np

        of = slice(self.start, self.stop)
        wals = self.wals
        place = np.arange(self.start, self.stop)  # the table is sorted by index and offset, as its names are
        values = (place, wals.offset[of], wals.size[of], wals.mtime_ns[of], -wals.mtime_ns[of], place)
        return values[column][::-1]

    def sortable(self, column: int) -> bool:
        return True
