"""Validate a v0.5 replica: every LTX file, all levels as one chain, and a restore of it.

Litestream 0.5 checks names alone, level by level. Here every file is read once: those of the chain that a restore takes
in its order, with the pages that a growth must carry, the others by themselves. A drill restores that chain; and where
there are several snapshots, the way from one to the next must lead to the same bytes as the next one holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import xxhash

from litetui.errors import ChangedError, DamageError, LitetuiError, NoSuchTargetError, UnreadableError
from litetui.format.position import TXID
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import ltx_merge
from litetui.ops.drill import Drill
from litetui.ops.ltx_merge import LTXChain
from litetui.ops.ltx_plan import chain_of, to_last_good
from litetui.ops.ltx_survey import survey
from litetui.ops.verdict import LTX, Checked, Depth, GenerationReport, Verdict, Window
from litetui.replica.ltx import SNAPSHOTS, LTXReplica
from litetui.replica.types import Finding, LTXInfo

Found = Callable[[Finding], None]


@dataclass(slots=True)
class _State:
    findings: list[Finding] = field(default_factory=list)
    checked: Checked = field(default_factory=Checked)
    complete: bool = True


def check(
    replica: LTXReplica, depth: Depth, drill: Drill | None, report: Reporter, cancel: CancelToken, found: Found
) -> GenerationReport:
    """All levels, as one report. Raises Cancelled, OutputError (the drill)."""
    return _Check(replica, depth, drill, report, cancel, found).run()


class _Check:
    def __init__(
        self,
        replica: LTXReplica,
        depth: Depth,
        drill: Drill | None,
        report: Reporter,
        cancel: CancelToken,
        found: Found,
    ) -> None:
        self._replica, self._depth, self._drill = replica, depth, drill
        self._report, self._cancel, self._found = report, cancel, found
        self._state = _State()
        self._done = self._size = 0

    def run(self) -> GenerationReport:
        names = survey(self._replica)
        for finding in names.findings:
            self._add(finding)
        self._state.complete = not any(f.code == "unreadable" for f in names.findings)
        table = self._replica.table
        if self._depth == "names":
            self._state.checked = Checked(len(table))
            restores = not names.why_not
            return self._result(TXID.of(names.reached) if names.reached else None, None if restores else False, "")
        self._report.phase("LTX files", int(table.size.sum()))
        rows = chain_of(table)
        broken = self._chain([table[row] for row in rows])
        others = np.ones(len(table), bool)
        others[rows] = False
        for row in np.flatnonzero(others).tolist():
            self._alone(table[row])
        latest = not names.why_not and not broken
        reached = self._last_good() if broken else names.reached
        integrity = self._integrity(latest)
        if integrity not in ("", "ok"):
            latest = False
        return self._result(TXID.of(reached) if reached else None, self._known(latest), integrity)

    def _known(self, latest: bool) -> bool | None:
        return None if not self._state.complete else latest

    # ---- files

    def _chain(self, infos: list[LTXInfo]) -> bool:
        """The files that a restore takes, in its order, and into the drill. True if one of them is broken."""
        chain, broken = LTXChain(self._replica), False
        for info in infos:
            if broken:
                self._alone(info)
                continue
            try:
                count = 0
                for batch in chain.batches(info):
                    self._cancel.check()
                    if self._drill is not None and len(batch.pages):
                        if not count and info is infos[0]:
                            self._drill.begin(chain.page_size)
                        self._drill.write(batch.pages, batch.images)
                    count += len(batch.pages)
                    self._report.advance(self._done + min(info.size, batch.places[-1]))
            except DamageError as error:
                broken = True
                after = f"the states from {TXID.of(info.min_txid)} on do not restore, up to the latest"
                self._note(error, after, to_last_good(self._replica))
            except UnreadableError as error:
                broken = True
                self._unreadable(error)
            else:
                self._counted(info, count)
        self._size = chain.commit * chain.page_size
        return broken

    def _alone(self, info: LTXInfo) -> None:
        """A file that a restore of the latest does not need."""
        try:
            count = sum(len(batch.pages) for batch in LTXChain(self._replica, alone=True).batches(info))
        except DamageError as error:
            self._note(error, "the latest state does not need it; restore points in it are lost", "")
        except UnreadableError as error:
            self._unreadable(error)
        else:
            self._counted(info, count)
        self._cancel.check()

    def _counted(self, info: LTXInfo, pages: int) -> None:
        self._done += info.size
        self._report.advance(self._done)
        self._state.checked += Checked(1, info.size, pages, info.max_txid - info.min_txid + 1 if info.level == 0 else 0)

    # ---- the drill

    def _last_good(self) -> int:
        try:
            return ltx_merge.last_good(self._replica, Reporter(), self._cancel).txid
        except (DamageError, NoSuchTargetError, UnreadableError):
            return 0

    def _integrity(self, latest: bool) -> str:
        if self._drill is None or not latest or not len(self._replica.table):
            return ""
        self._compare_snapshots()
        messages = self._drill.check(self._size, self._report, self._cancel)
        if not messages:
            return "ok"
        self._add(
            Finding(
                "error",
                "integrity-check",
                f"the latest state fails SQLite's integrity check: {'; '.join(messages[:3])}; every byte is as it was "
                "written, so the database was damaged before it was replicated",
                "check the live database: sqlite3 DB 'PRAGMA integrity_check'; restore an earlier --txid",
            )
        )
        return "; ".join(messages)

    def _compare_snapshots(self) -> None:
        """The newest state by the snapshot before the newest one, and by the levels below, must be the same."""
        table = self._replica.table
        snapshots = np.flatnonzero(table.level == SNAPSHOTS)
        if not len(snapshots):
            return
        without = table.take(np.arange(len(table)) != int(snapshots[-1]))
        rows = chain_of(without)
        if not rows or int(without.max_txid[rows[-1]]) != int(table.max_txid.max()):
            return  # nothing else leads there
        assert self._drill is not None
        chain = LTXChain(self._replica)
        try:
            differing = self._differing(chain, [without[row] for row in rows])
        except (DamageError, UnreadableError):
            return  # it was told where the file was read
        if differing:
            newest = table[int(snapshots[-1])]
            few = ", ".join(map(str, differing[:5])) + (" …" if len(differing) > 5 else "")
            self._add(
                Finding(
                    "error",
                    "chains-differ",
                    f"snapshot {newest.name} and the way without it do not lead to the same database: {len(differing)} "
                    f"page(s) differ ({few})",
                    "copy the replica before anything else, then have a new snapshot written",
                    self._replica.storage.path(self._replica.file_path(newest)),
                )
            )

    def _differing(self, chain: LTXChain, infos: list[LTXInfo]) -> list[int]:
        """The pages that this way leads to otherwise than the drill has them; of each 8 bytes of hash are kept."""
        assert self._drill is not None
        hashes = np.zeros(0, np.uint64)
        for info in infos:
            for batch in chain.batches(info):
                self._cancel.check()
                top = int(batch.pages[-1])
                if top > len(hashes):
                    hashes = np.concatenate([hashes, np.zeros(top - len(hashes), np.uint64)])
                hashes[batch.pages.astype(np.int64) - 1] = [xxhash.xxh3_64_intdigest(image) for image in batch.images]
        size, wrong = chain.page_size, []
        for page in range(1, chain.commit + 1):
            self._cancel.check()
            known = int(hashes[page - 1])  # 0: the lock page, which no file holds
            if known and xxhash.xxh3_64_intdigest(self._drill.read(size, (page - 1) * size)) != known:
                wrong.append(page)
        return wrong + list(range(chain.commit + 1, self._size // size + 1))

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
        findings, table = self._state.findings, self._replica.table
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
        )
