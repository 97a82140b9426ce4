"""The tree as lines: a pure function of the view and of the branches that are open.

Lines are made anew after each change. That is what makes a refresh simple: selection and scroll position are
kept by key, and nothing has to be moved about in a widget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import MappingProxyType

from litetui.tui.evidence import Badge, Checks, badge
from litetui.tui.ltx_model import LTX_KINDS, SNAPSHOTS, LevelView, LTXView, row_of, txids_text
from litetui.tui.model import GenerationView, Group, ReplicaView, groups
from litetui.units import format_clock, format_size

Key = tuple[str | int, ...]
FIRST = "no generation exists"  # why a database's first generation began: nothing to remark on


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the tree.

    key      what it stands for: ("replica",), ("generation", g), ("snapshots", g), ("snapshot", g, i),
             ("wals", g), ("day" or "hour" or "range", g, value, first, last), ("index", g, i);
             of v0.5: ("ltx",), ("level", n), and once it was opened ("ltxfile", n, first, last)
    text     its name; cut in the middle where it does not fit
    note     muted words after it, dropped before the text is cut
    shorter  other words for the note, where there is less room, the longest first
    glyph    name of a glyph before the text, with its status
    """

    key: Key
    depth: int
    text: str
    note: str = ""
    glyph: str = ""
    status: str = ""
    branch: bool = False
    open: bool = False
    shorter: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return str(self.key[0])

    @property
    def generation(self) -> str:
        return generation_of(self.key)


def generation_of(key: Key) -> str:
    """The generation that a key is about, "" where it is about none."""
    return str(key[1]) if len(key) > 1 and key[0] not in LTX_KINDS else ""


def outline(
    view: ReplicaView, opened: Collection[Key], now_ns: int, checks: Checks = MappingProxyType({})
) -> list[Line]:
    """All lines that are in sight."""
    root: Key = ("replica",)
    count = len(view.generations)
    plural = "generation" if count == 1 else "generations"
    is_open = root in opened
    levels = len(view.ltx.levels) if view.ltx is not None else 0
    words = f"{levels} level{'s' if levels != 1 else ''}"
    note = words if view.ltx_alone else f"{count} {plural}" + (f", {words}" if levels else "")
    lines = [Line(root, 0, view.name or view.path, note, branch=count + levels > 0, open=is_open)]
    if is_open:
        for generation in view.generations:
            reason = view.primary.reason(generation.name) if view.primary is not None else ""
            said = badge(generation, checks.get(generation.name), now_ns)
            lines.extend(_generation(generation, opened, now_ns, reason, said))
        if view.ltx is not None:
            lines.extend(_ltx(view, view.ltx, opened))
    return lines


def _ltx(view: ReplicaView, ltx: LTXView, opened: Collection[Key]) -> Iterator[Line]:
    """The levels; beside generations in a branch of their own."""
    key, depth = ("ltx",), 1
    if not view.ltx_alone:
        bad = ltx.gap is not None or not ltx.reached
        words = ("v0.5, latest", "v0.5") if view.from_ltx else ("v0.5",)
        glyph, status = ("damaged", "error") if bad else ("unchecked", "")
        yield Line(key, 1, "ltx", words[0], glyph, status, bool(ltx.levels), key in opened, words)
        depth = 2
    if view.ltx_alone or key in opened:
        for level in ltx.levels:
            yield from _level(level, depth, opened)


def _level(level: LevelView, depth: int, opened: Collection[Key]) -> Iterator[Line]:
    key: Key = ("level", level.level)
    files = sorted((k for k in opened if k[:2] == ("ltxfile", level.level)), reverse=True)
    files = [k for k in files if row_of(level.table, int(k[2]), int(k[3])) is not None]
    glyph = "snapshot" if level.level == SNAPSHOTS else "blank"
    yield Line(key, depth, level.name, str(len(level.table)), glyph, "", bool(files), key in opened)
    if key in opened:
        for one in files:
            yield Line(one, depth + 1, txids_text(int(one[2]), int(one[3])), glyph="blank")


def parent_of(key: Key, lines: list[Line], at: int) -> int | None:
    """The line of the branch that holds line `at`."""
    depth = lines[at].depth
    return next((n for n in range(at - 1, -1, -1) if lines[n].depth < depth), None)


