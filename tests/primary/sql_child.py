"""The process of an `App` (sql.py): python -I -S sql_child.py DB BUSY_MS. It imports little, to be there at once."""

from __future__ import annotations

import json
import sqlite3
import sys
import zlib


def content(connection: sqlite3.Connection) -> int:
    """A checksum over all that a database holds, Litestream's two tables among it."""
    crc = 0
    schema = connection.execute("select name, sql from sqlite_master where type = 'table' order by name").fetchall()
    for name, sql in schema:
        crc = zlib.crc32(repr((name, sql)).encode(), crc)
        for row in connection.execute(f'select * from "{name}" order by rowid'):
            crc = zlib.crc32(repr(row).encode(), crc)
    return crc


def main(path: str, busy_ms: int) -> None:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, timeout=busy_ms / 1000)

    connection = connect()
    for line in sys.stdin:
        command: str = json.loads(line)
        error, rows = "", []
        try:
            if command == "!content":
                rows = [(content(connection),)]
            elif command == "!close":
                connection.close()
            elif command == "!open":
                connection = connect()
            else:
                rows = connection.execute(command).fetchall()
        except sqlite3.Error as caught:
            error = str(caught)
        print(repr((error, rows)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
