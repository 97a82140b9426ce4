"""How far the sound part of a generation leads, and whether a snapshot may serve a target inside its own WAL.

Litestream checkpoints before it copies a snapshot, or while it does, so a snapshot may hold frames of the WAL of its
own index. Replaying less of that WAL than the snapshot holds would mix two states (FORMAT-v0.3, section 5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash

from litetui.errors import DamageError, NoSuchTargetError, UnreadableError
from litetui.format import wal
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.chain import Chain
from litetui.ops.frames import FrameTable, best_form, read_frames
from litetui.ops.pages import check_snapshot_size, snapshot_header
from litetui.ops.wals import read_index
from litetui.replica.catalog import WHOLE, WALTable
from litetui.replica.file import FileReplica
from litetui.replica.types import Pos, SnapshotInfo


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether nothing in a snapshot comes from after an offset of its own WAL; if not, the first position that
    can be reached from it (None: none within this WAL). `complete` is False where a part of the WAL is unreadable."""

    ok: bool
    first_reachable: Pos | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class LastGood:
    """The newest position that restores; `before` names the snapshot index from which on snapshots do not serve."""

    pos: Pos
    before: int | None = None
    notes: tuple[str, ...] = ()


def prove(
    replica: FileReplica,
    snapshot: SnapshotInfo,
    offset: int,
    report: Reporter,
    cancel: CancelToken,
    rows: Sequence[int] | None = None,
) -> Proof:
    """Look at the bytes: a page whose first frame lies after `offset` and whose image in the snapshot is that of such
    a frame comes from the future; so does a page that the snapshot no longer has. `rows`: the WAL's files, where
    it is there twice.
    """
    frames = read_frames(replica, snapshot.generation, snapshot.index, report, cancel, rows=rows, hashes=True)
    held, count = _held_pages(replica, snapshot, frames, report, cancel)
    done = frames.transactions
    ok_at = [
        int(end)
        for end, size in zip(done.end_offset.tolist(), done.database_pages.tolist(), strict=True)
        if end >= offset and _reachable(frames, held, count, int(end), int(size))
    ]
    first = Pos(snapshot.generation, snapshot.index, ok_at[0]) if ok_at else None
    complete = frames.problem is None
    return Proof(bool(ok_at) and ok_at[0] == offset and complete, first, complete)


@dataclass(frozen=True, slots=True)
class _Held:
    """Pages of which a snapshot holds the image of a frame of its WAL, ascending, and the first frame of each page."""

    pages: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]


def _reachable(frames: FrameTable, held: _Held, count: int, end: int, size: int) -> bool:
    """True if replaying the WAL up to `end` over the snapshot, of `count` pages, gives one state."""
    limit = (end - wal.HEADER_SIZE) // (frames.header.frame_size if frames.header else 1)
    if (held.first[held.pages <= size] >= limit).any():
        return False
    if size <= count:
        return True
    written = np.unique(frames.pages[:limit])
    return int(((written > count) & (written <= size)).sum()) >= size - count


def _held_pages(
    replica: FileReplica, snapshot: SnapshotInfo, frames: FrameTable, report: Reporter, cancel: CancelToken
) -> tuple[_Held, int]:
    """The pages that the snapshot holds as a frame has them, and its number of pages."""
    pages = frames.pages[: frames.valid_frames].astype(np.int64)
    order = np.argsort(pages, kind="stable")
    known, starts = np.unique(pages[order], return_index=True)
    stops = np.append(starts[1:], len(order))
    path = replica.storage.path(replica.snapshot_path(snapshot))
    blocks = replica.read_snapshot_file(snapshot)
    head, rest = snapshot_header(blocks, path, snapshot.index)
    held: list[tuple[int, int]] = []
    report.phase("look into the snapshot", snapshot.size)
    page, at, total = 0, 0, 0
    data = memoryview(rest)
    while True:
        whole = len(data) // head.page_size
        for i in range(whole):
            page += 1
            if at < len(known) and known[at] == page:
                digest = xxhash.xxh3_64_intdigest(data[i * head.page_size : (i + 1) * head.page_size])
                own = order[starts[at] : stops[at]]
                if (frames.hashes[own] == digest).any():
                    held.append((page, int(own[0])))
                at += 1
        total += whole * head.page_size
        left = bytes(data[whole * head.page_size :])
        cancel.check()
        block = next(blocks, None)
        if block is None:
            break
        data = memoryview(left + block if left else block)
    check_snapshot_size(total + len(left), head.page_size, path, snapshot.index)
    columns = np.array(held, np.int64).reshape(-1, 2)
    return _Held(columns[:, 0], columns[:, 1]), page


