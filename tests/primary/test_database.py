"""The live database: generations that go on, the long read lock, checkpoints that lose nothing, what it leaves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from litetui.errors import PrimaryError
from litetui.ops.target import Target
from litetui.primary import guard
from litetui.primary.database import Change, Database, Limits
from litetui.replica.file import FileReplica
from tests.primary.rig import Rig, restored
from tests.primary.rig import rig as make_rig
from tests.primary.sql import ROOT, App, AppError


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with make_rig(tmp_path) as made:
        yield made


@pytest.fixture
def db(rig: Rig) -> Iterator[Database]:
    """The rig's database, open; synced once."""
    database = rig.open()
    database.sync()
    yield database
    database.close()


def replicated(rig: Rig, db: Database) -> FileReplica:
    replica = rig.bind(db)
    replica.sync()
    return replica


# ---- the first sync


def test_the_first_sync_makes_what_litestream_makes(rig: Rig, db: Database) -> None:
    name = (rig.db.parent / ".app.db-litestream/generation").read_bytes()
    assert len(name) == 17
    assert name.decode() == f"{db.generation}\n"
    assert db.new_generation_reason == "no generation exists"
    assert rig.meta.reasons() == {db.generation: "no generation exists"}
    assert rig.shadow().read_bytes() == rig.wal.read_bytes()
    assert str(db.pos()) == f"{db.generation}/00000000:{rig.wal.stat().st_size}"
    tables = rig.app("select name, sql from sqlite_master where name glob '_litestream_*' order by name")
    assert tables == [
        ("_litestream_lock", "CREATE TABLE _litestream_lock (id INTEGER)"),
        ("_litestream_seq", "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)"),
    ]
    assert rig.app("select count(*) from _litestream_lock") == [(0,)]


def test_an_empty_wal_gets_a_header_by_a_write(tmp_path: Path) -> None:
    with make_rig(tmp_path) as rig:
        rig.sync()
        rig.app.close()
        assert not rig.wal.exists()
        with Database(rig.db) as db:
            assert db.sync().new_generation_reason == "wal truncated by another process"
            assert db.pos().offset > 32
            rig.app.reopen()
            assert rig.app("select id, seq from _litestream_seq") == [(1, 1)]
            assert rig.app("select count(*) from _litestream_lock") == [(0,)]


def test_a_sync_with_nothing_to_do_does_nothing(rig: Rig, db: Database) -> None:
    before = rig.wal.read_bytes()
    for _ in range(3):
        assert not db.sync()
    rig.app("select count(*) from item")
    assert not db.sync()
    assert rig.wal.read_bytes() == before
    rig.app.add()
    assert db.sync() == Change(rig.wal.stat().st_size - len(before), "")


def test_only_committed_frames_are_taken(rig: Rig, db: Database) -> None:
    """A transaction that outgrows the cache is in the WAL long before its commit, and after its rollback."""
    before = rig.wal.stat().st_size
    spill = ("pragma cache_size = 5", "begin", "insert into item (body) select hex(randomblob(900)) from item, item")
    rig.app(*spill)
    assert rig.wal.stat().st_size > before + 100_000
    assert db.sync() == Change()
    rig.app("rollback")
    assert db.sync() == Change()
    rig.app("insert into item (body) values ('small')")
    assert db.sync().bytes < 30_000
    rig.app(*spill)
    assert db.sync() == Change()
    rig.app("commit")
    assert db.sync().bytes > 100_000
    replicated(rig, db)
    rig.same()


def test_a_restart_in_the_middle_of_a_large_transaction(rig: Rig, db: Database) -> None:
    """The new WAL begins with a header and no commit: the index before it must not be taken for unfinished."""
    replica = replicated(rig, db)
    db.close()
    generation, before = rig.meta.generation(), rig.app.content()
    rig.app.checkpoint()
    rig.app("pragma cache_size = 5", "begin", "insert into item (body) select hex(randomblob(900)) from item limit 9")
    db.open()
    db.sync()
    assert (db.pos().index, db.pos().offset) == (1, 32)
    replica.sync()
    assert restored(rig.root) == before
    rig.app("insert into item (body) select hex(randomblob(900)) from item", "commit")
    db.sync()
    replica.sync()
    assert (db.generation, db.pos().index) == (generation, 1)
    rig.same()


