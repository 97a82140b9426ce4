"""What the names of a replica tell: which generations are complete, and what needs attention. Opens no file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from litetui.replica.catalog import SEGMENT, WHOLE, WALTable
from litetui.replica.file import FileReplica
from litetui.replica.types import Finding, GenerationStats, SnapshotInfo
from litetui.units import format_time

_ORDER = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class GenerationSurvey:
    """A generation by its names. `restorable` says that nothing on the way from its newest snapshot to its newest
    file is missing by name; `why_not` says what is."""

    generation: str
    stats: GenerationStats
    restorable: bool
    why_not: str
    first_index: int | None
    last_index: int | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """All generations, the newest first, and all findings, the worst first."""

    generations: tuple[GenerationSurvey, ...]
    findings: tuple[Finding, ...]


def survey(replica: FileReplica, now_ns: int) -> Survey:
    """Look at the names, sizes and times of everything that is in the replica's folders."""
    generations = tuple(_generation(replica, g, now_ns) for g in replica.generations())
    findings = [f for g in generations for f in g.findings] + replica.problems() + _ltx(replica, generations)
    return Survey(generations, tuple(sorted(findings, key=lambda f: _ORDER[f.severity])))


def survey_generation(replica: FileReplica, generation: str, now_ns: int) -> GenerationSurvey:
    """The same for one generation."""
    return _generation(replica, generation, now_ns)


def _ltx(replica: FileReplica, generations: tuple[GenerationSurvey, ...]) -> list[Finding]:
    newest = replica.ltx_newest_ns()
    if newest is None:
        return []
    end = max((g.stats.updated_ns or 0 for g in generations), default=0)
    return [
        Finding(
            "error" if newest > end else "warning",
            "ltx-beside",
            f"ltx/ lies beside the generations: a replica of Litestream v0.5, which ends at {format_time(newest)}; "
            + ("the latest state is there" if newest > end else "it ended before the generations did"),
            "a restore takes the newer of both, as litestream 0.5 does; --generation takes these",
            path=replica.storage.path("ltx"),
        )
    ]


def _generation(replica: FileReplica, name: str, now_ns: int) -> GenerationSurvey:
    stats, table, snapshots = replica.generation_stats(name), replica.wals(name), replica.snapshots(name)
    findings = [*replica.problems(name), *_foreign(replica, name, now_ns)]
    unreadable = any(f.code == "unreadable" for f in findings)
    why_not = "it cannot be read" if unreadable else ""
    if not snapshots and not len(table) and not unreadable:
        why_not = "it holds no data"
        words = f"generation {name} holds no data: a retention has emptied it, or it has just begun"
        findings.append(Finding("info", "no-snapshot", words, "nothing needs to be done", generation=name))
    elif not snapshots and not unreadable:
        why_not = "it has no snapshot"
        findings.append(
            Finding(
                "error",
                "no-snapshot",
                f"generation {name} has no snapshot: nothing of it can be restored",
                "keep the replicator running until it has written one, or restore another generation",
                generation=name,
            )
        )
    if snapshots:
        damage = _empty_snapshots(replica, name, table, snapshots) + _chain(replica, name, table, snapshots)
        findings += damage
        latest = [f for f in damage if f.severity == "error"]
        why_not = why_not or (latest[0].message if latest else "")
        findings += _order_of_times(name, table)
    indexes = [s.index for s in snapshots] + ([int(table.index[0]), int(table.index[-1])] if len(table) else [])
    return GenerationSurvey(
        name, stats, not why_not, why_not, min(indexes, default=None), max(indexes, default=None), tuple(findings)
    )


def _chain(replica: FileReplica, name: str, table: WALTable, snapshots: list[SnapshotInfo]) -> list[Finding]:
    """What is missing between the snapshots that hold something and the newest WAL; worse where the latest state needs
    it."""
    findings: list[Finding] = []
    indexes = table.indexes().astype(np.int64)
    early = indexes[indexes < snapshots[0].index]
    if len(early):
        findings.append(
            Finding(
                "warning",
                "orphan-wal",
                f"WALs {_span(early)} lie before the first snapshot {snapshots[0].index:08x}: no restore can use them",
                "retention removes them; nothing needs to be done",
                generation=name,
                index=int(early[0]),
            )
        )
    sound = [s for s in snapshots if s.size]
    if not sound:
        return findings + _empty_files(replica, name, table, 0)
    first, newest = sound[0].index, sound[-1].index
    needed = indexes[indexes >= first]
    if (len(needed) and int(needed[-1]) > first) or (len(needed) and int(needed[0]) > first):
        missing = np.setdiff1d(np.arange(first, int(needed[-1]) + 1), needed)
        runs = np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1) if len(missing) else []
        findings += [_missing(name, run, sound) for run in runs[:100]]
    for row in table.index.searchsorted(indexes.astype(np.uint32)).tolist():  # of one type: no copy is made
        if not table.offset[row]:
            continue
        index = int(table.index[row])
        if index >= first:
            findings.append(
                Finding(
                    "error" if index >= newest else "warning",
                    "missing-segment",
                    f"the first segment of WAL {name}/{index:08x} is missing",
                    "restore up to the WAL before it: --to-last-good",
                    generation=name,
                    index=index,
                    offset=0,
                )
            )
    return findings + _empty_files(replica, name, table, newest)


