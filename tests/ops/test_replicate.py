"""The replicator: replicas kept up to date by themselves, whatever fails meanwhile."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from litetui.errors import LitetuiError, OutputError, PrimaryError, UsageError
from litetui.jobs import loop
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import restore as ops
from litetui.ops.replicate import Options, Replicator
from litetui.ops.sync import SyncResult
from litetui.ops.target import Target
from litetui.primary.database import Database, Limits
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from tests.primary.rig import Rig, restored, wait
from tests.primary.rig import rig as make_rig
from tests.primary.sql import App

FAST = Options(monitor_interval_s=0.01, sync_interval_s=0.01, limits=Limits(busy_timeout_s=0.1))
SLOW = Options(monitor_interval_s=3600.0, sync_interval_s=3600.0)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with make_rig(tmp_path) as made:
        yield made


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is tried again soon."""
    monkeypatch.setattr(loop, "_MIN_PAUSE_S", 0.01)
    monkeypatch.setattr(loop, "_MAX_PAUSE_S", 0.05)


class Log(Reporter):
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        super().__init__(lambda level, text: self.lines.append((level, text)))

    def errors(self) -> list[str]:
        return [text for level, text in self.lines if level == "error"]

    def has(self, words: str) -> bool:
        return any(words in text for _, text in self.lines)


class Running:
    """A replicator in a thread of its own, and its replicas' folders."""

    def __init__(self, rig: Rig, options: Options, count: int) -> None:
        self.rig = rig
        self.roots = [rig.root.with_name(f"replica{n}") for n in range(1, count + 1)]
        self.log = Log()
        self.replicator = Replicator(str(rig.db), [str(r) for r in self.roots], options, self.log)
        self.cancel = CancelToken()
        self.failed: list[BaseException] = []
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.replicator.run(self.cancel)
        except LitetuiError as error:
            self.failed.append(error)

    def stop(self, seconds: float = 20, *, but: str = "") -> None:
        """End it; without an error, or with the one that says `but`."""
        self.cancel.cancel()
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "it does not end"
        assert [but in str(error) for error in self.failed] == [True] * bool(but)

    @property
    def database(self) -> Database:
        return self.replicator.database

    def in_step(self, *numbers: int) -> bool:
        """Whether these replicas (default: all) have all that is committed."""
        if self.database.generation and self.database.pos().offset < self.rig.wal.stat().st_size:
            self.replicator.sync_now()
        content = self.rig.app.content()
        state = self.replicator.state()
        chosen = [state.replicas[n] for n in numbers or range(len(self.roots))]
        if any(r.error or r.pos != state.pos for r in chosen):
            return False
        try:
            return all(restored(Path(r.path)) == content for r in chosen)
        except LitetuiError:
            return False  # a file was finished between the listing and the reading

    def away(self, number: int) -> Path:
        """Take a replica's folder away, as a disk that is unmounted."""
        root = self.roots[number]
        other = root.with_name(root.name + ".away")
        os.rename(root, other)
        return other


@contextmanager
def running(rig: Rig, options: Options = FAST, count: int = 1) -> Iterator[Running]:
    made = Running(rig, options, count)
    made.thread.start()
    try:
        wait(lambda: all(r.synced_ns for r in made.replicator.state().replicas) or made.failed, "the first syncs")
        yield made
    finally:
        made.cancel.cancel()
        made.thread.join(40)


# ---- following


def test_two_replicas_follow_and_stay_in_one_generation(rig: Rig) -> None:
    with running(rig, replace(FAST, layout="wal"), count=2) as run:
        generation = run.database.generation
        for _ in range(4):
            rig.app.add(2)
            wait(run.in_step, "both replicas")
        assert run.database.generation == generation
        state = run.replicator.state()
        assert [r.name for r in state.replicas] == ["file-1", "file-2"]
        assert [r.error for r in state.replicas] == [None, None]
        assert state.error is None
        assert state.replicas[0].wal_bytes == state.pos.offset
        run.stop()
    assert run.log.errors() == []
    assert {open_replica(root).layout() for root in run.roots} == {"Litestream v0.3.0–0.3.4"}


