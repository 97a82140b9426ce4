"""One pass over a generation: every snapshot and every WAL is read once, checked, and, for a drill, restored.

A chain begins at a snapshot and goes on as long as every WAL follows on the one before it. Where it breaks, the next
sound snapshot begins another one; what lies between is still checked, as far as that can be done without a snapshot.
A snapshot that a chain reaches must agree with it: each of its pages is the chain's, or is written in the WAL of its
index (FORMAT-v0.3, section 5), from where on both are the same database.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from litetui.errors import ChangedError, DamageError, NoSuchTargetError, UnreadableError
from litetui.format import wal
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import reach
from litetui.ops.chain import Chain
from litetui.ops.drill import Drill, Pages
from litetui.ops.frames import best_form, has_just_begun, read_frames
from litetui.ops.pages import check_snapshot_size, snapshot_header
from litetui.ops.verdict import Checked, Window
from litetui.ops.wals import Batch, prefetched, read_index
from litetui.replica.catalog import WHOLE, WALTable
from litetui.replica.file import FileReplica
from litetui.replica.types import Finding, Pos, Severity, SnapshotInfo
from litetui.units import printable

YOUNG_NS = 60 * 10**9  # files that were written a moment ago may not agree yet
_NO_PAGES: Pages = np.zeros(0, np.int64)
Found = Callable[[Finding], None]


@dataclass(slots=True)
class ScanResult:
    """What one pass has found.

    windows   spans of restore points, ascending
    alive     whether the last of them reaches the newest file
    doubtful  whether the newest chain contradicts the one before it, and nothing tells which of them is right
    complete  False where something could not be read
    size      of the database at the end of the last window, in bytes
    """

    windows: list[Window] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    checked: Checked = field(default_factory=Checked)
    alive: bool = False
    doubtful: bool = False
    complete: bool = True
    size: int = 0


@dataclass(slots=True)
class _Branch:
    """A sound snapshot, the chain that begins with it, and which of its pages the chain before it has otherwise."""

    snapshot: SnapshotInfo
    chain: Chain
    differing: Pages


@dataclass(slots=True)
class _Source:
    """The files of one WAL: their rows, up to where they are read (None: to the end), their stored bytes."""

    index: int
    rows: list[int]
    end: int | None
    stored: int


class Scan:
    """The pass over one generation. With a `drill` the database is restored on the way."""

    def __init__(
        self,
        replica: FileReplica,
        generation: str,
        drill: Drill | None,
        now_ns: int,
        report: Reporter,
        cancel: CancelToken,
        found: Found,
    ) -> None:
        self._replica, self._generation, self._drill, self._now_ns = replica, generation, drill, now_ns
        self._report, self._cancel, self._found = report, cancel, found
        self._table: WALTable = replica.wals(generation)
        self._snapshots = {s.index: s for s in replica.snapshots(generation)}
        self._result = ScanResult()
        self._anchor: SnapshotInfo | None = None  # the snapshot that the present window began with
        self._proved = 0  # the index of the last snapshot that the window's chain agreed with
        self._chain: Chain | None = None
        self._done = 0
        self._pool: list[npt.NDArray[np.uint8]] = []

    def run(self) -> ScanResult:
        """Raises ChangedError, Cancelled, and OutputError where the drill cannot be written."""
        first = min(self._snapshots, default=1 << 32)  # what lies before it cannot be restored, and is not read
        indexes = sorted({i for i in self._table.indexes().tolist() if i >= first} | set(self._snapshots))
        stored = int(self._table.size[self._table.index >= first].sum())
        self._report.phase(
            f"generation {self._generation}", stored + sum(s.size for s in self._snapshots.values())
        )  # fmt: skip
        expected = first
        for index in indexes:
            self._cancel.check()
            if index != expected:
                self._gap(expected, index)
            snapshot = self._snapshots.get(index)
            branch = self._read_snapshot(snapshot) if snapshot is not None else None
            if self._table.rows_of(index):
                self._read_wal(index, branch)
            else:
                if branch is not None:
                    self._stand_alone(branch)
                if (self._table.index > index).any():
                    self._gap(index, index + 1)
            expected = index + 1
        if self._anchor is not None and self._chain is not None:
            self._result.alive = True
            self._result.size = self._chain.page_count * self._chain.page_size
            self._close_window(self._chain.last)
        return self._result

    # ---- snapshots

    def _read_snapshot(self, info: SnapshotInfo) -> _Branch | None:
        """Read and check a snapshot; None where it is damaged or cannot be read. The drill begins with it, unless a
        chain has led here: then it is compared with that one's database."""
        path = self._replica.storage.path(self._replica.snapshot_path(info))
        try:
            with prefetched(self._replica.read_snapshot_file(info), self._cancel) as blocks:
                head, first = snapshot_header(blocks, path, info.index)
                expected = max(1, head.page_count * head.page_size)
                whole = _whole_pages(first, self._watched(blocks, info.size, expected), head.page_size)
                size, differing = self._take(whole, head.page_size)
            pages = check_snapshot_size(size, head.page_size, path, info.index)
        except DamageError as error:
            self._damaged_snapshot(info, error)
            return None
        except UnreadableError as error:
            self._unreadable(error, info.index)
            return None
        finally:
            self._done += info.size
            self._report.advance(self._done)
        self._count(Checked(1, info.size))
        return _Branch(info, Chain(self._generation, info.index, head.page_size, pages), differing)

    def _watched(self, blocks: Iterator[bytes], stored: int, expected: int) -> Iterator[bytes]:
        """The blocks, with progress in stored bytes."""
        seen = 0
        for block in blocks:
            self._cancel.check()
            seen += len(block)
            self._report.advance(self._done + min(stored, stored * seen // expected))
            yield block

    def _take(self, blocks: Iterator[bytes], page_size: int) -> tuple[int, Pages]:
        """A snapshot's content: its size, and which pages the chain that led to it has otherwise."""
        chain = self._chain if self._anchor is not None else None
        if self._drill is None:
            return sum(map(len, blocks)), _NO_PAGES
        if chain is None:
            self._drill.begin(page_size)
            return sum(map(self._drill.append, blocks)), _NO_PAGES
        size, differing = 0, [_NO_PAGES]
        for block in blocks:
            differing.append(self._drill.differing(size, block, chain.page_count * chain.page_size))
            size += len(block)
        differing.append(np.arange(size // page_size + 1, chain.page_count + 1, dtype=np.int64))
        return size, np.concatenate(differing)

    def _stand_alone(self, branch: _Branch) -> None:
        """A snapshot without a WAL of its index: the state is its own."""
        if self._anchor is not None and len(branch.differing):
            self._differ(branch, branch.differing)
            self._close_window(Pos(self._generation, self._proved, 0))
            self._refill_drill(branch.snapshot, None)
        if self._anchor is None:
            self._begin_window(branch)
        self._chain = branch.chain

    def _damaged_snapshot(self, info: SnapshotInfo, error: DamageError) -> None:
        if self._anchor is not None:
            takes = f"states from there on are restored from snapshot {self._anchor.index:08x}, which takes longer"
            hint = "take a new snapshot; until then keep the earlier one"
        else:
            takes, hint = self._out_of_reach(info.index, None), self._next_step(info.index)
        self._note(error, takes, hint)

    # ---- WALs

    def _read_wal(self, index: int, branch: _Branch | None) -> None:
        """Read and check one WAL, with the chain that leads to it and the one that its snapshot begins."""
        rows_of = self._table.rows_of(index)
        source = _Source(index, list(rows_of), None, int(self._table.size[list(rows_of)].sum()))
        damage: DamageError | None = None
        try:
            damage = self._choose_form(source)
            if damage is None and branch is not None and self._anchor is None:
                damage = reach.own_wal_fault(self._replica, branch.snapshot)
                source.end = 0 if damage is not None else source.end
            if source.end == 0 and damage is None:  # it has just begun
                if branch is not None:
                    self._stand_alone(branch)
                return
            if source.end != 0:
                frames = self._result.checked.frames
                faults, suspects = self._go_through(source, branch)
                if damage is None and self._result.checked.frames == frames:
                    damage = self._no_transaction(source)
                if damage is None and branch is not None and faults[0] is not None and faults[0].code == "wal-salt":
                    damage = reach.own_wal_fault(self._replica, branch.snapshot)
        except DamageError as error:
            damage = damage or error
        except UnreadableError as error:
            self._unreadable(error, index)
            self._break(index, branch)
            return
        finally:
            self._done += source.stored
            self._report.advance(self._done)
        self._count(Checked(len(source.rows), source.stored))
        if damage is not None:
            anchored = self._anchor is not None or branch is not None
            good = self._break(index, branch, damage)
            self._note(damage, self._out_of_reach(index, good, anchored=anchored), self._next_step(index))
            self._check_rest(source, damage)
        else:
            self._join(source, branch, faults, suspects)

    def _choose_form(self, source: _Source) -> DamageError | None:
        """Which files of a WAL to read, and up to where. What is wrong with all of them is returned."""
        index = source.index
        forms = self._replica.forms_of(self._table, index)
        source.rows = forms[0]
        damage = None
        if len(forms) > 1:
            best = best_form(self._replica, self._generation, index, forms, cancel=self._cancel)
            source.rows, damage = best.rows, best.problem
            source.end = best.end if damage is not None else None
            self._say_twice(index, forms, best.rows)
        last = source.rows[-1]
        if damage is None and int(self._table.form[last]) == WHOLE and last == len(self._table) - 1:
            frames = read_frames(self._replica, self._generation, index, cancel=self._cancel, rows=source.rows)
            source.end = frames.end_of_commits
            damage = None if has_just_begun(self._replica, self._table[last]) else frames.problem
            size = int(self._table.size[last])
            if damage is None and size > max(source.end, wal.HEADER_SIZE):
                self._say_tail(index, last, size, source.end)
        return damage

    def _no_transaction(self, source: _Source) -> DamageError:
        """Only a plain WAL is written with its header alone."""
        path = self._replica.storage.path(self._replica.wal_path(self._table[source.rows[0]]))
        cause = "it holds the header of a WAL, and no transaction"
        return DamageError(
            "read the WAL", cause, code="truncated", path=path, index=source.index, offset=wal.HEADER_SIZE
        )  # fmt: skip

    def _go_through(self, source: _Source, branch: _Branch | None) -> tuple[list[DamageError | None], Pages]:
        """All batches of a WAL, through both chains and into the drill. A chain that finds a fault while the other goes
        on has it in the list; the pages are those of the snapshot that differ and were not written.

        Raises DamageError where no chain goes on."""
        chains = [c for c in (self._chain, branch.chain if branch else None) if c is not None]
        faults: list[DamageError | None] = [None] * len(chains)
        suspects = branch.differing if branch is not None else _NO_PAGES
        state, seen = (0, 0), 0
        batches_of = read_index(self._replica, self._table, source.rows, end=source.end, pool=self._pool)
        with prefetched(batches_of, self._cancel) as batches:
            for batch in batches:
                if batch.first:
                    state = batch.header.checksum
                if not chains:
                    base = reach.salt_base(self._replica, self._generation, source.index)
                    self._chain = Chain.loose(batch, None if base is None else base + source.index)
                    chains, faults = [self._chain], [None]
                block = wal.check_frames(batch.frames, batch.header, state)
                state = block.state
                self._count(Checked(0, 0, block.valid, int(np.count_nonzero(block.commits[: block.valid]))))
                for number, chain in enumerate(chains):
                    if faults[number] is None:
                        faults[number] = _fault(chain, batch, block)
                if all(faults):
                    raise next(f for f in faults if f is not None)
                if self._drill is not None and (self._anchor is not None or branch is not None):
                    self._drill.apply(batch, block)
                if len(suspects):
                    suspects = np.setdiff1d(suspects, block.pages)
                seen += batch.frames.nbytes
                self._report.advance(self._done + min(source.stored, seen))
                batch.release()
        return faults, suspects

    def _join(self, source: _Source, branch: _Branch | None, faults: list[DamageError | None], suspects: Pages) -> None:
        """After a sound WAL: which of its chains goes on."""
        if branch is None:
            return
        index = source.index
        before, own = (faults[0], faults[1]) if len(faults) == 2 else (None, faults[0])
        if own is not None:  # then the chain before it goes on
            self._damaged_snapshot(branch.snapshot, own)
            return
        if self._anchor is None or self._chain is None:
            self._begin_window(branch)
            self._chain = branch.chain
            if before is not None:
                self._note(before, self._out_of_reach(index, None, anchored=False), self._next_step(index))
            return
        if before is not None:
            good = self._chain.last
            self._close_window(good, before)
            self._note(before, self._out_of_reach(index - 1, good), self._next_step(index - 1))
        else:
            suspects = suspects[suspects <= self._chain.page_count]
            if not len(suspects):
                self._result.doubtful, self._proved = False, index
                return
            self._differ(branch, suspects)
            self._close_window(Pos(self._generation, self._proved, 0))
        self._refill_drill(branch.snapshot, source)
        self._begin_window(branch)
        self._chain = branch.chain

    def _refill_drill(self, snapshot: SnapshotInfo, source: _Source | None) -> None:
        """Restore from another snapshot than until now. It and its WAL were found sound before."""
        if self._drill is None:
            return
        blocks = self._replica.read_snapshot_file(snapshot)
        head, first = snapshot_header(blocks, snapshot.name, snapshot.index)
        self._drill.begin(head.page_size)
        for block in _whole_pages(first, blocks, head.page_size):
            self._cancel.check()
            self._drill.append(block)
        if source is None:
            return
        for batch in read_index(self._replica, self._table, source.rows, end=source.end, pool=self._pool):
            self._cancel.check()
            self._drill.apply(batch, wal.check_frames(batch.frames, batch.header, batch.header.checksum))
            batch.release()

    def _check_rest(self, source: _Source, damage: DamageError) -> None:
        """The segments behind a damage, each by itself."""
        paths = [self._replica.storage.path(self._replica.wal_path(self._table[row])) for row in source.rows]
        at = paths.index(damage.path) if damage.path in paths else len(paths)
        for row in source.rows[at + (damage.code != "missing-segment") :]:
            self._cancel.check()
            try:
                for _ in self._replica.read_wal_file(self._table[row]):
                    pass
            except DamageError as error:
                self._note(error, "it lies behind another damage", "")
            except UnreadableError as error:
                self._unreadable(error, source.index)

    # ---- windows

    def _begin_window(self, branch: _Branch) -> None:
        self._anchor, self._proved = branch.snapshot, branch.snapshot.index

    def _close_window(self, end: Pos, damage: DamageError | None = None) -> None:
        """The window from its snapshot to a position. Its time is the last that a restore takes: that of the last file
        which `damage` leaves whole."""
        anchor, table = self._anchor, self._table
        assert anchor is not None
        start = Pos(self._generation, anchor.index, 0)
        end = max(start, end)
        before = (table.index < end.index) | ((table.index == end.index) & (table.offset < end.offset))
        rows = np.flatnonzero(before & (table.index >= anchor.index))
        times = [anchor.created_ns, *table.mtime_ns[rows[-2:]].tolist()]
        if len(rows) and damage is not None and self._is_broken(int(rows[-1]), end, damage):
            times.pop()
        self._result.windows.append(Window(start, end, anchor.created_ns, max(anchor.created_ns, times[-1])))
        self._anchor = None

    def _is_broken(self, row: int, end: Pos, damage: DamageError) -> bool:
        """Whether the file that a window ends in or with is not all that it should be."""
        index, after = int(self._table.index[row]), row + 1
        if damage.code == "missing-page" and damage.index == index + 1:
            return True  # the end of this WAL is what is missing
        if damage.index != index or damage.code == "missing-segment":
            return False
        same = after < len(self._table) and int(self._table.index[after]) == index
        return not same or bool(self._table.whole[row]) or int(self._table.offset[after]) > end.offset

    def _break(self, index: int, branch: _Branch | None, damage: DamageError | None = None) -> Pos | None:
        """The chains end in this WAL. Returns the last position before that which restores."""
        anchor, chain = self._anchor, self._chain
        self._chain, good = None, None
        if anchor is not None and chain is not None:
            own = chain.last.index == anchor.index or not reach.salt_agrees(self._replica, anchor)
            good = self._provable(anchor, min(index, anchor.index)) if own else chain.last
            if good is None:
                self._anchor = None
            else:
                self._close_window(good, damage)
        if branch is not None:
            own_good = self._provable(branch.snapshot, index)
            if own_good is not None and (good is None or own_good > good):
                self._begin_window(branch)
                self._close_window(own_good, damage)
                good = own_good
        return good

    def _provable(self, snapshot: SnapshotInfo, index: int) -> Pos | None:
        """The last position up to a WAL that can be restored from a snapshot; None where that is none."""
        try:
            good = reach.find_last_good(self._replica, self._generation, Reporter(), self._cancel, up_to=index).pos
        except (DamageError, NoSuchTargetError, UnreadableError):
            return None
        return good if good >= Pos(self._generation, snapshot.index, 0) else None

    def _gap(self, first: int, next_: int) -> None:
        """The WALs from `first` up to the one before `next_` are missing."""
        last = next_ - 1
        only_snapshots = not (self._table.index >= next_).any()
        if only_snapshots and self._is_young():
            return  # the replicator will bring the WALs: the snapshot came first
        anchored, good = self._anchor is not None, None
        if self._anchor is not None and self._chain is not None:
            good = self._chain.last
            self._close_window(good)
        self._chain = None
        span = f"{first:08x}" if first == last else f"{first:08x} to {last:08x} ({last - first + 1})"
        error = DamageError("restore", f"WAL {span} is missing", code="missing-wal", index=first)
        self._note(error, self._out_of_reach(last, good, anchored=anchored), self._next_step(last))

    def _is_young(self) -> bool:
        updated = self._replica.generation_stats(self._generation).updated_ns
        return updated is not None and 0 <= self._now_ns - updated < YOUNG_NS

    # ---- findings

    def _count(self, checked: Checked) -> None:
        self._result.checked += checked

    def _add(self, finding: Finding) -> None:
        self._result.findings.append(finding)
        self._found(finding)

    def _note(self, error: DamageError, takes: str, hint: str) -> None:
        self._add(
            Finding(
                "error",
                error.code,
                f"{error.cause}; {takes}",
                hint,
                error.path,
                self._generation,
                error.index,
                error.offset,
                error.frame,
            )
        )

    def _unreadable(self, error: UnreadableError, index: int) -> None:
        """What cannot be read is not known to be damaged, nor to be sound."""
        if isinstance(error, ChangedError):
            raise error
        self._result.complete = False
        hint = error.hint or "see that it can be read, then validate again"
        self._add(Finding("error", "unreadable", str(error), hint, error.path, self._generation, index))

    def _say(self, severity: Severity, code: str, message: str, hint: str, index: int, row: int, offset: int) -> None:
        path = self._replica.storage.path(self._replica.wal_path(self._table[row]))
        self._add(Finding(severity, code, message, hint, path, self._generation, index, offset))

    def _say_twice(self, index: int, forms: list[list[int]], taken: list[int]) -> None:
        """A WAL in two forms: a writer that was stopped between compressing and removing leaves that."""
        contents = [reach.content_digest(self._replica, self._table, rows) for rows in forms]
        same = len(set(contents)) == 1
        self._say(
            "info" if same else "warning",
            "duplicate-wal",
            f"WAL {index:08x} is there twice, "
            + ("with the same content" if same else f"with different contents: {self._table.name(taken[0])} is taken"),
            "nothing needs to be done"
            if same
            else "Litestream v0.3.0–0.3.4 takes the plain file, however short: move the other one away",
            index,
            taken[0],
            0,
        )

    def _say_tail(self, index: int, row: int, size: int, end: int) -> None:
        """A writer may be at the end of the newest `.wal` at any moment."""
        self._say(
            "info",
            "incomplete-transaction",
            f"the newest WAL {index:08x} ends with {size - max(end, wal.HEADER_SIZE)} bytes of a transaction without "
            "its commit: a writer is at work, or was stopped; a restore leaves it out",
            "nothing needs to be done",
            index,
            row,
            end,
        )

    def _differ(self, branch: _Branch, suspects: Pages) -> None:
        """A snapshot and the chain before it contradict each other."""
        index, proved = branch.snapshot.index, self._proved
        few = ", ".join(map(str, suspects[:5].tolist())) + (" …" if len(suspects) > 5 else "")
        words = (
            f"snapshot {index:08x} and the way from snapshot {proved:08x} do not lead to the same database: "
            f"{len(suspects)} page(s) differ ({few})"
        )
        path = self._replica.storage.path(self._replica.snapshot_path(branch.snapshot))
        self._result.doubtful = True
        if self._is_young() and index == max(self._snapshots):
            self._result.complete = False
            words += "; the replica is being written, and its WAL may still bring them"
            finding = Finding("warning", "chains-differ", words, "validate again in a minute", path, self._generation)
        else:
            words += (
                ": the end of a WAL in between is missing without a trace, or the snapshot is wrong; the states "
                f"between them cannot be trusted, those after {index:08x} rest on that snapshot alone"
            )
            hint = "copy the replica before anything else; then write a new snapshot of the living database"
            finding = Finding("error", "chains-differ", words, hint, path, self._generation)
        self._add(finding)

    def _next_snapshot(self, index: int) -> int | None:
        return min((i for i in self._snapshots if i > index), default=None)

    def _out_of_reach(self, index: int, good: Pos | None, *, anchored: bool = True) -> str:
        """Which restore points a damage at an index takes away."""
        after = self._next_snapshot(index)
        if not anchored:
            return "no sound snapshot leads here anyway" if after is not None else "the latest state does not restore"
        since = f"the states after {good.short}" if good is not None else f"the states from {index:08x} on"
        return (
            f"{since} do not restore, up to the latest"
            if after is None
            else f"{since} do not restore, up to snapshot {after:08x}"
        )

    def _next_step(self, index: int) -> str:
        """What is left to an operator: nothing brings back lost states."""
        after = self._next_snapshot(index)
        where = f"litetui restore {shlex.quote(printable(self._replica.path))} -o OUT --generation {self._generation}"
        if after is not None:
            return f"what snapshot {after:08x} leads to restores as it does without this"
        if not self._result.windows:
            other = "; another generation may restore" if len(self._replica.generations()) > 1 else ""
            return f"copy the replica before anything deletes from it{other}"
        return f"copy the replica before anything deletes from it; then a new snapshot, or: {where} --to-last-good"


def _fault(chain: Chain, batch: Batch, block: wal.FrameBlock) -> DamageError | None:
    try:
        chain.follow(batch, block)
    except DamageError as error:
        return error
    return None


def _whole_pages(first: bytes, blocks: Iterator[bytes], page_size: int) -> Iterator[bytes]:
    """The same bytes in blocks that begin on a page."""
    rest = first
    for block in blocks:
        data = rest + block if rest else block
        whole = len(data) - len(data) % page_size
        if whole:
            yield data[:whole]
        rest = data[whole:]
    if rest:
        yield rest
