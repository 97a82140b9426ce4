"""v0.5 replicas on the screen: levels, files, pages, restore points; restore; what stays with Litestream."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from litetui.jobs.job import State
from litetui.replica.ltx import LTXReplica
from litetui.tui.ltx.evidence import ltx_badge, ltx_headline
from litetui.tui.ltx.model import look_ltx
from litetui.tui.screens.restore import RestoreDialog
from litetui.tui.standing import copyable
from litetui.tui.tree_line import Key
from litetui.units import format_size, parse_time
from tests.tui.helpers import NOW, SETTINGS, Session, session
from tests.tui.ltx_files import Maker, make_replica

Golden = Callable[[str], Path]


@pytest.fixture
def made(tmp_path: Path) -> Maker:
    return make_replica(tmp_path)


def target(ui: Session) -> str:
    return ui.app.screen.query_one("#target", Input).value


def command(ui: Session) -> str:
    """The command that the restore dialog shows."""
    assert isinstance(ui.app.screen, RestoreDialog)
    return ui.app.screen._command()


def shown(ui: Session) -> Key:
    return ui.app.browser.shown_key


def notes(ui: Session) -> str:
    """What stands between the cards and the tabs, on one line."""
    return " ".join(text for text, _ in ui.app.browser.detail_pane.stats.notes)


# what is there


async def test_the_first_screen_of_a_v05_replica(made: Maker) -> None:
    async with session(made.root) as ui:
        text = ui.screen_text
        assert "names complete to 20:51:00Z (9 min ago), content not checked" in text
        assert ui.app.browser.headline.verdict[1] == ""  # neutral: names make nothing green
        assert "level 9 snapshots 2" in text
        assert "level 0 5" in text
        assert "Restore points 7" in text
        assert "Generations" not in text


async def test_levels_files_and_pages(made: Maker) -> None:
    async with session(made.root) as ui:
        await ui.press("2", "j", "j", "enter")  # level 1, from the table of levels
        assert shown(ui) == ("level", 1)
        assert "TXIDs inside a file are no restore points" in ui.screen_text
        table = ui.app.browser.table
        assert table.row_count == 2
        assert [table.source.cells(0)[n] for n in (1, 2)] == ["0000000000000005", "0000000000000008"]
        await ui.press("enter")
        assert shown(ui) == ("ltxfile", 1, 5, 8)
        assert "checksums right" in ui.screen_text
        assert "Place in the file" in ui.screen_text
        assert table.row_count > 1
        assert int(str(table.source.cells(0)[1])) == 100  # behind the header
        await ui.press("1", "h")
        assert shown(ui) == ("level", 1)


async def test_filter_sort_and_copy(made: Maker) -> None:
    async with session(made.root) as ui:
        await ui.press("j", "j", "2", "slash")
        await ui.type("0000000a")
        await ui.press("enter")
        table = ui.app.browser.table
        assert table.row_count == 1
        names = dict(copyable(ui.app.browser))
        assert names["TXID"] == "000000000000000a"
        assert names["path"] == str(made.root / "ltx/0/000000000000000a-000000000000000a.ltx")
        assert names["command"].endswith("--level 0")
        await ui.press("escape", "greater_than_sign")
        assert table.source.cells(0)[2] == "0000000000000008"
        await ui.press("e")
        assert "5 rows" in ui.screen_text


async def test_new_files_are_seen_and_the_selection_stays(made: Maker) -> None:
    newest = made.root / "ltx/0/000000000000000c-000000000000000c.ltx"
    hidden = made.root / "hidden"
    newest.rename(hidden)
    async with session(made.root) as ui:
        await ui.press("j", "j")
        assert "000000000000000c" not in ui.screen_text
        hidden.rename(newest)
        await ui.press("R")
        assert shown(ui) == ("level", 0)
        assert "000000000000000c" in ui.screen_text
        shutil.rmtree(made.root)
        await ui.press("R")
        assert ui.app.is_running


async def test_a_gap_is_red_and_last_good_leads_around_it(made: Maker) -> None:
    (made.root / "ltx/0/000000000000000a-000000000000000a.ltx").unlink()
    async with session(made.root) as ui:
        assert "latest does not restore; names complete to 20:48:00Z (12 min ago); TXID 000000" in ui.screen_text
        assert "error" in ui.app.browser.headline.verdict[1]
        await ui.press("j", "j", "2")
        assert "no: a gap" in ui.screen_text
        await ui.press("r")
        assert target(ui) == ""  # the newest file is not reached
        assert "write last-good" in ui.screen_text
        await ui.type("last-good")
        await ui.press("enter")
        assert command(ui).endswith("--txid 0000000000000009")
        await ui.press("enter")
        (job,) = ui.app.runner.jobs
        assert job.state is State.DONE, job.error
        assert rows(job.output) == 9


async def test_a_damaged_file_shows_what_is_whole_and_where_it_ends(made: Maker) -> None:
    path = made.root / "ltx/1/0000000000000005-0000000000000008.ltx"
    times, data = os.stat(path), bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    async with session(made.root) as ui:
        await ui.press("2", "j", "j", "enter", "enter")
        assert "damaged" in ui.screen_text
        assert "checksum is wrong" in ui.screen_text
        assert ui.app.browser.table.row_count > 1
        await ui.press("1", "g", "r", "enter", "enter")
        assert "damaged: a restore met it" in ui.screen_text
        await ui.press("1", "g", "right_square_bracket", "right_square_bracket", "2", "enter")  # the finding
        assert shown(ui) == ("ltxfile", 1, 5, 8)
        await ui.press("1", "g", "r")
        await ui.type("last-good")
        await ui.press("enter", "enter")
        assert ui.app.runner.jobs[-1].state is State.DONE
        assert rows(ui.app.runner.jobs[-1].output) == 4


def test_a_txid_inside_a_compacted_file_is_no_restore_point(made: Maker) -> None:
    view = look_ltx(LTXReplica(made.root))
    assert view.points.txid.tolist() == [1, 4, 8, 9, 10, 11, 12]
    assert not view.points.has(6)
    assert view.reached == 12
    (made.root / "ltx/1/0000000000000005-0000000000000008.ltx").unlink()
    view = look_ltx(LTXReplica(made.root))
    assert view.points.txid.tolist() == [1, 4]
    assert view.gap == (5, 7)


async def test_a_folder_without_files_says_so(tmp_path: Path) -> None:
    (tmp_path / "ltx").mkdir()
    async with session(tmp_path) as ui:
        assert "no LTX files: nothing to restore" in ui.screen_text
        await ui.press("r")
        assert "there is no LTX file to restore from" in ui.toasts


def codes(root: Path) -> list[str]:
    return [finding.code for finding in look_ltx(LTXReplica(root)).findings]


def test_what_the_names_tell(made: Maker) -> None:
    assert codes(made.root) == []
    (made.root / "ltx/0/x.tmp").touch()
    (made.root / "ltx/0/notes").touch()
    made.write(1, 10, 12)
    assert codes(made.root) == ["ltx-gap", "temporary-file", "unknown-file"]  # level 0 has what level 1 lacks
    assert {finding.severity for finding in look_ltx(LTXReplica(made.root)).findings} == {"info"}
    for path in made.root.rglob("*.ltx"):
        os.utime(path, (1, 1))
    view = look_ltx(LTXReplica(made.root))
    assert view.findings[0].code == "time-order"
    assert view.copied
    assert view.until_ns == parse_time("2026-11-22T20:51:00Z")  # from the header
    for path in made.root.rglob("*/0000000000000001-*.ltx"):
        path.unlink()
    view = look_ltx(LTXReplica(made.root))
    assert view.findings[0].code == "ltx-gap"
    assert (view.reached, len(view.points)) == (0, 0)


async def test_what_retention_leaves_is_no_alarm(made: Maker) -> None:
    for name in ("9/0000000000000001-0000000000000001", "9/0000000000000001-0000000000000004",
                 "1/0000000000000001-0000000000000004"):  # fmt: skip
        (made.root / f"ltx/{name}.ltx").unlink()
    made.write(9, 1, 10)
    async with session(made.root) as ui:
        assert "names complete to 20:51:00Z" in ui.screen_text
        await ui.press("2", "j", "j", "enter")
        assert "no: start is gone" in ui.screen_text
        assert "no: a gap" not in ui.screen_text
        await ui.press("r")
        assert target(ui) == ""


async def test_the_layout_of_a_bucket(made: Maker) -> None:
    for level in (0, 1, 9):
        (made.root / "ltx" / str(level)).rename(made.root / f"{level:04x}")
    (made.root / "ltx").rmdir()
    async with session(made.root) as ui:
        assert "as in a bucket" in ui.screen_text
        assert "names complete to 20:51:00Z" in ui.screen_text
        await ui.press("2", "j", "enter", "enter")
        assert "checksums right" in ui.screen_text


# restore


def rows(path: str) -> int:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return int(db.execute("SELECT count(*) FROM t").fetchone()[0])
    finally:
        db.close()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("", 12), ("0x9", 9), ("000000000000000A", 10), ("2026-11-22T20:50:30Z", 11), ("last-good", 12)],
)
async def test_restore_to_a_target(made: Maker, text: str, wanted: int) -> None:
    async with session(made.root) as ui:
        await ui.press("r")
        if text:
            await ui.type(text)
        await ui.press("enter")
        assert "settled" in ui.screen_text
        assert command(ui).endswith(f"--txid {wanted:016x}")
        await ui.press("enter")
        (job,) = ui.app.runner.jobs
        assert job.state is State.DONE, job.error
        assert rows(job.output) == wanted
        assert "restored and checked to" in ui.screen_text
        assert "success" in ui.app.browser.headline.verdict[1]
        await ui.press("3", "enter")
        assert f"TXID {wanted:016x}" in ui.screen_text


async def test_a_time_shows_the_restore_points_around_it(made: Maker) -> None:
    async with session(made.root) as ui:
        await ui.press("r")
        await ui.type("2026-11-22T20:45:00Z")
        text = ui.screen_text
        assert "before  20:43:00.000Z  0000000000000004" in text
        assert "after   20:47:00.000Z  0000000000000008" in text


async def test_what_is_no_restore_point_is_an_error_with_the_next_ones(made: Maker) -> None:
    async with session(made.root) as ui:
        await ui.press("r")
        await ui.type("0x6")
        assert "is no restore point" in ui.screen_text
        assert "--txid 0000000000000004" in ui.screen_text
        assert "before  20:43:00.000Z  0000000000000004" in ui.screen_text
        assert "after   20:47:00.000Z  0000000000000008" in ui.screen_text


async def test_a_txid_shows_the_restore_points_beside_it(made: Maker) -> None:
    async with session(made.root) as ui:
        await ui.press("r")
        await ui.type("0x8")
        assert "before  20:43:00.000Z  0000000000000004" in ui.screen_text
        assert "by 20:47:00.000Z  TXID 0000000000000008" in ui.screen_text
        assert "after   20:48:00.000Z  0000000000000009" in ui.screen_text


async def test_a_copy_without_its_times_shows_both(made: Maker) -> None:
    at = parse_time("2026-11-22T20:59:30Z")
    for path in made.root.rglob("*.ltx"):
        os.utime(path, ns=(at, at))
    async with session(made.root) as ui:
        assert "names complete to 20:51:00Z (9 min ago)" in ui.screen_text  # of the header
        assert "20:51:00.000Z by its header, which counts here, and of 20:59:30.000Z by its file" in notes(ui)
        assert ("warning", "time-order") in {(f.severity, f.code) for f in look_ltx(LTXReplica(made.root)).findings}
        await ui.press("j", "j", "2")
        row = ui.app.browser.table.source.cells(0)
        assert row[5] == "20:51:00.000Z"
        assert row[-1] == ("20:59:30.000Z", "warning")
        await ui.press("enter")
        assert "File's own time" in ui.screen_text
        assert "20:59:30.000Z" in ui.screen_text


async def test_times_that_are_the_files_are_shown_once(made: Maker) -> None:
    async with session(made.root) as ui:
        await ui.press("j", "j", "2")
        assert [column.title for column in ui.app.browser.table.source.columns][-1] == "Restores"


async def test_r_proposes_what_the_cursor_stands_on(made: Maker) -> None:
    async with session(made.root) as ui:
        await ui.press("j", "j", "2", "j", "r")
        assert target(ui) == "000000000000000b"
        await ui.press("escape", "1", "g", "right_square_bracket", "2", "j", "j", "r")
        assert target(ui) == "000000000000000a"
        await ui.press("escape", "enter")
        assert shown(ui) == ("ltxfile", 0, 10, 10)
        await ui.press("r")
        assert target(ui) == "000000000000000a"


# what stays with Litestream


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("s", "litestream sync -wait DB; where it does not run, litestream replicate -once DB file://{root}"),
        ("S", "litestream replicate DB file://{root}"),
        ("n", "litestream replicate -once -force-snapshot DB file://{root}"),
        ("t", "litestream replicate -once -enforce-retention DB file://{root}"),
    ],
)
async def test_what_litestream_does_is_greyed_and_says_so(made: Maker, key: str, words: str) -> None:
    async with session(made.root) as ui:
        await ui.press(key)
        assert ui.toasts[-1].startswith("Litestream 0.5 keeps this replica: ")
        assert words.format(root=made.root) in ui.toasts[-1]
        assert ui.in_browser


async def test_a_database_is_attached_to_compare_with(made: Maker, tmp_path: Path) -> None:
    database = tmp_path / "app.db"
    sqlite3.connect(database).execute("CREATE TABLE t (x)").connection.close()
    async with session(made.root, database=database) as ui:
        assert ui.app.database == str(database)
        assert "Replicator: none" in notes(ui)
        assert "Not in the replica" not in notes(ui)  # how far it is behind is not known here
        await ui.press("s")
        assert f"litestream replicate -once {database} file://" in ui.toasts[-1]
        assert ui.in_browser
        database.unlink()
        await ui.press("R")
        assert "app.db cannot be looked at: there is no such file" in ui.attention


# both formats in one folder


@pytest.fixture
def upgraded(golden_copy: Golden, tmp_path: Path) -> Path:
    """v0.3 generations, and newer LTX files beside them."""
    root = golden_copy("v03-multi-gen")
    made = make_replica(tmp_path, count=20)
    (made.root / "ltx").rename(root / "ltx")
    return root


async def test_both_formats_are_shown_and_which_one_a_restore_takes(upgraded: Path) -> None:
    async with session(upgraded) as ui:
        text = ui.screen_text
        assert "names complete to 20:59:00Z" in text  # of the LTX files
        assert "takes the LTX files (v0.5)" in notes(ui)
        assert "37a3dbace36f1ae1" in text
        assert "v0.5, newest" in text
        assert "newest of v0.3" in text
        stats = {card.label: (card.value, card.note) for card in ui.app.browser.detail_pane.stats.cards}
        view = ui.app.browser.view
        assert view is not None
        assert view.ltx is not None
        files, snapshots = len(view.ltx.table), int((view.ltx.table.level == 9).sum())
        assert stats["LTX files"][0] == str(files - snapshots)
        of_v03 = sum(g.stats.snapshots for g in view.generations)
        assert stats["Snapshots"] == (str(of_v03 + snapshots), f"{snapshots} of v0.5" if snapshots else "")
        assert stats["Stored"][1] == f"{format_size(view.ltx.size)} of v0.5"
        await ui.press("r")
        assert "ltx/ (v0.5) has the newest files" in ui.screen_text
        assert command(ui).endswith("--txid 0000000000000014")
        await ui.press("escape", "j", "r")  # the newest generation
        assert "--txid" not in command(ui)
        await ui.press("escape", "G", "l", "j", "j", "2", "enter")
        assert shown(ui) == ("ltxfile", 0, 20, 20)


@pytest.mark.parametrize("line", [[], ["j"], ["G"]])
async def test_what_v05_took_over_is_not_written_into(upgraded: Path, tmp_path: Path, line: list[str]) -> None:
    """On the folder, on a generation of it, and on the LTX files."""
    database = tmp_path / "app.db"
    sqlite3.connect(database).execute("CREATE TABLE t (x)").connection.close()
    async with session(upgraded, database=database) as ui:
        await ui.press(*line)
        for key in ("s", "S", "n", "t"):
            await ui.press(key)
            assert ui.toasts[-1].startswith("Litestream 0.5 ")
            assert f"{database} file://{upgraded}" in ui.toasts[-1]
            assert ui.in_browser
        assert f"litetui retention {upgraded} --retention DURATION" in ui.toasts[-1]
        assert not ui.app.runner.jobs


async def test_older_ltx_files_beside_newer_generations(golden_copy: Golden, tmp_path: Path) -> None:
    root = golden_copy("v03-multi-gen")
    made = make_replica(tmp_path, count=12)
    (made.root / "ltx").rename(root / "ltx")
    async with session(root) as ui:
        assert "takes the v0.3 generations" in notes(ui)
        assert "names complete to 20:55:32Z" in ui.screen_text
        await ui.press("r")
        await ui.type("000000000000000c")
        assert "a TXID is asked for" in ui.screen_text
        await ui.press("escape", "t")
        assert not ui.in_browser  # the generations have the newest files: v0.3 keeps this folder


# terminals


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (160, 45)])
async def test_everything_is_reached_and_names_do_no_harm(made: Maker, tmp_path: Path, size: tuple[int, int]) -> None:
    hostile = os.fsdecode(os.fsencode(tmp_path) + b"/[/x] [bold]a\nb\x1b[31m\xff db")
    shutil.copytree(made.root, hostile)
    async with session(hostile, size) as ui:
        assert "\x1b" not in ui.screen_text
        assert "content not checked" in ui.screen_text
        await ui.press("j", "j", "2", "j")
        assert "000000000000000b" in ui.screen_text
        await ui.press("enter", "2")
        assert "Stored bytes" in ui.screen_text
        await ui.press("s", "r", "enter")
        assert "settled" in ui.screen_text
        await ui.press("escape", "y", "enter")
        assert "q quit" in ui.screen_text


async def test_ascii_is_ascii(made: Maker) -> None:
    async with session(made.root, settings=replace(SETTINGS, ascii=True)) as ui:
        for keys in ([], ["j"], ["2", "enter"], ["2", "r"], ["enter"]):
            await ui.press(*keys)
            assert not {c for c in ui.screen_text if not c.isascii()}, keys


@pytest.mark.parametrize(
    ("name", "words"),
    [("000000000000000c", "latest does not restore: "), ("0000000000000008", "damaged: ")],  # 8 lies in level 1 as well
)
async def test_a_file_too_short_for_any_is_said_before_anything_is_read(tmp_path: Path, name: str, words: str) -> None:
    root = make_replica(tmp_path).root
    path = root / f"ltx/0/{name}-{name}.ltx"
    path.write_bytes(b"")
    os.utime(path, ns=(NOW, NOW))
    async with session(root, (200, 45)) as ui:
        view = ui.app.browser.view
        assert view is not None
        assert view.ltx is not None
        headline, status = ltx_headline(view.path, view.ltx, NOW, (), None)
        assert headline.startswith(words + "1 file(s) are too short")
        assert status == "error"
        assert ltx_badge(view.ltx, None, NOW).glyph == "damaged"
        assert words in ui.screen_text.splitlines()[0]
        assert ("does not restore" in ui.screen_text.split("Names lead to")[-1]) == words.startswith("latest")
