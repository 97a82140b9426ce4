"""Damage of Litestream 0.5 replicas: sound ones (tests/ltx_truth.py), every way to damage them, and a judge.

    python -m tests.damage_ltx --cases 2000 --seed 1 [--go-on]     a table of what came of them
    python -m tests.damage_ltx --case 'Case(...)'                  one case again
    python -m tests.damage_ltx --cases 300 --source FOLDER         the same with a replica that Litestream wrote

The judge's own plan and merge must come to the same as litetui's for every target, a refusal included. And what comes
is the state that the application had at the TXID that is named; other bytes need a class, with this condition:

* forged    a file of the chain holds other pages than were written, under right checksums, its range in name and
            header: nothing in an LTX file says which database and which history it belongs to. Where another way
            through the files leads to other bytes at the same TXID, `validate --depth restore` must not say ok.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import strategies as st

from litetui.errors import LitetuiError
from litetui.format.ltx_header import LTXHeader
from litetui.format.names import format_ltx
from litetui.ops import restore as ops
from litetui.ops.ltx_plan import LTXPlan
from litetui.ops.source import choose
from litetui.ops.target import Target
from litetui.ops.verdict import LTX, GenerationReport, Report
from litetui.replica.detect import open_any
from tests import damage as v03
from tests import ltx_reader
from tests.damage import DAY, Damage, Entry, Failure, Files, Outcome
from tests.ltx_encode import encode
from tests.ltx_truth import (
    SNAPSHOTS,
    Item,
    Shape,
    Sound,
    State,
    after,
    chosen,
    contradicts,
    items,
    merged,
    parse,
    reachable,
    sound,
)

MS = 1_000_000


@dataclass(frozen=True)
class Case:
    shape: Shape
    damages: tuple[Damage, ...]


Maker = Callable[[Sound, Files, Damage], "Files | None"]
KINDS: dict[str, Maker] = {}
FORGED = {"header", "pages", "fork", "other"}
HARMLESS = {"foreign", "touch", "duplicate"}


def _kind(maker: Maker) -> Maker:
    KINDS[maker.__name__.strip("_").replace("_", "-")] = maker
    return maker


def damaged(sound_: Sound, damages: tuple[Damage, ...]) -> Files | None:
    """The files after the damages; None where one of them does not apply here, or nothing has changed."""
    files: Files | None = dict(sound_.files)
    for damage in damages:
        files = KINDS[damage.kind](sound_, files, damage) if files else None
    return None if files == sound_.files else files


def _paths(files: Files) -> list[str]:
    return sorted(p for p, e in files.items() if e.kind == "file" and parse(p))


def _choose(files: Files, number: int) -> str | None:
    """A file: those that the latest restore takes come more than once."""
    pool = _paths(files)
    pool += [i.path for i in chosen(items(files))] * 2
    return pool[number % len(pool)] if pool else None


def _with(files: Files, path: str, data: bytes) -> Files:
    return {**files, path: replace(files[path], data=data)}


def _moved(files: Files, path: str, level: int, low: int, high: int) -> str | None:
    """The path of another place in the same replica, where there is nothing yet."""
    folder = path.rpartition("/")[0]
    new = f"{folder[:-1]}{level}/{format_ltx(low, high)}"
    return None if new in files or not 1 <= low <= high else new


@_kind
def _flip(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """One bit: anywhere, in the header, the first page, the index, the trailer."""
    path = _choose(files, damage.file)
    data = bytearray(files[path].data) if path else bytearray()
    end = len(data)
    low, high = ((0, end), (0, 100), (100, 140), (end - 40, end - 16), (end - 16, end))[damage.how % 5]
    at = low + ((high - low) * damage.at >> 16)
    if path is None or not 0 <= at < end:
        return None
    data[at] ^= 1 << damage.other % 8
    return _with(files, path, bytes(data))


@_kind
def _cut(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """A file that was cut: to nothing, anywhere, by some bytes, before its trailer."""
    path = _choose(files, damage.file)
    if path is None:
        return None
    data = files[path].data
    size = (0, len(data) * damage.at >> 16, max(0, len(data) - 1 - damage.at % 30), max(0, len(data) - 16))
    return _with(files, path, data[: size[damage.how % 4]])


@_kind
def _append(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    path = _choose(files, damage.file)
    if path is None:
        return None
    more = (b"\0", bytes(6), files[path].data, files[path].data[-16:])[damage.how % 4]
    return _with(files, path, files[path].data + more)


@_kind
def _remove(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """One file, a level, the newest or the oldest few of all, every second one, all snapshots."""
    path = _choose(files, damage.file)
    if path is None:
        return None
    order = sorted(_paths(files), key=lambda p: (parse(p) or (0, 0, 0))[2])
    few = 1 + damage.at * len(order) // 131072
    gone = (
        {path},
        {p for p in order if p.rpartition("/")[0] == path.rpartition("/")[0]},
        set(order[-few:]),
        set(order[:few]),
        set(order[damage.other % 2 :: 2]),
        {p for p in order if (parse(p) or (0,))[0] == SNAPSHOTS},
        {path},
    )[damage.how % 7]
    return {p: e for p, e in files.items() if p not in gone} if gone else None


@_kind
def _swap(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """The contents of two files, or one of them under both names."""
    one, two = _choose(files, damage.file), _choose(files, damage.other)
    if one is None or two is None or one == two:
        return None
    out = _with(files, one, files[two].data)
    return out if damage.how % 2 else _with(out, two, files[one].data)


@_kind
def _rename(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """Another range or level in the name alone."""
    path = _choose(files, damage.file)
    place = parse(path) if path else None
    if path is None or place is None:
        return None
    level, low, high = place
    ways = (
        (low + 1, high),
        (low, high + 1),
        (low, high - 1),
        (1, high),
        (high + 1, high + 1),
        (low - 1, high),
        (low, 99),
    )
    new_low, new_high = (low, high) if damage.how % 3 == 0 else ways[damage.how % 7]
    new = _moved(files, path, damage.other % 10 if damage.how % 3 == 0 else level, new_low, new_high)
    if new is None:
        return None
    return {new if p == path else p: e for p, e in files.items()}


@_kind
def _duplicate(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """The same file on another level as well, of another time or the same."""
    path = _choose(files, damage.file)
    place = parse(path) if path else None
    if path is None or place is None:
        return None
    level = damage.other % (10 if place[1] == 1 else 9)
    new = _moved(files, path, level, *place[1:])
    ns = files[path].mtime_ns + (0, 0, DAY, -DAY)[damage.how % 4]
    return None if new is None else {**files, new: replace(files[path], mtime_ns=ns)}


@_kind
def _no_file(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """A folder, or a link to nothing, where a file was."""
    path = _choose(files, damage.file)
    kind = ("folder", "link")[damage.how % 2]
    return {**files, path: replace(files[path], data=b"", kind=kind)} if path else None


@_kind
def _touch(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """Other times: of one file, all the same, all another file's, all later, all earlier."""
    path = _choose(files, damage.file)
    if path is None:
        return None
    paths = _paths(files)
    times = [files[p].mtime_ns for p in paths]
    random.Random(damage.at).shuffle(times)
    shuffled = dict(zip(paths, times, strict=True))
    only = {path: DAY}
    of: Callable[[str], int] = (
        lambda p: files[p].mtime_ns + only.get(p, 0),
        lambda p: files[p].mtime_ns - only.get(p, 0),
        lambda p: sound_.now_ns,
        lambda p: shuffled[p],
        lambda p: files[p].mtime_ns + DAY // 2,
        lambda p: files[p].mtime_ns + (p == path),
    )[damage.how % 6]
    return {p: replace(e, mtime_ns=of(p)) if p in shuffled else e for p, e in files.items()}


