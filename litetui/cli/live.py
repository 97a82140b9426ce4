"""The commands that write into a replica: sync, snapshot, replicate."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from litetui.cli.common import PATH, as_json_option, interruptible, print_json, progress, refuse_readonly
from litetui.cli.main import cli
from litetui.errors import LitetuiError, UsageError
from litetui.jobs.progress import Reporter
from litetui.units import NS, format_duration, format_time, parse_duration, printable

if TYPE_CHECKING:
    from litetui.ops.replicate import Replicator
    from litetui.ops.sync import SyncResult
    from litetui.replica.live import Layout

_LAYOUT_HELP = (
    "For a new replica: `segments` (v0.3.5+, the default) or `wal` (v0.3.0–0.3.4), from which Litestream 0.3.5 and "
    "later restore an empty or old database, silently. An existing replica goes on in its own."
)
_layout = click.option("--layout", type=click.Choice(["wal", "segments"]), help=_LAYOUT_HELP)
_takeover = click.option(
    "--takeover", is_flag=True, help="Go on although a Litestream 0.5 wrote here a moment ago: it was stopped."
)
_verbose = click.option("-v", "--verbose", is_flag=True, help="Print the log to stderr.")


class _Duration(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """`1s`, `15m`, `24h`, `7d`, or `0`, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return 0.0 if value == "0" else parse_duration(value) / NS
        except UsageError as error:
            self.fail(f"{error.cause}: {error.hint}", param, ctx)


def _every(name: str, default: str, help: str) -> Callable[[Any], Any]:
    return click.option(name, type=_Duration(), default=default, show_default=True, metavar="DURATION", help=help)


@cli.command()
@click.argument("database", metavar="DB", type=PATH)
@click.argument("replica", type=PATH)
@_layout
@_takeover
@_verbose
@as_json_option
def sync(database: str, replica: str, layout: Layout | None, takeover: bool, verbose: bool, as_json: bool) -> None:
    """Bring a replica up to what the database has committed, once.

    It goes on in the generation that is there if the WAL still shows that nothing is missing; else it begins a new one
    with a snapshot, and says why and what would have avoided that.
    """
    _sync_once(database, replica, layout, takeover, verbose, as_json, snapshot=False)


@cli.command()
@click.argument("database", metavar="DB", type=PATH)
@click.argument("replica", type=PATH)
@_layout
@_takeover
@_verbose
@as_json_option
def snapshot(database: str, replica: str, layout: Layout | None, takeover: bool, verbose: bool, as_json: bool) -> None:
    """Sync, and write a snapshot of the database, unless the one of this WAL index is there."""
    _sync_once(database, replica, layout, takeover, verbose, as_json, snapshot=True)


def _sync_once(
    database: str, replica: str, layout: Layout | None, takeover: bool, verbose: bool, as_json: bool, *, snapshot: bool
) -> None:
    from litetui.ops import sync as ops

    refuse_readonly()
    with interruptible() as cancel, progress(verbose) as report:
        result = ops.run(
            database, replica, layout=layout, takeover=takeover, snapshot=snapshot, report=report, cancel=cancel
        )
    if as_json:
        return print_json(_result_json(result))
    _print_result(replica, result)
    if snapshot and not result.snapshot_created:
        click.echo(f"  no new snapshot: that of index {result.pos.index:08x} is there, and the WAL leads on from it")
    return None


def _result_json(result: SyncResult) -> dict[str, Any]:
    return {
        "generation": result.pos.generation,
        "index": result.pos.index,
        "offset": result.pos.offset,
        "bytes": result.bytes,
        "snapshot_created": result.snapshot_created,
        "compressed": result.compressed,
        "new_generation_reason": result.new_generation_reason or None,
        "duration_ms": round(result.duration_s * 1000),
    }


def _print_result(replica: str, result: SyncResult) -> None:
    from litetui.primary.shadow import avoid

    did = f"{result.bytes} bytes of WAL" if result.bytes else "nothing was missing"
    parts = [did, *(["a snapshot"] if result.snapshot_created else [])]
    parts += [f"{result.compressed} WALs compressed"] if result.compressed else []
    click.echo(
        f"{printable(replica)} is at {result.pos}: {', '.join(parts)}, in "
        f"{format_duration(round(result.duration_s * NS))}"
    )
    if result.new_generation_reason:
        click.echo(f"  a new generation began: {result.new_generation_reason}")
        if avoided := avoid(result.new_generation_reason):
            click.echo(f"  why: {avoided}")
    if result.snapshot_created:  # not each time: a sync may run every minute
        for warning in result.warnings:
            click.echo(f"  note: {printable(warning)}", err=True)


