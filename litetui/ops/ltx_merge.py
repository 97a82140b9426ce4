"""The page merge of LTX files: each file of a chain in order, every checksum verified, the newest image of a page wins.

What a file grows the database by it must carry itself: Litestream checks that only at the end of a restore, and only
for pages that no earlier file had (FORMAT-v0.5-ltx, section 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from litetui.errors import DamageError, NoSuchTargetError
from litetui.format import ltx
from litetui.format.dbheader import lock_page
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.ltx_plan import LTXPlan, chain_of, plan_from, to_last_good
from litetui.ops.pages import PageFile
from litetui.ops.target import Target
from litetui.replica.ltx import LTXReplica
from litetui.replica.types import LTXInfo

_SMALL = 1 << 20  # such files are read at once
_TOLD = 1 << 20  # so many bytes between two words of progress


class LTXChain:
    """What the files of a chain must keep to, one after the other.

    page_size, commit   of the database after the last file
    header              of the last file
    """

    def __init__(self, replica: LTXReplica, *, alone: bool = False) -> None:
        """`alone`: one file by itself, whose growth nothing tells."""
        self._replica, self._alone = replica, alone
        self.page_size = 0
        self.commit = 0
        self.header: ltx.LTXHeader | None = None
        self._post_apply = self._reached = 0

    def batches(self, info: LTXInfo) -> Iterator[ltx.PageBatch]:
        """The pages of the next file, all of them proved once the iterator has ended. Raises DamageError."""
        try:
            with self._replica.open(info) as file:
                decoder = ltx.Decoder(_Bytes(file.read_all()) if info.size <= _SMALL else file)
                self._begin(info, decoder.header)
                grows = not self._alone and decoder.header.commit > self.commit
                fresh = _Fresh(self.commit, decoder.header) if grows else None
                for batch in decoder.batches():
                    if fresh is not None:
                        fresh.add(batch.pages)
                    yield batch
        except ltx.LTXError as error:
            raise self._replica.damage(info, error) from None
        if fresh is not None and (page := fresh.first_missing()) is not None:
            cause = (
                f"the database grows from {self.commit} to {decoder.header.commit} pages, but page {page} is missing"
            )
            raise self._fault(info, cause, "missing-page", 12)
        self.commit = decoder.header.commit
        self._post_apply, self._reached = decoder.trailer.post_apply, info.max_txid

    def _begin(self, info: LTXInfo, header: ltx.LTXHeader) -> None:
        if (header.min_txid, header.max_txid) != (info.min_txid, info.max_txid):
            cause = f"its header says TXIDs {header.min_txid:016x} to {header.max_txid:016x}: it is another file"
            raise self._fault(info, cause, "ltx-name", 16)
        if self.page_size and header.page_size != self.page_size:
            cause = f"its pages have {header.page_size} bytes, those of the files before it {self.page_size}"
            raise self._fault(info, cause, "page-size", 8)
        linked = header.pre_apply and self._post_apply and header.min_txid == self._reached + 1  # else they overlap
        if linked and header.pre_apply != self._post_apply:
            raise self._fault(info, "it does not follow on the file before it, by their checksums", "ltx-checksum", 40)
        self.page_size, self.header = header.page_size, header
        if header.is_snapshot:
            self.commit = 0  # it holds everything

    def _fault(self, info: LTXInfo, cause: str, code: str, offset: int) -> DamageError:
        return self._replica.damage(info, ltx.LTXError(cause, offset, code))


class _Fresh:
    """The pages that a file adds to the database: all of them must be in it."""

    def __init__(self, before: int, header: ltx.LTXHeader) -> None:
        self._before, self._after = before, header.commit
        self._lock = lock_page(header.page_size)
        self._next = before + 1
        self._missing: int | None = None

    def add(self, pages: npt.NDArray[np.uint32]) -> None:
        if self._missing is not None or int(pages[-1]) <= self._before:
            return
        fresh = pages[pages > self._before].astype(np.int64)
        self._skip_lock()
        expected = np.arange(self._next, self._next + len(fresh))
        expected += (expected >= self._lock) & (self._next < self._lock)
        wrong = fresh != expected
        if wrong.any():
            self._missing = int(expected[int(wrong.argmax())])
        self._next = int(fresh[-1]) + 1

    def _skip_lock(self) -> None:
        if self._next == self._lock:
            self._next += 1

    def first_missing(self) -> int | None:
        self._skip_lock()
        return self._next if self._missing is None and self._next <= self._after else self._missing


class _Bytes:
    """Bytes in memory as a source, all at once."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, _: int, /) -> bytes:
        data, self._data = self._data, b""
        return data


