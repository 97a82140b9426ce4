"""The pages that the files of a chain grow the database by: each must come with its file, or with a later one.

Litestream never looks for them but at the end of a restore, and then an older image of a page, from before the database
shrank, does for it (FORMAT-v0.5-ltx, section 4). 0.5.17 writes every page of a growth; 0.5.5, under load, does not
always: the states from there on have holes, up to a file that brings the pages, as a rule one of the whole database.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from litetui.format.dbheader import lock_page
from litetui.format.ltx_header import LTXHeader

I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]

MOST = 1 << 20  # pages that a file may owe: more are no race of a writer


@dataclass(slots=True)
class Debt:
    """A file, by its number in the chain, that lacks pages of its growth.

    before, after   the database's size in pages
    pages           those that are still to come
    paid_by         the number of the file that brought the last of them, or cut it off
    """

    file: int
    before: int
    after: int
    pages: I64
    paid_by: int = 0

    @property
    def words(self) -> str:
        return f"the database grows from {self.before} to {self.after} pages, but page {self.pages[0]} is missing"


class Growth:
    """Looks at the files of a chain that grow it, and at all while pages are owed, in order: `begin`, `add`, `end`."""

    def __init__(self) -> None:
        self.paid: list[Debt] = []
        self._owed: list[Debt] = []
        self._fresh: list[U32] = []
        self._before = self._after = 0
        self._lock = 0
        self._number = 0

    def begin(self, number: int, commit: int, header: LTXHeader) -> None:
        """A file, by its number in the chain; `commit`: the database's size before it, in pages."""
        self._number, self._fresh = number, []
        self._before, self._after = commit, header.commit
        self._lock = lock_page(header.page_size)

    def add(self, pages: U32) -> None:
        if self._owed:
            self._pay(pages)
        if int(pages[-1]) > self._before:
            self._fresh.append(pages[pages > self._before])

    def end(self) -> Debt | None:
        """What the file lacks, where that is too much to come later."""
        if self._owed:
            self._cut(self._after)
        grown = self._after - self._before - (self._before < self._lock <= self._after)
        lacking = grown - sum(map(len, self._fresh))
        if lacking <= 0:
            return None
        last = self._after if lacking <= MOST else self._before + sum(map(len, self._fresh)) + 2  # the lock page
        wanted = np.arange(self._before + 1, last + 1)
        missing = np.setdiff1d(wanted[wanted != self._lock], np.concatenate([np.zeros(0, np.uint32), *self._fresh]))
        debt = Debt(self._number, self._before, self._after, missing)
        if lacking > MOST:
            return debt
        self._owed.append(debt)
        return None

    @property
    def owed(self) -> Debt | None:
        """The first file of which pages are still to come."""
        return self._owed[0] if self._owed else None

    def _pay(self, pages: U32) -> None:
        self._keep([debt.pages[~np.isin(debt.pages, pages)] for debt in self._owed])

    def _cut(self, commit: int) -> None:
        self._keep([debt.pages[debt.pages <= commit] for debt in self._owed])

    def _keep(self, left: list[I64]) -> None:
        for debt, pages in zip(self._owed, left, strict=True):
            if len(pages):
                debt.pages = pages  # of a paid one its last pages stay, to name
            else:
                debt.paid_by = self._number
                self.paid.append(debt)
        self._owed = [debt for debt in self._owed if not debt.paid_by]
