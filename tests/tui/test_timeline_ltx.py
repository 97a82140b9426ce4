"""The timeline of a v0.5 replica: its points are the TXIDs that restore, before and after a check."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from litetui.errors import LitetuiError
from litetui.ops import validate
from litetui.ops.restore import plan, run, settle
from litetui.ops.target import Target
from litetui.replica.ltx import LTXReplica
from litetui.tui.checks import Check
from litetui.tui.model import look
from litetui.tui.timeline.model import Timeline
from litetui.tui.timeline.picture import draw, whole
from litetui.tui.timeline.points import (
    beside_words,
    evidence_words,
    find,
    ltx_of,
    nothing_words,
    point_of_line,
    point_words,
    spot,
    target,
)
from litetui.tui.timeline.tracks import timeline
from litetui.tui.timeline.way import way, way_words
from litetui.tui.tree_line import LTX
from tests.ltx_build import LTXBuilder, LTXHistory, usual_ltx

NOW = LTXHistory.time_of(20) + 3600 * 10**9


def of(path: Path, *, check: bool = False) -> Timeline:
    replica = LTXReplica(path)
    checks = {}
    if check:
        report = validate.run(validate.plan(replica, depth="content"))
        checks = {one.generation: Check(one, report.depth, NOW, listed=replica.table) for one in report.generations}
    made = timeline(look(replica, NOW), [LTX], checks)
    assert made is not None
    return made


def txids(made: Timeline) -> list[int]:
    return [spot(made, n).index for n in range(len(made))]


def restoring(path: Path, out: Path) -> list[int]:
    """The TXIDs that restore, of all that a file ends with."""
    replica, found = LTXReplica(path), []
    for txid in sorted(set(replica.table.max_txid.tolist())):
        try:
            run(settle(plan(replica, Target(txid=txid))), str(out / f"{txid}.db"), integrity_check="none")
            found.append(txid)
        except LitetuiError:
            continue
    return found


def bar(made: Timeline, width: int = 60) -> str:
    cells = draw(made, whole(made, NOW + 9999 * 10**15), width, -1).cells
    return "".join({"window": "=", "snapshot": "#", "hole": ":"}.get(kind, " ") for kind, _ in cells)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_its_points_are_what_restores(tmp_path: Path, out: Path) -> None:
    usual_ltx(tmp_path / "r")
    made = of(tmp_path / "r")
    assert txids(made) == restoring(tmp_path / "r", out) == [4, 8, 9, 10, 11, *range(12, 21)]
    assert len(made.tracks[0].holes) == 0
    assert bar(made).count("#") == 1
    words = "  ".join(text for text, _ in point_words(made, 5, NOW))
    assert "TXID 000000000000000c  snapshot  6 of 14" in words
    assert target(made, 5) == ("", "000000000000000c")
    assert point_of_line(made, ("ltxfile", 1, 13, 16)) == find(made, spot(made, 9)) == 9
    assert point_of_line(made, ("level", 1)) is None
    said = way_words(way(LTXReplica(tmp_path / "r"), spot(made, 9)))
    assert said[0][0].startswith("reads 2 files, ")
    assert said[1][0].startswith("leaves out 4 newer LTX files")
    assert said[2][0] == "from snapshot 000000000000000c"


def test_files_that_nothing_leads_to_are_a_hole(tmp_path: Path, out: Path) -> None:
    built = usual_ltx(tmp_path / "r")
    built.path(0, 17, 17).unlink()
    made = of(tmp_path / "r")
    assert txids(made) == restoring(tmp_path / "r", out)
    assert txids(made)[-1] == 16
    assert beside_words(made, len(made) - 1) == (
        "then TXID 0000000000000011 is missing: later states do not restore",
        "error",
    )
    assert bar(made).endswith("#===============::::::::::::::")
    levels = draw(made, whole(made, NOW + 9999 * 10**15), 60, -1).levels
    assert levels[-1] > 0  # what was written behind the hole is there


def test_a_hole_ends_at_a_snapshot(tmp_path: Path, out: Path) -> None:
    built = usual_ltx(tmp_path / "r")
    built.path(0, 17, 17).unlink()
    built.put(9, 1, 19)
    made = of(tmp_path / "r")
    assert txids(made) == restoring(tmp_path / "r", out) == [4, 8, *range(9, 17), 19, 20]
    assert made.tracks[0].holes.words(0)[0] == "TXID 0000000000000011 is missing"
    assert beside_words(made, 10) == ("before it TXID 0000000000000011 is missing", "warning")
    assert ":#" in bar(made)


def test_what_a_compaction_holds_is_no_hole(tmp_path: Path, out: Path) -> None:
    """Retention takes files of level 0 away: what is left of them there leads nowhere, and nothing is lost."""
    built = usual_ltx(tmp_path / "r")
    built.path(0, 13, 13).unlink()
    made = of(tmp_path / "r")
    assert txids(made) == restoring(tmp_path / "r", out) == [4, 8, *range(9, 13), *range(16, 21)]
    assert len(made.tracks[0].holes) == 0


def test_without_a_beginning_all_is_a_hole(tmp_path: Path) -> None:
    history = LTXHistory()
    for _ in range(5):
        history.commit(1)
    builder = LTXBuilder(tmp_path / "r", history)
    for txid in range(3, 6):
        builder.put(0, txid, txid)
    made = of(tmp_path / "r")
    assert len(made) == 0
    assert bar(made) == ":" * 60
    assert nothing_words(made)[0].startswith("no restore point: no file begins with the first TXID")


@pytest.mark.parametrize(
    ("level", "first", "last"),
    [(0, 14, 14), (0, 10, 10), (0, 18, 18), (0, 20, 20), (1, 1, 4), (1, 5, 8), (1, 13, 16), (2, 1, 8), (9, 1, 12)],
)
def test_after_a_check_its_points_are_what_restores(
    tmp_path: Path, out: Path, level: int, first: int, last: int
) -> None:
    built = usual_ltx(tmp_path / "r")
    path = built.path(level, first, last)
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    stat = path.stat()
    path.write_bytes(data)

    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    made = of(tmp_path / "r", check=True)
    assert txids(made) == restoring(tmp_path / "r", out)
    assert (len(made) < 14) == ((level, first) != (1, 5))  # to TXID 8 a restore takes level 2
    for number in range(len(made.tracks[0].holes)):
        assert made.tracks[0].holes.words(number)[0].startswith("damaged from TXID ")


def test_what_a_check_read_is_green(tmp_path: Path) -> None:
    usual_ltx(tmp_path / "r")
    made = of(tmp_path / "r", check=True)
    assert ltx_of(made.tracks[0]) is not None
    assert evidence_words(made, 13, NOW) == ("checked 0 s ago", "success")
    assert {status for _, status in draw(made, whole(made, NOW), 40, -1).cells} == {"success"}
