"""How late the loop of the terminal UI is while it has much to do: a replica of 100,000 segments is opened, validated
and restored, and a file comes ten times a second.

    python benchmarks/loop_lag.py [--segments N]

late      of a beat every 10 ms (goal: p95 < 20 ms, at most 150 ms); a busy machine is late by itself
blocked   the part of it that is the process's own: it computed, and the loop's thread did not wait for a core
busy      the part of it in which the loop's own callbacks computed
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from litetui.jobs.job import State
from litetui.tui.app import LitetuiApp
from litetui.tui.settings import Settings
from tests.tui.lag import Heartbeat, jobs, make_replica, share, writer


async def measure(base: Path, segments: int) -> None:
    replica = make_replica(base / "replica", segments, time.time_ns())
    app = LitetuiApp(None, Settings())
    with writer(replica, 0.1):
        async with app.run_test(size=(160, 45)) as pilot:
            await pilot.press("escape")
            heart = Heartbeat()
            app.opening.open(str(base / "replica"))
            while app.browser.view is None:
                await pilot.pause(0.05)
            _say("opening", heart)
            heart.stop()
            heart = Heartbeat()
            begun = await jobs(app, base / "out.db")
            await pilot.press("2", "G", "g")
            while app.runner.unfinished:
                await pilot.press("pagedown")
            _say("with jobs", heart)
            heart.stop()
            if any(job.state is not State.DONE for job in begun):
                sys.exit(f"{[job.error for job in begun]}")


def _say(what: str, heart: Heartbeat) -> None:
    for name, values in (("late", sorted(heart.late)), ("blocked", heart.blocked()), ("busy", heart.busy())):
        parts = ", ".join(f"{label} {1000 * share(values, part):.0f} ms" for label, part in _PARTS)
        print(f"{what:10} {name:8} {parts}  ({len(values)} beats)")


_PARTS = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("most", 1.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=100_000)
    options = parser.parse_args()
    gc.disable()  # as `litetui` does until the first frame, at which the app turns it on again
    with tempfile.TemporaryDirectory(prefix="litetui-bench-") as base:
        asyncio.run(measure(Path(base), options.segments))


if __name__ == "__main__":
    main()
