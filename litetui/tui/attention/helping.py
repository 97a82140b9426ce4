"""Since when a finding is so, and the key that helps with it. Pure."""

from __future__ import annotations

import os

from litetui.format import names
from litetui.replica.types import Finding
from litetui.tui.checks import Check
from litetui.tui.ltx.model import ltx_key
from litetui.tui.model import GenerationView, ReplicaView

EARLIER, LATEST = "restores the earlier", "takes the latest"


def began(finding: Finding, view: ReplicaView) -> int | None:
    """Since when: the time of the file, or of the last one before it where it is missing; None: nothing tells."""
    if (key := ltx_key(finding.path)) is not None and view.ltx is not None:
        table = view.ltx.table
        rows = (table.level == key[1]) & (table.min_txid == key[2]) & (table.max_txid == key[3])
        return int(table.time_ns[rows][0]) if rows.any() else None
    if finding.code == "ltx-gap" and view.ltx is not None:
        return view.ltx.until_ns if view.ltx.reached else None
    generation = view.generation(finding.generation or "")
    if generation is None:
        return None
    if finding.index is None:
        return generation.stats.created_ns if finding.code == "no-snapshot" else None
    if "/snapshots/" in (finding.path or ""):
        return next((s.created_ns for s in generation.snapshots if s.index == finding.index), None)
    wals, named = generation.wals, names.parse_wal(os.path.basename(finding.path or ""))
    rows = wals.rows_of(finding.index)
    offset = (named.offset if named is not None else finding.offset) or 0
    gone = not rows or finding.code.startswith("missing-")
    row = rows.start + int(wals.offset[rows.start : rows.stop].searchsorted(offset, "left" if gone else "right")) - 1
    row = row if gone else max(row, rows.start)
    if row >= 0:
        return int(wals.mtime_ns[row])
    return max((s.created_ns for s in generation.snapshots if s.index <= finding.index), default=None)


def helps(finding: Finding, view: ReplicaView, check: Check | None) -> tuple[str, str]:
    """The key that helps with a finding; `check`: what has read the bytes, and found it there."""
    code = finding.code
    if finding.severity == "info":
        return "", ""
    if code == "unreadable":
        return ("validate", "checks again") if check is not None else ("refresh", "reads again")
    if code == "time-order":
        return "restore", "takes a position"
    if code == "other-database":
        return "restore", EARLIER
    if code in ("unknown-file", "orphan-wal", "ltx-overlap"):
        return ("", "") if check is not None else ("validate", "validates")
    generation = view.generation(finding.generation or "")
    if code == "no-snapshot":
        return anew(generation, view) if generation is not None and finding.severity == "error" else ("", "")
    if check is None:
        return "validate", "says what restores"
    if check.report.restorable_to is None:
        return anew(generation, view) if generation is not None else ("", "")
    if finding.severity == "warning":
        return "", ""
    return "restore", LATEST if check.report.latest_restores else "to last-good"


def earlier(view: ReplicaView, name: str) -> GenerationView | None:
    """The generation before one that restores by its names."""
    known = [generation.name for generation in view.generations]
    older = view.generations[known.index(name) + 1 :] if name in known else ()
    return next((generation for generation in older if generation.survey.restorable), None)


def anew(generation: GenerationView, view: ReplicaView) -> tuple[str, str]:
    """What helps where nothing of a generation restores."""
    if not generation.newest or view.from_ltx:
        return "", ""
    if view.primary is not None:
        return "snapshot", "writes one"
    return ("restore", EARLIER) if earlier(view, generation.name) is not None else ("attach", "attaches the database")
