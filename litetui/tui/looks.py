"""Damage that was met by looking into a file: it was read, so it is evidence as long as the file is that one.

Pure but for what it remembers. A validation that read the bytes later says the same, or better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from litetui.errors import DamageError, LitetuiError
from litetui.tui.tree_line import LTX, Key, generation_of

if TYPE_CHECKING:
    from litetui.tui.checks import Checks
    from litetui.tui.ltx.model import Seen
    from litetui.tui.model import ReplicaView

Stamp = tuple[int, ...]


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
        """A file was read to its end, or up to a problem; whether that changes what is known."""
        from litetui.replica.types import Finding
        from litetui.tui.ltx.model import Seen

        stamp = _stamp(view, key)
        if problem is None or stamp is None:
            return self._known.pop(key, None) is not None
        if not isinstance(problem, DamageError):  # it could not be read, which says nothing of its bytes
            return False
        known = self._known.get(key)
        finding = Finding("error", problem.code, problem.cause, problem.hint or "", problem.path,
                          generation_of(key) or None, problem.index, problem.offset, problem.frame)  # fmt: skip
        self._known[key] = _Look(Seen(finding, now_ns), stamp)
        return known is None or known.seen.finding != finding

    def on(self, view: ReplicaView, checks: Checks) -> ReplicaView:
        """The view with what is still so: the file has not changed, and no validation has read it since."""
        if not self._known and not any(g.seen for g in view.generations) and not (view.ltx and view.ltx.seen):
            return view
        found: dict[str, list[Seen]] = {}
        for key, look in self._known.items():
            name = generation_of(key) or LTX
            check = checks.get(name)
            if _stamp(view, key) == look.stamp and not (check and check.read_bytes and check.at_ns >= look.seen.at_ns):
                found.setdefault(name, []).append(look.seen)
        generations = tuple(replace(g, seen=tuple(found.get(g.name, ()))) for g in view.generations)
        ltx = view.ltx if view.ltx is None else replace(view.ltx, seen=tuple(found.get(LTX, ())))
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
