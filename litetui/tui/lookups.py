"""How it is found out whose pages a file holds: a WAL by its transactions, an LTX file by the state it leads to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.ltx.pages import LTXPages
from litetui.tui.tables.wal_sources import TransactionSource

if TYPE_CHECKING:
    from litetui.ops.frames import FrameTable
    from litetui.ops.owners import PageOwners
    from litetui.ops.wal_owners import OwnersCost, WALOwners
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What was found: the owners of a WAL's frames, or of all pages of a state, or what it would take."""

    wal: WALOwners | None = None
    state: PageOwners | None = None
    cost: OwnersCost | None = None

    @property
    def problem(self) -> str:
        """Why not all could be told."""
        found = self.wal or self.state
        return found.problem if found is not None else ""


class Lookup(Protocol):
    """A file whose content was read. Its steps are the transactions of a WAL; an LTX file is one step.

    `cost` and `look` block and raise LitetuiError. `look` takes what is known, and its answer has that too; `last`
    None: all steps from the first one on.
    """

    steps: int
    replica_path: str

    def cost(self, first: int) -> OwnersCost: ...
    def look(self, first: int, last: int | None, known: Answer, report: Reporter, cancel: CancelToken) -> Answer: ...
    def has(self, step: int, known: Answer) -> bool: ...
    def title(self, step: int) -> str: ...
    def words(self, step: int, found: Answer) -> str: ...


class WALLookup:
    """Of a WAL."""

    def __init__(self, replica: FileReplica, frames: FrameTable) -> None:
        self.replica, self.frames = replica, frames
        self.steps = len(frames.transactions)
        self.replica_path = replica.path

    def cost(self, first: int) -> OwnersCost:
        from litetui.ops.wal_owners import cost

        return cost(self.replica, self.frames, first)

    def look(self, first: int, last: int | None, known: Answer, report: Reporter, cancel: CancelToken) -> Answer:
        from litetui.ops.wal_owners import wal_owners

        before = known.wal
        return Answer(wal_owners(self.replica, self.frames, first, last, known=before, report=report, cancel=cancel))

    def has(self, step: int, known: Answer) -> bool:
        """Whether this transaction was looked up."""
        frame = int(self.frames.transactions.first_frame[step])
        return known.wal is not None and frame < len(known.wal.codes) and known.wal.looked_at(frame)

    def title(self, step: int) -> str:
        end = int(self.frames.transactions.end_offset[step])
        return f"whose pages the transaction up to {self.frames.index:08x}:{end} writes"

    def words(self, step: int, found: Answer) -> str:
        return TransactionSource(self.frames, found.wal).what(step)


class LTXLookup:
    """Of an LTX file."""

    steps = 1

    def __init__(self, replica: LTXReplica, pages: LTXPages) -> None:
        self.replica, self.pages = replica, pages
        self.replica_path = replica.path

    def cost(self, first: int) -> OwnersCost:
        from litetui.ops import restore
        from litetui.ops.target import Target
        from litetui.ops.wal_owners import OwnersCost

        header = self.pages.header
        plan = restore.plan(self.replica, Target(txid=header.max_txid))
        return OwnersCost(plan.bytes_to_read, header.commit * header.page_size, 1)

    def look(self, first: int, last: int | None, known: Answer, report: Reporter, cancel: CancelToken) -> Answer:
        from litetui.ops import restore
        from litetui.ops.states import owners_at
        from litetui.ops.target import Target

        plan = restore.plan(self.replica, Target(txid=self.pages.header.max_txid))
        return Answer(state=owners_at(plan, report, cancel))

    def has(self, step: int, known: Answer) -> bool:
        """Whether the file was looked up."""
        return known.state is not None

    def title(self, step: int) -> str:
        return f"whose pages the LTX file up to TXID {self.pages.header.max_txid:016x} holds"

    def words(self, step: int, found: Answer) -> str:
        return f"{len(self.pages)} pages"
