"""Another database in the newest generation: by its size, and by its tables."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from litetui.ops import compare
from litetui.ops.compare import another_database, tables_of
from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica
from litetui.replica.types import Finding
from tests.build import SECOND, T0, Builder, usual_history, write_replica

OLD, NEW = "1111111111111111", "2222222222222222"


def database(folder: Path, *steps: str, page_size: int = 1024) -> Path:
    """A database that is closed, made by these statements."""
    folder.mkdir()
    path = folder / "app.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"pragma page_size = {page_size}")
    for step in steps:
        connection.execute(step)
    connection.close()
    return path


def wal_of(path: Path, *steps: str) -> bytes:
    """The WAL that these statements leave behind."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma wal_autocheckpoint = 0")
    connection.execute("pragma wal_checkpoint(truncate)")
    for step in steps:
        connection.execute(step)
    data = path.with_name("app.db-wal").read_bytes()
    connection.close()
    return data


def rows(count: int) -> str:
    return (
        f"insert into orders (body) with recursive n(i) as (select 1 union all select i + 1 from n where i < {count}) "
        "select hex(zeroblob(300)) from n"
    )


ORDERS = "create table orders (id integer primary key, body text)"
CUSTOMERS = "create table customers (id integer primary key, name text)"


def pair(tmp_path: Path, old: Path, new: Path) -> Path:
    """A replica of two generations, each a snapshot of a database."""
    root = tmp_path / "replica"
    Builder(root, OLD, T0).snapshot(0, old.read_bytes())
    Builder(root, NEW, T0 + 100 * SECOND).snapshot(0, new.read_bytes())
    return root


def found(root: Path) -> Finding:
    finding = another_database(open_replica(root))
    assert finding is not None
    assert (finding.code, finding.severity, finding.generation) == ("other-database", "warning", NEW)
    assert f"--generation {OLD}" in finding.hint
    return finding


def test_an_empty_database_after_a_full_one(tmp_path: Path) -> None:
    old = database(tmp_path / "a", ORDERS, CUSTOMERS, rows(100))
    new = database(tmp_path / "b", "create table _litestream_seq (id integer primary key, seq integer)")
    finding = found(pair(tmp_path, old, new))
    assert "tables that it had are missing: customers, orders" in finding.message
    assert "2.0 kB (2 pages)" in finding.message
    assert "empty database" in finding.message


def test_the_same_tables_but_far_fewer_rows(tmp_path: Path) -> None:
    old, new = database(tmp_path / "a", ORDERS, rows(100)), database(tmp_path / "b", ORDERS)
    assert "missing" not in found(pair(tmp_path, old, new)).message


def test_more_tables_and_rows_are_no_finding(tmp_path: Path) -> None:
    old, new = database(tmp_path / "a", ORDERS, rows(50)), database(tmp_path / "b", ORDERS, CUSTOMERS, rows(40))
    assert another_database(open_replica(pair(tmp_path, old, new))) is None


def test_a_small_database_may_shrink(tmp_path: Path) -> None:
    old, new = database(tmp_path / "a", ORDERS, rows(10)), database(tmp_path / "b", ORDERS)
    assert another_database(open_replica(pair(tmp_path, old, new))) is None


def test_the_end_of_the_wal_counts_and_not_the_snapshot(tmp_path: Path) -> None:
    old, new = database(tmp_path / "a", ORDERS, rows(100)), database(tmp_path / "b", "create table t (x)")
    root = pair(tmp_path, old, new)
    assert found(root)
    wal = wal_of(new, ORDERS, rows(100), "create table not_committed_yet (x)")
    frame = 24 + 1024
    Builder(root, NEW, T0 + 200 * SECOND).segments(0, wal[:-frame], [32 + 2 * frame, len(wal) - frame])
    assert another_database(open_replica(root)) is None


def test_what_is_known_is_not_read_again_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = database(tmp_path / "a", ORDERS, rows(100)), database(tmp_path / "b", ORDERS)
    root = pair(tmp_path, old, new)
    replica = open_replica(root)
    assert another_database(replica)
    wal = wal_of(new, rows(100))
    reads: list[str] = []
    read_end = compare._read_end

    def counted(replica: FileReplica, generation: str) -> object:
        reads.append(generation)
        return read_end(replica, generation)

    monkeypatch.setattr(compare, "_read_end", counted)
    assert another_database(replica)
    assert reads == []
    Builder(root, NEW, T0 + 200 * SECOND).segment(0, 0, wal)
    replica.refresh()
    assert another_database(replica) is None
    assert reads == [NEW]


def test_more_wal_than_is_read_compares_nothing_that_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = database(tmp_path / "a", ORDERS, rows(100)), database(tmp_path / "b", ORDERS)
    root = pair(tmp_path, old, new)
    Builder(root, NEW, T0 + 200 * SECOND).segment(0, 0, wal_of(new, "insert into orders (body) values (1)"))
    monkeypatch.setattr(compare, "MOST_BYTES", 10)
    assert another_database(open_replica(root)) is None


def test_a_schema_of_more_than_a_page_is_compared_by_size_alone(tmp_path: Path) -> None:
    many = [f"create table t{n} (a_long_name_of_a_column_{n} text)" for n in range(40)]
    old, new = database(tmp_path / "a", *many), database(tmp_path / "b", *many[:30])
    assert tables_of(old.read_bytes()[:1024]) is None
    assert another_database(open_replica(pair(tmp_path, old, new))) is None


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_names_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    path = database(
        tmp_path / "a",
        f"pragma encoding = '{encoding}'",
        'create table "Bücher" (x integer primary key autoincrement)',
        "create view v as select 1",
        "create table _litestream_lock (id integer)",
        page_size=4096,
    )
    assert tables_of(path.read_bytes()[:4096]) == frozenset({"Bücher"})


@pytest.mark.parametrize("cut", [0, 99, 107, 110, 400])
def test_pages_that_are_none(tmp_path: Path, cut: int) -> None:
    data = database(tmp_path / "a", ORDERS).read_bytes()[:1024]
    assert tables_of(data[:cut]) is None
    assert tables_of(data[:100] + b"\x0d\0\0\0\x09\xff" + b"\xff" * 918) is None


def test_one_generation_damage_and_no_snapshot_are_nothing_to_compare(tmp_path: Path) -> None:
    root = tmp_path / "replica"
    write_replica(root, usual_history(pages=20))
    assert another_database(open_replica(root)) is None
    broken = write_replica(root, usual_history(pages=20), generation=NEW, start_ns=T0 + 1000 * SECOND)
    next((broken.folder / "snapshots").iterdir()).write_bytes(b"no lz4")
    shutil.rmtree(broken.folder / "wal")
    assert another_database(open_replica(root)) is None
    shutil.rmtree(broken.folder / "snapshots")
    assert another_database(open_replica(root)) is None


def test_golden_replicas_of_one_database_have_none(golden: Callable[[str], Path]) -> None:
    assert another_database(open_replica(golden("v03-multi-gen"))) is None
