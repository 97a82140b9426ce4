"""What the screen knows of a v0.5 replica: levels, restore points, and what its names say. One frozen value.

Made in a thread by `look_ltx`, which asks the replica; opens no LTX file by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from litetui.format import names
from litetui.replica.types import Finding

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica, LTXTable
    from litetui.tui.model import ReplicaView

SNAPSHOTS = 9
LTXKey = tuple[str, int, int, int]  # ("ltxfile", level, first TXID, last TXID)


@dataclass(frozen=True, slots=True)
class LevelView:
    """The files of one level, which has at least one; sorted by their TXIDs. `unreached`: how many of them no restore
    gets to."""

    level: int
    table: LTXTable = field(repr=False)
    size: int
    first: int
    last: int
    first_ns: int
    last_ns: int
    unreached: int

    @property
    def name(self) -> str:
        return f"level {self.level}" + (" snapshots" if self.level == SNAPSHOTS else "")


@dataclass(frozen=True, slots=True, eq=False)
class RestorePoints:
    """The TXIDs that a restore can end at, ascending, as columns: with one that lies inside a compacted file it cannot.

    time_ns  of the oldest file that ends with it
    row      of that file, in the table of all files
    files    how many files end with it
    """

    txid: Any
    time_ns: Any
    row: Any
    files: Any

    def __len__(self) -> int:
        return len(self.txid)

    @property
    def last(self) -> int:
        """The last of them, 0 where there is none."""
        return int(self.txid[-1]) if len(self.txid) else 0

    def has(self, txid: int) -> bool:
        return self.find(txid) is not None

    def find(self, txid: int) -> int | None:
        """Where a TXID stands in these columns."""
        import numpy as np

        at = int(np.searchsorted(self.txid, np.uint64(txid)))
        return at if at < len(self.txid) and int(self.txid[at]) == txid else None


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody met who looked into a file, and when."""

    finding: Finding
    at_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class LTXView:
    """A v0.5 replica as it was when the view was made.

    levels    those that have files: 9 first, then from 0 up
    reached   the last TXID that the files lead to, by their names; 0: none
    until_ns  the time of the file that ends there
    gap       the TXIDs that are missing before what lies beyond `reached`
    copied    the files' own times are not Litestream's: those of the headers count, `table.mtime_ns` has the others
    why_not   why the latest state does not restore, by names and sizes; "": they do not speak against it
    seen      the damage that looking into its files has met; `unread` what that could not read
    """

    replica: LTXReplica = field(repr=False)
    layout: str
    table: LTXTable = field(repr=False)
    levels: tuple[LevelView, ...]
    points: RestorePoints = field(repr=False)
    reached: int
    until_ns: int
    gap: tuple[int, int] | None
    findings: tuple[Finding, ...]
    copied: bool = False
    seen: tuple[Seen, ...] = ()
    unread: tuple[Seen, ...] = ()
    why_not: str = ""

    def level(self, number: int) -> LevelView | None:
        return next((one for one in self.levels if one.level == number), None)

    @property
    def size(self) -> int:
        return sum(level.size for level in self.levels)

    @property
    def last_ns(self) -> int | None:
        """The time of the newest file."""
        return max((level.last_ns for level in self.levels), default=None)


def look_ltx(replica: LTXReplica) -> LTXView:
    """Make the view. Blocks; raises LitetuiError."""
    from litetui.ops.ltx_plan import chain_of
    from litetui.ops.ltx_survey import survey

    table = replica.table
    rows = chain_of(table)
    reached = int(table.max_txid[rows[-1]]) if rows else 0
    until_ns = int(table.time_ns[rows[-1]]) if rows else 0
    points = restore_points(table)
    levels = tuple(_level(table, points, n) for n in (SNAPSHOTS, *range(SNAPSHOTS)) if (table.level == n).any())
    gap = _gap(table, reached)
    surveyed = survey(replica)
    worst_first = sorted(surveyed.findings, key=lambda f: ("error", "warning", "info").index(f.severity))
    return LTXView(
        replica,
        replica.layout(),
        table,
        levels,
        points,
        reached,
        until_ns,
        gap,
        tuple(worst_first),
        replica.copied,
        why_not=surveyed.why_not,
    )


