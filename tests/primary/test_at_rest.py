"""A database's file at rest: the state of one position, which nobody changes, while writers and checkpoints go on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from litetui.errors import Cancelled, LockedError, PrimaryError
from litetui.format.position import Pos
from litetui.jobs.progress import CancelToken
from litetui.ops import restore
from litetui.ops.target import Target
from litetui.primary.connections import Connections
from litetui.primary.database import Database, Limits
from litetui.replica.detect import open_replica
from tests.primary.rig import Rig, wait
from tests.primary.rig import rig as make_rig
from tests.primary.sql import App
from tests.primary.test_locks import locks_hold


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with make_rig(tmp_path) as made:
        yield made


@pytest.fixture
def db(rig: Rig) -> Iterator[Database]:
    with Database(rig.db, limits=Limits(busy_timeout_s=0.05)) as database:
        database.sync()
        yield database


def content(db: Database) -> bytes:
    return db.read(db.size, 0)


def restored(rig: Rig, at: Pos) -> bytes:
    out = rig.db.with_name("restored.db")
    restore.run(restore.plan(open_replica(rig.root), Target.at(at)), str(out), integrity_check="full")
    data = out.read_bytes()
    out.unlink()
    return data


def work(rig: Rig) -> None:
    """What an application does: writes, and checkpoints of every kind."""
    for mode in ("passive", "full", "restart", "truncate"):
        rig.app("update item set body = hex(randomblob(300)) where id % 3 = 0")
        rig.app.add(5)
        rig.app.checkpoint(mode)


def test_the_file_stays_as_it_was_and_is_the_end_of_an_index(rig: Rig, db: Database) -> None:
    replica = rig.bind(db)
    replica.sync()
    for _ in range(2):
        rig.app.add(3)
        with db.at_rest() as at:
            data = content(db)
            assert db.pos().index == at.index + 1, "the next index has begun"
            work(rig)
            assert db.sync(), "syncs go on"
            work(rig)
            assert content(db) == data
            assert not db.checkpoint("PASSIVE"), "none of ours meanwhile"
        replica.sync()
        assert restored(rig, at) == data
    assert db.checkpoint("PASSIVE")
    assert content(db) != data
    assert len(rig.meta.reasons()) == 1, "one generation"
    replica.sync()
    rig.same()


def test_it_does_not_rest_on_the_long_read_lock(rig: Rig, db: Database) -> None:
    """SQLite ends a transaction by itself after some errors, and a sync may have to let go of the WAL."""
    with db.at_rest():
        data = content(db)
        db._let_go()
        work(rig)
        rig.app.checkpoint("passive")
        assert content(db) == data
    rig.app.checkpoint("passive")
    assert content(db) != data


def test_the_locks_hold_meanwhile_and_after(rig: Rig, db: Database) -> None:
    rig.app.end()
    for _ in range(2):
        with db.at_rest():
            locks_hold(rig)
        db.sync()
        locks_hold(rig)


def test_a_wal_that_was_emptied(rig: Rig) -> None:
    with Database(rig.db) as first:
        first.sync()  # makes the tables
    rig.app.checkpoint("passive")
    with Database(rig.db) as db:  # all of the WAL is in the file, so that the read lock does not hold it in place
        db.sync()
        before = db.pos()
        assert rig.app.checkpoint("truncate") == (0, 0, 0)
        with db.at_rest() as at:
            data = content(db)
            assert at == before
            assert rig.wal.stat().st_size == 0
            work(rig)
            assert content(db) == data
        db.sync()
        assert db.generation == before.generation
        rig.bind(db).sync()
    rig.same()


def test_a_reader_is_waited_for(rig: Rig, db: Database) -> None:
    with App(rig.db) as reader:
        rig.app.add(1)
        reader("begin", "select count(*) from item")
        rig.app.add(1)
        with pytest.raises(LockedError, match="long reads"), db.at_rest(0.0):
            pass
        rig.app.add(1)
        found: list[Pos] = []

        def rest() -> None:
            with db.at_rest(20) as at:
                found.append(at)

        thread = threading.Thread(target=rest)
        tries = db.checkpoints["PASSIVE"].count
        thread.start()
        wait(lambda: db.checkpoints["PASSIVE"].count > tries + 1, "some tries")
        assert not found
        reader("commit")
        thread.join(20)
    assert found
    assert db.checkpoint("PASSIVE")


def test_a_writer_that_holds_the_lock(rig: Rig, db: Database) -> None:
    rig.app("begin immediate")
    with pytest.raises(LockedError) as caught, db.at_rest(0.0):
        pass
    assert caught.value.hint
    rig.app("commit")
    with db.at_rest(0.0):
        pass
    assert db.checkpoint("PASSIVE")


def test_a_snapshot_is_not_disturbed(rig: Rig, db: Database) -> None:
    with db.holding_checkpoints():
        with pytest.raises(LockedError, match="a snapshot is being taken"), db.at_rest(0.0):
            pass
    with db.at_rest(0.0):
        pass


def test_one_after_the_other(rig: Rig, db: Database) -> None:
    cancel = CancelToken()
    failed: list[BaseException] = []

    def second() -> None:
        try:
            with db.at_rest(cancel=cancel):
                pass
        except Cancelled as error:
            failed.append(error)

    with db.at_rest():
        thread = threading.Thread(target=second)
        thread.start()
        cancel.cancel()
        thread.join(20)
        assert failed
    with db.at_rest():
        pass


def test_a_database_that_is_opened_anew_meanwhile(rig: Rig, db: Database) -> None:
    with pytest.raises(PrimaryError, match="opened anew"), db.at_rest():
        db.close()
        db.open()
    db.sync()
    with db.at_rest():
        pass
    with pytest.raises(PrimaryError, match="not open"), db.at_rest():
        db.close()
        content(db)


# ---- what a checkpoint, now more frequent, must not cost


def test_a_short_wal_that_is_restarted_before_the_write_lock_costs_no_generation(
    rig: Rig, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application has moved all of it into the database, and overwrites it at once."""
    replica = rig.bind(db)
    replica.sync()
    rig.app.checkpoint("passive")
    lock = Connections.write_lock

    def late(self: Connections) -> AbstractContextManager[None]:
        monkeypatch.undo()
        rig.app.add(80)
        return lock(self)

    monkeypatch.setattr(Connections, "write_lock", late)
    with db.at_rest() as at:
        data = content(db)
    replica.sync()
    assert restored(rig, at) == data
    assert len(rig.meta.reasons()) == 1
    rig.same()


@pytest.mark.parametrize("mode", ["restart", "truncate"])
def test_a_wal_that_is_emptied_before_the_next_index_costs_no_generation(
    rig: Rig, db: Database, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = rig.bind(db)
    replica.sync()
    begin = Database._next_index

    def late(self: Database) -> None:
        assert rig.app.checkpoint(mode)[0] == 0
        begin(self)

    monkeypatch.setattr(Database, "_next_index", late)
    for _ in range(2):
        with db.at_rest() as at:
            data = content(db)
        rig.app.add(1)
        db.sync()
        replica.sync()
        assert restored(rig, at) == data
    assert len(rig.meta.reasons()) == 1
    rig.same()
