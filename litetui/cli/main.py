"""The group of commands, the terminal UI as the default one, and errors as words and exit codes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

import click

from litetui import __version__
from litetui.cli.common import PATH, as_json_option, print_json
from litetui.errors import LitetuiError, UsageError
from litetui.terminal import has_terminal
from litetui.units import printable

_EPILOG = """\b
A first word that is no command is a replica to open: litetui /var/lib/replica
(./restore opens a folder of that name).  litetui --demo opens a sample."""


class _Group(click.Group):
    """A group whose first unknown word is a replica to open; the modules of its commands are imported for them only."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from litetui.cli import check, frames, live, look, restore, retention  # noqa: F401  (they add themselves)

        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        self.list_commands(ctx)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if os.sep not in args[0] and args[0] in self.list_commands(ctx):
            return super().resolve_command(ctx, args)
        return "open", _open, args


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)
@click.version_option(__version__, prog_name="litetui", message="%(prog)s %(version)s")
@click.option("--readonly", is_flag=True, help="Write nothing into the replica (restoring to a new path stays).")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII only.")
@click.option("--db", "database", metavar="DB", type=PATH, help="The live database that the replica belongs to.")
@click.option("--demo", is_flag=True, help="Open a live sample: a database with a gentle writer, and its replica.")
@click.pass_context
def cli(ctx: click.Context, readonly: bool, ascii_only: bool, database: str | None, demo: bool) -> None:
    """Look into a Litestream replica, and restore from it: in a terminal UI, or with the commands below."""
    ctx.obj = {"readonly": readonly, "ascii": ascii_only, "database": database}
    if ctx.invoked_subcommand is None:
        ctx.exit(_run_app(None, database, readonly=readonly, ascii_only=ascii_only, demo=demo))


@click.command("open", hidden=True)
@click.argument("replica", type=PATH)
@click.option("--readonly", is_flag=True, help="Write nothing into the replica.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII only.")
@click.option("--db", "database", metavar="DB", type=PATH, help="The live database that the replica belongs to.")
@click.pass_context
def _open(ctx: click.Context, replica: str, readonly: bool, ascii_only: bool, database: str | None) -> None:
    """Open the terminal UI on a replica."""
    outer = ctx.obj or {}
    ctx.exit(
        _run_app(
            replica,
            database or outer.get("database"),
            readonly=readonly or outer.get("readonly", False),
            ascii_only=ascii_only or outer.get("ascii", False),
            demo=False,
        )
    )


def _run_app(path: str | None, database: str | None, *, readonly: bool, ascii_only: bool, demo: bool) -> int:
    if not has_terminal():
        raise UsageError(
            "open the terminal UI",
            "this is no terminal",
            hint="use a command: litetui info REPLICA (litetui --help lists them)",
        )
    gc.disable()  # until the first frame: what is made until then is all kept
    from litetui.tui.run import run_app

    return run_app(path, readonly=readonly, ascii=ascii_only, demo=demo, database=database)


@cli.command()
@click.option(
    "--dir", "folder", metavar="DIR", type=PATH, help="Here, in a new or empty folder; else in a temporary one."
)
@as_json_option
def demo(folder: str | None, as_json: bool) -> None:
    """Make the sample of --demo, a database and its replica, and print their paths. It stays until you remove it."""
    import tempfile

    from litetui.demo import make_demo

    made = make_demo(folder or tempfile.mkdtemp(prefix="litetui-sample-"))
    if as_json:
        return print_json({"database": made.database, "replica": made.replica})
    return click.echo(f"database  {printable(made.database)}\nreplica   {printable(made.replica)}")


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell: eval "$(litetui completion bash)"."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "litetui", "_LITETUI_COMPLETE").source())


def run(args: Sequence[str]) -> int:
    """Run the command line; errors become one line and a hint on stderr, and the exit code of the contract."""
    try:
        result = cli.main(args=list(args), prog_name="litetui", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (told, with its exit code)
        return told(error)
    return result if isinstance(result, int) else 0


def told(error: BaseException) -> int:
    """Say what went wrong; the exit code."""
    match error:
        case LitetuiError():
            return _report(str(error), error.hint, error.exit_code)
        case click.exceptions.Exit():
            return error.exit_code
        case click.UsageError():
            path = error.ctx.command_path if error.ctx else "litetui"
            return _report(error.format_message(), f"{path} --help", 2)
        case click.ClickException():
            return _report(error.format_message(), None, 1)
        case KeyboardInterrupt() | click.exceptions.Abort():
            return _report("interrupted", None, 130)
        case BrokenPipeError():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        case OSError():
            return _report(str(error), None, 1)
        case MemoryError():
            return _report("there is not enough memory", None, 1)
    if os.environ.get("LITETUI_DEBUG"):
        raise error
    hint = "please report it; LITETUI_DEBUG=1 shows where it happened"
    return _report(f"unexpected {type(error).__name__}: {error}", hint, 1)


def _report(message: str, hint: str | None, code: int) -> int:
    click.echo(f"Error: {printable(message)}", err=True)
    if hint:
        click.echo(f"Try: {printable(hint)}", err=True)
    return code
