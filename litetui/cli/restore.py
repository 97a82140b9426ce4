"""The command `restore`: a target, a plan, a database."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click

from litetui.cli.common import PATH, as_json_option, interruptible, open_any, print_json, progress
from litetui.cli.main import cli
from litetui.errors import LitetuiError, UsageError
from litetui.units import format_age, format_duration, format_size, format_time, parse_time, printable

if TYPE_CHECKING:
    from litetui.ops.restore import AnyPlan, RestoreResult
    from litetui.ops.target import Target


@cli.command()
@click.argument("replica", type=PATH)
@click.option("-o", "output", metavar="OUT", required=True, type=PATH, help="The database file to make.")
@click.option("--generation", metavar="G", help="From this generation; default: the one updated last.")
@click.option("--index", metavar="I", help="Up to and with the whole of WAL I (with --generation; 8 hex digits).")
@click.option("--position", metavar="G/I:OFFSET", help="All transactions that end at or before this position.")
@click.option("--timestamp", metavar="T", help="The newest state not after this RFC 3339 time (v0.5: before it).")
@click.option("--txid", metavar="HEX", help="Of a v0.5 replica: the state after this transaction (16 hex digits).")
@click.option("--to-last-good", is_flag=True, help="The newest state that the sound part of the replica leads to.")
@click.option("--dry-run", is_flag=True, help="Print the plan and write nothing.")
@click.option("--force", is_flag=True, help="Move what is at OUT to OUT.before-restore-TIME first.")
@click.option("--integrity-check", type=click.Choice(["none", "quick", "full"]), default="quick", show_default=True)
@click.option("--if-db-not-exists", is_flag=True, help="Do nothing, successfully, if OUT exists.")
@click.option("--if-replica-exists", is_flag=True, help="Do nothing, successfully, if there is no replica.")
@click.option("-v", "--verbose", is_flag=True, help="Print the log to stderr.")
@as_json_option
def restore(
    replica: str,
    output: str,
    generation: str | None,
    index: str | None,
    position: str | None,
    timestamp: str | None,
    txid: str | None,
    to_last_good: bool,
    dry_run: bool,
    force: bool,
    integrity_check: str,
    if_db_not_exists: bool,
    if_replica_exists: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Restore a database: the latest state, or the one at a target.

    Every checksum on the way is verified. Damage is an error that names the last good position; it is never a
    shorter database. Nothing is left behind when it fails or is cancelled.
    """
    target = _target(generation, index, position, timestamp, txid, to_last_good)
    if if_db_not_exists and os.path.lexists(output):
        return _nothing_to_do(replica, output, f"{output} exists", as_json)
    if if_replica_exists and not _holds_data(replica):
        return _nothing_to_do(replica, output, f"{replica} holds no replica", as_json)
    from litetui.ops import restore as ops
    from litetui.ops.source import choose

    r = open_any(replica)
    if not dry_run:
        ops.check_output(r.path, output, force=force)
    source = choose(r, target)
    plan: Any = ops.plan(source.replica, target)  # of either kind
    with interruptible() as cancel, progress(verbose) as report:
        if dry_run:
            plan = ops.settle(plan, report, cancel)
        else:
            result = ops.run(
                plan, output, integrity_check=integrity_check, force=force, report=report, cancel=cancel
            )  # fmt: skip
    if dry_run:
        print_json(_plan_json(plan, output)) if as_json else _print_plan(plan, output, source.why)
        ops.check_output(r.path, output, force=force)
        return ops.check_space(output, plan.database_size or 0)
    try:
        return print_json(_result_json(result)) if as_json else _print_result(result, source.why, integrity_check)
    except OSError as error:
        raise LitetuiError("print the result", f"{error}; the database was restored", path=output) from None


def _nothing_to_do(replica: str, output: str, reason: str, as_json: bool) -> None:
    if as_json:
        return print_json({"source": replica, "target_path": output, "skipped": reason})
    return click.echo(f"{printable(reason)}: nothing to do", err=True)


def _target(
    generation: str | None,
    index: str | None,
    position: str | None,
    timestamp: str | None,
    txid: str | None,
    last_good: bool,
) -> Target:
    from litetui.ops.target import Target, parse_index, parse_txid
    from litetui.replica.types import Pos

    kinds = [name for name, value in (("--index", index), ("--position", position), ("--timestamp", timestamp),
                                      ("--txid", txid), ("--to-last-good", last_good)) if value]  # fmt: skip
    if len(kinds) > 1:
        raise UsageError("restore", f"{' and '.join(kinds)} exclude each other", hint="give one target")
    if index is not None:
        if generation is None:
            raise UsageError("restore", "--index needs --generation", hint="litetui generations REPLICA lists them")
        return Target(generation, index=parse_index(index))
    if position is not None:
        pos = Pos.parse(position)
        if generation not in (None, pos.generation):
            raise UsageError(
                "restore", "--generation and --position name two generations", hint="--position alone is enough"
            )
        return Target.at(pos)
    if txid is not None:
        if generation is not None:
            raise UsageError("restore", "--generation and --txid exclude each other", hint="--txid alone is enough")
        return Target(txid=parse_txid(txid))
    if timestamp is not None:
        return Target(generation, timestamp_ns=parse_time(timestamp))
    return Target(generation, last_good=last_good)


