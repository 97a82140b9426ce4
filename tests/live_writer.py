"""An application that writes into a database, and notes every state it had: python -m tests.live_writer DB LOG STOP.

Each transaction bumps a counter and writes rows; after its commit one line goes to LOG: the counter and a hash over all
rows. It goes on until the file STOP is there.
"""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import sys
import threading


def content(connection: sqlite3.Connection) -> tuple[int, str]:
    """The counter, and a hash of all that the application's tables hold."""
    digest = hashlib.sha256()
    counter = -1
    for (counter,) in connection.execute("select n from counter"):
        digest.update(b"%d" % counter)
    for row in connection.execute("select id, body from item order by id"):
        digest.update(repr(row).encode())
    return counter, digest.hexdigest()


def main(path: str, log: str, stop: str) -> None:
    rng = random.Random(7)
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma wal_autocheckpoint = 0")
    with open(log, "w", encoding="ascii") as notes:

        def note() -> None:
            counter, digest = content(connection)
            notes.write(f"{counter} {digest}\n")
            notes.flush()

        connection.execute("begin immediate")
        connection.execute("create table counter (n integer)")
        connection.execute("create table item (id integer primary key, body text)")
        connection.execute("insert into counter values (0)")
        connection.execute("commit")
        note()
        pause = threading.Event()
        while not os.path.exists(stop):
            connection.execute("begin immediate")
            connection.execute("update counter set n = n + 1")
            for _ in range(rng.randint(1, 6)):
                connection.execute("insert into item (body) values (?)", (rng.randbytes(rng.randint(20, 900)).hex(),))
            if rng.random() < 0.3:
                connection.execute("delete from item where id % 7 = ?", (rng.randint(0, 6),))
            if rng.random() < 0.3:
                connection.execute(
                    "update item set body = hex(randomblob(300)) where id % 11 = ?", (rng.randint(0, 10),)
                )
            connection.execute("commit")
            note()
            pause.wait(0.004)
    # Not closed: the last close would checkpoint the WAL away under Litestream.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:4])
