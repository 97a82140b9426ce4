"""Retention in the UI: the duration, the plan as the dialog, the number that must be typed, and the job."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual import events
from textual.widgets import Button, Input

from litetui.demo import Writer
from litetui.jobs.job import Job, State
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.retention import RetentionPlan
from litetui.replica.detect import open_replica
from litetui.tui.screens.retention import RetentionDialog
from litetui.tui.screens.retention_plan import RetentionPlanDialog
from litetui.tui.work.replication import ReplicateJob
from tests.build import SECOND, T0, usual_history, write_replica
from tests.tui.helpers import SETTINGS, Session, session

Golden = Callable[[str], Path]
INDEXES = 6


@pytest.fixture
def replica(tmp_path: Path) -> Path:
    """Six indexes in the seed's layout, with snapshots at 0, 2 and 4; a file a second."""
    root = tmp_path / "replica"
    history = usual_history(INDEXES)
    write_replica(root, history, layout="wal", snapshots={i: history.states[i, 0] for i in (0, 2, 4)})
    return root


def files(root: Path) -> list[str]:
    return sorted(p.name for p in root.rglob("*") if p.is_file())


def newest_ns(root: Path) -> int:
    return max(p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file())


def now(root: Path, *, readonly: bool = False) -> Callable[[], int]:
    at = newest_ns(root) + SECOND
    return lambda: at


def last_job(ui: Session) -> Job:
    return ui.app.runner.jobs[-1]


async def show_plan(ui: Session, keep: str, *keys: str) -> RetentionPlanDialog:
    """The plan for a duration."""
    await ui.press("t")
    assert isinstance(ui.app.screen, RetentionDialog)
    ui.app.screen.query_one("#duration", Input).value = keep
    await ui.idle()
    await ui.press(*keys, "enter")
    assert isinstance(ui.app.screen, RetentionPlanDialog), ui.screen_text
    return ui.app.screen


async def confirm(ui: Session, number: int) -> None:
    """From Cancel to the field, the number, enter."""
    await ui.press("tab")
    await ui.type(str(number))
    await ui.press("enter")


async def test_the_plan_is_the_dialog_and_is_confirmed_by_its_number(replica: Path) -> None:
    async with session(replica, settings=replace(SETTINGS, now_ns=now(replica))) as ui:
        before = files(replica)
        dialog = await show_plan(ui, "2s")
        count = dialog.count
        assert count == 6  # the snapshots 0 and 2, the WALs 0 to 3
        text = ui.screen_text
        assert f"deletes {count} files" in text
        assert re.search(r"free +[0-9.]+ .B on the replica's disk now, about [0-9.]+ .B after", text)
        assert "window now" in text
        assert "window after" in text
        assert "░" in text
        assert "--retention 2s" in re.sub(r"[│\s]+", " ", text)
        assert isinstance(ui.app.focused, Button)
        assert ui.app.focused.id == "close"  # the only dialog in which it has the focus
        assert dialog.query_one("#go", Button).disabled
        await ui.press("tab")
        await ui.type("5")
        assert dialog.query_one("#go", Button).disabled
        await ui.press("enter")
        assert "type 6, the number of files that are deleted" in ui.screen_text
        await ui.press("backspace")
        await ui.type("6")
        assert not dialog.query_one("#go", Button).disabled
        assert files(replica) == before
        await ui.press("enter")
        job = last_job(ui)
        assert job.kind == "retention"
        assert job.state is State.DONE, job.error
        assert len(files(replica)) == len(before) - count
        (toast,) = ui.toasts
        assert re.search(r"6 files deleted, .* freed; .* are free on the replica's disk now", toast)
        assert ui.app.browser.view is not None
        assert len(ui.app.browser.view.generations[0].snapshots) == 1  # it was read again
        await ui.press("3", "enter")
        assert "6 files deleted" in ui.screen_text


async def test_cancel_is_what_enter_presses(replica: Path) -> None:
    async with session(replica, settings=replace(SETTINGS, now_ns=now(replica))) as ui:
        await show_plan(ui, "2s")
        await ui.press("enter")
        assert ui.in_browser
        assert not ui.app.runner.jobs


async def test_digits_find_their_field(replica: Path) -> None:
    """Over a slow line tab and the number arrive together: none of it may be lost."""
    async with session(replica, settings=replace(SETTINGS, now_ns=now(replica))) as ui:
        dialog = await show_plan(ui, "2s")
        for key, character in (("tab", "\t"), ("6", "6")):
            ui.app.post_message(events.Key(key, character))
        await ui.until(lambda: dialog.query_one("#count", Input).value == "6")
        await ui.idle()
        await ui.press("enter")
        assert last_job(ui).state is State.DONE, last_job(ui).error


