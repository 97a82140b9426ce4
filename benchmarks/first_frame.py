"""The first frame: `litetui REPLICA` in a terminal, beside a bare Textual application that says hello.

    python benchmarks/first_frame.py [--segments N] [--rounds N] [--replica PATH]

From the start of the process until the browser's frame is drawn (goal: 1.3 times the hello application, whatever the
size of the replica); and, for information, until the names are counted, and until sizes and times are known.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from listing import make
from terminal import Terminal

_HELLO = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    def compose(self):
        yield Static("hello")
Hello().run()
"""
_FRAME = ("Generations", "Details", "Jobs", "Log", "help")  # the panes' titles and the footer
_NAMES = ("snapshots",)
_TIMES = ("ago",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--replica", help="one that is there already")
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="litetui-bench-"))
    try:
        if options.replica is None:
            make(base, options.segments)
        replica = options.replica or str(base)
        hello: list[tuple[float, float]] = []
        ours: list[tuple[float, float, float, float]] = []
        for _ in range(options.rounds):
            with Terminal([sys.executable, "-c", _HELLO]) as terminal:
                hello.append((terminal.until("hello"), terminal.cpu_so_far()))
            with Terminal([str(Path(sys.executable).with_name("litetui")), replica]) as terminal:
                frame, cpu = terminal.until(*_FRAME), terminal.cpu_so_far()
                ours.append((frame, cpu, terminal.until(*_NAMES), terminal.until(*_TIMES)))
        for n, what in enumerate(("wall", "cpu")):
            ratios = [one[n] / other[n] for one, other in zip(ours, hello, strict=True)]
            print(
                f"first frame, {what:4}: ratio {median(ratios):.2f} ({' '.join(f'{r:.2f}' for r in ratios)})"
                f"    hello {median(h[n] for h in hello):.3f} s, litetui {median(o[n] for o in ours):.3f} s"
            )
        names, times = (median(one[n] for one in ours) for n in (2, 3))
        print(f"names counted after {names:.2f} s, sizes and times after {times:.2f} s")
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
