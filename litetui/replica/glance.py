"""A first look at a big replica: the names alone, which takes a fifth of the time that sizes and times take."""

from __future__ import annotations

from dataclasses import dataclass

from litetui.errors import LitetuiError
from litetui.format import names
from litetui.replica.catalog import WALTable
from litetui.replica.file import FileReplica
from litetui.replica.ltx import LEVELS, LTXReplica
from litetui.replica.storage import LocalStorage


@dataclass(frozen=True, slots=True)
class Glance:
    """What the names in a generation's folders tell, or in those of a level, which is a number in digits.

    files    of WALs, or LTX files
    indexes  how many WALs they make up; 0 for a level
    """

    name: str
    snapshots: int = 0
    files: int = 0
    indexes: int = 0


def there(replica: FileReplica | LTXReplica) -> list[str]:
    """The generations, the one whose WALs came last first; or the levels that have a folder. Raises LitetuiError."""
    storage = replica.storage
    if isinstance(replica, LTXReplica):
        return [str(level) for level in LEVELS if storage.is_folder(replica.level_dir(level))]
    found = [name for name in storage.names("generations") if names.is_generation(name)]
    folders = {name: replica.generation_dir(name) for name in found}
    found = [name for name in found if storage.is_folder(folders[name])]
    return sorted(found, key=lambda name: storage.folder_mtime_ns(f"{folders[name]}/wal"), reverse=True)


def glance(replica: FileReplica | LTXReplica) -> list[Glance]:
    """The same with what is in them, without levels that have no file. What cannot be read seems to be empty: the
    listing that follows says so. Raises LitetuiError."""
    storage = replica.storage
    if isinstance(replica, LTXReplica):
        counts = {name: len(_names(storage, replica.level_dir(int(name)))) for name in there(replica)}
        return [Glance(name, 0, count) for name, count in counts.items() if count]
    found = []
    for name in there(replica):
        folder = replica.generation_dir(name)
        table, _ = WALTable.parse(name, _names(storage, f"{folder}/wal"))
        snapshots = sum(names.parse_snapshot(n) is not None for n in _names(storage, f"{folder}/snapshots"))
        found.append(Glance(name, snapshots, len(table), len(table.indexes())))
    return found


def _names(storage: LocalStorage, folder: str) -> list[str]:
    try:
        return storage.names(folder)
    except LitetuiError:
        return []
