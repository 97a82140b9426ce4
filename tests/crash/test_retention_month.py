"""A month of a database, with a retention every few days, and a retention that is killed.

Whatever happens, every target in the window gives the same bytes as before, and the latest state restores with real
Litestream 0.3.13 too. 16 kills; LITETUI_RETENTION_KILLS=200 pytest tests/crash/test_retention_month.py -rP does 200 and
reports.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from litetui.ops import retention
from litetui.ops.restore import plan as restore_plan
from litetui.ops.restore import run as restore_run
from litetui.ops.target import Target
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from litetui.replica.live import Layout
from tests.crash.helpers import FORKS
from tests.crash.victim import LAYOUTS
from tests.retained import DAY, HOUR, month, same_states, states, targets
from tests.test_oracle import real, theirs

KILLS = -(-int(os.environ.get("LITETUI_RETENTION_KILLS", "16")) // len(LAYOUTS))
SAMPLE = 8  # targets that are restored after each kill
RETENTION = 2 * DAY


def latest(root: Path) -> bytes:
    out = root.parent / "latest.db"
    out.unlink(missing_ok=True)
    restore_run(restore_plan(open_replica(root), Target()), str(out), integrity_check="full")
    return out.read_bytes()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_month(tmp_path: Path, layout: Layout) -> None:
    with month(tmp_path, layout, 0) as made:
        root, deleted, snapshots = made.rig.root, 0, 0
        for day in range(28):
            made.day()
            if day in (9, 17):
                made.new_generation()
            if day % 4 != 3:
                continue
            plan = made.plan(RETENTION)
            before = states(root, targets(root, plan.cutoff_ns, plan.now_ns))
            done = retention.run(plan, live=made.replica)
            made.now += HOUR
            made.date()
            if done.snapshot is not None:
                before.pop(Target())  # the sync before it has brought what was committed since
            assert len(done.deleted) == len(plan.delete)
            deleted += len(done.deleted)
            snapshots += done.snapshot is not None
            same_states(root, before)
            assert not made.plan(RETENTION).delete
        assert deleted > 20
        assert snapshots > 0
        assert len(open_replica(root).generations()) == 1, "the ended ones are gone, with their folders"
        assert sorted(p.name for p in (root / "generations").iterdir()) == open_replica(root).generations()
        if layout == "segments":
            assert theirs("0_3", root, tmp_path / "0.3.db") == latest(root)


def _enforce(root: str, now_ns: int, at: int, told: Connection) -> None:
    """Enforce it, and die at the unlink number `at`, before or after it; or be killed from outside (-1)."""
    unlink, count = os.unlink, 0

    def counted(path: str, *, dir_fd: int | None = None) -> None:
        nonlocal count
        count += 1
        if count == at // 2 and at % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        unlink(path, dir_fd=dir_fd)
        if count == at // 2:
            os.kill(os.getpid(), signal.SIGKILL)

    os.unlink = counted  # type: ignore[assignment]
    plan = retention.plan(FileReplica(root), RETENTION, now_ns=now_ns)
    told.send(len(plan.delete))
    retention.run(plan)
    os._exit(0)


def kill(root: Path, now_ns: int, rng: random.Random, files: int) -> str:
    ours, its = FORKS.Pipe(duplex=False)
    by_number = rng.random() < 0.7
    at = rng.randrange(2, 2 * files + 2) if by_number else -1
    process = FORKS.Process(target=_enforce, args=(str(root), now_ns, at, its), daemon=True)
    process.start()
    its.close()
    assert ours.recv() == files
    if not by_number:
        process.join(rng.uniform(0, 0.02))
        process.kill()
    process.join(60)
    assert process.exitcode in ((-9,) if by_number else (-9, 0))
    return "at an unlink" if by_number else "at a moment" if process.exitcode else "at its end"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_killed_while_it_deletes(tmp_path: Path, layout: Layout) -> None:
    binary = real("0_3") if layout == "segments" else ""
    rng, tally = random.Random(f"kills {layout}"), Counter[str]()
    with month(tmp_path, layout, 1) as made:
        for day in range(14):
            made.day(syncs=6)
            if day == 4:
                made.new_generation()
        root, now, original = made.rig.root, made.now, tmp_path / "original"
        plan = made.plan(RETENTION, database=False)
    assert len(plan.delete) > 10
    assert len({i.generation for i in plan.delete}) == 2
    root.rename(original)
    before = states(original, targets(original, plan.cutoff_ns, now))
    newest = latest(original)
    for number in range(KILLS):
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(original, root)
        tally[kill(root, now, rng, len(plan.delete))] += 1
        left = plan.delete[:]
        there = [item for item in left if (root / item.path).exists()]
        tally["half deleted"] += 0 < len(there) < len(left)
        try:
            same_states(root, dict(rng.sample(list(before.items()), min(SAMPLE, len(before)))))
            assert latest(root) == newest
            if binary:
                assert theirs("0_3", root, tmp_path / "0.3.db") == newest
            again = retention.plan(FileReplica(root), RETENTION, now_ns=now)
            assert sorted(i.path for i in again.delete) == sorted(i.path for i in there)
            retention.run(again)
            assert not [item for item in left if (root / item.path).exists()]
            same_states(root, dict(rng.sample(list(before.items()), min(SAMPLE, len(before)))))
        except (AssertionError, subprocess.CalledProcessError) as error:
            error.add_note(f"kill {number}, {layout}, {tally}, {len(there)} of {len(left)} files left")
            raise
    assert tally["half deleted"] > 0
    print(layout, dict(tally), f"{len(before)} targets, {len(plan.delete)} files")
