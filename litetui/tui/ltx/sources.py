"""Tables of a v0.5 replica: levels, LTX files, restore points. Rows on demand, as in tables/sources.py."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from litetui.jobs.progress import CancelToken
from litetui.tui.ltx.model import SNAPSHOTS, LevelView, LTXView, RestorePoints, row_of
from litetui.tui.tables.matching import clock_holds, hex_holds
from litetui.tui.tables.sources import Cell, Clock, Column, Source
from litetui.units import format_age, format_clock, format_size, format_time

REACHED = "to its end"
UNREACHED = "no: a gap"
OUTDATED = "no: start is gone"  # what it follows on was deleted, as retention does it


class LevelSource(Source):
    """The levels of a replica: snapshots, then from level 0 up."""

    empty = "no LTX files: Litestream 0.5 has written nothing here yet"
    columns = (
        Column("Level", 11),
        Column("Files", 7, right=True),
        Column("Size", 9, right=True),
        Column("First TXID", 16, right=True, drop=2),
        Column("Last TXID", 16, right=True),
        Column("First (UTC)", 21, right=True, drop=3),
        Column("Last (UTC)", 21, right=True, drop=2),
        Column("Age", 10, right=True),
    )

    def __init__(self, levels: Sequence[LevelView], now_ns: Clock) -> None:
        self.levels = tuple(levels)
        self.now_ns = now_ns

    def __len__(self) -> int:
        return len(self.levels)

    def cells(self, row: int) -> Sequence[Cell]:
        one, now = self.levels[row], self.now_ns()
        return (
            f"{one.level} snapshots" if one.level == SNAPSHOTS else str(one.level),
            f"{len(one.table):,}",
            format_size(one.size),
            f"{one.first:016x}",
            f"{one.last:016x}",
            format_clock(one.first_ns, now),
            format_clock(one.last_ns, now),
            (format_age(one.last_ns, now), "muted"),
        )

    def key(self, row: int) -> Hashable:
        return self.levels[row].level

    def record(self, row: int) -> dict[str, object]:
        one = self.levels[row]
        return {
            "level": one.level,
            "files": len(one.table),
            "size": one.size,
            "min_txid": f"{one.first:016x}",
            "max_txid": f"{one.last:016x}",
            "start": format_time(one.first_ns),
            "end": format_time(one.last_ns),
        }

    def sort_values(self, column: int) -> Any:
        pick: tuple[Callable[[LevelView], int], ...] = (
            lambda one: one.level,
            lambda one: len(one.table),
            lambda one: one.size,
            lambda one: one.first,
            lambda one: one.last,
            lambda one: one.first_ns,
            lambda one: one.last_ns,
            lambda one: -one.last_ns,
        )
        return [pick[column](one) for one in self.levels]


class LTXFileSource(Source):
    """LTX files of one level, the newest first."""

    empty = "no LTX files in this level"
    newest_at = "first"

    def __init__(self, level: LevelView, points: RestorePoints, now_ns: Clock, *, copied: bool = False) -> None:
        """`copied`: the files' own times are not those that count, and are shown beside them."""
        self.copied = copied
        self.table = level.table
        self.points = points
        self.now_ns = now_ns
        self.columns: Sequence[Column] = (
            Column("Level", 5, right=True, drop=3),
            Column("First TXID", 16, right=True),
            Column("Last TXID", 16, right=True),
            Column("TXIDs", 7, right=True, drop=3),
            Column("Size", 8, right=True),
            Column("Created (UTC)", 20, right=True, drop=1),
            Column("Age", 10, right=True),
            Column("Restores", 17, drop=0 if level.unreached else 2, grow=True),
        )
        if copied:
            self.columns = (*self.columns, Column("File time (UTC)", 20, right=True, drop=2))

    def __len__(self) -> int:
        return len(self.table)

    def at(self, row: int) -> int:
        """The row of the level's table."""
        return len(self.table) - 1 - row

    def last_txid(self, row: int) -> int | None:
        """The TXID that the file ends with, None where no restore reaches it."""
        txid = int(self.table.max_txid[self.at(row)])
        return txid if self.points.has(txid) else None

    def cells(self, row: int) -> Sequence[Cell]:
        one, now = self.table[self.at(row)], self.now_ns()
        return (
            (str(one.level), "muted"),
            f"{one.min_txid:016x}",
            f"{one.max_txid:016x}",
            f"{one.max_txid - one.min_txid + 1:,}",
            format_size(one.size),
            format_clock(one.time_ns, now),
            (format_age(one.time_ns, now), "muted"),
            self._restores(one.max_txid),
            *([(format_clock(one.mtime_ns, now), "warning")] if self.copied else []),
        )

    def _restores(self, txid: int) -> Cell:
        if self.points.has(txid):
            return (REACHED, "muted")
        return (UNREACHED, "error") if txid > self.points.last else (OUTDATED, "muted")

    def key(self, row: int) -> Hashable:
        at = self.at(row)
        return (int(self.table.level[at]), int(self.table.min_txid[at]), int(self.table.max_txid[at]))

    def find(self, key: Hashable) -> int | None:
        found = row_of(self.table, key[1], key[2]) if isinstance(key, tuple) else None
        return None if found is None else len(self.table) - 1 - found

    def matching(self, word: str, cancel: CancelToken) -> Any:
        """By TXID, what is said of restores, and the time of day."""
        import numpy as np

        t = self.table
        restores = np.isin(t.max_txid, self.points.txid)
        beyond = t.max_txid > np.uint64(self.points.last)
        found = hex_holds(t.min_txid, 16, word) | hex_holds(t.max_txid, 16, word) | clock_holds(t.time_ns, word)
        for text, rows in ((REACHED, restores), (UNREACHED, ~restores & beyond), (OUTDATED, ~restores & ~beyond)):
            if word in text:
                found |= rows
        return found[::-1]

    def record(self, row: int) -> dict[str, object]:
        one = self.table[self.at(row)]
        return {
            "level": one.level,
            "min_txid": f"{one.min_txid:016x}",
            "max_txid": f"{one.max_txid:016x}",
            "size": one.size,
            "timestamp": format_time(one.time_ns),
            "restores": self.points.has(one.max_txid),
        }

    def sort_values(self, column: int) -> Any:
        t = self.table
        count = t.max_txid - t.min_txid
        values = (None, t.min_txid, t.max_txid, count, t.size, t.time_ns, -t.time_ns, None, t.mtime_ns)[column]
        return None if values is None else values[::-1]


