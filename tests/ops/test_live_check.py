"""A replica compared with the live database: the same, not the same and where, or not known; and what that disturbs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest

from litetui.errors import Cancelled, LockedError, PrimaryError
from litetui.format import lz4
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import live_check, pagediff
from litetui.ops.frames import read_frames
from litetui.ops.verdict import LiveCheck
from litetui.primary.database import Database, Limits
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from tests.ops.test_replicate import FAST, running
from tests.primary.rig import Rig, files
from tests.primary.rig import rig as make_rig
from tests.primary.sql import App, AppError
from tests.primary.test_locks import locks_hold

WAITING = "wait for the replica"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """All of the database is in its file, and so in a snapshot, but for the last transaction."""
    with make_rig(tmp_path) as made:
        made.app("create index by_body on item (body)", "create table gone (body text)")
        made.app("insert into gone select body from item", "drop table gone")
        with Database(made.db) as db:
            db.sync()  # makes the tables
        made.app.checkpoint("restart")
        made.app("insert into item (body) values ('the last')")
        yield made


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[str]:
    """A folder in which nothing may be left."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    yield str(folder)
    assert os.listdir(folder) == []


class When(Reporter):
    """Does something when a phase begins."""

    def __init__(self, phase: str, *acts: Callable[[], object]) -> None:
        super().__init__()
        self._phase, self.acts = phase, list(acts)

    def phase(self, name: str, total: int = 0, unit: str = "bytes") -> None:
        super().phase(name, total, unit)
        if name == self._phase and self.acts:
            self.acts.pop(0)()


def passive(rig: Rig, scratch: str, report: Reporter | None = None, wait_s: float = 0.0) -> LiveCheck:
    return live_check.passive(open_replica(rig.root), str(rig.db), scratch=scratch, wait_s=wait_s, report=report)


def next_index(rig: Rig) -> None:
    """A checkpoint of litetui's, and the replica in step."""
    with Database(rig.db) as db:
        assert db.checkpoint("PASSIVE")
        rig.bind(db).sync()


def snapshot_of(root: Path) -> Path:
    return sorted(root.rglob("*.snapshot.lz4"))[-1]


def put(path: Path, data: bytes) -> None:
    """In the place of a file, at once: a replicator that sees a half snapshot begins a new generation."""
    new = path.with_name("new")
    new.write_bytes(data)
    new.replace(path)


def tamper(root: Path, change: Callable[[bytearray], object]) -> None:
    """Change the content of the newest snapshot; nothing in the file shows it."""
    path = snapshot_of(root)
    data = bytearray(lz4.decompress(path.read_bytes()))
    change(data)
    put(path, lz4.compress(bytes(data)))


def garble(*pages: int) -> Callable[[bytearray], object]:
    """Change a byte near the end of pages, where content is, so that no structure is hurt."""

    def change(data: bytearray) -> None:
        for page in pages:
            data[page * 4096 - 7] ^= 0xFF

    return change


def pages_of(root: Path, name: str) -> list[int]:
    """The pages of a table or an index that only the snapshot holds, by SQLite's own word; "" for those of none."""
    copy = root.with_name("snapshot.db")
    copy.write_bytes(lz4.decompress(snapshot_of(root).read_bytes()))
    with closing(apsw.Connection(str(copy))) as connection:
        found = list(connection.execute("select name, pageno from dbstat"))
    count = copy.stat().st_size // 4096
    copy.unlink()
    replica = open_replica(root)
    (generation,) = replica.generations()
    later = [i for i in replica.wals(generation).indexes() if i >= replica.max_snapshot_index(generation)]
    written = {page for i in later for page in read_frames(replica, generation, i).pages}
    mine = {page for owner, page in found if owner == name}
    return sorted((mine if name else set(range(1, count + 1)) - {page for _, page in found}) - written)


# ---- passive: the same


def test_in_step(rig: Rig, scratch: str) -> None:
    for _ in range(3):
        at = rig.sync().pos
        found = passive(rig, scratch)
        assert (found.status, found.pos) == ("ok", at), found
        assert f"the restore to {at} is the database" in found.words
        rig.app.add(2)


def test_the_older_layout(rig: Rig, scratch: str) -> None:
    rig.sync(layout="wal")
    rig.app.add(3)
    at = rig.sync().pos
    found = passive(rig, scratch)
    assert (found.status, found.pos) == ("ok", at), found


