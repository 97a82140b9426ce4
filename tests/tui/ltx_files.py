"""v0.5 replicas of fixed bytes, names and times for tests: a table that grows by a row with each transaction."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from litetui.format.ltx_header import LTXHeader
from litetui.format.names import format_ltx
from litetui.units import parse_time
from tests.ltx_encode import encode

PAGE = 4096
FIRST_MS = parse_time("2026-11-22T20:40:00Z") // 1_000_000
STEP_MS = 60_000


def states(folder: Path, count: int) -> list[list[bytes]]:
    """The pages of a database after each of its transactions."""
    path = folder / "states.db"
    found: list[list[bytes]] = []
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA page_size = {PAGE}")
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x BLOB)")
        for number in range(count):
            db.execute("INSERT INTO t (x) VALUES (?)", (bytes([number]) * 1500,))
            db.commit()
            data = path.read_bytes()
            found.append([data[at : at + PAGE] for at in range(0, len(data), PAGE)])
    db.close()
    path.unlink()
    return found


class Maker:
    """Writes LTX files of a database whose TXID n has `states[n - 1]`; each a minute after the one before."""

    def __init__(self, root: Path, all_states: list[list[bytes]]) -> None:
        self.root = root
        self.states = all_states

    def write(self, level: int, first: int, last: int) -> Path:
        before = self.states[first - 2] if first > 1 else []
        after = self.states[last - 1]
        pages = [(n + 1, page) for n, page in enumerate(after) if n >= len(before) or page != before[n]]
        stamp = FIRST_MS + STEP_MS * (last - 1)
        header = LTXHeader(PAGE, len(after), first, last, stamp)
        path = self.root / "ltx" / str(level) / format_ltx(first, last)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(header, pages))
        os.utime(path, ns=(stamp * 1_000_000, stamp * 1_000_000))
        return path


def make_replica(folder: Path, *, count: int = 12) -> Maker:
    """Snapshots up to 1 and 4, level 1 with 1 to 4 and 5 to 8, and the last files of level 0."""
    root = folder / "replica"
    root.mkdir(parents=True, exist_ok=True)
    maker = Maker(root, states(folder, count))
    for level, first, last in ((9, 1, 1), (9, 1, 4), (1, 1, 4), (1, 5, 8)):
        maker.write(level, first, last)
    for txid in range(8, count + 1):
        maker.write(0, txid, txid)
    return maker
