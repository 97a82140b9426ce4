"""Keep two databases that should be the same and are not, where an operator finds them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from litetui.errors import LitetuiError
from litetui.files import Owner, fsync, make_folder, write_all
from litetui.format import lz4
from litetui.jobs.progress import CancelToken
from litetui.ops.drill import free_bytes
from litetui.units import format_size

_BLOCK = 4 << 20


def keep(
    folder: str, name: str, live: str, restored: str, owner: Owner, cancel: CancelToken
) -> tuple[tuple[str, ...], str]:
    """Compress both files into the folder, in the place of those that were kept before under this name. Returns where
    they are; nothing and why, where there is no room: the folder may lie on the database's own disk, of which no more
    than half of what is free is taken."""
    try:
        make_folder(folder, owner)
        need, free = os.stat(live).st_size + os.stat(restored).st_size, free_bytes(folder)
        if 2 * need > free:
            return (), f"no room to keep both files: {format_size(need)}, and {format_size(free)} are free in {folder}"
        targets = [os.path.join(folder, f"{name}-{what}.db.lz4") for what in ("live", "replica")]
        for source, target in zip((live, restored), targets, strict=True):
            _compress(source, target, owner, cancel)
        fsync(folder)
    except OSError as error:
        return (), f"the files could not be kept in {folder}: {error.strerror}"
    except LitetuiError as error:
        return (), f"the files could not be kept: {error}"
    return tuple(targets), "both are kept: " + ", ".join(targets)


def _compress(source: str, target: str, owner: Owner, cancel: CancelToken) -> None:
    fd = os.open(target + ".tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        owner.give(fd)
        for piece in lz4.compress_stream(_blocks(source, cancel)):
            write_all(fd, piece)
        os.fsync(fd)
        os.rename(target + ".tmp", target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target + ".tmp")
        raise
    finally:
        os.close(fd)


def _blocks(path: str, cancel: CancelToken) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            cancel.check()
            yield block
