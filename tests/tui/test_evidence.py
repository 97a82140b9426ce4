"""What is said of a generation, and on what evidence: never green by its names, and never older than it is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from litetui.errors import DamageError
from litetui.jobs.job import Job
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.verdict import Depth, GenerationReport, Verdict
from litetui.replica.detect import open_replica
from litetui.replica.types import Finding, Pos
from litetui.tui.attention.model import Beside
from litetui.tui.checks import Check, since
from litetui.tui.details import detail
from litetui.tui.evidence import badge, checked_of, evidence, generation_card, headline
from litetui.tui.looks import Looks
from litetui.tui.marks import marks
from litetui.tui.model import ReplicaView, look
from litetui.tui.outline import outline
from litetui.tui.sentences import checked_card
from litetui.tui.tree_line import Key
from tests.tui.helpers import NOW

Golden = Callable[[str], Path]
MINUTE = 60_000_000_000
NEWEST = "37a3dbace36f1ae1"


@pytest.fixture
def view(golden: Golden) -> ReplicaView:
    return look(open_replica(golden("v03-multi-gen")), NOW)


def check(view: ReplicaView, verdict: Verdict = "ok", depth: Depth = "content", **changes: Any) -> Check:
    """A check of the newest generation 41 minutes ago, after which nothing came."""
    one = view.generations[0]
    report = GenerationReport(
        one.name, verdict, verdict == "ok", Pos(one.name, 3, 148352), one.stats.updated_ns, (), (),
        files=24, updated_ns=one.stats.updated_ns,
    )  # fmt: skip
    return Check(replace(report, **changes), depth, NOW - 41 * MINUTE)


def said(view: ReplicaView, one: Check, *jobs: Job) -> tuple[str, str]:
    return headline(view, NOW, jobs, {view.generations[0].name: one})


def earlier(view: ReplicaView, files: int) -> int:
    """A time after which so many files of the newest generation came."""
    times = sorted(int(ns) for ns in view.generations[0].wals.mtime_ns)
    return times[-files - 1]


def test_only_what_read_the_bytes_is_green(view: ReplicaView) -> None:
    assert headline(view, NOW) == ("names complete to 20:55:32Z (4 min ago), content not checked", "")
    assert said(view, check(view, depth="names")) == headline(view, NOW)
    assert said(view, check(view)) == ("content checked to 20:55:32Z, 41 min ago", "success")
    drilled = check(view, depth="restore", integrity="ok")
    assert said(view, drilled) == ("restored and checked to 20:55:32Z, 41 min ago", "success")
    not_made = check(view, depth="restore", integrity="")
    assert said(view, not_made)[0].startswith("content checked")


def test_what_came_since_is_unchecked_again(view: ReplicaView) -> None:
    until = earlier(view, 9)
    one = check(view, restorable_until_ns=until, updated_ns=until)
    assert since(one, view.generations[0]).wals == 9
    text, status = said(view, one)
    assert text.endswith("41 min ago; 9 WAL files newer, unchecked; names complete to 20:55:32Z (4 min ago)")
    assert status == "success"
    words = badge(view.generations[0], one, NOW).words
    assert words == (
        "ok 41 min ago, +9 files since, newest",
        "ok 41 min ago, +9 files since",
        "ok 41 min, +9 files",
        "ok 41 min +9",
        "ok 41 min",
        "ok",
    )
    assert checked_card(one, since(one, view.generations[0]), NOW).note == "41 min ago, +9 files"
    nothing_known = check(view, updated_ns=None)
    assert since(nothing_known, view.generations[0]).wals == len(view.generations[0].wals)


def test_damage_says_from_where_on_and_up_to_where(view: ReplicaView) -> None:
    finding = Finding("error", "wal-checksum", "wrong", generation=NEWEST, index=2, offset=4152)
    bad = check(
        view, "damaged", latest_restores=False, restorable_to=Pos(NEWEST, 2, 4152), findings=(finding,),
        restorable_until_ns=earlier(view, 9),
    )  # fmt: skip
    text, status = said(view, bad)
    assert text.startswith("latest does not restore; restores to 20:55:3")
    assert text.endswith(" (4 min ago); damaged from 00000002 on")
    assert status == "error"
    assert badge(view.generations[0], bad, NOW).glyph == "damaged"
    without = replace(bad, report=replace(bad.report, findings=(), restorable_to=None, restorable_until_ns=None))
    assert said(view, without) == ("latest does not restore: damaged", "error")
    older = check(view, "damaged", latest_restores=True)
    assert said(view, older) == ("latest restores, checked 41 min ago; older restore points are damaged", "warning")
    # A snapshot that came since may have healed it: nobody knows.
    before = view.generations[0].snapshots[-1].created_ns - 1
    healed = replace(bad, report=replace(bad.report, updated_ns=before))
    assert said(view, healed)[1] == "warning"
    assert "1 snapshot newer: v checks again" in said(view, healed)[0]


def test_a_narrow_headline_keeps_verdict_and_moment(view: ReplicaView) -> None:
    bad = check(view, "damaged", latest_restores=False, restorable_to=Pos(NEWEST, 2, 4152), files=24)
    text, _ = headline(view, NOW + 36 * 24 * 60 * MINUTE, (), {NEWEST: bad})
    assert text.startswith("latest does not restore; restores to 22 Nov 20:55:32Z (36 d ago); damaged from 00000002")
    assert len(text.rpartition("; damaged")[0]) <= 80 - len(" litetui   ")


def test_what_could_not_be_read_is_not_marked_as_damage(view: ReplicaView) -> None:
    unread = Finding("error", "unreadable", "permission denied", generation=NEWEST, index=1)
    wrong = Finding("error", "wal-checksum", "wrong", generation=NEWEST, index=2)
    found = marks(view, {NEWEST: check(view, "damaged", findings=(unread, wrong))})
    assert [found.on("index", NEWEST, n, n) for n in range(4)] == ["", "unreadable", "damaged", ""]
    assert found.on("index", NEWEST, 0, 3) == "damaged"
    lines = outline(view, {("replica",), ("generation", NEWEST), ("wals", NEWEST)}, NOW, {}, found)
    shown = [(line.glyph, line.status) for line in lines if line.key[0] == "index"]
    assert shown == [("blank", ""), ("damaged", "error"), ("unreadable", "warning"), ("blank", "")]


def test_other_verdicts(view: ReplicaView) -> None:
    assert said(view, check(view, "unknown", latest_restores=None))[0].startswith("not known: something could not")
    assert said(view, check(view, "unrestorable", latest_restores=False))[0].startswith("nothing of it restores")
    failed = check(view, "damaged", "restore", latest_restores=True, integrity="row 3 missing from index")
    assert said(view, failed) == ("SQLite's integrity check failed, 41 min ago", "error")
    assert badge(view.generations[0], check(view, "unknown"), NOW).glyph == "unreadable"


def test_the_overview_counts_what_was_read(view: ReplicaView) -> None:
    assert checked_of(view, {}, NOW).value == "not yet"
    names = {NEWEST: check(view, depth="names")}
    assert checked_of(view, names, NOW).value == "not yet"
    card = checked_of(view, {NEWEST: check(view)}, NOW)
    assert (card.value, card.note, card.status) == ("content ok", "1 of 3, 41 min ago", "success")
    bad = checked_of(view, {NEWEST: check(view, "damaged", latest_restores=False)}, NOW)
    assert (bad.value, bad.note, bad.status) == ("damaged", "1 of 3, 41 min ago", "error")


def test_up_to_when_what_is_not_complete_restores(golden: Golden) -> None:
    """By its names, by its bytes, and where nothing of it does the next older one."""
    gap = look(open_replica(golden("v03-dmg-gap-middle-index")), NOW)
    one = gap.generations[0]
    assert one.window is not None
    text = "latest does not restore; {} (4 min ago); WAL 00000002 is missing"
    names = text.format("names complete to 20:55:30Z")
    assert headline(gap, NOW) == (names, "error")
    assert badge(one, None, NOW).glyph == "damaged"
    shown = detail(gap, ("generation", one.name), lambda: NOW, Beside())
    assert shown.subtitle == f"newest; {names}"
    assert [card.note for card in shown.cards if card.label == "Stored"] == ["v0.3.5+"]  # the replica's layout
    overview = detail(gap, ("replica",), lambda: NOW, Beside())
    assert [card.note for card in overview.cards if card.label == "Generations"] == ["1 damaged"]
    assert outline(gap, {("replica",)}, NOW)[0].glyph == "damaged"
    read = check(gap, "damaged", latest_restores=False, restorable_until_ns=one.window.end_ns - MINUTE)
    assert headline(gap, NOW, (), {one.name: read})[0] == (
        "latest does not restore; restores to 20:54:30Z (5 min ago); WAL 00000002 is missing"
    )
    nothing = check(gap, "unrestorable", latest_restores=False, restorable_until_ns=None)
    assert badge(one, nothing, NOW).glyph == "unrestorable"
    assert headline(gap, NOW, (), {one.name: nothing})[0] == "nothing restores: WAL 00000002 is missing"


def test_where_nothing_of_the_newest_restores_the_next_older_is_named(view: ReplicaView, golden: Golden) -> None:
    lost = look(open_replica(golden("v03-dmg-missing-snapshot")), NOW)
    one, *others = lost.generations
    if not others:
        lost = replace(lost, generations=(one, *view.generations[1:]))
    older = lost.generations[1]
    text, status = headline(lost, NOW)
    assert text.startswith(f"latest does not restore: it has no snapshot; older {older.name}: names complete to ")
    assert status == "error"
    assert badge(one, None, NOW).glyph == "unrestorable"
    assert outline(lost, {("replica",)}, NOW)[0].glyph == "damaged"  # something of the whole restores


def test_a_check_of_names_is_never_called_ok(view: ReplicaView) -> None:
    card = generation_card(view, view.generations[0], (), check(view, depth="names"), NOW)
    assert (card.value, card.status) == ("names complete", "")


def test_the_replica_is_green_where_all_of_it_is(view: ReplicaView) -> None:
    one = check(view)
    assert outline(view, {("replica",)}, NOW, {NEWEST: one})[0].glyph == "unchecked"
    every = {g.name: replace(one, report=replace(one.report, generation=g.name)) for g in view.generations}
    assert (outline(view, (), NOW, every)[0].glyph, outline(view, (), NOW, every)[0].status) == ("ok", "success")


def restore_job(view: ReplicaView, index: int, until_ns: int, error: DamageError | None = None) -> Job:
    """A restore of the newest generation that has ended."""

    class Plan:
        generation = NEWEST
        position = Pos(NEWEST, index, 0)

    Plan.until_ns = until_ns  # type: ignore[attr-defined]

    class Result:
        plan = Plan
        integrity_check = "ok"

    def work(report: Reporter, cancel: CancelToken) -> object:
        if error is not None:
            raise error
        return Result

    job = Job("restore", work, title="r", target=view.path, now_ns=lambda: NOW - MINUTE)
    job.begin()
    job.run()
    return job


def test_a_restore_up_to_the_last_good_point_does_not_hide_damage(view: ReplicaView) -> None:
    met = DamageError("read", "wrong", code="lz4-checksum", path=f"/r/{NEWEST}/wal/x", index=2)
    damaged = restore_job(view, 2, 0, met)
    good = restore_job(view, 1, earlier(view, 12))
    newest = view.generations[0]
    assert evidence(view, newest, NOW, [good]) is not None
    told = evidence(view, newest, NOW, [damaged, good])
    assert told == ("damaged in 00000002: a restore met it 1 min ago", "error")
    beyond = restore_job(view, 3, newest.stats.updated_ns or 0)
    told = evidence(view, newest, NOW, [damaged, good, beyond])
    assert told is not None
    assert told[1] == "success"


def test_a_restore_into_the_past_says_what_is_newer_and_unchecked(view: ReplicaView) -> None:
    past = restore_job(view, 1, earlier(view, 12))
    text, status = headline(view, NOW, [past])
    assert text.startswith("restored and checked to 20:55:3")
    newer = "12 WAL files newer, unchecked; names complete to 20:55:32Z (4 min ago)"
    assert text.endswith(f", 1 min ago; {newer}")
    assert status == "success"
    card = generation_card(view, view.generations[0], [past], None, NOW)
    assert card.note == "restored 1 min ago, +12 files"
    latest = restore_job(view, 3, view.generations[0].stats.updated_ns or 0)
    assert headline(view, NOW, [latest, past])[0] == "restored and checked to 20:55:32Z, 1 min ago"


def test_damage_that_was_seen_until_a_validation_reads_it(view: ReplicaView) -> None:
    looks, now = Looks(), NOW - MINUTE
    key: Key = ("index", NEWEST, 2)
    wrong = DamageError("read", "its checksum is wrong", code="wal-checksum", path="/r/x", index=2, offset=32, frame=0)
    assert not looks.note(view, key, None, now)
    assert looks.note(view, key, wrong, now)
    assert not looks.note(view, key, wrong, NOW)
    assert looks.on(view, {}).generations[1:] == view.generations[1:]
    looks.note(view, key, wrong, now)
    old = check(view)
    known: tuple[dict[str, Check], ...] = ({}, {NEWEST: old}, {NEWEST: check(view, depth="names")})
    for checks in known:
        seen = looks.on(view, checks)
        assert headline(seen, NOW, (), checks) == (
            "damaged in 00000002, seen 1 min ago: v says what restores", "error"
        )  # fmt: skip
        one = seen.generations[0]
        assert badge(one, checks.get(NEWEST), NOW).glyph == "damaged"
        assert generation_card(seen, one, (), checks.get(NEWEST), NOW).note == "seen 1 min ago"
    assert looks.on(view, {NEWEST: replace(old, at_ns=NOW)}) == view
    assert looks.on(replace(view, generations=view.generations[1:]), {}).generations == view.generations[1:]
    newer = replace(view.generations[0].snapshots[-1], index=3)
    one = replace(view.generations[0], snapshots=(*view.generations[0].snapshots, newer))
    passed = looks.on(replace(view, generations=(one, *view.generations[1:])), {})
    assert headline(passed, NOW)[0].startswith("older restore points are damaged in 00000002")
    assert headline(passed, NOW)[1] == "warning"
    assert looks.note(view, key, None, NOW)
    assert looks.on(passed, {}).generations[0].seen == ()


def test_the_further_of_a_restore_and_a_check_is_said(view: ReplicaView) -> None:
    old = restore_job(view, 1, earlier(view, 12))
    assert said(view, check(view), old)[0].startswith("content checked to 20:55:32Z")
    beyond = restore_job(view, 3, view.generations[0].stats.updated_ns or 0)
    behind = check(view, restorable_until_ns=earlier(view, 3))
    assert said(view, behind, beyond)[0].startswith("restored and checked to 20:55:32Z, 1 min ago")
