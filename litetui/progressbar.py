"""The progress of one operation as a line on stderr, for the command line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from litetui.jobs.progress import Reporter


@contextmanager
def drawn(report: Reporter) -> Iterator[None]:
    """Draw the reporter's progress ten times a second until the context ends."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    stop = threading.Event()
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task("", total=None)

        def draw() -> None:
            phase = ""
            while not stop.wait(0.1):
                p = report.progress
                if p.phase != phase:
                    phase = p.phase
                    bar.reset(task, description=phase, total=p.total or None)
                bar.update(task, completed=p.done, refresh=True)

        thread = threading.Thread(target=draw, name="litetui-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(timeout=1)
