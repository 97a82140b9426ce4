"""A generator of damage: sound replicas, every way to damage them, and a judge who knows the truth.

    python -m tests.damage --cases 2000 --seed 1       a table of what came of them; the first failure ends it
    python -m tests.damage --case 'Case(...)'          one case again, with all that was said about it
    python -m tests.damage --cases 300 --replica DIR --states LOG     the same with a replica of tests.live_writer

A replica is a mapping of paths to bytes and times here. The judge reads it with none of litetui's code: `lz4.frame`,
the plain recurrence of WAL checksums, and a page merge of twenty lines. A restore must fail cleanly or give the right
bytes; other bytes need a class (`Judge.class_of`), and each class has a condition on what was left of the replica.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import re
import resource
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar
from unittest import mock

import lz4.frame
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from litetui.errors import LitetuiError, UnreadableError
from litetui.ops import restore as ops
from litetui.ops import validate, verdict_text
from litetui.ops.target import Target
from litetui.ops.verdict import GenerationReport, Report
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from litetui.replica.ltx import LTXReplica
from litetui.replica.types import Pos
from tests.build import SECOND, T0, History, add_frame, compress, slow_checksum

DAY = 86400 * SECOND
_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_MOST_PAGES = 1 << 16
HEADER = 32
_SNAPSHOT = re.compile(r"generations/([0-9a-f]{16})/snapshots/([0-9a-f]{8})\.snapshot(\.lz4)?")
_WAL = re.compile(r"generations/([0-9a-f]{16})/wal/([0-9a-f]{8})(?:_([0-9a-f]{8,16}))?\.wal(\.lz4)?")
States = dict[tuple[int, int], bytes]


# ---- replicas as values


@dataclass(frozen=True)
class Entry:
    """A file, a `folder`, or a `link` to nothing."""

    data: bytes = b""
    mtime_ns: int = T0
    kind: str = "file"


Files = dict[str, Entry]


@dataclass(frozen=True)
class Shape:
    """Which sound replica. `source`: random `pages` with right checksums, real `sqlite`, or a replica's name.

    growth     whether transactions let the database grow: `grow`, `same`, `mixed` (it also shrinks)
    snapshots  `first`, `last` (and the first), `all` indexes; `ahead`: those after the first hold frames of their WAL
    batch      transactions a segment
    tail       what a writer left at the end of a plain newest WAL: "", `empty`, `header`, `torn`, `open`
    retained   whether the first index is gone by retention
    """

    source: str = "pages"
    layout: str = "segments"
    page_size: int = 512
    indexes: int = 2
    transactions: int = 2
    growth: str = "mixed"
    snapshots: str = "first"
    ahead: bool = False
    generations: int = 1
    batch: int = 1
    tail: str = ""
    retained: bool = False
    big: bool = False
    plain: bool = False


@dataclass
class Sound:
    """A sound replica and the truth about it: `states` and the latest of them by generation.

    known  whether the application had the state of a database file, where that is known
    real   whether its databases mean something to SQLite
    """

    files: Files
    page_size: int
    states: dict[str, States]
    latest: dict[str, bytes]
    newest: str
    real: bool
    known: Callable[[Path], bool] | None = None

    def __post_init__(self) -> None:
        self.now_ns = max(e.mtime_ns for e in self.files.values()) + DAY
        self.decoded = {g: Decoded(self.files, g) for g in self.states}
        self.all_states = {data for states in self.states.values() for data in states.values()}
        self.snapshots = {data for d in self.decoded.values() for _, data in d.snapshots.values()}
        self.wals = {one.data for d in self.decoded.values() for forms in d.wals.values() for one in forms}
        self.paths = sorted(self.files)

    @property
    def frame_size(self) -> int:
        return 24 + self.page_size


def generation_name(number: int) -> str:
    return f"{number:x}a5" * 5 + f"{number:x}"


@lru_cache(maxsize=256)
def sound(shape: Shape) -> Sound:
    """The sound replica of a shape."""
    if shape.source not in ("pages", "sqlite"):
        return golden(shape.source)
    files: Files = {}
    states: dict[str, States] = {}
    latest: dict[str, bytes] = {}
    name = ""
    for number in range(shape.generations):
        name = generation_name(number)
        history = _pages(shape, number) if shape.source == "pages" else _sqlite(shape, number)
        newest = number == shape.generations - 1
        states[name] = _put(files, shape, name, history, T0 + number * 1000 * SECOND, newest)
        latest[name] = history.database
    return Sound(files, shape.page_size, states, latest, name, shape.source == "sqlite")


def _pages(shape: Shape, number: int) -> History:
    salt1 = 0xFFFFFFFF if number == 1 else 0x10203040 + 977 * number
    most = 3 + shape.indexes * shape.transactions  # where it does not grow, each transaction has a page of its own
    pages = most if shape.growth == "same" else 4
    history = History(shape.page_size, pages, not shape.big, salt1, number + 1)
    for index in range(shape.indexes):
        if index:
            history.restart()
        for t in range(shape.transactions):
            at = index * shape.transactions + t
            size = {"grow": 5 + at, "same": most, "mixed": 4 + (t + index) % 4}[shape.growth]
            page = 2 + (at if shape.growth == "same" else at % 3)
            history.commit(*((1, page) if t % 2 else (page,)), size=size)
    return history


def _sqlite(shape: Shape, number: int) -> History:
    """A history whose pages SQLite wrote, with salts and checksums made anew so that each run gives the same bytes."""
    rng = random.Random(number)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/app.db"
        db = sqlite3.connect(path, isolation_level=None)
        db.execute(f"pragma page_size = {shape.page_size}")
        db.execute("pragma auto_vacuum = full") if shape.growth == "mixed" else None
        db.execute("pragma journal_mode = wal")
        db.execute("pragma wal_autocheckpoint = 0")
        db.execute("create table item (id integer primary key, body blob)")
        db.execute("create table counter (n integer)")
        db.execute("insert into counter values (0)")
        for _ in range(12):
            db.execute("insert into item (body) values (?)", (rng.randbytes(shape.page_size // 2),))
        base = _checkpointed(db, path)
        salt1 = 0xFFFFFFFF if number == 1 else 0x10203040 + 977 * number
        history = History(shape.page_size, len(base) // shape.page_size, not shape.big, salt1, number + 1)
        history._page = dict(enumerate(_cut(base, shape.page_size), 1))
        history.states[0, 0] = base
        for index in range(shape.indexes):
            if index:
                _checkpointed(db, path)
                history.restart()
            seen = HEADER
            for t in range(shape.transactions):
                _transaction(db, shape, rng, index * shape.transactions + t)
                wal = Path(f"{path}-wal").read_bytes()
                _follow(history, wal[seen:])
                seen = len(wal)
        assert _checkpointed(db, path) == history.database
        db.close()
    return history


def _checkpointed(db: sqlite3.Connection, path: str) -> bytes:
    assert db.execute("pragma wal_checkpoint(truncate)").fetchone() == (0, 0, 0)
    return Path(path).read_bytes()


def _transaction(db: sqlite3.Connection, shape: Shape, rng: random.Random, number: int) -> None:
    body = rng.randbytes(shape.page_size)
    db.execute("begin immediate")
    db.execute("update counter set n = n + 1")
    if shape.growth == "grow" or (shape.growth == "mixed" and number % 3 < 2):
        db.execute("insert into item (body) values (?)", (body,))
    elif shape.growth == "mixed":
        db.execute("delete from item where id = (select max(id) from item)")
    else:
        db.execute("update item set body = ? where id = ?", (body[: shape.page_size // 2], 1 + number % 12))
    db.execute("commit")


def _follow(history: History, frames: bytes) -> None:
    """Add the frames that SQLite wrote to a history."""
    size = history.frame_size
    for at in range(0, len(frames), size):
        page, commit = struct.unpack(">2I", frames[at : at + 8])
        image = frames[at + 24 : at + size]
        add_frame(history.wals[-1], page, commit, image)
        history._page[page] = image
        if commit:
            history._page = {p: data for p, data in history._page.items() if p <= commit}
            history.states[history.index, len(history.wals[-1])] = history.database


def _put(files: Files, shape: Shape, generation: str, history: History, now: int, newest: bool) -> States:
    """The files of one generation. Returns the states that it leads to."""
    last = len(history.wals) - 1
    first = 1 if shape.retained and last else 0
    taken = {"first": {first}, "last": {first, last}, "all": set(range(first, last + 1))}[shape.snapshots]
    states = {at: data for at, data in history.states.items() if at[0] >= first}
    for index in range(first, last + 1):
        wal, ends = bytes(history.wals[index]), history.ends(index)
        if index in taken:
            copied = ends[len(ends) // 2] if shape.ahead and index > first else 0
            data, name = history.states[index, copied], f"generations/{generation}/snapshots/{index:08x}.snapshot"
            files[name if shape.plain else name + ".lz4"] = Entry(data if shape.plain else compress(data), now)
            now += SECOND
        base = f"generations/{generation}/wal/{index:08x}"
        if shape.layout == "segments":
            cuts = [0, *ends[shape.batch - 1 : -1 : shape.batch], len(wal)]
            for start, end in itertools.pairwise(cuts):
                files[f"{base}_{start:08x}.wal.lz4"] = Entry(compress(wal[start:end]), now)
                now += SECOND
        elif index < last or (newest and shape.tail in ("empty", "header")):
            files[f"{base}.wal.lz4"] = Entry(compress(wal), now)
        else:
            files[f"{base}.wal"] = Entry(wal + (_tail(history, shape) if newest else b""), now)
        now += SECOND
    if shape.layout == "wal" and newest and shape.tail in ("empty", "header"):
        history.restart()
        base = f"generations/{generation}"
        if shape.snapshots == "all":
            files[f"{base}/snapshots/{last + 1:08x}.snapshot.lz4"] = Entry(compress(history.database), now - 1)
        data = bytes(history.wals[-1]) if shape.tail == "header" else b""
        files[f"{base}/wal/{last + 1:08x}.wal"] = Entry(data, now)
        states[last + 1, 0] = history.database
    return states


def _tail(history: History, shape: Shape) -> bytes:
    """What stands behind the last commit of a plain WAL while a writer is at work."""
    wal = bytearray(history.wals[-1])
    done = len(wal)
    add_frame(wal, 2, 0, bytes(history.page_size))
    return {"torn": bytes(wal[done:-7]), "open": bytes(wal[done:])}.get(shape.tail, b"")


# ---- replicas that real Litestream wrote


GOLDEN = Path(__file__).parent / "golden"


def golden(name: str) -> Sound:
    """A replica of tests/golden, or of the folder of fixtures that DAMAGE_FIXTURES names."""
    folder = GOLDEN if (GOLDEN / f"{name}.tar.gz").exists() else Path(os.environ["DAMAGE_FIXTURES"])
    spec_file = folder / f"{name}.json"
    spec = json.loads((spec_file if spec_file.exists() else folder / f"{name}.expected.json").read_text())
    had = set(spec["states"]) if "states" in spec else {t.get("app_sha256") for t in spec["timeline"]}
    had.add(hashlib.sha256().hexdigest())
    with tempfile.TemporaryDirectory() as unpacked:
        subprocess.run(["tar", "xpf", str(folder / f"{name}.tar.gz"), "-C", unpacked], check=True)
        root = next(p for p in sorted(Path(unpacked).rglob("replica")) if (p / "generations").is_dir())
        out = from_folder(root, lambda path: content(path) in had)
    restores = [c for c in spec["restores"] if c.get("id") == "latest"]
    latest = {c.get("sha256") or c.get("db", {}).get("sha256") for c in restores}
    assert not latest or name.startswith("upgrade") or hashlib.sha256(out.latest[out.newest]).hexdigest() in latest
    return out


def content(path: Path) -> str:
    """The `app_sha256` of a database (tests/golden/README.md)."""
    db = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    db.text_factory = lambda b: b.decode("utf-8", "surrogateescape")
    digest = hashlib.sha256()
    try:
        names = "select name from sqlite_master where type='table' order by name"
        for (name,) in db.execute(names).fetchall():
            if not name.startswith(("sqlite_", "_litestream_")):
                digest.update(f"T:{name}\n".encode())
                for row in db.execute(f'select rowid, * from "{name}" order by rowid'):
                    digest.update((repr(tuple(row)) + "\n").encode())
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        db.close()
    return digest.hexdigest()


def live(root: Path, log: Path) -> Sound:
    """A replica of a database that tests.live_writer wrote."""
    from tests.test_live import state_of

    states = {(int(n), digest) for n, digest in (line.split() for line in log.read_text().splitlines())}

    def known(path: Path) -> bool:
        try:
            return state_of(path) in states
        except sqlite3.DatabaseError:
            return False

    return from_folder(root, known)


def from_folder(root: Path, known: Callable[[Path], bool]) -> Sound:
    """A sound replica on the disk: its states are what the judge's own merge gives."""
    files = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        files[str(path.relative_to(root))] = Entry(path.read_bytes(), path.stat().st_mtime_ns)
    states: dict[str, States] = {}
    latest = {}
    page_size = 0
    for generation in sorted({m[1] for name in files if (m := _WAL.match(name) or _SNAPSHOT.match(name))}):
        decoded = Decoded(files, generation)
        if not decoded.snapshots:
            continue
        first = min(decoded.snapshots)
        data = decoded.snapshots[first][1]
        page_size = page_size_of(data)
        merge = Merge(data, first)
        states[generation] = {(first, 0): data}
        for index in itertools.count(first):
            if index not in decoded.wals:
                break
            for end, state in merge.apply(index, max(decoded.wals[index], key=lambda w: len(w.data)).data):
                states[generation][index, end] = state
            states[generation][index + 1, 0] = merge.database
        latest[generation] = merge.database
    newest = max(states, key=lambda g: max(e.mtime_ns for n, e in files.items() if f"/{g}/" in n and is_data(n)))
    return Sound(files, page_size, states, latest, newest, True, known)


