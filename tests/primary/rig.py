"""A database with its application, and a replica of it: what most tests of the live side begin with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

from litetui.format.wal import WALHeader
from litetui.ops import restore, sync
from litetui.ops.sync import SyncResult
from litetui.ops.target import Target
from litetui.primary.database import Database
from litetui.primary.meta import Meta
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from tests.primary.sql import USUAL, App
from tests.primary.sql_child import content

if TYPE_CHECKING:
    from collections.abc import Callable

    from litetui.replica.live import Layout


def wait(until: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Until a condition holds."""
    deadline = monotonic() + seconds
    while not until():
        assert monotonic() < deadline, f"waited {seconds} s for {what}"
        Event().wait(0.005)


def restored(root: Path, target: Target | None = None) -> int:
    """The content of what a replica restores to, which SQLite finds in order."""
    out = root.parent / f"{root.name}.restored.db"
    out.unlink(missing_ok=True)
    restore.run(restore.plan(open_replica(root), target or Target()), str(out), integrity_check="full")
    with closing(sqlite3.connect(f"file:{out}?immutable=1", uri=True)) as connection:
        found = content(connection)
    out.unlink()
    return found


def files(folder: Path, pattern: str = "*") -> list[str]:
    """The files below a folder, by their path in it."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob(pattern) if p.is_file())


@dataclass
class Rig:
    """`db` with its application `app`, and the place of a replica, `root`."""

    db: Path
    root: Path
    app: App

    @property
    def wal(self) -> Path:
        return Path(f"{self.db}-wal")

    @property
    def meta(self) -> Meta:
        return Meta(str(self.db))

    def shadow(self, index: int = 0) -> Path:
        """The shadow WAL of an index of the current generation."""
        return Path(self.meta.wal_path(self.meta.generation(), index))

    def header(self) -> WALHeader:
        """The real WAL's. Only the WAL may be opened in this process: it carries no locks."""
        return WALHeader.parse(self.wal.read_bytes())

    def sync(self, *, snapshot: bool = False, layout: Layout | None = None) -> SyncResult:
        """One `litetui sync`."""
        return sync.run(str(self.db), str(self.root), snapshot=snapshot, layout=layout)

    def open(self) -> Database:
        database = Database(self.db)
        database.open()
        return database

    def bind(self, database: Database, layout: Layout | None = None) -> FileReplica:
        return sync.bind(database, str(self.root), layout)

    def replica_files(self) -> list[str]:
        """The files of the newest generation: `snapshots/…`, `wal/…`."""
        newest = open_replica(self.root).generations()[0]
        return files(self.root / "generations" / newest)

    def same(self) -> None:
        """What is restored is what the application has."""
        assert restored(self.root) == self.app.content()


@contextmanager
def rig(folder: Path, *, rows: int = 20, page_size: int = 4096) -> Iterator[Rig]:
    db = folder / "app.db"
    with App(db, wal=False) as app:
        app(f"pragma page_size = {page_size}", "pragma journal_mode = wal", *USUAL)
        app.add(rows)
        yield Rig(db, folder / "replica", app)
