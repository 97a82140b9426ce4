"""The command line: words in, operations called, tables or JSON out. Imports the terminal UI only to open it.

numpy and the codecs are imported by the commands that need them, so that `--help` stays fast.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from litetui import __version__
from litetui.errors import Cancelled, LitetuiError, UsageError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.units import format_age, format_duration, format_size, format_time, parse_time, printable

if TYPE_CHECKING:
    from litetui.ops.restore import RestorePlan, RestoreResult
    from litetui.ops.target import Target
    from litetui.replica.file import FileReplica
    from litetui.replica.types import Finding

_EPILOG = """\b
A first word that is no command is a replica to open: litetui /var/lib/replica
(./restore opens a folder of that name).  litetui --demo opens a sample."""


class _Group(click.Group):
    """A group whose first unknown word is a replica to open."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return "open", _open, args


_PATH = click.Path(path_type=str, readable=False)  # who may not read it is told by us, with owner and mode
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
_generation = click.option("--generation", metavar="G", help="Only this generation (16 hex digits).")


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)
@click.version_option(__version__, prog_name="litetui", message="%(prog)s %(version)s")
@click.option("--readonly", is_flag=True, help="Write nothing into the replica (restoring to a new path stays).")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII only.")
@click.option("--demo", is_flag=True, help="Open a small sample replica, copied to a temporary folder.")
@click.pass_context
def cli(ctx: click.Context, readonly: bool, ascii_only: bool, demo: bool) -> None:
    """Look into a Litestream replica, and restore from it: in a terminal UI, or with the commands below."""
    ctx.obj = {"readonly": readonly, "ascii": ascii_only}
    if ctx.invoked_subcommand is None:
        ctx.exit(_run_app(None, readonly=readonly, ascii_only=ascii_only, demo=demo))


@click.command("open", hidden=True)
@click.argument("replica", type=_PATH)
@click.option("--readonly", is_flag=True, help="Write nothing into the replica.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII only.")
@click.pass_context
def _open(ctx: click.Context, replica: str, readonly: bool, ascii_only: bool) -> None:
    """Open the terminal UI on a replica."""
    outer = ctx.obj or {}
    ctx.exit(
        _run_app(
            replica,
            readonly=readonly or outer.get("readonly", False),
            ascii_only=ascii_only or outer.get("ascii", False),
            demo=False,
        )
    )


def _run_app(path: str | None, *, readonly: bool, ascii_only: bool, demo: bool) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "open the terminal UI",
            "this is no terminal",
            hint="use a command: litetui info REPLICA (litetui --help lists them)",
        )
    from litetui.tui.app import run_app

    if demo:
        from litetui.demo import sample

        with sample() as path:
            return run_app(path, readonly=readonly, ascii=ascii_only, demo=True)
    return run_app(path, readonly=readonly, ascii=ascii_only)


def _open_replica(path: str) -> FileReplica:
    from litetui.replica.detect import open_replica

    return open_replica(path)


# ---- what a replica holds


