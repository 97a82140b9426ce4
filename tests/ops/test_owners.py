"""Whose a page is: asked of litetui and of SQLite, for states and for the transactions of WALs."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import numpy as np
import pytest

from litetui.errors import Cancelled, ChangedError, DamageError, NoSuchTargetError, OutputError
from litetui.format.dbheader import lock_page
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import owners, restore, wal_owners
from litetui.ops.frames import FrameTable, read_frames
from litetui.ops.owners import NOT_LOOKED, SCHEMA, UNKNOWN, Owner, page_owners
from litetui.ops.states import owners_at
from litetui.ops.target import Target
from litetui.ops.wal_owners import WALOwners
from litetui.replica.detect import open_any, open_replica
from litetui.replica.file import FileReplica
from litetui.replica.ltx import LTXReplica
from tests.build import GENERATION, History, write_replica
from tests.sqlite_wals import Real, anything, freelist_count, ltx_replica, pages_by_owner, real_replica, run

KINDS = {"t": "table", "u": "table", "i": "index", "s": "schema"}


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[str]:
    """A folder in which nothing may be left."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    yield str(folder)
    assert os.listdir(folder) == []


def owners_of(path: Path) -> list[Owner]:
    found = page_owners(str(path), CancelToken())
    assert not found.problem
    return [found.labels[code] for code in found.codes.tolist()]


def true_owner(name: str, kind: str) -> Owner:
    return Owner(name, "overflow" if kind == "overflow" else KINDS[name[0]])


def check_state(state: bytes, path: Path, page_size: int) -> None:
    path.write_bytes(state)
    found = owners_of(path)
    assert len(found) == len(state) // page_size
    truth = pages_by_owner(state)
    assert {page: true_owner(*owner) for page, owner in truth.items()} == {page: found[page - 1] for page in truth}
    others = [owner.kind for page, owner in enumerate(found, 1) if page not in truth]
    assert others.count("freelist") == freelist_count(state)
    assert set(others) <= {"freelist", "pointer map"}


# ---- a state


@pytest.mark.parametrize("auto_vacuum", [0, 1, 2])
@pytest.mark.parametrize("page_size", [512, 4096])
def test_all_pages_of_any_database_are_told(tmp_path: Path, page_size: int, auto_vacuum: int) -> None:
    script = [anything(random.Random(auto_vacuum), 60)]
    real = real_replica(tmp_path, script, page_size=page_size, auto_vacuum=auto_vacuum)
    for state in real.states[0][::15]:
        check_state(state, tmp_path / "state.db", page_size)


def test_the_page_of_the_lock_bytes_and_the_map_that_makes_way_for_it(tmp_path: Path) -> None:
    """A sparse file of a little over 1 GiB: SQLite never writes that page, and moves a pointer map that would be it."""
    path = tmp_path / "large.db"
    with closing(apsw.Connection(str(path))) as db:
        run(db, "pragma page_size = 65536", "pragma auto_vacuum = 1", "create table t (a)")
    count = lock_page(65536) + 3
    with open(path, "r+b") as file:
        file.truncate(count * 65536)
        file.seek(28)
        file.write(struct.pack(">I", count))
    found = [o.kind for o in owners_of(path)]
    assert found[lock_page(65536) - 1] == "lock page"
    assert found[:3] == ["schema", "pointer map", "table"]
    # With pages of 65536 a map comes every 13,108 pages: the second one in a file of this size at page 13,110.
    assert [n for n, kind in enumerate(found, 1) if kind == "pointer map"] == [2, 13110]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_names_are_data(tmp_path: Path, encoding: str) -> None:
    name = "[/x]\n\x1b[31m'\"Ä😀"
    quoted = name.replace('"', '""')
    real = real_replica(tmp_path, [[f'create table "{quoted}" (a)']], encoding=encoding)
    path = tmp_path / "state.db"
    path.write_bytes(real.states[0][0])
    assert owners_of(path) == [Owner(SCHEMA, "schema"), Owner(name, "table")]


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    real = real_replica(tmp_path, [["create table abcd (a)"]])
    path = tmp_path / "state.db"
    path.write_bytes(real.states[0][0].replace(b"abcd", b"a\xff\xc0d"))
    found = page_owners(str(path), CancelToken())
    assert found.labels[int(found.codes[0])].kind == "schema"
    assert "�" in found.labels[int(found.codes[1])].name or found.problem


