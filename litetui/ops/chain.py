"""The chain that the WALs of a generation must form, from a snapshot on.

It insists on everything that makes frames one history: page size, salts that go on by one, checksums, and commits that
carry the pages they add (FORMAT-v0.3, sections 1.4, 1.5 and 6).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from litetui.errors import DamageError
from litetui.format import wal
from litetui.format.dbheader import lock_page
from litetui.ops.wals import Batch
from litetui.replica.types import Pos

_OPERATION = "read the WAL"
_NOT_KNOWN = 0xFFFFFFFF  # pages of a database before the first commit that tells


def frame_fault(batch: Batch, fault: wal.Fault, frame: int) -> DamageError:
    """A frame of a batch that is not valid, as an error; frames count from the start of the WAL."""
    causes = {"salt": "its salt is not that of the WAL's header", "page": "it names page 0"}
    offset = batch.header.end_of(frame)
    return DamageError(
        _OPERATION,
        causes.get(fault, "its checksum is wrong"),
        code="wal-salt" if fault == "salt" else "wal-checksum",
        path=batch.path_at(offset),
        index=batch.index,
        offset=offset,
        frame=frame,
    )


class Chain:
    """What the frames of a generation's WALs must keep to, one index after the other, from a snapshot on.

    snapshot_index, page_size, page_count   of the snapshot that the chain begins with
    last        the position behind the last good commit; (snapshot index, 0) before the first
    page_count  the database's size in pages at `last`
    """

    def __init__(self, generation: str, snapshot_index: int, page_size: int, page_count: int) -> None:
        self.last = Pos(generation, snapshot_index, 0)
        self.page_size = page_size
        self.page_count = page_count
        self._own_index = snapshot_index
        self._salt1: int | None = None
        self._commits: int | None = None  # in the present WAL
        self._state = (0, 0)
        self._open_pages: list[npt.NDArray[np.uint32]] = []  # of a transaction whose commit is still to come
        self._open = False
        # Pages that neither the snapshot nor a frame holds: only frames that the snapshot is ahead of explain them.
        self._unbacked = PageRanges()

    @classmethod
    def loose(cls, batch: Batch, salt1: int | None) -> Chain:
        """A chain that no snapshot anchors, from the first batch of a WAL on: what can be checked without one.
        `salt1`: what the WAL's must be, where that is known."""
        chain = cls("", batch.index, batch.header.page_size, _NOT_KNOWN)
        chain._salt1 = None if salt1 is None else (salt1 - 1) & 0xFFFFFFFF
        return chain

    def check(self, batch: Batch) -> wal.FrameBlock:
        """Verify the next batch. Raises DamageError; `last` then stands behind the last good commit."""
        block = wal.check_frames(batch.frames, batch.header, batch.header.checksum if batch.first else self._state)
        self._state = block.state
        self.follow(batch, block)
        return block

    def follow(self, batch: Batch, block: wal.FrameBlock) -> None:
        """The same for a batch whose frames were checked: several chains may go through one WAL."""
        if batch.first:
            self._begin(batch)
        first_frame = (batch.offset - wal.HEADER_SIZE) // batch.header.frame_size
        self._account(batch, block, first_frame)
        if block.fault:
            raise frame_fault(batch, block.fault, first_frame + block.valid)
        if batch.last:
            self._finish(batch, first_frame + len(block.pages))

    def _begin(self, batch: Batch) -> None:
        header, path = batch.header, batch.pieces[0][1]
        if header.page_size != self.page_size:
            raise DamageError(
                _OPERATION,
                f"its pages have {header.page_size} bytes, those of the database {self.page_size}",
                code="page-size",
                path=path,
                index=batch.index,
                offset=8,
            )
        if self._salt1 is not None and header.salt1 != (self._salt1 + 1) & 0xFFFFFFFF:
            raise DamageError(
                _OPERATION,
                f"it does not follow on the WAL before it (salt {header.salt1:08x} after {self._salt1:08x}): "
                "a WAL of another generation or index stands here, or one is missing before it; an application that "
                "truncates its WAL under Litestream 0.3 leaves such a break too, which nothing can tell from damage",
                code="wal-salt",
                path=path,
                index=batch.index,
                offset=16,
            )
        if self._commits == 0:
            raise DamageError(
                _OPERATION,
                "it holds no transaction, though another WAL follows it",
                code="truncated",
                index=batch.index - 1,
                offset=wal.HEADER_SIZE,
            )
        self._salt1, self._commits = header.salt1, 0
        self._open_pages, self._open = [], False

    def _account(self, batch: Batch, block: wal.FrameBlock, first_frame: int) -> None:
        """Follow the commits among the valid frames."""
        n = block.valid
        own = batch.index == self._own_index  # only there may pages be unbacked for a while, and any commit bring them
        ends = np.flatnonzero(block.commits[:n])
        start = 0
        if len(ends):
            sizes = block.commits[ends].astype(np.int64)
            before = np.concatenate([[self.page_count], sizes[:-1]])
            watch = range(len(ends)) if own else np.flatnonzero(sizes != before)
            for k in watch:
                begin = int(ends[k - 1]) + 1 if k else 0
                pages = block.pages[begin : int(ends[k]) + 1]
                if k:
                    self._good(batch, first_frame + begin)
                elif self._open_pages:
                    pages = np.concatenate([*self._open_pages, pages])
                self._commit(batch, pages, int(before[k]), int(sizes[k]), first_frame + int(ends[k]))
            self.page_count = int(sizes[-1])
            start = int(ends[-1]) + 1
            self._good(batch, first_frame + start)
            self._commits = (self._commits or 0) + len(ends)
            self._open_pages = []
        rest = block.pages[start:n]
        self._open = start < n or (self._open and not len(ends))
        if len(rest):
            fresh = rest if own else rest[rest > self.page_count]
            if len(fresh):
                self._open_pages.append(np.unique(fresh))

    def _good(self, batch: Batch, frames: int) -> None:
        """A commit ends behind so many frames, and no page is missing there."""
        if not self._unbacked:
            self.last = Pos(self.last.generation, batch.index, batch.header.end_of(frames))

    def _commit(self, batch: Batch, pages: npt.NDArray[np.uint32], old: int, new: int, frame: int) -> None:
        """A transaction that changes the size, or any where pages are missing from the snapshot."""
        missing = missing_pages(pages, old, new, self.page_size)
        if self._unbacked:
            self._unbacked = self._unbacked.without(pages).below(new)
        if not missing:
            return
        if batch.index == self._own_index:
            self._unbacked = self._unbacked.plus(missing)
            return
        raise self._missing_page(batch, missing, old, new, frame)

    def _finish(self, batch: Batch, frames: int) -> None:
        if self._open:
            raise DamageError(
                _OPERATION,
                "it ends inside a transaction",
                code="incomplete-transaction",
                path=batch.pieces[-1][1],
                index=batch.index,
                offset=batch.header.end_of(frames),
                frame=frames - 1,
            )
        if batch.index == self._own_index and self._unbacked:
            raise self._missing_page(batch, self._unbacked, self.page_count, self.page_count, frames - 1)

    def _missing_page(self, batch: Batch, missing: PageRanges, old: int, new: int, frame: int) -> DamageError:
        grows = f"the database grows from {old} to {new} pages here, but " if new > old else ""
        return DamageError(
            _OPERATION,
            f"{grows}page {missing.first} is neither in the snapshot nor in a WAL: frames before this are missing",
            code="missing-page",
            path=batch.path_at(batch.header.end_of(frame)),
            index=batch.index,
            offset=batch.header.end_of(frame),
            frame=frame,
        )


