"""What a path is that is no replica, and where the replica is instead."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import litetui
from litetui.errors import LitetuiError, NotAReplicaError
from litetui.replica.detect import open_replica
from tests.build import GENERATION, usual_history, write_replica


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_replica(tmp_path / "backup/app", usual_history()).root


def refused(path: Path | str, meant: Path | str = "") -> tuple[str, str]:
    """Why it is no replica, and what to do; `meant`: the replica that is named."""
    with pytest.raises(NotAReplicaError) as caught:
        open_replica(path)
    assert caught.value.path == os.path.abspath(path)
    assert caught.value.hint
    assert not meant or caught.value.meant == str(meant)
    return caught.value.cause, caught.value.hint


def test_a_replica_opens_by_any_spelling(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(root)
    monkeypatch.chdir(root.parent)
    monkeypatch.setenv("HOME", str(root.parent))
    for path in (root, f"{root}/", "app", "./app/../app", tmp_path / "link", "~/app"):
        assert open_replica(path).generations() == [GENERATION]


def test_nothing_there(tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "none")[0]


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "is empty" in refused(tmp_path)[0]


def test_another_folder(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").touch()
    assert "holds no generations/" in refused(tmp_path)[0]


def test_an_empty_replica_is_one(tmp_path: Path) -> None:
    (tmp_path / "generations").mkdir()
    assert open_replica(tmp_path).generations() == []


def test_a_file_under_the_name_generations_makes_no_replica(tmp_path: Path) -> None:
    (tmp_path / "generations").touch()
    assert "holds no generations/" in refused(tmp_path)[0]


@pytest.mark.parametrize("name", ["app.db", "app.sqlite", "app.sqlite3", "data"])
def test_a_database(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"SQLite format 3\0")
    (tmp_path / f"{name}-wal").touch()
    cause, hint = refused(path)
    assert "SQLite database, not" in cause
    assert "litestream.yml" in hint
    (tmp_path / f".{name}-litestream").mkdir()
    assert "that Litestream replicates" in refused(path)[0]


def test_litestreams_folder_beside_the_database(tmp_path: Path) -> None:
    meta = tmp_path / ".app.db-litestream"
    (meta / "generations" / GENERATION / "wal").mkdir(parents=True)
    assert "beside the database" in refused(meta)[0]
    (meta / "generation").write_text(GENERATION + "\n")
    other = tmp_path / "moved"
    meta.rename(other)
    assert "beside the database" in refused(other)[0]


def test_a_configuration_names_a_replica(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "litestream.yml"
    path.write_text(f"dbs:\n  - path: /var/lib/app.db\n    replicas:\n      - path: {root}\n")
    cause, hint = refused(path)
    assert "configuration" in cause
    assert str(root) in hint
    path.write_text(f"dbs:\n  - path: /x.db\n    replicas:\n      - url: file://{root}\n")
    assert str(root) in refused(path)[1]
    path.write_text("dbs: []\n")
    assert "folder of a replica" in refused(path)[1]


@pytest.mark.parametrize("below", ["generations", f"generations/{GENERATION}", f"generations/{GENERATION}/wal",
                                   f"generations/{GENERATION}/snapshots"])  # fmt: skip
def test_a_folder_inside_a_replica(root: Path, below: str) -> None:
    cause, hint = refused(root / below, root)
    assert "inside a replica" in cause
    assert hint.endswith(f"litetui {root}")


def test_a_v05_replica_is_named_from_above_and_from_below(tmp_path: Path) -> None:
    replica = tmp_path / "replica"
    for folder in (replica, tmp_path / "app.db-litestream-old"):
        (folder / "ltx/0").mkdir(parents=True)
        (folder / "ltx/0/0000000000000001-0000000000000001.ltx").touch()
    cause, hint = refused(tmp_path, replica)
    assert "above a replica (2 replicas are below it)" in cause
    assert hint.endswith(f"litetui {replica}")
    for path in (replica / "ltx", replica / "ltx/0", next(replica.glob("ltx/0/*.ltx"))):
        assert refused(path, replica)[1].endswith(f"litetui {replica}")


def test_a_file_of_a_replica(root: Path) -> None:
    for pattern in ("*.snapshot.lz4", "*.wal.lz4"):
        cause, hint = refused(next(root.rglob(pattern)), root)
        assert "one file of a replica" in cause
        assert hint.endswith(f"litetui {root}")


def test_the_folder_above(root: Path) -> None:
    cause, hint = refused(root.parent, root)
    assert "above a replica" in cause
    assert hint.endswith(f"litetui {root}")
    write_replica(root.parent / "second", usual_history(1, 1))
    assert "2 replicas" in refused(root.parent)[0]


def test_a_replica_of_v05(tmp_path: Path) -> None:
    (tmp_path / "ltx/0").mkdir(parents=True)
    cause, hint = refused(tmp_path)
    assert "v0.5" in cause
    assert f"litetui ltx {tmp_path}" in hint


def test_any_other_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("text")
    assert "a file (4 bytes)" in refused(path)[0]


def test_a_path_of_nonsense() -> None:
    with pytest.raises(LitetuiError):
        open_replica("/dev/null/x")
    with pytest.raises(LitetuiError):
        open_replica("x" * 5000)
    with pytest.raises(LitetuiError):
        open_replica("a\0b")


# ---- no permission, as somebody who has none


_AS_NOBODY = """
import contextlib, io, os, sys
from litetui.cli import run
# Python itself may lie where nobody can read: all that these commands load is loaded before, by using them.
warm = sys.argv.pop(1)
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    for args in (["info", warm], ["generations", warm], ["restore", warm, "-o", warm + ".db"], ["info", "/dev/null"]):
        run(args)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(run(sys.argv[1:]))
