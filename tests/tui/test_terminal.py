"""The real program in a pseudo terminal: what it leaves on the screen, and what it does when that goes away."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import pyte
import pytest

Golden = Callable[[str], Path]
ROOT = Path(__file__).parent.parent.parent


COLUMNS, LINES = 100, 30


class Terminal:
    """litetui in a terminal of its own: the process, the terminal's other end, and what is to be seen on it."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.master = master
        self.raw = b""
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def until(self, words: str, seconds: float = 40) -> str:
        """Read until the screen holds what these words, a regular expression, describe; they must come in time."""
        deadline = time.monotonic() + seconds
        while not re.search(words, self.text):
            self._read(deadline)
        return self.text

    def until_raw(self, wanted: bytes, seconds: float = 40) -> None:
        """Read until the program wrote these bytes, which may be none that are seen."""
        deadline = time.monotonic() + seconds
        while wanted not in self.raw:
            self._read(deadline)

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def left_with(self) -> int:
        """The exit code of a program that ends by itself, after it went back to the normal screen."""
        self.until_raw(b"\x1b[?1049l")
        with suppress(AssertionError):  # what is said last
            while True:
                self._read(time.monotonic() + 20)
        return self.process.wait(20)

    def _read(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        assert left > 0, self.text
        if select.select([self.master], [], [], left)[0]:
            try:
                read = os.read(self.master, 65536)
            except OSError:  # nobody holds the terminal any more
                raise AssertionError(self.text) from None
            self.raw += read
            self._stream.feed(read)


@contextmanager
def terminal(
    *args: str, environ: dict[str, str] | None = None, cwd: Path | None = None, module: bool = True
) -> Iterator[Terminal]:
    """litetui, or any Python, in a terminal of its own."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", LINES, COLUMNS, 0, 0))

    def own_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, *(["-m", "litetui"] if module else []), *args],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **(environ or {})},
        start_new_session=True,
        preexec_fn=own_terminal,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()


def test_a_sound_replica_is_restored_and_validated(golden: Golden, tmp_path: Path) -> None:
    with terminal(str(golden("v03-multi-gen")), cwd=tmp_path) as one:
        one.until("names complete to .*content not checked")
        one.press("r")
        one.until("The plan  by names")
        one.press("\r")
        one.until("settled: enter restores")
        one.press("\r")
        one.until("restored and checked to")
        output = tmp_path / "replica-restored.db"
        with sqlite3.connect(output) as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        one.press("v")
        one.until("Validate replica")
        one.press("\r")
        one.until("✔ ok: the latest state restores")
        one.press("\x1b")
        one.until("1 Generations")
        one.press("q")
        assert one.left_with() == 0
        said = one.raw.partition(b"\x1b[?1049l")[2].decode()
        assert "restore" in said
        assert str(output) in said
        assert "validate" in said
        os.close(one.master)


def test_a_damaged_replica_is_validated_and_restored_to_its_last_good_point(golden: Golden, tmp_path: Path) -> None:
    with terminal(str(golden("v03-dmg-flip-byte-segment")), cwd=tmp_path) as one:
        one.until("content not checked")
        one.press("v")
        one.until("Validate replica")
        one.press("\r")
        one.until("✗ damaged: the latest state")
        one.until("restores to 00000002:49472")
        one.press("r")
        one.until("Restore 37a3dbace36f1ae1")
        one.until("The plan  ")
        one.press("\r")
        one.until("settled: enter restores")
        one.press("\r")
        one.until("restore 2 done")
        with sqlite3.connect(tmp_path / "replica-restored.db") as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        one.press("\x11")  # ctrl+q, from a report
        assert one.left_with() == 0
        os.close(one.master)


def test_a_running_job_is_ended(tmp_path: Path) -> None:
    """The demo's replication, which would go on for ever."""
    with terminal("--demo", environ={"TMPDIR": str(tmp_path)}) as one:
        one.until("synced")
        one.press("3")
        one.until("x cancel job")
        one.press("x")
        one.until(r"✔ *replicate")
        one.press("1q")  # in a pane of its own, q would go back to the tree
        assert one.left_with() == 0
        os.close(one.master)
    assert gone(tmp_path)


def sgr(raw: bytes) -> set[int]:
    """The numbers of all that set colours or other looks; of colours by number or by parts only the first two."""
    found = set()
    for numbers in re.findall(rb"\x1b\[([0-9;]*)m", raw):
        words = [int(word) for word in numbers.split(b";") if word]
        while words:
            number = words.pop(0)
            found.add(number)
            if number in (38, 48):
                words = words[4:] if words[0] == 2 else words[2:]
    return found


def test_no_color_writes_no_colour(golden: Golden) -> None:
    with terminal(str(golden("v03-dmg-gap-middle-index")), environ={"NO_COLOR": "1"}) as one:
        one.until("latest does not restore; names complete to 22 Nov 20:55:30Z")
        text = one.until("✗ 37a3dba")
        lines = text.splitlines()
        row = next(number for number, line in enumerate(lines) if "✗ 37a3dba" in line)
        pane = next(number for number, line in enumerate(lines) if "1 Generations" in line)
        assert one.screen.buffer[row][4].reverse  # the cursor
        assert one.screen.buffer[pane][1].reverse  # the pane with the focus
        assert not one.screen.buffer[row + 1][6].reverse
        assert sgr(one.raw) <= {0, 1, 2, 3, 4, 7, 39, 49}
        one.press("q")
        assert one.left_with() == 0
        os.close(one.master)


@pytest.mark.parametrize("term", ["xterm", "screen"])
def test_sixteen_colours_are_those_of_the_terminal(golden: Golden, term: str) -> None:
    with terminal(str(golden("v03-dmg-gap-middle-index")), environ={"TERM": term, "COLORTERM": ""}) as one:
        text = one.until("latest does not restore; names complete to 22 Nov 20:55:30Z")
        column = text.splitlines()[0].index("latest does not")
        assert one.screen.buffer[0][column].fg == "red"
        assert one.screen.buffer[0][column].bg == "default"
        assert not {38, 48} & sgr(one.raw)
        one.press("q")
        assert one.left_with() == 0
        os.close(one.master)


def test_q_leaves(golden: Golden) -> None:
    with terminal(str(golden("v03-multi-gen"))) as one:
        one.until("not checked")
        one.press("q")
        assert one.left_with() == 0
        os.close(one.master)


def test_a_terminal_that_goes_away_leaves_no_process(golden: Golden) -> None:
    with terminal(str(golden("v03-multi-gen"))) as one:
        one.until("not checked")
        os.close(one.master)
        assert one.process.wait(20) in (1, 130)


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


def test_a_terminal_that_closes_behind_q_leaves_no_process(golden: Golden) -> None:
    """It sends SIGCONT behind SIGHUP, for which Textual begins to read anew."""
    with terminal(str(golden("v03-snapshot-only"))) as one:
        one.until("names complete to")
        one.press("q")
        one.until_raw(b"\x1b[?1049l")
        one.process.send_signal(signal.SIGCONT)
        os.close(one.master)
        one.process.wait(20)


def test_where_the_screen_would_go_into_a_file_it_says_so(golden: Golden) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "litetui", str(golden("v03-snapshot-only"))]
    done = subprocess.run(command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, timeout=30, cwd=ROOT)
    os.close(master)
    os.close(slave)
    assert done.returncode == 2
    assert b"this is no terminal" in done.stderr


