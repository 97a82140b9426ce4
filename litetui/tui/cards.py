"""What the stats of a pane are made of: a fact as a card, and what needs attention as a line."""

from __future__ import annotations

from dataclasses import dataclass

Note = tuple[str, str]  # text, and a status: "", "success", "warning" or "error"


@dataclass(frozen=True, slots=True)
class Card:
    """One fact. `status` is "", "success", "warning" or "error"; the highest `drop` goes first."""

    label: str
    value: str
    note: str = ""
    status: str = ""
    drop: int = 0


@dataclass(frozen=True, slots=True)
class Brief:
    """One line, cut where it is too long. `severity` is "error", "warning", "info" or ""; of `tails`, which stand at
    its end, the first go where there is no room."""

    severity: str
    words: str
    tails: tuple[str, ...] = ()
