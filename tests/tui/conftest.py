"""The terminal UI in tests stands still: no animations, and output proposed in the test's own folder."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setattr("litetui.tui.attention.room.look_at_room", lambda _: None)  # the machine's own disk may be full
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", 0.005)  # it waits so long after each key, thrice
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
