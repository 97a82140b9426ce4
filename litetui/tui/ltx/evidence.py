"""What can be said of the LTX files of a replica, and on what evidence: names, restores and validations. Pure.

As evidence.py does it for generations: only what read the bytes makes anything green, and what came since is unchecked.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from litetui.errors import DamageError
from litetui.jobs.job import Job
from litetui.replica.types import Finding
from litetui.tui.cards import Card, Note
from litetui.tui.checks import Check, Since, since_ltx
from litetui.tui.evidence import Badge, checked_badge, reaches_further
from litetui.tui.ltx.model import LTXView, gap_words, ltx_place
from litetui.tui.sentences import (
    bad,
    broken,
    checked_card,
    good,
    looked,
    names_to,
    restored_to,
    seen_card,
)
from litetui.units import format_age


def ltx_headline(path: str, ltx: LTXView, now_ns: int, jobs: Sequence[Job], check: Check | None) -> Note:
    """The answer of the first screen for the LTX files: text and status. Names make nothing green."""
    if any(f.code == "unreadable" for f in ltx.findings):
        return ("not known: a part cannot be read", "error")
    if not len(ltx.table):
        return ("no LTX files: nothing to restore", "error")
    if not ltx.reached:
        return ("nothing restores: no file begins with the first TXID", "error")
    if ltx.gap is not None:
        read = check is not None and check.read_bytes
        until_ns = check.report.restorable_until_ns if check is not None and read else ltx.until_ns
        return (broken(until_ns, gap_words(ltx.gap), now_ns, read=read), "error")
    if (met := ltx_evidence(path, ltx, now_ns, jobs, check)) is not None:
        return met
    if ltx.why_not:
        return (broken(None, ltx.why_not, now_ns), "error")
    if (error := _error(ltx)) is not None:
        return (f"damaged: {error.message}", "error")
    return (names_to(ltx.until_ns, now_ns), "")


def _error(ltx: LTXView) -> Finding | None:
    """What names and sizes show to be wrong."""
    return next((f for f in ltx.findings if f.severity == "error"), None)


def ltx_evidence(path: str, ltx: LTXView, now_ns: int, jobs: Sequence[Job], check: Check | None) -> Note | None:
    """What restores and validations of this session met; None where nothing read the bytes."""
    damaged, restored = _restores(path, ltx, jobs)
    if check is not None and check.word != "ok":  # it says more than a restore that met the same
        to = check.report.restorable_to
        reached = to.offset if to is not None else 0
        if _leads_around(check) and reached >= ltx.reached:
            age = format_age(check.at_ns, now_ns)
            return (f"damaged: a plain restore fails, last-good restores the latest; checked {age}", "error")
        where = f"TXID {reached + 1:016x}" if reached and not check.report.latest_restores else ""
        return bad(check, since_ltx(check, ltx), where, now_ns)
    if damaged is not None and (damaged.ended_ns or 0) > (check.at_ns if check is not None else 0):
        return (f"damaged: a restore met it {format_age(damaged.ended_ns or 0, now_ns)}", "error")
    if ltx.seen:
        return looked(ltx.seen, lambda f: ltx_place(f.path), now_ns, lambda _: False)
    if check is not None and check.read_bytes and not reaches_further(restored, check):
        return good(check, since_ltx(check, ltx), ltx.until_ns, now_ns)
    if restored is None:
        return None
    newer = Since(int((ltx.table.max_txid > restored.result.plan.txid).sum()), 0, "LTX file")
    return restored_to(restored, newer, ltx.until_ns, now_ns)


def _leads_around(check: Check) -> bool:
    """Whether the way that Litestream takes to the latest state is damaged, and perhaps another one is not."""
    if check.differs or check.integrity_failed or check.report.verdict != "damaged":
        return False
    return check.report.latest_restores is False


def _restores(path: str, ltx: LTXView, jobs: Sequence[Job]) -> tuple[Job | None, Job | None]:
    """The last restore from LTX files that met damage, unless one went further since, and the sound one
    that went furthest."""
    from litetui.ops.ltx_plan import LTXPlan

    damaged: Job | None = None
    restored: Job | None = None
    for job in jobs:
        if job.kind != "restore" or job.target != path or job.ended_ns is None:
            continue
        if isinstance(job.error, DamageError):
            damaged = job if (job.error.path or "").endswith(".ltx") else damaged
            continue
        plan = getattr(job.result, "plan", None)
        if isinstance(plan, LTXPlan) and job.result.integrity_check == "ok":
            if restored is None or plan.txid >= restored.result.plan.txid:
                restored = job
            damaged = None if plan.txid == ltx.reached else damaged
    return damaged, restored


def met(path: str, ltx: LTXView, jobs: Sequence[Job]) -> list[Finding]:
    """The damage that a restore met, as a finding."""
    damaged, _ = _restores(path, ltx, jobs)
    error = damaged.error if damaged is not None else None
    if not isinstance(error, DamageError):
        return []
    words = f"a restore met damage in {os.path.basename(error.path or '')}: {error.cause}"
    return [Finding("error", error.code, words, error.hint or "", path=error.path)]


def ltx_badge(ltx: LTXView, check: Check | None, now_ns: int) -> Badge:
    """The LTX files in the tree."""
    if not ltx.reached:
        return Badge("unrestorable", "error", ("does not restore",))
    if ltx.gap is not None:
        return Badge("damaged", "error", ("files missing",))
    names_alone = check is None or not check.read_bytes
    if (check is None or check.word == "ok") and (ltx.seen or (names_alone and _error(ltx) is not None)):
        return Badge("damaged", "error", ("damaged",))
    if check is None or (check.word == "ok" and names_alone):
        return Badge("unchecked", "", ("",))
    return checked_badge(check, since_ltx(check, ltx), "", now_ns)


def ltx_card(path: str, ltx: LTXView, jobs: Sequence[Job], check: Check | None, now_ns: int) -> Card:
    """What was checked, and how long ago: by a validation, or by a restore that came later."""
    damaged, restored = _restores(path, ltx, jobs)
    at_ns = check.at_ns if check is not None else 0
    if ltx.seen and (check is None or check.word == "ok"):
        return seen_card(ltx.seen, now_ns)
    if damaged is not None and (damaged.ended_ns or 0) > at_ns:
        return Card("Checked", "damaged", format_age(damaged.ended_ns or 0, now_ns), "error")
    if restored is not None and (restored.ended_ns or 0) > at_ns:
        return Card("Checked", "restored ok", format_age(restored.ended_ns or 0, now_ns), "success")
    return checked_card(check, since_ltx(check, ltx) if check is not None else None, now_ns)
