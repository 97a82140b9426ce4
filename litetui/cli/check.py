"""The command `validate`: a verdict that can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from litetui.cli.common import (
    PATH,
    as_json_option,
    database_option,
    generation_option,
    interruptible,
    open_replica,
    print_json,
    progress,
)
from litetui.cli.main import cli

if TYPE_CHECKING:
    from litetui.ops.verdict import Depth


@cli.command()
@click.argument("replica", type=PATH)
@database_option
@generation_option
@click.option(
    "--depth",
    type=click.Choice(["names", "content", "restore"]),
    default="content",
    show_default=True,
    help="names: no file is opened. content: every byte is read. restore: and each generation is restored and checked.",
)
@click.option("--find-last-good", is_flag=True, help="Search for the newest state that passes SQLite's check.")
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
    from litetui.ops import validate as ops
    from litetui.ops import verdict_text

    r = open_replica(replica)
    plan = ops.plan(r, depth=depth, generation=generation, scratch=scratch)
    with interruptible() as cancel, progress(verbose) as report:
        result = ops.run(plan, report=report, cancel=cancel)
    if as_json:
        print_json(verdict_text.as_json(result))
    else:
        click.echo(verdict_text.as_text(result), nl=False)
    return result.exit_code
