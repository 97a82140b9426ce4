"""The demo's application: a shop that writes a few orders a second into its database. A program of its own, as SQLite
wants one library a process, and so that it is a real other process for the replicator. Run by demo.py:

    python -I demo_writer.py DATABASE

It is told what to do by lines on its stdin, answers each with a line, and ends when its stdin does:

    write N     N transactions
    restart     truncate the WAL, as an application does that closes its last connection
    go          a few transactions a second from now on
"""

from __future__ import annotations

import random
import select
import sqlite3
import sys

SCHEMA = """
pragma journal_mode = wal;
pragma synchronous = normal;
pragma wal_autocheckpoint = 0;
create table if not exists customers (id integer primary key, name text, email text, since text);
create table if not exists orders (id integer primary key, customer integer, item text, cents integer, state text);
create index if not exists orders_by_customer on orders (customer);
"""
FIRST = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Margaret", "Alan", "Radia", "Dennis", "Frances")
LAST = ("Lovelace", "Hopper", "Dijkstra", "Liskov", "Knuth", "Hamilton", "Turing", "Perlman", "Ritchie", "Allen")
ITEMS = ("coffee beans", "green tea", "notebook", "fountain pen", "desk lamp", "backpack", "bicycle bell", "scarf")


class Shop:
    """The application."""

    def __init__(self, path: str) -> None:
        self.random = random.Random(2026)
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        self.connection.executescript(SCHEMA)

    def transaction(self) -> None:
        """A new customer now and then, some orders, and some older ones that are paid or sent."""
        pick, connection = self.random, self.connection
        connection.execute("begin immediate")
        if pick.random() < 0.3:
            first, last = pick.choice(FIRST), pick.choice(LAST)
            mail = f"{first}.{last}{pick.randrange(1000)}@example.org".lower()
            connection.execute(
                "insert into customers (name, email, since) values (?, ?, datetime('now'))", (f"{first} {last}", mail)
            )
        for _ in range(pick.randint(1, 4)):
            row = (pick.randint(1, 40), pick.choice(ITEMS), pick.randint(200, 9000))
            connection.execute("insert into orders (customer, item, cents, state) values (?, ?, ?, 'new')", row)
        connection.execute(
            "update orders set state = case state when 'new' then 'paid' else 'sent' end "
            "where id in (select id from orders where state != 'sent' order by id desc limit 3)"
        )
        connection.execute("commit")

    def obey(self, command: str, argument: str) -> None:
        if command == "write":
            for _ in range(int(argument)):
                self.transaction()
        elif command == "restart":
            self.connection.execute("pragma wal_checkpoint(truncate)")
            self.transaction()


def main(path: str) -> None:
    shop = Shop(path)
    print("ready", flush=True)
    going = False
    while True:
        pause = shop.random.uniform(0.2, 0.6) if going else None
        readable, _, _ = select.select([sys.stdin], [], [], pause)
        if not readable:
            shop.transaction()
            continue
        line = sys.stdin.readline()
        if not line:
            return
        command, _, argument = line.strip().partition(" ")
        going = going or command == "go"
        shop.obey(command, argument)
        print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
