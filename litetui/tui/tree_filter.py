"""The tree narrowed to what holds a word: files by index or TXID, generations by name. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from litetui.tui.checks import Checks
from litetui.tui.grouping import GROUP_LIMIT
from litetui.tui.marks import Marks
from litetui.tui.model import ReplicaView
from litetui.tui.outline import columns_of, file_line, outline
from litetui.tui.tables.matching import hex_holds
from litetui.tui.tree_line import Key, Line

KINDS = {"snapshots": "snapshot", "wals": "index"}  # a branch of files, and their kind


@dataclass(frozen=True, slots=True)
class Found:
    """Where the files of each branch that hold the word stand in its columns, ascending, and how many there are; the
    generations whose name holds it."""

    word: str
    rows: dict[Key, Any]
    there: dict[Key, int]
    generations: Collection[str]


def find(view: ReplicaView, text: str) -> Found:
    """Look for a word in all names of files, whatever is open."""
    import numpy as np

    word = text.strip().casefold().removeprefix("0x")
    rows: dict[Key, Any] = {}
    there: dict[Key, int] = {}
    for generation in view.generations:
        for branch, kind in KINDS.items():
            index = columns_of(generation, kind)[0].index
            rows[(branch, generation.name)] = np.flatnonzero(hex_holds(index, 8, word))
            there[(branch, generation.name)] = len(index)
    for level in view.ltx.levels if view.ltx is not None else ():
        table = level.table
        held = hex_holds(table.min_txid, 16, word) | hex_holds(table.max_txid, 16, word)
        rows[("level", level.level)] = np.flatnonzero(held)
        there[("level", level.level)] = len(table)
    return Found(word, rows, there, {one.name for one in view.generations if word in one.name})


def narrowed(
    view: ReplicaView, found: Found, opened: Collection[Key], now_ns: int, checks: Checks, marked: Marks
) -> list[Line]:
    """The lines that hold the word, the newest first, with the branches above them; at most GROUP_LIMIT of a branch.

    A generation that holds it by its name alone stands there as it is open otherwise.
    """
    branches: set[Key] = {("replica",), ("ltx",), *(("generation", one.name) for one in view.generations)}
    branches.update(key for key in found.rows if key[0] == "level")
    files = set(_ltx_files(view, found))
    whole = outline(view, opened, now_ns, checks, marked) if found.generations else []
    kept: list[Line] = []  # from below
    for line in reversed(outline(view, branches | files, now_ns, checks, marked)):
        rows = found.rows.get(line.key, ())
        if line.kind in KINDS:
            kept += _files(view, line, rows, marked)
        elif line.key in files:
            kept.append(line)
        elif line.kind == "generation" and line.generation in found.generations and not _leads(kept, line):
            kept += reversed([one for one in whole if one.generation == line.generation])
            continue
        if _leads(kept, line):
            kept.append(replace(line, open=True, branch=True, **_note(line, found)))
        elif line.kind == "replica":
            words = f"no index, TXID or generation holds {found.word!r}"
            kept.append(replace(line, note=words, shorter=(words, "not found"), open=False))
    return kept[::-1]


def _leads(kept: list[Line], line: Line) -> bool:
    """Whether something below a line is kept."""
    return bool(kept) and kept[-1].depth > line.depth


def _files(view: ReplicaView, branch: Line, rows: Any, marked: Marks) -> Iterator[Line]:
    """The lines of the newest of these files, the oldest first."""
    generation = view.generation(branch.generation)
    if generation is not None:
        for at in rows[-GROUP_LIMIT:]:
            yield file_line(generation, KINDS[branch.kind], int(at), branch.depth + 1, marked)


def _ltx_files(view: ReplicaView, found: Found) -> Iterator[Key]:
    for level in view.ltx.levels if view.ltx is not None else ():
        for at in found.rows[("level", level.level)][-GROUP_LIMIT:]:
            yield ("ltxfile", level.level, int(level.table.min_txid[at]), int(level.table.max_txid[at]))


def _note(line: Line, found: Found) -> dict[str, Any]:
    """How many files of a branch hold the word."""
    if line.key not in found.rows:
        return {}
    count = len(found.rows[line.key])
    words = f"{count:,} of {found.there[line.key]:,}"
    more = f"{words}, the newest {GROUP_LIMIT} here" if count > GROUP_LIMIT else words
    return {"note": more, "shorter": (more, words, f"{count:,}")}
