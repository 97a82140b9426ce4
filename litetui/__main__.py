"""python -m litetui, and the `litetui` command."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; the return value is the exit code."""
    from litetui.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
