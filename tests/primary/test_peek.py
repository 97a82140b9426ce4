"""A look at a live database: every page as a transaction has it, at a known position, and nothing disturbed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from litetui.errors import Cancelled, LockedError, PrimaryError
from litetui.format.pagehash import hash_pages
from litetui.format.wal import HEADER_SIZE, WALHeader
from litetui.jobs.progress import CancelToken
from litetui.primary import connections, peek
from litetui.primary.peek import Image, look
from tests.primary.helpers import ROOT
from tests.primary.rig import Rig
from tests.primary.rig import rig as make_rig
from tests.primary.sql import App

_APPLY = """
import shutil, sqlite3, sys
source, copy = sys.argv[1:]
for side in ("", "-wal"):
    try:
        shutil.copy(source + side, copy + side)
    except FileNotFoundError:
        pass
print(sqlite3.connect(copy).execute("pragma wal_checkpoint(truncate)").fetchone())
"""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with make_rig(tmp_path) as made:
        yield made


def applied(db: Path) -> bytes:
    """The database as SQLite makes it of a copy, in a process of its own, while nobody writes."""
    copy = db.with_name("copy.db")
    done = subprocess.run(
        [sys.executable, "-c", _APPLY, str(db), str(copy)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(0, 0, 0)"
    data = copy.read_bytes()
    for left in db.parent.glob("copy.db*"):
        left.unlink()
    return data


def holds(image: Image, data: bytes) -> bool:
    return bool(np.array_equal(image.hashes, hash_pages(data, image.page_size)))


def position(rig: Rig) -> tuple[bytes, int]:
    """Where the WAL is when nobody writes and it never restarted: all of it counts."""
    data = rig.wal.read_bytes()
    return data[:HEADER_SIZE], len(data)


def during(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something in the middle of a look: the transaction is open, nothing is read yet."""
    read = peek._hash_frames

    def hooked(*args: Any) -> Any:
        act()
        return read(*args)

    monkeypatch.setattr(peek, "_hash_frames", hooked)


# ---- what it sees


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_pages_of_the_wal_and_of_the_file(tmp_path: Path, page_size: int) -> None:
    with make_rig(tmp_path, page_size=page_size) as rig:
        for change in (
            lambda: None,
            lambda: rig.app.checkpoint("passive"),
            lambda: rig.app.add(30),
            lambda: rig.app("update item set body = upper(body) where id % 3 = 0"),
        ):
            change()
            image = look(str(rig.db))
            assert image.page_size == page_size
            assert holds(image, applied(rig.db))
            raw, end = position(rig) if rig.header().sequence == 0 else (image.raw, image.end)
            assert (image.raw, image.end) == (raw, end)


def test_a_wal_that_has_begun_anew_over_a_longer_one(rig: Rig) -> None:
    rig.app.add(100)
    old = rig.wal.stat().st_size
    assert rig.app.checkpoint("restart")[0] == 0
    rig.app.add(1)
    image = look(str(rig.db))
    assert image.end < old == rig.wal.stat().st_size
    assert WALHeader.parse(image.raw) == rig.header()
    assert holds(image, applied(rig.db))


def test_a_database_that_has_shrunk_and_grown(rig: Rig) -> None:
    rig.app.add(200)
    rig.app.checkpoint("passive")
    rig.app("delete from item", "vacuum")
    small = look(str(rig.db))
    assert holds(small, applied(rig.db))
    rig.app.add(20)
    grown = look(str(rig.db))
    assert len(small.hashes) < len(grown.hashes) < 200
    assert holds(grown, applied(rig.db))


def test_a_checkpoint_that_a_reader_held_up(rig: Rig) -> None:
    """Some frames are in the file, later ones are not."""
    with App(rig.db) as reader:
        rig.app.add(10)
        reader("begin", "select count(*) from item")
        rig.app.add(10)
        _, frames, moved = rig.app.checkpoint("passive")
        assert 0 < moved < frames
        image = look(str(rig.db))
        assert (image.raw, image.end) == position(rig)
        assert holds(image, applied(rig.db))


@pytest.mark.parametrize("how", ["truncated", "closed"])
def test_without_a_wal_nothing_is_made(rig: Rig, how: str) -> None:
    if how == "closed":
        rig.app.close()
    else:
        assert rig.app.checkpoint("truncate") == (0, 0, 0)
    before = {p.name: p.stat().st_size for p in rig.db.parent.iterdir()}
    image = look(str(rig.db))
    assert (image.raw, image.end) == (b"", 0)
    assert holds(image, rig.db.read_bytes())
    assert {p.name: p.stat().st_size for p in rig.db.parent.iterdir()} == before


