"""A program in a terminal of its own: what it draws, and when."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_CONTROLS = re.compile(r"\x1b\[[0-9;?<=>]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[=>78]")
_TICKS = os.sysconf("SC_CLK_TCK")


class Terminal:
    """A program under a pty of 120 by 40 cells. `text` is what it has written, without its control sequences."""

    def __init__(self, command: Sequence[str], environ: dict[str, str] | None = None) -> None:
        self.began = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else litetui is compiled at each start, which nobody pays
            os.environ.update({"TERM": "xterm-256color", "LANG": "C.UTF-8", **(environ or {})})
            os.execvp(command[0], list(command))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.text = ""

    def until(self, *words: str, seconds: float = 60.0) -> float:
        """Seconds from the start until all these words have been drawn. Raises TimeoutError."""
        deadline = time.perf_counter() + seconds
        while not all(word in self.text for word in words):
            self.read(deadline - time.perf_counter())
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{words} was not drawn, but: {self.text[-2000:]}")
        return time.perf_counter() - self.began

    def read(self, seconds: float) -> None:
        """Take what it writes next, waiting at most so long."""
        if select.select([self.fd], [], [], max(0.0, seconds))[0]:
            try:
                self.text += _CONTROLS.sub("", os.read(self.fd, 1 << 16).decode("utf-8", "replace"))
            except OSError:
                raise RuntimeError(f"it has ended: {self.text[-2000:]}") from None

    def press(self, keys: str) -> None:
        self.text = ""
        os.write(self.fd, keys.encode())

    def cpu_share(self, seconds: float) -> float:
        """The share of one core that the process takes over the next seconds, while its output is read."""
        began, before = time.perf_counter(), self.cpu()
        while (left := began + seconds - time.perf_counter()) > 0:
            self.read(left)
        return (self.cpu() - before) / (time.perf_counter() - began)

    def cpu(self) -> float:
        """Seconds of user and system time so far, of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def cpu_so_far(self) -> float:
        """The same for the threads that are alive now, to the nanosecond."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
