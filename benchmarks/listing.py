"""Listing: `litetui generations` and the catalog, beside `find -printf` over the same files.

    python benchmarks/listing.py [--segments N] [--names N] [--rounds N]

generations   a replica of 20,000 segments: `litetui generations` as a ratio to the sum of `find -printf '%f %s %T@'`,
              `litetui --version` and one import of numpy (goal: 1.5)
names         a folder of 1,000,000 names: the time to a catalog that can be used (names, indexes and offsets, sorted),
              and to one with sizes and times, as ratios to the same find (goals: 0.3 and 1.2)

The files are empty, made in a temporary folder and removed in the end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from measure import run

_PER_INDEX = 300
_GENERATION = "0123456789abcdef"


def make(root: Path, count: int) -> Path:
    """A replica of so many segments; returns its `wal` folder."""
    base = root / "generations" / _GENERATION
    (base / "snapshots").mkdir(parents=True)
    (base / "snapshots" / "00000000.snapshot.lz4").touch()
    folder = base / "wal"
    folder.mkdir()
    fd = os.open(folder, os.O_RDONLY)
    for i in range(count):
        name = f"{i // _PER_INDEX:08x}_{32 + 4120 * (i % _PER_INDEX) if i % _PER_INDEX else 0:08x}.wal.lz4"
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=fd))
    os.close(fd)
    return folder


def generations(root: Path, rounds: int) -> None:
    """The whole command beside the sum of its parts."""
    litetui = [sys.executable, "-m", "litetui"]
    parts: list[list[str]] = [
        ["find", str(root), "-printf", "%f %s %T@\n"],
        [*litetui, "--version"],
        [sys.executable, "-c", "import numpy"],
    ]
    ratios, cpu = [], []
    for _ in range(rounds):
        small = [run(p) for p in parts]
        ours = run([*litetui, "generations", str(root)])
        ratios.append(ours.wall / sum(c.wall for c in small))
        cpu.append(ours.cpu / sum(c.cpu for c in small))
    print(f"generations: wall {median(ratios):.2f}, cpu {median(cpu):.2f} of find, --version and import numpy together")


def names(folder: Path, count: int, rounds: int) -> None:
    """Names to a catalog, without and with sizes and times."""
    import numpy as np

    from litetui.replica.catalog import WALTable
    from litetui.replica.storage import LocalStorage

    storage = LocalStorage(str(folder))

    def quick() -> None:
        table, foreign = WALTable.parse(_GENERATION, storage.names(""))
        assert (len(table), foreign) == (count, [])

    def whole() -> None:
        table, _ = WALTable.parse(_GENERATION, storage.names(""))
        storage.stat_many("", table.names_of(np.arange(len(table))))

    first, full = [], []
    for _ in range(rounds):
        found = _seconds(lambda: _find(folder))
        first.append(_seconds(quick) / found)
        full.append(_seconds(whole) / found)
    print(f"{count} names: a catalog in {median(first):.2f} of find; with sizes and times {median(full):.2f}")


def _find(folder: Path) -> None:
    subprocess.run(["find", folder, "-printf", "%f %s %T@\n"], stdout=subprocess.DEVNULL, check=True)


def _seconds(action: Callable[[], None]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=20_000)
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="litetui-bench-"))
    try:
        make(base / "replica", options.segments)
        generations(base / "replica", options.rounds)
        names(make(base / "names", options.names), options.names, options.rounds)
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
