"""Following a replica's folders: only what changed is looked at, and the picture is that of a whole listing."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from litetui.errors import ChangedError, UnreadableError
from litetui.replica.file import FileReplica
from litetui.replica.glance import Glance, glance
from litetui.replica.inotify import Inotify
from litetui.replica.ltx import LTXReplica
from litetui.replica.storage import LocalStorage
from litetui.replica.watch import LOCAL, ReplicaWatch, file_system
from tests.build import GENERATION, compress, usual_history, write_replica

OTHER = "00112233445566ff"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(write_replica(tmp_path / "replica", usual_history()).root)


@pytest.fixture
def watch(root: Path) -> Iterator[ReplicaWatch]:
    one = ReplicaWatch(FileReplica(root))
    one.begin()
    if one.fd is None:
        pytest.skip(f"no inotify here: {one.why_polling}")
    one.refresh()
    yield one
    one.close()


def put(path: Path, content: bytes = b"x", mtime_ns: int | None = None) -> None:
    """As Litestream does it: under another name first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    if mtime_ns is not None:
        os.utime(temporary, ns=(mtime_ns, mtime_ns))
    temporary.rename(path)


def same(one: FileReplica, other: FileReplica) -> bool:
    """Whether two know the same of a folder."""
    if one.generations() != other.generations():
        return False
    return all(
        one.snapshots(g) == other.snapshots(g)
        and one.wals(g).same_files(other.wals(g))
        and np.array_equal(one.wals(g).size, other.wals(g).size)
        and np.array_equal(one.wals(g).mtime_ns, other.wals(g).mtime_ns)
        and one.foreign(g) == other.foreign(g)
        for g in one.generations()
    )


def the_replica(watch: ReplicaWatch) -> FileReplica:
    assert isinstance(watch.replica, FileReplica)
    return watch.replica


def test_nothing_new(watch: ReplicaWatch) -> None:
    assert not watch.refresh()


def test_a_new_segment_is_found_without_a_listing(root: Path, watch: ReplicaWatch) -> None:
    replica = the_replica(watch)
    before = len(replica.wals(GENERATION))
    put(root / f"generations/{GENERATION}/wal/00000009_00000000.wal.lz4", compress(b"x"))
    with patch.object(replica.storage, "names", side_effect=AssertionError("listed")):
        assert watch.refresh()
    assert len(replica.wals(GENERATION)) == before + 1
    assert not watch.refresh()
    assert same(replica, FileReplica(root))


def test_temporary_and_foreign_files_come_and_go(root: Path, watch: ReplicaWatch) -> None:
    replica = the_replica(watch)
    path = root / f"generations/{GENERATION}/wal/00000009_00000000.wal.lz4.tmp"
    path.write_bytes(b"x")
    assert watch.refresh()
    assert len(replica.foreign(GENERATION)) == 1
    path.unlink()
    assert watch.refresh()
    assert replica.foreign(GENERATION) == []


def test_snapshots_and_generations(root: Path, watch: ReplicaWatch) -> None:
    replica = the_replica(watch)
    put(root / f"generations/{GENERATION}/snapshots/00000002.snapshot.lz4", compress(b"x"))
    assert watch.refresh()
    assert replica.max_snapshot_index(GENERATION) == 2
    put(root / f"generations/{OTHER}/snapshots/00000000.snapshot.lz4", compress(b"y"))
    put(root / f"generations/{OTHER}/wal/00000000_00000000.wal.lz4", compress(b"y"))
    assert watch.refresh()
    put(root / f"generations/{OTHER}/wal/00000001_00000000.wal.lz4", compress(b"y"))
    with patch.object(replica.storage, "names", side_effect=AssertionError("listed")):
        assert watch.refresh()
    assert same(replica, FileReplica(root))
    shutil.rmtree(root / f"generations/{OTHER}")
    assert watch.refresh()
    assert replica.generations() == [GENERATION]


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_changes_gives_what_a_listing_gives(root: Path, watch: ReplicaWatch, seed: int) -> None:
    dice = random.Random(seed)
    replica, folder = the_replica(watch), root / f"generations/{GENERATION}/wal"
    names = [f"{index:08x}_{offset:08x}.wal.lz4" for index in range(6) for offset in (0, 4152, 8272)]
    names += ["00000007.wal.lz4", "nonsense", "00000003_00001038.wal", "0000000A_00000000.wal.lz4"]
    for _ in range(12):
        for name in dice.sample(names, dice.randint(1, 5)):
            if (folder / name).exists() and dice.random() < 0.5:
                (folder / name).unlink()
            else:
                put(folder / name, compress(dice.randbytes(dice.randint(1, 99))), dice.randrange(10**18))
        watch.refresh()
        assert same(replica, FileReplica(root))


