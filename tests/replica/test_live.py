"""A replica that follows a live database: both layouts, going on from what is there, snapshots that count."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import lz4.frame
import pytest

from litetui.errors import LitetuiError, OutputError, UsageError
from litetui.format.position import Pos
from litetui.ops.frames import read_frames
from litetui.ops.target import Target
from litetui.primary.database import Change, Database
from litetui.replica import live
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from litetui.replica.live import Layout
from tests.primary.rig import Rig, restored
from tests.primary.rig import rig as make_rig
from tests.primary.sql import App

LAYOUTS: list[Layout] = ["segments", "wal"]
both_layouts = pytest.mark.parametrize("layout", LAYOUTS)
FRAME = 4096 + 24


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with make_rig(tmp_path) as made:
        yield made


@pytest.fixture
def db(rig: Rig) -> Iterator[Database]:
    database = rig.open()
    database.sync()
    yield database
    database.close()


def follow(rig: Rig, db: Database, replica: FileReplica, rows: int = 1) -> None:
    """The application commits, and it is replicated."""
    rig.app.add(rows)
    db.sync()
    replica.sync()


def begun(rig: Rig, db: Database, layout: Layout = "segments") -> FileReplica:
    replica = rig.bind(db, layout)
    replica.sync()
    return replica


def generation_folder(rig: Rig, db: Database) -> Path:
    return rig.root / "generations" / db.generation


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file below."""
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()
    }


# ---- the two layouts


def test_segments_join_and_each_ends_behind_a_commit(rig: Rig, db: Database) -> None:
    replica = begun(rig, db)
    ends = [db.pos().offset]
    for _ in range(3):
        follow(rig, db, replica)
        ends.append(db.pos().offset)
    starts = [0, *ends[:-1]]
    assert rig.replica_files() == [
        "snapshots/00000000.snapshot.lz4",
        *(f"wal/00000000_{start:08x}.wal.lz4" for start in starts),
    ]
    data = b"".join(lz4.frame.decompress(p.read_bytes()) for p in sorted(rig.root.rglob("*.wal.lz4")))
    assert data == rig.wal.read_bytes()
    for path in rig.root.rglob("*.lz4"):
        assert path.read_bytes()[:7].hex() == "04224d186470b9", "FORMAT-v0.3, section 2.2"
    frames = read_frames(open_replica(rig.root), db.generation, 0)
    assert set(ends) <= set(frames.transactions.end_offset.tolist())
    assert replica.last_pos == db.pos()
    assert replica.wal_bytes == db.pos().offset
    rig.same()


def test_the_first_layout_has_its_newest_wal_plain_and_the_finished_ones_compressed(rig: Rig, db: Database) -> None:
    replica = begun(rig, db, "wal")
    folder = generation_folder(rig, db)
    plain = folder / "wal/00000000.wal"
    follow(rig, db, replica)
    assert plain.read_bytes() == rig.wal.read_bytes()
    for index in range(1, 4):
        os.utime(folder / f"wal/{index - 1:08x}.wal", ns=(index * 10**18, index * 10**18))
        whole = (folder / f"wal/{index - 1:08x}.wal").read_bytes()
        assert db.checkpoint("PASSIVE")
        follow(rig, db, replica)
        assert rig.replica_files() == [
            "snapshots/00000000.snapshot.lz4",
            *sorted([f"wal/{index:08x}.wal", *(f"wal/{i:08x}.wal.lz4" for i in range(index))]),
        ]
        finished = folder / f"wal/{index - 1:08x}.wal.lz4"
        assert finished.read_bytes()[:7].hex() == "04224d186470b9"
        assert lz4.frame.decompress(finished.read_bytes()) == whole
        assert finished.stat().st_mtime_ns == index * 10**18
    rig.same()


@both_layouts
def test_many_indexes_at_once(rig: Rig, db: Database, layout: Layout) -> None:
    """A replica that was away catches up."""
    replica = begun(rig, db, layout)
    counts = []
    for _ in range(4):
        rig.app.add(2)
        db.sync()
        counts.append(rig.app("select count(*) from item")[0][0])
        assert db.checkpoint("PASSIVE")
    change = replica.sync()
    assert change.pos == db.pos()
    assert change.compressed == (4 if layout == "wal" else 0)
    rig.same()
    for index, _ in enumerate(counts):
        restored(rig.root, Target(db.generation, index))


