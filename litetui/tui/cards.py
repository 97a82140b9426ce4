"""A fact as a card: what the stats of a pane are made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """One fact. `status` is "", "success", "warning" or "error"; the highest `drop` goes first."""

    label: str
    value: str
    note: str = ""
    status: str = ""
    drop: int = 0
