"""The timeline's track of a v0.5 replica: restore points are TXIDs that a file ends with and a way leads to. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from litetui.tui.ltx.model import SNAPSHOTS, RestorePoints, gap_words, ltx_key
from litetui.tui.timeline.model import Holes, Track, Words
from litetui.tui.tree_line import LTX

if TYPE_CHECKING:
    from litetui.replica.ltx import LTXTable
    from litetui.tui.checks import Check
    from litetui.tui.ltx.model import LTXView


def ltx_track(ltx: LTXView, check: Check | None, by_order: bool) -> Track:
    """The track of the LTX files, of which there is one at least. What a check found damaged leads nowhere."""
    import numpy as np

    table, points = ltx.table, ltx.points
    broken = _broken_files(ltx, check)
    if broken is not None:
        points = _sound_points(table, points, broken)
        table = table.take(~broken)
        ltx = replace(ltx, points=points)
    count = len(points)
    x = np.arange(count) if by_order else np.maximum.accumulate(points.time_ns)
    holes = _holes(ltx.table, table, points, x, by_order)
    of_snapshot = np.isin(points.txid, table.max_txid[table.level == SNAPSHOTS])
    file_x, sizes = _changes(ltx.table, points, by_order)
    edges = [int(v) for v in (*x[:1], *x[-1:], *holes.start[:1], *holes.end[-1:])]
    return Track(
        LTX,
        True,
        ltx,
        check,
        x,
        np.where(of_snapshot, -1 - np.arange(count), np.arange(count)),
        x[of_snapshot],
        holes,
        file_x,
        np.concatenate([[0], np.cumsum(sizes)]),
        min(edges),
        max(edges),
        _checked_x(check, points, x),
    )


def _changes(table: LTXTable, points: RestorePoints, by_order: bool) -> tuple[Any, Any]:
    """Where changes were written, and how much: of the files that end with a TXID the one of the lowest level counts,
    as the others hold the same once more; a snapshot is no change."""
    import numpy as np

    order = np.lexsort((table.level, table.max_txid))
    ends, first = np.unique(table.max_txid[order], return_index=True)
    rows = order[first]
    x = np.searchsorted(points.txid, ends) if by_order else np.maximum.accumulate(table.time_ns[rows])
    return x, np.where(table.level[rows] == SNAPSHOTS, 0, table.size[rows])


def _checked_x(check: Check | None, points: RestorePoints, x: Any) -> int | None:
    import numpy as np

    if check is None or not check.read_bytes or check.integrity_failed or check.differs:
        return None
    to = check.report.restorable_to
    listed = points.txid <= np.uint64(to.offset if to is not None else 0)
    return int(x[listed][-1]) if listed.any() else None


def _broken_files(ltx: LTXView, check: Check | None) -> Any:
    """Which files a check found damaged, None where none of them is."""
    import numpy as np

    if check is None or not check.read_bytes:
        return None
    table = ltx.table
    broken = np.zeros(len(table), bool)
    for finding in check.report.findings:
        key = ltx_key(finding.path) if finding.severity == "error" and finding.code != "unreadable" else None
        if key is not None:
            level, low, high = key[1], np.uint64(key[2]), np.uint64(key[3])
            broken |= (table.level == level) & (table.min_txid == low) & (table.max_txid == high)
    return broken if broken.any() else None


def _sound_points(table: LTXTable, points: RestorePoints, broken: Any) -> RestorePoints:
    """The points whose way, as ops.ltx_plan chooses it by names, goes through no broken file.

    A way takes a file as long as no file that begins no later reaches further, and until a snapshot leads beyond it."""
    import numpy as np

    keep = np.ones(len(points), bool)
    snapshots = np.sort(table.max_txid[table.level == SNAPSHOTS])
    changes = table.level < SNAPSHOTS
    for row in np.flatnonzero(broken).tolist():
        low, high, level = table.min_txid[row], table.max_txid[row], table.level[row]
        is_snapshot = level == SNAPSHOTS
        later = snapshots[snapshots > high] if is_snapshot else snapshots[snapshots >= high]
        taken = (points.txid >= high) & (points.txid < later[0] if len(later) else np.True_)
        if not is_snapshot:
            better = changes & (table.min_txid <= low) & (table.max_txid >= high)
            better &= (table.max_txid > high) | (table.min_txid < low) | (table.level > level)
            if better.any():
                taken &= points.txid < table.max_txid[better].min()
        keep &= ~taken
    return RestorePoints(points.txid[keep], points.time_ns[keep], points.row[keep], points.files[keep])


def _holes(every: LTXTable, table: LTXTable, points: RestorePoints, x: Any, by_order: bool) -> Holes:
    """Where files end that no way leads to. Not before the first restore point, where retention leaves such, nor where
    a file of a higher level, which follows on, holds what they hold. `every`: with those that are damaged."""
    import numpy as np

    stop = len(points)
    ends = np.unique(every.max_txid)
    ends = ends[~np.isin(ends, points.txid)]
    if stop:
        ends = ends[ends > points.txid[0]]
        ends = ends[~np.append(_goes_on(table, points), False)[np.searchsorted(points.txid, ends)]]
    at, begins = np.unique(np.searchsorted(points.txid, ends), return_index=True)
    before, after = at.astype(np.int64) - 1, np.where(at < stop, at, -1).astype(np.int64)
    first_x, last_x = (0, stop) if by_order else (int(every.time_ns.min()), int(every.time_ns.max()))
    bounds = np.append(x, last_x)
    start = bounds[np.maximum(before, 0)] if stop else np.full(len(at), first_x)
    end = np.maximum(bounds[at], start)
    damaged = len(every) > len(table)

    def words(number: int) -> Words:
        if before[number] < 0:
            return ("no file begins with the first TXID: nothing restores", "nothing restores")
        reached = int(points.txid[before[number]])
        limit = int(begins[number + 1]) if number + 1 < len(begins) else len(ends)
        inside = np.isin(every.max_txid, ends[int(begins[number]) : limit])
        lowest = int(every.min_txid[inside].min())
        if damaged or lowest <= reached + 1:
            return (f"damaged from TXID {reached + 1:016x} on", "damaged")
        return (gap_words((reached + 1, lowest - 1)), "missing", "gap")

    return Holes(start, end, before, after, words)


def _goes_on(table: LTXTable, points: RestorePoints) -> Any:
    """For each restore point, whether a file of changes leads to it from the one before."""
    import numpy as np

    found = np.zeros(len(points), bool)
    changes = np.flatnonzero(table.level < SNAPSHOTS)
    if len(changes):
        changes = changes[
            np.lexsort((table.min_txid[changes], table.max_txid[changes]))
        ]  # the longest of each end first
        ends = table.max_txid[changes]
        row = np.minimum(np.searchsorted(ends, points.txid[1:]), len(ends) - 1)
        found[1:] = (ends[row] == points.txid[1:]) & (table.min_txid[changes][row] <= points.txid[:-1] + np.uint64(1))
    return found
