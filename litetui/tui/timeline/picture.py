"""The timeline as cells: ticks, the bar of what restores, and the histogram under it. Pure; a few searches a redraw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litetui.tui.timeline.axis import DAY, HOUR, MINUTE, ROOM, SECOND, Axis
from litetui.tui.timeline.model import Timeline, Track
from litetui.tui.timeline.points import spot
from litetui.tui.tree_line import LTX
from litetui.units import format_duration, format_size

LEVELS = 8
LABEL_MARGIN = 2  # cells of hatching on each side of a hole's words, together
_HOLE, _COVER, _SNAPSHOT, _THIN = 1, 2, 3, 4  # what hides what, where tracks or cells meet
KINDS = ("", "hole", "window", "snapshot", "hole")  # names of glyphs
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn of a stretch of the axis, in `width` cells.

    cells   a kind (of KINDS) and a status for each
    labels  words over holes: the cell where they begin, and the words
    levels  of the histogram, 0 to LEVELS; `peak` says what the highest stands for
    cursor  the cell of the cursor, -1 where it is out of sight
    """

    ticks: str
    cells: tuple[tuple[str, str], ...]
    labels: tuple[tuple[int, str], ...]
    levels: tuple[int, ...]
    peak: str
    cursor: int


def whole(timeline: Timeline, now_ns: int) -> Range:
    """All of a timeline; up to now where its newest file is young beside it. A single moment gets room around it."""
    start, end = timeline.start, timeline.end
    if timeline.by_order:
        return start, max(end, start + 1)
    if any(track.newest for track in timeline.tracks) and 0 < now_ns - end <= (end - start) // 4:
        end = now_ns
    if end == start:
        return start - 30 * SECOND, end + 30 * SECOND
    if end - start < 2 * SECOND:
        middle = (start + end) // 2
        return middle - SECOND, middle + SECOND
    return start, end