@cli.command()
@click.argument("replica", type=_PATH)
@_as_json
def info(replica: str, as_json: bool) -> None:
    """What this replica is, and what needs attention."""
    from litetui.ops.survey import survey

    r, now = _open_replica(replica), time.time_ns()
    s = survey(r, now)
    position, problem = _position_of_newest(r)
    attention = [*s.findings, problem] if problem else list(s.findings)
    stats = [g.stats for g in s.generations]
    newest = stats[0] if stats else None
    ends = [x.updated_ns for x in stats if x.updated_ns is not None]
    starts = [x.created_ns for x in stats if x.created_ns is not None]
    data = {
        "path": r.path,
        "layout": r.layout(),
        "generations": len(stats),
        "snapshots": sum(x.snapshots for x in stats),
        "wal_files": sum(x.wal_files for x in stats),
        "ltx_files": 0,
        "size": sum(x.size for x in stats),
        "newest_file": format_time(max(ends)) if ends else None,
        "newest_generation": newest.generation if newest else None,
        "position": position,
        "start": format_time(min(starts)) if starts else None,
        "end": format_time(max(ends)) if ends else None,
        "attention": [
            {"severity": f.severity, "code": f.code, "message": f.message, "hint": f.hint or None} for f in attention
        ],
    }
    if as_json:
        return _print_json(data)
    latest = s.generations[0] if s.generations else None
    if latest is None:
        verdict = "no generation: nothing can be restored"
    elif any(f.code == "ltx-beside" and f.severity == "error" for f in attention):
        verdict = "the latest state is in ltx/ (Litestream v0.5), not in these generations"
    elif any(f.code == "unreadable" for f in attention):
        verdict = "unknown: a part of the replica cannot be read"
    elif problem:
        verdict = f"latest does not restore: {problem.message}"
    elif latest.restorable:
        verdict = f"names complete to {data['end']}; content not checked"
    else:
        verdict = f"latest does not restore: {latest.why_not}"
    rows = [
        ("replica", data["path"]),
        ("verdict", verdict),
        ("layout", data["layout"]),
        ("generations", data["generations"]),
        ("snapshots", data["snapshots"]),
        ("WAL files", data["wal_files"]),
        ("size", format_size(sum(x.size for x in stats))),
        ("newest file", f"{data['newest_file']} ({format_age(max(ends), now)})" if ends else "none"),
        ("position", data["position"] or "unknown"),
    ]
    for key, value in rows:
        click.echo(f"{key:<12} {printable(str(value))}")
    for f in attention:
        click.echo(f"{f.severity:<12} {f.code}: {printable(f.message)}" + (f" ({printable(f.hint)})" if f.hint else ""))
    return None


@cli.command()
@click.argument("replica", type=_PATH)
@_as_json
def generations(replica: str, as_json: bool) -> None:
    """The generations, the newest first."""
    from litetui.ops.survey import survey

    r, now = _open_replica(replica), time.time_ns()
    rows = [
        {
            "generation": g.generation,
            "snapshots": g.stats.snapshots,
            "wal_files": g.stats.wal_files,
            "size": g.stats.size,
            "start": _time(g.stats.created_ns),
            "end": _time(g.stats.updated_ns),
            "position": _position(r, g.generation),
            "restorable": g.restorable,
            "lag_seconds": None,
        }
        for g in survey(r, now).generations
    ]
    if as_json:
        return _print_json(rows)
    return _print_table(
        ["generation", "snapshots", ">wal files", ">size", "start", "end", "position", "restorable by names"],
        [
            [x["generation"], x["snapshots"], x["wal_files"], format_size(int(str(x["size"]))), x["start"], x["end"],
             x["position"] or "unknown", "yes" if x["restorable"] else "no"] for x in rows
        ],
    )  # fmt: skip


@cli.command()
@click.argument("replica", type=_PATH)
@_generation
@_as_json
def snapshots(replica: str, generation: str | None, as_json: bool) -> None:
    """The snapshots."""
    r = _open_replica(replica)
    chosen = [generation] if generation else r.generations()
    found = [s for g in chosen for s in r.snapshots(g)]
    if as_json:
        return _print_json(
            [
                {"replica": r.name, "generation": s.generation, "index": s.index, "size": s.size,
                 "created": format_time(s.created_ns)} for s in found
            ]
        )  # fmt: skip
    return _print_table(
        ["replica", "generation", "index", ">size", "created"],
        [[r.name, s.generation, f"{s.index:08x}", s.size, format_time(s.created_ns)] for s in found],
    )