"""


def as_nobody(*args: object) -> str:
    """What a command line prints when it runs without root's rights."""
    env = {**os.environ, "PYTHONPATH": str(Path(litetui.__file__).parent.parent)}
    with tempfile.TemporaryDirectory() as folder:
        warm = write_replica(Path(folder) / "warm", usual_history(2, 2)).root
        command = [sys.executable, "-c", _AS_NOBODY, str(warm), *map(str, args)]
        result = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=env)
    assert "Traceback" not in result.stderr, result.stderr
    assert "unexpected" not in result.stderr, result.stderr
    return result.stdout + result.stderr


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Not pytest's own: every worker that starts closes that one to others again."""
    with tempfile.TemporaryDirectory(prefix="litetui-test-") as folder:
        yield Path(folder)


@pytest.fixture
def open_path(root: Path) -> Callable[[], None]:
    """Lets others into the temporary folders above the replica."""

    def let_in() -> None:
        for folder in [root, *root.parents]:
            if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
                folder.chmod(0o755)

    return let_in


def test_no_permission_names_owner_mode_and_the_way(root: Path, open_path: Callable[[], None]) -> None:
    open_path()
    for folder in (root, root / "generations"):
        folder.chmod(0o000)
        text = as_nobody("info", root)
        folder.chmod(0o755)
        assert text.startswith("Error: ")
        assert "permission denied" in text
        assert f"{folder} belongs to " in text
        assert "mode 0" in text
        assert "Try: run it as its owner: sudo -u" in text


def test_a_generation_that_cannot_be_read_is_shown_and_the_rest_too(root: Path, open_path: Callable[[], None]) -> None:
    history = usual_history(1, 2, seed=3)
    write_replica(root, history, generation="a" * 16)
    open_path()
    for folder in (root / "generations" / GENERATION, root / "generations" / GENERATION / "wal"):
        folder.chmod(0o000)
        text = as_nobody("info", root)
        listed = as_nobody("generations", root)
        restored = as_nobody("restore", root, "-o", "/tmp/litetui-never.db", "--dry-run")
        other = as_nobody("restore", root, "-o", "/tmp/litetui-never.db", "--generation", "a" * 16, "--dry-run")
        folder.chmod(0o755)
        assert "unreadable" in text
        assert "permission denied" in text
        assert "mode 0" in text
        assert "a" * 16 in listed
        assert GENERATION in listed
        assert restored.startswith("Error: "), "what cannot be read may be newer"
        assert "Try: " in restored
        assert f"{'a' * 16}/00000000:{history.ends(0)[-1]}" in other


def test_a_file_that_cannot_be_read_fails_the_restore_with_a_hint(
    root: Path, open_path: Callable[[], None], tmp_path: Path
) -> None:
    open_path()
    path = next(root.rglob("00000001_00000000.wal.lz4"))
    path.chmod(0o000)
    out = tmp_path / "writable"
    out.mkdir()
    out.chmod(0o777)
    text = as_nobody("restore", root, "-o", out / "o.db")
    assert text.startswith("Error: ")
    assert str(path) in text
    assert "permission denied" in text
    assert "Try: run it as its owner" in text
    assert list(out.iterdir()) == []


def test_an_output_folder_that_is_not_ours(root: Path, open_path: Callable[[], None], tmp_path: Path) -> None:
    open_path()
    text = as_nobody("restore", root, "-o", tmp_path / "o.db")
    assert "not writable" in text
    assert "Try: " in text
