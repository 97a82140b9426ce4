"""The page merge of a v0.3 plan: the snapshot, then every WAL on the way, each byte that has a checksum verified."""

from __future__ import annotations

import numpy as np

from litetui.errors import ChangedError, DamageError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.chain import Chain
from litetui.ops.pages import PageFile, check_snapshot_size, snapshot_header
from litetui.ops.plan import RestorePlan
from litetui.ops.wals import prefetched, read_batches, read_index
from litetui.replica.catalog import SEGMENT, WHOLE


def merge(plan_: RestorePlan, file: PageFile, report: Reporter, cancel: CancelToken) -> int:
    """Snapshot and WALs into the file. Returns the size that the database has at the plan's position, in bytes."""
    replica, snapshot = plan_.replica, plan_.snapshot
    path = replica.storage.path(replica.snapshot_path(snapshot))
    report.phase("snapshot", plan_.database_size or 0)
    with prefetched(replica.read_snapshot_file(snapshot), cancel) as blocks:
        head, first = snapshot_header(blocks, path, snapshot.index)
        file.page_size = head.page_size
        file.limit = (plan_.database_size or 0) // head.page_size if len(plan_.wals) else None
        file.reserve(plan_.database_size or 0)
        file.append(first)
        for block in blocks:
            file.append(block)
            report.advance(file.size)
    pages = check_snapshot_size(file.size, head.page_size, path, snapshot.index)
    if not len(plan_.wals):
        return file.size
    chain = Chain(plan_.generation, snapshot.index, head.page_size, pages)
    end = plan_.position.offset if int(plan_.wals.index[-1]) == plan_.position.index else None
    report.phase("WAL", _wal_bytes(plan_))
    done = 0
    with prefetched(read_batches(replica, plan_.wals, end), cancel) as batches:
        for batch in batches:
            block_ = chain.check(batch)
            file.apply(batch, block_)
            done += batch.frames.nbytes
            report.advance(done)
            batch.release()
    size = chain.page_count * head.page_size
    if file.limit is not None and chain.page_count > file.limit:
        cause = "the last transaction is another one than when the restore was planned"
        raise ChangedError("restore", cause, path=plan_.source, hint="another process writes this replica: try again")
    if end is not None and not plan_.target.last_good:
        _look_ahead(plan_, chain, cancel)
    return size


def _look_ahead(plan_: RestorePlan, chain: Chain, cancel: CancelToken) -> None:
    """Raises DamageError if the WAL after the last index proves that its end is missing: that WAL grows the database
    from a size that the last one does not lead to. Only where the whole of an index was asked for, or a time.
    """
    index, end = plan_.position.index, chain.last
    table = plan_.replica.wals(plan_.generation)
    rows = table.rows_of(index + 1)
    own = table.rows_of(index)
    if plan_.target.offset is not None or not rows or plan_.wals.offset[-1] < table.offset[own.stop - 1]:
        return
    try:
        for batch in read_index(plan_.replica, table, plan_.replica.forms_of(table, index + 1)[0]):
            cancel.check()
            chain.check(batch)
            batch.release()
            break
    except DamageError as error:
        if error.code == "missing-page" and chain.last == end:
            error.cause = f"the end of WAL {index:08x} is missing: where the next begins, {error.cause}"
            raise


def _wal_bytes(plan_: RestorePlan) -> int:
    """How many bytes of WAL there will be, uncompressed: known from names for all but the last segment of an index."""
    table = plan_.wals
    if (table.form == WHOLE).all():
        return int(table.size.sum())
    if not (table.form == SEGMENT).all():
        return 0
    last = np.append(table.index[1:] != table.index[:-1], True)
    return int(table.offset[last].sum())
