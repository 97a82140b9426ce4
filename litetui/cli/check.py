"""The command `validate`: a verdict that can be trusted."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from litetui.cli.common import (
    PATH,
    as_json_option,
    generation_option,
    interruptible,
    open_any,
    print_json,
    progress,
    time_or_none,
)
from litetui.cli.main import cli
from litetui.errors import PrimaryError
from litetui.units import printable

if TYPE_CHECKING:
    from litetui.ops.clean_point import CleanPoint
    from litetui.ops.verdict import Depth, Report

_DEPTH_HELP = "names: no file is opened. content: every byte is read. restore: each generation is restored as well."


@cli.command()
@click.argument("replica", type=PATH)
@click.option(
    "--db",
    "database",
    metavar="DB",
    type=PATH,
    help="Also compare a restore with the live database, page by page; it is only read.",
)
@generation_option
@click.option(
    "--depth",
    type=click.Choice(["names", "content", "restore"]),
    default="content",
    show_default=True,
    help=_DEPTH_HELP,
)
@click.option(
    "--find-last-good", is_flag=True, help="Restore, and search for the newest state that SQLite finds sound."
)
@click.option("--scratch", metavar="DIR", type=PATH, help="Where restores are tried out; default $TMPDIR or /var/tmp.")
@click.option("-v", "--verbose", is_flag=True, help="Print the log to stderr.")
@as_json_option
def validate(
    replica: str,
    database: str | None,
    generation: str | None,
    depth: Depth,
    find_last_good: bool,
    scratch: str | None,
    verbose: bool,
    as_json: bool,
) -> int:
    """Say whether a replica restores, up to when, and what is wrong with it.

    Exit code 0: it is sound; 3: damage was found; 1: something could not be read.
    """
    from litetui.ops import clean_point
    from litetui.ops import validate as ops

    r = open_any(replica)
    if database is not None:
        _check_database(database)
    plan = ops.plan(r, depth="restore" if find_last_good else depth, generation=generation, scratch=scratch)
    clean = None
    with interruptible() as cancel, progress(verbose) as report:
        result = ops.run(plan, report=report, cancel=cancel)
        if find_last_good:
            names = [one.generation for one in result.generations]
            clean = clean_point.find(r, names, scratch=scratch, report=report, cancel=cancel)
            steps = tuple(step for step in result.next_steps if "--find-last-good" not in step)
            result = replace(result, next_steps=steps)
        if database is not None:
            from litetui.ops import live_check
            from litetui.ops.advice import advise

            live = live_check.passive(r, database, scratch=scratch, report=report, cancel=cancel)
            result = advise(result.with_live(live), database)
    _print(result, clean, as_json)
    return result.exit_code


def _check_database(path: str) -> None:
    """Raises PrimaryError where there is no database to compare with. Nothing here has it open as a database yet."""
    from litetui.format.dbheader import MAGIC
    from litetui.replica.storage import unreadable

    if not os.path.isfile(path):
        raise PrimaryError("compare with the live database", "there is no such file", path=path, hint="check the path")
    try:
        with open(path, "rb") as file:
            head = file.read(len(MAGIC))
    except OSError as error:
        raise unreadable(error, path) from None
    if head and head != MAGIC:
        raise PrimaryError(
            "compare with the live database", "it is no SQLite database", path=path, hint="check the path"
        )


def _print(result: Report, clean: CleanPoint | None, as_json: bool) -> None:
    from litetui.ops import verdict_text

    if as_json:
        out = verdict_text.as_json(result)
        if clean is not None:
            out["last_good"] = _clean_json(clean)
        print_json(out)
        return
    click.echo(verdict_text.as_text(result), nl=False)
    if clean is None:
        return
    click.echo(f"\n{printable(clean.words)}")
    if clean.pos is not None:
        from litetui.format.position import TXID
        from litetui.ops.target import option
        from litetui.ops.verdict import LTX

        target = option(clean.pos)
        levels = isinstance(clean.pos, TXID) and result.default is not None and result.default.generation == LTX
        if levels and clean.first_bad is None:
            target = "--to-last-good"  # it may be had only around a damaged file, which --txid does not go
        click.echo(f"  restore it: litetui restore {shlex.quote(printable(result.path))} -o OUT {target}")


def _clean_json(clean: CleanPoint) -> dict[str, Any]:
    return {
        "position": None if clean.pos is None else str(clean.pos),
        "until": time_or_none(clean.until_ns),
        "first_bad": None if clean.first_bad is None else str(clean.first_bad),
        "integrity_check": list(clean.messages),
        "probes": clean.probes,
    }
