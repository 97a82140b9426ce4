"""What can be said of a generation, and on what evidence: its names, and the restores and validations of the session.

Pure functions. Only what read the bytes makes anything green; what came or changed since is unchecked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from litetui.errors import DamageError
from litetui.jobs.job import Job
from litetui.tui.cards import Card, Note
from litetui.tui.checks import Check, Checks, Since, since, since_ltx, until_of
from litetui.tui.model import GenerationView, ReplicaView
from litetui.tui.sentences import (
    bad,
    broken,
    checked_card,
    first_damage,
    good,
    looked,
    moment,
    names_to,
    restored_to,
    seen_card,
)
from litetui.tui.tree_line import LTX
from litetui.tui.work.replication import ReplicateJob
from litetui.units import format_age, format_clock

# a generation in the tree, and as a card


@dataclass(frozen=True, slots=True)
class Badge:
    """The verdict on a generation: the name of its glyph, a status, and words, the longest first."""

    glyph: str
    status: str
    words: tuple[str, ...]


def badge(generation: GenerationView, check: Check | None, now_ns: int) -> Badge:
    """Never green by its names: they are no evidence of content."""
    standing = generation.standing(now_ns)
    if not generation.survey.restorable:
        some = until_of(generation, check)[0] is not None
        why = _why_in_short(generation, "damaged" if some else "does not restore")
        glyph = "unreadable" if why == _SHORT["unreadable"] else "damaged" if some else "unrestorable"
        return Badge(glyph, "error", (f"{why}, {standing}", why))
    names_alone = check is None or not check.read_bytes
    if (check is None or check.word == "ok") and (generation.seen or (names_alone and generation.worst == "error")):
        return Badge("damaged", "error", (f"damaged, {standing}", "damaged"))
    if check is None or (check.word == "ok" and names_alone):
        return Badge("unchecked", "", (standing, standing.removeprefix("ended ")))
    return checked_badge(check, since(check, generation), standing, now_ns)


def checked_badge(check: Check, since_then: Since, standing: str, now_ns: int) -> Badge:
    """What a check said, how long ago, and how much came since."""
    word, newer = check.word, since_then.short
    seen = format_age(check.at_ns, now_ns)
    parts = [f"{word} {seen}", *([f"{newer} since"] if newer else [])]
    brief = [f"{word} {seen.removesuffix(' ago')}", *([newer] if newer else [])]
    shortest = f"{brief[0]} {newer.split(' ')[0]}".strip()  # "ok 41 min +9"
    longest = [", ".join([*parts, standing])] if standing else []
    words = (", ".join(parts), ", ".join(brief), shortest, brief[0], word)
    return Badge(check.glyph, check.worst, (*longest, *words))


_SHORT = {
    "unreadable": "unreadable",
    "no-snapshot": "no snapshot",
    "missing-wal": "WAL missing",
    "missing-segment": "segment missing",
}


def _why_in_short(generation: GenerationView, else_words: str) -> str:
    codes = [finding.code for finding in generation.survey.findings if finding.severity == "error"]
    return next((_SHORT[code] for code in codes if code in _SHORT), else_words)


def checked_of(view: ReplicaView, checks: Checks, now_ns: int) -> Card:
    """The same for the whole replica: how many generations were read, the LTX files beside them as one more, and the
    worst that was found."""
    met = [(checks[g.name], since(checks[g.name], g)) for g in view.generations if g.name in checks]
    if view.ltx is not None and LTX in checks:
        met.append((checks[LTX], since_ltx(checks[LTX], view.ltx)))
    met = [(check, newer) for check, newer in met if check.read_bytes]
    if not met:
        return Card("Checked", "not yet", "v validates")
    statuses = {check.worst for check, _ in met} | {"error" for g in view.generations if g.seen}
    status = next((s for s in ("error", "warning", "success") if s in statuses), "")
    oldest = min(check.at_ns for check, _ in met)
    newer = sum(n.wals + n.snapshots for _, n in met)
    note = format_age(oldest, now_ns) + (f", +{newer} file{'s' if newer > 1 else ''}" if newer else "")
    there = len(view.generations) + (view.ltx is not None)
    if there > 1:
        note = f"{'all' if len(met) == there else f'{len(met)} of {there}'}, {note}"
    order = ("error", "warning", "", "success")
    worst = min((check for check, _ in met), key=lambda check: (order.index(check.worst), check.drilled))
    value = worst.value if worst.worst == status else "damaged"
    return Card("Checked", value, note, status)


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
        return (incomplete(view, newest, checks or {}, now_ns), "error")
    error = next((f for f in newest.survey.findings if f.severity == "error"), None)
    if error is not None:
        return (f"damaged: {_without_name(error.message, newest)}", "error")
    updated = newest.stats.updated_ns
    if updated is None:
        return ("no files", "error")
    if any(_differs(job, view) for job in jobs):
        return ("the replica is not what the database holds, as its validation found", "error")
    if (met := evidence(view, newest, now_ns, jobs, checks)) is not None:
        return met
    return (names_to(updated, now_ns), "")


def incomplete(view: ReplicaView, generation: GenerationView, checks: Checks, now_ns: int) -> str:
    """Of a generation whose names are not complete: up to when it restores, and what is missing; where nothing of it
    does, the next older one of which something does."""
    why = _without_name(generation.survey.why_not, generation).split(": ")[0]
    until_ns, read = until_of(generation, checks.get(generation.name))
    words = broken(until_ns, why, now_ns, read=read)
    if until_ns is not None or not generation.newest:
        return words if until_ns is not None else f"nothing of it restores: {why}"
    found = ((g.name, *until_of(g, checks.get(g.name))) for g in view.generations[1:])
    older = next((one for one in found if one[1] is not None), None)
    if older is None:
        return f"nothing restores: {why}"
    how = "restores to" if older[2] else "names complete to"
    return f"{words}; older {older[0]}: {how} {moment(older[1] or 0, now_ns)}"


def _differs(job: Job, view: ReplicaView) -> bool:
    """Whether a replication that runs has compared this replica with the database, and they are not the same."""
    at = job.at if isinstance(job, ReplicateJob) and not job.state.ended and job.target == view.path else None
    return at is not None and at.validation is not None and at.validation.status == "mismatch"


def evidence(
    view: ReplicaView, generation: GenerationView, now_ns: int, jobs: Sequence[Job], checks: Checks | None = None
) -> Note | None:
    """What restores and validations of this session met in a generation; None where nothing read its bytes."""
    check = (checks or {}).get(generation.name)
    damage, restored = _restores(view, generation, jobs)
    if check is not None and check.word != "ok":  # it says more than a restore that met the same
        first = first_damage(check.report)
        return bad(check, since(check, generation), "" if first is None else f"{first:08x}", now_ns)
    if damage is not None and (damage.ended_ns or 0) > (check.at_ns if check is not None else 0):
        index = damage.error.index if isinstance(damage.error, DamageError) else None
        where = "" if index is None else f" in {index:08x}"
        return (f"damaged{where}: a restore met it {format_age(damage.ended_ns or 0, now_ns)}", "error")
    if generation.seen:
        last = max((s.index for s in generation.snapshots), default=0)
        return looked(generation.seen, lambda f: f"{f.index or 0:08x}", now_ns, lambda f: (f.index or 0) < last)
    updated = generation.stats.updated_ns if generation.survey.restorable else None
    if check is not None and check.read_bytes and not reaches_further(restored, check):
        return good(check, since(check, generation), updated, now_ns)
    if restored is None:
        return None
    return restored_to(restored, _newer(generation, restored), updated, now_ns)


def _newer(generation: GenerationView, restored: Job) -> Since:
    """What of a generation a restore did not need, as it came later."""
    return Since(int((generation.wals.mtime_ns > restored.result.plan.until_ns).sum()), 0)


def _restores(view: ReplicaView, generation: GenerationView, jobs: Sequence[Job]) -> tuple[Job | None, Job | None]:
    """The restore that met damage, unless one went beyond it since, and the one that SQLite found in order and
    that went furthest."""
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
        if restored is None or plan.until_ns >= restored.result.plan.until_ns:
            restored = job
        if damage is not None and isinstance(damage.error, DamageError):
            met = damage.error.index
            damage = None if met is not None and plan.position.index > met else damage
    return damage, restored


def restore_damage(view: ReplicaView, generation: GenerationView, jobs: Sequence[Job]) -> Job | None:
    """The restore that met damage, unless one went beyond it since."""
    return _restores(view, generation, jobs)[0]


def generation_card(
    view: ReplicaView, generation: GenerationView, jobs: Sequence[Job], check: Check | None, now_ns: int
) -> Card:
    """What was checked, and how long ago: by a validation, else by a restore; damage that a restore or somebody who
    looked into a file met comes first."""
    damage, restored = _restores(view, generation, jobs)
    sound = check is None or check.word == "ok"
    if generation.seen and sound:
        return seen_card(generation.seen, now_ns)
    if sound and damage is not None and (damage.ended_ns or 0) > (check.at_ns if check is not None else 0):
        return Card("Checked", "damaged", f"a restore, {format_age(damage.ended_ns or 0, now_ns)}", "error")
    if restored is None or (check is not None and (check.read_bytes or check.word != "ok")):
        return checked_card(check, since(check, generation) if check is not None else None, now_ns)
    until = format_clock(restored.result.plan.until_ns, now_ns, millis=False)
    newer = _newer(generation, restored).short
    note = f"restored {format_age(restored.ended_ns or 0, now_ns)}" + (f", {newer}" if newer else "")
    return Card("Checked", f"to {until}", note, "success")


def reaches_further(restored: Job | None, check: Check) -> bool:
    """Whether a restore of the session went beyond a check."""
    until = check.report.restorable_until_ns
    return restored is not None and (until is None or restored.result.plan.until_ns > until)


def _without_name(text: str, generation: GenerationView) -> str:
    return text.replace(f" of generation {generation.name}", "").replace(f"{generation.name}/", "")
