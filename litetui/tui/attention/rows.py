"""What needs attention as rows of a table, and as a few lines under the facts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from litetui.tui.attention.entries import Entry, since_words
from litetui.tui.cards import Brief
from litetui.tui.keys import BY_ID
from litetui.tui.tables.sources import Cell, Clock, Column, Source
from litetui.tui.textutil import short_times
from litetui.units import format_age

LINES = 3
STYLES = {"error": "error", "warning": "warning"}


def helps(entry: Entry) -> str:
    """The key that helps, and what it does."""
    return f"{BY_ID[entry.action].shown_key} {entry.does}" if entry.action else ""


class AttentionSource(Source):
    """Entries, the worst first."""

    columns = (
        Column("", 9),
        Column("Since", 12, right=True, drop=3),
        Column("Where", 19, drop=1),
        Column("What", 30, grow=True),
        Column("Key", 22, drop=2),
    )

    def __init__(self, entries: Sequence[Entry], empty: str, now_ns: Clock) -> None:
        self.entries = tuple(entries)
        self.empty = empty
        self.now_ns = now_ns

    def __len__(self) -> int:
        return len(self.entries)

    def cells(self, row: int) -> Sequence[Cell]:
        one = self.entries[row]
        style = STYLES.get(one.severity, "")
        age = "" if one.since_ns is None else format_age(one.since_ns, self.now_ns())
        words = short_times(one.words, self.now_ns())
        return ((one.severity, style), (age, "muted"), one.where, words, (helps(one), "accent"))

    def key(self, row: int) -> Hashable:
        one = self.entries[row]
        place = one.finding
        if place is None:
            return (one.code, one.job)
        return (one.code, place.path, place.generation, place.index, place.offset)


def lines(entries: Sequence[Entry], now_ns: int) -> list[Brief]:
    """The worst ones, a line each, and how many more there are."""
    shown = [
        Brief(
            entry.severity,
            short_times(placed(entry), now_ns),
            tuple(filter(None, (since_words(entry, now_ns), helps(entry)))),
        )
        for entry in entries[:LINES]
    ]
    if (more := len(entries) - LINES) > 0:
        shown.append(Brief("", f"{more} more: see Attention"))
    return shown


def placed(entry: Entry) -> str:
    """Its words, with the file that they are about in front where they do not begin with it."""
    one, where = entry.finding, entry.where
    if one is None or (one.index is None and one.generation is not None) or not where:
        return entry.words
    if where.split(" ")[-1] in entry.words.partition(";")[0]:
        return entry.words
    return f"{where}{'' if one.frame is None else f' frame {one.frame}'}: {entry.words}"


def whole(entry: Entry, now_ns: int) -> list[str]:
    """An entry uncut: what it is and since when, what to do about it, and the key."""
    since = since_words(entry, now_ns)
    words = [placed(entry) + (f"; {since}" if since else "")]
    words += [f"Try: {entry.advice}"] if entry.advice else []
    return [short_times(text, now_ns) for text in words] + ([helps(entry)] if entry.action else [])