def test_a_replica_that_goes_and_comes_back(root: Path, watch: ReplicaWatch) -> None:
    replica, aside = the_replica(watch), root.with_name("aside")
    before = len(replica.wals(GENERATION))
    root.rename(aside)
    for _ in range(4):
        with pytest.raises(ChangedError, match="not mounted"):
            watch.refresh()
    assert len(replica.wals(GENERATION)) == before  # what was seen stays
    aside.rename(root)
    watch.refresh()
    put(root / f"generations/{GENERATION}/wal/00000009_00000000.wal.lz4", compress(b"x"))
    assert watch.refresh()
    assert len(replica.wals(GENERATION)) == before + 1


def test_an_empty_mount_point_is_no_empty_replica(root: Path, watch: ReplicaWatch) -> None:
    shutil.move(root / "generations", root.with_name("aside"))
    with pytest.raises(ChangedError, match="not mounted"):
        watch.refresh()
    assert the_replica(watch).generations() == [GENERATION]


def test_a_replica_of_v05_beside_is_followed_too(root: Path, watch: ReplicaWatch) -> None:
    (root / "ltx/0").mkdir(parents=True)
    assert watch.refresh()
    (root / "ltx/0/0000000000000001-0000000000000001.ltx").write_bytes(b"x")
    assert watch.refresh()
    beside = the_replica(watch).ltx
    assert beside is not None
    assert len(beside.table) == 1


def test_levels(tmp_path: Path) -> None:
    level = tmp_path / "ltx/0"
    level.mkdir(parents=True)
    for txid in (1, 2):
        (level / f"{txid:016x}-{txid:016x}.ltx").write_bytes(b"x")
    replica = LTXReplica(tmp_path)
    assert glance(replica) == [Glance("0", 0, 2)]
    watch = ReplicaWatch(replica)
    watch.begin()
    assert watch.refresh()
    (level / f"{3:016x}-{3:016x}.ltx").write_bytes(b"x")
    (level / f"{1:016x}-{1:016x}.ltx").unlink()
    assert watch.refresh()
    assert replica.table.max_txid.tolist() == [2, 3]
    shutil.rmtree(tmp_path / "ltx")
    with pytest.raises(ChangedError):
        watch.refresh()
    watch.close()


def test_where_the_kernel_does_not_tell_folders_are_looked_at(root: Path, tmp_path: Path) -> None:
    for kind, why in (("nfs4", "nfs4"), ("fuse.sshfs", "fuse.sshfs"), ("", "unknown file system")):
        with patch("litetui.replica.watch.file_system", return_value=kind):
            watch = ReplicaWatch(FileReplica(root))
            watch.begin()
        assert (watch.why_polling, watch.fd) == (why, None)
        watch.refresh()
        put(root / f"generations/{GENERATION}/wal/0000000{len(kind)}_00aa0000.wal.lz4", compress(b"x"))
        assert watch.refresh()
        assert not watch.refresh()