@both_layouts
@pytest.mark.parametrize("page_size", [512, 65536])
def test_page_sizes(tmp_path: Path, layout: Layout, page_size: int) -> None:
    with make_rig(tmp_path, page_size=page_size) as rig, Database(rig.db) as db:
        db.sync()
        replica = begun(rig, db, layout)
        follow(rig, db, replica, 3)
        assert db.checkpoint("PASSIVE")
        follow(rig, db, replica, 3)
        replica.snapshot()
        follow(rig, db, replica, 3)
        rig.same()


# ---- going on from what is there


@both_layouts
@pytest.mark.parametrize("checkpoint", [False, True])
def test_another_process_goes_on_where_this_one_stopped(
    rig: Rig, db: Database, layout: Layout, checkpoint: bool
) -> None:
    begun(rig, db, layout)
    generation = db.generation
    for _ in range(3):
        if checkpoint:
            db.checkpoint("PASSIVE")
        rig.app.add(1)
        db.sync()
        before = tree(rig.root)
        change = rig.bind(db).sync()  # the layout is the replica's own, unasked
        assert change.pos == db.pos()
        assert change.snapshots == 0
        kept = {name: data for name, data in before.items() if not name.endswith(".wal")}
        assert kept.items() <= tree(rig.root).items(), "what was finished is not touched"
    assert db.generation == generation
    assert rig.bind(db).sync().bytes == 0
    rig.same()


@both_layouts
def test_an_existing_replica_keeps_its_layout(rig: Rig, db: Database, layout: Layout) -> None:
    other: Layout = "wal" if layout == "segments" else "segments"
    begun(rig, db, layout)
    before = tree(rig.root)
    rig.app.add()
    db.sync()
    with pytest.raises(UsageError, match=f"its layout is {layout}, not {other}") as caught:
        rig.bind(db, other).sync()
    assert "leave --layout away" in (caught.value.hint or "")
    assert caught.value.path == str(rig.root)
    assert tree(rig.root) == before
    rig.bind(db, layout).sync()
    rig.same()


@pytest.mark.parametrize("name", ["seed-multi-gen", "v03-multi-gen", "seed-sigkill"])
def test_a_replica_of_another_database_gets_a_generation_beside_it(
    rig: Rig, db: Database, name: str, golden_copy: Callable[[str], Path]
) -> None:
    """It goes on in the layout of that replica, and touches none of its files."""
    rig.root = golden_copy(name)
    before = tree(rig.root)
    replica = rig.bind(db)
    replica.sync()
    follow(rig, db, replica)
    assert db.checkpoint("PASSIVE")
    follow(rig, db, replica)
    assert before.items() <= tree(rig.root).items()
    added = {n.split("/")[1] for n in tree(rig.root).keys() - before.keys()}
    assert added == {db.generation}
    plain = [n for n in rig.replica_files() if n.endswith(".wal")]
    assert bool(plain) == name.startswith("seed"), "each in its own layout"
    rig.same()


@pytest.mark.parametrize("cut", [1, 24, FRAME - 1, FRAME])
def test_a_torn_end_of_a_plain_wal_is_cut_and_written_again(rig: Rig, db: Database, cut: int) -> None:
    """What a crash of the replica's writer leaves: bytes that are the shadow's, but not to a commit."""
    begun(rig, db, "wal")
    rig.app.add(30)  # one transaction of many frames
    db.sync()
    plain = generation_folder(rig, db) / "wal/00000000.wal"
    whole, have = rig.shadow().read_bytes(), plain.stat().st_size
    generation = db.generation
    for more in (cut, len(whole) - have - cut):
        plain.write_bytes(whole[: have + more])
        assert rig.bind(db).sync().pos == db.pos()
        assert plain.read_bytes() == whole
    assert db.generation == generation
    rig.same()


