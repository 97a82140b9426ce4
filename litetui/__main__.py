"""python -m litetui, and the `litetui` command."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from litetui.terminal import has_terminal


def main() -> int:
    """Run the command line; the return value is the exit code."""
    words = sys.argv[1:]
    if only_a_path(words) and has_terminal():
        return _open(words[0])
    from litetui.cli import run

    return run(words)


def only_a_path(words: Sequence[str]) -> bool:
    """Whether the command line can be nothing but `litetui REPLICA`: then nobody waits for its parser."""
    return len(words) == 1 and os.sep in words[0] and not words[0].startswith("-")


def _open(path: str) -> int:
    gc.disable()  # until the first frame: what is made until then is all kept
    try:
        from litetui.tui.run import run_app

        return run_app(path)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (told, with its exit code)
        from litetui.cli.main import told

        return told(error)


if __name__ == "__main__":
    sys.exit(main())
