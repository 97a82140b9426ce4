"""Why an action is not possible now: for a situation the words that its key then gets, "" where it may go ahead."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import NamedTuple

from litetui.units import printable


class Situation(NamedTuple):
    """What the browser is at, as far as actions depend on it."""

    pane: str = "tree"  # tree, detail, jobs, log
    replica: bool = False
    opening: bool = False  # one is being read, and none is open yet
    database: bool = False
    replicating: bool = False
    generations: int = 0
    readonly: bool = False
    table_rows: int = 0
    filtered: bool = False
    leads: bool = True  # the row under the cursor leads further
    branch: bool = False  # something is below the line of the tree
    inside: bool = False  # that line is open, or below another
    tabs: int = 0
    zoomed: bool = False
    narrow: bool = False
    job_state: str = ""  # of the job under the cursor, or of the only unfinished one
    restorable: bool = False  # in a report: the generation under the cursor restores to some point
    integrity_failed: bool = False
    searching: bool = False
    restore_point: bool = False  # under the cursor of the timeline
    ltx: bool = False  # the replica, or what the cursor stands on, is of v0.5
    taken_over: bool = False  # it holds v0.3 generations, and newer LTX files of v0.5
    ltx_files: int = 0
    path: str = ""
    database_path: str = ""

    @property
    def kept(self) -> bool:
        """Whether Litestream 0.5 writes here, and litetui must not."""
        return self.ltx or self.taken_over


READONLY = "started with --readonly"
WhyNot = Callable[[Situation], str]


def needs_replica(at: Situation) -> str:
    if at.replica:
        return ""
    return "the replica is still being read" if at.opening else "no replica is open: press O"


def kept_by_litestream(at: Situation, words: str) -> str:
    """Of a v0.5 replica, or of a folder that v0.5 took over: that Litestream does this, and how. In the words URL and
    DB stand for the replica and the database."""
    who = "keeps this replica" if at.ltx else "has taken this folder over (ltx/ is newer than generations/)"
    url = shlex.quote(printable(f"file://{at.path}"))
    database = shlex.quote(printable(at.database_path)) if at.database_path else "DB"
    words = words.replace(" DB", f" {database}").replace(" URL", f" {url}")
    return f"Litestream 0.5 {who}: {words}"


def timeline(at: Situation) -> str:
    return "" if at.restore_point else "the timeline has no restore point"


def writes_by(words: str) -> WhyNot:
    """Of an action that writes into the replica; `words` say how Litestream 0.5 does it."""
    return lambda at: kept_by_litestream(at, words) if at.kept else writes(at)


def writes(at: Situation) -> str:
    if at.readonly:
        return READONLY
    return needs_replica(at) or ("" if at.database else "no database attached: press o")


sync = writes_by(
    "where it runs with its socket enabled, litestream sync -wait DB; where it does not run, "
    "litestream replicate -once DB URL"
)
snapshot = writes_by(
    "snapshots come by litestream.yml (snapshot: interval); where it does not run, "
    "litestream replicate -once -force-snapshot DB URL"
)
start_replication = writes_by("litestream replicate DB URL")


def replicate(at: Situation) -> str:
    return "" if at.replicating else start_replication(at)


def attach(at: Situation) -> str:
    return "this session replicates the attached database: S ends that" if at.replicating else ""


def retention(at: Situation) -> str:
    if at.kept:
        words = "retention is in litestream.yml (snapshot: retention); where it does not run, "
        words += "litestream replicate -once -enforce-retention DB URL"
        if at.generations:
            path = shlex.quote(printable(at.path))
            words += f"; for what is left in generations/, litetui retention {path} --retention DURATION"
        return kept_by_litestream(at, words)
    return needs_replica(at) or ("" if at.generations else "there is nothing to delete")


def validate(at: Situation) -> str:
    if why_not := needs_replica(at):
        return why_not
    if at.ltx:
        return "" if at.ltx_files else "there is no LTX file to check"
    return "" if at.generations or at.ltx_files else "there is no generation to check"


def report(at: Situation) -> str:
    return "" if at.replica else "another replica is open by now"


def report_restore(at: Situation) -> str:
    return report(at) or ("" if at.restorable else "nothing of it restores")


def report_clean(at: Situation) -> str:
    if at.searching:
        return "it is being looked for"
    why = "only after a validation of depth restore whose integrity check failed"
    return report(at) or ("" if at.integrity_failed else why)


def restore(at: Situation) -> str:
    if why_not := needs_replica(at):
        return why_not
    if at.ltx:
        return "" if at.ltx_files else "there is no LTX file to restore from"
    return "" if at.generations or at.ltx_files else "there is no generation to restore from"


def table(at: Situation) -> str:
    return "" if at.table_rows or at.filtered else "there is no table with rows in this pane"


def filtering(at: Situation) -> str:
    if at.pane == "tree":
        return needs_replica(at)
    return table(at)


def open_row(at: Situation) -> str:
    if not at.table_rows:
        return "there is no row here"
    return "" if at.leads else "nothing is below this row"


def open_node(at: Situation) -> str:
    return "" if at.branch else "nothing is below this line: enter goes to its details"


def close_node(at: Situation) -> str:
    return "" if at.inside else "this is the top of the tree"


def log(at: Situation) -> str:
    return "" if at.pane == "log" else "this is for the log: 4 goes there"


def tabs(at: Situation) -> str:
    return "" if at.tabs > 1 else "this pane has no tabs here"


def cancel(at: Situation) -> str:
    if at.job_state in ("running", "queued"):
        return ""
    if at.job_state == "several":
        return "several jobs run: 3 goes to them"
    if at.job_state == "cancelling":
        return "it is being cancelled already"
    if at.job_state:
        return f"this job has ended already: {at.job_state}"
    return "no job runs"
