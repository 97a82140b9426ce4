"""What is killed: litetui that replicates at full speed. python -m tests.crash.victim DB REPLICA LAYOUT SEED

It says on standard output, a line each time it enters or leaves a part of its work, where it is now: `idle`, `sync`,
`snapshot/WAL` (the WAL that a snapshot needs). The last line is where it died. It may be started again and again with
the same database and replica.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from litetui.files import Owner
from litetui.format.position import Pos
from litetui.jobs.progress import CancelToken
from litetui.primary.database import Change, Database, Limits, Mode
from litetui.primary.meta import Meta
from litetui.replica.file import FileReplica
from litetui.replica.live import Layout, Live
from litetui.replica.writer import ReplicaWriter

LIMITS = Limits(min_checkpoint_pages=60, max_checkpoint_pages=300, busy_timeout_s=0.3)
LAYOUTS: tuple[Layout, ...] = ("wal", "segments")
IDLE = "idle"
_SNAPSHOTS = 0.04  # how many of the syncs that found something
_PAUSE = 0.002  # seconds when there was nothing to do


class Phases:
    """Says where the process is."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._inside: list[str] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self._inside.append(name)
        self._say()
        try:
            yield
        finally:
            self._inside.pop()
            self._say()

    def _say(self) -> None:
        os.write(self._fd, f"{'/'.join(self._inside) or IDLE}\n".encode())


class ToldMeta(Meta):
    def __init__(self, database: str, phases: Phases) -> None:
        super().__init__(database)
        self._phases = phases

    def note_reason(self, generation: str, reason: str, at_ns: int, owner: Owner | None) -> None:
        with self._phases("generation"):
            super().note_reason(generation, reason, at_ns, owner)

    def set_generation(self, name: str, owner: Owner | None) -> None:
        with self._phases("generation"):
            super().set_generation(name, owner)


class ToldDatabase(Database):
    def __init__(self, path: str, phases: Phases) -> None:
        super().__init__(path, limits=LIMITS)
        self.meta = ToldMeta(self.path, phases)
        self._phases = phases

    def open(self, *, takeover: bool = False) -> None:
        with self._phases("open"):
            super().open(takeover=takeover)

    def sync(self, cancel: CancelToken | None = None) -> Change:
        with self._phases("sync"):
            return super().sync(cancel)

    def checkpoint(self, mode: Mode) -> bool:
        with self._phases(f"checkpoint {mode}"):
            return super().checkpoint(mode)

    @contextmanager
    def holding_checkpoints(self) -> Iterator[Pos]:
        with self._phases("snapshot"), super().holding_checkpoints() as at:
            yield at

    def clean(self, keep_from: int) -> list[str]:
        with self._phases("clean"):
            return super().clean(keep_from)


class ToldWriter(ReplicaWriter):
    def __init__(self, root: str, phases: Phases) -> None:
        super().__init__(root)
        self._phases = phases

    def segment(self, generation: str, index: int, offset: int, blocks: Iterable[bytes | memoryview]) -> None:
        with self._phases("WAL"):
            super().segment(generation, index, offset, blocks)

    def append(self, generation: str, index: int, offset: int, blocks: Iterable[bytes | memoryview]) -> None:
        with self._phases("WAL"):
            super().append(generation, index, offset, blocks)

    def compress(self, generation: str, index: int) -> None:
        with self._phases("compress"):
            super().compress(generation, index)


def replicate(db: str, replica: str, layout: Layout, seed: int, fd: int, checkpoints: int | None = None) -> None:
    """Replicate until killed, or until so many checkpoints of each kind are done."""
    rng = random.Random(seed)
    phases = Phases(fd)
    with ToldDatabase(db, phases) as database:
        live = Live(FileReplica(replica), database, layout)
        live.writer = ToldWriter(live.replica.path, phases)
        while checkpoints is None or _fewest(database) < checkpoints:
            change = database.sync()
            if change and rng.random() < _SNAPSHOTS:
                live.snapshot()
            elif rng.random() < 0.7:
                live.sync()  # else the shadow WALs run ahead of the replica
            if (mode := database.checkpoint_due()) is not None:
                database.checkpoint(mode)
            if live.pos.generation == database.generation and rng.random() < 0.3:
                database.clean(live.pos.index)
            if not change:
                time.sleep(_PAUSE)


def _fewest(database: Database) -> int:
    modes: tuple[Mode, ...] = ("PASSIVE", "RESTART")
    return min(database.checkpoints.get((mode, True), 0) for mode in modes)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.victim", description="litetui at full speed.")
    parser.add_argument("db")
    parser.add_argument("replica")
    parser.add_argument("layout", choices=LAYOUTS)
    parser.add_argument("seed", type=int)
    parser.add_argument("--checkpoints", type=int, help="end after so many of each kind; without it never")
    options = parser.parse_args(arguments)
    replicate(options.db, options.replica, options.layout, options.seed, sys.stdout.fileno(), options.checkpoints)


if __name__ == "__main__":
    main(sys.argv[1:])
