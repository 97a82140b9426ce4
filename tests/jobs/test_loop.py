"""Something done again and again: when it is woken, on an interval, less often while it fails, and its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from litetui.errors import LitetuiError
from litetui.jobs import loop as module
from litetui.jobs.loop import Loop

LONG = 3600.0


class Work:
    """Counts its calls, and fails as long as it is told to. `at` is when each call was."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.errors: list[LitetuiError] = []
        self.fails: Exception | None = None
        self.held = threading.Event()
        self.held.set()
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.at.append(time.monotonic())
            self._changed.notify_all()
        self.held.wait(20)
        if self.fails is not None:
            raise self.fails

    @property
    def calls(self) -> int:
        return len(self.at)

    def wait(self, calls: int, seconds: float = 20) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.calls >= calls, seconds)

    def loop(self, interval: float, every: float | None = None) -> Loop:
        return Loop("test", interval, self, self.errors.append, every=every)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.setattr(module, "_MIN_PAUSE_S", 0.01)
    return Work()


def wait(until: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        threading.Event().wait(0.002)


def test_it_works_when_it_is_woken_and_not_before(work: Work) -> None:
    loop = work.loop(0.01)
    loop.start()
    assert not work.wait(1, 0.05)
    for n in (1, 2, 3):
        loop.wake()
        assert work.wait(n)
    assert not work.wait(4, 0.05)
    assert loop.stop(timeout=20)


def test_a_wake_during_the_work_is_not_lost(work: Work) -> None:
    loop = work.loop(0.0)
    work.held.clear()
    loop.start()
    loop.wake()
    assert work.wait(1)
    for _ in range(3):
        loop.wake()
    work.held.set()
    assert work.wait(2)
    assert not work.wait(3, 0.05), "three wakes are one look"
    assert loop.stop(timeout=20)


def test_at_most_once_an_interval_unless_hurried(work: Work) -> None:
    loop = work.loop(LONG)
    loop.start()
    loop.wake()
    assert work.wait(1)
    loop.wake()
    assert not work.wait(2, 0.05)
    loop.wake(now=True)
    assert work.wait(2)
    assert loop.stop(timeout=20)


def test_by_itself_on_an_interval(work: Work) -> None:
    loop = work.loop(0.01, every=0.0)
    loop.start()
    assert work.wait(5)
    assert loop.stop(timeout=20)
    calls = work.calls
    assert not work.wait(calls + 1, 0.05)


def test_after_errors_more_rarely_and_at_once_again_when_all_is_well(work: Work) -> None:
    work.fails = LitetuiError("sync", "no space")
    loop = work.loop(0.01)
    loop.start()
    loop.wake()
    assert work.wait(5), "it tries again unasked"
    assert [str(e) for e in work.errors[:2]] == ["cannot sync: no space"] * 2
    gaps = [b - a for a, b in zip(work.at[:5], work.at[1:5], strict=False)]
    assert [gap >= wanted for gap, wanted in zip(gaps, (0.01, 0.02, 0.04, 0.08), strict=True)] == [True] * 4
    work.fails = None
    wait(lambda: loop.failures == 0)
    calls = work.calls
    loop.wake()
    assert work.wait(calls + 1, 2)
    assert loop.stop(timeout=20)


def test_a_hurried_wake_ends_the_pause_after_an_error(work: Work) -> None:
    work.fails = LitetuiError("sync", "no space")
    loop = work.loop(LONG)
    loop.start()
    loop.wake()
    assert work.wait(1)
    work.fails = None
    loop.wake(now=True)
    assert work.wait(2)
    assert loop.stop(timeout=20)


def test_errors_do_not_spin_without_an_interval(work: Work) -> None:
    work.fails = LitetuiError("sync", "no space")
    loop = work.loop(0.0)
    loop.start()
    loop.wake()
    try:
        assert not work.wait(10, 0.3)
    finally:
        assert loop.stop(timeout=20)


def test_any_exception_becomes_words(work: Work) -> None:
    work.fails = ZeroDivisionError("division by zero")
    loop = work.loop(LONG)
    loop.start()
    loop.wake()
    wait(lambda: work.errors)
    assert "division by zero" in str(work.errors[0])
    assert loop.stop(timeout=20)


# ---- the end


def test_the_end_comes_at_once_whatever_it_waits_for(work: Work) -> None:
    for fails in (None, LitetuiError("sync", "no space")):
        work.fails = fails
        loop = work.loop(LONG)
        loop.start()
        loop.wake()
        assert work.wait(1)
        began = time.monotonic()
        assert loop.stop(timeout=20)
        assert time.monotonic() - began < 5
    idle = work.loop(LONG)
    idle.start()
    assert idle.stop(timeout=20)


def test_once_more_after_the_end_unless_it_was_failing(work: Work) -> None:
    loop = work.loop(LONG)
    loop.start()
    assert loop.stop(timeout=20)
    loop.once()
    assert work.calls == 1, "in the calling thread"
    work.fails = LitetuiError("sync", "no space")
    loop = work.loop(LONG)
    loop.start()
    loop.wake()
    assert work.wait(2)
    wait(lambda: loop.failures)
    assert loop.stop(timeout=20)
    loop.once()
    assert work.calls == 2


def test_a_thread_that_is_stuck_is_left_behind(work: Work) -> None:
    work.held.clear()
    loop = work.loop(LONG)
    loop.start()
    loop.wake()
    assert work.wait(1)
    assert not loop.stop(timeout=0.05)
    work.held.set()
    assert loop.stop(timeout=20)
    assert work.calls == 1


def test_a_loop_that_was_never_started_has_ended(work: Work) -> None:
    assert work.loop(LONG).stop(timeout=0.05)
    assert work.calls == 0


def test_an_error_of_the_last_call_is_told(work: Work) -> None:
    work.fails = LitetuiError("sync", "no space")
    loop = work.loop(LONG)
    loop.start()
    assert loop.stop(timeout=20)
    loop.once()
    assert [str(e) for e in work.errors] == ["cannot sync: no space"]
