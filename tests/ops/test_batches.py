"""The buffers that a restore works in: wherever their borders fall, and however pages reach the file."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from litetui.errors import Cancelled, DamageError
from litetui.jobs.progress import CancelToken
from litetui.ops import wals
from litetui.ops.frames import read_frames
from litetui.ops.target import Target
from litetui.ops.wals import prefetched, read_index
from litetui.replica.detect import open_replica
from tests.build import GENERATION, T0, History, usual_history, write_replica
from tests.ops.helpers import position, restore

FRAME = 24 + 512


@pytest.fixture(params=[1, 2, 3, 5])
def small_batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(wals, "BATCH_BYTES", request.param * FRAME)
    return int(request.param)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("layout", ["segments", "whole"])
def test_every_state_with_batches_of_a_few_frames(tmp_path: Path, layout: str) -> None:
    history = usual_history()
    root = write_replica(tmp_path / "r", history, layout=layout).root
    for (index, offset), state in history.states.items():
        assert restore(root, position(index, offset)) == state
    assert restore(root) == history.database


@pytest.mark.usefixtures("small_batches")
def test_a_growth_over_many_batches(tmp_path: Path) -> None:
    history = History()
    history.commit(1, 2)
    history.restart()
    history.commit(1, size=30)
    history.commit(1, size=2)
    history.commit(2, size=40)
    assert restore(write_replica(tmp_path / "r", history).root) == history.database
    # The first half of a growth's pages is lost, and the checksums of the rest are made to fit.
    broken = History()
    broken.commit(1, 2)
    broken.restart()
    broken._page = {p: bytes(512) for p in range(1, 16)}
    broken.commit(1, size=30)
    root = write_replica(tmp_path / "b", broken, snapshots={0: broken.states[0, 0]}).root
    with pytest.raises(DamageError) as caught:
        restore(root)
    assert caught.value.code == "missing-page"
    assert "page 5" in caught.value.cause
    assert restore(root, Target(GENERATION, last_good=True)) == broken.states[0, broken.ends(0)[-1]]


def test_a_flip_is_named_by_its_frame_whatever_the_batches(tmp_path: Path, small_batches: int) -> None:
    history = usual_history(1, 4)
    for frame in range(8):
        data = bytearray(history.wals[0])
        data[32 + frame * FRAME + 30] ^= 1
        builder = write_replica(tmp_path / str(frame), history, layout="whole")
        builder.whole(0, bytes(data), T0 + 1, plain=True)
        with pytest.raises(DamageError) as caught:
            restore(builder.root)
        assert (caught.value.frame, caught.value.offset) == (frame, 32 + frame * FRAME)
        table = read_frames(open_replica(builder.root), GENERATION, 0)
        assert table.valid_frames == frame
        assert len(table) == (len(data) - 32) // FRAME
        assert table.problem is not None
        assert table.problem.frame == frame


def test_damage_in_a_segment_is_named_by_its_file(tmp_path: Path, small_batches: int) -> None:
    history = usual_history(1, 4)
    ends = history.ends(0)
    data = bytearray(history.wals[0])
    data[ends[1] + 30] ^= 1
    builder = write_replica(tmp_path / "r", history)
    path = builder.segment(0, ends[1], bytes(data[ends[1] : ends[2]]))
    with pytest.raises(DamageError) as caught:
        restore(builder.root)
    assert caught.value.path == str(path)
    assert caught.value.offset == ends[1]


def test_batches_are_whole_frames_in_order(tmp_path: Path, small_batches: int) -> None:
    history = usual_history(1, 4)
    replica = open_replica(write_replica(tmp_path / "r", history).root)
    table = replica.wals(GENERATION)
    joined = bytearray(history.wals[0][:32])
    flags = []
    for batch in read_index(replica, table, table.rows_of(0)):
        assert batch.offset == len(joined)
        assert len(batch.frames) <= small_batches
        joined += batch.frames.tobytes()
        flags.append((batch.first, batch.last))
        batch.release()
    assert joined == history.wals[0]
    assert [f for f, _ in flags] == [True] + [False] * (len(flags) - 1)
    assert [x for _, x in flags] == [False] * (len(flags) - 1) + [True]


def test_where_space_cannot_be_promised_pages_are_written_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    history = usual_history()
    root = write_replica(tmp_path / "r", history).root
    for (index, offset), state in history.states.items():
        assert restore(root, position(index, offset)) == state


def test_errors_of_the_read_ahead_come_out_where_it_is_used() -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise DamageError("read", "broken", code="truncated")

    seen: list[int] = []
    with pytest.raises(DamageError, match="broken"), prefetched(source(), CancelToken()) as items:
        seen.extend(items)
    assert seen == [1, 2]
    with prefetched(iter(range(1000)), CancelToken()) as numbers:
        assert next(numbers) == 0  # and the rest is never asked for: leaving must not wait for it
    with prefetched(iter(range(1000)), CancelToken()) as numbers:
        assert list(numbers) == list(range(1000))


def test_a_cancel_ends_the_waiting_for_a_thread_that_is_stuck() -> None:
    stuck, cancel = threading.Event(), CancelToken()

    def source() -> Iterator[int]:
        cancel.cancel()
        stuck.wait(10)
        yield 1

    with pytest.raises(Cancelled), prefetched(source(), cancel) as items:
        try:
            next(items)
        finally:
            stuck.set()
