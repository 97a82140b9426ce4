"""Validate a v0.5 replica: every LTX file, all levels as one chain, what they say of each other, and a restore of it.

Litestream 0.5 checks names alone, level by level. Here every file is read once, in one pass: those of the chain that a
restore takes with the pages that a growth must carry, and with a drill into a scratch file; the others by themselves.
The same pass compares the files with each other, by a hash of each page: a compacted file with the files that it was
made of, a snapshot with the way to the same TXID without it (ltx_ways.py). That costs no reading, and so belongs to
`content` as well as to `restore`.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from litetui.errors import ChangedError, DamageError, LitetuiError, NoSuchTargetError, UnreadableError
from litetui.format.ltx_header import LTXHeader
from litetui.format.position import TXID
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import ltx_merge, pagediff
from litetui.ops.drill import Drill
from litetui.ops.ltx_growth import Debt
from litetui.ops.ltx_live import lost_between
from litetui.ops.ltx_merge import LTXChain
from litetui.ops.ltx_plan import chain_of, to_last_good
from litetui.ops.ltx_survey import survey
from litetui.ops.ltx_ways import Content, Difference, Ways, reading_order
from litetui.ops.scan import YOUNG_NS
from litetui.ops.verdict import LTX, Checked, Depth, GenerationReport, Verdict, Window
from litetui.replica.ltx import SNAPSHOTS, LTXReplica
from litetui.replica.types import Finding, LTXInfo
from litetui.units import printable

Found = Callable[[Finding], None]


_ATTEMPTS = 3


@dataclass(slots=True)
class _State:
    """doubtful: the chain of a restore contradicts other files, and nothing tells which of them are right.
    around: sound files lead to the newest TXID, but not those that a restore takes."""

    findings: list[Finding] = field(default_factory=list)
    checked: Checked = field(default_factory=Checked)
    complete: bool = True
    doubtful: bool = False
    around: bool = False
    gone: int = 0


def check(
    replica: LTXReplica,
    depth: Depth,
    drill: Drill | None,
    report: Reporter,
    cancel: CancelToken,
    found: Found,
    now_ns: int,
) -> GenerationReport:
    """All levels, as one report. Where a writer is at work on its files meanwhile, it begins anew. Raises Cancelled,
    OutputError (the drill)."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return _Check(replica, depth, drill, report, cancel, found, now_ns).run()
        except ChangedError:
            replica.refresh(anew=True)
    return _Check(replica, depth, drill, report, cancel, found, now_ns, last=True).run()


