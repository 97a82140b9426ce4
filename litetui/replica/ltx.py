"""LTXReplica: the folders of Litestream 0.5, for reading.

    ROOT/ltx/LEVEL/MIN-MAX.ltx     level 0: a file a sync; 1 to 8: compactions; 9: snapshots of the whole database
    ROOT/LLLL/MIN-MAX.ltx          the same as a bucket has it (S3, OSS), its level as 4 hex digits

Times are the files' mtimes, which Litestream sets to the timestamp in the header, in whole milliseconds. A copy that
did not keep them shows by that: then the headers are read, and their timestamps count (FORMAT-v0.5-ltx, section 2).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from litetui.errors import DamageError, LitetuiError, NoSuchTargetError
from litetui.format import names
from litetui.format.ltx_header import HEADER_SIZE, LTXError, LTXHeader
from litetui.replica.catalog import HEX
from litetui.replica.storage import NO_FILE, LocalFile, LocalStorage, gone, no_file, unreadable_finding
from litetui.replica.types import Finding, LTXInfo, TimeRange

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]

LEVELS = range(10)
SNAPSHOTS = 9
_MS = 1_000_000
_SAMPLES = 16  # headers that are read to see whether the times of the files are Litestream's
_SETTLED_NS = 5_000_000_000  # Litestream sets a file's time some moments after it has given it its name
_NAME_LENGTH = len(names.format_ltx(1, 1))
_SUFFIX = np.frombuffer(b".ltx", np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class LTXTable:
    """LTX files sorted by level, first and last TXID, in columns of the same length; 33 bytes a file.

    mtime_ns   of the file; `time_ns` is what counts: the header's, where the mtimes are not Litestream's
    """

    level: U8
    min_txid: U64
    max_txid: U64
    size: I64
    mtime_ns: I64
    time_ns: I64

    @classmethod
    def empty(cls) -> LTXTable:
        u64, i64 = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        return cls(np.zeros(0, np.uint8), u64, u64, i64, i64, i64)

    @classmethod
    def parse(cls, level: int, listing: list[str]) -> tuple[LTXTable, list[str]]:
        """The files of one level by their names, without sizes and times; and the names that are none."""
        low, high, good = _parse_names(listing)
        foreign = [listing[i] for i in np.flatnonzero(~good)]
        low, high = low[good], high[good]
        order = np.lexsort((high, low))
        unknown = np.full(len(low), -1, np.int64)
        levels = np.full(len(low), level, np.uint8)
        return cls(levels, low[order], high[order], unknown, unknown, unknown), foreign

    def __len__(self) -> int:
        return len(self.level)

    def __getitem__(self, row: int) -> LTXInfo:
        return LTXInfo(
            int(self.level[row]),
            int(self.min_txid[row]),
            int(self.max_txid[row]),
            int(self.size[row]),
            int(self.mtime_ns[row]),
            int(self.time_ns[row]),
        )

    def take(self, rows: Rows | npt.NDArray[np.bool_]) -> LTXTable:
        """A table of these rows only, in the same order."""
        return LTXTable(
            self.level[rows],
            self.min_txid[rows],
            self.max_txid[rows],
            self.size[rows],
            self.mtime_ns[rows],
            self.time_ns[rows],
        )

    def of_level(self, level: int) -> LTXTable:
        return self.take(self.level == level)

    def same_as(self, other: LTXTable) -> bool:
        """Whether both hold the same files, with the same sizes and times."""
        return all(
            np.array_equal(a, b)
            for a, b in (
                (self.level, other.level),
                (self.min_txid, other.min_txid),
                (self.max_txid, other.max_txid),
                (self.size, other.size),
                (self.mtime_ns, other.mtime_ns),
            )
        )


def _parse_names(listing: list[str]) -> tuple[U64, U64, npt.NDArray[np.bool_]]:
    """First and last TXID of each name, and whether it is an LTX file's; all at once."""
    usual = [i for i, n in enumerate(listing) if len(n) == _NAME_LENGTH and n.isascii()]
    raw = np.frombuffer("".join(listing[i] for i in usual).encode("ascii"), np.uint8).reshape(-1, _NAME_LENGTH)
    digits = HEX[raw[:, [*range(16), *range(17, 33)]]]
    fits = (digits != 255).all(axis=1) & (raw[:, 16] == ord("-")) & (raw[:, 33:] == _SUFFIX).all(axis=1)
    packed = np.ascontiguousarray((digits[:, 0::2] << 4) | (digits[:, 1::2] & 15)).view(">u8")
    low, high = np.zeros((2, len(listing)), np.uint64)
    good = np.zeros(len(listing), bool)
    low[usual], high[usual], good[usual] = packed[:, 0], packed[:, 1], fits
    good &= (low >= 1) & (low <= high)
    return low, high, good


