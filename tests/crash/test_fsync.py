"""Everything is on the disk before what it replaces is gone: seen in the system calls of litetui at work, by strace.

What is proved is the order of calls of one process, and of one after another on the same database.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import apsw
import pytest

from tests.crash.helpers import Place, application
from tests.crash.trace import CHECKPOINT, GENERATION, NAMED, NEXT, REPLICA, RESTART, RULES, SNAPSHOT, Disk, strace
from tests.crash.victim import LAYOUTS
from tests.load import committed

pytestmark = pytest.mark.usefixtures("needs_strace")
PLAIN = r"/replica/.*\.wal"  # only one of the layouts has such
CHECKPOINTS = 2  # of each kind, in each run: enough for shadow WALs to become superfluous
Work = tuple[Place, list[list[str]]]
_SYNC = "import sys; from litetui.primary.database import Database\nwith Database(sys.argv[1]) as db:\n    db.sync()\n"
_CHECKPOINT = _SYNC + "    assert db.checkpoint('PASSIVE')\n"


def disk(place: Place) -> Disk:
    return Disk(str(place.db), place.meta.path, str(place.replica))


@pytest.fixture(scope="module", params=LAYOUTS)
def work(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Work:
    """Two runs of litetui while an application writes: the first generation, and the next one."""
    place = Place(tmp_path_factory.mktemp("fsync"), request.param)
    runs = []
    with application(place, 1) as app:
        for run in range(2):
            if run:
                app.order("restart")  # the WAL is deleted, and the generation ends
            command = ["-m", "tests.crash.victim", place.db, place.replica, place.layout, run]
            runs.append(strace(place.folder / "out", sys.executable, *command, "--checkpoints", CHECKPOINTS))
        newest = committed(place.log)
    assert len(place.meta.reasons()) >= 2  # a RESTART among writers may end one too
    assert 0 < place.restore() <= newest
    return place, runs


def test_every_rule_is_kept(work: Work) -> None:
    place, runs = work
    kept: Counter[str] = Counter()
    for lines in runs:
        seen = disk(place).follow(lines)
        assert seen.broken == {}
        kept += seen.kept
    assert set(kept) == set(RULES), "a rule was not put to the test"


@pytest.mark.parametrize(
    ("lost", "rules"),
    [
        (r"/replica/.*\.tmp", {NAMED}),
        (r"/replica/generations/\w+/wal", {REPLICA, SNAPSHOT}),
        (PLAIN, {REPLICA, SNAPSHOT}),
        (r"-litestream/.*\.wal", {CHECKPOINT, RESTART, GENERATION, NEXT}),
        (r"-litestream/.*/wal", {CHECKPOINT, RESTART, GENERATION}),
    ],
)
def test_a_missing_fsync_is_seen(work: Work, lost: str, rules: set[str]) -> None:
    place, runs = work
    broken: set[str] = set()
    for lines in runs:
        broken |= disk(place).follow(ln for ln in lines if not re.search(rf"fsync\(\d+<[^>]*{lost}>", ln)).broken.keys()
    assert broken >= rules or (place.layout == "segments" and lost == PLAIN)


def write(place: Place, *statements: str) -> None:
    """One transaction each, by an application that leaves the WAL in place."""
    connection = apsw.Connection(str(place.db))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    for statement in ("pragma journal_mode = wal", "pragma wal_autocheckpoint = 0", *statements):
        list(connection.execute(statement))
    connection.close()


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Place, list[str]]:
    """A process has begun a generation, one has gone on in its shadow WAL, and neither has made a checkpoint."""
    place = Place(tmp_path, "segments")
    write(place, "create table t (v)", *["insert into t values (1)"] * 30)
    lines = strace(tmp_path / "out", sys.executable, "-c", _SYNC, place.db)
    write(place, "insert into t values (2)")
    lines += strace(tmp_path / "out", sys.executable, "-c", _SYNC, place.db)
    return place, lines


def test_an_earlier_process_wrote_the_shadow_wal_and_a_checkpoint_drops_its_frames(
    begun: tuple[Place, list[str]],
) -> None:
    place, lines = begun
    lines += strace(place.folder / "out", sys.executable, "-c", _CHECKPOINT, place.db)
    seen = disk(place).follow(lines)
    assert seen.broken == {}
    assert seen.kept[RESTART]


def test_the_wal_was_restarted_while_nothing_replicated(begun: tuple[Place, list[str]]) -> None:
    place, lines = begun
    write(place, "insert into t values (3)", "pragma wal_checkpoint(full)", "insert into t values (4)")
    lines += strace(place.folder / "out", sys.executable, "-c", _SYNC, place.db)
    assert place.meta.indexes(place.meta.generation()) == [0, 1]
    seen = disk(place).follow(lines)
    assert seen.broken == {}
    assert seen.kept[NEXT]
