"""An application under mixed load, and the judge of what is restored from it.

    python -m tests.load DB LOG STOP [--seed N] [--page-size N] [--auto-vacuum none|full|incremental] [--blob BYTES]
                                     [--seconds N] [--mix name,name,...] [--pause SECONDS] [--clean-exit]

Some writers and one process of chaos work on DB until the file STOP is there. Each notes what it does in a file of its
own, LOG.NAME, a line a time:

    ? N HASH   written just before a commit, under the write lock: the counter, and the hash of all content
    = N HASH   written just after that commit
    # KIND     a thing that was done, as `checkpoint full done`

A state with no `=` line may have been, for its process may have died between the two. One that was rolled back on
purpose has no line at all: it never was.

The processes leave without closing the database (unless --clean-exit), as the last close would take the WAL away. When
the main process is killed, the others end by themselves, and its standard output is at its end when all are gone. The
same command then goes on with the same database and logs.
"""

from __future__ import annotations

import argparse
import glob
import itertools
import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from threading import BrokenBarrierError
from typing import NoReturn, TypeVar

import xxhash

WRITERS = 3
WRITES = ("rows", "batch", "savepoint", "rollback", "blob", "patch", "reopen", "crash")
CHAOS = ("checkpoint", "schema", "turns", "reader", "incremental", "vacuum", "restart")
AT_RISK = ("undo",)  # only when --mix names it, see Writer.undo
MODES = ("passive", "full", "restart", "truncate")
CHANGES = ("create", "index", "alter", "drop-index", "drop")

_KEPT = 80  # rows a table
_TABLES = 4  # beside those that are always there
_COLUMNS = 5
_CRASHED = 77  # the exit code of a writer that left on purpose, in the middle of its work
_PATIENCE = 120.0  # seconds to wait for the others at the barrier: only a process that hangs takes that long
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_CHUNK = 1 << 20

T = TypeVar("T")


# What the database holds, and who may judge it.


def content(connection: sqlite3.Connection, verify_blobs: bool = False) -> tuple[int, str]:
    """The counter (-1: there is none yet), and a hash of all that is the application's.

    Of a large blob it takes the length and the hash that are noted beside it; `verify_blobs` holds those against it.
    """
    digest = xxhash.xxh3_128()
    counter = -1
    schema = connection.execute(
        "select type, name, tbl_name, sql from sqlite_master"
        " where name not glob 'sqlite_*' and tbl_name not glob '_litestream_*' order by type, name"
    ).fetchall()
    digest.update(repr((schema, connection.execute("pragma user_version").fetchone())).encode())
    for kind, name, _, _ in schema:
        if kind != "table":
            continue
        columns = "id, size, hash" if name == "large" else "*"
        rows = connection.execute(f'select {columns} from "{name}" order by rowid').fetchall()
        digest.update(repr((name, rows)).encode())
        if name == "counter" and rows:
            counter = rows[0][0]
        if name == "large" and verify_blobs:
            for id_, size, noted in rows:
                assert _blob(connection, id_) == (size, noted), f"large blob {id_} is not the one that was written"
    return counter, digest.hexdigest()


def _blob(connection: sqlite3.Connection, id_: int) -> tuple[int, str]:
    digest = xxhash.xxh3_128()
    with connection.blobopen("large", "body", id_, readonly=True) as body:
        while chunk := body.read(_CHUNK):
            digest.update(chunk)
        return len(body), digest.hexdigest()


def _lines(log: str | Path) -> Iterator[list[str]]:
    """The whole lines of all processes, split. A last line that is still being written is left out."""
    for path in sorted(glob.glob(glob.escape(str(log)) + ".*")):
        text = Path(path).read_text("ascii")
        yield from (line.split(" ") for line in text[: text.rfind("\n") + 1].splitlines())


def states(log: str | Path) -> dict[int, set[str]]:
    """All states that the application had or may have had so far: by counter, the hashes."""
    found: dict[int, set[str]] = {}
    for words in _lines(log):
        if words[0] in ("?", "=") and len(words) == 3:
            found.setdefault(int(words[1]), set()).add(words[2])
    return found


