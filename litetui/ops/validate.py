"""Validate: would this replica restore, up to when, and what is wrong with it?

names    folders, names, sizes and times; no file is opened
content  every file is read: checksums, salts, commits, and that each follows on the one before it (scan.py); of LTX
         files also whether those that hold the same transactions hold the same pages (ltx_validate.py)
restore  the same, and every generation is restored into a scratch file on the way, which SQLite then checks
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from litetui.errors import ChangedError, DamageError, LitetuiError, NoSuchTargetError, UnreadableError, UsageError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import drill as drills
from litetui.ops import ltx_merge, ltx_plan, ltx_validate, restorable
from litetui.ops.advice import advise
from litetui.ops.compare import size_at_end
from litetui.ops.drill import Drill
from litetui.ops.output import integrity_messages
from litetui.ops.pages import expected_size, snapshot_header
from litetui.ops.scan import Scan, ScanResult
from litetui.ops.source import choose
from litetui.ops.survey import GenerationSurvey, survey, survey_generation
from litetui.ops.target import Target
from litetui.ops.verdict import LTX, Checked, Depth, GenerationReport, Report, Verdict, Window
from litetui.replica.file import FileReplica
from litetui.replica.ltx import LTXReplica
from litetui.replica.types import Finding, Pos
from litetui.units import printable

Found = Callable[[Finding], None]
_ATTEMPTS = 3
# What the pass over the bytes says itself, and better.
_BY_BYTES = {"missing-wal", "missing-segment", "empty-file"}
# Files that are not there are damage, wherever they are missing; only for `latest` they may not matter.
_DAMAGE = {"missing-wal", "missing-segment", "empty-file"}


@dataclass(frozen=True, slots=True)
class ValidationPlan:
    """What a validation will read. `fault`: why it cannot be done so (no room for the drill)."""

    replica: FileReplica | LTXReplica = field(repr=False)
    depth: Depth
    generations: tuple[str, ...]
    one: bool
    scratch: str
    file_count: int
    bytes_to_read: int
    scratch_bytes: int = 0
    free_bytes: int = 0
    fault: LitetuiError | None = None

    def command(self) -> str:
        """The command line that does the same."""
        words = ["litetui", "validate", printable(self.replica.path), "--depth", self.depth]
        words += ["--generation", self.generations[0]] if self.one else []
        if self.depth == "restore" and self.scratch != drills.default_scratch():
            words += ["--scratch", printable(self.scratch)]
        return shlex.join(words)


def plan(
    replica: FileReplica | LTXReplica,
    *,
    depth: Depth = "content",
    generation: str | None = None,
    scratch: str | None = None,
) -> ValidationPlan:
    """What to read, and whether a drill has room: for that the ends of the generations are looked at.

    Raises NoSuchTargetError for a generation that is not there."""
    if isinstance(replica, LTXReplica):
        return _plan_ltx(replica, depth, generation, scratch)
    if generation is not None:
        replica.generation_stats(generation)
    generations = (generation,) if generation is not None else tuple(replica.generations())
    stats = [replica.generation_stats(g) for g in generations]
    folder = scratch or drills.default_scratch()
    beside = replica.ltx.table.size if replica.ltx is not None and generation is None else ()
    base = ValidationPlan(
        replica,
        depth,
        generations,
        generation is not None,
        folder,
        sum(s.snapshots + s.wal_files for s in stats) + len(beside),
        0 if depth == "names" else sum(s.size for s in stats) + int(sum(beside)),
    )
    if depth != "restore":
        return base
    return _with_room(base, max((_database_size(replica, g) for g in generations), default=0))


def _with_room(base: ValidationPlan, needed: int) -> ValidationPlan:
    """The plan with what the drill needs, and whether there is room for it."""
    try:
        free = drills.free_bytes(base.scratch)
        drills.check_room(base.scratch, needed)
    except LitetuiError as error:
        return replace(base, scratch_bytes=needed, fault=error)
    return replace(base, scratch_bytes=needed, free_bytes=free)


def _plan_ltx(replica: LTXReplica, depth: Depth, generation: str | None, scratch: str | None) -> ValidationPlan:
    """The same for a v0.5 replica, whose levels are one."""
    if generation is not None:
        raise UsageError("validate", "a replica of Litestream v0.5 has no generations", hint="leave --generation away")
    table = replica.table
    stored = 0 if depth == "names" else int(table.size.sum())
    base = ValidationPlan(replica, depth, (LTX,), False, scratch or drills.default_scratch(), len(table), stored)
    if depth != "restore":
        return base
    try:
        settled = ltx_merge.settle(ltx_plan.plan_from(replica, table, Target()), Reporter(), CancelToken())
    except LitetuiError:
        return _with_room(base, 0)
    return _with_room(base, settled.database_size or 0)


def _database_size(replica: FileReplica, generation: str) -> int:
    """About how large the database of a generation becomes: as its end says, or its newest snapshot."""
    size = size_at_end(replica, generation)
    if size is not None:
        return size
    for info in reversed(replica.snapshots(generation)):
        try:
            head, _ = snapshot_header(replica.read_snapshot_file(info), info.name, info.index)
        except (DamageError, UnreadableError):
            continue
        return expected_size(head, info)
    return 0


def run(
    plan_: ValidationPlan,
    *,
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
    found: Found | None = None,
    now_ns: int | None = None,
) -> Report:
    """Validate. `found` is told each finding as it comes. Raises OutputError (no room for the drill), Cancelled."""
    report, cancel, found = report or Reporter(), cancel or CancelToken(), found or (lambda _: None)
    began = time.time_ns() if now_ns is None else now_ns
    if plan_.fault is not None:
        raise plan_.fault
    with ExitStack() as stack:
        drill = None
        if plan_.depth == "restore":
            drill = stack.enter_context(Drill(stack.enter_context(drills.scratch_folder(plan_.scratch))))
        look = _Look(plan_, drill, began, report, cancel, found)
        others: tuple[Finding, ...] = ()
        if isinstance(plan_.replica, LTXReplica):
            reports = [look.levels(plan_.replica)]
        else:
            reports, others = look.generations(plan_.replica)
    return _whole(plan_, reports, others, began, time.time_ns() if now_ns is None else now_ns)


@dataclass(frozen=True, slots=True)
class _Look:
    """What every part of a validation needs."""

    plan: ValidationPlan
    drill: Drill | None
    now_ns: int
    report: Reporter
    cancel: CancelToken
    found: Found

    def levels(self, replica: LTXReplica) -> GenerationReport:
        """The LTX files of a v0.5 replica."""
        return ltx_validate.check(
            replica, self.plan.depth, self.drill, self.report, self.cancel, self.found, self.now_ns
        )

    def generations(self, replica: FileReplica) -> tuple[list[GenerationReport], tuple[Finding, ...]]:
        """The generations of a v0.3 replica, and the LTX files beside them; what a restore takes comes first. And what
        belongs to none of them."""
        if self.plan.one:
            return [_Validation(self, replica, self.plan.generations[0]).run()], ()
        reports, gone = [], []
        for g in self.plan.generations:
            try:
                reports.append(_Validation(self, replica, g).run())
            except NoSuchTargetError:
                gone.append(_removed(g))
        others = [f for f in survey(replica, self.now_ns).findings if f.generation is None and f.code != "ltx-beside"]
        for finding in (*others, *gone):
            self.found(finding)
        if replica.ltx is not None and replica.ltx.has_data():
            first = isinstance(choose(replica, Target()).replica, LTXReplica)
            reports.insert(0 if first else len(reports), self.levels(replica.ltx))
        unlisted = any(_unreadable(tuple(replica.problems(r.generation))) for r in reports if r.generation != LTX)
        if len(reports) > 1 and unlisted:
            reports[0] = replace(reports[0], latest_restores=None)  # what cannot be listed may be newer
        return reports, (*others, *gone)


def _whole(
    plan_: ValidationPlan, reports: list[GenerationReport], others: tuple[Finding, ...], began: int, ended: int
) -> Report:
    """The verdict over all: the default generation's first, then what is wrong elsewhere."""
    default = reports[0] if reports else None
    verdict: Verdict = default.verdict if default is not None else "unrestorable"
    latest = default.latest_restores if default is not None else False
    complete = all(r.verdict != "unknown" and not _unreadable(r.findings) for r in reports) and not _unreadable(others)
    if verdict == "ok" and any(_is_damage(f) for r in reports[1:] for f in r.findings):
        verdict = "damaged"
    elif verdict == "ok" and not complete:
        verdict = "unknown"
    checked = sum((r.checked for r in reports), Checked())
    return advise(
        Report(
            plan_.replica.path, plan_.depth, verdict, latest, complete, tuple(reports), others, checked, began, ended
        )
    )


