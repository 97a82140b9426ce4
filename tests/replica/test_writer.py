"""Writing into a replica: whole files under final names or none, the database's mode and owner, errors in words."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lz4.frame
import pytest

from litetui.errors import OutputError
from litetui.files import Owner
from litetui.replica import writer as module
from litetui.replica.writer import ReplicaWriter
from tests.build import GENERATION

NOBODY = 65534


@pytest.fixture
def writer(tmp_path: Path) -> ReplicaWriter:
    made = ReplicaWriter(str(tmp_path / "replica"))
    made.create()
    return made


def tree(writer: ReplicaWriter) -> dict[str, bytes]:
    """Every file of the generation, by its path in it."""
    folder = Path(writer.root, "generations", GENERATION)
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def failing(error: Exception) -> Iterator[bytes]:
    """One block, then an error."""
    yield b"some bytes"
    raise error


# ---- whole or not at all


def test_a_segment_is_one_lz4_frame_as_litestream_writes_it(writer: ReplicaWriter) -> None:
    writer.segment(GENERATION, 0x1F, 0x1038, [b"first", b"", b"second" * 1000])
    ((name, data),) = tree(writer).items()
    assert name == "wal/0000001f_00001038.wal.lz4"
    # Independent blocks of at most 4 MiB, content checksum, no size: FORMAT-v0.3, section 2.2.
    assert data[:7].hex() == "04224d186470b9"
    assert data[-8:-4] == b"\0\0\0\0"
    assert lz4.frame.decompress(data) == b"first" + b"second" * 1000


@pytest.mark.parametrize(
    "error", [ValueError("none of the writer's"), OSError(errno.ENOSPC, "No space left on device")]
)
def test_what_fails_leaves_nothing(writer: ReplicaWriter, error: Exception) -> None:
    def snapshot() -> None:
        with writer.snapshot(GENERATION, 0, failing(error)):
            pytest.fail("it has failed before")

    cases: list[Callable[[], None]] = [
        lambda: writer.segment(GENERATION, 0, 0, failing(error)),
        lambda: writer.append(GENERATION, 1, 0, failing(error)),
        snapshot,
    ]
    for work in cases:
        with pytest.raises(ValueError if isinstance(error, ValueError) else OutputError):
            work()
    assert {name: len(data) for name, data in tree(writer).items()} in ({}, {"wal/00000001.wal": 0})


def test_a_snapshot_has_its_name_only_when_it_is_finished(writer: ReplicaWriter) -> None:
    with writer.snapshot(GENERATION, 7, [b"data"]) as finish:
        assert list(tree(writer)) == ["snapshots/00000007.snapshot.lz4.tmp"]
        os.utime(Path(writer.snapshot_folder(GENERATION), "00000007.snapshot.lz4.tmp"), ns=(1, 1))
        finish()
        assert list(tree(writer)) == ["snapshots/00000007.snapshot.lz4"]
    path = Path(writer.snapshot_folder(GENERATION), "00000007.snapshot.lz4")
    assert path.stat().st_mtime_ns > 10**18, "it counts from the moment when it has its name"
    with writer.snapshot(GENERATION, 8, [b"data"]):
        pass
    assert list(tree(writer)) == ["snapshots/00000007.snapshot.lz4"]
    with pytest.raises(KeyError), writer.snapshot(GENERATION, 9, [b"data"]):
        raise KeyError
    assert list(tree(writer)) == ["snapshots/00000007.snapshot.lz4"]


def test_every_file_is_on_the_disk_before_it_has_its_name(
    writer: ReplicaWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def watch(name: str, target: Callable[..., str]) -> None:
        real = getattr(os, name)

        def call(*args: Any, **more: Any) -> None:
            seen.append(f"{name} {os.path.basename(target(*args))}")
            real(*args, **more)

        monkeypatch.setattr(os, name, call)

    watch("fsync", lambda fd: os.readlink(f"/proc/self/fd/{fd}"))
    watch("rename", lambda _, new: new)
    watch("unlink", lambda path: path)
    writer.segment(GENERATION, 0, 0, [b"x"])
    assert seen[-3:] == ["fsync 00000000_00000000.wal.lz4.tmp", "rename 00000000_00000000.wal.lz4", "fsync wal"]
    writer.append(GENERATION, 1, 0, [b"x" * 40])
    assert seen[-2:] == ["fsync 00000001.wal", "fsync wal"]
    seen.clear()
    writer.compress(GENERATION, 1)
    assert seen == [
        "fsync 00000001.wal.lz4.tmp", "rename 00000001.wal.lz4", "fsync wal", "unlink 00000001.wal", "fsync wal",
    ]  # fmt: skip


# ---- plain WALs


def test_an_append_begins_where_it_is_told(writer: ReplicaWriter) -> None:
    writer.append(GENERATION, 0, 0, [b"0123456789"])
    writer.append(GENERATION, 0, 10, [b"ab", b"cd"])
    assert tree(writer) == {"wal/00000000.wal": b"0123456789abcd"}
    writer.append(GENERATION, 0, 12, [b"XY"])  # a crash had left two bytes
    assert tree(writer) == {"wal/00000000.wal": b"0123456789abXY"}
    with pytest.raises(ValueError):
        writer.append(GENERATION, 0, 14, failing(ValueError()))
    assert tree(writer) == {"wal/00000000.wal": b"0123456789abXY"}
    writer.cut(GENERATION, 0, 4)
    assert tree(writer) == {"wal/00000000.wal": b"0123"}


@pytest.mark.parametrize("left", [None, 4])
def test_an_append_to_less_than_there_must_be_is_refused(writer: ReplicaWriter, left: int | None) -> None:
    writer.append(GENERATION, 0, 0, [b"0123456789"])
    path = Path(writer.wal_folder(GENERATION), "00000000.wal")
    if left is None:
        path.unlink()
    else:
        os.truncate(path, left)
    with pytest.raises(OutputError):
        writer.append(GENERATION, 0, 10, [b"ab"])


def test_a_finished_wal_keeps_its_time(writer: ReplicaWriter) -> None:
    data = os.urandom(3_000_000)
    writer.append(GENERATION, 0, 0, [data])
    plain = Path(writer.wal_folder(GENERATION), "00000000.wal")
    os.utime(plain, ns=(1_600_000_000_123_456_789,) * 2)
    writer.compress(GENERATION, 0)
    ((name, stored),) = tree(writer).items()
    assert name == "wal/00000000.wal.lz4"
    assert plain.with_suffix(".wal.lz4").stat().st_mtime_ns == 1_600_000_000_123_456_789
    assert lz4.frame.decompress(stored) == data


def test_temporary_files_of_a_generation_are_removed_and_nothing_else(writer: ReplicaWriter) -> None:
    writer.segment(GENERATION, 0, 0, [b"x"])
    for name in ("wal/00000000_00000001.wal.lz4.tmp", "snapshots/00000000.snapshot.lz4.tmp", "wal/notes.txt"):
        path = Path(writer.root, "generations", GENERATION, name)
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert len(writer.remove_temporary()) == 2
    assert sorted(tree(writer)) == ["wal/00000000_00000000.wal.lz4", "wal/notes.txt"]
    assert writer.remove_temporary() == []


# ---- mode and owner


@pytest.mark.parametrize(("mode", "folder_mode"), [(0o600, 0o700), (0o640, 0o750), (0o664, 0o775), (0o666, 0o777)])
def test_mode_and_owner_are_the_databases(tmp_path: Path, mode: int, folder_mode: int) -> None:
    root = os.geteuid() == 0
    owner = Owner(mode, NOBODY, NOBODY) if root else Owner(mode, os.getuid(), os.getgid())
    writer = ReplicaWriter(str(tmp_path / "replica"))
    writer.owner = owner
    writer.create()
    writer.segment(GENERATION, 0, 0, [b"x"])
    writer.append(GENERATION, 1, 0, [b"x"])
    writer.append(GENERATION, 2, 0, [b"x"])
    writer.compress(GENERATION, 2)
    with writer.snapshot(GENERATION, 0, [b"x"]) as finish:
        finish()
    made = [tmp_path / "replica", *(tmp_path / "replica").rglob("*")]
    assert len(made) == 1 + 4 + 4
    for path in made:
        info = path.stat()
        assert info.st_mode & 0o777 == (folder_mode if path.is_dir() else mode), path
        assert (info.st_uid, info.st_gid) == (owner.uid, owner.gid), path


# ---- refused


def test_another_writer_is_kept_out(writer: ReplicaWriter) -> None:
    code = "import fcntl, os, sys; fd = os.open(sys.argv[1], 0); fcntl.flock(fd, 2); print(1, flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, writer.root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline()
    with pytest.raises(OutputError, match="another litetui writes into it") as caught, writer.locked():
        pytest.fail("not reached")
    assert caught.value.hint
    other.communicate("\n")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with writer.locked():
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_new_replica_needs_the_folder_above_it(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the folder above it does not exist") as caught:
        ReplicaWriter(str(tmp_path / "no/replica")).create()
    assert caught.value.hint == f"mkdir -p {tmp_path / 'no'}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EACCES, "run litetui as a user"),
        (errno.EROFS, "remount"),
        (errno.EIO, "check it"),
        (errno.ESTALE, "check the mount"),
    ],
)
def test_an_error_of_the_system_says_where_and_what_to_do(
    writer: ReplicaWriter, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    def fail(fd: int, data: bytes) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, "write_all", fail)
    with pytest.raises(OutputError, match=os.strerror(number)) as caught:
        writer.segment(GENERATION, 3, 32, [b"x"])
    assert caught.value.path == f"{writer.wal_folder(GENERATION)}/00000003_00000020.wal.lz4"
    assert hint in (caught.value.hint or "")
    with pytest.raises(OutputError) as caught:
        writer.append(GENERATION, 3, 0, [b"x"])
    assert caught.value.path == f"{writer.wal_folder(GENERATION)}/00000003.wal"


def test_a_folder_that_vanishes_is_said_to_be_gone(writer: ReplicaWriter) -> None:
    os.rename(writer.root, writer.root + ".away")
    with pytest.raises(OutputError, match="folder is gone") as caught, writer.locked():
        pytest.fail("not reached")
    assert "is its disk mounted" in (caught.value.hint or "")