def test_checkpoints_begin_indexes_and_old_shadows_go(rig: Rig) -> None:
    limits = Limits(min_checkpoint_pages=8, max_checkpoint_pages=200, busy_timeout_s=0.1)
    with running(rig, replace(FAST, limits=limits)) as run:
        generation = run.database.generation
        for _ in range(6):
            at = run.database.pos().index
            rig.app.add(60)
            wait(lambda at=at: run.database.pos().index > at, "a checkpoint")  # type: ignore[misc]
        wait(run.in_step, "the replica")
        told = [level for level, text in run.log.lines if text.startswith("sync file ")]
        assert told == ["info", *["debug"] * (len(told) - 1)]
        assert len(told) > 1
        wait(lambda: len(rig.meta.indexes(generation)) == 2, "cleaning")
        assert run.database.generation == generation
        run.stop()
    assert restored(run.roots[0]) == rig.app.content()


def test_it_goes_on_in_the_generation_that_is_there(rig: Rig) -> None:
    with running(rig) as run:
        generation = run.database.generation
        run.stop()
    rig.app.add(2)
    with running(rig) as run:
        assert run.log.has(f"going on in generation {generation}")
        run.stop()
    assert restored(run.roots[0]) == rig.app.content()
    assert len(open_replica(run.roots[0]).snapshots(generation)) == 1


def test_the_end_is_a_last_sync(rig: Rig) -> None:
    with running(rig, SLOW, count=2) as run:
        rig.app.add(3)
        run.stop()
        assert run.log.has("stopping after a last sync")
    for root in run.roots:
        assert restored(root) == rig.app.content()
    assert not run.database.is_open
    with Database(rig.db) as db:
        assert not db.sync()


def test_a_look_at_once(rig: Rig) -> None:
    with running(rig, replace(SLOW, sync_interval_s=0.01)) as run:
        rig.app.add(1)
        before = run.database.pos()
        run.replicator.sync_now()
        wait(lambda: run.database.pos() > before, "the look", 5)
        wait(run.in_step, "the replica", 5)
        run.stop()


def test_a_snapshot_beside_the_running_loops(rig: Rig) -> None:
    with running(rig, count=2) as run:
        wait(run.in_step, "both replicas")
        assert run.database.checkpoint("PASSIVE")
        done: list[int] = []

        def write() -> None:
            while not done:
                rig.app.add(1)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            results = run.replicator.snapshot_now(Reporter(), CancelToken())
        finally:
            done.append(1)
            writer.join(20)
        assert [r.snapshot_created for r in results] == [True, True]
        wait(run.in_step, "both replicas")
        run.stop()
    assert run.log.errors() == []
    for root in run.roots:
        assert len(open_replica(root).snapshots(results[0].pos.generation)) == 2


def test_what_is_done_periodically(rig: Rig) -> None:
    calls: list[str] = []
    problem: list[LitetuiError] = [LitetuiError("check the replica", "something is wrong")]

    def retain(replica: FileReplica, cancel: CancelToken) -> None:
        calls.append(replica.name)

    def validate(replica: FileReplica, cancel: CancelToken) -> None:
        if problem:
            raise problem[0]
        calls.append("valid")

    options = replace(
        FAST, retain=retain, retention_check_interval_s=0.01, validate=validate, validation_interval_s=0.01
    )
    with running(rig, options, count=2) as run:
        wait(lambda: {"file-1", "file-2"} <= set(calls) and run.log.errors(), "retention and validation")
        rig.app.add(1)
        wait(lambda: all(restored(r) == rig.app.content() for r in run.roots), "the replicas follow all the same")
        assert "valid" not in calls
        problem.clear()
        wait(lambda: "valid" in calls, "validation again")
        run.stop()
    assert any("something is wrong" in text for text in run.log.errors())


# ---- a replica fails


def test_a_replica_that_was_away_catches_up_from_kept_shadows(rig: Rig) -> None:
    with running(rig, count=2) as run:
        wait(run.in_step, "both replicas")
        generation, at = run.database.generation, run.replicator.state().replicas[1].pos
        away = run.away(1)
        for _ in range(4):
            rig.app.add(2)
            wait(lambda: run.in_step(0), "the other replica")
            assert run.database.checkpoint("PASSIVE")
        wait(lambda: run.replicator.state().replicas[1].error, "the error")
        error = run.replicator.state().replicas[1].error
        assert error is not None
        assert "folder is gone" in str(error)
        assert error.hint
        assert rig.meta.indexes(generation)[0] == at.index, "what it lacks is kept"
        os.rename(away, run.roots[1])
        rig.app.add(1)
        wait(run.in_step, "both replicas again")
        assert run.log.has("file-2: in order again")
        assert run.database.generation == generation
        wait(lambda: len(rig.meta.indexes(generation)) == 2, "cleaning")
        run.stop()
    assert len(run.log.errors()) == 1, run.log.errors()
    assert len(open_replica(run.roots[1]).snapshots(generation)) == 1


