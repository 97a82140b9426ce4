"""A table of a million rows: what a key, a page, a filter, a sort and an export cost, and how long the screen waits.

    python benchmarks/tables.py [--rows N]

Everything is made in memory. CPU is that of the whole process; the lag is by how much a heartbeat of 5 ms comes late,
which on a busy machine has to be seen beside that of an idle screen.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Callable

import numpy as np
from textual.app import App, ComposeResult

import litetui.tui
from litetui.jobs.progress import CancelToken, Reporter
from litetui.replica.catalog import WALTable
from litetui.tui.glyphs import UNICODE
from litetui.tui.screens.export import write_table
from litetui.tui.tables.arranged import arrange
from litetui.tui.tables.file_sources import WALSource
from litetui.tui.tables.sources import Source
from litetui.tui.widgets.virtual_table import VirtualTable

BEAT = 0.005
KEYS = (("j", 60), ("k", 60), ("pagedown", 30), ("pageup", 30), ("G", 10), ("g", 10))


def wals(rows: int) -> WALTable:
    """A segment each second, fifty to an index."""
    at = np.arange(rows)
    offset = ((at % 50) * 4152 + 32).astype(np.uint64)
    size = np.random.default_rng(1).integers(200, 900_000, rows)
    times = time.time_ns() - (rows - at) * 1_000_000_000
    return WALTable(
        "5efbd8d042012dca", (at // 50).astype(np.uint32), offset, np.zeros(rows, np.uint8), size, times
    )  # fmt: skip


class Screen(App[None]):
    """One table, and nothing else."""

    CSS_PATH = os.path.join(next(iter(litetui.tui.__path__)), "theme.tcss")

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source
        self.table = VirtualTable(UNICODE)

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.show(self.source)
        self.table.focus()


async def lag_during(work: Callable[[], object]) -> tuple[float, float]:
    """Run in a thread: how long it takes in seconds, and the longest that a heartbeat of this loop came late."""
    began, worst = time.perf_counter(), 0.0
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        before = time.perf_counter()
        await asyncio.sleep(BEAT)
        worst = max(worst, time.perf_counter() - before - BEAT)
    return time.perf_counter() - began, worst


async def measure(rows: int) -> None:
    source = WALSource(wals(rows), time.time_ns)
    app = Screen(source)
    async with app.run_test(size=(160, 45)) as pilot:
        await pilot.pause()
        print(f"{rows} rows, 160x45: CPU of a key, with all of Textual's own drawing")
        for key, count in KEYS:
            before = time.process_time()
            for _ in range(count):
                await pilot.press(key)
            print(f"  {key:<28}{(time.process_time() - before) / count * 1000:8.2f} ms")
        before = time.process_time()
        for _ in range(20):
            for y in range(45):
                app.table.render_line(y)
        print(f"  {'the rows of a page alone':<28}{(time.process_time() - before) / 20 * 1000:8.2f} ms")

        def arranging(text: str, column: int | None) -> Callable[[], object]:
            return lambda: arrange(source, filter_text=text, column=column, reverse=False, cancel=CancelToken())

        print("in a thread                        takes  longest lag")
        with tempfile.TemporaryDirectory() as folder:

            def exporting(name: str) -> Callable[[], object]:
                return lambda: write_table(source, os.path.join(folder, name), Reporter(), CancelToken())

            for words, work in (
                ("nothing", lambda: time.sleep(0.5)),
                ("filter 4e7 (index or offset)", arranging("4e7", None)),
                ("filter !41 52 (two words)", arranging("!41 52", None)),
                ("filter 14:03 (a time)", arranging("14:03", None)),
                ("filter 2c_0000 (a name)", arranging("2c_0000", None)),
                ("sort by size", arranging("", 2)),
                ("filter 4e7, sort by time", arranging("4e7", 3)),
                ("export as CSV", exporting("rows.csv")),
                ("export as JSON", exporting("rows.json")),
            ):
                seconds, worst = await lag_during(work)
                print(f"  {words:<28}{seconds * 1000:8.0f} ms {worst * 1000:8.1f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    asyncio.run(measure(parser.parse_args().rows))
