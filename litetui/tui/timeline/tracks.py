"""Tracks of generations: made from the names, sizes and times of a view, and from what a check found. Pure.

What restores, and from which time on, is the one rule of ops.restorable; what a check found damaged is taken out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litetui.tui.grouping import SLACK_NS, rising
from litetui.tui.timeline.ltx import ltx_track
from litetui.tui.timeline.model import UNREAD, Holes, Timeline, Track, Words, merge
from litetui.tui.tree_line import LTX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from litetui.ops.restorable import Ways
    from litetui.ops.verdict import GenerationReport
    from litetui.replica.catalog import WALTable
    from litetui.tui.checks import Check, Checks
    from litetui.tui.model import GenerationView, ReplicaView

PACE_NS = 1_000_000  # segments that follow each other faster than that were copied: each stands for a sync
BACKWARDS = 20  # one time in so many may run backwards, as after a step of the clock


def timeline(view: ReplicaView, names: Iterable[str], checks: Checks) -> Timeline | None:
    """The timeline of some generations and, as `ltx`, of the LTX files; None where they hold nothing."""
    wanted = set(names)
    generations = [g for g in reversed(view.generations) if g.name in wanted and (len(g.wals) or g.snapshots)]
    ltx = view.ltx if LTX in wanted and view.ltx is not None and len(view.ltx.table) else None
    by_order = not all(map(in_order, generations)) or (ltx is not None and not rising(ltx.points.time_ns)[1])
    tracks = [wal_track(g, checks.get(g.name), by_order) for g in generations]
    if ltx is not None:
        tracks.append(ltx_track(ltx, checks.get(LTX), by_order))
    if not by_order:
        tracks.sort(key=lambda track: track.start)
    return merge(tracks, by_order)


def in_order(generation: GenerationView) -> bool:
    """Whether its files' times rise with their positions, as those of the writer do: else it was copied without."""
    import numpy as np

    table = generation.wals
    times = table.mtime_ns[~table.whole]
    backwards = int((times[1:] < times[:-1]).sum()) if len(times) > 1 else 0
    rows = np.searchsorted(table.index, [s.index for s in generation.snapshots])
    early = [s for s, row in zip(generation.snapshots, rows.tolist(), strict=True)
             if row < len(table) and s.created_ns < int(table.mtime_ns[row]) - SLACK_NS
             and int(table.index[row]) == s.index and not table.whole[row]]  # fmt: skip
    hurried = len(times) > 8 and int(times.max() - times.min()) < PACE_NS * len(times)
    return generation.indexes.in_order and backwards * BACKWARDS <= len(times) and not early and not hurried


def wal_track(generation: GenerationView, check: Check | None, by_order: bool) -> Track:
    """The track of a generation, which has a file."""
    import numpy as np

    from litetui.ops.restorable import Ways, until_later

    table, report = generation.wals, check.report if check is not None and check.read_bytes else None
    snapshots = _Snapshots(generation, report)
    ways = Ways(table, snapshots.index[snapshots.sound])
    if report is not None:
        ways.damage(ways.reached & _damaged(table, report))
    index = ways.index
    rows = np.arange(len(table))
    if by_order:
        row_x = rows + np.searchsorted(snapshots.index, index, side="right")
        snapshots.x = np.searchsorted(index, snapshots.index) + np.arange(len(snapshots.index))
    else:
        row_x = until_later(table.mtime_ns)
    usable = np.flatnonzero(snapshots.sound)
    usable = usable[np.argsort(snapshots.x[usable], kind="stable")]
    reached, counts_x = ways.points(row_x, snapshots.x[snapshots.sound])
    at = np.searchsorted(counts_x[reached], snapshots.x[usable])
    point_x = np.insert(counts_x[reached], at, snapshots.x[usable])
    holes = _holes(ways, snapshots, counts_x, point_x)
    ends = [*(column[edge] for column in (row_x, np.sort(snapshots.x)) if len(column) for edge in (0, -1))]
    checked_x = None
    if report is not None and check is not None and not check.integrity_failed and not check.differs:
        listed = rows[table.mtime_ns <= (report.updated_ns or 0)]
        checked_x = (int(row_x[listed[-1]]) if len(listed) else None) if by_order else report.updated_ns
    return Track(
        generation.name,
        generation.newest,
        generation,
        check,
        point_x,
        np.insert(reached, at, -1 - usable),
        snapshots.x[usable],
        holes,
        row_x,
        np.concatenate([[0], np.cumsum(np.maximum(table.size, 0))]),
        int(min(ends)),
        int(max(ends)),
        checked_x,
    )


