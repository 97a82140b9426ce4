"""What names alone tell of a replica. Nothing here opens a file's content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from litetui.ops.survey import Survey, survey
from litetui.replica.detect import open_replica
from litetui.replica.storage import LocalStorage
from tests.build import GENERATION, SECOND, T0, Builder, usual_history, write_replica


def look(root: Path) -> Survey:
    return survey(open_replica(root), T0 + 60 * SECOND)


def codes(found: Survey) -> list[tuple[str, str]]:
    return [(f.severity, f.code) for f in found.findings]


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    history = usual_history()
    snapshots = {0: history.states[0, 0], 1: history.states[1, 0]}
    return write_replica(tmp_path / "r", history, snapshots=snapshots)


def gone(builder: Builder, pattern: str) -> None:
    found = list((builder.folder / "wal").glob(pattern))
    assert found
    for path in found:
        path.unlink()


def test_a_sound_replica_has_no_findings(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalStorage, "open", lambda *_: pytest.fail("a file was opened"))
    found = look(builder.root)
    assert found.findings == ()
    (generation,) = found.generations
    assert generation.restorable
    assert (generation.first_index, generation.last_index) == (0, 2)


def test_an_index_that_is_missing(builder: Builder) -> None:
    gone(builder, "00000001_*")
    found = look(builder.root)
    assert codes(found) == [("error", "missing-wal")]
    assert not found.generations[0].restorable
    assert "00000001" in found.generations[0].why_not


def test_an_index_that_only_old_states_need(builder: Builder) -> None:
    gone(builder, "00000000_*")
    found = look(builder.root)
    assert found.generations[0].restorable
    assert {s for s, _ in codes(found)} <= {"warning"}


def test_a_first_segment_that_is_missing(builder: Builder) -> None:
    gone(builder, "00000002_00000000.wal.lz4")
    found = look(builder.root)
    assert codes(found) == [("error", "missing-segment")]
    assert not found.generations[0].restorable


def test_wals_before_the_first_snapshot(builder: Builder) -> None:
    (builder.folder / "snapshots/00000000.snapshot.lz4").unlink()
    found = look(builder.root)
    assert codes(found) == [("warning", "orphan-wal")]
    assert found.generations[0].restorable


def test_no_snapshot(builder: Builder) -> None:
    for path in (builder.folder / "snapshots").iterdir():
        path.unlink()
    found = look(builder.root)
    assert ("error", "no-snapshot") in codes(found)
    assert not found.generations[0].restorable


def test_empty_files(builder: Builder, tmp_path: Path) -> None:
    builder.put("wal/00000002_00000000.wal.lz4", b"", T0 + 20 * SECOND)
    assert ("error", "empty-file") in codes(look(builder.root))
    whole = write_replica(tmp_path / "whole", usual_history(), layout="whole")
    whole.whole(2, b"", plain=True)
    assert codes(look(whole.root)) == [("info", "empty-file")], "a newest .wal may have just begun"


def test_times_that_run_backwards(builder: Builder) -> None:
    for path in (builder.folder / "wal").glob("00000001_*"):
        os.utime(path, ns=(T0 - SECOND, T0 - SECOND))
    assert codes(look(builder.root)) == [("warning", "time-order")]


def test_findings_come_worst_first(builder: Builder) -> None:
    builder.put("wal/readme.txt", b"x")
    builder.put("wal/00000009_00000000.wal.lz4.tmp", b"x")
    gone(builder, "00000001_*")
    severities = [s for s, _ in codes(look(builder.root))]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert severities[0] == "error"
    assert GENERATION in look(builder.root).findings[0].message