def find_last_good(
    replica: FileReplica, generation: str, report: Reporter, cancel: CancelToken, *, up_to: int | None = None
) -> LastGood:
    """The newest position of a generation to which sound files lead, in the WAL `up_to` or before. Reads all of them.

    Raises DamageError (no snapshot is sound), NoSuchTargetError (there is none), or UnreadableError: what cannot be
    read is not known to be damaged.
    """
    snapshots = [s for s in replica.snapshots(generation) if up_to is None or s.index <= up_to]
    if not snapshots:
        raise NoSuchTargetError("find the last good position", f"generation {generation} has no snapshot")
    found: list[LastGood] = []  # the first that is proved ends the search
    problem: DamageError | None = None
    before: int | None = None
    for snapshot in reversed(snapshots):
        cancel.check()
        try:
            pos, end = walk(replica, snapshot, report, cancel, up_to)
        except DamageError as error:
            problem = problem or error
            report.log(str(error), "warning")
            before = snapshot.index
            continue
        notes: tuple[str, ...] = (
            () if before is None else (f"snapshot {before:08x} does not serve: an earlier one is taken",)
        )
        notes += (f"the sound part ends here: {end}",) if end else ()
        if _is_proved(replica, snapshot, pos, report, cancel):
            found.append(LastGood(pos, before, notes))
            break
        alone = f"snapshot {snapshot.index:08x} is taken as it stands: the WAL of its index is damaged after {pos}"
        found.append(LastGood(Pos(generation, snapshot.index, 0), before, (*notes, alone)))
        before = snapshot.index
    if not found:
        assert problem is not None
        raise problem
    return max(reversed(found), key=lambda good: good.pos)  # among equals the one that is proved


def _is_proved(replica: FileReplica, snapshot: SnapshotInfo, pos: Pos, report: Reporter, cancel: CancelToken) -> bool:
    """Whether a position that the walk from a snapshot has reached is a state that the application had."""
    if not salt_agrees(replica, snapshot):
        return False
    if pos.index > snapshot.index:
        return True
    if pos.offset == 0:
        return not _has_wal(replica, snapshot)
    if pos.offset == _end_of(replica, snapshot, report, cancel):
        return True
    return prove(replica, snapshot, pos.offset, report, cancel).ok


NOT_PROVED = (
    "the WAL of index {index:08x} is damaged after this: that the snapshot holds nothing from that part cannot be "
    "proved from bytes, so mind the integrity check"
)


def walk(
    replica: FileReplica, snapshot: SnapshotInfo, report: Reporter, cancel: CancelToken, up_to: int | None
) -> tuple[Pos, DamageError | None]:
    """Verify a snapshot and the WALs from its index on: the position behind the last good transaction, and the damage
    that ends the sound part, if there is any.

    Raises DamageError only for the snapshot itself.
    """
    path = replica.storage.path(replica.snapshot_path(snapshot))
    report.phase(f"snapshot {snapshot.index:08x}", snapshot.size)
    blocks = replica.read_snapshot_file(snapshot)
    head, first = snapshot_header(blocks, path, snapshot.index)
    size = len(first)
    for block in blocks:
        cancel.check()
        size += len(block)
    pages = check_snapshot_size(size, head.page_size, path, snapshot.index)
    chain = Chain(snapshot.generation, snapshot.index, head.page_size, pages)
    table = replica.wals(snapshot.generation)
    report.phase(f"WALs from {snapshot.index:08x}", int(table.size[table.index >= snapshot.index].sum()))
    index = snapshot.index
    pool: list[npt.NDArray[np.uint8]] = []
    done = 0
    try:
        while (rows := table.rows_of(index)) and (up_to is None or index <= up_to):
            forms = replica.forms_of(table, index) if len(rows) > 1 else [list(rows)]
            best = best_form(replica, table.generation, index, forms, report, cancel) if len(forms) > 1 else None
            form = best.rows if best else forms[0]
            newest_plain = rows.stop == len(table) and int(table.form[form[-1]]) == WHOLE
            for batch in read_index(replica, table, form, tail=newest_plain, pool=pool):
                cancel.check()
                chain.check(batch)
                batch.release()
            done += int(table.size[form].sum())
            report.advance(done)
            if best and best.problem:
                raise best.problem
            index += 1
    except DamageError as error:
        return chain.last, error
    if len(table) and index <= int(table.index[-1]) and (up_to is None or index <= up_to):
        cause = f"the WAL {snapshot.generation}/{index:08x} is missing"
        return chain.last, DamageError("read the WAL", cause, code="missing-wal", path=replica.path, index=index)
    return chain.last, None


