"""The first 100 bytes of a SQLite database (https://www.sqlite.org/fileformat2.html, section 1.3)."""

from __future__ import annotations

from dataclasses import dataclass

HEADER_SIZE = 100
MAGIC = b"SQLite format 3\x00"
PENDING_BYTE = 0x40000000


def is_page_size(size: int) -> bool:
    """True for the page sizes that SQLite knows: powers of two from 512 to 65536."""
    return 512 <= size <= 65536 and size & (size - 1) == 0


def lock_page(page_size: int) -> int:
    """The page that SQLite never writes: the one that holds the lock bytes at 1 GiB."""
    return PENDING_BYTE // page_size + 1


@dataclass(frozen=True, slots=True)
class DatabaseHeader:
    page_size: int
    write_version: int
    change_counter: int
    page_count: int
    auto_vacuum: bool

    @property
    def wal_mode(self) -> bool:
        return self.write_version == 2

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview) -> DatabaseHeader:
        """Read the header from at least 100 bytes. Raises ValueError that says what is wrong."""
        if len(data) < HEADER_SIZE:
            raise ValueError(f"{len(data)} bytes are too short for a SQLite database")
        head = bytes(data[:HEADER_SIZE])
        if head[:16] != MAGIC:
            raise ValueError("no SQLite database (its first 16 bytes are not SQLite's)")
        page_size = int.from_bytes(head[16:18], "big")
        page_size = 65536 if page_size == 1 else page_size
        if not is_page_size(page_size):
            raise ValueError(f"{page_size} is no page size of SQLite")
        return cls(
            page_size=page_size,
            write_version=head[18],
            change_counter=int.from_bytes(head[24:28], "big"),
            page_count=int.from_bytes(head[28:32], "big"),
            auto_vacuum=head[52:56] != b"\0\0\0\0",
        )
