"""What the screen knows of a replica: one frozen view, made in a thread, shown by everything.

Nothing here opens a file by itself; `look` asks the replica, in whatever thread it is called. The widgets get
the finished view and never touch the replica.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from litetui.replica.types import Finding, GenerationStats, SnapshotInfo, TimeRange
from litetui.tui.grouping import Indexes, rising
from litetui.tui.ltx.model import LTXView, Seen, look_ltx, ltx_of
from litetui.tui.primary import PrimaryView, look_at
from litetui.units import format_age

if TYPE_CHECKING:
    from litetui.ops.survey import GenerationSurvey, Survey
    from litetui.replica.catalog import WALTable
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica


@dataclass(frozen=True, slots=True)
class IndexColumns(Indexes):
    """The WAL indexes of a generation, ascending, as columns.

    files      how many files each has
    first_row  where its files begin in the generation's WAL table
    last_ns    the time of its last file
    """

    files: Any
    first_row: Any

    def row_of(self, index: int) -> int | None:
        """Where an index stands in these columns."""
        import numpy as np

        at = int(np.searchsorted(self.index, index))
        return at if at < len(self.index) and int(self.index[at]) == index else None


@dataclass(frozen=True, slots=True)
class GenerationView:
    """A generation as it was when the view was made; `seen` is the damage that looking into its files has met, `unread`
    what that could not read, `window` what restores by its names, `passed` whether the LTX files beside it are newer.
    """

    survey: GenerationSurvey
    snapshots: tuple[SnapshotInfo, ...]
    wals: WALTable
    indexes: IndexColumns
    newest: bool
    seen: tuple[Seen, ...] = ()
    window: TimeRange | None = None
    unread: tuple[Seen, ...] = ()
    passed: bool = False

    @property
    def name(self) -> str:
        return self.survey.generation

    @property
    def stats(self) -> GenerationStats:
        return self.survey.stats

    def standing(self, now_ns: int) -> str:
        """Newest or ended, in words."""
        if self.newest:
            return "newest of v0.3" if self.passed else "newest"
        return "ended" if self.stats.updated_ns is None else f"ended {format_age(self.stats.updated_ns, now_ns)}"

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
    from litetui.ops.restorable import window
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
        wals, snapshots = replica.wals(of_one.generation), tuple(replica.snapshots(of_one.generation))
        generations.append(
            GenerationView(
                of_one,
                snapshots,
                wals,
                index_columns(wals.index, wals.mtime_ns),
                newest=number == 0,
                window=window(wals, snapshots, complete=of_one.restorable),
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
    from_ltx = source.replica is beside
    return replace(
        view,
        survey=replace(view.survey, findings=findings),
        generations=tuple(replace(g, passed=from_ltx) for g in view.generations),
        ltx=look_ltx(beside),
        from_ltx=from_ltx,
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
    last = np.maximum.reduceat(mtime_ns, first).astype(np.int64) if len(first) else np.zeros(0, np.int64)
    return IndexColumns(distinct, *rising(last), files, first)


def snapshot_columns(snapshots: Sequence[SnapshotInfo]) -> Indexes:
    """The same of snapshots, which ascend."""
    import numpy as np

    index = np.array([one.index for one in snapshots], np.uint32)
    return Indexes(index, *rising(np.array([one.created_ns for one in snapshots], np.int64)))
