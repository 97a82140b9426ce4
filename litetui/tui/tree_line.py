"""A line of the tree and its key. Of themselves, so that the first frame needs nothing of what makes the lines."""

from __future__ import annotations

from dataclasses import dataclass

Key = tuple[str | int, ...]
LTX = "ltx"  # what a report calls the LTX files of a replica
LTX_KINDS = ("ltx", "level", "ltxfile")  # kinds of the tree's lines
GROUPS = ("day", "hour", "range")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the tree.

    key      what it stands for: ("replica",), ("generation", g), ("snapshots", g), ("snapshot", g, i),
             ("wals", g), ("index", g, i), a branch of these: ("day" or "hour" or "range", g,
             "snapshot" or "index", values), the values being those of the branches above it and its own;
             of v0.5: ("ltx",), ("level", n), and once it was opened ("ltxfile", n, first, last)
    text     its name; cut in the middle where it does not fit
    note     muted words after it, dropped before the text is cut
    shorter  other words for the note, where there is less room, the longest first
    glyph    name of a glyph before the text, with its status
    last     of a branch of WALs or snapshots: the last index below it
    """

    key: Key
    depth: int
    text: str
    note: str = ""
    glyph: str = ""
    status: str = ""
    branch: bool = False
    open: bool = False
    shorter: tuple[str, ...] = ()
    last: int = -1

    @property
    def kind(self) -> str:
        return str(self.key[0])

    @property
    def generation(self) -> str:
        return generation_of(self.key)


def generation_of(key: Key) -> str:
    """The generation that a key is about, "" where it is about none."""
    return str(key[1]) if len(key) > 1 and key[0] not in LTX_KINDS else ""
