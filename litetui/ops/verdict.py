"""What a validation says: a verdict for each generation, which spans of time restore, and what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from litetui.replica.types import Finding, Pos
from litetui.units import format_time

Depth = Literal["names", "content", "restore"]
Verdict = Literal["ok", "damaged", "unrestorable", "unknown"]
DEPTHS: tuple[Depth, ...] = ("names", "content", "restore")
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
    """What is known of one generation.

    latest_restores   whether its newest state restores; None where that is not known (names only, unreadable)
    restorable_to     the last position that restores completely, None where there is none or it is not known
    restorable_until_ns  the time of the file that carries it
    integrity         SQLite's own check of the state at `restorable_to`: "ok", its messages, or "" where none ran
    files, updated_ns what the generation held when it was listed: files that came since are unchecked
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


@dataclass(frozen=True, slots=True)
class LiveCheck:
    """The comparison of a restore with the live database: at which position, with what result, in words."""

    database: str
    status: Literal["ok", "mismatch", "unknown"]
    pos: Pos | None
    words: str


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

    def sentence(self) -> str:
        """The verdict's first sentence: whether the latest state restores, on what evidence, and up to when."""
        at = self.default
        if at is None:
            return f"{self.verdict}: there is no generation to restore from"
        until = "" if at.restorable_until_ns is None else f" {at.restorable_to}, {format_time(at.restorable_until_ns)}"
        if self.latest_restores is False:
            rest = f"it restores up to{until}" if until else "nothing of it restores"
            return f"{self.verdict}: the latest state of generation {at.generation} does not restore; {rest}"
        if self.latest_restores is None:
            what = {
                "ok": "the names are complete; no file was opened",
                "unknown": "it is not known whether the latest state restores: something could not be read",
            }.get(self.verdict, "it is not certain that the latest state restores")
            return f"{self.verdict}: {what}" + (f"; up to{until}" if until else "")
        how = {
            "content": "every byte was checked",
            "restore": "it was restored, and SQLite's integrity check is " + (at.integrity or "not made"),
        }.get(self.depth, "")
        others = "" if self.verdict == "ok" else ", but something else is wrong"
        return f"{self.verdict}: the latest state restores,{until} ({how}){others}"
