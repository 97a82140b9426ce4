"""Every target of every golden replica, against what real Litestream restored; and damage, which must never pass."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from litetui.cli import run
from tests.conftest import GOLDEN

SPECS: dict[str, dict[str, Any]] = {p.stem: json.loads(p.read_text()) for p in sorted(GOLDEN.glob("*.json"))}
SOUND = [name for name, spec in SPECS.items() if "damage" not in spec]
DAMAGED = [name for name, spec in SPECS.items() if "damage" in spec]
# What a healthy replica may show at any moment: restores without a word of complaint.
HARMLESS = {"garbage-names", "variant-plain-snapshot", "both-wal-and-lz4"}
# A torn tail of the newest `.wal` is what a writer leaves behind: the state before it is the latest one.
TAIL = {"torn-last-frame"}
UNRESTORABLE = {"missing-snapshot"}
BEFORE_THE_FIRST_TABLE = hashlib.sha256().hexdigest()


def content(path: Path) -> str:
    """The `app_sha256` of a database (tests/golden/README.md)."""
    connection = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    connection.text_factory = lambda b: b.decode("utf-8", "surrogateescape")
    digest = hashlib.sha256()
    query = (
        "select name from sqlite_master where type='table' and name not like 'sqlite\\_%' escape '\\' "
        "and name not like '\\_litestream\\_%' escape '\\' order by name"
    )
    for (name,) in connection.execute(query).fetchall():
        digest.update(f"T:{name}\n".encode())
        for row in connection.execute(f'select rowid, * from "{name}" order by rowid'):
            digest.update((repr(tuple(row)) + "\n").encode())
    connection.close()
    return digest.hexdigest()


def listing(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("name", SOUND)
def test_every_target_gives_the_bytes_of_the_real_restore(
    name: str, golden: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replica, spec = golden(name), SPECS[name]
    states = {*spec["states"], BEFORE_THE_FIRST_TABLE}
    wrong: list[str] = []
    for case in spec["restores"]:
        out = tmp_path / "out.db"
        out.unlink(missing_ok=True)
        code = run(["restore", str(replica), "-o", str(out), *case["args"]])
        error = capsys.readouterr().err
        what = f"{case['id']} {case['args']}: "
        if "sha256" in case:
            if code or hashlib.sha256(out.read_bytes()).hexdigest() != case["sha256"]:
                wrong.append(what + f"exit {code}, not the bytes of the real restore: {error}")
        elif "a_state_or" in case or (name.startswith("upgrade") and code == 0):
            bytes_ = hashlib.sha256(out.read_bytes()).hexdigest() if code == 0 else ""
            if code or (bytes_ != case.get("a_state_or") and content(out) not in states):
                wrong.append(what + f"exit {code}, not a state that the application had: {error}")
        elif code != 1 or not error.startswith("Error: ") or "Traceback" in error:
            wrong.append(what + f"exit {code} where it must be refused ({case['refused']}): {error}")
        if listing(tmp_path) != (["out.db"] if code == 0 else []):
            wrong.append(what + f"left {listing(tmp_path)}")
    assert spec["restores"]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_an_error_or_does_no_harm(
    name: str, golden: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replica, spec = golden(name), SPECS[name]
    kind, generation = spec["damage"]["kind"], spec["damage"]["generation"]
    out = tmp_path / "out.db"
    code = run(["restore", str(replica), "-o", str(out)])
    error = capsys.readouterr().err
    if kind in HARMLESS:
        assert code == 0, error
        assert content(out) in spec["latest_app_sha256"]
        return
    if kind in TAIL:
        assert code == 0, error
        assert content(out) in spec["states"]
        return
    assert code == 1, f"exit {code}: damage was not seen"
    assert listing(tmp_path) == []
    assert error.startswith("Error: ")
    assert "Traceback" not in error
    if kind in UNRESTORABLE:
        assert "has no snapshot" in error
        other = re.search(r"--generation ([0-9a-f]{16})", error)
        assert other is not None
        assert other[1] != generation
        assert run(["restore", str(replica), "-o", str(out), "--generation", other[1]]) == 0
        assert content(out) in spec["states"]
        return
    # The message says where, the hint how far it goes, and the command in it works.
    assert f"index {spec['damage']['index']:08x}" in error or f"{spec['damage']['index'] + 1:08x}" in error
    if kind == "flip-byte-wal-frame":
        assert f"frame {spec['damage']['frame']}" in error
    hint = re.search(rf"the last good position is ({generation}/([0-9a-f]{{8}}):(\d+))", error)
    assert hint is not None, error
    assert int(hint[2], 16) <= spec["damage"]["index"]
    assert "--to-last-good" in error
    args = ["restore", str(replica), "-o", str(out), "--generation", generation, "--to-last-good", "--json"]
    assert run(args) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["position"] == hint[1]
    assert content(out) in spec["states"]
    by_position = tmp_path / "position.db"
    assert run(["restore", str(replica), "-o", str(by_position), "--position", hint[1]]) == 0, capsys.readouterr().err
    assert by_position.read_bytes() == out.read_bytes()


@pytest.mark.parametrize("name", DAMAGED)
def test_a_position_before_the_damage_restores_as_from_the_sound_replica(
    name: str, golden: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What lies before the damage is untouched by it: each index below it gives what the sound replica gives."""
    spec = SPECS[name]
    sound = SPECS["v03-multi-gen" if name.startswith("v03") else "seed-multi-gen"]
    damage = spec["damage"]
    if damage["kind"] in UNRESTORABLE:
        pytest.skip("without its snapshot nothing of the generation restores")
    wanted = {
        tuple(c["args"]): c["sha256"]
        for c in sound["restores"]
        if "sha256" in c and "--index" in c["args"] and damage["generation"] in c["args"]
    }
    tried = 0
    for args, sha256 in wanted.items():
        if int(args[args.index("--index") + 1], 16) >= damage.get("index", 1):
            continue
        out = tmp_path / f"{tried}.db"
        assert run(["restore", str(golden(name)), "-o", str(out), *args]) == 0, capsys.readouterr().err
        assert hashlib.sha256(out.read_bytes()).hexdigest() == sha256
        tried += 1
    assert tried


