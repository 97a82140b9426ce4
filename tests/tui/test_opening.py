"""Opening a replica: what was open stays until the other one is there, and nothing is left of one that did not come."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from litetui.errors import LitetuiError
from litetui.replica.file import FileReplica
from litetui.replica.ltx import LTXReplica
from litetui.tui import model, opening
from litetui.tui.screens.open import OpenDialog
from tests.tui.helpers import SETTINGS, session

Golden = Callable[[str], Path]
WATCHED = replace(SETTINGS, watch_s=60)


def watches() -> int:
    """How many inotify descriptors this process holds."""
    found = 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            found += "inotify" in os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue  # the descriptor that lists them
    return found


async def test_a_path_that_is_none_leaves_the_open_replica_as_it_is(golden: Golden) -> None:
    path = golden("v03-multi-gen")
    async with session(path) as ui:
        await ui.press("j", "j")
        key, before = ui.app.browser.shown_key, ui.app.replica
        ui.app.opening.open("/nonexistent/replica")
        await ui.idle()
        assert isinstance(ui.app.screen, OpenDialog)
        await ui.press("escape")
        assert ui.app.replica is before
        assert ui.app.path == str(path)
        assert ui.app.browser.shown_key == key
        assert "names complete to" in ui.screen_text


async def test_a_folder_of_any_name_can_be_opened(
    golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands for the demo is no path."""
    shutil.copytree(golden("v03-multi-gen"), tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    async with session("demo") as ui:
        assert ui.app.replica is not None
        assert not ui.app.runner.jobs
    assert "\0" in opening.DEMO


async def test_overtaken_and_failed_openings_leave_no_watch(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(golden("v03-multi-gen"))
    async with session(path, settings=WATCHED) as ui:
        before = watches()
        for _ in range(5):
            ui.app.opening.open(path)
        await ui.idle()
        await ui.until(lambda: watches() == before)

        def failing(*_: object) -> model.ReplicaView:
            raise LitetuiError("look", "it failed")

        monkeypatch.setattr(model, "look", failing)
        ui.app.opening.open(path)
        await ui.idle()
        assert isinstance(ui.app.screen, OpenDialog)
        await ui.until(lambda: watches() == before)


async def test_keys_say_that_a_replica_is_still_being_read(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, look = Event(), model.look

    def slow(replica: FileReplica | LTXReplica, now_ns: int, database: str | None) -> model.ReplicaView:
        go_on.wait(30)
        return look(replica, now_ns, database)

    monkeypatch.setattr(model, "look", slow)
    async with session(None) as ui:
        await ui.press("escape", "v")
        assert ui.toasts == ["no replica is open: press O"]
        ui.app.opening.open(str(golden("v03-multi-gen")))
        for key in ("r", "v", "s", "t", "y", "w"):
            await ui.pilot.press(key)
            assert ui.toasts == ["the replica is still being read"], key
        go_on.set()
        await ui.idle()
        await ui.press("v")
        assert not ui.app.screen.query("Toast")
        assert "Validate" in ui.screen_text


async def test_leaving_while_the_demo_is_made_removes_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    began, go_on = Event(), Event()

    def slow(self: opening.Opening, folder: str) -> tuple[str, str]:
        began.set()
        go_on.wait(30)
        raise LitetuiError("make the demo", "too late")

    monkeypatch.setattr(opening.Opening, "make_demo", slow)
    async with session(None) as ui:
        ui.app.opening.open(opening.DEMO)
        await ui.until(began.is_set)
        assert list(tmp_path.glob("litetui-demo-*"))
        ui.app.opening.demos.close()
        assert not list(tmp_path.glob("litetui-demo-*"))
        go_on.set()
