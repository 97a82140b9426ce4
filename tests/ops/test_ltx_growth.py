"""Files that lack pages of the growth they tell of, as Litestream 0.5.5 writes them under load."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from litetui.errors import DamageError
from litetui.format.ltx_header import LTXHeader
from litetui.format.position import TXID
from litetui.ops.ltx_growth import MOST, Growth
from litetui.ops.target import Target
from tests.ltx_build import MS, LTXBuilder, LTXHistory, usual_ltx
from tests.ltx_encode import encode
from tests.ops.test_ltx_restore import restore
from tests.ops.test_ltx_validate import check


def lacking(root: Path, *missing: int) -> LTXBuilder:
    """The usual replica, and TXID 21, which grows the database by 4 pages, without these of them."""
    builder = usual_ltx(root)
    history = builder.history
    history.commit(1, size=history.size + 4)
    pages, size = history.pages(21, 21)
    for page in missing:
        del pages[page]
    builder.put(0, 21, 21, encode(LTXHeader(512, size, 21, 21, history.time_of(21) // MS), sorted(pages.items())))
    return builder


def size_before(root: Path) -> int:
    return usual_ltx(root).history.size


@pytest.mark.parametrize("whole", [False, True])
def test_a_later_file_that_brings_the_pages_makes_up_for_it(tmp_path: Path, whole: bool) -> None:
    last = size_before(tmp_path / "r") + 4
    builder = lacking(tmp_path / "r", last - 2, last)
    history = builder.history
    history.commit(*(range(1, last + 1) if whole else (1, last - 2, last)))
    builder.put(0, 22, 22)
    history.commit(1)
    builder.put(0, 23, 23)
    assert restore(builder.root) == history.states[23]
    assert restore(builder.root, Target(last_good=True)) == history.states[23]
    assert restore(builder.root, Target(txid=20)) == history.states[20]
    with pytest.raises(DamageError, match=f"page {last - 2} is missing") as caught:
        restore(builder.root, Target(txid=21))
    assert builder.path(0, 21, 21).name in str(caught.value)
    report = check(builder.root, "content")
    assert (report.verdict, report.latest_restores) == ("ok", True)
    (finding,) = report.all_findings
    assert (finding.severity, finding.code) == ("warning", "missing-page")
    assert f"from {TXID.of(21)} up to before {TXID.of(22)}" in finding.message


def test_only_some_of_the_pages_do_not_do(tmp_path: Path) -> None:
    last = size_before(tmp_path / "r") + 4
    builder = lacking(tmp_path / "r", last - 2, last)
    builder.history.commit(1, last - 2)
    builder.put(0, 22, 22)
    with pytest.raises(DamageError, match=f"page {last} is missing"):
        restore(builder.root)
    assert restore(builder.root, Target(last_good=True)) == builder.history.states[20]
    report = check(builder.root)
    assert (report.verdict, report.latest_restores) == ("damaged", False)
    assert report.generations[0].restorable_to == TXID.of(20)


def test_an_end_before_the_pages_needs_them_no_more(tmp_path: Path) -> None:
    last = size_before(tmp_path / "r") + 4
    builder = lacking(tmp_path / "r", last)
    builder.history.commit(1, size=last - 1)
    builder.put(0, 22, 22)
    assert restore(builder.root) == builder.history.states[22]


def test_an_image_from_before_the_database_shrank_does_not_do(tmp_path: Path) -> None:
    """Litestream takes it."""
    builder = usual_ltx(tmp_path / "r")
    history = builder.history
    large = history.size
    history.commit(1, size=3)
    builder.put(0, 21, 21)
    head = LTXHeader(512, large, 22, 22, LTXHistory.time_of(22) // MS)
    builder.put(0, 22, 22, encode(head, [(1, history._image(1))]))
    with pytest.raises(DamageError, match="page 4 is missing"):
        restore(builder.root)


def test_a_growth_that_no_writer_makes_is_refused_at_once() -> None:
    growth = Growth()
    tracemalloc.start()
    growth.begin(1, 4, LTXHeader(512, (1 << 32) - 1, 2, 2, 0))
    growth.add(np.array([1, 5], np.uint32))
    debt = growth.end()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert debt is not None
    assert "page 6 is missing" in debt.words
    assert peak < MOST
