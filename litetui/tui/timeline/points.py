"""A restore point of the timeline, said: its time, its place as it can be pasted, what a restore takes, what it costs.

Everything but `way` is pure; that asks the replica by names, in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from litetui.errors import LitetuiError
from litetui.tui.outline import find_group
from litetui.tui.timeline.model import Timeline, Track
from litetui.tui.tree_line import Key
from litetui.units import format_age, format_clock, format_size

if TYPE_CHECKING:
    from litetui.ops.restore import AnyPlan
    from litetui.replica.catalog import WALTable
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica
    from litetui.tui.ltx.model import LTXView
    from litetui.tui.model import GenerationView

Note = tuple[str, str]  # text, status


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
        return find(timeline, Spot(kind, str(key[1]) if kind == "snapshot" else "ltx", at))
    if key[0] not in ("index", "day", "hour", "range"):
        return None
    track = next((t for t in timeline.tracks if t.name == key[1]), None)
    if track is None:
        return None
    group = find_group(generation_of(track), key) if key[0] != "index" else None
    if group is None and key[0] != "index":
        return None
    rows = generation_of(track).wals.rows_of(int(key[2]) if group is None else group.last)
    inside = np.flatnonzero((track.point_item >= rows.start) & (track.point_item < rows.stop))
    return timeline.number(track, int(inside[-1])) if len(inside) else None


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
    """The time of the file that carries a point, in ns."""
    track, local = timeline.where(point)
    item = int(track.point_item[local])
    if (ltx := ltx_of(track)) is not None:
        return int(ltx.points.time_ns[local])
    generation = generation_of(track)
    return generation.snapshots[-1 - item].created_ns if item < 0 else int(generation.wals.mtime_ns[item])


def end_offset(track: Track, row: int) -> int | None:
    """Where a WAL file ends, by the name of the segment that follows, or by what a check has read; None: not known."""
    table = generation_of(track).wals
    if (end := segment_end(table, row)) is not None:
        return end
    index = int(table.index[row])
    check = track.check
    if check is not None and check.read_bytes and int(table.mtime_ns[row]) <= (check.report.updated_ns or 0):
        for window in check.report.windows:
            if window.end.index == index and window.end.offset > int(table.offset[row]):
                return window.end.offset
    return None


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
    where.append((f"{point + 1} of {len(timeline)}", "muted"))
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
        words = f"then {holes.words(number)[0]}"
        if int(holes.after[number]) < 0:
            words += ": later states do not restore" + _further(track, local)
        return (words, "error")
    if (number := holes.beside(local, after=False)) is not None:
        return (f"before it {holes.words(number)[0]}", "warning")
    return None


def _further(track: Track, local: int) -> str:
    """Where the last good position lies inside a damaged file, behind the last point that is the end of one."""
    check, item = track.check, int(track.point_item[local])
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


# the way there


def way(replica: FileReplica | LTXReplica, here: Spot) -> AnyPlan:
    """The plan to a point, by names. Blocks; raises LitetuiError."""
    from litetui.ops.plan import plan_to
    from litetui.ops.restore import plan
    from litetui.ops.target import Target
    from litetui.replica.file import FileReplica

    if here.kind == "txid":
        return plan(replica, Target(txid=here.index))
    assert isinstance(replica, FileReplica)
    at = Target(here.track, here.index, 0 if here.kind == "snapshot" else None)
    row: int | None = -1
    if here.kind == "wal":
        row = row_of(replica.wals(here.track), here.index, here.offset, here.form)
    if row is None:
        raise LitetuiError("plan the restore", "the file is gone", hint="R reads the replica again")
    return plan_to(replica, at, here.track, here.index, row)


def way_words(plan: AnyPlan) -> list[Note]:
    """What a plan takes, reads and leaves out."""
    from litetui.tui.ltx.preview import is_ltx_plan

    if plan.fault is not None:
        return [(plan.fault.cause, "error")]
    if is_ltx_plan(plan):
        first = plan.chain[0]
        begins = f"from snapshot {first.max_txid:016x}" if first.level == 9 else f"from level {first.level}"
    else:
        begins = f"from snapshot {plan.snapshot.index:08x}"
    files = f"{plan.file_count} file" + ("s" if plan.file_count > 1 else "")
    words = [(begins, ""), (f"reads {files}, {format_size(plan.bytes_to_read)}", "")]
    if plan.left_out:
        words.append((f"leaves out {plan.left_out}", "muted"))
    return words
