"""The replica changes while one looks: what is new appears, and what one stands on stays."""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Event
from unittest.mock import patch

import pytest

from litetui.errors import ChangedError, LitetuiError
from litetui.replica import watch as watch_module
from litetui.replica.glance import Glance, glance, there
from litetui.replica.ltx import LTXReplica
from litetui.tui import bridge, opening, watching
from litetui.tui.sight import Sight, lines
from tests.build import GENERATION, T0, compress, usual_history, write_replica
from tests.tui.helpers import NOW, SETTINGS, Session, session
from tests.tui.ltx_files import make_replica

WATCHED = replace(SETTINGS, watch_s=0.05)
SECOND = 1_000_000_000


@pytest.fixture(autouse=True)
def news_are_shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_SECONDS", 0.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(write_replica(tmp_path / "replica", usual_history(), start_ns=NOW - 3600 * SECOND).root)


def add(root: Path, number: int, mtime_ns: int = NOW - SECOND) -> None:
    """A segment more, as Litestream writes it."""
    path = root / f"generations/{GENERATION}/wal/{number:08x}_00000000.wal.lz4"
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(compress(b"x"))
    os.utime(temporary, ns=(mtime_ns, mtime_ns))
    temporary.rename(path)


def wals(one: Session) -> int:
    """How many WAL files the view has."""
    view = one.app.browser.view
    assert view is not None
    return len(view.generations[0].wals)


def kind_of_file_system(kind: str) -> AbstractContextManager[object]:
    return patch.object(watch_module, "file_system", return_value=kind)


@pytest.mark.parametrize(("kind", "words"), [("ext4", "watching: inotify"), ("nfs4", "polling every 1 s (nfs4)")])
async def test_a_new_file_appears_and_the_cursor_stays(root: Path, kind: str, words: str) -> None:
    with kind_of_file_system(kind):
        async with session(root, size=(160, 40), settings=WATCHED) as one:
            assert words in one.screen_text
            browser = one.app.browser
            await one.press("2")
            assert browser.tab == "wal"
            await one.press("less_than_sign", "j", "j", "j")
            key, sorted_by, before = browser.table.key, browser.table.sorted_by, wals(one)
            assert sorted_by is not None
            add(root, 9)
            add(root, 10)
            await one.until(lambda: wals(one) == before + 2)
            await one.idle()
            assert (browser.table.key, browser.table.sorted_by) == (key, sorted_by)
            assert browser.table.row_count == before + 2
            assert browser.pane == "detail"


async def test_a_generation_that_comes_later_is_watched_too(root: Path) -> None:
    with kind_of_file_system("ext4"):
        async with session(root, settings=WATCHED) as one:
            write_replica(root, usual_history(1), generation="00112233445566ff", start_ns=NOW - 60 * SECOND)
            await one.until(lambda: one.app.browser.view and len(one.app.browser.view.generations) == 2)
            before = wals(one)
            path = root / "generations/00112233445566ff/wal/00000005_00000000.wal.lz4"
            path.write_bytes(compress(b"x"))
            await one.until(lambda: wals(one) == before + 1)


@pytest.mark.parametrize("kind", ["ext4", "nfs4"])
async def test_a_replica_that_vanishes_stays_in_sight_and_goes_on_when_it_is_back(root: Path, kind: str) -> None:
    with kind_of_file_system(kind):
        async with session(root, size=(160, 40), settings=WATCHED) as one:
            before, tree = wals(one), [line.key for line in one.app.browser.tree_view.lines]
            shutil.move(root, root.with_name("aside"))
            await one.until(lambda: one.app.browser.trouble is not None)
            await one.pilot.pause()
            assert "cannot read: the folder is gone" in one.screen_text
            assert [line.key for line in one.app.browser.tree_view.lines] == tree
            assert wals(one) == before
            shutil.move(root.with_name("aside"), root)
            await one.until(lambda: one.app.browser.trouble is None)
            await one.pilot.pause()
            assert "cannot read" not in one.screen_text.replace(one.app.browser.log_pane.book.lines[0].text, "")
            gone, back = one.app.browser.log_pane.book.lines
            assert (gone.level, gone.kind, back.level) == ("error", "watch", "info")
            assert "the folder is gone" in gone.text
            assert back.text == f"{root} can be read again"
            add(root, 9)
            await one.until(lambda: wals(one) == before + 1)


async def test_paused_it_does_not_look_until_it_is_asked(root: Path) -> None:
    with kind_of_file_system("ext4"):
        async with session(root, size=(160, 40), settings=WATCHED) as one:
            before = wals(one)
            await one.press("w")
            assert "paused at" in one.screen_text
            assert "inotify" not in one.screen_text
            assert one.app.watching._heard_fd is None
            add(root, 9)
            await one.idle()
            assert wals(one) == before
            await one.press("R")
            assert wals(one) == before + 1
            add(root, 10)
            await one.press("w")
            assert wals(one) == before + 2
            assert "watching: inotify" in one.screen_text