def test_an_index_that_has_ended_meanwhile(rig: Rig, scratch: str) -> None:
    at = rig.sync().pos

    def go_on() -> None:
        next_index(rig)
        rig.app.add(3)
        assert rig.sync().pos.index == at.index + 1

    found = passive(rig, scratch, When(WAITING, go_on))
    assert (found.status, found.pos) == ("ok", at), found


def test_the_replica_is_waited_for(rig: Rig, scratch: str) -> None:
    rig.sync()
    rig.app.add(3)
    found = passive(rig, scratch)
    assert found.status == "unknown"
    assert "bytes of transactions behind" in found.words
    found = passive(rig, scratch, When(WAITING, rig.sync), 20)
    assert found.status == "ok", found


def test_a_new_snapshot_hides_the_position_and_a_later_one_is_taken(rig: Rig, scratch: str) -> None:
    rig.sync()
    first = snapshot_of(rig.root)
    next_index(rig)
    rig.app.add(2)
    rig.sync()

    def snapshot() -> None:
        rig.app("update item set body = 'later'")
        rig.app.checkpoint("passive")
        assert rig.sync(snapshot=True).snapshot_created
        first.unlink()

    report = When(WAITING, snapshot)
    found = passive(rig, scratch, report)
    assert not report.acts
    assert found.status == "ok", found


def test_beside_a_database_that_is_open_in_this_process(rig: Rig, scratch: str) -> None:
    with Database(rig.db) as db:
        db.sync()
        rig.bind(db).sync()
        assert passive(rig, scratch).status == "ok"
        rig.app.end()
        locks_hold(rig)


@pytest.mark.parametrize("how", ["closed", "truncated"])
def test_without_a_wal_the_latest_is_taken(rig: Rig, scratch: str, how: str) -> None:
    def away() -> None:
        if how == "closed":
            rig.app.close()
        else:
            assert rig.app.checkpoint("truncate") == (0, 0, 0)

    at = rig.sync().pos
    away()
    found = passive(rig, scratch)
    assert (found.status, found.pos) == ("ok", at), found
    assert "has no WAL" in found.words
    if how == "closed":
        rig.app.reopen()
    rig.app.add(60)
    away()
    found = passive(rig, scratch)
    assert found.status == "unknown", "nobody can say whether the replica is behind"
    assert "may just be newer" in found.words
    assert "pages, the restore" in found.words
    assert found.pages > 0


# ---- passive: not the same


@pytest.mark.parametrize("name", ["item", "by_body", "sqlite_schema", ""])
def test_which_pages_and_tables_differ(rig: Rig, scratch: str, name: str) -> None:
    rig.sync()
    page = pages_of(rig.root, name)[-1]
    tamper(rig.root, garble(page))
    found = passive(rig, scratch)
    assert found.status == "mismatch"
    assert (found.pages, found.tables) == (1, (name or pagediff.FREE,)), found
    assert f": {page} ({name or 'free pages'})" in found.words


def test_many_pages_of_several_tables(rig: Rig, scratch: str) -> None:
    rig.sync()
    item, index = pages_of(rig.root, "item")[-2:], pages_of(rig.root, "by_body")[-2:]
    tamper(rig.root, garble(*item, *index))
    found = passive(rig, scratch)
    assert (found.pages, found.tables) == (4, ("by_body", "item"))


def test_a_page_that_is_no_page_any_more(rig: Rig, scratch: str) -> None:
    """Where the restore is no sound database, what can still be told is told."""
    rig.sync()
    root = pages_of(rig.root, "item")[0]
    tamper(rig.root, lambda data: data.__setitem__(slice((root - 1) * 4096, root * 4096), b"\xa5" * 4096))
    found = passive(rig, scratch)
    assert (found.status, found.pages) == ("mismatch", 1)
    assert found.tables in (("item",), (pagediff.UNKNOWN,))


def test_a_damaged_replica_does_not_restore(rig: Rig, scratch: str) -> None:
    rig.sync()
    path = snapshot_of(rig.root)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    found = passive(rig, scratch)
    assert found.status == "mismatch"
    assert "does not restore" in found.words
    assert found.pos is not None


def test_transactions_that_never_came(rig: Rig, scratch: str) -> None:
    """The end of a WAL is missing in the replica, and the next one is there: that is no lag."""
    rig.sync()

    def lose() -> None:
        rig.sync()
        newest = sorted(rig.root.rglob("*.wal.lz4"))[-1]
        next_index(rig)
        newest.unlink()

    rig.app.add(1)
    found = passive(rig, scratch, When(WAITING, lose))
    assert found.status == "mismatch"
    assert "too early" in found.words


