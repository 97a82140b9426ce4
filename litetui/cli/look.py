"""What a replica holds: info, generations, snapshots, wal, frames."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from litetui.cli.common import (
    PATH,
    as_json_option,
    database_option,
    generation_option,
    open_any,
    open_replica,
    print_json,
    print_json_rows,
    print_table,
    time_or_none,
)
from litetui.cli.main import cli
from litetui.errors import LitetuiError, UnreadableError, UsageError
from litetui.units import format_age, format_size, format_time, printable

if TYPE_CHECKING:
    from litetui.ops.lag import Lag
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica
    from litetui.replica.types import Finding


@cli.command()
@click.argument("replica", type=PATH)
@database_option
@as_json_option
def info(replica: str, database: str | None, as_json: bool) -> None:
    """What this replica is, who writes it, and what needs attention."""
    from litetui.ops.compare import another_database
    from litetui.ops.survey import survey
    from litetui.replica.ltx import LTXReplica

    r, now = open_any(replica), time.time_ns()
    if isinstance(r, LTXReplica):
        return _info_ltx(r, now, database, as_json)
    s = survey(r, now)
    position, problem = _position_of_newest(r)
    attention = [*s.findings, *(f for f in (problem, another_database(r)) if f)]
    behind = _lag(database, r) if database else None
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
        "ltx_files": len(r.ltx.table) if r.ltx is not None else 0,
        "size": sum(x.size for x in stats),
        "newest_file": format_time(max(ends)) if ends else None,
        "newest_generation": newest.generation if newest else None,
        "position": position,
        "start": format_time(min(starts)) if starts else None,
        "end": format_time(max(ends)) if ends else None,
        "attention": [_attention(f) for f in attention],
    }
    if as_json:
        return print_json(data)
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
    rows: list[tuple[str, Any]] = [
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
    if behind:
        rows += _lag_rows(behind, now)
    for key, value in rows:
        click.echo(f"{key:<12} {printable(str(value))}")
    _print_attention(attention)
    return None


def _info_ltx(r: LTXReplica, now: int, database: str | None, as_json: bool) -> None:
    """The same of a v0.5 replica."""
    from litetui.ops.ltx_survey import survey

    s, span = survey(r), r.times
    behind = _lag(database, r) if database else None
    data = {
        "path": r.path,
        "layout": r.layout(),
        "generations": 0,
        "snapshots": sum(level.files for level in s.levels if level.level == 9),
        "wal_files": 0,
        "ltx_files": sum(level.files for level in s.levels),
        "size": sum(level.size for level in s.levels),
        "newest_file": format_time(span.end_ns) if span else None,
        "newest_generation": None,
        "position": f"{s.reached:016x}" if s.reached else None,
        "start": format_time(span.start_ns) if span else None,
        "end": format_time(span.end_ns) if span else None,
        "attention": [_attention(f) for f in s.findings],
    }
    if as_json:
        return print_json(data)
    if r.problems():
        verdict = "unknown: a part of the replica cannot be read"
    elif s.why_not:
        verdict = f"latest does not restore: {s.why_not}"
    else:
        verdict = f"names complete to {data['end']}; content not checked"
    rows: list[tuple[str, Any]] = [
        ("replica", data["path"]),
        ("verdict", verdict),
        ("layout", data["layout"]),
        *(
            (
                f"level {x.level}",
                f"{x.files} files, {format_size(x.size)}, TXIDs {x.min_txid:016x} to {x.max_txid:016x}",
            )
            for x in reversed(s.levels)
        ),
        ("size", format_size(sum(level.size for level in s.levels))),
        ("newest file", f"{data['newest_file']} ({format_age(span.end_ns, now)})" if span else "none"),
        ("position", data["position"] or "none"),
        *(_lag_rows(behind, now) if behind else []),
    ]
    for key, value in rows:
        click.echo(f"{key:<12} {printable(str(value))}")
    _print_attention(s.findings)
    return None


def _attention(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "code": finding.code,
        "message": finding.message,
        "hint": finding.hint or None,
    }


def _print_attention(findings: Iterable[Finding]) -> None:
    for f in findings:
        hint = f" ({printable(f.hint)})" if f.hint else ""
        click.echo(f"{f.severity:<12} {f.code}: {printable(f.message)}{hint}")


def _lag(database: str, replica: FileReplica | LTXReplica) -> Lag:
    from litetui.ops.lag import lag

    return lag(database, replica)


def _lag_rows(behind: Lag, now: int) -> list[tuple[str, Any]]:
    """Who replicates the database, and what the replica lacks of it."""
    watch = behind.watch
    who = ", ".join(map(str, watch.replicators)) or (f"not known: {watch.unseen}" if watch.unseen else "nobody")
    if behind.bytes is None:
        state = f"not known: {behind.why}"
    elif behind.bytes and behind.since_ns is not None:
        state = f"{format_size(behind.bytes)} of WAL, last written {format_age(behind.since_ns, now)}"
    else:
        state = "nothing: the replica has every commit"
    return [("database", behind.database), ("replicator", who), ("it lacks", state)]


@cli.command()
@click.argument("replica", type=PATH)
@database_option
@as_json_option
def generations(replica: str, database: str | None, as_json: bool) -> None:
    """The generations, the newest first."""
    from litetui.ops.survey import survey

    r, now = open_replica(replica), time.time_ns()
    behind = _lag(database, r) if database else None
    newest = next(iter(r.generations()), None)
    rows = [
        {
            "generation": g.generation,
            "snapshots": g.stats.snapshots,
            "wal_files": g.stats.wal_files,
            "size": g.stats.size,
            "start": time_or_none(g.stats.created_ns),
            "end": time_or_none(g.stats.updated_ns),
            "position": _position(r, g.generation),
            "restorable": g.restorable,
            "lag_seconds": behind.seconds(now) if behind and g.generation == newest else None,
        }
        for g in survey(r, now).generations
    ]
    if as_json:
        return print_json(rows)
    return print_table(
        ["generation", "snapshots", ">wal files", ">size", "start", "end", "position", "restorable by names"],
        [
            [x["generation"], x["snapshots"], x["wal_files"], format_size(int(str(x["size"]))), x["start"], x["end"],
             x["position"] or "unknown", "yes" if x["restorable"] else "no"] for x in rows
        ],
    )  # fmt: skip


@cli.command()
@click.argument("replica", type=PATH)
@generation_option
@as_json_option
def snapshots(replica: str, generation: str | None, as_json: bool) -> None:
    """The snapshots."""
    r = open_replica(replica)
    chosen = [generation] if generation else r.generations()
    found = [s for g in chosen for s in r.snapshots(g)]
    if as_json:
        return print_json(
            [
                {"replica": r.name, "generation": s.generation, "index": s.index, "size": s.size,
                 "created": format_time(s.created_ns)} for s in found
            ]
        )  # fmt: skip
    return print_table(
        ["replica", "generation", "index", ">size", "created"],
        [[r.name, s.generation, f"{s.index:08x}", s.size, format_time(s.created_ns)] for s in found],
    )


@cli.command("wal")
@click.argument("replica", type=PATH)
@generation_option
@click.option("--index", metavar="I", help="Only this index (8 hex digits, as printed).")
@as_json_option
def wal_files(replica: str, generation: str | None, index: str | None, as_json: bool) -> None:
    """The WAL files."""
    from litetui.ops.target import parse_index

    wanted = parse_index(index) if index is not None else None
    r = open_replica(replica)
    tables = [r.wals(g) for g in ([generation] if generation else r.generations())]
    found = (t[i] for t in tables for i in (range(len(t)) if wanted is None else t.rows_of(wanted)))
    if as_json:
        return print_json_rows(
            {"replica": r.name, "generation": w.generation, "index": w.index, "offset": w.offset, "size": w.size,
             "created": format_time(w.created_ns), "compressed": w.compressed} for w in found
        )  # fmt: skip
    return print_table(
        ["replica", "generation", "index", ">offset", ">size", "created", "form"],
        [
            [r.name, w.generation, f"{w.index:08x}", "" if w.offset is None else w.offset, w.size,
             format_time(w.created_ns), "lz4" if w.compressed else "plain"] for w in found
        ],
    )  # fmt: skip


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


@cli.command()
@click.argument("replica", type=PATH)
@click.option("--level", default="all", show_default=True, metavar="N|all", help="Only this level, 0 to 9.")
@as_json_option
def ltx(replica: str, level: str, as_json: bool) -> None:
    """The LTX files of a v0.5 replica."""
    from litetui.replica.ltx import LTXReplica

    r = open_any(replica)
    found = r if isinstance(r, LTXReplica) else r.ltx
    if found is None:
        hint = "litetui wal REPLICA lists the WAL files of a v0.3 replica"
        raise LitetuiError("list LTX files", "this replica has none: it is of Litestream v0.3", path=r.path, hint=hint)
    table = found.table
    if level != "all":
        if level not in "0123456789" or len(level) != 1:
            raise UsageError("list LTX files", f"{level!r} is no level", hint="0 to 9, or all")
        table = table.of_level(int(level))
    rows = (table[row] for row in range(len(table)))
    if as_json:
        print_json_rows(
            {
                "level": x.level,
                "min_txid": f"{x.min_txid:016x}",
                "max_txid": f"{x.max_txid:016x}",
                "size": x.size,
                "timestamp": format_time(x.time_ns),
            }
            for x in rows
        )
    else:
        print_table(
            [">level", "min_txid", "max_txid", ">size", "created"],
            [
                (x.level, f"{x.min_txid:016x}", f"{x.max_txid:016x}", format_size(x.size), format_time(x.time_ns))
                for x in rows
            ],
        )
    for finding in found.problems():  # the list is not whole
        raise UnreadableError("list LTX files", finding.message, hint=finding.hint)
