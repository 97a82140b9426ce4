"""What to do after a validation: the next steps, in order, for a database that lives and for one that is lost.

Where a step is a command, its sentence ends with it: `words: command`.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace

from litetui.ops.target import option
from litetui.ops.verdict import LTX, GenerationReport, Report
from litetui.primary import guard
from litetui.primary.meta import Meta
from litetui.units import format_time, printable


def advise(report: Report, database: str | None = None) -> Report:
    """The report with its next steps. With the database named, they are for the replicator that runs on it."""
    at = report.default
    if at is None or report.verdict == "ok":
        return replace(report, next_steps=())
    where = shlex.quote(printable(report.path))
    if report.verdict == "unknown":
        return replace(report, next_steps=(_unknown(report, where),))
    steps = [f"before anything else, and before retention deletes more: cp -a {where} {where}.copy"]
    if at.integrity not in ("", "ok"):
        steps += _unsound(report, where)
        if report.live is not None and report.live.status == "mismatch":
            steps.append(_living(report, where, database))
    elif report.latest_restores is not True:
        steps += [_living(report, where, database), *_lost(report, at, where)]
    elif report.live is not None and report.live.status == "mismatch":
        steps += [
            "a restore gives another database: the replica cannot be trusted",
            _living(report, where, database),
        ]
    else:
        steps.append("the latest state restores; what the findings name is lost, and retention will remove it in time")
    return replace(report, next_steps=tuple(steps))


def _unknown(report: Report, where: str) -> str:
    if report.live is not None and report.live.status == "unknown":
        name = shlex.quote(printable(report.live.database))
        return f"see who replicates the database, then validate again: litetui info {where} --db {name}"
    return "make readable what could not be read (each finding says what), then validate again"


def _unsound(report: Report, where: str) -> list[str]:
    return [
        "see whether the live database is damaged too; if an index is, REINDEX mends it: "
        "sqlite3 DB 'PRAGMA integrity_check'",
        f"search for the newest state that SQLite finds sound: litetui validate {where} --find-last-good",
    ]


def _living(report: Report, where: str, database: str | None) -> str:
    """How the latest state comes into the replica again, while there is one."""
    if database is not None and not os.path.exists(database):
        return f"{printable(database)} is not there: it cannot bring a new snapshot"
    if report.default is not None and report.default.generation == LTX:
        return _living_levels(where, database)
    if database is None:
        return (
            "if the database lives, a new snapshot saves its present state (where Litestream replicates it, --db DB "
            f"says how): litetui snapshot DB {where}"
        )
    path = os.path.realpath(database)
    meta = Meta(path).path
    running = guard.look(path, meta, versions=True).replicators
    command = f"litetui snapshot {shlex.quote(printable(database))} {where}"
    if not running:
        return f"the database lives, nothing replicates it, a snapshot saves its present state: {command}"
    if running[0].name != guard.LITESTREAM:
        return f"{running[0]} replicates it: press n in its terminal UI, or end it, then: {command}"
    if running[0].version.startswith(("0.5", "v0.5")):
        return f"{running[0]} replicates it into another layout: this part of the replica is not written any more"
    forget = shlex.quote(printable(os.path.join(meta, "generation")))
    return (
        f"{running[0]} replicates it: stop it, forget the generation, start it again (a new one begins, with a "
        f"snapshot): rm {forget}"
    )


def _living_levels(where: str, database: str | None) -> str:
    """The same for a replica of Litestream 0.5, which alone writes into it."""
    name = "DB" if database is None else shlex.quote(printable(os.path.abspath(database)))
    command = f"litestream replicate -once -force-snapshot {name} file://{where}"
    if database is None:
        return f"if the database lives, a new snapshot saves its present state; stop Litestream 0.5, then: {command}"
    path = os.path.realpath(database)
    running = guard.look(path, Meta(path).path, versions=True).replicators
    if not running:
        return f"the database lives, nothing replicates it, a snapshot saves its present state: {command}"
    return f"{running[0]} replicates it: stop it, have it write a snapshot, start it again: {command}"


def _lost(report: Report, at: GenerationReport, where: str) -> list[str]:
    """What is still to be had."""
    if at.restorable_to is not None and at.restorable_until_ns is not None:
        until = format_time(at.restorable_until_ns)
        # the same TXID may be had only around a damaged file, which --txid does not go
        target = "--to-last-good" if at.generation == LTX else option(at.restorable_to)
        return [f"if the database is lost, the state of {until}: litetui restore {where} -o OUT {target}"]
    other = report.older
    if other is None or other.restorable_until_ns is None:
        return []
    until = format_time(other.restorable_until_ns)
    return [
        f"if the database is lost, the older state of {until}: litetui restore {where} -o OUT "
        f"--generation {other.generation}"
    ]
