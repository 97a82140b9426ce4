"""What the right side and the headline say of a v0.5 replica: pure functions of the view, without textual."""

from __future__ import annotations

import os
from collections.abc import Sequence

from litetui.errors import DamageError, LitetuiError
from litetui.jobs.job import Job
from litetui.replica.types import Finding, LTXInfo
from litetui.tui.cards import Card
from litetui.tui.details import Beside, Detail, Note, Tab, attention
from litetui.tui.ltx_model import LTX_KINDS, SNAPSHOTS, LevelView, LTXView, file_name, gap_words, row_of, which
from litetui.tui.ltx_pages import LTXPages
from litetui.tui.ltx_sources import LevelSource, LTXFileSource, PageSource, PointSource
from litetui.tui.model import ReplicaView
from litetui.tui.outline import Key
from litetui.tui.sources import Clock
from litetui.units import format_age, format_clock, format_duration, format_size

STALE_NS = 600 * 1_000_000_000


def shows_ltx(view: ReplicaView, key: Key) -> bool:
    """Whether a line of the tree is about LTX files."""
    return view.ltx is not None and (view.ltx_alone or key[0] in LTX_KINDS)


def ltx_detail(
    view: ReplicaView, ltx: LTXView, key: Key, clock: Clock, pages: LTXPages | LitetuiError | None, beside: Beside
) -> Detail:
    """What to show for a line of the tree; `pages` is what a file holds, once it was read."""
    level = ltx.level(int(key[1])) if len(key) > 1 else None
    if level is not None and key[0] == "ltxfile" and (info := file_of(level, key)) is not None:
        return _file(ltx, info, clock, pages)
    if level is not None and key[0] in LTX_KINDS:
        return _level(ltx, level, clock)
    return _overview(view, ltx, clock, beside)


def file_of(level: LevelView, key: Key) -> LTXInfo | None:
    """The file that a key stands for, None once it is gone."""
    row = row_of(level.table, int(key[2]), int(key[3]))
    return None if row is None else level.table[row]


def _overview(view: ReplicaView, ltx: LTXView, clock: Clock, beside: Beside) -> Detail:
    now = clock()
    snapshots = ltx.level(SNAPSHOTS)
    files = len(ltx.table)
    last = ltx.last_ns
    cards = [
        Card("Restores to", f"{ltx.reached:016x}" if ltx.reached else "nothing",
             "a gap follows" if ltx.gap else "the last TXID", "error" if ltx.gap or not ltx.reached else ""),
        Card("Newest file", format_clock(last, now, millis=False) if last else "none",
             format_age(last, now) if last else ""),
        Card("Snapshots", str(len(snapshots.table)) if snapshots else "0",
             f"newest {format_age(snapshots.last_ns, now)}" if snapshots else "level 9"),
        Card("LTX files", str(files), f"{len(ltx.levels)} levels", drop=1),
        Card("Restore points", str(len(ltx.points)), drop=1),
        Card("Stored", format_size(ltx.size), drop=2),
        _checked(view, beside.jobs, now),
    ]  # fmt: skip
    notes: list[Note] = [(which(view), "")] if view.why else []
    if last and now - last > STALE_NS:
        notes.append(
            (f"Newest file {format_duration(now - last)} old: nothing was written, or Litestream stopped.", "")
        )
    found = (*_met(view, beside.jobs), *ltx.findings)
    tabs = [
        Tab("levels", f"Levels {len(ltx.levels)}", LevelSource(ltx.levels, clock)),
        Tab("points", f"Restore points {len(ltx.points)}", PointSource(ltx, clock)),
        attention(found),
    ]
    start = "attention" if any(f.severity == "error" for f in ltx.findings) else "levels"
    return Detail(view.name if view.ltx_alone else "ltx", ltx.layout, cards, notes, tabs, start)


def _level(ltx: LTXView, level: LevelView, clock: Clock) -> Detail:
    now = clock()
    cards = [
        Card("Files", str(len(level.table))),
        Card("Size", format_size(level.size)),
        Card("TXIDs", f"{level.first:016x}", f"to {level.last:016x}"),
        Card("First file", format_clock(level.first_ns, now, millis=False), format_age(level.first_ns, now)),
        Card("Last file", format_clock(level.last_ns, now, millis=False), format_age(level.last_ns, now)),
    ]
    words = "one file a sync"
    if level.level == SNAPSHOTS:
        words = "the whole database, up to the last TXID of each"
    elif level.level:
        words = f"compacted from level {level.level - 1}: TXIDs inside a file are no restore points"
    source = LTXFileSource(level, ltx.points, clock)
    return Detail(level.name.capitalize(), words, cards, [], [Tab("ltxfiles", f"LTX files {len(source)}", source)])