def test_both_forms_of_a_finished_wal_become_one(rig: Rig, db: Database) -> None:
    """A crash between the rename of `.wal.lz4` and the removal of `.wal`, and one before the rename."""
    replica = begun(rig, db, "wal")
    plain = generation_folder(rig, db) / "wal/00000000.wal"
    data = plain.read_bytes()
    assert db.checkpoint("PASSIVE")
    follow(rig, db, replica)
    assert not plain.exists()
    for left in ([plain], [plain, Path(f"{plain}.lz4.tmp")]):
        for path in left:
            path.write_bytes(data)
        rig.bind(db).sync()
        assert rig.replica_files() == ["snapshots/00000000.snapshot.lz4", "wal/00000000.wal.lz4", "wal/00000001.wal"]
        rig.same()


def test_a_plain_wal_is_compressed_only_once_the_next_one_is_there(rig: Rig, db: Database) -> None:
    """Also while the shadow's next WAL is a header only, as the transaction that begins it is not committed."""
    begun(rig, db, "wal")
    db.close()
    rig.app.checkpoint()
    rig.app("pragma cache_size = 5", "begin", "insert into item (body) select hex(randomblob(900)) from item limit 9")
    db.open()
    db.sync()
    assert (db.pos().index, db.pos().offset) == (1, 32)
    replica = rig.bind(db)
    replica.sync()
    assert len([n for n in rig.replica_files() if n.endswith(".wal")]) == 1, "the newest one is plain"
    rig.app("commit")
    db.sync()
    replica.sync()
    assert rig.replica_files() == ["snapshots/00000000.snapshot.lz4", "wal/00000000.wal.lz4", "wal/00000001.wal"]
    rig.same()


def test_temporary_files_of_a_crash_are_removed(rig: Rig, db: Database) -> None:
    begun(rig, db)
    folder = generation_folder(rig, db)
    for name in ("wal/00000000_0000b128.wal.lz4.tmp", "snapshots/00000001.snapshot.lz4.tmp"):
        (folder / name).write_bytes(b"half")
    rig.bind(db).sync()
    assert not list(rig.root.rglob("*.tmp"))


# ---- where it cannot go on


def ahead(rig: Rig, db: Database, folder: Path) -> str:
    """The database was set back to an earlier state: its meta folder with it."""
    shadow, size = rig.shadow(), rig.shadow().stat().st_size
    db.close()
    meta = shutil.copytree(rig.meta.path, rig.db.parent / "meta-before")
    files = {p: p.read_bytes() for p in (rig.wal,)}
    with Database(rig.db) as later:
        for _ in range(2):
            rig.app.add(2)
            later.sync()
            rig.bind(later).sync()
    assert shadow.stat().st_size > size
    rig.app.end()
    shutil.rmtree(rig.meta.path)
    os.rename(meta, rig.meta.path)
    for path, data in files.items():
        path.write_bytes(data)
    Path(f"{rig.db}-shm").unlink()
    rig.app = App(rig.db)
    db.open()
    return "the replica is ahead of the database"


def differs(rig: Rig, db: Database, folder: Path) -> str:
    newest = max(folder.glob("wal/*"))
    if newest.suffix == ".wal":
        data = bytearray(newest.read_bytes())
        data[-1] ^= 1
        newest.write_bytes(data)
    else:
        data = bytearray(lz4.frame.decompress(newest.read_bytes()))
        data[-1] ^= 1
        newest.write_bytes(lz4.frame.compress(bytes(data), content_checksum=True))
    return "the replica differs from the shadow wal"


def damaged(rig: Rig, db: Database, folder: Path) -> str:
    newest = max(folder.glob("wal/*"))
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    if newest.suffix == ".wal":
        return "the replica differs from the shadow wal"
    return "the replica's newest file is damaged"


def no_snapshot(rig: Rig, db: Database, folder: Path) -> str:
    for path in folder.glob("snapshots/*"):
        path.unlink()
    return "the replica has WALs of this generation, but no snapshot"


