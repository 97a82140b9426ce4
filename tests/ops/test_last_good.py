"""The newest good state of all generations, and the errors that name another generation."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from litetui.errors import DamageError, NoSuchTargetError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.last_good import plan_anywhere
from litetui.ops.others import another, other_generation
from litetui.ops.plan import plan
from litetui.ops.restore import run
from litetui.ops.target import Target
from litetui.replica.detect import open_replica
from tests.build import GENERATION, SECOND, T0, usual_history, write_replica
from tests.conftest import Run

NEWEST = "b" * 16


def two_generations(root: Path) -> tuple[Path, Path]:
    """The replica, and the folder of the newest generation, which began after the other's 13 files."""
    write_replica(root, usual_history(seed=7))
    return root, write_replica(root, usual_history(), generation=NEWEST, start_ns=T0 + 100 * SECOND).folder


def no_snapshot(newest: Path) -> None:
    next((newest / "snapshots").iterdir()).unlink()


def damaged_snapshot(newest: Path) -> None:
    path = next((newest / "snapshots").iterdir())
    path.write_bytes(b"no snapshot at all")
    os.utime(path, ns=(T0 + 100 * SECOND, T0 + 100 * SECOND))


@pytest.mark.parametrize("harm", [no_snapshot, damaged_snapshot])
def test_the_generation_before_is_taken_and_said(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    root, newest = two_generations(tmp_path / "r")
    harm(newest)
    settled, passed = plan_anywhere(open_replica(root), (Reporter(), CancelToken()))
    assert settled.settled
    assert settled.generation == GENERATION
    assert settled.notes[0] == passed
    assert f"{GENERATION} is taken instead" in passed
    assert "to 2023-11-14T22:15:12Z, is not reached" in passed
    run(settled, str(tmp_path / "out.db"), integrity_check="none")
    assert (tmp_path / "out.db").read_bytes() == usual_history(seed=7).database


def test_the_newest_is_taken_where_a_part_of_it_is_good(tmp_path: Path) -> None:
    root, newest = two_generations(tmp_path / "r")
    next((newest / "wal").glob("00000001_00000000*")).unlink()
    settled, passed = plan_anywhere(open_replica(root), (Reporter(), CancelToken()))
    assert (settled.generation, settled.position.index, passed) == (NEWEST, 0, "")


def test_where_nothing_restores_the_newest_says_why(tmp_path: Path) -> None:
    root, newest = two_generations(tmp_path / "r")
    for folder in (newest, newest.parent / GENERATION):
        no_snapshot(folder)
    with pytest.raises(DamageError, match=f"{NEWEST} has no snapshot"):
        plan_anywhere(open_replica(root))


@pytest.mark.parametrize("last_good", [True, False])
@pytest.mark.parametrize("harm", [no_snapshot, damaged_snapshot])
def test_the_command_line_names_the_command_that_works(
    cli: Run, tmp_path: Path, harm: Callable[[Path], None], last_good: bool
) -> None:
    """It never falls back by itself."""
    root, newest = two_generations(tmp_path / "r")
    harm(newest)
    next((root / "generations" / GENERATION / "wal").glob("00000002_00000000*")).unlink()
    out = tmp_path / "out.db"
    code, _, err = cli("restore", root, "-o", out, "--integrity-check", "none", *["--to-last-good"] * last_good)
    assert code == 1
    assert not out.exists()
    command = re.search(rf"litetui (restore \S+ -o OUT --generation {GENERATION} --to-last-good)", err)
    assert command is not None, err
    args = [str(out) if word == "OUT" else word for word in command[1].split()]
    assert cli(*args, "--integrity-check", "none")[0] == 0
    history = usual_history(seed=7)
    assert out.read_bytes() == history.states[1, history.ends(1)[-1]]


def test_a_time_that_another_generation_holds(tmp_path: Path) -> None:
    root, newest = two_generations(tmp_path / "r")
    replica = open_replica(root)
    at = T0 + 3 * SECOND
    assert plan(replica, Target(timestamp_ns=at)).generation == GENERATION
    with pytest.raises(NoSuchTargetError) as caught:
        plan(replica, Target(NEWEST, timestamp_ns=at))
    assert f"{NEWEST} does not hold 2023-11-14T22:13:23Z: it begins at" in caught.value.cause
    assert caught.value.hint == (
        f"the nearest restore point: --generation {NEWEST} --timestamp 2023-11-14T22:15:00Z; "
        f"{GENERATION} holds that time: --generation {GENERATION} --timestamp 2023-11-14T22:13:23Z"
    )
    no_snapshot(newest)
    with pytest.raises(NoSuchTargetError) as caught:  # between both: no state of the newest can be named
        plan(open_replica(root), Target(timestamp_ns=T0 + 60 * SECOND))
    assert caught.value.hint == "the nearest restore point: --timestamp 2023-11-14T22:13:32Z"


def test_a_generation_of_which_nothing_restores_is_not_proposed(tmp_path: Path) -> None:
    """The newest without a snapshot, the next with an empty one, the oldest whole."""
    root, newest = two_generations(tmp_path / "r")
    no_snapshot(newest)
    middle = write_replica(root, usual_history(), generation="a" * 16, start_ns=T0 + 50 * SECOND).folder
    empty = next((middle / "snapshots").iterdir())
    empty.write_bytes(b"")
    os.utime(empty, ns=(T0 + 50 * SECOND, T0 + 50 * SECOND))
    replica = open_replica(root)
    assert replica.generations() == [NEWEST, "a" * 16, GENERATION]
    assert another(replica, NEWEST) == (GENERATION, True)
    found, passed = plan_anywhere(replica)
    assert (found.generation, found.fault) == (GENERATION, None)
    assert f"{GENERATION} is taken instead" in passed
    next((root / "generations" / GENERATION / "wal").glob("00000001_00000000*")).unlink()
    replica = open_replica(root)
    assert another(replica, NEWEST) == (GENERATION, False)
    hint = other_generation(replica, NEWEST)
    assert "restores to 2023-11-14T22:13:24Z" in hint
    assert hint.endswith(f"--generation {GENERATION} --to-last-good")
    assert another(replica, GENERATION) is None
