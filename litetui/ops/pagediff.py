"""Which pages of two states of a database differ, and to which tables they belong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import quote_from_bytes

import apsw
import numpy as np
import numpy.typing as npt

from litetui.errors import Cancelled
from litetui.format import dbheader
from litetui.format.pagehash import U64, hash_pages
from litetui.jobs.progress import CancelToken

Pages = npt.NDArray[np.int64]
SCHEMA = "sqlite_schema"
FREE = "free pages"
UNKNOWN = "pages of no known table"
_PIECE = 1 << 20
_RUNS = 5
_NAMES = 8


def file_hashes(path: str, page_size: int, cancel: CancelToken) -> U64:
    """One hash for each page of a file that nobody writes. Raises OSError."""
    hashes = [np.zeros(0, np.uint64)]
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(_PIECE // page_size * page_size):
            cancel.check()
            hashes.append(hash_pages(piece, page_size))
    return np.concatenate(hashes)


def differing(a: U64, b: U64) -> Pages:
    """The pages that are not the same in both, or only in one; numbers from 1."""
    common = min(len(a), len(b))
    more = np.arange(common, max(len(a), len(b)))
    return np.concatenate([np.flatnonzero(a[:common] != b[:common]), more]) + 1


def runs(pages: Pages) -> str:
    """Page numbers for a reader: `7, 12–13, …`."""
    parts = np.split(pages, np.flatnonzero(np.diff(pages) > 1) + 1)
    words = [f"{p[0]}" if len(p) == 1 else f"{p[0]}–{p[-1]}" for p in parts[:_RUNS]]
    return ", ".join(words) + (", …" if len(parts) > _RUNS else "")


def listed(names: tuple[str, ...]) -> str:
    """Some names of tables, and how many more there are."""
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def owners(path: str, pages: Pages, cancel: CancelToken) -> tuple[str, ...]:
    """To which tables and indexes some pages of a database file belong, as far as its content tells. Nobody else may
    have the file open."""
    left = bytearray(int(pages.max(initial=1)) + 1)  # a byte a page: all of a large database may differ
    np.frombuffer(left, np.uint8)[pages] = 1
    names = {SCHEMA} if left[1] else set()
    left[1] = 0
    for name, page in _dbstat(path, cancel):
        if page < len(left) and left[page]:
            left[page] = 0
            names.add(name)
    other = np.frombuffer(left, np.uint8) > 0
    free = _freelist(path, len(left)) if other.any() else np.zeros(len(left), bool)
    tail = ([FREE] if (other & free).any() else []) + ([UNKNOWN] if (other & ~free).any() else [])
    return (*sorted(names), *tail)


def _dbstat(path: str, cancel: CancelToken) -> Iterator[tuple[str, int]]:
    """Table or index, and page, of every page that is in use; fewer where the file is damaged."""
    uri = f"file:{quote_from_bytes(os.fsencode(os.path.abspath(path)))}?immutable=1&mode=ro"
    connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        connection.set_progress_handler(lambda: cancel.cancelled, 20_000)
        for name, page in connection.execute("SELECT name, pageno FROM dbstat"):
            cancel.check()
            yield str(name), int(page)
    except apsw.InterruptError:
        raise Cancelled from None
    except apsw.Error:
        return  # the file is damaged: what was not reached belongs to no known table
    finally:
        connection.close(True)


def _freelist(path: str, size: int) -> npt.NDArray[np.bool_]:
    """Which of the pages below `size` of a database file are free; those before the first that is wrong."""
    free = np.zeros(size, np.bool_)
    seen = np.zeros(size, np.bool_)
    with open(path, "rb") as file:
        try:
            page_size = dbheader.DatabaseHeader.parse(head := file.read(dbheader.HEADER_SIZE)).page_size
        except ValueError:
            return free
        trunk = int.from_bytes(head[32:36], "big")
        for _ in range(os.fstat(file.fileno()).st_size // page_size):  # a damaged list may lead in a circle
            if not trunk or (trunk < size and seen[trunk]):
                break
            file.seek((trunk - 1) * page_size)
            data = file.read(page_size)
            count = min(int.from_bytes(data[4:8], "big"), page_size // 4 - 2)
            pages = np.append(np.frombuffer(data[8 : 8 + 4 * count], ">u4"), trunk).astype(np.int64)
            free[pages[pages < size]] = True
            if trunk < size:
                seen[trunk] = True
            trunk = int.from_bytes(data[:4], "big")
    return free
