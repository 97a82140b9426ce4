"""An application that writes into a database while litetui is killed, and notes every state that it has.

One process, two connections. Its transactions have from one page to some MB, some spill into the WAL before their
commit, some are rolled back after that. It notes as tests.load does (`?` before a commit, `=` after it), so that the
judge of tests.load can say of a restored database whether it is a state that the application had.
"""

from __future__ import annotations

import os
import random
import sqlite3
from multiprocessing.connection import Connection
from pathlib import Path

from tests.load import Notes, content

_KEPT = 40  # rows; each transaction hashes all of them
_PAUSE = 0.004
_AUTOCHECKPOINT = 500  # pages; if at all, one of the two connections checkpoints by itself
_SIZES = (200, 2_000, 20_000, 200_000, 1_500_000)  # bytes a transaction writes, more or less
_WEIGHTS = (40, 30, 15, 8, 2)


class App:
    """The application's side of a database: what it does, one transaction at a time."""

    def __init__(self, db: Path, log: Path, seed: int) -> None:
        self.db, self.rng = db, random.Random(seed)
        self.checkpoints = bool(seed % 3)
        self.notes = Notes(f"{log}.app")
        self.connections: list[sqlite3.Connection] = []
        self.open()
        first = self.connections[0]
        first.execute("begin immediate")
        if not first.execute("select count(*) from sqlite_master where name = 'counter'").fetchone()[0]:
            first.execute("create table counter (n integer)")
            first.execute("create table item (id integer primary key, body text)")
            first.execute("create index item_body on item (substr(body, 1, 40))")
            first.execute("insert into counter values (0)")
        self.commit(first)

    def open(self) -> None:
        for pages in (0, _AUTOCHECKPOINT if self.checkpoints else 0):
            connection = sqlite3.connect(self.db, isolation_level=None, timeout=20)
            connection.execute("pragma journal_mode = wal")
            # Pages that are zeroed again and again look like pages from the future to a restore, which then refuses.
            connection.execute("pragma secure_delete = off")
            connection.execute(f"pragma wal_autocheckpoint = {pages}")
            connection.execute("pragma synchronous = normal")
            self.connections.append(connection)
        self.connections[1].execute("pragma cache_size = 20")  # pages: it writes before it commits

    def restart(self) -> None:
        """Close the database cleanly, and open it again. Where nobody else has it open, the WAL is deleted."""
        for connection in self.connections:
            connection.close()
        self.connections.clear()
        self.notes.did("restart with wal" if os.path.exists(f"{self.db}-wal") else "restart without wal")
        self.open()

    def commit(self, connection: sqlite3.Connection) -> None:
        counter, digest = content(connection)
        self.notes.state("?", counter, digest)
        connection.execute("commit")
        self.notes.state("=", counter, digest)

    def transaction(self) -> None:
        connection = self.rng.choice(self.connections)
        connection.execute("begin immediate")
        connection.execute("update counter set n = n + 1")
        size = self.rng.choices(_SIZES, _WEIGHTS)[0] * self.rng.uniform(0.5, 1.5)
        for _ in range(self.rng.choice((1, 1, 3, 10))):
            body = self.rng.randbytes(int(size / 20) + 10).hex()
            connection.execute("insert into item (body) values (?)", (body,))
            connection.execute("insert into item (body) values (?)", (body[::-1] * 9,))
            size /= 2
        if self.rng.random() < 0.07:
            connection.execute("rollback")
            self.notes.did("rollback")
            return
        connection.execute(
            "delete from item where id not in (select id from item order by id desc limit ?)"
            " or (length(body) > 100000 and id < (select max(id) from item) - 4)",
            (_KEPT,),
        )
        if self.rng.random() < 0.2:
            connection.execute("update item set body = upper(body) || id where id % 5 = 0 and length(body) < 5000")
        self.commit(connection)


def serve(db: str, log: str, seed: int, orders: Connection) -> None:
    """Write until told to stop. Each order is answered: `restart`, `hold` (write nothing until the next order), `stop`.

    It leaves without closing the database: the last close would take the WAL away.
    """
    app = App(Path(db), Path(log), seed)
    orders.send("ready")
    while True:
        app.transaction()
        if orders.poll(_PAUSE):
            order = orders.recv()
            if order == "restart":
                app.restart()
            orders.send(order)
            if order == "hold":
                orders.poll(None)
            elif order == "stop":
                os._exit(0)