# ---- going on, with the database open all the time


def test_what_is_appended_while_it_was_closed_goes_on(rig: Rig, db: Database) -> None:
    generation = db.generation
    for _ in range(3):
        db.close()
        rig.app.add(3)
        db.open()
        assert db.sync().bytes > 0
        assert (db.generation, db.pos().index) == (generation, 0)
    assert rig.shadow().read_bytes() == rig.wal.read_bytes()


def test_a_kept_connection_after_our_own_last_close_goes_on(rig: Rig, db: Database) -> None:
    """Ours was the last connection, and left the WAL as it was: nothing was checkpointed."""
    generation, data = db.generation, rig.db.stat().st_size
    rig.app.end()
    db.close()
    assert rig.wal.stat().st_size > 0
    assert rig.db.stat().st_size == data
    with Database(rig.db) as again:
        assert not again.sync()
        assert again.generation == generation


@pytest.mark.parametrize("after", [0, 1, 40], ids=["nothing", "a little", "more than the old WAL"])
def test_a_truncate_of_the_application_loses_nothing(rig: Rig, db: Database, after: int) -> None:
    """The WAL was all in the database when we came: our lock does not keep it from being truncated."""
    db.close()
    assert rig.app.checkpoint()[0] == 0
    db.open()
    db.sync()
    replica = replicated(rig, db)
    generation = db.generation
    rig.app.add(2)
    db.sync()
    assert db.pos().index == 1
    db.close()
    assert rig.app.checkpoint()[0] == 0
    db.open()
    db.sync()
    assert rig.app.checkpoint("truncate")[0] == 0
    assert rig.wal.stat().st_size == 0
    if after:
        rig.app.add(after)
    db.sync()
    replica.sync()
    assert (db.generation, db.pos().index) == (generation, 2 if after else 1)
    rig.same()
    rig.app.add(1)
    for more in (0, 1):
        if more:
            rig.app.add(1)
        db.sync()
        replica.sync()
        assert db.generation == generation
        rig.same()
    assert db.pos().index == 2


def test_truncated_twice_between_two_syncs(rig: Rig, db: Database) -> None:
    """Each one counts the salt up, so a WAL seems to be missing: a new generation, and nothing is lost."""
    db.close()
    rig.app.checkpoint()
    db.open()
    db.sync()
    replica = replicated(rig, db)
    generation = db.generation
    for _ in range(2):
        assert rig.app.checkpoint("truncate")[0] == 0
    rig.app.add(2)
    db.sync()
    replica.sync()
    assert db.generation != generation
    assert db.new_generation_reason == "wal truncated by another process"
    rig.same()


def test_nobody_can_restart_the_wal_before_the_shadow_has_it(rig: Rig, db: Database) -> None:
    replica = replicated(rig, db)
    at, generation = db.pos(), db.generation
    for mode in ("passive", "full", "restart", "truncate"):
        rig.app.add(2)
        try:
            busy, frames, moved = rig.app.checkpoint(mode)
            assert busy or moved < frames
        except AppError as error:
            assert "locked" in str(error)
    assert rig.header().end_of(0) + rig.wal.stat().st_size > at.offset
    db.sync()
    assert (db.generation, db.pos().index) == (generation, 0)
    replica.sync()
    rig.same()


def test_a_wal_that_is_overwritten_between_opening_and_the_first_sync(rig: Rig, db: Database) -> None:
    """Our lock does not keep a WAL that is all in the database, and the shadow lacks its end."""
    replica = replicated(rig, db)
    db.close()
    rig.app.add(3)
    assert rig.app.checkpoint()[0] == 0
    db.open()
    rig.app.add(80)
    assert db.sync().new_generation_reason == "wal overwritten by another process"
    replica.sync()
    rig.same()


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_byte_that_flips_in_the_real_wal_is_noticed(rig: Rig, db: Database, checkpoint: bool) -> None:
    """SQLite itself does not look at the checksum of a frame that is in the WAL's index: the commit counts."""
    replica = replicated(rig, db)
    at = rig.wal.stat().st_size
    rig.app("update item set body = replace(body, 'A', 'B') where id = 3")
    rig.app.add(1)
    data = rig.wal.read_bytes()
    body = re.compile(rb"[0-9B-F]{300}").search(data, at)
    assert body is not None
    fd = os.open(rig.wal, os.O_WRONLY)  # it carries no locks
    os.pwrite(fd, b"Z", body.start() + 5)
    os.close(fd)
    rig.app("select count(*) from item")
    if checkpoint:
        db.checkpoint("PASSIVE")
    db.sync()
    assert db.new_generation_reason == "wal frames with wrong checksums"
    replica.sync()
    assert restored(rig.root) == once_more(rig)


