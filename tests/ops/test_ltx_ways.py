"""Files of a v0.5 replica that hold the same transactions, and do not hold the same pages; and all that is no fault."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from litetui.format.ltx_header import LTXHeader
from litetui.ops import validate
from litetui.ops.ltx_ways import originals, reading_order
from litetui.ops.verdict import Report
from litetui.replica.detect import open_any
from litetui.replica.ltx import LTXReplica
from litetui.replica.types import Finding
from tests.ltx_build import MS, SECOND, LTXBuilder, LTXHistory
from tests.ltx_encode import encode

Pages = dict[int, bytes]


def check(root: Path) -> Report:
    return validate.run(validate.plan(open_any(root), depth="content"))


def differing(report: Report) -> list[Finding]:
    assert {f.code for f in report.all_findings if f.severity == "error"} <= {"chains-differ"}
    return [f for f in report.all_findings if f.code == "chains-differ"]


def wrong(builder: LTXBuilder, level: int, first: int, last: int, change: Callable[[Pages], object]) -> None:
    """Write a file anew with other pages, and with right checksums."""
    history = builder.history
    pages, size = history.pages(first, last)
    change(pages)
    header = LTXHeader(history.page_size, size, first, last, history.time_of(last) // MS)
    builder.put(level, first, last, encode(header, sorted(pages.items())))


def garble(*numbers: int) -> Callable[[Pages], None]:
    return lambda pages: pages.update({n: bytes([pages[n][0] ^ 1]) + pages[n][1:] for n in numbers})


@pytest.fixture
def builder(tmp_path: Path) -> LTXBuilder:
    """Pages 5 to 12 are written once, all others again and again: 24 transactions on level 0, compacted twice."""
    history = LTXHistory()
    history.commit(1, size=12)
    for n in range(22):
        history.commit(1, 2 + n % 3)
    builder = LTXBuilder(tmp_path / "r", history)
    for txid in range(1, 25):
        builder.put(0, txid, txid)
    for first in range(1, 25, 4):
        builder.put(1, first, first + 3)
    builder.put(2, 1, 8)
    builder.put(2, 9, 16)
    builder.put(9, 1, 6)
    builder.put(9, 1, 14)
    return builder


def drop(builder: LTXBuilder, *files: tuple[int, int, int]) -> None:
    for file in files:
        builder.path(*file).unlink()


def test_which_files_a_compaction_was_made_of(builder: LTXBuilder) -> None:
    replica = open_any(builder.root)
    assert isinstance(replica, LTXReplica)
    table = replica.table
    names = {table[row].name: [table[p].level for p in parts] for row, parts in originals(table).items()}
    assert names.pop("0000000000000001-0000000000000008.ltx") == [1, 1]
    assert names.pop("0000000000000009-0000000000000010.ltx") == [1, 1]
    assert set(map(tuple, names.values())) == {(0, 0, 0, 0)}
    order = [table[row] for row in reading_order(table)]
    assert [(i.level, i.max_txid) for i in order[:6]] == [(0, 1), (0, 2), (0, 3), (0, 4), (1, 4), (0, 5)]


def test_all_is_well(builder: LTXBuilder) -> None:
    assert check(builder.root).all_findings == []


@pytest.mark.parametrize(
    ("change", "pages"),
    [
        (garble(2, 4), "2 page(s) differ (2, 4)"),
        (lambda pages: pages.pop(3), "1 page(s) differ (3)"),
        (lambda pages: pages.update({7: bytes(512)}), "1 page(s) differ (7)"),
    ],
)
@pytest.mark.parametrize("needed", [False, True])
def test_a_compacted_file_that_is_not_its_originals(
    builder: LTXBuilder, change: Callable[[Pages], object], pages: str, needed: bool
) -> None:
    first = 17 if needed else 5  # the snapshot of 14 makes the others superfluous
    wrong(builder, 1, first, first + 3, change)
    if not needed:
        drop(builder, (2, 1, 8))  # it would tell the same once more
    report = check(builder.root)
    (finding,) = differing(report)
    assert (
        f"ltx/1/{first:016x}-{first + 3:016x}.ltx does not hold what the 4 file(s) that it was made of"
        in finding.message
    )
    assert pages in finding.message
    assert (finding.path or "").endswith(f"ltx/1/{first:016x}-{first + 3:016x}.ltx")
    assert (report.verdict, report.exit_code) == ("damaged", 3)
    assert report.latest_restores is (None if needed else True)
    assert f"litetui restore {builder.root} -o OUT --txid" in finding.hint


def test_a_compaction_that_ends_with_another_size(builder: LTXBuilder) -> None:
    history = builder.history
    pages, _ = history.pages(17, 20)
    header = LTXHeader(512, 13, 17, 20, history.time_of(20) // MS)
    builder.put(1, 17, 20, encode(header, [*sorted(pages.items()), (13, bytes(512))]))
    (finding,) = differing(check(builder.root))
    assert "1 page(s) differ (13)" in finding.message


def test_an_older_snapshot(builder: LTXBuilder) -> None:
    wrong(builder, 9, 1, 6, garble(9))
    report = check(builder.root)
    (finding,) = differing(report)
    assert "ltx/9/0000000000000001-0000000000000006.ltx and the way without it" in finding.message
    assert "1 page(s) differ (9)" in finding.message
    assert "the latest state does not rest on it" in finding.message
    assert report.latest_restores is True


def test_the_newest_snapshot(builder: LTXBuilder) -> None:
    wrong(builder, 9, 1, 14, garble(9, 10, 11))
    report = check(builder.root)
    (finding,) = differing(report)
    assert "3 page(s) differ (9–11)" in finding.message
    assert report.latest_restores is None
    assert report.next_steps


def test_a_snapshot_in_the_midst_of_a_compacted_file(builder: LTXBuilder) -> None:
    """Level 0 is gone by then: no way leads to just its TXID, but both lead to the end of the compacted file."""
    drop(builder, *((0, txid, txid) for txid in range(1, 21)), *((1, first, first + 3) for first in range(1, 17, 4)))
    assert differing(check(builder.root)) == []
    wrong(builder, 9, 1, 14, garble(9))
    (finding,) = differing(check(builder.root))
    assert "do not lead to the same database at TXID 0000000000000010: 1 page(s) differ (9)" in finding.message
    wrong(builder, 9, 1, 14, garble(2))
    assert differing(check(builder.root)) == [], "the compacted file writes page 2 over it"


def test_a_snapshot_that_is_ahead_of_its_txid(builder: LTXBuilder) -> None:
    """Those of Litestream 0.5.5 are, under load: the files after it bring what it has too early."""
    ahead, _ = builder.history.pages(1, 16)
    wrong(builder, 9, 1, 14, lambda pages: pages.update(ahead))
    report = check(builder.root)
    (finding,) = differing(report)
    assert finding.severity == "warning"
    assert "up to TXID 0000000000000010: it is ahead of its own TXID, or wrong" in finding.message
    assert (report.verdict, report.latest_restores) == ("ok", True)


def test_the_newest_snapshot_of_a_replica_that_is_written(builder: LTXBuilder) -> None:
    wrong(builder, 9, 1, 14, garble(9))
    now_ns = builder.history.time_of(24) + 30 * SECOND
    report = validate.run(validate.plan(open_any(builder.root)), now_ns=now_ns)
    assert [(f.code, f.severity) for f in report.all_findings] == [("chains-differ", "warning")]
    assert (report.verdict, report.latest_restores, report.complete) == ("unknown", None, False)


def test_what_is_damaged_is_told_once(builder: LTXBuilder) -> None:
    builder.path(0, 18, 18).write_bytes(b"LTX1")
    builder.path(9, 1, 6).write_bytes(b"LTX1")
    report = check(builder.root)
    assert [f.code for f in report.all_findings if f.severity == "error"] == ["truncated", "truncated"]


def test_files_that_go_while_others_are_read(builder: LTXBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention is no damage: neither of what a restore does not take, nor of what it takes."""
    from litetui.ops.ltx_merge import LTXChain

    replica = open_any(builder.root)
    assert isinstance(replica, LTXReplica)
    plan = validate.plan(replica, depth="content")
    drop(builder, (0, 1, 1), (0, 2, 2))
    report = validate.run(plan)
    assert (report.verdict, [f.code for f in report.all_findings]) == ("ok", ["unknown-file"])
    assert "2 file(s) were removed" in report.all_findings[0].message
    replica.refresh(anew=True)
    plan = validate.plan(replica, depth="content")
    drop(builder, (9, 1, 14))
    builder.put(9, 1, 15)
    report = validate.run(plan)
    assert (report.verdict, report.all_findings, report.checked.files) == ("ok", [], 32)
    reads = LTXChain.batches

    def fleeting(chain: LTXChain, info: object) -> object:
        path = builder.path(9, 1, 15)
        path.write_bytes(path.read_bytes() + b"x")
        return reads(chain, info)  # type: ignore[arg-type]

    monkeypatch.setattr(LTXChain, "batches", fleeting)
    report = validate.run(validate.plan(replica, depth="content"))
    assert (report.verdict, report.latest_restores, report.complete) == ("unknown", None, False)