def validated(replica: Path, depth: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = run(["validate", str(replica), "--depth", depth, "--json"])
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, result


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_replica_validates_without_a_word(
    name: str, golden: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for depth in ("names", "content", "restore"):
        code, result = validated(golden(name), depth, capsys)
        assert (code, result["verdict"], result["complete"]) == (0, "ok", True)
        findings = result["findings"] + [f for g in result["generations"] for f in g["findings"]]
        assert not [f for f in findings if f["severity"] != "info"]
        if depth == "restore":
            assert {g["integrity_check"] for g in result["generations"]} == {"ok"}


@pytest.mark.parametrize("name", DAMAGED)
def test_validation_sees_damage_and_names_what_restores(
    name: str, golden: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = SPECS[name]
    kind, generation = spec["damage"]["kind"], spec["damage"]["generation"]
    for depth in ("content", "restore"):
        code, result = validated(golden(name), depth, capsys)
        if kind in HARMLESS | TAIL:
            assert (code, result["latest_restores"]) == (0, True)
            continue
        assert (code, result["latest_restores"]) == (3, False)
        (one,) = [g for g in result["generations"] if g["generation"] == generation]
        assert [f for f in one["findings"] if f["severity"] == "error"]
        if kind in UNRESTORABLE:
            assert (one["verdict"], one["windows"], one["restorable_to"]) == ("unrestorable", [], None)
            continue
        out = tmp_path / f"{depth}.db"
        assert run(["restore", str(golden(name)), "-o", str(out), "--position", one["restorable_to"]]) == 0
        assert content(out) in spec["states"]
        for number, at in enumerate(t for w in one["windows"] for t in (w["start"], w["end"])):
            by_time = tmp_path / f"{depth}-{number}.db"
            args = ["restore", str(golden(name)), "-o", str(by_time), "--generation", generation, "--timestamp", at]
            assert run(args) == 0, capsys.readouterr().err
            assert content(by_time) in spec["states"]
        capsys.readouterr()
