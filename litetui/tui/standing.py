"""What the cursor stands on: the target of a restore, and what can be copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litetui.tui.attention.rows import AttentionSource
from litetui.tui.ltx.sources import LTXFileSource, PointSource
from litetui.tui.ltx.view import file_of, shows_ltx
from litetui.tui.naming import command_for
from litetui.tui.screens.restore import Start
from litetui.tui.tables.arranged import base_of
from litetui.tui.tables.file_sources import WALSource
from litetui.tui.tables.wal_sources import FrameSource, TransactionSource, WrittenPageSource
from litetui.tui.tree_line import Key, generation_of
from litetui.tui.work.log_book import log_text
from litetui.units import utc_clocks

if TYPE_CHECKING:
    from litetui.tui.attention.entries import Entry
    from litetui.tui.screens.browser import Browser


def restore_start(browser: Browser) -> Start:
    """The restore target that the cursor stands on."""
    key = browser.shown_key
    if browser.timeline.focused and (at := browser.timeline.target()) is not None:
        return Start(*at)
    if browser.view is not None and shows_ltx(browser.view, key):
        return Start("", _txid(browser))
    newest = browser.view.newest if browser.view is not None and browser.view.ltx is None else None
    generation = generation_of(key) or (newest.name if newest is not None else "")
    if browser.pane == "detail" and (row := browser.table.base_row) is not None:
        source = base_of(browser.table.source)
        if isinstance(source, AttentionSource) and (known := browser.attention.start(source.entries[row])) is not None:
            return Start(*known)
        if isinstance(source, TransactionSource):
            end = int(source.transactions.end_offset[row])
            return Start(generation, f"{generation}/{int(key[2]):08x}:{end}")
        if isinstance(source, WrittenPageSource):
            return Start(generation, f"{generation}/{int(key[2]):08x}:{source.end_offset}")
        if isinstance(source, FrameSource):
            return Start(generation, _transaction_of_frame(source, key, row))
        if isinstance(source, WALSource):
            return Start(generation, source.target(row))
        if browser.tab == "generations":
            return Start(str(source.key(row)), "")
        if browser.tab == "snapshots":
            return Start(generation, f"{generation}/{int(str(source.key(row))):08x}:0")
    if key[0] == "index":
        return Start(generation, f"{int(key[2]):08x}")
    if key[0] == "snapshot":
        return Start(generation, f"{generation}/{int(key[2]):08x}:0")
    return Start(generation_of(key), "")  # on the replica's own line a time may lie in any generation


def _txid(browser: Browser) -> str:
    """The TXID that the cursor stands on, where a restore can end at it."""
    key, row = browser.shown_key, browser.table.base_row
    source = base_of(browser.table.source)
    points = browser.view.ltx.points if browser.view is not None and browser.view.ltx is not None else None
    txid: int | None = None
    if browser.pane == "detail" and row is not None and isinstance(source, LTXFileSource):
        txid = source.last_txid(row)
    elif browser.pane == "detail" and row is not None and isinstance(source, PointSource):
        txid = source.txid(row)
    elif key[0] == "ltxfile" and points is not None and points.has(int(key[3])):
        txid = int(key[3])
    return "" if txid is None else f"{txid:016x}"


def _transaction_of_frame(source: FrameSource, key: Key, frame: int) -> str:
    """The position of the end of the transaction that holds a frame; after the last commit the whole index."""
    import numpy as np

    transactions = source.frames.transactions
    at = int(np.searchsorted(transactions.last_frame, frame))
    if at >= len(transactions):
        return f"{int(key[2]):08x}"
    return f"{key[1]}/{int(key[2]):08x}:{int(transactions.end_offset[at])}"


def copyable(browser: Browser) -> list[tuple[str, str]]:
    """What can be copied here: a name and the text."""

    found: list[tuple[str, str]] = []
    if browser.pane in ("jobs", "log"):
        found += _of_jobs(browser)
    start, entry = restore_start(browser), _entry(browser)
    if entry is not None and (command := browser.attention.remedy(entry)):
        found.append(("remedy", command))
    if browser.view is not None and shows_ltx(browser.view, browser.shown_key):
        found += _of_ltx(browser, start.target)
    elif "/" in start.target:
        found.append(("position", start.target))
    elif start.target not in ("", "last-good"):
        found.append(("TXID" if len(start.target) == 16 else "index", start.target))
    newest = browser.view.newest if browser.view is not None and browser.view.ltx is None else None
    if generation := start.generation or (newest.name if newest is not None else ""):
        found.append(("generation", generation))
    found.append(("replica", browser.app.path or ""))
    if browser.app.database:
        found.append(("database", browser.app.database))
    if browser.app.path:
        alone = browser.view is not None and browser.view.ltx_alone
        found.append(("command", command_for(browser.app.path, browser.shown_key, ltx_alone=alone)))
    if browser.stop in ("detail", "jobs", "log"):
        table = browser.table_in_focus
        if table.row_count:
            with utc_clocks():
                cells = table.source.cells(table.cursor)
            row = "\t".join(cell if isinstance(cell, str) else cell[0] for cell in cells)
            found.append(("row", row))
    return found


def _entry(browser: Browser) -> Entry | None:
    """What needs attention, where the cursor stands on such a row."""

    source, row = base_of(browser.table.source), browser.table.base_row
    if browser.pane != "detail" or not isinstance(source, AttentionSource) or row is None:
        return None
    return source.entries[row]


def _of_jobs(browser: Browser) -> list[tuple[str, str]]:
    """The job under the cursor, or the line of the log and all that are shown."""
    if browser.pane == "log":
        lines = browser.log_pane.book.shown
        line = [("message", browser.log_pane.line.text)] if browser.log_pane.line is not None else []
        return line + ([("all lines", log_text(lines, browser.settings.now_ns()))] if lines else [])
    job = browser.jobs_pane.job_of(browser.app.runner.jobs)
    if job is None:
        return []
    found = [("job's command", job.command)] if job.command else []
    return found + ([("output", job.output)] if job.output else [])


def _of_ltx(browser: Browser, txid: str) -> list[tuple[str, str]]:

    found = [("TXID", txid)] if txid else []
    ltx, key, row = browser.view.ltx if browser.view is not None else None, browser.shown_key, browser.table.base_row
    source = base_of(browser.table.source)
    info = None
    if browser.pane == "detail" and row is not None and isinstance(source, LTXFileSource):
        info = source.table[source.at(row)]
    elif ltx is not None and key[0] == "ltxfile" and (level := ltx.level(int(key[1]))) is not None:
        info = file_of(level, key)
    if ltx is not None and info is not None:
        found.append(("path", f"{ltx.replica.path}/{ltx.replica.file_path(info)}"))
    return found