def once_more(rig: Rig) -> int:
    """What a process sees that has nothing in its cache."""
    with App(rig.db) as fresh:
        return fresh.content()


# ---- the meta folder, damaged while it is open


def lost_generation(rig: Rig) -> str:
    Path(rig.meta.generation_file).unlink()
    return "no generation exists"


def odd_generation(rig: Rig) -> str:
    Path(rig.meta.generation_file).write_text("NOT A GENERATION\n")
    return "no generation exists"


def lost_meta(rig: Rig) -> str:
    shutil.rmtree(rig.meta.path)
    return "no generation exists"


def lost_shadow(rig: Rig) -> str:
    rig.shadow().unlink()
    return "no shadow wal"


def short_shadow(rig: Rig) -> str:
    os.truncate(rig.shadow(), 10)
    return "short shadow wal"


META_DAMAGE = [lost_generation, odd_generation, lost_meta, lost_shadow, short_shadow]


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
@pytest.mark.parametrize("harm", META_DAMAGE)
def test_a_damaged_meta_folder_begins_a_new_generation(
    rig: Rig, db: Database, harm: Callable[[Rig], str], closed: bool
) -> None:
    replica = replicated(rig, db)
    before = db.generation
    if closed:
        db.close()
    rig.app.add(2)
    reason = harm(rig)
    if closed:
        db.open()
    assert db.sync().new_generation_reason == reason
    assert db.generation != before
    assert guard.holder(rig.meta.path) == os.getpid(), "others are kept out as before"
    replica.sync()
    rig.same()
    rig.app.add(1)
    assert not db.sync().new_generation_reason
    replica.sync()
    rig.same()
    db.clean(db.pos().index)
    assert rig.meta.generations() == [db.generation]


def test_a_shadow_of_the_highest_index_ends_the_generation(rig: Rig, db: Database) -> None:
    db.close()
    os.rename(rig.shadow(0), rig.shadow(0x7FFFFFFF))
    db.open()
    assert db.sync().new_generation_reason == "max index exceeded"
    assert db.pos().index == 0


def test_a_byte_that_flips_in_the_shadow_is_copied_again(rig: Rig, db: Database) -> None:
    generation = db.generation
    db.close()
    path = rig.shadow()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    db.open()
    assert db.pos().offset < len(data)
    db.sync()
    assert db.generation == generation
    assert path.read_bytes() == rig.wal.read_bytes()


def test_cleaning_keeps_the_index_before_the_one_that_is_needed(rig: Rig, db: Database) -> None:
    for _ in range(4):
        assert db.checkpoint("PASSIVE")
    generation = db.generation
    assert rig.meta.indexes(generation) == [0, 1, 2, 3, 4]
    db.clean(3)
    assert rig.meta.indexes(generation) == [2, 3, 4]
    Path(rig.meta.wal_path("0" * 16, 0)).parent.mkdir(parents=True)
    assert db.clean(3) == ["0" * 16]


# ---- checkpoints


