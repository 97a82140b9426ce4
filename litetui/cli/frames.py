"""What one WAL holds: frames, transactions, whose pages they write, and where it stops being valid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from litetui.cli.common import (
    PATH,
    as_json_option,
    interruptible,
    open_replica,
    print_json,
    print_table,
    progress,
)
from litetui.cli.main import cli
from litetui.units import printable

if TYPE_CHECKING:
    from litetui.ops.breaks import FrameFault, Pair
    from litetui.ops.frames import FrameTable
    from litetui.ops.wal_owners import WALOwners


@cli.command()
@click.argument("replica", type=PATH)
@click.option("--generation", metavar="G", required=True, help="The generation (16 hex digits).")
@click.option("--index", metavar="I", required=True, help="The WAL's index (8 hex digits, as printed).")
@click.option("--owners", is_flag=True, help="Also whose pages they are: the state is restored into a scratch file.")
@click.option("--scratch", metavar="DIR", type=PATH, help="Where that file goes; default $TMPDIR or /var/tmp.")
@as_json_option
def frames(replica: str, generation: str, index: str, owners: bool, scratch: str | None, as_json: bool) -> None:
    """The frames and transactions of one WAL."""
    from litetui.ops.frames import read_frames
    from litetui.ops.target import parse_index

    r = open_replica(replica)
    number = parse_index(index)
    r.generation_stats(generation)
    found: WALOwners | None = None
    with interruptible() as cancel, progress(False) as report:
        table = read_frames(r, generation, number, report, cancel)
        if table.header is None and table.problem is not None:
            raise table.problem
        if owners:
            from litetui.ops.wal_owners import wal_owners

            found = wal_owners(r, table, report=report, cancel=cancel, scratch=scratch)
    if as_json:
        print_json(_data(table, found))
    else:
        _print(table, found)


def _data(table: FrameTable, owners: WALOwners | None) -> dict[str, Any]:
    """The contract of --json."""
    rows = enumerate(zip(table.pages.tolist(), table.commits.tolist(), strict=True))
    frames = [
        {"frame": i, "offset": table.offset(i), "page": page, "commit": commit, "valid": i < table.valid_frames}
        for i, (page, commit) in rows
    ]
    names = ("transaction", "first_frame", "last_frame", "end_offset", "pages", "database_pages")
    transactions: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in _transactions(table)]
    if owners is not None:
        for frame in frames:
            owner = owners.of_frame(frame["frame"])
            frame |= {"owner": owner.name or None, "kind": owner.kind or None}
        for one in transactions:
            one["owners"] = dict(owners.groups(one["first_frame"], one["last_frame"], table.pages))
    return {
        "generation": table.generation,
        "index": table.index,
        "page_size": table.page_size,
        "checksum_order": table.checksum_order,
        "salt1": table.salt1,
        "salt2": table.salt2,
        "frames": frames,
        "problem": None if table.problem is None else str(table.problem),
        "fault": None if table.fault is None else _fault(table.fault),
        "transactions": transactions,
    } | ({} if owners is None else {"owners_problem": owners.problem or None})


def _transactions(table: FrameTable) -> list[tuple[int, ...]]:
    done = table.transactions
    columns = (done.first_frame, done.last_frame, done.end_offset, done.pages, done.database_pages)
    return [(n, *row) for n, row in enumerate(zip(*(c.tolist() for c in columns), strict=True))]


def _fault(fault: FrameFault) -> dict[str, Any]:
    """Salts and checksums in hex, as they stand in the frame's header."""
    return {
        "frame": fault.frame,
        "offset": fault.offset,
        "page": fault.page,
        "commit": fault.commit,
        "reason": fault.reason,
        "salts": _both(fault.expected_salts, fault.salts),
        "checksum": _both(fault.expected_checksum, fault.checksum),
    }


def _both(expected: Pair | None, found: Pair | None) -> dict[str, str | None]:
    from litetui.ops.breaks import pair_text

    return {name: pair and pair_text(pair) for name, pair in (("expected", expected), ("found", found))}


def _print(table: FrameTable, owners: WALOwners | None) -> None:
    rows = _transactions(table)
    click.echo(
        f"WAL {table.generation}/{table.index:08x}: {len(table)} frames, {len(rows)} transactions, pages of "
        f"{table.page_size}, checksums {table.checksum_order}-endian, salts {table.salt1:08x} {table.salt2:08x}"
    )
    headings = [">transaction", ">first frame", ">last frame", ">end offset", ">pages", ">database pages"]
    if owners is None:
        print_table(headings, rows)
    else:
        print_table(
            [*headings, "what"],
            [[*row, owners.text(row[1], row[2], table.pages)] for row in rows],
        )
        if owners.problem:
            click.echo(printable(owners.problem))
    if table.problem is not None:
        click.echo(f"the valid frames end here: {printable(str(table.problem))}")
    if table.fault is not None:
        _print_fault(table.fault)


def _print_fault(fault: FrameFault) -> None:
    from litetui.ops.breaks import pair_text

    click.echo(f"frame {fault.frame} at offset {fault.offset}: {fault.reason}")
    if fault.salts is not None:
        print_table(
            ["", "expected", "found"],
            [
                ["salts", pair_text(fault.expected_salts), pair_text(fault.salts)],
                ["checksum", pair_text(fault.expected_checksum), pair_text(fault.checksum)],
            ],
        )
