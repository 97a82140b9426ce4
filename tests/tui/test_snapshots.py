"""Pictures of the app, compared: what a change of layout or colour does is seen before it is taken.

A picture that changed on purpose is taken anew with `pytest tests/tui/test_snapshots.py --snapshot-update`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from litetui.ops import drill
from litetui.ops.retention import planning
from litetui.replica import detect
from litetui.replica.file import FileReplica
from litetui.replica.ltx import LTXReplica
from litetui.tui import preview
from litetui.tui.app import LitetuiApp
from litetui.tui.screens import restore
from litetui.tui.screens.write import WriteDialog
from litetui.tui.work import write_plan
from tests.tui.fakes import DATABASE, attached, new_generation_plan
from tests.tui.helpers import SETTINGS, Session
from tests.tui.ltx_files import make_replica

Golden = Callable[[str], Path]
SnapCompare = Callable[..., bool]


def before(app: LitetuiApp, *keys: str, theme: str = "textual-dark") -> Callable[[Pilot[Any]], Awaitable[None]]:
    """What is done before the picture is taken."""

    async def run(pilot: Pilot[Any]) -> None:
        ui = Session(app, pilot)
        app.theme = theme
        await ui.idle()
        await ui.press(*keys)
        for field in app.screen.query(Input):
            field.cursor_blink = False
        await ui.still()

    return run


@pytest.fixture
def opened(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> Callable[..., LitetuiApp]:
    """An app on a golden replica, whose path is the same wherever the tests run."""

    def make(name: str, *, ascii: bool = False, database: str | None = None) -> LitetuiApp:
        real_find = detect._find

        def find_under_another_name(path: str) -> FileReplica:
            replica = real_find(path)
            replica.path = "/var/lib/replica"  # what is shown; the bytes lie where its storage knows
            return replica

        monkeypatch.setattr(detect, "_find", find_under_another_name)
        monkeypatch.setattr(restore, "propose_output", lambda _: "/var/tmp/app-restored.db")
        monkeypatch.setattr(preview, "_free", lambda _: 38_000_000_000)
        monkeypatch.setattr(drill, "free_bytes", lambda _: 38_000_000_000)
        monkeypatch.setattr(drill, "default_scratch", lambda: "/var/tmp")
        monkeypatch.setattr(planning, "free_bytes", lambda _: 38_000_000_000)
        return LitetuiApp(str(golden(name)), replace(SETTINGS, ascii=ascii), database)

    return make


WAL = ("j", "j", "j", "l", "j", "j")


@pytest.mark.parametrize(
    ("picture", "keys", "size", "theme"),
    [
        ("browser", (), (160, 45), "textual-dark"),
        ("generation", ("j",), (120, 36), "textual-dark"),
        ("transactions", WAL, (120, 36), "textual-dark"),
        ("light", (*WAL, "2", "right_square_bracket"), (100, 30), "textual-light"),
        ("restore", ("r", "enter"), (120, 36), "textual-dark"),
        ("narrow", ("j", "2"), (80, 24), "textual-dark"),
        ("narrow-restore", ("r", "enter"), (80, 24), "textual-dark"),
        ("help", ("question_mark",), (100, 30), "textual-dark"),
    ],
)
def test_picture(
    snap_compare: SnapCompare,
    opened: Callable[..., LitetuiApp],
    picture: str,
    keys: tuple[str, ...],
    size: tuple[int, int],
    theme: str,
) -> None:
    app = opened("v03-multi-gen")
    assert snap_compare(app, terminal_size=size, run_before=before(app, *keys, theme=theme))


NEWEST = "37a3dbace36f1ae1"


def test_picture_of_a_plan(snap_compare: SnapCompare, opened: Callable[..., LitetuiApp]) -> None:
    app = opened("v03-multi-gen", database=DATABASE)

    async def run(pilot: Pilot[Any]) -> None:
        ui = Session(app, pilot)
        await ui.idle()
        app.push_screen(WriteDialog(write_plan.sync_plan(new_generation_plan("/var/lib/replica"))))
        await ui.idle()

    with attached(NEWEST):
        assert snap_compare(app, terminal_size=(100, 30), run_before=run)


def test_picture_of_damage(snap_compare: SnapCompare, opened: Callable[..., LitetuiApp]) -> None:
    app = opened("v03-dmg-gap-middle-index")
    assert snap_compare(app, terminal_size=(120, 36), run_before=before(app))


@pytest.mark.parametrize(
    ("fixture", "keys", "size"),
    [
        ("v03-multi-gen", ("j", "v", "right"), (120, 36)),
        ("v03-dmg-flip-byte-segment", ("v", "enter"), (120, 36)),
        ("v03-dmg-flip-byte-segment", ("v", "enter", "escape", "escape", "tab", "left", "left"), (140, 36)),
        ("v03-retention", ("t", "ctrl+u", *"14m38s", "enter"), (120, 36)),
        ("v03-retention", ("t", "ctrl+u", *"14m38s", "enter"), (80, 24)),
    ],
    ids=["validate", "report", "timeline", "retention", "narrow-retention"],
)
def test_picture_of_checking_and_cleaning(
    snap_compare: SnapCompare,
    opened: Callable[..., LitetuiApp],
    fixture: str,
    keys: tuple[str, ...],
    size: tuple[int, int],
) -> None:
    app = opened(fixture)
    assert snap_compare(app, terminal_size=size, run_before=before(app, *keys))


def test_picture_in_ascii(snap_compare: SnapCompare, opened: Callable[..., LitetuiApp]) -> None:
    app = opened("v03-multi-gen", ascii=True)
    assert snap_compare(app, terminal_size=(100, 30), run_before=before(app, *WAL))


def test_picture_of_a_v05_replica(snap_compare: SnapCompare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_replica(tmp_path)
    real_open = detect.open_any

    def open_under_another_name(path: str, *, listed: bool = True) -> FileReplica | LTXReplica:
        replica = real_open(path, listed=listed)
        replica.path = "/var/lib/replica"
        return replica

    monkeypatch.setattr(detect, "open_any", open_under_another_name)
    app = LitetuiApp(str(made.root), SETTINGS)
    keys = ("2", "j", "j", "enter", "enter")
    assert snap_compare(app, terminal_size=(120, 36), run_before=before(app, *keys))
