"""What is said of bytes that were read: sentences and cards, the same for generations and LTX files. Pure.

The verdict comes first, then the moment up to which it holds: what does not fit into a headline is cut at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from litetui.jobs.job import Job
from litetui.replica.types import Finding
from litetui.tui.cards import Card, Note
from litetui.tui.checks import Check, Since
from litetui.tui.ltx.model import Seen
from litetui.units import format_age, format_clock

if TYPE_CHECKING:
    from litetui.ops.verdict import GenerationReport, Report


def names_to(ns: int, now_ns: int) -> str:
    """What is said where nothing read the bytes."""
    return f"names complete to {moment(ns, now_ns)}, content not checked"


def good(check: Check, newer: Since, updated_ns: int | None, now_ns: int) -> Note:
    """What a check found in order, and what is newer."""
    how = "restored and checked" if check.drilled else "content checked"
    return _sound(how, check.report.restorable_until_ns, check.at_ns, newer, updated_ns, now_ns)


def restored_to(restored: Job, newer: Since, updated_ns: int | None, now_ns: int) -> Note:
    """The same of a restore of the session."""
    until_ns, at_ns = restored.result.plan.until_ns, restored.ended_ns or 0
    return _sound("restored and checked", until_ns, at_ns, newer, updated_ns, now_ns)


def _sound(how: str, until_ns: int | None, at_ns: int, newer: Since, updated_ns: int | None, now_ns: int) -> Note:
    """How it was checked, up to when and when that was; what is newer is unchecked, and up to `updated_ns` complete by
    its names."""
    words = how + ("" if until_ns is None else f" to {format_clock(until_ns, now_ns, millis=False)}")
    words += f", {format_age(at_ns, now_ns)}"
    if newer:
        words += f"; {newer.words} newer, unchecked"
        words += "" if updated_ns is None else f"; names complete to {moment(updated_ns, now_ns)}"
    return (words, "success")


def broken(until_ns: int | None, why: str, now_ns: int, *, read: bool = True) -> str:
    """That the latest state does not restore; up to when it does, by its bytes or (not `read`) by its names, where that
    is known; and why, which may be cut."""
    if until_ns is None:
        return f"latest does not restore: {why}"
    how = "restores to" if read else "names complete to"
    return f"latest does not restore; {how} {moment(until_ns, now_ns)}; {why}"


def said(report: Report) -> str:
    """The first sentence of a report; names alone are never called ok."""
    words = report.sentence()
    return words.removeprefix("ok: ") if report.depth == "names" else words


def moment(ns: int, now_ns: int) -> str:
    return f"{format_clock(ns, now_ns, millis=False)} ({format_age(ns, now_ns)})"


def bad(check: Check, newer: Since, where: str, now_ns: int) -> Note:
    """What a check found that is not in order: whether the latest state restores comes first. `where`: the index or
    the TXID from which on it does not, "" where that is not known."""
    report, age = check.report, format_age(check.at_ns, now_ns)
    if check.differs and report.verdict == "ok":
        return (f"a restore is not what the database holds, checked {age}", "error")
    if report.verdict == "unknown":
        return (f"not known: something could not be read, {age}: v checks again", "error")
    if check.integrity_failed:
        return (f"SQLite's integrity check failed, {age}", "error")
    if report.verdict == "unrestorable":
        return (f"nothing of it restores, checked {age}", "error")
    if report.latest_restores:
        rest = f"; {newer.words} newer" if newer else ""
        return (f"latest restores, checked {age}; older restore points are damaged{rest}", "warning")
    damaged = f"damaged from {where} on" if where else "damaged"
    if newer.snapshots:
        return (f"{damaged}, checked {age}; {newer.words} newer: v checks again", "warning")
    return (broken(report.restorable_until_ns, damaged, now_ns), "error")


def looked(
    seen: Sequence[Seen], where: Callable[[Finding], str], now_ns: int, passed: Callable[[Finding], bool]
) -> Note:
    """What looking into files has met, the worst first; `passed`: a restore of the latest state does not need it."""
    first = min(seen, key=lambda one: passed(one.finding))
    words = f"damaged in {where(first.finding)}, seen {format_age(first.at_ns, now_ns)}: v says what restores"
    return (f"older restore points are {words}", "warning") if passed(first.finding) else (words, "error")


def first_damage(report: GenerationReport) -> int | None:
    """The index from which on a damaged generation does not restore."""
    last = report.restorable_to.index if report.restorable_to is not None else 0
    errors = [f.index for f in report.findings if f.severity == "error" and f.index is not None and f.index >= last]
    if errors:
        return min(errors)
    return last if report.restorable_to is not None else None


def checked_card(check: Check | None, since_then: Since | None, now_ns: int) -> Card:
    """The card that says what was checked, and how long ago."""
    if check is None or since_then is None:
        return Card("Checked", "not yet", "v validates")
    newer = since_then.short
    note = format_age(check.at_ns, now_ns) + (f", {newer}" if newer else "")
    return Card("Checked", check.value, note, check.worst)


def seen_card(seen: Sequence[Seen], now_ns: int) -> Card:
    """Damage that looking into files has met."""
    return Card("Checked", "damaged", f"seen {format_age(seen[-1].at_ns, now_ns)}", "error")
