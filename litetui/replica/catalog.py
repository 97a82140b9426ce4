"""The WAL files of a generation as compact columns: 29 bytes a file, a million of them without a million objects.

Names are listed and parsed first, all at once; sizes and times need a stat a file, which is four fifths of the cost
of a full scan, and come when somebody asks for them. Tables are immutable: a refresh makes a new one and carries
over what it knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from litetui.format import names
from litetui.replica.types import WALInfo

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]

# The forms a WAL file comes in; the order is the order in which files of one index and offset are sorted.
SEGMENT, WHOLE_LZ4, WHOLE, SEGMENT_PLAIN = range(4)
_MAX_U32 = 0xFFFFFFFF
_USUAL_LENGTH = len("00000000_00000000.wal.lz4")
HEX = np.full(256, 255, np.uint8)
HEX[list(b"0123456789abcdef")] = range(16)
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
_SUFFIX = np.frombuffer(b".wal.lz4", np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class WALTable:
    """WAL files sorted by index, offset and form, in columns of the same length.

    index, offset   as the name says; offset is 0 for a file that holds a whole WAL
    form            SEGMENT, WHOLE_LZ4, WHOLE or SEGMENT_PLAIN
    size, mtime_ns  bytes stored and time of last change; -1 in `size` until they were read
    """

    generation: str
    index: U32
    offset: U64
    form: U8
    size: I64
    mtime_ns: I64
    odd_names: dict[tuple[int, int, int], str] = field(default_factory=dict)

    @classmethod
    def empty(cls, generation: str) -> WALTable:
        return cls(
            generation,
            np.zeros(0, np.uint32),
            np.zeros(0, np.uint64),
            np.zeros(0, np.uint8),
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
        )

    @classmethod
    def parse(cls, generation: str, listing: Sequence[str]) -> tuple[WALTable, list[str]]:
        """A table without sizes and times from the names in a folder, and the names that are no WAL's."""
        usual = [n for n in listing if len(n) == _USUAL_LENGTH and n.isascii()]
        index, offset, good = _parse_usual(usual)
        others = [usual[i] for i in np.flatnonzero(~good)]
        if len(usual) < len(listing):
            others += [n for n in listing if len(n) != _USUAL_LENGTH or not n.isascii()]
        index, offset = index[good], offset[good]
        form = np.full(len(index), SEGMENT, np.uint8)
        odd: dict[tuple[int, int, int], str] = {}
        foreign: list[str] = []
        extra: list[tuple[int, int, int]] = []
        for name in others:
            parsed = names.parse_wal(name)
            if parsed is None:
                foreign.append(name)
                continue
            kind = _form_of(parsed)
            key = (parsed.index, parsed.offset or 0, kind)
            if names.format_wal(*parsed[:2], compressed=parsed.compressed) != name:
                odd[key] = name
            extra.append(key)
        if extra:
            index = np.concatenate([index, np.array([k[0] for k in extra], np.uint32)])
            offset = np.concatenate([offset, np.array([k[1] for k in extra], np.uint64)])
            form = np.concatenate([form, np.array([k[2] for k in extra], np.uint8)])
        order = _sort(index, offset, form)
        unknown = np.full(len(index), -1, np.int64)
        table = cls(generation, index[order], offset[order], form[order], unknown, np.zeros_like(unknown), odd)
        return table, foreign

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, row: int) -> WALInfo:
        form = int(self.form[row])
        return WALInfo(
            self.generation,
            int(self.index[row]),
            int(self.offset[row]) if form in (SEGMENT, SEGMENT_PLAIN) else None,
            int(self.size[row]),
            int(self.mtime_ns[row]),
            self.name(row),
            form in (SEGMENT, WHOLE_LZ4),
        )

    @property
    def whole(self) -> npt.NDArray[np.bool_]:
        """True where a file holds a whole WAL."""
        whole: npt.NDArray[np.bool_] = (self.form == WHOLE_LZ4) | (self.form == WHOLE)
        return whole

    def name(self, row: int) -> str:
        """The file's name in the `wal` folder."""
        index, offset, form = int(self.index[row]), int(self.offset[row]), int(self.form[row])
        if self.odd_names and (name := self.odd_names.get((index, offset, form))):
            return name
        piece = offset if form in (SEGMENT, SEGMENT_PLAIN) else None
        return names.format_wal(index, piece, compressed=form in (SEGMENT, WHOLE_LZ4))

    def names_of(self, rows: Rows) -> list[str]:
        """The names of many rows: all at once where they are of the usual length, which costs a quarter."""
        index, offset = self.index[rows], self.offset[rows]
        if self.odd_names or (self.form[rows] != SEGMENT).any() or (offset > _MAX_U32).any():
            return [self.name(int(row)) for row in rows]
        n = len(rows)
        numbers = np.empty((n, 2), ">u4")
        numbers[:, 0], numbers[:, 1] = index, offset
        octets = numbers.view(np.uint8).reshape(n, 2, 4)
        raw = np.empty((n, _USUAL_LENGTH), np.uint8)
        for column, at in ((0, 0), (1, 9)):
            raw[:, at : at + 8 : 2] = _DIGITS[octets[:, column] >> 4]
            raw[:, at + 1 : at + 8 : 2] = _DIGITS[octets[:, column] & 15]
        raw[:, 8] = ord("_")
        raw[:, 17:] = _SUFFIX
        text = raw.tobytes().decode("ascii")
        return [text[at : at + _USUAL_LENGTH] for at in range(0, len(text), _USUAL_LENGTH)]

    def indexes(self) -> U32:
        """The distinct indexes, ascending."""
        if not len(self):
            return self.index
        new = np.ones(len(self.index), np.bool_)
        new[1:] = self.index[1:] != self.index[:-1]
        return self.index[new]

    def rows_of(self, index: int) -> range:
        """The rows of one index."""
        if not 0 <= index <= _MAX_U32:
            return range(0)
        key = np.uint32(index)  # of the column's own type, or numpy converts the whole column first
        return range(int(self.index.searchsorted(key)), int(self.index.searchsorted(key, "right")))

    def take(self, rows: Rows | npt.NDArray[np.bool_]) -> WALTable:
        """A table of these rows only, in the same order."""
        return replace(
            self,
            index=self.index[rows],
            offset=self.offset[rows],
            form=self.form[rows],
            size=self.size[rows],
            mtime_ns=self.mtime_ns[rows],
        )

    def same_files(self, other: WALTable) -> bool:
        return all(
            np.array_equal(a, b)
            for a, b in ((self.index, other.index), (self.offset, other.offset), (self.form, other.form))
        )

    def updated(self, changed: WALTable) -> WALTable | None:
        """This table with what is newly known of some of its files, or of new ones; a size below 0: it is gone. This
        same table where nothing is new; None where not all are segments, which takes a whole listing."""
        if self.form.any() or changed.form.any() or changed.odd_names or self.odd_names:
            return None
        at, there = self._places(changed)
        size, mtime_ns = self.size, self.mtime_ns
        gone = changed.size < 0
        known = there & ~gone
        rows = at[known]
        if (size[rows] != changed.size[known]).any() or (mtime_ns[rows] != changed.mtime_ns[known]).any():
            size, mtime_ns = size.copy(), mtime_ns.copy()
            size[rows], mtime_ns[rows] = changed.size[known], changed.mtime_ns[known]
        table = self if size is self.size else replace(self, size=size, mtime_ns=mtime_ns)
        if len(new := np.flatnonzero(~there & ~gone)):
            table = table._inserted(at[new], changed.take(new))
            at += np.searchsorted(new, np.arange(len(at)), "right")
        if (leaving := there & gone).any():
            keep = np.ones(len(table), np.bool_)
            keep[at[leaving]] = False
            table = table.take(keep)
        return table

    def without(self, files: WALTable) -> WALTable:
        """This table without these files."""
        rows = _common(self, files)[0]
        return self.take(np.delete(np.arange(len(self)), rows)) if len(rows) else self

    def _places(self, files: WALTable) -> tuple[Rows, npt.NDArray[np.bool_]]:
        """The row of each file, or the one that it would come before; and whether it is there."""
        at, there = np.zeros(len(files), np.intp), np.zeros(len(files), np.bool_)
        for n, (index, offset) in enumerate(zip(files.index.tolist(), files.offset.tolist(), strict=True)):
            rows = self.rows_of(index)
            at[n] = rows.start + int(self.offset[rows.start : rows.stop].searchsorted(np.uint64(offset)))
            there[n] = at[n] < rows.stop and int(self.offset[at[n]]) == offset
        return at, there

    def _inserted(self, at: Rows, files: WALTable) -> WALTable:
        """This table with files more, each before one of its rows."""

        def column(old: npt.NDArray[Any], new: npt.NDArray[Any]) -> npt.NDArray[Any]:
            # New files come last, as a rule, and then this is twice as fast as insert.
            return np.concatenate([old, new]) if at[0] == len(self) else np.insert(old, at, new)

        return replace(
            self,
            index=column(self.index, files.index),
            offset=column(self.offset, files.offset),
            form=column(self.form, files.form),
            size=column(self.size, files.size),
            mtime_ns=column(self.mtime_ns, files.mtime_ns),
        )

    def carry_over(self, known: WALTable) -> WALTable:
        """This table with the sizes and times that `known` has for the same files."""
        n = len(known)
        head = self.take(np.arange(min(n, len(self))))
        if head.same_files(known):  # files were only added at the end: the usual case
            at, source = np.arange(n), np.arange(n)
        else:
            at, source = _common(self, known)
        size, mtime = self.size.copy(), self.mtime_ns.copy()
        size[at], mtime[at] = known.size[source], known.mtime_ns[source]
        return replace(self, size=size, mtime_ns=mtime)


