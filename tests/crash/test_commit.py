"""The application is killed in the middle of a commit, while litetui has the database open.

A commit reaches the WAL first, its fsync second, and the wal-index last; only then it is one. Killed between, it never
was: the next writer writes over its frames, which look committed to whoever reads the file alone. As long as another
process has the database open nothing recovers the WAL, so that nobody else sees them.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from litetui.errors import LitetuiError
from litetui.ops import restore, sync
from litetui.ops.target import Target
from litetui.primary.connections import Mode
from litetui.primary.database import Database
from litetui.replica.detect import open_replica
from litetui.replica.live import Layout
from tests.crash.helpers import FORKS, Place
from tests.crash.victim import LAYOUTS
from tests.load import content

pytestmark = pytest.mark.usefixtures("needs_strace")

# The first argument is the database, the others are transactions. It leaves without closing the database.
_APPLICATION = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for pragma in ("journal_mode = wal", "wal_autocheckpoint = 0", "synchronous = full"):
    connection.execute(f"pragma {pragma}")
for statement in sys.argv[2:]:
    connection.execute(statement)
os._exit(0)
"""
_TABLES = (
    "create table counter (n integer)",
    "create table item (id integer primary key, body text)",
    "create table other (body text)",
    "insert into counter values (0)",
    "insert into other values ('')",
)
_COMMITTED = "update counter set n = n + 1"
_LARGE = "update item set body = hex(randomblob(1500))"  # each of its pages
_SMALL = "update other set body = hex(randomblob(9))"  # one page


def application(place: Place, *transactions: str) -> None:
    subprocess.run([sys.executable, "-c", _APPLICATION, place.db, *transactions], check=True)


def application_killed(place: Place, fsync: int, *transactions: str) -> bool:
    """The same, killed in its nth fsync; False if it made fewer."""
    inject = f"inject=fdatasync,fsync:signal=KILL:when={fsync}"
    trace = ["strace", "-f", "-o", str(place.folder / "trace"), "-e", "trace=fdatasync,fsync", "-e", inject]
    done = subprocess.run([*trace, sys.executable, "-c", _APPLICATION, str(place.db), *transactions], check=False)
    assert done.returncode in (0, -9, 137), (place.folder / "trace").read_text()
    return done.returncode != 0


def _replicate(db: str, path: str, layout: Layout, orders: Connection) -> None:
    with Database(db) as database:
        replica = sync.bind(database, path, layout)
        while (order := orders.recv()) != "stop":
            try:
                modes: dict[str, Mode] = {"passive": "PASSIVE", "restart": "RESTART"}
                if order in modes:
                    database.checkpoint(modes[order])
                orders.send(sync.run_open(database, replica))
            except LitetuiError as error:
                orders.send(str(error))


@pytest.fixture
def orders(place: Place) -> Iterator[Connection]:
    """litetui, which has the database open: it syncs when it is told so, after a checkpoint if told that."""
    ours, its = FORKS.Pipe()
    args = (str(place.db), str(place.replica), place.layout, its)
    process = FORKS.Process(target=_replicate, args=args, daemon=True)
    process.start()
    its.close()
    try:
        yield ours
    finally:
        process.kill()
        process.join()


@pytest.fixture
def place(tmp_path: Path, layout: Layout) -> Place:
    place = Place(tmp_path, layout)
    application(place, *_TABLES, *["insert into item (body) values (hex(randomblob(1500)))"] * 30)
    return place


def told(orders: Connection, order: str) -> None:
    orders.send(order)
    assert orders.poll(30)
    answer = orders.recv()
    assert isinstance(answer, sync.SyncResult), answer


@pytest.mark.parametrize("order", ["sync", "passive", "restart"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_commit_that_never_was(place: Place, orders: Connection, order: str) -> None:
    told(orders, "sync")
    fsync = 1
    while application_killed(place, fsync, _COMMITTED, _LARGE):
        told(orders, "sync")  # what it has of the commit now may have been, for all that anybody knows
        application(place, _SMALL)
        told(orders, order)
        check(place)
        application(place, _SMALL)
        told(orders, "sync")
        check(place)
        fsync += 1
    assert fsync > 2, "no commit was hit"


def check(place: Place) -> None:
    """The replica restores to what everybody else sees in the database."""
    out = place.folder / "out.db"
    out.unlink(missing_ok=True)
    restore.run(restore.plan(open_replica(place.replica), Target()), str(out), integrity_check="full")
    with closing(sqlite3.connect(out)) as restored, closing(sqlite3.connect(place.db)) as database:
        assert content(restored) == content(database)
