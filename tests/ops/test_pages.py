"""The file that pages are merged into: the same bytes whether it can be mapped or not, and however it grows."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from litetui.format import wal
from litetui.ops.pages import PageFile
from litetui.ops.wals import Batch

PAGE = 512


def batch_of(pages: list[int], seed: int) -> tuple[Batch, wal.FrameBlock]:
    """Frames of random pages; only what `PageFile.apply` looks at is right."""
    frames = np.random.default_rng(seed).integers(0, 256, (len(pages), PAGE + wal.FRAME_HEADER_SIZE), dtype=np.uint8)
    header = wal.WALHeader(PAGE, 0, 1, 2, True, (0, 0))
    batch = Batch(0, header, wal.HEADER_SIZE, frames, [(0, "w")], True, True, [], frames)
    numbers = np.array(pages, np.uint32)
    return batch, wal.FrameBlock(numbers, np.zeros_like(numbers), len(pages), "", (0, 0))


@pytest.mark.parametrize("can_map", [True, False])
@pytest.mark.parametrize("foreseen", [0, 4 * PAGE, 5 * PAGE, 100 * PAGE])
def test_the_last_image_of_each_page_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_map: bool, foreseen: int
) -> None:
    if not can_map:

        def refuse(fd: int, offset: int, size: int) -> None:
            raise OSError(errno.EOPNOTSUPP, "no")

        monkeypatch.setattr(os, "posix_fallocate", refuse)
    fd = os.open(tmp_path / "db", os.O_RDWR | os.O_CREAT)
    file = PageFile(fd)
    file.page_size = PAGE
    file.reserve(foreseen)
    expected = bytearray(os.urandom(4 * PAGE))
    file.append(bytes(expected))
    for seed, pages in enumerate([[2, 1, 2], [5, 4, 5, 9], [3000, 7], [1]]):
        batch, block = batch_of(pages, seed)
        file.apply(batch, block)
        expected.extend(bytes(max(0, max(pages) * PAGE - len(expected))))
        for page, frame in zip(pages, batch.frames, strict=True):
            expected[(page - 1) * PAGE : page * PAGE] = frame[wal.FRAME_HEADER_SIZE :].tobytes()
    file.finish(2999 * PAGE)
    file.close()
    assert (tmp_path / "db").read_bytes() == expected[: 2999 * PAGE]


def test_a_full_disk_is_an_error_and_no_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = PageFile(os.open(tmp_path / "db", os.O_RDWR | os.O_CREAT))
    file.page_size = PAGE
    file.append(bytes(PAGE))
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        file.apply(*batch_of([2], 0))
    file.close()


@pytest.mark.parametrize("can_map", [True, False])
@pytest.mark.parametrize("foreseen", [0, 300 * PAGE])
def test_pages_in_a_row_and_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_map: bool, foreseen: int
) -> None:
    if not can_map:

        def refuse(fd: int, offset: int, size: int) -> None:
            raise OSError(errno.EOPNOTSUPP, "no")

        monkeypatch.setattr(os, "posix_fallocate", refuse)
    file = PageFile(os.open(tmp_path / "db", os.O_RDWR | os.O_CREAT))
    file.page_size = PAGE
    file.reserve(foreseen)
    expected = np.zeros((400, PAGE), np.uint8)
    for seed, pages in enumerate([range(1, 201), [3, 9, 150], range(150, 290), range(290, 401), [289, 400], [1]]):
        images = np.random.default_rng(seed).integers(0, 256, (len(pages), PAGE + 6), dtype=np.uint8)[:, 6:]
        file.write(np.array(pages, np.uint32), images)
        expected[np.array(pages) - 1] = images
    file.finish(400 * PAGE)
    file.close()
    assert (tmp_path / "db").read_bytes() == expected.tobytes()
    assert file.pages_written == 200 + 3 + 140 + 111 + 2 + 1
