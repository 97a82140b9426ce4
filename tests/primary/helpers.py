"""Real processes that have a database open, under a name of our choice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

_HOLD = """
import sys
with open("/proc/self/comm", "w") as comm:
    comm.write(sys.argv[1])
files = [open(path, "rb") for path in sys.argv[2:]]
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def child(code: str, *args: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has said that it is ready; it runs until its stdin ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        if not process.stdout.readline():
            raise AssertionError(process.stderr.read())
        yield process
    finally:
        process.communicate(timeout=20)


@contextmanager
def holding(name: str, *paths: Path) -> Iterator[int]:
    """A process called `name` that has these files open; its pid."""
    with child(_HOLD, name, *paths) as process:
        yield process.pid