def committed(log: str | Path) -> int:
    """The newest counter that is surely committed: a sync that begins now must not restore to less."""
    return max((int(words[1]) for words in _lines(log) if words[0] == "=" and len(words) == 3), default=-1)


def kinds(log: str | Path) -> Counter[str]:
    """How often each thing was done."""
    return Counter(" ".join(words[1:]) for words in _lines(log) if words[0] == "#")


def judge(database: Path, known: Mapping[int, set[str]]) -> int:
    """The counter of a restored database. AssertionError unless it is whole and a state that the application had."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            problems = [row[0] for row in connection.execute("pragma integrity_check")]
            assert problems == ["ok"], f"{database} fails its integrity check: {problems[:5]}"
            counter, digest = content(connection, verify_blobs=True)
    except sqlite3.Error as error:
        raise AssertionError(f"{database} cannot be read: {error}") from error
    assert counter in known, f"{database} has counter {counter}, which never was; known are up to {max(known)}"
    assert digest in known[counter], f"{database} has counter {counter} but another content: {digest}"
    return counter


# The load.


class Stop(Exception):
    """It is time to leave."""


@dataclass(frozen=True)
class Plan:
    db: str
    log: str
    stop: str
    seed: int
    page_size: int
    auto_vacuum: str
    blob: int
    deadline: float
    mix: frozenset[str]
    pause: float
    clean_exit: bool
    main: int

    def over(self) -> bool:
        """Also when the main process was killed."""
        orphan = os.getpid() != self.main and os.getppid() != self.main
        return orphan or time.monotonic() > self.deadline or os.path.exists(self.stop)

    def weight(self, weight: float) -> float:
        """What writes blobs of 2 MB or more is done less often, the larger they are."""
        return weight * max(0.02, min(1.0, (2 << 20) / max(1, self.blob)))


@dataclass(frozen=True)
class Gate:
    """Where all processes meet for a restart of the application."""

    called: Event
    barrier: Barrier

    def meet(self, plan: Plan) -> None:
        try:
            self.barrier.wait(_PATIENCE)
        except BrokenBarrierError:  # one left, as it was time
            if plan.over():
                raise Stop from None
            raise


class Notes:
    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        if os.fstat(self._file).st_size:
            self._write("")  # ends a line that a killed process left open

    def _write(self, line: str) -> None:
        os.write(self._file, f"{line}\n".encode("ascii"))

    def state(self, mark: str, counter: int, digest: str) -> None:
        self._write(f"{mark} {counter} {digest}")

    def did(self, what: str) -> None:
        self._write(f"# {what}")


def is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in _BUSY


class Worker:
    """One process of the application: it does one thing after another, until it is time to leave."""

    def __init__(self, plan: Plan, name: str, life: int, gate: Gate) -> None:
        self.plan, self.gate, self.life = plan, gate, life
        self.rng = random.Random(f"{plan.seed} {name} {life}")
        self.notes = Notes(f"{plan.log}.{name}")
        self.connections: list[sqlite3.Connection] = []

    def actions(self) -> dict[str, tuple[float, Callable[[], None]]]:
        """By name: how often, and what."""
        raise NotImplementedError

    def run(self) -> None:
        actions = {name: action for name, action in self.actions().items() if name in self.plan.mix}
        names = list(actions)
        first = [] if self.life else self.rng.sample(names, len(names))  # each once, so that a short run has all
        weights = [actions[name][0] for name in names]
        endless = (self.rng.choices(names, weights)[0] for _ in itertools.count())
        for name in itertools.chain(first, endless):
            self.between()
            self.patiently(actions[name][1])
            time.sleep(self.rest())

    def rest(self) -> float:
        return self.plan.pause

    def between(self) -> None:
        """Between two things: leave, or take part in a restart."""
        self.look()
        if self.gate.called.is_set():
            self.close()
            self.gate.meet(self.plan)
            self.gate.meet(self.plan)
        if not self.connections:
            self.patiently(self.open)

    def look(self) -> None:
        if self.plan.over():
            raise Stop

    def patiently(self, action: Callable[[], T]) -> T:
        while True:
            try:
                return action()
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
                self.look()

    # Connections.

    def open(self) -> None:
        self.close()
        self.connections = [self.connect(), self.connect()]

    def connect(self) -> sqlite3.Connection:
        """Connections differ in who checkpoints, who syncs, and how soon a transaction spills into the WAL."""
        connection = sqlite3.connect(self.plan.db, isolation_level=None, timeout=5)
        if self.rng.random() < 0.5:
            connection.execute("pragma wal_autocheckpoint = 0")
        if self.rng.random() < 0.5:
            connection.execute("pragma cache_size = 8")
        connection.execute(f"pragma synchronous = {self.rng.choice(('normal', 'normal', 'off', 'full'))}")
        return connection

    def close(self) -> None:
        while self.connections:
            self.connections.pop().close()

    def one(self) -> sqlite3.Connection:
        return self.rng.choice(self.connections)

    # Transactions.

    @contextmanager
    def locked(self, connection: sqlite3.Connection) -> Iterator[None]:
        """A transaction that is rolled back, unless it is committed inside."""
        self.patiently(lambda: connection.execute("begin immediate"))
        try:
            connection.execute("update counter set n = n + 1")
            yield
        finally:
            if connection.in_transaction:
                connection.execute("rollback")

    def commit(self, connection: sqlite3.Connection) -> None:
        counter, digest = content(connection)
        self.notes.state("?", counter, digest)
        self.patiently(lambda: connection.execute("commit"))
        self.notes.state("=", counter, digest)

    @contextmanager
    def transaction(self, connection: sqlite3.Connection | None = None) -> Iterator[sqlite3.Connection]:
        connection = connection or self.one()
        with self.locked(connection):
            yield connection
            self.commit(connection)

    def tables(self, connection: sqlite3.Connection) -> list[str]:
        """Those that come and go."""
        found = connection.execute("select name from sqlite_master where type = 'table' and name glob 'extra_*'")
        return sorted(name for (name,) in found)

    def table(self, connection: sqlite3.Connection) -> str:
        return self.rng.choice(["item", "item", *self.tables(connection)])

    def insert(self, connection: sqlite3.Connection, table: str, rows: int) -> None:
        for _ in range(rows):
            body = self.rng.randbytes(self.rng.choice((10, 40, 150, 500))).hex()
            connection.execute(f"insert into {table} (body) values (?)", (body,))

    def trim(self, connection: sqlite3.Connection, table: str) -> None:
        """The content stays small, as each transaction hashes all of it."""
        connection.execute(
            f"delete from {table} where id not in (select id from {table} order by id desc limit {_KEPT})"
        )

    def many(self, connection: sqlite3.Connection) -> None:
        """Writes more pages than a small cache holds."""
        for _ in range(40):
            connection.execute("insert into item (body) values (hex(randomblob(?)))", (self.plan.page_size // 2,))
        connection.execute("update item set body = hex(randomblob(60)) where id % 3 = 0")

    def spill(self, connection: sqlite3.Connection) -> None:
        """So many that they go into the WAL before there is a commit."""
        connection.execute("pragma cache_size = 8")
        self.many(connection)


class Writer(Worker):
    def actions(self) -> dict[str, tuple[float, Callable[[], None]]]:
        heavy = self.plan.weight
        return {
            "rows": (80, self.rows),
            "batch": (4, self.batch),
            "savepoint": (6, self.savepoint),
            "undo": (6, self.undo),
            "rollback": (4, self.rollback),
            "blob": (heavy(3), self.blob),
            "patch": (heavy(2), self.patch),
            "reopen": (1, self.reopen),
            "crash": (0.1, self.crash),
        }

    def rows(self) -> None:
        with self.transaction() as connection:
            table = self.table(connection)
            self.insert(connection, table, self.rng.choice((1, 1, 1, 2, 6)))
            if self.rng.random() < 0.3:
                connection.execute(f"delete from {table} where id % 7 = ?", (self.rng.randrange(7),))
            if self.rng.random() < 0.3:
                update = f"update {table} set body = hex(randomblob(300)) where id % 11 = ?"
                connection.execute(update, (self.rng.randrange(11),))
            if self.rng.random() < 0.05:
                connection.execute(f"pragma user_version = {self.rng.randrange(1 << 30)}")
            self.trim(connection, table)
        self.notes.did("rows")

    def batch(self) -> None:
        with self.transaction() as connection:
            self.insert(connection, "item", 200)
            self.trim(connection, "item")
        self.notes.did("batch")

    def savepoint(self) -> None:
        self.half(2000)

    def undo(self) -> None:
        """As `savepoint`, but what is taken back had been spilled into the WAL.

        SQLite up to 3.49.2 at least (3.50.4 no more) can then write checksums that do not follow each other: what is
        committed is there as long as the WAL's index is, but nobody who goes by the checksums can see it, and a
        recovery loses it.
        """
        self.half(8)

    def half(self, cache: int) -> None:
        """Half of the work is taken back, and the rest committed."""
        connection = self.one()
        connection.execute(f"pragma cache_size = {cache}")
        with self.transaction(connection):
            self.insert(connection, "item", 2)
            connection.execute("savepoint half")
            self.many(connection)
            connection.execute("delete from item where id % 2 = 0")
            connection.execute("rollback to half")
            self.insert(connection, "item", 1)
            connection.execute("release half")
            self.trim(connection, "item")
        self.notes.did("undo" if cache < 10 else "savepoint")

    def rollback(self) -> None:
        connection = self.one()
        with self.locked(connection):
            self.spill(connection)
        self.notes.did("rollback")

    def blob(self) -> None:
        """At most two of them are kept; now and then all go, and the database may shrink."""
        with self.transaction() as connection:
            connection.execute("delete from large where id not in (select max(id) from large)")
            if self.rng.random() < 0.2:
                connection.execute("delete from large")
                what = "blob deleted"
            elif self.rng.random() < 0.5:
                self.whole(connection, self.body())
                what = "blob whole"
            else:
                self.piecewise(connection, self.body())
                what = "blob piecewise"
        self.notes.did(what)

    def body(self) -> bytes:
        """It repeats itself, but at no multiple of a page, so that no page is like its neighbour."""
        size = self.rng.randint(self.plan.blob * 3 // 4, self.plan.blob)
        chunk = self.rng.randbytes(61_441)
        return (chunk * (size // len(chunk) + 1))[:size]

    def whole(self, connection: sqlite3.Connection, body: bytes) -> None:
        values = (len(body), xxhash.xxh3_128_hexdigest(body), body)
        connection.execute("insert into large (size, hash, body) values (?, ?, ?)", values)

    def piecewise(self, connection: sqlite3.Connection, body: bytes) -> None:
        """Each page is written twice, first as zeros."""
        values = (len(body), xxhash.xxh3_128_hexdigest(body), len(body))
        id_ = connection.execute("insert into large (size, hash, body) values (?, ?, zeroblob(?))", values).lastrowid
        assert id_ is not None
        with connection.blobopen("large", "body", id_) as blob:
            for at in range(0, len(body), _CHUNK):
                blob.write(body[at : at + _CHUNK])

    def patch(self) -> None:
        """A part of a large blob is written over in place."""
        with self.transaction() as connection:
            id_, size = connection.execute("select max(id), size from large").fetchone()
            if size:
                part = self.rng.randbytes(min(size, 5000))
                with connection.blobopen("large", "body", id_) as blob:
                    blob.seek(self.rng.randint(0, size - len(part)))
                    blob.write(part)
                connection.execute("update large set hash = ? where id = ?", (_blob(connection, id_)[1], id_))
        self.notes.did("patch" if size else "patch nothing")

    def reopen(self) -> None:
        self.open()
        self.notes.did("reopen")

    def crash(self) -> NoReturn:
        """The process ends in the middle of a transaction, or just after its commit. The main one starts it again."""
        connection = self.one()
        with self.locked(connection):
            self.insert(connection, "item", 3)
            self.trim(connection, "item")
            if self.rng.random() < 0.5:
                self.notes.did("crash open")
                self.spill(connection)
            else:
                self.notes.did("crash committed")
                self.notes.state("?", *content(connection))
                connection.execute("commit")
            os._exit(_CRASHED)


class Chaos(Worker):
    def __init__(self, plan: Plan, name: str, life: int, gate: Gate) -> None:
        super().__init__(plan, name, life, gate)
        self.modes = itertools.cycle(MODES)
        self.changes = itertools.cycle(CHANGES)

    def actions(self) -> dict[str, tuple[float, Callable[[], None]]]:
        return {
            "checkpoint": (8, lambda: self.checkpoint(self.one(), next(self.modes))),
            "schema": (6, self.schema),
            "turns": (3, self.turns),
            "reader": (1, self.reader),
            "incremental": (2, self.incremental),
            "vacuum": (self.plan.weight(1), self.vacuum),
            "restart": (0.5, self.restart),
        }

    def rest(self) -> float:
        """It leaves the writers room."""
        return max(self.plan.pause, self.rng.uniform(0, 0.06))

    def checkpoint(self, connection: sqlite3.Connection, mode: str) -> None:
        """With little patience: these wait for readers while they hold the write lock, and a replicator is a reader."""
        connection.execute("pragma busy_timeout = 100")
        try:
            (busy, _, _) = connection.execute(f"pragma wal_checkpoint({mode})").fetchone()
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            busy = 1
        finally:
            connection.execute("pragma busy_timeout = 5000")
        self.notes.did(f"checkpoint {mode} {'busy' if busy else 'done'}")

    def schema(self) -> None:
        change = next(self.changes)
        with self.transaction() as connection:
            extra = self.tables(connection)
            table = self.rng.choice(extra or ["item"])
            if change == "create" or not extra:
                self.create(connection, extra)
            elif change == "index":
                connection.execute(f"create index if not exists {table}_body on {table} (body, id)")
            elif change == "alter":
                self.alter(connection, table)
            elif change == "drop-index":
                connection.execute(f"drop index if exists {table}_body")
            else:
                connection.execute(f"drop table {table}")
        self.notes.did(f"schema {change}")

    def create(self, connection: sqlite3.Connection, extra: list[str]) -> None:
        if len(extra) >= _TABLES:
            connection.execute(f"drop table {extra[0]}")
        table = f"extra_{self.rng.randrange(1 << 30)}"
        connection.execute(f"create table {table} (id integer primary key, body text)")
        self.insert(connection, table, 20)

    def alter(self, connection: sqlite3.Connection, table: str) -> None:
        columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
        if len(columns) >= _COLUMNS:
            connection.execute(f"alter table {table} drop column {columns[-1]}")
            return
        column = f"c{self.rng.randrange(1 << 30)}"
        connection.execute(f"alter table {table} add column {column} integer default {self.rng.randrange(1000)}")
        connection.execute(f"update {table} set {column} = id where id % 3 = 0")

    def turns(self) -> None:
        """Two connections write in turn; what one wrote is checkpointed, so that the other restarts the WAL."""
        for turn in range(6):
            before = self.salts()
            with self.transaction(self.connections[turn % 2]) as connection:
                self.insert(connection, "item", 1)
                self.trim(connection, "item")
            if self.salts() != before:
                self.notes.did(f"restarted by {turn % 2}")
            self.checkpoint(self.connections[turn % 2], self.rng.choice(("passive", "full")))
        self.notes.did("turns")

    def salts(self) -> bytes:
        """Of the WAL's header. (SQLite has no locks on the WAL, so that it may be opened beside it.)"""
        try:
            return Path(f"{self.plan.db}-wal").open("rb").read(32)[16:24]
        except FileNotFoundError:
            return b""

    def reader(self) -> None:
        """A reader that takes its time: meanwhile no checkpoint comes past what it sees."""
        connection = self.one()
        connection.execute("begin")
        try:
            content(connection)
            time.sleep(self.rng.uniform(0.02, 0.3))
        finally:
            connection.execute("rollback")
        self.notes.did("reader")

    def incremental(self) -> None:
        with self.transaction() as connection:
            connection.execute(f"pragma incremental_vacuum({self.rng.choice((1, 10, 1000))})").fetchall()
        self.notes.did("incremental")

    def vacuum(self) -> None:
        try:
            self.one().execute("vacuum")
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            self.notes.did("vacuum busy")
        else:
            self.notes.did("vacuum done")

    def restart(self) -> None:
        """All connections of the application are closed at the same time; the last close may take the WAL away."""
        self.gate.called.set()
        self.close()
        self.gate.meet(self.plan)
        gone = not os.path.exists(f"{self.plan.db}-wal")
        self.notes.did(f"restart {'without' if gone else 'with'} wal")
        self.gate.called.clear()
        self.gate.meet(self.plan)


