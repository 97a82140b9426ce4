"""Sound replicas of Litestream 0.5 and the truth about them, by a plain model: none of litetui's plan or merge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from litetui.format.ltx_header import LTXHeader
from litetui.format.names import format_bucket_level, format_ltx
from tests import damage as v03
from tests import ltx_reader
from tests.damage import DAY, Entry, Files
from tests.ltx_build import MS, SECOND, T0, LTXHistory
from tests.ltx_encode import encode
from tests.ltx_reader import LTXFile

_LTX = re.compile(r"(?:ltx/([0-9])|000([0-9]))/([0-9a-f]{16})-([0-9a-f]{16})\.ltx")
SNAPSHOTS = 9


@dataclass(frozen=True)
class Shape:
    """Which sound replica.

    source     `pages`, or the name of a folder with a replica that Litestream wrote
    growth     whether the database grows: `grow`, `same`, `mixed` (it also shrinks)
    width      transactions to a file of level 1, twice that to one of level 2; 0: level 0 alone
    retained   what retention has left: `all`, no old `l0`, only what came since the first snapshot: `levels`
    snapshots  after how many transactions one is taken; 0: none
    encoding   `sized`, `frames` (before v0.5.16), `mixed`: an upgrade in the middle
    checked    whether the files keep checksums of the database, as other tools write them
    whole      whether one transaction in the middle has written the whole database
    beside     whether generations of v0.3 lie beside, from before the upgrade
    copied     whether the files' times are those of a copy
    """

    source: str = "pages"
    page_size: int = 512
    transactions: int = 12
    growth: str = "mixed"
    width: int = 3
    retained: str = "all"
    snapshots: int = 0
    encoding: str = "sized"
    checked: bool = False
    whole: bool = False
    bucket: bool = False
    beside: bool = False
    copied: bool = False


@dataclass
class Sound:
    """A sound replica: its files, the database after each TXID that they lead to, and another history's files.

    fork   files of the same names whose transactions from the middle on are others
    other  those of another database
    v03    the database states of generations beside
    """

    files: Files
    states: dict[int, bytes]
    real: bool = False
    fork: Files = field(default_factory=dict)
    other: Files = field(default_factory=dict)
    v03: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.items = items(self.files)
        self.newest = max(i.high for i in self.items)
        self.now_ns = max(e.mtime_ns for e in self.files.values()) + DAY
        self.written = {i.path: i.file for i in self.items}
        self._ranges = {(i.low, i.high): i.file for i in self.items}

    def wrote(self, item: Item) -> bool:
        """Whether the file's transactions are those that Litestream wrote under this range, on whatever level."""
        known = self._ranges.get((item.low, item.high))
        if item.file is None or known is None:
            return False
        return (item.file.commit, item.file.pages) == (known.commit, known.pages)


@lru_cache(maxsize=256)
def sound(shape: Shape) -> Sound:
    """The sound replica of a shape."""
    if shape.source != "pages":
        return from_folder(Path(shape.source))
    history = _history(shape)
    files = _files(shape, history)
    fork = _files(shape, _history(shape, fork=True))
    other = _files(replace(shape, page_size=shape.page_size % 1024 + 512), _history(shape, seed=9))
    states: set[bytes] = set()
    if shape.beside:
        old = v03.sound(v03.Shape(page_size=512))
        late = max(e.mtime_ns for e in old.files.values()) - (T0 - DAY)
        files |= {path: replace(e, mtime_ns=e.mtime_ns - late) for path, e in old.files.items()}
        states = old.all_states | old.snapshots
    return Sound(files, history.states, False, fork, other, states)


