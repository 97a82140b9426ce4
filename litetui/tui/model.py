"""What the screen knows of a replica: one frozen view, made in a thread, shown by everything.

Nothing here opens a file by itself; `look` asks the replica, in whatever thread it is called. The widgets get
the finished view and never touch the replica.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from litetui.replica.types import Finding, GenerationStats, SnapshotInfo
from litetui.tui.ltx.model import LTXView, look_ltx, ltx_of
from litetui.tui.primary import PrimaryView, look_at
from litetui.units import offset_ns

if TYPE_CHECKING:
    from litetui.ops.survey import GenerationSurvey, Survey
    from litetui.replica.catalog import WALTable
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica

NS = 1_000_000_000
HOUR_NS = 3600 * NS
SLACK_NS = 60 * NS  # a WAL that is compressed after the next one began is a little newer than that one


@dataclass(frozen=True, slots=True)
class IndexColumns:
    """The WAL indexes of a generation, ascending, as columns.

    index      the indexes
    files      how many files each has
    first_row  where its files begin in the generation's WAL table
    last_ns    the time of its last file; made to rise where it is only a little out of order
    in_order   False where times do not rise with the indexes: a replica that was copied without its times
    """

    index: Any
    files: Any
    first_row: Any
    last_ns: Any
    in_order: bool

    def __len__(self) -> int:
        return len(self.index)

    def row_of(self, index: int) -> int | None:
        """Where an index stands in these columns."""
        import numpy as np

        at = int(np.searchsorted(self.index, index))
        return at if at < len(self.index) and int(self.index[at]) == index else None


@dataclass(frozen=True, slots=True)
class GenerationView:
    """A generation as it was when the view was made."""

    survey: GenerationSurvey
    snapshots: tuple[SnapshotInfo, ...]
    wals: WALTable
    indexes: IndexColumns
    newest: bool

    @property
    def name(self) -> str:
        return self.survey.generation

    @property
    def stats(self) -> GenerationStats:
        return self.survey.stats

    @property
    def worst(self) -> str:
        """The worst severity of its findings, "" where there is none."""
        severities = {finding.severity for finding in self.survey.findings}
        return next((s for s in ("error", "warning", "info") if s in severities), "")


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """A replica as it was when the view was made; `generations` newest first; `primary` is the attached database.

    ltx        the v0.5 replica in the folder; `ltx_alone`: there are no v0.3 generations beside it
    from_ltx   whether a restore of the latest state takes that one; `why`, where there is a choice
    """

    path: str
    name: str
    layout: str
    survey: Survey
    generations: tuple[GenerationView, ...]
    taken_ns: int
    primary: PrimaryView | None = None
    ltx: LTXView | None = None
    ltx_alone: bool = False
    from_ltx: bool = False
    why: str = ""

    def generation(self, name: str) -> GenerationView | None:
        return next((g for g in self.generations if g.name == name), None)

    @property
    def newest(self) -> GenerationView | None:
        return self.generations[0] if self.generations else None

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(self.survey.findings)


def look(replica: FileReplica | LTXReplica, now_ns: int, database: str | None = None) -> ReplicaView:
    """Make the view. Blocks; raises LitetuiError."""
    from litetui.ops.compare import another_database
    from litetui.ops.survey import Survey
    from litetui.ops.survey import survey as survey_names
    from litetui.replica.ltx import LTXReplica

    name = os.path.basename(os.path.normpath(replica.path))
    if isinstance(replica, LTXReplica):
        ltx = look_ltx(replica)
        primary = look_at(database, replica) if database else None
        survey = Survey((), ())
        return ReplicaView(
            replica.path, name, ltx.layout, survey, (), now_ns, primary, ltx=ltx, ltx_alone=True, from_ltx=True
        )
    survey = _with(survey_names(replica, now_ns), another_database(replica))
    generations = []
    for number, of_one in enumerate(survey.generations):
        wals = replica.wals(of_one.generation)
        generations.append(
            GenerationView(
                of_one,
                tuple(replica.snapshots(of_one.generation)),
                wals,
                index_columns(wals.index, wals.mtime_ns),
                newest=number == 0,
            )
        )
    primary = look_at(database, replica) if database else None
    view = ReplicaView(replica.path, name, replica.layout(), survey, tuple(generations), now_ns, primary)
    return _with_ltx(view, replica)


def _with_ltx(view: ReplicaView, replica: FileReplica) -> ReplicaView:
    """The view with the v0.5 replica of the same folder, which then needs no finding any more."""
    from litetui.ops.source import choose
    from litetui.ops.target import Target

    beside = ltx_of(replica)
    if beside is None or not (len(beside.table) or beside.problems()):
        return view
    source = choose(replica, Target())
    findings = tuple(f for f in view.survey.findings if f.code != "ltx-beside")
    return replace(
        view,
        survey=replace(view.survey, findings=findings),
        ltx=look_ltx(beside),
        from_ltx=source.replica is beside,
        why=source.why,
    )


def _with(survey: Survey, finding: Finding | None) -> Survey:
    """The survey with a finding more about its newest generation, behind those that are worse."""
    if finding is None:
        return survey

    def among(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        worse = [f for f in findings if f.severity == "error"]
        return (*worse, finding, *(f for f in findings if f.severity != "error"))

    newest, *others = survey.generations
    return replace(
        survey,
        generations=(replace(newest, findings=among(newest.findings)), *others),
        findings=among(survey.findings),
    )


def index_columns(index: Any, mtime_ns: Any) -> IndexColumns:
    """The columns of the distinct indexes of a WAL table, whose rows are sorted by index and offset."""
    import numpy as np

    # As np.unique would say, which does not know that they are sorted.
    first = np.flatnonzero(np.diff(index, prepend=index[:1] + 1))
    distinct, files = index[first], np.diff(first, append=len(index))
    if len(distinct) == 0:
        return IndexColumns(distinct, files, first, np.zeros(0, np.int64), True)
    last = np.maximum.reduceat(mtime_ns, first).astype(np.int64)
    rising = np.maximum.accumulate(last)
    in_order = bool((rising - last <= SLACK_NS).all())
    return IndexColumns(distinct, files, first, rising if in_order else last, in_order)


@dataclass(frozen=True, slots=True)
class Group:
    """A branch over the indexes `first` to `last`, which stand at `start` to `stop` in the columns."""

    kind: str  # "day", "hour", "range"
    value: int  # number of the day or the hour since the epoch, or the first index of the range
    start: int
    stop: int
    first: int
    last: int


GROUP_LIMIT = 300
PLAIN_LIMIT = 24


def groups(columns: IndexColumns, start: int, stop: int, inside: str = "") -> list[Group] | None:
    """How the indexes at `start` to `stop` are grouped inside a branch of kind `inside`; None: not at all.

    Days (of the screen's zone), then hours; ranges of indexes where times cannot be trusted or an hour has too many.
    """
    count = stop - start
    if count <= PLAIN_LIMIT or (inside in ("hour", "range") and count <= GROUP_LIMIT):
        return None
    if columns.in_order and inside in ("", "day"):
        hours = int(columns.last_ns[stop - 1] // HOUR_NS) - int(columns.last_ns[start] // HOUR_NS)
        if inside == "" and hours > 36:
            return _by_time(columns, start, stop, "day", 24 * HOUR_NS)
        by_hour = _by_time(columns, start, stop, "hour", HOUR_NS)
        if len(by_hour) > 1:
            return by_hour
        if count <= GROUP_LIMIT:
            return None
    return _by_range(columns, start, stop)


def _by_time(columns: IndexColumns, start: int, stop: int, kind: str, length: int) -> list[Group]:
    import numpy as np

    times = columns.last_ns[start:stop]

    def number(ns: int) -> int:
        return (ns + offset_ns(ns)) // length if kind == "day" else ns // length

    def begin(number: int) -> int:
        return number * length - (offset_ns(number * length) if kind == "day" else 0)

    numbers = range(number(int(times[0])), number(int(times[-1])) + 1)
    begins = np.searchsorted(times, np.array([begin(one) for one in numbers[1:]], np.int64))
    return _groups(columns, kind, numbers, start, begins, stop)


def _by_range(columns: IndexColumns, start: int, stop: int) -> list[Group]:
    import numpy as np

    first, last = int(columns.index[start]), int(columns.index[stop - 1])
    shift = 8
    while (last - first) >> shift > GROUP_LIMIT:
        shift += 8
    values = range(first >> shift << shift, last + 1, 1 << shift)
    begins = np.searchsorted(columns.index[start:stop], np.array(values[1:], columns.index.dtype))
    return _groups(columns, "range", values, start, begins, stop)


def _groups(columns: IndexColumns, kind: str, values: Sequence[int], start: int, begins: Any, stop: int) -> list[Group]:
    """The groups that are not empty; each but the first begins at one of `begins`, counted from `start`."""
    bounds = [start, *(begins + start).tolist(), stop]
    return [
        _group(columns, kind, value, bounds[n], bounds[n + 1])
        for n, value in enumerate(values)
        if bounds[n] < bounds[n + 1]
    ]


def _group(columns: IndexColumns, kind: str, value: int, start: int, stop: int) -> Group:
    return Group(kind, value, start, stop, int(columns.index[start]), int(columns.index[stop - 1]))
