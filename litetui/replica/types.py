"""What a replica holds, as values: positions, files, counts, findings. Times are ns since the epoch, UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from litetui.errors import UsageError

_POS = re.compile(r"([0-9a-f]{16})/([0-9a-f]{8}):([0-9]{1,20})")
WAL_HEADER_SIZE = 32


@dataclass(frozen=True, slots=True, order=True)
class Pos:
    """A place in a generation: the byte `offset` of the uncompressed WAL `index`. The zero value is "none".

    Text form `GENERATION/IIIIIIII:OFFSET`, index in hex, offset in decimal (FORMAT-v0.3, section 3).
    """

    generation: str = ""
    index: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.generation}/{self.index:08x}:{self.offset}" if self.generation else ""

    @property
    def short(self) -> str:
        """The position without its generation: `IIIIIIII:OFFSET`."""
        return f"{self.index:08x}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Pos:
        """Read the text form; raises UsageError."""
        m = _POS.fullmatch(text)
        if m is None:
            raise UsageError(
                "read the position",
                f"{text!r} is no position",
                hint="a position is GENERATION/INDEX:OFFSET, e.g. 5efbd8d042012dca/0000007f:824312",
            )
        return cls(m[1], int(m[2], 16), int(m[3]))


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
