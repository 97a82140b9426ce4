"""Which pages of two states of a database differ, and to which tables they belong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from litetui.format.pagehash import U64, hash_pages
from litetui.jobs.progress import CancelToken
from litetui.ops.owners import SCHEMA, page_owners

Pages = npt.NDArray[np.int64]
FREE = "free pages"
UNKNOWN = "pages of no known table"
_NAMELESS = {"freelist": FREE, "pointer map": "pointer map", "lock page": "lock page", "unknown": UNKNOWN}
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
    every = page_owners(path, cancel)
    found = [every.labels[code] for code in np.unique(every.of(pages[pages != 1])).tolist()]
    names = {owner.name for owner in found if owner.name} | ({SCHEMA} if (pages == 1).any() else set())
    kinds = {owner.kind for owner in found if not owner.name}
    return (*sorted(names), *(words for kind, words in _NAMELESS.items() if kind in kinds))
