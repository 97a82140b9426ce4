"""A sample for whoever has no replica at hand: a live database with a gentle writer, whose replica has a day of history
and grows while one looks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litetui.errors import LitetuiError, OutputError

if TYPE_CHECKING:
    from litetui.replica.file import FileReplica

_MINUTE = 60 * 1_000_000_000
# The live sample's history: for each generation, minutes before now between which its files lie, and how many
# transactions each sync carried; 0 is a checkpoint, -1 a snapshot.
_HISTORY = (
    (1560, 310, (30, 22, 8, 40, 0, 12, 3, 25, 9, -1, 14, 31, 0, 6, 18)),
    (295, 4, (24, 9, 17, 0, 11, 34, 5, 0, 8, 21, 13, -1, 7, 16, 0, 10, 4)),
)


@dataclass(frozen=True, slots=True)
class LiveDemo:
    """The paths of a database that is being written to, and of its replica."""

    database: str
    replica: str


@contextmanager
def live_demo(folder: str) -> Iterator[LiveDemo]:
    """A database with a gentle writer, and its replica with some history, in an empty folder. The writer goes with the
    context, and with this process; the folder stays. Raises LitetuiError."""
    demo = _paths(folder)
    with Writer(demo.database) as writer:
        _make_history(demo, writer)
        writer.tell("go")
        yield demo


def make_demo(folder: str) -> LiveDemo:
    """The database and its replica, made in an empty or new folder; they stay, at rest. Raises LitetuiError."""
    try:
        os.makedirs(folder, exist_ok=True)
        if os.listdir(folder):
            raise OutputError(
                "make the sample", "the folder is not empty", path=folder, hint="name a new one: --dir DIR"
            )
    except OSError as error:
        raise OutputError("make the sample", error.strerror or str(error), path=folder) from None
    demo = _paths(os.path.abspath(folder))
    with Writer(demo.database) as writer:
        _make_history(demo, writer)
    return demo


def _paths(folder: str) -> LiveDemo:
    return LiveDemo(os.path.join(folder, "app.db"), os.path.join(folder, "app.db-replica"))


class Writer:
    """The application, demo_writer.py, as a process: it ends when the pipe to it is closed, however that happens."""

    def __init__(self, database: str) -> None:
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo_writer.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", program, database],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Writer:
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def tell(self, command: str) -> None:
        """Give a command and wait until it is done."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._broken() from None
        self._answer()

    def _answer(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise self._broken()

    def _broken(self) -> LitetuiError:
        return LitetuiError(
            "make the demo",
            "the program that writes into the database has ended",
            hint=f"is Python's sqlite3 there? {sys.executable} -c 'import sqlite3'",
        )


def _make_history(demo: LiveDemo, writer: Writer) -> None:
    """Two generations: the second begins because the application has truncated the WAL while nothing replicated."""
    from litetui.ops.sync import bind
    from litetui.primary.database import Database

    seen: set[str] = set()
    for start, end, steps in _HISTORY:
        if os.path.isdir(demo.replica):
            writer.tell("restart")
        times = iter(_times(time.time_ns(), start, end, len(steps)))
        with Database(demo.database) as database:
            replica = bind(database, demo.replica)
            for step in steps:
                if step > 0:
                    writer.tell(f"write {step}")
                elif step == 0:
                    database.sync()
                    database.checkpoint("PASSIVE")
                database.sync()
                if step < 0:
                    replica.snapshot()
                else:
                    replica.sync()
                _date(replica, seen, next(times))


def _times(now_ns: int, start: int, end: int, count: int) -> list[int]:
    """Times between two numbers of minutes ago, rising, not evenly."""
    span = (start - end) * _MINUTE
    return [
        now_ns - start * _MINUTE + span * n // (count - 1) + (n * 7919 % 101) * span // (count * 500)
        for n in range(count)
    ]


def _date(replica: FileReplica, seen: set[str], at_ns: int) -> None:
    """Give the files that are new a time in the past, in the order of their positions."""
    found = []
    for folder, _, names in os.walk(replica.path):
        found += [os.path.join(folder, name) for name in names]
    new = sorted((path for path in found if path not in seen), key=lambda path: (os.path.basename(path)[:8], path))
    for n, path in enumerate(new):
        os.utime(path, ns=(at_ns + n * 1_000_000, at_ns + n * 1_000_000))
    seen.update(found)