def no_shadow(rig: Rig, db: Database, folder: Path) -> str:
    assert db.checkpoint("PASSIVE")
    rig.shadow(0).unlink()
    return "the shadow wal that the replica needs is gone"


def early(rig: Rig, db: Database, folder: Path) -> str:
    newest = max(folder.glob("wal/*"))
    Path(f"{newest}.lz4").write_bytes(lz4.frame.compress(newest.read_bytes(), content_checksum=True))
    newest.unlink()
    rig.app.add()
    db.sync()
    return "the replica's newest wal is compressed before its end"


HARMS = [ahead, differs, damaged, no_snapshot, no_shadow]


@pytest.mark.parametrize(
    ("layout", "harm"), [*((layout, harm) for layout in LAYOUTS for harm in HARMS), ("wal", early)]
)
def test_a_replica_that_cannot_go_on_gets_a_new_generation(
    rig: Rig, db: Database, layout: Layout, harm: Callable[[Rig, Database, Path], str]
) -> None:
    replica = begun(rig, db, layout)
    follow(rig, db, replica, 2)
    before = db.generation
    reason = harm(rig, db, generation_folder(rig, db))
    db.sync()
    if harm is ahead:
        assert db.generation == before, "the database itself sees nothing amiss"
    rig.bind(db).sync()
    assert db.generation != before
    assert db.new_generation_reason == reason
    assert rig.meta.reasons()[db.generation] == db.new_generation_reason
    rig.same()
    replica = rig.bind(db)
    follow(rig, db, replica)
    rig.same()


# ---- the replica is changed under a process that remembers where it was


def emptied(folder: Path) -> None:
    root = folder.parent.parent
    shutil.rmtree(root)
    root.mkdir()


def lost_generations(folder: Path) -> None:
    shutil.rmtree(folder.parent)


def lost_snapshot(folder: Path) -> None:
    next(folder.glob("snapshots/*")).unlink()


def lost_newest_wal(folder: Path) -> None:
    max(folder.glob("wal/*")).unlink()