@cli.command()
@click.argument("database", metavar="DB", type=PATH)
@click.argument("replicas", metavar="REPLICA…", type=PATH, nargs=-1, required=True)
@_layout
@_every("--sync-interval", "1s", "Write into the replicas at most so often.")
@_every("--retention", "24h", "Delete what no state within it needs; 0: nothing.")
@_every("--retention-check-interval", "1h", "How often to look for what is older.")
@_every("--validation-interval", "0", "Compare the replicas with the database so often; 0: never.")
@_every("--monitor-interval", "1s", "Look for new transactions so often.")
@_every("--checkpoint-interval", "1m", "Checkpoint at least so often while there are writes.")
@click.option("--min-checkpoint-pages", type=click.IntRange(1), default=1000, show_default=True, metavar="N")
@click.option("--max-checkpoint-pages", type=click.IntRange(1), default=10000, show_default=True, metavar="N")
@click.option("--metrics", metavar="HOST:PORT", help="Serve Prometheus metrics, under Litestream's names.")
@click.option("--once", is_flag=True, help="Sync every replica once, then end.")
@_takeover
@_verbose
def replicate(
    database: str,
    replicas: tuple[str, ...],
    layout: Layout | None,
    sync_interval: float,
    retention: float,
    retention_check_interval: float,
    validation_interval: float,
    monitor_interval: float,
    checkpoint_interval: float,
    min_checkpoint_pages: int,
    max_checkpoint_pages: int,
    metrics: str | None,
    once: bool,
    takeover: bool,
    verbose: bool,
) -> None:
    """Keep replicas up to date with a database until SIGINT or SIGTERM, then sync a last time.

    Shadow WALs are kept beside the database until every replica has them. Stop Litestream first: two replicators on one
    database ruin each other.
    """
    from litetui.ops.replicate import Options, Replicator
    from litetui.ops.retention import periodic
    from litetui.primary import Limits

    refuse_readonly()
    if min_checkpoint_pages > max_checkpoint_pages:
        raise UsageError("replicate", "--min-checkpoint-pages is above --max-checkpoint-pages")
    options = Options(
        layout=layout,
        monitor_interval_s=monitor_interval,
        sync_interval_s=sync_interval,
        retention_check_interval_s=min(retention_check_interval, retention),
        validation_interval_s=validation_interval,
        takeover=takeover,
        limits=Limits(min_checkpoint_pages, max_checkpoint_pages, checkpoint_interval),
    )
    with interruptible() as cancel, progress(verbose) if once else _log_lines(verbose) as report:
        if retention:
            options = replace(options, retain=periodic(database, round(retention * NS), report))
        replicator = Replicator(database, replicas, options, report)
        if once:
            results = replicator.once(cancel)
            for path, result in zip(replicas, results, strict=True):
                if not isinstance(result, LitetuiError):
                    _print_result(path, result)
            for error in results:
                if isinstance(error, LitetuiError):
                    raise error
            return
        with _metrics(metrics, replicator):
            replicator.run(cancel)


@contextmanager
def _log_lines(verbose: bool) -> Iterator[Reporter]:
    """A reporter whose lines go to stderr with their times: all with -v or on a terminal, else warnings and errors."""
    everything = verbose or sys.stderr.isatty()

    def log(level: str, message: str) -> None:
        if level not in ("warning", "error") and not (everything and (verbose or level != "debug")):
            return
        with contextlib.suppress(OSError):  # a full disk under the log must not end what is logged
            click.echo(
                f"{format_time(time.time_ns() // 1_000_000 * 1_000_000)} {level}: {printable(message)}", err=True
            )

    yield Reporter(log)


@contextmanager
def _metrics(address: str | None, replicator: Replicator) -> Iterator[None]:
    if address is None:
        yield
        return
    from litetui.ops.metrics import serve

    with serve(address, replicator):
        yield