# ---- passive: not known


def test_another_databases_replica(rig: Rig, scratch: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with make_rig(tmp_path / "other") as other:
        other.sync()
        found = live_check.passive(open_replica(other.root), str(rig.db), scratch=scratch, wait_s=0)
    assert found.status == "unknown"
    assert "the replica of another database" in found.words


def test_a_replica_that_is_whole_indexes_behind(rig: Rig, scratch: str) -> None:
    rig.sync()
    for _ in range(3):
        rig.app.checkpoint("restart")
        rig.app.add(1)
    found = passive(rig, scratch)
    assert found.status == "unknown"
    assert "the database is 3 further" in found.words


def test_a_replica_without_anything(rig: Rig, scratch: str, tmp_path: Path) -> None:
    (tmp_path / "empty/generations").mkdir(parents=True)
    found = live_check.passive(FileReplica(tmp_path / "empty"), str(rig.db), scratch=scratch, wait_s=0)
    assert (found.status, found.words) == ("unknown", "the replica has no generation yet")


def test_what_cannot_be_looked_at(rig: Rig, scratch: str, tmp_path: Path) -> None:
    rig.sync()
    replica = open_replica(rig.root)
    with pytest.raises(PrimaryError, match="no such file"):
        live_check.passive(replica, str(tmp_path / "none.db"))
    plain = tmp_path / "plain.db"
    with closing(sqlite3.connect(plain)) as connection:
        connection.execute("create table t (x)")
    found = live_check.passive(replica, str(plain), scratch=scratch)
    assert found.status == "unknown"
    assert "not in WAL mode" in found.words
    assert "(try: sqlite3 " in found.words
    found = live_check.passive(replica, str(rig.db), scratch=str(tmp_path / "nowhere"))
    assert found.status == "unknown"
    assert "scratch folder" in found.words


def test_a_cancel_leaves_nothing(rig: Rig, scratch: str) -> None:
    rig.sync()
    for phase in (WAITING, "WAL"):
        cancel = CancelToken()
        with pytest.raises(Cancelled):
            live_check.passive(
                open_replica(rig.root), str(rig.db), scratch=scratch, report=When(phase, cancel.cancel), cancel=cancel
            )
    assert rig.app.checkpoint("restart")[0] == 0


# ---- active


@contextmanager
def following(rig: Rig) -> Iterator[tuple[Database, FileReplica]]:
    """The database is open, and a replica follows it in its own thread."""
    with Database(rig.db, limits=Limits(busy_timeout_s=0.05)) as db:
        db.sync()
        replica = rig.bind(db)
        replica.sync()
        replica.start(0.01)
        try:
            yield db, replica
        finally:
            replica.stop()


def test_active_under_writers_and_checkpoints(rig: Rig, scratch: str) -> None:
    done = threading.Event()
    counts = [0, 0]

    def write() -> None:
        with App(rig.db, busy_ms=5000) as app:
            while not done.is_set():
                app("update item set body = hex(randomblob(200)) where id % 5 = 0")
                app.add(2)
                counts[0] += 1

    def checkpoint() -> None:
        with App(rig.db, busy_ms=1) as app:
            while not done.is_set():
                with contextlib.suppress(AppError):
                    app.checkpoint(("passive", "full", "restart")[counts[1] % 3])
                counts[1] += 1

    threads = [threading.Thread(target=work) for work in (write, checkpoint)]
    found: list[LiveCheck] = []
    with running(rig, FAST) as run:
        db, (replica,) = run.database, run.replicator.replicas
        for thread in threads:
            thread.start()
        try:
            while len(found) < 5 or min(counts) < 20:
                found.append(live_check.active(db, replica, scratch=scratch))
        finally:
            done.set()
            for thread in threads:
                thread.join(30)
        assert {f.status for f in found} == {"ok"}, found
        assert len({f.pos for f in found}) == len(found)
        assert len(rig.meta.reasons()) == 1, "no generation was lost"
    assert all(f.checksums and f.checksums[0] == f.checksums[1] for f in found)
    assert not os.path.exists(f"{rig.meta.path}/mismatch")


def test_the_checksum_is_litestreams(rig: Rig, scratch: str) -> None:
    """CRC-64/GO-ISO, bit by bit."""
    with following(rig) as (db, replica):
        found = live_check.active(db, replica, scratch=scratch)
        data = db.read(db.size, 0)  # nobody has written since
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xD800000000000000 if crc & 1 else 0)
    crc ^= 0xFFFFFFFFFFFFFFFF
    assert found.checksums == (crc, crc)


