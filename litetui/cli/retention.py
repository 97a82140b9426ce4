"""The command `retention`: the plan, a question, and the deletion."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from litetui.cli.common import PATH, as_json_option, interruptible, open_replica, print_json, progress, refuse_readonly
from litetui.cli.main import cli
from litetui.errors import PrimaryError, UsageError
from litetui.units import NS, duration_text, format_duration, format_size, format_time, parse_duration, printable

if TYPE_CHECKING:
    from litetui.ops.retention import Item, RetentionPlan, RetentionResult, Rule
    from litetui.ops.retention.items import Group
    from litetui.replica.types import TimeRange


@cli.command()
@click.argument("replica", type=PATH)
@click.option("--retention", metavar="DURATION", required=True, help="How far back every state must stay: 24h, 7d.")
@click.option(
    "--rule",
    type=click.Choice(["window", "litestream"]),
    default="window",
    show_default=True,
    help="`window` keeps every state of the duration; `litestream` is Litestream's own, which may keep far less.",
)
@click.option(
    "--db",
    "database",
    metavar="DB",
    type=PATH,
    help="The live database: a snapshot is taken first where none is younger than the duration.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and delete nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("-v", "--verbose", is_flag=True, help="Name every file, and print the log to stderr.")
@as_json_option
def retention(
    replica: str,
    retention: str,
    rule: Rule,
    database: str | None,
    dry_run: bool,
    yes: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Delete what is older than a duration, but nothing that a state within it needs.

    Snapshots go first, then the WAL files that only they needed, so that the replica restores at every instant.
    """
    from litetui.ops import retention as ops

    if not dry_run:
        refuse_readonly()
        if not yes and not sys.stdin.isatty():
            hint = "--dry-run shows the plan, --yes does it"
            raise UsageError("enforce the retention", "this is no terminal, so nobody can be asked", hint=hint)
    r, length = open_replica(replica), parse_duration(retention)
    with interruptible() as cancel, progress(verbose) as report:
        plan = ops.plan(
            r, length, now_ns=time.time_ns(), rule=rule, database=database, report=report, cancel=cancel
        )  # fmt: skip
    if database is not None and not plan.generation:
        raise PrimaryError(
            "enforce the retention",
            "this replica holds nothing of the generation that the database is in",
            path=database,
            hint="is it the replica of another database? leave --db away to go without a new snapshot",
        )
    if not as_json:
        _print_plan(plan, verbose)
    if dry_run:
        return print_json(_json(plan, None)) if as_json else None
    if not yes:
        _ask(plan)
    with interruptible() as cancel, progress(verbose) as report:
        result = ops.run(plan, report=report, cancel=cancel)
    return print_json(_json(plan, result)) if as_json else _print_result(result)


def _ask(plan: RetentionPlan) -> None:
    """The number of files that will go, typed by a person."""
    if not plan.delete:
        return
    count = len(plan.delete)
    sys.stdout.flush()  # the plan first, also where it goes into a pipe
    typed = click.prompt(f"type {count} to delete {count} files", err=True, default="", show_default=False)
    if typed.strip() != str(count):
        raise UsageError(
            "enforce the retention", f"nothing was deleted: {typed.strip() or 'nothing'!r} is not {count}",
            hint="type the number of files that the plan deletes",
        )  # fmt: skip


def _json(plan: RetentionPlan, result: RetentionResult | None) -> dict[str, Any]:
    return {
        "retention": duration_text(plan.retention_ns),
        "rule": plan.rule,
        "cutoff": format_time(plan.cutoff_ns),
        "keep": [_item_json(i) for i in plan.keep],
        "delete": [_item_json(i) for i in (plan.delete if result is None else result.deleted)],
        "bytes_freed": plan.bytes_freed if result is None else result.bytes_freed,
        "window_before": _window_json(plan.window_before),
        "window_after": _window_json(plan.window_after),
        "snapshot_first": plan.snapshot_first,
        "snapshot_bytes": plan.snapshot_bytes,
        "free_bytes": plan.free_bytes,
        "delete_before_snapshot": plan.delete_before_snapshot,
        "notes": list(plan.notes),
        "warnings": list(plan.warnings),
        "applied": result is not None,
    }


def _item_json(item: Item) -> dict[str, Any]:
    return {"path": item.path, "size": item.size, "reason": item.reason}


def _window_json(window: TimeRange | None) -> dict[str, str] | None:
    return None if window is None else {"start": format_time(window.start_ns), "end": format_time(window.end_ns)}


def _print_plan(plan: RetentionPlan, verbose: bool) -> None:
    deletes = f"{len(plan.delete)} files, {format_size(plan.bytes_freed)}" if plan.delete else "nothing"
    rows = [
        ("replica", plan.replica.path),
        ("retention", f"{duration_text(plan.retention_ns)}, back to {format_time(plan.cutoff_ns)}; rule {plan.rule}"),
        ("covers", f"{_window(plan.window_before)} now, by names and times (litetui validate reads the content)"),
        ("", f"{_window(plan.window_after)} afterwards"),
    ]
    if plan.snapshot_first:
        count = plan.delete_before_snapshot
        before = f"; {count} files that the window does not need may go before it" if count else ""
        rows.append(
            (
                "snapshot",
                f"first: up to {format_size(plan.snapshot_bytes)}, {format_size(plan.free_bytes)} are free{before}",
            )
        )
    rows += [("deletes", deletes), *(("", text) for text in _lines(plan.delete.groups))]
    rows += [("keeps", f"{len(plan.keep)} files, {format_size(plan.keep.bytes)}")]
    rows += [("", text) for text in _lines(plan.keep.groups)]
    rows += [*(("note", n) for n in plan.notes), *(("warning", w) for w in plan.warnings)]
    for key, value in rows:
        click.echo(f"{key:<10} {printable(value)}".rstrip())
    for key, items in (("delete", plan.delete), ("keep", plan.keep)) if verbose else ():
        for item in items:
            click.echo(f"{key:<10} {printable(item.path)}")


def _window(window: TimeRange | None) -> str:
    if window is None:
        return "nothing"
    length = format_duration(window.end_ns - window.start_ns)
    return f"{format_time(window.start_ns)} to {format_time(window.end_ns)} ({length})"


def _lines(groups: Iterable[Group]) -> list[str]:
    """A line for each group: how many files, of which indexes, and why."""
    lines = []
    for g in groups:
        first, last = g.indexes
        span = f"{first:08x}" if first == last else f"{first:08x} to {last:08x}"
        what = "snapshot" if g.kind == "snapshot" else "WAL"
        size = format_size(int(g.sizes.sum()))
        lines.append(f"{g.generation} {what} {span}: {len(g)} file{'s' if len(g) > 1 else ''}, {size}: {g.reason}")
    return lines


def _print_result(result: RetentionResult) -> None:
    if result.snapshot is not None and result.snapshot.snapshot_created:
        click.echo(f"snapshot {result.snapshot.pos.generation}/{result.snapshot.pos.index:08x} taken")
    size = format_size(result.bytes_freed)
    done = f"deleted {len(result.deleted)} files, {size}" if result.deleted else "nothing to delete"
    click.echo(f"{done}, in {format_duration(round(result.duration_s * NS))}")
