"""What a generation may rest on: cases in which the last shadow frame is in place, and yet something is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from litetui.primary import database
from litetui.primary import shadow as shadows
from litetui.primary.meta import Meta
from litetui.primary.shadow import RealWAL, Shadow, Verdict
from tests.primary.rig import Rig
from tests.primary.rig import rig as make_rig
from tests.primary.sql import App

FRAME = 24 + 4096


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with make_rig(tmp_path, rows=1) as made:
        yield made


def power_loss(rig: Rig) -> None:
    """The application is gone, and a frame twenty before the end of its WAL never reached the disk."""
    rig.app("create table a (x)", "create table b (x)")
    for n in range(30):
        rig.app(f"insert into a values ('tail {n}')")
    rig.sync()
    rig.app.end()
    frames = (rig.wal.stat().st_size - 32) // FRAME
    with rig.wal.open("r+b") as file:
        file.seek(32 + (frames - 20) * FRAME)
        file.write(bytes(FRAME))
    rig.app = App(rig.db, wal=False)  # SQLite recovers up to the hole
    rig.app("pragma wal_autocheckpoint = 0")


def test_an_application_that_goes_on_from_a_hole(rig: Rig) -> None:
    power_loss(rig)
    for n in range(5):
        rig.app(f"insert into b values ('new {n}')")
    assert rig.sync().new_generation_reason == "wal overwritten by another process"
    rig.same()
    rig.app("insert into b values ('later')")
    assert rig.sync().new_generation_reason == ""
    rig.same()


def test_an_application_that_goes_on_from_a_hole_under_an_open_database(rig: Rig) -> None:
    power_loss(rig)
    with rig.open() as db:
        replica = rig.bind(db)
        for n in range(3):
            rig.app(f"insert into b values ('new {n}')")
            db.sync()
            replica.sync()
            rig.same()


def test_a_hole_and_a_restart_before_the_first_look(rig: Rig) -> None:
    power_loss(rig)
    for n in range(5):
        rig.app(f"insert into b values ('new {n}')")
    assert rig.app.checkpoint()[0] == 0
    rig.app("insert into b values ('after the restart')")
    assert rig.sync().new_generation_reason == "wal overwritten by another process"
    rig.same()


def test_the_old_wals_end_is_overwritten_between_the_look_and_the_copy(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.app("create table a (x)")
    for n in range(10):
        rig.app(f"insert into a values ({n})")
    rig.sync()
    for n in range(3):
        rig.app(f"insert into a values ('not synced {n}')")
    assert rig.app.checkpoint()[0] == 0
    rig.app("insert into a values ('the next WAL')")
    looked: list[Verdict] = []

    def verify(meta: Meta, shadow: Shadow, wal: RealWAL, *, complete: bool) -> Verdict:
        verdict = shadows.verify(meta, shadow, wal, complete=complete)
        if verdict.restarted and not looked:
            looked.append(verdict)
            for n in range(20):
                rig.app(f"insert into a values ('fast {n}')")
        return verdict

    monkeypatch.setattr(database, "verify", verify)
    result = rig.sync()
    assert looked
    assert result.new_generation_reason
    rig.same()
