"""Validation in the UI: the dialog, findings as they come, the report and the ways on from it, badges that age."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual import events
from textual.widgets import Input

from litetui.errors import Cancelled
from litetui.jobs.job import Job, State
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import drill, validate
from litetui.ops.verdict import LiveCheck, Report
from litetui.ops.verdict_text import read
from litetui.replica.types import Finding, Pos
from litetui.tui.screens.checking import ValidateJobScreen
from litetui.tui.screens.copy_menu import CopyMenu
from litetui.tui.screens.report import ReportScreen, ReportTable
from litetui.tui.screens.restore import RestoreDialog
from litetui.tui.screens.validate import ValidateDialog
from litetui.tui.work.validation import FOUND_KEPT, ValidateJob
from tests.build import T0, Builder, add_frame, wal_header
from tests.tui.helpers import SETTINGS, Session, session

Golden = Callable[[str], Path]
NEWEST = "37a3dbace36f1ae1"
ENDED = "b1af8a513325d54b"


def last_job(ui: Session) -> Job:
    return ui.app.runner.jobs[-1]


def report_of(ui: Session) -> Report:
    job = last_job(ui)
    assert isinstance(job, ValidateJob)
    assert job.state is State.DONE, job.error
    report: Report = job.result
    return report


def words(ui: Session) -> str:
    """The screen's words in a row, without frames: what is wrapped can be found."""
    return re.sub(r"[│▎▕\s]+", " ", ui.screen_text)


def headline(ui: Session) -> tuple[str, str]:
    return ui.app.browser.headline.verdict


def glyphs(ui: Session) -> list[str]:
    """The glyphs of the generations in the tree."""
    return [line.glyph for line in ui.app.browser.tree_view.lines if line.kind == "generation"]


