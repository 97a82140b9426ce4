"""A table's rows in another order, or a choice of them: what sorting and filtering make."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from litetui.jobs.progress import CancelToken
from litetui.tui.tables.sources import Cell, Source


class Arranged(Source):
    """Another source's rows; `order` are their row numbers, an array."""

    def __init__(self, source: Source, order: Any, *, filtered: str = "") -> None:
        self.source = source
        self.order = order
        self.columns = source.columns
        self.newest_at = source.newest_at
        self.empty = f"no row matches {filtered!r}\nesc clears the filter" if filtered else source.empty

    def __len__(self) -> int:
        return len(self.order)

    def cells(self, row: int) -> Sequence[Cell]:
        return self.source.cells(int(self.order[row]))

    def record(self, row: int) -> dict[str, object]:
        return self.source.record(int(self.order[row]))

    def key(self, row: int) -> Hashable:
        return self.source.key(int(self.order[row]))

    def base_row(self, row: int) -> int:
        """The row of the source below."""
        return int(self.order[row])

    def find(self, key: Hashable) -> int | None:
        import numpy as np

        below = self.source.find(key)
        if below is None:
            return None
        at = np.nonzero(self.order == below)[0]
        return int(at[0]) if len(at) else None

    def newest(self) -> int | None:
        if not self.newest_at or not len(self):
            return None
        return int(self.order.argmin() if self.newest_at == "first" else self.order.argmax())


def base_of(source: Source) -> Source:
    """The source below, where one is arranged."""
    return source.source if isinstance(source, Arranged) else source


def arrange(source: Source, *, filter_text: str, column: int | None, reverse: bool, cancel: CancelToken) -> Source:
    """Filter, then sort. A filter is words, all of which a row must hold; `!` in front: which it must not all hold.

    May take long on many rows: call it in a thread. Raises when it is cancelled.
    """
    import numpy as np

    order = np.arange(len(source))
    words = filter_text.removeprefix("!").casefold().split()
    if words:
        found = np.ones(len(source), np.bool_)
        for word in words:
            found &= source.matching(word, cancel)
        order = order[~found if filter_text.startswith("!") else found]
    cancel.check()
    if column is not None:
        values = source.sort_values(column)
        if values is not None:
            order = order[np.argsort(np.asarray(values)[order], kind="stable")]
    if reverse:
        order = order[::-1]
    return Arranged(source, order, filtered=filter_text)