class PointSource(Source):
    """The restore points, the newest first."""

    empty = "no restore point: no file begins with the first TXID"
    newest_at = "first"
    columns: Sequence[Column] = (
        Column("TXID", 16, right=True),
        Column("Created (UTC)", 21, right=True),
        Column("Age", 10, right=True),
        Column("Ends a file of", 16, grow=True),
    )

    def __init__(self, view: LTXView, now_ns: Clock) -> None:
        self.view = view
        self.points = view.points
        self.now_ns = now_ns

    def __len__(self) -> int:
        return len(self.points)

    def at(self, row: int) -> int:
        return len(self.points) - 1 - row

    def cells(self, row: int) -> Sequence[Cell]:
        at, now = self.at(row), self.now_ns()
        time_ns, more = int(self.points.time_ns[at]), int(self.points.files[at]) - 1
        level = int(self.view.table.level[int(self.points.row[at])])
        return (
            f"{int(self.points.txid[at]):016x}",
            format_clock(time_ns, now),
            (format_age(time_ns, now), "muted"),
            (f"level {level}" + (f", and {more} more" if more else ""), "muted"),
        )

    def txid(self, row: int) -> int:
        return int(self.points.txid[self.at(row)])

    def key(self, row: int) -> Hashable:
        return self.txid(row)

    def find(self, key: Hashable) -> int | None:
        found = self.points.find(key) if isinstance(key, int) else None
        return None if found is None else len(self.points) - 1 - found

    def matching(self, word: str, cancel: CancelToken) -> Any:
        """By TXID and the time of day."""
        return (hex_holds(self.points.txid, 16, word) | clock_holds(self.points.time_ns, word))[::-1]

    def record(self, row: int) -> dict[str, object]:
        at = self.at(row)
        return {"txid": f"{int(self.points.txid[at]):016x}", "timestamp": format_time(int(self.points.time_ns[at]))}

    def sort_values(self, column: int) -> Any:
        p = self.points
        values = (p.txid, p.time_ns, -p.time_ns, None)[column]
        return None if values is None else values[::-1]