def _is_damage(finding: Finding) -> bool:
    return finding.severity == "error" and finding.code != "unreadable"


def _unreadable(findings: tuple[Finding, ...]) -> bool:
    return any(f.code == "unreadable" for f in findings)


class _Validation:
    """One generation: by its names, by its bytes, by a restore."""

    def __init__(self, look: _Look, replica: FileReplica, generation: str) -> None:
        self._plan, self._drill, self._now_ns = look.plan, look.drill, look.now_ns
        self._report, self._cancel, self._found = look.report, look.cancel, look.found
        self._replica, self._generation = replica, generation

    def run(self) -> GenerationReport:
        names = survey_generation(self._replica, self._generation, self._now_ns)
        findings = [self._by_names(f) for f in names.findings]
        if self._plan.depth != "names":
            findings = [f for f in findings if f.code not in _BY_BYTES or f.severity == "info"]
        for finding in findings:
            self._found(finding)
        if self._plan.depth == "names":
            return self._report_names(names, findings)
        result = self._scan()
        findings += _ranges(result.findings)
        integrity, latest = "", self._latest(result, names)
        if self._plan.depth == "restore" and result.windows:
            messages = self._drill_end(result)
            integrity = "ok" if messages == [] else "; ".join(messages or [])
            if messages:
                findings.append(self._integrity(messages, result.windows[-1].end))
                latest = False if latest else latest
        end = result.windows[-1] if result.windows else None
        unreadable = not result.complete or _unreadable(tuple(findings))
        return GenerationReport(
            self._generation,
            _verdict(findings, bool(result.windows), unreadable),
            latest,
            end.end if end else None,
            end.end_ns if end else None,
            tuple(result.windows),
            tuple(findings),
            integrity,
            result.checked,
            names.stats.snapshots + names.stats.wal_files,
            names.stats.updated_ns,
        )

    # ---- by names

    def _by_names(self, finding: Finding) -> Finding:
        if finding.code in _DAMAGE and finding.severity == "warning":
            return replace(finding, severity="error")
        if finding.code == "no-snapshot" and finding.severity == "error" and (leftover := self._leftover()):
            return replace(
                finding,
                severity="info" if "first" in leftover else "warning",
                message=f"generation {self._generation} has no snapshot: nothing of it can be restored; {leftover}",
                hint="nothing needs to be done: retention removes it",
            )
        return finding

    def _leftover(self) -> str:
        """What leaves an old generation without a snapshot; "" where it is the newest, or no newer one is complete."""
        order = self._replica.generations()
        newer = order[: order.index(self._generation)]
        if not any(survey_generation(self._replica, g, self._now_ns).restorable for g in newer):
            return ""
        table = self._replica.wals(self._generation)
        if len(table) and int(table.index[-1]) > 0:
            return "a retention that is at work, or was stopped, leaves that, or the snapshot was lost"
        return "it ended before its first one was complete"

    def _report_names(self, names: GenerationSurvey, findings: list[Finding]) -> GenerationReport:
        table, snapshots = self._replica.wals(self._generation), self._replica.snapshots(self._generation)
        unreadable = _unreadable(tuple(findings))
        found = restorable.windows(table, snapshots)
        if found and names.restorable:  # a newest WAL that has just begun holds nothing yet
            found[-1] = (found[-1][0], names.last_index or 0, found[-1][2])
        windows = tuple(
            Window(Pos(self._generation, first, 0), Pos(self._generation, last, 0), span.start_ns, span.end_ns)
            for first, last, span in found
        )
        latest = None if names.restorable or unreadable else False
        return GenerationReport(
            self._generation,
            _verdict(findings, bool(windows), unreadable),
            latest,
            None,
            max((one.end_ns for one in windows), default=None),
            windows,
            tuple(findings),
            checked=Checked(len(table) + len(snapshots)),
            files=names.stats.snapshots + names.stats.wal_files,
            updated_ns=names.stats.updated_ns,
        )

    # ---- by bytes

    def _scan(self) -> ScanResult:
        """The pass over the bytes. Where a writer removes or replaces files meanwhile, it begins anew."""
        for left in reversed(range(_ATTEMPTS)):
            scan = Scan(
                self._replica, self._generation, self._drill, self._now_ns, self._report, self._cancel, self._found
            )
            try:
                return scan.run()
            except ChangedError as error:
                if not left:
                    return ScanResult([], [_changing(error, self._generation)], complete=False)
                self._replica.refresh(anew=True)
                self._replica.generation_stats(self._generation)  # raises where all of it was removed
        raise AssertionError

    def _latest(self, result: ScanResult, names: GenerationSurvey) -> bool | None:
        """Whether the newest state restores, as far as its bytes tell."""
        unreadable = not result.complete or any(f.code == "unreadable" for f in names.findings)
        if result.alive and not result.doubtful:
            return None if unreadable else True
        return None if unreadable or result.alive else False

    # ---- by a restore

    def _drill_end(self, result: ScanResult) -> list[str] | None:
        """SQLite's messages about the last state that restores; None where it could not be restored after all."""
        assert self._drill is not None
        if result.alive:
            return self._drill.check(result.size, self._report, self._cancel)
        output = f"{self._drill.folder}/last-good.db"
        try:
            target = Target.at(result.windows[-1].end)
            drills.restore_state(self._replica, target, output, self._report, self._cancel)
        except (DamageError, NoSuchTargetError, UnreadableError) as error:
            self._report.log(f"the last good state could not be restored: {error}", "warning")
            return None
        try:
            return integrity_messages(output, "full", self._report, self._cancel)
        finally:
            os.unlink(output)

    def _integrity(self, messages: list[str], pos: Pos) -> Finding:
        finding = Finding(
            "error",
            "integrity-check",
            f"the database at {pos} fails SQLite's integrity check: {'; '.join(messages[:3])}; every byte of the "
            "replica is as it was written, so it was damaged before it was replicated, or frames are missing without a "
            "trace",
            "--find-last-good searches for the newest state that passes; check the live database: "
            "sqlite3 DB 'PRAGMA integrity_check'",
            None,
            self._generation,
            pos.index,
            pos.offset,
        )
        self._found(finding)
        return finding


