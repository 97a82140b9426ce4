"""A first look at a big replica: the names alone, which takes a fifth of the time that sizes and times take."""

from __future__ import annotations

from dataclasses import dataclass

from litetui.format import names
from litetui.replica.catalog import WALTable
from litetui.replica.file import FileReplica
from litetui.replica.ltx import LEVELS, LTXReplica


@dataclass(frozen=True, slots=True)
class Glance:
    """What the names in a generation's folders tell, or in those of a level, which is a number in digits.

    files    of WALs, or LTX files
    indexes  how many WALs they make up; 0 for a level
    """

    name: str
    snapshots: int
    files: int
    indexes: int = 0


def glance(replica: FileReplica | LTXReplica) -> list[Glance]:
    """The generations, the one whose WALs came last first; or the levels that have files. Raises LitetuiError."""
    storage = replica.storage
    if isinstance(replica, LTXReplica):
        counts = {level: len(storage.names(replica.level_dir(level))) for level in LEVELS}
        return [Glance(str(level), 0, count) for level, count in counts.items() if count]
    found: list[tuple[int, Glance]] = []
    for name in storage.names("generations"):
        folder = replica.generation_dir(name)
        if names.is_generation(name):
            table, _ = WALTable.parse(name, storage.names(f"{folder}/wal"))
            snapshots = sum(names.parse_snapshot(n) is not None for n in storage.names(f"{folder}/snapshots"))
            at = storage.folder_mtime_ns(f"{folder}/wal")
            found.append((at, Glance(name, snapshots, len(table), len(table.indexes()))))
    return [one for _, one in sorted(found, key=lambda pair: pair[0], reverse=True)]
