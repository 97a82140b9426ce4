"""Damage of every kind at any place of many sound replicas: tests/damage.py generates it, and judges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from litetui.cli import run
from tests import damage
from tests.damage import Case, Damage, Shape

SOME = [
    Shape(),
    Shape(layout="wal", tail="torn", snapshots="last", ahead=True),
    Shape(layout="wal", tail="empty", snapshots="all", indexes=1, transactions=1),
    Shape(layout="wal", tail="header", snapshots="all", generations=2, retained=True),
    Shape(indexes=3, transactions=4, snapshots="all", ahead=True, batch=2, big=True, plain=True),
    Shape("sqlite", "wal", page_size=4096, indexes=3, snapshots="last", tail="open"),
    Shape("sqlite", growth="same", indexes=3, generations=2, snapshots="all", ahead=True),
    *map(Shape, damage.GOLDEN_SMALL),
]


@pytest.mark.parametrize("shape", SOME, ids=str)
def test_a_sound_replica_is_ok_at_every_depth(shape: Shape) -> None:
    damage.judge_sound(shape)


@settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
@given(damage.cases(damage.GOLDEN_SMALL))
def test_damage_is_refused_or_does_no_harm_or_has_a_class(case: Case) -> None:
    assume(damage.judge(case) is not None)


@pytest.mark.parametrize("kind", sorted(damage.KINDS))
def test_every_kind_of_damage_applies(kind: str) -> None:
    """Else a kind would be counted that never came."""
    made = 0
    for how in range(12):
        one = Damage(kind, file=how, at=5000 * how, how=how, other=how)
        made += damage.damaged(damage.sound(SOME[4 if how % 2 else 6]), (one,)) is not None
    assert made > 2


CLI = {
    "foreign": (Damage("foreign"), "ok", 0, 0),
    "flip": (Damage("flip", file=3, how=5), "damaged", 3, 1),
    "no snapshot": (Damage("remove", file=0), "unrestorable", 3, 1),
    "no file": (Damage("no-file", file=2), "unknown", 1, 1),
}


@pytest.mark.parametrize("name", CLI)
def test_the_commands_say_so(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, verdict, code, restored = CLI[name]
    files = damage.damaged(damage.sound(Shape("sqlite")), (one,))
    assert files is not None
    damage.write(files, tmp_path / "replica")
    assert run(["validate", str(tmp_path / "replica"), "--json"]) == code
    assert json.loads(capsys.readouterr().out)["verdict"] == verdict
    assert run(["restore", str(tmp_path / "replica"), "-o", str(tmp_path / "out.db")]) == restored
    assert (tmp_path / "out.db").exists() is (restored == 0)
