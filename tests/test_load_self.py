"""The load and its judge, without any replicator: it does each thing, notes each state, and the judge sees a change."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.load import CHANGES, CHAOS, MODES, WRITES, committed, judge, kinds, states


class Load:
    """Where one run has its files."""

    def __init__(self, folder: Path) -> None:
        self.db, self.log, self.stop, self.copy = (folder / name for name in ("app.db", "log", "stop", "copy.db"))

    def start(self, *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.load", str(self.db), str(self.log), str(self.stop), *options]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *options: str) -> Load:
        process = self.start("--blob", "100000", *options)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
        return self

    def judge(self) -> int:
        """Of a copy, made within one read transaction."""
        self.copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.db, timeout=30)) as source, closing(sqlite3.connect(self.copy)) as target:
            source.backup(target)
        return judge(self.copy, states(self.log))

    def change(self, statement: str) -> None:
        with closing(sqlite3.connect(self.copy, isolation_level=None)) as connection:
            assert connection.execute(statement).rowcount


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    return Load(tmp_path_factory.mktemp("load")).run("--seconds", "4")


def test_the_load_did_each_thing(load: Load) -> None:
    did = kinds(load.log)
    assert {what.split()[0] for what in did} == {*WRITES, *CHAOS, "restarted"}, did
    for mode in MODES:
        assert did[f"checkpoint {mode} done"] + did[f"checkpoint {mode} busy"], did
    for change in CHANGES:
        assert did[f"schema {change}"], did
    assert did["restart without wal"], did
    assert did["blob whole"] + did["blob piecewise"], did


def test_each_transaction_is_noted(load: Load) -> None:
    known = states(load.log)
    assert sorted(known) == list(range(-1, max(known) + 1))
    assert len(known) > 100
    assert all(len(hashes) == 1 for hashes in known.values())  # no commit failed, and none was noted wrongly


def test_the_last_state_is_known(load: Load) -> None:
    assert committed(load.log) <= load.judge() <= max(states(load.log))


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("update item set body = 'x' where id = (select max(id) from item)", "another content"),
        ("delete from item where id = (select max(id) from item)", "another content"),
        ("update counter set n = n - 20", "another content"),
        ("update counter set n = n + 1000", "never was"),
        ("insert into large (size, hash, body) values (2, 'x', x'0102')", "large blob"),
    ],
)
def test_the_judge_sees_a_change(load: Load, statement: str, why: str) -> None:
    load.judge()
    load.change(statement)
    with pytest.raises(AssertionError, match=why):
        judge(load.copy, states(load.log))


def test_the_judge_sees_damage(load: Load) -> None:
    load.judge()
    with closing(sqlite3.connect(load.copy)) as connection:
        (root,) = connection.execute("select rootpage from sqlite_master where name = 'item'").fetchone()
    with load.copy.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(os.urandom(4096))
    with pytest.raises(AssertionError, match=r"fails its integrity check|cannot be read"):
        judge(load.copy, states(load.log))


def test_the_judge_takes_an_empty_database_as_the_state_before_all(load: Load, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    assert judge(tmp_path / "empty.db", states(load.log)) == -1


@pytest.mark.parametrize(("page_size", "vacuum", "mode"), [(512, "full", 1), (65536, "incremental", 2)])
def test_page_size_and_auto_vacuum(tmp_path: Path, page_size: int, vacuum: str, mode: int) -> None:
    options = ("--seconds", "1.5", "--page-size", str(page_size), "--auto-vacuum", vacuum, "--mix", "rows,blob,restart")
    load = Load(tmp_path).run(*options)
    load.judge()
    with closing(sqlite3.connect(load.db)) as connection:
        assert connection.execute("pragma page_size").fetchone() == (page_size,)
        assert connection.execute("pragma auto_vacuum").fetchone() == (mode,)


def test_both_connections_restart_the_wal(tmp_path: Path) -> None:
    load = Load(tmp_path).run("--seconds", "1", "--mix", "turns")
    did = kinds(load.log)
    assert did["restarted by 0"] > 1
    assert did["restarted by 1"] > 1


def test_a_rolled_back_transaction_spills_into_the_wal_and_is_no_state(tmp_path: Path) -> None:
    load = Load(tmp_path).run("--seconds", "1", "--mix", "rollback")
    assert Path(f"{load.db}-wal").stat().st_size > 10 * 4096
    assert load.judge() == 0
    assert sorted(states(load.log)) == [-1, 0]


def test_each_copy_made_meanwhile_is_a_state(tmp_path: Path) -> None:
    load = Load(tmp_path)
    process = load.start("--blob", "100000", "--page-size", "1024", "--auto-vacuum", "incremental")
    while committed(load.log) < 0:
        assert process.poll() is None
    for _ in range(30):
        at_least = committed(load.log)
        assert load.judge() >= at_least
    load.stop.touch()
    assert process.communicate(timeout=30)[1] == ""


def test_stop_and_a_clean_exit(tmp_path: Path) -> None:
    load = Load(tmp_path)
    process = load.start("--clean-exit")
    while not kinds(load.log)["restart without wal"]:
        assert process.poll() is None
    load.stop.touch()
    assert process.communicate(timeout=30)[1] == ""
    assert not Path(f"{load.db}-wal").exists()
    assert load.judge() >= committed(load.log)


def test_killed_it_ends_and_can_go_on(tmp_path: Path) -> None:
    load = Load(tmp_path)
    process = load.start()
    while committed(load.log) < 100:
        assert process.poll() is None
    process.kill()
    process.communicate(timeout=30)  # it comes back when all processes have left
    at = load.judge()
    assert at >= committed(load.log)
    load.run("--seconds", "1", "--mix", "rows")
    assert load.judge() >= committed(load.log) > at
