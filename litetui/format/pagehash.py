"""A hash of each page of a database: eight bytes a page stand for its content where two states are compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xxhash

U64 = npt.NDArray[np.uint64]


def hash_pages(data: bytes | memoryview, page_size: int) -> U64:
    """The XXH3-64 of each page; the data must be whole pages."""
    view, of = memoryview(data), xxhash.xxh3_64_intdigest
    starts = range(0, len(view), page_size)
    return np.fromiter((of(view[at : at + page_size]) for at in starts), np.uint64, len(starts))
