"""Validate: `litetui validate --depth restore` beside litetui's own restore with a full integrity check.

    python benchmarks/validate.py --litestream PATH [CASE…] [--rounds N] [--scale X] [--data DIR]

The data are those of restore.py, made by real Litestream 0.3.13. Goal: 1.5 times the wall time of the restore, with
memory bounded as there.
"""

from __future__ import annotations

import os
from pathlib import Path

from measure import Cost, Options, median, options, ratio, replicas, run
from restore import CASES, make


def compare(name: str, replica: Path, folder: Path, asked: Options) -> None:
    """Interleaved rounds of restore and both depths of validate, and the ratios to the restore."""
    out = folder / "out.db"
    restores: list[Cost] = []
    depths: dict[str, list[Cost]] = {"content": [], "restore": []}
    for _ in range(asked.rounds):
        restores.append(
            run([*asked.litetui, "restore", os.fspath(replica), "-o", os.fspath(out), "--integrity-check", "full"])
        )
        out.unlink()
        for depth, costs in depths.items():
            costs.append(
                run([*asked.litetui, "validate", os.fspath(replica), "--depth", depth, "--scratch", os.fspath(folder)])
            )
    base = median(restores)
    print(f"{name}: restore with a full check: wall {base.wall:.2f} s, cpu {base.cpu:.2f} s")
    for depth, costs in depths.items():
        cost = median(costs)
        print(
            f"  validate --depth {depth:8} wall {ratio(cost.wall, base.wall)}, cpu {ratio(cost.cpu, base.cpu)}; "
            f"private {cost.private:.0f} MiB (restore {base.private:.0f})"
        )


def main() -> None:
    asked = options(__doc__, CASES, "0.3")
    for name, folder in replicas(asked, CASES, make):
        compare(name, folder / "replica", folder, asked)


if __name__ == "__main__":
    main()
