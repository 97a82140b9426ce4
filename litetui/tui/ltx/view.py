"""What the right side and the headline say of a v0.5 replica: pure functions of the view, without textual."""

from __future__ import annotations

from litetui.errors import DamageError, LitetuiError
from litetui.replica.types import LTXInfo
from litetui.tui.attention.model import Beside, calm, of_ltx
from litetui.tui.attention.rows import lines
from litetui.tui.cards import Card, Note
from litetui.tui.checks import Check
from litetui.tui.details import Detail, Tab, attention_tab, live_notes
from litetui.tui.ltx.evidence import ltx_card
from litetui.tui.ltx.model import SNAPSHOTS, LevelView, LTXView, file_name, row_of, which
from litetui.tui.ltx.page_source import PageSource
from litetui.tui.ltx.pages import LTXPages
from litetui.tui.ltx.sources import LevelSource, LTXFileSource, PointSource
from litetui.tui.model import ReplicaView
from litetui.tui.owning import Looked
from litetui.tui.tables.sources import Clock
from litetui.tui.tree_line import LTX, LTX_KINDS, Key
from litetui.units import counted, format_age, format_clock, format_size


def shows_ltx(view: ReplicaView, key: Key) -> bool:
    """Whether a line of the tree is about LTX files."""
    return view.ltx is not None and (view.ltx_alone or key[0] in LTX_KINDS)


def ltx_detail(
    view: ReplicaView,
    ltx: LTXView,
    key: Key,
    clock: Clock,
    pages: LTXPages | LitetuiError | None,
    looked: Looked,
    beside: Beside,
) -> Detail:
    """What to show for a line of the tree; `pages` is what a file holds, once it was read."""
    level = ltx.level(int(key[1])) if len(key) > 1 else None
    if level is not None and key[0] == "ltxfile" and (info := file_of(level, key)) is not None:
        return _file(ltx, info, clock, pages, looked, beside.checks.get(LTX))
    if level is not None and key[0] in LTX_KINDS:
        return _level(ltx, level, clock)
    return _overview(view, ltx, clock, beside)


def file_of(level: LevelView, key: Key) -> LTXInfo | None:
    """The file that a key stands for, None once it is gone."""
    row = row_of(level.table, int(key[2]), int(key[3]))
    return None if row is None else level.table[row]


def _overview(view: ReplicaView, ltx: LTXView, clock: Clock, beside: Beside) -> Detail:
    now, check = clock(), beside.checks.get(LTX)
    snapshots = ltx.level(SNAPSHOTS)
    files = len(ltx.table)
    last = ltx.last_ns
    cards = [
        _reach(ltx, check),
        Card("Newest file", format_clock(last, now, millis=False) if last else "none",
             format_age(last, now) if last else ""),
        Card("Snapshots", f"{len(snapshots.table):,}" if snapshots else "0",
             f"newest {format_age(snapshots.last_ns, now)}" if snapshots else "level 9"),
        Card("LTX files", f"{files:,}", counted(len(ltx.levels), "level"), drop=1),
        Card("Restore points", f"{len(ltx.points):,}", drop=1),
        Card("Stored", format_size(ltx.size), drop=2),
        ltx_card(view.path, ltx, beside.jobs, check, now),
    ]  # fmt: skip
    notes: list[Note] = [(which(view), "")] if view.why else []
    notes += [(_copied(ltx, now), "warning")] if ltx.copied else []
    notes += live_notes(view, now, beside)
    found, checks = of_ltx(view, ltx, now, beside), [check] if check is not None else []
    tabs = [
        Tab("levels", f"Levels {len(ltx.levels)}", LevelSource(ltx.levels, clock)),
        Tab("points", f"Restore points {len(ltx.points):,}", PointSource(ltx, clock)),
        attention_tab(found, clock, checks),
    ]
    if not view.ltx_alone:
        start = "attention" if any(f.severity == "error" for f in ltx.findings) else "levels"
        return Detail("ltx", ltx.layout, cards, notes, tabs, start)
    if not found:
        notes.append((calm(checks), ""))
    return Detail(view.name, ltx.layout, cards, notes, tabs, "levels", lines(found, now))


