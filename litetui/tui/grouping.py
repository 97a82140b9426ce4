"""The branches of the tree over many indexes: days, hours, ranges of indexes. Pure functions of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from litetui.units import NS, offset_ns

HOUR_NS = 3600 * NS
SLACK_NS = 60 * NS  # a WAL that is compressed after the next one began is a little newer than that one
GROUP_LIMIT = 300  # lines of a branch
PLAIN_LIMIT = 24  # WALs that stand without groups


@dataclass(frozen=True, slots=True)
class Indexes:
    """Indexes, ascending, and their times, as columns.

    index     the indexes
    last_ns   when each was last written; made to rise where it is only a little out of order
    in_order  False where times do not rise with the indexes: a replica that was copied without its times
    """

    index: Any
    last_ns: Any
    in_order: bool

    def __len__(self) -> int:
        return len(self.index)


def rising(times_ns: Any) -> tuple[Any, bool]:
    """Times as they are grouped by, and whether they rise."""
    import numpy as np

    risen = np.maximum.accumulate(times_ns)
    in_order = bool((risen - times_ns <= SLACK_NS).all())
    return (risen if in_order else times_ns), in_order


@dataclass(frozen=True, slots=True)
class Group:
    """A branch over the indexes `first` to `last`, which stand at `start` to `stop` in the columns."""

    kind: str  # "day", "hour", "range"
    value: int  # number of the day or the hour since the epoch, or the first index of the range
    start: int
    stop: int
    first: int
    last: int


def groups(columns: Indexes, start: int, stop: int, inside: str = "", plain: int = PLAIN_LIMIT) -> list[Group] | None:
    """How the indexes at `start` to `stop` are grouped inside a branch of kind `inside`; None: not at all, as at most
    `plain` of them are not.

    Days (of the screen's zone), then hours; ranges of indexes where times cannot be trusted or an hour has too many.
    """
    count = stop - start
    if count <= plain or (inside in ("hour", "range") and count <= GROUP_LIMIT):
        return None
    if columns.in_order and inside in ("", "day"):
        hours = int(columns.last_ns[stop - 1] // HOUR_NS) - int(columns.last_ns[start] // HOUR_NS)
        if inside == "" and hours > 36:
            return _by_time(columns, start, stop, "day", 24 * HOUR_NS)
        by_hour = _by_time(columns, start, stop, "hour", HOUR_NS)
        if len(by_hour) > 1:
            return by_hour
        if count <= GROUP_LIMIT:
            return None
    return _by_range(columns, start, stop)


def _by_time(columns: Indexes, start: int, stop: int, kind: str, length: int) -> list[Group]:
    import numpy as np

    times = columns.last_ns[start:stop]

    def number(ns: int) -> int:
        return (ns + offset_ns(ns)) // length if kind == "day" else ns // length

    def begin(number: int) -> int:
        return number * length - (offset_ns(number * length) if kind == "day" else 0)

    numbers = range(number(int(times[0])), number(int(times[-1])) + 1)
    begins = np.searchsorted(times, np.array([begin(one) for one in numbers[1:]], np.int64))
    return _groups(columns, kind, numbers, start, begins, stop)


def _by_range(columns: Indexes, start: int, stop: int) -> list[Group]:
    import numpy as np

    first, last = int(columns.index[start]), int(columns.index[stop - 1])
    shift = 8
    while (last - first) >> shift > GROUP_LIMIT:
        shift += 8
    values = range(first >> shift << shift, last + 1, 1 << shift)
    begins = np.searchsorted(columns.index[start:stop], np.array(values[1:], columns.index.dtype))
    return _groups(columns, "range", values, start, begins, stop)


def _groups(columns: Indexes, kind: str, values: Sequence[int], start: int, begins: Any, stop: int) -> list[Group]:
    """The groups that are not empty; each but the first begins at one of `begins`, counted from `start`."""
    bounds = [start, *(begins + start).tolist(), stop]
    return [
        _group(columns, kind, value, bounds[n], bounds[n + 1])
        for n, value in enumerate(values)
        if bounds[n] < bounds[n + 1]
    ]


def _group(columns: Indexes, kind: str, value: int, start: int, stop: int) -> Group:
    return Group(kind, value, start, stop, int(columns.index[start]), int(columns.index[stop - 1]))