def _missing(name: str, part: np.ndarray, snapshots: list[SnapshotInfo]) -> Finding:
    """A run of missing indexes: it takes away the states from there to the next snapshot behind it. One inside it
    stands alone: the way from it to what comes after is missing too."""
    after = [s.index for s in snapshots if s.index > int(part[-1])]
    takes = (
        f"states from there to snapshot {after[0]:08x} are out of reach"
        if after
        else "the latest state cannot be restored"
    )
    return Finding(
        "warning" if after else "error",
        "missing-wal",
        f"WAL {_span(part)} of generation {name} is missing: {takes}",
        "all other states restore"
        if after
        else "restore up to it: --to-last-good; a living database needs a new snapshot now",
        generation=name,
        index=int(part[0]),
    )


def _empty_files(replica: FileReplica, name: str, table: WALTable, newest: int) -> list[Finding]:
    """WAL files without content; worse from the newest snapshot on. The newest `.wal` may be empty: it has just
    begun."""
    empty = np.flatnonzero(table.size == 0)
    begun: list[Finding] = []
    if len(empty) and int(empty[-1]) == len(table) - 1 and table.form[-1] == WHOLE:
        empty = empty[:-1]
        cause = f"the newest WAL {int(table.index[-1]):08x} of generation {name} is empty: it has just begun"
        begun = [Finding("info", "empty-file", cause, "nothing needs to be done", None, name, int(table.index[-1]))]
    return begun + [
        Finding(
            "error" if int(table.index[row]) >= newest else "warning",
            "empty-file",
            f"WAL file {table.name(int(row))} of generation {name} is empty",
            "restore up to it: --to-last-good",
            path=replica.storage.path(replica.wal_path(table[int(row)])),
            generation=name,
            index=int(table.index[row]),
        )
        for row in empty[:100]
    ]


def _empty_snapshots(replica: FileReplica, name: str, table: WALTable, snapshots: list[SnapshotInfo]) -> list[Finding]:
    """Snapshots without content; worse where no other leads to the latest state, as far as that is here to lead to."""
    sound = any(s.size for s in snapshots)
    last = int(table.index[-1]) if len(table) else -1
    return [
        Finding(
            "warning" if sound and (s.index <= last or s.index < snapshots[-1].index) else "error",
            "empty-file",
            f"snapshot {s.index:08x} of generation {name} is empty",
            "restore from an earlier snapshot: --to-last-good",
            path=replica.storage.path(replica.snapshot_path(s)),
            generation=name,
            index=s.index,
        )
        for s in snapshots
        if s.size == 0
    ]


def _order_of_times(name: str, table: WALTable) -> list[Finding]:
    """Segments whose times run backwards: position order is time order in what Litestream writes."""
    times = table.mtime_ns[table.form == SEGMENT]
    wrong = int((times[1:] < times[:-1]).sum()) if len(times) > 1 else 0
    if not wrong:
        return []
    return [
        Finding(
            "warning",
            "time-order",
            f"the times of {wrong} WAL file(s) of generation {name} run backwards: was this replica copied without "
            "its times?",
            "restore by index or position rather than by time; copy replicas with cp -a or rsync -t",
            generation=name,
        )
    ]


def _foreign(replica: FileReplica, name: str, now_ns: int) -> list[Finding]:
    paths = replica.foreign(name)
    temporary = [p for p in paths if p.endswith(".tmp")]
    others = [p for p in paths if not p.endswith(".tmp")]
    findings = []
    if temporary:
        findings.append(
            Finding(
                "info",
                "temporary-file",
                f"{len(temporary)} temporary file(s) in generation {name}, e.g. {temporary[0].rpartition('/')[2]}: "
                "a writer is at work, or was stopped",
                "nothing reads them",
                path=replica.storage.path(temporary[0]),
                generation=name,
            )
        )
    if others:
        data_like = [p for p in others if p.endswith((".wal", ".lz4", ".snapshot"))]
        findings.append(
            Finding(
                "warning" if data_like else "info",
                "unknown-file",
                f"{len(others)} file(s) in generation {name} are no data of it, e.g. "
                f"{(data_like or others)[0].rpartition('/')[2]}",
                "litetui leaves them alone, and so does Litestream",
                path=replica.storage.path((data_like or others)[0]),
                generation=name,
            )
        )
    return findings


def _span(indexes: np.ndarray) -> str:
    first, last = int(indexes[0]), int(indexes[-1])
    return f"{first:08x}" if first == last else f"{first:08x} to {last:08x} ({len(indexes)})"
