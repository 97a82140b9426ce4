"""What needs attention: the worst first, with what it means, since when, and the key that helps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from litetui.errors import ChangedError, DamageError, LitetuiError, UnreadableError
from litetui.jobs.job import Job
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import validate
from litetui.ops.lag import Lag
from litetui.ops.replicate import ReplicaState, State
from litetui.ops.verdict import LiveCheck
from litetui.primary import guard
from litetui.replica.detect import open_replica
from litetui.replica.types import Finding, Pos
from litetui.tui import standing
from litetui.tui.attention.entries import ORDER, Entry, since_words, worst
from litetui.tui.attention.helping import began
from litetui.tui.attention.model import Beside, calm, of_generation, of_replica
from litetui.tui.attention.room import Room, look_at_room
from litetui.tui.attention.rows import helps, lines, placed, whole
from litetui.tui.checks import Check
from litetui.tui.details import live_notes
from litetui.tui.evidence import headline
from litetui.tui.keys import BY_ID
from litetui.tui.looks import Looks
from litetui.tui.marks import marks
from litetui.tui.model import ReplicaView, look
from litetui.tui.naming import remedy
from litetui.tui.primary import PrimaryView, entries, notes
from litetui.tui.screens.attach import AttachDialog
from litetui.tui.screens.job import JobScreen
from litetui.tui.screens.restore import RestoreDialog
from litetui.tui.textutil import short_times
from litetui.tui.work.replication import ReplicateJob
from tests.tui.helpers import NOW, SETTINGS, session
from tests.tui.test_evidence import NEWEST, check, restore_job

Golden = Callable[[str], Path]
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
LITESTREAM = guard.Replicator("litestream", "0.3.13", 812)
NOBODY = guard.Watch((), "", "v0.3", None)
ONE = guard.Watch((LITESTREAM,), "", "v0.3", None)
HIDDEN = guard.Watch((), "processes of other users cannot be looked into", "v0.3", None)


@pytest.fixture
def view(golden: Golden) -> ReplicaView:
    return look(open_replica(golden("v03-multi-gen")), NOW)


def of(view: ReplicaView, code: str, beside: Beside | None = None, now_ns: int = NOW) -> Entry:
    """The one entry of a code."""
    (found,) = [entry for entry in of_replica(view, now_ns, beside or Beside()) if entry.code == code]
    return found


def codes(view: ReplicaView, beside: Beside | None = None, now_ns: int = NOW) -> list[str]:
    return [entry.code for entry in of_replica(view, now_ns, beside or Beside())]


# a folder alone


def test_a_folder_that_stands_still_says_both_things_that_it_may_mean(view: ReplicaView) -> None:
    newest = view.generations[0].stats.updated_ns
    assert newest is not None
    assert codes(view, now_ns=newest + 9 * MINUTE) == []
    one = of(view, "stale", now_ns=newest + 3 * HOUR)
    assert one.words == "no file for 3 h: idle, or replication stopped"
    assert (helps(one), one.severity, one.since_ns) == ("o attaches the database", "info", None)
    closed = primary(HIDDEN, None, "the database has no WAL: the application has closed it")
    one = of(replace(view, primary=closed), "stale", now_ns=newest + 3 * HOUR)
    assert helps(one) == ""  # it is attached, and tells no more
    assert codes(replace(view, primary=primary(HIDDEN, 0)), now_ns=newest + 3 * HOUR) == []  # all of it is there


def test_clocks_that_differ(view: ReplicaView) -> None:
    newest = view.generations[0].stats.updated_ns
    assert newest is not None
    assert codes(view, now_ns=newest - 2 * SECOND) == []
    one = of(view, "clock-skew", now_ns=newest - 40 * SECOND)
    assert "40 s ahead of this clock" in one.words
    assert one.severity == "warning"


def test_damage_is_before_what_is_only_to_be_known(golden: Golden) -> None:
    view = look(open_replica(golden("v03-dmg-gap-middle-index")), NOW)
    found = of_replica(view, NOW + HOUR, Beside())
    assert [entry.severity for entry in found] == ["error", "info"]
    assert found[0].words == "WAL 00000002 is missing: the latest state cannot be restored"
    assert helps(found[0]) == "v says what restores"
    columns = view.generations[0].indexes
    assert found[0].since_ns == int(columns.last_ns[columns.row_of(1)])  # since the last file before it
    assert worst(found) == "error"


def test_a_validation_leads_on_to_a_restore_and_says_nothing_twice(golden: Golden) -> None:
    view = look(open_replica(golden("v03-dmg-gap-middle-index")), NOW)
    finding = view.findings[0]
    one = check(view, "damaged", findings=(finding,))
    found = [e for e in of_replica(view, NOW, Beside(checks={one.report.generation: one})) if e.severity == "error"]
    assert [helps(entry) for entry in found] == ["r to last-good"]


@pytest.mark.parametrize(
    ("name", "said", "first"),
    [
        (
            "seed-dmg-garbage-names",
            "content checked to 20:55:31Z",
            "11 file(s) in generation 63cf49d0df15a9ca are no data of it, e.g. 1.snapshot",
        ),
        (
            "seed-dmg-both-wal-and-lz4",
            "content checked to 20:55:31Z",
            "WAL 00000002 is there twice, with different contents: 00000002.wal.lz4 is taken; since 20:55:30Z",
        ),
        (
            "seed-dmg-flip-byte-wal-frame",
            "latest does not restore; restores to 20:55:31Z (4 min ago); damaged from 00000004 on",
            "r to last-good: 00000004 frame 6: its checksum is wrong; the states after 00000004:24752 do not restore",
        ),
        (
            "v03-dmg-gap-middle-index",
            "latest does not restore; restores to 20:55:30Z (4 min ago); WAL 00000002 is missing",
            "r to last-good: WAL 00000002 is missing; the states after 00000001:115392 do not restore",
        ),
        (
            "v03-dmg-missing-snapshot",
            "latest does not restore: it has no snapshot",
            "r restores the earlier: generation 37a3dbace36f1ae1 has no snapshot: nothing of it can be restored",
        ),
    ],
)
def test_damaged_replicas_once_they_are_checked(golden: Golden, name: str, said: str, first: str) -> None:
    replica = open_replica(golden(name))
    view, report = look(replica, NOW), validate.run(validate.plan(replica), now_ns=NOW)
    checks = {one.generation: Check(one, "content", NOW) for one in report.generations}
    assert headline(view, NOW, (), checks)[0].startswith(said)
    found = of_replica(view, NOW, Beside(checks=checks))
    assert [entry.severity for entry in found] == sorted((e.severity for e in found), key=ORDER.index)
    helping = helps(found[0])
    assert (f"{helping}: " * bool(helping) + whole(found[0], NOW)[0]).startswith(first)


def test_where_nothing_restores_no_last_good_is_offered(view: ReplicaView) -> None:
    index = view.generations[0].snapshots[0].index
    path = f"/r/generations/{NEWEST}/snapshots/{index:08x}.snapshot.lz4"
    bad = Finding("error", "lz4-checksum", "the checksum is wrong", path=path, generation=NEWEST, index=index)
    one = check(view, "unrestorable", latest_restores=False, restorable_to=None, findings=(bad,))
    entry = of(view, "lz4-checksum", Beside(checks={NEWEST: one}))
    assert (placed(entry), helps(entry)) == ("snapshot 00000000: the checksum is wrong", "r restores the earlier")
    alone = replace(view, generations=view.generations[:1])
    assert helps(of(alone, "lz4-checksum", Beside(checks={NEWEST: one}))) == "o attaches the database"
    known = replace(alone, primary=primary(ONE, 0))
    assert helps(of(known, "lz4-checksum", Beside(checks={NEWEST: one}))) == "n writes one"


def test_what_cannot_be_read_says_why_and_which_key_reads_it(view: ReplicaView) -> None:
    path = f"/a/long/path/{NEWEST}/wal/00000002_00000000.wal.lz4"
    words = f"cannot read: {path}: permission denied (mode 000)"
    unread = Finding("error", "unreadable", words, path=path, generation=NEWEST, index=2)
    one = check(view, "unknown", findings=(unread,))
    entry = of(view, "unreadable", Beside(checks={NEWEST: one}))
    assert placed(entry) == "cannot read: 00000002_00000000.wal.lz4: permission denied (mode 000)"
    assert helps(entry) == "v checks again"
    survey = replace(view.generations[0].survey, findings=(unread,))
    named = replace(view, generations=(replace(view.generations[0], survey=survey),))
    assert helps(of(named, "unreadable")) == "R reads again"


def test_a_mismatch_with_the_database(view: ReplicaView) -> None:
    one = replace(check(view), differs=True)
    known = replace(view, primary=primary(ONE, 0))
    entry = of(known, "live-mismatch", Beside(checks={NEWEST: one}))
    assert (entry.severity, entry.since_ns, helps(entry)) == ("error", None, "n writes one")
    assert since_words(entry, NOW) == "found 20:19:00Z (41 min ago)"  # since when, nobody knows


def test_damage_that_a_restore_met(view: ReplicaView) -> None:
    path = f"{view.path}/generations/{NEWEST}/wal/00000002_00000000.wal.lz4"
    job = restore_job(view, 2, 0, DamageError("restore", "bad checksum", code="checksum", path=path, index=2))
    one = of(view, "checksum", Beside(jobs=[job]))
    assert one.words == f"restore {job.id} met damage in 00000002: bad checksum"
    assert (one.severity, one.where) == ("error", "00000002")
    assert since_words(one, NOW) == "since 20:55:30Z (4 min ago)"  # by the file, not by the restore
    assert one in of_generation(view, view.generations[0], NOW, Beside(jobs=[job]))
    assert one not in of_generation(view, view.generations[1], NOW, Beside(jobs=[job]))


def test_since_when_states_are_affected(view: ReplicaView) -> None:
    """The time of the file that is damaged, and of the last one before what is missing; else when it was found."""
    wals = view.generations[0].wals
    rows = wals.rows_of(2)
    assert len(rows) > 2

    def since(code: str, offset: int | None = None, row: int | None = None, index: int = 2) -> int | None:
        path = None if row is None else f"/r/generations/{NEWEST}/wal/{wals.name(row)}"
        return began(Finding("error", code, "wrong", "", path, NEWEST, index, offset), view)

    assert since("lz4-checksum", row=rows[1]) == int(wals.mtime_ns[rows[1]])
    assert since("wal-checksum", int(wals.offset[rows[1]]) + 24) == int(wals.mtime_ns[rows[1]])
    assert since("wal-header") == int(wals.mtime_ns[rows[0]])
    assert since("missing-segment", int(wals.offset[rows[1]])) == int(wals.mtime_ns[rows[0]])
    assert since("missing-segment", 0) == int(wals.mtime_ns[rows[0] - 1])
    assert since("missing-wal", index=9) == int(wals.mtime_ns[-1])
    odd = Finding("error", "odd", "an odd thing", generation=NEWEST)
    one = check(view, "damaged", findings=(odd,))
    assert since_words(of(view, "odd", Beside(checks={NEWEST: one})), NOW) == "found 20:19:00Z (41 min ago)"


def test_a_file_that_could_not_be_read_is_said_until_it_can(view: ReplicaView) -> None:
    looks, key = Looks(), ("index", NEWEST, 2)
    error = UnreadableError("read the WAL", "input/output error", path=f"/r/generations/{NEWEST}/wal/00000002.wal")
    assert looks.note(view, key, error, NOW - MINUTE)
    shown = looks.on(view, {})
    one = of(shown, "unreadable")
    assert placed(one) == "cannot read the WAL: 00000002.wal: input/output error"
    assert (one.severity, one.where, helps(one)) == ("error", "00000002", "R reads again")
    assert marks(shown, {}).on("index", NEWEST, 2, 2) == "unreadable"
    assert headline(shown, NOW) == headline(view, NOW)  # nothing is known of its bytes
    assert not looks.note(view, key, ChangedError("read the WAL", "it went"), NOW)
    assert looks.note(view, key, DamageError("read", "wrong", code="wal-checksum", index=2), NOW)
    assert not looks.note(view, key, error, NOW)  # its bytes were read before
    assert "unreadable" not in codes(looks.on(view, {}))
    assert looks.note(view, key, None, NOW)
    assert looks.on(shown, {}) == view


def test_the_last_look_at_the_database_has_its_time_while_the_replica_is_gone(view: ReplicaView) -> None:
    known = replace(view, primary=primary(ONE, 0))
    assert live_notes(known, NOW, Beside())[1] == ("Not in the replica: nothing that is committed", "")
    trouble = LitetuiError("read", "the folder is gone", path=view.path)
    texts = [text for text, _ in live_notes(known, NOW + MINUTE, Beside(trouble=trouble))]
    assert texts == [
        "Replicator: not known; as of 21:00:00Z: litestream 0.3.13 (pid 812)",
        "Not in the replica: not known; as of 21:00:00Z: nothing that is committed",
    ]


def test_a_check_of_yesterday(view: ReplicaView) -> None:
    one = check(view)
    assert "old-check" not in codes(view, Beside(checks={NEWEST: one}))
    one = replace(one, at_ns=NOW - 26 * HOUR)
    assert of(view, "old-check", Beside(checks={NEWEST: one})).words == "checked 1 d ago"


def test_a_replica_that_cannot_be_read_any_more(view: ReplicaView) -> None:
    trouble = LitetuiError("read", "the folder is gone", path=view.path)
    found = of_replica(view, NOW + HOUR, Beside(trouble=trouble))
    assert [entry.code for entry in found] == ["unreadable"]  # that it stands still would be no news
    assert "the folder is gone" in found[0].words
    assert found[0].since_ns == view.taken_ns


def test_a_disk_that_is_nearly_full(view: ReplicaView) -> None:
    size = view.generations[0].snapshots[-1].size
    assert "disk-full" not in codes(view, Beside(room=Room(40 << 30, 400 << 30)))
    assert of(view, "disk-full", Beside(room=Room(1 << 30, 400 << 30))).severity == "warning"
    one = of(view, "disk-full", Beside(room=Room(size - 1, 400 << 30)))
    assert one.severity == "error"
    assert "the next snapshot" in one.words


def test_the_room_on_a_disk(tmp_path: Path) -> None:
    room = look_at_room(str(tmp_path))
    assert room is not None
    assert 0 <= room.free <= room.total
    with pytest.raises(LitetuiError, match="look at the disk"):
        look_at_room(str(tmp_path / "none"))


def failing(kind: str, path: str, error: LitetuiError | None) -> Job:
    def work(report: Reporter, cancel: CancelToken) -> None:
        if error is not None:
            raise error

    job = Job(kind, work, title="t", target=path, now_ns=lambda: NOW - MINUTE)
    job.begin()
    job.run()
    return job


def test_a_job_that_failed_to_write_until_one_of_its_kind_succeeds(view: ReplicaView) -> None:
    bad = failing("sync", view.path, LitetuiError("sync", "no space left on device"))
    one = of(view, "job-failed", Beside(jobs=[bad]))
    assert one.words == f"sync {bad.id} failed: no space left on device"
    assert (one.job, one.since_ns) == (bad.id, NOW - MINUTE)
    assert "job-failed" not in codes(view, Beside(jobs=[bad, failing("sync", view.path, None)]))
    assert "job-failed" not in codes(view, Beside(jobs=[failing("sync", "/elsewhere", bad.error)]))


# the database and its replicators


def primary(watch: guard.Watch, missing: int | None, why: str = "", synced: int = NOW - 5 * MINUTE) -> PrimaryView:
    return PrimaryView("/db/app.db", Lag("/db/app.db", watch, missing, synced, why, {}), None, synced)


def said(view: PrimaryView, *, replaced: bool = False) -> list[tuple[str, str, str]]:
    found = entries(view, None, NOW, replaced=replaced)
    return [(entry.code, entry.severity, helps(entry)) for entry in found]


def test_who_replicates_and_how_far_it_is_behind() -> None:
    assert said(primary(ONE, 0)) == []
    assert said(primary(ONE, 4096, synced=NOW - SECOND)) == []
    assert said(primary(ONE, 4096)) == [("behind", "warning", "")]
    assert said(primary(NOBODY, 0)) == [("no-replicator", "warning", "S replicates")]
    assert said(primary(NOBODY, 4096)) == [("stopped", "error", "S replicates")]
    assert said(primary(NOBODY, 4096, synced=NOW - SECOND)) == [("stopped", "warning", "S replicates")]
    assert said(primary(HIDDEN, 0)) == []  # nothing is missing, and who runs cannot be known
    assert said(primary(HIDDEN, 4096)) == [("behind", "warning", "S replicates")]
    both = guard.Watch((LITESTREAM, guard.Replicator("litetui", "", 9)), "", "v0.3", None)
    assert said(primary(both, 0)) == [("two-replicators", "error", "")]
    other = primary(ONE, None, "the database's WAL does not follow on the replica's: the next sync begins anew")
    assert said(other) == [("does-not-follow", "warning", "s shows the plan")]
    assert said(primary(ONE, None, "the database has no WAL: the application has closed it")) == []
    assert said(primary(ONE, 0), replaced=True) == [("replaced", "warning", "v compares")]
    later = guard.Watch((LITESTREAM,), "", "v0.5", NOW - MINUTE)
    assert said(primary(later, 0)) == [("v0.5-beside", "warning", "O opens that replica")]


def test_what_is_wrong_is_not_said_as_a_fact_as_well() -> None:
    assert len(notes(primary(ONE, 0), None, NOW)) == 2
    assert [text for text, _ in notes(primary(NOBODY, 4096), None, NOW)] == ["Replicator: none found"]


def test_what_the_validation_of_a_replication_found(view: ReplicaView) -> None:
    job = ReplicateJob("/db/app.db", view.path, now_ns=lambda: NOW)
    job.begin()
    pos = Pos(NEWEST, 3, 148352)
    live = LiveCheck("/db/app.db", "mismatch", pos, "2 pages differ", pages=2)
    error = DamageError("validate the replica", live.words, code="live-mismatch", path=view.path)
    job.seen = State(pos, (ReplicaState("file", view.path, pos, 4096, NOW, error, live),), None)
    (one,) = entries(primary(NOBODY, 0), job, NOW)
    assert (one.code, one.severity, one.job) == ("live-mismatch", "error", job.id)
    assert "not what the database holds" in one.words
    assert headline(view, NOW, [job], {NEWEST: check(view)})[1] == "error"
    same = replace(live, status="ok")
    job.seen = State(pos, (ReplicaState("file", view.path, pos, 4096, NOW, None, same),), None)
    assert list(entries(primary(NOBODY, 0), job, NOW)) == []
    assert "validated ok at 00000003:148352" in job.words(NOW)[0]
    assert headline(view, NOW, [job], {NEWEST: check(view)})[1] == "success"


# as lines and rows


def test_three_lines_and_how_many_more() -> None:
    found = [Entry("warning", "x", f"number {n}") for n in range(5)]
    assert [brief.words for brief in lines(found, NOW)] == ["number 0", "number 1", "number 2", "2 more: see Attention"]
    assert len(lines(found[:3], NOW)) == 3


def test_an_entry_in_full() -> None:
    one = Entry("error", "x", "it is so", NOW - 3 * HOUR, "do this", "validate", "says more")
    assert whole(one, NOW) == ["it is so; since 18:00:00Z (3 h ago)", "Try: do this", "v says more"]


@pytest.mark.parametrize(
    ("advice", "command"),
    [
        ("the state of 2026-11-22T20:55:29.793652967Z: litetui restore '/r: x' -o OUT",
         "litetui restore '/r: x' -o app-restored.db"),
        ("look at /b/OUT x DB: cp '/a OUT b' DB", "cp '/a OUT b' '/d b.db'"),
        ("check the live database: sqlite3 DB 'PRAGMA integrity_check'", "sqlite3 '/d b.db' 'PRAGMA integrity_check'"),
        ("litetui wal REPLICA", "litetui wal /b/app.db"),
        ("where it does not run: litestream replicate -once DB URL", ""),
        ("litestream 0.3.13 (pid 812) replicates it: stop it: rm /db/.a-litestream/generation",
         "rm /db/.a-litestream/generation"),
        ("sqlite3 /a.db 'PRAGMA journal_mode=WAL'", "sqlite3 /a.db 'PRAGMA journal_mode=WAL'"),
        ("stop it, then: litestream replicate -once DB file:///r", "litestream replicate -once '/d b.db' file:///r"),
        ("litetui leaves them alone, and so does Litestream", ""),
        ("write to it: litetui replicate DB REPLICA…", ""),
        ("make room on that disk", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_a_remedy_is_a_command_that_can_be_pasted(advice: str, command: str) -> None:
    assert remedy(advice, "/b/app.db", "/d b.db") == command
    if "DB" in advice:
        assert remedy(advice, "/b/app.db", None) == ""  # pasted, that would make a database of this name


def test_times_on_the_screen_have_one_form() -> None:
    words = "it ends at 2026-11-22T20:55:29.793652967Z, restore --timestamp 2026-11-22T20:55:29.793652967Z"
    short = "it ends at 20:55:29.793Z, restore --timestamp 2026-11-22T20:55:29.793652967Z"
    assert whole(Entry("info", "x", words), NOW) == [short]
    assert short_times("/backup/9999-99-99T99:99:99Z/db", NOW) == "/backup/9999-99-99T99:99:99Z/db"


def test_every_key_that_helps_is_a_key(view: ReplicaView) -> None:
    views = [primary(w, b) for w in (NOBODY, ONE, HIDDEN) for b in (0, 4096, None)]
    found = [entry for one in views for entry in entries(one, None, NOW, replaced=True)]
    found += of_replica(view, NOW + HOUR, Beside(room=Room(0, 1)))
    assert {entry.action for entry in found} - {""} <= set(BY_ID)
    assert len(found) > 10


def test_nothing_is_one_calm_sentence(view: ReplicaView) -> None:
    assert calm([]) == "By the names of the files nothing needs attention."
    assert calm([check(view)]) == "Nothing needs attention."


# on the screen


async def test_the_first_screen_says_what_needs_attention(golden: Golden) -> None:
    async with session(golden("v03-dmg-gap-middle-index"), (160, 45)) as ui:
        assert "WAL 00000002 is missing" in ui.attention.splitlines()[0]
        assert "v says what restores" in ui.attention
        assert "Attention 1" in ui.screen_text
        await ui.press("2", "right_square_bracket", "r")
        assert isinstance(ui.app.screen, RestoreDialog)
        await ui.press("escape", "v", "enter", "escape")
        assert "r to last-good" in ui.attention
        copyable = dict(standing.copyable(ui.app.browser))
        assert copyable["remedy"].startswith(f"litetui restore {ui.app.path} -o replica-restored.db --generation ")
        assert copyable["remedy"].endswith(" --to-last-good")
        assert "index" not in copyable
        await ui.press("r")
        assert ui.app.screen.query_one("#target", Input).value == "last-good"


async def test_nothing_to_see(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (160, 45)) as ui:
        assert ui.attention == ""
        assert "By the names of the files nothing needs attention." in ui.screen_text
        await ui.press("g", "v", "enter", "escape")
        assert " Nothing needs attention." in ui.screen_text


async def test_an_entry_without_a_place_does_what_helps(golden: Golden) -> None:
    later = replace(SETTINGS, now_ns=lambda: NOW + 3 * HOUR)
    async with session(golden("v03-multi-gen"), settings=later) as ui:
        assert "no file for 3 h" in ui.attention
        await ui.press("2", "right_square_bracket", "enter")
        assert isinstance(ui.app.screen, AttachDialog)


async def test_an_entry_comes_while_one_looks_and_leads_to_its_job(golden: Golden) -> None:
    async with session(golden("v03-multi-gen"), (160, 45)) as ui:
        await ui.press("2", "right_square_bracket")
        assert "Attention " in ui.screen_text

        def work(report: Reporter, cancel: CancelToken) -> None:
            raise LitetuiError("sync", "no space left on device")

        job = Job("sync", work, title="t", target=ui.app.path or "", now_ns=SETTINGS.now_ns)
        ui.app.submit(job)
        await ui.idle()
        assert "Attention 1" in ui.screen_text
        assert f"sync {job.id} failed: no space left on device" in ui.attention
        await ui.press("enter")
        assert isinstance(ui.app.screen, JobScreen)


async def test_a_folder_that_vanishes(golden_copy: Golden) -> None:
    root = golden_copy("v03-multi-gen")
    async with session(root, (80, 24)) as ui:
        assert ui.app.browser.headline.path == ""  # it stands in the line below
        assert root.name in ui.screen_text.splitlines()[1]
        root.rename(root.with_name("gone"))
        await ui.press("v", "left", "enter")  # by names
        (job,) = ui.app.runner.jobs
        assert job.command.endswith("--depth names")
        assert job.error is not None
        assert "there is no such folder" in str(job.error)
        await ui.press("escape", "R")
        assert "cannot be read" in ui.screen_text  # under the tree, which has the screen for itself
        assert "R reads again" in ui.screen_text
