"""An application: a process of its own that runs SQL on a database as it is told, through Python's own SQLite.

A process that replicates a database must not open it in any other way: closing that would drop its locks
(FORMAT-v0.3, section 10). So whatever a test does to a live database it does through an `App`.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from threading import Lock
from types import TracebackType

ROOT = Path(__file__).parent.parent.parent
CHILD = Path(__file__).parent / "sql_child.py"
Row = tuple[object, ...]
PARSING = Lock()  # threads that parse at once meet a fault of Python 3.11: "recursion depth mismatch"


class AppError(Exception):
    """What SQLite said to the application."""


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
            [sys.executable, "-I", "-S", str(CHILD), str(path), str(busy_ms)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        if wal:
            self("pragma journal_mode = wal", *USUAL)

    def __call__(self, *statements: str) -> list[Row]:
        """Run statements; the last one's rows. Raises AppError."""
        rows: list[Row] = []
        for statement in statements:
            rows = self._ask(statement)
        return rows

    def _ask(self, line: str) -> list[Row]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(line) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, "the application has died"
        with PARSING:
            error, rows = ast.literal_eval(answer)
        if error:
            raise AppError(error)
        return list(rows)

    @property
    def pid(self) -> int:
        return self._process.pid

    def content(self) -> int:
        """A checksum over all that this connection sees."""
        (value,) = self._ask("!content")[0]
        assert isinstance(value, int)
        return value

    def add(self, rows: int = 1, size: int = 400) -> None:
        """Commit a transaction of some rows, about twice `size` bytes each."""
        self(
            "create table if not exists item (id integer primary key, body text)",
            f"with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows})"
            f" insert into item (body) select hex(randomblob({size})) from n",
        )

    def checkpoint(self, mode: str = "passive") -> tuple[int, int, int]:
        """Busy or not, frames in the WAL, frames that are in the database."""
        busy, frames, moved = self(f"pragma wal_checkpoint({mode})")[0]
        assert isinstance(busy, int)
        assert isinstance(frames, int)
        assert isinstance(moved, int)
        return busy, frames, moved

    def close(self) -> None:
        """Close the connection, in the same process; `reopen` opens another."""
        self._ask("!close")

    def reopen(self) -> None:
        self._ask("!open")
        self(*USUAL)

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


USUAL = ("pragma wal_autocheckpoint = 0", "pragma synchronous = off")


def once(path: Path, *statements: str) -> list[Row]:
    """Run statements in a process that opens the database for them, and closes it in order."""
    with App(path, wal=False) as app:
        try:
            return app(*statements)
        finally:
            app.close()