def settle(plan_: LTXPlan, report: Reporter, cancel: CancelToken) -> LTXPlan:
    """The plan with the size of its database; for the last good state the one that sound files lead to."""
    if plan_.settled:
        return plan_
    if plan_.fault is not None:
        raise plan_.fault
    if plan_.target.last_good:
        return last_good(plan_.replica, report, cancel)
    last = plan_.chain[-1]
    try:
        with plan_.replica.open(last) as file:
            header = ltx.LTXHeader.parse(file.read_at(ltx.HEADER_SIZE, 0))
    except ltx.LTXError as error:
        raise explain(plan_, plan_.replica.damage(last, error)) from None
    return replace(plan_, database_size=header.commit * header.page_size, settled=True)


def merge(plan_: LTXPlan, file: PageFile, report: Reporter, cancel: CancelToken) -> int:
    """Write the database of a settled plan. Returns its size in bytes."""
    report.phase("LTX files", plan_.bytes_to_read)
    chain = LTXChain(plan_.replica)
    file.reserve(plan_.database_size or 0)
    done = told = 0
    for info in plan_.chain:
        for batch in chain.batches(info):
            cancel.check()
            file.page_size = chain.page_size
            file.write(batch.pages, batch.images)
            now = done + min(info.size, batch.places[-1])
            if now - told >= _TOLD:
                report.advance(now)
                told = now
        done += info.size
    report.advance(done)
    return chain.commit * chain.page_size


def verify(replica: LTXReplica, chain: LTXChain, info: LTXInfo, cancel: CancelToken) -> int:
    """Read one file as the next of a chain; the number of its pages. Raises DamageError."""
    count = 0
    for batch in chain.batches(info):
        cancel.check()
        count += len(batch.pages)
    return count


def last_good(replica: LTXReplica, report: Reporter, cancel: CancelToken) -> LTXPlan:
    """The plan to the newest TXID that sound files lead to. What is damaged is left out, and the way around it taken.

    Raises DamageError where no snapshot is sound, UnreadableError: what cannot be read is not known to be damaged.
    """
    table = replica.table
    notes: list[str] = []
    report.phase("look for the last good state", int(table.size.sum()))
    first: DamageError | None = None
    while True:
        rows = chain_of(table)
        if not rows:
            if first is not None:
                raise first
            raise NoSuchTargetError("find the last good state", "no file begins with the first TXID", path=replica.path)
        bad, error = _first_bad(replica, [table[row] for row in rows], cancel)
        if error is None:
            break
        first = first or error
        report.log(str(error), "warning")
        notes.append(f"left out, damaged: {replica.file_path(table[rows[bad]])} ({error.cause})")
        table = table.take(np.arange(len(table)) != rows[bad])
    reached = int(table.max_txid[rows[-1]])
    plan_ = plan_from(replica, table.take(table.max_txid <= np.uint64(reached)), Target(txid=reached))
    whole = replica.table
    left = int((whole.max_txid > np.uint64(reached)).sum())
    left_out = f"{left} LTX files with later TXIDs" if left else ""
    return settle(replace(plan_, notes=tuple(notes), left_out=left_out), report, cancel)


def _first_bad(
    replica: LTXReplica, infos: Iterable[LTXInfo], cancel: CancelToken
) -> tuple[int, DamageError | None]:  # fmt: skip
    chain = LTXChain(replica)
    for number, info in enumerate(infos):
        try:
            verify(replica, chain, info, cancel)
        except DamageError as error:
            return number, error
    return -1, None


def explain(plan_: LTXPlan, error: DamageError) -> DamageError:
    """The same damage with the way to the last good state."""
    if error.hint is None:
        error.hint = f"the newest state without it: {to_last_good(plan_.replica)}"
    return error
