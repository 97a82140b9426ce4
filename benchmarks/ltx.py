"""Restore from LTX files: litetui beside real Litestream 0.5, on data that the same Litestream has just made.

    python benchmarks/ltx.py --litestream PATH [levels] [small-files] [--rounds N] [--scale X]

The data: an application writes random rows of 4 kB (half of each compresses) in WAL mode, while `litestream
replicate` copies. Nothing is composed by hand.

levels       a 1 GB database, then 200,000 changed rows: a snapshot and some files of level 1, of which the first holds
             the whole database again, as Litestream makes it; some 680,000 pages
small-files  a 20 MB database, then transactions of 2 rows until level 0 has 17,000 files (a sync every ms)

`--scale 0.01` makes a smoke run of seconds. Each round runs `litestream restore` and `litetui restore
--integrity-check none` (Litestream checks nothing by default) in turn and compares the two files byte by byte; then the
medians, as ratios to Litestream, and what `litetui info` and `litetui ltx` take on the same files.
Peak memory counts the pages of the output that litetui maps; private memory does not.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from measure import Options, beside, options, replicas, run
from restore import body

_MADE_IN = 420.0  # seconds; what is there then is measured
_NEVER = "10h"


@dataclass(frozen=True, slots=True)
class Case:
    """What to make: the database, then so many changed rows, or so many files of level 0.

    rows    rows that a transaction changes
    sync    Litestream's monitor and sync interval
    level   the interval of level 1; the levels above it stay empty
    pause   seconds between two transactions
    """

    database: int
    changes: int
    files: int
    rows: int
    sync: str
    level: str
    pause: float


CASES = {
    "levels": Case(1_020_000_000, 200_000, 0, 400, "1s", "20s", 0.15),
    "small-files": Case(20_000_000, 0, 17_000, 2, "1ms", _NEVER, 0.002),
}


def make(case: Case, folder: Path, litestream: str, scale: float) -> Path:
    """Write a database and its replica; returns the replica's path."""
    database, replica = folder / "app.db", folder / "replica"
    random = Random(1)
    rows = max(100, int(case.database * scale) // 4096)
    connection = sqlite3.connect(database, isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = normal")
    connection.execute("CREATE TABLE data (id INTEGER PRIMARY KEY, body BLOB)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO data VALUES (?, ?)", ((i, body(random)) for i in range(rows)))
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    config = folder / "litestream.yml"
    config.write_text(
        f"levels:\n  - interval: {case.level}\n  - interval: {_NEVER}\n"
        f"snapshot:\n  interval: {_NEVER}\n  retention: {_NEVER}\n"
        f"dbs:\n  - path: {database}\n    monitor-interval: {case.sync}\n    replica:\n      type: file\n"
        f"      path: {replica}\n      sync-interval: {case.sync}\n"
    )
    process = subprocess.Popen(
        [litestream, "replicate", "-config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(process, lambda: _files(replica, 9) > 0, 120)
        _write(case, connection, replica, random, rows, scale)
        written = _files(replica, 1)
        if case.changes:
            _wait(process, lambda: _files(replica, 1) > written, 60)  # the rest of the changes, compacted
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    connection.close()
    return replica


def _files(replica: Path, level: int) -> int:
    folder = replica / "ltx" / str(level)
    return sum(name.endswith(".ltx") for name in os.listdir(folder)) if folder.is_dir() else 0


def _wait(process: subprocess.Popen[bytes], until: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit("litestream replicate does not get there")
        time.sleep(0.1)


def _write(case: Case, connection: sqlite3.Connection, replica: Path, random: Random, rows: int, scale: float) -> None:
    """Transactions until the case's number of changes, or of files, is there."""
    began, written, rounds = time.monotonic(), 0, 0
    while time.monotonic() - began < _MADE_IN:
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(case.rows):
            connection.execute("UPDATE data SET body = ? WHERE id = ?", (body(random), random.randrange(rows)))
        connection.execute("COMMIT")
        written += case.rows
        rounds += 1
        if case.changes and written >= case.changes * scale:
            return
        if case.files and rounds % 100 == 0 and _files(replica, 0) >= case.files * scale:
            return
        time.sleep(case.pause)


def compare(name: str, replica: Path, folder: Path, asked: Options) -> None:
    """Interleaved rounds of both, and their median ratios."""
    a, b = folder / "theirs.db", folder / "ours.db"
    beside(
        f"{name}: {', '.join(f'{n} files of level {level}' for level in range(10) if (n := _files(replica, level)))}",
        [asked.litestream, "restore", "-o", a, f"file://{replica}"],
        [*asked.litetui, "restore", os.fspath(replica), "-o", os.fspath(b), "--integrity-check", "none"],
        (a, b),
        asked.rounds,
    )
    for command in ("info", "ltx"):
        cost = run([*asked.litetui, command, os.fspath(replica)])
        print(f"  {command:8} {cost.wall:.2f} s")


def main() -> None:
    asked = options(__doc__, CASES, "0.5")
    for name, folder in replicas(asked, CASES, make):
        compare(name, folder / "replica", folder, asked)


if __name__ == "__main__":
    main()
