"""Retention by its rules: what goes, what stays and why, in which order, and what stops it."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from litetui.errors import Cancelled, OutputError, PrimaryError, UsageError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import compare, retention, sync
from litetui.ops.retention import RetentionPlan, Rule, execution, planning
from litetui.ops.retention.basis import Basis
from litetui.ops.retention.items import Group
from litetui.ops.target import Target
from litetui.primary import guard
from litetui.replica.file import FileReplica
from litetui.replica.writer import ReplicaWriter
from tests.build import GENERATION, SECOND, T0, Builder, History, compress, usual_history, write_replica
from tests.ops.helpers import restore
from tests.primary.rig import Rig
from tests.primary.rig import rig as make_rig
from tests.retained import same_states, states, targets

HOUR, DAY = 3600 * SECOND, 24 * 3600 * SECOND
OLD, OTHER = "0000000000000001", "ffffffffffffffff"


def made(root: Path, *, layout: str = "segments", at: tuple[int, ...] = (0, 2, 4), indexes: int = 6) -> History:
    """A generation with snapshots at these indexes; files are a second apart, from T0 on."""
    history = usual_history(indexes, 3)
    snapshots = {index: history.states[index, 0] for index in at}
    write_replica(root, history, layout=layout, snapshots=snapshots)
    return history


def planned(
    root: Path, retention_s: float, *, now_s: float = 1000.0, rule: Rule = "window", database: Path | None = None
) -> RetentionPlan:
    now = T0 + round(now_s * SECOND)
    db = str(database) if database else None
    return retention.plan(FileReplica(root), round(retention_s * SECOND), now_ns=now, rule=rule, database=db)


def since(root: Path, second: float, *, rule: Rule = "window") -> RetentionPlan:
    """A plan whose window begins at that second."""
    return planned(root, 1000 - second, rule=rule)


def time_of(root: Path, pattern: str) -> float:
    """When the file was written, in seconds."""
    (path,) = root.rglob(pattern)
    return (path.stat().st_mtime_ns - T0) / SECOND


def names(items: retention.Items) -> list[str]:
    return [item.path.rpartition("/")[2].partition(".")[0] for item in items]


def files(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}


# ---- the rule `window`


@pytest.mark.parametrize("layout", ["segments", "wal"])
def test_what_the_window_needs_stays(tmp_path: Path, layout: str) -> None:
    """Wherever the window begins, each of its states gives the same bytes afterwards, and there is no more to do."""
    root = tmp_path / "r"
    made(root, layout=layout)
    seconds = round(time_of(root, "00000005*.wal") if layout == "wal" else time_of(root, "00000005_00000000*"))
    seen = set()
    for half in range(-1, 2 * seconds + 4, 2 if layout == "wal" else 5):
        shutil.rmtree(root)
        made(root, layout=layout)
        plan = since(root, half / 2)
        before = states(root, targets(root, plan.cutoff_ns, plan.now_ns))
        done = retention.run(plan)
        assert list(done.deleted) == list(plan.delete)
        assert done.bytes_freed == plan.bytes_freed == sum(i.size for i in plan.delete)
        assert files(root) == {i.path for i in plan.keep}
        same_states(root, before)
        assert not since(root, half / 2).delete
        seen.add(len(plan.delete))
    assert len(seen) == 3, "nothing, what is before snapshot 2, what is before snapshot 4"


def test_the_base_is_the_newest_snapshot_at_or_before_the_start(tmp_path: Path) -> None:
    made(tmp_path)
    second = time_of(tmp_path, "00000004.snapshot.lz4")
    plan = since(tmp_path, second)
    assert {i.index for i in plan.delete} == {0, 1, 2, 3}
    assert {i.index for i in plan.keep} == {4, 5}
    assert {i.index for i in since(tmp_path, second - 0.001).delete} == {0, 1}
    assert plan.rests_on[0].index == 4
    assert plan.window_before is not None
    assert plan.window_after is not None
    assert plan.window_before.start_ns == T0
    assert plan.window_after.start_ns == plan.cutoff_ns
    assert plan.window_before.end_ns == plan.window_after.end_ns
    assert {i.reason for i in plan.delete} == {"older than snapshot 00000004 of 2023-11-14T22:13:34Z"}
    assert plan.command() == f"litetui retention {tmp_path} --retention 16m26s"


def test_without_an_old_snapshot_all_stays(tmp_path: Path) -> None:
    made(tmp_path)
    plan = since(tmp_path, -1)
    assert not plan.delete
    assert len(plan.keep) == len(files(tmp_path))
    assert "all of it stays" in plan.keep[0].reason


def test_nothing_rests_on_damage(tmp_path: Path) -> None:
    """Neither on a snapshot that is not sound, nor on one whose own WAL is not."""
    for broken, expected in (
        ("00000004.snapshot.lz4", {0, 1}),
        ("00000004_*[1-9]*.wal.lz4", {0, 1}),
        ("00000002_00000000.wal.lz4", {0, 1, 2, 3}),
    ):
        root = tmp_path / f"at {expected} {broken[:9]}"
        made(root)
        path = sorted(root.rglob(broken))[0]
        info = path.stat()
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        os.utime(path, ns=(info.st_mtime_ns, info.st_mtime_ns))
        plan = since(root, 100)
        assert {i.index for i in plan.delete} == expected, broken
        assert bool([n for n in plan.notes if f"nothing rests on snapshot {GENERATION}/00000004: " in n]) == (
            expected == {0, 1}
        )


def test_nothing_rests_on_a_snapshot_whose_wal_is_missing(tmp_path: Path) -> None:
    made(tmp_path)
    for path in tmp_path.rglob("00000004_*"):
        path.unlink()
    assert {i.index for i in since(tmp_path, 100).delete} == {0, 1}


def test_nothing_rests_on_a_snapshot_that_is_ahead_of_the_window(tmp_path: Path) -> None:
    """A snapshot that holds frames of segments which were written later than the window's start."""
    history = usual_history(4)
    end = history.ends(2)[-1]
    ahead = {0: history.states[0, 0], 2: history.states[2, end]}
    write_replica(tmp_path, history, snapshots=ahead)
    plan = since(tmp_path, time_of(tmp_path, "00000002.snapshot.lz4"))
    assert not plan.delete
    assert "holds transactions from after states of the window" in " ".join(plan.notes)
    later = since(tmp_path, time_of(tmp_path, "00000003_00000000*"))
    assert {i.index for i in later.delete} == {0, 1}