class _Snapshots:
    """The snapshots of a generation as columns; `sound`: with content, and not found damaged; and the indexes of which
    a check could not read all (`unread`)."""

    def __init__(self, generation: GenerationView, report: GenerationReport | None) -> None:
        import numpy as np

        self.index = np.array([s.index for s in generation.snapshots], np.int64)
        self.x = np.array([s.created_ns for s in generation.snapshots], np.int64)
        self.sound = np.array([s.size > 0 for s in generation.snapshots], bool)
        self.unread = {f.index for f in report.findings if f.code == "unreadable"} if report is not None else set()
        if report is not None:
            spans = [((w.start.index, w.start.offset), (w.end.index, w.end.offset)) for w in report.windows]
            for n, one in enumerate(generation.snapshots):
                if one.created_ns <= (report.updated_ns or 0):
                    self.sound[n] &= any(start <= (one.index, 0) <= end for start, end in spans)


def _damaged(table: WALTable, report: GenerationReport) -> Any:
    """The rows that a check has listed, and that lie in none of its windows."""
    import numpy as np

    good = np.zeros(len(table), bool)
    at_fault = {f.index for f in report.findings if f.severity == "error" and "/snapshots/" not in (f.path or "")}
    before_gaps = {(f.index, f.offset) for f in report.findings if f.code == "missing-segment"}
    for window in report.windows:
        ending = table.rows_of(window.end.index)
        good[int(np.searchsorted(table.index, window.start.index)) : ending.start] = True
        if not ending:
            continue
        pieces = np.arange(ending.start, ending.stop)
        ends = np.append(table.offset[pieces[1:]].astype(np.int64), 0)
        whole = table.whole[pieces]
        whole[:-1] |= whole[1:]
        inside = ends <= window.end.offset
        # Where the last piece of a WAL ends is not known from names: it is sound unless something is wrong with it.
        last = whole | (pieces == ending.stop - 1)
        sound = window.end.index not in at_fault
        inside[last] = sound & (table.offset[pieces[last]].astype(np.int64) < window.end.offset)
        if (window.end.index, window.end.offset) in before_gaps:  # all of the piece before the gap was read
            inside |= table.offset[pieces].astype(np.int64) < window.end.offset
        good[pieces] |= inside
    return (table.mtime_ns <= (report.updated_ns or 0)) & ~good


def _holes(ways: Ways, snapshots: _Snapshots, row_x: Any, point_x: Any) -> Holes:
    import numpy as np

    lost = ways.lost.astype(np.int8)
    edges = np.diff(lost, prepend=0, append=0)
    begins, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    passed = ways.jump & ways.reached
    passed[1:] &= ways.reached[:-1]
    jumps = np.flatnonzero(passed)
    begins, stops = np.concatenate([begins, jumps]), np.concatenate([stops, jumps])
    order = np.argsort(begins, kind="stable")
    begins, stops = begins[order], stops[order]
    n = len(ways.index)
    start = row_x[np.maximum(begins - 1, 0)]
    inner = stops < n
    end = row_x[np.minimum(stops, n - 1)] if n else row_x[:0]
    if len(snapshots.index):
        # The snapshot that the way goes on from may be older than the first file of its index.
        at = np.minimum(
            np.searchsorted(snapshots.index, ways.index[np.minimum(stops, n - 1)]), len(snapshots.index) - 1
        )
        end = np.where(inner, np.maximum(np.minimum(end, snapshots.x[at]), start), end)
    before = np.searchsorted(point_x, start, side="right") - 1
    before[begins == 0] = np.where(point_x[:1] < start[begins == 0], before[begins == 0], -1) if len(point_x) else -1
    after = np.searchsorted(point_x, end, side="left")
    after[~inner | (after >= len(point_x))] = -1
    return Holes(start, end, before, after, _words(ways, snapshots, begins))


def _words(ways: Ways, snapshots: _Snapshots, begins: Any) -> Callable[[int], Words]:
    def words(number: int) -> Words:
        row = int(begins[number])
        index = int(ways.index[row])
        if ways.damaged[row] and index in snapshots.unread:
            return (f"not read from {index:08x} on", UNREAD)
        if ways.damaged[row]:
            return (f"damaged from {index:08x} on", "damaged")
        if ways.empty[row]:
            return (f"WAL file {ways.table.name(row)} is empty", f"{index:08x} is empty", "empty")
        if ways.headless[row]:
            return (f"the first segment of {index:08x} is missing", f"start of {index:08x} missing", "missing")
        known = snapshots.index.tolist()
        if ways.jump[row]:
            return _missing(int(ways.index[row - 1]) + 1, index - 1)
        if not known:
            return ("no snapshot: nothing of it restores", "no snapshot")
        if not snapshots.sound.any():
            return ("no snapshot of it is sound: nothing restores", "no sound snapshot")
        if known[0] < index:
            return _missing(known[0], index - 1)
        if known[0] == index:
            return (f"snapshot {index:08x} is damaged or empty", "snapshot damaged")
        return ("before the first snapshot", "no snapshot")

    return words


def _missing(first: int, last: int) -> Words:
    which = f"{first:08x}" + (f" to {last:08x}" if last > first else "")
    return (f"WAL {which} missing", "missing", "gap")