@pytest.mark.parametrize("mode", ["PASSIVE", "RESTART"])
def test_a_checkpoint_begins_the_next_index_and_loses_nothing(rig: Rig, db: Database, mode: str) -> None:
    replica = replicated(rig, db)
    generation = db.generation
    contents = []
    for index in range(3):
        rig.app.add(3)  # not synced before
        assert db.checkpoint("PASSIVE" if mode == "PASSIVE" else "RESTART")
        assert (db.generation, db.pos().index) == (generation, index + 1)
        assert db.pos().offset == 32 + 24 + 4096, "one frame: the write that was forced"
        contents.append(rig.app("select count(*), max(id) from item"))
        replica.sync()
        rig.same()
    salts = [int.from_bytes(rig.shadow(i).read_bytes()[16:20], "big") for i in range(4)]
    assert {(b - a) & 0xFFFFFFFF for a, b in pairwise(salts)} == {1}
    for index in range(4):
        restored(rig.root, Target(generation, index))


def test_a_checkpoint_waits_neither_for_a_writer_nor_for_a_reader(rig: Rig) -> None:
    db = Database(rig.db, limits=Limits(busy_timeout_s=0.05))
    db.open()
    db.sync()
    try:
        rig.app("begin immediate", "insert into item (body) values ('held')")
        assert not db.checkpoint("PASSIVE")
        rig.app("commit")
        with App(rig.db) as reader:
            reader("begin", "select count(*) from item")
            rig.app.add(2)
            assert not db.checkpoint("PASSIVE")
            assert not db.checkpoint("RESTART")
            rig.app.add(1)
            reader("commit")
        assert db.checkpoint("PASSIVE")
        assert db.checkpoints["PASSIVE"].count == 3
        assert db.checkpoints["PASSIVE"].errors == 2
        assert db.checkpoints["RESTART"].errors == 1
        replicated(rig, db)
        rig.same()
    finally:
        db.close()


def test_a_long_wal_is_cut_by_our_own_commit(rig: Rig) -> None:
    db = Database(rig.db, limits=Limits(max_checkpoint_pages=20))
    db.open()
    try:
        rig.app.add(200)
        db.sync()
        replicated(rig, db)
        assert rig.wal.stat().st_size > 100_000
        assert db.checkpoint("RESTART")
        assert rig.wal.stat().st_size <= 32 + 20 * 4120
        rig.app.add(1)
        db.sync()
        assert db.pos().index == 1
        rig.bind(db).sync()
        rig.same()
    finally:
        db.close()


def test_when_a_checkpoint_is_due(rig: Rig) -> None:
    now = [rig.db.stat().st_mtime_ns]
    db = Database(rig.db, limits=Limits(30, 60, 60.0, 0.05), now_ns=lambda: now[0])
    db.open()
    try:
        assert db.checkpoint_due() is None, "not before the first sync"
        db.sync()
        assert db.checkpoint_due() is None
        now[0] += 61_000_000_000
        assert db.checkpoint_due() == "PASSIVE", "a minute has gone by"
        now[0] -= 61_000_000_000
        rig.app.add(90)
        db.sync()
        assert db.pos().offset > 32 + 30 * 4120
        assert db.checkpoint_due() == "PASSIVE"
        with db.holding_checkpoints() as at:
            assert at == db.pos()
            assert db.checkpoint_due() is None
            assert not db.checkpoint("PASSIVE")
            assert not db.checkpoint("RESTART")
        rig.app.add(200)
        db.sync()
        assert db.checkpoint_due() == "RESTART"
        with App(rig.db) as reader:
            reader("begin", "select count(*) from item")
            rig.app.add(1)
            assert not db.checkpoint("RESTART")
            assert db.checkpoint_due() == "PASSIVE", "RESTART holds up writers: not at once again"
    finally:
        db.close()


def test_listeners_hear_of_what_a_checkpoint_copied(rig: Rig, db: Database) -> None:
    """What the application commits between a sync and the checkpoint after it must not wait for its next commit."""
    heard: list[int] = []
    db.listeners.append(lambda: heard.append(1))
    rig.app.add(1)
    assert db.checkpoint("PASSIVE")
    db.sync()
    assert heard


def test_listeners_hear_of_a_generation_that_a_replica_asked_for(rig: Rig, db: Database) -> None:
    """The other replicas must follow."""
    heard: list[int] = []
    db.listeners.append(lambda: heard.append(1))
    db.new_generation("the replica is ahead of the database")
    db.sync()
    assert heard