def test_what_is_young_but_comes_before_stays(tmp_path: Path) -> None:
    """Times that run backwards: a touched file, and a replica that was copied without its times."""
    made(tmp_path)
    path = next(iter(tmp_path.rglob("00000001_00000000*")))
    os.utime(path, ns=(T0 + 900 * SECOND, T0 + 900 * SECOND))
    plan = since(tmp_path, 100)
    assert not plan.delete
    assert "files of earlier indexes are younger" in " ".join(plan.notes)
    for each in tmp_path.rglob("*.lz4"):
        os.utime(each, ns=(T0 + 900 * SECOND, T0 + 900 * SECOND))
    assert not since(tmp_path, 100).delete


def test_a_snapshot_from_the_future_is_no_base(tmp_path: Path) -> None:
    made(tmp_path)
    path = next(iter(tmp_path.rglob("00000004.snapshot*")))
    os.utime(path, ns=(T0 + 5000 * SECOND, T0 + 5000 * SECOND))
    assert {i.index for i in since(tmp_path, 100).delete} == {0, 1}


def test_leftovers_that_no_snapshot_leads_to_go(tmp_path: Path) -> None:
    """Also where nothing else does; but only whole indexes, and none that has something young."""
    made(tmp_path, at=(3,), indexes=5)
    Builder(tmp_path, now=T0 - 50 * SECOND).segment(1, 0, b"left")
    Builder(tmp_path, now=T0 - 40 * SECOND).segment(2, 0, b"left")
    plan = since(tmp_path, -10)
    assert [(i.index, i.reason) for i in plan.delete] == [(n, "no snapshot leads to it") for n in (1, 2)]
    Builder(tmp_path, now=T0 - 5 * SECOND).segment(1, 40, b"young")
    assert not since(tmp_path, -10).delete