def _form_of(name: names.WALName) -> int:
    if name.offset is None:
        return WHOLE_LZ4 if name.compressed else WHOLE
    return SEGMENT if name.compressed else SEGMENT_PLAIN


def _parse_usual(listing: list[str]) -> tuple[U32, U64, npt.NDArray[np.bool_]]:
    """Index and offset of names of the usual length, all at once, and which of the names really are segments'."""
    n = len(listing)
    raw = np.frombuffer("".join(listing).encode("ascii"), np.uint8).reshape(n, _USUAL_LENGTH)
    digits = HEX[raw[:, [*range(8), *range(9, 17)]]]
    good = (digits != 255).all(axis=1) & (raw[:, 8] == ord("_")) & (raw[:, 17:] == _SUFFIX).all(axis=1)
    # Pairs of digits are bytes, and eight bytes in a row are one big-endian number.
    packed = np.ascontiguousarray((digits[:, 0::2] << 4) | (digits[:, 1::2] & 15)).view(">u4")
    return packed[:, 0].astype(np.uint32), packed[:, 1].astype(np.uint64), good


def _sort(index: U32, offset: U64, form: U8) -> Rows:
    if not len(index):
        return np.zeros(0, np.intp)
    if not form.any() and int(offset.max()) < 1 << 32:  # one key sorts four times as fast as three
        return np.argsort((index.astype(np.uint64) << np.uint64(32)) | offset)
    return np.lexsort((form, offset, index))


def _common(new: WALTable, old: WALTable) -> tuple[Rows, Rows]:
    """The rows of the files that are in both tables, in each of them."""
    index = np.concatenate([old.index, new.index])
    offset = np.concatenate([old.offset, new.offset])
    form = np.concatenate([old.form, new.form])
    order = np.lexsort((np.arange(len(index)) >= len(old), form, offset, index))
    first, second = order[:-1], order[1:]
    same = (index[first] == index[second]) & (offset[first] == offset[second]) & (form[first] == form[second])
    return second[same] - len(old), first[same]
