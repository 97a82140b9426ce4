"""The rules of the runner: who runs beside whom, who waits for whom, and how a job ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest

from litetui.errors import Cancelled, DamageError, LitetuiError
from litetui.jobs.job import Job, Mode, State
from litetui.jobs.progress import CancelToken, Reporter
from litetui.jobs.runner import Load, Runner

WAIT = 5.0


class Gate:
    """Work that says when it began and ends when it is let go."""

    def __init__(self) -> None:
        self.began = Event()
        self.go = Event()

    def __call__(self, report: Reporter, cancel: CancelToken) -> str:
        self.began.set()
        while not self.go.wait(0.005):
            cancel.check()
        return "result"


@contextmanager
def gates(n: int) -> Iterator[list[Gate]]:
    made = [Gate() for _ in range(n)]
    try:
        yield made
    finally:
        for gate in made:
            gate.go.set()


def job(work: Any, mode: Mode = Mode.READ, target: str = "/replica") -> Job:
    return Job("test", work, title="a test", target=target, mode=mode)


def test_readers_run_side_by_side() -> None:
    runner = Runner()
    with gates(3) as made:
        jobs = [runner.submit(job(gate)) for gate in made]
        assert all(gate.began.wait(WAIT) for gate in made)
        assert [j.state for j in jobs] == [State.RUNNING] * 3
    assert runner.drain(WAIT) == []
    assert [j.result for j in jobs] == ["result"] * 3
    assert [j.state for j in jobs] == [State.DONE] * 3


def test_writers_of_one_target_run_one_after_the_other() -> None:
    runner = Runner()
    with gates(3) as (one, two, elsewhere):
        first = runner.submit(job(one, Mode.WRITE))
        second = runner.submit(job(two, Mode.WRITE))
        runner.submit(job(elsewhere, Mode.WRITE, target="/other"))
        assert elsewhere.began.wait(WAIT)
        assert second.state is State.QUEUED
        assert second.waits_for is first
        one.go.set()
        assert two.began.wait(WAIT)
        assert first.state is State.DONE
        assert second.waits_for is None


def test_a_reader_runs_beside_a_writer() -> None:
    runner = Runner()
    with gates(2) as (write, read):
        runner.submit(job(write, Mode.WRITE))
        runner.submit(job(read))
        assert read.began.wait(WAIT)


def test_exclusive_waits_for_readers_and_they_for_it() -> None:
    runner = Runner()
    with gates(4) as (read, retention, later, last):
        reading = runner.submit(job(read))
        exclusive = runner.submit(job(retention, Mode.EXCLUSIVE))
        assert exclusive.waits_for is reading
        beside = runner.submit(job(later))  # a reader passes a queued exclusive job
        assert later.began.wait(WAIT)
        read.go.set()
        later.go.set()
        assert retention.began.wait(WAIT)
        assert beside.state is State.DONE
        behind = runner.submit(job(last))
        assert behind.state is State.QUEUED
        assert behind.waits_for is exclusive
        retention.go.set()
        assert last.began.wait(WAIT)


def test_cancel_of_a_running_job_is_its_threads_word() -> None:
    runner = Runner()
    with gates(1) as (gate,):
        running = runner.submit(job(gate))
        assert gate.began.wait(WAIT)
        assert runner.cancel(running)
        assert running.state in (State.CANCELLING, State.CANCELLED)
        assert runner.drain(WAIT) == []
        assert running.state is State.CANCELLED
        assert isinstance(running.error, Cancelled)
        assert not runner.cancel(running)


def test_cancel_of_a_queued_job_never_starts_it() -> None:
    runner = Runner()
    with gates(2) as (one, two):
        runner.submit(job(one, Mode.WRITE))
        queued = runner.submit(job(two, Mode.WRITE))
        assert runner.cancel(queued)
        assert queued.state is State.CANCELLED
        one.go.set()
        assert runner.drain(WAIT) == []
    assert not two.began.is_set()


def test_cancelling_the_one_ahead_frees_the_queue() -> None:
    runner = Runner()
    with gates(3) as (read, retention, write):
        runner.submit(job(read))
        exclusive = runner.submit(job(retention, Mode.EXCLUSIVE))
        writer = runner.submit(job(write, Mode.WRITE))
        assert writer.waits_for is exclusive
        runner.cancel(exclusive)
        assert write.began.wait(WAIT)


def test_a_stuck_thread_does_not_hold_the_exit() -> None:
    runner = Runner()
    release = Event()

    def stuck(report: Reporter, cancel: CancelToken) -> None:
        release.wait(WAIT * 4)

    staying = runner.submit(job(stuck))
    runner.cancel_all()
    assert runner.drain(0.05) == [staying]
    assert staying.state is State.CANCELLING
    release.set()
    assert runner.drain(WAIT) == []


def test_drain_names_queued_jobs_too() -> None:
    runner = Runner()
    with gates(2) as (one, two):
        first = runner.submit(job(one, Mode.WRITE))
        second = runner.submit(job(two, Mode.WRITE))
        assert runner.drain(0.01) == [first, second]


def test_a_failure_is_kept_with_its_words() -> None:
    def fails(report: Reporter, cancel: CancelToken) -> None:
        raise DamageError("restore", "the checksum is wrong", code="wal-checksum", index=3, frame=21)

    runner = Runner()
    failing = runner.submit(job(fails))
    assert runner.drain(WAIT) == []
    assert failing.state is State.FAILED
    assert isinstance(failing.error, DamageError)
    assert failing.lines_since(0)[-1].level == "error"


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), KeyError("x"), MemoryError()])
def test_an_unexpected_exception_becomes_words(error: Exception) -> None:
    def breaks(report: Reporter, cancel: CancelToken) -> None:
        raise error

    runner = Runner()
    broken = runner.submit(job(breaks))
    assert runner.drain(WAIT) == []
    assert broken.state is State.FAILED
    assert type(broken.error) is LitetuiError
    assert "unexpected error" in str(broken.error)
    assert "please report" in str(broken.error)
    assert "Traceback" not in str(broken.error)
    levels = {line.level for line in broken.lines_since(0) if "Traceback" in line.text}
    assert levels == {"debug"}


def test_listener_hears_every_change_with_the_end_last() -> None:
    heard: list[tuple[int, State]] = []
    ended = Event()

    def listen(which: Job) -> None:
        heard.append((which.id, which.state))
        if which.state.ended:
            ended.set()

    runner = Runner(listen)
    with gates(1) as (gate,):
        one = runner.submit(job(gate))
        assert gate.began.wait(WAIT)
        runner.cancel(one)
        assert ended.wait(WAIT)
    assert heard[0] == (one.id, State.RUNNING)
    assert (one.id, State.CANCELLED) in heard


def test_log_lines_are_bounded_and_numbered() -> None:
    quiet = job(lambda report, cancel: None)
    for n in range(10_005):
        quiet.log(f"line {n}")
    kept = quiet.lines_since(0)
    assert len(kept) == 10_000
    assert kept[-1].text == "line 10004"
    assert [line.text for line in quiet.lines_since(kept[-2].number)] == ["line 10004"]
    assert quiet.lines_since(kept[-1].number) == []


def test_reporter_writes_into_the_jobs_log() -> None:
    def talks(report: Reporter, cancel: CancelToken) -> None:
        report.phase("copy", 10)
        report.advance(4)
        report.log("odd", "warning")

    runner = Runner()
    talking = runner.submit(job(talks))
    assert runner.drain(WAIT) == []
    assert [(line.level, line.text) for line in talking.lines_since(0)] == [("warning", "odd")]
    assert talking.progress.fraction == 0.4
    assert talking.duration_ns >= 0


def test_load_answers_in_its_own_thread() -> None:
    answered: list[Load] = []
    done = Event()

    def listen(load: Load) -> None:
        answered.append(load)
        done.set()

    Load("stats", lambda: 42, path="/replica", done=listen).start()
    assert done.wait(WAIT)
    assert answered[0].result == 42
    assert answered[0].error is None


def test_load_turns_errors_into_words() -> None:
    done = Event()

    def breaks() -> None:
        raise RuntimeError("boom")

    load = Load("tree", breaks, path="/replica", done=lambda _: done.set()).start()
    assert done.wait(WAIT)
    assert "unexpected error RuntimeError: boom" in str(load.error)
    assert "no answer from /replica" in str(load.no_answer())