async def test_what_is_new_is_shown_even_if_the_first_look_at_it_fails(root: Path) -> None:
    async with session(root, settings=SETTINGS) as one:
        before = wals(one)
        add(root, 9)
        error = ChangedError("read", "it is not there any more")
        with patch("litetui.tui.model.look", side_effect=error):
            one.app.read_again()
            await one.idle()
            assert one.app.browser.trouble is error
        one.app.read_again()
        await one.idle()
        assert wals(one) == before + 1


async def test_looking_is_put_off_by_what_it_costs(root: Path) -> None:
    with kind_of_file_system("nfs4"):
        async with session(root, size=(160, 40), settings=replace(SETTINGS, watch_s=2.0)) as one:
            one.app.watching.looked(0.75)
            one.app.browser.tick()
            await one.pilot.pause()
            assert "polling every 15 s (nfs4)" in one.screen_text


async def test_another_replica_is_followed_instead(root: Path, tmp_path: Path) -> None:
    other = write_replica(tmp_path / "other", usual_history(1), start_ns=T0).root
    with kind_of_file_system("ext4"):
        async with session(root, settings=WATCHED) as one:
            first = one.app.watching._watch
            one.app.opening.open(str(other))
            await one.idle()
            assert first is not None
            assert first.fd is None
            before = wals(one)
            add(other, 9)
            await one.until(lambda: wals(one) == before + 1)
        assert one.app.watching._watch is None


async def test_the_names_of_a_big_replica_come_first(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before sizes and times are known: as many as there are, and how far the reading is."""
    seen: list[Sight] = []
    monkeypatch.setattr(opening, "WORTH", 1)
    async with session(None, size=(160, 40)) as one:
        await one.press("escape")
        browser = one.app.browser
        show = browser.show_glances

        def note(sight: Sight) -> None:
            seen.append(sight)
            show(sight)

        with patch.object(browser, "show_glances", note), patch.object(browser, "show_view") as full:
            one.app.opening.open(str(root))
            await one.idle()
        text = one.screen_text
        assert [one.counted for one in seen] == [False, True]
        assert f"{seen[1].glances[0].files} WAL files, 1 snapshot by their names" in text
        assert "reading sizes and times: " in text
        assert GENERATION in text
        assert "wal 3" in text
        show(seen[0])
        browser.tick()  # before that, if the names themselves take long
        await one.idle()
        assert f"reading names: {seen[0].storage.listed:,} so far" in one.screen_text
        assert GENERATION in one.screen_text
        await one.press("j", "j", "l", "enter")  # nothing there to open yet, and nothing breaks
        browser.show_view(full.call_args.args[0])
        await one.idle()
        assert "reading sizes" not in one.screen_text


async def test_a_reading_that_moves_is_waited_for_and_one_that_does_not_is_told_of(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A big replica on a slow disk takes longer than the ten seconds after which nothing that answers is suspect."""
    monkeypatch.setattr(bridge, "NO_ANSWER_SECONDS", 0.05)
    moved, answer = count(1), Event()
    done: list[int] = []
    async with session(None) as one:
        await one.press("escape")
        errors: list[LitetuiError] = []
        one.app.bridge.load(
            "x", lambda: answer.wait(30), lambda _: done.append(1), errors.append, path="/x", moved=lambda: next(moved)
        )
        await one.until(lambda: next(moved) > 8)
        assert errors == []
        monkeypatch.setattr(one.app.bridge._waiting["x"], "moved", lambda: 0)
        await one.until(lambda: errors)
        assert "no answer from /x" in str(errors[0])
        answer.set()
        await one.until(lambda: done)


async def test_no_answer_to_opening_leaves_the_screen_and_the_answer_still_counts(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "NO_ANSWER_SECONDS", 0.05)
    go_on = Event()
    first_look = opening.first_look
    monkeypatch.setattr(opening, "first_look", lambda *args: (go_on.wait(30), first_look(*args))[1])
    async with session(None, size=(160, 40)) as one:
        await one.press("escape")
        one.app.opening.open(str(root))
        await one.until(lambda: one.app.browser.trouble is not None)
        assert one.in_browser
        go_on.set()
        await one.idle()
        assert one.app.browser.trouble is None
        assert wals(one) > 0


def test_the_levels_of_a_big_v05_replica_come_first_too(tmp_path: Path) -> None:
    replica = LTXReplica(str(make_replica(tmp_path).root))
    (tmp_path / "replica" / "ltx" / "2").mkdir()
    begun = Sight([Glance(name) for name in there(replica)], replica.storage, counted=False)
    assert [(line.text, line.note) for line in lines("r", begun)][1:] == [(f"level {n}", "") for n in (0, 1, 2, 9)]
    told = Sight(glance(replica), replica.storage)
    assert [(line.text, line.note) for line in lines("r", told)][1:] == [
        ("level 0", "5"),
        ("level 1", "2"),
        ("level 9", "2"),
    ]
    assert told.words() == "9 files by their names\nreading sizes and times: 0 %"