def test_active_keeps_both_files_of_a_mismatch(rig: Rig, scratch: str) -> None:
    with following(rig) as (db, replica):
        assert live_check.active(db, replica, scratch=scratch).status == "ok"
        page = pages_of(rig.root, "item")[1]  # a leaf of old rows, to which nothing is added
        tamper(rig.root, garble(page))
        for _ in range(2):
            with db.at_rest():
                data = db.read(db.size, 0)
            found = live_check.active(db, replica, scratch=scratch)
            assert found.status == "mismatch"
            assert (found.pages, found.tables) == (1, ("item",))
            assert found.checksums is not None
            assert found.checksums[0] != found.checksums[1]
            folder = Path(rig.meta.path, "mismatch")
            assert files(folder) == ["file-live.db.lz4", "file-replica.db.lz4"]
            live, restored = (lz4.decompress(Path(path).read_bytes()) for path in found.kept)
            assert len(live) == len(data) == len(restored)
            assert [n for n in range(1, len(live) // 4096 + 1) if _page(live, n) != _page(restored, n)] == [page]
            assert _page(live, page) == _page(data, page)
            assert all(path in found.words for path in found.kept)
            assert os.stat(found.kept[0]).st_mode == os.stat(rig.db).st_mode
            rig.app.add(2)
    with Database(rig.db):
        assert len(files(folder)) == 2, "they are not cleaned away"


def _page(data: bytes, page: int) -> bytes:
    return data[(page - 1) * 4096 : page * 4096]


def test_no_room_to_keep_them(rig: Rig, scratch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = tmp_path / "kept"
    with following(rig) as (db, replica):
        tamper(rig.root, garble(pages_of(rig.root, "item")[-1]))
        with monkeypatch.context() as patch:
            patch.setattr("litetui.ops.keep.free_bytes", lambda _: 3 * db.size)
            found = live_check.active(db, replica, scratch=scratch, keep_in=str(keep))
        assert (found.status, found.kept) == ("mismatch", ())
        assert "no room" in found.words
        assert files(keep) == []
        found = live_check.active(db, replica, scratch=scratch, keep_in=str(keep))
        assert [str(keep) in path for path in found.kept] == [True, True]


def test_a_generation_that_changes_ends_the_wait(rig: Rig, scratch: str) -> None:
    with Database(rig.db) as db:
        db.sync()
        replica = rig.bind(db)
        replica.sync()
        rig.app.add(1)
        report = When(WAITING, lambda: db.new_generation("to see"))
        found = live_check.active(db, replica, scratch=scratch, wait_s=60, report=report)
        assert found.status == "unknown"
        assert "generation changed" in found.words
        assert db.checkpoint("PASSIVE")


def test_a_replica_that_does_not_come(rig: Rig, scratch: str) -> None:
    with Database(rig.db) as db:
        db.sync()
        replica = rig.bind(db)
        replica.sync()
        rig.app.add(1)
        found = live_check.active(db, replica, scratch=scratch, wait_s=0)
        assert found.status == "unknown"
        assert "has not reached" in found.words
        cancel = CancelToken()
        with pytest.raises(Cancelled):
            live_check.active(db, replica, scratch=scratch, report=When(WAITING, cancel.cancel), cancel=cancel)
        assert db.checkpoint("PASSIVE")


def test_readers_in_the_way(rig: Rig, scratch: str) -> None:
    with following(rig) as (db, replica), App(rig.db) as reader:
        reader("begin", "select count(*) from item")
        rig.app.add(1)
        found = live_check.active(db, replica, scratch=scratch, wait_s=0)
        assert found.status == "unknown"
        assert "long reads keep the WAL in place" in found.words
        reader("commit")
        assert live_check.active(db, replica, scratch=scratch).status == "ok"


def test_a_database_that_cannot_be_read(rig: Rig, scratch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, os.strerror(5))

    with following(rig) as (db, replica):
        with monkeypatch.context() as patch:
            patch.setattr(Database, "read", fail)
            found = live_check.active(db, replica, scratch=scratch)
        assert found.status == "unknown"
        assert "Input/output error" in found.words
        assert db.checkpoint("PASSIVE")
        with monkeypatch.context() as patch:
            patch.setattr("litetui.ops.live_check.write_all", fail)
            found = live_check.active(db, replica, scratch=scratch)
        assert "scratch folder" in found.words
        with pytest.raises(LockedError), db.holding_checkpoints(), db.at_rest(0.0):
            pass
