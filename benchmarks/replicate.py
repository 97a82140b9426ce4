"""Replicate: litetui beside real Litestream 0.3.13, under the same write load.

    python benchmarks/replicate.py --litestream PATH [steady] [quick] [bulk] [giant] [--rounds N] [--scale X]

steady   200 small transactions a second for 20 s, intervals of 1 s (the defaults of both)
quick    the same, intervals of 20 ms
bulk     1 GB of WAL in transactions of 1.6 MB, intervals of 1 s
giant    one transaction of 1 GB

Each round runs both in turn, each on a new database and a new replica: start it, write the load, wait until the replica
has every commit, stop it with SIGTERM. CPU is user and system time of the whole process from its start to its end. Then
the replica is restored by litetui and compared with the database, byte by byte. `--scale 0.05` makes a smoke run.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from measure import Cost, anonymous, median, ratio, require, run

from litetui.errors import LitetuiError
from litetui.ops.lag import lag
from litetui.replica import open_replica

_ROW = 4000
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Case:
    """transactions of so many rows of 4 kB each, `pause` seconds apart; the interval of both programs."""

    transactions: int
    rows: int
    pause: float
    interval: str


CASES = {
    "steady": Case(4000, 2, 0.005, "1s"),
    "quick": Case(4000, 2, 0.005, "20ms"),
    "bulk": Case(625, 400, 0.02, "1s"),
    "giant": Case(1, 250_000, 0.0, "1s"),
}


def replicate(case: Case, folder: Path, command: list[str], scale: float) -> Cost:
    """Run one program under the load. Its cost, from its start to its end."""
    database, replica = folder / "app.db", folder / "replica"
    random = Random(3)
    connection = sqlite3.connect(database, isolation_level=None, timeout=60)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = normal")
    connection.execute("CREATE TABLE data (id INTEGER PRIMARY KEY, body BLOB)")
    connection.executemany("INSERT INTO data VALUES (?, ?)", ((i, _body(random)) for i in range(2500)))
    began = time.monotonic()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    _wait(process, lambda: bool(list(replica.glob("generations/*/snapshots/*.lz4"))))
    private = 0.0
    transactions, rows = max(1, int(case.transactions * scale)), case.rows
    if case.transactions == 1:
        rows = max(1, int(rows * scale))
    for _ in range(transactions):
        connection.execute("BEGIN IMMEDIATE")
        changes = ((_body(random), random.randrange(2500 if case.transactions > 1 else 10**9)) for _ in range(rows))
        connection.executemany("INSERT OR REPLACE INTO data (body, id) VALUES (?, ?)", changes)
        connection.execute("COMMIT")
        private = max(private, anonymous(process.pid))
        time.sleep(case.pause)

    def in_step() -> bool:
        nonlocal private
        private = max(private, anonymous(process.pid))
        try:
            return lag(str(database), open_replica(replica), versions=False).bytes == 0
        except LitetuiError:
            return False  # it is being written

    _wait(process, in_step)
    process.send_signal(signal.SIGTERM)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cost = Cost(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, private)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _compare(folder)
    connection.close()
    return cost


def _body(random: Random) -> bytes:
    return random.randbytes(_ROW // 2) + bytes(_ROW // 2)


def _wait(process: subprocess.Popen[bytes], until: object) -> None:
    deadline = time.monotonic() + _PATIENCE
    assert callable(until)
    while not until():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{process.args!r} does not get there")
        time.sleep(0.05)


def _compare(folder: Path) -> None:
    out = folder / "out.db"
    run([sys.executable, "-m", "litetui", "restore", folder / "replica", "-o", out, "--integrity-check", "none"])
    if not filecmp.cmp(out, folder / "app.db", shallow=False):
        sys.exit("what was restored is not the database")


def compare(name: str, case: Case, base: Path, litestream: str, litetui: list[str], rounds: int, scale: float) -> None:
    """Interleaved rounds of both, and their median ratios."""
    theirs: list[Cost] = []
    ours: list[Cost] = []
    for number in range(rounds):
        for costs, command in ((theirs, None), (ours, litetui)):
            folder = base / f"{name}-{number}-{'ours' if command else 'theirs'}"
            folder.mkdir()
            database, replica = str(folder / "app.db"), str(folder / "replica")
            if command is None:
                config = folder / "litestream.yml"
                config.write_text(
                    f"dbs:\n  - path: {database}\n    monitor-interval: {case.interval}\n"
                    f"    replicas:\n      - path: {replica}\n        sync-interval: {case.interval}\n"
                )
                full = [litestream, "replicate", "-config", str(config)]
            else:
                intervals = ["--monitor-interval", case.interval, "--sync-interval", case.interval]
                full = [*command, "replicate", database, replica, *intervals]
            costs.append(replicate(case, folder, full, scale))
            shutil.rmtree(folder)
    print(f"{name}: restored byte-identical to the database in each of {rounds} round(s)")
    t, o = median(theirs), median(ours)
    for what, unit in (("cpu", "s"), ("peak", "MiB"), ("private", "MiB")):
        x, y = getattr(o, what), getattr(t, what)
        print(f"  {what:8} ratio {ratio(x, y):>6}    litetui {x:8.2f} {unit:3}  litestream {y:8.2f} {unit}")
    print(f"  cpu in each round: {' '.join(ratio(x.cpu, y.cpu) for x, y in zip(ours, theirs, strict=True))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], metavar="CASE", help="which; all by default")
    parser.add_argument("--litestream", default=os.environ.get("LITETUI_LITESTREAM_0_3"))
    parser.add_argument("--litetui", default="", help="another litetui than `python -m litetui`")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    litestream = require(options.litestream, "real Litestream 0.3.13 (--litestream PATH or LITETUI_LITESTREAM_0_3)")
    litetui = [options.litetui] if options.litetui else [sys.executable, "-m", "litetui"]
    base = Path(tempfile.mkdtemp(prefix="litetui-bench-"))
    try:
        for name in options.cases or CASES:
            compare(name, CASES[name], base, litestream, litetui, options.rounds, options.scale)
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
