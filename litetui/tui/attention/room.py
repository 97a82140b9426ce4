"""How much room is left on the disk that a replica lies on."""

from __future__ import annotations

import os
from dataclasses import dataclass

from litetui.errors import LitetuiError

SMALL_SHARE = 0.03
SMALL_BYTES = 10 << 30  # three hundredths of a large disk are plenty


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that may still be written, and bytes in all; without a free inode there is no room."""

    free: int
    total: int

    @property
    def nearly_full(self) -> bool:
        return self.free < min(self.total * SMALL_SHARE, SMALL_BYTES)


def look_at_room(path: str) -> Room | None:
    """Blocks; None where the file system does not tell. Raises LitetuiError."""
    try:
        fs = os.statvfs(path)
    except OSError as error:
        raise LitetuiError("look at the disk", error.strerror or str(error), path=path) from None
    if not fs.f_blocks:
        return None
    no_inode = fs.f_files > 0 and fs.f_favail == 0
    return Room(0 if no_inode else fs.f_bavail * fs.f_frsize, fs.f_blocks * fs.f_frsize)
