"""The log of the session: the last lines of all jobs, and which of them are shown. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from litetui.jobs.job import LogLine
from litetui.tui.tables.sources import Cell, Clock, Column, Source
from litetui.units import format_clock, utc_clocks

KEPT = 20_000
LEVELS = ("debug", "info", "warning", "error")
STYLES = {"error": "error", "warning": "warning", "debug": "muted"}


def name(line: LogLine) -> str:
    """What a line is of: a job, or with the number 0 something that is none."""
    return f"{line.kind} {line.job_id}" if line.job_id else line.kind


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are shown: of this level and worse, of one job (0: all), with this text (`!text`: without it)."""

    level: str = "debug"
    job: int = 0
    text: str = ""

    def has(self, line: LogLine) -> bool:
        """Whether a line is shown."""
        if LEVELS.index(line.level) < LEVELS.index(self.level) or (self.job and line.job_id != self.job):
            return False
        words = self.text.removeprefix("!").casefold().split()
        if not words:
            return True
        text = f"{name(line)} {line.level} {line.text}".casefold()
        return all(word in text for word in words) != self.text.startswith("!")

    @property
    def words(self) -> str:
        """What is left out, "" where nothing is."""
        parts = {"debug": [], "error": ["errors only"]}.get(self.level, [f"from {self.level} on"])
        parts += [f"job {self.job}"] if self.job else []
        parts += [f"/{self.text}"] if self.text else []
        return ", ".join(parts)


class LogBook:
    """The lines in the order they came; what is shown of them is kept up to date line by line."""

    def __init__(self, kept: int = KEPT) -> None:
        self.lines: deque[LogLine] = deque(maxlen=kept)
        self.wanted = Wanted()
        self.shown: deque[LogLine] = deque(maxlen=kept)

    def add(self, lines: Iterable[LogLine]) -> None:
        """New lines, the newest last. The oldest make room for them."""
        for line in lines:
            dropped = self.lines[0] if len(self.lines) == self.lines.maxlen else None
            if dropped is not None and self.shown and self.shown[0] is dropped:
                self.shown.popleft()
            self.lines.append(line)
            if self.wanted.has(line):
                self.shown.append(line)

    def want(self, wanted: Wanted) -> None:
        """Show other lines."""
        self.wanted = wanted
        self.shown = deque((line for line in self.lines if wanted.has(line)), maxlen=self.lines.maxlen)

    def next_level(self) -> None:
        """All lines, then fewer and fewer."""
        at = LEVELS.index(self.wanted.level)
        self.want(replace(self.wanted, level=LEVELS[(at + 1) % len(LEVELS)]))

    @property
    def last(self) -> LogLine | None:
        """The newest line that is more than a detail."""
        return next((line for line in reversed(self.lines) if line.level != "debug"), None)


class LogSource(Source):
    """Lines of a log, the newest last."""

    columns = (
        Column("Time (UTC)", 13, right=True),
        Column("Job", 12, drop=1),
        Column("Level", 7, drop=2),
        Column("Message", 30, grow=True),
    )

    def __init__(self, lines: Iterable[LogLine], now_ns: Clock, empty: str = "no log lines yet") -> None:
        self.lines = list(lines)
        self.now_ns = now_ns
        self.empty = empty

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, row: int) -> Sequence[Cell]:
        one = self.lines[row]
        style = STYLES.get(one.level, "")
        return (
            (format_clock(one.at_ns, self.now_ns()), "muted"),
            name(one),
            (one.level, style),
            (one.text, style),
        )

    def key(self, row: int) -> Hashable:
        return (self.lines[row].job_id, self.lines[row].number)

    def find(self, key: Hashable) -> int | None:
        """The row of a key, looked for from the end, where one mostly stands."""
        return next((row for row in range(len(self) - 1, -1, -1) if self.key(row) == key), None)


def log_text(lines: Iterable[LogLine], now_ns: int) -> str:
    """Lines as they are copied: their clocks are UTC, whatever those of the screen are."""
    with utc_clocks():
        return "\n".join(f"{format_clock(one.at_ns, now_ns)} {name(one)} {one.level}: {one.text}" for one in lines)