async def test_the_table_gives_its_rows_and_takes_a_digit_back(replica: Path) -> None:
    async with session(replica, settings=replace(SETTINGS, now_ns=now(replica))) as ui:
        dialog = await show_plan(ui, "2s")
        dialog.query_one("#files").focus()
        await ui.press("1", "2")
        dialog.query_one("#files").focus()
        await ui.press("backspace")
        field = dialog.query_one("#count", Input)
        assert (field.value, field.has_focus) == ("1", True)
        await ui.press("e")  # no letter for this field: the table's rows into a file
        assert ui.app.screen.query_one("#path", Input).value == "retention-plan.csv"
        assert field.value == "1"


async def test_every_file_and_its_reason_can_be_seen(replica: Path) -> None:
    async with session(replica, settings=replace(SETTINGS, now_ns=now(replica))) as ui:
        await show_plan(ui, "2s")
        assert "By reason" in ui.screen_text
        assert re.search(r"deletes +\S+ +WAL +00000000 – 00000003 +4", ui.screen_text)
        assert re.search(r"keeps +\S+ +snapshot +00000004 +1", ui.screen_text)
        await ui.press("]")
        assert "00000002.snapshot.lz4" in ui.screen_text
        assert "older than snapshot 00000004" in ui.screen_text
        await ui.press("]")
        assert "00000005.wal" in ui.screen_text
        await ui.press("ctrl+y")
        assert any("litetui retention" in toast for toast in ui.toasts)


async def test_nothing_to_delete_needs_no_number(replica: Path) -> None:
    async with session(replica, settings=replace(SETTINGS, now_ns=now(replica))) as ui:
        dialog = await show_plan(ui, "7d")
        assert "nothing to delete" in ui.screen_text
        assert not dialog.query_one("#count").display
        assert not dialog.query_one("#go").display
        await ui.press("enter")
        assert not ui.app.runner.jobs


async def test_a_wrong_duration_is_said_under_the_field(replica: Path) -> None:
    async with session(replica, settings=replace(SETTINGS, now_ns=now(replica))) as ui:
        await ui.press("t")
        await ui.type("x")
        await ui.press("enter")
        assert "is no duration" in ui.screen_text
        assert isinstance(ui.app.screen, RetentionDialog)
        await ui.press("escape")
        assert ui.in_browser


async def test_litestreams_rule(replica: Path) -> None:
    async with session(replica, settings=replace(SETTINGS, now_ns=now(replica))) as ui:
        await ui.press("t")
        ui.app.screen.query_one("#duration", Input).value = "1s"
        await ui.press("tab")
        for key in ("right", "enter"):  # in one go
            ui.app.post_message(events.Key(key, None))
        await ui.until(lambda: isinstance(ui.app.screen, RetentionPlanDialog) and ui.app.screen.query("#files"))
        await ui.idle()
        dialog = ui.app.screen
        assert isinstance(dialog, RetentionPlanDialog)
        assert dialog.plan.rule == "litestream"
        assert "--rule litestream" in re.sub(r"[│\s]+", " ", ui.screen_text)


async def test_a_replica_that_changed_gives_a_new_plan(replica: Path) -> None:
    async with session(replica, settings=replace(SETTINGS, now_ns=now(replica))) as ui:
        dialog = await show_plan(ui, "2s")
        wal = next(replica.rglob("00000003.wal*"))
        os.utime(wal, ns=(T0, T0))
        os.unlink(next(replica.rglob("00000000.snapshot.lz4")))
        await confirm(ui, 6)
        assert ui.app.screen is dialog
        assert "this is a new one" in ui.screen_text
        assert dialog.count == 5
        assert "deletes 5 files" in ui.screen_text
        assert dialog.query_one("#count", Input).value == ""
        assert dialog.query_one("#go", Button).disabled
        assert ui.app.focused is dialog.query_one("#close")
        assert not ui.app.runner.jobs
        await confirm(ui, 5)
        assert last_job(ui).state is State.DONE, last_job(ui).error


async def test_another_number_takes_back_what_was_confirmed(replica: Path) -> None:
    """The plan is made once more after enter, which may take long: until then nothing is decided."""
    async with session(replica, settings=replace(SETTINGS, now_ns=now(replica))) as ui:
        dialog = await show_plan(ui, "2s")
        plan, began, release = dialog.make_plan, Event(), Event()

        def slow(*args: Any) -> RetentionPlan:
            began.set()
            release.wait(20)
            return plan(*args)

        dialog.make_plan = slow
        await ui.pilot.press("tab", "6", "enter")
        await ui.until(began.is_set)
        await ui.pilot.press("backspace")
        await ui.until(lambda: not ui.app.bridge.loading("retention-plan"))
        release.set()
        await ui.idle()
        assert ui.app.screen is dialog
        assert not ui.app.runner.jobs