def _history(shape: Shape, *, fork: bool = False, seed: int = 1) -> LTXHistory:
    history = LTXHistory(shape.page_size, seed)
    middle = shape.transactions // 2
    for n in range(2, shape.transactions + 1):
        if fork and n == middle + 1:
            history._random.seed(77)
        size = {"same": 4, "grow": 4 + n // 2, "mixed": 4 + n * 7 % 5}[shape.growth]
        history.commit(*(range(1, size + 1) if shape.whole and n == middle else (1, 2 + n % 3)), size=size)
    return history


def ranges(shape: Shape) -> list[tuple[int, int, int]]:
    """Level, first and last TXID of every file."""
    last, width = shape.transactions, shape.width
    snapshots = list(range(shape.snapshots, last + 1, shape.snapshots)) if shape.snapshots else []
    out = [(0, n, n) for n in range(1, last + 1)]
    for level, step in ((1, width), (2, 2 * width)) if width else ():
        out += [(level, n - step + 1, n) for n in range(step, last + 1, step)]
    compacted = last // width * width if width else 0
    if shape.retained != "all":
        out = [r for r in out if r[0] or r[1] >= compacted]
    if shape.retained == "levels" and snapshots:
        ends = {level: max(r[2] for r in out if r[0] == level) for level, _, _ in out}
        out = [r for r in out if not r[0] or r[2] >= snapshots[0] or r[2] == ends[r[0]]]
    return out + [(SNAPSHOTS, 1, n) for n in snapshots]


def _files(shape: Shape, history: LTXHistory) -> Files:
    files: Files = {}
    sums = {0: 0}
    if shape.checked:
        size = history.page_size
        for txid, data in history.states.items():
            sums[txid] = ltx_reader.rolling({at // size + 1: data[at : at + size] for at in range(0, len(data), size)})
    for level, low, high in ranges(shape):
        pages, commit = history.pages(low, high)
        flags, pre, post = (0, sums[low - 1], sums[high]) if shape.checked else (2, 0, 0)
        time_ns = history.time_of(high)
        head = LTXHeader(history.page_size, commit, low, high, time_ns // MS, flags, pre)
        sized = shape.encoding == "sized" or (shape.encoding == "mixed" and high > shape.transactions // 2)
        folder = format_bucket_level(level) if shape.bucket else f"ltx/{level}"
        data = encode(head, sorted(pages.items()), sized=sized, post_apply=post)
        mtime = T0 + DAY + len(files) * SECOND if shape.copied else time_ns
        files[f"{folder}/{format_ltx(low, high)}"] = Entry(data, mtime)
    return files


@lru_cache(maxsize=16)
def from_folder(root: Path) -> Sound:
    """A replica that Litestream wrote: its states are what the model makes of them."""
    files: Files = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file() and _LTX.fullmatch(str(p.relative_to(root)))):
        files[str(path.relative_to(root))] = Entry(path.read_bytes(), path.stat().st_mtime_ns)
    states = {}
    for txid, found in reachable(items(files)).items():
        (states[txid],) = (state.database for state in found)
    return Sound(files, states, True)


# ---- the model


@dataclass(frozen=True)
class Item:
    """A file of the replica by its name; `file` is None where it is not sound, or another one by its header."""

    path: str
    level: int
    low: int
    high: int
    mtime_ns: int
    file: LTXFile | None


def parse(path: str) -> tuple[int, int, int] | None:
    """Level, first and last TXID of a path; None for any other."""
    m = _LTX.fullmatch(path)
    if m is None:
        return None
    low, high = int(m[3], 16), int(m[4], 16)
    return (int(m[1] or m[2]), low, high) if 1 <= low <= high else None


def items(files: Mapping[str, Entry]) -> list[Item]:
    out = []
    for path, entry in files.items():
        place = parse(path)
        if place is None or entry.kind != "file":
            continue
        found = ltx_reader.read_known(entry.data)
        if found is not None and (found.min_txid, found.max_txid) != place[1:]:
            found = None
        out.append(Item(path, *place, entry.mtime_ns, found))
    return sorted(out, key=lambda i: (i.level, i.low, i.high))


@dataclass(frozen=True)
class State:
    """The database after a file. `owed`: pages that it grew by, and that have not come yet."""

    high: int
    page_size: int
    commit: int
    checksum: int
    pages: Mapping[int, bytes]
    owed: frozenset[int] = frozenset()

    @property
    def database(self) -> bytes:
        return b"".join(self.pages[n] for n in range(1, self.commit + 1))


def after(state: State | None, item: Item) -> State | None:
    """The state after one more file; None where that breaks a rule of the format. No database here reaches its lock
    page."""
    file = item.file
    if file is None or (state is not None and state.page_size != file.page_size):
        return None
    before = {} if state is None or item.low == 1 else state.pages
    grown = range((0 if state is None or item.low == 1 else state.commit) + 1, file.commit + 1)
    before_owed = frozenset() if state is None or item.low == 1 else state.owed
    owed = frozenset(n for n in before_owed.union(grown) if n not in file.pages and n <= file.commit)
    linked = state is not None and item.low == state.high + 1 and file.pre_apply and state.checksum
    if state is not None and linked and file.pre_apply != state.checksum:
        return None
    pages = {n: image for n, image in {**before, **file.pages}.items() if n <= file.commit}
    return State(item.high, file.page_size, file.commit, file.post_apply, pages, owed)


def chosen(found: Iterable[Item]) -> list[Item]:
    """The files that a restore takes (FORMAT-v0.5-ltx, section 4)."""
    found = list(found)
    chain = [i for i in found if i.level == SNAPSHOTS][-1:]
    while True:
        reached = chain[-1].high if chain else 0
        next_ = [i for i in found if i.level < SNAPSHOTS and i.low <= reached + 1 and i.high > reached]
        if not next_:
            return chain
        chain.append(max(next_, key=lambda i: (i.high, -i.low, i.level, -i.mtime_ns)))


def merged(chain: Iterable[Item]) -> State | None:
    """What the files lead to, one after the other."""
    state = None
    for item in chain:
        state = after(state, item)
        if state is None:
            return None
    return None if state is None or state.owed else state


def reachable(found: Iterable[Item]) -> dict[int, list[State]]:
    """Every state that sound files lead to in any way, by TXID; more than one where files contradict each other."""
    out: dict[int, list[State]] = {}
    for item in sorted(found, key=lambda i: (i.high, i.low)):
        starts: list[State | None] = [None] if item.low == 1 or item.level == SNAPSHOTS else []
        if item.level < SNAPSHOTS:  # a snapshot is where a restore begins, wherever it stands
            starts += [s for t, states in out.items() if item.low - 1 <= t < item.high for s in states]
        for start in starts:
            state = after(start, item)
            known = out.get(item.high, [])
            if state is not None and all((s.commit, s.pages) != (state.commit, state.pages) for s in known):
                out.setdefault(item.high, []).append(state)
    whole = {txid: [s for s in states if not s.owed] for txid, states in out.items()}
    return {txid: states for txid, states in whole.items() if states}


def contradicts(whole: Item, found: Iterable[Item]) -> bool:
    """Whether files of lower levels, one after the other, hold the same range and other pages."""
    ways: dict[int, list[dict[int, bytes]]] = {whole.low - 1: [{}]}
    for item in sorted(found, key=lambda i: i.low):
        if item.file is not None and item.level < whole.level and item.high <= whole.high:
            ways.setdefault(item.high, []).extend({**way, **item.file.pages} for way in ways.get(item.low - 1, ()))
    if whole.file is None:
        return False
    ends = ({n: image for n, image in way.items() if n <= whole.file.commit} for way in ways.get(whole.high, ()))
    return any(pages != whole.file.pages for pages in ends)