@pytest.mark.parametrize("rule", ["window", "litestream"])
def test_wals_without_a_snapshot_stay_in_the_newest_generation(tmp_path: Path, rule: Rule) -> None:
    history = usual_history(2)
    write_replica(tmp_path, history, snapshots={})
    for path in tmp_path.rglob("*.snapshot.lz4"):
        path.unlink()
    builder = Builder(tmp_path)
    builder.segments(0, bytes(history.wals[0]), history.ends(0))
    plan = since(tmp_path, 500, rule=rule)
    assert plan.keep
    assert not plan.delete
    assert plan.window_before is None


# ---- generations that have ended


def two_generations(root: Path, *, gap_s: int = 100) -> None:
    write_replica(root, usual_history(2), generation=OLD)
    write_replica(root, usual_history(2), start_ns=T0 + gap_s * SECOND)


def test_an_ended_generation_goes_if_a_newer_one_leads_on(tmp_path: Path) -> None:
    two_generations(tmp_path)
    assert not since(tmp_path, 99.9).delete, "the state of the window's start is the old one's last"
    plan = since(tmp_path, 100)
    assert {i.generation for i in plan.delete} == {OLD}
    assert plan.emptied == (OLD,)
    assert f"{GENERATION} leads on" in plan.delete[0].reason
    before = states(tmp_path, targets(tmp_path, plan.cutoff_ns, plan.now_ns))
    retention.run(plan)
    same_states(tmp_path, before)
    assert [p.name for p in (tmp_path / "generations").iterdir()] == [GENERATION]


def test_an_ended_generation_stays_while_its_heir_cannot_be_restored(tmp_path: Path) -> None:
    two_generations(tmp_path)
    wal = tmp_path / "generations" / GENERATION / "wal"
    (moved,) = wal.glob("00000001_00000000*")
    moved.rename(tmp_path / "moved")
    assert not since(tmp_path, 200).delete
    (tmp_path / "moved").rename(moved)
    snapshot = next((tmp_path / "generations" / GENERATION / "snapshots").iterdir())
    info, data = snapshot.stat(), snapshot.read_bytes()
    snapshot.write_bytes(data[:-9])
    os.utime(snapshot, ns=(info.st_mtime_ns, info.st_mtime_ns))
    assert not since(tmp_path, 200).delete
    snapshot.write_bytes(data)
    os.utime(snapshot, ns=(info.st_mtime_ns, info.st_mtime_ns))
    assert since(tmp_path, 200).delete


def test_the_last_of_several_ended_generations_stays(tmp_path: Path) -> None:
    two_generations(tmp_path)
    plan = planned(tmp_path, 1, now_s=9000)
    assert {i.generation for i in plan.keep} == {GENERATION}
    assert plan.window_after is not None


@pytest.mark.parametrize("rule", ["window", "litestream"])
def test_the_state_before_a_sudden_shrink_stays(tmp_path: Path, rule: Rule) -> None:
    big = History(pages=2 * compare.FEWEST_PAGES)
    big.commit(1, 2)
    write_replica(tmp_path, big, generation=OLD)
    small = History(pages=2)
    small.commit(1)
    write_replica(tmp_path, small, start_ns=T0 + 100 * SECOND)
    plan = since(tmp_path, 200, rule=rule)
    assert not plan.delete
    (warning,) = plan.warnings
    assert f"generation {OLD} stays" in warning
    assert "may have come up with an empty database" in warning
    assert "before the database suddenly shrank" in {i.generation: i.reason for i in plan.keep}[OLD]


def test_what_cannot_be_listed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_generations(tmp_path)
    folder = tmp_path / "generations" / OLD / "wal"
    os.symlink("nowhere", folder / "00000007_00000000.wal.lz4")
    plan = since(tmp_path, 200)
    assert not plan.delete
    assert "cannot be read completely" in {i.generation: i.reason for i in plan.keep}[OLD]


# ---- foreign files, and other writers


