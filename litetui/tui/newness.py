"""What has come to a replica since somebody last touched a key: lines of the tree get a `+` for it. Pure."""

from __future__ import annotations

from litetui.tui.ltx.model import LTXView
from litetui.tui.model import GenerationView, ReplicaView
from litetui.tui.tree_line import GROUPS, LTX_KINDS, Line


def is_news(seen: ReplicaView, view: ReplicaView, line: Line) -> bool:
    """Whether a line was not there when `seen` was made, or hides one that was not, as it is closed."""
    if line.kind in LTX_KINDS:
        return view.ltx is not None and _ltx(seen.ltx, view.ltx, line)
    if line.kind == "replica":
        return not line.open and any(_generation(seen, one) for one in view.generations)
    generation, before = view.generation(line.generation), seen.generation(line.generation)
    if generation is None or before is None:
        return generation is not None
    if line.kind == "generation":
        return not line.open and _generation(seen, generation)
    if line.kind == "snapshot":
        return int(line.key[2]) > _last_snapshot(before)
    if line.kind == "snapshots":
        return not line.open and _last_snapshot(generation) > _last_snapshot(before)
    if line.kind == "index":
        return int(line.key[2]) > _last_index(before)
    if line.kind in GROUPS:
        newest = _last_index(before) if line.key[2] == "index" else _last_snapshot(before)
        return not line.open and line.last > newest
    return not line.open and _last_index(generation) > _last_index(before)


def _generation(seen: ReplicaView, generation: GenerationView) -> bool:
    """Whether a generation is new, or has a new snapshot or a new index."""
    before = seen.generation(generation.name)
    if before is None:
        return True
    return _last_index(generation) > _last_index(before) or _last_snapshot(generation) > _last_snapshot(before)


def _last_index(generation: GenerationView) -> int:
    return int(generation.indexes.index[-1]) if len(generation.indexes) else -1


def _last_snapshot(generation: GenerationView) -> int:
    return generation.snapshots[-1].index if generation.snapshots else -1


def _ltx(seen: LTXView | None, ltx: LTXView, line: Line) -> bool:
    """The same of LTX files. A level is news for the files that it has more, which are no lines of the tree."""
    if seen is None:
        return True
    if line.kind == "ltx":
        return not line.open and ltx.table.max_txid.max(initial=0) > seen.table.max_txid.max(initial=0)
    level, before = ltx.level(int(line.key[1])), seen.level(int(line.key[1]))
    if level is None or before is None or line.kind == "ltxfile":
        return level is not None and line.kind == "level"
    return level.last > before.last
