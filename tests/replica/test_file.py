"""FileReplica: what it counts, what it leaves alone, what changes under it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from litetui.errors import DamageError, NoSuchTargetError, UnreadableError
from litetui.ops.survey import survey
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from litetui.replica.storage import LocalStorage
from litetui.replica.types import Pos
from tests.build import GENERATION, SECOND, T0, Builder, History, compress, usual_history, write_replica


@pytest.fixture
def history() -> History:
    return usual_history()


@pytest.fixture(params=["segments", "whole"])
def builder(request: pytest.FixtureRequest, tmp_path: Path, history: History) -> Builder:
    return write_replica(tmp_path / "r", history, layout=request.param)


def names(replica: FileReplica) -> list[str]:
    table = replica.wals(GENERATION)
    return [table.name(i) for i in range(len(table))]


def test_counts_sizes_and_times(builder: Builder) -> None:
    files = [p for p in builder.folder.rglob("*") if p.is_file()]
    stats = open_replica(builder.root).generation_stats(GENERATION)
    assert stats.snapshots == 1
    assert stats.wal_files == len(files) - 1
    assert stats.size == sum(p.stat().st_size for p in files)
    assert stats.created_ns == T0
    assert stats.updated_ns == T0 + (len(files) - 1) * SECOND


def test_the_newest_generation_comes_first(tmp_path: Path, history: History) -> None:
    for n, generation in enumerate(["c" * 16, "a" * 16, "b" * 16]):
        write_replica(tmp_path, history, generation=generation, start_ns=T0 + n * 1000 * SECOND)
    assert open_replica(tmp_path).generations() == ["b" * 16, "a" * 16, "c" * 16]


def test_position(builder: Builder, history: History) -> None:
    replica = open_replica(builder.root)
    assert replica.calc_pos(GENERATION) == Pos(GENERATION, 2, history.ends(2)[-1])


def test_a_position_is_frame_aligned(tmp_path: Path, history: History) -> None:
    builder = write_replica(tmp_path / "r", history, layout="whole")
    wal = bytes(history.wals[2])
    for size, offset in ((len(wal) - 1, len(wal) - 536), (32 + 535, 32), (32, 32), (31, 0), (0, 0)):
        builder.whole(2, wal[:size], plain=True)
        assert open_replica(builder.root).calc_pos(GENERATION) == Pos(GENERATION, 2, offset)


def test_a_snapshot_alone(tmp_path: Path, history: History) -> None:
    builder = Builder(tmp_path)
    builder.snapshot(7, history.database)
    replica = open_replica(tmp_path)
    assert replica.calc_pos(GENERATION) == Pos(GENERATION, 7, 0)
    assert replica.max_snapshot_index(GENERATION) == 7


def test_readers_give_the_content_whatever_its_pieces(builder: Builder, history: History) -> None:
    replica = open_replica(builder.root)
    for index in range(3):
        assert b"".join(replica.wal_reader(GENERATION, index)) == bytes(history.wals[index])
    assert b"".join(replica.snapshot_reader(GENERATION, 0)) == history.states[0, 0]
    with pytest.raises(NoSuchTargetError):
        replica.wal_reader(GENERATION, 3)
    with pytest.raises(NoSuchTargetError):
        replica.snapshot_reader(GENERATION, 1)
    with pytest.raises(NoSuchTargetError):
        replica.wals("0" * 16)


def test_segments_that_do_not_join_are_damage(tmp_path: Path, history: History) -> None:
    builder = write_replica(tmp_path / "r", history)
    (builder.folder / f"wal/00000001_{history.ends(1)[1]:08x}.wal.lz4").unlink()
    with pytest.raises(DamageError) as caught:
        b"".join(open_replica(builder.root).wal_reader(GENERATION, 1))
    assert caught.value.code == "missing-segment"


def test_indexes_by_time_have_inclusive_bounds(tmp_path: Path, history: History) -> None:
    builder = write_replica(tmp_path / "r", history, layout="whole")
    builder.snapshot(2, history.states[2, 0], T0 + 10 * SECOND)
    replica = open_replica(builder.root)
    assert replica.snapshot_index_at(GENERATION, T0) == 0
    assert replica.snapshot_index_at(GENERATION, T0 + 10 * SECOND - 1) == 0
    assert replica.snapshot_index_at(GENERATION, T0 + 10 * SECOND) == 2
    with pytest.raises(NoSuchTargetError):
        replica.snapshot_index_at(GENERATION, T0 - 1)
    assert replica.wal_index_at(GENERATION, 2, T0 + 2 * SECOND) == 1
    assert replica.wal_index_at(GENERATION, 1, T0 + 9 * SECOND) == 1
    assert replica.wal_index_at(GENERATION, 2, T0 + 2 * SECOND - 1) == 0
    for index, ns in ((2, T0), (3, T0 + 9 * SECOND)):
        with pytest.raises(NoSuchTargetError):
            replica.wal_index_at(GENERATION, index, ns)


# ---- what is no data


def test_foreign_files_are_left_alone_and_named(builder: Builder, history: History) -> None:
    before = names(open_replica(builder.root))
    for name in ("garbage.txt", "0000000A.wal", "00000009.wal.lz4.tmp", "0000001.wal", "\udcff.wal"):
        builder.put(f"wal/{name}", b"x")
    builder.put("snapshots/00000001.snapshot.lz4.tmp", b"x")
    (builder.root / "generations/NOTAGEN").mkdir()
    (builder.root / "generations/0123456789abcdef").touch()
    replica = open_replica(builder.root)
    assert replica.generations() == [GENERATION]
    assert names(replica) == before
    assert {p.rpartition("/")[2] for p in replica.foreign(GENERATION)} == {
        "garbage.txt", "0000000A.wal", "00000009.wal.lz4.tmp", "0000001.wal", "\udcff.wal",
        "00000001.snapshot.lz4.tmp",
    }  # fmt: skip
    found = survey(replica, T0)
    assert found.generations[0].restorable
    assert {f.code for f in found.findings} == {"unknown-file", "temporary-file"}
    assert not any(f.severity == "error" for f in found.findings)


def test_a_form_that_the_layout_never_uses_is_data_only_if_it_is_what_its_name_says(
    builder: Builder, history: History
) -> None:
    before = names(open_replica(builder.root))
    segments = before[0].count("_") == 1
    builder.put("snapshots/00000001.snapshot", b"no database at all")
    builder.put("snapshots/00000002.snapshot", history.states[2, 0])
    other = f"wal/00000001{'' if segments else '_00000000'}.wal.lz4"
    builder.put(other, compress(b"no WAL at all, just some text of more than 32 bytes"))
    replica = open_replica(builder.root)
    assert [s.index for s in replica.snapshots(GENERATION)] == [0, 2]
    assert names(replica) == before
    builder.put(other, compress(bytes(history.wals[1])))
    assert len(names(open_replica(builder.root))) == len(before) + 1
    assert open_replica(builder.root).layout() == "Litestream v0.3, both layouts"


def test_the_layouts_own_form_is_always_data(builder: Builder) -> None:
    path = next((builder.folder / "wal").glob("00000001*"))
    builder.put(f"wal/{path.name}", b"damaged beyond all knowing")
    assert path.name in names(open_replica(builder.root))


@pytest.mark.parametrize("name", ["wal/00000077.wal.lz4", "snapshots/00000077.snapshot.lz4"])
def test_what_only_has_the_name_of_a_file_is_unreadable(builder: Builder, name: str) -> None:
    path = builder.folder / name
    path.mkdir()
    assert [(f.code, f.path) for f in open_replica(builder.root).problems(GENERATION)] == [("unreadable", str(path))]
    path.rmdir()
    path.symlink_to("nowhere")
    replica = open_replica(builder.root)
    assert [(f.code, f.path) for f in replica.problems(GENERATION)] == [("unreadable", str(path))]
    assert replica.foreign(GENERATION) == []


def test_a_fifo_under_a_wals_name_holds_nobody(builder: Builder) -> None:
    path = builder.folder / "wal/00000003.wal.lz4"
    os.mkfifo(path)
    replica = open_replica(builder.root)
    assert path.name not in names(replica)
    assert [f.path for f in replica.problems(GENERATION)] == [str(path)]
    known = next((builder.folder / "wal").glob("00000001*"))
    info = next(i for i in (replica.wals(GENERATION)[r] for r in range(len(names(replica)))) if i.name == known.name)
    known.unlink()
    os.mkfifo(known)
    with pytest.raises(UnreadableError, match="no regular file"):
        list(replica.read_wal_file(info))


# ---- what changes


def test_refresh_sees_what_came_went_and_grew(tmp_path: Path, history: History) -> None:
    builder = write_replica(tmp_path / "r", history, layout="whole")
    replica = open_replica(builder.root)
    assert not replica.refresh()
    wal = builder.folder / "wal/00000002.wal"
    data = wal.read_bytes()
    with wal.open("ab") as file:
        file.write(data[32:])
    assert replica.refresh()
    assert replica.wals(GENERATION)[2].size == len(data) * 2 - 32
    assert not replica.refresh()
    builder.snapshot(2, history.states[2, 0])
    assert replica.refresh()
    assert [s.index for s in replica.snapshots(GENERATION)] == [0, 2]
    (builder.folder / "wal/00000000.wal.lz4").unlink()
    assert replica.refresh()
    assert replica.wals(GENERATION).indexes().tolist() == [1, 2]
    write_replica(builder.root, usual_history(1, 1), generation="a" * 16)
    assert replica.refresh()
    assert sorted(replica.generations()) == sorted([GENERATION, "a" * 16])
    for path in sorted((builder.root / "generations" / ("a" * 16)).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (builder.root / "generations" / ("a" * 16)).rmdir()
    assert replica.refresh()
    assert replica.generations() == [GENERATION]


def test_a_refresh_keeps_the_table_that_a_reader_holds(tmp_path: Path, history: History) -> None:
    builder = write_replica(tmp_path / "r", history)
    replica = open_replica(builder.root)
    table = replica.wals(GENERATION)
    builder.segment(3, 0, b"x")
    replica.refresh()
    assert len(replica.wals(GENERATION)) == len(table) + 1


def test_files_that_vanish_while_they_are_read(builder: Builder) -> None:
    replica = open_replica(builder.root)
    for path in builder.folder.rglob("*.lz4"):
        path.unlink()
    with pytest.raises(UnreadableError, match="not there any more") as caught:
        list(replica.snapshot_reader(GENERATION, 0))
    assert "read the replica again" in (caught.value.hint or "")
    with pytest.raises(UnreadableError, match="not there any more"):
        list(replica.wal_reader(GENERATION, 0))


def test_a_growing_wal_is_read_as_far_as_it_was_known(tmp_path: Path, history: History) -> None:
    builder = write_replica(tmp_path / "r", history, layout="whole")
    replica = open_replica(builder.root)
    with (builder.folder / "wal/00000002.wal").open("ab") as file:
        file.write(b"more")
    assert b"".join(replica.wal_reader(GENERATION, 2)) == bytes(history.wals[2])
    (builder.folder / "wal/00000002.wal").write_bytes(b"shorter")
    with pytest.raises(UnreadableError, match="changed while it was read"):
        list(replica.wal_reader(GENERATION, 2))


def test_reading_never_writes(builder: Builder) -> None:
    def state() -> list[tuple[str, int, int]]:
        return sorted((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in builder.root.rglob("*"))

    before = state()
    replica = open_replica(builder.root)
    survey(replica, T0)
    for index in range(3):
        list(replica.wal_reader(GENERATION, index))
    replica.calc_pos(GENERATION)
    replica.refresh()
    assert state() == before


def test_a_plain_wal_that_is_compressed_meanwhile_is_read_as_far_as_it_was_known(
    tmp_path: Path, history: History
) -> None:
    builder = write_replica(tmp_path / "r", history, layout="whole")
    replica = open_replica(builder.root)
    wal = bytes(history.wals[2])
    (builder.folder / "wal/00000002.wal").unlink()
    with pytest.raises(UnreadableError, match="not there any more"):
        b"".join(replica.wal_reader(GENERATION, 2))
    packed = builder.whole(2, wal + wal[-536:])  # it had grown before
    assert b"".join(replica.wal_reader(GENERATION, 2)) == wal
    packed.write_bytes(packed.read_bytes()[:-1])
    with pytest.raises(DamageError):
        b"".join(replica.wal_reader(GENERATION, 2))


def test_a_wal_that_is_compressed_while_it_is_listed_is_not_missing(
    tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = write_replica(tmp_path / "r", history, layout="whole")
    plain = builder.folder / "wal/00000002.wal"
    real = LocalStorage.stat_many

    def stat_many(self: LocalStorage, folder: str, listing: Sequence[str]) -> object:
        if plain.exists() and plain.name in listing:
            plain.unlink()
            builder.whole(2, bytes(history.wals[2]))
        return real(self, folder, listing)

    monkeypatch.setattr(LocalStorage, "stat_many", stat_many)
    replica = open_replica(builder.root)
    assert replica.wals(GENERATION).indexes().tolist() == [0, 1, 2]
    assert replica.calc_pos(GENERATION) == Pos(GENERATION, 2, history.ends(2)[-1])


@pytest.mark.parametrize("damage", [b"", b"not lz4"])
def test_a_damaged_segment_of_an_upgraded_generation_is_data(tmp_path: Path, damage: bytes) -> None:
    """More whole WALs than segments: the segments are the generation's own all the same, as one of them shows."""
    history = usual_history(4, 3)
    builder = write_replica(tmp_path / "r", history, layout="whole")
    (builder.folder / "wal/00000003.wal").unlink()
    *_, last = builder.segments(3, bytes(history.wals[3]), history.ends(3))
    last.write_bytes(damage)
    replica = open_replica(builder.root)
    assert replica.foreign(GENERATION) == []
    assert len(replica.wals(GENERATION).rows_of(3)) == 3
    with pytest.raises(DamageError):
        b"".join(replica.wal_reader(GENERATION, 3))


def test_a_snapshot_in_two_forms(tmp_path: Path) -> None:
    history = usual_history(2, 2)
    builder = write_replica(tmp_path / "r", history)
    builder.snapshot(0, history.states[0, 0], plain=True)
    replica = open_replica(builder.root)
    assert [s.name for s in replica.snapshots(GENERATION)] == ["00000000.snapshot.lz4"]
    assert [s.name for s in replica.snapshot_files(GENERATION)] == ["00000000.snapshot", "00000000.snapshot.lz4"]
    assert replica.foreign(GENERATION) == []