@cli.command("wal")
@click.argument("replica", type=_PATH)
@_generation
@click.option("--index", metavar="I", help="Only this index (8 hex digits, as printed).")
@_as_json
def wal_files(replica: str, generation: str | None, index: str | None, as_json: bool) -> None:
    """The WAL files."""
    from litetui.ops.target import parse_index

    wanted = parse_index(index) if index is not None else None
    r = _open_replica(replica)
    tables = [r.wals(g) for g in ([generation] if generation else r.generations())]
    found = (t[i] for t in tables for i in (range(len(t)) if wanted is None else t.rows_of(wanted)))
    if as_json:
        return _print_json_rows(
            {"replica": r.name, "generation": w.generation, "index": w.index, "offset": w.offset, "size": w.size,
             "created": format_time(w.created_ns), "compressed": w.compressed} for w in found
        )  # fmt: skip
    return _print_table(
        ["replica", "generation", "index", ">offset", ">size", "created", "form"],
        [
            [r.name, w.generation, f"{w.index:08x}", "" if w.offset is None else w.offset, w.size,
             format_time(w.created_ns), "lz4" if w.compressed else "plain"] for w in found
        ],
    )  # fmt: skip


@cli.command()
@click.argument("replica", type=_PATH)
@click.option("--generation", metavar="G", required=True, help="The generation (16 hex digits).")
@click.option("--index", metavar="I", required=True, help="The WAL's index (8 hex digits, as printed).")
@_as_json
def frames(replica: str, generation: str, index: str, as_json: bool) -> None:
    """The frames and transactions of one WAL."""
    from litetui.ops.frames import read_frames
    from litetui.ops.target import parse_index

    r = _open_replica(replica)
    number = parse_index(index)
    r.generation_stats(generation)
    with _interruptible() as cancel:
        table = read_frames(r, generation, number, cancel=cancel)
    if table.header is None and table.problem is not None:
        raise table.problem
    done = table.transactions
    ends = zip(done.first_frame.tolist(), done.last_frame.tolist(), done.end_offset.tolist(),
               done.pages.tolist(), done.database_pages.tolist(), strict=True)  # fmt: skip
    if as_json:
        return _print_json(
            {
                "generation": generation,
                "index": number,
                "page_size": table.page_size,
                "checksum_order": table.checksum_order,
                "salt1": table.salt1,
                "salt2": table.salt2,
                "frames": [
                    {"frame": i, "offset": table.offset(i), "page": page, "commit": commit,
                     "valid": i < table.valid_frames}
                    for i, (page, commit) in enumerate(zip(table.pages.tolist(), table.commits.tolist(), strict=True))
                ],
                "transactions": [
                    {"transaction": n, "first_frame": a, "last_frame": b, "end_offset": end, "pages": pages,
                     "database_pages": size} for n, (a, b, end, pages, size) in enumerate(ends)
                ],
            }
        )  # fmt: skip
    click.echo(
        f"WAL {generation}/{number:08x}: {len(table)} frames, {len(done)} transactions, pages of {table.page_size}, "
        f"checksums {table.checksum_order}-endian, salts {table.salt1:08x} {table.salt2:08x}"
    )
    _print_table(
        [">transaction", ">first frame", ">last frame", ">end offset", ">pages", ">database pages"],
        [[n, *row] for n, row in enumerate(ends)],
    )
    if table.problem is not None:
        click.echo(f"the valid frames end here: {printable(str(table.problem))}")
    return None


# ---- restore


