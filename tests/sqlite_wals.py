"""Replicas of real SQLite databases, with every state that they had, to ask SQLite itself what a WAL did."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from litetui.format import names
from litetui.format.ltx_header import LTXHeader
from tests.build import T0, Builder
from tests.ltx_encode import encode

Script = Sequence[Sequence[str]]  # the transactions of one index after the other; "" in one: nothing is written


@dataclass
class Real:
    """A replica: the bytes of its database behind each transaction and the ends of the transactions, by index, and the
    last WAL."""

    root: Path
    states: list[list[bytes]]
    builder: Builder
    ends: list[list[int]]
    wal: bytes


def pages_by_owner(state: bytes) -> dict[int, tuple[str, str]]:
    """The name and the kind of page (`leaf`, `internal`, `overflow`) of every page in a b-tree, by SQLite's word."""
    with _in_memory(state) as db:
        return {page: (name, kind) for page, name, kind in db.execute("select pageno, name, pagetype from dbstat")}


def freelist_count(state: bytes) -> int:
    with _in_memory(state) as db:
        return int(db.pragma("freelist_count"))


@contextmanager
def _in_memory(state: bytes) -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(":memory:")) as db:
        db.deserialize("main", state[:18] + b"\x01\x01" + state[20:])  # in memory there is no WAL mode
        yield db


def real_replica(
    folder: Path,
    script: Script,
    *,
    base: Sequence[str] = (),
    page_size: int = 512,
    auto_vacuum: int = 0,
    layout: str = "segments",
    snapshot_after: int = 0,
    encoding: str = "UTF-8",
) -> Real:
    """Run the statements of `base`, then those of the script, each a transaction. The snapshot of index 0 is made after
    so many of its transactions."""
    path = folder / "app.db"
    builder = Builder(folder / "replica")
    states: list[list[bytes]] = []
    all_ends: list[list[int]] = []
    wal = b""
    with closing(apsw.Connection(str(path))) as db:
        for name, value in {"encoding": f'"{encoding}"', "page_size": page_size, "auto_vacuum": auto_vacuum}.items():
            run(db, f"pragma {name} = {value}")
        run(db, "pragma journal_mode = wal", "pragma wal_autocheckpoint = 0", *base)
        for index, transactions in enumerate(script):
            run(db, "pragma wal_checkpoint(truncate)")
            own = [image(db)]
            ends: list[int] = []
            for statement in transactions:
                run(db, statement)
                size = Path(f"{path}-wal").stat().st_size
                if size != (ends[-1] if ends else 0):
                    ends.append(size)
                    own.append(image(db))
            wal = Path(f"{path}-wal").read_bytes()
            if index == 0:
                builder.snapshot(0, own[snapshot_after])
            if layout == "segments":
                builder.segments(index, wal, ends)
            else:
                builder.whole(index, wal)
            states.append(own[1:])
            all_ends.append(ends)
    return Real(builder.root, states, builder, all_ends, wal)


def ltx_replica(root: Path, states: Sequence[bytes], page_size: int = 512) -> None:
    """A v0.5 replica of these states: a snapshot of the first, a file of level 0 for each of the others."""
    before: dict[int, bytes] = {}
    for txid, state in enumerate(states, 1):
        images = {n + 1: state[at : at + page_size] for n, at in enumerate(range(0, len(state), page_size))}
        changed = {page: image for page, image in images.items() if before.get(page) != image}
        header = LTXHeader(page_size, len(images), txid, txid, T0 // 1_000_000)
        path = root / "ltx" / ("0" if before else "9") / names.format_ltx(txid, txid)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(header, sorted(changed.items())))
        before = images


def run(db: apsw.Connection, *statements: str) -> None:
    for statement in statements:
        for _ in db.execute(statement):
            pass


def image(db: apsw.Connection) -> bytes:
    """The database with its WAL."""
    data = db.serialize("main")
    assert data is not None
    return data


def anything(rng: random.Random, count: int) -> list[str]:
    """Transactions that let pages change hands in every way: through the freelist, at once, by dropping, by growth."""
    made: list[str] = []
    tables: list[str] = []
    for n in rng.sample(range(1000), count):
        kind = rng.choice(["create", "insert", "insert", "big", "delete", "drop", "swap", "index", "update", "shrink"])
        one = rng.choice(tables) if tables else ""
        blob = f"randomblob({rng.randrange(20, 200)})"
        many = (
            f"insert into {{0}} (a, b) select hex(randomblob(8)), {blob} from (with recursive c(x) as (select 1 union \
all select x + 1 from c limit {rng.randrange(1, 40)}) select x from c)"
        )
        if kind == "create" or not one:
            tables.append(f"t{n}")
            made.append(f"create table t{n} (id integer primary key, a text, b blob)")
        elif kind == "big":
            made.append(f"insert into {one} (b) values (randomblob({rng.randrange(1000, 9000)}))")
        elif kind == "delete":
            made.append(f"delete from {one} where id % {rng.randrange(2, 5)} = 0")
        elif kind == "drop":
            tables.remove(one)
            made.append(f"drop table {one}")
        elif kind == "swap":  # pages go from one table to another within a transaction, the freelist as it was
            other = rng.choice(tables)
            made.append(f"begin; delete from {one}; {many.format(other)}; commit")
        elif kind == "index":
            made.append(f"create index if not exists i{n % 5}_{one} on {one} (a)")
        elif kind == "update":
            made.append(f"update {one} set b = randomblob({rng.randrange(10, 1500)}) where id % 3 = 1")
        elif kind == "shrink":
            made.append(f"pragma incremental_vacuum({rng.randrange(1, 9)})")
        else:
            made.append(many.format(one))
    return made