def _common(new: LTXTable, old: LTXTable) -> tuple[Rows, Rows]:
    """The rows of the files of one level that are in both tables, in each of them."""
    low = np.concatenate([old.min_txid, new.min_txid])
    high = np.concatenate([old.max_txid, new.max_txid])
    order = np.lexsort((np.arange(len(low)) >= len(old), high, low))
    first, second = order[:-1], order[1:]
    same = (low[first] == low[second]) & (high[first] == high[second])
    return second[same] - len(old), first[same]


def _concatenate(tables: list[LTXTable]) -> LTXTable:
    if not tables:
        return LTXTable.empty()
    return LTXTable(
        np.concatenate([t.level for t in tables]),
        np.concatenate([t.min_txid for t in tables]),
        np.concatenate([t.max_txid for t in tables]),
        np.concatenate([t.size for t in tables]),
        np.concatenate([t.mtime_ns for t in tables]),
        np.concatenate([t.time_ns for t in tables]),
    )


@dataclass(frozen=True, slots=True)
class _Level:
    """One listing of a level's folder."""

    table: LTXTable
    foreign: tuple[str, ...] = ()
    problems: tuple[Finding, ...] = ()
    folder_mtime_ns: int = -2
    listed_ns: int = 0


class LTXReplica:
    """A v0.5 replica in a local folder. Lists lazily; `refresh` reads again what changed. It never writes."""

    type = "file"

    def __init__(self, path: str | os.PathLike[str], name: str = "file") -> None:
        self.name = name
        self.path = os.path.abspath(os.fspath(path))
        self.storage = LocalStorage(self.path)
        self.is_bucket = not self.storage.is_folder("ltx")
        self._levels: dict[int, _Level] | None = None
        self._table = LTXTable.empty()
        self._copied = False
        self._lock = threading.Lock()

    def layout(self) -> str:
        """Which Litestream's layout this is, in words."""
        return "Litestream v0.5 (LTX, as in a bucket)" if self.is_bucket else "Litestream v0.5 (LTX)"

    # ---- folders

    def level_dir(self, level: int) -> str:
        return names.format_bucket_level(level) if self.is_bucket else f"ltx/{level}"

    def file_path(self, info: LTXInfo) -> str:
        return f"{self.level_dir(info.level)}/{info.name}"

    # ---- listing

    def folders(self) -> list[str]:
        """The folders, below the replica's own, in which files come and go."""
        return [*([] if self.is_bucket else ["ltx"]), *(self.level_dir(level) for level in LEVELS)]

    def refresh(self, *, anew: bool = False, only: Mapping[str, Collection[str]] | None = None) -> bool:
        """List what may have changed again. True if a file came, went, or was touched. `anew`: look at every file.
        `only`: nothing has changed but in these folders. Raises ChangedError where the folder is gone."""
        with self._lock:
            root = "" if self.is_bucket else "ltx"
            if len(self._table) and not self.storage.is_folder(root):
                raise gone(self.storage.path(root))
            before = {} if anew or self._levels is None else self._levels
            levels = {
                level: before[level]
                if before and only is not None and self.level_dir(level) not in only
                else self._read_level(level, before.get(level))
                for level in LEVELS
            }
            table = _concatenate([levels[n].table for n in LEVELS])
            changed = self._levels is None or not table.same_as(self._table)
            if changed:
                self._table = self._with_times(table)
            self._levels = levels
            return changed

    def _read_level(self, level: int, old: _Level | None) -> _Level:
        folder = self.level_dir(level)
        mtime, now = self.storage.folder_mtime_ns(folder), time.time_ns()
        if old is not None and old.folder_mtime_ns == mtime and mtime < old.listed_ns - _SETTLED_NS:
            return old
        problems: list[Finding] = []
        try:
            table, foreign = LTXTable.parse(level, self.storage.names(folder))
            table = self._with_sizes(table, folder, old or _Level(LTXTable.empty()))
        except LitetuiError as error:
            return _Level(LTXTable.empty(), (), (unreadable_finding(error, None),), mtime, now)
        odd = np.flatnonzero(table.size == NO_FILE)
        problems += [no_file(self.storage.path(self.file_path(table[int(row)])), None) for row in odd]
        there = table.size >= 0
        paths = tuple(f"{folder}/{name}" for name in sorted(foreign))
        return _Level(table if there.all() else table.take(there), paths, tuple(problems), mtime, now)

    def _with_sizes(self, table: LTXTable, folder: str, before: _Level) -> LTXTable:
        """Sizes and times: LTX files are never changed, so only new ones are looked at, and those that were new."""
        size, mtime = table.size.copy(), table.mtime_ns.copy()
        known = before.table.take(before.table.mtime_ns < before.listed_ns - _SETTLED_NS)
        at, source = _common(table, known)
        size[at], mtime[at] = known.size[source], known.mtime_ns[source]
        missing = np.flatnonzero(size < 0)
        listing = [table[row].name for row in missing.tolist()]
        size[missing], mtime[missing] = self.storage.stat_many(folder, listing)
        return replace(table, size=size, mtime_ns=mtime, time_ns=mtime)

    def _with_times(self, table: LTXTable) -> LTXTable:
        """The table with the times that count."""
        rows = np.unique(np.linspace(0, len(table) - 1, min(_SAMPLES, len(table))).astype(np.int64))
        differing = sum(self._differs(table[int(row)]) for row in rows)
        self._copied = 2 * differing > len(rows)  # single ones are damaged, or touched
        if not self._copied:
            return table
        times = [self._header_time(table[row]) for row in range(len(table))]
        return replace(table, time_ns=np.array(times, np.int64))

    def _differs(self, info: LTXInfo) -> bool:
        """Whether a file's mtime is not the timestamp that its header has."""
        time_ns = self._header_time(info)
        return time_ns // _MS != info.mtime_ns // _MS

    def _header_time(self, info: LTXInfo) -> int:
        """The header's timestamp, in ns; the mtime where the header cannot be read, or has a time that no file has."""
        try:
            with self.storage.open(self.file_path(info)) as file:
                found = LTXHeader.parse(file.read_at(HEADER_SIZE, 0)).timestamp_ns
        except (LitetuiError, LTXError):
            return info.mtime_ns
        return found if -(1 << 63) <= found < 1 << 63 else info.mtime_ns

    # ---- what it holds

    def _known(self) -> dict[int, _Level]:
        if self._levels is None:
            self.refresh()
        assert self._levels is not None
        return self._levels

    @property
    def table(self) -> LTXTable:
        """All files, by level and TXID."""
        self._known()
        return self._table

    @property
    def copied(self) -> bool:
        """Whether the files' mtimes are not those that Litestream gave them."""
        self._known()
        return self._copied

    @property
    def times(self) -> TimeRange | None:
        """From the oldest to the newest file."""
        times = self.table.time_ns
        return TimeRange(int(times.min()), int(times.max())) if len(times) else None

    def has_data(self) -> bool:
        """Whether there is any file to restore from, or something that cannot be read."""
        return len(self.table) > 0 or bool(self.problems())

    def foreign(self) -> list[str]:
        """Paths of what lies in the levels' folders and is no LTX file by its name."""
        return [path for level in self._known().values() for path in level.foreign]

    def problems(self) -> list[Finding]:
        """What could not be listed."""
        return [f for level in self._known().values() for f in level.problems]

    # ---- bytes

    def open(self, info: LTXInfo) -> LocalFile:
        """Open a file that must still be what was listed, but for its time: Litestream sets that after it has given a
        file its name, and a file proves itself. Raises UnreadableError, ChangedError."""
        return self.storage.open_known(self.file_path(info), info.size, None)

    def read(self, info: LTXInfo) -> bytes:
        """All of a small one, likewise."""
        return self.storage.read_known(self.file_path(info), info.size)

    def damage(self, info: LTXInfo, error: LTXError) -> DamageError:
        """What the codec found in a file, as an error with its place."""
        page = "" if error.page is None else f" (page {error.page})"
        cause = f"{error}{'' if page and page[2:-1] in str(error) else page}"
        return DamageError(
            "read the LTX file",
            cause,
            code=error.code,
            path=self.storage.path(self.file_path(info)),
            offset=error.offset,
        )

    def find(self, level: int, min_txid: int, max_txid: int) -> LTXInfo:
        """One file by its name. Raises NoSuchTargetError."""
        table = self.table
        rows = np.flatnonzero(
            (table.level == level) & (table.min_txid == np.uint64(min_txid)) & (table.max_txid == np.uint64(max_txid))
        )
        if not len(rows):
            raise NoSuchTargetError(
                "find the LTX file", f"level {level} has no {names.format_ltx(min_txid, max_txid)}", path=self.path
            )
        return table[int(rows[0])]
