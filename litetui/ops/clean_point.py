"""Find the newest restore point whose database passes SQLite's integrity check, by bisection.

A replica carries damage that was in the database before it was replicated as faithfully as all else. What is damaged
stays so, nearly always, until somebody mends it: so the restore points are halved, each probe is a restore and a full
check, and the last one that passes before the first one that fails is the answer.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from litetui.errors import DamageError, NoSuchTargetError, UnreadableError
from litetui.format.position import TXID
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import drill
from litetui.ops.frames import read_frames
from litetui.ops.output import integrity_messages
from litetui.ops.target import Target
from litetui.ops.verdict import LTX
from litetui.replica.file import FileReplica
from litetui.replica.ltx import LTXReplica
from litetui.replica.types import Pos
from litetui.units import format_time


@dataclass(frozen=True, slots=True)
class CleanPoint:
    """The newest position (of LTX files: the TXID) that passes, and the time of its file; None where none of the probes
    did.

    first_bad  the earliest position after it that was found to fail; None where the latest passes
    """

    pos: Pos | None
    until_ns: int | None
    first_bad: Pos | None
    messages: tuple[str, ...]
    probes: int

    @property
    def words(self) -> str:
        if self.pos is None:
            return f"no restore point passes SQLite's integrity check ({self.probes} were tried)"
        if self.first_bad is None:
            return f"the latest state {self.pos} passes SQLite's integrity check"
        until = "" if self.until_ns is None else f" of {format_time(self.until_ns)}"
        return (
            f"the newest state that passes SQLite's integrity check is {self.pos}{until}; the next that "
            f"was tried, {self.first_bad}, fails: {'; '.join(self.messages[:2])} ({self.probes} probes)"
        )


@dataclass(frozen=True, slots=True)
class _Probe:
    pos: Pos
    until_ns: int
    messages: list[str]


def find(
    replica: FileReplica | LTXReplica,
    generations: Sequence[str] = (LTX,),
    *,
    scratch: str | None = None,
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
) -> CleanPoint:
    """Search in one generation after the other; the one named `ltx` are the LTX files, of the replica or beside it.

    Raises OutputError (no room in the scratch folder), Cancelled.
    """
    report, cancel = report or Reporter(), cancel or CancelToken()
    probes, first_bad = 0, None
    messages: tuple[str, ...] = ()
    with drill.scratch_folder(scratch or drill.default_scratch()) as folder:
        for generation in generations:
            point = _search(replica, generation, folder, report, cancel).run()
            probes += point.probes
            if point.first_bad is not None and first_bad is None:
                first_bad, messages = point.first_bad, point.messages
            if point.pos is not None:
                bad = point.first_bad or first_bad
                return CleanPoint(point.pos, point.until_ns, bad, point.messages or messages, probes)
    return CleanPoint(None, None, first_bad, messages, probes)


def _search(
    replica: FileReplica | LTXReplica, generation: str, folder: str, report: Reporter, cancel: CancelToken
) -> _Search:
    if isinstance(replica, LTXReplica):
        return _TXIDs(replica, folder, report, cancel)
    if generation == LTX:
        assert replica.ltx is not None
        return _TXIDs(replica.ltx, folder, report, cancel)
    return _Positions(replica, generation, folder, report, cancel)


class _Search(ABC):
    """One search."""

    def __init__(
        self, replica: FileReplica | LTXReplica, latest: Target, folder: str, report: Reporter, cancel: CancelToken
    ) -> None:
        self._any, self._latest, self._output = replica, latest, os.path.join(folder, "probe.db")
        self._report, self._cancel = report, cancel
        self._probes = 0
        self._good: _Probe | None = None
        self._bad: _Probe | None = None

    @abstractmethod
    def _points(self) -> Iterator[Iterable[Pos]]:
        """Restore points, first few of them, then those between what passes and what fails by then."""

    def run(self) -> CleanPoint:
        latest = self._probe(self._latest)
        if latest is not None and latest.messages:
            self._bad = latest
            for points in self._points():
                self._bisect(points)
        elif latest is not None:
            self._good = latest
        good, bad = self._good, self._bad
        return CleanPoint(
            good.pos if good else None,
            good.until_ns if good else None,
            bad.pos if bad else None,
            tuple(bad.messages) if bad else (),
            self._probes,
        )

    def _bisect(self, found: Iterable[Pos]) -> None:
        """Halve those points that are after the last that passes and before the first that fails."""
        points = sorted(
            p for p in set(found) if (not self._good or p > self._good.pos) and (not self._bad or p < self._bad.pos)
        )
        while points:
            middle = len(points) // 2
            probe = self._probe(Target.at(points[middle]))
            if probe is None:
                del points[middle]  # it cannot be reached: the others tell as much
            elif probe.messages:
                self._bad, points = probe, points[:middle]
            else:
                self._good, points = probe, points[middle + 1 :]

    def _probe(self, target: Target) -> _Probe | None:
        """Restore and check one point; None where it cannot be restored."""
        self._cancel.check()
        self._probes += 1
        try:
            pos, until_ns = drill.restore_state(self._any, target, self._output, self._report, self._cancel)
        except (DamageError, NoSuchTargetError, UnreadableError):
            return None
        try:
            messages = integrity_messages(self._output, "full", self._report, self._cancel)
        finally:
            os.unlink(self._output)
        state = "passes" if not messages else f"fails: {messages[0]}"
        self._report.log(f"probe {self._probes}: {pos} {state}")
        return _Probe(pos, until_ns, messages)


class _Positions(_Search):
    """In a generation of a v0.3 replica: among the ends of its files, then among the transactions of one."""

    def __init__(
        self, replica: FileReplica, generation: str, folder: str, report: Reporter, cancel: CancelToken
    ) -> None:
        super().__init__(replica, Target(generation, last_good=True), folder, report, cancel)
        self._replica, self._generation = replica, generation

    def _points(self) -> Iterator[Iterable[Pos]]:
        generation, table = self._generation, self._replica.wals(self._generation)
        starts = zip(table.index.tolist(), table.offset.tolist(), strict=True)
        yield [
            *(Pos(generation, s.index, 0) for s in self._replica.snapshots(generation)),
            *(Pos(generation, index, max(0, offset)) for index, offset in starts),
        ]
        assert self._bad is not None
        pos = self._bad.pos
        index = pos.index if pos.offset else pos.index - 1
        if self._replica.wals(generation).rows_of(index):
            frames = read_frames(self._replica, generation, index, cancel=self._cancel)
            yield (Pos(generation, index, end) for end in frames.transactions.end_offset.tolist())


class _TXIDs(_Search):
    """In a v0.5 replica: among the last TXIDs of its files, which are all that can be restored."""

    def __init__(self, replica: LTXReplica, folder: str, report: Reporter, cancel: CancelToken) -> None:
        super().__init__(replica, Target(last_good=True), folder, report, cancel)
        self._ends = replica.table.max_txid

    def _points(self) -> Iterator[Iterable[Pos]]:
        yield map(TXID.of, self._ends.tolist())
