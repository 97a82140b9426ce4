"""The folder beside the database, `.NAME-litestream`: which generation is current, and its shadow WALs.

    META/generation                                  16 hex digits and a newline, replaced by a rename
    META/generations/GENERATION/wal/IIIIIIII.wal     the shadow WALs, one an index
    META/litetui.lock                                who replicates (guard.py)
    META/litetui.generations                         why each generation began, a JSON line each

The first two are Litestream v0.3's own (FORMAT-v0.3, section 3), so that either may go on where the other stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil

from litetui.files import Owner, replace_file
from litetui.format import names

_KEPT_REASONS = 200


class Meta:
    """The folder beside one database. Methods raise OSError; whoever calls them knows what it means."""

    def __init__(self, database: str, folder: str | None = None) -> None:
        self.path = folder or meta_path(database)

    @property
    def generation_file(self) -> str:
        return os.path.join(self.path, "generation")

    def wal_folder(self, generation: str) -> str:
        return os.path.join(self.path, "generations", generation, "wal")

    def wal_path(self, generation: str, index: int) -> str:
        return os.path.join(self.wal_folder(generation), names.format_wal(index, compressed=False))

    def generation(self) -> str:
        """The current generation, "" where there is none or its name is none."""
        try:
            with open(self.generation_file, encoding="ascii", errors="replace") as file:
                name = file.read(64).strip()
        except FileNotFoundError:
            return ""
        return name if names.is_generation(name) else ""

    def generations(self) -> list[str]:
        """Every generation that has a folder here."""
        return [n for n in _listing(os.path.join(self.path, "generations")) if names.is_generation(n)]

    def indexes(self, generation: str) -> list[int]:
        """The indexes that have a shadow WAL, ascending."""
        parsed = (names.parse_wal(n) for n in _listing(self.wal_folder(generation)))
        return sorted(p.index for p in parsed if p is not None and p.offset is None and not p.compressed)

    def set_generation(self, name: str, owner: Owner | None) -> None:
        replace_file(self.generation_file, f"{name}\n".encode(), owner)

    def remove_temporary(self) -> None:
        """Remove what a writer that was stopped has left; only for the one who holds the lock."""
        for folder, _, files in os.walk(self.path):
            for name in files:
                if name.endswith(".tmp"):
                    os.unlink(os.path.join(folder, name))

    def remove_other_generations(self, keep: str) -> list[str]:
        gone = [name for name in self.generations() if name != keep]
        for name in gone:
            shutil.rmtree(os.path.join(self.path, "generations", name))
        return gone

    def remove_shadows_below(self, generation: str, index: int) -> list[int]:
        gone = [i for i in self.indexes(generation) if i < index]
        for i in gone:
            os.unlink(self.wal_path(generation, i))
        return gone

    # why generations began

    @property
    def _reasons_file(self) -> str:
        return os.path.join(self.path, "litetui.generations")

    def note_reason(self, generation: str, reason: str, inode: int, at_ns: int, owner: Owner | None) -> None:
        """Remember why a generation began, and with which file of the database."""
        row = {"generation": generation, "reason": reason, "inode": inode, "at_ns": at_ns}
        rows = [*self._reason_rows(), row][-_KEPT_REASONS:]
        replace_file(self._reasons_file, "".join(json.dumps(row) + "\n" for row in rows).encode(), owner)

    def reasons(self) -> dict[str, str]:
        """Why each generation began, as far as litetui began it."""
        return {str(row["generation"]): str(row["reason"]) for row in self._reason_rows()}

    def inode(self, generation: str) -> int | None:
        """The inode of the database's file when a generation began, None where litetui did not begin it."""
        rows = [row for row in self._reason_rows() if row["generation"] == generation]
        found = rows[-1].get("inode") if rows else None
        return found if isinstance(found, int) else None

    def _reason_rows(self) -> list[dict[str, object]]:
        rows = []
        try:
            with open(self._reasons_file, encoding="utf-8", errors="replace") as file:
                for line in file:
                    with contextlib.suppress(ValueError):
                        row = json.loads(line)
                        if isinstance(row, dict) and {"generation", "reason"} <= row.keys():
                            rows.append(row)
        except FileNotFoundError:
            pass
        return rows


def meta_path(database: str) -> str:
    """`/dir/NAME` → `/dir/.NAME-litestream`."""
    folder, name = os.path.split(os.path.realpath(database))
    return os.path.join(folder, f".{name}-litestream")


def _listing(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