def _level(ltx: LTXView, level: LevelView, clock: Clock) -> Detail:
    now = clock()
    cards = [
        Card("Files", f"{len(level.table):,}"),
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
    source = LTXFileSource(level, ltx.points, clock, copied=ltx.copied)
    notes: list[Note] = [(_copied(ltx, now), "warning")] if ltx.copied else []
    return Detail(level.name.capitalize(), words, cards, notes, [Tab("ltxfiles", f"LTX files {len(source):,}", source)])


def _reach(ltx: LTXView, check: Check | None) -> Card:
    """Up to where the files lead, by their names, or by a check that read their bytes and found damage."""
    report = check.report if check is not None and check.read_bytes else None
    if report is not None and report.latest_restores is False and not ltx.gap:
        to = report.restorable_to
        around = to is not None and to.offset >= ltx.reached
        return Card("Restores to", str(to or "nothing"), "by last-good" if around else "damage follows", "error")
    reached = f"{ltx.reached:016x}" if ltx.reached else "nothing"
    if ltx.why_not and not ltx.gap and report is None:
        return Card("Names lead to", reached, "does not restore", "error")
    note = "nothing begins with TXID 1" if not ltx.reached else "a gap follows" if ltx.gap else "the last TXID"
    return Card("Restores to", reached, note, "error" if ltx.gap or not ltx.reached else "")


def _copied(ltx: LTXView, now: int) -> str:
    """Both times of the newest file, and which one counts."""
    row = int(ltx.table.time_ns.argmax())
    header, file = int(ltx.table.time_ns[row]), int(ltx.table.mtime_ns[row])
    return (
        f"Copied without its times: the newest file is of {format_clock(header, now)} by its header, which counts "
        f"here, and of {format_clock(file, now)} by its file, which litestream restore -timestamp goes by."
    )


def _file(
    ltx: LTXView,
    info: LTXInfo,
    clock: Clock,
    pages: LTXPages | LitetuiError | None,
    looked: Looked,
    check: Check | None,
) -> Detail:
    now = clock()
    cards = [
        Card("TXIDs", f"{info.min_txid:016x}", f"to {info.max_txid:016x}"),
        Card("Size", format_size(info.size), f"{info.size} bytes"),
        Card("Created", format_clock(info.time_ns, now), format_age(info.time_ns, now)),
    ]
    notes: list[Note] = []
    if ltx.copied:
        cards.append(Card("File's own time", format_clock(info.mtime_ns, now), "copied: the header counts", "warning"))
    if info.max_txid > ltx.points.last:
        notes.append(("No restore reaches this file: LTX files before it are missing.", "error"))
    elif not ltx.points.has(info.max_txid):
        notes.append(("No restore can end here: what this file follows on is gone, as retention leaves it.", ""))
    tab = Tab("pages", "Pages", None)
    error = pages if isinstance(pages, LitetuiError) else pages.problem if pages is not None else None
    if error is not None:
        notes.append((_trouble(error), "error"))
        notes += [(f"Try: {error.hint}", "")] if error.hint else []
    if isinstance(pages, LTXPages):
        cards += _header_cards(pages, now)
        source = PageSource(pages, looked.state, looked.pending)
        tab = Tab("pages", f"Pages {len(pages):,}", source, "error" if pages.problem else "")
        notes.append((_header_words(pages), ""))
        notes += [looked.note] if looked.note[0] else []
    if check is not None and error is None:
        notes += _found_in(ltx, info, check)
    whole = ", the whole database" if info.min_txid == 1 else ""
    return Detail(info.name, f"level {info.level}{whole}", cards, notes, [tab])


def _trouble(error: LitetuiError) -> str:
    """What is wrong with the file that is shown: its path stands above already."""
    if not isinstance(error, DamageError):
        return str(error)
    return f"Damaged{'' if error.offset is None else f' at byte {error.offset}'}: {error.cause}"


def _found_in(ltx: LTXView, info: LTXInfo, check: Check) -> list[Note]:
    """What a validation found in a file beyond what its own checksums tell."""
    path = ltx.replica.storage.path(ltx.replica.file_path(info))
    return [(f.message, f.severity) for f in check.report.findings if f.path == path and f.severity != "info"]


def _header_cards(pages: LTXPages, now: int) -> list[Card]:
    header = pages.header
    right = pages.problem is None
    return [
        Card("Pages", f"{len(pages):,}", "checksums right" if right else "damaged", "" if right else "error"),
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


def ltx_crumb(key: Key) -> list[str]:
    """The words of a key in the line below the headline."""
    if key[0] == "ltx":
        return ["ltx"]
    return [f"level {key[1]}", *([file_name(key)] if key[0] == "ltxfile" else [])]
