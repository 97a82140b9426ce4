"""Make the pictures of the README: the app itself, on samples that real Litestream 0.3.13 and 0.5.17 wrote.

    python screenshots/make.py            all pictures
    python screenshots/make.py browser    one of them

The clock stands still a little after the sample's newest file, so that the pictures only change when the app does.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import patch

os.environ["TEXTUAL_ANIMATIONS"] = "none"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from textual.widgets import Input  # noqa: E402

from litetui.jobs.job import Job  # noqa: E402
from litetui.jobs.progress import CancelToken, Progress, Reporter  # noqa: E402
from litetui.ops import drill  # noqa: E402
from litetui.ops.retention import planning  # noqa: E402
from litetui.replica import detect  # noqa: E402
from litetui.replica.types import Pos  # noqa: E402
from litetui.tui import preview  # noqa: E402
from litetui.tui.app import LitetuiApp  # noqa: E402
from litetui.tui.screens import restore  # noqa: E402
from litetui.tui.screens.write import WriteDialog  # noqa: E402
from litetui.tui.settings import Settings  # noqa: E402
from litetui.tui.work import write_plan  # noqa: E402
from tests.tui.fakes import DATABASE, StandingReplication, attached, new_generation_plan  # noqa: E402

SHOWN_PATH = "/var/lib/litestream/app.db"
SECOND = 1_000_000_000


@dataclass(frozen=True)
class Picture:
    """Keys to press before a picture, and the terminal it is taken in."""

    name: str
    keys: tuple[str, ...] = ()
    size: tuple[int, int] = (120, 34)
    theme: str = "textual-dark"
    damage: bool = False
    flipped: bool = False
    job: bool = False
    attached: bool = False
    v05: bool = False


TO_WAL = ("j", "j", "l", "j", "j")
PICTURES = (
    Picture("browser", ("k",), size=(140, 34)),
    Picture("generation"),
    Picture("transactions", TO_WAL),
    Picture("frames", (*TO_WAL, "2", "right_square_bracket", "j", "j")),
    Picture("restore", ("r", "enter")),
    Picture("job", size=(140, 34), job=True),
    Picture("replicate", ("3",), size=(140, 34), attached=True),
    Picture("sync", size=(120, 34), attached=True),
    Picture("damage", damage=True),
    Picture(
        "attention",
        ("v", "enter", "escape", "1", "home", "2", "right_square_bracket"),
        size=(140, 34),
        damage=True,
        flipped=True,
    ),
    Picture("validation", ("v", "right", "enter"), flipped=True),
    Picture("retention", ("t", "ctrl+u", *"44s", "enter")),
    Picture("ltx", ("j", "j", "j", "2", "j"), v05=True),
    Picture("ltx-damage", ("v", "enter", "enter"), size=(140, 34), flipped=True, v05=True),
    Picture("narrow", ("2",), size=(80, 24)),
    Picture("light", TO_WAL, theme="textual-light"),
)


@contextmanager
def one_path() -> Iterator[None]:
    """Pictures show paths as people have them, not those of a temporary folder."""
    real_open, real_open_any = detect.open_replica, detect.open_any

    def opened(path: str | os.PathLike[str]) -> Any:
        replica = real_open(path)
        replica.path = SHOWN_PATH
        return replica

    def opened_any(path: str | os.PathLike[str], **how: Any) -> Any:
        replica = real_open_any(path, **how)
        replica.path = SHOWN_PATH
        return replica

    with (
        patch.object(detect, "open_replica", opened),
        patch.object(detect, "open_any", opened_any),
        patch.object(restore, "propose_output", lambda _: "/var/tmp/app-restored.db"),
        patch.object(preview, "_free", lambda _: 38_000_000_000),
        patch.object(drill, "free_bytes", lambda _: 38_000_000_000),
        patch.object(planning, "free_bytes", lambda _: 38_000_000_000),
    ):
        yield


def newest_ns(replica: Path) -> int:
    return max(path.stat().st_mtime_ns for path in replica.rglob("*") if path.is_file())


def newest_position(replica: Path) -> Pos:
    opened = detect.open_replica(replica)
    return opened.calc_pos(opened.generations()[0])


def flip(replica: Path) -> None:
    """Turn a bit in a WAL in the middle of the newest generation, or in the last file of level 1; its time stays."""
    if (replica / "ltx").is_dir():
        path = max((replica / "ltx/1").iterdir())
    else:
        generation = replica / "generations" / newest_position(replica).generation
        files = sorted((generation / "wal").iterdir())
        path = files[len(files) // 2]
    info, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def half_way(release: Event) -> Callable[[Reporter, CancelToken], None]:
    """A restore that stands still at two thirds, until the picture is taken."""

    def work(report: Reporter, cancel: CancelToken) -> None:
        report.log("snapshot 00000000: 409.1 MB, every checksum right")
        report.progress = Progress("apply the WAL", 694_000_000, 1_021_000_000, "bytes", 0.0, 1.4)
        release.wait(30)

    return work


async def take(picture: Picture, replica: Path, now_ns: int) -> None:
    database = DATABASE if picture.attached else None
    app = LitetuiApp(str(replica), Settings(now_ns=lambda: now_ns, watch_s=0, debounce_s=0), database)
    release = Event()
    standing: StandingReplication | None = None
    async with app.run_test(size=picture.size, notifications=True) as pilot:
        app.theme = picture.theme
        await idle(app, pilot)
        assert app.replica is not None, app.browser.trouble
        if picture.name == "replicate":
            standing = StandingReplication(SHOWN_PATH, newest_position(replica), now_ns)
            app.submit(standing)
            await pilot.pause(0.3)
        if picture.name == "sync":
            app.push_screen(WriteDialog(write_plan.sync_plan(new_generation_plan(SHOWN_PATH))))
        for key in picture.keys:
            await pilot.press(key)
            await idle(app, pilot)
        if picture.job:
            app.submit(Job("restore", half_way(release), title="0000002c:824312 into app-restored.db",
                           target=SHOWN_PATH, now_ns=lambda: now_ns))  # fmt: skip
            await pilot.pause(0.3)
        for field in app.screen.query(Input):
            field.cursor_blink = False
        await pilot.pause()
        app.save_screenshot(f"{picture.name}.svg", path=str(HERE))
        release.set()
        if standing is not None:
            standing.release.set()
        await idle(app, pilot)


async def idle(app: LitetuiApp, pilot: Any) -> None:
    for _ in range(3):
        await pilot.pause()
        async with asyncio.timeout(30):
            while app.bridge.busy:
                await asyncio.sleep(0.01)
    await pilot.pause(0.1)  # one layout may lead to the next


def main() -> None:
    wanted = set(sys.argv[1:])
    with one_path(), tempfile.TemporaryDirectory() as folder:
        for number, picture in enumerate(PICTURES):
            if wanted and picture.name not in wanted:
                continue
            place = Path(folder) / str(number)
            place.mkdir()
            # GNU tar keeps the ns of file times, which decide what a restore takes.
            sample = HERE / ("sample-v05.tar.gz" if picture.v05 else "sample.tar.gz")
            subprocess.run(["tar", "xpf", str(sample), "-C", str(place)], check=True)
            replica = place / ("v05-levels-snapshots/replica" if picture.v05 else "app.db-replica")
            now_ns = newest_ns(replica) + 41 * SECOND
            if picture.damage:
                for wal in replica.glob("generations/*/wal/00000006_*"):
                    wal.unlink()
            if picture.flipped:
                flip(replica)
            with attached(
                "" if picture.v05 else newest_position(replica).generation, alone=picture.name == "replicate"
            ):
                asyncio.run(take(picture, replica, now_ns))


if __name__ == "__main__":
    main()
