"""The validation that runs beside a replication: each replica compared with the database, now and then."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence

from litetui.errors import DamageError, LitetuiError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import live_check
from litetui.ops.verdict import LiveCheck
from litetui.primary.database import Database
from litetui.replica.file import FileReplica
from litetui.units import printable


class Validator:
    """Compares replicas with their database, logs it in Litestream's words, and remembers what came of it.

    counts      how often each replica was "ok" and how often it was not ("error"), as Litestream's metric has it
    checks      the last comparison of each replica
    mismatches  the errors of those that were not the same the last time that this could be told
    """

    def __init__(self, database: Database, names: Sequence[str], report: Reporter) -> None:
        self.counts = {name: {"ok": 0, "error": 0} for name in names}
        self.checks: dict[str, LiveCheck] = {}
        self.mismatches: dict[str, LitetuiError] = {}
        self._database = database
        self._report = report

    def __call__(self, replica: FileReplica, cancel: CancelToken) -> None:
        """Compare once. It takes no more than half of the time, however short the interval."""
        began = time.monotonic()
        self.note(replica, live_check.active(self._database, replica, cancel=cancel))
        cancel.wait(time.monotonic() - began)

    def note(self, replica: FileReplica, check: LiveCheck) -> None:
        name = replica.name
        self.checks[name] = check
        if check.status == "unknown":
            self._report.log(f"{name}: validation status=unknown: {check.words}", "warning")
            return
        sums = "db={:016x} replica={:016x} ".format(*check.checksums) if check.checksums else ""
        line = f"{name}: validation status={check.status} {sums}position={check.pos}"
        if check.status == "ok":
            self.counts[name]["ok"] += 1
            self.mismatches.pop(name, None)
            self._report.log(line)
            return
        self.counts[name]["error"] += 1
        self._report.log(f"{line}: {check.words}", "error")
        where = shlex.quote(printable(replica.path))
        hint = f"begin a new replica in another folder; what is wrong with this one: litetui validate {where}"
        self.mismatches[name] = DamageError(
            "validate the replica", check.words, code="live-mismatch", path=replica.path, hint=hint
        )