def test_tables_that_the_application_dropped_are_made_again(rig: Rig, db: Database) -> None:
    replica = replicated(rig, db)
    for _ in range(3):
        rig.app("drop table if exists _litestream_seq", "drop table if exists _litestream_lock")
        rig.app.add(2)
        for _ in range(2):
            try:
                db.sync()
                done = db.checkpoint("PASSIVE")
            except PrimaryError as error:
                assert error.hint
                done = False
        assert done, "the second time at the latest"
    db.sync()
    replica.sync()
    rig.same()


def test_a_finished_shadow_is_on_the_disk_before_the_next_one_begins(
    rig: Rig, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.close()
    rig.app.add(3)
    assert rig.app.checkpoint()[0] == 0
    db.open()
    rig.app.add(1)  # restarts the WAL
    seen: list[str] = []
    fsync, rename = os.fsync, os.rename

    def note_fsync(fd: int) -> None:
        seen.append(f"fsync {os.path.basename(os.readlink(f'/proc/self/fd/{fd}'))}")
        fsync(fd)

    def note_rename(old: str, new: str) -> None:
        seen.append(f"rename {os.path.basename(new)}")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "rename", note_rename)
    db.sync()
    assert db.pos().index == 1
    assert "fsync 00000000.wal" in seen[: seen.index("rename 00000001.wal")]


# ---- opened once, closed wholly


def test_opened_twice_is_refused_here_and_elsewhere(rig: Rig, db: Database) -> None:
    with pytest.raises(PrimaryError, match="litetui itself has it open"):
        Database(rig.db).open()
    link = rig.db.parent / "link.db"
    link.symlink_to(rig.db)
    with pytest.raises(PrimaryError, match="litetui itself has it open"):
        Database(link).open()
    code = "import sys; from litetui.cli import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "sync", str(rig.db), str(rig.root)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 1
    assert f"litetui (pid {os.getpid()}) is at work on it" in result.stderr
    assert "Try: stop it first" in result.stderr
    rig.app.add(1)
    assert db.sync().bytes


def test_closing_and_opening_again_leaks_nothing(rig: Rig, db: Database) -> None:
    db.close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with Database(rig.db) as again:
            again.sync()
    db.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_database_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    text, journal = tmp_path / "text.db", tmp_path / "journal.db"
    text.write_text("this is no database, whatever its name says\n" * 40)
    with App(journal, wal=False) as app:
        app("create table t (x)")
        before = len(os.listdir("/proc/self/fd"))
        cases = {
            tmp_path / "none.db": "there is no such file",
            tmp_path: "it is no regular file",
            text: "it is no SQLite database",
            journal: "it is not in WAL mode",
        }
        for path, cause in cases.items():
            with pytest.raises(PrimaryError, match=cause) as caught:
                Database(path).open()
            assert caught.value.hint
            assert caught.value.path == str(path)
        assert len(os.listdir("/proc/self/fd")) == before
        app("pragma journal_mode = wal")
        with Database(journal) as db:
            db.sync()


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda db: db.sync(), id="sync"),
        pytest.param(lambda db: db.checkpoint("PASSIVE"), id="checkpoint"),
        pytest.param(lambda db: db.new_generation("why"), id="new generation"),
        pytest.param(lambda db: db.holding_checkpoints().__enter__(), id="snapshot"),
        pytest.param(lambda db: db.read(1, 0), id="read"),
        pytest.param(lambda db: db.size, id="size"),
    ],
)
def test_what_is_closed_says_so(rig: Rig, db: Database, call: Callable[[Database], object]) -> None:
    db.close()
    generation = rig.meta.generation()
    with pytest.raises(PrimaryError):
        call(db)
    assert rig.meta.generation() == generation, "another process may hold the lock by now"


def test_threads_take_turns(rig: Rig, db: Database) -> None:
    replica = replicated(rig, db)
    calls: list[Callable[[], object]] = [db.sync, lambda: db.checkpoint("PASSIVE"), db.pos, replica.sync]
    with ThreadPoolExecutor(len(calls)) as pool:
        done = [pool.submit(call) for _ in range(8) for call in calls]
        for _ in range(20):
            rig.app.add(1)
    for one in done:
        one.result()
    db.sync()
    replica.sync()
    rig.same()
