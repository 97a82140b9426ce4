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
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from litetui.files import Owner
from litetui.format.position import Pos
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.replicate import Options, Replicator
from litetui.primary.connections import Mode
from litetui.primary.database import Change, Database, Limits
from litetui.primary.meta import Meta
from litetui.replica.file import FileReplica
from litetui.replica.live import Layout, Live
from litetui.replica.writer import ReplicaWriter

LIMITS = Limits(min_checkpoint_pages=60, max_checkpoint_pages=300, busy_timeout_s=5.0)
LAYOUTS: tuple[Layout, ...] = ("wal", "segments")
IDLE = "idle"
_SNAPSHOTS = 0.04  # how many of the syncs that found something
_RESTARTS = 0.01  # how many of the looks, beside those that are due
_SNAPSHOT_INTERVAL = 0.15  # seconds
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

    def set_generation(self, name: str, owner: Owner | None) -> None:
        with self._phases("generation"):
            super().set_generation(name, owner)


class ToldDatabase(Database):
    def __init__(self, path: str, phases: Phases) -> None:
        super().__init__(path, limits=LIMITS)
        self.meta = ToldMeta(self.path, phases)
        self.done: dict[Mode, int] = {"PASSIVE": 0, "RESTART": 0}
        self._phases = phases

    def open(self, *, takeover: bool = False) -> None:
        with self._phases("open"):
            super().open(takeover=takeover)

    def sync(self, cancel: CancelToken | None = None) -> Change:
        with self._phases("sync"):
            return super().sync(cancel)

    def checkpoint(self, mode: Mode) -> bool:
        with self._phases(f"checkpoint {mode}"):
            done = super().checkpoint(mode)
        self.done[mode] += done
        return done

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
    database = ToldDatabase(db, phases)
    with database:
        live = Live(FileReplica(replica), database, layout)
        live.writer = ToldWriter(live.replica.path, phases)
        while checkpoints is None or min(database.done.values()) < checkpoints:
            change = database.sync()
            if change and rng.random() < _SNAPSHOTS:
                live.snapshot()
            elif rng.random() < 0.7:
                live.sync()  # else the shadow WALs run ahead of the replica
            mode = database.checkpoint_due() or ("RESTART" if rng.random() < _RESTARTS else None)
            if mode is not None:
                database.checkpoint(mode)
            if live.pos.generation == database.generation and (mode is not None or rng.random() < 0.1):
                database.clean(live.pos.index)
            if not change:
                time.sleep(_PAUSE)


def replicate_in_threads(db: str, replica: str, layout: Layout, fd: int) -> None:
    """`litetui replicate` itself, with a snapshot every now and then: the threads are in all phases at the same time.

    Until killed, or until a snapshot fails. What goes wrong meanwhile is said as `error: …`.
    """

    def log(level: str, message: str) -> None:
        if level == "error":
            os.write(fd, f"error: {message}\n".encode())

    options = Options(layout, monitor_interval_s=0.01, sync_interval_s=0.01, limits=LIMITS)
    replicator = Replicator(db, [replica], options, Reporter(log))
    cancel = CancelToken()
    thread = threading.Thread(target=replicator.run, args=(cancel,))
    thread.start()
    with Phases(fd)("replicate"):
        while thread.is_alive():
            time.sleep(_SNAPSHOT_INTERVAL)
            if replicator.database.is_open:
                replicator.snapshot_now(Reporter(log), cancel)


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