def cut_newest_wal(folder: Path) -> None:
    newest = max(folder.glob("wal/*"))
    os.truncate(newest, newest.stat().st_size // 2)


@both_layouts
@pytest.mark.parametrize("harm", [emptied, lost_generations, lost_snapshot, lost_newest_wal, cut_newest_wal])
def test_a_replica_that_was_changed_meanwhile_is_made_whole_again(
    rig: Rig, db: Database, layout: Layout, harm: Callable[[Path], None]
) -> None:
    replica = begun(rig, db, layout)
    follow(rig, db, replica)
    harm(generation_folder(rig, db))
    for _ in range(2):
        try:
            follow(rig, db, replica)
        except LitetuiError as error:
            assert error.hint
    rig.same()


@pytest.mark.parametrize("replaced", [False, True], ids=["in place", "by another file"])
@pytest.mark.parametrize(
    ("layout", "known"),
    [("wal", True), ("wal", False), ("segments", True), ("segments", False)],
)
def test_after_an_error_the_position_is_found_in_what_is_there_now(
    rig: Rig, db: Database, layout: Layout, known: bool, replaced: bool
) -> None:
    """A disk that was away comes back with a newest file that a crash has cut; one that was listed before, or not."""
    replica = begun(rig, db, layout)
    if not known:
        follow(rig, db, replica)
    before, away = db.generation, rig.root.with_name("away")
    os.rename(rig.root, away)
    with pytest.raises(OutputError):
        follow(rig, db, replica)
    newest = max(away.rglob("wal/*"))
    if replaced:
        newest.write_bytes(data := newest.read_bytes()[:-9])
        newest.unlink()
        newest.write_bytes(data)
    else:
        os.truncate(newest, newest.stat().st_size - 9)
    os.rename(away, rig.root)
    follow(rig, db, replica)
    assert (db.generation == before) == (layout == "wal"), "a plain WAL that was cut is written on"
    rig.same()


@pytest.mark.parametrize("how", ["gone", "cut"])
def test_a_shadow_that_is_gone_before_it_was_replicated_is_no_empty_one(rig: Rig, db: Database, how: str) -> None:
    replica = begun(rig, db)
    before = db.generation
    rig.app.add(3)
    assert db.checkpoint("PASSIVE")
    if how == "gone":
        rig.shadow(0).unlink()
    else:
        os.truncate(rig.shadow(0), replica.last_pos.offset)
    follow(rig, db, replica)
    assert db.generation != before
    rig.same()


def test_a_shadow_that_is_damaged_before_it_was_replicated_is_not_replicated(rig: Rig, db: Database) -> None:
    replica = begun(rig, db)
    before = db.generation
    at = db.pos().offset
    rig.app.add(3)
    assert db.checkpoint("PASSIVE")
    data = bytearray(rig.shadow(0).read_bytes())
    data[at + 2000] ^= 1
    rig.shadow(0).write_bytes(data)
    follow(rig, db, replica)
    assert db.generation != before
    assert db.new_generation_reason == "the shadow wal is damaged"
    assert not list(rig.root.rglob("*.tmp"))
    rig.same()


# ---- snapshots


@both_layouts
def test_a_snapshot_counts_only_once_its_wal_is_there(
    rig: Rig, db: Database, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[list[str], list[str]]] = []
    real = Database.sync

    def sync(self: Database, *args: object) -> Change:
        names = [p.name for p in rig.root.rglob("snapshots/*")]
        seen.append((names, [p.name for p in rig.root.rglob("wal/*")]))
        rig.app.add(1)  # committed while the snapshot was copied
        return real(self)

    monkeypatch.setattr(Database, "sync", sync)
    replica = rig.bind(db, layout)
    change = replica.sync()
    assert seen == [(["00000000.snapshot.lz4.tmp"], [])]
    assert change.snapshots == 1
    assert change.pos == db.pos()
    rig.same()
    snapshot = next(rig.root.rglob("*.snapshot.lz4"))
    assert snapshot.stat().st_mtime_ns >= max(p.stat().st_mtime_ns for p in rig.root.rglob("wal/*"))


def test_a_snapshot_that_is_there_is_not_made_again(rig: Rig, db: Database) -> None:
    replica = begun(rig, db)
    before = tree(rig.root)
    assert replica.snapshot().snapshots == 0
    rig.app.add(1)
    db.sync()
    change = replica.snapshot()
    assert (change.snapshots, change.bytes > 0) == (0, True)
    assert before.items() <= tree(rig.root).items()
    assert db.checkpoint("PASSIVE")
    change = replica.snapshot()
    assert (change.snapshots, change.pos) == (1, db.pos())
    assert replica.snapshot().snapshots == 0
    assert [s.index for s in open_replica(rig.root).snapshots(db.generation)] == [0, 1]
    rig.same()


@both_layouts
def test_checkpoints_that_race_with_a_snapshot(
    rig: Rig, db: Database, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application commits, and moves what it can into the file, between any two blocks of the copy."""
    replica = begun(rig, db, layout)
    assert db.checkpoint("PASSIVE")
    states: list[int] = []
    blocks: list[int] = []
    real = Database.read

    def read(self: Database, size: int, offset: int) -> bytes:
        data = real(self, size, offset)
        blocks.append(offset)
        rig.app("update item set body = hex(randomblob(400)) where id % 3 = 0")
        rig.app.add(1)
        states.append(rig.app.content())
        rig.app.checkpoint()
        return data

    monkeypatch.setattr(live, "_SNAPSHOT_BLOCK", 4096)
    monkeypatch.setattr(Database, "read", read)
    for _ in range(2):
        assert replica.snapshot().snapshots == 1
        assert restored(rig.root) == states[-1] == rig.app.content()
        assert db.checkpoint("PASSIVE")
    assert len(blocks) > 10
    monkeypatch.undo()
    follow(rig, db, replica)
    rig.same()
    # Each position is a state that the application had, or is refused.
    newest = open_replica(rig.root)
    generation = newest.generations()[0]
    reached = 0
    for index in newest.wals(generation).indexes().tolist():
        for end in read_frames(newest, generation, index).transactions.end_offset.tolist()[::4]:
            try:
                restored(rig.root, Target.at(Pos(generation, index, end)))
            except LitetuiError as error:
                assert "cannot be reached" in error.cause
            else:
                reached += 1
    assert reached > 5


def test_our_own_checkpoints_wait_for_a_snapshot(rig: Rig, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = begun(rig, db)
    done: list[bool] = []
    real = Database.read

    def read(self: Database, size: int, offset: int) -> bytes:
        done.extend([db.checkpoint("PASSIVE"), db.checkpoint("RESTART")])
        return real(self, size, offset)

    assert db.checkpoint("PASSIVE")
    monkeypatch.setattr(Database, "read", read)
    assert replica.snapshot().snapshots == 1
    assert done
    assert not any(done)
    assert db.checkpoint("PASSIVE")


def test_a_generation_that_ends_during_a_snapshot_is_left(
    rig: Rig, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = begun(rig, db)
    assert db.checkpoint("PASSIVE")
    first = db.generation
    real = Database.read

    def read(self: Database, size: int, offset: int) -> bytes:
        if db.generation == first:
            db.new_generation("for the test")
        return real(self, size, offset)

    monkeypatch.setattr(Database, "read", read)
    change = replica.snapshot()
    assert change.pos.generation == db.generation != first
    assert not list(rig.root.rglob("*.tmp"))
    rig.same()


@both_layouts
def test_a_sync_beside_a_snapshot_waits_for_it(
    rig: Rig, db: Database, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(rig, db, layout)
    assert db.checkpoint("PASSIVE")
    follow(rig, db, rig.bind(db))
    generation = db.generation
    replica = rig.bind(db)  # knows its position, and has written nothing yet
    replica.sync()
    beside: list[threading.Thread] = []
    errors: list[LitetuiError] = []
    real = Database.read

    def sync() -> None:
        try:
            replica.sync()
        except LitetuiError as error:
            errors.append(error)

    def read(self: Database, size: int, offset: int) -> bytes:
        if not beside:
            rig.app.add(1)
            db.sync()
            beside.append(threading.Thread(target=sync))
            beside[0].start()
            beside[0].join(0.2)  # it must not end: it waits
            assert beside[0].is_alive()
        return real(self, size, offset)

    monkeypatch.setattr(Database, "read", read)
    assert replica.snapshot().snapshots == 1
    beside[0].join(20)
    assert errors == []
    assert (db.generation, replica.last_pos) == (generation, db.pos())
    rig.same()


def test_mode_and_owner_are_the_databases(rig: Rig, db: Database) -> None:
    db.close()
    rig.db.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(rig.db, 65534, 65534)
    info = rig.db.stat()
    shutil.rmtree(rig.meta.path)
    db.open()
    db.sync()
    replica = begun(rig, db, "wal")
    assert db.checkpoint("PASSIVE")
    follow(rig, db, replica)
    replica.snapshot()
    made = [rig.root, *rig.root.rglob("*"), Path(rig.meta.path), *Path(rig.meta.path).rglob("*")]
    assert len(made) > 12
    for path in made:
        if path.name == "litetui.lock":
            continue  # see test_faults.py
        found = path.stat()
        assert found.st_mode & 0o777 == (0o750 if path.is_dir() else 0o640), path
        assert (found.st_uid, found.st_gid) == (info.st_uid, info.st_gid), path


# ---- refused


def test_a_replica_that_is_open_for_reading_only_never_writes(rig: Rig, db: Database) -> None:
    begun(rig, db)
    with pytest.raises(OutputError, match="for reading only"):
        open_replica(rig.root).sync()


def test_an_error_forgets_the_position_and_the_next_sync_finds_it(
    rig: Rig, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = begun(rig, db)
    generation = db.generation

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("litetui.replica.writer.write_all", fail)
    rig.app.add()
    db.sync()
    with pytest.raises(OutputError, match="No space"):
        replica.sync()
    assert replica.last_pos == Pos()
    monkeypatch.undo()
    change = replica.sync()
    assert (change.pos, change.snapshots, db.generation) == (db.pos(), 0, generation)
    rig.same()
