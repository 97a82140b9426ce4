"""What can be written after `:`: words of the table of actions and of the browser's views, and what may follow them.
Pure; commanding.py carries it out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from litetui.tui.keys import ACTIONS
from litetui.tui.reasons import Situation


@dataclass(frozen=True, slots=True)
class Word:
    """A word.

    action   the action of the table that it does, "" where it leads to a view
    view     the tab that it shows, or "timeline"
    follows  what may be written behind it, in capitals; "" where nothing may
    reason   why it is not possible now, "" where it is
    """

    name: str
    meaning: str
    action: str = ""
    view: str = ""
    follows: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A line of the list above what is typed: what it would become, what that means, why it is not possible."""

    text: str
    meaning: str
    reason: str = ""


VIEWS = {
    "gen": ("generations", "the list of generations"),
    "snap": ("snapshots", "the snapshots of the generation that you stand in"),
    "wal": ("wal", "the WAL files of the generation that you stand in"),
    "attention": ("attention", "what needs attention"),
    "timeline": ("timeline", "the restore points in a picture"),
    "levels": ("levels", "the levels of LTX files"),
    "points": ("points", "the restore points of LTX files"),
}
FOLLOWS = {"restore": "TARGET", "open": "PATH", "theme": "NAME", "filter": "TEXT"}
LAST = ("command", "palette")  # they are there already


def words(at: Situation, view_reason: dict[str, str], tabs: Iterable[tuple[str, str]] = ()) -> list[Word]:
    """All words: views, those of the tabs in sight (id and label), then actions in the order of the table.

    `view_reason` says of views why they cannot be shown.
    """
    found = [
        Word(name, meaning, view=view, reason=view_reason.get(name, "")) for name, (view, meaning) in VIEWS.items()
    ]
    known = {word.view for word in found}
    found += [Word(tab, f"the tab {label!r}", view=tab) for tab, label in tabs if tab not in known]
    taken = {word.name for word in found}
    for action in ACTIONS:
        if action.where == "browser" and action.id not in LAST and action.name not in taken:
            follows, reason = FOLLOWS.get(action.id, ""), action.why_not(at)
            found.append(Word(action.name, action.help, action.id, follows=follows, reason=reason))
    return found


def near(text: str, every: Sequence[Word]) -> list[Word]:
    """The words that a text begins, or else those that are spelled much like it, the nearest first."""
    begun = [word for word in every if word.name.startswith(text)]
    if begun or not text:
        return begun
    inside = [word for word in every if text in word.name]
    names = difflib.get_close_matches(text, [word.name for word in every], n=4, cutoff=0.6)
    alike = [next(word for word in every if word.name == name) for name in names]
    return list(dict.fromkeys([*inside, *alike]))


def chosen(text: str, every: Sequence[Word]) -> Word | None:
    """The word that is meant: itself, or the only one that begins so."""
    exact = next((word for word in every if word.name == text), None)
    begun = [word for word in every if word.name.startswith(text)]
    return exact or (begun[0] if len(begun) == 1 else None)
