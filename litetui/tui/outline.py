"""The tree as lines: a pure function of the view and of the branches that are open.

Lines are made anew after each change. That is what makes a refresh simple: selection and scroll position are
kept by key, and nothing has to be moved about in a widget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from litetui.tui.checks import Check, Checks, unlisted
from litetui.tui.evidence import Badge, badge
from litetui.tui.ltx.evidence import ltx_badge
from litetui.tui.ltx.model import SNAPSHOTS, LevelView, LTXView, row_of, txids_text
from litetui.tui.marks import NONE, Marks
from litetui.tui.model import GenerationView, Group, ReplicaView, groups
from litetui.tui.tree_line import LTX, LTX_KINDS, Key, Line
from litetui.units import format_clock, format_day, format_size, offset_ns

LAST_INDEX = 0xFFFFFFFF
MARKED_FILES = 50  # of a level, damaged: each is a line of the tree
FIRST = "no generation exists"  # why a database's first generation began: nothing to remark on


def outline(
    view: ReplicaView,
    opened: Collection[Key],
    now_ns: int,
    checks: Checks = MappingProxyType({}),
    marked: Marks = NONE,
) -> list[Line]:
    """All lines that are in sight; `marked` are the files that are damaged."""
    root: Key = ("replica",)
    count = len(view.generations)
    plural = "generation" if count == 1 else "generations"
    is_open = root in opened
    levels = len(view.ltx.levels) if view.ltx is not None else 0
    words = f"{levels} level{'s' if levels != 1 else ''}"
    note = words if view.ltx_alone else f"{count} {plural}" + (f", {words}" if levels else "")
    lines = [Line(root, 0, view.name or view.path, note, branch=count + levels > 0, open=is_open)]
    if view.ltx is not None and view.ltx_alone:
        said = ltx_badge(view.ltx, checks.get(LTX), now_ns)
        notes = (f"{words}, {said.words[0]}", *said.words) if said.words[0] else (words,)
        lines = [replace(lines[0], glyph=said.glyph, status=said.status, note=notes[0], shorter=notes)]
    if is_open:
        for generation in view.generations:
            reason = view.primary.reason(generation.name) if view.primary is not None else ""
            said = badge(generation, checks.get(generation.name), now_ns)
            lines.extend(_generation(generation, opened, now_ns, reason, said, marked))
        if view.ltx is not None:
            lines.extend(_ltx(view, view.ltx, opened, now_ns, checks.get(LTX), marked))
    return lines


def _ltx(
    view: ReplicaView, ltx: LTXView, opened: Collection[Key], now_ns: int, check: Check | None, marked: Marks
) -> Iterator[Line]:
    """The levels; beside generations in a branch of their own."""
    key, depth = ("ltx",), 1
    if not view.ltx_alone:
        said = ltx_badge(ltx, check, now_ns)
        kind = ("v0.5, latest", "v0.5") if view.from_ltx else ("v0.5",)
        words = (*(f"{kind[0]}, {one}" for one in said.words if one), *(one for one in said.words if one), *kind)
        yield Line(key, 1, "ltx", words[0], said.glyph, said.status, bool(ltx.levels), key in opened, words)
        depth = 2
    if view.ltx_alone or key in opened:
        read = check if check is not None and check.read_bytes and check.report.verdict != "unknown" else None
        fresh = unlisted(read, ltx.table) if read is not None else None
        for level in ltx.levels:
            of_level = fresh[ltx.table.level == level.level] if fresh is not None else None
            yield from _level(level, depth, opened, of_level, marked)


def _level(level: LevelView, depth: int, opened: Collection[Key], fresh: Any, marked: Marks) -> Iterator[Line]:
    """A level, and below it the files that were opened and those that are damaged. It is green once all of its files
    were read; `fresh` tells which came since (None: nothing was read)."""
    key: Key = ("level", level.level)
    bad = marked.of_level(level.level)
    files = {k for k in opened if k[:2] == ("ltxfile", level.level)}.union(bad[:MARKED_FILES])
    there = {k: row for k in files if (row := row_of(level.table, int(k[2]), int(k[3]))) is not None}
    newer = int(fresh.sum()) if fresh is not None else 0
    glyph, status = "snapshot" if level.level == SNAPSHOTS else "blank", ""
    if bad:
        glyph, status = "damaged", "error"
    elif fresh is not None and not newer:
        glyph, status = "ok", "success"
    count = str(len(level.table))
    since = (f", +{newer} since", f", +{newer}") if newer else ("",)
    broken = f", {len(bad)} damaged" if bad else ""
    notes = (*(f"{count}{one}{broken}" for one in since), f"{count}{broken}", count)
    yield Line(key, depth, level.name, notes[0], glyph, status, bool(there), key in opened, notes)
    if key not in opened:
        return
    for one in sorted(there, reverse=True):
        glyph, status = "blank", ""
        if one in marked.ltx:
            glyph, status = "damaged", "error"
        elif fresh is not None and not fresh[there[one]]:
            glyph, status = "ok", "success"
        yield Line(one, depth + 1, txids_text(int(one[2]), int(one[3])), glyph=glyph, status=status)


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
    generation: GenerationView, opened: Collection[Key], now_ns: int, reason: str, said: Badge, marked: Marks
) -> Iterator[Line]:
    name = generation.name
    key: Key = ("generation", generation.name)
    is_open = key in opened
    note = said.words[0] + (f", {reason}" if reason and reason != FIRST else "")
    yield Line(key, 1, generation.name, note, said.glyph, said.status, True, is_open, said.words)
    if not is_open:
        return
    key = ("snapshots", generation.name)
    count = len(generation.snapshots)
    glyph, status = _mark(marked.on_snapshot(name))
    yield Line(key, 2, "snapshots", str(count), glyph, status, count > 0, key in opened)
    if key in opened:
        for snapshot in reversed(generation.snapshots):
            glyph, status = _mark(marked.on_snapshot(name, snapshot.index), "snapshot")
            key = ("snapshot", name, snapshot.index)
            yield Line(key, 3, f"{snapshot.index:08x}", format_size(snapshot.size), glyph, status)
    key = ("wals", generation.name)
    count = len(generation.indexes)
    glyph, status = _mark(marked.on_wals(name, 0, LAST_INDEX))
    yield Line(key, 2, "wal", str(count), glyph, status, count > 0, key in opened)
    if key in opened:
        yield from _indexes(generation, 0, count, "", 3, opened, now_ns, marked)


def _mark(damaged: bool, glyph: str = "") -> tuple[str, str]:
    """The glyph and the status of a line; `glyph` where nothing is wrong."""
    return ("damaged", "error") if damaged else (glyph, "")


def _indexes(
    generation: GenerationView,
    start: int,
    stop: int,
    inside: str,
    depth: int,
    opened: Collection[Key],
    now_ns: int,
    marked: Marks,
) -> Iterator[Line]:
    inner = groups(generation.indexes, start, stop, inside)
    if inner is None:
        for at in range(stop - 1, start - 1, -1):
            yield _index(generation, at, depth, marked)
        return
    for group in reversed(inner):
        key = group_key(generation.name, group)
        is_open = key in opened
        glyph, status = _mark(marked.on_wals(generation.name, group.first, group.last))
        count = str(group.stop - group.start)
        text = group_text(group, now_ns)
        yield Line(key, depth, text, count, glyph, status, True, is_open, last=group.last)
        if is_open:
            yield from _indexes(generation, group.start, group.stop, group.kind, depth + 1, opened, now_ns, marked)


def group_text(group: Group, now_ns: int) -> str:
    """A group's name: `22 Nov`, `22 Nov 14:00Z`, `00000100–000001ff`."""
    if group.kind == "range":
        return f"{group.first:08x}-{group.last:08x}"
    length = (24 if group.kind == "day" else 1) * 3600 * 1_000_000_000
    at = group.value * length
    if group.kind == "day":
        at -= offset_ns(at)  # days are those of the screen's zone
    day, clock = format_day(at, now_ns), format_clock(at, at, millis=False)
    return day if group.kind == "day" else f"{day} {clock[:5]}{clock[8:]}"


def _index(generation: GenerationView, at: int, depth: int, marked: Marks) -> Line:
    columns = generation.indexes
    index = int(columns.index[at])
    files = int(columns.files[at])
    active = generation.newest and at == len(columns) - 1
    note = "active" if active else ("" if files == 1 else f"{files} segments")
    glyph, status = _mark(marked.on_wals(generation.name, index, index), "blank")
    shorter = (str(files),) if note and not active else ()
    return Line(("index", generation.name, index), depth, f"{index:08x}", note, glyph, status, shorter=shorter)