def _level(table: LTXTable, points: RestorePoints, number: int) -> LevelView:
    import numpy as np

    of = table.of_level(number)
    return LevelView(
        number,
        of,
        int(of.size.sum()),
        int(of.min_txid.min()),
        int(of.max_txid.max()),
        int(of.time_ns.min()),
        int(of.time_ns.max()),
        int((~np.isin(of.max_txid, points.txid)).sum()),
    )


def restore_points(table: LTXTable) -> RestorePoints:
    """All of them: each end of a file that follows on another restore point, or begins with the first TXID."""
    import numpy as np

    order = np.lexsort((table.time_ns, table.max_txid))
    txid, first, files = np.unique(table.max_txid[order], return_index=True, return_counts=True)
    lowest = np.minimum.reduceat(table.min_txid[order], first).tolist() if len(txid) else []
    keep, reached = np.zeros(len(txid), bool), 0
    for at, (start, end) in enumerate(zip(lowest, txid.tolist(), strict=True)):
        if start <= reached + 1:
            keep[at], reached = True, end
    rows = order[first[keep]]
    return RestorePoints(txid[keep], table.time_ns[rows], rows, files[keep])


def _gap(table: LTXTable, reached: int) -> tuple[int, int] | None:
    import numpy as np

    beyond = table.min_txid[table.max_txid > np.uint64(reached)]
    return (reached + 1, int(beyond.min()) - 1) if len(beyond) else None


def gap_words(gap: tuple[int, int]) -> str:
    first, last = gap
    if first == last:
        return f"TXID {first:016x} is missing"
    return f"TXIDs {first:016x} to {last:016x} are missing"


def is_ltx(replica: FileReplica | LTXReplica) -> TypeIs[LTXReplica]:
    """Whether a replica is one of v0.5 alone."""
    from litetui.replica.ltx import LTXReplica

    return isinstance(replica, LTXReplica)


def ltx_of(replica: FileReplica | LTXReplica) -> LTXReplica | None:
    """The v0.5 replica in a folder, alone or beside v0.3 generations. Blocks."""
    return replica if is_ltx(replica) else replica.ltx


def row_of(table: LTXTable, first: int, last: int) -> int | None:
    """Where a file stands in the table of its level."""
    import numpy as np

    found = np.flatnonzero((table.min_txid == np.uint64(first)) & (table.max_txid == np.uint64(last)))
    return int(found[0]) if len(found) else None


def file_name(key: tuple[str | int, ...]) -> str:
    """The name of the file that a key of the tree stands for."""
    return names.format_ltx(int(key[2]), int(key[3]))


def txids_text(first: int, last: int) -> str:
    """A range of TXIDs as Litestream writes it, in the names of its files as well."""
    return f"{first:016x}" + (f"-{last:016x}" if last != first else "")


def which(view: ReplicaView) -> str:
    """Which of both replicas of a folder a restore takes, and why."""
    taken = "the LTX files (v0.5)" if view.from_ltx else "the v0.3 generations"
    return (
        f"Both formats lie here. A restore of the latest state takes {taken}, as litestream restore does: {view.why}."
    )


def ltx_key(path: str | None) -> LTXKey | None:
    """The line of the tree of the LTX file at a path, None where that is none."""
    folder, _, name = (path or "").rpartition("/")
    txids, level = names.parse_ltx(name), folder.rpartition("/")[2]
    if txids is None or not (names.is_bucket_level(level) or (len(level) == 1 and level.isdecimal())):
        return None
    return ("ltxfile", int(level, 16), *txids)


def ltx_place(path: str | None) -> str:
    """The level of the LTX file at a path and the TXID that it ends with, for tables; "" where that is none."""
    key = ltx_key(path)
    return "" if key is None else f"L{key[1]} {key[3]:016x}"
