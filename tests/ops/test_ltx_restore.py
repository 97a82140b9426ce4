"""Which state of a v0.5 replica a target gives; hand-made replicas, where each is known to the byte."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from litetui.errors import ChangedError, DamageError, LitetuiError, NoSuchTargetError, UsageError
from litetui.format.ltx_header import LTXHeader
from litetui.ops import restore as ops
from litetui.ops.ltx_merge import LTXChain
from litetui.ops.ltx_plan import LTXPlan
from litetui.ops.source import choose
from litetui.ops.target import Target
from litetui.replica.detect import open_any
from litetui.replica.ltx import LTXReplica
from litetui.units import parse_time
from tests.build import usual_history, write_replica
from tests.conftest import Run
from tests.ltx_build import MS, SECOND, LTXHistory, usual_ltx
from tests.ltx_encode import encode
from tests.ops.helpers import restore as restore_v03


def restore(root: Path, target: Target | None = None) -> bytes:
    replica = open_any(root)
    assert isinstance(replica, LTXReplica)
    out = root.parent / "out.db"
    out.unlink(missing_ok=True)
    try:
        ops.run(ops.plan(replica, target or Target()), str(out), integrity_check="none")
        return out.read_bytes()
    finally:
        out.unlink(missing_ok=True)
        assert sorted(p.name for p in root.parent.iterdir()) == [root.name]


def planned(root: Path, target: Target) -> LTXPlan:
    replica = open_any(root)
    assert isinstance(replica, LTXReplica)
    return ops.plan(replica, target)


def files(plan: LTXPlan) -> list[tuple[int, int, int]]:
    return [(i.level, i.min_txid, i.max_txid) for i in plan.chain]


@pytest.mark.parametrize("bucket", [False, True])
@pytest.mark.parametrize("sized", [True, False])
def test_every_restore_point(tmp_path: Path, bucket: bool, sized: bool) -> None:
    builder = usual_ltx(tmp_path / "r", bucket=bucket, sized=sized)
    assert restore(builder.root) == builder.history.states[20]
    for txid in (4, 8, 9, 12, 13, 16, 19, 20):
        assert restore(builder.root, Target(txid=txid)) == builder.history.states[txid], txid


def test_the_plan_goes_from_the_snapshot_by_the_files_that_reach_furthest(tmp_path: Path) -> None:
    root = usual_ltx(tmp_path / "r").root
    assert files(planned(root, Target())) == [(9, 1, 12), (1, 13, 16)] + [(0, n, n) for n in range(17, 21)]
    assert files(planned(root, Target(txid=11))) == [(2, 1, 8)] + [(0, n, n) for n in range(9, 12)]
    assert files(planned(root, Target(txid=4))) == [(1, 1, 4)]
    plan = planned(root, Target(txid=12))
    assert "8 newer LTX files" in plan.left_out or "newer LTX files" in plan.left_out
    assert "--txid 000000000000000c" in plan.command("x.db")


def test_a_txid_inside_a_compacted_file_is_no_restore_point(tmp_path: Path) -> None:
    root = usual_ltx(tmp_path / "r").root
    with pytest.raises(NoSuchTargetError, match=r"0000000000000004 and 0000000000000008") as caught:
        restore(root, Target(txid=6))
    assert caught.value.hint == "--txid 0000000000000004"
    with pytest.raises(NoSuchTargetError, match="no restore point"):
        restore(root, Target(txid=21))


def test_a_time_takes_what_is_older(tmp_path: Path) -> None:
    """Strictly, as Litestream 0.5 has it."""
    builder = usual_ltx(tmp_path / "r")
    at = LTXHistory.time_of
    assert restore(builder.root, Target(timestamp_ns=at(20))) == builder.history.states[19]
    assert restore(builder.root, Target(timestamp_ns=at(19) + MS)) == builder.history.states[19]
    for ns in (at(20) + 1, at(4) - 1):
        with pytest.raises(NoSuchTargetError, match="no file of the replica reaches"):
            restore(builder.root, Target(timestamp_ns=ns))
    with pytest.raises(NoSuchTargetError, match="no restore point lies before"):
        restore(builder.root, Target(timestamp_ns=at(4)))


def test_a_time_before_which_all_was_compacted_later(tmp_path: Path) -> None:
    builder = usual_ltx(tmp_path / "r")
    builder.path(0, 13, 13).unlink()
    plan = planned(builder.root, Target(timestamp_ns=LTXHistory.time_of(15)))
    assert plan.txid == 12
    assert "only in later, compacted files" in plan.notes[0]


def test_a_txid_before_which_all_was_compacted_later_is_no_damage(tmp_path: Path) -> None:
    """So it is in every replica whose level 0 begins before its oldest snapshot."""
    builder = usual_ltx(tmp_path / "r")
    builder.path(0, 13, 13).unlink()
    with pytest.raises(NoSuchTargetError, match=r"only in later.* are 000000000000000c and 0000000000000010"):
        planned(builder.root, Target(txid=15))
    for folder in ("1", "2"):
        shutil.rmtree(builder.root / "ltx" / folder)
    builder.put(0, 13, 13)
    with pytest.raises(NoSuchTargetError, match=r"to 0000000000000008 are only in later.* are 000000000000000c"):
        planned(builder.root, Target(txid=10))
    with pytest.raises(NoSuchTargetError, match="no restore point lies before") as caught:
        planned(builder.root, Target(timestamp_ns=LTXHistory.time_of(11)))
    first = parse_time((caught.value.hint or "").split()[-1])
    assert planned(builder.root, Target(timestamp_ns=first)).txid == 12


@pytest.mark.parametrize("target", [Target(), Target(timestamp_ns=LTXHistory.time_of(20))])
def test_a_gap_is_an_error_also_with_a_time(tmp_path: Path, target: Target) -> None:
    builder = usual_ltx(tmp_path / "r")
    builder.path(0, 18, 18).unlink()
    with pytest.raises(DamageError, match="0000000000000011 is the last TXID that can be reached") as caught:
        restore(builder.root, target)
    assert caught.value.code == "ltx-gap"
    assert restore(builder.root, Target(last_good=True)) == builder.history.states[17]


def test_the_first_file_must_begin_with_the_first_transaction(tmp_path: Path) -> None:
    builder = usual_ltx(tmp_path / "r")
    for folder in ("1", "2", "9"):
        shutil.rmtree(builder.root / "ltx" / folder)
    with pytest.raises(DamageError, match="no file begins with the first TXID"):
        restore(builder.root)
    with pytest.raises(LitetuiError):
        restore(builder.root, Target(last_good=True))


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "other"])
def test_one_damaged_file_is_an_error_and_does_not_make_all_unrestorable(tmp_path: Path, damage: str) -> None:
    builder = usual_ltx(tmp_path / "r")
    for level, first, last, good in ((0, 20, 20, 19), (1, 13, 16, 20), (9, 1, 12, 20)):
        data = builder.history.file(first, last)
        wrong = {
            "flipped": data[:-30] + bytes([data[-30] ^ 1]) + data[-29:],
            "cut": data[:-20],
            "empty": b"",
            "other": builder.history.file(3, 3),
        }[damage]
        builder.put(level, first, last, wrong)
        with pytest.raises(DamageError) as caught:
            restore(builder.root)
        assert "--to-last-good" in (caught.value.hint or "")
        assert builder.path(level, first, last).name in str(caught.value)
        assert restore(builder.root, Target(last_good=True)) == builder.history.states[good]
        builder.put(level, first, last)


def test_a_growth_without_its_pages_is_damage(tmp_path: Path) -> None:
    """Litestream 0.5 (issue 1323) writes and compacts such files, and fails at the restore."""

    builder = usual_ltx(tmp_path / "r")
    history = builder.history
    commit = history.size + 3
    header = LTXHeader(512, commit, 21, 21, history.time_of(21) // MS)
    builder.put(0, 21, 21, encode(header, [(commit, bytes(512))]))
    os.utime(builder.path(0, 21, 21), ns=(history.time_of(21),) * 2)
    with pytest.raises(DamageError, match=f"page {history.size + 1} is missing") as caught:
        restore(builder.root)
    assert caught.value.code == "missing-page"
    assert restore(builder.root, Target(last_good=True)) == history.states[20]


def test_a_replica_copied_without_its_times_goes_by_its_headers(tmp_path: Path) -> None:
    builder = usual_ltx(tmp_path / "r")
    for path in builder.root.rglob("*.ltx"):
        os.utime(path)
    replica = open_any(builder.root)
    assert isinstance(replica, LTXReplica)
    assert replica.copied
    plan = ops.plan(replica, Target(timestamp_ns=LTXHistory.time_of(18)))
    assert plan.txid == 17
    assert "not Litestream's" in plan.notes[-1]


def test_files_that_come_and_go_are_seen(tmp_path: Path) -> None:
    builder = usual_ltx(tmp_path / "r")
    replica = LTXReplica(builder.root)
    assert replica.refresh()
    assert not replica.refresh(anew=True)
    builder.history.commit(2)
    builder.put(0, 21, 21)
    (builder.root / "ltx/0/x.ltx").write_bytes(b"")
    assert replica.refresh(anew=True)
    assert int(replica.table.max_txid.max()) == 21
    assert replica.foreign() == ["ltx/0/x.ltx"]


# ---- both worlds in one folder


def upgraded(root: Path, *, ltx_newer: bool) -> tuple[bytes, bytes]:
    """A v0.3 replica and LTX files in one folder: what each gives."""
    history = usual_history(2, 2)
    start = LTXHistory.time_of(20) + (-1000 if ltx_newer else 1000) * SECOND
    write_replica(root, history, start_ns=start)
    builder = usual_ltx(root)
    return history.database, builder.history.states[20]


@pytest.mark.parametrize("ltx_newer", [True, False])
def test_the_newer_one_is_taken_and_it_is_said_why(tmp_path: Path, ltx_newer: bool) -> None:
    old, new = upgraded(tmp_path / "r", ltx_newer=ltx_newer)
    replica = open_any(tmp_path / "r")
    source = choose(replica, Target())
    out = tmp_path / "out.db"
    plan: Any = ops.plan(source.replica, Target())
    ops.run(plan, str(out), integrity_check="none")
    assert out.read_bytes() == (new if ltx_newer else old)
    assert ("ltx/ (v0.5) has the newest files" in source.why) is ltx_newer
    assert isinstance(choose(replica, Target(txid=20)).replica, LTXReplica)
    assert not isinstance(choose(replica, Target(replica.generations()[0])).replica, LTXReplica)  # type: ignore[union-attr]
    assert restore_v03(tmp_path / "r", Target(replica.generations()[0])) == old  # type: ignore[union-attr]


# ---- the command line


def test_the_command_line(cli: Run, tmp_path: Path) -> None:
    builder = usual_ltx(tmp_path / "r")
    out = tmp_path / "out.db"
    args = ["restore", builder.root, "-o", out, "--integrity-check", "none"]
    code, text, _ = cli(*args, "--dry-run", "--json")
    plan = json.loads(text)
    assert (code, plan["min_txid"], plan["max_txid"]) == (0, "0000000000000001", "0000000000000014")
    assert (plan["generation"], plan["snapshot_index"], plan["position"]) == (None, None, None)
    assert len(plan["files"]) == 6
    assert plan["files"][0] == "ltx/9/0000000000000001-000000000000000c.ltx"
    assert plan["database_size"] == len(builder.history.states[20])
    assert "1 of level 9" in cli(*args, "--dry-run")[1]
    assert cli(*args, "--txid", "0x10")[0] == 0
    assert out.read_bytes() == builder.history.states[16]
    out.unlink()
    for wrong in (["--txid", "xyz"], ["--txid", "0"], ["--generation", "a" * 16], ["--txid", "1", "--to-last-good"]):
        assert cli(*args, *wrong)[0] == 2, wrong
    assert cli("restore", write_replica(tmp_path / "v03", usual_history(1, 1)).root, "-o", out, "--txid", "1")[0] == 2


def test_a_generation_option_needs_generations(tmp_path: Path) -> None:
    replica = open_any(usual_ltx(tmp_path / "r").root)
    with pytest.raises(UsageError, match="no generations"):
        choose(replica, Target("a" * 16))


def test_info_and_listing(cli: Run, tmp_path: Path) -> None:
    builder = usual_ltx(tmp_path / "r")
    data = json.loads(cli("info", builder.root, "--json")[1])
    assert (data["ltx_files"], data["snapshots"], data["generations"]) == (18, 1, 0)
    assert (data["position"], data["attention"]) == ("0000000000000014", [])
    assert "names complete to" in cli("info", builder.root)[1]
    rows = json.loads(cli("ltx", builder.root, "--level", "1", "--json")[1])
    assert [row["max_txid"] for row in rows] == [f"{n:016x}" for n in (4, 8, 12, 16)]
    assert set(rows[0]) == {"level", "min_txid", "max_txid", "size", "timestamp"}
    assert len(cli("ltx", builder.root)[1].splitlines()) == 19
    assert cli("ltx", builder.root, "--level", "10")[0] == 2
    builder.path(0, 18, 18).unlink()
    (builder.root / "ltx/0/note.txt").write_bytes(b"")
    (builder.root / "ltx/0/1.ltx.tmp").write_bytes(b"")
    data = json.loads(cli("info", builder.root, "--json")[1])
    assert [(a["severity"], a["code"]) for a in data["attention"]] == [
        ("error", "ltx-gap"), ("info", "temporary-file"), ("info", "unknown-file"),
    ]  # fmt: skip
    assert "latest does not restore: TXID 0000000000000012" in cli("info", builder.root)[1]
    assert cli("ltx", write_replica(tmp_path / "v03", usual_history(1, 1)).root)[0] == 1


# ---- growth


@pytest.mark.parametrize("missing", [None, 16381, 16384, 16386, 16390])
def test_a_growth_over_the_lock_page(tmp_path: Path, missing: int | None) -> None:
    """The pages of a database of 1 GiB and more, but for the one that SQLite never writes."""
    lock = (1 << 30) // 65536 + 1
    pages = [page for page in range(16380, 16391) if page not in (lock, missing)]
    builder = usual_ltx(tmp_path / "r")
    builder.put(0, 21, 21, encode(LTXHeader(65536, 16390, 21, 21, 0), [(n, bytes(65536)) for n in pages]))
    replica = open_any(builder.root)
    assert isinstance(replica, LTXReplica)
    chain, info = LTXChain(replica), replica.find(0, 21, 21)
    chain.commit = 16380
    if missing is None:
        assert [n for batch in chain.batches(info) for n in batch.pages.tolist()] == pages
        assert chain.commit == 16390
        return
    list(chain.batches(info))
    short = chain.finish()
    assert short is not None
    assert f"page {missing} is missing" in str(short[1])


# ---- files that go, and headers that lie


def test_files_that_go_meanwhile_are_planned_around(tmp_path: Path) -> None:
    """Retention removes files of level 0 once a compacted one holds them; the plan was made before."""
    builder, output = usual_ltx(tmp_path / "r"), tmp_path / "out.db"
    plan = planned(builder.root, Target())
    builder.put(1, 17, 20)
    for txid in range(9, 20):
        builder.path(0, txid, txid).unlink()
    result = ops.run(plan, str(output), integrity_check="none")
    assert files(result.plan) == [(9, 1, 12), (1, 13, 16), (1, 17, 20)]
    assert output.read_bytes() == builder.history.states[20]


def test_files_that_go_again_and_again_are_an_error_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder, output = usual_ltx(tmp_path / "r"), tmp_path / "out.db"
    plan = planned(builder.root, Target())
    builder.path(0, 20, 20).unlink()
    monkeypatch.setattr(LTXReplica, "refresh", lambda *_, **__: False)
    with pytest.raises(ChangedError, match="not there any more"):
        ops.run(plan, str(output), integrity_check="none")
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_a_txid_that_went_meanwhile_is_an_error(tmp_path: Path) -> None:
    builder, output = usual_ltx(tmp_path / "r"), tmp_path / "out.db"
    plan = planned(builder.root, Target(txid=18))
    builder.put(1, 17, 20)
    for txid in range(9, 20):
        builder.path(0, txid, txid).unlink()
    with pytest.raises(NoSuchTargetError, match="nearest are 0000000000000010 and 0000000000000014"):
        ops.run(plan, str(output), integrity_check="none")
    assert not output.exists()


def test_a_size_in_a_header_that_the_files_cannot_hold_is_damage_and_no_full_disk(tmp_path: Path, cli: Run) -> None:
    builder = usual_ltx(tmp_path / "r")
    data = bytearray(builder.path(0, 20, 20).read_bytes())
    data[12:16] = (1 << 31).to_bytes(4, "big")
    builder.put(0, 20, 20, bytes(data))
    with pytest.raises(DamageError, match=f"of {1 << 31} pages") as caught:
        restore(builder.root)
    assert "--to-last-good" in (caught.value.hint or "")
    assert cli("validate", builder.root, "--depth", "restore", "--scratch", tmp_path)[0] == 3


def test_the_command_of_the_last_good_state_goes_around_damage(tmp_path: Path) -> None:
    builder = usual_ltx(tmp_path / "r")
    builder.path(9, 1, 12).write_bytes(b"no LTX file")
    settled = ops.settle(planned(builder.root, Target(last_good=True)))
    assert settled.txid == 20
    assert settled.command("x.db").endswith("-o x.db --to-last-good")


def test_the_hints_of_times_outside_work(tmp_path: Path) -> None:
    root = usual_ltx(tmp_path / "r").root
    with pytest.raises(NoSuchTargetError) as caught:
        restore(root, Target(timestamp_ns=LTXHistory.time_of(1)))
    first = (caught.value.hint or "").removeprefix("the first restore point: --timestamp ")
    assert len(restore(root, Target(timestamp_ns=parse_time(first))))
    with pytest.raises(NoSuchTargetError) as caught:
        restore(root, Target(timestamp_ns=LTXHistory.time_of(21)))
    assert "leave --timestamp away" in (caught.value.hint or "")
