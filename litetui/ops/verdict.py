"""What a validation says: a verdict for each generation, which spans of time restore, and what was found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from litetui.format.position import TXID, Pos
from litetui.replica.types import Finding
from litetui.units import format_time

Depth = Literal["names", "content", "restore"]
Verdict = Literal["ok", "damaged", "unrestorable", "unknown"]
DEPTHS: tuple[Depth, ...] = ("names", "content", "restore")
LTX = "ltx"
EXIT_CODES: dict[Verdict, int] = {"ok": 0, "damaged": 3, "unrestorable": 3, "unknown": 1}


@dataclass(frozen=True, slots=True)
class Window:
    """A span of restore points without a hole, both ends inclusive: positions, and the times of their files (ns)."""

    start: Pos
    end: Pos
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Checked:
    """How much was looked at. `bytes` as they are stored; 0 where no file was opened."""

    files: int = 0
    bytes: int = 0
    frames: int = 0
    transactions: int = 0

    def __add__(self, other: Checked) -> Checked:
        return Checked(
            self.files + other.files,
            self.bytes + other.bytes,
            self.frames + other.frames,
            self.transactions + other.transactions,
        )


@dataclass(frozen=True, slots=True)
class GenerationReport:
    """What is known of one generation; of a v0.5 replica all levels are one, named `ltx`.

    latest_restores   whether its newest state restores; None where that is not known (names only, unreadable)
    restorable_to     the last position that restores completely, None where there is none or it is not known
    restorable_until_ns  the last time that a restore to a time takes: that of the last whole file up to there
    integrity         SQLite's own check of the state at `restorable_to`: "ok", its messages, or "" where none ran
    files, updated_ns what the generation held when it was listed: files that came since are unchecked
    around            of LTX files: the latest state restores, but only around a damaged one (--to-last-good)
    """

    generation: str
    verdict: Verdict
    latest_restores: bool | None
    restorable_to: Pos | None
    restorable_until_ns: int | None
    windows: tuple[Window, ...]
    findings: tuple[Finding, ...]
    integrity: str = ""
    checked: Checked = field(default_factory=Checked)
    files: int = 0
    updated_ns: int | None = None
    around: bool = False


@dataclass(frozen=True, slots=True)
class LiveCheck:
    """The comparison of a restore with the live database: at which position, with what result, in words.

    pages      how many differ; `tables` to which tables and indexes they belong, "free pages" among these
    kept       the files that were kept for an operator: the database's, the restore's
    checksums  CRC-64 of the database and of the restore, as Litestream logs them; None where they were not made
    """

    database: str
    status: Literal["ok", "mismatch", "unknown"]
    pos: Pos | None
    words: str
    pages: int = 0
    tables: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    checksums: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a validation found. `generations` newest first, `findings` only those that belong to none of them.

    complete  False where something could not be read, or the check was cut short
    """

    path: str
    depth: Depth
    verdict: Verdict
    latest_restores: bool | None
    complete: bool
    generations: tuple[GenerationReport, ...]
    findings: tuple[Finding, ...]
    checked: Checked
    started_ns: int
    ended_ns: int
    live: LiveCheck | None = None
    next_steps: tuple[str, ...] = ()

    @property
    def all_findings(self) -> list[Finding]:
        """Every finding, the default generation's first, those of no generation last."""
        return [f for g in self.generations for f in g.findings] + list(self.findings)

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    @property
    def default(self) -> GenerationReport | None:
        """The generation that a restore without a target takes, or the one that was asked for."""
        return self.generations[0] if self.generations else None

    @property
    def older(self) -> GenerationReport | None:
        """The newest of the other generations of which something restores."""
        return next((g for g in self.generations[1:] if g.restorable_to is not None), None)

    def with_live(self, live: LiveCheck) -> Report:
        """The same after a comparison with the live database: a mismatch is damage, and without an answer the verdict
        is not that all is well."""
        verdict, complete, findings = self.verdict, self.complete, self.findings
        if live.status == "mismatch":
            pos = live.pos
            hint = "copy the replica before anything else, then write a new snapshot, or begin a new generation"
            at = None if pos is None or isinstance(pos, TXID) else pos
            where = (at.generation, at.index, at.offset) if at is not None else (None, None, None)
            findings = (*findings, Finding("error", "live-mismatch", live.words, hint, live.database, *where))
            verdict = "damaged" if verdict in ("ok", "unknown") else verdict
        elif live.status == "unknown":
            complete = False
            verdict = "unknown" if verdict == "ok" else verdict
        return replace(self, verdict=verdict, complete=complete, findings=findings, live=live)

    def sentence(self) -> str:
        """The verdict's first sentence: whether the latest state restores, on what evidence, and up to when."""
        at = self.default
        if at is None:
            return f"{self.verdict}: there is no generation to restore from"
        until = "" if at.restorable_until_ns is None else f" {format_time(at.restorable_until_ns)}"
        until = f" {at.restorable_to},{until}" if at.restorable_to is not None else until
        if self.latest_restores is False and at.integrity not in ("", "ok"):
            words = "the latest state restores byte for byte, but fails SQLite's integrity check"
            return f"{self.verdict}: {words};{until}"
        if at.around:
            return f"{self.verdict}: the latest state restores only around what is damaged, with --to-last-good;{until}"
        if self.latest_restores is False:
            rest = f"it restores up to{until}" if until else "nothing of it restores"
            if not until and self.older is not None and self.older.restorable_until_ns is not None:
                rest += f", but {self.older.generation} does, up to {format_time(self.older.restorable_until_ns)}"
            what = f"generation {at.generation}" if at.generation != LTX else "the replica"
            return f"{self.verdict}: the latest state of {what} does not restore; {rest}"
        if self.latest_restores is None:
            what = {
                "ok": "the names are complete; no file was opened",
                "unknown": "it is not known whether the latest state restores: something could not be read",
            }.get(self.verdict, "it is not certain that the latest state restores")
            return f"{self.verdict}: {what}" + (f"; up to{until}" if until else "")
        how = {
            "content": "every byte was checked",
            "restore": f"it was restored, and SQLite's integrity check is {at.integrity or 'not made'}",
        }.get(self.depth, "")
        rest = {"ok": "", "unknown": ", but not everything could be checked"}.get(
            self.verdict, ", but something else is wrong"
        )
        return f"{self.verdict}: the latest state restores,{until} ({how}){rest}"
