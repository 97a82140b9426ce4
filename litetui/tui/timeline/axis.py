"""A time axis in cells: where a time stands on it, and its round ticks. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from litetui.units import format_clock, offset_ns

SECOND = 1_000_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
STEPS = (
    *(n * SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 7, 14, 28, 91, 182, 364)),
)
FINE = tuple(n * SECOND // 1000 for n in (1, 2, 5, 10, 20, 50, 100, 200, 500))
ROOM = 16  # cells from one tick to the next: "22 Nov 20:55:30Z" at most, which is rare


@dataclass(frozen=True, slots=True)
class Axis:
    """`width` cells for the times from `start_ns` to `end_ns`."""

    start_ns: int
    end_ns: int
    width: int

    def cell(self, ns: int) -> int:
        """The cell of a time, 0 to width - 1; times outside stand at the ends."""
        span = max(1, self.end_ns - self.start_ns)
        return min(self.width - 1, max(0, (ns - self.start_ns) * self.width // span))

    def ticks(self) -> list[tuple[int, str]]:
        """Cell and text of each tick: round times of the screen's zone, with the date where the day changes."""
        span = max(1, self.end_ns - self.start_ns)
        steps = (*FINE, *STEPS) if span < 2 * SECOND else STEPS
        step = next((s for s in steps if s * self.width >= ROOM * span), STEPS[-1])
        found: list[tuple[int, str]] = []
        day, free_from = -1, 0
        away = offset_ns(self.start_ns)
        clock = -(-(self.start_ns + away) // step) * step  # what clocks show, as if it were UTC
        while (at := clock - away) <= self.end_ns and len(found) < self.width:
            if (now_away := offset_ns(at)) != away:  # clocks were put forward or back
                away, at = now_away, clock - now_away
            cell = self.cell(at)
            text = _text(at, step, clock // DAY != day)
            if cell >= free_from and cell + len(text) <= self.width:
                found.append((cell, text))
                day, free_from = clock // DAY, cell + len(text) + 2
            clock += step
        return found

    def line(self) -> str:
        """The ticks as one line of exactly `width` cells."""
        cells = [" "] * self.width
        for at, text in self.ticks():
            cells[at : at + len(text)] = text
        return "".join(cells)


def _text(ns: int, step: int, with_date: bool) -> str:
    """`14:00Z`, `14:00:30Z`, with the date in front on another day; days alone have no clock."""
    other = format_clock(ns, ns + 366 * 2 * DAY, millis=False)  # always with date and year
    date, year, clock = other.rsplit(" ", 2)
    zone = clock[8:]
    if step >= DAY:
        return date if step < 91 * DAY else f"{date} {year}"
    if step < SECOND:
        digits = 3 if step % (SECOND // 100) else 2 if step % (SECOND // 10) else 1
        clock = f"{clock[:8]}.{ns % SECOND:09d}"[: 9 + digits] + zone
    clock = clock if step < MINUTE else clock[:5] + zone
    return f"{date} {clock}" if with_date else clock


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a bar: from one time to another, with a status."""

    start_ns: int
    end_ns: int
    status: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A row under an axis: what is there (`spans`), on the stretch where something should be (`ground`).

    broken  its end is a hole, even where the times do not tell: all of a WAL that is one file has the time of the file
    """

    label: str
    spans: tuple[Span, ...]
    ground: Span | None = None
    note: str = ""
    broken: bool = False


def drawn(bar: Bar, axis: Axis) -> list[tuple[str, str]]:
    """The cells of a bar: "span", "hole" or "", and a status. A span has one cell at least, and so has a hole between
    two spans of more than that."""
    cells: list[tuple[str, str]] = [("", "")] * axis.width
    if bar.ground is not None:
        for n in range(axis.cell(bar.ground.start_ns), axis.cell(bar.ground.end_ns) + 1):
            cells[n] = ("hole", bar.ground.status)
    for span in bar.spans:
        for n in range(axis.cell(span.start_ns), axis.cell(span.end_ns) + 1):
            cells[n] = ("span", span.status)
    if bar.ground is not None:
        for before, after in pairwise(bar.spans):
            left, right = axis.cell(before.end_ns), axis.cell(after.start_ns)
            if right - left <= 1 and left > axis.cell(before.start_ns):
                cells[left] = ("hole", bar.ground.status)
        if bar.broken:
            cells[axis.cell(bar.ground.end_ns)] = ("hole", bar.ground.status)
    return cells
