"""Where a text leads: an index, a position, a TXID, a generation or a time as a place in the browser. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from litetui.errors import NoSuchTargetError, UsageError
from litetui.tui.ltx.model import LTXView, txids_text
from litetui.tui.ltx.preview import parse
from litetui.tui.model import GenerationView, ReplicaView
from litetui.tui.tree_line import Key, generation_of
from litetui.tui.ways import Way
from litetui.units import NS, format_clock, format_duration

if TYPE_CHECKING:
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica

GO = "go there"
HINT = "write an index (0000002c), a position, a TXID, a generation or how it begins, a time (13:20) or 10m (ago)"
_HEX = re.compile(r"(?:0x)?[0-9a-f]{1,16}", re.IGNORECASE)
_PREFIX = re.compile(r"[0-9a-f]{4,16}", re.IGNORECASE)
_LTX_FILE = re.compile(r"(?:L([0-9]) (?:([0-9a-f]{16})-)?|([0-9a-f]{16})-)([0-9a-f]{16})(?:\.ltx)?", re.IGNORECASE)
Found = tuple[Way, str]  # and what is to be said of it, "" where it is just what was asked for


def place_of(text: str, view: ReplicaView, replica: FileReplica | LTXReplica, key: Key, now_ns: int) -> Found:
    """The place that a text names; `key` is the line of the tree that one stands on, whose generation comes first.

    A time leads to the newest file at or before it: where a restore to that time would end. Raises UsageError where
    the text is no place, NoSuchTargetError where nothing is there.
    """
    text = text.strip()
    if (generation := _generation(text, view)) is not None:
        return Way(("generation", generation.name)), ""
    if (named := _LTX_FILE.fullmatch(text)) is not None:
        return _named(named, view)
    try:
        target = parse(replica, text, "", now_ns)
    except UsageError as error:
        short = text.lower().startswith("0x") and _HEX.fullmatch(text)
        raise UsageError(GO, error.cause if short else f"{text!r} is no word and no place", hint=HINT) from None
    if target.timestamp_ns is not None:
        return _time(target.timestamp_ns, view, now_ns)
    if target.txid is not None and (view.ltx is not None or target.txid >= 1 << 32):
        return _txid(target.txid, view)
    if target.last_good:
        raise UsageError(
            GO, "the last good point is found by a validation", hint="v validates; r restores to last-good"
        )
    index = target.txid if target.txid is not None else target.index
    if index is None:
        return _latest(view)
    return _index(index, target.offset, target.generation, view, generation_of(key))


def _generation(text: str, view: ReplicaView) -> GenerationView | None:
    """The generation of a name, or the only one that begins so. Raises UsageError where several do."""
    if not _PREFIX.fullmatch(text):
        return None
    found = [g for g in view.generations if g.name.startswith(text.lower())]
    if len(text) == 8 and next(_holders(int(text, 16), list(view.generations)), None) is not None:
        return None  # an index
    if len(found) > 1:
        raise UsageError(GO, f"several generations begin with {text}", hint=" ".join(g.name for g in found))
    return found[0] if found else None


def _holders(index: int, generations: list[GenerationView]) -> Iterator[tuple[GenerationView, int | None]]:
    """The generations that have an index, and where in their columns: None where it is a snapshot alone."""
    for generation in generations:
        at = generation.indexes.row_of(index)
        if at is not None or any(s.index == index for s in generation.snapshots):
            yield generation, at


def _index(index: int, offset: int | None, name: str | None, view: ReplicaView, near: str) -> Found:
    """A WAL, or the segment of it that holds an offset; of the generation one stands in, if it is there."""
    if name is not None and view.generation(name) is None:
        raise NoSuchTargetError(GO, f"there is no generation {name}")
    every = [g for g in view.generations if name is None or g.name == name]
    every.sort(key=lambda g: g.name != near)
    found = next(_holders(index, every), None)
    if found is None:
        reaches = [g for g in every if len(g.indexes)][:1]
        words = "".join(f"; {g.name} has {g.indexes.index[0]:08x} to {g.indexes.index[-1]:08x}" for g in reaches)
        raise NoSuchTargetError(GO, f"there is no WAL {index:08x}{words}")
    generation, at = found
    elsewhere = f"in generation {generation.name}" if name is None and generation is not every[0] else ""
    if at is None:
        return Way(("snapshot", generation.name, index)), elsewhere or f"{index:08x} is there as a snapshot alone"
    if offset is None:
        return Way(("index", generation.name, index)), elsewhere
    first, files = int(generation.indexes.first_row[at]), int(generation.indexes.files[at])
    before = [row for row in range(first, first + files) if int(generation.wals.offset[row]) <= offset]
    return _file(generation, before[-1] if before else first), elsewhere


def _file(generation: GenerationView, row: int) -> Way:
    """A WAL file: the row of its WAL's table, or the WAL where that is one file."""
    index = int(generation.wals.index[row])
    at = generation.indexes.row_of(index)
    assert at is not None
    first, files = int(generation.indexes.first_row[at]), int(generation.indexes.files[at])
    key: Key = ("index", generation.name, index)
    return Way(key, "wal", first + files - 1 - row) if files > 1 else Way(key)