def test_foreign_files_stay(tmp_path: Path) -> None:
    two_generations(tmp_path)
    foreign = ["wal/notes.txt", "snapshots/00000000.snapshot.lz4.tmp", "wal/0000000.wal.lz4", "mine"]
    for name in foreign:
        Builder(tmp_path, OLD).put(name, b"foreign", T0)
    (tmp_path / "generations" / "hello").mkdir()
    retention.run(since(tmp_path, 200))
    left = {p for p in files(tmp_path) if OLD in p}
    assert left == {f"generations/{OLD}/{name}" for name in foreign}
    assert (tmp_path / "generations" / "hello").is_dir()


def test_a_writer_at_work_is_named(tmp_path: Path) -> None:
    made(tmp_path)
    words = "another process writes this replica right now"
    last = time_of(tmp_path, "00000005_00000000*") + 3
    assert words in " ".join(planned(tmp_path, 5, now_s=last + 5).notes)
    assert words not in " ".join(planned(tmp_path, 5, now_s=last + 11).notes)
    Builder(tmp_path).put("snapshots/00000009.snapshot.lz4.tmp", b"", T0 + 995 * SECOND)
    assert words in " ".join(planned(tmp_path, 5).notes)


def test_another_litetui_that_writes_is_not_disturbed(tmp_path: Path) -> None:
    made(tmp_path)
    before, plan = files(tmp_path), since(tmp_path, 100)
    with ReplicaWriter(str(tmp_path)).locked(), pytest.raises(OutputError, match="another litetui writes into it"):
        retention.run(plan)
    assert files(tmp_path) == before


# ---- the order


@pytest.mark.parametrize("layout", ["segments", "wal"])
def test_the_order_of_deletion(tmp_path: Path, layout: str) -> None:
    made(tmp_path, layout=layout)
    plan = since(tmp_path, 100)
    snapshots = [i for i in plan.delete if i.kind == "snapshot"]
    wals = list(plan.delete)[len(snapshots) :]
    assert [i.index for i in snapshots] == [0, 2]
    assert [i.kind for i in wals] == ["wal"] * len(wals)
    offsets = [(i.index, -int(i.path.partition("_")[2].partition(".")[0] or "0", 16)) for i in wals]
    assert offsets == sorted(offsets)
    assert len(wals) == (12 if layout == "segments" else 4)


def test_every_moment_restores(tmp_path: Path) -> None:
    """After each single deletion the window is whole."""
    root = tmp_path / "r"
    two_generations(root)
    later = usual_history(2)
    write_replica(root, later, snapshots={n: later.states[n, 0] for n in (0, 1)}, start_ns=T0 + 100 * SECOND)
    plan = since(root, 200)
    assert {i.generation for i in plan.delete} == {OLD, GENERATION}
    before = states(root, targets(root, plan.cutoff_ns, plan.now_ns))
    latest = restore(root)
    for item in plan.delete:
        (root / item.path).unlink()
        same_states(root, before)
        assert restore(root) == latest


def test_folders_are_on_the_disk_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)
    plan, seen = since(tmp_path, 100), []
    fsync, unlink = os.fsync, os.unlink

    def watched(fd: int) -> None:
        seen.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
        fsync(fd)

    def noted(path: str, *, dir_fd: int | None = None) -> None:
        seen.append("snapshot" if ".snapshot" in path else "WAL")
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(os, "unlink", noted)
    retention.run(plan)
    assert seen == ["snapshot", "snapshot", "snapshots", *["WAL"] * 12, "wal"]


# ---- what stops it


def failing_unlink(number: int, error: int) -> Callable[..., None]:
    unlink, count = os.unlink, 0

    def call(path: str, *, dir_fd: int | None = None) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise OSError(error, os.strerror(error))
        unlink(path, dir_fd=dir_fd)

    return call


