"""What the names of a v0.5 replica tell: how far its files lead as one chain, and what needs attention.

Litestream 0.5 checks each level by itself, and never whether the levels together lead to the newest transaction. Opens
no file but the headers that tell whether the times are Litestream's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from litetui.format.ltx import LEAST_SIZE
from litetui.ops.ltx_plan import chain_of
from litetui.replica.ltx import LEVELS, SNAPSHOTS, LTXReplica, LTXTable
from litetui.replica.types import Finding


@dataclass(frozen=True, slots=True)
class LevelStats:
    """One level: how many files, bytes, the TXIDs from the first to the last, and times (ns)."""

    level: int
    files: int
    size: int
    min_txid: int
    max_txid: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class LTXSurvey:
    """`reached`: the last TXID that the files lead to by their names, 0 where none; `why_not` says why that is not the
    newest one ("": it is)."""

    levels: tuple[LevelStats, ...]
    reached: int
    newest: int
    why_not: str
    findings: tuple[Finding, ...]


def survey(replica: LTXReplica) -> LTXSurvey:
    """Look at the names, sizes and times of all levels."""
    table = replica.table
    levels = tuple(_stats(level, part) for level in LEVELS if len(part := table.of_level(level)))
    rows = chain_of(table)
    reached = int(table.max_txid[rows[-1]]) if rows else 0
    newest = int(table.max_txid.max()) if len(table) else 0
    findings = [*replica.problems()]
    why_not = "it cannot be read" if findings else ""
    gap = _gap(replica, table, reached, newest)
    if gap is not None:
        findings.append(gap)
        why_not = why_not or gap.message
    short = _short(replica, table)
    if short and (table.size[rows] < LEAST_SIZE).any():
        why_not = why_not or short[0].message
    findings += short + _levels(replica, table, reached) + _copied(replica) + _foreign(replica)
    return LTXSurvey(
        levels, reached, newest, why_not or ("" if len(table) else "it holds no LTX files"), tuple(findings)
    )


def _stats(level: int, table: LTXTable) -> LevelStats:
    return LevelStats(
        level,
        len(table),
        int(table.size.sum()),
        int(table.min_txid.min()),
        int(table.max_txid.max()),
        int(table.time_ns.min()),
        int(table.time_ns.max()),
    )


def _gap(replica: LTXReplica, table: LTXTable, reached: int, newest: int) -> Finding | None:
    """The files that would lead on to the newest TXID are missing."""
    if reached == newest:
        return None
    after = table.min_txid[table.max_txid > np.uint64(reached)]
    first, last = reached + 1, int(after.min()) - 1
    lost = (
        f"the files from {first:016x} to {last:016x} are missing" if last > first else f"TXID {first:016x} is missing"
    )
    words = f"{lost}: the latest state, {newest:016x}, does not restore"
    if replica.problems():  # they may be there
        words = f"nothing that can be read leads on from {reached:016x} to the newest TXID, {newest:016x}"
        return Finding("warning", "ltx-gap", words, "make readable what cannot be read", path=replica.path)
    hint = "restore up to it: --to-last-good; a living database needs a new snapshot now"
    if not reached:
        words = f"no file begins with the first TXID: nothing up to {newest:016x} can be restored"
        hint = "copy it before anything else"
    return Finding("error", "ltx-gap", words, hint, path=replica.path)


def _levels(replica: LTXReplica, table: LTXTable, reached: int) -> list[Finding]:
    """What Litestream's own validation asks of each level below the snapshots: gaps, overlaps, order."""
    findings: list[Finding] = []
    for level in range(SNAPSHOTS):
        part = table.of_level(level)
        if len(part) > 1:
            folder = replica.storage.path(replica.level_dir(level))
            findings += [*_holes(level, part, reached), *_overlaps(level, part, folder), *_order(level, part, folder)]
    return findings


def _holes(level: int, part: LTXTable, reached: int) -> Iterator[Finding]:
    """Other levels cover them: fewer restore points, nothing lost."""
    jumps = np.flatnonzero(part.min_txid[1:] > part.max_txid[:-1] + np.uint64(1))
    inside = [int(part.max_txid[j]) + 1 for j in jumps.tolist() if int(part.max_txid[j]) < reached]
    if inside:
        words = f"level {level} has {len(inside)} hole(s), the first at {inside[0]:016x}; other levels cover them"
        yield Finding("info", "ltx-gap", words, "fewer restore points, nothing is lost")


def _overlaps(level: int, part: LTXTable, folder: str) -> Iterator[Finding]:
    """Two files of a level that tell of the same transaction: one writer never makes them."""
    rows = np.flatnonzero(part.min_txid[1:] <= part.max_txid[:-1])
    if len(rows):
        first, second = part[int(rows[0])], part[int(rows[0]) + 1]
        words = (
            f"level {level} has {len(rows)} overlap(s), the first of {first.name} and {second.name}: were there two "
            "writers, or was a file put here by hand?"
        )
        hint = "validate --depth restore compares the ways; see that one Litestream alone writes into this folder"
        yield Finding("warning", "ltx-overlap", words, hint, path=f"{folder}/{second.name}")


def _order(level: int, part: LTXTable, folder: str) -> Iterator[Finding]:
    """Later transactions in files of earlier times: a restore to a time takes neither."""
    rows = np.flatnonzero(part.time_ns[1:] < part.time_ns[:-1])
    if len(rows):
        late = part[int(rows[0]) + 1]
        words = f"level {level}: {late.name} is older than the file before it ({len(rows)} such); did the clock jump?"
        hint = "name a --txid where you would name a time around then"
        yield Finding("info", "time-order", words, hint, path=f"{folder}/{late.name}")


def _short(replica: LTXReplica, table: LTXTable) -> list[Finding]:
    """Files too short to be any LTX file, as a full disk leaves them."""
    rows = np.flatnonzero(table.size < LEAST_SIZE)
    if not len(rows):
        return []
    one = table[int(rows[0])]
    words = f"{len(rows)} file(s) are too short for any LTX file, e.g. {one.name} of {one.size} bytes"
    hint = "validate --depth content tells what that takes away"
    return [Finding("error", "truncated", words, hint, path=replica.storage.path(replica.file_path(one)))]


def _copied(replica: LTXReplica) -> list[Finding]:
    if not replica.copied:
        return []
    return [
        Finding(
            "warning",
            "time-order",
            "the files' times are not those in their headers: was this replica copied without its times? The headers "
            "count here; litestream restore -timestamp goes by the files",
            "copy replicas with cp -a or rsync -t",
            path=replica.path,
        )
    ]


def _foreign(replica: LTXReplica) -> list[Finding]:
    paths = replica.foreign()
    temporary = [p for p in paths if p.endswith(".tmp")]
    others = [p for p in paths if not p.endswith(".tmp")]
    findings = []
    if temporary:
        words = f"{len(temporary)} temporary file(s), e.g. {temporary[0]}: a writer is at work, or was stopped"
        findings.append(
            Finding("info", "temporary-file", words, "nothing reads them", replica.storage.path(temporary[0]))
        )
    if others:
        like = [p for p in others if p.endswith(".ltx")]
        words = f"{len(others)} file(s) are none of the replica's, e.g. {(like or others)[0]}"
        hint = "litetui leaves them alone, and so does Litestream"
        path = replica.storage.path((like or others)[0])
        findings.append(Finding("warning" if like else "info", "unknown-file", words, hint, path))
    return findings
