"""FileReplica: the v0.3 layouts in a local folder, for reading.

    ROOT/generations/GENERATION/snapshots/…      ROOT/generations/GENERATION/wal/…

Both WAL layouts, also mixed in one folder. A file in a form that the generation's own layout never uses is data only
if its content is what its name says; the generation's own form is always data, and then wrong content is damage.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from litetui.errors import (
    Cancelled,
    DamageError,
    LitetuiError,
    NoSuchTargetError,
    OutputError,
    UnreadableError,
)
from litetui.format import dbheader, lz4, names, wal
from litetui.jobs.loop import Loop
from litetui.jobs.progress import CancelToken, Reporter
from litetui.replica.catalog import SEGMENT, SEGMENT_PLAIN, WHOLE, WHOLE_LZ4, WALTable
from litetui.replica.live import Layout, Live, Primary, ReplicaChange, T
from litetui.replica.ltx import LTXReplica
from litetui.replica.storage import GONE, NO_FILE, LocalFile, LocalStorage, gone, no_file, unreadable_finding
from litetui.replica.types import Finding, GenerationStats, Pos, SnapshotInfo, WALInfo
from litetui.replica.writer import ReplicaWriter

_SETTLED_NS = 100_000_000  # a folder that changed this short before its listing may change again within its mtime
_CHUNK = 1 << 20
_GRACE_S = 1.0
_LISTINGS = 3
_MANY = 2000  # from so many changed names on, a listing is cheaper


@dataclass(frozen=True, slots=True)
class _Folder:
    """What one listing of a folder gave, and when."""

    mtime_ns: int = -2
    listed_ns: int = 0


@dataclass(frozen=True, slots=True)
class _Generation:
    """All that is known of a generation. Replaced as a whole by a refresh, never changed."""

    name: str
    snapshots: tuple[SnapshotInfo, ...] = ()
    twins: tuple[SnapshotInfo, ...] = ()
    wals: WALTable = field(default_factory=lambda: WALTable.empty(""))
    foreign: tuple[str, ...] = ()
    problems: tuple[Finding, ...] = ()
    folders: tuple[_Folder, _Folder] = (_Folder(), _Folder())


class FileReplica:
    """A replica in a local folder. Lists lazily; `refresh` reads again what changed.

    Bound to a database it follows it: `sync`, `snapshot`, `start`, `stop`. A new replica gets the layout `segments`
    (v0.3.5+), or the one that is named; an existing one goes on in its own. Not bound to one it never writes.
    """

    type = "file"

    def __init__(
        self,
        path: str | os.PathLike[str],
        name: str = "file",
        *,
        database: Primary | None = None,
        layout: Layout | None = None,
    ) -> None:
        self.name = name
        self.path = os.path.abspath(os.fspath(path))
        self.storage = LocalStorage(self.path)
        self._known: dict[str, _Generation] | None = None
        self._problems: tuple[Finding, ...] = ()
        self._live = Live(self, database, layout) if database is not None else None
        self._ltx: LTXReplica | None = None
        self._loop: Loop | None = None
        self._stopping = CancelToken()
        self._lock = threading.RLock()

    # ---- following a database

    @property
    def last_pos(self) -> Pos:
        """Up to where the replica has the database; the zero position where that is not known yet."""
        return self._live.pos if self._live is not None else Pos()

    @property
    def wal_bytes(self) -> int:
        """Bytes of WAL written since it was bound, uncompressed."""
        return self._live.wal_bytes if self._live is not None else 0

    def sync(self, report: Reporter | None = None, cancel: CancelToken | None = None) -> ReplicaChange:
        """Write what the database's shadow WAL has and the replica lacks. Raises LitetuiError."""
        return self._bound().sync(report, cancel)

    def snapshot(self, report: Reporter | None = None, cancel: CancelToken | None = None) -> ReplicaChange:
        """A sync, and a snapshot unless the one of this index is there already. Raises LitetuiError."""
        return self._bound().snapshot(report, cancel)

    def exclusively(self, work: Callable[[ReplicaWriter], T], cancel: CancelToken | None = None) -> T:
        """Do something else to the replica's files, while nothing is synced. Raises LitetuiError."""
        try:
            return self._bound().exclusively(work, cancel)
        finally:
            self.refresh()

    def start(
        self,
        interval_s: float = 1.0,
        *,
        failed: Callable[[LitetuiError], None] = lambda _: None,
        done: Callable[[ReplicaChange], None] = lambda _: None,
    ) -> None:
        """Sync in a thread of its own whenever the database's shadow WAL has grown, at most each `interval_s`.

        What was done goes to `done`, an error to `failed`; then the sync is tried again, less and less often.
        """
        live = self._bound()
        if self._loop is not None:
            return
        self._stopping = CancelToken()

        def work() -> None:
            try:
                done(live.sync(cancel=self._stopping))
            except Cancelled:
                cause = "the last commits are not in the replica yet"
                if live.needs_snapshot:
                    cause = f"the snapshot of generation {live.database.pos().generation} is not written yet"
                raise OutputError("sync a last time", cause, path=self.path, hint="the next start goes on") from None

        self._loop = Loop(f"replica-{self.name}", interval_s, work, failed)
        live.database.listeners.append(self._loop.wake)
        self._loop.start()
        self._loop.wake()

    def wake(self) -> None:
        """Sync now, whatever the interval says; also after errors."""
        if self._loop is not None:
            self._loop.wake(now=True)

    def stop(self, timeout: float | None = None) -> None:
        """Sync a last time, unless the last sync failed, and end the thread. A whole snapshot is not waited for longer
        than a second; `timeout` in seconds, for a thread that is stuck in the kernel."""
        loop, live = self._loop, self._bound()
        if loop is None:
            return
        self._loop = None
        live.database.listeners.remove(loop.wake)
        if not loop.stop(timeout=_GRACE_S if live.needs_snapshot else timeout):
            self._stopping.cancel()
            if not loop.stop(timeout=timeout):
                return
        limit = threading.Timer(_GRACE_S, self._stopping.cancel)
        if live.needs_snapshot:
            limit.start()
        loop.once()
        limit.cancel()

    def _bound(self) -> Live:
        if self._live is None:
            raise OutputError("sync the replica", "it is open for reading only", path=self.path)
        return self._live

    # ---- folders

    def generation_dir(self, generation: str) -> str:
        return f"generations/{generation}"

    def snapshot_path(self, info: SnapshotInfo) -> str:
        return f"generations/{info.generation}/snapshots/{info.name}"

    def wal_path(self, info: WALInfo) -> str:
        return f"generations/{info.generation}/wal/{info.name}"

    # ---- listing

    def folders(self) -> list[str]:
        """The folders, below the replica's own, in which files come and go."""
        generations = [self.generation_dir(name) for name in self._generations()]
        inner = [f"{folder}/{name}" for folder in generations for name in ("snapshots", "wal")]
        return ["generations", *generations, *inner, *(self._ltx.folders() if self._ltx is not None else [])]

    def refresh(self, *, anew: bool = False, only: Mapping[str, Collection[str]] | None = None) -> bool:
        """List what may have changed again. True if a file came, went, grew or was touched. `anew`: also look again at
        the sizes and times of files that are known, which only a stranger changes. `only`: nothing has changed but the
        files of these names, by folder. Raises ChangedError where the folder is gone, and knows what it knew."""
        with self._lock:
            return self._refresh(anew, only)

    def forget(self) -> None:
        """Know nothing any more: the next look takes the folder as it is, also where all of it was taken away."""
        with self._lock:
            self._known = self._ltx = None

    def _refresh(self, anew: bool, only: Mapping[str, Collection[str]] | None) -> bool:
        before = self._known or {}
        if (before or self._ltx is not None) and not self.storage.is_folder(""):
            raise gone(self.path)
        beside = self.ltx if before else self._ltx
        ltx_changed = beside is not None and beside.refresh(anew=anew, only=only)
        if before and only is not None:
            found = {name: self._touched(one, only) for name, one in before.items()}
            foreign = self._problems
        else:
            listing = sorted(self.storage.names("generations"))
            if before and not listing and not self.storage.is_folder("generations"):
                raise gone(self.storage.path("generations"))
            found = {}
            problems: list[Finding] = []
            for entry in listing:
                folder = self.generation_dir(entry)
                if names.is_generation(entry) and self.storage.is_folder(folder):
                    known = before.get(entry, _Generation(entry))
                    found[entry] = self._read_generation(_Generation(entry) if anew else known)
                else:
                    problems.append(_foreign(self.storage.path(folder)))
            foreign = tuple(problems)
        changed = (
            anew
            or self._known is None
            or before.keys() != found.keys()
            or any(not _same_content(before[name], value) for name, value in found.items())
        )
        self._known, self._problems = found, foreign
        return changed or ltx_changed

    def _touched(self, old: _Generation, only: Mapping[str, Collection[str]]) -> _Generation:
        """The generation after changes to nothing but these files."""
        base = self.generation_dir(old.name)
        snapshots, wals = only.get(f"{base}/snapshots", ()), only.get(f"{base}/wal", ())
        if not snapshots and not wals:
            return old
        changed, others = WALTable.parse(old.name, sorted(wals))

        def listed() -> _Generation:
            known = replace(old, wals=old.wals.without(changed), folders=(_Folder(), _Folder()))
            return self._read_generation(known)

        if snapshots or old.problems or len(wals) > _MANY:
            return listed()
        stamp = self._stamp(f"{base}/wal")
        problems: list[Finding] = []
        changed = self._with_stats(changed, f"{base}/wal", np.arange(len(changed)), problems)
        table = old.wals.updated(changed)
        if table is None or problems or (changed.size == NO_FILE).any():
            return listed()
        foreign = set(old.foreign)
        for name in others:
            path = f"{base}/wal/{name}"
            (foreign.add if os.path.lexists(self.storage.path(path)) else foreign.discard)(path)
        return replace(old, wals=table, foreign=tuple(sorted(foreign)), folders=(old.folders[0], stamp))

    def _read_generation(self, old: _Generation) -> _Generation:
        base = self.generation_dir(old.name)
        problems: list[Finding] = []
        if not os.access(self.storage.path(base), os.R_OK | os.X_OK):
            self._note_unreadable(base, old.name, problems)
        snapshot_folder, wal_folder = f"{base}/snapshots", f"{base}/wal"
        stamps = tuple(self._stamp(f) for f in (snapshot_folder, wal_folder))
        active = old.wals.form == WHOLE
        if all(_same(a, b) for a, b in zip(stamps, old.folders, strict=True)) and not problems and not old.problems:
            if not active.any():
                return old
            # Only a plain `.wal` changes without its folder changing: it is appended to in place.
            sized = self._with_stats(old.wals, wal_folder, np.flatnonzero(active), problems)
            same = np.array_equal(sized.size, old.wals.size) and np.array_equal(sized.mtime_ns, old.wals.mtime_ns)
            return old if same and not problems else replace(old, wals=sized)
        snapshots, twins, odd_snapshots = self._list_snapshots(old.name, snapshot_folder, problems)
        wals, odd_wals = self._list_wals(old, wal_folder, problems)
        foreign = tuple([f"{snapshot_folder}/{n}" for n in odd_snapshots] + [f"{wal_folder}/{n}" for n in odd_wals])
        return _Generation(
            old.name, tuple(snapshots), tuple(twins), wals, foreign, tuple(problems), (stamps[0], stamps[1])
        )

    def _stamp(self, folder: str) -> _Folder:
        return _Folder(self.storage.folder_mtime_ns(folder), time.time_ns())

    def _names(self, folder: str, generation: str, problems: list[Finding]) -> list[str]:
        try:
            return self.storage.names(folder)
        except LitetuiError as error:
            problems.append(unreadable_finding(error, generation))
            return []

    def _note_unreadable(self, folder: str, generation: str, problems: list[Finding]) -> None:
        try:
            self.storage.names(folder)
        except LitetuiError as error:
            problems.append(unreadable_finding(error, generation))

    def _list_snapshots(
        self, generation: str, folder: str, problems: list[Finding]
    ) -> tuple[list[SnapshotInfo], list[SnapshotInfo], list[str]]:
        """The snapshots by index, the plain ones whose compressed form is there as well, and what is none."""
        listing = self._names(folder, generation, problems)
        parsed = [(p, n) for n in listing if (p := names.parse_snapshot(n)) is not None]
        foreign = [n for n in listing if names.parse_snapshot(n) is None]
        try:
            sizes, mtimes = self.storage.stat_many(folder, [n for _, n in parsed])
        except LitetuiError as error:
            problems.append(unreadable_finding(error, generation))
            return [], [], foreign
        twins: list[SnapshotInfo] = []
        out: dict[int, SnapshotInfo] = {}
        for (p, name), size, mtime in zip(parsed, sizes.tolist(), mtimes.tolist(), strict=True):
            info = SnapshotInfo(generation, p.index, size, mtime, name, p.compressed)
            if size == NO_FILE:
                problems.append(no_file(self.storage.path(f"{folder}/{name}"), generation))
            elif size == GONE or (not p.compressed and not self._is_database(info)):
                foreign.append(name)
            elif p.index in out:
                twins.append(out[p.index] if p.compressed else info)
                out[p.index] = info if p.compressed else out[p.index]
            else:
                out[p.index] = info
        return [out[index] for index in sorted(out)], twins, sorted(foreign)

    def _list_wals(self, old: _Generation, folder: str, problems: list[Finding]) -> tuple[WALTable, list[str]]:
        for _ in range(_LISTINGS):
            table, foreign = WALTable.parse(old.name, self._names(folder, old.name, problems))
            table = table.carry_over(old.wals)
            missing = np.flatnonzero((table.size < 0) | (table.form == WHOLE))
            table = self._with_stats(table, folder, missing, problems)
            if not (table.size == GONE).any():
                break  # else a file went between its name and its size: one that replaces it may have come
        problems += [
            no_file(self.storage.path(f"{folder}/{table.name(int(row))}"), old.name)
            for row in np.flatnonzero(table.size == NO_FILE)
        ]
        no_data = table.size < 0
        for odd in self._odd_forms(table, no_data):
            # Where one is what its name says, the form is the generation's own as well (an upgraded Litestream): then
            # the others are data too, and damaged where they are not what their names say.
            if not any(self._is_wal(table[int(row)]) for row in odd):
                no_data[odd] = True
        foreign += [table.name(int(row)) for row in np.flatnonzero(no_data & (table.size >= 0))]
        return (table.take(~no_data) if no_data.any() else table), sorted(foreign)

    def _odd_forms(self, table: WALTable, no_data: np.ndarray) -> list[np.ndarray]:
        """The rows of each form that the generation's own layout does not use."""
        segments, wholes = int((table.form == SEGMENT).sum()), int(table.whole.sum())
        other = table.whole if segments >= wholes and segments else table.form == SEGMENT
        return [rows for mask in (other, table.form == SEGMENT_PLAIN) if len(rows := np.flatnonzero(mask & ~no_data))]

    def _with_stats(self, table: WALTable, folder: str, rows: np.ndarray, problems: list[Finding]) -> WALTable:
        if not len(rows):
            return table
        try:
            sizes, mtimes = self.storage.stat_many(folder, table.names_of(rows))
        except LitetuiError as error:
            problems.append(unreadable_finding(error, table.generation))
            return table
        size, mtime = table.size.copy(), table.mtime_ns.copy()
        size[rows], mtime[rows] = sizes, mtimes
        return replace(table, size=size, mtime_ns=mtime)

    def _is_database(self, info: SnapshotInfo) -> bool:
        try:
            with self.storage.open(self.snapshot_path(info)) as file:
                return file.read(16) == dbheader.MAGIC
        except LitetuiError:
            return True  # what cannot be read is not known to be foreign

    def _is_wal(self, info: WALInfo) -> bool:
        """True if the file's content begins like a WAL, or may do so as far as we can read it."""
        try:
            with self.storage.open(self.wal_path(info)) as file:
                head = next(lz4.decompress_stream(file), b"") if info.compressed else file.read(wal.HEADER_SIZE)
            if info.offset:
                return info.compressed  # the middle of a WAL: its LZ4 frame is all that can be looked at
            wal.WALHeader.parse(head[: wal.HEADER_SIZE])
        except LitetuiError:
            return True
        except (lz4.LZ4Error, wal.WALError):
            return False
        return True

    def _generations(self) -> dict[str, _Generation]:
        if self._known is None:
            with self._lock:  # where another thread is at it, its listing will do
                if self._known is None:
                    self._refresh(False, None)
        assert self._known is not None
        return self._known

    def _get(self, generation: str) -> _Generation:
        known = self._generations().get(generation)
        if known is None:
            raise NoSuchTargetError(
                "find the generation",
                f"there is no generation {generation!r} in this replica",
                path=self.path,
                hint=f"list what there is: litetui generations {self.path}",
            )
        return known

    @property
    def ltx(self) -> LTXReplica | None:
        """The v0.5 replica in the same folder, or None."""
        if self._ltx is None and self.storage.is_folder("ltx"):
            self._ltx = LTXReplica(self.path, self.name)
        return self._ltx

    def ltx_newest_ns(self) -> int | None:
        """The time of the newest file of a v0.5 replica in the same folder, or None."""
        times = self.ltx.times if self.ltx is not None else None
        return times.end_ns if times is not None else None

    # ---- what it holds

    def layout(self) -> str:
        """Which Litestream's layout this is, in words."""
        tables = [g.wals for g in self._generations().values()]
        forms = {form for form in range(SEGMENT_PLAIN + 1) if any((table.form == form).any() for table in tables)}
        segments, whole = bool(forms & {SEGMENT, SEGMENT_PLAIN}), bool(forms & {WHOLE, WHOLE_LZ4})
        if segments and whole:
            return "Litestream v0.3, both layouts"
        if segments:
            return "Litestream v0.3.5+"
        return "Litestream v0.3.0–0.3.4" if whole else "Litestream v0.3"

    def generations(self) -> list[str]:
        """Names of the generations, the one that was updated last first."""
        known = self._generations()
        updated = {name: self.generation_stats(name).updated_ns or 0 for name in known}
        return sorted(known, key=lambda name: (updated[name], name), reverse=True)

    def generation_stats(self, generation: str) -> GenerationStats:
        """Counts, bytes, first and last file time (mtime, ns). A `.tmp` is no file of a generation."""
        g = self._get(generation)
        times = [s.created_ns for s in g.snapshots]
        if len(g.wals):
            times += [int(g.wals.mtime_ns.min()), int(g.wals.mtime_ns.max())]
        return GenerationStats(
            generation,
            len(g.snapshots),
            len(g.wals),
            sum(s.size for s in g.snapshots) + int(g.wals.size.sum()),
            min(times, default=None),
            max(times, default=None),
        )

    def snapshots(self, generation: str) -> list[SnapshotInfo]:
        """The snapshots of a generation by index; where one is there twice, the compressed one."""
        return list(self._get(generation).snapshots)

    def snapshot_files(self, generation: str) -> list[SnapshotInfo]:
        """Every snapshot file by index, where one is there twice both forms: what a deletion has to know of."""
        known = self._get(generation)
        return sorted((*known.snapshots, *known.twins), key=lambda info: (info.index, info.compressed))

    def wals(self, generation: str) -> WALTable:
        """The WAL files of a generation, as columns."""
        return self._get(generation).wals

    def has_data(self) -> bool:
        """Whether there is any file to restore from, of v0.5 in the same folder too."""
        own = any(self.snapshots(g) or len(self.wals(g)) for g in self.generations())
        return own or (self.ltx is not None and self.ltx.has_data())

    def foreign(self, generation: str) -> list[str]:
        """Paths of what lies in the generation's folders and is no data of it."""
        return list(self._get(generation).foreign)

    def problems(self, generation: str | None = None) -> list[Finding]:
        """What could not be listed, and foreign things beside the generations."""
        if generation is not None:
            return list(self._get(generation).problems)
        self._generations()
        return list(self._problems)

    def max_snapshot_index(self, generation: str) -> int:
        """The highest index that has a snapshot; NoSuchTargetError where there is none."""
        snapshots = self._get(generation).snapshots
        if not snapshots:
            raise NoSuchTargetError("find a snapshot", f"generation {generation} has no snapshot", path=self.path)
        return snapshots[-1].index

    def snapshot_index_at(self, generation: str, timestamp_ns: int) -> int:
        """The highest index whose snapshot is not newer than the time (ns, inclusive)."""
        found = [s.index for s in self._get(generation).snapshots if s.created_ns <= timestamp_ns]
        if not found:
            raise NoSuchTargetError(
                "find a snapshot", f"generation {generation} has no snapshot at or before that time", path=self.path
            )  # fmt: skip
        return max(found)

    def wal_index_at(self, generation: str, max_index: int, timestamp_ns: int) -> int:
        """The highest index, at most `max_index`, with a WAL file not newer than the time (ns, inclusive)."""
        table = self.wals(generation)
        if max_index not in table.index:
            raise NoSuchTargetError(
                "find the WAL", f"generation {generation} has no WAL {max_index:08x}", path=self.path
            )
        found = table.index[(table.index <= max_index) & (table.mtime_ns <= timestamp_ns)]
        if not len(found):
            raise NoSuchTargetError(
                "find the WAL", f"generation {generation} has no WAL at or before that time", path=self.path
            )
        return int(found.max())

    def calc_pos(self, generation: str) -> Pos:
        """The end of the newest WAL, frame-aligned; (highest snapshot, 0) where no WAL is newer. Reads one index."""
        g = self._get(generation)
        snapshot = g.snapshots[-1].index if g.snapshots else 0
        if not len(g.wals) or int(g.wals.index[-1]) < snapshot:
            return Pos(generation, snapshot, 0)
        index = int(g.wals.index[-1])
        rows = self.forms_of(g.wals, index)[0]
        last = g.wals[rows[-1]]
        head = b"".join(self.first_bytes(g.wals[rows[0]], wal.HEADER_SIZE))
        if last.compressed:
            size = (last.offset or 0) + sum(len(b) for b in self.read_wal_file(last))
        else:
            size = (last.offset or 0) + last.size
        if size < wal.HEADER_SIZE:
            return Pos(generation, index, 0)
        try:
            frame = wal.WALHeader.parse(head).frame_size
        except wal.WALError as error:
            raise DamageError(
                "read the WAL", str(error), code="wal-header", path=self.storage.path(self.wal_path(last)), index=index
            ) from None  # fmt: skip
        return Pos(generation, index, size - (size - wal.HEADER_SIZE) % frame)

    @staticmethod
    def forms_of(table: WALTable, index: int) -> list[list[int]]:
        """The ways to read a WAL, best first, as rows: its segments, its compressed file, its plain file."""
        by_form: dict[int, list[int]] = {}
        for row in table.rows_of(index):
            by_form.setdefault(int(table.form[row]), []).append(row)
        out = [by_form[f] for f in (SEGMENT, SEGMENT_PLAIN, WHOLE_LZ4, WHOLE) if f in by_form]
        if not out:
            raise NoSuchTargetError(
                "find the WAL",
                f"generation {table.generation} has no WAL {index:08x}",
                hint="litetui wal REPLICA",
            )
        return out

    # ---- bytes

    def read_snapshot_file(self, info: SnapshotInfo) -> Iterator[bytes]:
        """The content of a snapshot in blocks. Proved only when the iterator has ended. Raises DamageError."""
        path = self.snapshot_path(info)
        with self.storage.open_known(path, info.size, info.created_ns) as file:
            yield from _content(file, info.size, info.compressed, "read the snapshot", info.index)

    def read_wal_file(self, info: WALInfo) -> Iterator[bytes]:
        """The content of one WAL file in blocks; of a plain `.wal` as far as the catalog knew it, also if a writer has
        compressed it meanwhile."""
        growing = info.offset is None and not info.compressed
        try:
            file = self.storage.open_known(self.wal_path(info), info.size, info.created_ns, growing=growing)
        except UnreadableError:
            packed = self._compressed_since(info) if growing else None
            if packed is None:
                raise
            yield from _first(self.read_wal_file(packed), info.size)
            return
        with file:
            yield from _content(file, info.size, info.compressed, "read the WAL", info.index)

    def _compressed_since(self, info: WALInfo) -> WALInfo | None:
        """The compressed form of a plain WAL that is not there any more."""
        name = names.format_wal(info.index)
        folder = os.path.dirname(self.wal_path(info))
        sizes, times = self.storage.stat_many(folder, [info.name, name])
        if sizes[0] != GONE or sizes[1] < 0:
            return None
        return replace(info, name=name, size=int(sizes[1]), created_ns=int(times[1]), compressed=True)

    def first_bytes(self, info: WALInfo, size: int) -> list[bytes]:
        """At least `size` first bytes of a WAL file's content, or all of it."""
        out: list[bytes] = []
        for block in self.read_wal_file(info):
            out.append(block)
            if sum(map(len, out)) >= size:
                break
        return out

    def snapshot_reader(self, generation: str, index: int) -> Iterator[bytes]:
        """The content of the snapshot of an index in blocks."""
        for info in self._get(generation).snapshots:
            if info.index == index:
                return self.read_snapshot_file(info)
        raise NoSuchTargetError(
            "read the snapshot", f"generation {generation} has no snapshot {index:08x}", path=self.path
        )

    def wal_reader(self, generation: str, index: int) -> Iterator[bytes]:
        """A whole WAL in blocks, whatever its pieces are. Raises DamageError where they do not join."""
        table = self.wals(generation)
        return self._join(table, self.forms_of(table, index)[0])

    def _join(self, table: WALTable, rows: Sequence[int]) -> Iterator[bytes]:
        at = 0
        for row in rows:
            info = table[row]
            if (info.offset or 0) != at:
                raise DamageError(
                    "read the WAL",
                    f"the segments do not follow on: {at} bytes end before this one",
                    code="missing-segment",
                    path=self.storage.path(self.wal_path(info)),
                    index=info.index,
                    offset=info.offset,
                )
            for block in self.read_wal_file(info):
                at += len(block)
                yield block