@_kind
def _foreign(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """Files that are none of a replica's."""
    path = _choose(files, damage.file)
    if path is None:
        return None
    folder, _, name = path.rpartition("/")
    new = (
        f"{path}.tmp",
        f"{folder}/README",
        f"{folder}/.{name}",
        f"{folder}/{name.upper()}",
        f"{folder}/{'0' * 16}-{name[17:]}",
        f"{folder}/{name[17:33]}-{'0' * 16}.ltx",
        f"{folder}/{name}~",
    )[damage.how % 7]
    data = (b"", b"noise", files[path].data)[damage.other % 3]
    return None if new in files else {**files, new: Entry(data, sound_.now_ns - damage.at)}


def _parts(files: Files, path: str | None) -> tuple[LTXHeader, list[tuple[int, bytes]], bool, int] | None:
    """Header, pages, encoding and last checksum of a sound file."""
    found = ltx_reader.read_known(files[path].data) if path else None
    if path is None or found is None:
        return None
    data = files[path].data
    sized = bool(found.pages) and data[105] == 1
    return LTXHeader.parse(data), list(found.pages.items()), sized, found.post_apply


@_kind
def _header(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """One field of the header, all checksums right."""
    path = _choose(files, damage.file)
    parts = _parts(files, path)
    if path is None or parts is None:
        return None
    head, pages, sized, post = parts
    low, high, commit = head.min_txid, head.max_txid, head.commit
    new = (
        replace(head, commit=commit + 1),
        replace(head, commit=commit - 1),
        replace(head, commit=(1 << 17, 0xFFFFFFFF, 0, 1)[damage.other % 4]),
        replace(head, min_txid=low + 1),
        replace(head, min_txid=1),
        replace(head, max_txid=high + 1),
        replace(head, page_size=(1024, 4096, 512)[damage.other % 3]),
        replace(head, timestamp_ms=head.timestamp_ms + (1, -1, 10**8, -(10**8), 1 << 62)[damage.other % 5]),
        replace(head, pre_apply=(head.pre_apply ^ 4) if head.pre_apply else 0),
    )[damage.how % 9]
    pages = [(n, image) for n, image in pages if n <= new.commit]
    return _with(files, path, encode(new, pages, sized=sized, post_apply=post))


@_kind
def _pages(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """A page away, of another number, changed, or one more; index and checksum right."""
    path = _choose(files, damage.file)
    parts = _parts(files, path)
    if path is None or parts is None or not parts[1]:
        return None
    head, pages, sized, post = parts
    at = len(pages) * damage.at >> 16
    number, image = pages[at]
    if damage.how % 4 == 0:
        del pages[at]
    elif damage.how % 4 == 1:
        pages[at] = (number + 1, image)
    elif damage.how % 4 == 2:
        pages[at] = (number, image[:200] + bytes([image[200] ^ 1]) + image[201:])
    else:
        pages = sorted({**dict(pages), 1 + damage.other % head.commit: image}.items())
    if not head.flags & 2 and head.is_snapshot:
        post = ltx_reader.rolling(dict(pages))
    return _with(files, path, encode(head, pages, sized=sized, post_apply=post))


def _from(source: Files, files: Files, damage: Damage) -> Files | None:
    """One file, its level, or all that is newer, from files of the same names."""
    path = _choose(files, damage.file)
    place = parse(path) if path else None
    if path is None or place is None:
        return None
    level = [p for p in _paths(files) if p.rpartition("/")[0] == path.rpartition("/")[0]]
    newer = [p for p in _paths(files) if (parse(p) or (0, 0, 0))[2] >= place[2]]
    which = ([path], [path], level, newer)[damage.how % 4]
    return {p: replace(e, data=source[p].data) if p in which and p in source else e for p, e in files.items()}


@_kind
def _fork(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """Files of the same names from a replica whose history went another way."""
    return _from(sound_.fork, files, damage)


@_kind
def _other(sound_: Sound, files: Files, damage: Damage) -> Files | None:
    """Files of the same names from the replica of another database."""
    return _from(sound_.other, files, damage)


# ---- strategies


def shapes() -> st.SearchStrategy[Shape]:
    return st.builds(
        Shape,
        page_size=st.sampled_from([512, 512, 512, 1024, 4096]),
        transactions=st.integers(1, 14),
        growth=st.sampled_from(["mixed", "grow", "same"]),
        width=st.sampled_from([0, 2, 3, 4]),
        retained=st.sampled_from(["all", "l0", "levels"]),
        snapshots=st.sampled_from([0, 0, 1, 3, 4, 5]),
        encoding=st.sampled_from(["sized", "frames", "mixed"]),
        checked=st.sampled_from([False, False, False, True]),
        whole=st.booleans(),
        bucket=st.sampled_from([False, False, True]),
        beside=st.sampled_from([False] * 5 + [True]),
        copied=st.sampled_from([False] * 5 + [True]),
    ).filter(lambda s: not (s.beside and s.bucket))


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


def cases() -> st.SearchStrategy[Case]:
    return st.builds(Case, shapes(), damages())


# ---- the judge


@dataclass
class Restored:
    """What a restore gave, and which TXID it names; of v0.3 generations 0."""

    txid: int
    data: bytes
    notes: tuple[str, ...] = ()


class Judge(v03.Asking):
    """One damaged replica on the disk, against the truth."""

    def __init__(self, sound_: Sound, case: Case, files: Files, folder: Path) -> None:
        super().__init__(folder, open_any, real=sound_.real, now_ns=sound_.now_ns)
        self.sound, self.case, self.files, self.folder = sound_, case, files, folder
        self.items = items(files)
        self.unreadable = any(e.kind != "file" for e in files.values())
        self.states = reachable(self.items)
        self.newest = max((i.high for i in self.items), default=0)
        self.forged = any(d.kind in FORGED for d in case.damages)

    def judge(self) -> Outcome:
        self.out.mkdir()
        v03.write(self.files, self.root, "ltx" if not self.case.shape.bucket else "0000")
        latest = self.attempt(Target())
        self.outcome.result = self._result(latest)
        self._judge_plan("the latest", latest, self.items, self.newest)
        some = {1, self.sound.newest, self.newest, self.newest + 1, 1 + self.case.damages[0].at % self.sound.newest}
        for txid in sorted(some - {0}):
            got = self.attempt(Target(txid=txid))
            if isinstance(got, Restored) and got.txid != txid:
                raise Failure(f"--txid {txid:x} gave {got.txid:x}")
            self._judge_plan(f"--txid {txid:x}", got, [i for i in self.items if i.high <= txid], txid)
        self._times()
        good = self._last_good()
        for depth in ("names", "content", "restore"):
            report = self.validate(depth)
            if report is not None:
                self._judge_report(report, depth, latest, good)
        return self.outcome

    # ---- asking litetui

    def attempt(self, target: Target) -> Restored | LitetuiError:
        """A restore; nothing may be left beside its output."""
        output = self.out / "restored.db"

        def work(to: Path) -> ops.AnyPlan:
            plan = ops.plan(choose(open_any(self.root), target).replica, target)
            result = ops.run(plan, str(to), integrity_check="none")  # type: ignore[type-var]
            return result.plan

        settled = self.restored(target, work)
        if isinstance(settled, LitetuiError):
            return settled
        data = output.read_bytes()
        output.unlink()
        return Restored(settled.txid if isinstance(settled, LTXPlan) else 0, data, tuple(settled.notes))

    # ---- restores

    def _judge_plan(self, what: str, got: Restored | LitetuiError, eligible: list[Item], wanted: int) -> None:
        """A restore must come to what the model comes to with these files, or be refused as it is."""
        chain = chosen(eligible)
        state = merged(chain)
        if isinstance(got, LitetuiError):
            if state is not None and state.high == wanted and not self.unreadable:
                raise Failure(f"{what}: refused, though sound files lead to {wanted:x}: {got}")
            return
        if not got.txid and not eligible and got.data in self.sound.v03 and not self.unreadable:
            return  # the generations beside
        if state is None or state.high != wanted:
            raise Failure(f"{what}: gave {got.txid:x}, though its files are not sound, or do not lead to {wanted:x}")
        if self.unreadable:
            raise Failure(f"{what}: a file cannot be read, and may be the newest")
        self._judge_bytes(what, got, chain, state)

    def _judge_bytes(self, what: str, got: Restored, chain: list[Item], state: State) -> None:
        if got.txid != state.high or got.data != state.database:
            raise Failure(
                f"{what}: {len(got.data)} bytes of {got.txid:x} are not what its files hold at {state.high:x}"
            )
        if got.data == self.sound.states.get(got.txid):
            return
        if all(self.sound.wrote(item) for item in chain) or not self.forged:
            raise Failure(f"{what}: wrong bytes at {got.txid:x}, though no file was forged")
        self.outcome.remarks.add(f"{what if what[0] != '-' else what.split(' ')[0]}: forged, under right checksums")

    def _result(self, latest: Restored | LitetuiError) -> str:
        if isinstance(latest, LitetuiError):
            self.outcome.notes.append(f"restore: {latest}")
            return "refused"
        if not latest.txid:
            return "the generations beside"
        if latest.data == self.sound.states.get(latest.txid):
            return "exact" if latest.txid == self.sound.newest else "earlier moment"
        return "forged, contradicted" if len(self.states.get(latest.txid, [])) > 1 else "forged, without a trace"

    def _last_good(self) -> int | None:
        """The last good TXID by litetui; None where it says that there is none, or that something is unreadable."""
        got = self.attempt(Target(last_good=True))
        if isinstance(got, LitetuiError):
            if self.states and not self.unreadable:
                raise Failure(f"--to-last-good fails, though sound files lead to {max(self.states):x}: {got}")
            return None
        if not got.txid and got.data in self.sound.v03 and not self.items and not self.unreadable:
            return None
        furthest = max(self.states, default=0)
        if got.txid != furthest and self._misfit(got.txid):
            self.outcome.remarks.add("--to-last-good: not as far as without a forged file that the next does not fit")
        elif got.txid != furthest:
            raise Failure(f"--to-last-good gives {got.txid:x}, sound files lead to {furthest:x}")
        if got.data not in [s.database for s in self.states[got.txid]]:
            raise Failure(f"--to-last-good gives bytes at {got.txid:x} to which no files lead")
        if got.data != self.sound.states.get(got.txid):
            if all(self.sound.wrote(i) for i in self.items if i.file) or not self.forged:
                raise Failure(f"--to-last-good: wrong bytes at {got.txid:x}, though no file was forged")
            self.outcome.remarks.add("--to-last-good: forged, under right checksums")
        return got.txid

    def _misfit(self, txid: int) -> bool:
        """Whether a sound file that would follow on does not fit to the state there: nothing tells which is wrong."""
        return any(
            i.file is not None and ((new := after(state, i)) is None or new.owed)
            for i in self.items
            if i.low <= txid + 1 <= i.high
            for state in self.states.get(txid, ())
        )

    def _times(self) -> None:
        """The last state before a time, or a refusal: by the files' times, or those in the headers of a copy."""
        own = [i.file is None or i.file.timestamp == i.mtime_ns // MS for i in self.items]
        stamps = {i.path: i.file.timestamp * MS if i.file else i.mtime_ns for i in self.items}
        times = {i.path: i.mtime_ns for i in self.items}
        spread = sorted({*times.values(), *stamps.values()})
        pick = spread[len(spread) * self.case.damages[0].at >> 16] if spread else 0
        for ns in (pick, pick + MS, spread[-1], spread[-1] + MS) if spread else ():
            if not 0 < ns < 1 << 62:
                continue
            got = self.attempt(Target(timestamp_ns=ns))
            if isinstance(got, LitetuiError) or (not got.txid and got.data in self.sound.v03):
                continue
            if all(own) or (not any(own) and all(i.file for i in self.items)):
                before = times if all(own) else stamps
                self._judge_time(ns, got, [i for i in self.items if before[i.path] < ns])
            elif got.data not in [s.database for s in self.states.get(got.txid, [])]:
                raise Failure(f"--timestamp {ns} gave bytes at {got.txid:x} to which no files lead")

    def _judge_time(self, ns: int, got: Restored, eligible: list[Item]) -> None:
        chain = chosen(eligible)
        state = merged(chain)
        if state is None or state.high != got.txid:
            raise Failure(f"--timestamp {ns} gave {got.txid:x}, the files before it lead elsewhere")
        self._judge_bytes("--timestamp", got, chain, state)
        if any(i.low > got.txid + 1 for i in eligible) and not got.notes:
            raise Failure(f"--timestamp {ns} gave {got.txid:x} without a word of the gap behind it")

    # ---- reports

    def _judge_report(self, report: Report, depth: str, latest: Restored | LitetuiError, good: int | None) -> None:
        self.outcome.verdicts[depth] = report.verdict
        one = next((g for g in report.generations if g.generation == LTX), None)
        if one is None:
            if self.items or self.unreadable:
                raise Failure(f"--depth {depth} does not speak of the LTX files")
            return
        for wrong in v03.wrong_in_generation(one, depth):
            raise Failure(f"--depth {depth}: {wrong}")
        unharmed = self._unharmed()
        loud = [f for f in one.findings if f.severity == "error"]
        if unharmed and (one.verdict != "ok" or loud or one.latest_restores is False):
            raise Failure(f"--depth {depth} accuses a sound replica: {one.verdict}, {loud}")
        if depth == "names":
            return
        self._against_latest(one, report, depth, latest)
        if not self.unreadable and one.restorable_to is not None and one.restorable_to.offset != good:
            raise Failure(f"--depth {depth} says up to {one.restorable_to}, --to-last-good gives {good}")
        if not self.unreadable and one.restorable_to is None and good is not None:
            raise Failure(f"--depth {depth} says that nothing restores, --to-last-good gives {good:x}")

    def _against_latest(
        self, one: GenerationReport, report: Report, depth: str, latest: Restored | LitetuiError
    ) -> None:
        bad_file = [i.path for i in self.items if i.file is None]
        if one.verdict == "ok" and bad_file:
            raise Failure(f"--depth {depth} says ok, {bad_file[0]} is damaged")
        if isinstance(latest, LitetuiError):
            if "ok" in (one.verdict, report.verdict) or one.latest_restores:
                raise Failure(f"--depth {depth} says {report.verdict}, {one.latest_restores}, restore: {latest}")
            return
        if not latest.txid:
            return
        apart = any(len(states) > 1 or self._misfit(txid) for txid, states in self.states.items())
        contradicted = apart or any(contradicts(i, self.items) for i in self.items)
        if any(f.code == "chains-differ" for f in one.findings) and not contradicted:
            raise Failure(f"--depth {depth} finds that files contradict each other, but they do not: {one.findings}")
        malformed = one.integrity not in ("", "ok") and latest.data != self.sound.states.get(latest.txid)
        if one.latest_restores is not True and not malformed and not (one.latest_restores is None and contradicted):
            raise Failure(f"--depth {depth} says that the latest does not restore, but it does: {one.findings}")
        if depth != "restore" or one.verdict != "ok":
            return
        if len(self.states[latest.txid]) > 1:
            exact = latest.data == self.sound.states.get(latest.txid)
            raise Failure(f"says ok, but files contradict each other at the latest ({'exact' if exact else 'WRONG'})")
        if apart:
            self.outcome.remarks.add("validate: ok, though forged files before the latest do not fit the others")

    def _unharmed(self) -> bool:
        """Whether all that is left is as it was written, and leads to its newest TXID."""
        whole = all(self.sound.wrote(i) and (i.level < SNAPSHOTS or i.low == 1) for i in self.items)
        state = merged(chosen(self.items))
        return bool(whole and not self.unreadable and state is not None and state.high == self.newest)


def _run(sound_: Sound, case: Case, files: Files) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix="damage-", dir=v03.memory()))
    try:
        with v03.limited():
            return Judge(sound_, case, files, folder).judge()
    except Failure as failure:
        raise Failure(f"{failure}\n\n{case}") from None
    finally:
        shutil.rmtree(folder)


def judge(case: Case) -> Outcome | None:
    """Make the case and judge it. None where its damage does not apply to its shape. Raises Failure."""
    base = sound(case.shape)
    files = damaged(base, case.damages)
    return None if files is None else _run(base, case, files)


def judge_sound(shape: Shape) -> None:
    """An undamaged replica restores at every TXID and time, and is ok at every depth. Raises Failure."""
    base = sound(shape)
    for at in range(0, 65536, 8191):
        outcome = _run(base, Case(shape, (Damage("none", at=at),)), base.files)
        if outcome.result != "exact" or set(outcome.verdicts.values()) != {"ok"}:
            raise Failure(f"sound, but {outcome}\n\n{shape}")


def main() -> int:
    parser = v03.arguments(__doc__)
    parser.add_argument("--source", action="append", help="a folder with a replica that Litestream wrote")
    args = parser.parse_args()
    if args.case:
        print(judge(eval(args.case)))
        return 0
    real = [Shape(name) for name in args.source or ()]
    for shape in real:
        judge_sound(shape)
    shape_ = st.sampled_from(real) if real else shapes()
    return v03.many(st.builds(Case, shape_, damages(args.kind)), judge, args)


if __name__ == "__main__":
    sys.exit(main())
