"""The page merge of LTX files: each file of a chain in order, every checksum verified, the newest image of a page wins,
and every page that the database grew by must have come (ltx_growth.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from litetui.errors import DamageError, NoSuchTargetError
from litetui.format import ltx
from litetui.format.buffered import Readable
from litetui.format.ltx_header import HEADER_SIZE, LTXError, LTXHeader
from litetui.format.ltx_small import SMALL, decode_small
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.ltx_growth import Growth
from litetui.ops.ltx_plan import LTXPlan, chain_of, left_out, plan_from, to_last_good
from litetui.ops.pages import PageFile
from litetui.ops.target import Target
from litetui.replica.ltx import LTXReplica
from litetui.replica.types import LTXInfo

_AT_ONCE = 1 << 20  # such files are read at once
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
        self.header: LTXHeader | None = None
        self.growth = Growth()
        self._files: list[LTXInfo] = []
        self._watches = False  # whether the file that is read may change what growth knows
        self._post_apply = self._reached = 0

    def batches(self, info: LTXInfo) -> Iterator[ltx.PageBatch]:
        """The pages of the next file, all of them proved once the iterator has ended. Raises DamageError."""
        try:
            if info.size > _AT_ONCE:
                with self._replica.open(info) as file:
                    yield from self._decoded(info, file)
                return
            data = self._replica.read(info)
            small = decode_small(data) if info.size <= SMALL else None
            if small is None:
                yield from self._decoded(info, _Bytes(data))
                return
            header, batch = small
            self._begin(info, header)
            if self._watches:
                self.growth.add(batch.pages)
            yield batch
            self._end(info, header, 0)
        except LTXError as error:
            raise self._replica.damage(info, error) from None

    def _decoded(self, info: LTXInfo, source: Readable) -> Iterator[ltx.PageBatch]:
        decoder = ltx.Decoder(source)
        self._begin(info, decoder.header)
        for batch in decoder.batches():
            if self._watches:
                self.growth.add(batch.pages)
            yield batch
        self._end(info, decoder.header, decoder.trailer.post_apply)

    def finish(self) -> tuple[int, DamageError] | None:
        """The first file, by its number in the chain, of whose growth pages have not come with it, nor later."""
        debt = self.growth.owed
        if debt is None:
            return None
        return debt.file, self._fault(self._files[debt.file], debt.words, "missing-page", 12)

    def _begin(self, info: LTXInfo, header: LTXHeader) -> None:
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
        grows = header.commit > self.commit and not header.is_snapshot  # that holds every page, the codec sees to it
        self._watches = not self._alone and (grows or self.growth.owed is not None)
        if self._watches:
            self.growth.begin(len(self._files), self.commit, header)

    def _end(self, info: LTXInfo, header: LTXHeader, post_apply: int) -> None:
        if self._watches and (debt := self.growth.end()) is not None:
            raise self._fault(info, debt.words, "missing-page", 12)
        self._files.append(info)
        self.commit = header.commit
        self._post_apply, self._reached = post_apply, info.max_txid

    def _fault(self, info: LTXInfo, cause: str, code: str, offset: int) -> DamageError:
        return self._replica.damage(info, LTXError(cause, offset, code))


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
            header = LTXHeader.parse(file.read_at(HEADER_SIZE, 0))
        _check_commit(plan_, header)
    except LTXError as error:
        raise explain(plan_, plan_.replica.damage(last, error)) from None
    return replace(plan_, database_size=header.commit * header.page_size, settled=True)


def _check_commit(plan_: LTXPlan, header: LTXHeader) -> None:
    """What a header says has no proof before its file was read: no more than LZ4 can make of all the files."""
    most = plan_.bytes_to_read // ltx.least_stored(header.page_size) + 1  # the lock page
    if header.commit > most:
        cause = f"its header tells of a database of {header.commit} pages, but the files can hold {most} at the most"
        raise LTXError(cause, 12)


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
    if (short := chain.finish()) is not None:
        raise short[1]
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
    plan_ = replace(plan_, notes=tuple(notes), left_out=left_out(replica.table, reached))
    return replace(settle(plan_, report, cancel), target=Target(last_good=True))


def _first_bad(
    replica: LTXReplica, infos: Iterable[LTXInfo], cancel: CancelToken
) -> tuple[int, DamageError | None]:  # fmt: skip
    chain = LTXChain(replica)
    for number, info in enumerate(infos):
        try:
            verify(replica, chain, info, cancel)
        except DamageError as error:
            return number, error
    return chain.finish() or (-1, None)


def explain(plan_: LTXPlan, error: DamageError) -> DamageError:
    """The same damage with the way to the last good state."""
    if error.hint is None:
        error.hint = f"the newest state without it: {to_last_good(plan_.replica)}"
    return error