def test_the_same_error_is_logged_once_and_another_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(rig) as run:
        tries: list[int] = []
        number = [28]

        def fail(*_: object) -> None:
            tries.append(1)
            raise OSError(number[0], os.strerror(number[0]))

        monkeypatch.setattr("litetui.replica.writer.write_all", fail)
        rig.app.add(1)
        wait(lambda: len(tries) > 3, "some tries")
        assert len(run.log.errors()) == 1
        number[0] = 5
        wait(lambda: len(run.log.errors()) == 2, "another error")
        assert "(try: free some space" in run.log.errors()[0]
        monkeypatch.undo()
        wait(run.in_step, "the replica")
        run.stop()
    assert len(run.log.errors()) == 2


def test_once_gives_each_replica_its_turn_and_keeps_what_one_lacks(rig: Rig) -> None:
    roots = [rig.root.with_name(name) for name in ("one", "two", "three")]
    replicator = Replicator(str(rig.db), [str(r) for r in roots])

    def once() -> list[SyncResult]:
        return [r for r in replicator.once(CancelToken()) if isinstance(r, SyncResult)]

    results = once()
    assert [r.snapshot_created for r in results] == [True] * 3
    generation = results[0].pos.generation
    os.rename(roots[1], f"{roots[1]}.away")
    for _ in range(4):
        rig.app.add(1)
        (error,) = [r for r in replicator.once(CancelToken()) if isinstance(r, OutputError)]
        assert "folder is gone" in str(error)
        assert restored(roots[0]) == restored(roots[2]) == rig.app.content()
        with replicator.database as db:
            assert db.checkpoint("PASSIVE")
    os.rename(f"{roots[1]}.away", roots[1])
    results = once()
    assert len(results) == 3
    assert {r.pos for r in results} == {replace(results[0].pos, generation=generation)}
    assert [restored(r) for r in roots] == [rig.app.content()] * 3
    assert len(rig.meta.indexes(generation)) == 2


def test_when_one_replica_needs_a_new_generation_the_other_follows_at_once(rig: Rig) -> None:
    with running(rig, count=2) as run:
        wait(run.in_step, "both replicas")
        generation = run.database.generation
        away = run.away(1)
        rig.app.add(1)
        wait(lambda: run.replicator.state().replicas[1].error, "the error")
        wait(lambda: run.in_step(0), "the other replica")
        next(away.rglob("*.snapshot.lz4")).unlink()
        os.rename(away, run.roots[1])
        wait(lambda: run.database.generation != generation, "the new generation")
        wait(lambda: run.replicator.state().replicas[0].pos.generation != generation, "the other replica")