def _removed(generation: str) -> Finding:
    cause = f"generation {generation} was removed while others were read"
    return Finding("info", "unknown-file", cause, "retention does that", generation=generation)


def _changing(error: ChangedError, generation: str) -> Finding:
    hint = "validate again when less is written, or a copy of the replica"
    return Finding(
        "error", "unreadable", f"it changes faster than it can be read: {error}", hint, error.path, generation
    )


def _verdict(findings: list[Finding], restores: bool, unreadable: bool) -> Verdict:
    damaged = any(_is_damage(f) for f in findings)
    if not restores and not unreadable and (damaged or not findings):
        return "unrestorable"
    if damaged:
        return "damaged"
    if unreadable:
        return "unknown"
    return "ok" if restores else "unrestorable"


def _ranges(findings: list[Finding]) -> list[Finding]:
    """Findings of one kind in WALs that follow each other become one."""
    out: list[Finding] = []
    runs: list[int] = []
    for finding in findings:
        last = out[-1] if out else None
        if (
            last is not None
            and finding.severity == last.severity == "error"
            and finding.code == last.code
            and finding.code not in ("missing-wal", "chains-differ")
            and finding.index is not None
            and last.index is not None
            and finding.index == last.index + runs[-1]
        ):
            runs[-1] += 1
            continue
        out.append(finding)
        runs.append(1)
    return [
        f
        if run == 1
        else replace(f, message=f"{f.message} (the same in {run} indexes, up to {(f.index or 0) + run - 1:08x})")
        for f, run in zip(out, runs, strict=True)
    ]
