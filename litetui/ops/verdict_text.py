"""A validation's report as JSON and as text, for the command line and for files that are exported."""

from __future__ import annotations

from typing import Any

from litetui.ops.verdict import LTX, GenerationReport, Report
from litetui.replica.types import Finding
from litetui.units import counted, format_duration, format_size, format_time, printable

_GLYPHS = {"error": "ERROR", "warning": "warning", "info": "info"}


def as_json(report: Report) -> dict[str, Any]:
    """The report as the command line's contract has it."""
    out: dict[str, Any] = {
        "verdict": report.verdict,
        "latest_restores": report.latest_restores,
        "depth": report.depth,
        "complete": report.complete,
        "generations": [_generation_json(g) for g in report.generations],
        "findings": [_finding_json(f) for f in report.findings],
        "checked": {
            "files": report.checked.files,
            "bytes": report.checked.bytes,
            "frames": report.checked.frames,
            "transactions": report.checked.transactions,
        },
    }
    if report.next_steps:
        out["next_steps"] = list(report.next_steps)
    if report.live is not None:
        live = report.live
        out["live"] = {
            "database": live.database,
            "status": live.status,
            "position": None if live.pos is None else str(live.pos),
            "message": live.words,
        }
    return out


def _generation_json(one: GenerationReport) -> dict[str, Any]:
    return {
        "generation": one.generation,
        "verdict": one.verdict,
        "latest_restores": one.latest_restores,
        "restorable_to": None if one.restorable_to is None else str(one.restorable_to),
        "restorable_until": None if one.restorable_until_ns is None else format_time(one.restorable_until_ns),
        "integrity_check": one.integrity or "skipped",
        "windows": [{"start": format_time(w.start_ns), "end": format_time(w.end_ns)} for w in one.windows],
        "findings": [_finding_json(f) for f in one.findings],
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "code": finding.code,
        "path": finding.path,
        "generation": finding.generation,
        "index": finding.index,
        "offset": finding.offset,
        "frame": finding.frame,
        "message": finding.message,
        "hint": finding.hint,
    }


def as_text(report: Report) -> str:
    """The verdict first, then what was read, then each generation with its windows and findings."""
    lines = [report.sentence(), f"  {read(report)}"]
    if report.live is not None:
        lines.append(f"  the live database {report.live.database}: {report.live.words}")
    lines.append("")
    for one in report.generations:
        lines += _generation_lines(one)
    if report.next_steps:
        lines += ["", "next steps", *(f"  {n}. {step}" for n, step in enumerate(report.next_steps, 1))]
    if report.findings:
        lines += ["", "beside the generations", *(line for f in report.findings for line in _finding_lines(f))]
    return "\n".join(printable(line) for line in lines) + "\n"


def read(report: Report) -> str:
    """How much was read, and how long that took."""
    checked = report.checked
    seconds = format_duration(report.ended_ns - report.started_ns)
    if report.depth == "names":
        return f"names only: no file was opened ({counted(checked.files, 'file')}, {seconds})"
    what = f"{counted(checked.frames, 'frame')} in {counted(checked.transactions, 'transaction')}"
    if any(one.generation == LTX for one in report.generations):
        alone = len(report.generations) == 1
        what = counted(checked.frames, "page") if alone else f"{checked.frames} frames and pages"
    return f"{counted(checked.files, 'file')}, {format_size(checked.bytes)}, {what} were read in {seconds}"


def _generation_lines(one: GenerationReport) -> list[str]:
    """A sound generation is one line; of the others every window, SQLite's words and the findings."""
    spans = [f"restores {format_time(w.start_ns)} to {format_time(w.end_ns)}, up to {w.end}" for w in one.windows]
    head = f"generation {one.generation}: {one.verdict}" if one.generation != LTX else f"LTX files: {one.verdict}"
    if one.verdict == "ok" and len(spans) < 2:
        lines = [", ".join([head, *spans])]
    else:
        lines = [head, *(f"  {span}" for span in spans)]
        if not spans:
            what = "nothing of it restores" if one.verdict == "unrestorable" else "it is not known what restores"
            lines.append(f"  {what}")
        if one.integrity:
            lines.append(f"  SQLite's integrity check at its end: {one.integrity}")
    return lines + [line for f in one.findings for line in _finding_lines(f)]


def _finding_lines(finding: Finding) -> list[str]:
    where = [] if finding.path is None else [finding.path]
    where += [] if finding.index is None else [f"index {finding.index:08x}"]
    where += [] if finding.frame is None else [f"frame {finding.frame}"]
    where += [] if finding.offset is None else [f"offset {finding.offset}"]
    lines = [f"  {_GLYPHS[finding.severity]} {finding.code}: {finding.message}"]
    if where:
        lines.append(f"      where: {', '.join(where)}")
    if finding.hint:
        lines.append(f"      next: {finding.hint}")
    return lines