def _content(file: LocalFile, size: int, compressed: bool, operation: str, index: int) -> Iterator[bytes]:
    """The content of an open file in blocks."""
    if not compressed:
        while size > 0 and (block := file.read(min(size, _CHUNK))):
            size -= len(block)
            yield block
        return
    try:
        if size <= _CHUNK:
            yield lz4.decompress(file.read_all())
        else:
            yield from lz4.decompress_stream(file)
    except lz4.LZ4Error as error:
        raise DamageError(
            operation, f"{error} (byte {error.offset} of the file)", code=error.code, path=file.path, index=index
        ) from None


def _first(blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The first bytes of a content; all of it is read, as its checksum stands at the end."""
    for block in blocks:
        if size > 0:
            yield block[:size]
        size -= len(block)


def _same(a: _Folder, b: _Folder) -> bool:
    return a.mtime_ns == b.mtime_ns and b.mtime_ns < b.listed_ns - _SETTLED_NS


def _same_content(a: _Generation, b: _Generation) -> bool:
    return a is b or (
        (a.snapshots, a.twins, a.foreign, a.problems) == (b.snapshots, b.twins, b.foreign, b.problems)
        and a.wals.same_files(b.wals)
        and np.array_equal(a.wals.size, b.wals.size)
        and np.array_equal(a.wals.mtime_ns, b.wals.mtime_ns)
    )


def _foreign(path: str) -> Finding:
    return Finding("info", "unknown-file", "this is no generation; litetui leaves it alone", path=path)