# ---- reading without litetui


def is_data(path: str) -> bool:
    return bool(_SNAPSHOT.fullmatch(path) or _WAL.fullmatch(path))


def unpack(data: bytes) -> bytes | None:
    """The content of one whole LZ4 frame; None where it is not sound."""
    if not data:
        return None
    reader = lz4.frame.LZ4FrameDecompressor()
    try:
        out: bytes = reader.decompress(data)
    except RuntimeError:
        return None
    return out if reader.eof and not reader.unused_data else None


def page_size_of(database: bytes) -> int:
    size = int.from_bytes(database[16:18], "big")
    return 65536 if size == 1 else size


def salt_of(wal: bytes) -> int:
    return int.from_bytes(wal[16:20], "big")


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@dataclass(frozen=True)
class Form:
    """One form of a WAL: its content; `plain` where it is a file that is appended to."""

    data: bytes
    plain: bool


class Decoded:
    """A generation as its names and bytes have it: `snapshots` (plain?, content) and the forms of `wals` by index.

    What cannot be decoded or joined is left out; its indexes are in `broken_snapshots` and `broken_wals`.
    """

    def __init__(self, files: Mapping[str, Entry], generation: str) -> None:
        self.snapshots: dict[int, tuple[bool, bytes]] = {}
        self.wals: dict[int, list[Form]] = {}
        self.broken_snapshots: set[int] = set()
        self.broken_wals: set[int] = set()
        pieces: dict[int, list[tuple[int, bytes | None]]] = {}
        wholes: list[tuple[int, bool, bytes | None]] = []
        for path, entry in sorted(files.items()):
            if (m := _SNAPSHOT.fullmatch(path)) and m[1] == generation:
                self._snapshot(int(m[2], 16), not m[3], _content(entry, m[3]))
            elif (m := _WAL.fullmatch(path)) and m[1] == generation:
                data, index = _content(entry, m[4]), int(m[2], 16)
                if m[3]:
                    pieces.setdefault(index, []).append((int(m[3], 16), data))
                else:
                    wholes.append((index, not m[4], data))
        # What is in the other layout's form counts only if it is what its name says.
        own_is_segments = bool(pieces) and sum(map(len, pieces.values())) >= len(wholes)
        for index, plain, data in wholes:
            if own_is_segments and not (data or b"").startswith(_MAGIC):
                continue
            if data is None:
                self.broken_wals.add(index)
            else:
                self.wals.setdefault(index, []).append(Form(data, plain))
        for index, parts in pieces.items():
            parts.sort(key=lambda p: p[0])
            if own_is_segments or (parts[0][1] is not None and (parts[0][0] or parts[0][1].startswith(_MAGIC))):
                self._join(index, parts)

    def _snapshot(self, index: int, plain: bool, data: bytes | None) -> None:
        if data is not None and data.startswith(b"SQLite format 3\0"):
            if index not in self.snapshots or not plain:
                self.snapshots[index] = (plain, data)
        elif not plain:
            self.broken_snapshots.add(index)

    def _join(self, index: int, parts: list[tuple[int, bytes | None]]) -> None:
        joined = b""
        for offset, data in parts:
            # A segment may repeat the end of the one before it: real Litestream writes such ones when it is stopped.
            if not data or offset > len(joined) or not _agree(joined[offset:], data):
                self.broken_wals.add(index)
                return
            joined += data[len(joined) - offset :]
        self.wals.setdefault(index, []).append(Form(joined, False))


