"""One sync, and the plan that says it beforehand: what goes on in a generation, and what begins a new one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from litetui.errors import Cancelled, LitetuiError, NotAReplicaError, OutputError, PrimaryError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import sync
from litetui.ops.target import Target
from litetui.primary.shadow import avoid
from litetui.replica.detect import open_replica
from litetui.replica.live import Layout
from tests.primary.helpers import child
from tests.primary.rig import Rig, restored
from tests.primary.rig import rig as make_rig
from tests.primary.sql import App

TRUNCATED = "wal truncated by another process"
OVERWRITTEN = "wal overwritten by another process"
TWICE = "wal restarted more than once by another process"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with make_rig(tmp_path) as made:
        yield made


def plan(rig: Rig, layout: Layout | None = None) -> sync.SyncPlan:
    """A plan, which must have touched nothing."""
    before = stamps(rig)
    made = sync.plan(str(rig.db), str(rig.root), layout=layout)
    assert stamps(rig) == before
    return made


def stamps(rig: Rig) -> dict[Path, tuple[int, int, int]]:
    """Everything in the folder, with size and times."""
    return {
        p: (info.st_size, info.st_mtime_ns, info.st_ino)
        for p in rig.db.parent.rglob("*")
        if (info := p.stat()) and p.is_file()
    }


# ---- what happens while nothing replicates


@dataclass(frozen=True)
class Case:
    """`meanwhile` is what was done to the database; `reason` "" where its generation goes on, at `index`."""

    meanwhile: Callable[[Rig], object]
    reason: str = ""
    index: int = 0


def appended(rig: Rig) -> None:
    rig.app.add(3)
    rig.app.add(1)


def restarted(rig: Rig, *, unseen: int = 3, after: int = 1) -> None:
    """What was appended is moved into the database, and the next write restarts the WAL."""
    if unseen:
        rig.app.add(unseen)
    busy, frames, moved = rig.app.checkpoint()
    assert not busy
    assert frames == moved
    rig.app.add(after)


def restarted_by_another(rig: Rig) -> None:
    """The application was killed; the next one recovers the WAL."""
    rig.app.add(3)
    rig.app.end()
    rig.app = App(rig.db)
    restarted(rig)


def restarted_twice(rig: Rig) -> None:
    restarted(rig)
    restarted(rig, unseen=0)


def closed(rig: Rig) -> None:
    """The last close takes the WAL away."""
    rig.app.add(1)
    rig.app.close()
    assert not rig.wal.exists()
    rig.app.reopen()


def closed_and_written(rig: Rig) -> None:
    closed(rig)
    rig.app.add(80)


def truncated(rig: Rig) -> None:
    assert rig.app.checkpoint("truncate") == (0, 0, 0)


def truncated_and_written(rig: Rig) -> None:
    truncated(rig)
    rig.app.add(80)


def limited(rig: Rig) -> None:
    """The WAL is cut when it restarts, below what was synced."""
    rig.app("pragma journal_size_limit = 30000")
    restarted(rig)
    assert rig.wal.stat().st_size == 30000


def limited_behind(rig: Rig) -> None:
    """The same, behind what was synced: the end that was not is gone."""
    rig.app.add(60)
    assert rig.wal.stat().st_size > 70000
    rig.app("pragma journal_size_limit = 70000")
    restarted(rig, unseen=0)
    assert rig.wal.stat().st_size == 70000


def header_only(rig: Rig) -> None:
    os.truncate(rig.shadow(), 32)
    restarted(rig)


CASES: dict[str, Case] = {
    "nothing": Case(lambda rig: None),
    "appended": Case(appended),
    "all in the database": Case(lambda rig: rig.app.checkpoint()),
    "restarted": Case(restarted, index=1),
    "restarted with nothing unseen": Case(lambda rig: restarted(rig, unseen=0), index=1),
    "restarted by another": Case(restarted_by_another, index=1),
    "overwritten": Case(lambda rig: restarted(rig, after=80), OVERWRITTEN),
    "restarted twice": Case(restarted_twice, TWICE),
    "closed": Case(closed, TRUNCATED),
    "closed and written": Case(closed_and_written, OVERWRITTEN),
    "truncated": Case(truncated, TRUNCATED),
    "truncated and written": Case(truncated_and_written, OVERWRITTEN),
    "cut by a limit": Case(limited, TRUNCATED),
    "cut by a limit behind the shadow": Case(limited_behind, TRUNCATED),
    "generation lost": Case(lambda rig: os.unlink(rig.meta.generation_file), "no generation exists"),
    "meta folder lost": Case(lambda rig: shutil.rmtree(rig.meta.path), "no generation exists"),
    "shadow lost": Case(lambda rig: rig.shadow().unlink(), "no shadow wal"),
    "shadow cut": Case(lambda rig: os.truncate(rig.shadow(), 31), "short shadow wal"),
    "shadow cut to its header": Case(lambda rig: os.truncate(rig.shadow(), 32)),
    "shadow cut to its header, restarted": Case(header_only, "wal header only, mismatched"),
    "highest index": Case(lambda rig: os.rename(rig.shadow(), rig.shadow(0x7FFFFFFF)), "max index exceeded"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_happened_meanwhile(rig: Rig, name: str) -> None:
    case = CASES[name]
    first = rig.sync().pos
    case.meanwhile(rig)
    made = plan(rig)
    result = rig.sync()
    assert made.reason == result.new_generation_reason == case.reason
    assert made.generation == ("" if case.reason else first.generation)
    assert made.snapshot == result.snapshot_created == bool(case.reason)
    assert made.avoids == avoid(case.reason)
    assert not made.new_replica
    assert made.first_write == bool(case.reason)
    assert (result.pos.generation == first.generation) == (not case.reason)
    assert result.pos.index == case.index
    rig.same()
    rig.app.add(1)
    again = rig.sync()
    assert (again.new_generation_reason, again.snapshot_created) == ("", False)
    rig.same()


@pytest.mark.parametrize("name", ["nothing", "appended", "overwritten", "restarted"])
def test_the_plan_knows_how_much_it_is_or_says_that_it_does_not(rig: Rig, name: str) -> None:
    rig.sync()
    CASES[name].meanwhile(rig)
    made = plan(rig)
    result = rig.sync()
    assert made.wal_bytes in (None, result.bytes)
    if name in ("nothing", "appended"):
        assert made.wal_bytes is not None


def test_both_indexes_of_a_restarted_wal_restore(rig: Rig) -> None:
    """The old one is finished from what is still in place, although nothing of that was synced in time."""
    generation = rig.sync().pos.generation
    rig.app.add(3)
    before = rig.app.content()
    restarted(rig, unseen=0, after=2)
    assert rig.sync().pos.index == 1
    assert restored(rig.root, Target(generation, 0)) == before
    rig.same()
    salts = [int.from_bytes(rig.shadow(i).read_bytes()[16:20], "big") for i in (0, 1)]
    assert (salts[1] - salts[0]) & 0xFFFFFFFF == 1


def test_generation_after_generation_restores(rig: Rig) -> None:
    contents = {}
    for _ in range(3):
        generation = rig.sync().pos.generation
        contents[generation] = rig.app.content()
        closed_and_written(rig)
    assert len(contents) == 3
    for generation, content in contents.items():
        assert restored(rig.root, Target(generation)) == content
    assert rig.meta.generations() == [generation]
    assert set(rig.meta.reasons()) == set(contents)


def test_a_new_generation_is_logged_with_what_avoids_it(rig: Rig) -> None:
    log: list[tuple[str, str]] = []
    report = Reporter(lambda level, text: log.append((level, text)))
    sync.run(str(rig.db), str(rig.root), report=report)
    closed(rig)
    sync.run(str(rig.db), str(rig.root), report=report)
    warnings = [text for level, text in log if level == "warning"]
    assert any("began: no generation exists" in text for text in warnings)
    assert f"began: {TRUNCATED} (the application closed its last connection" in warnings[-1]
    assert "litetui replicate holds the WAL in place" in warnings[-1]


# ---- the plan


def test_a_plan_for_a_database_that_was_never_replicated(rig: Rig) -> None:
    made = plan(rig)
    assert (made.reason, made.generation, made.new_replica, made.snapshot) == ("no generation exists", "", True, True)
    assert (made.layout, made.wal_bytes, made.before, made.refusal) == ("segments", None, None, None)
    assert made.size == rig.db.stat().st_size
    assert made.extent is not None
    assert (made.extent.pages, made.extent.page_size) == (rig.app("pragma page_count")[0][0], 4096)
    assert made.command == ("litetui", "sync", str(rig.db), str(rig.root))
    assert plan(rig, "wal").layout == "wal"
    rig.root.mkdir()
    assert plan(rig).new_replica, "an empty folder is a place for one"


@pytest.mark.parametrize("layout", ["segments", "wal"])
def test_a_plan_knows_the_replicas_layout_and_size(rig: Rig, layout: Layout) -> None:
    rig.sync(layout=layout)
    pages = rig.app("pragma page_count")[0][0]
    rig.app.add(50)
    made = plan(rig)
    assert made.layout == layout
    assert made.before is not None
    assert made.before.pages == pages
    assert made.extent is not None
    assert made.extent.pages == rig.app("pragma page_count")[0][0]
    assert made.extent.size == made.extent.pages * 4096


def test_a_plan_names_a_replicator_at_work(rig: Rig) -> None:
    code = (
        "import sys; from litetui.primary.database import Database; d = Database(sys.argv[1]); d.open(); d.sync();"
        "print(1, flush=True); sys.stdin.read()"
    )
    with child(code, rig.db) as other:
        made = plan(rig)
        assert made.refusal is not None
        assert f"litetui (pid {other.pid})" in str(made.refusal)
        with pytest.raises(PrimaryError, match=f"pid {other.pid}"):
            rig.sync()
    assert plan(rig).refusal is None
    rig.sync()
    rig.same()


# ---- refused, with nothing made


def test_what_is_no_place_for_a_replica(rig: Rig, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "text").write_text("mine")
    before = stamps(rig)
    for path in (notes, rig.db, notes / "text", Path(rig.wal)):
        rig.root = path
        for work in (rig.sync, lambda: sync.plan(str(rig.db), str(rig.root))):
            with pytest.raises(NotAReplicaError) as caught:
                work()
            assert caught.value.hint
            assert caught.value.path == str(path)
    assert stamps(rig) == before
    rig.root = tmp_path / "no/such/replica"
    with pytest.raises(OutputError, match="the folder above it does not exist"):
        rig.sync()
    assert not (tmp_path / "no").exists()


def test_what_is_no_database(rig: Rig, tmp_path: Path) -> None:
    for path in (tmp_path / "none.db", tmp_path):
        rig.db = path
        for work in (rig.sync, lambda: sync.plan(str(rig.db), str(rig.root))):
            with pytest.raises(LitetuiError) as caught:
                work()
            assert caught.value.hint
    assert not rig.root.exists()


def test_a_cancel_leaves_what_was_there(rig: Rig) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        sync.run(str(rig.db), str(rig.root), cancel=token)
    assert not list(rig.db.parent.rglob("*.tmp"))
    assert not list(rig.root.rglob("*.snapshot.lz4"))
    rig.sync()
    rig.same()


def test_a_snapshot_on_request(rig: Rig) -> None:
    first = rig.sync()
    assert first.snapshot_created
    assert not rig.sync(snapshot=True).snapshot_created
    restarted(rig)
    result = rig.sync(snapshot=True)
    assert (result.snapshot_created, result.pos.index) == (True, 1)
    assert [s.index for s in open_replica(rig.root).snapshots(first.pos.generation)] == [0, 1]
    rig.same()


def test_a_sync_cleans_up_after_itself(rig: Rig) -> None:
    generation = rig.sync().pos.generation
    for _ in range(4):
        with rig.open() as db:
            assert db.checkpoint("PASSIVE")
        rig.sync()
    assert rig.meta.indexes(generation) == [3, 4]
    closed(rig)
    generation = rig.sync().pos.generation
    assert rig.meta.generations() == [generation]


def test_a_wal_that_a_size_limit_cut_between_two_frames(rig: Rig) -> None:
    """The end of the old WAL is gone, and the file ends with a whole frame: only that this is no commit tells it."""
    first = rig.sync()
    rig.app.add(60)
    size = 24 + 4096
    rig.app(f"pragma journal_size_limit = {32 + 14 * size}")
    rig.app.checkpoint("passive")
    rig.app.add(1)
    assert rig.wal.stat().st_size == 32 + 14 * size
    result = rig.sync()
    assert result.new_generation_reason in ("wal truncated by another process", "wal overwritten by another process")
    assert result.pos.generation != first.pos.generation
    rig.same()
