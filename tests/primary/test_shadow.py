"""The shadow WAL: committed frames only, each verified in the bytes that are written, whatever the WAL looks like."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from litetui import files
from litetui.errors import Cancelled
from litetui.files import Owner
from litetui.format import names, wal
from litetui.jobs.progress import CancelToken
from litetui.primary import shadow as module
from litetui.primary.meta import Meta
from litetui.primary.shadow import RealWAL, Reason, Shadow, ShadowReader, ShadowWriter, avoid, verify
from tests.build import GENERATION, History, add_frame

OWNER = Owner(0o640, os.getuid(), os.getgid())


class Bench:
    """A real WAL that is a plain file, and the shadow WALs of a meta folder."""

    def __init__(self, folder: Path) -> None:
        self.real = folder / "app.db-wal"
        self.meta = Meta(str(folder / "app.db"))
        self.writer = ShadowWriter(self.meta, OWNER)

    def begin(self, data: bytes, index: int = 0) -> Shadow:
        self.real.write_bytes(data)
        return self.extend(self.writer.begin(GENERATION, index, data[:32]))

    def extend(self, shadow: Shadow, data: bytes | None = None, cancel: CancelToken | None = None) -> Shadow:
        if data is not None:
            self.real.write_bytes(data)
        with RealWAL(str(self.real)) as real:
            return self.writer.extend(shadow, real, cancel=cancel)

    def data(self, index: int = 0) -> bytes:
        return Path(self.meta.wal_path(GENERATION, index)).read_bytes()

    def verdict(self, shadow: Shadow, data: bytes, *, complete: bool = False) -> tuple[Reason, bool]:
        self.real.write_bytes(data)
        with RealWAL(str(self.real)) as real:
            found = verify(self.meta, shadow, real, complete=complete)
        return found.reason, found.restarted


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def history(**options: int) -> History:
    """Transactions of one frame and of several, in one WAL."""
    made = History(**options)  # type: ignore[arg-type]
    for pages in ((2,), (1, 3, 2), (4,), (2, 3)):
        made.commit(*pages)
    return made


def uncommitted(data: bytes, *pages: int) -> bytes:
    """The WAL with frames behind it that end no transaction."""
    out, size = bytearray(data), int.from_bytes(data[8:12], "big")
    for page in pages:
        add_frame(out, page, 0, random.Random(page).randbytes(size))
    return bytes(out)


def last_commit(ends: list[int], size: int) -> int:
    return max((end for end in ends if end <= size), default=32)


# ---- what is copied


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
@pytest.mark.parametrize("little", [True, False])
def test_it_is_a_prefix_of_the_real_wal_that_ends_behind_a_commit(bench: Bench, page_size: int, little: bool) -> None:
    made = history(page_size=page_size, little=little)
    data = uncommitted(bytes(made.wals[0]), 2, 3)
    shadow = bench.begin(data)
    assert shadow.offset == made.ends(0)[-1]
    assert bench.data() == data[: shadow.offset]
    assert shadow.state == struct.unpack(">2I", data[shadow.last_frame + 16 : shadow.last_frame + 24])


def test_wherever_the_real_wal_ends_only_whole_transactions_are_taken(bench: Bench) -> None:
    made = history()
    data, ends = bytes(made.wals[0]), made.ends(0)
    frame = made.frame_size
    for size in {*range(32, 40), *(e + d for e in range(32, len(data), frame) for d in (-1, 0, 1, 24, 25)), len(data)}:
        if size < 32:
            continue
        shadow = bench.begin(data[:size])
        assert shadow.offset == last_commit(ends, size), size
        assert bench.data() == data[: shadow.offset]
        shadow = bench.extend(shadow, data)  # and it goes on from there
        assert bench.data() == data


@pytest.mark.parametrize("at", [0, 3, 8, 15, 16, 23, 24, 300, 535])
def test_a_wrong_byte_anywhere_in_a_frame_ends_the_wal_there(bench: Bench, at: int) -> None:
    made = history()
    data, ends = bytes(made.wals[0]), made.ends(0)
    for frame in range((len(data) - 32) // made.frame_size):
        start = 32 + frame * made.frame_size
        bad = bytearray(data)
        bad[start + at] ^= 0x40
        shadow = bench.begin(bytes(bad))
        assert shadow.offset == last_commit(ends, start), frame
        assert bench.data() == data[: shadow.offset]


def test_frames_that_a_restart_left_behind_are_none_of_this_wal(bench: Bench) -> None:
    made = history()
    made.restart()
    made.commit(3)
    old, new = bytes(made.wals[0]), bytes(made.wals[1])
    shadow = bench.begin(new + old[len(new) :])
    assert shadow.offset == len(new)
    assert bench.data() == new


def test_a_transaction_is_taken_only_with_its_commit_however_large_it_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BLOCK_BYTES", 40 * 536)
    made = history(pages=4)
    first = bytes(made.wals[0])
    made.commit(*range(1, 5), size=700)
    data = bytes(made.wals[0])
    shadow = bench.begin(first)
    for size in (len(first) + 536, len(first) + 300 * 536, len(data) - 536, len(data) - 1):
        assert bench.extend(shadow, data[:size]) == shadow
        assert bench.data() == first, "what is not committed is cut off again"
    shadow = bench.extend(shadow, data)
    assert bench.data() == data


def test_a_rolled_back_transaction_that_was_spilled_is_overwritten_by_the_next(bench: Bench) -> None:
    made = history()
    first = bytes(made.wals[0])
    shadow = bench.begin(uncommitted(first, 2, 3, 4))
    assert bench.data() == first
    made.commit(4)
    bench.extend(shadow, bytes(made.wals[0]))
    assert bench.data() == bytes(made.wals[0])


def test_a_cancel_and_an_error_leave_what_was_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_BYTES", 40 * 536)
    made = history()
    first = bytes(made.wals[0])
    made.commit(*range(1, 5), size=500)
    data = bytes(made.wals[0])
    shadow = bench.begin(first)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        bench.extend(shadow, data, cancel=token)
    assert bench.data() == first
    wrote: list[int] = []
    real = files.write_all

    def full(fd: int, block: bytes | memoryview) -> None:
        if len(wrote) == 3:
            os.write(fd, memoryview(block)[:100])
            raise OSError(28, "No space left on device")
        wrote.append(len(block))
        real(fd, block)

    monkeypatch.setattr(module, "write_all", full)
    with pytest.raises(OSError, match="No space"):
        bench.extend(shadow, data)
    assert bench.data() == first
    monkeypatch.undo()
    monkeypatch.setattr(module, "_BLOCK_BYTES", 40 * 536)
    bench.extend(shadow, data)
    assert bench.data() == data


def test_files_and_folders_have_the_databases_mode(bench: Bench) -> None:
    bench.begin(bytes(history().wals[0]))
    path = Path(bench.meta.wal_path(GENERATION, 0))
    assert path.stat().st_mode & 0o777 == 0o640
    assert {p.stat().st_mode & 0o777 for p in list(path.parents)[:3]} == {0o750}


# ---- found again


def test_a_shadow_is_proved_from_its_first_byte_and_cut_behind_its_last_commit(bench: Bench) -> None:
    made = history()
    data, ends = bytes(made.wals[0]), made.ends(0)
    bench.begin(data)
    path = Path(bench.meta.wal_path(GENERATION, 0))
    whole = bench.writer.recover(GENERATION)
    assert isinstance(whole, Shadow)
    assert whole.offset == len(data)
    rng = random.Random(3)
    for _ in range(60):
        bad = bytearray(uncommitted(data, 2)[: rng.randint(32, len(data) + 536)])
        hit = len(bad)
        if len(bad) > 32 and rng.random() < 0.5:
            hit = rng.randrange(32, len(bad))
            bad[hit] ^= 1 << rng.randrange(8)
        sound = 32 + (hit - 32) // made.frame_size * made.frame_size
        path.write_bytes(bad)
        looked = ShadowReader(bench.meta).recover(GENERATION)
        assert path.read_bytes() == bad, "only the writer cuts"
        found = bench.writer.recover(GENERATION)
        assert found == looked
        assert isinstance(found, Shadow)
        assert found.offset == last_commit(ends, sound)
        assert path.read_bytes() == data[: found.offset]
        bench.extend(found, data)
        assert bench.data() == data


def test_what_is_no_shadow(bench: Bench) -> None:
    assert bench.writer.recover(GENERATION) == "no shadow wal"
    bench.begin(bytes(history().wals[0]))
    path = Path(bench.meta.wal_path(GENERATION, 0))
    for bad in (b"", b"x" * 31, b"x" * 4000):
        path.write_bytes(bad)
        assert bench.writer.recover(GENERATION) == "short shadow wal"


# ---- does it go on: the table of FORMAT-v0.3, section 5


def restarted(made: History, *pages: int) -> bytes:
    """The real WAL after a restart and one more transaction: its frames, and the old ones behind them."""
    before = bytes(made.wals[-1])
    made.restart()
    made.commit(*pages)
    new = bytes(made.wals[-1])
    return new + before[len(new) :]


def test_appended_or_unchanged(bench: Bench) -> None:
    made = history()
    shadow = bench.begin(bytes(made.wals[0]))
    assert bench.verdict(shadow, bytes(made.wals[0])) == ("", False)
    made.commit(1, 2)
    assert bench.verdict(shadow, bytes(made.wals[0])) == ("", False)
    assert bench.verdict(shadow, bytes(made.wals[0])[: shadow.offset + 77]) == ("", False)


@pytest.mark.parametrize("salt1", [5, 0xFFFFFFFF])
def test_restarted_once_with_its_last_frame_in_place(bench: Bench, salt1: int) -> None:
    made = history(salt1=salt1)
    shadow = bench.begin(bytes(made.wals[0]))
    assert bench.verdict(shadow, restarted(made, 2)) == ("", True)


REASONS: dict[str, tuple[Reason, Callable[[History], bytes]]] = {
    "empty": ("wal truncated by another process", lambda _: b""),
    "cut": ("wal truncated by another process", lambda h: bytes(h.wals[0])[:-1]),
    "other and shorter": ("wal truncated by another process", lambda _: bytes(History(salt1=99).wals[0])),
    "other and longer": ("wal overwritten by another process", lambda _: bytes(_longer(History(salt1=99)).wals[0])),
    "restarted, overwritten": ("wal overwritten by another process", lambda h: restarted(h, 1, 2, 3, 4, 1, 2, 3, 4)),
    "restarted twice": ("wal restarted more than once by another process", lambda h: _twice(h)),
    "restarted, then cut by a journal_size_limit": (
        "wal truncated by another process",
        lambda h: restarted(h, 2) + b"\0" * 100,
    ),
    "no header": ("wal restarted more than once by another process", lambda h: b"\0" * 32 + bytes(h.wals[0])[32:]),
}


def _longer(made: History) -> History:
    made.commit(*[1, 2, 3, 4] * 4)
    return made


def _twice(made: History) -> bytes:
    first = restarted(made, 2)
    second = restarted(made, 3)
    return second[: len(made.wals[-1])] + first[len(made.wals[-1]) :]


@pytest.mark.parametrize("name", REASONS)
def test_a_reason_for_a_new_generation(bench: Bench, name: str) -> None:
    made = history()
    shadow = bench.begin(bytes(made.wals[0]))
    reason, change = REASONS[name]
    assert bench.verdict(shadow, change(made)) == (reason, False)


def test_header_only(bench: Bench) -> None:
    made = History()
    shadow = bench.begin(bytes(made.wals[0]))
    assert shadow.offset == 32
    made.commit(1)
    assert bench.verdict(shadow, bytes(made.wals[0])) == ("", False)
    assert bench.verdict(shadow, bytes(_longer(History(salt1=99)).wals[0])) == ("wal header only, mismatched", False)
    assert bench.verdict(shadow, restarted(made, 2)) == ("wal header only, mismatched", False)


def test_the_highest_index(bench: Bench) -> None:
    data = bytes(history().wals[0])
    assert bench.verdict(bench.begin(data, names.MAX_INDEX), data) == ("max index exceeded", False)
    assert bench.verdict(bench.begin(data, names.MAX_INDEX - 1), data) == ("", False)


def test_while_the_lock_is_held_one_restart_loses_nothing_whatever_it_overwrites(bench: Bench) -> None:
    made = history()
    shadow = bench.begin(bytes(made.wals[0]))
    assert bench.verdict(shadow, restarted(made, *[1, 2, 3, 4] * 4), complete=True) == ("", True)
    made = history()
    assert bench.verdict(shadow, bytes(made.wals[0])[:32] + b"\0" * 9000, complete=True)[0]
    assert bench.verdict(shadow, _twice(made), complete=True)[0]


def test_reasons_that_an_operator_can_prevent_say_how(bench: Bench) -> None:
    for reason in ("truncated", "overwritten", "restarted more than once"):
        assert "litetui replicate" in avoid(f"wal {reason} by another process")
    assert avoid("no generation exists") == ""


def test_the_databases_size_is_that_of_the_last_commit(bench: Bench) -> None:
    made = history(pages=4)
    made.commit(1, size=9)
    bench.real.write_bytes(uncommitted(bytes(made.wals[0]), 2))
    header = wal.WALHeader.parse(made.wals[0])
    begun = Shadow("", 0, bytes(made.wals[0][:32]), header, 32, header.checksum)
    with RealWAL(str(bench.real)) as real:
        assert ShadowReader(bench.meta).database_pages(real, begun) == 9
    bench.real.write_bytes(bytes(made.wals[0][:32]))
    with RealWAL(str(bench.real)) as real:
        assert ShadowReader(bench.meta).database_pages(real, begun) == 0
