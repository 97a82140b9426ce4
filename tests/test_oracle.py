"""What litetui writes, restored by real Litestream; and both of them going on where the other stopped.

The binaries are LITETUI_LITESTREAM_0_3 and LITETUI_LITESTREAM_0_5 (`bash .ci/run` installs them). Without them the
tests are skipped, but not under CI.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

import pytest

from litetui.ops import restore as ops
from litetui.ops.lag import lag
from litetui.ops.target import Target
from litetui.replica import FileReplica, open_replica
from tests.test_live import state_of

REAL = {version: os.environ.get(f"LITETUI_LITESTREAM_{version}", "") for version in ("0_3", "0_5")}
FAST = ("--monitor-interval", "20ms", "--sync-interval", "40ms", "--min-checkpoint-pages", "150")


def real(version: str) -> str:
    binary = REAL[version]
    if not os.access(binary, os.X_OK):
        why = f"LITETUI_LITESTREAM_{version} names no real Litestream"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return binary


def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        Event().wait(0.02)


class Application:
    """The live writer, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db, self.log, self.stop = folder / "app.db", folder / "states", folder / "stop"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.live_writer", str(self.db), str(self.log), str(self.stop)]
        )
        until(lambda: self.log.exists() and self.log.stat().st_size, "the writer")

    def __enter__(self) -> Application:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.stop.touch()
        self.process.wait(30)

    @property
    def states(self) -> set[tuple[int, str]]:
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return {(int(n), digest) for n, digest in lines}

    @contextmanager
    def at_rest(self, replica: Path) -> Iterator[None]:
        """The writer stands still, and the replica has all of it: Litestream 0.3.13 may garble its last segments
        when it is stopped in a sync."""

        def in_step() -> bool:
            return lag(str(self.db), open_replica(replica), versions=False).bytes == 0

        for _ in range(20):  # where it stands still inside a transaction, it is in the replicator's way
            self.process.send_signal(signal.SIGSTOP)
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline and not in_step():
                Event().wait(0.02)
            if in_step():
                break
            self.process.send_signal(signal.SIGCONT)
        assert in_step()
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def checkpointed(self) -> bytes:
        """The database's file after a TRUNCATE checkpoint, when nobody else has it open."""
        code = (
            "import sqlite3, sys\n"
            "print(sqlite3.connect(sys.argv[1]).execute('pragma wal_checkpoint(truncate)').fetchone())"
        )
        done = subprocess.run([sys.executable, "-c", code, str(self.db)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "(0, 0, 0)"
        return self.db.read_bytes()


@contextmanager
def replicating(command: list[str]) -> Iterator[None]:
    # Into a file: nobody reads a pipe meanwhile, and Litestream stops in its log once that is full.
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        log.seek(0)
        output = log.read()
    assert process.returncode == 0, output
    assert "Traceback" not in output


def litetui(app: Application, replica: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "litetui", "replicate", str(app.db), str(replica), *FAST, *options]


def litestream(app: Application, replica: Path) -> list[str]:
    config = app.folder / "litestream.yml"
    config.write_text(
        f"dbs:\n  - path: {app.db}\n    monitor-interval: 20ms\n    min-checkpoint-page-count: 150\n"
        f"    replicas:\n      - path: {replica}\n        sync-interval: 40ms\n"
    )
    return [real("0_3"), "replicate", "-config", str(config)]


def indexes(replica: FileReplica) -> list[int]:
    replica.refresh()
    names = replica.generations()
    return replica.wals(names[0]).indexes().tolist() if names else []


def ours(replica: Path, target: Target, out: Path) -> bytes:
    out.unlink(missing_ok=True)
    ops.run(ops.plan(open_replica(replica), target), str(out), integrity_check="full")
    return out.read_bytes()


def theirs(version: str, replica: Path, out: Path, *options: str) -> bytes:
    for left in out.parent.glob(out.name + "*"):
        left.unlink()
    command = [real(version), "restore", "-o", str(out), *options, f"file://{replica}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out.read_bytes()


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    with Application(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A database whose replica litetui has written, over several indexes and with a second snapshot; all at rest."""
    with Application(tmp_path_factory.mktemp("oracle")) as running:
        replicated(running)
        yield running


def replicated(application: Application) -> None:
    replica = FileReplica(application.folder / "replica")
    with replicating(litetui(application, application.folder / "replica")):
        until(lambda: len(indexes(replica)) > 4, "four indexes")
    command = [sys.executable, "-m", "litetui", "snapshot", str(application.db), str(application.folder / "replica")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with replicating(litetui(application, application.folder / "replica")):
        until(lambda: len(indexes(replica)) > 8, "eight indexes")
        application.end()


def test_the_latest_state_is_the_database(app: Application, tmp_path: Path) -> None:
    replica = app.folder / "replica"
    got = ours(replica, Target(), tmp_path / "ours.db")
    assert state_of(tmp_path / "ours.db") == max(app.states)
    assert theirs("0_3", replica, tmp_path / "0.3.db") == got
    assert theirs("0_5", replica, tmp_path / "0.5.db") == got
    assert app.checkpointed() == got


def test_every_index(app: Application, tmp_path: Path) -> None:
    path = app.folder / "replica"
    replica = open_replica(path)
    (generation,) = replica.generations()
    assert len(replica.snapshots(generation)) > 1
    for index in replica.wals(generation).indexes().tolist():
        got = ours(path, Target(generation, index), tmp_path / "ours.db")
        options = ("-generation", generation, "-index", f"{index:08x}")
        assert theirs("0_3", path, tmp_path / "0.3.db", *options) == got, index
        assert state_of(tmp_path / "ours.db") in app.states


def test_the_older_layout(application: Application, tmp_path: Path) -> None:
    """Litestream v0.3.0-0.3.4 cannot be installed any more; its layout is held by its rules and by our own restore."""
    path = tmp_path / "replica"
    replica = FileReplica(path)
    with replicating(litetui(application, path, "--layout", "wal")):
        until(lambda: len(indexes(replica)) > 4, "four indexes")
        application.end()
    (folder,) = path.glob("generations/*/wal")
    names = sorted(p.name for p in folder.iterdir())
    (first, *_, last) = indexes(replica)
    assert names == [*(f"{i:08x}.wal.lz4" for i in range(first, last)), f"{last:08x}.wal"]
    for index in indexes(replica):
        ours(path, Target(replica.generations()[0], index), tmp_path / "ours.db")
        assert state_of(tmp_path / "ours.db") in application.states
    got = ours(path, Target(), tmp_path / "ours.db")
    assert state_of(tmp_path / "ours.db") == max(application.states)
    assert application.checkpointed() == got


def test_each_goes_on_where_the_other_stopped(application: Application, tmp_path: Path) -> None:
    """One generation, written in turn by litetui, by Litestream 0.3.13, and by litetui again."""
    path = tmp_path / "replica"
    replica = FileReplica(path)
    for command in (litetui(application, path), litestream(application, path)):
        wanted = len(indexes(replica)) + 2
        with ExitStack() as rest, replicating(command):
            until(lambda wanted=wanted: len(indexes(replica)) > wanted, f"{wanted} indexes")  # type: ignore[misc]
            rest.enter_context(application.at_rest(path))
    with replicating(litetui(application, path)):
        until(lambda: len(indexes(replica)) > 8, "eight indexes")
        application.end()
    assert len(replica.generations()) == 1
    got = ours(path, Target(), tmp_path / "ours.db")
    assert state_of(tmp_path / "ours.db") == max(application.states)
    assert theirs("0_3", path, tmp_path / "0.3.db") == got
    assert application.checkpointed() == got
