"""The promise of the screen: it answers, whatever runs. A replica of 100,000 segments is opened, a restore and a
validation run, and files come all the time."""

from __future__ import annotations

import asyncio
import gc
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from litetui.jobs.job import State
from tests.tui.helpers import SETTINGS, session
from tests.tui.lag import Heartbeat, jobs, make_replica, share, writer

SEGMENTS = 100_000
WORST, USUAL = 0.150, 0.050


@pytest.fixture(autouse=True)
def as_after_the_first_frame() -> Iterator[None]:
    """No collection looks at what was there before, as in the program: here, at all that the tests have imported."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


async def test_the_heartbeat_sees_a_loop_that_is_blocked() -> None:
    heart = Heartbeat()
    await asyncio.sleep(0.05)
    until = time.thread_time() + 0.2
    while time.thread_time() < until:  # as a callback would that sorts a million rows
        pass
    await asyncio.sleep(0.05)
    heart.stop()
    assert heart.busy()[-1] > WORST
    assert heart.blocked()[-1] > WORST


async def test_the_heartbeat_sees_a_thread_that_holds_the_interpreter() -> None:
    heart = Heartbeat()
    await asyncio.sleep(0.05)
    await asyncio.to_thread(sum, range(40_000_000))  # never lets go before its end
    await asyncio.sleep(0.05)
    heart.stop()
    assert heart.blocked()[-1] > WORST
    assert heart.busy()[-1] < WORST


async def test_nothing_keeps_the_loop_from_its_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = make_replica(tmp_path / "replica", SEGMENTS, time.time_ns())
    settings = replace(SETTINGS, now_ns=time.time_ns, watch_s=0.05)
    with writer(replica, 0.1) as came:
        async with session(None, size=(160, 45), settings=settings) as ui:
            await ui.press("escape")
            heart = Heartbeat()
            app = ui.app
            app.open_path(str(tmp_path / "replica"))
            await ui.until(lambda: app.browser.view is not None, 60)
            begun = await jobs(app, tmp_path / "out.db")
            await ui.pilot.press("2", "G", "g", "less_than_sign", "pagedown")
            await ui.until(lambda: not app.runner.unfinished, 240)
            assert [job.state for job in begun] == [State.DONE, State.DONE], [job.error for job in begun]
            assert len(came) > 5
            heart.stop()
    shutil.rmtree(tmp_path / "replica")
    # What others do on the machine is no part of the first two, and of the last only where it stops a thread of ours
    # that holds the interpreter: hence the looser bound.
    busy, blocked = heart.busy(), heart.blocked()
    assert busy[-1] < WORST, f"busy for {busy[-5:]} s, late by {max(heart.late):.3f} s"
    assert share(busy, 0.99) < USUAL
    assert share(blocked, 0.99) < WORST, f"blocked for {blocked[-20:]} s"
