"""Jobs and log: rows that tell how far, what is already done, which lines are shown, and leaving."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual.widgets import Input

from litetui.errors import Cancelled, LitetuiError
from litetui.jobs.job import Job, LogLine, State
from litetui.jobs.progress import CancelToken, Progress, Reporter
from litetui.tui.glyphs import UNICODE
from litetui.tui.screens.job import JobScreen
from litetui.tui.screens.quit import QuitDialog
from litetui.tui.work.job_rows import JobSource, progress_text, summary
from litetui.tui.work.log_book import LogBook, LogSource, Wanted, log_text
from litetui.tui.work.report import job_lines, so_far
from tests.tui.helpers import NOW, SETTINGS, Session, session

Golden = Callable[[str], Path]
SECOND = 1_000_000_000


class Held:
    """Work that says how far it is, and goes on until it is released or cancelled."""

    def __init__(self, total: int = 128, unit: str = "files") -> None:
        self.total, self.unit = total, unit
        self.began, self.release = Event(), Event()

    def __call__(self, report: Reporter, cancel: CancelToken) -> None:
        report.phase("delete", self.total, self.unit)
        report.advance(self.total // 4)
        report.log("it goes on", "warning")
        self.began.set()
        while not self.release.wait(0.005):
            if cancel.cancelled:
                raise Cancelled("enforce the retention", "cancelled: 32 of 128 files were deleted before")


@pytest.fixture
def held() -> Iterator[Held]:
    one = Held()
    yield one
    one.release.set()


def job_of(work: Any, kind: str = "retention", **more: Any) -> Job:
    return Job(kind, work, title=f"a {kind}", target="/r", now_ns=SETTINGS.now_ns, **more)


def line(number: int, level: str = "info", job: int = 1, text: str = "") -> LogLine:
    return LogLine(number, NOW, level, job, "sync", text or f"line {number}")


async def started(ui: Session, held: Held, kind: str = "retention", **more: Any) -> Job:
    job = job_of(held, kind, **more)
    ui.app.submit(job)
    await ui.until(held.began.is_set)
    await ui.pilot.pause(0.2)
    return job


# words


def test_what_a_cancel_leaves_behind(held: Held) -> None:
    job = job_of(held)
    assert so_far(job) == "it has not begun"
    job.begin()
    assert so_far(job) == "nothing is deleted yet"
    job.reporter.progress = Progress("delete", 32, 128, "files")
    assert so_far(job) == "32 of 128 files are deleted, and stay so"
    job = job_of(held, "restore", output="/out/app.db")
    job.begin()
    job.reporter.progress = Progress("WAL", 41, 100)
    assert so_far(job) == "nothing of app.db is left behind, 41 % of WAL done"


def test_a_row_tells_phase_progress_rate_and_time_left(held: Held) -> None:
    job = job_of(held)
    job.begin()
    job.reporter.progress = Progress("delete", 32, 128, "files", started=100.0, at=104.0)
    words = progress_text(job, UNICODE, NOW)
    assert words == "━━──────  25 %  12 s left  8 files/s  delete"
    job.reporter.progress = Progress("delete", 1, 0, "files", started=100.0, at=104.0)
    assert progress_text(job, UNICODE, NOW) == "1 file  delete"


def test_a_row_has_the_age_of_its_end() -> None:
    job = job_of(lambda *_: None, "export")
    job.begin()
    job.run()
    later = NOW + 125 * SECOND
    cells = JobSource([job], UNICODE, lambda: later).cells(0)
    assert cells[1] == f"export {job.id}"
    assert cells[-1] == ("2 min ago", "muted")


def test_the_line_of_all_jobs_says_why_one_failed_and_how_many_more_there_are() -> None:
    def fail(report: Reporter, cancel: CancelToken) -> None:
        raise LitetuiError("sync", "no space left on device")

    jobs = [job_of(fail, "sync") for _ in range(6)]
    for job in jobs:
        job.begin()
        job.run()
    text = "".join(part for part, _ in summary(jobs, UNICODE, NOW))
    assert "sync failed: no space left on device" in text
    assert text.endswith("2 more")


def test_one_line_a_job_on_leaving(held: Held) -> None:
    job = job_of(held, command="litetui retention /r")
    job.begin()
    job.token.cancel()
    job.run()
    (words,) = job_lines([job], [])
    assert words.startswith("retention cancelled after 0 ms: 32 of 128 files were deleted before")
    assert words.endswith("$ litetui retention /r")


# the log


def test_lines_by_level_job_and_text() -> None:
    book = LogBook()
    book.add([line(1, "debug"), line(2), line(3, "warning", 2), line(4, "error", text="Disk full")])
    assert [one.number for one in book.shown] == [1, 2, 3, 4]
    seen = []
    for _ in range(4):
        book.next_level()
        seen.append([one.number for one in book.shown])
    assert seen == [[2, 3, 4], [3, 4], [4], [1, 2, 3, 4]]
    book.want(Wanted(job=2))
    assert [one.number for one in book.shown] == [3]
    book.want(Wanted(text="disk"))
    assert [one.number for one in book.shown] == [4]
    book.want(Wanted(text="!disk"))
    book.add([line(5), line(6, text="disk again")])
    assert [one.number for one in book.shown] == [1, 2, 3, 5]
    assert Wanted("warning", 2, "x").words == "from warning on, job 2, /x"


def test_the_oldest_lines_make_room() -> None:
    book = LogBook(kept=3)
    book.want(Wanted("warning"))
    book.add([line(n, "warning" if n % 2 else "info") for n in range(1, 7)])
    assert [one.number for one in book.lines] == [4, 5, 6]
    assert [one.number for one in book.shown] == [5]


def test_the_last_line_is_more_than_a_detail() -> None:
    book = LogBook()
    assert book.last is None
    book.add([line(1), line(2, "debug")])
    assert book.last == line(1)


def test_thousands_of_lines_cost_little() -> None:
    book = LogBook()
    lines = [line(n, text=f"sync file 5efbd8d042012dca/0000007f:{n} +49472 bytes") for n in range(20_000)]
    before = time.thread_time()
    book.add(lines)
    book.want(Wanted(text="9472"))
    source = LogSource(book.shown, SETTINGS.now_ns)
    assert source.find((1, 19_999)) == len(source) - 1
    assert time.thread_time() - before < 2.0  # here 0.03 s
    assert len(book.shown) == 20_000


def test_lines_as_they_are_copied() -> None:
    assert log_text([line(1), line(2, "error")], NOW) == (
        "21:00:00.000Z sync 1 info: line 1\n21:00:00.000Z sync 1 error: line 2"
    )


async def test_the_log_is_filtered_copied_and_followed(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        pane = ui.app.browser.log_pane
        long = "a line that no row has room for, " * 6 + "and its end"
        pane.add([line(n, "warning" if n % 10 == 0 else "info") for n in range(1, 41)])
        await ui.press("4")
        assert "40 lines  follows" in ui.screen_text
        assert pane.line == line(40, "warning")
        await ui.press("m", "m")
        assert "4 of 40 lines  from warning on  follows" in ui.screen_text
        assert "line 39" not in ui.screen_text
        pane.add([line(41, "error", 2, long)])
        await ui.pilot.pause()
        assert pane.line is not None
        assert pane.line.text == long  # it follows
        assert "and its end" in ui.screen_text  # below the rows, whole
        await ui.press("b")
        assert "1 of 41 lines  from warning on, job 2" in ui.screen_text
        await ui.press("escape")
        assert "41 lines" in ui.screen_text
        await ui.press("slash")
        await ui.type("line 39")
        assert [one.number for one in pane.book.shown] == [39]
        await ui.press("enter")
        assert ui.app.browser.log_pane.table.has_focus
        await ui.press("y", "enter")
        assert ui.toasts[-1] == "sent to the terminal: line 39"
        await ui.press("escape", "k")
        assert "1 newer below, G follows" in ui.screen_text
        pane.add([line(42)])
        await ui.pilot.pause()
        assert pane.line == line(40, "warning")  # the cursor stays
        await ui.press("escape", "m")
        assert ui.toasts[-1] == "this is for the log: 4 goes there"


async def test_the_log_at_80_by_24_has_the_screen(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (80, 24)) as ui:
        ui.app.browser.log_pane.add([line(n) for n in range(1, 100)])
        await ui.press("4")
        assert "line 99" in ui.screen_text
        assert "line 85" in ui.screen_text


# jobs on the screen


async def test_at_120_columns_a_row_keeps_its_rate_and_the_time_left(golden: Golden, held: Held) -> None:
    async with session(golden("v03-multi-gen"), (120, 40)) as ui:
        job = await started(ui, held)
        job.title = "00000003:148352 into app-of-the-customer-restored.db"
        job.reporter.progress = Progress("look into the snapshot", 10**9, 3 * 10**9, started=100.0, at=475.0)
        await ui.until(lambda: "33 %  12 min 30 s left  2.7 MB/s  lo" in ui.screen_text)


async def test_the_cursor_of_the_jobs_goes_to_the_newest(golden: Golden, held: Held) -> None:
    """Also where another one runs on, which stands above it: J and enter show what has just ended."""
    async with session(golden("v03-multi-gen")) as ui:
        await started(ui, held)
        other = Held()
        jobs = [job_of(lambda *_: None, "export"), job_of(other, "look")]
        for job in jobs:
            ui.app.submit(job)
        await ui.until(lambda: "▶ look" in ui.screen_text and "✔ export" in ui.screen_text)
        other.release.set()
        await ui.until(lambda: "✔ look" in ui.screen_text)
        await ui.pilot.press("J", "enter")
        await ui.until(lambda: isinstance(ui.app.screen, JobScreen) and ui.app.screen.query("#keys"))
        screen = ui.app.screen
        assert isinstance(screen, JobScreen)
        assert screen.job is jobs[-1]
        await ui.until(lambda: "esc: close" in ui.screen_text)
        keys = next(line for line in ui.screen_text.splitlines() if "esc: close" in line)
        assert keys.strip("│ ") == "y: copy log; e: save; esc: close"  # it has ended, and no command does the same


async def test_the_time_of_a_line_from_yesterday_is_whole(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        ui.app.browser.log_pane.add([replace(line(1), at_ns=NOW - 86_400 * SECOND)])
        await ui.press("4")
        assert "21 Nov 21:00:00.000Z" in ui.screen_text


async def test_jobs_are_rows_while_one_runs_and_a_line_after(golden: Golden, held: Held) -> None:
    async with session(golden("v03-multi-gen"), (120, 40)) as ui:
        job = await started(ui, held, command="litetui retention /r --retention 24h")
        assert "25 %" in ui.screen_text
        assert "$ litetui retention" not in ui.screen_text
        await ui.pilot.press("3")
        await ui.pilot.pause(0.2)
        assert "$ litetui retention /r --retention 24h" in ui.screen_text
        await ui.pilot.press("y")
        await ui.until(lambda: "job's command  litetui retention" in ui.screen_text)
        await ui.pilot.press("escape", "x")
        await ui.idle()
        assert job.state is State.CANCELLED
        assert any("32 of 128 files are deleted, and stay so" in toast for toast in ui.toasts)
        ui.app.clear_notifications()
        await ui.pilot.pause()
        assert "cancelled after 0 ms: 32 of 128 files" in ui.screen_text
        await ui.press("x")
        assert ui.toasts[-1] == "this job has ended already: cancelled"
        await ui.press("1")
        assert ui.app.browser.jobs_pane.size.height == 1


async def test_a_low_screen_keeps_jobs_on_one_line(golden: Golden, held: Held) -> None:
    async with session(golden("v03-multi-gen"), (80, 24)) as ui:
        await started(ui, held)
        assert ui.app.browser.jobs_pane.size.height == 1
        assert "retention 25 %" in ui.screen_text
        await ui.pilot.press("3")
        await ui.pilot.pause(0.2)
        assert ui.app.browser.jobs_pane.size.height > 15  # one pane at a time


async def test_a_toast_when_a_job_ends_elsewhere(golden: Golden, held: Held) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await started(ui, held, "export")
        await ui.pilot.press("3")
        held.release.set()
        await ui.idle()
        assert ui.toasts == []  # it is before the eyes
        job = job_of(lambda *_: None, "export", output="/tmp/x.csv")
        await ui.press("1")
        ui.app.submit(job)
        await ui.idle()
        assert ui.toasts == [f"export {job.id} done: /tmp/x.csv"]


async def test_a_jobs_own_log(golden: Golden, held: Held) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        job = await started(ui, held)
        await ui.pilot.press("3", "enter")
        await ui.pilot.pause(0.2)
        assert isinstance(ui.app.screen, JobScreen)
        assert "it goes on" in ui.screen_text
        assert "x: cancel; y: copy log; e: save; esc: close" in ui.screen_text
        await ui.pilot.press("y", "ctrl+y")
        await ui.pilot.pause()
        assert ui.toasts[-2].startswith("sent to the terminal: 21:00:00.000Z retention")
        assert ui.toasts[-1] == "no command line does this"
        await ui.pilot.press("x")
        await ui.idle()
        assert job.state is State.CANCELLED
        assert "x: cancel" not in ui.screen_text
        await ui.press("x")
        assert ui.toasts[-1] == "this job has ended already: cancelled"
        await ui.press("e")
        assert ui.app.screen.query_one("#path", Input).value.startswith("log-retention")


async def test_leaving_speaks_of_each_job_and_follows_them(golden: Golden, held: Held) -> None:
    other = Held(100, "bytes")
    async with session(golden("v03-multi-gen")) as ui:
        await started(ui, held, "export", output="/out/rows.csv")
        await started(ui, other, "owners")
        await ui.pilot.press("q")
        await ui.pilot.pause(0.2)
        assert isinstance(ui.app.screen, QuitDialog)
        assert "2 jobs run" in ui.screen_text
        assert "cancelled now: nothing of rows.csv is left behind" in ui.screen_text
        assert "cancelled now: it writes nothing that stays" in ui.screen_text
        other.release.set()
        await ui.until(lambda: "A job runs" in ui.screen_text)
        assert "done in" in ui.screen_text
        held.release.set()
        await ui.until(lambda: "All jobs have ended" in ui.screen_text)
        assert "Quit" in ui.screen_text
        await ui.pilot.press("tab", "enter")
        await ui.left()
    assert ui.app.return_value == 0


async def test_a_clock_that_goes_on_is_seen_in_the_jobs_pane(golden: Golden) -> None:
    now = [NOW]
    async with session(golden("v03-multi-gen"), settings=replace(SETTINGS, now_ns=lambda: now[0])) as ui:
        ui.app.submit(Job("export", lambda *_: None, title="t", target="/r", now_ns=lambda: now[0]))
        await ui.press("3")
        ui.app.clear_notifications()
        await ui.pilot.pause()
        assert "0 s ago" in ui.screen_text
        now[0] += 180 * SECOND
        ui.app.browser.tick()
        await ui.pilot.pause()
        assert "3 min ago" in ui.screen_text