def _latest(view: ReplicaView) -> Found:
    if view.ltx is not None and view.from_ltx and len(view.ltx.points):
        return _txid(view.ltx.points.last, view)
    if view.newest is None:
        raise NoSuchTargetError(GO, "there is no generation")
    if len(view.newest.wals):
        return _file(view.newest, len(view.newest.wals) - 1), ""
    return Way(("generation", view.newest.name)), ""


def _txid(txid: int, view: ReplicaView) -> Found:
    """The file that ends with a transaction, or the smallest one that holds it."""
    import numpy as np

    ltx = view.ltx
    if ltx is None:
        raise NoSuchTargetError(GO, "this replica has no TXIDs: it is one of v0.3")
    if (at := ltx.points.find(txid)) is not None:
        return _ltx_file(ltx, int(ltx.points.row[at])), ""
    table, wanted = ltx.table, np.uint64(txid)
    rows = np.flatnonzero((table.min_txid <= wanted) & (table.max_txid >= wanted))
    if not len(rows):
        span = f"; TXIDs go to {txids_text(ltx.reached, ltx.reached)}" if ltx.reached else ""
        raise NoSuchTargetError(GO, f"there is no TXID {txids_text(txid, txid)}{span}")
    row = min(map(int, rows), key=lambda r: int(table.max_txid[r]) - int(table.min_txid[r]))
    return _ltx_file(ltx, row), f"no file ends with {txids_text(txid, txid)}: this one holds it"


def _named(named: re.Match[str], view: ReplicaView) -> Found:
    """The LTX file that is called as in a table, `L1 0000000000000008`, or as in the tree by first and last TXID."""
    import numpy as np

    level, first, last = named[1], named[2] or named[3], np.uint64(int(named[4], 16))
    if view.ltx is not None:
        table = view.ltx.table
        rows = table.max_txid == last
        rows &= (table.level == int(level)) if level else rows
        rows &= (table.min_txid == np.uint64(int(first, 16))) if first else rows
        if rows.any():
            return _ltx_file(view.ltx, int(np.flatnonzero(rows)[0])), ""
    raise NoSuchTargetError(GO, f"there is no LTX file {named[0]}")


def _ltx_file(ltx: LTXView, row: int) -> Way:
    info = ltx.table[row]
    return Way(("ltxfile", info.level, info.min_txid, info.max_txid))


def _time(ns: int, view: ReplicaView, now_ns: int) -> Found:
    """The newest file at or before a time, of all generations that have a snapshot and of the restore points of LTX
    files."""
    found: list[tuple[int, Way]] = []
    first: list[int] = []
    for generation in view.generations:
        if not generation.snapshots:
            continue
        for snapshot in generation.snapshots:
            first.append(snapshot.created_ns)
            if snapshot.created_ns <= ns:
                found.append((snapshot.created_ns, Way(("snapshot", generation.name, snapshot.index))))
        if (row := _last_before(generation.wals.mtime_ns, ns)) is not None:
            found.append((int(generation.wals.mtime_ns[row]), _file(generation, row)))
    if view.ltx is not None and len(points := view.ltx.points):
        first.append(int(points.time_ns.min()))
        if (at := _last_before(points.time_ns, ns)) is not None:
            found.append((int(points.time_ns[at]), _ltx_file(view.ltx, int(points.row[at]))))
    if not found:
        begins = f": the first file is of {format_clock(min(first), now_ns)}" if first else ""
        raise NoSuchTargetError(GO, f"nothing can be restored to {format_clock(ns, now_ns, millis=False)}{begins}")
    at_ns, way = max(found, key=lambda one: one[0])
    asked = format_clock(ns, now_ns, millis=ns - at_ns < NS)
    return way, f"newest file by {asked}: {format_clock(at_ns, now_ns)}, {_earlier(ns - at_ns)}"


def _earlier(ns: int) -> str:
    return f"{format_duration(ns)} earlier" if ns else "just then"


def _last_before(times: Any, ns: int) -> int | None:
    """The row of the newest of some times that are not after a time; the last of those that are equal."""
    import numpy as np

    rows = np.flatnonzero(times <= ns)
    if not len(rows):
        return None
    of_rows = times[rows]
    return int(rows[np.flatnonzero(of_rows == of_rows.max())[-1]])
