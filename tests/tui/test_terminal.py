"""The real program in a pseudo terminal: what it leaves on the screen, and what it does when that goes away."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

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


def read_until(master: int, words: bytes, seconds: float = 40) -> bytes:
    """What the terminal shows until these words come; they must come in time."""
    seen = b""
    deadline = time.monotonic() + seconds
    while words not in seen:
        left = deadline - time.monotonic()
        assert left > 0, seen[-3000:]
        if select.select([master], [], [], left)[0]:
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


def demo_processes(folder: Path) -> list[int]:
    """Processes of the demo whose files lie below a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue  # it has ended
            if b"demo_writer.py" in words and os.fsencode(folder) in words:
                found.append(int(entry.name))
    return found


def gone(folder: Path) -> bool:
    """Whether the demo's processes end, in ten seconds at most."""
    deadline = time.monotonic() + 10
    while demo_processes(folder) and time.monotonic() < deadline:
        Event().wait(0.05)
    return not demo_processes(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_live_demo_goes_with_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with terminal("--demo") as (process, master):
        read_until(master, b"synced")  # the line of the jobs, which is there at every size
        assert len(demo_processes(tmp_path)) == 1
        process.send_signal(number)
        assert process.wait(30) == (130 if number is signal.SIGTERM else -number)
        os.close(master)
    assert gone(tmp_path)
    left = list(tmp_path.glob("litetui-demo-*"))
    assert left == [] or number is signal.SIGKILL
