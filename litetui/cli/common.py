"""What the commands share: options, opening, printing, progress, and an end on signals."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from litetui.errors import Cancelled, UsageError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.units import format_time, printable

if TYPE_CHECKING:
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica

PATH = click.Path(path_type=str, readable=False)  # who may not read it is told by us, with owner and mode
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
database_option = click.option(
    "--db",
    "database",
    metavar="DB",
    type=PATH,
    help="Also look at the live database: who replicates it, what is missing.",
)
generation_option = click.option("--generation", metavar="G", help="Only this generation (16 hex digits).")


def open_replica(path: str) -> FileReplica:
    from litetui.replica.detect import open_replica

    return open_replica(path)


def open_any(path: str) -> FileReplica | LTXReplica:
    from litetui.replica.detect import open_any

    return open_any(path)


@contextmanager
def interruptible() -> Iterator[CancelToken]:
    """A token that SIGINT, SIGTERM and SIGHUP cancel, so that the operation cleans up behind itself."""
    token = CancelToken()
    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {s: signal.signal(s, lambda *_: token.cancel()) for s in names}
    try:
        yield token
    except Cancelled as error:
        if error.cause != Cancelled().cause:
            raise  # it says itself how far it came
        raise Cancelled("go on", "interrupted; nothing was left behind") from None
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)


@contextmanager
def progress(verbose: bool) -> Iterator[Reporter]:
    """A reporter whose progress is drawn on stderr if that is a terminal."""

    def log(level: str, message: str) -> None:
        if verbose:
            click.echo(f"{level}: {printable(message)}", err=True)

    report = Reporter(log)
    if not sys.stderr.isatty():
        yield report
        return
    from litetui.progressbar import drawn

    with drawn(report):
        yield report


def refuse_readonly() -> None:
    """Raises UsageError where litetui was started with --readonly."""
    if (click.get_current_context().obj or {}).get("readonly"):
        raise UsageError("write into the replica", "started with --readonly", hint="leave --readonly away")


def time_or_none(ns: int | None) -> str | None:
    return None if ns is None else format_time(ns)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def print_json_rows(rows: Iterable[object]) -> None:
    """A JSON list, one row a line, without having all of it in memory."""
    click.echo("[", nl=False)
    for i, row in enumerate(rows):
        click.echo(("," if i else "") + "\n  " + json.dumps(row), nl=False)
    click.echo("\n]")


def print_table(headings: list[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as Litestream prints them; a heading that begins with > stands over right-aligned numbers."""
    right = [h.startswith(">") for h in headings]
    names = [h.lstrip(">") for h in headings]
    cells = [["" if c is None else printable(str(c)) for c in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    for row in [names, *cells]:
        line = "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        click.echo(line.rstrip())
