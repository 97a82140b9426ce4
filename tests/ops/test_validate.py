"""What a validation says, on replicas whose every state is known to the byte."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from litetui.errors import Cancelled, ChangedError, NoSuchTargetError, OutputError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import drill, validate, verdict_text
from litetui.ops.output import integrity_messages
from litetui.ops.target import Target
from litetui.ops.verdict import DEPTHS, Depth, Report
from litetui.replica.detect import open_replica
from litetui.replica.ltx import LTXReplica
from litetui.replica.types import Finding, Pos
from tests.build import GENERATION, SECOND, T0, History, usual_history, write_replica
from tests.ops.helpers import position, restore

LAYOUTS = ["segments", "whole"]
OLD = "00000000000000aa"


def check(root: Path, depth: Depth = "content", **options: str) -> Report:
    """Validate, with the scratch folder beside the replica; nothing may be left there."""
    scratch = root.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    replica = open_replica(root)
    seen: list[Finding] = []
    report = validate.run(
        validate.plan(replica, depth=depth, scratch=str(scratch), **options),
        found=seen.append,
        now_ns=T0 + 10**6 * SECOND,
    )
    assert not list(scratch.iterdir())
    assert {f.code for f in report.all_findings} <= {f.code for f in seen}
    return report


def codes(report: Report, severity: str = "error") -> list[str]:
    return [f.code for f in report.all_findings if f.severity == severity]


def flip(path: Path, at: int = -40) -> None:
    """Flip a bit and keep the file's time."""
    info = path.stat()
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(bytes(data))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages of these histories are random: SQLite's check of them says nothing."""
    monkeypatch.setattr(drill.Drill, "check", lambda *_: [])
    monkeypatch.setattr(validate, "integrity_messages", lambda *_: [])