BLOCKED = """
from threading import Event
from litetui.tui import app, run, signals
signals.SECONDS = 0.1
def block(self):
    self.call_after_refresh(Event().wait, 60)
app.LitetuiApp._first_frame = block
run.run_app({path!r})
"""


def test_a_screen_that_answers_no_more_is_given_back_at_a_signal(golden: Golden) -> None:
    with terminal("-c", BLOCKED.format(path=str(golden("v03-snapshot-only"))), module=False) as one:
        before = termios.tcgetattr(one.master)[3] & (termios.ICANON | termios.ECHO)
        one.until("Generations")
        one.process.send_signal(signal.SIGTERM)
        one.until_raw(b"\x1b[?1049l")
        assert one.process.wait(20) == 130
        assert termios.tcgetattr(one.master)[3] & (termios.ICANON | termios.ECHO) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_live_demo_goes_with_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with terminal("--demo") as one:
        one.until("synced")  # the line of the jobs, which is there at every size
        assert len(demo_processes(tmp_path)) == 1
        one.process.send_signal(number)
        assert one.process.wait(30) == (130 if number is signal.SIGTERM else -number)
        os.close(one.master)
    assert gone(tmp_path)
    left = list(tmp_path.glob("litetui-demo-*"))
    assert left == [] or number is signal.SIGKILL