@cli.command()
@click.argument("replica", type=_PATH)
@click.option("-o", "output", metavar="OUT", required=True, type=_PATH, help="The database file to make.")
@click.option("--generation", metavar="G", help="From this generation; default: the one updated last.")
@click.option("--index", metavar="I", help="Up to and with the whole of WAL I (with --generation; 8 hex digits).")
@click.option("--position", metavar="G/I:OFFSET", help="All transactions that end at or before this position.")
@click.option("--timestamp", metavar="T", help="The newest state not after this RFC 3339 time.")
@click.option("--to-last-good", is_flag=True, help="The newest state that the sound part of the replica leads to.")
@click.option("--dry-run", is_flag=True, help="Print the plan and write nothing.")
@click.option("--force", is_flag=True, help="Move what is at OUT to OUT.before-restore-TIME first.")
@click.option("--integrity-check", type=click.Choice(["none", "quick", "full"]), default="quick", show_default=True)
@click.option("--if-db-not-exists", is_flag=True, help="Do nothing, successfully, if OUT exists.")
@click.option("--if-replica-exists", is_flag=True, help="Do nothing, successfully, if there is no replica.")
@click.option("-v", "--verbose", is_flag=True, help="Print the log to stderr.")
@_as_json
def restore(
    replica: str,
    output: str,
    generation: str | None,
    index: str | None,
    position: str | None,
    timestamp: str | None,
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
    target = _target(generation, index, position, timestamp, to_last_good)
    if if_db_not_exists and os.path.lexists(output):
        return _nothing_to_do(replica, output, f"{output} exists", as_json)
    if if_replica_exists and not _holds_data(replica):
        return _nothing_to_do(replica, output, f"{replica} holds no replica", as_json)
    from litetui.ops import restore as ops

    r = _open_replica(replica)
    if not dry_run:
        ops.check_output(r.path, output, force=force)
    plan = ops.plan(r, target)
    with _interruptible() as cancel, _progress(verbose) as report:
        if dry_run:
            plan = ops.settle(plan, report, cancel)
        else:
            result = ops.run(
                plan, output, integrity_check=integrity_check, force=force, report=report, cancel=cancel
            )  # fmt: skip
    if dry_run:
        _print_json(_plan_json(plan, output)) if as_json else _print_plan(plan, output)
        ops.check_output(r.path, output, force=force)
        return ops.check_space(output, plan.database_size or 0)
    try:
        return _print_json(_result_json(result)) if as_json else _print_result(result)
    except OSError as error:
        raise LitetuiError("print the result", f"{error}; the database was restored", path=output) from None


def _nothing_to_do(replica: str, output: str, reason: str, as_json: bool) -> None:
    if as_json:
        return _print_json({"source": replica, "target_path": output, "skipped": reason})
    return click.echo(f"{printable(reason)}: nothing to do", err=True)


def _target(
    generation: str | None, index: str | None, position: str | None, timestamp: str | None, last_good: bool
) -> Target:
    from litetui.ops.target import Target, parse_index
    from litetui.replica.types import Pos

    kinds = [name for name, value in (("--index", index), ("--position", position), ("--timestamp", timestamp),
                                      ("--to-last-good", last_good)) if value]  # fmt: skip
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
    if timestamp is not None:
        return Target(generation, timestamp_ns=parse_time(timestamp))
    return Target(generation, last_good=last_good)


def _holds_data(path: str) -> bool:
    from litetui.errors import NotAReplicaError

    try:
        return bool(_open_replica(path).generations())
    except NotAReplicaError:
        return False


def _plan_json(plan: RestorePlan, output: str) -> dict[str, Any]:
    return {
        "source": plan.source,
        "target_path": output,
        "layout": plan.layout,
        "generation": plan.generation,
        "snapshot_index": plan.snapshot.index,
        "min_index": plan.min_index,
        "max_index": plan.max_index,
        "position": str(plan.position),
        "min_txid": None,
        "max_txid": None,
        "files": list(plan.files()),
        "bytes_to_read": plan.bytes_to_read,
        "database_size": plan.database_size,
    }


def _result_json(result: RestoreResult) -> dict[str, Any]:
    return {
        **_plan_json(result.plan, result.output),
        "database_size": result.database_size,
        "duration_ms": round(result.duration_s * 1000),
        "bytes_read": result.bytes_read,
        "pages_written": result.pages_written,
        "sha256": None,
        "integrity_check": result.integrity_check,
    }


def _print_plan(plan: RestorePlan, output: str) -> None:
    now, snapshot = time.time_ns(), plan.snapshot
    files = f"{len(plan.wals)} file{'s' if len(plan.wals) > 1 else ''}"
    rows = [
        ("restore", f"{plan.position}, the state of {format_time(plan.until_ns)} ({format_age(plan.until_ns, now)})"),
        ("to", output),
        ("snapshot", f"{snapshot.index:08x}, {format_size(snapshot.size)}, {format_time(snapshot.created_ns)}"),
        ("WAL", f"{files}, indexes {plan.min_index:08x} to {plan.max_index:08x}" if len(plan.wals) else "none"),
        ("reads", f"{format_size(plan.bytes_to_read)} in {plan.file_count} files"),
        ("database", format_size(plan.database_size or 0)),
        ("leaves out", plan.left_out or "nothing"),
        *(("note", n) for n in plan.notes),
    ]  # fmt: skip
    for key, value in rows:
        click.echo(f"{key:<12} {printable(value)}")


def _print_result(result: RestoreResult) -> None:
    check = "not checked by SQLite" if result.integrity_check == "skipped" else "SQLite's check is ok"
    click.echo(
        f"restored {result.plan.position} to {printable(result.output)}: {format_size(result.database_size)} in "
        f"{format_duration(round(result.duration_s * 1e9))}; {check}"
    )
    for note in result.plan.notes:
        click.echo(f"  note: {printable(note)}")
    if result.plan.left_out:
        click.echo(f"  left out: {printable(result.plan.left_out)}")
    for step in result.next_steps:
        click.echo(f"  next: {printable(step)}")


# ---- the shell


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
    except LitetuiError as error:
        return _report(str(error), error.hint, error.exit_code)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "litetui"
        return _report(error.format_message(), f"{path} --help", 2)
    except click.ClickException as error:
        return _report(error.format_message(), None, 1)
    except (KeyboardInterrupt, click.exceptions.Abort):
        return _report("interrupted", None, 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _report(str(error), None, 1)
    except MemoryError:
        return _report("there is not enough memory", None, 1)
    except Exception as error:
        if os.environ.get("LITETUI_DEBUG"):
            raise
        hint = "please report it; LITETUI_DEBUG=1 shows where it happened"
        return _report(f"unexpected {type(error).__name__}: {error}", hint, 1)
    return result if isinstance(result, int) else 0


def _report(message: str, hint: str | None, code: int) -> int:
    click.echo(f"Error: {printable(message)}", err=True)
    if hint:
        click.echo(f"Try: {printable(hint)}", err=True)
    return code


@contextmanager
def _interruptible() -> Iterator[CancelToken]:
    """A token that SIGINT, SIGTERM and SIGHUP cancel, so that the operation cleans up behind itself."""
    token = CancelToken()
    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {s: signal.signal(s, lambda *_: token.cancel()) for s in names}
    try:
        yield token
    except Cancelled:
        raise Cancelled("go on", "interrupted; nothing was left behind") from None
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)


@contextmanager
def _progress(verbose: bool) -> Iterator[Reporter]:
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


def _position(replica: FileReplica, generation: str) -> str | None:
    """The position of a generation, None where its newest WAL cannot be read."""
    if any(f.code == "unreadable" for f in replica.problems(generation)):
        return None
    try:
        return str(replica.calc_pos(generation))
    except LitetuiError:
        return None


def _position_of_newest(replica: FileReplica) -> tuple[str | None, Finding | None]:
    """The position of the newest generation, or why it cannot be told."""
    from litetui.errors import DamageError
    from litetui.replica.types import Finding

    newest = next(iter(replica.generations()), None)
    if newest is None or any(f.code == "unreadable" for f in replica.problems(newest)):
        return None, None
    try:
        return str(replica.calc_pos(newest)), None
    except DamageError as error:
        return None, Finding("error", error.code, str(error), error.hint or "see --to-last-good", error.path, newest)
    except LitetuiError as error:
        return None, Finding("error", "unreadable", str(error), error.hint or "", error.path, newest)


def _time(ns: int | None) -> str | None:
    return None if ns is None else format_time(ns)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def _print_json_rows(rows: Iterable[object]) -> None:
    """A JSON list, one row a line, without having all of it in memory."""
    click.echo("[", nl=False)
    for i, row in enumerate(rows):
        click.echo(("," if i else "") + "\n  " + json.dumps(row), nl=False)
    click.echo("\n]")


def _print_table(headings: list[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as Litestream prints them; a heading that begins with > stands over right-aligned numbers."""
    right = [h.startswith(">") for h in headings]
    names = [h.lstrip(">") for h in headings]
    cells = [["" if c is None else printable(str(c)) for c in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    for row in [names, *cells]:
        line = "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        click.echo(line.rstrip())