def grown(rng: random.Random) -> LTXHistory:
    history = LTXHistory(seed=rng.randrange(1 << 30))
    for _ in range(rng.randint(5, 40)):
        size = rng.choice([history.size, history.size, rng.randint(2, 14)])
        history.commit(*(rng.randint(1, size) for _ in range(rng.randint(1, 3))), size=size)
    return history


def leveled(root: Path, history: LTXHistory, rng: random.Random) -> LTXBuilder:
    """Compactions of compactions as a replicator makes them, and snapshots anywhere."""
    builder = LTXBuilder(root, history)
    files = [(txid, txid) for txid in range(1, history.txid + 1)]
    for level in range(4):
        for first, last in files:
            builder.put(level, first, last)
        joined, at = [], 0
        while at < len(files) - 1:
            some = files[at : at + rng.randint(1, 5)]
            joined.append((some[0][0], some[-1][1]))
            at += len(some)
        files = joined
    for txid in rng.sample(range(1, history.txid + 1), 4):
        builder.put(9, 1, txid)
    return builder


@pytest.mark.parametrize("seed", range(40))
def test_nothing_sound_is_called_wrong(tmp_path: Path, seed: int) -> None:
    """Whatever retention has left of a sound replica; and one page of one file is found where others tell it."""
    rng = random.Random(seed)
    builder = leveled(tmp_path / "r", grown(rng), rng)
    assert differing(check(builder.root)) == []
    paths = sorted(builder.root.rglob("*.ltx"))
    path = rng.choice([p for p in paths if p.parent.name != "0"])
    level, (first, last) = int(path.parent.name), (int(part, 16) for part in path.stem.split("-"))
    wrong(builder, level, first, last, lambda pages: garble(rng.choice(sorted(pages)))(pages))
    assert differing(check(builder.root)), path
    builder.put(level, first, last)
    for gone in rng.sample(paths, len(paths) // 2):
        gone.unlink()
    found = check(builder.root).all_findings
    assert {f.code for f in found} <= {"ltx-gap", "missing-page"}, found
