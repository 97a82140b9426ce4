"""The timeline's model: restore points, what covers them, holes and bytes, on one axis of time or of order. Pure.

A track is a generation, or the LTX files of a replica; a timeline puts tracks on one axis. Everything is a sorted
column, so that a million files cost a few searches a redraw. Tracks are made in tracks.py, from the view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litetui.tui.checks import Check
    from litetui.tui.ltx.model import LTXView
    from litetui.tui.model import GenerationView

Words = tuple[str, ...]  # the same thing said, the longest first
UNREAD = "not read"  # of a hole, said last: nobody knows whether it is one


@dataclass(frozen=True, slots=True, eq=False)
class Holes:
    """Stretches without a restore point where files are missing, damaged or of no use; ascending, apart.

    start, end     their places on the axis
    before, after  the points on both sides, by their numbers in the track; -1 where there is none
    words          what is wrong with one of them
    """

    start: Any
    end: Any
    before: Any
    after: Any
    words: Callable[[int], Words] = field(repr=False)

    def __len__(self) -> int:
        return len(self.start)

    def beside(self, point: int, *, after: bool) -> int | None:
        """The hole that a point ends, or begins (`after`)."""
        import numpy as np

        column = self.before if after else self.after
        found = np.flatnonzero(column == point).tolist() if point >= 0 else []
        return found[0] if found else None


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One generation, or the LTX files, on the axis. Places `x` are ns since the epoch, or numbers in order.

    source        the view that it was made of; `check` what was known of its bytes
    point_x       of each restore point, ascending; only points that can be reached
    point_item    of each: the row of its file (of `LTXView.points` for LTX), or -1 - n for the n-th snapshot
    snapshot_x    of each snapshot that is a restore point, ascending
    file_x        of each file that holds changes, ascending; `bytes_before` has one value more: stored bytes up to it
    start, end    where it begins and ends, holes included
    checked_x     up to where a check read the bytes; None: none did
    """

    name: str
    newest: bool
    source: GenerationView | LTXView = field(repr=False)
    check: Check | None = field(repr=False)
    point_x: Any = field(repr=False)
    point_item: Any = field(repr=False)
    snapshot_x: Any = field(repr=False)
    holes: Holes = field(repr=False)
    file_x: Any = field(repr=False)
    bytes_before: Any = field(repr=False)
    start: int
    end: int
    checked_x: int | None

    def moved(self, by: int) -> Track:
        """The same further along the axis."""
        holes = replace(self.holes, start=self.holes.start + by, end=self.holes.end + by)
        return replace(
            self,
            point_x=self.point_x + by,
            snapshot_x=self.snapshot_x + by,
            holes=holes,
            file_x=self.file_x + by,
            start=self.start + by,
            end=self.end + by,
            checked_x=None if self.checked_x is None else self.checked_x + by,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Tracks on one axis, and the restore points of all of them in its order.

    x          of each restore point, ascending
    order      which point it is, counted through all tracks; None: of the one track, as it stands
    landmarks  the points that are snapshots, or stand beside a hole, or at an end
    by_order   places are numbers, not times: the files' times are not those of the writer
    """

    tracks: tuple[Track, ...]
    x: Any = field(repr=False)
    order: Any = field(repr=False)
    landmarks: Any = field(repr=False)
    by_order: bool
    start: int
    end: int

    def __len__(self) -> int:
        return len(self.x)

    def where(self, point: int) -> tuple[Track, int]:
        """The track of a point, and its number in that."""
        at = point if self.order is None else int(self.order[point])
        for track in self.tracks:
            if at < len(track.point_x):
                return track, at
            at -= len(track.point_x)
        raise IndexError(point)

    def number(self, track: Track, local: int) -> int:
        """The point of a track, counted in the order of the axis."""
        import numpy as np

        at = local
        for other in self.tracks:
            if other is track:
                break
            at += len(other.point_x)
        return at if self.order is None else int(np.flatnonzero(self.order == at)[0])

    def near(self, x: int) -> int:
        """The point next to a place; -1 where there is no point at all."""
        import numpy as np

        if not len(self):
            return -1
        at = int(np.searchsorted(self.x, x))
        if at == len(self) or (at and x - int(self.x[at - 1]) < int(self.x[at]) - x):
            return at - 1
        return at

    def within(self, start: int, end: int) -> int:
        """The point that stands for a stretch: a landmark in it, else the point next to its middle."""
        import numpy as np

        marks = self.x[self.landmarks]
        at = int(np.searchsorted(marks, start))
        if at < len(marks) and int(marks[at]) < end:
            return int(self.landmarks[at])
        return self.near((start + end) // 2)

    def landmark(self, point: int, step: int) -> int:
        """The next landmark before (-1) or after (1) a point; the point itself where there is none."""
        import numpy as np

        if step < 0:
            at = int(np.searchsorted(self.landmarks, point)) - 1
        else:
            at = int(np.searchsorted(self.landmarks, point, "right"))
        return int(self.landmarks[at]) if 0 <= at < len(self.landmarks) else point


def merge(tracks: Sequence[Track], by_order: bool) -> Timeline | None:
    """Tracks, the oldest first, on one axis; None where there is no file. By order, one stands behind the other."""
    import numpy as np

    if not tracks:
        return None
    placed: list[Track] = []
    at = 0
    for track in tracks:
        placed.append(track.moved(at) if by_order and at else track)
        at += track.end + 1 if by_order else 0
    x = np.concatenate([track.point_x for track in placed])
    marks = np.concatenate([_landmarks(track) for track in placed])
    order = None
    if len(placed) > 1 and not by_order:
        order = np.argsort(x, kind="stable")
        x, marks = x[order], marks[order]
    return Timeline(
        tuple(placed),
        x,
        order,
        np.flatnonzero(marks),
        by_order,
        min(track.start for track in placed),
        max(track.end for track in placed),
    )


def _landmarks(track: Track) -> Any:
    import numpy as np

    marks = track.point_item < 0
    for column in (track.holes.before, track.holes.after):
        marks[column[column >= 0]] = True
    if len(marks):
        marks[[0, -1]] = True
    return np.asarray(marks, bool)
