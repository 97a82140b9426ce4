"""A report of a validation as rows, bars and words: generations, and what was found in each. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litetui.replica.types import Finding
from litetui.tui.checks import GLYPHS
from litetui.tui.glyphs import Glyphs
from litetui.tui.ltx.model import ltx_place
from litetui.tui.sentences import said
from litetui.tui.tables.sources import Cell, Column, Source
from litetui.tui.textutil import cut_middle, short_times
from litetui.tui.timeline.axis import Bar, Span
from litetui.tui.tree_line import LTX
from litetui.units import counted, format_clock, format_duration, format_size

if TYPE_CHECKING:
    from litetui.ops.verdict import GenerationReport, Report
    from litetui.tui.work.validation import ValidateJob

STATUS = {"error": "error", "warning": "warning"}
VERDICTS = {"ok": "success", "damaged": "error", "unrestorable": "error", "unknown": "warning"}
BARS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """A finding, a step to take, or the heading over some."""

    generation: GenerationReport | None = None
    finding: Finding | None = None
    step: str = ""
    title: str = ""

    @property
    def whole(self) -> list[str]:
        """What the row says, uncut, and what to do about it."""
        if self.finding is None:
            return [self.step] if self.step else []
        return [self.finding.message] + ([f"Try: {self.finding.hint}"] if self.finding.hint else [])


def place(finding: Finding, *, short: bool = False) -> str:
    """Where in its generation a finding is; of LTX files the level and the TXIDs."""
    if finding.index is None:
        return ltx_place(finding.path)
    words = f"{finding.index:08x}"
    if finding.offset is not None:
        words += f":{finding.offset}"
    if finding.frame is not None and not short:
        words += f" frame {finding.frame}"
    return words


class ReportSource(Source):
    """The next steps; a heading for each generation, its findings below it; those of no generation at the end."""

    empty = "there is no generation, and nothing was found"
    columns = (
        Column("", 9),
        Column("Where", 24, drop=2),
        Column("What", 30, grow=True),
        Column("Code", 18, drop=1),
    )

    def __init__(self, report: Report, glyphs: Glyphs, now_ns: int) -> None:
        self.report = report
        self.glyphs = glyphs
        self.now_ns = now_ns
        self.rows: list[Row] = []
        if report.next_steps:
            self.rows.append(Row(title="what to do next"))
            self.rows += [Row(step=step) for step in report.next_steps]
        for generation in report.generations:
            self.rows.append(Row(generation, title=generation.generation))
            self.rows += [Row(generation, finding) for finding in generation.findings]
        if report.findings:
            self.rows.append(Row(title="of no single generation"))
            self.rows += [Row(None, finding) for finding in report.findings]

    def __len__(self) -> int:
        return len(self.rows)

    def cells(self, row: int) -> Sequence[Cell]:
        one = self.rows[row].finding
        if one is None:
            return ("", "", self.rows[row].step or self.rows[row].title, "")
        style = STATUS.get(one.severity, "muted")
        glyph = getattr(self.glyphs, one.severity)
        message = short_times(one.message, self.now_ns)
        return ((f"{glyph} {one.severity}", style), place(one), message, (one.code, "muted"))

    def heading(self, row: int) -> Sequence[tuple[str, str]] | None:
        """The spans of a row that goes over all columns: a heading, for a generation with its verdict and what of it
        restores, or a step; None for a finding."""
        generation, at = self.rows[row].generation, self.rows[row]
        if at.finding is not None:
            return None
        if at.step:
            return [(f"{self.glyphs.closed} ", "accent"), (short_times(at.step, self.now_ns), "")]
        if generation is None:
            return [(at.title, "strong")]
        style = _status(generation, self.report)
        glyph = getattr(self.glyphs, GLYPHS.get(generation.verdict, "ok" if style else "unchecked"))
        spans = [(f"{glyph} ", style), (f"{generation.generation}  ", "strong"), (self.word(generation), style)]
        return [*spans, (f"  {self.reaches(generation)}", "")]

    def word(self, generation: GenerationReport) -> str:
        """The verdict; names alone are never ok."""
        by_names = self.report.depth == "names" and generation.verdict == "ok"
        return "names complete" if by_names else generation.verdict

    def reaches(self, generation: GenerationReport) -> str:
        """Up to where a generation restores, and which spans of time do."""
        if not generation.windows:
            return "nothing of it restores" if generation.verdict != "unknown" else ""
        count = len(generation.windows)
        words = "latest restores" if generation.latest_restores else "restores"
        if generation.restorable_to is not None:
            words += f" to {generation.restorable_to.short}"
        if generation.restorable_until_ns is not None:
            words += f", {format_clock(generation.restorable_until_ns, self.now_ns)}"
        if not generation.latest_restores and self.report.depth == "names":
            words = f"to {format_clock(generation.windows[-1].end_ns, self.now_ns)}"
            words = words if generation.verdict == "ok" else f"names complete {words}"
        return words + (f", {count - 1} hole{'s' if count > 2 else ''} before" if count > 1 else "")

    def key(self, row: int) -> Hashable:
        return row

    def first_finding(self) -> int:
        """The row to begin with: the first error, else the first row."""
        errors = (n for n, row in enumerate(self.rows) if row.finding is not None and row.finding.severity == "error")
        return next(errors, 0)


def _status(generation: GenerationReport, report: Report) -> str:
    if generation.verdict == "ok" and report.depth == "names":
        return ""
    if generation.verdict == "damaged" and generation.latest_restores:
        return "warning"
    return VERDICTS[generation.verdict]


def verdict(report: Report, glyphs: Glyphs) -> tuple[str, str]:
    """The first sentence with its glyph, and its status. By names alone nothing is green."""
    glyph = getattr(glyphs, GLYPHS.get(report.verdict, "ok"))
    status = VERDICTS[report.verdict]
    if report.verdict == "ok" and report.depth == "names":
        glyph, status = glyphs.unchecked, ""
    elif report.verdict == "damaged" and report.latest_restores and not mismatch(report):
        status = "warning"
    return f"{glyph} {said(report)}", status


def mismatch(report: Report) -> bool:
    """Whether a restore is not what the live database holds."""
    return report.live is not None and report.live.status == "mismatch"


def what_was_checked(job: ValidateJob) -> str:
    """How deep, how much, how long."""
    report: Report = job.result
    done = report.checked
    words = [f"{report.depth}: {counted(done.files, 'file')}, {format_size(done.bytes)} read"]
    if report.depth == "names":
        words = [f"names: {counted(done.files, 'file')} listed, none opened"]
    else:
        kinds = {generation.generation == LTX for generation in report.generations}
        frames = counted(done.frames, "page" if kinds == {True} else "frame")
        frames = f"{done.frames} frames and pages" if len(kinds) == 2 else frames
        words.append(f"{frames}, {counted(done.transactions, 'transaction')}")
    words += [f"in {format_duration(job.duration_ns)}"] if job.duration_ns else []
    drills = {g.integrity for g in report.generations if g.integrity}
    if drills:
        words.append("integrity check ok" if drills == {"ok"} else "integrity check failed")
    return ", ".join(words) + ("" if report.complete else "; not everything could be read")


def bars(report: Report, glyphs: Glyphs) -> list[Bar]:
    """The windows of the first generations on one axis, the newest first."""
    found = []
    for generation in report.generations[:BARS]:
        times = [ns for window in generation.windows for ns in (window.start_ns, window.end_ns)]
        times += [generation.updated_ns] if generation.updated_ns is not None else []
        if not times:
            continue
        status = _status(generation, report)
        sound = "success" if status in ("success", "warning", "error") and report.depth != "names" else ""
        spans = tuple(Span(w.start_ns, w.end_ns, sound) for w in generation.windows)
        name = cut_middle(generation.generation, 10, glyphs.cut)
        broken = generation.latest_restores is False
        found.append(Bar(name, spans, Span(min(times), max(times), "error"), broken=broken))
    return found


def window_words(report: GenerationReport, now_ns: int, dash: str, limit: int = 3) -> str:
    """The spans of a generation that restore, in words."""
    parts = [
        f"{format_clock(w.start_ns, now_ns)} {dash} {format_clock(w.end_ns, now_ns)}" for w in report.windows[-limit:]
    ]
    more = len(report.windows) - len(parts)
    return ", ".join(([f"{more} earlier"] if more else []) + parts)


def relative(path: str) -> str:
    """A file's path in its replica; other paths as they are."""
    inside = max(path.rfind("/generations/"), path.rfind("/ltx/"))
    return path[inside + 1 :] if inside >= 0 else path


def finding_text(finding: Finding) -> str:
    """A finding as a few lines to copy."""
    where = " ".join(part for part in (finding.generation or "", place(finding)) if part)
    lines = [f"{finding.severity} {finding.code}{f' {where}' if where else ''}: {finding.message}"]
    lines += [f"path: {finding.path}"] if finding.path else []
    return "\n".join(lines + ([f"try: {finding.hint}"] if finding.hint else []))
