"""Damage that was met by looking into a file: it was read, so it is evidence as long as the file is that one. That a
file could not be read is known as well, which says nothing of its bytes.

Pure but for what it remembers. A validation that read the bytes later says the same, or better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from litetui.errors import ChangedError, DamageError, LitetuiError, UnreadableError
from litetui.tui.tree_line import LTX, Key, generation_of

if TYPE_CHECKING:
    from litetui.tui.checks import Checks
    from litetui.tui.ltx.model import Seen
    from litetui.tui.model import ReplicaView

Stamp = tuple[int, ...]
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class _Look:
    seen: Seen
    stamp: Stamp


class Looks:
    """What looking into the files of one replica has met."""

    def __init__(self) -> None:
        self._known: dict[Key, _Look] = {}

    def forget(self) -> None:
        """Another replica comes."""
        self._known.clear()

    def note(self, view: ReplicaView, key: Key, problem: LitetuiError | None, now_ns: int) -> bool:
        """A file was read to its end, or up to a problem; whether that changes what is known. `view`: of when the
        reading began, so that what has taken the file's place meanwhile is not blamed."""
        from litetui.replica.types import Finding
        from litetui.tui.ltx.model import Seen

        stamp = _stamp(view, key)
        if problem is None or stamp is None:
            return self._known.pop(key, None) is not None
        known = self._known.get(key)
        generation, hint = generation_of(key) or None, problem.hint or ""
        if isinstance(problem, DamageError):
            finding = Finding("error", problem.code, problem.cause, hint, problem.path, generation, problem.index,
                              problem.offset, problem.frame)  # fmt: skip
        elif isinstance(problem, UnreadableError) and not isinstance(problem, ChangedError):
            if known is not None and known.stamp == stamp and known.seen.finding.code != UNREADABLE:
                return False  # its bytes were read before
            index = int(key[2]) if generation else None
            finding = Finding("error", UNREADABLE, str(problem), hint, problem.path, generation, index)
        else:
            return False
        self._known[key] = _Look(Seen(finding, now_ns), stamp)
        return known is None or known.seen.finding != finding

    def on(self, view: ReplicaView, checks: Checks) -> ReplicaView:
        """The view with what is still so: the file has not changed, and no validation has read it since."""
        of_ltx = view.ltx is not None and bool(view.ltx.seen or view.ltx.unread)
        if not self._known and not of_ltx and not any(g.seen or g.unread for g in view.generations):
            return view
        found: dict[tuple[str, bool], list[Seen]] = {}
        for key, look in self._known.items():
            name = generation_of(key) or LTX
            check = checks.get(name)
            if _stamp(view, key) == look.stamp and not (check and check.read_bytes and check.at_ns >= look.seen.at_ns):
                found.setdefault((name, look.seen.finding.code == UNREADABLE), []).append(look.seen)

        def of(name: str) -> dict[str, Any]:
            return {"seen": tuple(found.get((name, False), ())), "unread": tuple(found.get((name, True), ()))}

        generations = tuple(replace(g, **of(g.name)) for g in view.generations)
        ltx = view.ltx if view.ltx is None else replace(view.ltx, **of(LTX))
        return replace(view, generations=generations, ltx=ltx)


def _stamp(view: ReplicaView, key: Key) -> Stamp | None:
    """Sizes and times of the files that a line of the tree stands for; None where it is gone, or has no content."""
    from litetui.tui.ltx.model import row_of

    if key[0] == "ltxfile" and view.ltx is not None:
        level = view.ltx.level(int(key[1]))
        row = row_of(level.table, int(key[2]), int(key[3])) if level is not None else None
        return None if level is None or row is None else (level.table[row].size, level.table[row].mtime_ns)
    generation = view.generation(generation_of(key))
    if key[0] != "index" or generation is None:
        return None
    rows = generation.wals.rows_of(int(key[2]))
    columns = (generation.wals.size, generation.wals.mtime_ns)
    return tuple(int(column[row]) for row in rows for column in columns) or None