def branches_above(view: ReplicaView, key: Key) -> list[Key]:
    """The branches that must be open for `key` to be in sight."""
    above: list[Key] = [("replica",)]
    if key[0] in LTX_KINDS:
        above += [("ltx",)] if key[0] != "ltx" and not view.ltx_alone else []
        return [*above, ("level", key[1]), key] if key[0] == "ltxfile" else above
    generation = view.generation(str(key[1])) if len(key) > 1 else None
    if generation is None or key[0] == "generation":
        return above
    above.append(("generation", generation.name))
    if key[0] == "snapshot":
        above.append(("snapshots", generation.name))
    if key[0] == "index":
        above.append(("wals", generation.name))
        above.extend(_groups_above(generation, int(key[2])))
    return above


def _groups_above(generation: GenerationView, index: int) -> Iterator[Key]:
    columns = generation.indexes
    start, stop, inside = 0, len(columns), ""
    while (inner := groups(columns, start, stop, inside)) is not None:
        group = next((g for g in inner if g.first <= index <= g.last), None)
        if group is None:
            return
        yield group_key(generation.name, group)
        start, stop, inside = group.start, group.stop, group.kind


def group_key(generation: str, group: Group) -> Key:
    # A group grows at its end while one looks; its key must not change with it.
    return (group.kind, generation, group.value, group.first)


def find_group(generation: GenerationView, key: Key) -> Group | None:
    """The group that a key of a day, an hour or a range stands for."""
    columns = generation.indexes

    def search(start: int, stop: int, inside: str) -> Group | None:
        for group in groups(columns, start, stop, inside) or ():
            if group_key(generation.name, group) == key:
                return group
            if group.first <= int(key[3]) <= group.last:
                found = search(group.start, group.stop, group.kind)
                if found is not None:
                    return found
        return None

    return search(0, len(columns), "")


def _generation(
    generation: GenerationView, opened: Collection[Key], now_ns: int, reason: str, said: Badge
) -> Iterator[Line]:
    key: Key = ("generation", generation.name)
    is_open = key in opened
    note = said.words[0] + (f", {reason}" if reason and reason != FIRST else "")
    yield Line(key, 1, generation.name, note, said.glyph, said.status, True, is_open, said.words)
    if not is_open:
        return
    key = ("snapshots", generation.name)
    count = len(generation.snapshots)
    yield Line(key, 2, "snapshots", str(count), branch=count > 0, open=key in opened)
    if key in opened:
        for snapshot in reversed(generation.snapshots):
            yield Line(
                ("snapshot", generation.name, snapshot.index),
                3,
                f"{snapshot.index:08x}",
                format_size(snapshot.size),
                glyph="snapshot",
            )
    key = ("wals", generation.name)
    count = len(generation.indexes)
    yield Line(key, 2, "wal", str(count), branch=count > 0, open=key in opened)
    if key in opened:
        yield from _indexes(generation, 0, count, "", 3, opened, now_ns)


def _indexes(
    generation: GenerationView,
    start: int,
    stop: int,
    inside: str,
    depth: int,
    opened: Collection[Key],
    now_ns: int,
) -> Iterator[Line]:
    inner = groups(generation.indexes, start, stop, inside)
    if inner is None:
        for at in range(stop - 1, start - 1, -1):
            yield _index(generation, at, depth)
        return
    for group in reversed(inner):
        key = group_key(generation.name, group)
        is_open = key in opened
        yield Line(key, depth, group_text(group, now_ns), str(group.stop - group.start), branch=True, open=is_open)
        if is_open:
            yield from _indexes(generation, group.start, group.stop, group.kind, depth + 1, opened, now_ns)


def group_text(group: Group, now_ns: int) -> str:
    """A group's name: `22 Nov`, `22 Nov 14:00Z`, `00000100–000001ff`."""
    if group.kind == "range":
        return f"{group.first:08x}-{group.last:08x}"
    length = (24 if group.kind == "day" else 1) * 3600 * 1_000_000_000
    at = group.value * length
    other_day = format_clock(at, at + 40 * 86400 * 1_000_000_000, millis=False)  # always with its date
    day, clock = other_day.rsplit(" ", 1)
    return day if group.kind == "day" else f"{day} {clock[:5]}Z"


def _index(generation: GenerationView, at: int, depth: int) -> Line:
    columns = generation.indexes
    index = int(columns.index[at])
    files = int(columns.files[at])
    active = generation.newest and at == len(columns) - 1
    note = "active" if active else ("" if files == 1 else f"{files} segments")
    return Line(("index", generation.name, index), depth, f"{index:08x}", note, glyph="active" if active else "blank")