@pytest.mark.parametrize("where", ["__init__", "follow"])
def test_without_watches_to_give_it_is_polled(root: Path, where: str) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    with patch.object(Inotify, where, side_effect=error):
        watch = ReplicaWatch(FileReplica(root))
        watch.begin()
        watch.refresh()
    assert (watch.why_polling, watch.fd) == ("no watches left", None)
    put(root / f"generations/{GENERATION}/wal/00000009_00000000.wal.lz4", compress(b"x"))
    assert watch.refresh()


def test_lost_events_lead_to_a_listing(root: Path, watch: ReplicaWatch) -> None:
    assert watch.fd is not None
    notes = watch._inotify
    assert notes is not None
    overflow = (-1).to_bytes(4, "little", signed=True) + (0x4000).to_bytes(4, "little") + bytes(8)
    put(root / f"generations/{GENERATION}/wal/00000009_00000000.wal.lz4", compress(b"x"))
    notes.take()
    with patch("os.read", side_effect=[overflow, BlockingIOError]):
        assert watch.refresh()
    assert same(the_replica(watch), FileReplica(root))


def test_file_systems_by_their_mounts(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    inside = tmp_path / "a b"
    lines = [
        "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
        f"30 22 0:40 / {tmp_path}/a\\040b rw - nfs4 host:/x rw",
        f"31 30 0:41 / {tmp_path}/a\\040b/c rw shared:1 - fuse.sshfs host:/y rw",
        f"32 22 0:42 / {tmp_path}/over rw - ext4 /dev/x rw",
        f"33 32 0:43 / {tmp_path}/over rw - 9p host rw",
    ]
    mounts.write_text("\n".join(lines) + "\n")
    for path, kind in (
        (tmp_path, "ext4"),
        (inside, "nfs4"),
        (inside / "replica", "nfs4"),
        (inside / "c/replica", "fuse.sshfs"),
        (tmp_path / "a bc", "ext4"),
        (tmp_path / "over/x", "9p"),
    ):
        assert file_system(str(path), str(mounts)) == kind, path
    assert file_system("/", str(tmp_path / "none")) == ""
    assert "nfs4" not in LOCAL


def test_a_whole_look_sees_what_was_overwritten_in_place(watch: ReplicaWatch, root: Path) -> None:
    first = sorted((root / "generations" / GENERATION / "wal").iterdir())[0]
    first.write_bytes(first.read_bytes() + b"x")  # the time of its folder stays
    assert watch.refresh(whole=True)
    assert isinstance(watch.replica, FileReplica)
    assert same(watch.replica, FileReplica(root))


def test_a_glance_passes_over_what_cannot_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "generations" / OTHER).write_bytes(b"a file with the name of a generation")
    replica = FileReplica(root)
    assert [one.name for one in glance(replica)] == [GENERATION]
    listed = LocalStorage.names

    def names(self: LocalStorage, folder: str) -> list[str]:
        if folder.endswith("/wal"):
            raise UnreadableError("read", "permission denied", path=folder)
        return listed(self, folder)

    monkeypatch.setattr(LocalStorage, "names", names)
    assert [(one.snapshots > 0, one.files) for one in glance(replica)] == [(True, 0)]


def test_a_folder_that_may_be_read_again_is_told(watch: ReplicaWatch, root: Path) -> None:
    wals = root / "generations" / GENERATION / "wal"
    with patch.object(LocalStorage, "stat_many", side_effect=UnreadableError("read", "permission denied")):
        os.utime(wals)
        put(wals / "00000009_00000000.wal.lz4")
        assert watch.refresh()
    replica = watch.replica
    assert isinstance(replica, FileReplica)
    assert replica.problems(GENERATION)
    wals.chmod(0o700)
    assert watch.refresh()
    assert not replica.problems(GENERATION)


def test_a_glance_counts_names(root: Path) -> None:
    (root / "generations/no-generation").mkdir()
    replica = FileReplica(root)
    one = glance(replica)[0]
    assert (one.name, one.snapshots) == (GENERATION, len(replica.snapshots(GENERATION)))
    assert (one.files, one.indexes) == (len(replica.wals(GENERATION)), len(replica.wals(GENERATION).indexes()))
