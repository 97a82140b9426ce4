"""Checks of this session: what a validation said of a generation or of the LTX files, and what came since. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from litetui.replica.types import TimeRange
from litetui.tui.ltx.model import SNAPSHOTS
from litetui.tui.model import GenerationView

if TYPE_CHECKING:
    from litetui.ops.verdict import Depth, GenerationReport
    from litetui.replica.ltx import LTXTable
    from litetui.tui.ltx.model import LTXView


@dataclass(frozen=True, slots=True)
class Check:
    """What a validation of this session said of one generation, or of the LTX files (`ltx`), and when.

    differs  a restore of it is not what the live database holds
    listed   the LTX files that it listed
    """

    report: GenerationReport
    depth: Depth
    at_ns: int
    differs: bool = False
    listed: LTXTable | None = field(default=None, repr=False)

    @property
    def read_bytes(self) -> bool:
        return self.depth != "names"

    @property
    def drilled(self) -> bool:
        """Whether it was restored, and SQLite found it in order."""
        return self.depth == "restore" and self.report.integrity == "ok"

    @property
    def how(self) -> str:
        """What was read, in a word; without a drill a restore has not been tried."""
        return "restored" if self.drilled else "content" if self.read_bytes else "names"

    @property
    def value(self) -> str:
        """Its verdict for a card; names alone are never ok."""
        if self.word != "ok":
            return self.word
        return f"{self.how} ok" if self.read_bytes else "names complete"

    @property
    def worst(self) -> str:
        """Its verdict as a status; names alone are no success."""
        if self.differs:
            return "error"
        if self.report.verdict == "ok":
            return "success" if self.read_bytes else ""
        return "warning" if self.report.verdict == "damaged" and self.report.latest_restores else "error"

    @property
    def word(self) -> str:
        """Its verdict in a word."""
        return "differs" if self.differs else WORDS.get(self.report.verdict, "ok")

    @property
    def glyph(self) -> str:
        return "damaged" if self.differs else GLYPHS.get(self.report.verdict, "ok")

    @property
    def integrity_failed(self) -> bool:
        return self.report.integrity not in ("", "ok")


Checks = Mapping[str, Check]  # by generation
GLYPHS = {"damaged": "damaged", "unrestorable": "unrestorable", "unknown": "unreadable"}
WORDS = {"damaged": "damaged", "unrestorable": "does not restore", "unknown": "not known"}


@dataclass(frozen=True, slots=True)
class Since:
    """Files that came or changed after a check had listed them."""

    wals: int
    snapshots: int
    noun: str = "WAL file"

    def __bool__(self) -> bool:
        return bool(self.wals or self.snapshots)

    @property
    def words(self) -> str:
        parts = []
        if self.wals:
            parts.append(f"{self.wals} {self.noun}{'s' if self.wals > 1 else ''}")
        if self.snapshots:
            parts.append(f"{self.snapshots} snapshot{'s' if self.snapshots > 1 else ''}")
        return " and ".join(parts)

    @property
    def short(self) -> str:
        count = self.wals + self.snapshots
        return f"+{count} file{'s' if count > 1 else ''}" if count else ""


def window_of(generation: GenerationView, check: Check | None) -> TimeRange | None:
    """From the first to the last time that restores, by names and as far as a check has read; None: nothing does."""
    window = generation.window
    if window is None or check is None or not check.read_bytes or check.report.verdict == "unknown":
        return window
    report = check.report
    newer = [s.created_ns for s in generation.snapshots if s.created_ns > (report.updated_ns or 0)]
    starts = [w.start_ns for w in report.windows] + newer
    if not starts:
        return None
    return TimeRange(min(starts), window.end_ns if newer or report.latest_restores else report.windows[-1].end_ns)


def until_of(generation: GenerationView, check: Check | None) -> tuple[int | None, bool]:
    """Up to when a generation restores, None: nothing of it does; and whether a check has read that."""
    if check is not None and check.read_bytes and check.report.verdict != "unknown":
        listed_ns = check.report.updated_ns or 0
        if not any(s.created_ns > listed_ns for s in generation.snapshots):  # a new one may have healed it
            return check.report.restorable_until_ns, True
    window = window_of(generation, check)
    return (window.end_ns if window is not None else None), False


def since(check: Check, generation: GenerationView) -> Since:
    """What of a generation is newer than a check of it."""
    until = check.report.updated_ns
    if until is None:
        return Since(len(generation.wals), len(generation.snapshots))
    newer = int((generation.wals.mtime_ns > until).sum())
    return Since(newer, sum(s.created_ns > until for s in generation.snapshots))


def since_ltx(check: Check, ltx: LTXView) -> Since:
    """The same for the LTX files: by their names and sizes, as a compaction has the time of what went into it."""
    fresh = unlisted(check, ltx.table)
    snapshots = int((ltx.table.level[fresh] == SNAPSHOTS).sum())
    return Since(int(fresh.sum()) - snapshots, snapshots, "LTX file")


@lru_cache(maxsize=2)  # the screen asks each second
def _unlisted(listed: LTXTable | None, table: LTXTable) -> Any:
    import numpy as np

    if listed is None:
        return np.ones(len(table), bool)
    return ~np.isin(_rows(table), _rows(listed))


def unlisted(check: Check, table: LTXTable) -> Any:
    """Which files of a table a check did not list as they are, as a column of booleans."""
    return _unlisted(check.listed, table)


def _rows(table: LTXTable) -> Any:
    """The rows of a table as single values that can be compared."""
    import numpy as np

    columns = (table.level, table.min_txid, table.max_txid, table.size, table.mtime_ns)
    return np.ascontiguousarray(np.stack([column.astype(np.int64) for column in columns], 1)).view("V40").ravel()