@pytest.mark.parametrize(("number", "code"), [(1, errno.EACCES), (2, errno.EIO), (7, errno.EIO), (14, errno.EROFS)])
def test_the_first_error_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int) -> None:
    root = tmp_path / "r"
    made(root)
    plan = since(root, 100)
    latest = restore(root)
    before = states(root, targets(root, plan.cutoff_ns, plan.now_ns))
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", failing_unlink(number, code))
        with pytest.raises(OutputError) as caught:
            retention.run(plan)
    words = f"{number - 1} of 14 files were deleted before" if number > 1 else "nothing was deleted"
    assert words in str(caught.value)
    assert os.strerror(code) in str(caught.value)
    assert plan.delete[number - 1].path in str(caught.value)
    assert "run it again" in (caught.value.hint or "")
    assert len(files(root)) == len(plan.keep) + len(plan.delete) - (number - 1)
    assert restore(root) == latest
    same_states(root, before)
    retention.run(since(root, 100))
    assert files(root) == {i.path for i in plan.keep}


def test_cancelled_between_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)
    plan, cancel, unlink = since(tmp_path, 100), CancelToken(), os.unlink

    def call(path: str, *, dir_fd: int | None = None) -> None:
        unlink(path, dir_fd=dir_fd)
        if path.startswith("00000001"):
            cancel.cancel()

    monkeypatch.setattr(os, "unlink", call)
    with pytest.raises(Cancelled, match="6 of 14 files were deleted before"):
        retention.run(plan, cancel=cancel)
    assert len(files(tmp_path)) == len(plan.keep) + 8


def test_a_replica_that_changed_is_left_alone(tmp_path: Path) -> None:
    def grown(root: Path) -> None:
        path = next(iter(root.rglob("00000001_00000000*")))
        info = path.stat()
        path.write_bytes(path.read_bytes() + b"x")
        os.utime(path, ns=(info.st_mtime_ns, info.st_mtime_ns))

    def touched(root: Path) -> None:
        os.utime(next(iter(root.rglob("00000002.snapshot*"))))

    def base_gone(root: Path) -> None:
        next(iter(root.rglob("00000004.snapshot*"))).unlink()

    def base_replaced(root: Path) -> None:
        next(iter(root.rglob("00000004.snapshot*"))).write_bytes(b"other")

    def in_another_form(root: Path) -> None:
        next(iter(root.rglob("00000001_00000000*"))).rename(root / f"generations/{GENERATION}/wal/00000001.wal.lz4")

    for change in (grown, touched, base_gone, base_replaced, in_another_form):
        root = tmp_path / change.__name__
        made(root)
        plan = since(root, 100)
        change(root)
        before = files(root)
        with pytest.raises(OutputError, match="since the plan; nothing was deleted") as caught:
            retention.run(plan)
        assert caught.value.hint == "plan again"
        assert files(root) == before, change.__name__


def test_what_came_or_went_since_the_plan_is_no_matter(tmp_path: Path) -> None:
    made(tmp_path)
    plan = since(tmp_path, 100)
    gone = plan.delete[0]
    (tmp_path / gone.path).unlink()
    Builder(tmp_path, now=T0 + 999 * SECOND).segment(6, 0, b"new")
    done = retention.run(plan)
    assert list(done.deleted) == list(plan.delete)[1:]
    assert done.bytes_freed == plan.bytes_freed - gone.size
    assert len(files(tmp_path)) == len(plan.keep) + 1


# ---- Litestream's rule


def test_litestreams_rule(tmp_path: Path) -> None:
    made(tmp_path)
    second = time_of(tmp_path, "00000002.snapshot.lz4")
    plan = since(tmp_path, second, rule="litestream")
    assert {i.index for i in plan.delete} == {0, 1}
    assert not plan.warnings
    shrinks = since(tmp_path, second + 1, rule="litestream")
    assert {i.index for i in shrinks.delete} == {0, 1, 2, 3}
    assert "less than the retention" in shrinks.warnings[0]
    assert "--rule litestream" in shrinks.command()


def test_without_a_database_the_newest_snapshot_stays(tmp_path: Path) -> None:
    made(tmp_path)
    plan = since(tmp_path, 500, rule="litestream")
    assert {i.index for i in plan.keep} == {4, 5}
    assert "no database at hand to take a new snapshot" in " ".join(plan.notes)
    assert "no database at hand" in plan.keep[0].reason
    snapshot = next(iter(tmp_path.rglob("00000004.snapshot*")))
    snapshot.write_bytes(compress(b"no database"))
    os.utime(snapshot, ns=(T0, T0))
    plan = since(tmp_path, 500, rule="litestream")
    assert {i.index for i in plan.keep} == {2, 3, 4, 5}, "the newest intact one"


