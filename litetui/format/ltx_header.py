"""The header of an LTX file, and what is said of one that is not sound (FORMAT-v0.5-ltx, section 1.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from litetui.format.dbheader import is_page_size

MAGIC = b"LTX1"
HEADER_SIZE = 100
NO_CHECKSUM = 2

_HEADER = struct.Struct(">4sIIIQQqQQQIIQ")


class LTXError(Exception):
    """The bytes are no sound LTX file. `offset` is the place in the file, `page` the number of the page it is in."""

    def __init__(self, cause: str, offset: int, code: str = "ltx-invalid", page: int | None = None) -> None:
        super().__init__(cause)
        self.offset = offset
        self.code = code
        self.page = page


@dataclass(slots=True)  # frozen would be 2 µs more for each file, of 15
class LTXHeader:
    """The first 100 bytes of an LTX file.

    commit        the database's size in pages after it was applied
    timestamp_ms  milliseconds since the epoch
    pre_apply     the database's checksum before, 0 where none is kept (Litestream keeps none)
    wal_offset, wal_size, salt1, salt2  the bytes of the WAL that it came from; 0 in compacted files
    """

    page_size: int
    commit: int
    min_txid: int
    max_txid: int
    timestamp_ms: int
    flags: int = NO_CHECKSUM
    pre_apply: int = 0
    wal_offset: int = 0
    wal_size: int = 0
    salt1: int = 0
    salt2: int = 0
    node_id: int = 0

    @property
    def is_snapshot(self) -> bool:
        """Whether it must hold the whole database: it begins with the first transaction."""
        return self.min_txid == 1

    @property
    def timestamp_ns(self) -> int:
        return self.timestamp_ms * 1_000_000

    def pack(self) -> bytes:
        data = _HEADER.pack(
            MAGIC,
            self.flags,
            self.page_size,
            self.commit,
            self.min_txid,
            self.max_txid,
            self.timestamp_ms,
            self.pre_apply,
            self.wal_offset,
            self.wal_size,
            self.salt1,
            self.salt2,
            self.node_id,
        )
        return data + bytes(HEADER_SIZE - len(data))

    @classmethod
    def parse(cls, data: bytes) -> LTXHeader:
        """Read and check the header. Raises LTXError."""
        if not data:
            raise LTXError("the file is empty", 0, "empty-file")
        if data[:4] != MAGIC[: len(data)]:
            raise LTXError("it does not begin like an LTX file", 0)
        if len(data) < HEADER_SIZE:
            raise LTXError(f"the file ends in its header, after {len(data)} bytes: it was cut", len(data), "truncated")
        _, flags, page_size, commit, first, last, timestamp, *rest = _HEADER.unpack_from(data)
        header = cls(page_size, commit, first, last, timestamp, flags, *rest)
        wrong = header._wrong()
        if wrong is not None:
            raise LTXError(*wrong)
        return header

    def _wrong(self) -> tuple[str, int] | None:
        """What the rules of the format do not allow, and where."""
        if self.flags & ~NO_CHECKSUM:
            return f"unknown flags {self.flags:08x}", 4
        if not is_page_size(self.page_size):
            return f"{self.page_size} is no page size of SQLite", 8
        if not self.commit:
            return "a database of no pages: Litestream writes no such file", 12
        if not 1 <= self.min_txid <= self.max_txid:
            return f"TXIDs {self.min_txid:016x} to {self.max_txid:016x} are no range", 16
        if max(self.wal_offset, self.wal_size) >> 63:
            return "a negative place in the WAL", 48
        if not self.wal_offset and (self.salt1 or self.salt2 or self.wal_size):
            return "salts or a size of the WAL without its offset", 48
        if self.pre_apply and (self.flags & NO_CHECKSUM or self.is_snapshot):
            return "a checksum from before it where there can be none", 40
        if not self.flags & NO_CHECKSUM and not self.is_snapshot and not self.pre_apply >> 63:
            return "the checksum from before it is missing", 40
        return None