def test_an_uncommitted_transaction_is_not_seen(rig: Rig) -> None:
    data = applied(rig.db)
    rig.app("pragma cache_size = 5", "begin")
    rig.app("update item set body = hex(randomblob(4000))")  # more than the cache: it spills into the WAL
    image = look(str(rig.db))
    assert holds(image, data)
    assert image.end < rig.wal.stat().st_size
    rig.app("rollback")


def test_a_restarted_wal_without_a_transaction(rig: Rig) -> None:
    """A large transaction has begun the next WAL and is not committed: the state is the end of the WAL before."""
    data = applied(rig.db)
    assert rig.app.checkpoint("restart")[0] == 0
    rig.app("pragma cache_size = 5", "begin", "update item set body = hex(randomblob(4000))")
    image = look(str(rig.db))
    assert image.end == HEADER_SIZE
    assert WALHeader.parse(image.raw).sequence == 1
    assert holds(image, data)
    rig.app("commit")
    assert look(str(rig.db)).end > HEADER_SIZE


# ---- while others work


def test_writers_and_checkpoints_in_the_middle(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    data, at = applied(rig.db), position(rig)

    def work() -> None:
        rig.app("update item set body = 'later'")
        assert rig.app.checkpoint("passive")[2] > 0, "what the transaction sees may be moved"
        assert rig.app.checkpoint("restart")[0] == 1, "but not more, and the WAL stays"
        rig.app.add(50)

    during(monkeypatch, work)
    image = look(str(rig.db))
    assert (image.raw, image.end) == at
    assert holds(image, data)


def test_a_wal_that_is_restarted_in_the_middle(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is in the file: then nothing holds it in place, and the file stays as it is."""
    data, at = applied(rig.db), position(rig)
    _, frames, moved = rig.app.checkpoint("passive")
    assert 0 < frames == moved

    def work() -> None:
        rig.app("update item set body = 'later'")
        assert rig.header().sequence == 1, "restarted"
        assert rig.app.checkpoint("passive")[2] == 0, "the file is held"
        rig.app.add(50)

    during(monkeypatch, work)
    image = look(str(rig.db))
    assert (image.raw, image.end) == at
    assert holds(image, data)


def test_a_wal_that_is_restarted_while_its_frames_are_read(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read of it is right, but for pages that later frames held once more."""
    rig.app("update item set body = 'once more'")
    data, at = applied(rig.db), position(rig)
    rig.app.checkpoint("passive")
    monkeypatch.setattr(peek, "_BLOCK_BYTES", 1)
    check, frames = peek._check_time, [0]

    def later(*args: Any) -> None:
        frames[0] += 1
        if frames[0] == 8:
            rig.app.add(50)
        check(*args)

    monkeypatch.setattr(peek, "_check_time", later)
    image = look(str(rig.db))
    assert rig.header().sequence == 1, "restarted"
    assert (image.raw, image.end) == at
    assert holds(image, data)


def test_a_restart_that_has_only_set_the_count_to_0(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old header is still there, and all the frames: that is not a WAL without transactions."""
    committed, calls = peek._committed, [0]

    def at_first_none(asker: Any) -> int:
        calls[0] += 1
        return 0 if calls[0] < 5 else committed(asker)

    monkeypatch.setattr(peek, "_committed", at_first_none)
    image = look(str(rig.db))
    assert (image.raw, image.end) == position(rig)
    assert holds(image, applied(rig.db))


def test_a_commit_just_before_the_transaction_moves_the_position(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The count from before does not hold any more: it is taken again."""
    begin, commits = connections.begin_read, [3]

    def late(connection: Any) -> None:
        if commits[0]:
            commits[0] -= 1
            rig.app.add(1)
        begin(connection)

    monkeypatch.setattr(peek, "begin_read", late)
    image = look(str(rig.db))
    assert commits == [0]
    assert (image.raw, image.end) == position(rig)
    assert holds(image, applied(rig.db))


def test_it_does_not_try_for_ever(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter(range(10_000))
    monkeypatch.setattr(peek, "_committed", lambda _: next(counts) + 1)
    with pytest.raises(LockedError, match="written faster"):
        look(str(rig.db))
    assert rig.app.checkpoint("restart")[0] == 0


def test_it_ends_when_its_time_is_over(rig: Rig) -> None:
    with pytest.raises(LockedError, match="read transaction may last") as caught:
        look(str(rig.db), hold_s=-1.0)
    assert "replicate" in (caught.value.hint or "")
    assert rig.app.checkpoint("restart")[0] == 0, "nothing holds the WAL"


def test_a_cancel(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel = CancelToken()
    during(monkeypatch, cancel.cancel)
    with pytest.raises(Cancelled):
        look(str(rig.db), cancel=cancel)
    assert rig.app.checkpoint("restart")[0] == 0


# ---- what it leaves


def test_it_disturbs_nothing(rig: Rig) -> None:
    rig.app.checkpoint("passive")
    rig.app.add(3)
    tables = rig.app("select name, sql from sqlite_schema")
    before = {
        p.name: (p.stat().st_size, p.stat().st_mtime_ns) for p in rig.db.parent.iterdir() if p.suffix != ".db-shm"
    }
    bytes_before = rig.wal.read_bytes(), rig.db.read_bytes()
    for _ in range(3):
        look(str(rig.db))
    assert (rig.wal.read_bytes(), rig.db.read_bytes()) == bytes_before
    after = {p.name: (p.stat().st_size, p.stat().st_mtime_ns) for p in rig.db.parent.iterdir() if p.suffix != ".db-shm"}
    assert after == before
    assert rig.app("select name, sql from sqlite_schema") == tables
    assert rig.app("pragma journal_mode") == [("wal",)]
    rig.app.add(1)
    assert rig.app.checkpoint("restart")[0] == 0
    look(str(rig.db))
    rig.app.close()
    assert not rig.wal.exists(), "the last close takes the WAL away, as ever"


# ---- what it cannot see


def test_what_is_no_database_in_wal_mode(rig: Rig, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with pytest.raises(PrimaryError, match="no such file"):
        look(str(other))
    other.write_bytes(b"")
    with pytest.raises(PrimaryError, match="too short"):
        look(str(other))
    other.write_bytes(b"text" * 100)
    with pytest.raises(PrimaryError, match="no SQLite database"):
        look(str(other))
    other.unlink()
    with App(other, wal=False) as app:
        app("create table t (x)")
        with pytest.raises(PrimaryError, match="not in WAL mode") as caught:
            look(str(other))
        assert "journal_mode=WAL" in (caught.value.hint or "")
        assert sorted(p.name for p in tmp_path.glob("other*")) == ["other.db"]


def test_a_database_that_its_application_holds_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peek, "_BUSY_MS", 50)
    db = tmp_path / "app.db"
    with App(db, wal=False) as app:
        app("pragma locking_mode = exclusive", "pragma journal_mode = wal")
        app.add(2)
        with pytest.raises(LockedError, match="holds it locked"):
            look(str(db))


def test_a_wal_with_a_wrong_checksum(rig: Rig) -> None:
    size = rig.header().frame_size
    with rig.wal.open("r+b") as file:
        file.seek(HEADER_SIZE + 2 * size + 100)
        file.write(b"\xff\xfe\xfd\xfc")
    with pytest.raises(PrimaryError, match="frame 2 of its WAL"):
        look(str(rig.db))


def test_a_file_that_is_replaced(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    other = rig.db.with_name("other.db")
    other.write_bytes(rig.db.read_bytes())
    during(monkeypatch, lambda: os.rename(other, rig.db))
    with pytest.raises(LockedError, match="replaced"):
        look(str(rig.db))


_NOBODY = """
import os, sys
from litetui.errors import PrimaryError
from litetui.primary import connections, peek
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    peek.look(sys.argv[1])
except PrimaryError as error:
    print(error, "|", error.hint)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_somebody_else_may_not(mode: int) -> None:
    """Who may read the files but not write to -wal and -shm cannot count the frames, and cannot hold the WAL."""
    with tempfile.TemporaryDirectory() as folder, make_rig(Path(folder)) as rig:
        os.chmod(folder, 0o755)
        for side in ("", "-wal", "-shm"):
            os.chmod(f"{rig.db}{side}", mode)
        command = [sys.executable, "-c", _NOBODY, str(rig.db)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
        assert "may not" in done.stdout
        assert "run litetui as the owner" in done.stdout
