"""Which processes have a file open, tried with real ones."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from litetui import processes
from litetui.processes import (
    Process,
    hidden_processes,
    in_container,
    others_are_invisible,
    proc_is_there,
    processes_with,
)
from tests.primary.helpers import ROOT, holding


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    path.write_bytes(b"data")
    return path


def test_a_process_reads_as_name_and_pid() -> None:
    assert str(Process(812, "litestream", "/usr/bin/litestream")) == "litestream (pid 812)"
    assert Process(812, "litestream", "/usr/bin/litestream (deleted)").program == "litestream"
    assert Process(812, "litestream", "").program == ""


def test_a_process_is_found_by_the_file_it_has_open(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"data")
    link, hard = tmp_path / "link", tmp_path / "hard"
    link.symlink_to(file)
    hard.hardlink_to(file)
    assert processes_with([str(file)]) == []
    with holding("some\nname", file) as pid:
        exe = os.path.realpath(f"/proc/{pid}/exe")
        found = [Process(pid, r"some\nname", exe)]
        for path in (file, link, hard):
            assert processes_with([str(path)]) == found
        assert processes_with([str(other), str(tmp_path / "none"), str(file)]) == found
        assert processes_with([str(other), str(tmp_path / "none")]) == []
        with holding("another", file, other) as second:
            assert [p.pid for p in processes_with([str(file)])] == sorted([pid, second])
            assert [p.name for p in processes_with([str(other)])] == ["another"]
    assert processes_with([str(file)]) == []


def test_a_file_that_was_removed_is_another_file(file: Path) -> None:
    with holding("old", file):
        file.rename(f"{file}.gone")
        file.write_bytes(b"new")
        assert processes_with([str(file)]) == []


def test_looking_keeps_the_locks_of_this_process(file: Path) -> None:
    """To open and close a database drops every POSIX lock on it, so nobody may do that here."""
    file.unlink()
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("BEGIN IMMEDIATE")

    def locks() -> list[str]:
        lines = Path("/proc/locks").read_text().splitlines()
        return [line.partition(":")[2] for line in lines if "POSIX" in line and f" {os.getpid()} " in line]

    before = locks()
    assert len(before) >= 2
    paths = [str(file) + side for side in ("", "-wal", "-shm")]
    assert [p.pid for p in processes_with(paths)] == [os.getpid()]
    assert locks() == before
    connection.close()


def test_where_there_is_no_proc_nothing_is_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PROC", str(file.parent / "no-proc"))
    assert not proc_is_there()
    assert not others_are_invisible()
    assert processes_with([str(file)]) == []
    assert len(hidden_processes()) == 0


def test_a_container_is_known_by_its_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / ".dockerenv"
    proc = tmp_path / "proc"
    (proc / "self/ns").mkdir(parents=True)
    (proc / "1").mkdir()
    namespace = proc / "self/ns/pid"
    namespace.symlink_to("pid:[4026531836]")
    monkeypatch.setattr(processes, "CONTAINER_MARKS", (str(mark),))
    monkeypatch.setattr(processes, "PROC", str(proc))
    assert not in_container()

    (proc / "1/environ").write_bytes(b"HOME=/\0not_container=x\0")
    assert not in_container()
    (proc / "1/environ").write_bytes(b"HOME=/\0container=lxc\0")
    assert in_container()
    (proc / "1/environ").unlink()

    namespace.unlink()
    assert not in_container()
    namespace.symlink_to("pid:[4026532211]")
    assert in_container()
    namespace.unlink()

    mark.touch()
    assert in_container()


def test_hidepid_shows_by_the_first_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "self/fd").mkdir(parents=True)
    monkeypatch.setattr(processes, "PROC", str(tmp_path))
    assert others_are_invisible()
    (tmp_path / "1").mkdir()
    assert not others_are_invisible()


def test_hidden_are_those_that_refuse_and_may_hold_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of states, with a /proc of our own and a system that refuses."""
    cases = {
        1: ("init", b"1 (init) S 0 1 1 0 -1 4194560 0", True),
        2: ("kthreadd", b"2 (kthreadd) S 0 0 0 0 -1 2129984 0", False),
        30: ("dead", b"30 (dead) Z 1 30 30 0 -1 4194560 0", False),
        812: ("lite ) S", b"812 (lite ) S) S 1 812 812 0 -1 4194560 0", True),
    }
    for pid, (comm, stat, _) in cases.items():
        folder = tmp_path / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text(comm + "\n")
        (folder / "stat").write_bytes(stat)

    def refuse(path: str) -> str:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(processes, "PROC", str(tmp_path))
    assert hidden_processes() == []
    monkeypatch.setattr(os, "readlink", refuse)
    assert hidden_processes() == [Process(pid, comm, "") for pid, (comm, _, hidden) in cases.items() if hidden]
    assert len(hidden_processes()) == 2


_AS_NOBODY = """
import json, os, sys
from litetui.processes import hidden_processes
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(json.dumps([len(hidden_processes()), [[p.pid, p.name] for p in hidden_processes()]]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_processes_of_others_are_counted_and_named() -> None:
    with holding("litestream") as pid:
        result = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY], capture_output=True, text=True, check=True, cwd=ROOT
        )
    count, named = json.loads(result.stdout)
    assert [pid, "litestream"] in named
    assert os.getpid() in [p for p, _ in named]
    assert "kthreadd" not in [name for _, name in named]
    assert count > 1
