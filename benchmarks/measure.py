"""Run a command to its end and say what it cost; compare such costs over interleaved rounds."""

from __future__ import annotations

import argparse
import filecmp
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Case = TypeVar("Case")
Command = Sequence[str | os.PathLike[str]]

_EVERY = 0.01


@dataclass(frozen=True, slots=True)
class Cost:
    """wall and cpu (user and system) in seconds; peak and private memory in MiB.

    peak     the most resident memory, file pages that are mapped among it
    private  the most anonymous memory, as seen every 10 ms; 0.0 for what ends sooner
    """

    wall: float
    cpu: float
    peak: float
    private: float


def run(command: Command) -> Cost:
    """Run a command with its output thrown away, once the disk is quiet. Raises CalledProcessError."""
    os.sync()
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    private, next_look = 0.0, began
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        now = time.monotonic()
        if pid:
            break
        if now >= next_look:
            private, next_look = max(private, anonymous(process.pid)), now + _EVERY
        time.sleep(0.001)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stderr is not None
    with process.stderr as errors:
        said = errors.read()
    if process.returncode:
        sys.stderr.buffer.write(said)
        raise subprocess.CalledProcessError(process.returncode, [os.fspath(c) for c in command])
    return Cost(now - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, private)


def anonymous(pid: int) -> float:
    """MiB of anonymous memory that a process has now; 0.0 if it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def median(costs: Sequence[Cost]) -> Cost:
    middle: Callable[[list[float]], float] = statistics.median
    return Cost(*(middle([getattr(c, name) for c in costs]) for name in ("wall", "cpu", "peak", "private")))


def ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.3f}" if theirs > 0 else "-"


def beside(name: str, theirs: Command, ours: Command, outputs: tuple[Path, Path], rounds: int) -> None:
    """Run two commands in turn, each of which makes one of two files that must have the same bytes; print what they
    cost, and the ratios of the medians."""
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    for _ in range(rounds):
        for each, command in zip(costs, (theirs, ours), strict=True):
            each.append(run(command))
        if not filecmp.cmp(*outputs, shallow=False):
            sys.exit(f"{name}: the two files differ")
        size = outputs[0].stat().st_size
        for path in outputs:
            path.unlink()
    print(f"{name}; database {size / 1e6:.0f} MB, byte-identical")
    t, o = median(costs[0]), median(costs[1])
    for what, unit in (("wall", "s"), ("cpu", "s"), ("peak", "MiB"), ("private", "MiB")):
        x, y = getattr(o, what), getattr(t, what)
        print(f"  {what:8} ratio {ratio(x, y):>6}    litetui {x:8.2f} {unit:3}  litestream {y:8.2f} {unit}")
    print(f"  wall in each round: {' '.join(ratio(x.wall, y.wall) for y, x in zip(*costs, strict=True))}")


@dataclass(frozen=True, slots=True)
class Options:
    """What a benchmark is asked for. litestream: the path of the real one; litetui: the command that is measured;
    data: where its data stays, or None for a folder that goes."""

    cases: Sequence[str]
    litestream: str
    litetui: Sequence[str]
    rounds: int
    scale: float
    data: Path | None

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Within it, the folder for the data."""
        if self.data is not None:
            yield self.data
            return
        with tempfile.TemporaryDirectory(prefix="litetui-bench-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)


def options(doc: str | None, cases: Collection[str], version: str) -> Options:
    """The command line of a benchmark that stands beside the real Litestream of a version, as "0.5"."""
    variable = f"LITETUI_LITESTREAM_{version.replace('.', '_')}"
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*cases, []], metavar="CASE", help="which; all by default")
    parser.add_argument("--litestream", default=os.environ.get(variable))
    parser.add_argument("--litetui", default="", help="another litetui than `python -m litetui`")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--data", type=Path, help="keep the data here and use what is there; else a temporary folder")
    asked = parser.parse_args()
    litestream = require(asked.litestream, f"real Litestream {version} (--litestream PATH or {variable})")
    litetui = [asked.litetui] if asked.litetui else [sys.executable, "-m", "litetui"]
    return Options(asked.cases or list(cases), litestream, litetui, asked.rounds, asked.scale, asked.data)


def replicas(
    asked: Options, cases: Mapping[str, Case], make: Callable[[Case, Path, str, float], object]
) -> Iterator[tuple[str, Path]]:
    """The name and the folder of each case that is asked for, its replica in it: made where it is not there yet."""
    with asked.folder() as base:
        for name in asked.cases:
            folder = base / name
            if not (folder / "replica").is_dir():
                folder.mkdir(parents=True)
                make(cases[name], folder, asked.litestream, asked.scale)
            yield name, folder


def require(program: str | None, what: str) -> str:
    """The program's path, or the end of the script."""
    if not program or not Path(program).is_file():
        sys.exit(f"{what} is needed")
    return program
