"""Which files are damaged or cannot be read, as the session found them and as names show it. Pure.

For the tree: a mark stands on the file, and on every branch above it, so that it is found without opening them all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from litetui.errors import DamageError
from litetui.jobs.job import Job
from litetui.replica.types import Finding
from litetui.tui.checks import Checks
from litetui.tui.evidence import restore_damage
from litetui.tui.looks import UNREADABLE
from litetui.tui.ltx.evidence import met
from litetui.tui.ltx.model import LTXKey, LTXView, ltx_key, row_of
from litetui.tui.model import GenerationView, ReplicaView
from litetui.tui.tree_line import LTX


@dataclass(frozen=True, slots=True)
class Marks:
    """Damaged files: WAL indexes and snapshots of each generation, ascending; LTX files as keys of the tree.
    `unreadable` has the files that could not be read."""

    wals: dict[str, list[int]] = field(default_factory=dict)
    snapshots: dict[str, list[int]] = field(default_factory=dict)
    ltx: frozenset[LTXKey] = frozenset()
    unreadable: Marks | None = None

    def on(self, kind: str, generation: str, first: int, last: int) -> str:
        """The worst of the WALs (kind "index") or snapshots from `first` to `last`: "damaged", "unreadable" or ""."""
        indexes = (self.wals if kind == "index" else self.snapshots).get(generation, [])
        at = bisect_left(indexes, first)
        if at < len(indexes) and indexes[at] <= last:
            return "damaged"
        return "unreadable" if self.unreadable is not None and self.unreadable.on(kind, generation, first, last) else ""

    def of_level(self, level: int) -> dict[LTXKey, str]:
        """The damaged files of a level, then those that could not be read; the newest of each first."""
        found = dict.fromkeys(sorted((key for key in self.ltx if key[1] == level), reverse=True), "damaged")
        unread = self.unreadable.of_level(level) if self.unreadable is not None else {}
        return found | {key: "unreadable" for key in unread if key not in found}


NONE = Marks()


def marks(view: ReplicaView, checks: Checks, jobs: Sequence[Job] = ()) -> Marks:
    """What is wrong, of what is there."""
    found = {one.name: list(_of_generation(view, one, checks, jobs)) for one in view.generations}
    ltx = list(_of_ltx(view, checks, jobs))

    def of(unreadable: bool) -> Marks:
        def indexes(is_snapshot: bool) -> dict[str, list[int]]:
            return {
                name: sorted({i for i, snapshot, code in places
                              if snapshot is is_snapshot and (code == UNREADABLE) is unreadable})
                for name, places in found.items()
            }  # fmt: skip

        keys = frozenset(key for key, code in ltx if (code == UNREADABLE) is unreadable)
        return Marks(indexes(False), indexes(True), keys)

    return replace(of(unreadable=False), unreadable=of(unreadable=True))


def _of_generation(
    view: ReplicaView, one: GenerationView, checks: Checks, jobs: Sequence[Job]
) -> Iterator[tuple[int, bool, str]]:
    """Indexes, whether it is the snapshot, and the code of what is wrong."""
    check = checks.get(one.name)
    findings = [*one.survey.findings, *(check.report.findings if check is not None else ())]
    findings += [seen.finding for seen in (*one.seen, *one.unread)]
    places = [(finding.path, finding.index, finding.code) for finding in _errors(findings)]
    job = restore_damage(view, one, jobs)
    if job is not None and isinstance(job.error, DamageError):
        places.append((job.error.path, job.error.index, job.error.code))
    for path, index, code in places:
        if index is None:
            continue
        if "/snapshots/" in (path or ""):
            if any(s.index == index for s in one.snapshots):
                yield index, True, code
        elif one.indexes.row_of(index) is not None:
            yield index, False, code


def _of_ltx(view: ReplicaView, checks: Checks, jobs: Sequence[Job]) -> Iterator[tuple[LTXKey, str]]:
    ltx = view.ltx
    if ltx is None:
        return
    check = checks.get(LTX)
    checked = check.report.findings if check is not None else ()
    seen = (one.finding for one in (*ltx.seen, *ltx.unread))
    for finding in _errors((*ltx.findings, *met(view.path, ltx, jobs), *checked, *seen)):
        if (key := ltx_key(finding.path)) is not None and _is_there(ltx, key):
            yield key, finding.code


def _is_there(ltx: LTXView, key: LTXKey) -> bool:
    level = ltx.level(key[1])
    return level is not None and row_of(level.table, key[2], key[3]) is not None


def _errors(findings: Iterable[Finding]) -> Iterator[Finding]:
    return (f for f in findings if f.severity == "error" and f.code != "live-mismatch")
