"""What a validation says of a v0.5 replica, and of one beside v0.3 generations."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from litetui.errors import UsageError
from litetui.format.position import TXID
from litetui.ops import clean_point, drill, validate, verdict_text
from litetui.ops.source import choose
from litetui.ops.target import Target
from litetui.ops.verdict import DEPTHS, LTX, Depth, Report
from litetui.replica.detect import open_any
from tests.build import usual_history, write_replica
from tests.conftest import Run
from tests.ltx_build import SECOND, LTXBuilder, LTXHistory, usual_ltx


@pytest.fixture(autouse=True)
def _random_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages of these histories are random: SQLite's check of them says nothing."""
    monkeypatch.setattr(drill.Drill, "check", lambda *_: [])


def check(root: Path, depth: Depth = "restore") -> Report:
    scratch = root.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    report = validate.run(validate.plan(open_any(root), depth=depth, scratch=str(scratch)))
    assert not list(scratch.iterdir())
    return report


def codes(report: Report) -> list[str]:
    return [f.code for f in report.all_findings if f.severity == "error"]


@pytest.fixture
def builder(tmp_path: Path) -> LTXBuilder:
    return usual_ltx(tmp_path / "r")


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("bucket", [False, True])
def test_a_sound_replica_is_ok(tmp_path: Path, depth: Depth, bucket: bool) -> None:
    report = check(usual_ltx(tmp_path / "r", bucket=bucket).root, depth)
    assert (report.verdict, report.exit_code, report.complete, report.all_findings) == ("ok", 0, True, [])
    one = report.generations[0]
    assert one.generation == LTX
    assert report.latest_restores is (None if depth == "names" else True)
    assert report.checked.files == 18
    if depth != "names":
        assert one.restorable_to == TXID.of(20)
        assert str(one.restorable_to) == "0000000000000014"
        assert one.restorable_until_ns == LTXHistory.time_of(20)
    assert one.integrity == ("ok" if depth == "restore" else "")


def test_room_is_asked_for_the_last_state(builder: LTXBuilder, tmp_path: Path) -> None:
    plan = validate.plan(open_any(builder.root), depth="restore", scratch=str(tmp_path))
    assert plan.scratch_bytes == len(builder.history.states[20])
    with pytest.raises(UsageError, match="no generations"):
        validate.plan(open_any(builder.root), generation="a" * 16)


