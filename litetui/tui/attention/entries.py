"""One thing that needs attention, and how it is said. Pure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from litetui.replica.types import Finding
from litetui.tui.ltx.model import ltx_place
from litetui.units import format_age, format_clock

ORDER = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing: `words` say what it is and what it means.

    since_ns  since when it is so, None where nothing tells
    found_ns  when it was met
    advice    what to do about it, in a sentence
    action    the action of the table that helps, with what it does here; "" where none does
    finding, job   the place that it leads to, where there is one
    """

    severity: str
    code: str
    words: str
    since_ns: int | None = None
    advice: str = ""
    action: str = ""
    does: str = ""
    finding: Finding | None = None
    job: int = 0
    found_ns: int | None = None

    @property
    def where(self) -> str:
        """Its place, short."""
        one = self.finding
        if one is None:
            return ""
        if one.index is None:
            odd = os.path.basename(one.path or "") if one.code == "unknown-file" else ""
            return one.generation or ltx_place(one.path) or odd
        return f"snapshot {one.index:08x}" if "/snapshots/" in (one.path or "") else f"{one.index:08x}"


def worst(entries: Sequence[Entry]) -> str:
    """The status of the worst, "" where it is only to be known."""
    return next((e.severity for e in entries if e.severity in ("error", "warning")), "")


def since_words(entry: Entry, now_ns: int) -> str:
    """Since when, with its age; where nothing tells, when it was found."""
    at_ns = entry.found_ns if entry.since_ns is None else entry.since_ns
    if at_ns is None:
        return ""
    word = "found" if entry.since_ns is None else "since"
    return f"{word} {format_clock(at_ns, now_ns, millis=False)} ({format_age(at_ns, now_ns)})"
