"""Torn writes: what a machine that went down may leave of the newest files, and the next sync goes on from there.

One sound database with its shadow WALs and its replica is copied again and again, damaged at a random place, and
synced. The sync never fails: it goes on, or begins a generation for a reason. Then the replica restores to the
database's state, its newest generation is sound all through, and it goes on with what is written next.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from litetui.ops import sync
from litetui.ops.target import Target
from litetui.replica.detect import open_replica
from litetui.replica.live import Layout
from tests.crash.helpers import Place, Victim, application
from tests.crash.victim import LAYOUTS
from tests.load import Notes, committed, content

CASES = 20
Tear = Callable[[Path, random.Random], None]


@pytest.fixture(scope="module", params=LAYOUTS)
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Path]:
    """A database that nobody has open, and its replica, in step with it; and a copy of it all."""
    layout: Layout = request.param
    place = Place(tmp_path_factory.mktemp("sound"), layout)
    with application(place, 0) as app:  # one that never checkpoints by itself
        with Victim(place, 1, checkpoints=1) as victim:
            victim.join()
        app.order("stop")
    done = place.sync()
    assert not done.new_generation_reason
    assert place.restore() == committed(place.log)
    kept = tmp_path_factory.mktemp("kept")
    subprocess.run(["cp", "-a", f"{place.folder}/.", str(kept)], check=True)
    return place, kept


@pytest.fixture
def place(sound: tuple[Place, Path]) -> Place:
    """All files as they were. The database's own is written over, and stays the same file: litetui looks at that."""
    place, kept = sound
    for path in place.folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path != place.db:
            path.unlink()
    subprocess.run(["cp", "-a", f"{kept}/.", str(place.folder)], check=True)
    return place


def truncate(path: Path, rng: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(_somewhere(path, rng))


def zeros_at_the_end(path: Path, rng: random.Random) -> None:
    """The size has reached the disk, the last blocks have not."""
    size, at = path.stat().st_size, _somewhere(path, rng)
    with path.open("r+b") as file:
        file.truncate(at)
        file.truncate(size)


def zeros_behind_the_end(path: Path, rng: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + rng.randint(1, 20_000))


def garbage_behind_the_end(path: Path, rng: random.Random) -> None:
    with path.open("ab") as file:
        file.write(rng.randbytes(rng.choice((1, 23, 24, 4096, 4120, 9000))))


def a_frame_without_commit_behind_the_end(path: Path, rng: random.Random) -> None:
    """The last frame once more, as one that ends no transaction."""
    data = path.read_bytes()
    frame = 24 + int.from_bytes(data[8:12], "big")
    with path.open("ab") as file:
        file.write(data[-frame:][:4] + b"\0\0\0\0" + data[-frame:][8:])


def _somewhere(path: Path, rng: random.Random) -> int:
    """Now and then in the header, else anywhere."""
    size = path.stat().st_size
    return rng.randrange(min(size, 60)) if rng.random() < 0.2 else rng.randrange(size)


TEARS: tuple[Tear, ...] = (truncate, truncate, zeros_at_the_end)
PLAIN_TEARS: tuple[Tear, ...] = (
    *TEARS,
    zeros_behind_the_end,
    garbage_behind_the_end,
    a_frame_without_commit_behind_the_end,
)


def newest_shadow(place: Place) -> Path:
    meta = place.meta
    generation = meta.generation()
    return Path(meta.wal_path(generation, meta.indexes(generation)[-1]))


def newest_wal(place: Place) -> Path:
    """The replica's newest WAL file."""
    replica = open_replica(place.replica)
    table = replica.wals(place.meta.generation())
    return place.replica / replica.wal_path(table[len(table) - 1])


def check_sync(place: Place) -> str:
    """Sync, and hold the replica against the database: its latest state, the first that the newest generation leads to,
    and the one before the tear. Returns the reason for a new generation."""
    before = place.meta.generation()
    done = place.sync()
    assert done.pos.generation == before or done.new_generation_reason
    assert place.restore() == committed(place.log)
    generation = done.pos.generation
    replica = open_replica(place.replica)
    first = replica.snapshots(generation)[0].index
    indexes = [index for index in replica.wals(generation).indexes().tolist() if index >= first]
    for index in {indexes[0], *indexes[-2:-1]}:
        place.restore(Target(generation, index))
    return done.new_generation_reason


def write_more(place: Place) -> None:
    """One more transaction, which leaves the WAL in place."""
    connection = apsw.Connection(str(place.db))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.wal_autocheckpoint(0)
    with connection:
        list(connection.execute("update counter set n = n + 1"))
        list(connection.execute("insert into item (body) values (hex(randomblob(3000)))"))
    connection.close()
    with closing(sqlite3.connect(f"file:{place.db}?mode=ro", uri=True)) as reader:
        Notes(f"{place.log}.more").state("=", *content(reader))


def check_all(place: Place) -> None:
    check_sync(place)
    write_more(place)
    assert not check_sync(place), "the generation did not go on"


@pytest.mark.parametrize("case", range(CASES))
def test_the_newest_shadow_wal(place: Place, case: int) -> None:
    rng = random.Random(case)
    rng.choice(PLAIN_TEARS)(newest_shadow(place), rng)
    check_all(place)


@pytest.mark.parametrize("case", range(CASES))
def test_the_newest_wal_of_the_replica(place: Place, case: int) -> None:
    rng = random.Random(case)
    path = newest_wal(place)
    rng.choice(PLAIN_TEARS if path.suffix == ".wal" else TEARS)(path, rng)
    check_all(place)


@pytest.mark.parametrize("case", range(CASES // 2))
def test_both(place: Place, case: int) -> None:
    rng = random.Random(case)
    rng.choice(PLAIN_TEARS)(newest_shadow(place), rng)
    rng.choice(TEARS)(newest_wal(place), rng)
    check_all(place)


@pytest.mark.parametrize("length", [0, 1, 8, 15, 16])
@pytest.mark.parametrize("zeros", [False, True])
def test_the_name_of_the_generation(place: Place, length: int, zeros: bool) -> None:
    """It has 16 digits and the end of the line."""
    path = Path(place.meta.generation_file)
    path.write_bytes(path.read_bytes()[:length] + b"\0" * (17 - length if zeros else 0))
    whole = length == 16 and not zeros
    assert check_sync(place) == ("" if whole else "no generation exists")


@pytest.mark.parametrize("case", range(CASES // 4))
def test_the_newest_snapshot(place: Place, case: int) -> None:
    """No crash of litetui does this: a snapshot has its name only when it is on the disk."""
    rng = random.Random(case)
    sync.run(str(place.db), str(place.replica), snapshot=True)
    replica = open_replica(place.replica)
    truncate(place.replica / replica.snapshot_path(replica.snapshots(place.meta.generation())[-1]), rng)
    check_all(place)
