"""Short words for the tests of operations."""

from __future__ import annotations

import re
from pathlib import Path

from litetui.errors import LitetuiError
from litetui.ops import restore as ops
from litetui.ops.restore import RestorePlan, RestoreResult
from litetui.ops.target import Target
from litetui.replica.detect import open_replica
from litetui.replica.types import Pos
from tests.build import GENERATION


def restore(root: Path, target: Target | None = None, *, out: Path | None = None, check: str = "none") -> bytes:
    """The bytes that a restore gives; nothing may be left beside them."""
    output = out or root.parent / "out.db"
    output.unlink(missing_ok=True)
    before = {p.name for p in output.parent.iterdir()}
    try:
        run(root, target, output, check=check)
    finally:
        assert {p.name for p in output.parent.iterdir()} - before <= {output.name}
    data = output.read_bytes()
    output.unlink()
    return data


def run(root: Path, target: Target | None, output: Path, *, check: str = "none") -> RestoreResult[RestorePlan]:
    replica = open_replica(root)
    return ops.run(ops.plan(replica, target or Target()), str(output), integrity_check=check)


def position(index: int, offset: int, generation: str = GENERATION) -> Target:
    return Target.at(Pos(generation, index, offset))


def at_time(ns: int, generation: str | None = None) -> Target:
    return Target(generation, timestamp_ns=ns)


def first_reachable(error: LitetuiError) -> Pos | None:
    """The position that a refusal names as the first that can be reached."""
    found = re.search(r"first position that can be reached is (\S+)", error.cause)
    return Pos.parse(found[1]) if found else None