def _agree(a: bytes, b: bytes) -> bool:
    return a.startswith(b) or b.startswith(a)


def _content(entry: Entry, compressed: object) -> bytes | None:
    if entry.kind != "file":
        return None
    return unpack(entry.data) if compressed else entry.data


class Merge:
    """The page merge: a snapshot, then WALs. `trace` says whether a growth left out pages: frames are missing."""

    def __init__(self, snapshot: bytes, index: int) -> None:
        self.page_size = page_size_of(snapshot)
        self.pages = dict(enumerate(_cut(snapshot, self.page_size), 1))
        self.size = len(self.pages)
        self.own = index
        self.trace = False

    @property
    def database(self) -> bytes:
        return b"".join(self.pages.get(p, bytes(self.page_size)) for p in range(1, self.size + 1))

    def apply(self, index: int, wal: bytes) -> list[tuple[int, bytes]]:
        """All whole transactions of a WAL: the state after each."""
        out = []
        frame = 24 + self.page_size
        pending: dict[int, bytes] = {}
        for at in range(HEADER, len(wal) - frame + 1, frame):
            page, commit = struct.unpack(">2I", wal[at : at + 8])
            if max(page, commit) > _MOST_PAGES:
                self.trace = True
                break
            pending[page] = wal[at + 24 : at + frame]
            if commit:
                self.pages.update(pending)
                self.pages = {p: data for p, data in self.pages.items() if p <= commit}
                self.size, pending = commit, {}
                self.trace |= index != self.own and self._holes()
                out.append((at + frame, self.database))
        self.trace |= self._holes()
        return out

    def _holes(self) -> bool:
        return len(self.pages) < self.size


def is_chain(wals: list[bytes]) -> bool:
    """Whether salt-1 goes on by one from WAL to WAL."""
    return all((salt_of(b) - salt_of(a)) & 0xFFFFFFFF == 1 for a, b in itertools.pairwise(wals))


# ---- damage


@dataclass(frozen=True)
class Damage:
    """One damage. `file` and `other` choose files, `at` a place in 65536ths, `how` a variant: all of them wrap."""

    kind: str
    file: int = 0
    at: int = 0
    how: int = 0
    other: int = 0


@dataclass(frozen=True)
class Case:
    shape: Shape
    damages: tuple[Damage, ...]


class AnyCase(Protocol):
    """Some damages of some replica."""

    @property
    def damages(self) -> tuple[Damage, ...]: ...


Maker = Callable[[Sound, Files, Damage], "Files | None"]
KINDS: dict[str, Maker] = {}


def _kind(name: str) -> Callable[[Maker], Maker]:
    def register(maker: Maker) -> Maker:
        KINDS[name] = maker
        return maker

    return register


def damaged(sound_: Sound, damages: tuple[Damage, ...]) -> Files | None:
    """The files after the damages; None where one of them does not apply here, or nothing has changed."""
    files: Files | None = dict(sound_.files)
    for damage in damages:
        files = KINDS[damage.kind](sound_, files, damage) if files else None
    return None if files == sound_.files else files


def _pool(files: Files) -> list[str]:
    """The files to choose from: snapshots and the newest WALs come more than once."""
    paths = sorted(p for p, e in files.items() if e.kind == "file" and is_data(p))
    newest = sorted(paths, key=lambda p: files[p].mtime_ns)[-2:]
    return paths + [p for p in paths if "/snapshots/" in p] * 2 + newest * 2


def _choose(files: Files, number: int, wals: bool = False) -> str | None:
    pool = [p for p in _pool(files) if not wals or "/wal/" in p]
    return pool[number % len(pool)] if pool else None


def _with(files: Files, path: str, data: bytes) -> Files:
    """The same with another content of a file; its time stays, as for a disk that rots."""
    return {**files, path: replace(files[path], data=data)}


def _inside(sound_: Sound, path: str, data: bytes, damage: Damage) -> int | None:
    """A place in a content, by preference in the parts that mean something."""
    size = len(data)
    if not size:
        return None
    if "/snapshots/" in path:
        limit = (size, 100, size, 100)[damage.how % 4]
        return min(size, limit) * damage.at >> 16
    m = _WAL.fullmatch(path)
    start = 0 if m and int(m[3] or "0", 16) else HEADER
    frame = sound_.frame_size
    frames = (size - start) // frame
    begin, length = ((0, size), (0, start), (0, 4), (4, 4), (8, 8), (16, 8), (24, frame - 24))[damage.how % 7]
    if damage.how % 7 < 2 or not frames:
        return begin + ((length or size) * damage.at >> 16)
    # High digits choose the frame, low ones the byte.
    number, rest = divmod(damage.at * frames, 65536)
    return start + number * frame + begin + (length * rest >> 16)


def _lz4_place(data: bytes, damage: Damage) -> int | None:
    begin, end = (
        (0, len(data)),
        (0, 7),
        (7, 11),
        (11, len(data) - 8),
        (len(data) - 8, len(data) - 4),
        (len(data) - 4, len(data)),
    )[damage.how % 6]
    begin, end = max(0, begin), min(len(data), end)
    return begin + ((end - begin) * damage.at >> 16) if end > begin else None


