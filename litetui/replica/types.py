"""What a replica holds, as values: positions, files, counts, findings. Times are ns since the epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from litetui.format.names import format_ltx
from litetui.format.position import Pos

__all__ = [
    "Finding",
    "GenerationStats",
    "LTXInfo",
    "Pos",
    "Severity",
    "SnapshotInfo",
    "TimeRange",
    "WALInfo",
]


@dataclass(frozen=True, slots=True, order=True)
class SnapshotInfo:
    """One snapshot file. `size` is what is stored (compressed or not), in bytes."""

    generation: str
    index: int
    size: int
    created_ns: int
    name: str
    compressed: bool


@dataclass(frozen=True, slots=True, order=True)
class WALInfo:
    """One WAL file. `offset` is None for a file that holds a whole WAL, else where its segment begins."""

    generation: str
    index: int
    offset: int | None
    size: int
    created_ns: int
    name: str
    compressed: bool


@dataclass(frozen=True, slots=True, order=True)
class LTXInfo:
    """One LTX file: the transactions from `min_txid` to `max_txid`, on a level (9: a snapshot).

    size      bytes stored
    mtime_ns  of the file; `time_ns` is what counts: the header's timestamp where the replica was copied without times
    """

    level: int
    min_txid: int
    max_txid: int
    size: int
    mtime_ns: int
    time_ns: int

    @property
    def name(self) -> str:
        return format_ltx(self.min_txid, self.max_txid)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From the first to the last file time, both inclusive."""

    start_ns: int
    end_ns: int

    def __contains__(self, ns: object) -> bool:
        return isinstance(ns, int) and self.start_ns <= ns <= self.end_ns


@dataclass(frozen=True, slots=True)
class GenerationStats:
    """Counts, bytes stored, and the times of the first and last file (None where there is no file)."""

    generation: str
    snapshots: int
    wal_files: int
    size: int
    created_ns: int | None
    updated_ns: int | None

    @property
    def times(self) -> TimeRange | None:
        if self.created_ns is None or self.updated_ns is None:
            return None
        return TimeRange(self.created_ns, self.updated_ns)


Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a replica that an operator should know. Codes are those of the command line's contract."""

    severity: Severity
    code: str
    message: str
    hint: str = ""
    path: str | None = None
    generation: str | None = None
    index: int | None = None
    offset: int | None = None
    frame: int | None = None
