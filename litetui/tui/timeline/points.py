"""A restore point of the timeline, said: its time, its place as it can be pasted, what is known of its bytes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from litetui.tui.cards import Note
from litetui.tui.outline import find_group
from litetui.tui.timeline.model import UNREAD, Timeline, Track
from litetui.tui.tree_line import GROUPS, LTX, Key
from litetui.units import format_age, format_clock

if TYPE_CHECKING:
    from litetui.replica.catalog import WALTable
    from litetui.tui.ltx.model import LTXView
    from litetui.tui.model import GenerationView
    from litetui.tui.tables.sources import Source


@dataclass(frozen=True, slots=True)
class Spot:
    """What a restore point is, whatever comes or goes around it.

    kind   "wal", "snapshot" or "txid"
    index  of the WAL or the snapshot; the TXID
    offset, form  of the WAL file, as in the catalog
    """

    kind: str
    track: str
    index: int
    offset: int = 0
    form: int = 0


def spot(timeline: Timeline, point: int) -> Spot:
    """What stands at a point."""
    track, local = timeline.where(point)
    item = int(track.point_item[local])
    if (ltx := ltx_of(track)) is not None:
        return Spot("txid", track.name, int(ltx.points.txid[local]))
    generation = generation_of(track)
    if item < 0:
        return Spot("snapshot", track.name, generation.snapshots[-1 - item].index)
    table = generation.wals
    return Spot("wal", track.name, int(table.index[item]), int(table.offset[item]), int(table.form[item]))


def find(timeline: Timeline, wanted: Spot) -> int | None:
    """The point where something stands, None once it is gone or cannot be reached."""
    import numpy as np

    track = next((t for t in timeline.tracks if t.name == wanted.track), None)
    if track is None or not len(track.point_x):
        return None
    if (ltx := ltx_of(track)) is not None:
        at = ltx.points.find(wanted.index)
        return None if at is None else timeline.number(track, at)
    generation = generation_of(track)
    item: int | None = None
    if wanted.kind == "snapshot":
        item = next((-1 - n for n, s in enumerate(generation.snapshots) if s.index == wanted.index), None)
    else:
        item = row_of(generation.wals, wanted.index, wanted.offset, wanted.form)
    found = [] if item is None else np.flatnonzero(track.point_item == item).tolist()
    return timeline.number(track, found[0]) if found else None


def point_of_line(timeline: Timeline, key: Key) -> int | None:
    """The last point of what a line of the tree stands for; None where that is a whole track, or has none."""
    import numpy as np

    if key[0] in ("snapshot", "ltxfile"):
        kind, at = ("snapshot", int(key[2])) if key[0] == "snapshot" else ("txid", int(key[3]))
        return find(timeline, Spot(kind, str(key[1]) if kind == "snapshot" else LTX, at))
    if key[0] != "index" and key[0] not in GROUPS:
        return None
    track = next((t for t in timeline.tracks if t.name == key[1]), None)
    if track is None:
        return None
    group = find_group(generation_of(track), key) if key[0] != "index" else None
    if group is None and key[0] != "index":
        return None
    if group is not None and key[2] == "snapshot":
        return find(timeline, Spot("snapshot", track.name, group.last))
    rows = generation_of(track).wals.rows_of(int(key[2]) if group is None else group.last)
    inside = np.flatnonzero((track.point_item >= rows.start) & (track.point_item < rows.stop))
    return timeline.number(track, int(inside[-1])) if len(inside) else None


def spot_of_row(source: Source, row: int, generation: str) -> Spot | None:
    """What a row of a table stands for, of a generation ("" for LTX files); None where that is no restore point."""
    from litetui.tui.ltx.sources import LTXFileSource, PointSource
    from litetui.tui.tables.file_sources import SnapshotSource, WALSource

    if isinstance(source, SnapshotSource):
        return Spot("snapshot", generation, source.snapshots[row].index)
    if isinstance(source, WALSource):
        table, at = source.wals, source.at(row)
        return Spot("wal", generation, int(table.index[at]), int(table.offset[at]), int(table.form[at]))
    txid: int | None = None
    if isinstance(source, LTXFileSource):
        txid = source.last_txid(row)
    elif isinstance(source, PointSource):
        txid = source.txid(row)
    return None if txid is None else Spot("txid", LTX, txid)


def ltx_of(track: Track) -> LTXView | None:
    """The view of a track of LTX files."""
    from litetui.tui.ltx.model import LTXView

    return track.source if isinstance(track.source, LTXView) else None


def generation_of(track: Track) -> GenerationView:
    """The view of a track of a generation."""
    from litetui.tui.model import GenerationView

    assert isinstance(track.source, GenerationView)
    return track.source


def row_of(table: WALTable, index: int, offset: int, form: int) -> int | None:
    """Where a WAL file stands in a table."""
    return next((r for r in table.rows_of(index) if (int(table.offset[r]), int(table.form[r])) == (offset, form)), None)


# words


def time_of(timeline: Timeline, point: int) -> int:
    """The time that gives a point, in ns: that of the file that carries it, or of a newer snapshot that leads to it."""
    track, local = timeline.where(point)
    item = int(track.point_item[local])
    if (ltx := ltx_of(track)) is not None:
        return int(ltx.points.time_ns[local])
    if not timeline.by_order:
        return int(track.point_x[local])
    generation = generation_of(track)
    return generation.snapshots[-1 - item].created_ns if item < 0 else int(generation.wals.mtime_ns[item])


def end_offset(track: Track, row: int) -> int | None:
    """Where a WAL file ends, by what a check has read, or by the name of the segment that follows; None: not known."""
    table = generation_of(track).wals
    index, begin, following = int(table.index[row]), int(table.offset[row]), segment_end(table, row)
    check = track.check
    if check is not None and check.read_bytes and int(table.mtime_ns[row]) <= (check.report.updated_ns or 0):
        for window in check.report.windows:
            # Where the next segment begins further on, there is a gap between them.
            if window.end.index == index and begin < window.end.offset < (following or window.end.offset + 1):
                return window.end.offset
    return following


def segment_end(table: WALTable, row: int) -> int | None:
    """Where a segment ends, by the name of the one that follows in its WAL; None for the last, and for a whole WAL."""
    if not table.whole[row]:
        for after in range(row + 1, table.rows_of(int(table.index[row])).stop):
            if not table.whole[after] and int(table.offset[after]) > int(table.offset[row]):
                return int(table.offset[after])
    return None


def target(timeline: Timeline, point: int) -> tuple[str, str]:
    """The generation ("" for LTX files) and the text of the restore target, as the dialog takes it and as it is pasted.
    Where the end of a WAL is not known from names, its index alone: all of that WAL."""
    here = spot(timeline, point)
    if here.kind == "txid":
        return "", f"{here.index:016x}"
    if here.kind == "snapshot":
        return here.track, f"{here.track}/{here.index:08x}:0"
    track, local = timeline.where(point)
    end = end_offset(track, int(track.point_item[local]))
    return here.track, f"{here.index:08x}" if end is None else f"{here.track}/{here.index:08x}:{end}"


def point_words(timeline: Timeline, point: int, now_ns: int) -> list[Note]:
    """A point in one line: by when, how old, where."""
    time_ns = time_of(timeline, point)
    generation, text = target(timeline, point)
    if generation and "/" not in text:
        text = f"{generation} {text}, all of it"
    here = spot(timeline, point)
    when: list[Note] = [(f"by {format_clock(time_ns, now_ns)}", "strong"), (format_age(time_ns, now_ns), "muted")]
    where: list[Note] = [("TXID " + text if here.kind == "txid" else text, "")]
    track, local = timeline.where(point)
    if int(track.point_item[local]) < 0:
        where.append(("snapshot", "muted"))
    where.append((f"{point + 1:,} of {len(timeline):,}", "muted"))
    if timeline.by_order:
        return [*where, ("copied without its times? by the order of the files", "warning")]
    return [*when, *where]


def evidence_words(timeline: Timeline, point: int, now_ns: int) -> Note:
    """What is known of the bytes that lead to a point."""
    track, local = timeline.where(point)
    check = track.check
    age = "" if check is None else format_age(check.at_ns, now_ns)
    if check is None or not check.read_bytes or int(track.point_x[local]) > _checked_to(track):
        return ("content not checked", "")
    if check.differs:
        return (f"a restore is not what the database holds, checked {age}", "error")
    if check.integrity_failed and local == len(track.point_x) - 1:
        return (f"SQLite's integrity check failed, {age}", "error")
    if check.report.verdict == "unknown":
        return (f"checked {age}, not all could be read", "warning")
    return (f"checked {age}", "" if check.integrity_failed else "success")


def _checked_to(track: Track) -> int:
    """Up to where the check of a track has read, also where what it found is no success."""
    if track.checked_x is not None:
        return track.checked_x
    check = track.check
    assert check is not None
    return check.report.updated_ns or 0


def beside_words(timeline: Timeline, point: int) -> Note | None:
    """The hole that a point stands at the edge of."""
    track, local = timeline.where(point)
    holes = track.holes
    if (number := holes.beside(local, after=True)) is not None:
        said = holes.words(number)
        words = f"then {said[0]}"
        if said[-1] == UNREAD:
            return (f"{words}: v checks again", "warning")
        if int(holes.after[number]) < 0:
            words += ": later states do not restore" + _further(track, local)
        return (words, "error")
    if (number := holes.beside(local, after=False)) is not None:
        return (f"before it {holes.words(number)[0]}", "warning")
    return None


def _further(track: Track, local: int) -> str:
    """Where the last good state lies behind the last point: inside a damaged file, or by LTX files around one."""
    check, item = track.check, int(track.point_item[local])
    if check is not None and check.report.around:
        return "; last-good goes on to the latest"
    to = check.report.restorable_to if check is not None and check.read_bytes else None
    if to is None or item < 0 or ltx_of(track) is not None:
        return ""
    table = generation_of(track).wals
    if to.index <= int(table.index[item]) or not to.offset:
        return ""
    rows = table.rows_of(to.index)
    inside = bool(rows) and to.offset > int(table.offset[rows.start])
    return f"; last-good goes on to {to.short}" if inside else ""


def nothing_words(timeline: Timeline) -> Note:
    """Why there is no restore point."""
    for track in reversed(timeline.tracks):
        if len(track.holes):
            return (f"no restore point: {track.holes.words(0)[0]}", "error")
    return ("no restore point: nothing has been written yet", "")