def zoomed(shown: Range, full: Range, at: int, factor: float, width: int, by_order: bool) -> Range:
    """A stretch `factor` times as long, with a place in the same cell; never beyond all, never under a ms a cell."""
    length = shown[1] - shown[0]
    least = width if by_order else width * (SECOND // 1000)
    new = min(full[1] - full[0], max(least, int(length * factor)))
    start = at - (at - shown[0]) * new // max(1, length)
    return _inside((start, start + new), full)


def following(shown: Range, full: Range, at: int) -> Range:
    """The stretch moved so that a place is in sight."""
    if shown[0] <= at <= shown[1]:
        return _inside(shown, full)
    half = (shown[1] - shown[0]) // 2
    return _inside((at - half, at + half), full)


def _inside(shown: Range, full: Range) -> Range:
    length = min(shown[1] - shown[0], full[1] - full[0])
    start = min(max(shown[0], full[0]), full[1] - length)
    return start, start + length


def draw(timeline: Timeline, shown: Range, width: int, cursor: int) -> Picture:
    """The picture of a stretch; `cursor` is a point, -1 for none."""
    import numpy as np

    axis = Axis(*shown, width)
    edges = _edges(axis)
    kinds, bad = np.zeros(width, np.int8), np.zeros(width, bool)
    checked, stored = np.ones(width, bool), np.zeros(width, np.int64)
    labels: list[tuple[int, int, tuple[str, ...]]] = []
    for track in timeline.tracks:
        if track.end < shown[0] or track.start > shown[1]:
            continue
        own, own_bad = _kinds(track, shown, edges, labels)
        kinds = np.maximum(kinds, own)
        bad |= own_bad
        upto = -1 if track.checked_x is None else int(_cells(edges, track.checked_x))
        if track.checked_x is not None and track.checked_x < shown[0]:
            upto = -1
        checked &= (own < _COVER) | (np.arange(width) <= upto)
        stored += np.diff(track.bytes_before[np.searchsorted(track.file_x, np.append(edges[:-1], edges[-1] + 1))])
    cells = []
    for n, kind in enumerate(kinds.tolist()):
        status = "success" if kind in (_COVER, _SNAPSHOT) and checked[n] else ""
        if kind in (_HOLE, _THIN):
            status = "error" if bad[n] else "warning"
        cells.append((KINDS[kind], status))
    x = int(timeline.x[cursor]) if cursor >= 0 else 0
    top = int(stored.max())
    return Picture(
        _ticks(timeline, axis, edges),
        tuple(cells),
        tuple(_fitting(labels, kinds)),
        tuple((-(-stored * LEVELS // max(1, top))).tolist()),
        _peak(top, (shown[1] - shown[0]) // width, timeline.by_order),
        axis.cell(x) if cursor >= 0 and shown[0] <= x <= shown[1] else -1,
    )


def _edges(axis: Axis) -> Any:
    """Where each cell begins, and the end of the last: exact, so that it agrees with `Axis.cell`."""
    import numpy as np

    span = max(1, axis.end_ns - axis.start_ns)
    return np.array([axis.start_ns - (-k * span // axis.width) for k in range(axis.width + 1)], np.int64)


def _cells(edges: Any, x: Any) -> Any:
    import numpy as np

    return np.searchsorted(edges[1:-1], x, side="right")


def _kinds(track: Track, shown: Range, edges: Any, labels: list[tuple[int, int, tuple[str, ...]]]) -> tuple[Any, Any]:
    """What one track puts into each cell, and where a hole is one that reaches to its end."""
    import numpy as np

    width = len(edges) - 1
    kinds, bad = np.zeros(width, np.int8), np.zeros(width, bool)
    if len(track.point_x):
        first, last = int(track.point_x[0]), int(track.point_x[-1])
        if first <= shown[1] and last >= shown[0]:
            kinds[int(_cells(edges, first)) : int(_cells(edges, last)) + 1] = _COVER
    holes = track.holes
    low, high = int(np.searchsorted(holes.end, shown[0])), int(np.searchsorted(holes.start, shown[1], "right"))
    numbers = np.arange(low, max(low, high))
    begin, stop = _cells(edges, holes.start[numbers]), _cells(edges, holes.end[numbers])
    begin = begin + ((holes.before[numbers] >= 0) & (holes.start[numbers] >= shown[0]))
    stop = stop - ((holes.after[numbers] >= 0) & (holes.end[numbers] <= shown[1]))
    thin = begin > stop
    begin[thin] = np.minimum(begin[thin] - 1, width - 1).clip(0)
    stop[thin] = begin[thin]
    open_end = holes.after[numbers] < 0
    kinds[_covered(begin[~thin], stop[~thin], width)] = _HOLE
    bad |= _covered(begin[open_end], stop[open_end], width)
    snapshots = track.snapshot_x[(track.snapshot_x >= shown[0]) & (track.snapshot_x <= shown[1])]
    kinds[_cells(edges, snapshots)] = _SNAPSHOT
    kinds[begin[thin]] = _THIN
    wide = np.flatnonzero(stop - begin >= 2 + LABEL_MARGIN)
    labels += [(int(begin[n]), int(stop[n]) + 1, holes.words(int(numbers[n]))) for n in wide.tolist()]
    return kinds, bad


def _covered(begin: Any, stop: Any, width: int) -> Any:
    """Which cells any of many stretches covers."""
    import numpy as np

    steps = np.zeros(width + 1, np.int64)
    np.add.at(steps, begin, 1)
    np.add.at(steps, stop + 1, -1)
    return np.cumsum(steps[:-1]) > 0


def _fitting(labels: list[tuple[int, int, tuple[str, ...]]], kinds: Any) -> list[tuple[int, str]]:
    """The longest words that fit into each hole, in its middle, where nothing else is drawn."""
    found = []
    for begin, stop, words in labels:
        room = stop - begin - LABEL_MARGIN
        text = next((w for w in words if len(w) <= room), "")
        if text and (kinds[begin:stop] == _HOLE).all():
            found.append((begin + (stop - begin - len(text)) // 2, text))
    return found


def _ticks(timeline: Timeline, axis: Axis, edges: Any) -> str:
    if not timeline.by_order:
        return axis.line()
    cells = [" "] * axis.width
    length = 16 if any(track.name == LTX for track in timeline.tracks) else 8
    for at in range(0, axis.width - length + 1, max(ROOM, length + 4)):
        point = timeline.near(int(edges[at]))
        if point >= 0:
            here = spot(timeline, point)
            text = f"{here.index:016x}" if here.kind == "txid" else f"{here.index:08x}"
            cells[at : at + len(text)] = text
    return "".join(cells)


def _peak(top: int, cell_ns: int, by_order: bool) -> str:
    """The highest cell as a rate in the largest unit of time that is not longer than a cell."""
    if not top:
        return ""
    if by_order:
        return f"peak {format_size(top)}"
    if cell_ns < SECOND:
        return f"peak {format_size(top)}/{format_duration(cell_ns)}"
    unit, name = next(((u, n) for u, n in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")) if u <= cell_ns), (SECOND, "s"))
    return f"peak {format_size(top * unit // cell_ns)}/{name}"