def own_wal_fault(replica: FileReplica, snapshot: SnapshotInfo) -> DamageError | None:
    """What is wrong where the WAL of a snapshot's index is not the one that the WALs around it say it is: a chain that
    begins with the snapshot has nothing before its first WAL to tell."""
    if salt_agrees(replica, snapshot):
        return None
    table = replica.wals(snapshot.generation)
    return DamageError(
        "read the WAL",
        "its salt does not go on from, or to, the WALs beside it: a WAL of another generation or index stands here, or "
        "there",
        code="wal-salt",
        path=replica.storage.path(replica.wal_path(table[table.rows_of(snapshot.index)[0]])),
        index=snapshot.index,
        offset=16,
    )


def salt_agrees(replica: FileReplica, snapshot: SnapshotInfo) -> bool:
    """True if the WAL of the snapshot's index is the one that the WALs beside it say it is, or, where those contradict
    it, most of the others around: where the votes are even, neither is trusted.

    salt-1 minus index is the same all through a generation.
    """
    index = snapshot.index
    beside = _salt_bases(replica, snapshot.generation, range(max(0, index - 1), index + 2))
    own = beside.get(index)
    if own is None or set(beside.values()) == {own}:
        return True
    bases = _salt_bases(replica, snapshot.generation, range(max(0, index - 8), index + 9))
    return 2 * list(bases.values()).count(own) > len(bases)


def salt_base(replica: FileReplica, generation: str, index: int) -> int | None:
    """salt-1 minus index, as most of the WALs from an index on have it; None where that is not known."""
    bases = list(_salt_bases(replica, generation, range(index, index + 9)).values())
    return max(bases, key=bases.count) if len(bases) > 2 else None


def _salt_bases(replica: FileReplica, generation: str, indexes: Iterable[int]) -> dict[int, int]:
    """salt-1 minus index, of those WALs that are there and whose header can be read."""
    table = replica.wals(generation)
    bases: dict[int, int] = {}
    for index in indexes:
        if not table.rows_of(index):
            continue
        try:
            head = b"".join(replica.first_bytes(table[replica.forms_of(table, index)[0][0]], wal.HEADER_SIZE))
            bases[index] = (wal.WALHeader.parse(head).salt1 - index) & 0xFFFFFFFF
        except (DamageError, UnreadableError, wal.WALError):
            continue
    return bases


def content_digest(replica: FileReplica, table: WALTable, rows: Sequence[int]) -> int:
    """A hash of the content of a WAL's files, in the order of the rows; of damaged ones as far as they can be read."""
    digest = xxhash.xxh3_64()
    try:
        for row in rows:
            for block in replica.read_wal_file(table[row]):
                digest.update(block)
    except DamageError:
        digest.update(b"damaged")
    return digest.intdigest()


def _has_wal(replica: FileReplica, snapshot: SnapshotInfo) -> bool:
    return bool(replica.wals(snapshot.generation).rows_of(snapshot.index))


def _end_of(replica: FileReplica, snapshot: SnapshotInfo, report: Reporter, cancel: CancelToken) -> int:
    """The end of the last commit of the snapshot's own WAL if all of that WAL is sound, else -1."""
    frames = read_frames(replica, snapshot.generation, snapshot.index, report, cancel)
    return frames.end_of_commits if frames.problem is None else -1
