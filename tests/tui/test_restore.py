"""The restore dialog and the jobs it starts; leaving while they run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from textual import events
from textual.widgets import Button, Input, Static

from litetui.errors import Cancelled, LitetuiError
from litetui.jobs.job import State
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import restore
from litetui.tui.preview import propose_output
from litetui.tui.screens.restore import RestoreDialog
from litetui.tui.signals import SIGNALS, ending_on_signals
from litetui.tui.work.report import result_lines
from tests.tui.helpers import SETTINGS, Session, session

Golden = Callable[[str], Path]
GOLDEN = Path(__file__).parent.parent / "golden"


def expected(name: str, case: str) -> str:
    cases = json.loads((GOLDEN / f"{name}.json").read_text())["restores"]
    return str(next(one["sha256"] for one in cases if one["id"] == case))


def sha256(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


async def start_restore(ui: Session) -> None:
    await ui.press("r", "enter")
    await ui.pilot.press("enter")


class Slow:
    """A restore that runs until it is cancelled."""

    def __init__(self) -> None:
        self.began = Event()

    def __call__(self, plan: object, output: str, *, report: Reporter, cancel: CancelToken, **_: object) -> None:
        report.phase("apply the WAL", 1000)
        report.advance(370)
        report.log("reads slowly")
        self.began.set()
        while not cancel.cancelled:
            Event().wait(0.005)
        raise Cancelled("restore", "cancelled after 370 bytes; nothing was written")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    one = Slow()
    monkeypatch.setattr(restore, "run", one)
    return one


async def test_restore_to_the_latest(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("r")
        assert "by names" in ui.screen_text
        await ui.press("enter")
        assert "settled" in ui.screen_text
        assert "00000003:148352" in ui.screen_text
        await ui.press("enter")
        (job,) = ui.app.runner.jobs
        assert job.state is State.DONE, job.error
        assert sha256(job.output) == expected("v03-multi-gen", "latest")
        assert ui.toasts == [f"restore {job.id} done: {job.output}; J, then enter: the next steps"]
        await ui.press("J", "enter")
        assert "PRAGMA quick_check ok" in ui.screen_text
        assert "next:" in ui.screen_text
        assert "owner" in ui.screen_text


async def test_the_check_is_named_and_needs_no_new_plan(golden: Golden, tmp_path: Path) -> None:
    (tmp_path / "live.db").touch(0o640)
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("r", "enter")
        assert "settled" in ui.screen_text
        ui.app.screen.query_one("#check").focus()
        await ui.press("right")
        assert "settled" in ui.screen_text
        assert "--integrity-check full" in ui.screen_text
        ui.app.database = str(tmp_path / "live.db")
        await ui.press("enter")  # also on the choice
        (job,) = ui.app.runner.jobs
        assert job.state is State.DONE, job.error
        assert "PRAGMA integrity_check ok" in "".join(result_lines(job))
        assert f"next: the file has mode 600, live.db 640: chmod 640 {job.output}" in result_lines(job)


async def test_a_plan_that_fails_leaves_none_that_could_run(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("r", "enter")
        assert "settled" in ui.screen_text

        def fail(*_: object, **__: object) -> None:
            raise LitetuiError("look there", "the disk is gone")

        monkeypatch.setattr("litetui.tui.screens.restore.preview", fail)
        await ui.type("10m")
        assert "the disk is gone" in ui.screen_text
        await ui.press("enter")
        assert ui.app.runner.jobs == []
        assert not ui.app.screen.query_one("#go", Button).disabled  # it can be tried again


async def test_a_replica_that_has_gone_is_said_to_be_gone(golden_copy: Golden) -> None:
    replica = golden_copy("v03-multi-gen")
    async with session(replica) as ui:
        shutil.rmtree(replica)
        await ui.press("r", "enter")
        text = re.sub(r"[│▎\s]+", "", ui.screen_text)  # a path is wrapped anywhere
        assert f"thefolder{replica}isnotthereanymore" in text
        assert "thewholefolderwasmovedorremoved,oramountwent" in text


def test_an_output_is_proposed_where_the_working_folder_is_gone(tmp_path: Path) -> None:
    os.rmdir(os.getcwd())
    assert propose_output(str(tmp_path / "replica")).endswith("-restored.db")


async def test_restore_to_a_time(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("r")
        await ui.type("2026-11-22T20:55:32.485293134Z")
        assert re.search(r"before +20:55:32.269Z .* taken", ui.screen_text)
        assert re.search(r"after +20:55:32.568Z", ui.screen_text)
        await ui.press("enter", "enter")
        (job,) = ui.app.runner.jobs
        assert job.state is State.DONE, job.error
        assert sha256(job.output) == expected("v03-multi-gen", "ts-step70")
        assert "restored and checked to 20:55:32Z" in ui.screen_text  # the headline, and the card says the same
        await ui.until(lambda: "to 20:55:32Z" in ui.screen_text and "not yet" not in ui.screen_text)


async def test_a_relative_time_is_frozen_when_it_is_entered(golden: Golden) -> None:
    now = [SETTINGS.now_ns()]
    async with session(golden("v03-multi-gen"), settings=replace(SETTINGS, now_ns=lambda: now[0])) as ui:
        await ui.press("r")
        await ui.type("4m28s")
        assert "asked   20:55:32.000Z" in ui.screen_text
        await ui.press("enter")
        now[0] += 60 * 10**9
        assert "asked   20:55:32.000Z" in ui.screen_text
        assert "--position" in ui.screen_text
        await ui.press("enter")
        (job,) = ui.app.runner.jobs
        assert job.state is State.DONE
        assert "--position" in job.command


async def test_restore_what_the_cursor_stands_on(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("j", "j", "j", "l", "j", "j", "2", "j", "r")
        assert ui.app.screen.query_one("#target", Input).value == "37a3dbace36f1ae1/00000002:32992"
        await ui.press("enter")
        assert "settled" in ui.screen_text


async def test_an_ended_generation_warns_first(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("G", "r")
        assert "latest of 94a4ddb46bb3f1d3 ended" in ui.screen_text
        await ui.type("00000002:32992")  # what is asked for by its place is not the latest
        assert "latest of" not in ui.screen_text
        ui.app.screen.query_one("#target", Input).value = ""
        await ui.idle()
        assert "latest of 94a4ddb46bb3f1d3 ended" in ui.screen_text


async def test_an_existing_output_is_refused_with_the_next_free_name(golden: Golden) -> None:
    Path("here.db").write_text("mine")
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("r")
        ui.app.screen.query_one("#output", Input).value = os.path.abspath("here.db")
        await ui.idle()
        assert "exists already" in ui.screen_text
        assert "/here-2.db" in str(ui.app.screen.query_one("#output-error", Static).content)
        await ui.press("enter", "enter", "enter")
        (job,) = ui.app.runner.jobs
        assert job.output.endswith("here-2.db")
    assert Path("here.db").read_text() == "mine"


async def test_a_target_that_cannot_be_reached_says_so(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("r")
        await ui.type("yesterday")
        assert "is no target" in ui.screen_text
        await ui.press("enter", "enter")
        assert ui.app.runner.jobs == []


async def test_the_error_of_a_damaged_replica(golden: Golden) -> None:
    async with session(golden("v03-dmg-flip-byte-segment")) as ui:
        await ui.press("r", "enter", "enter")
        (job,) = ui.app.runner.jobs
        assert job.state is State.FAILED
        await ui.press("3", "enter")
        assert "cannot read the WAL" in ui.screen_text
        assert "the last good position is" in ui.screen_text
        assert not list(Path.cwd().iterdir())
        await ui.press("escape")
        assert "damaged in 00000002: a restore met it" in ui.screen_text.splitlines()[0]


async def test_a_restore_is_evidence_for_the_headline(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("r", "enter", "enter")
        assert "restored and checked to" in ui.screen_text.splitlines()[0]


async def test_edits_act_in_the_order_in_which_they_are_typed(golden: Golden) -> None:
    """Over a slow line `ctrl+u` and the new text arrive together: the text must stay, or latest is planned."""
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("r")
        await ui.type("abc")
        field = ui.app.screen.query_one("#target", Input)
        for key, character in (("ctrl+u", None), ("1", "1"), ("0", "0"), ("x", "x"), ("backspace", None), ("m", "m")):
            field.post_message(events.Key(key, character))
        await ui.idle()
        assert field.value == "10m"


async def test_keys_that_come_with_the_dialogs_own_go_to_the_dialog(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        for key in "r10m":
            ui.app.post_message(events.Key(key, key))
        await ui.until(lambda: isinstance(ui.app.screen, RestoreDialog) and ui.app.screen.query("#target"))
        await ui.until(lambda: ui.app.screen.query_one("#target", Input).value == "10m")
        await ui.press("escape")
        assert ui.app.browser.pane == "tree"
        await ui.press("j", "r", "escape", "slash")
        await ui.type("rro")  # in a field they are letters
        assert isinstance(ui.app.focused, Input)
        assert ui.app.focused.value == "rro"


async def test_a_position_is_named_as_it_is_before_it_is_settled(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("r")
        await ui.type("00000003:90672")
        assert re.search(r"by 20:55:32.\d+Z  00000003:90672", ui.screen_text)
        assert "WAL 00000003" not in ui.screen_text


async def test_cancel_a_restore(golden: Golden, slow: Slow) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await start_restore(ui)
        assert slow.began.wait(10)
        await ui.pilot.pause(0.2)
        assert "37 %" in ui.screen_text
        await ui.press("x")
        (job,) = ui.app.runner.jobs
        assert job.state is State.CANCELLED
        assert any("cancelled" in toast for toast in ui.toasts)
        await ui.press("4")
        assert "reads slowly" in ui.screen_text


async def test_quit_asks_while_a_job_runs(golden: Golden, slow: Slow) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await start_restore(ui)
        assert slow.began.wait(10)
        await ui.pilot.press("q")
        await ui.pilot.pause()
        assert "A job runs" in ui.screen_text
        await ui.pilot.press("escape")
        await ui.pilot.pause()
        assert ui.app.is_running
        await ui.pilot.press("ctrl+q")
        await ui.pilot.pause()
        await ui.pilot.press("tab", "tab", "enter")
        await ui.left()
    (job,) = ui.app.runner.jobs
    assert job.state is State.CANCELLED
    assert ui.app.return_value == 0


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_cancels_without_asking(golden: Golden, slow: Slow, number: signal.Signals) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        with ending_on_signals(ui.app):
            await start_restore(ui)
            assert slow.began.wait(10)
            os.kill(os.getpid(), number)
            await ui.left()
    assert ui.app.runner.jobs[0].state is State.CANCELLED
    assert ui.app.return_value == 130


async def test_quit_without_jobs_leaves_at_once(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.pilot.press("q")
        await ui.left()
    assert ui.app.return_value == 0
