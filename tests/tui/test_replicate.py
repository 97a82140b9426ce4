"""A database attached: sync, snapshot, replicate, what stands in their way, and what the screen says of them.

The application is a process of its own: the test process never touches a database that litetui has open.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from textual.widgets import Button, Input

from litetui.demo import Writer
from litetui.jobs.job import Job, State
from litetui.ops import sync
from litetui.primary import guard
from litetui.replica.detect import open_replica
from litetui.replica.types import Pos
from litetui.tui.opening import DEMO
from litetui.tui.primary import Candidate
from litetui.tui.screens.attach import AttachDialog
from litetui.tui.screens.write import WriteDialog
from litetui.tui.work.replication import ReplicateJob
from tests.build import SECOND, T0, Builder
from tests.primary.helpers import holding
from tests.tui.helpers import SETTINGS, Session, session

LIVE = replace(SETTINGS, now_ns=time.time_ns)
Golden = Callable[[str], Path]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture
def writer(database: Path) -> Iterator[Writer]:
    """An application that has the database open, and writes what it is told to."""
    with Writer(str(database)) as one:
        one.tell("write 5")
        yield one


@pytest.fixture
def replica(tmp_path: Path) -> Path:
    """Where the replica goes; nothing is there yet."""
    return tmp_path / "app.db-replica"


def plain(ui: Session) -> str:
    """The screen's words in a row, without frames: what is wrapped can be found."""
    return re.sub(r"[│▎▕\s]+", " ", ui.screen_text)


def notes(ui: Session) -> str:
    """The lines above the table."""
    return "\n".join(text for text, _ in ui.app.browser.detail_pane.stats.notes)


def last_job(ui: Session) -> Job:
    return ui.app.runner.jobs[-1]


def behind(database: Path, replica: Path) -> int | None:
    return sync.plan(str(database), str(replica)).wal_bytes


def moved(job: ReplicateJob, before: Pos) -> bool:
    return job.at is not None and job.at.pos > before


async def replicating(ui: Session) -> ReplicateJob:
    """Start to replicate, and wait until the first sync is done."""
    await ui.press("S", "enter")
    job = last_job(ui)
    assert isinstance(job, ReplicateJob)
    await ui.until(lambda: job.state.ended or (job.at is not None and job.at.synced_ns is not None))
    assert job.state is State.RUNNING, job.error
    return job


async def stop(ui: Session) -> None:
    job = last_job(ui)
    await ui.press("S", "enter")
    await ui.until(lambda: job.state.ended)
    await ui.idle()


async def test_attach_a_database(golden: Golden, database: Path, writer: Writer) -> None:
    async with session(golden("v03-multi-gen"), settings=LIVE) as ui:
        assert "or replication stopped" in ui.attention
        assert "o attaches the database" in ui.attention
        await ui.press("s")
        assert "no database attached: press o" in ui.toasts
        await ui.press("o")
        await ui.type(str(database.parent))
        assert "this is a folder" in ui.screen_text
        await ui.press("enter")
        assert "Attach the database" in ui.screen_text
        await ui.type("/no-such.db")
        assert "there is no such file" in ui.screen_text
        ui.app.screen.query_one("#path", Input).value = f"{database}-wal"
        await ui.idle()
        assert "this is the -wal file of a database" in ui.screen_text
        ui.app.screen.query_one("#path", Input).value = str(database)
        await ui.idle()
        assert "a file of" in ui.screen_text
        await ui.press("enter")
        assert ui.app.database == str(database)
        first = ui.screen_text.splitlines()[0]
        assert "← " in first
        assert "app.db" in first
        assert "Replicator: none" in ui.screen_text
        assert "the database's WAL does not follow" in ui.attention
        await ui.press("o", "tab", "enter")  # Cancel
        assert ui.app.database == str(database)
        await ui.press("o", "tab", "tab", "enter")  # Detach
        assert "o attaches the database" in ui.attention


