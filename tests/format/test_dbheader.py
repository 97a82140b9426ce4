from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from litetui.format import dbheader
from litetui.format.dbheader import DatabaseHeader


@pytest.mark.parametrize("page_size", [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])
@pytest.mark.parametrize("auto_vacuum", [False, True])
def test_headers_that_sqlite_wrote(tmp_path: Path, page_size: int, auto_vacuum: bool) -> None:
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.execute(f"pragma page_size = {page_size}")
    connection.execute(f"pragma auto_vacuum = {1 if auto_vacuum else 0}")
    connection.execute("pragma journal_mode = wal")
    connection.execute("create table t (x)")
    connection.commit()
    pages = connection.execute("pragma page_count").fetchone()[0]
    connection.close()
    header = DatabaseHeader.parse(path.read_bytes())
    assert (header.page_size, header.page_count) == (page_size, pages)
    assert header.wal_mode
    assert header.auto_vacuum is auto_vacuum


def test_what_is_no_database_says_why() -> None:
    good = dbheader.MAGIC + (4096).to_bytes(2, "big") + bytes(82)
    assert DatabaseHeader.parse(good).page_size == 4096
    with pytest.raises(ValueError, match="99 bytes are too short"):
        DatabaseHeader.parse(good[:99])
    with pytest.raises(ValueError, match="first 16 bytes"):
        DatabaseHeader.parse(b"a text" * 20)
    for size in (0, 2, 500, 513, 0xFFFF):
        with pytest.raises(ValueError, match="no page size"):
            DatabaseHeader.parse(good[:16] + size.to_bytes(2, "big") + good[18:])


def test_the_lock_page_is_the_one_at_1_gib() -> None:
    assert dbheader.lock_page(4096) == 262145
    assert dbheader.lock_page(65536) == 16385
    assert (dbheader.lock_page(512) - 1) * 512 == 1 << 30
