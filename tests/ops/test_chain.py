"""Pages as ranges, and the chain's memory under damaged sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litetui.errors import DamageError
from litetui.ops.chain import PageRanges, missing_pages
from tests.build import History, add_frame, write_replica
from tests.ops.helpers import restore

PAGES = st.lists(st.integers(1, 60), max_size=40)


def members(ranges: PageRanges) -> set[int]:
    """Page by page, by the public face alone."""
    return {p for p in range(1, 70) if ranges.without(np.array([q for q in range(1, 70) if q != p], np.uint32))}


@settings(deadline=None)
@given(PAGES, st.integers(0, 60), st.integers(0, 60), PAGES, st.integers(0, 60))
def test_ranges_are_sets_of_pages(carried: list[int], old: int, new: int, more: list[int], size: int) -> None:
    wanted = set(range(old + 1, new + 1)) - set(carried)
    missing = missing_pages(np.array(carried, np.uint32), old, new, 4096)
    assert members(missing) == wanted
    assert bool(missing) is bool(wanted)
    if wanted:
        assert missing.first == min(wanted)
    assert members(missing.below(size)) == {p for p in wanted if p <= size}
    assert members(missing.without(np.array(more, np.uint32))) == wanted - set(more)
    assert members(missing.plus(PageRanges([65], [67]))) == wanted | {65, 66}


def test_the_lock_page_is_never_missing() -> None:
    """The page at 1 GiB is never written; a growth over it carries all pages but that one."""
    lock = 16385
    pages = np.array([lock - 1, lock + 1], np.uint32)
    assert not missing_pages(pages, lock - 2, lock + 1, 65536)
    assert missing_pages(pages[:1], lock - 2, lock + 1, 65536).first == lock + 1


@pytest.mark.parametrize("index", [0, 1])
def test_a_commit_that_names_four_billion_pages_costs_no_memory(tmp_path: Path, index: int) -> None:
    """Its checksum is right: such a frame comes from a broken writer. In the snapshot's own index it is judged at the
    end of the WAL, in a later one at once."""
    history = History()
    for _ in range(2):
        history.commit(2)
        history.restart()
    history.commit(1)
    add_frame(history.wals[index], 2, 0xFFFFFFF0, b"x" * 512)
    root = write_replica(tmp_path / "r", history, layout="whole").root
    with pytest.raises(DamageError) as caught:
        restore(root)
    assert caught.value.code == "missing-page"