@pytest.mark.parametrize(
    ("place", "restores"), [((0, 20, 20), False), ((9, 1, 12), False), ((2, 1, 8), True), ((0, 10, 10), True)]
)
def test_every_file_is_read_and_only_those_on_the_way_take_the_latest_away(
    builder: LTXBuilder, place: tuple[int, int, int], restores: bool
) -> None:
    data = builder.history.file(*place[1:])
    builder.put(*place, data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    report = check(builder.root, "content")
    assert (report.verdict, report.latest_restores, report.exit_code) == ("damaged", restores, 3)
    assert codes(report) == ["ltx-checksum"]
    assert builder.path(*place).name in (report.all_findings[0].path or "")
    to = report.generations[0].restorable_to
    assert to == TXID.of(19 if place == (0, 20, 20) else 20)
    if not restores:
        assert any(step.endswith("-o OUT --to-last-good") for step in report.next_steps)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_gap_between_the_levels(builder: LTXBuilder, depth: Depth) -> None:
    """Each level by itself is in order, as Litestream checks it; together they do not lead to the end."""
    for txid in range(9, 19):
        builder.path(0, txid, txid).unlink()
    report = check(builder.root, depth)
    assert (report.verdict, report.latest_restores, codes(report)) == ("damaged", False, ["ltx-gap"])
    if depth != "names":
        assert report.generations[0].restorable_to == TXID.of(16)


def test_nothing_to_begin_with(builder: LTXBuilder) -> None:
    for level, first, last in ((9, 1, 12), (2, 1, 8), (1, 1, 4)):
        builder.path(level, first, last).unlink()
    report = check(builder.root)
    assert (report.verdict, report.latest_restores, report.generations[0].windows) == ("unrestorable", False, ())


def test_a_file_under_anothers_name(builder: LTXBuilder) -> None:
    builder.put(0, 19, 19, builder.history.file(18, 18))
    report = check(builder.root)
    assert codes(report) == ["ltx-name"]
    assert report.generations[0].restorable_to == TXID.of(18)


def test_a_snapshot_that_contradicts_the_levels_below(tmp_path: Path) -> None:
    """Its checksums are right: only the way without it tells."""
    histories = [LTXHistory(seed=seed) for seed in (1, 2)]
    for history in histories:
        history.commit(1, size=12)  # pages that nothing writes again
        for _ in range(4):
            history.commit(2)
    builder = LTXBuilder(tmp_path / "r", histories[0])
    for txid in range(1, 7):
        builder.put(0, txid, txid)
    builder.put(9, 1, 3)
    assert check(builder.root, "restore").verdict == "ok"
    builder.put(9, 1, 3, histories[1].file(1, 3))
    assert check(builder.root, "names").verdict == "ok"
    for depth in DEPTHS[1:]:
        report = check(builder.root, depth)
        assert (report.verdict, codes(report)) == ("damaged", ["chains-differ"])
        assert report.latest_restores is None


def test_what_cannot_be_read_is_unknown(builder: LTXBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    from litetui.replica.storage import LocalStorage, unreadable

    read = LocalStorage.read_known

    def fails(storage: LocalStorage, path: str, size: int) -> bytes:
        if path.endswith("13.ltx"):
            raise unreadable(OSError(5, "Input/output error"), storage.path(path))
        return read(storage, path, size)

    monkeypatch.setattr(LocalStorage, "read_known", fails)
    report = check(builder.root, "content")
    assert (report.verdict, report.latest_restores, report.complete, report.exit_code) == ("unknown", None, False, 1)


@pytest.mark.parametrize("newer", [True, False])
def test_both_worlds_in_one_folder(tmp_path: Path, newer: bool) -> None:
    history = usual_history(2, 2)
    start = LTXHistory.time_of(20) + (-1000 if newer else 1000) * SECOND + 123_456_789
    old = write_replica(tmp_path / "r", history, start_ns=start)
    builder = usual_ltx(tmp_path / "r")
    why = choose(open_any(tmp_path / "r"), Target()).why
    assert re.fullmatch(r".* newest files, 20[0-9T:-]+(\.\d{1,3})?Z; .* 20[0-9T:-]+(\.\d{1,3})?Z", why), why
    report = check(tmp_path / "r", "content")
    assert "frames and pages" in verdict_text.as_text(report)
    assert (report.verdict, report.latest_restores) == ("ok", True)
    assert [g.generation == LTX for g in report.generations] == ([True, False] if newer else [False, True])
    builder.put(0, 20, 20, b"x")
    report = check(tmp_path / "r", "content")
    assert (report.verdict, report.latest_restores) == ("damaged", not newer)
    assert old.root == builder.root


def test_the_command_line(cli: Run, builder: LTXBuilder) -> None:
    result = json.loads(cli("validate", builder.root, "--json")[1])
    assert result["verdict"] == "ok"
    assert result["generations"][0]["restorable_to"] == "0000000000000014"
    code, out, _ = cli("validate", builder.root)
    assert (code, "LTX files: ok" in out) == (0, True)
    assert " pages were read in " in out
    builder.put(0, 20, 20, b"")
    code, out, _ = cli("validate", builder.root)
    assert code == 3
    assert out.startswith("damaged: the latest state of the replica does not restore; it restores up to 00000000000000")
    code, out, _ = cli("validate", builder.root, "--find-last-good", "--scratch", builder.root.parent)
    assert (code, "no restore point passes SQLite's integrity check" in out) == (3, True)


def test_the_rules_of_each_level(builder: LTXBuilder) -> None:
    """What Litestream's own validation asks of names: overlaps, order; and times, which decide restores."""
    builder.put(1, 3, 6)
    late = builder.path(0, 11, 11)
    os.utime(late, ns=(LTXHistory.time_of(9),) * 2)
    found = {f.code: f for f in check(builder.root, "names").all_findings}
    assert set(found) == {"ltx-overlap", "time-order"}
    assert builder.path(1, 3, 6).name in found["ltx-overlap"].message
    assert found["ltx-overlap"].severity == "warning"
    assert found["time-order"].path == str(late)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("level", "txids", "latest"), [(0, (20, 20), False), (1, (1, 4), None)])
def test_a_file_that_is_too_short(
    builder: LTXBuilder, depth: Depth, level: int, txids: tuple[int, int], latest: bool | None
) -> None:
    """Its size alone tells, at every depth, and once."""
    builder.path(level, *txids).write_bytes(b"LTX1")
    report = check(builder.root, depth)
    assert codes(report) == ["truncated"]
    assert report.latest_restores is (latest if latest is not None or depth == "names" else True)


# ---- what the words promise


def test_the_steps_lead_around_a_damaged_file(builder: LTXBuilder, cli: Run) -> None:
    """The newest TXID is in sound files, but a restore takes another one: --txid would come to that."""
    builder.path(9, 1, 12).write_bytes(b"no LTX file")
    code, out, _ = cli("validate", builder.root)
    assert code == 3
    assert "the latest state restores only around what is damaged, with --to-last-good" in out
    assert "restores only by other files" in out
    (command,) = {line.split(": ")[-1] for line in out.splitlines() if line.endswith("-o OUT --to-last-good")} - {""}
    output = builder.root.parent / "out.db"
    words = command.removeprefix("next: ").replace("OUT", str(output)).split()[1:]
    assert cli(*words, "--integrity-check", "none")[0] == 0
    assert output.read_bytes() == builder.history.states[20]


@pytest.mark.parametrize(("bad", "option"), [(21, "--to-last-good"), (19, "--txid 000000000000000b")])
def test_the_last_clean_state_is_restored_around_damage(
    builder: LTXBuilder, cli: Run, monkeypatch: pytest.MonkeyPatch, bad: int, option: str
) -> None:
    states = builder.history.states

    def messages(path: str, *_: object) -> list[str]:
        return ["no"] if Path(path).read_bytes() in [states[n] for n in states if n >= bad] else []

    monkeypatch.setattr(clean_point, "integrity_messages", messages)
    builder.path(9, 1, 12).write_bytes(b"no LTX file")
    for txid in (17, 18):
        builder.path(0, txid, txid).unlink()
    builder.put(1, 17, 19)
    out = cli("validate", builder.root, "--find-last-good", "--scratch", builder.root.parent)[1]
    assert f"restore it: litetui restore {builder.root} -o OUT {option}" in out


def test_every_damaged_file_on_the_way_is_said_to_be_needed(builder: LTXBuilder) -> None:
    for txid in (18, 19):
        builder.put(0, txid, txid, b"")
    first, second = (f.message for f in check(builder.root, "content").all_findings)
    assert f"the states from {TXID.of(18)} on do not restore, up to the latest" in first
    assert "the latest state needs it too" in second


def test_a_level_that_cannot_be_read_is_no_gap(builder: LTXBuilder, cli: Run) -> None:
    for path in builder.root.glob("ltx/1/*"):
        path.unlink()
    (builder.root / "ltx/1").rmdir()
    (builder.root / "ltx/1").write_text("no folder")
    for txid in range(13, 16):
        builder.path(0, txid, txid).unlink()
    for depth in DEPTHS:
        report = check(builder.root, depth)
        assert (report.verdict, report.latest_restores, report.exit_code) == ("unknown", None, 1), depth
        assert codes(report) == ["unreadable"]
    code, out, err = cli("ltx", builder.root)
    assert code == 1
    assert "0000000000000014" in out
    assert "ltx/1" in err
    assert "unknown" in cli("info", builder.root)[1]


def test_info_says_who_replicates_the_database(builder: LTXBuilder, cli: Run) -> None:
    database = builder.root.parent / "app.db"
    database.touch()
    code, out, _ = cli("info", builder.root, "--db", database)
    assert code == 0
    assert f"database     {database}" in out
    assert "replicator" in out
    assert "litetui validate --db" in out
    assert cli("info", builder.root, "--db", database.with_name("other.db"))[0] == 1