def test_litestreams_rule_over_generations(tmp_path: Path) -> None:
    two_generations(tmp_path)
    plan = since(tmp_path, 100, rule="litestream")
    assert {i.generation for i in plan.delete} == {OLD}
    write_replica(tmp_path, usual_history(1), generation=OTHER, start_ns=T0 + 200 * SECOND)
    for path in (tmp_path / "generations" / OTHER / "snapshots").iterdir():
        path.unlink()
    plan = since(tmp_path, 500, rule="litestream")
    assert {i.generation for i in plan.keep} == {GENERATION, OTHER}, "the newest that restores, and what is newer"
    assert {i.generation for i in plan.delete} == {OLD}


def test_a_damaged_snapshot_within_the_retention_does_not_count(tmp_path: Path) -> None:
    made(tmp_path)
    snapshot = next(iter(tmp_path.rglob("00000004.snapshot*")))
    info = snapshot.stat()
    snapshot.write_bytes(snapshot.read_bytes()[:-20])
    os.utime(snapshot, ns=(info.st_mtime_ns, info.st_mtime_ns))
    plan = since(tmp_path, time_of(tmp_path, "00000002.snapshot*") + 1, rule="litestream")
    assert {i.index for i in plan.delete} == {0, 1}


# ---- with the database


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Rig]:
    """A replica with three old snapshots, of which the last two have younger WALs; and its database, which goes on."""
    with make_rig(tmp_path) as rig:
        with rig.open() as database:
            replica = rig.bind(database)
            for index in range(3):
                rig.app.add(20)
                sync.run_open(database, replica, snapshot=True)
                assert database.checkpoint("RESTART")
                assert database.pos().index == index + 1
            sync.run_open(database, replica)
        for path in rig.root.rglob("*.lz4"):
            at = T0 if ".snapshot" in path.name or path.name.startswith("00000000") else T0 + 950 * SECOND
            os.utime(path, ns=(at, at))
        rig.app.add(1)
        yield rig


def test_a_snapshot_comes_first(live: Rig) -> None:
    plan = planned(live.root, 100, database=live.db)
    assert plan.snapshot_first
    assert plan.snapshot_bytes == live.db.stat().st_size
    assert plan.free_bytes > 0
    assert plan.delete_before_snapshot == len(plan.delete) > 1
    assert {i.index for i in plan.delete} == {0}
    done = retention.run(plan)
    assert done.snapshot is not None
    assert done.snapshot.snapshot_created
    assert list(done.deleted) == list(plan.delete)
    assert restore(live.root, check="full")
    assert not planned(live.root, 100, database=live.db).snapshot_first


def test_on_an_idle_database_the_snapshot_that_is_there_stays(live: Rig) -> None:
    live.sync(snapshot=True)
    for path in live.root.rglob("*.snapshot.lz4"):
        os.utime(path, ns=(T0, T0))
    plan = planned(live.root, 100, rule="litestream", database=live.db)
    assert plan.snapshot_first
    assert {i.index for i in plan.keep} == {3}
    done = retention.run(plan)
    assert done.snapshot is not None
    assert not done.snapshot.snapshot_created
    assert restore(live.root, check="full")


