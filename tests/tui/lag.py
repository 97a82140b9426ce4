"""How long the app's loop is kept from its work: a big replica to try it on, and a heartbeat that notes it.

On a busy machine a loop is late without any fault of its own. So each beat notes how late it came, and of that time:
how long the machine let the loop's thread wait for a core, and how long the process and the loop's own thread computed.
A callback that takes long has the last two, a thread that holds the interpreter that of the process alone; a loop that
the machine let wait has neither.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litetui.jobs.job import Job
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import restore, validate
from litetui.ops.target import Target
from litetui.tui.app import LitetuiApp
from litetui.tui.work.validation import ValidateJob
from tests.build import GENERATION, compress, slow_checksum, wal_header

BEAT = 0.01
PAGE = 512
SECOND = 1_000_000_000


def make_replica(root: Path, segments: int, now_ns: int, indexes: int = 50) -> Replica:
    """A sound replica of so many segments of one frame, one a second up to now."""
    pages = _database(root.with_name("lag.db"))
    base = root / "generations" / GENERATION
    (base / "snapshots").mkdir(parents=True)
    (base / "wal").mkdir()
    first_ns = now_ns - segments * SECOND
    snapshot = base / "snapshots/00000000.snapshot.lz4"
    snapshot.write_bytes(compress(b"".join(pages)))
    os.utime(snapshot, ns=(first_ns, first_ns))
    replica = Replica(base / "wal", indexes, pages)
    fd = os.open(base / "wal", os.O_RDONLY)
    for index in range(indexes):
        offset = 0
        for number, piece in enumerate(replica.pieces(index, segments // indexes), index * segments // indexes):
            write(fd, f"{index:08x}_{offset:08x}.wal.lz4", compress(piece), first_ns + number * SECOND)
            offset += len(piece)
    os.close(fd)
    return replica


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder for 100,000 small files: in memory where there is room, for a disk takes half a minute over them."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2_000_000_000
    with tempfile.TemporaryDirectory(prefix="litetui-lag-", dir=memory if roomy else None) as folder:
        yield Path(folder)


@dataclass(frozen=True, slots=True)
class Replica:
    """folder: where its WALs lie; indexes: how many; pages: of the database that it restores to."""

    folder: Path
    indexes: int
    pages: list[bytes]

    def pieces(self, index: int, count: int) -> Iterator[bytes]:
        """The WAL of an index: frames that all write the same page, the first one behind the header. As their content
        is the same, each checksum is the same linear function of the one before."""
        header = wal_header(PAGE, 1 + index, 2)
        head = struct.pack(">2I", 2, len(self.pages))
        c0, c1 = slow_checksum(head + self.pages[1])
        (a0, a1), (b0, b1) = (slow_checksum(head + self.pages[1], start) for start in ((1, 0), (0, 1)))
        s0, s1 = struct.unpack(">2I", header[24:])
        for number in range(count):
            s0, s1 = (
                ((a0 - c0) * s0 + (b0 - c0) * s1 + c0) & 0xFFFFFFFF,
                ((a1 - c1) * s0 + (b1 - c1) * s1 + c1) & 0xFFFFFFFF,
            )
            frame = head + header[16:24] + struct.pack(">2I", s0, s1) + self.pages[1]
            yield frame if number else header + frame


def _database(path: Path) -> list[bytes]:
    """The pages of a small SQLite database in WAL mode."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA page_size = {PAGE}")
    db.execute("PRAGMA journal_mode = wal")
    db.execute("CREATE TABLE t (x)")
    db.execute("INSERT INTO t VALUES ('lag')")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    data = path.read_bytes()
    path.unlink()
    return [data[at : at + PAGE] for at in range(0, len(data), PAGE)]


def write(folder: int, name: str, data: bytes, mtime_ns: int) -> None:
    """A file in a folder that is open."""
    file = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=folder)
    os.write(file, data)
    os.utime(file, ns=(mtime_ns, mtime_ns))
    os.close(file)


@contextmanager
def writer(replica: Replica, every: float) -> Iterator[list[str]]:
    """Within it, a WAL comes every so many seconds, as Litestream writes it; the names of those that came."""
    stop, names = threading.Event(), list[str]()
    fd = os.open(replica.folder, os.O_RDONLY)

    def work() -> None:
        while not stop.wait(every):
            index = replica.indexes + len(names)
            name = f"{index:08x}_00000000.wal.lz4"
            write(fd, name + ".tmp", compress(next(replica.pieces(index, 1))), time.time_ns())
            os.rename(name + ".tmp", name, src_dir_fd=fd, dst_dir_fd=fd)
            names.append(name)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield names
    finally:
        stop.set()
        thread.join()
        os.close(fd)


class Heartbeat:
    """Beats in the running loop. Of each beat, in s: how `late` it was; how long the loop's thread `waited` for a core
    (zero where the system does not say it); how long the process was `computing`, and the loop's thread `at_work`."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.waited: list[float] = []
        self.computing: list[float] = []
        self.at_work: list[float] = []
        self._task = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        with _waiting() as waiting:
            while True:
                waited = waiting()
                began, computed, worked = time.monotonic(), time.process_time(), time.thread_time()
                await asyncio.sleep(BEAT)
                self.late.append(max(0.0, time.monotonic() - began - BEAT))
                self.computing.append(time.process_time() - computed)
                self.at_work.append(time.thread_time() - worked)
                self.waited.append(waiting() - waited)

    def blocked(self) -> list[float]:
        """Of each beat how long the process itself kept the loop from its work, ascending: by a callback, or by a
        thread that had the interpreter. The loop was late, it did not wait for a core, and the process computed."""
        beats = zip(self.late, self.waited, self.computing, strict=True)
        return sorted(max(0.0, min(late - waited, computing)) for late, waited, computing in beats)

    def busy(self) -> list[float]:
        """Of each beat how long the loop was late by its own callbacks, ascending."""
        return sorted(min(pair) for pair in zip(self.late, self.at_work, strict=True))

    def stop(self) -> None:
        self._task.cancel()


@contextmanager
def _waiting() -> Iterator[Callable[[], float]]:
    """Within it, tells how long this thread has been ready to run without a core, in s (sched-stats.rst of Linux)."""
    try:
        fd = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
    except OSError:
        yield lambda: 0.0
        return
    try:
        yield lambda: int(os.pread(fd, 100, 0).split()[1]) / SECOND
    finally:
        os.close(fd)


async def jobs(app: LitetuiApp, output: Path) -> list[Job]:
    """A validation of every byte and a restore of the latest state of the open replica, begun."""
    replica = app.file_replica
    assert replica is not None
    to_check = await asyncio.to_thread(validate.plan, replica, depth="content")
    checked = ValidateJob(to_check, attached=None, database="", compare=None, now_ns=time.time_ns)
    plan = await asyncio.to_thread(restore.plan, replica, Target())

    def work(report: Reporter, cancel: CancelToken) -> Any:
        return restore.run(plan, str(output), report=report, cancel=cancel)

    restored = Job("restore", work, title="latest", target=replica.path, output=str(output))
    for job in (checked, restored):
        app.submit(job)
    return [checked, restored]


def share(values: list[float], part: float) -> float:
    """The value that so large a part of the ascending values does not pass."""
    return values[min(len(values) - 1, int(part * len(values)))]
