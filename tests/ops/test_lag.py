"""How far a replica is behind its database, told by reading the WAL only."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from litetui.errors import LitetuiError
from litetui.ops.lag import Lag, lag
from litetui.replica.detect import open_replica
from tests.build import Builder
from tests.primary.rig import Rig
from tests.primary.rig import rig as make_rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with make_rig(tmp_path) as made:
        yield made


def seen(rig: Rig) -> Lag:
    return lag(str(rig.db), open_replica(rig.root))


@pytest.mark.parametrize("layout", ["segments", "wal"])
def test_in_step_and_behind(rig: Rig, layout: str) -> None:
    rig.sync(layout="wal" if layout == "wal" else "segments")
    found = seen(rig)
    assert (found.bytes, found.since_ns, found.why) == (0, None, "")
    assert found.seconds(time.time_ns()) == 0.0
    before = rig.wal.stat().st_size
    rig.app.add(2)
    found = seen(rig)
    assert found.bytes == rig.wal.stat().st_size - before
    assert found.since_ns == rig.wal.stat().st_mtime_ns
    assert found.seconds(found.since_ns + 3_000_000_000) == 3.0
    assert found.seconds(found.since_ns - 1) == 0.0, "a clock that went back is no lag"
    rig.sync()
    assert seen(rig).bytes == 0


def test_what_is_not_committed_is_no_lag(rig: Rig) -> None:
    rig.sync()
    rig.app("pragma cache_size = 5", "begin", "insert into item (body) select hex(randomblob(900)) from item, item")
    assert rig.wal.stat().st_size > 100_000
    assert seen(rig).bytes == 0
    rig.app("commit")
    assert seen(rig).bytes


def test_a_wal_that_was_restarted_once_is_behind_by_all_of_it(rig: Rig) -> None:
    rig.sync()
    rig.app.checkpoint()
    assert seen(rig).bytes == 0
    rig.app.add(1)
    found = seen(rig)
    assert found.bytes is not None
    assert 32 < found.bytes < rig.wal.stat().st_size


def test_beside_a_replicator(rig: Rig) -> None:
    with rig.open() as db:
        db.sync()
        replica = rig.bind(db)
        replica.sync()
        assert seen(rig).bytes == 0
        rig.app.add(1)
        db.sync()
        assert seen(rig).bytes
        replica.sync()
        db.checkpoint("PASSIVE")
        assert seen(rig).bytes == 32 + 24 + 4096
        replica.sync()
        assert seen(rig).bytes == 0


def test_what_cannot_be_told_says_why(rig: Rig) -> None:
    rig.root.mkdir()
    (rig.root / "generations").mkdir()
    found = seen(rig)
    assert (found.bytes, found.seconds(0), found.why) == (None, None, "the replica has no generation yet")
    rig.sync()
    rig.app.checkpoint()
    rig.app.add(1)
    rig.app.checkpoint()
    rig.app.add(1)
    assert "does not follow on the replica's" in seen(rig).why
    rig.app.checkpoint("truncate")
    assert seen(rig).why == "the database's WAL is empty or is being rewritten"
    rig.app.close()
    assert "has no WAL" in seen(rig).why
    assert seen(rig).bytes is None


def test_a_replica_with_a_snapshot_only(rig: Rig, tmp_path: Path) -> None:
    builder = Builder(tmp_path / "replica")
    builder.snapshot(0, b"SQLite format 3\0" + bytes(4080))
    assert seen(rig).why == "the replica has no WAL yet to compare with the database's"


def test_a_damaged_replica_says_so(rig: Rig) -> None:
    rig.sync()
    newest = max(rig.root.rglob("*.wal.lz4"))
    newest.write_bytes(newest.read_bytes()[:-3])
    found = seen(rig)
    assert found.bytes is None
    assert newest.name in found.why


def test_why_generations_began_and_who_replicates(rig: Rig) -> None:
    first = rig.sync().pos.generation
    rig.app.close()
    second = rig.sync().pos.generation
    found = seen(rig)
    assert found.reasons == {first: "no generation exists", second: "wal truncated by another process"}
    assert found.watch.replicators == ()
    assert found.database == os.path.realpath(rig.db)


def test_no_database(rig: Rig, tmp_path: Path) -> None:
    rig.sync()
    for path in (tmp_path / "none.db", tmp_path):
        with pytest.raises(LitetuiError, match="there is no such file") as caught:
            lag(str(path), open_replica(rig.root))
        assert caught.value.hint
