"""Restore: litetui beside real Litestream 0.3.13, on data that the same Litestream has just made.

    python benchmarks/restore.py --litestream PATH [large] [small-segments] [small] [--rounds N] [--scale X]

The data: an application writes random rows of 4 kB (half of each compresses) in WAL mode, while `litestream
replicate` copies. Nothing is composed by hand.

large           a 1 GB database, then 1.3 GB of WAL in 6 indexes, a segment a sync (every 0.3 s)
small-segments  a 20 MB database, then transactions until there are 20,000 segments (a sync every ms)
small           a 10 MB database, 5 MB of WAL

`--scale 0.01` makes a smoke run of seconds. Each round runs `litestream restore` and `litetui restore
--integrity-check none` in turn and compares the two files byte by byte; then the medians, as ratios to Litestream.
Peak memory counts the pages of the output that litetui maps; private memory does not.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from measure import Options, beside, options, replicas

_ROW = 4000
_MADE_IN = 240.0  # seconds; what is there then is measured


@dataclass(frozen=True, slots=True)
class Case:
    """What to make: the database, then WAL up to so many bytes or segments.

    checkpoint   frames after which Litestream begins a new index
    rows         rows that a transaction changes
    pause        seconds between two transactions
    """

    database: int
    wal: int
    segments: int
    checkpoint: int
    rows: int
    sync: str
    pause: float = 0.0


CASES = {
    "large": Case(1_000_000_000, 1_350_000_000, 0, 54_000, 400, "300ms", 0.06),
    "small-segments": Case(20_000_000, 0, 20_000, 1_000, 2, "1ms", 0.001),
    "small": Case(10_000_000, 5_000_000, 0, 1_000, 10, "50ms", 0.01),
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
        f"dbs:\n  - path: {database}\n    monitor-interval: {case.sync}\n    checkpoint-interval: 10h\n"
        f"    min-checkpoint-page-count: {max(50, int(case.checkpoint * (scale if case.wal else 1)))}\n"
        f"    max-checkpoint-page-count: 100000000\n"
        f"    replicas:\n      - type: file\n        path: {replica}\n        sync-interval: {case.sync}\n"
    )
    process = subprocess.Popen(
        [litestream, "replicate", "-config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        began = time.monotonic()
        while not list(replica.glob("generations/*/snapshots/*.lz4")):
            if process.poll() is not None or time.monotonic() - began > 60:
                sys.exit("litestream replicate does not begin")
            time.sleep(0.1)
        _write(case, connection, replica, random, rows, scale)
        time.sleep(3)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
    connection.close()
    return replica


def body(random: Random) -> bytes:
    """A row of 4 kB, half of which compresses."""
    return random.randbytes(_ROW // 2) + bytes(_ROW // 2)


def _write(case: Case, connection: sqlite3.Connection, replica: Path, random: Random, rows: int, scale: float) -> None:
    """Transactions until the case's amount of WAL, or its number of segments, is there."""
    began, written, rounds = time.monotonic(), 0, 0
    wanted = max(1, int(case.segments * scale))
    while time.monotonic() - began < _MADE_IN:
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(case.rows):
            connection.execute("UPDATE data SET body = ? WHERE id = ?", (body(random), random.randrange(rows)))
        connection.execute("COMMIT")
        written += case.rows * 4096
        rounds += 1
        if case.wal and written >= case.wal * scale:
            return
        if not case.wal and rounds % 200 == 0 and _segments(replica) >= wanted:
            return
        time.sleep(case.pause)


def _segments(replica: Path) -> int:
    return sum(len(os.listdir(folder)) for folder in replica.glob("generations/*/wal"))


def compare(name: str, replica: Path, folder: Path, asked: Options) -> None:
    """Interleaved rounds of both, and their median ratios."""
    a, b = folder / "theirs.db", folder / "ours.db"
    wals = list(replica.glob("generations/*/wal/*"))
    beside(
        f"{name}: {len(wals)} segments of {len({w.name[:8] for w in wals})} indexes",
        # The path of the database is no replica's: -config is not looked at for a URL.
        [asked.litestream, "restore", "-o", a, f"file://{replica}"],
        [*asked.litetui, "restore", os.fspath(replica), "-o", os.fspath(b), "--integrity-check", "none"],
        (a, b),
        asked.rounds,
    )


def main() -> None:
    asked = options(__doc__, CASES, "0.3")
    for name, folder in replicas(asked, CASES, make):
        compare(name, folder / "replica", folder, asked)


if __name__ == "__main__":
    main()
