"""The table of an LTX file's pages. Rows on demand, as in tables/sources.py."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from litetui.jobs.progress import CancelToken
from litetui.tui.tables.matching import decimal_holds
from litetui.tui.tables.sources import Cell, Column, Source
from litetui.tui.tables.wal_sources import label_order, labels_holding, owner_cells, owner_record

if TYPE_CHECKING:
    from litetui.ops.owners import Owner, PageOwners
    from litetui.tui.ltx.pages import LTXPages


class PageSource(Source):
    """The pages of an LTX file, ascending."""

    empty = "no page in this file"
    columns = (
        Column("Page", 10, right=True),
        Column("Place in the file", 17, right=True),
        Column("Stored bytes", 12, right=True),
        Column("Of a page", 9, right=True, drop=2),
        Column("Owner", 16, grow=True),
        Column("Kind", 11, drop=1),
    )

    def __init__(self, pages: LTXPages, state: PageOwners | None = None, pending: str = "") -> None:
        """`state`: whose the pages of the state are that the file leads to; `pending` stands where it is not known."""
        self.pages = pages
        self.pending = pending
        self.labels = None if state is None else state.labels
        self.codes = None if state is None else state.of(pages.pages)

    def __len__(self) -> int:
        return len(self.pages)

    def cells(self, row: int) -> Sequence[Cell]:
        size = int(self.pages.sizes[row])
        return (
            str(int(self.pages.pages[row])),
            str(int(self.pages.places[row])),
            str(size),
            (f"{100 * size / self.pages.header.page_size:.0f} %", "muted"),
            *owner_cells(self._owner(row), self.pending),
        )

    def _owner(self, row: int) -> Owner | None:
        return None if self.labels is None or self.codes is None else self.labels[int(self.codes[row])]

    def key(self, row: int) -> Hashable:
        return int(self.pages.pages[row])

    def find(self, key: Hashable) -> int | None:
        import numpy as np

        if not isinstance(key, int):
            return None
        at = int(np.searchsorted(self.pages.pages, key))
        return at if at < len(self) and int(self.pages.pages[at]) == key else None

    def matching(self, word: str, cancel: CancelToken) -> Any:
        """By page, place and stored bytes."""
        of = self.pages
        found = decimal_holds(of.pages, word) | decimal_holds(of.places, word) | decimal_holds(of.sizes, word)
        return found if self.labels is None else found | labels_holding(self.labels, word)[self.codes]

    def record(self, row: int) -> dict[str, object]:
        of = self.pages
        stored = {"page": int(of.pages[row]), "place": int(of.places[row]), "size": int(of.sizes[row])}
        return {**stored, **owner_record(self._owner(row))}

    def sort_values(self, column: int) -> Any:
        if column > 3:
            return None if self.labels is None else label_order(self.labels, column - 4)[self.codes]
        return (self.pages.pages, self.pages.places, self.pages.sizes, self.pages.sizes)[column]
