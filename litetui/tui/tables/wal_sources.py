"""What tables show of one WAL: its transactions, the pages of one of them, its frames. No textual, no files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from litetui.jobs.progress import CancelToken
from litetui.tui.tables.matching import decimal_holds
from litetui.tui.tables.sources import Cell, Column, Source

if TYPE_CHECKING:
    from litetui.ops.frames import FrameTable
    from litetui.ops.owners import Labels, Owner
    from litetui.ops.wal_owners import WALOwners


class TransactionSource(Source):
    """The transactions of a WAL, in their order, and whose pages they write, as far as that was looked at."""

    empty = "no committed transaction in this WAL"
    newest_at = "last"

    def __init__(self, frames: FrameTable, owners: WALOwners | None = None, pending: str = "") -> None:
        """`pending`: what stands where nobody has looked yet."""
        self.frames = frames
        self.owners = owners
        self.pending = pending
        self.transactions = frames.transactions
        self.columns = (
            Column("Transaction", 11, right=True),
            Column("First frame", 11, right=True, drop=3),
            Column("Last frame", 10, right=True, drop=3),
            Column("Frames", 7, right=True),
            Column("Database pages", 14, right=True, drop=2),
            Column("Ends at offset", 14, right=True, drop=1),
            Column("What", 40, grow=True),
        )

    def __len__(self) -> int:
        return len(self.transactions)

    def cells(self, row: int) -> Sequence[Cell]:
        t = self.transactions
        first, last = int(t.first_frame[row]), int(t.last_frame[row])
        return (
            str(row + 1),
            str(first),
            str(last),
            f"{last - first + 1:,}",
            f"{int(t.database_pages[row]):,}",
            str(int(t.end_offset[row])),
            self.what(row) or (self.pending, "muted"),
        )

    def what(self, row: int) -> str:
        """How many pages of each table and index, "" where nobody has looked."""
        t = self.transactions
        if self.owners is None:
            return ""
        return self.owners.text(int(t.first_frame[row]), int(t.last_frame[row]), self.frames.pages)

    def matching(self, word: str, cancel: CancelToken) -> Any:
        """By number, end offset, and the owners of pages."""
        import numpy as np

        t = self.transactions
        found = decimal_holds(np.arange(1, len(t) + 1), word) | decimal_holds(t.end_offset, word)
        if self.owners is not None:
            before = np.append(0, np.cumsum(labels_holding(self.owners.labels, word)[self.owners.codes]))
            found |= before[t.last_frame + 1] > before[t.first_frame]
        return found

    def record(self, row: int) -> dict[str, object]:
        t, frames = self.transactions, self.frames
        first, last = int(t.first_frame[row]), int(t.last_frame[row])
        looked = self.owners is not None and self.owners.looked_at(first)
        return {
            "transaction": row,
            "first_frame": first,
            "last_frame": last,
            "end_offset": int(t.end_offset[row]),
            "database_pages": int(t.database_pages[row]),
            "owners": dict(self.owners.groups(first, last, frames.pages)) if self.owners and looked else None,
        }

    def find(self, key: object) -> int | None:
        return key if isinstance(key, int) and key < len(self) else None

    def sort_values(self, column: int) -> Any:
        import numpy as np

        t = self.transactions
        plain = np.arange(len(t))
        return (plain, t.first_frame, t.last_frame, t.pages, t.database_pages, t.end_offset, None)[column]

    def sortable(self, column: int) -> bool:
        return column < 6


class FrameSource(Source):
    """The frames of a WAL, in their order."""

    empty = "no frames in this WAL"
    newest_at = "last"
    columns = (
        Column("Frame", 9, right=True),
        Column("Offset", 12, right=True),
        Column("Page", 10, right=True),
        Column("Commit", 8, right=True, drop=2),
        Column("Checked", 12, drop=1),
        Column("Owner", 16, grow=True),
        Column("Kind", 11, drop=3),
    )

    def __init__(self, frames: FrameTable, owners: WALOwners | None = None) -> None:
        self.frames = frames
        self.owners = owners

    def __len__(self) -> int:
        return len(self.frames)

    def cells(self, row: int) -> Sequence[Cell]:
        commit = int(self.frames.commits[row])
        return (
            str(row),
            str(self.frames.offset(row)),
            str(int(self.frames.pages[row])),
            str(commit) if commit else "",
            self._checked(row),
            *owner_cells(owner_of(self.owners, row)),
        )

    def _checked(self, row: int) -> Cell:
        fault = self.frames.fault
        if row < self.frames.valid_frames:
            return ("valid", "muted")
        if fault is None or fault.frame != row:
            return ("invalid", "error")
        return ("bad salts" if fault.salts != fault.expected_salts else "bad checksum", "error")

    def find(self, key: object) -> int | None:
        return key if isinstance(key, int) and key < len(self) else None

    def matching(self, word: str, cancel: CancelToken) -> Any:
        """By page, what is said of its validity, `commit`, and its owner."""
        valid, of = self.frames.valid, self.frames
        found = decimal_holds(of.pages, word)
        for text, rows in (("commit", of.commits > 0), ("valid", valid), ("invalid", ~valid)):
            if word in text:
                found = found | rows
        return found | owner_holds(self.owners, slice(None), word)

    def record(self, row: int) -> dict[str, object]:
        of, owner = self.frames, owner_of(self.owners, row)
        return {
            "frame": row,
            "offset": of.offset(row),
            "page": int(of.pages[row]),
            "commit": int(of.commits[row]),
            "valid": row < of.valid_frames,
            **owner_record(owner),
        }

    def sort_values(self, column: int) -> Any:
        import numpy as np

        plain = np.arange(len(self))
        values = (plain, plain, self.frames.pages, self.frames.commits, self.frames.valid)
        return values[column] if column < len(values) else owner_order(self.owners, plain, column - len(values))

    def sortable(self, column: int) -> bool:
        return column < 5 or self.owners is not None


class WrittenPageSource(Source):
    """The pages that one transaction writes, ascending: whose they are, and the frame that holds the last image."""

    empty = "this transaction is not there any more"
    columns = (
        Column("Page", 10, right=True),
        Column("Owner", 16, grow=True),
        Column("Kind", 11),
        Column("Frame", 9, right=True),
        Column("Offset", 12, right=True, drop=1),
    )

    def __init__(
        self, frames: FrameTable, transaction: int, owners: WALOwners | None = None, pending: str = ""
    ) -> None:
        self.frames = frames
        self.transaction = transaction
        self.owners = owners
        self.pending = pending

    @cached_property
    def rows(self) -> Any:
        """The last frame of each page."""
        import numpy as np

        done = self.frames.transactions
        if self.transaction >= len(done):
            return np.zeros(0, np.int64)
        first, last = int(done.first_frame[self.transaction]), int(done.last_frame[self.transaction])
        _, at = np.unique(self.frames.pages[first : last + 1][::-1], return_index=True)
        return last - at

    @property
    def end_offset(self) -> int:
        """Where the transaction ends in the WAL."""
        return int(self.frames.transactions.end_offset[self.transaction])

    def __len__(self) -> int:
        return len(self.rows)

    def cells(self, row: int) -> Sequence[Cell]:
        frame = int(self.rows[row])
        owner, kind = owner_cells(owner_of(self.owners, frame), self.pending)
        return (str(int(self.frames.pages[frame])), owner, kind, str(frame), str(self.frames.offset(frame)))

    def key(self, row: int) -> int:
        return int(self.frames.pages[int(self.rows[row])])

    def find(self, key: object) -> int | None:
        import numpy as np

        at = np.flatnonzero(self.frames.pages[self.rows] == key)
        return int(at[0]) if len(at) else None

    def matching(self, word: str, cancel: CancelToken) -> Any:
        """By page, frame and owner."""
        found = decimal_holds(self.frames.pages[self.rows], word) | decimal_holds(self.rows, word)
        return found | owner_holds(self.owners, self.rows, word)

    def record(self, row: int) -> dict[str, object]:
        frame = int(self.rows[row])
        owner = owner_of(self.owners, frame)
        page = int(self.frames.pages[frame])
        return {"page": page, **owner_record(owner), "frame": frame, "offset": self.frames.offset(frame)}

    def sortable(self, column: int) -> bool:
        return column not in (1, 2) or self.owners is not None

    def sort_values(self, column: int) -> Any:
        if column in (1, 2):
            return owner_order(self.owners, self.rows, column - 1)
        return self.frames.pages[self.rows] if column == 0 else self.rows


def owner_of(owners: WALOwners | None, frame: int) -> Owner | None:
    """Whose the page of a frame is, None where nobody has looked."""
    return owners.of_frame(frame) if owners is not None and owners.looked_at(frame) else None


def owner_cells(owner: Owner | None, pending: str = "") -> tuple[Cell, Cell]:
    """Name and kind."""
    return ((pending, "muted"), "") if owner is None else (owner.name, (owner.kind, "muted"))


def owner_record(owner: Owner | None) -> dict[str, object]:
    """The same for a program."""
    return {"owner": owner and (owner.name or None), "kind": owner and owner.kind}


def labels_holding(labels: Labels, word: str) -> Any:
    """Which codes have a name or a kind that holds a word."""
    import numpy as np

    owners = [labels[code] for code in range(len(labels))]
    return np.array([word in owner.name.casefold() or word in owner.kind for owner in owners])


def owner_holds(owners: WALOwners | None, frames: Any, word: str) -> Any:
    """Whether the owners of frames hold a word."""
    return False if owners is None else labels_holding(owners.labels, word)[owners.codes[frames]]


def owner_order(owners: WALOwners | None, frames: Any, by: int) -> Any:
    """Values to sort frames by the names of their owners (0) or by their kinds (1); None where nobody has looked."""
    return None if owners is None else label_order(owners.labels, by)[owners.codes[frames]]


def label_order(labels: Labels, by: int) -> Any:
    """The rank of each code in the order of names (0) or kinds (1)."""
    import numpy as np

    words = [labels[code].kind if by else labels[code].name for code in range(len(labels))]
    return np.unique(words, return_inverse=True)[1]
