"""What the tests of crashes share: the application, litetui in processes of its own, and the judge."""

from __future__ import annotations

import multiprocessing
import os
import select
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from litetui.errors import LitetuiError, LockedError
from litetui.ops import restore, sync
from litetui.ops.sync import SyncResult
from litetui.ops.target import Target
from litetui.primary.meta import Meta
from litetui.replica.detect import open_replica
from litetui.replica.live import Layout
from tests.crash import app, victim
from tests.load import judge, states

# Its children are there in 10 ms, as what it has imported need not be imported again.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([app.__name__, victim.__name__, __name__])
_PATIENCE = 60.0


@dataclass(frozen=True)
class Place:
    """Where a test has its files."""

    folder: Path
    layout: Layout

    @property
    def db(self) -> Path:
        return self.folder / "app.db"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def replica(self) -> Path:
        return self.folder / "replica"

    @property
    def meta(self) -> Meta:
        return Meta(str(self.db))

    def sync(self) -> SyncResult:
        """Sync once, in a process of its own. Raises AssertionError with its traceback if it fails."""
        ours, its = FORKS.Pipe(duplex=False)
        process = FORKS.Process(target=_sync, args=(str(self.db), str(self.replica), self.layout, its))
        process.start()
        its.close()
        with suppress(EOFError):
            result = ours.recv()
            process.join(_PATIENCE)
            assert isinstance(result, SyncResult), result
            return result
        raise AssertionError("the sync ended without a word")

    def restore(self, target: Target | None = None) -> int:
        """Restore, and have the result judged. Returns its counter. Raises LitetuiError, AssertionError."""
        out = self.folder / "out.db"
        out.unlink(missing_ok=True)
        plan = restore.settle(restore.plan(open_replica(self.replica), target or Target()))
        restore.run(plan, str(out), integrity_check="quick")
        return judge(out, states(self.log))

    def temporary(self, generation: str) -> list[str]:
        """What a writer that was stopped has left, in the meta folder and in one generation of the replica."""
        folders = (Path(self.meta.path), self.replica / "generations" / generation)
        return [str(path) for folder in folders for path in folder.rglob("*.tmp")]


def _sync(db: str, replica: str, layout: Layout, answer: Connection) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            answer.send(sync.run(db, replica, layout=layout))
        except LockedError:
            if time.monotonic() < until:
                continue  # a large transaction of the application, on a slow machine
            answer.send(traceback.format_exc())
        except LitetuiError:
            answer.send(traceback.format_exc())
        return


class Application:
    """The application in its own process."""

    def __init__(self, place: Place, seed: int) -> None:
        self._orders, its = FORKS.Pipe()
        args = (str(place.db), str(place.log), seed, its)
        self._process = FORKS.Process(target=app.serve, args=args, daemon=True)
        self._process.start()
        its.close()
        assert self._answer() == "ready"

    def _answer(self) -> object:
        assert self._orders.poll(_PATIENCE), "the application does not answer"
        return self._orders.recv()

    def order(self, order: str) -> None:
        """`restart`, `hold` or `stop`: done when this returns."""
        self._orders.send(order)
        assert self._answer() == order

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


@contextmanager
def application(place: Place, seed: int) -> Iterator[Application]:
    running = Application(place, seed)
    try:
        yield running
    finally:
        running.kill()


class Victim:
    """litetui at full speed in its own process, and where it is. Killed at the end of the context if not before."""

    def __init__(self, place: Place, seed: int, *, checkpoints: int | None = None, threads: bool = False) -> None:
        self._told, its = FORKS.Pipe(duplex=False)
        args = (str(place.db), str(place.replica), place.layout, seed, its, checkpoints, threads)
        self._process = FORKS.Process(target=_replicate, args=args, daemon=True)
        self._process.start()
        its.close()
        self._rest = b""
        self.phase = "start"
        self.errors: list[str] = []

    def __enter__(self) -> Victim:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join(_PATIENCE)
        self._told.close()

    def wait_for(self, phase: str, seconds: float) -> bool:
        """Until it enters that phase, at any depth; False if it does not in time."""
        return self._listen(time.monotonic() + seconds, phase)

    def let_run(self, seconds: float) -> None:
        self._listen(time.monotonic() + seconds, None)

    def kill(self) -> str:
        """Kill it. Returns the phase in which it died."""
        assert self._process.exitcode is None, f"the victim has ended by itself: {self._process.exitcode}"
        self._process.kill()
        return self._end()

    def join(self) -> None:
        """Wait until it has ended by itself."""
        self._end()
        assert self._process.exitcode == 0

    def _end(self) -> str:
        until = time.monotonic() + _PATIENCE
        while self._listen(until, ""):
            pass
        self._process.join(_PATIENCE)
        return self.phase

    def _listen(self, until: float, phase: str | None) -> bool:
        """Read what it says until a time or until it is in a phase ("": in any)."""
        while select.select([self._told], [], [], max(0.0, until - time.monotonic()))[0]:
            data = os.read(self._told.fileno(), 1 << 16)
            if not data:
                return False
            *lines, self._rest = (self._rest + data).split(b"\n")
            said = [line.decode() for line in lines]
            self.errors += [line for line in said if line.startswith("error: ")]
            said = [line for line in said if not line.startswith("error: ")]
            self.phase = said[-1] if said else self.phase
            if phase is not None and any(phase in line.split("/") or not phase for line in said):
                return True
        return False


def _replicate(
    db: str, replica: str, layout: Layout, seed: int, told: Connection, checkpoints: int | None, threads: bool
) -> None:
    if threads:
        victim.replicate_in_threads(db, replica, layout, told.fileno())
    else:
        victim.replicate(db, replica, layout, seed, told.fileno(), checkpoints)