class PageRanges:
    """A set of pages as ranges: a damaged size may name four billion of them."""

    def __init__(self, starts: npt.ArrayLike = (), stops: npt.ArrayLike = ()) -> None:
        """Ascending, disjoint ranges from `starts` up to before `stops`."""
        self._starts = np.asarray(starts, np.int64)
        self._stops = np.asarray(stops, np.int64)

    def __bool__(self) -> bool:
        return len(self._starts) > 0

    @property
    def first(self) -> int:
        return int(self._starts[0])

    def without(self, pages: npt.NDArray[np.uint32]) -> PageRanges:
        """The same without some pages."""
        if not self:
            return self
        points = np.unique(pages).astype(np.int64)
        at = self._starts.searchsorted(points, "right") - 1
        points = points[(at >= 0) & (points < self._stops[at])]
        starts, stops = np.concatenate([self._starts, points + 1]), np.concatenate([self._stops, points])
        starts.sort()
        stops.sort()
        some = starts < stops
        return PageRanges(starts[some], stops[some])

    def below(self, size: int) -> PageRanges:
        """Those up to and with page `size`."""
        some = self._starts <= size
        return PageRanges(self._starts[some], np.minimum(self._stops[some], size + 1))

    def plus(self, later: PageRanges) -> PageRanges:
        """Both, where all of the others come behind these."""
        return PageRanges(
            np.concatenate([self._starts, later._starts]), np.concatenate([self._stops, later._stops])
        )  # fmt: skip


def missing_pages(pages: npt.NDArray[np.uint32], old: int, new: int, page_size: int) -> PageRanges:
    """The pages from old + 1 to new that a commit does not carry; the lock page is never written."""
    if new <= old:
        return PageRanges()
    lock = np.array([lock_page(page_size)], np.uint32)
    return PageRanges([old + 1], [new + 1]).without(np.concatenate([pages, lock]))