class _Check:
    def __init__(
        self,
        replica: LTXReplica,
        depth: Depth,
        drill: Drill | None,
        report: Reporter,
        cancel: CancelToken,
        found: Found,
        now_ns: int,
        *,
        last: bool = False,
    ) -> None:
        self._replica, self._depth, self._drill = replica, depth, drill
        self._report, self._cancel, self._found = report, cancel, found
        self._last, self._now_ns = last, now_ns
        self._table = replica.table
        self._way = chain_of(self._table)
        self._needed = frozenset(self._way)
        self._chain = LTXChain(replica)
        self._ways = Ways(self._table)
        self._state = _State()
        self._sync: LTXHeader | None = None
        self._done = self._size = 0

    def run(self) -> GenerationReport:
        """Raises ChangedError, but in the last attempt."""
        names = survey(self._replica)
        for finding in names.findings:
            if self._depth == "names" or finding.code != "truncated":  # reading such a file tells more
                self._add(finding)
        self._state.complete = not any(f.code == "unreadable" for f in names.findings)
        if self._depth == "names":
            self._state.checked = Checked(len(self._table))
            not_known = not names.why_not or not self._state.complete
            return self._result(TXID.of(names.reached) if names.reached else None, None if not_known else False, "")
        self._report.phase("LTX files", int(self._table.size.sum()))
        broken = self._files()
        latest = not names.why_not and not broken
        reached = self._last_good() if broken else names.reached
        self._state.around = broken and reached == names.newest
        integrity = self._integrity(latest)
        if integrity not in ("", "ok"):
            latest = False
        return self._result(TXID.of(reached) if reached else None, self._known(latest), integrity)

    def _known(self, latest: bool) -> bool | None:
        return None if not self._state.complete or (latest and self._state.doubtful) else latest

    # ---- files

    def _files(self) -> bool:
        """Read all of them. True if one that a restore takes is broken."""
        broken = False
        for row in reading_order(self._table):
            info = self._table[row]
            on_way = row in self._needed and not broken
            try:
                chain = self._chain if on_way else LTXChain(self._replica, alone=True)
                content = self._read(info, row, chain, on_way)
            except DamageError as error:
                self._damaged(error, row, broken)
                broken |= on_way
                self._ways.lose(row)
            except UnreadableError as error:
                self._ways.lose(row)
                if isinstance(error, ChangedError):
                    if not on_way and not os.path.lexists(error.path or "/"):
                        self._state.gone += 1
                        continue
                    if not self._last:
                        raise
                broken |= on_way
                self._unreadable(error)
            else:
                for difference in self._ways.add(row, content):
                    self._differ(difference)
                if info.level == 0:
                    self._joins(info, chain.header, content)
        for difference in self._ways.finish():
            self._differ(difference)
        self._size = self._chain.commit * self._chain.page_size
        short = None if broken else self._chain.finish()
        if short is not None:
            self._damaged(short[1], self._way[short[0]], broken)
            broken = True
        for debt in self._chain.growth.paid:
            self._late(debt)
        if self._state.gone:
            words = f"{self._state.gone} file(s) were removed while others were read"
            self._add(Finding("info", "unknown-file", words, "Litestream's retention does that"))
        return broken

    def _read(self, info: LTXInfo, row: int, chain: LTXChain, on_way: bool) -> Content:
        """One file, and into the drill where a restore takes it."""
        content, count = Content(), 0
        for batch in chain.batches(info):
            self._cancel.check()
            content.add(batch)
            if on_way and self._drill is not None and len(batch.pages):
                if not count and row == self._way[0]:
                    self._drill.begin(chain.page_size)
                self._drill.write(batch.pages, batch.images)
            count += len(batch.pages)
            self._report.advance(self._done + min(info.size, batch.places[-1]))
        self._cancel.check()
        content.commit = chain.commit
        self._done += info.size
        self._report.advance(self._done)
        transactions = info.max_txid - info.min_txid + 1 if info.level == 0 else 0
        self._state.checked += Checked(1, info.size, count, transactions)
        return content

    def _joins(self, info: LTXInfo, header: LTXHeader | None, content: Content) -> None:
        """A file of level 0 must go on in the WAL where the one before it ended."""
        before, self._sync = self._sync, header
        if before is None or header is None or header.min_txid != before.max_txid + 1:
            return
        lost = lost_between(before, header)
        if not lost or len(content.pages) >= content.commit - 1:  # the lock page is never there
            return
        needed = info.min_txid > int(self._table.max_txid[self._way[0]])
        self._state.doubtful |= needed
        words = (
            f"{lost} are missing in {self._replica.file_path(info)}, which goes on as if nothing had been: the states "
            f"from {TXID.of(info.min_txid)} on are none that the database had, up to the next snapshot"
        )
        words += "; the latest state rests on it" if needed else "; the latest state does not rest on it"
        hint = "have a new snapshot written; restores of before are as they should be"
        path = self._replica.storage.path(self._replica.file_path(info))
        self._add(Finding("error", "missing-wal", words, hint, path))

    def _damaged(self, error: DamageError, row: int, broken: bool) -> None:
        """`broken`: a restore of the latest stops before it comes to this file."""
        table = self._table
        if row not in self._needed:
            return self._note(error, "the latest state does not need it; restore points in it are lost", "")
        takes = f"the states from {TXID.of(int(table.max_txid[row]))} on do not restore, up to the latest"
        if broken:
            takes = "the latest state needs it too"
        else:
            others = table.take(np.arange(len(table)) != row)
            rows = chain_of(others)
            if rows and others.max_txid[rows[-1]] == table.max_txid.max():
                takes = "the latest state restores only by other files, around it"
        return self._note(error, takes, to_last_good(self._replica))

    def _late(self, debt: Debt) -> None:
        """A file lacked pages that a later one brought."""
        table, row, payer = self._table, self._way[debt.file], self._way[debt.paid_by]
        first, last = (TXID.of(int(table.max_txid[r])) for r in (row, payer))
        words = (
            f"{self._name(row)}: {debt.words}; {self._name(payer)} makes up for it, so that the states from {first} up "
            f"to before {last} do not restore, but all that comes after does"
        )
        hint = "nothing for the latest state; Litestream 0.5.5 writes such files under load, 0.5.17 does not"
        self._add(Finding("warning", "missing-page", words, hint, self._replica.storage.path(self._name(row))))

    # ---- files that contradict each other

    def _differ(self, found: Difference) -> None:
        """Nothing tells which of both is right. While a replica is written, its next files may still bring the rest."""
        table, name = self._table, self._name
        base, others = name(found.row), [name(row) for row in found.others]
        path = self._replica.storage.path(base)
        at = TXID.of(found.txid)
        if found.ended:
            words = (
                f"{base} is not what the way without it leads to, up to TXID {TXID.of(found.ended)}: it is ahead of "
                "its own TXID, or wrong; what it restores to before is no state that the database had, but all that "
                "comes after is"
            )
            hint = "nothing for the latest state; Litestream 0.5.5 writes such snapshots under load, 0.5.17 does not"
            self._add(Finding("warning", "chains-differ", words, hint, path))
            return
        compacted = found.direct and int(table.level[found.row]) in range(1, SNAPSHOTS)
        if compacted:
            what = f"{base} does not hold what the {len(others)} file(s) that it was made of, {others[0]}"
            what += (f" to {others[-1]}" if len(others) > 1 else "") + ", hold"
        elif found.direct:
            what = f"{base} and the way without it, from {others[0]}, do not lead to the same database at TXID {at}"
        else:
            what = f"the ways from {base} and {others[0]} do not lead to the same database at TXID {at}"
        words = f"{what}: {len(found.pages)} page(s) differ ({pagediff.runs(found.pages)})"
        on_way = found.row in self._way
        self._state.doubtful |= on_way
        if not compacted and on_way and self._now_ns - int(table.time_ns.max()) < YOUNG_NS:
            self._state.complete = False
            words += "; the replica is being written, and its next files may still bring them"
            self._add(Finding("warning", "chains-differ", words, "validate again in a minute", path))
            return
        words += "" if compacted else "; one of them is wrong, or a file between them"
        words += "; the latest state rests on it" if on_way else "; the latest state does not rest on it"
        where = shlex.quote(printable(self._replica.path))
        hint = (
            "copy the replica before anything else, then have a new snapshot written; of a lost database compare both "
            f"ways, the same of a copy without {base}, and: litetui restore {where} -o OUT --txid {at}"
        )
        self._add(Finding("error", "chains-differ", words, hint, path))

    def _name(self, row: int) -> str:
        return self._replica.file_path(self._table[row])

    # ---- the drill

    def _last_good(self) -> int:
        try:
            return ltx_merge.last_good(self._replica, Reporter(), self._cancel).txid
        except UnreadableError as error:
            self._unreadable(error)
        except (DamageError, NoSuchTargetError):
            pass
        return 0

    def _integrity(self, latest: bool) -> str:
        if self._drill is None or not latest or not len(self._table):
            return ""
        messages = self._drill.check(self._size, self._report, self._cancel)
        if not messages:
            return "ok"
        self._add(
            Finding(
                "error",
                "integrity-check",
                f"the latest state fails SQLite's integrity check: {'; '.join(messages[:3])}; every byte is as it was "
                "written, so it was damaged before it was replicated, or transactions are missing without a trace "
                "(where the application restarts the WAL while Litestream 0.5 does not run, it may go on without them)",
                "--find-last-good searches for the newest state that passes; --db DB compares with the live database, "
                "which may be sound: sqlite3 DB 'PRAGMA integrity_check'",
            )
        )
        return "; ".join(messages)

    # ---- findings

    def _add(self, finding: Finding) -> None:
        self._state.findings.append(finding)
        self._found(finding)

    def _note(self, error: DamageError, takes: str, hint: str) -> None:
        finding = Finding("error", error.code, f"{error.cause}; {takes}", hint, error.path, offset=error.offset)
        self._add(finding)

    def _unreadable(self, error: LitetuiError) -> None:
        self._state.complete = False
        hint = error.hint or "see that it can be read, then validate again"
        if isinstance(error, ChangedError):
            hint = "Litestream's retention may have removed it: validate again"
        self._add(Finding("error", "unreadable", str(error), hint, error.path))

    def _result(self, to: TXID | None, latest: bool | None, integrity: str) -> GenerationReport:
        findings, table = self._state.findings, self._table
        damaged = any(f.severity == "error" and f.code != "unreadable" for f in findings)
        verdict: Verdict = "ok"
        if to is None and self._state.complete:
            verdict = "unrestorable"
        elif damaged:
            verdict = "damaged"
        elif not self._state.complete:
            verdict = "unknown"
        windows: tuple[Window, ...] = ()
        until = None
        bases = np.flatnonzero(table.min_txid == 1)
        if to is not None and len(bases):
            until = int(table.time_ns[table.max_txid <= np.uint64(to.value)].max())
            first = int(bases[np.argmin(table.max_txid[bases])])
            start = int(table.time_ns[first]) + 1_000_000  # times are strict: the state of a file is that after it
            windows = (Window(TXID.of(int(table.max_txid[first])), to, min(start, until), until),)
        return GenerationReport(
            LTX,
            verdict,
            latest,
            to if self._depth != "names" else None,
            until,
            windows,
            tuple(findings),
            integrity,
            self._state.checked,
            len(table),
            int(table.time_ns.max()) if len(table) else None,
            self._state.around,
        )
