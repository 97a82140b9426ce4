"""Whether there is a terminal to draw on."""

from __future__ import annotations

import sys


def has_terminal() -> bool:
    """Keys come from stdin, the screen goes to stderr, what is said last to stdout."""
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()
