"""The next steps after a validation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from litetui.ops import advice, validate
from litetui.ops.verdict import LiveCheck, Report
from litetui.primary import guard
from litetui.replica.detect import open_replica
from tests.build import GENERATION, SECOND, T0, compress, usual_history, write_replica

OLD = "00000000000000aa"


def damaged(root: Path, pattern: str = "wal/00000001_*") -> Report:
    """A replica of two indexes, of which one file is no LZ4 any more."""
    builder = write_replica(root, usual_history(2, 2))
    sorted(builder.folder.glob(pattern))[-1].write_bytes(compress(b"x")[:-1])
    return validate.run(validate.plan(open_replica(root)))


def running(monkeypatch: pytest.MonkeyPatch, *replicators: guard.Replicator) -> None:
    monkeypatch.setattr(guard, "look", lambda *_, **__: guard.Watch(replicators, "", "", None))


def test_a_sound_replica_needs_none(tmp_path: Path) -> None:
    write_replica(tmp_path / "r", usual_history(2, 2))
    assert validate.run(validate.plan(open_replica(tmp_path / "r"))).next_steps == ()


def test_first_a_copy_and_last_what_restores(tmp_path: Path) -> None:
    report = damaged(tmp_path / "r")
    copy, living, lost = report.next_steps
    assert f"cp -a {tmp_path}/r {tmp_path}/r.copy" in copy
    assert f"litetui snapshot DB {tmp_path}/r" in living
    assert f"--position {report.generations[0].restorable_to}" in lost


def test_an_older_generation_is_offered_where_the_newest_has_nothing(tmp_path: Path) -> None:
    write_replica(tmp_path / "r", usual_history(2, 2, seed=4), generation=OLD, start_ns=T0 - 1000 * SECOND)
    report = damaged(tmp_path / "r", "snapshots/*")
    assert report.default is not None
    assert (report.verdict, report.default.generation) == ("unrestorable", GENERATION)
    assert report.next_steps[-1].endswith(f"litetui restore {tmp_path}/r -o OUT --generation {OLD}")
    assert f"but {OLD} does, up to" in report.sentence()


def test_where_the_latest_restores_nothing_is_urgent(tmp_path: Path) -> None:
    history = usual_history(3, 2)
    builder = write_replica(tmp_path / "r", history, snapshots={i: history.states[i, 0] for i in (0, 2)})
    sorted(builder.folder.glob("wal/00000000_*"))[-1].write_bytes(b"")
    report = validate.run(validate.plan(open_replica(tmp_path / "r")))
    assert "the latest state restores" in report.next_steps[-1]


@pytest.mark.parametrize(
    ("replicator", "words"),
    [
        (None, "nothing replicates it, a snapshot saves its present state: litetui snapshot"),
        (
            guard.Replicator("litestream", "0.3.13", 812),
            "litestream 0.3.13 (pid 812) replicates it: stop it",
        ),
        (guard.Replicator("litestream", "0.5.17", 812), "another layout"),
        (guard.Replicator("litetui", "", 813), "press n in its terminal UI"),
    ],
)
def test_the_step_for_a_living_database_is_that_of_its_replicator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replicator: guard.Replicator | None, words: str
) -> None:
    running(monkeypatch, *([replicator] if replicator else []))
    (tmp_path / "app.db").write_bytes(b"")
    report = advice.advise(damaged(tmp_path / "r"), str(tmp_path / "app.db"))
    assert words in report.next_steps[1]
    if replicator is not None and replicator.version.startswith("0.3"):
        assert f"rm {tmp_path}/.app.db-litestream/generation" in report.next_steps[1]


def test_a_database_that_is_gone(tmp_path: Path) -> None:
    report = advice.advise(damaged(tmp_path / "r"), str(tmp_path / "app.db"))
    assert "is not there" in report.next_steps[1]


@pytest.mark.parametrize(
    ("status", "words"), [("unknown", "see who replicates"), ("mismatch", "the replica cannot be trusted")]
)
def test_after_a_comparison_with_the_live_database(
    tmp_path: Path, status: Literal["unknown", "mismatch"], words: str
) -> None:
    write_replica(tmp_path / "r", usual_history(2, 2))
    report = validate.run(validate.plan(open_replica(tmp_path / "r")))
    live = LiveCheck(str(tmp_path / "app.db"), status, report.generations[0].restorable_to, "words")
    compared = advice.advise(report.with_live(live))
    assert (compared.verdict, compared.exit_code) == (("unknown", 1) if status == "unknown" else ("damaged", 3))
    assert any(words in step for step in compared.next_steps)
    assert advice.advise(report.with_live(replace(live, status="ok"))).next_steps == ()
