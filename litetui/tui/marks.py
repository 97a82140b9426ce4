"""Which files are damaged, as validations and restores of the session found them, and as names show it. Pure.

For the tree: a mark stands on the file, and on every branch above it, so that it is found without opening them all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from litetui.errors import DamageError
from litetui.jobs.job import Job
from litetui.replica.types import Finding
from litetui.tui.checks import Checks
from litetui.tui.evidence import restore_damage
from litetui.tui.ltx.evidence import met
from litetui.tui.ltx.model import LTXKey, ltx_key, row_of
from litetui.tui.model import GenerationView, ReplicaView
from litetui.tui.tree_line import LTX


@dataclass(frozen=True, slots=True)
class Marks:
    """Damaged files: WAL indexes of each generation, ascending; its snapshots; LTX files as keys of the tree."""

    wals: dict[str, list[int]] = field(default_factory=dict)
    snapshots: dict[str, set[int]] = field(default_factory=dict)
    ltx: frozenset[LTXKey] = frozenset()

    def on_wals(self, generation: str, first: int, last: int) -> bool:
        """Whether any index from `first` to `last` is damaged."""
        indexes = self.wals.get(generation, [])
        at = bisect_left(indexes, first)
        return at < len(indexes) and indexes[at] <= last

    def on_snapshot(self, generation: str, index: int | None = None) -> bool:
        """Whether a snapshot is damaged; any of them, where none is named."""
        found = self.snapshots.get(generation, set())
        return bool(found) if index is None else index in found

    def of_level(self, level: int) -> list[LTXKey]:
        """The damaged files of a level, the newest first."""
        return sorted((key for key in self.ltx if key[1] == level), reverse=True)


NONE = Marks()


def marks(view: ReplicaView, checks: Checks, jobs: Sequence[Job] = ()) -> Marks:
    """What is damaged, of what is there."""
    wals: dict[str, list[int]] = {}
    snapshots: dict[str, set[int]] = {}
    for one in view.generations:
        found = list(_of_generation(view, one, checks, jobs))
        wals[one.name] = sorted({index for index, is_snapshot in found if not is_snapshot})
        snapshots[one.name] = {index for index, is_snapshot in found if is_snapshot}
    return Marks(wals, snapshots, frozenset(_of_ltx(view, checks, jobs)))


def _of_generation(
    view: ReplicaView, one: GenerationView, checks: Checks, jobs: Sequence[Job]
) -> Iterator[tuple[int, bool]]:
    """Indexes, and whether it is the snapshot that is damaged."""
    check = checks.get(one.name)
    findings = (*one.survey.findings, *(check.report.findings if check is not None else ()))
    places = [(finding.path, finding.index) for finding in _errors(findings)]
    job = restore_damage(view, one, jobs)
    if job is not None and isinstance(job.error, DamageError):
        places.append((job.error.path, job.error.index))
    for path, index in places:
        if index is None:
            continue
        if "/snapshots/" in (path or ""):
            if any(s.index == index for s in one.snapshots):
                yield index, True
        elif one.indexes.row_of(index) is not None:
            yield index, False


def _of_ltx(view: ReplicaView, checks: Checks, jobs: Sequence[Job]) -> Iterator[LTXKey]:
    ltx = view.ltx
    if ltx is None:
        return
    check = checks.get(LTX)
    checked = check.report.findings if check is not None else ()
    for finding in _errors((*ltx.findings, *met(view.path, ltx, jobs), *checked)):
        if (key := ltx_key(finding.path)) is not None and _is_there(view, key):
            yield key


def _is_there(view: ReplicaView, key: LTXKey) -> bool:
    level = view.ltx.level(key[1]) if view.ltx is not None else None
    return level is not None and row_of(level.table, key[2], key[3]) is not None


def _errors(findings: Iterable[Finding]) -> Iterator[Finding]:
    return (f for f in findings if f.severity == "error" and f.code != "live-mismatch")
