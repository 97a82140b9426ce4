"""Find the newest restore point whose database passes SQLite's integrity check, by bisection.

A replica carries damage that was in the database before it was replicated as faithfully as all else. What is damaged
stays so, nearly always, until somebody mends it: so the restore points are halved, each probe is a restore and a full
check, and the last one that passes before the first one that fails is the answer.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from litetui.errors import DamageError, NoSuchTargetError, UnreadableError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import drill, restore
from litetui.ops.frames import read_frames
from litetui.ops.output import integrity_messages
from litetui.ops.target import Target
from litetui.replica.file import FileReplica
from litetui.replica.types import Pos
from litetui.units import format_time


@dataclass(frozen=True, slots=True)
class CleanPoint:
    """The newest position that passes, and the time of its file; None where none of the probes did.

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
    replica: FileReplica,
    generations: Sequence[str],
    *,
    scratch: str | None = None,
    report: Reporter | None = None,
    cancel: CancelToken | None = None,
) -> CleanPoint:
    """Search in one generation after the other: first among the ends of its files, then among the transactions of one.

    Raises OutputError (no room in the scratch folder), Cancelled.
    """
    report, cancel = report or Reporter(), cancel or CancelToken()
    probes, first_bad = 0, None
    messages: tuple[str, ...] = ()
    with drill.scratch_folder(scratch or drill.default_scratch()) as folder:
        for generation in generations:
            point = _Search(replica, generation, folder, report, cancel).run()
            probes += point.probes
            if point.first_bad is not None and first_bad is None:
                first_bad, messages = point.first_bad, point.messages
            if point.pos is not None:
                bad = point.first_bad or first_bad
                return CleanPoint(point.pos, point.until_ns, bad, point.messages or messages, probes)
    return CleanPoint(None, None, first_bad, messages, probes)


class _Search:
    """One search. Points are (index, offset); an offset of -1 is the end of that WAL, whatever it is."""

    def __init__(
        self, replica: FileReplica, generation: str, folder: str, report: Reporter, cancel: CancelToken
    ) -> None:
        self._replica, self._generation, self._folder = replica, generation, folder
        self._report, self._cancel = report, cancel
        self._probes = 0
        self._good: _Probe | None = None
        self._bad: _Probe | None = None

    def run(self) -> CleanPoint:
        latest = self._probe(self._last_target())
        if latest is not None and latest.messages:
            self._bad = latest
            self._bisect(self._file_ends())
            self._bisect(self._transactions())
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

    def _last_target(self) -> Target:
        return Target(self._generation, last_good=True)

    def _file_ends(self) -> list[tuple[int, int]]:
        """Snapshots, and where one file ends and the next begins, before the one that fails."""
        table = self._replica.wals(self._generation)
        ends = {(s.index, 0) for s in self._replica.snapshots(self._generation)}
        ends |= set(zip(table.index.tolist(), np.maximum(table.offset, 0).tolist(), strict=True))
        return self._between(ends)

    def _transactions(self) -> list[tuple[int, int]]:
        """The ends of the transactions in the file between the last that passes and the first that fails."""
        if self._bad is None:
            return []
        pos = self._bad.pos
        index = pos.index if pos.offset else pos.index - 1
        if not self._replica.wals(self._generation).rows_of(index):
            return []
        frames = read_frames(self._replica, self._generation, index, cancel=self._cancel)
        return self._between({(index, end) for end in frames.transactions.end_offset.tolist()})

    def _between(self, points: set[tuple[int, int]]) -> list[tuple[int, int]]:
        """Those that are after the last that passes and before the first that fails, ascending."""
        low = (self._good.pos.index, self._good.pos.offset) if self._good else (-1, 0)
        high = (self._bad.pos.index, self._bad.pos.offset) if self._bad else (1 << 32, 0)
        return sorted(p for p in points if low < p < high)

    def _bisect(self, points: list[tuple[int, int]]) -> None:
        while points:
            middle = len(points) // 2
            index, offset = points[middle]
            probe = self._probe(Target.at(Pos(self._generation, index, offset)))
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
        output = os.path.join(self._folder, "probe.db")
        try:
            plan = restore.plan(self._replica, target)
            done = restore.run(plan, output, integrity_check="none", report=self._report, cancel=self._cancel)
        except (DamageError, NoSuchTargetError, UnreadableError):
            return None
        try:
            messages = integrity_messages(output, "full", self._report, self._cancel)
        finally:
            os.unlink(output)
        state = "passes" if not messages else f"fails: {messages[0]}"
        self._report.log(f"probe {self._probes}: {done.plan.position} {state}")
        return _Probe(done.plan.position, done.plan.until_ns, messages)