def test_the_end_does_not_wait_for_a_large_snapshot(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, released = threading.Event(), threading.Event()

    def read(self: Database, size: int, offset: int) -> bytes:
        begun.set()
        return b"" if released.wait(0.01) else b"\0" * 4096  # a database without an end

    monkeypatch.setattr(Database, "read", read)
    made = Running(rig, FAST, 1)
    made.thread.start()
    try:
        assert begun.wait(20)
        made.stop(2.5, but="is not written yet")
    finally:
        released.set()
        made.thread.join(40)
    assert not list(made.roots[0].rglob("*.tmp"))


# ---- the database fails


def replacement(rig: Rig) -> Path:
    other = rig.db.with_name("other.db")
    with App(other) as app:
        app("create table other (x)", "insert into other values ('another database')")
        app.close()
    return other


def test_a_database_that_is_replaced_is_opened_anew(rig: Rig) -> None:
    other = replacement(rig)
    with running(rig) as run:
        wait(run.in_step, "the replica")
        before = run.database.generation
        rig.app.end()
        for side in ("-wal", "-shm"):
            os.unlink(f"{rig.db}{side}")
        os.rename(other, rig.db)
        wait(lambda: run.log.has("the database is in order again"), "it")
        rig.app = App(rig.db)
        rig.app.add(1)
        wait(run.in_step, "the new database's replica")
        assert run.database.generation != before
        run.stop()
    assert run.log.has("its file was replaced by another one")
    assert restored(run.roots[0]) == rig.app.content()


def test_a_database_that_is_replaced_under_its_wal_begins_a_generation(rig: Rig) -> None:
    """A copy of it that was changed elsewhere, put in its place: what the WAL holds fits both."""
    with running(rig) as run:
        wait(run.in_step, "the replica")
        assert run.database.checkpoint("PASSIVE")
        rig.app.add(1)
        wait(run.in_step, "the replica")
        before = run.database.generation
        rig.app.end()
        other = rig.db.with_name("other.db")
        ops.run(ops.plan(open_replica(run.roots[0]), Target()), str(other))
        with App(other) as app:
            app("update item set body = 'changed elsewhere' where id = 1")
            app.close()
        os.rename(other, rig.db)
        wait(lambda: run.log.has("the database is in order again"), "it")
        rig.app = App(rig.db)
        wait(lambda: run.replicator.state().error is None, "the monitor")
        assert run.database.generation != before
        wait(run.in_step, "the new database's replica")


def test_a_database_that_is_removed_and_comes_back(rig: Rig) -> None:
    with running(rig) as run:
        wait(run.in_step, "the replica")
        rig.app.end()
        aside = rig.db.with_name("aside.db")
        os.rename(rig.db, aside)
        wait(lambda: run.log.has("its file was removed"), "the error")
        wait(lambda: run.log.has("there is no such file"), "the error of opening it again")
        assert run.replicator.state().error is not None
        os.rename(aside, rig.db)
        wait(lambda: run.log.has("the database is in order again"), "it")
        rig.app = App(rig.db)
        rig.app.add(2)
        wait(run.in_step, "the replica")
        assert run.replicator.state().error is None
        run.stop()
    assert restored(run.roots[0]) == rig.app.content()


def test_a_writer_that_holds_the_lock_does_not_stop_replication(rig: Rig) -> None:
    with running(rig) as run:
        rig.app.add(3)
        with App(rig.db) as other:
            other("begin immediate")
            wait(run.in_step, "the replica")
            assert not run.database.checkpoint("PASSIVE")
            other("insert into item (body) values ('held')", "commit")
        wait(run.in_step, "the replica")
        assert run.database.checkpoint("PASSIVE")
        run.stop()
    assert run.log.errors() == []
    assert restored(run.roots[0]) == rig.app.content()


# ---- it cannot begin


def test_what_cannot_begin_ends_at_once_with_the_error(rig: Rig) -> None:
    for roots in ([], ["a", "a/"]):
        with pytest.raises(UsageError):
            Replicator(str(rig.db), roots)
    with pytest.raises(LitetuiError):
        Replicator(str(rig.db), [str(rig.db)])
    none = rig.db.with_name("none.db")
    for work in ("run", "once"):
        replicator = Replicator(str(none), [str(rig.root)])
        with pytest.raises(PrimaryError, match="there is no such file"):
            getattr(replicator, work)(CancelToken())
        assert not replicator.database.is_open
    with rig.open():
        with pytest.raises(PrimaryError, match="litetui itself has it open"):
            Replicator(str(rig.db), [str(rig.root)]).run(CancelToken())
    assert not rig.root.exists()
    Replicator(str(rig.db), [str(rig.root)]).once(CancelToken())
    rig.same()


def test_a_wal_that_is_removed_and_made_anew_is_noticed(rig: Rig) -> None:
    """As by hand: the application is stopped, -wal and -shm are removed, the application is started again."""
    with running(rig) as run:
        wait(run.in_step, "the replica")
        generation = run.database.generation
        rig.app.end()
        for side in ("-wal", "-shm"):
            os.unlink(f"{rig.db}{side}")
        rig.app = App(rig.db)
        rig.app.add(3)
        wait(lambda: run.database.generation not in ("", generation), "a new generation")
        wait(run.in_step, "the replica")
        run.stop()
    assert run.log.has("its -wal or -shm was replaced")
    assert restored(run.roots[0]) == rig.app.content()