async def test_it_waits_for_a_reader(replica: Path) -> None:
    async with session(replica, settings=replace(SETTINGS, now_ns=now(replica))) as ui:
        release = Event()

        def read(report: Reporter, cancel: CancelToken) -> None:
            release.wait(20)

        assert ui.app.replica is not None
        ui.app.submit(Job("restore", read, title="r", target=ui.app.replica.path))
        await ui.pilot.press("t")
        await ui.until(lambda: isinstance(ui.app.screen, RetentionDialog) and ui.app.screen.query("#duration"))
        ui.app.screen.query_one("#duration", Input).value = "2s"
        await ui.pilot.press("enter")
        await ui.until(lambda: isinstance(ui.app.screen, RetentionPlanDialog) and ui.app.screen.query("#count"))
        await ui.pilot.pause(0.1)
        await ui.pilot.press("tab", "6", "enter")
        await ui.until(lambda: last_job(ui).kind == "retention")
        assert last_job(ui).state is State.QUEUED
        await ui.pilot.pause(0.1)
        await ui.until(lambda: "waits for restore" in ui.screen_text)
        release.set()
        await ui.idle()
        assert last_job(ui).state is State.DONE, last_job(ui).error


async def test_with_readonly_the_plan_is_shown_and_deleting_is_greyed_with_its_reason(replica: Path) -> None:
    settings = replace(SETTINGS, now_ns=now(replica), readonly=True)
    async with session(replica, settings=settings) as ui:
        before = files(replica)
        dialog = await show_plan(ui, "2s")
        assert "would delete 6 files" in ui.screen_text
        assert "Not now: started with --readonly" in ui.screen_text
        assert not dialog.query_one("#count").display
        button = dialog.query_one("#go", Button)
        assert (button.display, button.disabled) == (True, True)
        await ui.press("6")
        await ui.press("tab", "tab", "enter")
        assert ui.app.screen is dialog
        await ui.press("escape", "v", "enter")
        assert last_job(ui).state is State.DONE  # to validate is to read
        assert files(replica) == before


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (160, 45)])
async def test_it_is_usable_at_every_size(replica: Path, size: tuple[int, int]) -> None:
    async with session(replica, size, replace(SETTINGS, now_ns=now(replica))) as ui:
        await ui.press("t")
        for word in ("Keep", "Rule", "window", "Show the plan", "esc: close"):
            assert word in ui.screen_text, word
        await ui.press("escape")
        await show_plan(ui, "2s")
        for word in ("6 files", "window now", "window after", "By reason", "keeps", "type 6", "Cancel", "esc: close"):
            assert word in ui.screen_text, word
        await confirm(ui, 6)
        assert last_job(ui).state is State.DONE


async def test_ascii_is_ascii(replica: Path) -> None:
    async with session(replica, settings=replace(SETTINGS, now_ns=now(replica), ascii=True)) as ui:
        await ui.press("t")
        assert not {c for c in ui.screen_text if not c.isascii()}
        await ui.press("escape")
        await show_plan(ui, "2s")
        for _ in range(3):
            assert not {c for c in ui.screen_text if not c.isascii()}
            await ui.press("]")
        ui.app.copy("long " * 50)
        await ui.idle()
        assert "sent to the terminal: long" in ui.screen_text  # a toast, which is cut
        assert not {c for c in ui.screen_text if not c.isascii()}


# beside a replication


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    with Writer(str(tmp_path / "app.db")) as one:
        one.tell("write 5")
        yield one


async def test_beside_a_replication_it_goes_through_that(tmp_path: Path, writer: Writer) -> None:
    root = tmp_path / "app.db-replica"
    settings = replace(SETTINGS, now_ns=time.time_ns)
    async with session(root, settings=settings, database=tmp_path / "app.db") as ui:
        await ui.press("S", "enter")
        job = last_job(ui)
        assert isinstance(job, ReplicateJob)
        await ui.until(lambda: job.state.ended or (job.at is not None and job.at.synced_ns is not None))
        assert not job.state.ended, job.error
        replica = open_replica(root)
        ended = "00000000000000aa"
        shutil.copytree(root / "generations" / replica.generations()[0], root / "generations" / ended)
        for path in (root / "generations" / ended).rglob("*"):
            os.utime(path, ns=(T0, T0))
        await ui.press("R")
        taken_ns = replica.snapshots(replica.generations()[0])[-1].created_ns
        await ui.until(lambda: time.time_ns() > taken_ns + 2 * SECOND)  # so that the window can rest on it
        dialog = await show_plan(ui, "1s")
        assert dialog.count == 2
        assert dialog.plan.emptied == (ended,)
        await confirm(ui, dialog.count)
        await ui.until(lambda: last_job(ui).kind == "retention" and last_job(ui).state.ended)
        assert last_job(ui).state is State.DONE, last_job(ui).error
        assert not job.state.ended
        writer.tell("write 3")
        await ui.press("s")
        await ui.until(lambda: job.trouble is None)
        await ui.press("v", "enter")
        await ui.until(lambda: last_job(ui).kind == "validate" and last_job(ui).state.ended)
        assert last_job(ui).state is State.DONE, last_job(ui).error
        assert last_job(ui).result.live.status == "ok", last_job(ui).result.live
        await ui.press("escape", "S", "enter")
        await ui.until(lambda: job.state.ended)
        assert job.state is State.DONE, job.error