async def test_what_is_typed_after_enter_is_not_attached(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = Event()

    def slow(path: str, _: str) -> Candidate:
        hold.wait(20)
        return Candidate(path, 1, guard.Watch((), "", "v0.3", None))

    monkeypatch.setattr("litetui.tui.screens.attach.judge", slow)
    async with session(golden("v03-multi-gen")) as ui:
        await ui.press("o")
        await ui.pilot.press(*"/a.db", "enter", "2")
        hold.set()
        await ui.idle()
        assert isinstance(ui.app.screen, AttachDialog)
        assert "a file of" in ui.screen_text  # that one would do, too
        assert ui.app.database is None


async def test_attach_proposes_the_database_beside_the_replica(
    golden: Golden, tmp_path: Path, database: Path, writer: Writer
) -> None:
    subprocess.run(["cp", "-a", str(golden("v03-multi-gen")), str(tmp_path / "app.db-replica")], check=True)
    async with session(tmp_path / "app.db-replica", settings=LIVE) as ui:
        await ui.press("o", "enter")
        assert ui.app.database == str(database)


async def test_a_litestream_that_is_at_work_is_named(golden: Golden, database: Path, writer: Writer) -> None:
    with holding("litestream", database) as pid:
        async with session(golden("v03-multi-gen"), settings=LIVE) as ui:
            await ui.press("o")
            await ui.type(str(database))
            assert f"litestream (pid {pid}) is at work on it" in plain(ui)
            await ui.press("enter")
            assert f"Replicator: litestream (pid {pid})" in ui.screen_text


async def test_the_first_sync_shows_its_plan_and_the_second_starts_at_once(
    database: Path, replica: Path, writer: Writer
) -> None:
    async with session(replica, settings=LIVE, database=database) as ui:
        assert "no generations" in ui.screen_text
        await ui.press("s")
        text = plain(ui)
        assert "a new generation: no generation exists" in text
        assert ", which is new" in text
        assert "Litestream 0.3.5 and later restore an empty" in text  # why this layout
        assert re.search(r"snapshot +yes, reads", text)
        assert "$ litetui sync" in text
        await ui.press("ctrl+y", "enter")
        job = last_job(ui)
        assert job.state is State.DONE, job.error
        assert any("snapshot 00000000, new generation" in toast for toast in ui.toasts)
        assert ui.app.browser.view is not None
        assert len(ui.app.browser.view.generations) == 1  # it was read again
        assert behind(database, replica) == 0
        writer.tell("write 3")
        await ui.press("s")
        assert last_job(ui) is not job
        assert last_job(ui).state is State.DONE
        assert "of WAL" in ui.toasts[-1]
        assert "Not in the replica: nothing" in ui.screen_text
        await ui.press("3", "enter")
        assert "position " in ui.screen_text
        assert "of WAL written" in ui.screen_text


async def test_an_existing_generation_asks_once_a_session(database: Path, replica: Path, writer: Writer) -> None:
    sync.run(str(database), str(replica))
    writer.tell("write 2")
    async with session(replica, settings=LIVE, database=database) as ui:
        # As a fact, or where it is certain that nobody replicates, as what needs attention.
        assert re.search(r"[0-9.]+ kB committed (since|and not in the replica)", notes(ui) + ui.attention)
        await ui.press("s")
        assert re.search(r"snapshot +none: this generation has one", ui.screen_text)
        assert re.search(r"WAL +[0-9.]+ kB, uncompressed", ui.screen_text)
        await ui.press("escape")
        assert ui.app.runner.jobs == []
        await ui.press("s", "enter", "s")
        assert [job.state for job in ui.app.runner.jobs] == [State.DONE, State.DONE]


async def test_a_new_generation_shows_the_plan_again_and_says_why(
    database: Path, replica: Path, writer: Writer
) -> None:
    async with session(replica, settings=LIVE, database=database) as ui:
        await ui.press("s", "enter")
        first = last_job(ui).result.pos.generation
        writer.tell("restart")
        await ui.press("s")
        text = ui.screen_text
        assert re.search(r"begins +a new generation: wal (truncated|overwritten) by another process", text)
        assert re.search(r"avoid it .*", text)
        assert "litetui replicate" in text
        assert re.search(r"before .* at the end of the replica's newest", text)
        await ui.press("escape")
        assert len(ui.app.runner.jobs) == 1
        await ui.press("s", "enter")
        result = last_job(ui).result
        assert result.pos.generation != first
        ui.app.browser.tree_view.reveal(("generation", result.pos.generation))
        await ui.idle()
        assert re.search(r"newest, began .*: wal (truncated|overwritten) by another process", ui.screen_text)
        assert any(line.level == "warning" and " began: wal " in line.text for line in ui.app.browser.log_pane.lines)


async def test_snapshot(database: Path, replica: Path, writer: Writer) -> None:
    async with session(replica, settings=LIVE, database=database) as ui:
        await ui.press("s", "enter", "n")
        assert re.search(r"free +[0-9.]+ .B where the replica lies", ui.screen_text)
        assert "goes on" in ui.screen_text
        await ui.press("enter")
        job = last_job(ui)
        assert (job.kind, job.state) == ("snapshot", State.DONE), job.error
        assert "was there already" in ui.toasts[-1]


async def test_replicate_follows_a_writer_until_it_is_stopped(database: Path, replica: Path, writer: Writer) -> None:
    async with session(replica, settings=LIVE, database=database) as ui:
        await ui.press("S")
        assert "x on its job ends it" in ui.screen_text
        assert "--retention 0" in plain(ui)  # the command line deletes nothing either
        await ui.press("escape")
        job = await replicating(ui)
        assert "Replicator: litetui, this session" in ui.screen_text
        assert job.at is not None
        for _ in range(3):
            before = job.at.pos
            writer.tell("write 4")
            await ui.until(partial(moved, job, before))
        assert "replicate synced" in ui.screen_text
        await ui.until(lambda: "sync file" in ui.screen_text)
        await ui.press("n")
        assert "the running replication syncs first" in ui.screen_text
        await ui.press("enter")
        snapshot = last_job(ui)
        await ui.until(lambda: snapshot.state.ended)
        assert snapshot.state is State.DONE, snapshot.error
        assert not job.state.ended
        writer.tell("write 4")
        await ui.press("s")
        assert "the running replication looks at once" in ui.toasts
        await ui.press("o")
        assert any("this session replicates" in toast for toast in ui.toasts)
        writer.tell("write 7")
        await ui.press("x")
        await ui.until(lambda: job.state.ended)
        assert job.state is State.DONE, job.error
        assert any("a last sync is made" in toast for toast in ui.toasts)
        await ui.idle()
        assert "Replicator: none" in ui.screen_text
    assert behind(database, replica) == 0
    assert database.with_name("app.db-wal").stat().st_size > 0


async def test_replicate_is_switched_off_by_its_own_key(database: Path, replica: Path, writer: Writer) -> None:
    async with session(replica, settings=LIVE, database=database) as ui:
        await ui.press("S", "tab", "right")
        assert "--validation-interval 1h" in plain(ui)
        await ui.press("enter")
        job = last_job(ui)
        assert isinstance(job, ReplicateJob)
        assert job.command.endswith("--retention 0 --validation-interval 1h")
        assert job.validation_s == 3600
        await ui.until(lambda: job.state.ended or (job.at is not None and job.at.synced_ns is not None))
        await ui.press("S")
        assert "Replicating app.db" in ui.screen_text
        assert "--validation-interval 1h" in plain(ui)
        await ui.press("enter")
        await ui.until(lambda: job.state.ended)
        assert job.state is State.DONE


async def test_quitting_while_replicating_asks_and_syncs_a_last_time(
    database: Path, replica: Path, writer: Writer
) -> None:
    async with session(replica, settings=LIVE, database=database) as ui:
        job = await replicating(ui)
        await ui.press("q")
        assert "stopped now: a last sync is made" in ui.screen_text
        assert not ui.app.screen.query_one("#wait", Button).display
        writer.tell("write 20")
        await ui.pilot.press("tab", "enter")
        await ui.left()
    assert job.state is State.DONE, job.error
    assert behind(database, replica) == 0
    assert sync.plan(str(database), str(replica)).generation
    assert database.with_name("app.db-wal").stat().st_size > 0
    assert ui.app.return_value == 0


async def test_the_quit_question_follows_the_jobs(database: Path, replica: Path, writer: Writer) -> None:
    async with session(replica, settings=LIVE, database=database) as ui:
        job = await replicating(ui)
        await ui.press("q")
        ui.app.runner.cancel(job)
        await ui.until(lambda: job.state.ended)
        await ui.idle()
        assert "All jobs have ended" in ui.screen_text
        await ui.pilot.press("tab", "enter")
        await ui.left()


async def test_readonly_says_why(database: Path, replica: Path, writer: Writer) -> None:
    sync.run(str(database), str(replica))
    async with session(replica, settings=replace(LIVE, readonly=True), database=database) as ui:
        for key in ("s", "n", "S"):
            ui.app.clear_notifications()
            await ui.press(key)
            assert ui.toasts[-1] == "started with --readonly"
        assert ui.app.runner.jobs == []
        assert "Replicator:" in ui.screen_text  # looking is no writing


async def test_a_database_that_is_not_in_wal_mode(database: Path, replica: Path) -> None:
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('create table t (x)'); c.commit()"
    subprocess.run([sys.executable, "-c", code, str(database)], check=True)
    async with session(replica, settings=LIVE, database=database) as ui:
        assert "not known: the" in ui.screen_text
        await ui.press("s")
        assert "or it is not in WAL mode" in re.sub(r"[│▎\s]+", " ", ui.screen_text)
        await ui.press("enter")
        job = last_job(ui)
        assert job.state is State.FAILED
        assert any("it is not in WAL mode (journal_mode is delete)" in toast for toast in ui.toasts)
        assert any("PRAGMA journal_mode=WAL" in toast for toast in ui.toasts)
        await ui.press("S", "enter")
        await ui.until(lambda: last_job(ui).state.ended)
        assert last_job(ui).state is State.FAILED
    assert not replica.exists()


async def test_a_refusal_has_no_way_on(database: Path, replica: Path, writer: Writer) -> None:
    sync.run(str(database), str(replica))
    with holding("litestream", database) as pid:
        async with session(replica, settings=LIVE, database=database) as ui:
            for key in ("s", "n", "S"):
                await ui.press(key)
                assert isinstance(ui.app.screen, WriteDialog)
                error = ui.app.screen.plan.error
                assert error is not None
                assert f"litestream (pid {pid}) is at work on it" in str(error)
                assert error.hint is not None
                assert "stop it first" in error.hint
                assert "Try: stop it first" in ui.screen_text
                assert not ui.app.screen.query("#go")
                await ui.press("enter")
            assert ui.app.runner.jobs == []


async def test_paths_that_hurt_do_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "[" / "x] [bold]a\nb\x1b[31m"
    folder.mkdir(parents=True)
    with Writer(str(folder / "app.db")) as writer:
        writer.tell("write 2")
        async with session(folder / "replica", (160, 45), LIVE, folder / "app.db") as ui:
            for key in ("s", "n", "S", "o"):
                await ui.press(key)
                assert "\x1b" not in ui.screen_text
                await ui.press("escape")
            await ui.press("s", "enter")
            assert last_job(ui).state is State.DONE, last_job(ui).error
            await replicating(ui)
            await ui.press("3", "enter")
            await ui.press("escape")
            await stop(ui)


async def test_a_path_that_is_no_database_leads_to_the_question(golden: Golden, tmp_path: Path) -> None:
    async with session(golden("v03-multi-gen"), settings=LIVE, database=tmp_path / "gone.db") as ui:
        assert "Attach the database" in ui.screen_text
        assert "there is no such file" in ui.screen_text
        await ui.press("escape")
        assert ui.app.database is None
        assert "content not checked" in ui.screen_text


async def test_a_database_that_vanishes_is_a_note(database: Path, replica: Path, writer: Writer) -> None:
    sync.run(str(database), str(replica))
    async with session(replica, settings=LIVE, database=database) as ui:
        database.rename(database.with_name("moved.db"))
        await ui.press("R")
        assert "app.db cannot be looked at: there is no such file" in ui.screen_text
        assert "content not checked" in ui.screen_text
        await ui.press("s")
        assert any("there is no such file" in toast for toast in ui.toasts)


async def test_another_replica_has_no_database_attached(
    golden: Golden, database: Path, replica: Path, writer: Writer
) -> None:
    sync.run(str(database), str(replica))
    async with session(replica, settings=LIVE, database=database) as ui:
        await ui.press("O")
        await ui.type(str(golden("v03-multi-gen")))
        await ui.press("enter")
        assert ui.app.database is None
        assert "←" not in ui.screen_text.splitlines()[0]


@pytest.mark.parametrize("key", ["s", "n", "S"])
async def test_plans_at_80_by_24_keep_their_buttons(database: Path, replica: Path, writer: Writer, key: str) -> None:
    async with session(replica, (80, 24), LIVE, database) as ui:
        await ui.press(key)
        lines = ui.screen_text.splitlines()
        assert any("Close" in line and ("Sync" in line or "Snapshot" in line or "Replicate" in line) for line in lines)
        top = lines[2]
        await ui.press(*["j"] * 20)
        assert key != "S" or ui.screen_text.splitlines()[2] != top  # it scrolls where it is long
        await ui.press("escape", "o")
        assert "Attach another database" in ui.screen_text
        await ui.press("escape")
        assert "no generations" in ui.screen_text


async def test_an_empty_database_in_the_newest_generation_needs_attention(tmp_path: Path) -> None:
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('create table orders (x)');"
        "[c.execute('insert into orders values (zeroblob(3000))') for _ in range(int(sys.argv[2]))]; c.commit()"
    )
    root = tmp_path / "replica"
    for name, rows, generation in (("full.db", "60", "1" * 16), ("empty.db", "0", "2" * 16)):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name), rows], check=True)
        at = T0 + int(generation[0]) * 100 * SECOND
        Builder(root, generation, at).snapshot(0, (tmp_path / name).read_bytes())
    async with session(root) as ui:
        assert "Attention 2" in ui.screen_text  # and that nothing was written for long
        assert "r restores the earlier" in ui.attention
        await ui.press("2", "right_square_bracket")
        assert "empty database" in ui.screen_text
        assert f"--generation {'1' * 16}" in ui.screen_text


async def test_the_live_demo_replicates_by_itself_and_leaves_nothing() -> None:
    async with session(DEMO, settings=LIVE) as ui:
        await ui.until(lambda: ui.app.replica is not None)
        await ui.until(lambda: ui.app.runner.jobs and last_job(ui).state is State.RUNNING)
        job = last_job(ui)
        assert isinstance(job, ReplicateJob)
        await ui.until(lambda: job.at is not None and job.at.wal_bytes > 0)
        await ui.until(lambda: "this session" in ui.screen_text)
        assert len(open_replica(job.target).generations()) == 2
        folder = Path(job.target).parent
    ui.app.opening.demos.close()
    assert job.state is State.DONE, job.error
    assert not folder.exists()
