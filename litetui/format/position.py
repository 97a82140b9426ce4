"""Positions in a replica: generation, index and offset, as text and as a value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from litetui.errors import UsageError

_POS = re.compile(r"([0-9a-f]{16})/([0-9a-f]{8}):([0-9]{1,20})")


@dataclass(frozen=True, slots=True, order=True)
class Pos:
    """A place in a generation: the byte `offset` of the uncompressed WAL `index`. The zero value is "none".

    Text form `GENERATION/IIIIIIII:OFFSET`, index in hex, offset in decimal (FORMAT-v0.3, section 3).
    """

    generation: str = ""
    index: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.generation}/{self.index:08x}:{self.offset}" if self.generation else ""

    @property
    def short(self) -> str:
        """The position without its generation: `IIIIIIII:OFFSET`."""
        return f"{self.index:08x}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Pos:
        """Read the text form; raises UsageError."""
        m = _POS.fullmatch(text)
        if m is None:
            raise UsageError(
                "read the position",
                f"{text!r} is no position",
                hint="a position is GENERATION/INDEX:OFFSET, e.g. 5efbd8d042012dca/0000007f:824312",
            )
        return cls(m[1], int(m[2], 16), int(m[3]))


class TXID(Pos):
    """The place in a v0.5 replica: a transaction, which is all that there is in place of index and offset. As text 16
    hex digits."""

    __slots__ = ()

    @classmethod
    def of(cls, value: int) -> TXID:
        return cls("ltx", 0, value)

    @property
    def value(self) -> int:
        return self.offset

    def __str__(self) -> str:
        return f"{self.offset:016x}"

    @property
    def short(self) -> str:
        return str(self)