def test_a_damaged_state_gives_what_can_be_found_and_says_so(tmp_path: Path) -> None:
    script = [["create table t (a)", "create table u (a)", *["insert into t values (zeroblob(300))"] * 20]]
    state = bytearray(real_replica(tmp_path, script).states[0][-1])
    truth = pages_by_owner(bytes(state))
    root_of_t = next(page for page, owner in truth.items() if owner == ("t", "internal"))
    state[(root_of_t - 1) * 512 : root_of_t * 512] = b"\xff" * 512
    path = tmp_path / "state.db"
    path.write_bytes(state)
    found = page_owners(str(path), CancelToken())
    assert found.labels[int(found.codes[0])] == Owner(SCHEMA, "schema")
    kinds = {found.labels[code].kind for code in found.codes.tolist()}
    assert "unknown" in kinds
    assert NOT_LOOKED.kind not in kinds


@pytest.mark.parametrize("data", [b"", b"\x8e" * 4096, b"SQLite format 3\0" + bytes(4080)])
def test_a_file_that_is_no_database_is_unknown(tmp_path: Path, data: bytes) -> None:
    """An encrypted one looks like this."""
    path = tmp_path / "state.db"
    path.write_bytes(data)
    found = page_owners(str(path), CancelToken(), pages=len(data) // 512)
    assert found.problem
    assert all(found.labels[code] == UNKNOWN for code in found.of([1, 2, 99]).tolist())


def test_a_freelist_that_leads_in_a_circle_ends(tmp_path: Path) -> None:
    script = [["create table t (a)", "insert into t values (zeroblob(20000))", "drop table t"]]
    state = bytearray(real_replica(tmp_path, script).states[0][-1])
    trunk = int.from_bytes(state[32:36], "big")
    state[(trunk - 1) * 512 : (trunk - 1) * 512 + 4] = struct.pack(">I", trunk)
    path = tmp_path / "state.db"
    path.write_bytes(state)
    assert owners_of(path).count(owners.FREELIST) > 1


def test_a_cancel_stops_it(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with closing(apsw.Connection(str(path))) as db:
        run(db, "pragma page_size = 512", "create table t (a)", "insert into t values (zeroblob(30000000))")
    cancel = CancelToken()
    told: list[int] = []

    def advance(done: int) -> None:
        told.append(done)
        cancel.cancel()

    with pytest.raises(Cancelled):
        page_owners(str(path), cancel, advance)
    assert len(told) == 1


# ---- the transactions of a WAL


def look(root: Path, index: int, scratch: str, *span: int) -> tuple[FrameTable, WALOwners]:
    replica = open_replica(root)
    frames = read_frames(replica, GENERATION, index)
    return frames, wal_owners.wal_owners(replica, frames, *span, scratch=scratch)


def check_frames(real: Real, index: int, frames: FrameTable, found: WALOwners, first: int = 0) -> None:
    """Every frame, against SQLite's word on the state behind its transaction."""
    done = frames.transactions
    assert len(done) == len(real.states[index])
    for n, state in enumerate(real.states[index]):
        truth = pages_by_owner(state)
        for frame in range(int(done.first_frame[n]), int(done.last_frame[n]) + 1):
            page, said = int(frames.pages[frame]), found.of_frame(frame)
            if n < first:
                assert said == NOT_LOOKED
            elif page in truth:
                assert said == true_owner(*truth[page]), (n, frame, page)
            else:
                assert said.kind in ("freelist", "pointer map"), (n, frame, page)


@pytest.mark.parametrize("seed", range(5))
def test_every_frame_has_the_owner_of_its_own_moment(tmp_path: Path, scratch: str, seed: int) -> None:
    """Pages change hands all the time here; SQLite is asked only where they may have."""
    rng = random.Random(seed)
    script = [anything(rng, 40), anything(rng, 60)]
    real = real_replica(
        tmp_path, script, auto_vacuum=seed % 3, layout="segments" if seed % 2 else "whole", base=["create table t (a)"]
    )
    for index in (0, 1):
        frames, found = look(real.root, index, scratch)
        assert not found.problem
        check_frames(real, index, frames, found)


def test_sqlite_is_asked_only_after_transactions_that_write_page_1(tmp_path: Path, scratch: str) -> None:
    rows = ["insert into t values (1, zeroblob(100))"] + [f"update t set b = zeroblob({n})" for n in range(30)]
    real = real_replica(tmp_path, [["create table t (a, b)", *rows, "create table u (a)", *rows[1:]]])
    replica = open_replica(real.root)
    frames = read_frames(replica, GENERATION, 0)
    assert wal_owners.looks(frames, 0, len(frames.transactions) - 1).tolist() == [0, 32]
    assert wal_owners.looks(frames, 5, 20).tolist() == [5]
    cost = wal_owners.cost(replica, frames)
    assert (cost.looks, cost.scratch_bytes, cost.bytes_to_look_through) == (2, 3 * 512, 2 * 3 * 512)
    assert cost.bytes_to_read == sum(path.stat().st_size for path in real.builder.folder.glob("*/*"))
    check_frames(real, 0, frames, wal_owners.wal_owners(replica, frames, scratch=scratch))


def test_some_transactions_and_then_the_others(tmp_path: Path, scratch: str) -> None:
    real = real_replica(tmp_path, [["create table t (a)"], anything(random.Random(5), 30)])
    replica = open_replica(real.root)
    frames = read_frames(replica, GENERATION, 1)
    last = len(frames.transactions) - 1
    one = wal_owners.wal_owners(replica, frames, 7, 7, scratch=scratch)
    at = frames.transactions.first_frame
    assert [one.looked_at(int(at[n])) for n in (6, 7, 8)] == [False, True, False]
    more = wal_owners.wal_owners(replica, frames, 8, last, known=one, scratch=scratch)
    check_frames(real, 1, frames, more, 7)
    every = wal_owners.wal_owners(replica, frames, 0, 6, known=more, scratch=scratch)
    check_frames(real, 1, frames, every)


def test_groups_count_each_page_of_a_transaction_once(tmp_path: Path, scratch: str) -> None:
    script = [
        ["create table users (a, b)", "create index by_a on users (a)"],
        ["insert into users values ('x', zeroblob(5000))", "delete from users"],
    ]
    frames, found = look(real_replica(tmp_path, script).root, 1, scratch)
    done = frames.transactions
    groups = [
        found.groups(int(a), int(b), frames.pages) for a, b in zip(done.first_frame, done.last_frame, strict=True)
    ]
    # 5000 bytes: 9 overflow pages of 508 bytes, and the rest in the leaf; page 1 tells how many pages there are.
    assert groups[0] == [("users", 10), ("sqlite_schema", 1), ("by_a", 1)]
    assert dict(groups[1]) == {"sqlite_schema": 1, "users": 1, "by_a": 1, "freelist": 1}


def test_a_wal_that_grew_keeps_what_is_known(tmp_path: Path, scratch: str) -> None:
    real = real_replica(tmp_path, [anything(random.Random(2), 20)], layout="whole")
    replica = open_replica(real.root)
    frames = read_frames(replica, GENERATION, 0)
    half = wal_owners.wal_owners(replica, frames, 0, 9, scratch=scratch)
    short = half.resized(int(frames.transactions.last_frame[9]) + 1)
    more = wal_owners.wal_owners(replica, frames, 10, known=short, scratch=scratch)
    check_frames(real, 0, frames, more)


def test_a_snapshot_that_holds_later_transactions(tmp_path: Path, scratch: str) -> None:
    """What was before it cannot be told, and that is said."""
    base = [f"create table t{n} (a)" for n in range(8)]
    real = real_replica(tmp_path, [[f"insert into t{n} values ({n})" for n in range(8)]], base=base, snapshot_after=4)
    frames, found = look(real.root, 0, scratch)
    assert found.problem.endswith(f"from that on which ends at offset {frames.transactions.end_offset[3]}")
    check_frames(real, 0, frames, found, 3)


def test_a_wal_without_transactions(tmp_path: Path, scratch: str) -> None:
    history = History()
    root = write_replica(tmp_path / "r", history, layout="whole").root
    frames, found = look(root, 0, scratch)
    assert (len(frames), len(found.codes)) == (0, 0)


# ---- refused


def test_damage_on_the_way_is_an_error(tmp_path: Path, scratch: str) -> None:
    real = real_replica(tmp_path, [["create table t (a)"], ["insert into t values (1)"]])
    next((real.builder.folder / "snapshots").iterdir()).write_bytes(b"no snapshot")
    with pytest.raises(DamageError):
        look(real.root, 1, scratch)


def test_no_snapshot_is_an_error(tmp_path: Path, scratch: str) -> None:
    real = real_replica(tmp_path, [["create table t (a)"], ["insert into t values (1)"]])
    next((real.builder.folder / "snapshots").iterdir()).unlink()
    with pytest.raises((DamageError, NoSuchTargetError), match="snapshot"):
        look(real.root, 1, scratch)


def test_what_comes_before_damage_in_a_wal_is_told(tmp_path: Path, scratch: str) -> None:
    rows = ["create table t (a)", *[f"insert into t values ({n})" for n in range(6)]]
    real = real_replica(tmp_path, [rows])
    paths = sorted((real.builder.folder / "wal").iterdir())
    paths[4].unlink()
    frames, found = look(real.root, 0, scratch)
    assert (len(frames.transactions), frames.problem is None, found.problem) == (4, False, "")
    assert all(found.looked_at(frame) for frame in range(frames.valid_frames))


def test_no_room_is_an_error_before_anything_is_written(
    tmp_path: Path, scratch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litetui.ops.drill.free_bytes", lambda _: 100)
    real = real_replica(tmp_path, [["create table t (a)"]])
    with pytest.raises(OutputError, match="100 B are free"):
        look(real.root, 0, scratch)


def test_another_wal_than_was_read_is_an_error(tmp_path: Path, scratch: str) -> None:
    rows = ["create table t (a)", "insert into t values (1)", "create table u (a)"]
    one = real_replica(tmp_path, [rows], layout="whole")
    replica = open_replica(one.root)
    frames = read_frames(replica, GENERATION, 0)
    swapped = FrameTable(
        frames.generation, 0, frames.header, frames.pages[::-1].copy(), frames.commits, frames.valid_frames,
        frames.hashes, None,
    )  # fmt: skip
    with pytest.raises(ChangedError):
        wal_owners.wal_owners(replica, swapped, scratch=scratch)


def test_a_cancel_leaves_nothing(tmp_path: Path, scratch: str) -> None:
    class Stop(Reporter):
        def phase(self, name: str, total: int = 0, unit: str = "bytes") -> None:
            super().phase(name, total, unit)
            if name == "look whose pages":
                assert os.listdir(scratch)
                cancel.cancel()

    cancel = CancelToken()
    real = real_replica(tmp_path, [anything(random.Random(1), 10)])
    replica: FileReplica = open_replica(real.root)
    frames = read_frames(replica, GENERATION, 0)
    with pytest.raises(Cancelled):
        wal_owners.wal_owners(replica, frames, report=Stop(), cancel=cancel, scratch=scratch)


def test_all_of_a_wal_of_real_litestream(golden: object, scratch: str) -> None:
    assert callable(golden)
    root = golden("v03-vacuum-shrink")
    replica = open_replica(root)
    for generation in replica.generations():
        for index in replica.wals(generation).indexes().tolist():
            frames = read_frames(replica, generation, index)
            found = wal_owners.wal_owners(replica, frames, scratch=scratch)
            known = found.codes[: int(frames.transactions.last_frame[-1]) + 1]
            kinds = {found.labels[code].kind for code in np.unique(known).tolist()}
            assert (found.problem, kinds & {"", "unknown"}) == ("", set())


# ---- a state of a v0.5 replica


def test_the_pages_of_an_ltx_file(tmp_path: Path, scratch: str) -> None:
    real = real_replica(
        tmp_path, [["create table t (a)", "create table u (a)", "insert into t values (zeroblob(9000))"]]
    )
    ltx_replica(tmp_path / "ltx-replica", real.states[0])
    replica = open_any(tmp_path / "ltx-replica")
    assert isinstance(replica, LTXReplica)
    for txid, state in enumerate(real.states[0], 1):
        found = owners_at(restore.plan(replica, Target(txid=txid)), scratch=scratch)
        truth = pages_by_owner(state)
        assert {n: found.labels[code] for n, code in enumerate(found.codes.tolist(), 1)} == {
            page: true_owner(*owner) for page, owner in truth.items()
        }