def only_once(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps of a run: `snapshot`, and `delete` for each file."""
    steps: list[str] = []
    sync_run, unlink = sync.run, os.unlink

    def synced(*args: Any, **options: Any) -> sync.SyncResult:
        steps.append("snapshot")
        return sync_run(*args, **options)

    def noted(path: str, *, dir_fd: int | None = None) -> None:
        steps.extend(["delete"] * (dir_fd is not None))
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(sync, "run", synced)
    monkeypatch.setattr(os, "unlink", noted)
    return steps


@pytest.mark.parametrize("short", [False, True])
def test_litestreams_rule_deletes_because_of_the_new_snapshot(
    live: Rig, monkeypatch: pytest.MonkeyPatch, short: bool
) -> None:
    """Where space is short, what the window does not need goes first."""
    if short:
        monkeypatch.setattr(execution, "free_bytes", lambda replica: 10)
        monkeypatch.setattr(planning, "free_bytes", lambda replica: 10)
    plan = planned(live.root, 100, rule="litestream", database=live.db)
    assert plan.snapshot_first
    early, late = plan.delete[: plan.delete_before_snapshot], plan.delete[plan.delete_before_snapshot :]
    assert ({i.index for i in early}, {i.index for i in late}) == ({0}, {1, 2})
    assert (
        bool([w for w in plan.warnings if f"{len(early)} files that the window does not need go before it" in w])
        == short
    )
    assert [w for w in plan.warnings if "less than the retention" in w]
    steps = only_once(monkeypatch)
    done = retention.run(plan)
    assert steps == (
        ["delete"] * len(early) * short + ["snapshot"] + ["delete"] * (len(late) + len(early) * (not short))
    )
    assert len(done.deleted) == len(plan.delete)
    assert restore(live.root, check="full")


def test_nothing_goes_for_a_snapshot_that_did_not_come_about(live: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(live.root, 100, rule="litestream", database=live.db)
    before = files(live.root)
    with monkeypatch.context() as patched:
        patched.setattr(Basis, "fault", lambda self, snapshot: "it is damaged")
        with pytest.raises(OutputError, match="does not stand: it is damaged; nothing was deleted"):
            retention.run(plan)
    assert before < files(live.root)
    live.app.checkpoint("truncate")  # nothing holds the WAL, so the generation ends
    live.app.add(1)
    with pytest.raises(OutputError, match="a new generation has begun; nothing was deleted"):
        retention.run(plan)
    assert before < files(live.root)


def test_no_snapshot_while_another_replicates(live: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    other = guard.Watch((guard.Replicator("litestream", "0.3.13", 7),), "", "", None)
    monkeypatch.setattr(guard, "look", lambda *_, **__: other)
    for rule, kept in (("window", {1, 2, 3}), ("litestream", {2, 3})):
        plan = planned(live.root, 100, rule=rule, database=live.db)  # type: ignore[arg-type]
        assert not plan.snapshot_first
        assert "no new snapshot is taken: cannot replicate" in plan.notes[0]
        assert "litestream 0.3.13 (pid 7) is at work on it (stop it first: systemctl stop litestream" in plan.notes[0]
        assert {i.index for i in plan.keep} == kept
    assert "no new snapshot could be taken" in plan.keep[0].reason


def test_another_database_is_not_asked(live: Rig) -> None:
    stranger = live.root.parent / "stranger.db"
    shutil.copy(live.db, stranger)
    plan = planned(live.root, 100, database=stranger)
    assert not plan.snapshot_first
    assert "the database's generation (none) has no snapshot in this replica: sync it first" in plan.notes[0]


def test_beside_a_running_replicator(live: Rig) -> None:
    with live.open() as database:
        replica = live.bind(database)
        replica.sync()
        before = files(live.root)
        lines: list[str] = []
        retain = retention.periodic(str(live.db), 100 * SECOND, Reporter(lambda level, text: lines.append(text)))
        retain(replica, CancelToken())
        gone = before - files(live.root)
        assert gone
        assert "snapshot" in lines[0]
        assert lines[-1].startswith(f"retention: deleted {len(gone)} files")
        again, said = files(live.root), len(lines)
        retain(replica, CancelToken())
        assert (files(live.root), len(lines)) == (again, said), "nothing to do, nothing to say"
        stopping = CancelToken()
        stopping.cancel()
        retain(replica, stopping)
        assert replica.sync().bytes == 0
        assert restore(live.root, check="full")


# ---- words, and many files


def test_a_retention_of_nothing(tmp_path: Path) -> None:
    made(tmp_path)
    with pytest.raises(UsageError):
        planned(tmp_path, 0)
    with pytest.raises(PrimaryError, match="there is no such file"):
        planned(tmp_path, 100, database=tmp_path / "none.db")


def test_an_overdue_snapshot_is_asked_for(tmp_path: Path) -> None:
    made(tmp_path)
    plan = since(tmp_path, time_of(tmp_path, "00000005_00000000*"))
    assert "with --db one is taken first" in " ".join(plan.notes)


def test_many_files_are_no_objects_before_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan over 2,000 segments makes none of them into an item, and takes slices where they are wanted."""
    history = usual_history(2)
    builder = write_replica(tmp_path, history, snapshots={0: history.states[0, 0]})
    wal = builder.folder / "wal"
    for n in range(2_000):
        fd = os.open(wal / f"{2 + n // 400:08x}_{n % 400:08x}.wal.lz4", os.O_CREAT | os.O_WRONLY)
        os.utime(fd, ns=(T0 + n, T0 + n))
        os.close(fd)
    builder.snapshot(0x70, history.database, T0 + 100 * SECOND)
    made_items: list[int] = []
    item = Group.item

    def counted(self: Group, at: int) -> retention.Item:
        made_items.append(at)
        return item(self, at)

    monkeypatch.setattr(Group, "item", counted)
    plan = since(tmp_path, 200)
    assert plan.bytes_freed > 0
    assert len(plan.delete) == 2_000 + 9
    assert not made_items
    monkeypatch.undo()
    assert plan.delete[-1].index == 2 + 1_999 // 400
    assert [i.path for i in plan.delete[1:3]] == [plan.delete[1].path, plan.delete[2].path]
    assert plan.delete[2_008] == plan.delete[-1]
    assert len(retention.run(plan).deleted) == len(plan.delete)
    assert files(tmp_path) == {i.path for i in plan.keep}


def test_the_generation_that_the_database_is_in_is_the_newest_whatever_times_say(tmp_path: Path) -> None:
    """The other one was written while the clock was ahead; the database has been idle since."""
    with make_rig(tmp_path) as r:
        database = r.open()
        replica = r.bind(database)
        sync.run_open(database, replica)
        ahead = database.generation
        database.new_generation("test")
        r.app.add(5)
        sync.run_open(database, replica)
        current = database.generation
        database.close()
        for generation, days in ((ahead, 3), (current, 5)):
            for path in (r.root / "generations" / generation).rglob("*.lz4"):
                os.utime(path, ns=(time.time_ns() - days * DAY,) * 2)
        plan = retention.plan(FileReplica(r.root), DAY, now_ns=time.time_ns(), database=str(r.db))
        assert current not in {item.generation for item in plan.delete}
        retention.run(plan)
        assert restore(r.root, Target(current)).startswith(b"SQLite format 3")


def test_generations_whose_times_overlap_all_stay(tmp_path: Path) -> None:
    """A replica that was copied without its times: nothing says which generation went on."""
    for name, start in (("a" * 16, T0), ("b" * 16, T0 + 2 * SECOND)):
        history = usual_history(2, 3)
        write_replica(tmp_path / "r", history, generation=name, start_ns=start)
    plan = retention.plan(FileReplica(tmp_path / "r"), HOUR, now_ns=T0 + DAY)
    assert not plan.delete


def test_a_clock_that_jumps_does_not_delete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = usual_history(3, 2)
    now = time.time_ns()
    snapshots = {i: history.states[i, 0] for i in range(3)}
    builder = write_replica(tmp_path / "r", history, snapshots=snapshots, start_ns=now - 60 * SECOND)
    database = tmp_path / "app.db"
    database.write_bytes(b"")
    retain = retention.periodic(str(database), HOUR, Reporter())
    monkeypatch.setattr(time, "time_ns", lambda: now + 3650 * DAY)
    before = sorted(builder.root.rglob("*.lz4"))
    retain(FileReplica(builder.root), CancelToken())
    assert sorted(builder.root.rglob("*.lz4")) == before


def test_both_forms_of_a_snapshot_go(tmp_path: Path) -> None:
    history = usual_history(4, 2)
    builder = write_replica(tmp_path / "r", history, snapshots={i: history.states[i, 0] for i in (0, 3)})
    builder.snapshot(0, history.states[0, 0], T0, plain=True)
    plan = retention.plan(FileReplica(builder.root), HOUR, now_ns=T0 + DAY)
    retention.run(plan)
    assert sorted(p.name for p in (builder.folder / "snapshots").iterdir()) == ["00000003.snapshot.lz4"]
