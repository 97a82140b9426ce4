"""Damage of every kind to many sound replicas of Litestream 0.5: tests/damage_ltx.py generates it, and judges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from litetui.cli import run
from litetui.format import names
from litetui.format.ltx_header import LTXHeader
from tests import damage, damage_ltx, ltx_reader, ltx_truth
from tests.damage import Damage
from tests.damage_ltx import Case
from tests.ltx_build import T0
from tests.ltx_encode import encode
from tests.ltx_truth import Shape, chosen, merged, reachable, sound

SOME = [
    Shape(),
    Shape(width=0, transactions=1),
    Shape(growth="grow", encoding="mixed", retained="levels", snapshots=4, whole=True),
    Shape(encoding="frames", width=2, snapshots=5, retained="l0", bucket=True),
    Shape(checked=True, snapshots=4, page_size=1024, transactions=14),
    Shape(copied=True, width=2, growth="same", snapshots=3),
    Shape(beside=True, retained="levels", snapshots=3),
]


@pytest.mark.parametrize("shape", SOME, ids=str)
def test_a_sound_replica_restores_everywhere_and_is_ok(shape: Shape) -> None:
    damage_ltx.judge_sound(shape)


@pytest.mark.parametrize("shape", SOME, ids=str)
def test_the_model_comes_to_the_states_that_were_written(shape: Shape) -> None:
    """Else the judge would judge by itself alone."""
    truth = sound(shape)
    for txid, states in reachable(truth.items).items():
        assert [s.database for s in states] == [truth.states[txid]]
    last = merged(chosen(truth.items))
    assert last is not None
    assert (last.high, last.database) == (shape.transactions, truth.states[shape.transactions])


@settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
@given(damage_ltx.cases())
def test_damage_is_refused_or_does_no_harm_or_has_a_class(case: Case) -> None:
    assume(damage_ltx.judge(case) is not None)


@pytest.mark.parametrize("kind", sorted(damage_ltx.KINDS))
def test_every_kind_of_damage_applies(kind: str) -> None:
    made = 0
    for how in range(14):
        one = Damage(kind, file=how, at=4500 * how, how=how, other=how + how % 3)
        made += damage_ltx.damaged(sound(SOME[how % len(SOME)]), (one,)) is not None
    assert made > 2


def test_the_judge_sees_a_lie() -> None:
    """A judge who believes that one more transaction was written, or that a page was another, must object."""
    truth = sound(Shape())
    for states in ({**truth.states, 12: truth.states[11]}, {**truth.states, 5: bytes(2048)}):
        lying = ltx_truth.Sound(truth.files, states)
        with pytest.raises(damage.Failure, match="wrong bytes"):
            damage_ltx._run(lying, Case(Shape(), (Damage("none", at=4),)), truth.files)


@pytest.mark.parametrize(
    ("one", "shape", "verdict", "validated", "restored"),
    [
        (Damage("foreign"), Shape(), "ok", 0, 0),
        (Damage("flip", file=-1, how=3), Shape(width=0), "damaged", 3, 1),
        (Damage("remove", file=0), Shape(width=0), "unrestorable", 3, 1),
        (Damage("no-file", file=2), Shape(), "unknown", 1, 1),
        (Damage("other", file=-1, how=0), Shape(snapshots=12), "damaged", 3, 0),
    ],
    ids=["foreign", "flip", "no first file", "no file", "a snapshot of another database"],
)
def test_the_command_line_gives_verdict_and_exit_code(
    one: Damage,
    shape: Shape,
    verdict: str,
    validated: int,
    restored: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = damage_ltx.damaged(sound(shape), (one,))
    assert files is not None
    damage.write(files, tmp_path / "replica", "ltx")
    assert run(["validate", str(tmp_path / "replica"), "--depth", "content"]) == validated
    assert verdict in capsys.readouterr().out
    output = tmp_path / "out.db"
    assert run(["restore", str(tmp_path / "replica"), "-o", str(output), "--integrity-check", "none"]) == restored
    assert output.exists() == (restored == 0)


@pytest.mark.parametrize("empty", [False, True], ids=["no generation", "an empty one"])
def test_a_folder_of_generations_without_files_hides_no_ltx_files(
    empty: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth, root, output = sound(Shape()), tmp_path / "replica", tmp_path / "out.db"
    damage.write(truth.files, root, "generations/0123456789abcdef/wal" if empty else "generations")
    args = ["restore", str(root), "-o", str(output), "--integrity-check", "none", "--if-replica-exists"]
    assert run(args) == 0, capsys.readouterr().err
    assert output.read_bytes() == truth.states[12]


def test_ltx_files_that_cannot_be_read_are_not_passed_over_for_old_generations(tmp_path: Path) -> None:
    truth, root, output = sound(Shape(beside=True, width=0, transactions=1)), tmp_path / "replica", tmp_path / "out.db"
    damage.write(truth.files, root, "ltx")
    only = root / truth.items[0].path
    only.unlink()
    only.symlink_to("nothing")
    assert run(["restore", str(root), "-o", str(output), "--integrity-check", "none"]) == 1
    assert not output.exists()
    assert run(["validate", str(root), "--depth", "content"]) == 1


def test_checksums_of_the_database_link_only_files_that_do_not_overlap(tmp_path: Path) -> None:
    """A compacted file may begin before the snapshot ends: its checksum is then of an earlier state."""
    shape = Shape(checked=True, width=3, snapshots=4, transactions=6, retained="l0")
    truth = sound(shape)
    files = {path: entry for path, entry in truth.files.items() if not path.startswith("ltx/0/")}
    damage.write(files, tmp_path / "replica", "ltx")
    output = tmp_path / "out.db"
    assert run(["restore", str(tmp_path / "replica"), "-o", str(output), "--integrity-check", "none"]) == 0
    assert output.read_bytes() == truth.states[6]


def test_a_time_in_a_header_that_no_file_can_have_is_no_crash(tmp_path: Path) -> None:
    truth = sound(Shape(copied=True, width=0, transactions=3))
    files = dict(truth.files)
    path = truth.items[1].path
    head = LTXHeader.parse(files[path].data)
    pages = ltx_reader.read(files[path].data)
    assert pages is not None
    files[path] = damage.Entry(encode(replace(head, timestamp_ms=1 << 62), pages.pages.items()), T0)
    damage.write(files, tmp_path / "replica", "ltx")
    output = tmp_path / "out.db"
    assert run(["restore", str(tmp_path / "replica"), "-o", str(output), "--integrity-check", "none"]) == 0
    assert output.read_bytes() == truth.states[3]


def test_a_file_of_no_pages_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "replica/ltx/0" / names.format_ltx(1, 1)
    path.parent.mkdir(parents=True)
    path.write_bytes(encode(LTXHeader(512, 0, 1, 1, 0), []))
    assert run(["validate", str(tmp_path / "replica"), "--depth", "restore"]) == 3
    assert run(["restore", str(tmp_path / "replica"), "-o", str(tmp_path / "out.db")]) == 1
