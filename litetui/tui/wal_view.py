"""What the details show for the WAL of one index: its transactions, the pages of one of them, its frames, its files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from litetui.errors import DamageError, LitetuiError
from litetui.tui.cards import Card, Note
from litetui.tui.details import Detail, Tab, wal_source
from litetui.tui.model import GenerationView
from litetui.tui.owning import Looked
from litetui.tui.tables.sources import Clock
from litetui.tui.tables.wal_sources import FrameSource, TransactionSource, WrittenPageSource
from litetui.units import counted, format_age, format_clock, format_size

if TYPE_CHECKING:
    from litetui.ops.breaks import FrameFault
    from litetui.ops.frames import FrameTable


def wal_detail(
    generation: GenerationView,
    index: int,
    clock: Clock,
    frames: FrameTable | LitetuiError | None,
    looked: Looked,
) -> Detail | None:
    """None where the generation has no such index. `frames` is what the WAL holds, once it was read."""
    now = clock()
    columns = generation.indexes
    at = columns.row_of(index)
    if at is None:
        return None
    last_ns = int(columns.last_ns[at])
    files = wal_source(generation, at, at + 1, clock)
    stored = int(generation.wals.size[files.start : files.stop].sum())
    cards = [
        Card("Stored", format_size(stored), "1 file" if len(files) == 1 else counted(len(files), "segment")),
        Card("Last file", format_clock(last_ns, now, millis=False), format_age(last_ns, now)),
    ]
    notes: list[Note] = []
    tabs = [Tab("transactions", "Transactions", None), Tab("frames", "Frames", None)]
    if isinstance(frames, LitetuiError):
        notes += _error_notes(frames)
    elif frames is not None:
        cards += _frame_cards(frames)
        if frames.fault is not None:
            notes += fault_notes(frames.fault, frames.problem)
        elif frames.problem is not None:
            notes += _error_notes(frames.problem)
        if looked.note[0]:
            notes.append(looked.note)
        tabs = _tabs(frames, looked)
    active = generation.newest and at == len(columns) - 1
    return Detail(
        f"WAL {index:08x}",
        f"of {generation.name}{', active: more may be written' if active else ''}",
        cards,
        notes,
        [*tabs, Tab("wal", f"Files {len(files):,}", files)],
    )


def _tabs(frames: FrameTable, looked: Looked) -> list[Tab]:
    bad = len(frames) - frames.valid_frames
    owners = looked.owners.resized(len(frames)) if looked.owners is not None else None
    transactions, source = TransactionSource(frames, owners, looked.pending), FrameSource(frames, owners)
    if _unknown(frames):
        transactions.empty = source.empty = "not known: see above"
        return [Tab("transactions", "Transactions", transactions), Tab("frames", "Frames", source, "error")]
    tabs = [Tab("transactions", f"Transactions {len(transactions):,}", transactions)]
    if looked.chosen is not None:
        pages = WrittenPageSource(frames, looked.chosen, owners, looked.pending)
        tabs.append(Tab("pages", f"Pages of transaction {looked.chosen + 1}", pages))
    return [*tabs, Tab("frames", f"Frames {len(frames):,}", source, "error" if bad else "")]


def _unknown(frames: FrameTable) -> bool:
    """Whether nothing of a WAL could be read, as its first file is damaged."""
    return frames.header is None and frames.problem is not None


def _error_notes(error: LitetuiError) -> list[Note]:
    return [(str(error), "error"), *([(f"Try: {error.hint}", "")] if error.hint else [])]


def fault_notes(fault: FrameFault, problem: DamageError | None) -> list[Note]:
    """Why a frame is not valid, and what its header should say and says. Without a problem it is no damage."""
    from litetui.ops.breaks import pair_text

    file = f"{os.path.basename(problem.path)}, " if problem is not None and problem.path else ""
    words = f"{file}frame {fault.frame}, offset {fault.offset}: {fault.reason}"
    notes: list[Note] = [(words, "error" if problem is not None else "")]
    name, expected, found = "checksum", fault.expected_checksum, fault.checksum
    if fault.salts != fault.expected_salts:  # the checksum of a frame of another WAL says nothing
        name, expected, found = "salts", fault.expected_salts, fault.salts
    if found is not None and found != expected:
        notes.append((f"{name} expected {pair_text(expected)}, found {pair_text(found)}", ""))
    return notes


def _frame_cards(frames: FrameTable) -> list[Card]:
    if _unknown(frames):
        return [Card("Transactions", "not known"), Card("Frames", "not known"), Card("Page size", "not known")]
    bad, cut = len(frames) - frames.valid_frames, frames.problem is not None
    read = "before the damage" if cut else "checksums right"
    if frames.header is None:  # the WAL has just begun
        return [Card("Transactions", "0"), Card("Frames", "0")]
    return [
        Card("Transactions", f"{len(frames.transactions):,}", "before the damage" if cut else "committed"),
        Card("Frames", f"{len(frames):,}", f"{bad:,} invalid" if bad else read, "error" if bad else ""),
        Card("Page size", str(frames.page_size), f"{frames.checksum_order} endian"),
        Card("Salts", f"{frames.salt1:08x} {frames.salt2:08x}"),
    ]
