"""Validate: `litetui validate --depth restore` beside litetui's own restore with a full integrity check.

    python benchmarks/validate.py --litestream PATH [CASE…] [--rounds N] [--scale X] [--data DIR]

The data are those of restore.py, made by real Litestream 0.3.13. Goal: 1.5 times the wall time of the restore, with
memory bounded as there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from measure import Cost, median, ratio, require, run
from restore import CASES, make


def compare(name: str, replica: Path, folder: Path, rounds: int) -> None:
    """Interleaved rounds of restore and both depths of validate, and the ratios to the restore."""
    litetui = [sys.executable, "-m", "litetui"]
    out = folder / "out.db"
    restores: list[Cost] = []
    depths: dict[str, list[Cost]] = {"content": [], "restore": []}
    for _ in range(rounds):
        restores.append(
            run([*litetui, "restore", os.fspath(replica), "-o", os.fspath(out), "--integrity-check", "full"])
        )
        out.unlink()
        for depth, costs in depths.items():
            costs.append(
                run([*litetui, "validate", os.fspath(replica), "--depth", depth, "--scratch", os.fspath(folder)])
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], metavar="CASE", help="which; all by default")
    parser.add_argument("--litestream", default=os.environ.get("LITETUI_LITESTREAM_0_3"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--data", type=Path, help="keep the data here and use what is there; else a temporary folder")
    options = parser.parse_args()
    litestream = require(options.litestream, "real Litestream 0.3.13 (--litestream PATH or LITETUI_LITESTREAM_0_3)")
    base = options.data or Path(tempfile.mkdtemp(prefix="litetui-bench-"))
    try:
        for name in options.cases or CASES:
            folder = base / name
            if not (folder / "replica").is_dir():
                folder.mkdir(parents=True)
                make(CASES[name], folder, litestream, options.scale)
            compare(name, folder / "replica", folder, options.rounds)
    finally:
        if options.data is None:
            shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
