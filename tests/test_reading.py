"""Reading never writes into a replica: no lock files, no caches, no times that move."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.build import usual_history, write_replica
from tests.conftest import Run
from tests.ltx_build import usual_ltx

READING = [
    ["info"],
    ["generations"],
    ["snapshots"],
    ["wal"],
    ["ltx", "--level", "all"],
    ["validate", "--depth", "names"],
    ["validate", "--depth", "restore"],
    ["retention", "--retention", "1h", "--dry-run"],
    ["restore", "--dry-run"],
    ["restore"],
]


def inventory(root: Path) -> dict[str, tuple[int, int, int, int]]:
    """Inode, mode, size and mtime (ns) of everything below a folder, and of itself."""
    found = {}
    for folder, _, files in os.walk(root):
        for path in [folder, *(f"{folder}/{name}" for name in files)]:
            info = os.lstat(path)
            found[path] = (info.st_ino, info.st_mode, info.st_size, info.st_mtime_ns)
    return found


@pytest.mark.parametrize("world", ["v0.3", "v0.5", "both", "damaged"])
def test_reading_leaves_a_replica_as_it_was(cli: Run, tmp_path: Path, world: str) -> None:
    root = tmp_path / "r"
    if world != "v0.5":
        builder = write_replica(root, usual_history())
        if world == "damaged":
            wal = next(iter(sorted((builder.folder / "wal").iterdir())))
            wal.write_bytes(wal.read_bytes()[:-9])
            (builder.folder / "wal" / "00000000.wal.tmp").write_bytes(b"x")
    if world in ("v0.5", "both"):
        usual_ltx(root)
    before = inventory(root)
    codes = set()
    for number, (command, *options) in enumerate(READING):
        output = ["-o", str(tmp_path / f"{number}.db"), "--integrity-check", "none"] if command == "restore" else []
        codes.add(cli(command, str(root), *options, *output)[0])
        assert inventory(root) == before, command
    assert 0 in codes
