"""The real program in a pseudo terminal: what it leaves on the screen, and what it does when that goes away."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Golden = Callable[[str], Path]
ROOT = Path(__file__).parent.parent.parent


@contextmanager
def terminal(*args: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """litetui in a terminal of its own: the process, and the terminal's other end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 30, 100, 0, 0))

    def own_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, "-m", "litetui", *args],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
        start_new_session=True,
        preexec_fn=own_terminal,
    )
    os.close(slave)
    try:
        yield process, master
    finally:
        process.kill()
        process.wait()


def read_until(master: int, words: bytes) -> bytes:
    seen = b""
    while words not in seen:
        seen += os.read(master, 65536)
    return seen


def test_q_leaves(golden: Golden) -> None:
    with terminal(str(golden("v03-multi-gen"))) as (process, master):
        read_until(master, b"not checked")
        os.write(master, b"q")
        read_until(master, b"\x1b[?1049l")  # back on the normal screen
        assert process.wait(20) == 0
        os.close(master)


def test_a_terminal_that_goes_away_leaves_no_process(golden: Golden) -> None:
    with terminal(str(golden("v03-multi-gen"))) as (process, master):
        read_until(master, b"not checked")
        os.close(master)
        assert process.wait(20) in (1, 130)
