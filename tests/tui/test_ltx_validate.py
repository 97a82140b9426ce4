"""Validation of v0.5 replicas in the UI, alone and beside v0.3 generations: dialog, report, badges, marks, headline."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from textual.widgets import Input

from litetui.format.ltx_header import LTXHeader
from litetui.jobs.job import State
from litetui.ops import live_check
from litetui.ops.verdict import LiveCheck, Report
from litetui.tui.screens.report import ReportScreen
from litetui.tui.screens.restore import RestoreDialog
from litetui.tui.screens.validate import ValidateDialog
from litetui.tui.timeline.points import beside_words
from litetui.tui.tree_line import LTX, Key, Line
from litetui.tui.work.validation import ValidateJob
from tests.ltx_encode import encode
from tests.tui.helpers import Session, session
from tests.tui.ltx_files import PAGE, Maker, make_replica

Golden = Callable[[str], Path]
DAMAGED = "ltx/1/0000000000000005-0000000000000008.ltx"


@pytest.fixture
def made(tmp_path: Path) -> Maker:
    return make_replica(tmp_path)


@pytest.fixture
def upgraded(golden_copy: Golden, tmp_path: Path) -> Path:
    """v0.3 generations, and newer LTX files beside them."""
    root = golden_copy("v03-multi-gen")
    (make_replica(tmp_path, count=20).root / "ltx").rename(root / "ltx")
    return root


def flip(path: Path, at: int = -1) -> None:
    """Change one byte, and not the time."""
    times, data = os.stat(path), bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def report_of(ui: Session) -> Report:
    job = next(j for j in reversed(ui.app.runner.jobs) if isinstance(j, ValidateJob))
    assert job.state is State.DONE, job.error
    report: Report = job.result
    return report


def headline(ui: Session) -> tuple[str, str]:
    return ui.app.browser.headline.verdict


def words(ui: Session) -> str:
    return re.sub(r"[│▎▕\s]+", " ", ui.screen_text)


def line(ui: Session, key: Key) -> Line:
    return next(one for one in ui.app.browser.tree_view.lines if one.key == key)


def marks(ui: Session) -> dict[Key, tuple[str, str]]:
    """Glyph and status of each line of the tree."""
    return {one.key: (one.glyph, one.status) for one in ui.app.browser.tree_view.lines}


BAD_STYLE = "$text-error bold"
OK, BAD = ("ok", "success"), ("damaged", "error")


async def test_every_byte_is_read_and_what_comes_later_is_unchecked(made: Maker) -> None:
    hidden, newest = made.root / "hidden", made.root / "ltx/0/000000000000000c-000000000000000c.ltx"
    newest.rename(hidden)
    async with session(made.root) as ui:
        assert line(ui, ("replica",)).glyph == "unchecked"
        await ui.press("v")
        assert isinstance(ui.app.screen, ValidateDialog)
        assert "every byte of every level" in words(ui)
        assert "reads 8 files" in words(ui)
        assert not ui.app.screen.query("#scope")  # there is one thing to check
        await ui.press("enter")
        assert isinstance(ui.app.screen, ReportScreen)
        assert report_of(ui).verdict == "ok"
        assert "content: 8 files" in words(ui)
        assert "pages" in words(ui)
        assert "latest restores to 000000000000000b" in words(ui)
        await ui.press("escape")
        assert headline(ui) == ("content checked to 20:50:00Z, 0 s ago", "$text-success bold")
        assert set(marks(ui).values()) == {OK}
        assert "Checked" in ui.screen_text
        assert "content ok" in ui.screen_text
        hidden.rename(newest)
        await ui.press("R")
        assert "; 1 LTX file newer, unchecked; names complete to " in headline(ui)[0]
        assert "+1 file" in line(ui, ("replica",)).note
        assert line(ui, ("level", 0)).glyph == "blank"
        assert line(ui, ("level", 0)).note == "5, +1 since"
        assert marks(ui)[("level", 1)] == OK


async def test_a_compaction_of_old_times_is_unchecked_too(made: Maker) -> None:
    """A compacted file has the time of the last file that went into it: times alone would not show it."""
    async with session(made.root) as ui:
        await ui.press("v", "enter", "escape")
        made.write(1, 9, 12)
        made.write(9, 1, 8)
        await ui.press("R")
        assert "; 1 LTX file and 1 snapshot newer, unchecked; names complete to " in headline(ui)[0]
        assert marks(ui)[("level", 0)] == OK
        assert line(ui, ("level", 9)).note == "3, +1 since"


async def test_names_make_nothing_green(made: Maker) -> None:
    async with session(made.root) as ui:
        await ui.press("v", "left", "enter")
        assert "no file was opened" in words(ui)
        await ui.press("escape")
        assert "success" not in headline(ui)[1]
        assert "success" not in {status for _, status in marks(ui).values()}


async def test_a_drill_and_a_restore_after_it(made: Maker, tmp_path: Path) -> None:
    async with session(made.root) as ui:
        await ui.press("v", "right")
        ui.app.screen.query_one("#scratch", Input).value = str(tmp_path)
        await ui.idle()
        await ui.press("enter")
        assert report_of(ui).default is not None
        assert report_of(ui).generations[0].integrity == "ok"
        await ui.press("r")
        assert isinstance(ui.app.screen, RestoreDialog)
        assert ui.app.screen.query_one("#target", Input).value == "000000000000000c"
        await ui.press("escape", "escape")
        assert headline(ui) == ("restored and checked to 20:51:00Z, 0 s ago", "$text-success bold")


async def test_a_damaged_file_is_marked_from_the_level_down(made: Maker) -> None:
    flip(made.root / DAMAGED)
    async with session(made.root) as ui:
        await ui.press("v", "enter")
        assert report_of(ui).verdict == "damaged"
        assert "L1 0000000000000008" in ui.screen_text
        assert DAMAGED in ui.screen_text  # the path of the finding, relative
        await ui.press("r")  # to what is sound: a TXID would lead through the damaged file
        assert ui.app.screen.query_one("#target", Input).value == "last-good"
        await ui.press("escape", "enter")  # and to the file
        assert ui.app.browser.shown_key == ("ltxfile", 1, 5, 8)
        assert "error" in headline(ui)[1]
        assert headline(ui)[0] == (
            "latest does not restore; restores to 20:43:00Z (17 min ago); damaged from TXID 0000000000000005 on"
        )
        found = marks(ui)
        assert found[("replica",)] == ("damaged", "error")
        assert found[("level", 1)] == found[("ltxfile", 1, 5, 8)] == BAD
        assert found[("level", 0)] == found[("level", 9)] == OK
        assert line(ui, ("level", 1)).note == "2, 1 damaged"
        await ui.press("1", "h", "h", "l")  # a mark is there without the file having been opened
        assert ("ltxfile", 1, 5, 8) in marks(ui)
        await ui.press("g", "right_square_bracket", "right_square_bracket")
        assert "L1 0000000000000008" in ui.screen_text  # in the attention list
        card = ui.app.browser.detail_pane.stats.cards[0]
        assert (card.value, card.note, card.status) == ("0000000000000004", "damage follows", "error")
        (made.root / DAMAGED).unlink()
        await ui.press("R")
        assert BAD not in {marks(ui)[("level", level)] for level in (0, 1, 9)}


async def test_a_way_around_the_damage(made: Maker) -> None:
    """Level 1 is damaged, and level 0 still leads to the latest: only last-good goes that way."""
    for txid in range(5, 8):
        made.write(0, txid, txid)
    flip(made.root / DAMAGED)
    async with session(made.root) as ui:
        await ui.press("v", "enter", "r", "enter")
        assert isinstance(ui.app.screen, RestoreDialog)
        assert ui.app.screen._command().endswith("--to-last-good")
        await ui.press("enter")
        assert ui.app.runner.jobs[-1].state is State.DONE
        assert ui.app.runner.jobs[-1].command.endswith("--to-last-good")
        await ui.press("escape")
        assert "validate damaged, latest restores by last-good alone" in ui.screen_text
        timeline = ui.app.browser.timeline.view.timeline
        assert timeline is not None
        words = beside_words(timeline, len(timeline) - 1)
        assert words is not None
        assert words[0].endswith("later states do not restore; last-good goes on to the latest")
        assert headline(ui) == (
            "damaged: a plain restore fails, last-good restores the latest; checked 0 s ago",
            BAD_STYLE,
        )


async def test_what_a_restore_met_is_marked(made: Maker) -> None:
    flip(made.root / DAMAGED)
    async with session(made.root) as ui:
        await ui.press("r", "enter", "enter")
        assert "damaged: a restore met it" in headline(ui)[0]
        assert marks(ui)[("level", 1)] == BAD
        assert marks(ui)[("level", 0)] == ("blank", "")


async def test_damage_inside_sound_checksums_names_the_file(made: Maker) -> None:
    """A file whose own checksums are right, with another page than the levels lead to."""
    last = made.states[3]
    pages = [(number + 1, page) for number, page in enumerate(last)]
    pages[-1] = (pages[-1][0], bytes([1]) + pages[-1][1][1:])
    path = made.root / "ltx/9/0000000000000001-0000000000000004.ltx"
    times = os.stat(path)
    path.write_bytes(encode(LTXHeader(PAGE, len(last), 1, 4, times.st_mtime_ns // 1_000_000), pages))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    async with session(made.root) as ui:
        await ui.press("v", "right", "enter")
        assert "chains-differ" in {finding.code for finding in report_of(ui).all_findings}
        await ui.press("enter")
        assert ui.app.browser.shown_key == ("ltxfile", 9, 1, 4)
        assert marks(ui)[("ltxfile", 9, 1, 4)] == BAD
        assert any("page" in text and status == "error" for text, status in ui.app.browser.detail_pane.stats.notes)


async def test_a_gap_by_names_stays_red(made: Maker) -> None:
    (made.root / "ltx/0/000000000000000a-000000000000000a.ltx").unlink()
    async with session(made.root) as ui:
        assert line(ui, ("replica",)).glyph == "damaged"
        await ui.press("v", "enter", "escape")
        assert headline(ui)[0].startswith("latest does not restore; restores to 20:48:00Z (12 min ago); TXID ")
        assert headline(ui)[1] == BAD_STYLE


async def test_without_files_there_is_nothing_to_check(tmp_path: Path) -> None:
    (tmp_path / "ltx").mkdir()
    async with session(tmp_path) as ui:
        await ui.press("v")
        assert ui.toasts[-1] == "there is no LTX file to check"


async def test_with_the_database(made: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "app.db"
    with closing(sqlite3.connect(database)) as db:
        db.execute("CREATE TABLE t (x)")
    asked: list[object] = []

    def passive(replica: object, path: str, **_: object) -> LiveCheck:
        asked.append(replica)
        return LiveCheck(path, "mismatch", None, "the restore differs in 1 page", 1)

    monkeypatch.setattr(live_check, "passive", passive)
    async with session(made.root, database=database) as ui:
        await ui.press("v")
        assert "compares a restore with the database" in words(ui)
        await ui.press("enter")
        assert asked == [ui.app.replica]
        assert "live database: the restore differs in 1 page" in ui.screen_text
        await ui.press("escape")
        assert headline(ui)[0].startswith("a restore is not what the database holds")


# beside v0.3 generations


async def test_both_worlds_are_checked(upgraded: Path) -> None:
    async with session(upgraded) as ui:
        await ui.press("v")
        assert "all: 3 generations, and ltx" in ui.screen_text
        await ui.press("enter")
        report = report_of(ui)
        assert report.generations[0].generation == "ltx"  # what a restore takes comes first
        assert len(report.generations) == 4
        assert "frames and pages" in ui.screen_text
        await ui.press("g", "enter")
        assert ui.app.browser.shown_key == ("ltx",)
        found = marks(ui)
        assert found[("ltx",)] == OK
        assert found[("generation", "37a3dbace36f1ae1")] == OK
        assert headline(ui) == ("content checked to 20:59:00Z, 0 s ago", "$text-success bold")
        await ui.press("1", "g")
        card = next(card for card in ui.app.browser.detail_pane.stats.cards if card.label == "Checked")
        assert (card.value, card.note, card.status) == ("content ok", "all, 0 s ago", "success")


async def test_ltx_alone_is_checked_beside_generations(upgraded: Path) -> None:
    flip(next((upgraded / "ltx/1").glob("0000000000000005-*")))
    async with session(upgraded) as ui:
        await ui.press("G", "v", "enter")
        assert [one.generation for one in report_of(ui).generations] == ["ltx"]
        await ui.press("escape")
        assert marks(ui)[("ltx",)] == BAD
        assert marks(ui)[("generation", "37a3dbace36f1ae1")] == ("unchecked", "")
        assert "damaged from TXID 0000000000000005 on" in headline(ui)[0]
        await ui.press("g")
        assert "1 of 4" in ui.screen_text
        await ui.press("j", "v")  # a generation is still checked by itself
        assert "(•) 37a3" in ui.screen_text
        await ui.press("enter")
        assert [one.generation for one in report_of(ui).generations] == ["37a3dbace36f1ae1"]


async def test_a_comparison_is_of_what_holds_the_newest_state(upgraded: Path, tmp_path: Path) -> None:
    database = tmp_path / "app.db"
    with closing(sqlite3.connect(database)) as db:
        db.execute("CREATE TABLE t (x)")
    async with session(upgraded, database=database) as ui:
        await ui.press("j", "v")
        assert "the newest files are those of ltx: compare that" in words(ui)
        assert ui.app.screen.query_one("#database").disabled
        await ui.press("escape", "G", "v")
        assert not ui.app.screen.query_one("#database").disabled


async def test_a_damaged_wal_is_marked_from_its_group_down(golden: Golden) -> None:
    async with session(golden("seed-dmg-flip-byte-wal-frame")) as ui:
        generation = ui.app.browser.view.generations[0].name if ui.app.browser.view is not None else ""
        await ui.press("v", "enter")
        finding = next(f for f in report_of(ui).all_findings if f.severity == "error")
        await ui.press("escape")
        wals: Key = ("wals", generation)
        assert marks(ui)[wals] == BAD
        ui.app.browser.tree_view.reveal(("index", generation, finding.index or 0))
        await ui.idle()
        found = marks(ui)
        assert found[("index", generation, finding.index or 0)] == BAD
        others = {glyph for key, glyph in found.items() if key[0] == "index" and key[2] != finding.index}
        assert BAD not in others
        assert found[("snapshots", generation)] == ("", "")


async def test_a_damaged_snapshot_is_marked(golden_copy: Golden) -> None:
    root = golden_copy("seed-multi-snapshot")
    path = max(root.rglob("*.snapshot.lz4"))
    flip(path, 200)
    async with session(root) as ui:
        generation = ui.app.browser.view.generations[0].name if ui.app.browser.view is not None else ""
        await ui.press("v", "enter", "escape")
        assert marks(ui)[("snapshots", generation)] == BAD
        ui.app.browser.tree_view.reveal(("snapshot", generation, int(path.name[:8], 16)))
        await ui.idle()
        snapshots = {key[2]: glyph for key, glyph in marks(ui).items() if key[0] == "snapshot"}
        assert [index for index, glyph in snapshots.items() if glyph == BAD] == [int(path.name[:8], 16)]
        assert len(snapshots) > 1


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (160, 45)])
async def test_the_report_fits_every_terminal(made: Maker, size: tuple[int, int]) -> None:
    flip(made.root / DAMAGED)
    async with session(made.root, size) as ui:
        await ui.press("v")
        assert "Validate" in ui.screen_text
        await ui.press("enter")
        assert "damaged" in ui.screen_text
        assert "esc back" in ui.screen_text
        await ui.press("enter")
        assert ui.app.browser.shown_key == ("ltxfile", 1, 5, 8)


async def test_once_damage_is_known_the_restore_dialog_says_what_fails_and_what_leads_on(
    made: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for txid in range(5, 8):
        made.write(0, txid, txid)
    flip(made.root / DAMAGED)
    async with session(made.root) as ui:
        browser = ui.app.browser
        await ui.press("v", "enter")
        await ui.until(lambda: not ui.in_browser and LTX in ui.app.checking.checks)
        await ui.press("escape")
        headline = browser.headline.verdict[0].partition("; checked")[0]
        assert headline == "damaged: a plain restore fails, last-good restores the latest"
        await ui.press("1", "g", "r")
        assert "a plain restore of the latest state fails; write last-good into the field To" in ui.screen_text
        await ui.press("enter", "enter")  # it fails
        await ui.until(lambda: [job.state for job in ui.app.runner.jobs if job.kind == "restore"] == [State.FAILED])
        await ui.press("escape")
        assert browser.headline.verdict[0].startswith(headline)
        browser.do_restore("last-good")
        await ui.idle()
        dialog = ui.app.screen
        assert isinstance(dialog, RestoreDialog)
        assert re.search(r"litetui restore \S+ -o \S+ --to-last-good$", dialog._command())
        await ui.press("enter")  # the plan
        assert re.search(r"litetui restore \S+ -o \S+ --to-last-good$", dialog._command())