async def test_the_whole_replica_is_checked_and_turns_green(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        assert glyphs(ui) == ["unchecked"] * 3
        await ui.press("v")
        assert "(•) all 3 generations" in ui.screen_text
        assert "reads     72 files" in ui.screen_text
        await ui.press("enter")
        assert isinstance(ui.app.screen, ReportScreen)
        assert "✔ ok: the latest state restores" in ui.screen_text
        assert "72 files" in ui.screen_text
        assert "━━━" in ui.screen_text
        await ui.press("q")
        assert ui.in_browser
        assert headline(ui) == ("content checked to 20:55:32Z, 0 s ago", "$text-success bold")
        assert glyphs(ui) == ["ok"] * 3
        assert "all" in ui.screen_text


async def test_what_is_chosen_after_enter_is_not_started(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enter waits for the plan of what stands there then; a choice made meanwhile is another question."""
    real, hold = validate.plan, Event()

    def slow(*args: Any, **more: Any) -> validate.ValidationPlan:
        hold.wait(20)
        return real(*args, **more)

    monkeypatch.setattr(validate, "plan", slow)
    async with session(golden("v03-multi-gen")) as ui:
        await ui.pilot.press("v")
        await ui.until(lambda: isinstance(ui.app.screen, ValidateDialog) and ui.app.screen.query("#depth"))
        await ui.pilot.press("enter", "right")
        hold.set()
        await ui.idle()
        assert isinstance(ui.app.screen, ValidateDialog)
        assert ui.app.runner.jobs == []
        for key in ("left", "left", "enter"):  # in one go
            ui.app.post_message(events.Key(key, None))
        await ui.until(lambda: ui.app.runner.jobs)
        await ui.idle()
        assert last_job(ui).title.startswith("names")


async def test_one_generation_and_only_names(golden: Golden) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        ui.app.browser.tree_view.reveal(("generation", ENDED))
        await ui.idle()
        await ui.press("v")
        assert "--generation b1af8a513325d54b" in ui.screen_text
        await ui.press("left")
        assert "no file is opened" in ui.screen_text
        await ui.press("enter")
        assert "none opened" in ui.screen_text
        assert "· the names are complete; no file was opened" in ui.screen_text
        assert f"· {ENDED}  names complete" in ui.screen_text
        assert "names complete: " in ui.screen_text  # not: restores
        await ui.press("escape")
        assert "· validate names complete" in ui.screen_text
        assert glyphs(ui) == ["unchecked"] * 3  # names make nothing green
        await ui.press("v", "enter", "escape")
        assert glyphs(ui) == ["unchecked", "ok", "unchecked"]
        assert headline(ui)[1] == ""
        await ui.press("v", "left", "enter", "escape")
        assert glyphs(ui) == ["unchecked", "ok", "unchecked"]  # names take nothing away from what read the bytes
        assert [g.generation for g in report_of(ui).generations] == [ENDED]


async def test_what_comes_after_a_check_is_said(golden_copy: Golden) -> None:
    replica = golden_copy("v03-multi-gen")
    async with session(replica) as ui:
        await ui.press("v", "enter", "escape")
        wal = replica / "generations" / NEWEST / "wal"
        shutil.copy2(sorted(wal.iterdir())[0], wal / "00000004_00000000.wal.lz4")
        later = 1 + max(path.stat().st_mtime_ns for path in wal.iterdir())
        os.utime(wal / "00000004_00000000.wal.lz4", ns=(later, later))
        await ui.press("R")
        assert "; 1 WAL file newer, unchecked; names complete to 20:55:32Z" in headline(ui)[0]
        assert headline(ui)[1] == "$text-success bold"
        assert any("+1 file" in line.note for line in ui.app.browser.tree_view.lines)
        assert "+1 file" in ui.screen_text


async def test_a_drill_in_a_chosen_folder(golden: Golden, tmp_path: Path) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("v", "right")
        assert "where" in ui.screen_text
        assert "are free" in ui.screen_text
        ui.app.screen.query_one("#scratch", Input).value = str(tmp_path / "none")
        await ui.idle()
        assert "No such file" in words(ui)
        await ui.press("enter")
        assert isinstance(ui.app.screen, ValidateDialog)  # nothing starts
        ui.app.screen.query_one("#scratch", Input).value = str(tmp_path)
        await ui.idle()
        assert "are free" in words(ui)
        await ui.press("enter")
        assert "integrity check ok" in ui.screen_text
        assert "litetui-drill" not in " ".join(os.listdir(tmp_path))  # nothing is left
        await ui.press("escape")
        assert headline(ui)[0].startswith("restored and checked to 20:55:32Z")


async def test_no_room_for_a_drill(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill, "free_bytes", lambda _: 1000)
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("v", "right")
        assert "only 1.0 kB are free" in ui.screen_text
        assert "in the field Scratch" in ui.screen_text
        await ui.press("enter")
        assert not ui.app.runner.jobs


async def test_damage_leads_into_the_tree_and_the_table(golden: Golden) -> None:
    async with session(golden("v03-dmg-flip-byte-segment")) as ui:
        await ui.press("v", "enter")
        assert "✗ damaged: the latest state" in ui.screen_text
        assert "lz4-checksum" in ui.screen_text
        assert "░" in ui.screen_text
        await ui.press("enter")
        browser = ui.app.browser
        assert ui.in_browser
        assert browser.shown_key == ("index", NEWEST, 2)
        assert browser.tab == "wal"
        assert browser.pane == "detail"
        assert "00000002_0000c140" in str(browser.table.source.cells(browser.table.cursor)[-1])
        assert headline(ui) == (
            "latest does not restore; restores to 20:55:31Z (4 min ago); damaged from 00000002 on", "$text-error bold"
        )  # fmt: skip
        assert glyphs(ui) == ["damaged"]
        await ui.press("1", "k", "k", "k", "k", "2")
        assert "Attention 1" in ui.screen_text
        await ui.press("3", "enter")  # the report is still there
        assert isinstance(ui.app.screen, ReportScreen)


async def test_a_finding_with_a_frame_leads_to_the_frame(golden: Golden) -> None:
    async with session(golden("seed-dmg-flip-byte-wal-frame")) as ui:
        await ui.press("v", "enter")
        screen = ui.app.screen
        assert isinstance(screen, ReportScreen)
        finding = screen.finding
        assert finding is not None
        assert finding.frame is not None
        await ui.press("enter")
        browser = ui.app.browser
        assert browser.shown_key == ("index", finding.generation, finding.index)
        assert browser.tab == "frames"
        assert browser.table.cursor == finding.frame
        assert "bad checksum" in str(browser.table.source.cells(browser.table.cursor))
        # Once more, from the very place: the cursor goes there again.
        await ui.press("g", "3", "enter")
        await ui.press("enter")
        assert browser.table.cursor == finding.frame


async def test_a_missing_wal_leads_to_its_generation(golden: Golden) -> None:
    async with session(golden("v03-dmg-gap-middle-index")) as ui:
        await ui.press("v", "enter", "enter")
        assert ui.app.browser.shown_key == ("generation", NEWEST)
        assert ui.app.browser.tab == "attention"


async def test_restore_from_the_report_goes_to_the_last_good_point(golden: Golden) -> None:
    async with session(golden("v03-dmg-flip-byte-segment")) as ui:
        await ui.press("v", "enter", "r")
        assert isinstance(ui.app.screen, RestoreDialog)
        assert ui.app.screen.query_one("#target", Input).value == f"{NEWEST}/00000002:49472"
        await ui.press("enter", "enter")
        job = last_job(ui)
        assert job.kind == "restore"
        assert job.state is State.DONE, job.error
        await ui.press("escape")
        assert headline(ui)[0].endswith("; damaged from 00000002 on")  # that restore says nothing of the latest


async def test_export_and_copy(golden: Golden, tmp_path: Path) -> None:
    async with session(golden("v03-dmg-flip-byte-segment")) as ui:
        await ui.press("v", "enter")
        for name in ("report.json", "report.txt"):
            await ui.press("e")
            ui.app.screen.query_one("#path", Input).value = str(tmp_path / name)
            await ui.press("enter")
            assert last_job(ui).state is State.DONE, last_job(ui).error
        document = json.loads((tmp_path / "report.json").read_text())
        assert document["verdict"] == "damaged"
        assert "lz4-checksum" in (tmp_path / "report.txt").read_text()
        await ui.press("e")
        ui.app.screen.query_one("#path", Input).value = str(tmp_path / "report.txt")
        await ui.press("enter")
        assert "This file exists" in ui.screen_text  # never overwritten
        assert ui.app.screen.query_one("#path", Input).value == str(tmp_path / "report-2.txt")
        await ui.press("enter")
        assert (tmp_path / "report-2.txt").read_text() == (tmp_path / "report.txt").read_text()
        assert not re.search(r"\d{4}-\d\d-\d\dT", ui.screen_text)  # times as all others on the screen
        await ui.press("y")
        assert "error lz4-checksum" in ui.screen_text
        assert "… (3 lines)" in ui.screen_text
        assert "\\n" not in ui.screen_text
        await ui.press("down", "enter")
        assert any("sent to the terminal: error lz4-checksum" in toast for toast in ui.toasts)
        ui.app.screen.query_one("#findings", ReportTable).set_cursor(1)
        await ui.press("y", "enter")
        assert ui.toasts[-1].startswith(f"sent to the terminal: cp -a {ui.app.path} /")
        found = []
        for row in range(2, 5):
            ui.app.screen.query_one("#findings", ReportTable).set_cursor(row)
            await ui.press("y")
            assert isinstance(ui.app.screen, CopyMenu)
            texts = dict(ui.app.screen.texts)
            found.append((texts.get("step", ""), texts.get("remedy", "")))
            await ui.press("escape")
        assert any("snapshot DB " in step and not command for step, command in found)
        assert any(" -o OUT " in step and " -o replica-restored.db " in command for step, command in found)


class Slow:
    """A validation that finds things, and then waits to be cancelled or released."""

    def __init__(self, findings: int) -> None:
        self.findings = findings
        self.found, self.release = Event(), Event()

    def __call__(
        self, plan: validate.ValidationPlan, *, report: Reporter, cancel: CancelToken, found: Callable[[Finding], None]
    ) -> Report:
        report.phase("content", 1000)
        report.advance(420)
        for number in range(self.findings):
            found(Finding("warning", "time-order", f"finding {number}", "try it", generation=NEWEST, index=number))
        self.found.set()
        while not self.release.wait(0.005):
            if cancel.cancelled:
                raise Cancelled("validate", "cancelled; nothing was written")
        return real_run(plan, report=report, cancel=cancel)


real_run = validate.run


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    one = Slow(FOUND_KEPT + 500)
    monkeypatch.setattr(validate, "run", one)
    return one


async def begin(ui: Session, slow: Slow) -> None:
    await ui.press("v")
    await ui.pilot.press("enter")
    assert slow.found.wait(10)
    await ui.until(lambda: f"Found {slow.findings}" in ui.screen_text)


async def test_findings_are_shown_as_they_come(golden: Golden, slow: Slow) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await begin(ui, slow)
        assert "Found 1500, the last 1000 of them" in ui.screen_text
        assert "finding 1499" in ui.screen_text
        assert "42 %" in ui.screen_text
        await ui.pilot.press("escape")
        await ui.pilot.pause(0.2)
        assert ui.in_browser
        assert "content" in ui.screen_text
        await ui.pilot.press("3", "enter")
        await ui.until(lambda: ui.app.screen.query("#found"))
        slow.release.set()
        await ui.idle()
        assert isinstance(ui.app.screen, ReportScreen)  # its end leads to the report


async def test_a_validation_that_ends_elsewhere_is_a_toast(golden: Golden, slow: Slow) -> None:
    async with session(golden("v03-dmg-flip-byte-segment")) as ui:
        await begin(ui, slow)
        await ui.pilot.press("escape")
        slow.release.set()
        await ui.idle()
        assert ui.in_browser
        assert any("damaged: the latest state" in toast for toast in ui.toasts)
        assert any(toast.severity == "error" for toast in ui.app._notifications)
        assert "✗ validate damaged" in ui.screen_text


async def test_cancel_a_validation(golden: Golden, slow: Slow) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await begin(ui, slow)
        await ui.press("x")
        assert last_job(ui).state is State.CANCELLED
        assert isinstance(ui.app.screen, ValidateJobScreen)
        assert "x: cancel" not in ui.screen_text
        await ui.press("escape")
        assert glyphs(ui) == ["unchecked"] * 3


async def test_running_jobs_come_first(golden: Golden, slow: Slow) -> None:
    async with session(golden("v03-multi-gen")) as ui:
        await begin(ui, slow)
        await ui.pilot.press("escape")
        ended = Job("export", lambda *_: None, title="t", target="/x", now_ns=SETTINGS.now_ns)
        ui.app.submit(ended)
        await ui.until(lambda: ended.state.ended)
        await ui.pilot.pause(0.2)
        await ui.pilot.press("3", "g")
        await ui.press("x")
        assert ui.app.runner.jobs[0].state is State.CANCELLED


async def test_one_of_a_kind_is_counted_as_one(tmp_path: Path) -> None:
    wal = bytearray(wal_header(512, 7, 8))
    add_frame(wal, 1, 1, bytes(512))
    builder = Builder(tmp_path / "replica")
    builder.snapshot(0, bytes(512))
    builder.segments(0, bytes(wal), [len(wal)])
    async with session(tmp_path / "replica") as ui:
        await ui.press("v", "enter")
        report = report_of(ui)
        assert "1 frame, 1 transaction" in ui.screen_text
        assert "1 frame in 1 transaction were read" in read(report)


def rotten(root: Path) -> None:
    """A replica of a sound database into which, with the last transaction, a page of rubbish was written."""
    path = root.parent / "sound.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA page_size = 512")
        db.execute("PRAGMA journal_mode = wal")
        db.execute("CREATE TABLE t (a)")
        db.executemany("INSERT INTO t VALUES (?)", [(f"row {n}" * 9,) for n in range(40)])
        db.commit()
    data = path.read_bytes()
    count = len(data) // 512
    wal = bytearray(wal_header(512, 7, 8))
    ends = []
    for page, image in ((1, data[:512]), (3, data[1024:1536]), (3, b"\xa5" * 512)):
        add_frame(wal, page, count, image)
        ends.append(len(wal))
    builder = Builder(root)
    builder.snapshot(0, data)
    builder.segments(0, bytes(wal), ends)


async def test_the_last_clean_point_is_found(tmp_path: Path) -> None:
    rotten(tmp_path / "replica")
    async with session(tmp_path / "replica", settings=replace(SETTINGS, now_ns=lambda: T0 + 60 * 10**9)) as ui:
        await ui.press("v", "enter", "F")
        assert "only after a validation of depth restore whose integrity check failed" in ui.toasts
        await ui.press("escape", "v", "right", "enter")
        assert "integrity check failed" in ui.screen_text
        assert "F finds the last point" in ui.screen_text
        await ui.press("F")
        job = last_job(ui)
        assert job.kind == "clean-point"
        assert job.state is State.DONE, job.error
        good = job.result.pos
        assert good.index == 0
        assert "the newest state that passes SQLite's integrity check is" in ui.screen_text
        await ui.press("r")
        assert ui.app.screen.query_one("#target", Input).value == str(good)
        await ui.press("escape", "escape")
        assert headline(ui) == ("SQLite's integrity check failed, 0 s ago", "$text-error bold")


async def test_with_the_database(golden: Golden, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from litetui.ops import live_check

    asked = []

    def passive(replica: object, database: str, **_: object) -> LiveCheck:
        asked.append(database)
        return LiveCheck(database, "mismatch", Pos(NEWEST, 3, 148352), "page 7 differs")

    monkeypatch.setattr(live_check, "passive", passive)
    database = tmp_path / "app.db"
    with closing(sqlite3.connect(database)) as db:
        db.execute("CREATE TABLE t (a)")
    async with session(golden("v03-multi-gen"), database=database) as ui:
        await ui.press("v")
        assert "(•) compare with it" in ui.screen_text
        assert f"--db {database}"[:8] in ui.screen_text
        await ui.press("tab", "tab", "right", "enter", "escape")
        assert asked == []
        await ui.press("v", "enter")
        assert asked == [str(database)]
        assert "live database: page 7 differs" in ui.screen_text
        assert ui.screen_text.splitlines()[2].startswith(" ✗ damaged")
        await ui.press("escape")
        assert headline(ui) == ("a restore is not what the database holds, checked 0 s ago", "$text-error bold")
        assert glyphs(ui)[0] == "damaged"


async def test_a_report_of_another_replica_leads_nowhere(golden: Golden, tmp_path: Path) -> None:
    async with session(golden("v03-dmg-flip-byte-segment")) as ui:
        await ui.press("v", "enter", "escape")
        ui.app.opening.open(str(golden("v03-multi-gen")))
        await ui.idle()
        assert headline(ui)[0].startswith("names complete")
        await ui.press("3", "enter", "enter", "r")
        assert ui.toasts[-1] == "another replica is open by now"
        await ui.press("escape")
        ui.app.opening.open(str(golden("v03-dmg-flip-byte-segment")))
        await ui.idle()
        assert headline(ui)[0].endswith("; damaged from 00000002 on")  # the session still knows


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (160, 45)])
async def test_it_is_usable_at_every_size(golden: Golden, size: tuple[int, int]) -> None:
    async with session(golden("v03-dmg-flip-byte-segment"), size) as ui:
        await ui.press("v", "right")
        for word in ("Depth", "Scratch", "are free", "Validate", "esc: close"):
            assert word in ui.screen_text, word
        await ui.press("enter")
        for word in ("damaged: the latest", "restores:", "lz4-checksum", "░", "Try:", "esc back", "r restore"):
            assert word in ui.screen_text, word
        await ui.press("enter")
        assert ui.app.browser.shown_key == ("index", NEWEST, 2)
        assert "Stored" in ui.screen_text


async def test_ascii_is_ascii(golden: Golden) -> None:
    async with session(golden("v03-dmg-flip-byte-segment"), settings=replace(SETTINGS, ascii=True)) as ui:
        for keys in (["v"], ["right"], ["enter"], ["y"], ["escape", "e"], ["escape", "question_mark"], ["escape", "q"]):
            await ui.press(*keys)
            assert not {c for c in ui.screen_text if not c.isascii()}, keys


async def test_names_that_hurt_do_no_harm(golden: Golden, tmp_path: Path) -> None:
    hostile = os.fsencode(tmp_path) + b"/[/x] [bold]a\nb\x1b[31m\xff db"
    shutil.copytree(golden("v03-dmg-flip-byte-segment"), os.fsdecode(hostile))
    async with session(os.fsdecode(hostile)) as ui:
        for keys in (["v"], ["enter"], ["y"], ["enter"], ["e"], ["escape", "escape"]):
            await ui.press(*keys)
            assert "\x1b" not in ui.screen_text
        assert headline(ui)[0].startswith("latest does not restore")