# The processes.


def work(plan: Plan, name: str, life: int, gate: Gate) -> NoReturn:
    """The life of one process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends, and this one sees it
    code = 1
    try:
        worker = (Chaos if name == "chaos" else Writer)(plan, name, life, gate)
        try:
            worker.run()
        except Stop:
            code = 0
        gate.barrier.abort()
        if plan.clean_exit:
            worker.close()
    except BaseException:  # noqa: BLE001 - the end of the process
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


def create(plan: Plan) -> None:
    """A new database, or that of an earlier run, which goes on."""
    notes = Notes(f"{plan.log}.main")
    with closing(sqlite3.connect(plan.db, isolation_level=None, timeout=30)) as connection:
        connection.execute(f"pragma page_size = {plan.page_size}")
        connection.execute(f"pragma auto_vacuum = {plan.auto_vacuum}")
        connection.execute("begin immediate")
        state = content(connection)
        notes.state("=", *state)
        connection.execute("rollback")
        connection.execute("pragma journal_mode = wal")
        if state[0] >= 0:
            return
        connection.execute("begin immediate")
        connection.execute("create table counter (n integer)")
        connection.execute("create table item (id integer primary key, body text)")
        connection.execute("create index item_body on item (body)")
        connection.execute("create table large (id integer primary key, size integer, hash text, body blob)")
        connection.execute("insert into counter values (0)")
        state = content(connection)
        notes.state("?", *state)
        connection.execute("commit")
        notes.state("=", *state)


def supervise(plan: Plan) -> int:
    """Starts the processes, starts those again that crashed on purpose, and waits until all have left."""
    names = [f"writer{i}" for i in range(WRITERS)] if plan.mix & {*WRITES, *AT_RISK} else []
    names += ["chaos"] if plan.mix & set(CHAOS) else []
    context = multiprocessing.get_context("spawn")
    gate = Gate(context.Event(), context.Barrier(len(names)))
    lives = dict.fromkeys(names, 0)

    def start(name: str) -> SpawnProcess:
        process = context.Process(target=work, args=(plan, name, lives[name], gate), daemon=True)
        process.start()
        return process

    running = {name: start(name) for name in names}
    while running:
        wait([process.sentinel for process in running.values()])
        for name, process in list(running.items()):
            if process.exitcode is None:
                continue
            del running[name]
            if process.exitcode == _CRASHED:
                lives[name] += 1
                running[name] = start(name)
            elif process.exitcode:
                for other in running.values():
                    other.kill()
                print(f"{name} ended with {process.exitcode}", file=sys.stderr)
                return 1
    return 0


def parse(arguments: list[str]) -> Plan:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="An application under mixed load.")
    parser.add_argument("db")
    parser.add_argument("log", help="each process writes LOG.NAME")
    parser.add_argument("stop", help="the load ends when this file is there")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--page-size", type=int, default=4096)
    parser.add_argument("--auto-vacuum", choices=("none", "full", "incremental"), default="none")
    parser.add_argument("--blob", type=int, default=1 << 20, help="bytes of a large blob")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--mix", default=",".join(WRITES + CHAOS), help="only these of %(default)s,undo")
    parser.add_argument("--pause", type=float, default=0.001, help="seconds after each thing; 0 starves the chaos")
    parser.add_argument("--clean-exit", action="store_true", help="close the database at the end")
    options = vars(parser.parse_args(arguments))
    options["mix"] = frozenset(options["mix"].split(","))
    if unknown := options["mix"] - {*WRITES, *CHAOS, *AT_RISK}:
        parser.error(f"unknown in --mix: {', '.join(sorted(unknown))}")
    return Plan(deadline=time.monotonic() + options.pop("seconds"), main=os.getpid(), **options)


def main(arguments: list[str]) -> int:
    plan = parse(arguments)
    create(plan)
    code = supervise(plan)
    for what, count in sorted(kinds(plan.log).items()):
        print(f"{count:8} {what}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