def _file(ltx: LTXView, info: LTXInfo, clock: Clock, pages: LTXPages | LitetuiError | None) -> Detail:
    now = clock()
    cards = [
        Card("TXIDs", f"{info.min_txid:016x}", f"to {info.max_txid:016x}"),
        Card("Size", format_size(info.size), f"{info.size} bytes"),
        Card("Created", format_clock(info.time_ns, now), format_age(info.time_ns, now)),
    ]
    notes: list[Note] = []
    if info.max_txid > ltx.points.last:
        notes.append(("No restore reaches this file: LTX files before it are missing.", "error"))
    elif not ltx.points.has(info.max_txid):
        notes.append(("No restore can end here: what this file follows on is gone, as retention leaves it.", ""))
    tab = Tab("pages", "Pages", None)
    error = pages if isinstance(pages, LitetuiError) else pages.problem if pages is not None else None
    if error is not None:
        notes.append((str(error), "error"))
        notes += [(f"Try: {error.hint}", "")] if error.hint else []
    if isinstance(pages, LTXPages):
        cards += _header_cards(pages, now)
        tab = Tab("pages", f"Pages {len(pages)}", PageSource(pages), "error" if pages.problem else "")
        notes.append((_header_words(pages), ""))
    whole = ", the whole database" if info.min_txid == 1 else ""
    return Detail(info.name, f"level {info.level}{whole}", cards, notes, [tab])


def _header_cards(pages: LTXPages, now: int) -> list[Card]:
    header = pages.header
    right = pages.problem is None
    return [
        Card("Pages", str(len(pages)), "checksums right" if right else "damaged", "" if right else "error"),
        Card("Commit", f"{header.commit} pages", format_size(header.commit * header.page_size)),
        Card("Page size", str(header.page_size), drop=1),
    ]


def _header_words(pages: LTXPages) -> str:
    """What else the header and the trailer say."""
    h = pages.header
    words = [f"header: flags {h.flags:08x}", f"timestamp {h.timestamp_ms} ms"]
    if h.wal_offset:
        words.append(f"from WAL bytes {h.wal_offset} to {h.wal_offset + h.wal_size}, salts {h.salt1:08x} {h.salt2:08x}")
    if h.pre_apply:
        words.append(f"pre-apply {h.pre_apply:016x}")
    if h.node_id:
        words.append(f"node {h.node_id:016x}")
    if pages.trailer is not None:
        words.append(f"file checksum {pages.trailer.checksum:016x}")
    return ", ".join(words)


# evidence


def ltx_headline(view: ReplicaView, ltx: LTXView, now_ns: int, jobs: Sequence[Job] = ()) -> Note:
    """The answer of the first screen for a v0.5 replica: text and status. Names make nothing green."""
    unreadable = any(f.code == "unreadable" for f in ltx.findings)
    if unreadable:
        return ("not known: a part cannot be read", "error")
    if not len(ltx.table):
        return ("no LTX files: nothing to restore", "error")
    if not ltx.reached:
        return ("nothing restores: no file begins with the first TXID", "error")
    if ltx.gap is not None:
        return (f"latest does not restore: {gap_words(ltx.gap)}", "error")
    damaged, restored = _restores(view, jobs)
    if damaged is not None:
        return (f"damaged: a restore met it {format_age(damaged.ended_ns or 0, now_ns)}", "error")
    if restored is not None:
        plan = restored.result.plan
        newer = int((ltx.table.max_txid > plan.txid).sum())
        rest = f"; {newer} LTX file{'s' if newer > 1 else ''} newer" if newer else ""
        until = format_clock(plan.until_ns, now_ns, millis=False)
        return (f"restored and checked to {until}, {format_age(restored.ended_ns or 0, now_ns)}{rest}", "success")
    until, age = format_clock(ltx.until_ns, now_ns, millis=False), format_age(ltx.until_ns, now_ns)
    return (f"names complete to {until} ({age}), content not checked", "")


def _restores(view: ReplicaView, jobs: Sequence[Job]) -> tuple[Job | None, Job | None]:
    """The last restore from LTX files that met damage, unless one went further since, and the last sound one."""
    from litetui.ops.ltx_plan import LTXPlan

    damaged: Job | None = None
    restored: Job | None = None
    for job in jobs:
        if job.kind != "restore" or job.target != view.path or job.ended_ns is None:
            continue
        if isinstance(job.error, DamageError):
            damaged = job if (job.error.path or "").endswith(".ltx") else damaged
            continue
        plan = getattr(job.result, "plan", None)
        if isinstance(plan, LTXPlan) and job.result.integrity_check == "ok":
            restored = job
            damaged = None if view.ltx is not None and plan.txid == view.ltx.reached else damaged
    return damaged, restored


def _met(view: ReplicaView, jobs: Sequence[Job]) -> list[Finding]:
    """The damage that a restore met, as a finding."""
    damaged, _ = _restores(view, jobs)
    error = damaged.error if damaged is not None else None
    if not isinstance(error, DamageError):
        return []
    words = f"a restore met damage in {os.path.basename(error.path or '')}: {error.cause}"
    return [Finding("error", error.code, words, error.hint or "", path=error.path)]


def _checked(view: ReplicaView, jobs: Sequence[Job], now: int) -> Card:
    damaged, restored = _restores(view, jobs)
    if damaged is not None:
        return Card("Checked", "damaged", format_age(damaged.ended_ns or 0, now), "error")
    if restored is not None:
        return Card("Checked", "restored ok", format_age(restored.ended_ns or 0, now), "success")
    return Card("Checked", "not yet", "r restores")


def ltx_crumb(key: Key) -> list[str]:
    """The words of a key in the line below the headline."""
    if key[0] == "ltx":
        return ["ltx"]
    return [f"level {key[1]}", *([file_name(key)] if key[0] == "ltxfile" else [])]
