"""What can be said of a generation, and on what evidence: its names, and the restores and validations of the session.

Pure functions. Only what read the bytes makes anything green; what came or changed since is unchecked again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litetui.errors import DamageError
from litetui.jobs.job import Job
from litetui.tui.cards import Card
from litetui.tui.model import GenerationView, ReplicaView
from litetui.units import format_age, format_clock

if TYPE_CHECKING:
    from litetui.ops.verdict import Depth, GenerationReport

Note = tuple[str, str]  # text, status


@dataclass(frozen=True, slots=True)
class Check:
    """What a validation of this session said of one generation, and when.

    differs  a restore of it is not what the live database holds
    """

    report: GenerationReport
    depth: Depth
    at_ns: int
    differs: bool = False

    @property
    def read_bytes(self) -> bool:
        return self.depth != "names"

    @property
    def drilled(self) -> bool:
        """Whether it was restored, and SQLite found it in order."""
        return self.depth == "restore" and self.report.integrity == "ok"

    @property
    def worst(self) -> str:
        """Its verdict as a status; names alone are no success."""
        if self.differs:
            return "error"
        if self.report.verdict == "ok":
            return "success" if self.read_bytes else ""
        return "warning" if self.report.verdict == "damaged" and self.report.latest_restores else "error"

    @property
    def word(self) -> str:
        """Its verdict in a word."""
        return "differs" if self.differs else WORDS.get(self.report.verdict, "ok")

    @property
    def glyph(self) -> str:
        return "damaged" if self.differs else GLYPHS.get(self.report.verdict, "ok")

    @property
    def integrity_failed(self) -> bool:
        return self.report.integrity not in ("", "ok")


Checks = Mapping[str, Check]  # by generation
GLYPHS = {"damaged": "damaged", "unrestorable": "unrestorable", "unknown": "unreadable"}
WORDS = {"damaged": "damaged", "unrestorable": "does not restore", "unknown": "not known"}
HOW = {"names": "names", "content": "content", "restore": "restored"}


@dataclass(frozen=True, slots=True)
class Since:
    """Files that came or changed after a check had listed them."""

    wals: int
    snapshots: int

    def __bool__(self) -> bool:
        return bool(self.wals or self.snapshots)

    @property
    def words(self) -> str:
        parts = []
        if self.wals:
            parts.append(f"{self.wals} WAL file{'s' if self.wals > 1 else ''}")
        if self.snapshots:
            parts.append(f"{self.snapshots} snapshot{'s' if self.snapshots > 1 else ''}")
        return " and ".join(parts)

    @property
    def short(self) -> str:
        count = self.wals + self.snapshots
        return f"+{count} file{'s' if count > 1 else ''}" if count else ""


def since(check: Check, generation: GenerationView) -> Since:
    """What of a generation is newer than a check of it."""
    until = check.report.updated_ns
    if until is None:
        return Since(len(generation.wals), len(generation.snapshots))
    newer = int((generation.wals.mtime_ns > until).sum())
    return Since(newer, sum(s.created_ns > until for s in generation.snapshots))


# a generation in the tree, and as a card


@dataclass(frozen=True, slots=True)
class Badge:
    """The verdict on a generation: the name of its glyph, a status, and words, the longest first."""

    glyph: str
    status: str
    words: tuple[str, ...]


def badge(generation: GenerationView, check: Check | None, now_ns: int) -> Badge:
    """Never green by its names: they are no evidence of content."""
    age = "" if generation.stats.updated_ns is None else format_age(generation.stats.updated_ns, now_ns)
    standing = "newest" if generation.newest else f"ended {age}"
    if not generation.survey.restorable:
        why = _why_in_short(generation)
        return Badge("unrestorable", "error", (f"{why}, {standing}", why))
    if check is None or (check.word == "ok" and not check.read_bytes):
        if generation.worst == "error":
            return Badge("damaged", "error", (f"damaged, {standing}", "damaged"))
        return Badge("unchecked", "", (standing, standing.removeprefix("ended ")))
    word = check.word
    seen = format_age(check.at_ns, now_ns)
    newer = since(check, generation).short
    parts = [f"{word} {seen}", *([f"{newer} since"] if newer else [])]
    brief = [f"{word} {seen.removesuffix(' ago')}", *([newer] if newer else [])]
    shortest = f"{brief[0]} {newer.split(' ')[0]}".strip()  # "ok 41 min +9"
    words = (", ".join([*parts, standing]), ", ".join(parts), ", ".join(brief), shortest, brief[0], word)
    return Badge(check.glyph, check.worst, words)


_SHORT = {
    "no-snapshot": "no snapshot",
    "missing-wal": "WAL missing",
    "missing-segment": "segment missing",
    "unreadable": "unreadable",
}


def _why_in_short(generation: GenerationView) -> str:
    codes = [finding.code for finding in generation.survey.findings if finding.severity == "error"]
    return next((_SHORT[code] for code in codes if code in _SHORT), "does not restore")


def checked_card(generation: GenerationView, check: Check | None, now_ns: int) -> Card:
    """The card of a generation that says what was checked, and how long ago."""
    if check is None:
        return Card("Checked", "not yet", "v validates")
    newer = since(check, generation).short
    note = format_age(check.at_ns, now_ns) + (f", {newer}" if newer else "")
    value = f"{HOW[check.depth]} ok" if check.word == "ok" else check.word
    return Card("Checked", value, note, check.worst)


def checked_of(view: ReplicaView, checks: Checks, now_ns: int) -> Card:
    """The same for the whole replica: how many generations were read, and the worst that was found."""
    met = [(g, checks[g.name]) for g in view.generations if g.name in checks and checks[g.name].read_bytes]
    if not met:
        return Card("Checked", "not yet", "v validates")
    statuses = {check.worst for _, check in met}
    status = next((s for s in ("error", "warning", "success") if s in statuses), "")
    oldest = min(check.at_ns for _, check in met)
    newer = sum((n := since(check, g)).wals + n.snapshots for g, check in met)
    note = format_age(oldest, now_ns) + (f", +{newer} file{'s' if newer > 1 else ''}" if newer else "")
    whole = len(met) == len(view.generations)
    return Card("Checked", "all" if whole else f"{len(met)} of {len(view.generations)}", note, status)


# sentences


def headline(view: ReplicaView, now_ns: int, jobs: Sequence[Job] = (), checks: Checks | None = None) -> Note:
    """The answer of the first screen, with its evidence: text and status."""
    newest = view.newest
    elsewhere = next((f for f in view.findings if f.code in ("ltx-beside", "unreadable")), None)
    if elsewhere is not None and elsewhere.severity == "error":
        ltx = elsewhere.code == "ltx-beside"
        return ("latest is in ltx/ (Litestream v0.5)" if ltx else "not known: a part cannot be read", "error")
    if newest is None:
        return ("no generations: nothing to restore", "error")
    if not newest.survey.restorable:
        return (f"latest does not restore: {_without_name(newest.survey.why_not, newest).split(': ')[0]}", "error")
    error = next((f for f in newest.survey.findings if f.severity == "error"), None)
    if error is not None:
        return (f"damaged: {_without_name(error.message, newest)}", "error")
    updated = newest.stats.updated_ns
    if updated is None:
        return ("no files", "error")
    if (met := evidence(view, newest, now_ns, jobs, checks)) is not None:
        return met
    until, age = format_clock(updated, now_ns, millis=False), format_age(updated, now_ns)
    return (f"names complete to {until} ({age}), content not checked", "")


def evidence(
    view: ReplicaView, generation: GenerationView, now_ns: int, jobs: Sequence[Job], checks: Checks | None = None
) -> Note | None:
    """What restores and validations of this session met in a generation; None where nothing read its bytes."""
    check = (checks or {}).get(generation.name)
    damage, restored = _restores(view, generation, jobs)
    checked_ns = check.at_ns if check is not None else 0
    if damage is not None and (damage.ended_ns or 0) > checked_ns:
        where = "" if getattr(damage.error, "index", None) is None else f" in {damage.error.index:08x}"  # type: ignore[union-attr]
        return (f"damaged{where}: a restore met it {format_age(damage.ended_ns or 0, now_ns)}", "error")
    if check is not None and check.word != "ok":
        return _bad(check, generation, now_ns)
    if check is not None and check.read_bytes and not _reaches_further(restored, check):
        return _good(check, generation, now_ns)
    if restored is None:
        return None
    plan = restored.result.plan
    until = format_clock(plan.until_ns, now_ns, millis=False)
    newer = int((generation.wals.mtime_ns > plan.until_ns).sum())
    rest = f"; {Since(newer, 0).words} newer" if newer else ""
    return (f"restored and checked to {until}, {format_age(restored.ended_ns or 0, now_ns)}{rest}", "success")


def _restores(view: ReplicaView, generation: GenerationView, jobs: Sequence[Job]) -> tuple[Job | None, Job | None]:
    """The restore that met damage, unless one went beyond it since, and the last one that SQLite found in order."""
    damage: Job | None = None
    restored: Job | None = None
    for job in jobs:
        if job.kind != "restore" or job.target != view.path or job.ended_ns is None:
            continue
        if isinstance(job.error, DamageError):
            damage = job if generation.name in (job.error.path or "") else damage
            continue
        plan = getattr(job.result, "plan", None)
        if plan is None or getattr(plan, "generation", "") != generation.name or job.result.integrity_check != "ok":
            continue
        restored = job
        if damage is not None and isinstance(damage.error, DamageError):
            met = damage.error.index
            damage = None if met is not None and plan.position.index > met else damage
    return damage, restored


def _reaches_further(restored: Job | None, check: Check) -> bool:
    until = check.report.restorable_until_ns
    return restored is not None and (until is None or restored.result.plan.until_ns > until)


def _good(check: Check, generation: GenerationView, now_ns: int) -> Note:
    until = check.report.restorable_until_ns
    how = "restored and checked" if check.drilled else "content checked"
    to = "" if until is None else f" to {format_clock(until, now_ns, millis=False)}"
    newer = since(check, generation)
    return (f"{how}{to}, {format_age(check.at_ns, now_ns)}" + (f"; {newer.words} newer" if newer else ""), "success")


def _bad(check: Check, generation: GenerationView, now_ns: int) -> Note:
    """What a check found that is not in order: whether the latest state restores comes first."""
    report, age, newer = check.report, format_age(check.at_ns, now_ns), since(check, generation)
    if check.differs and report.verdict == "ok":
        return (f"a restore is not what the database holds, checked {age}", "error")
    if report.verdict == "unknown":
        return (f"not known: something could not be read, {age}", "error")
    if check.integrity_failed:
        return (f"SQLite's integrity check failed, {age}", "error")
    if report.verdict == "unrestorable":
        return (f"nothing of it restores, checked {age}", "error")
    if report.latest_restores:
        rest = f"; {newer.words} newer" if newer else ""
        return (f"latest restores, checked {age}; older restore points are damaged{rest}", "warning")
    where = first_damage(report)
    damaged = "damaged" if where is None else f"damaged from {where:08x} on"
    if newer.snapshots:
        return (f"{damaged}, checked {age}; {newer.words} newer: v checks again", "warning")
    until = report.restorable_until_ns
    rest = "" if until is None else f"; restores to {format_clock(until, now_ns, millis=False)}"
    return (f"{damaged}: latest does not restore{rest}", "error")


def first_damage(report: GenerationReport) -> int | None:
    """The index from which on a damaged generation does not restore."""
    last = report.restorable_to.index if report.restorable_to is not None else 0
    errors = [f.index for f in report.findings if f.severity == "error" and f.index is not None and f.index >= last]
    if errors:
        return min(errors)
    return last if report.restorable_to is not None else None


def _without_name(text: str, generation: GenerationView) -> str:
    return text.replace(f" of generation {generation.name}", "")
