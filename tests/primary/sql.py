"""An application: a process of its own that runs SQL on a database as it is told, through Python's own SQLite.

A process that replicates a database must not open it in any other way: closing that would drop its locks
(FORMAT-v0.3, section 10). So whatever a test does to a live database it does through an `App`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parent.parent.parent
Row = tuple[object, ...]


class AppError(Exception):
    """What SQLite said to the application."""


def content(connection: sqlite3.Connection) -> str:
    """A hash of all that a database holds, Litestream's two tables among it."""
    digest = hashlib.sha256()
    schema = connection.execute("select name, sql from sqlite_master where type = 'table' order by name").fetchall()
    for name, sql in schema:
        digest.update(repr((name, sql)).encode())
        for row in connection.execute(f'select * from "{name}" order by rowid'):
            digest.update(repr(row).encode())
    return digest.hexdigest()


class App:
    """An application that has a database open, in WAL mode and without checkpoints of its own.

        with App(path) as app:
            app("create table item (body)", "insert into item values (1)")
            assert app("select body from item") == [(1,)]

    It leaves without closing its connection, as a killed one does; `close` is the orderly end.
    """

    def __init__(self, path: Path, *, wal: bool = True, busy_ms: int = 250) -> None:
        self.path = path
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-m", "tests.primary.sql", str(path), str(busy_ms)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        if wal:
            self("pragma journal_mode = wal", "pragma wal_autocheckpoint = 0")

    def __call__(self, *statements: str) -> list[Row]:
        """Run statements; the last one's rows. Raises AppError."""
        rows: list[Row] = []
        for statement in statements:
            rows = list(self._ask(statement))
        return rows

    def _ask(self, line: str) -> list[Row]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(line) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, "the application has died"
        error, rows = ast.literal_eval(answer)
        if error:
            raise AppError(error)
        return list(rows)

    @property
    def pid(self) -> int:
        return self._process.pid

    def content(self) -> str:
        """A hash of everything that is committed."""
        return str(self._ask("!content")[0][0])

    def add(self, rows: int = 1, size: int = 400) -> None:
        """Commit a transaction of some rows, about twice `size` bytes each."""
        self(
            "create table if not exists item (id integer primary key, body text)",
            f"with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows})"
            f" insert into item (body) select hex(randomblob({size})) from n",
        )

    def checkpoint(self, mode: str = "passive") -> Row:
        """(busy, frames in the WAL, frames moved)."""
        return self(f"pragma wal_checkpoint({mode})")[0]

    def close(self) -> None:
        """Close the connection, in the same process; `reopen` opens another."""
        self._ask("!close")

    def reopen(self) -> None:
        self._ask("!open")
        self("pragma wal_autocheckpoint = 0")

    def end(self) -> None:
        """End the process without closing anything."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def __enter__(self) -> App:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def once(path: Path, *statements: str) -> list[Row]:
    """Run statements in a process that opens the database for them, and closes it in order."""
    with App(path, wal=False) as app:
        try:
            return app(*statements)
        finally:
            app.close()


def _serve(path: str, busy_ms: int) -> None:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, timeout=busy_ms / 1000)

    connection = connect()
    for line in sys.stdin:
        command: str = json.loads(line)
        error, rows = "", []
        try:
            if command == "!content":
                rows = [(content(connection),)]
            elif command == "!close":
                connection.close()
            elif command == "!open":
                connection = connect()
            else:
                rows = connection.execute(command).fetchall()
        except sqlite3.Error as caught:
            error = str(caught)
        print(repr((error, rows)), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
