"""The plan of a retention as rows, bars and words: what goes and what stays, by reason and file by file. Pure."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litetui.tui.tables.sources import Cell, Clock, Column, Source
from litetui.tui.textutil import short_times
from litetui.tui.timeline.axis import Bar, Span
from litetui.tui.work.write_plan import Item
from litetui.units import counted, format_age, format_clock, format_duration, format_size

if TYPE_CHECKING:
    from litetui.ops.retention import RetentionPlan
    from litetui.ops.retention.items import Items
    from litetui.replica.types import TimeRange


@dataclass(frozen=True, slots=True)
class Range:
    """Files of one generation and kind that go, or stay, for one reason."""

    goes: bool
    generation: str
    kind: str
    first: int
    last: int
    count: int
    size: int
    reason: str


def ranges(plan: RetentionPlan) -> list[Range]:
    """What goes, then what stays, in ranges. Looks at every file: call it in a thread."""
    found = []
    for goes, items in ((True, plan.delete), (False, plan.keep)):
        for group in items.groups:
            first, last = group.indexes
            size = int(group.sizes.sum())
            found.append(Range(goes, group.generation, group.kind, first, last, len(group), size, group.reason))
    return found


class RangeSource(Source):
    """The plan in ranges."""

    empty = "the replica holds no files"
    columns: Sequence[Column] = (
        Column("", 8),
        Column("Generation", 16, drop=1),
        Column("Kind", 8),
        Column("Indexes", 19),
        Column("Files", 7, right=True),
        Column("Size", 9, right=True),
        Column("Why", 12, grow=True),
    )

    def __init__(self, rows: Sequence[Range], dash: str, now_ns: Clock) -> None:
        self.rows = rows
        self.dash = dash
        self.now_ns = now_ns

    def __len__(self) -> int:
        return len(self.rows)

    def cells(self, row: int) -> Sequence[Cell]:
        one = self.rows[row]
        indexes = f"{one.first:08x}" + (f" {self.dash} {one.last:08x}" if one.last != one.first else "")
        return (
            ("deletes", "error") if one.goes else ("keeps", "muted"),
            one.generation,
            {"wal": "WAL"}.get(one.kind, one.kind),
            indexes,
            str(one.count),
            format_size(one.size),
            (self.why(row), "" if one.goes else "muted"),
        )

    def why(self, row: int) -> str:
        """The whole reason, which the table may cut."""
        return short_times(self.rows[row].reason, self.now_ns())


class ItemSource(Source):
    """Every file of one side of the plan, with its reason."""

    columns: Sequence[Column] = (
        Column("Index", 8),
        Column("Kind", 8),
        Column("Size", 9, right=True),
        Column("Created (UTC)", 22, right=True, drop=3),
        Column("Age", 10, right=True, drop=1),
        Column("Generation", 16),
        Column("File", 25),
        Column("Why", 10, drop=2, grow=True),
    )

    def __init__(self, items: Items, empty: str, now_ns: Clock) -> None:
        self.items = items
        self.empty = empty
        self.now_ns = now_ns

    def __len__(self) -> int:
        return len(self.items)

    def cells(self, row: int) -> Sequence[Cell]:
        one, now = self.items[row], self.now_ns()
        return (
            f"{one.index:08x}",
            {"wal": "WAL"}.get(one.kind, one.kind),
            format_size(one.size),
            format_clock(one.created_ns, now),
            (format_age(one.created_ns, now), "muted"),
            one.generation,
            one.path.rpartition("/")[2],
            (self.why(row), "muted"),
        )

    def why(self, row: int) -> str:
        """The whole reason, which the table may cut."""
        return short_times(self.items[row].reason, self.now_ns())

    def key(self, row: int) -> Hashable:
        return self.items[row].path


def why(source: Source, row: int | None) -> str:
    """The whole reason of a row of either table."""
    if isinstance(source, RangeSource | ItemSource) and row is not None and row < len(source):
        return source.why(row)
    return ""


def bars(plan: RetentionPlan) -> list[Bar]:
    """What can be restored, before and after, on one axis; what is lost is a hole."""
    before, after = plan.window_before, plan.window_after
    if before is None:
        return []
    ground = Span(before.start_ns, max(before.end_ns, after.end_ns if after is not None else 0), "warning")

    def spans(times: TimeRange | None) -> tuple[Span, ...]:
        return () if times is None else (Span(times.start_ns, times.end_ns),)

    return [
        Bar("window now", spans(before), None, _length(before)),
        Bar("window after", spans(after), ground, _length(after)),
    ]


def _length(times: TimeRange | None) -> str:
    return "nothing" if times is None else format_duration(times.end_ns - times.start_ns)


def items_of(plan: RetentionPlan, now_ns: int) -> list[Item]:
    """The plan in a few lines."""
    deletes, keeps = counted(len(plan.delete), "file"), counted(len(plan.keep), "file")
    items = [
        Item("deletes", f"{deletes}, {format_size(plan.bytes_freed)}; keeps {keeps}"),
        Item("free", _free(plan)),
        Item("window", _window(plan, now_ns)),
    ]
    if plan.snapshot_first:
        items.append(Item("first", _snapshot(plan), "" if plan.free_bytes >= plan.snapshot_bytes else "warning"))
    items += [Item("warning", words, "warning") for words in plan.warnings]
    return items + [Item("note", words) for words in plan.notes]


def _free(plan: RetentionPlan) -> str:
    """What the replica's disk has, now and after."""
    words = f"{format_size(plan.free_bytes)} on the replica's disk"
    gained = plan.bytes_freed - plan.snapshot_bytes
    return f"{words} now, about {format_size(max(0, plan.free_bytes + gained))} after" if gained else words


def _window(plan: RetentionPlan, now_ns: int) -> str:
    keeps = f"from {format_clock(plan.cutoff_ns, now_ns, millis=False)} on"
    return {
        "window": f"all that states {keeps} ({format_duration(plan.retention_ns)}) need stays; content not checked",
        "litestream": f"snapshots {keeps} stay, with their WAL: what lies between the cutoff and the first goes too",
    }[plan.rule]


def _snapshot(plan: RetentionPlan) -> str:
    name = os.path.basename(plan.database or "")
    words = f"a snapshot of {name}, about {format_size(plan.snapshot_bytes)}; {format_size(plan.free_bytes)} are free"
    if plan.free_bytes < plan.snapshot_bytes and plan.delete_before_snapshot:
        words += f"; {counted(plan.delete_before_snapshot, 'file')} deleted before it, to make room"
    return words