@_kind("flip")
def _flip(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """One bit of a file as it is stored."""
    path = _choose(files, damage.file)
    if path is None:
        return None
    data = bytearray(files[path].data)
    compressed = path.endswith(".lz4")
    at = _lz4_place(bytes(data), damage) if compressed else _inside(sound_, path, bytes(data), damage)
    if at is None:
        return None
    data[at] ^= 1 << damage.other % 8
    return _with(files, path, bytes(data))


@_kind("flip-inside")
def _flip_inside(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """One bit of the content, in a sound LZ4 frame."""
    path = _choose(files, damage.file)
    data = bytearray(unpack(files[path].data) or b"") if path and path.endswith(".lz4") else bytearray()
    at = _inside(sound_, path or "", bytes(data), damage)
    if at is None or path is None:
        return None
    data[at] ^= 1 << damage.other % 8
    return _with(files, path, compress(bytes(data)))


@_kind("forge")
def _forge(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """One bit of a frame, whose own checksum is computed anew."""
    path = _choose(files, damage.file, wals=True)
    content_ = _content(files[path], path.endswith(".lz4")) if path else None
    m = _WAL.fullmatch(path or "")
    if path is None or not content_ or m is None or int(m[3] or "0", 16):
        return None
    data, frame = bytearray(content_), sound_.frame_size
    frames = (len(data) - HEADER) // frame
    if frames < 1:
        return None
    number = frames - 1 if damage.how % 3 == 0 else frames * damage.at >> 16
    at = HEADER + number * frame
    place = (24 + (damage.at % sound_.page_size), 3, 7)[damage.how // 3 % 3]  # no page beyond the 255th: see _LIMITS
    data[at + place] ^= 1 << damage.other % 8
    before = struct.unpack(">2I", data[at - frame + 16 : at - frame + 24] if number else data[24:32])
    fed = bytes(data[at : at + 8] + data[at + 24 : at + frame])
    struct.pack_into(">2I", data, at + 16, *slow_checksum(fed, (before[0], before[1]), little=data[3] == 0x82))
    return _with(files, path, compress(bytes(data)) if path.endswith(".lz4") else bytes(data))


@_kind("cut")
def _cut_file(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """A file that was cut: anywhere, by a few bytes, or where a plain WAL's frame or transaction ends."""
    path = _choose(files, damage.file)
    if path is None or not files[path].data:
        return None
    data = files[path].data
    size = (len(data) * damage.at >> 16, max(0, len(data) - 1 - damage.at % 30), None)[damage.how % 3]
    if size is None:
        size = _boundary(sound_, path, data, damage)
    return _with(files, path, data[:size])


@_kind("cut-inside")
def _cut_inside(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """The content was cut, then compressed."""
    path = _choose(files, damage.file)
    data = unpack(files[path].data) if path and path.endswith(".lz4") else None
    if not data or path is None:
        return None
    at = len(data) * damage.at >> 16 if damage.how % 3 == 0 else _boundary(sound_, path, data, damage)
    return _with(files, path, compress(data[:at]))


def _boundary(sound_: Sound, path: str, data: bytes, damage: Damage) -> int:
    """The end of some frame, or of some transaction; in a snapshot of some page."""
    if "/snapshots/" in path:
        return len(data) // sound_.page_size * damage.at // 65536 * sound_.page_size
    m = _WAL.fullmatch(path)
    start, frame = (0 if m and int(m[3] or "0", 16) else HEADER), sound_.frame_size
    ends = [start, *range(start + frame, len(data) + 1, frame)]
    if damage.how % 2:
        ends = [e for e in ends if e == start or data[e - frame + 4 : e - frame + 8] != bytes(4)]
    place: int = ends[len(ends) * damage.at >> 16]
    return place


@_kind("hole")
def _hole(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """Bytes in the middle that are gone: some, or whole frames."""
    path = _choose(files, damage.file)
    content_ = _content(files[path], path.endswith(".lz4")) if path else None
    if path is None or not content_:
        return None
    unit = (1, sound_.frame_size, sound_.page_size)[damage.how % 3]
    m = _WAL.fullmatch(path)
    start = HEADER if m and not int(m[3] or "0", 16) else 0
    count = (len(content_) - start) // unit
    at = start + (count * damage.at >> 16) * unit
    data = content_[:at] + content_[at + unit * (1 + damage.other % 3) :]
    return _with(files, path, compress(data) if path.endswith(".lz4") else data)


@_kind("append")
def _append(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """More bytes than there were: nulls, noise, or the last frame again; to the file or to its content."""
    path = _choose(files, damage.file)
    if path is None:
        return None
    inside = damage.other % 2 and path.endswith(".lz4")
    data = (unpack(files[path].data) or b"") if inside else files[path].data
    count = 1 + (damage.at % (2 * sound_.frame_size))
    more = (bytes(count), random.Random(damage.at).randbytes(count), data[-sound_.frame_size :])[damage.how % 3]
    return _with(files, path, compress(data + more) if inside else data + more)


@_kind("remove")
def _remove(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """One file, all of an index, all from there on, all snapshots, or the whole generation."""
    path = _choose(files, damage.file)
    m = path and (_WAL.fullmatch(path) or _SNAPSHOT.fullmatch(path))
    if not m or path is None:
        return None
    folder = path.rpartition("/")[0] + "/"
    gone: Callable[[str], bool] = (
        lambda p: p == path,
        lambda p: p == path,
        lambda p: p.startswith(f"{folder}{m[2]}"),
        lambda p: p.startswith(folder) and p >= path,
        lambda p: p.startswith(f"generations/{m[1]}/") and damage.at % 3 == 0,
        lambda p: p.startswith(f"generations/{m[1]}/snapshots/") and damage.at % 2 == 0,
    )[damage.how % 6]
    return {p: e for p, e in files.items() if not gone(p)}


@_kind("swap")
def _swap(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """Two files of a kind, of one generation or of two; with their times or without."""
    path = _choose(files, damage.file)
    other = _partner(files, path, damage)
    if path is None or other is None:
        return None
    a, b = files[path], files[other]
    if damage.how % 4 < 2:
        a, b = replace(a, mtime_ns=b.mtime_ns), replace(b, mtime_ns=a.mtime_ns)
    return {**files, path: b, other: a}


@_kind("copy")
def _copy(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """A file's content over another file of its kind."""
    path = _choose(files, damage.file)
    other = _partner(files, path, damage)
    return _with(files, other, files[path].data) if path and other else None


def _partner(files: Files, path: str | None, damage: Damage) -> str | None:
    """Another file of the same kind: of the same generation, or (`how` odd) of another one."""
    if path is None:
        return None
    folder = path.rpartition("/")[0].rpartition("/")[2]
    suffix = path[path.index(".") :]
    generation = path.split("/")[1]
    pool = [
        p
        for p in sorted(files)
        if p != path
        and is_data(p)
        and files[p].kind == "file"
        and p.rpartition("/")[0].endswith(folder)
        and p.endswith(suffix)
        and (p.split("/")[1] == generation) is (damage.how % 2 == 0)
    ]
    return pool[damage.other % len(pool)] if pool else None


def _new_name(sound_: Sound, files: Files, path: str, damage: Damage) -> str | None:
    """Another name for a file: index, offset, generation, form, or a name that is none of a replica's."""
    m = _WAL.fullmatch(path) or _SNAPSHOT.fullmatch(path)
    if m is None:
        return None
    folder, _, name = path.rpartition("/")
    index, wal = int(m[2], 16), "/wal/" in path
    rest = name[8:]
    generations = sorted(sound_.states)
    step = (1, -1, 2, -2, 16)[damage.other % 5]
    how = damage.how % 6
    if how < 2:  # another index
        return f"{folder}/{index + step:08x}{rest}" if index + step >= 0 else None
    if how == 2 and wal and m[3]:  # another offset
        offset = (
            int(m[3], 16) + (sound_.frame_size, -sound_.frame_size, 1, HEADER, len(files[path].data))[damage.other % 5]
        )
        return f"{folder}/{index:08x}_{offset:08x}.wal.lz4" if offset >= 0 else None
    if how == 3 and len(generations) > 1:  # another generation
        other = [g for g in generations if g != m[1]][damage.other % (len(generations) - 1)]
        return path.replace(m[1], other)
    if how == 4:  # another form
        if wal:
            forms = (f"{index:08x}.wal", f"{index:08x}.wal.lz4", f"{index:08x}_00000000.wal.lz4")
            return f"{folder}/{forms[damage.other % 3]}"
        return path.removesuffix(".lz4") if path.endswith(".lz4") else path + ".lz4"
    if how == 5:  # no name of a replica's
        return (f"{path}.tmp", f"{path}.bak", f"{folder}/{name.upper()}", f"{folder}/x{name}")[damage.other % 4]
    return None


@_kind("rename")
def _rename(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    path = _choose(files, damage.file)
    new = _new_name(sound_, files, path, damage) if path else None
    if path is None or new is None or new == path:
        return None
    return {p: e for p, e in files.items() if p != path} | {new: files[path]}


@_kind("duplicate")
def _duplicate(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    path = _choose(files, damage.file)
    new = _new_name(sound_, files, path, damage) if path else None
    if path is None or new is None or new == path:
        return None
    return {**files, new: replace(files[path], mtime_ns=files[path].mtime_ns + damage.at % 2)}


@_kind("empty")
def _empty(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """No bytes, nulls only, or an LZ4 frame without content."""
    path = _choose(files, damage.file)
    if path is None:
        return None
    data = (b"", b"", bytes(len(files[path].data)), compress(b""))[damage.how % 4]
    return _with(files, path, data)


@_kind("no-file")
def _no_file(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """A folder, or a link to nothing, where a file was."""
    path = _choose(files, damage.file)
    kind = ("folder", "link")[damage.how % 2]
    return {**files, path: replace(files[path], data=b"", kind=kind)} if path else None


@_kind("touch")
def _touch(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """Another time: of one file, or of all of a generation."""
    path = _choose(files, damage.file)
    if path is None:
        return None
    ns = (T0 - DAY, sound_.now_ns - SECOND, sound_.now_ns + DAY, files[path].mtime_ns + 1)[damage.how % 4]
    all_ = damage.other % 3 == 0
    start = path.rpartition("/")[0].rpartition("/")[0] if all_ else path
    return {p: replace(e, mtime_ns=ns) if p.startswith(start) else e for p, e in files.items()}


@_kind("foreign")
def _foreign(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """Files that are none of a replica's."""
    path = _choose(files, damage.file)
    if path is None:
        return None
    folder, _, name = path.rpartition("/")
    new = (
        f"{path}.tmp",
        f"{folder}/README",
        f"{folder}/{name.upper().replace('WAL', 'wal').replace('LZ4', 'lz4')}x",
        "generations/NOTAGEN/wal/00000000.wal",
        f"{folder}/.{name}",
        f"{folder}/{name}~",
    )[damage.how % 6]
    data = (b"", b"noise", files[path].data)[damage.other % 3]
    return None if new in files else {**files, new: Entry(data, sound_.now_ns - damage.at)}


HARMLESS = {"foreign"}


# ---- strategies


SQLITE = [
    Shape("sqlite", layout, growth=growth, snapshots=snapshots, ahead=ahead, indexes=indexes, generations=generations)
    for layout, growth, snapshots, ahead, indexes, generations in [
        ("segments", "mixed", "first", False, 2, 1),
        ("wal", "mixed", "first", False, 2, 1),
        ("segments", "same", "all", False, 3, 1),
        ("wal", "same", "last", True, 3, 1),
        ("segments", "grow", "all", True, 3, 2),
        ("wal", "grow", "all", True, 2, 2),
        ("segments", "same", "first", False, 3, 2),
        ("segments", "mixed", "last", True, 4, 1),
    ]
] + [
    Shape("sqlite", "segments", page_size=1024, growth="same", big=True, batch=2, transactions=4, indexes=3),
    Shape("sqlite", "wal", page_size=4096, growth="mixed", snapshots="last", tail="torn", indexes=3),
    Shape("sqlite", "wal", growth="same", snapshots="all", tail="empty", indexes=3, retained=True),
    Shape("sqlite", "segments", page_size=65536, growth="grow", indexes=2),
    Shape("sqlite", "segments", growth="same", indexes=1, generations=2),
]
GOLDEN_SMALL = ["v03-snapshot-only", "seed-page-512", "v03-page-512", "seed-retention", "v03-retention"]
GOLDEN_REST = [
    "seed-snapshot-only",
    "seed-multi-snapshot",
    "v03-multi-snapshot",
    "seed-multi-gen",
    "v03-multi-gen",
    "seed-sigkill",
    "v03-sigkill",
    "seed-vacuum-shrink",
    "v03-vacuum-shrink",
    "seed-page-65536",
    "v03-page-65536",
    "upgrade-seed-to-v03-fresh-meta",
]


def shapes(goldens: list[str]) -> st.SearchStrategy[Shape]:
    pages = st.builds(
        Shape,
        source=st.just("pages"),
        layout=st.sampled_from(["segments", "wal"]),
        page_size=st.sampled_from([512, 512, 512, 1024]),
        indexes=st.integers(1, 4),
        transactions=st.integers(1, 4),
        growth=st.sampled_from(["same", "mixed", "grow"]),
        snapshots=st.sampled_from(["first", "last", "all"]),
        ahead=st.booleans(),
        generations=st.sampled_from([1, 1, 2, 3]),
        batch=st.integers(1, 2),
        tail=st.sampled_from(["", "", "empty", "header", "torn", "open"]),
        retained=st.sampled_from([False, False, True]),
        big=st.booleans(),
        plain=st.sampled_from([False, False, False, True]),
    )
    real = [Shape(name) for name in goldens]
    fixed = st.sampled_from(SQLITE)
    return st.one_of(pages, fixed, st.sampled_from(real)) if real else st.one_of(pages, pages, fixed)


def damages(kinds: list[str] | None = None) -> st.SearchStrategy[tuple[Damage, ...]]:
    one = st.builds(
        Damage,
        st.sampled_from(kinds or sorted(KINDS)),
        file=st.integers(0, 127),
        at=st.integers(0, 65535),
        how=st.integers(0, 83),
        other=st.integers(0, 119),
    )
    return st.sampled_from([1, 1, 1, 1, 2]).flatmap(lambda n: st.tuples(*[one] * n))


def cases(goldens: list[str]) -> st.SearchStrategy[Case]:
    return st.builds(Case, shapes(goldens), damages())


# ---- the judge


class Failure(AssertionError):
    """litetui is wrong about a damaged replica, or the judge is."""


@dataclass
class Outcome:
    """What came of one case: `refused`, `exact`, or the class of other bytes; the verdicts by depth; errors in words;
    and remarks on what was let pass, which are counted."""

    result: str
    verdicts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    remarks: set[str] = field(default_factory=set)


def write(files: Mapping[str, Entry], root: Path, folder: str = "generations") -> None:
    """The files on the disk, and this folder even without any."""
    (root / folder).mkdir(parents=True)
    for path, entry in files.items():
        full = root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind == "folder":
            full.mkdir()
        elif entry.kind == "link":
            full.symlink_to("nothing")
        else:
            full.write_bytes(entry.data)
            os.utime(full, ns=(entry.mtime_ns, entry.mtime_ns))


R = TypeVar("R")


class Asking:
    """What a judge asks litetui for, of the replica `root`: it answers or gives an error with words, and leaves nothing
    in `out` beside what was asked for."""

    def __init__(
        self, folder: Path, find: Callable[[Path], FileReplica | LTXReplica], *, real: bool, now_ns: int
    ) -> None:
        self.root, self.out = folder / "replica", folder / "out"
        self.find, self.real, self.now_ns = find, real, now_ns
        self.outcome = Outcome("")

    def restored(self, target: Target, work: Callable[[Path], R]) -> R | LitetuiError:
        """What a restore to the path that it is given answers."""
        try:
            result = work(self.out / "restored.db")
        except LitetuiError as error:
            self.nothing_left(set())
            if not error.cause or "Traceback" in str(error):
                raise Failure(f"restore {target}: an error without words: {error!r}") from None
            return error
        except Exception:  # noqa: BLE001  any other exception is what we look for
            raise Failure(f"restore {target} raised\n{traceback.format_exc()}") from None
        self.nothing_left({"restored.db"})
        return result

    def validate(self, depth: str) -> Report | None:
        """The report, or None where there is none."""
        try:
            with without_sqlite(not self.real):
                plan = validate.plan(self.find(self.root), depth=depth, scratch=str(self.out))  # type: ignore[arg-type]
                report = validate.run(plan, now_ns=self.now_ns)
                json.dumps(verdict_text.as_json(report))
                verdict_text.as_text(report)
        except LitetuiError as error:
            self.nothing_left(set())
            self.outcome.notes.append(f"validate --depth {depth}: {error}")
            if self.outcome.result != "refused":
                raise Failure(f"validate --depth {depth} gives no report, restore works: {error}") from None
            return None
        except Exception:  # noqa: BLE001
            raise Failure(f"validate --depth {depth} raised\n{traceback.format_exc()}") from None
        self.nothing_left(set())
        return report

    def nothing_left(self, wanted: set[str]) -> None:
        left = {p.name for p in self.out.iterdir()} - wanted
        if left:
            raise Failure(f"left behind: {sorted(left)}")


class Judge(Asking):
    """One damaged replica on the disk, against the truth."""

    def __init__(self, sound_: Sound, case: Case, files: Files, folder: Path) -> None:
        super().__init__(folder, open_replica, real=sound_.real, now_ns=sound_.now_ns)
        self.sound, self.case, self.files, self.folder = sound_, case, files, folder
        self.unproved = False  # whether the last restore said that its state cannot be proved
        self.forged = any(d.kind == "forge" for d in case.damages)
        self._decoded: dict[str, Decoded] = {}

    def judge(self) -> Outcome:
        self.out.mkdir()
        write(self.files, self.root)
        latest = self.attempt(Target())
        self.outcome.result = self._judge_latest(latest)
        reports: dict[str, Report] = {}
        for depth in ("names", "content", "restore"):
            report = self.validate(depth)
            if report is None:
                continue
            reports[depth] = report
            self.outcome.verdicts[depth] = report.verdict
            self._consistent(report)
            if depth != "names":
                self._against_latest(report, latest)
        seen: set[object] = set()
        for depth in ("restore", "content"):
            for one in reports[depth].generations if depth in reports else ():
                if (one.generation, one.windows, one.latest_restores) not in seen:
                    self._windows(one)
                seen.add((one.generation, one.windows, one.latest_restores))
        if all(d.kind in HARMLESS for d in self.case.damages):
            self._harmless(reports)
        return self.outcome

    # ---- asking litetui

    def attempt(self, target: Target) -> bytes | LitetuiError:
        """A restore: the bytes, or the error. Nothing may be left beside them."""
        output = self.out / "restored.db"
        result = self.restored(
            target, lambda to: ops.run(ops.plan(open_replica(self.root), target), str(to), integrity_check="none")
        )
        if isinstance(result, LitetuiError):
            return result
        self.unproved = any("cannot be proved" in note for note in result.plan.notes)
        data = output.read_bytes()
        if self.sound.known is not None and data not in self.sound.all_states and self.sound.known(output):
            self.sound.all_states.add(data)
        output.unlink()
        return data

    # ---- the latest state

    def _judge_latest(self, latest: bytes | LitetuiError) -> str:
        if isinstance(latest, LitetuiError):
            self.outcome.notes.append(f"restore: {latest}")
            remains = self._sound_remains()
            if remains is not None:
                raise Failure(f"refused, though what is left is a sound replica up to {remains}: {latest}")
            return "refused"
        if latest == self.sound.latest[self.sound.newest]:
            return "exact"
        generation = self._default()
        if generation != self.sound.newest and latest == self.sound.latest.get(generation):
            touched = any(e.mtime_ns != self.sound.files.get(p, e).mtime_ns for p, e in self.files.items())
            return "the times say that another generation is the newest" if touched else "earlier moment"
        word = self.class_of(generation, latest, None)
        if word is None:
            raise Failure(f"restore gave other bytes than the truth: {self._describe(latest)}")
        return word

    def _default(self) -> str:
        """The generation whose newest file is the newest."""
        times: dict[str, int] = {}
        for path, entry in self.files.items():
            if entry.kind == "file" and (m := _WAL.fullmatch(path) or _SNAPSHOT.fullmatch(path)):
                times[m[1]] = max(times.get(m[1], 0), entry.mtime_ns)
        return max(times, key=lambda g: (times[g], g), default="")

    def _sound_remains(self) -> str | None:
        """If all that is left of the default generation is as it was, and only newest files are missing: up to where
        it goes. None as well where a snapshot is ahead of what is left of its WAL."""
        generation = self._default()
        own = [p for p in self.files if p.startswith(f"generations/{generation}/") and is_data(p)]
        if not own or any(self.files[p] != self.sound.files.get(p) for p in own):
            return None
        files = [p for p, e in self.files.items() if e.kind != "file" or (p not in self.sound.files and is_data(p))]
        old, new = self.sound.decoded.get(generation), self.decoded(generation)
        if files or old is None or not new.snapshots or new.broken_wals or new.broken_snapshots:
            return None
        first, last = max(new.snapshots), max([*new.wals, *new.snapshots])
        for index in range(first, last + 1):
            wal = [w.data for w in new.wals.get(index, [])]
            if not wal and (index != first or last != first):
                return None
            before = [w.data for w in old.wals.get(index, [])]
            if index < last and wal != before:
                return None
        if first == last and new.snapshots[first][1] != self.sound.states[generation].get((first, 0)):
            return None
        return f"{generation}/{last:08x}"

    def decoded(self, generation: str) -> Decoded:
        if generation not in self._decoded:
            self._decoded[generation] = Decoded(self.files, generation)
        return self._decoded[generation]

    def _describe(self, data: bytes) -> str:
        at = [
            f"{g}/{i:08x}:{o}" for g, states in self.sound.states.items() for (i, o), s in states.items() if s == data
        ]
        notes = f" ({'; '.join(self.outcome.notes)})" if self.outcome.notes else ""
        return (f"an older state, of {at[-1]}" if at else "no state that the application had") + notes

    # ---- classes of other bytes

    def class_of(self, generation: str, got: bytes, pos: Pos | None) -> str | None:
        """Why a restore of what is left gives these bytes: the class, or None where there is no excuse.

        Each way from a snapshot through consecutive WALs is merged; the one that gives the bytes must show no trace of
        damage: no growth without its pages, no break of salts in the generation."""
        old, new = self.sound.decoded.get(generation), self.decoded(generation)
        if old is None:
            return None
        last = max([*new.wals, *new.snapshots], default=-1) if pos is None else pos.index
        for snapshot in sorted((s for s in new.snapshots if s <= last), reverse=True):
            indexes = list(range(snapshot, last + 1))
            if pos is not None and pos.offset == 0:
                indexes.pop()
            if indexes and indexes[-1] == snapshot == last and snapshot not in new.wals:
                indexes = []
            if any(i not in new.wals for i in indexes):
                continue
            end = last + 1 if pos is None or pos.offset else last
            if any(snapshot <= i < end and i not in new.wals for i in new.broken_wals):
                continue
            for way in itertools.islice(itertools.product(*(new.wals[i] for i in indexes)), 16):
                word = self._class_of_way(generation, snapshot, dict(zip(indexes, way, strict=True)), got, pos)
                if word is not None:
                    return word
        return None

    def _class_of_way(
        self, generation: str, snapshot: int, way: dict[int, Form], got: bytes, pos: Pos | None
    ) -> str | None:
        old, new = self.sound.decoded[generation], self.decoded(generation)
        plain, data = new.snapshots[snapshot]
        words: set[str] = set()
        if data != old.snapshots.get(snapshot, (False, b""))[1]:
            if data in self.sound.snapshots:
                words.add("a snapshot under another's name")
            elif not len(data) % (page_size_of(data) or 1):
                words.add("a plain snapshot was changed" if plain else "a snapshot was changed and compressed anew")
            else:
                return None
        merge = Merge(data, snapshot)
        for index, form in way.items():
            wal = form.data
            if pos is not None and index == pos.index:
                wal = wal[: pos.offset]
            word = self._word_for_wal(generation, index, wal, form, last=index == max(way))
            if word is None:
                return None
            words.add(word)
            merge.apply(index, wal)
        if merge.trace or merge.database != got or not self._salts(new, way, words):
            return None
        words.discard("")
        if not words - {"earlier moment"}:
            if got in self.sound.all_states:
                return "earlier moment"
            return "a snapshot ahead of what is left of its WAL" if max(way, default=-1) == snapshot else None
        return " + ".join(sorted(words - {"earlier moment"}))

    def _word_for_wal(self, generation: str, index: int, wal: bytes, form: Form, *, last: bool) -> str | None:
        originals = [w.data for w in self.sound.decoded[generation].wals.get(index, [])]
        if any(wal == o for o in originals):
            return ""
        for original in originals:
            if last and form.plain and self._torn(wal, original):
                return "earlier moment"
            if original.startswith(wal):
                whole = self._ends_with_commit(wal)
                if last and (whole or form.plain):
                    return "earlier moment"
                return "a lost end of an inner WAL" if whole else None
            if last and form.plain and wal.startswith(original):
                return ""  # bytes of a transaction that has no commit
        if wal in self.sound.wals or (any(o.startswith(wal) for o in self.sound.wals) and self._ends_with_commit(wal)):
            return "a WAL in another's place"
        if self.forged and any(self._but_for_the_last_frame(wal, o) for o in originals):
            return "a forged checksum"
        return None

    def _torn(self, wal: bytes, original: bytes) -> bool:
        """Whether this is the beginning of a WAL and less than a frame of anything."""
        return len(wal) >= HEADER and original.startswith(wal[: len(wal) - (len(wal) - HEADER) % self.sound.frame_size])

    def _but_for_the_last_frame(self, wal: bytes, original: bytes) -> bool:
        """Whether whole frames of a WAL are those of another one, but for the last of them."""
        size = self.sound.frame_size
        end = len(wal) - (len(wal) - HEADER) % size - size
        return HEADER <= end < len(original) and wal[:end] == original[:end]

    def _ends_with_commit(self, wal: bytes) -> bool:
        size = self.sound.frame_size
        whole = len(wal) > HEADER and (len(wal) - HEADER) % size == 0
        return whole and wal[-size + 4 : -size + 8] != bytes(4)

    def _salts(self, new: Decoded, way: dict[int, Form], words: set[str]) -> bool:
        """Whether the salts of a way go on by one; where a WAL of it is not in its place, also from the WAL before it
        and to the WAL after it."""
        chain = [form.data for form in way.values() if len(form.data) >= HEADER]
        for index in (min(way) - 1, max(way) + 1) if "a WAL in another's place" in words else ():
            near = [w.data for w in new.wals.get(index, []) if len(w.data) >= HEADER and w.data in self.sound.wals]
            if len(near) == 1:
                chain = [*near, *chain] if index < min(way) else [*chain, *near]
        return is_chain(chain)

    # ---- validation

    def _consistent(self, report: Report) -> None:
        """What must hold between the parts of any report."""
        wrong: list[str] = []
        document = verdict_text.as_json(report)
        findings = [f for g in document["generations"] for f in g["findings"]] + document["findings"]
        errors = [f for f in findings if f["severity"] == "error"]
        real = [f for f in errors if f["code"] not in ("unreadable", "ltx-beside")]
        latest, verdict = document["latest_restores"], document["verdict"]
        if verdict == "ok":
            wrong += ["ok with an error finding"] if errors else []
            wrong += ["ok, but not complete"] if not document["complete"] else []
            wrong += ["ok without generations"] if not document["generations"] else []
            if latest is not (None if report.depth == "names" else True):
                wrong.append(f"ok, and latest_restores is {latest}")
        if verdict == "unrestorable" and (
            (latest is not False and document["complete"])
            or any(g["windows"] or g["restorable_to"] for g in document["generations"][:1])
        ):
            wrong.append(f"unrestorable, but latest_restores is {latest}, or there are windows")
        if verdict == "unknown" and document["complete"]:
            wrong.append("unknown, but complete")
        if verdict == "damaged" and not real:
            wrong.append("damaged without an error finding")
        default = report.generations[0].verdict if report.generations else ""
        if real and (verdict == "ok" or (verdict == "unknown" and default != "unknown")):
            wrong.append(f"{verdict} with {real[0]['code']}")
        if report.exit_code != {"ok": 0, "damaged": 3, "unrestorable": 3, "unknown": 1}[verdict]:
            wrong.append(f"exit code {report.exit_code} for {verdict}")
        if any(not f["message"] or f["severity"] not in ("error", "warning", "info") for f in findings):
            wrong.append("a finding without words")
        for one in report.generations:
            wrong += [f"{one.generation}: {w}" for w in wrong_in_generation(one, report.depth)]
        if self._default() and report.generations[0].generation != self._default():
            wrong.append(f"the default generation is {self._default()}, not {report.generations[0].generation}")
        if wrong:
            raise Failure(f"validate --depth {report.depth} contradicts itself: {'; '.join(wrong)}\n{_text(report)}")

    def _against_latest(self, report: Report, latest: bytes | LitetuiError) -> None:
        """A verdict, against what the restore of the latest state gave."""
        name = f"validate --depth {report.depth}"
        integrity = any(f.code == "integrity-check" for f in report.all_findings)
        if isinstance(latest, LitetuiError):
            if isinstance(latest, UnreadableError) and not report.complete and report.verdict != "ok":
                return  # of another generation perhaps, but which is the newest cannot be told
            if report.verdict == "ok" or report.latest_restores is True:
                raise Failure(f"{name} says that the latest state restores; it does not: {latest}\n{_text(report)}")
            return
        if report.latest_restores is False and not integrity:
            raise Failure(f"{name} says that the latest state does not restore; it does\n{_text(report)}")
        if report.verdict != "ok" or latest == self.sound.latest[self.sound.newest]:
            return
        result = self.outcome.result
        if "a snapshot under another's name" in result or "ahead" in result or "snapshot was changed" in result:
            if report.depth == "restore" and self._can_be_compared(latest):
                raise Failure(f"{name} is ok, though an earlier snapshot leads to other bytes\n{_text(report)}")
            self.outcome.remarks.add(f"{name} is ok: {result}")

    def _can_be_compared(self, latest: bytes) -> bool:
        """Whether the sound files of an earlier snapshot lead to other bytes than these."""
        generation = self._default()
        old, new = self.sound.decoded.get(generation), self.decoded(generation)
        newest = max(new.snapshots)
        last = max([*new.wals, newest])
        for snapshot in sorted(s for s in new.snapshots if s < newest):
            if old is None or new.snapshots[snapshot] != old.snapshots.get(snapshot):
                continue
            merge = Merge(new.snapshots[snapshot][1], snapshot)
            for index in range(snapshot, last + 1):
                forms = [w.data for w in new.wals.get(index, [])]
                if len(forms) != 1 or self._word_for_wal(generation, index, forms[0], new.wals[index][0], last=True):
                    if index == last and not forms:
                        break
                    merge.trace = True
                    break
                merge.apply(index, forms[0])
            if not merge.trace and merge.database != latest:
                return True
        return False

    def _windows(self, one: GenerationReport) -> None:
        """Each window's ends restore, and a position inside it, to states that the application had."""
        last_good: bytes | LitetuiError | None = None
        if one.restorable_to is not None and one.latest_restores is False:
            last_good = self._last_good(one)
        had = self.sound.states.get(one.generation, {})
        for window in one.windows:
            inner = [p for p in sorted(had) if (window.start.index, window.start.offset) < p and p[1]]
            inner = [p for p in inner if p < (window.end.index, window.end.offset)]
            at = self.case.damages[0].at if self.case.damages else 0
            some = [inner[len(inner) * at >> 16]] if inner else []
            for place in dict.fromkeys([(window.start.index, 0), *some, (window.end.index, window.end.offset)]):
                pos = Pos(one.generation, *place)
                got = self.attempt(Target.at(pos))
                end = pos in (window.start, window.end)
                if not isinstance(got, LitetuiError):
                    self._state_at(pos, got, end=end)
                    if pos == one.restorable_to and last_good not in (None, got):
                        raise Failure(f"--position {pos} and --to-last-good give different bytes")
                elif pos == one.restorable_to and last_good is not None:
                    self.outcome.remarks.add("the last good position restores only with --to-last-good")
                elif isinstance(got, UnreadableError) and any(f.code == "unreadable" for f in one.findings):
                    self.outcome.remarks.add("a window of a generation with an unreadable file")
                elif end or not (self._is_ahead(pos) or self._is_unproved(pos, got) or self._is_lost(pos)):
                    raise Failure(f"{pos} of the window {window.start} to {window.end} does not restore: {got}")

    def _is_lost(self, pos: Pos) -> bool:
        """Whether the WAL of a position was cut before it, without a trace."""
        return all(len(w.data) < pos.offset for w in self.decoded(pos.generation).wals.get(pos.index, []))

    def _is_ahead(self, pos: Pos) -> bool:
        """Whether the snapshot of a position's own index holds frames of its WAL: then not all of it can be reached."""
        snapshot = self.decoded(pos.generation).snapshots.get(pos.index)
        if snapshot is None or not pos.offset:
            return False
        if snapshot != self.sound.decoded[pos.generation].snapshots.get(pos.index):
            return True  # nobody knows what it holds
        size, data = self.sound.page_size, snapshot[1]
        for wal in self.sound.decoded[pos.generation].wals.get(pos.index, []):
            for at in range(HEADER, len(wal.data) - size, size + 24):
                page = int.from_bytes(wal.data[at : at + 4], "big")
                if wal.data[at + 24 : at + 24 + size] == data[(page - 1) * size : page * size]:
                    return True
        return False

    def _is_unproved(self, pos: Pos, error: LitetuiError) -> bool:
        """Whether the WAL of a snapshot's index is damaged after a position in it: nothing then tells whether the
        snapshot holds frames from that part."""
        new = self.decoded(pos.generation)
        original = {w.data for w in self.sound.decoded[pos.generation].wals.get(pos.index, [])}
        damaged_ = any(w.data not in original for w in new.wals.get(pos.index, [Form(b"", False)]))
        return pos.index in new.snapshots and damaged_ and "holds transactions from after" in error.cause

    def _last_good(self, one: GenerationReport) -> bytes:
        assert one.restorable_to is not None
        got = self.attempt(Target(one.generation, last_good=True))
        if isinstance(got, LitetuiError):
            raise Failure(f"--to-last-good fails, though {one.restorable_to} restores: {got}")
        if self.unproved and got not in self.sound.all_states:
            self.outcome.remarks.add("--to-last-good: a mix of two states, said to be unproved")
        else:
            self._state_at(one.restorable_to, got, end=True)
        return got

    def _state_at(self, pos: Pos, got: bytes, *, end: bool) -> None:
        had = self.sound.states.get(pos.generation, {})
        exact = had.get((pos.index, pos.offset))
        if got == exact or (got in self.sound.all_states and (end or exact is None)):
            return
        word = self.class_of(pos.generation, got, pos)
        if word is None and got in self.sound.snapshots:
            return  # a raw copy of the file between two checkpoints
        if word is None:
            raise Failure(f"{pos} gives {self._describe(got)}")
        self.outcome.remarks.add(f"a position: {word}")

    def _harmless(self, reports: dict[str, Report]) -> None:
        if self.outcome.result != "exact":
            raise Failure(f"harmless, but the restore is {self.outcome.result}: {self.outcome.notes}")
        for report in reports.values():
            if report.verdict != "ok":
                raise Failure(f"harmless, but {_text(report)}")


def wrong_in_generation(one: GenerationReport, depth: str) -> Iterator[str]:
    errors = [f for f in one.findings if f.severity == "error"]
    if one.verdict == "ok" and (errors or one.latest_restores is False):
        yield "ok with an error, or without the latest state"
    if depth != "names" and bool(one.windows) != (one.restorable_to is not None):
        yield "restorable_to without windows, or windows without it"
    if depth != "names" and one.windows and one.windows[-1].end != one.restorable_to:
        yield f"restorable_to is {one.restorable_to}, the last window ends at {one.windows[-1].end}"
    if one.latest_restores is True and not one.windows:
        yield "the latest state restores, but there is no window"
    if one.verdict == "unrestorable" and one.windows:
        yield "unrestorable with windows"
    if one.verdict in ("ok", "damaged") and depth != "names" and not one.windows and one.verdict == "ok":
        yield "ok without windows"
    for window in one.windows:
        if window.start > window.end or window.start_ns > window.end_ns:
            yield f"a window from {window.start} to {window.end}"
    for a, b in itertools.pairwise(one.windows):
        if a.end > b.start:
            yield f"the window up to {a.end} overlaps the one from {b.start}"


def _text(report: Report) -> str:
    return verdict_text.as_text(report)


@contextmanager
def without_sqlite(off: bool) -> Iterator[None]:
    """Random pages are no database: SQLite is not asked about them."""
    with ExitStack() as stack:
        for module in ("drill", "validate") if off else ():
            name = f"litetui.ops.{module}.integrity_messages"
            stack.enter_context(mock.patch(name, return_value=[]))
        yield


def memory() -> str | None:
    """A folder in memory, where there is one: a case writes many small files."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None


_LIMITS = {resource.RLIMIT_FSIZE: 64 << 20, resource.RLIMIT_AS: 6 << 30}


@contextmanager
def limited() -> Iterator[None]:
    """Neither a file nor this process may grow without end: a number that was flipped must not fill disk or memory."""
    before = {what: resource.getrlimit(what) for what in _LIMITS}
    for what, limit in _LIMITS.items():
        resource.setrlimit(what, (limit, before[what][1]))
    try:
        yield
    finally:
        for what in _LIMITS:
            resource.setrlimit(what, before[what])


def judge(case: Case, sound_: Sound | None = None) -> Outcome | None:
    """Make the case and judge it. None where its damage does not apply to its shape. Raises Failure."""
    base = sound(case.shape) if sound_ is None else sound_
    files = damaged(base, case.damages) if case.damages else base.files
    if files is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="damage-", dir=memory()))
    try:
        with limited():
            return Judge(base, case, files, folder).judge()
    except Failure as failure:
        raise Failure(f"{failure}\n\n{case}") from None
    finally:
        shutil.rmtree(folder)


def judge_sound(shape: Shape, sound_: Sound | None = None) -> None:
    """An undamaged replica is ok at every depth, without an error and without a warning. Raises Failure."""
    base = sound(shape) if sound_ is None else sound_
    folder = Path(tempfile.mkdtemp(prefix="damage-", dir=memory()))
    try:
        one = Judge(base, Case(shape, ()), base.files, folder)
        outcome = one.judge()
        if outcome.result != "exact" or set(outcome.verdicts.values()) != {"ok"}:
            raise Failure(f"sound, but {outcome}\n\n{shape}")
        for depth in ("names", "content", "restore"):
            report = one.validate(depth)
            loud = [f for f in report.all_findings if f.severity != "info"] if report else ["no report"]
            if loud:
                raise Failure(f"sound, but validate --depth {depth} found {loud}\n\n{shape}")
    finally:
        shutil.rmtree(folder)


# ---- counting


class Counts:
    """What came of many cases."""

    def __init__(self) -> None:
        self.cases = 0
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.verdicts: Counter[tuple[str, str]] = Counter()
        self.remarks: Counter[str] = Counter()
        self.failures: dict[str, tuple[int, str]] = {}

    def add(self, damages: tuple[Damage, ...], outcome: Outcome) -> None:
        self.cases += 1
        kind = damages[0].kind if len(damages) == 1 else "two damages"
        self.outcomes[kind, outcome.result] += 1
        self.remarks.update(outcome.remarks)
        verdict = outcome.verdicts.get("restore", "no report")
        content_ = outcome.verdicts.get("content", "no report")
        self.verdicts[outcome.result, verdict if verdict == content_ else f"{content_}, restore: {verdict}"] += 1

    def fail(self, damages: tuple[Damage, ...], failure: Failure) -> None:
        line = re.sub(r"/\S+/(damage-\w+/?)?", "/", str(failure).split("\n")[0])
        key = re.sub(r"[0-9a-f]{16}|[0-9a-f]{8}|\d+", "#", line)[:150]
        count, text = self.failures.get(key, (0, str(failure)))
        self.failures[key] = (count + 1, min(text, str(failure), key=len))
        self.cases += 1
        self.outcomes[damages[0].kind if len(damages) == 1 else "two damages", "FAILURE"] += 1

    def table(self) -> str:
        out = [f"{self.cases} cases", ""]
        out += _table("damage", self.outcomes)
        out += ["", *_table("result", self.verdicts, "verdict (content and restore)")]
        out += ["", *(f"  {count:>5} × {remark}" for remark, count in self.remarks.most_common())]
        return "\n".join(out)


def _table(head: str, counts: Counter[tuple[str, str]], what: str = "") -> list[str]:
    rows = sorted({a for a, _ in counts})
    columns = sorted({b for _, b in counts}, key=lambda c: -sum(n for (_, b), n in counts.items() if b == c))
    letters = {c: chr(ord("A") + i) for i, c in enumerate(columns)}
    lines = [f"  {letter} = {column}" for column, letter in letters.items()]
    lines.append(f"  {head + (' × ' + what if what else ''):<60}" + "".join(f"{letters[c]:>7}" for c in columns))
    lines += [f"  {row:<60}" + "".join(f"{counts[row, c] or '.':>7}" for c in columns) for row in rows]
    total = [sum(n for (_, b), n in counts.items() if b == c) for c in columns]
    return [*lines, f"  {'':<60}" + "".join(f"{n:>7}" for n in total)]


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """What a table of cases is asked for."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", help="judge this one case")
    parser.add_argument("--go-on", action="store_true", help="count failures and go on")
    parser.add_argument("--kind", action="append", help="only this kind of damage")
    return parser


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--source", action="append", help="only this shape's source (pages, sqlite, a golden name)")
    parser.add_argument("--replica", type=Path)
    parser.add_argument("--states", type=Path)
    args = parser.parse_args()
    own = live(args.replica, args.states) if args.replica else None
    if args.case:
        case = eval(args.case)
        print(judge(case, own))
        return 0
    if own is not None:
        judge_sound(Shape("live"), own)
        strategy = st.builds(Case, st.just(Shape("live")), damages(args.kind))
    else:
        shape = shapes(GOLDEN_SMALL + GOLDEN_REST)
        if args.source:
            rest = [Shape(s) for s in args.source if s not in ("pages", "sqlite")]
            shape = st.sampled_from(rest) if rest else shape.filter(lambda s: s.source in args.source)
        strategy = st.builds(Case, shape, damages(args.kind))

    return many(strategy, lambda case: judge(case, own), args)


C = TypeVar("C", bound=AnyCase)


def many(strategy: st.SearchStrategy[C], judge_: Callable[[C], Outcome | None], args: argparse.Namespace) -> int:
    """Judge `args.cases` cases, print a table, and the failures. Returns the exit code."""
    counts = Counts()

    @seed(args.seed)
    @settings(
        max_examples=args.cases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=[Phase.generate] if args.go_on else [Phase.generate, Phase.shrink],
    )
    @given(strategy)
    def each(case: C) -> None:
        if counts.cases >= args.cases:
            return
        try:
            outcome = judge_(case)
        except Failure as failure:
            counts.fail(case.damages, failure)
            if not args.go_on:
                raise
            return
        assume(outcome is not None)
        if outcome is not None:
            counts.add(case.damages, outcome)
            if args.go_on and counts.cases % 500 == 0:
                print(f"… {counts.cases} cases, {len(counts.failures)} kinds of failures", file=sys.stderr, flush=True)

    try:
        each()
    except Failure as failure:
        print(counts.table())
        print(f"\nFAILURE (shrunk)\n{failure}")
        return 1
    print(counts.table())
    for key, (count, text) in counts.failures.items():
        print(f"\nFAILURE × {count}: {key}\n{text}")
    return 1 if counts.failures else 0


if __name__ == "__main__":
    sys.exit(main())
