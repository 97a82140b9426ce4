"""The tree as lines: a pure function of the view and of the branches that are open.

Lines are made anew after each change. That is what makes a refresh simple: selection and scroll position are
kept by key, and nothing has to be moved about in a widget.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from litetui.tui.checks import Check, Checks, unlisted
from litetui.tui.evidence import Badge, badge
from litetui.tui.grouping import GROUP_LIMIT, HOUR_NS, PLAIN_LIMIT, Group, Indexes, groups
from litetui.tui.ltx.evidence import ltx_badge
from litetui.tui.ltx.model import SNAPSHOTS, LevelView, LTXView, row_of, txids_text
from litetui.tui.marks import NONE, Marks
from litetui.tui.model import GenerationView, ReplicaView, snapshot_columns
from litetui.tui.tree_line import GROUPS, LTX, LTX_KINDS, Key, Line
from litetui.units import counted, format_clock, format_day, format_size, offset_ns

LAST_INDEX = 0xFFFFFFFF
MARKED_FILES = 50  # of a level, damaged: each is a line of the tree
WRONG = {"damaged": "error", "unreadable": "warning"}  # marks with their status, the worst first
BRANCHES = {"snapshot": "snapshots", "index": "wals"}  # the kind of a file's line, and that of the branch of all
FIRST = "no generation exists"  # why a database's first generation began: nothing to remark on


def outline(
    view: ReplicaView,
    opened: Collection[Key],
    now_ns: int,
    checks: Checks = MappingProxyType({}),
    marked: Marks = NONE,
) -> list[Line]:
    """All lines that are in sight; `marked` are the files that are damaged or cannot be read."""
    root: Key = ("replica",)
    count = len(view.generations)
    is_open = root in opened
    levels = len(view.ltx.levels) if view.ltx is not None else 0
    words = counted(levels, "level")
    note = words if view.ltx_alone else counted(count, "generation") + (f", {words}" if levels else "")
    badges = [badge(generation, checks.get(generation.name), now_ns) for generation in view.generations]
    of_ltx = [ltx_badge(view.ltx, checks.get(LTX), now_ns)] if view.ltx is not None else []
    glyph, status = _whole([*of_ltx, *badges] if view.from_ltx else [*badges, *of_ltx])
    lines = [Line(root, 0, view.name or view.path, note, glyph, status, count + levels > 0, is_open)]
    if view.ltx is not None and view.ltx_alone:
        said = of_ltx[0]
        notes = (f"{words}, {said.words[0]}", *said.words) if said.words[0] else (words,)
        lines = [replace(lines[0], note=notes[0], shorter=notes)]
    if is_open:
        for generation, said in zip(view.generations, badges, strict=True):
            reason = view.primary.reason(generation.name) if view.primary is not None else ""
            lines.extend(_generation(generation, opened, now_ns, reason, said, marked))
        if view.ltx is not None:
            lines.extend(_ltx(view, view.ltx, opened, now_ns, checks.get(LTX), marked))
    return lines


def _whole(badges: list[Badge]) -> tuple[str, str]:
    """The replica's glyph and status: those of what a restore of the latest state takes, the first of the badges; it is
    green where all of them are."""
    if not badges:
        return "", ""
    if badges[0].status == "success" and any(one.status != "success" for one in badges):
        return "unchecked", ""
    if badges[0].glyph == "unrestorable" and any(one.glyph != "unrestorable" for one in badges):
        return "damaged", "error"
    return badges[0].glyph, badges[0].status


def _ltx(
    view: ReplicaView, ltx: LTXView, opened: Collection[Key], now_ns: int, check: Check | None, marked: Marks
) -> Iterator[Line]:
    """The levels; beside generations in a branch of their own."""
    key, depth = ("ltx",), 1
    if not view.ltx_alone:
        said = ltx_badge(ltx, check, now_ns)
        kind = ("v0.5, newest", "v0.5") if view.from_ltx else ("v0.5",)
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
    files = {k for k in opened if k[:2] == ("ltxfile", level.level)}.union(list(bad)[:MARKED_FILES])
    there = {k: row for k in files if (row := row_of(level.table, int(k[2]), int(k[3]))) is not None}
    newer = int(fresh.sum()) if fresh is not None else 0
    glyph, status = "snapshot" if level.level == SNAPSHOTS else "blank", ""
    if bad:
        glyph = next(iter(bad.values()))
        status = WRONG[glyph]
    elif fresh is not None and not newer:
        glyph, status = "ok", "success"
    count = f"{len(level.table):,}"
    since = (f", +{newer:,} since", f", +{newer:,}") if newer else ("",)
    broken = "".join(f", {n:,} {what}" for what in WRONG if (n := list(bad.values()).count(what)))
    notes = (*(f"{count}{one}{broken}" for one in since), f"{count}{broken}", count)
    yield Line(key, depth, level.name, notes[0], glyph, status, bool(there), key in opened, notes)
    if key not in opened:
        return
    for one in sorted(there, reverse=True):
        glyph, status = "blank", ""
        if one in bad:
            glyph, status = bad[one], WRONG[bad[one]]
        elif fresh is not None and not fresh[there[one]]:
            glyph, status = "ok", "success"
        yield Line(one, depth + 1, txids_text(int(one[2]), int(one[3])), glyph=glyph, status=status)


def parent_of(lines: list[Line], at: int) -> int | None:
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
    if key[0] in BRANCHES:
        kind, index = str(key[0]), int(key[2])
        above.append((BRANCHES[kind], generation.name))
        above.extend(branch for branch, _ in _way(generation, kind, lambda g, _: g.first <= index <= g.last))
    elif key[0] in GROUPS:
        above.append((BRANCHES[str(key[2])], generation.name))
        above.extend(branch for branch, _ in _way_to_group(generation, key))
    return above


def find_group(generation: GenerationView, key: Key) -> Group | None:
    """The group that a key of a day, an hour or a range stands for."""
    return next((group for branch, group in _way_to_group(generation, key) if branch == key), None)


def _way_to_group(generation: GenerationView, key: Key) -> Iterator[tuple[Key, Group]]:
    values = key[3:]
    return _way(generation, str(key[2]), lambda group, depth: depth < len(values) and group.value == values[depth])


def _way(generation: GenerationView, kind: str, leads: Callable[[Group, int], bool]) -> Iterator[tuple[Key, Group]]:
    """From the outermost group to the innermost, with their keys, those that lead to where one wants to go."""
    columns, plain = columns_of(generation, kind)
    start, stop, inside = 0, len(columns), ""
    values: tuple[int, ...] = ()
    while (inner := groups(columns, start, stop, inside, plain)) is not None:
        group = next((g for g in inner if leads(g, len(values))), None)
        if group is None:
            return
        values = (*values, group.value)
        yield (group.kind, generation.name, kind, *values), group
        start, stop, inside = group.start, group.stop, group.kind


def columns_of(generation: GenerationView, kind: str) -> tuple[Indexes, int]:
    """The columns of its WALs ("index") or its snapshots, and how many of them stand without groups."""
    if kind == "index":
        return generation.indexes, PLAIN_LIMIT
    return snapshot_columns(generation.snapshots), GROUP_LIMIT


def _generation(
    generation: GenerationView, opened: Collection[Key], now_ns: int, reason: str, said: Badge, marked: Marks
) -> Iterator[Line]:
    key: Key = ("generation", generation.name)
    is_open = key in opened
    note = said.words[0] + (f", {reason}" if reason and reason != FIRST else "")
    yield Line(key, 1, generation.name, note, said.glyph, said.status, True, is_open, said.words)
    if is_open:
        yield from _files(generation, "snapshot", "snapshots", opened, now_ns, marked)
        yield from _files(generation, "index", "wal", opened, now_ns, marked)


def _files(
    generation: GenerationView, kind: str, text: str, opened: Collection[Key], now_ns: int, marked: Marks
) -> Iterator[Line]:
    """The branch of the snapshots or the WALs, and what is below it as far as it is open."""
    columns, plain = columns_of(generation, kind)
    key: Key = (BRANCHES[kind], generation.name)
    glyph, status = _mark(marked, generation, kind, 0, LAST_INDEX)
    yield Line(key, 2, text, f"{len(columns):,}", glyph, status, len(columns) > 0, key in opened)

    def below(start: int, stop: int, inside: str, depth: int, values: tuple[int, ...]) -> Iterator[Line]:
        inner = groups(columns, start, stop, inside, plain)
        if inner is None:
            yield from (file_line(generation, kind, at, depth, marked) for at in range(stop - 1, start - 1, -1))
        for group in reversed(inner or ()):
            path = (*values, group.value)
            key: Key = (group.kind, generation.name, kind, *path)
            count, is_open = f"{group.stop - group.start:,}", key in opened
            glyph, status = _mark(marked, generation, kind, group.first, group.last)
            yield Line(key, depth, group_text(group, now_ns), count, glyph, status, True, is_open, last=group.last)
            if is_open:
                yield from below(group.start, group.stop, group.kind, depth + 1, path)

    if key in opened:
        yield from below(0, len(columns), "", 3, ())


def _mark(marked: Marks, generation: GenerationView, kind: str, first: int, last: int) -> tuple[str, str]:
    """The glyph and the status of a line for files from `first` to `last`."""
    found = marked.on(kind, generation.name, first, last)
    return found, WRONG.get(found, "")


def group_text(group: Group, now_ns: int) -> str:
    """A group's name: `22 Nov`, `22 Nov 14:00Z`, `00000100-000001ff`."""
    if group.kind == "range":
        return f"{group.first:08x}-{group.last:08x}"
    length = (24 if group.kind == "day" else 1) * HOUR_NS
    at = group.value * length
    if group.kind == "day":
        at -= offset_ns(at)  # days are those of the screen's zone
    day, clock = format_day(at, now_ns), format_clock(at, at, millis=False)
    return day if group.kind == "day" else f"{day} {clock[:5]}{clock[8:]}"


def file_line(generation: GenerationView, kind: str, at: int, depth: int, marked: Marks) -> Line:
    """The line of a WAL or a snapshot, which stands at `at` in the columns."""
    shorter: tuple[str, ...] = ()
    if kind == "snapshot":
        snapshot = generation.snapshots[at]
        index, note, plain = snapshot.index, format_size(snapshot.size), "snapshot"
    else:
        columns, plain = generation.indexes, "blank"
        index, files = int(columns.index[at]), int(columns.files[at])
        active = generation.newest and at == len(columns) - 1
        note = "active" if active else ("" if files == 1 else counted(files, "segment"))
        if files > 1 and not active:
            shorter = (f"{files:,}",)
    glyph, status = _mark(marked, generation, kind, index, index)
    key: Key = (kind, generation.name, index)
    return Line(key, depth, f"{index:08x}", note, glyph or plain, status, shorter=shorter)