def _holds_data(path: str) -> bool:
    from litetui.errors import NotAReplicaError

    try:
        return open_any(path).has_data()
    except NotAReplicaError:
        return False


def _plan_json(plan: AnyPlan, output: str) -> dict[str, Any]:
    from litetui.ops.ltx_plan import LTXPlan

    if isinstance(plan, LTXPlan):
        place: dict[str, Any] = dict.fromkeys(("generation", "snapshot_index", "min_index", "max_index", "position"))
        place |= {"min_txid": f"{plan.chain[0].min_txid:016x}", "max_txid": plan.place}
    else:
        place = {
            "generation": plan.generation,
            "snapshot_index": plan.snapshot.index,
            "min_index": plan.min_index,
            "max_index": plan.max_index,
            "position": str(plan.position),
            "min_txid": None,
            "max_txid": None,
        }
    return {
        "source": plan.source,
        "target_path": output,
        "layout": plan.layout,
        **place,
        "files": list(plan.files()),
        "bytes_to_read": plan.bytes_to_read,
        "database_size": plan.database_size,
    }


def _result_json(result: RestoreResult[Any]) -> dict[str, Any]:
    return {
        **_plan_json(result.plan, result.output),
        "database_size": result.database_size,
        "duration_ms": round(result.duration_s * 1000),
        "bytes_read": result.bytes_read,
        "pages_written": result.pages_written,
        "sha256": None,
        "integrity_check": result.integrity_check,
    }


def _print_plan(plan: AnyPlan, output: str, why: str) -> None:
    now = time.time_ns()
    rows = [
        ("restore", f"{plan.place}, the state of {format_time(plan.until_ns)} ({format_age(plan.until_ns, now)})"),
        ("to", output),
        *([("from", f"{plan.layout}: {why}")] if why else []),
        *_way(plan),
        ("reads", f"{format_size(plan.bytes_to_read)} in {plan.file_count} files"),
        ("database", format_size(plan.database_size or 0)),
        ("leaves out", plan.left_out or "nothing"),
        ("checked", "where it ends; the bytes on the way are verified by the restore itself, or by litetui validate"),
        *(("note", n) for n in plan.notes),
    ]
    for key, value in rows:
        click.echo(f"{key:<12} {printable(value)}")


def _way(plan: AnyPlan) -> list[tuple[str, str]]:
    """What the plan goes through."""
    from litetui.ops.ltx_plan import LTXPlan

    if isinstance(plan, LTXPlan):
        by_level: dict[int, int] = {}
        for info in plan.chain:
            by_level[info.level] = by_level.get(info.level, 0) + 1
        levels = ", ".join(f"{count} of level {level}" for level, count in by_level.items())
        return [("LTX files", f"{levels}, TXIDs {plan.chain[0].min_txid:016x} to {plan.place}")]
    snapshot = plan.snapshot
    files = f"{len(plan.wals)} file{'s' if len(plan.wals) > 1 else ''}"
    wals = f"{files}, indexes {plan.min_index:08x} to {plan.max_index:08x}" if len(plan.wals) else "none"
    return [
        ("snapshot", f"{snapshot.index:08x}, {format_size(snapshot.size)}, {format_time(snapshot.created_ns)}"),
        ("WAL", wals),
    ]


def _print_result(result: RestoreResult[Any], why: str, check: str) -> None:
    plan: AnyPlan = result.plan
    check = "not checked by SQLite" if result.integrity_check == "skipped" else f"SQLite's {check} check is ok"
    click.echo(
        f"restored {plan.place} to {printable(result.output)}: {format_size(result.database_size)} in "
        f"{format_duration(round(result.duration_s * 1e9))}; {check}"
    )
    for note in ([f"from {plan.layout}: {why}"] if why else []) + list(plan.notes):
        click.echo(f"  note: {printable(note)}")
    if plan.left_out:
        click.echo(f"  left out: {printable(plan.left_out)}")
    for step in result.next_steps:
        click.echo(f"  next: {printable(step)}")
