"""Exact reads from a source that gives what it likes."""

from __future__ import annotations

from typing import Protocol

from litetui.format.ltx_header import LTXError

_CHUNK = 256 << 10


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Buffered:
    """Exact reads through a buffer. `offset` is the place in the file, `at` the one in the buffer."""

    def __init__(self, source: Readable) -> None:
        self._read = source.read
        self._buffer = b""
        self._base = 0  # of the buffer in the file
        self.at = 0

    @property
    def offset(self) -> int:
        return self._base + self.at

    def window(self, size: int) -> tuple[bytes, int, int]:
        """The buffer, the present place in it and its end; it has so many bytes from there, if the file has."""
        at = self.at
        if len(self._buffer) - at < size:
            parts = [self._buffer[at:]] if at < len(self._buffer) else []
            have = len(self._buffer) - at
            while have < size and (more := self._read(max(_CHUNK, size - have))):
                parts.append(more)
                have += len(more)
            self._base += at
            self._buffer, self.at = parts[0] if len(parts) == 1 else b"".join(parts), 0
        return self._buffer, self.at, len(self._buffer)

    def upto(self, size: int) -> bytes:
        """So many bytes, fewer only at the end of the file."""
        buffer, at, _ = self.window(size)
        out = buffer[at : at + size]
        self.at = at + len(out)
        return out

    def take(self, size: int, what: str) -> bytes:
        at = self.at
        out = self._buffer[at : at + size]
        if len(out) == size:
            self.at = at + size
            return out
        out = self.upto(size)
        if len(out) < size:
            raise LTXError(f"the file ends inside {what}: it was cut", self.offset, "truncated")
        return out

    def skip(self, size: int) -> None:
        self.at += size

    def back(self, size: int) -> None:
        """Go back over bytes that were taken from the window."""
        self.at -= size