# ---- sound replicas


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sound_replica_is_ok(tmp_path: Path, layout: str, depth: Depth, monkeypatch: pytest.MonkeyPatch) -> None:
    no_check(monkeypatch)
    history = usual_history()
    builder = write_replica(
        tmp_path / "r", history, layout=layout, snapshots={i: history.states[i, 0] for i in (0, 1, 2)}
    )
    report = check(builder.root, depth)
    assert (report.verdict, report.exit_code, report.complete) == ("ok", 0, True)
    assert report.all_findings == []
    one = report.generations[0]
    if depth == "names":
        assert report.latest_restores is None
        assert "no file was opened" in report.sentence()
        assert report.checked.bytes == 0
        return
    assert report.latest_restores is True
    assert one.restorable_to == Pos(GENERATION, 2, history.ends(2)[-1])
    assert len(one.windows) == 1
    assert one.windows[0].start == Pos(GENERATION, 0, 0)
    assert report.checked.transactions == len([1 for _, offset in history.states if offset])
    assert report.checked.frames == sum((len(w) - 32) // history.frame_size for w in history.wals)
    assert one.integrity == ("ok" if depth == "restore" else "")


def test_a_snapshot_may_hold_frames_of_its_own_wal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Litestream checkpoints before it copies: the snapshot of an index may be at the end of that index."""
    no_check(monkeypatch)
    history = usual_history()
    for index, ends in ((1, history.ends(1)), (2, history.ends(2))):
        for end in ends:
            root = tmp_path / f"{index}-{end}"
            write_replica(root, history, snapshots={0: history.states[0, 0], index: history.states[index, end]})
            assert check(root, "restore").all_findings == []


def test_what_a_writer_may_be_at_is_no_damage(tmp_path: Path) -> None:
    history = usual_history(2, 3)
    builder = write_replica(tmp_path / "r", history, layout="whole")
    newest = builder.folder / "wal/00000001.wal"
    whole = newest.read_bytes()
    for cut in (1, 30, 40, history.frame_size, history.frame_size + 1):
        newest.write_bytes(whole[:-cut])
        report = check(builder.root)
        assert (report.verdict, report.latest_restores) == ("ok", True), cut
        assert {f.severity for f in report.all_findings} <= {"info"}
        assert report.generations[0].restorable_to is not None
    newest.write_bytes(b"")
    (builder.folder / "wal/00000002.wal.lz4.tmp").write_bytes(b"x")
    report = check(builder.root)
    assert report.verdict == "ok"
    assert codes(report, "info") == ["temporary-file", "empty-file"]


# ---- damage


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage_before_a_newer_snapshot_takes_away_only_its_own(
    tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_check(monkeypatch)
    history = usual_history(5, 3)
    builder = write_replica(tmp_path / "r", history, layout=layout, snapshots={i: history.states[i, 0] for i in (0, 3)})
    flip(sorted(builder.folder.glob("wal/00000001*"))[-1])
    for depth in ("content", "restore"):
        report = check(builder.root, depth)
        assert (report.verdict, report.latest_restores, report.exit_code) == ("damaged", True, 3)
        assert codes(report) == ["lz4-checksum"]
        assert "do not restore, up to snapshot 00000003" in report.all_findings[0].message
        first, second = report.generations[0].windows
        assert second.start == Pos(GENERATION, 3, 0)
        assert second.end == Pos(GENERATION, 4, history.ends(4)[-1])
        assert restore(builder.root, Target.at(first.end)) == history.states[first.end.index, first.end.offset]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage_at_the_end_takes_away_the_latest(tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    no_check(monkeypatch)
    history = usual_history(3, 3)
    builder = write_replica(tmp_path / "r", history, layout=layout)
    flip(sorted(builder.folder.glob("wal/00000002*"))[-1])
    for depth in ("content", "restore"):
        report = check(builder.root, depth)
        assert (report.verdict, report.latest_restores) == ("damaged", False)
        assert "latest state" in report.sentence()
        to = report.generations[0].restorable_to
        assert to is not None
        assert restore(builder.root, Target.at(to)) == history.states[to.index, to.offset]
        assert restore(builder.root, Target(last_good=True)) == history.states[to.index, to.offset]


def test_a_lost_tail_is_found_by_the_next_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last segment of an inner index is gone, and nothing grows afterwards: only a drill sees it."""
    no_check(monkeypatch)
    history = History(pages=8)
    for index in range(4):
        history.commit(2)
        if index == 1:
            history.commit(3)
        history.restart()
    history.commit(1)
    snapshots = {0: history.states[0, 0], 3: history.states[3, 0]}
    builder = write_replica(tmp_path / "r", history, snapshots=snapshots)
    assert check(builder.root, "restore").verdict == "ok"
    sorted(builder.folder.glob("wal/00000001_*"))[-1].unlink()
    assert check(builder.root, "content").verdict == "ok"  # the bytes that are left carry no trace
    report = check(builder.root, "restore")
    assert codes(report) == ["chains-differ"]
    assert (report.verdict, report.latest_restores) == ("damaged", None)
    assert "1 page(s) differ (3)" in report.all_findings[0].message
    assert [w.start.index for w in report.generations[0].windows] == [0, 3]
    assert restore(builder.root) == history.database


def test_a_later_snapshot_settles_which_chain_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_check(monkeypatch)
    history = History(pages=8)
    for _ in range(5):
        history.commit(2)
        history.commit(7)
        history.restart()
    history.commit(1)
    snapshots = {i: history.states[i, 0] for i in (0, 2, 4)}
    for wrong, expected in ((0, True), (2, None)):
        states = dict(snapshots)
        state = bytearray(states[wrong])
        state[5 * 512 + 9] ^= 1  # page 6, which no WAL writes
        states[wrong] = bytes(state)
        report = check(write_replica(tmp_path / str(wrong), history, snapshots=states).root, "restore")
        assert set(codes(report)) == {"chains-differ"}
        assert report.verdict == "damaged"
        assert report.latest_restores is expected


def test_a_swapped_wal(tmp_path: Path) -> None:
    history, other = usual_history(4, 3), usual_history(4, 3, seed=9, salt1=99)
    builder = write_replica(tmp_path / "r", history, layout="whole")
    builder.whole(2, bytes(other.wals[2]), T0 + 3 * SECOND)
    report = check(builder.root)
    assert codes(report) == ["wal-salt"]
    assert report.generations[0].restorable_to == Pos(GENERATION, 1, history.ends(1)[-1])


def test_missing_files(tmp_path: Path) -> None:
    history = usual_history(4, 3)
    cases = [
        ("index", "wal/00000001_*", slice(None), "missing-wal"),
        ("first", "wal/00000001_*", slice(0, 1), "missing-segment"),
        ("middle", "wal/00000001_*", slice(1, 2), "missing-segment"),
        ("own", "wal/00000000_*", slice(None), "missing-wal"),
    ]
    for name, pattern, part, expected in cases:
        builder = write_replica(tmp_path / name, history)
        for path in sorted(builder.folder.glob(pattern))[part]:
            path.unlink()
        for depth in ("names", "content"):
            if depth == "names" and name == "middle":
                continue  # a hole between two segments shows by their lengths alone
            report = check(builder.root, depth)
            assert (report.verdict, report.latest_restores) == ("damaged", False), (name, depth)
            assert codes(report) == [expected], (name, depth)


def test_a_damaged_snapshot_with_a_way_around_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_check(monkeypatch)
    history = usual_history(3, 3)
    builder = write_replica(tmp_path / "r", history, snapshots={i: history.states[i, 0] for i in (0, 2)})
    flip(builder.folder / "snapshots/00000002.snapshot.lz4")
    report = check(builder.root, "restore")
    assert (report.verdict, report.latest_restores) == ("damaged", True)
    assert "restored from snapshot 00000000" in report.all_findings[0].message
    assert restore(builder.root) == history.database


def test_without_a_sound_snapshot_nothing_restores(tmp_path: Path) -> None:
    history = usual_history(2, 2)
    builder = write_replica(tmp_path / "r", history)
    flip(builder.folder / "snapshots/00000000.snapshot.lz4")
    report = check(builder.root)
    assert (report.verdict, report.exit_code, report.generations[0].windows) == ("unrestorable", 3, ())
    (builder.folder / "snapshots/00000000.snapshot.lz4").unlink()
    report = check(builder.root)
    assert (report.verdict, codes(report)) == ("unrestorable", ["no-snapshot"])


def test_many_broken_wals_are_one_finding(tmp_path: Path) -> None:
    history = usual_history(12, 2)
    builder = write_replica(tmp_path / "r", history, layout="whole")
    for index in range(3, 9):
        flip(builder.folder / f"wal/{index:08x}.wal.lz4")
    report = check(builder.root)
    assert codes(report) == ["lz4-checksum"]
    assert "6 indexes, up to 00000008" in report.all_findings[0].message
    assert report.all_findings[0].index == 3


def test_two_forms_of_one_wal(tmp_path: Path) -> None:
    history = usual_history(3, 3)
    builder = write_replica(tmp_path / "r", history, layout="whole")
    builder.whole(1, bytes(history.wals[1]), plain=True)
    assert [(f.severity, f.code) for f in check(builder.root).all_findings] == [("info", "duplicate-wal")]
    builder.whole(1, bytes(history.wals[1][: history.ends(1)[0]]), plain=True)
    report = check(builder.root)
    assert (report.verdict, codes(report, "warning")) == ("ok", ["duplicate-wal"])
    assert restore(builder.root) == history.database


# ---- several generations


def test_an_old_damaged_generation_does_not_hide(tmp_path: Path) -> None:
    old, new = usual_history(2, 2), usual_history(2, 2, seed=2)
    builder = write_replica(tmp_path / "r", old, generation=OLD)
    write_replica(tmp_path / "r", new, start_ns=T0 + 1000 * SECOND)
    assert check(tmp_path / "r").verdict == "ok"
    flip(sorted(builder.folder.glob("wal/*"))[-1])
    report = check(tmp_path / "r")
    assert (report.verdict, report.latest_restores, report.exit_code) == ("damaged", True, 3)
    assert [g.verdict for g in report.generations] == ["ok", "damaged"]
    assert "something else is wrong" in report.sentence()
    assert check(tmp_path / "r", generation=GENERATION).verdict == "ok"
    assert check(tmp_path / "r", generation=OLD).latest_restores is False
    with pytest.raises(NoSuchTargetError):
        check(tmp_path / "r", generation="f" * 16)


@pytest.mark.parametrize(("indexes", "severity"), [(1, "info"), (3, "warning")])
def test_an_old_generation_without_a_snapshot_is_a_leftover(tmp_path: Path, indexes: int, severity: str) -> None:
    """A first sync that was stopped leaves it, and so does a retention, which deletes the snapshots first."""
    builder = write_replica(tmp_path / "r", usual_history(indexes, 2), generation=OLD)
    assert check(tmp_path / "r").verdict == "ok"
    (builder.folder / "snapshots/00000000.snapshot.lz4").unlink()
    assert (check(tmp_path / "r").verdict, codes(check(tmp_path / "r"))) == ("unrestorable", ["no-snapshot"])
    newer = write_replica(tmp_path / "r", usual_history(2, 2, seed=3), start_ns=T0 + 1000 * SECOND)
    report = check(tmp_path / "r")
    assert (report.verdict, [f.code for f in report.all_findings if f.severity == severity]) == ("ok", ["no-snapshot"])
    assert report.generations[1].verdict == "unrestorable"
    (newer.folder / "snapshots/00000000.snapshot.lz4").unlink()
    assert codes(check(tmp_path / "r")) == ["no-snapshot"] * 2


def test_a_replica_without_generations(tmp_path: Path) -> None:
    (tmp_path / "r/generations").mkdir(parents=True)
    report = check(tmp_path / "r")
    assert (report.verdict, report.latest_restores) == ("unrestorable", False)
    assert "no generation" in report.sentence()


# ---- what cannot be read


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_no_permission_is_unknown(tmp_path: Path) -> None:
    builder = write_replica(tmp_path / "r", usual_history(2, 2))
    sorted(builder.folder.glob("wal/*"))[1].chmod(0)
    report = check(builder.root)
    assert (report.verdict, report.latest_restores, report.complete, report.exit_code) == ("unknown", None, False, 1)


def test_an_error_of_the_disk_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = write_replica(tmp_path / "r", usual_history(3, 2), layout="whole")
    from litetui.replica.storage import LocalFile, unreadable

    read = LocalFile.read

    def fails(file: LocalFile, size: int) -> bytes:
        if file.path.endswith("00000001.wal.lz4"):
            raise unreadable(OSError(5, "Input/output error"), file.path)
        return read(file, size)

    monkeypatch.setattr(LocalFile, "read", fails)
    report = check(builder.root)
    assert (report.verdict, report.latest_restores, report.complete) == ("unknown", None, False)
    assert codes(report) == ["unreadable"]


def test_a_link_to_nothing_is_unknown(tmp_path: Path) -> None:
    builder = write_replica(tmp_path / "r", usual_history(2, 2))
    path = sorted(builder.folder.glob("wal/*"))[-1]
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    assert check(builder.root).verdict == "unknown"


def test_a_replica_that_changes_meanwhile_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer compresses a WAL and retention removes the oldest snapshot while the pass is on."""
    history = usual_history(4, 3)
    builder = write_replica(
        tmp_path / "r", history, layout="whole", snapshots={i: history.states[i, 0] for i in (0, 2)}
    )
    from litetui.ops.scan import Scan

    read = Scan._read_snapshot
    done: list[int] = []

    def moved(scan: Scan, info: object) -> object:
        if not done:
            done.append(1)
            (builder.folder / "snapshots/00000000.snapshot.lz4").unlink()
            (builder.folder / "wal/00000000.wal.lz4").unlink()
            (builder.folder / "wal/00000001.wal.lz4").unlink()
        return read(scan, info)  # type: ignore[arg-type]

    monkeypatch.setattr(Scan, "_read_snapshot", moved)
    report = check(builder.root)
    assert (report.verdict, report.latest_restores, codes(report)) == ("ok", True, [])
    assert report.generations[0].windows[0].start == Pos(GENERATION, 2, 0)


# ---- the drill


@pytest.mark.parametrize("v05", [False, True])
@pytest.mark.parametrize("unmounted", [False, True])
def test_a_replica_that_is_gone_is_an_error_and_no_verdict(tmp_path: Path, v05: bool, unmounted: bool) -> None:
    """Of what was listed before it went, nothing may be called lost; and what was known is known afterwards."""
    root = tmp_path / "replica"
    if v05:
        (root / "ltx/0").mkdir(parents=True)
        (root / "ltx/0/0000000000000001-0000000000000001.ltx").write_bytes(b"x" * 200)
    else:
        write_replica(root, usual_history(2))
    replica = LTXReplica(root) if v05 else open_replica(root)
    plan = validate.plan(replica, depth="content")
    root.rename(tmp_path / "aside")
    if unmounted:
        root.mkdir()  # the empty folder that a disk was mounted on
    with pytest.raises(ChangedError, match="is gone: removed, renamed or not mounted"):
        validate.run(plan)
    if unmounted:
        root.rmdir()
    (tmp_path / "aside").rename(root)
    assert validate.run(validate.plan(replica, depth="names")).generations


def real_replica(folder: Path) -> Path:
    """A small real database, synced and snapshotted in between; returns the replica's path."""
    database, replica = folder / "app.db", folder / "replica"
    script = """
import sys, subprocess, apsw
db, replica = sys.argv[1:]
c = apsw.Connection(db)
list(c.execute("PRAGMA journal_mode = wal"))
c.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT); CREATE INDEX i ON t (body)")
for step in range(8):
    with c:
        for n in range(40):
            c.execute("INSERT INTO t (body) VALUES (?)", (f"{step}-{n}" * 9,))
    if step == 5:  # rows go without their entries in the index
        c.execute("PRAGMA writable_schema = on")
        c.execute("UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t (body) WHERE 0' WHERE name = 'i'")
        other = apsw.Connection(db)
        other.execute("DELETE FROM t WHERE id < 20")
        other.close()
        c.execute("UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t (body)' WHERE name = 'i'")
    subprocess.run([sys.executable, "-m", "litetui", "sync", db, replica], check=True, capture_output=True)
"""
    subprocess.run([sys.executable, "-c", script, str(database), str(replica)], check=True)
    return replica


def test_damage_from_before_the_replication_is_found_and_the_last_sound_state_too(tmp_path: Path) -> None:
    from litetui.ops import clean_point

    root = real_replica(tmp_path)
    assert check(root, "content").verdict == "ok"
    report = check(root, "restore")
    assert (report.verdict, report.latest_restores) == ("damaged", False)
    assert codes(report) == ["integrity-check"]
    assert "fails SQLite's integrity check" in report.sentence()
    replica = open_replica(root)
    log: list[str] = []
    point = clean_point.find(
        replica, replica.generations(), scratch=str(tmp_path), report=Reporter(lambda _, text: log.append(text))
    )
    assert point.pos is not None
    assert point.first_bad is not None
    assert point.pos < point.first_bad
    assert point.probes < 12
    assert len([line for line in log if line.startswith("probe")]) == point.probes
    for pos, sound in ((point.pos, True), (point.first_bad, False)):
        out = tmp_path / "out.db"
        out.write_bytes(restore(root, Target.at(pos)))
        assert (integrity_messages(str(out), "full", Reporter(), CancelToken()) == []) is sound, pos
        out.unlink()
    ends = [e for _, e in _ends(root) if point.pos.offset < e < point.first_bad.offset]
    assert point.pos.index != point.first_bad.index or not ends, "they are neighbours"


def _ends(root: Path) -> list[tuple[int, int]]:
    from litetui.ops.frames import read_frames

    replica = open_replica(root)
    (generation,) = replica.generations()
    return [
        (index, end)
        for index in replica.wals(generation).indexes().tolist()
        for end in read_frames(replica, generation, index).transactions.end_offset.tolist()
    ]


def test_the_room_that_a_drill_needs_is_that_of_the_last_state(tmp_path: Path) -> None:
    history = History()
    history.commit(1, size=400)
    builder = write_replica(tmp_path / "r", history)
    replica = open_replica(builder.root)
    assert validate.plan(replica, depth="restore", scratch=str(tmp_path)).scratch_bytes == 400 * 512
    assert validate.plan(replica, depth="content").scratch_bytes == 0
    (path,) = builder.folder.glob("wal/*")
    path.write_bytes(b"damaged")
    replica.refresh(anew=True)
    assert validate.plan(replica, depth="restore", scratch=str(tmp_path)).scratch_bytes == 4 * 512


def test_no_room_for_the_drill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = write_replica(tmp_path / "r", usual_history(1, 1))
    replica = open_replica(builder.root)
    plan = validate.plan(replica, depth="restore", scratch=str(tmp_path / "nowhere"))
    assert plan.fault is not None
    with pytest.raises(OutputError, match="No such file"):
        validate.run(plan)
    monkeypatch.setattr(drill, "free_bytes", lambda _: 100)
    plan = validate.plan(replica, depth="restore", scratch=str(tmp_path))
    with pytest.raises(OutputError, match=r"only 100 B are free"):
        validate.run(plan)
    assert "--scratch" in (plan.fault.hint or "") if plan.fault else False


@pytest.mark.parametrize("depth", ["content", "restore"])
def test_cancel_leaves_nothing(tmp_path: Path, depth: Depth) -> None:
    builder = write_replica(tmp_path / "r", usual_history(3, 3))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    token = CancelToken()
    plan = validate.plan(open_replica(builder.root), depth=depth, scratch=str(scratch))
    reporter = Reporter()
    phase = reporter.phase

    def then_cancel(name: str, total: int = 0, unit: str = "bytes") -> None:
        phase(name, total, unit)
        token.cancel()

    reporter.phase = then_cancel  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        validate.run(plan, report=reporter, cancel=token)
    assert not list(scratch.iterdir())


# ---- words


def test_text_and_json_say_the_same(tmp_path: Path) -> None:
    history = usual_history(3, 3)
    builder = write_replica(tmp_path / "r", history)
    flip(sorted(builder.folder.glob("wal/00000002*"))[0])
    report = check(builder.root)
    data = verdict_text.as_json(report)
    text = verdict_text.as_text(report)
    assert text.startswith("damaged: the latest state")
    assert data["verdict"] == "damaged"
    (finding,) = data["generations"][0]["findings"]
    assert finding["message"] in text
    assert finding["hint"] in text
    assert finding["path"] in text
    assert data["generations"][0]["restorable_to"] == f"{GENERATION}/00000001:{history.ends(1)[-1]}"
    assert restore(builder.root, position(1, history.ends(1)[-1])) == history.states[1, history.ends(1)[-1]]


def test_names_that_are_not_complete_say_up_to_when_they_are(golden_copy: Callable[[str], Path]) -> None:
    """What lies before a gap restores, and is not called lost; a time is the same wherever it stands."""
    gap = check(golden_copy("v03-dmg-gap-middle-index"), "names")
    one = gap.generations[0]
    assert (gap.verdict, gap.latest_restores, len(one.windows)) == ("damaged", False, 1)
    assert one.windows[0].end.index == 1
    assert one.restorable_until_ns == one.windows[0].end_ns < (one.updated_ns or 0)
    assert "nothing of it restores" not in gap.sentence()
    lost = check(golden_copy("v03-dmg-missing-snapshot"), "names").generations[0]
    assert (lost.verdict, lost.windows, lost.restorable_until_ns) == ("unrestorable", (), None)


def test_up_to_when_is_the_end_of_the_last_window(golden_copy: Callable[[str], Path]) -> None:
    """A position inside a damaged file lies beyond it: no restore to a time takes that file."""
    one = check(golden_copy("seed-dmg-flip-byte-inside-lz4-recompressed")).generations[0]
    assert one.restorable_to is not None
    assert isinstance(one.restorable_to, Pos)
    assert (one.restorable_to.index, one.restorable_to.offset) == (2, 86552)
    assert one.restorable_until_ns == one.windows[-1].end_ns
