"""Looking into a WAL on the screen: whose pages its transactions write, the pages of one, why frames are not valid."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from litetui.jobs.job import State
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import wal_owners
from litetui.ops.frames import read_frames
from litetui.replica.detect import open_replica
from litetui.tui import owning
from litetui.tui.attention.model import of_replica
from litetui.tui.attention.rows import helps, placed
from litetui.tui.model import look
from litetui.tui.owning import Looked
from litetui.tui.standing import restore_start
from litetui.tui.tables.wal_sources import FrameSource, TransactionSource, WrittenPageSource
from litetui.tui.tree_line import Key
from litetui.tui.wal_view import wal_detail
from tests.build import GENERATION
from tests.sqlite_wals import Real, ltx_replica, real_replica
from tests.tui.helpers import NOW, SETTINGS, Session, session

Golden = Callable[[str], Path]
KEY: Key = ("index", GENERATION, 0)
ROWS = [
    "create table users (id integer primary key, name text, photo blob)",
    "create index users_name on users (name)",
    "insert into users (name, photo) values ('a', zeroblob(3000))",
    "delete from users",
    "insert into users (name) values ('b')",
]


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Real:
    monkeypatch.setattr("litetui.ops.states.default_scratch", lambda: str(tmp_path))
    return real_replica(tmp_path, [ROWS], layout="whole")


async def go_to(ui: Session, key: Key = KEY) -> None:
    ui.app.browser.tree_view.reveal(key)
    await ui.idle()


def cells(ui: Session, row: int) -> list[str]:
    return [cell if isinstance(cell, str) else cell[0] for cell in ui.app.browser.table.source.cells(row)]


def notes(ui: Session) -> str:
    """What stands above the table, not wrapped; some of it must be on the screen."""
    texts = [text for text, _ in ui.app.browser.detail_pane.stats.notes]
    assert all(text[:30] in ui.screen_text for text in texts)
    return "; ".join(texts)


def left(tmp_path: Path) -> list[str]:
    return [name for name in os.listdir(tmp_path) if name.startswith("litetui-drill")]


@pytest.mark.parametrize("size", [(160, 45), (100, 30), (80, 24)])
async def test_what_transactions_write_is_told_by_itself(real: Real, tmp_path: Path, size: tuple[int, int]) -> None:
    async with session(real.root, size) as ui:
        await go_to(ui)
        await ui.press("2")
        assert "users 6, sqlite_schema 1" in ui.screen_text
        assert "users_name 1" in ui.screen_text
        await ui.press("j", "j", "enter")
        assert ui.app.browser.tab == "pages"
        assert "Pages of transaction 3" in ui.screen_text
        assert [cells(ui, n)[:4] for n in range(4)] == [
            ["1", "sqlite_schema", "schema", "4"],
            ["2", "users", "table", "5"],
            ["3", "users_name", "index", "6"],
            ["4", "users", "overflow", "7"],
        ]
        await ui.press("j", "j", "enter")  # to the frame of that page
        assert (ui.app.browser.tab, ui.app.browser.table.cursor) == ("frames", 6)
        assert cells(ui, 6)[-2:] == ["users_name", "index"]
        assert left(tmp_path) == []


async def test_another_transaction_begins_at_its_first_page(real: Real) -> None:
    async with session(real.root) as ui:
        await go_to(ui)
        await ui.press("2", "j", "j", "enter", "G", "left_square_bracket", "j", "enter")
        assert "Pages of transaction 4" in ui.screen_text
        assert ui.app.browser.table.cursor == 0
        start = restore_start(ui.app.browser)
        ends = ui.app.browser.table.source.frames.transactions.end_offset  # type: ignore[attr-defined]
        assert start.target == f"{GENERATION}/00000000:{ends[3]}"


async def test_pages_and_transactions_are_sorted_and_filtered_by_owner(real: Real) -> None:
    async with session(real.root) as ui:
        await go_to(ui)
        await ui.press("2", "slash")
        await ui.type("users_name")
        await ui.press("enter")
        assert {cells(ui, n)[0] for n in range(len(ui.app.browser.table.source))} == {"2", "3", "4", "5"}
        await ui.press("escape", "g", "j", "j", "enter", "greater_than_sign", "greater_than_sign")
        assert [cells(ui, n)[1] for n in range(3)] == ["sqlite_schema", "users", "users"]


async def test_what_is_dear_is_looked_up_when_it_is_asked_for(
    real: Real, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owning, "ALONE_READS", 10)
    async with session(real.root) as ui:
        await go_to(ui)
        await ui.press("2")
        assert "enter on a transaction looks up whose pages it writes: reads" in ui.screen_text
        assert cells(ui, 2)[-1] == "not looked up"
        assert ui.app.runner.jobs == []
        await ui.press("j", "j", "enter")
        (job,) = ui.app.runner.jobs
        assert (job.kind, job.state) == (owning.KIND, State.DONE)
        assert cells(ui, 1)[:3] == ["2", "users", "table"]
        assert any("users 6, sqlite_schema 1, users_name 1" in toast for toast in ui.toasts)
        await ui.press("left_square_bracket")
        assert [bool(cells(ui, n)[-1] != "not looked up") for n in range(5)] == [False, False, True, False, False]
        await ui.press("enter", "left_square_bracket", "j", "enter")  # known, and the next one
        assert len(ui.app.runner.jobs) == 2
        await ui.press("left_square_bracket")
        assert [bool(cells(ui, n)[-1] != "not looked up") for n in range(5)] == [False, False, True, True, False]
        assert left(tmp_path) == []


async def test_one_job_at_a_time_looks_into_a_wal(real: Real, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(owning, "ALONE_READS", 10)
    made = wal_owners.wal_owners

    def slow(*args: object, **options: object) -> object:
        cancel = options["cancel"]
        assert cancel.wait(20)  # type: ignore[attr-defined]
        return made(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(wal_owners, "wal_owners", slow)
    async with session(real.root) as ui:
        await go_to(ui)
        ui.app.browser.owning.choose(KEY, 2)
        await ui.pilot.pause()
        assert ui.app.browser.owning.looked(KEY).pending == "a job looks"
        ui.app.browser.owning.choose(KEY, 3)
        assert len(ui.app.runner.jobs) == 1
        await ui.until(lambda: any("a job looks into this file already" in toast for toast in ui.toasts))
        ui.app.cancel(ui.app.runner.jobs[0])
        await ui.idle()
        assert ui.app.runner.jobs[0].state is State.CANCELLED
        assert ui.app.browser.owning.looked(KEY).pending == "not looked up"
        assert left(tmp_path) == []


async def test_a_line_that_is_left_is_looked_up_when_it_is_come_back_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litetui.ops.states.default_scratch", lambda: str(tmp_path))
    root = real_replica(tmp_path, [ROWS, ROWS[2:]]).root
    async with session(root) as ui:
        for index in (0, 1, 0):
            ui.app.browser.tree_view.reveal(("index", GENERATION, index))
            await ui.pilot.pause()  # no longer than that
        await ui.idle()
        assert "users 6, sqlite_schema 1" in ui.screen_text


async def test_a_wal_that_grows_keeps_what_is_known(real: Real) -> None:
    whole = real.builder.folder / "wal/00000000.wal.lz4"
    data = real.wal
    whole.unlink()
    real.builder.whole(0, data[: real.ends[0][2]], plain=True)
    async with session(real.root) as ui:
        await go_to(ui)
        assert "users 6, sqlite_schema 1" in ui.screen_text
        real.builder.whole(0, data, plain=True)
        await ui.press("2", "f5")
        assert [cells(ui, n)[-1] != "" for n in range(5)] == [True] * 5


async def test_the_pages_of_an_ltx_file(real: Real, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "ltx-replica"
    ltx_replica(root, real.states[0])
    async with session(root) as ui:
        await go_to(ui, ("ltxfile", 0, 3, 3))
        await ui.press("2")
        assert [[cells(ui, n)[0], *cells(ui, n)[-2:]] for n in range(4)] == [
            ["1", "sqlite_schema", "schema"],
            ["2", "users", "table"],
            ["3", "users_name", "index"],
            ["4", "users", "overflow"],
        ]
        await ui.press("slash")
        await ui.type("users_name")
        await ui.press("enter")
        assert len(ui.app.browser.table.source) == 1
        monkeypatch.setattr(owning, "ALONE_LOOKS", 10)
        await ui.press("escape", "escape")
        await go_to(ui, ("ltxfile", 0, 4, 4))
        assert "enter on a page looks up whose they are: reads" in notes(ui)
        await ui.press("2", "enter")
        assert [job.state for job in ui.app.runner.jobs] == [State.DONE]
        assert {cells(ui, n)[-1] for n in range(4)} == {"schema", "table", "index", "freelist"}
        assert left(tmp_path) == []


def test_rows_for_a_program(real: Real, tmp_path: Path) -> None:
    replica = open_replica(real.root)
    frames = read_frames(replica, GENERATION, 0)
    owners = wal_owners.wal_owners(replica, frames, 2, 2, scratch=str(tmp_path))
    transactions, every = TransactionSource(frames, owners), FrameSource(frames, owners)
    assert transactions.record(2)["owners"] == {"users": 6, "sqlite_schema": 1, "users_name": 1}
    assert transactions.record(1)["owners"] is None
    assert every.record(6) | {"offset": 0} == {
        "frame": 6, "offset": 0, "page": 3, "commit": 0, "valid": True, "owner": "users_name", "kind": "index",
    }  # fmt: skip
    assert every.record(0)["owner"] is None
    pages = WrittenPageSource(frames, 2, owners)
    assert [pages.record(n)["page"] for n in range(8)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert pages.matching("overflow", CancelToken()).sum() == 5
    assert transactions.matching("users_name", CancelToken()).tolist() == [False, False, True, False, False]
    assert every.matching("commit", CancelToken()).sum() == 5


async def test_what_cannot_be_told_says_why(real: Real) -> None:
    for path in (real.builder.folder / "snapshots").iterdir():
        path.unlink()
    async with session(real.root) as ui:
        await go_to(ui)
        assert "whose pages they are cannot be told" in notes(ui)
        assert "no snapshot" in notes(ui)
        await ui.press("2", "enter")
        assert cells(ui, 0)[:3] == ["1", "", ""]


async def test_names_are_data_on_the_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litetui.ops.states.default_scratch", lambda: str(tmp_path))
    root = real_replica(tmp_path, [['create table "[/x]\x1b[31m" (a)']]).root
    async with session(root) as ui:
        await go_to(ui)
        await ui.press("2", "enter")
        assert "[/x]" in ui.screen_text
        assert "\x1b" not in ui.screen_text


@pytest.mark.parametrize("size", [(160, 45), (80, 24)])
async def test_why_a_frame_is_not_valid(real: Real, size: tuple[int, int]) -> None:
    data = bytearray(real.wal)
    at = 32 + 536 * 8
    data[at + 100] ^= 1
    real.builder.whole(0, bytes(data))
    async with session(real.root, size) as ui:
        await go_to(ui)
        await ui.press("2")
        text = notes(ui)
        found = bytes(data[at + 16 : at + 24]).hex(" ", 4)
        assert f"frame 8, offset {at}: it does not follow on the checksum of the frame before it" in text
        assert f"found {found}" in text
        assert "checksum expected" in text
        await ui.press("]")
        source = ui.app.browser.table.source
        assert isinstance(source, FrameSource)
        checked = [cells(ui, n)[4] for n in range(len(source))]
        assert ui.app.browser.headline.verdict[0] == "damaged in 00000000, seen 0 s ago: v says what restores"
        glyphs = {line.key[0]: line.glyph for line in ui.app.browser.tree_view.lines}
        assert (glyphs["generation"], glyphs["wals"], glyphs["index"]) == ("damaged",) * 3
        view = ui.app.browser.view
        assert view is not None
        entry, *_ = of_replica(view, SETTINGS.now_ns(), ui.app.browser.attention.beside())
        assert (entry.severity, entry.code, entry.where) == ("error", "wal-checksum", "00000000")
        assert placed(entry) == "00000000 frame 8: its checksum is wrong"
        assert helps(entry) == "v says what restores"
        assert checked[7:10] == ["valid", "bad checksum", "invalid"]
        assert cells(ui, 8)[-2:] == ["", ""]
        real.builder.whole(0, real.wal)  # what was seen was another file
        await ui.press("R")
        assert ui.app.browser.headline.verdict[0].startswith("names complete")


async def test_the_salts_of_another_wal(golden_copy: Golden) -> None:
    async with session(golden_copy("v03-dmg-wrong-salt-segment")) as ui:
        await go_to(ui, ("index", "37a3dbace36f1ae1", 2))
        assert "its salt-1 is that of index 00000001: a piece of that WAL stands here" in notes(ui)
        assert "salts expected f1c1b7fe 683c9229, found f1c1b7fd 3ccfffa0" in notes(ui)


async def test_a_frame_that_a_writer_may_be_at_is_no_damage(real: Real) -> None:
    (real.builder.folder / "wal/00000000.wal.lz4").unlink()
    real.builder.whole(0, real.wal[:-100], plain=True)
    async with session(real.root) as ui:
        await go_to(ui)
        assert "torn, or still being written" in notes(ui)
        shown = ui.app.browser.shown
        assert shown is not None
        assert "error" not in {status for _, status in shown.notes}


def test_pages_of_a_transaction_that_is_gone(real: Real) -> None:
    """A WAL that was written anew may have fewer."""
    frames = read_frames(open_replica(real.root), GENERATION, 0)
    assert len(WrittenPageSource(frames, 4)) == 2
    assert len(WrittenPageSource(frames, 5)) == 0
    assert len(TransactionSource(frames)) == 5


def test_of_a_wal_that_cannot_be_decoded_nothing_is_counted(golden_copy: Golden) -> None:
    path = golden_copy("v03-multi-gen")
    view = look(open_replica(path), NOW)
    one = view.generations[0]
    row = one.wals.rows_of(2)[0]
    (path / "generations" / one.name / "wal" / one.wals.name(row)).write_bytes(b"no LZ4 at all" * 9)
    frames = read_frames(open_replica(path), one.name, 2, Reporter(), CancelToken())
    assert frames.problem is not None
    shown = wal_detail(one, 2, lambda: NOW, frames, Looked())
    assert shown is not None
    cards = {card.label: card.value for card in shown.cards}
    assert [cards[name] for name in ("Transactions", "Frames", "Page size")] == ["not known"] * 3
    assert "Salts" not in cards
    assert [tab.label for tab in shown.tabs[:2]] == ["Transactions", "Frames"]
    assert all("not known" in tab.source.empty for tab in shown.tabs[:2] if tab.source is not None)
