"""A small LTX file all at once: replicas hold thousands of a few pages each, where the Decoder's steps cost more than
the bytes.

Only files as Litestream v0.5.16 and later write them, and nothing wrong with them: the Decoder looks at any other, and
says what is wrong.
"""

from __future__ import annotations

import fastcrc
import lz4.block
import numpy as np

from litetui.format.dbheader import lock_page
from litetui.format.ltx import BATCH_BYTES, SIZED, SIZED_PAGE, PageBatch, checksum_of, largest_block, pack_index
from litetui.format.ltx_header import HEADER_SIZE, NO_CHECKSUM, LTXError, LTXHeader

SMALL = 64 << 10  # bytes of a file


def decode_small(data: bytes) -> tuple[LTXHeader, PageBatch] | None:
    """Header and pages of a whole file, all of it proved; None where the Decoder must look."""
    head = data[:HEADER_SIZE]
    try:
        header = LTXHeader.parse(head)
    except LTXError:
        return None
    page_size, commit = header.page_size, header.commit
    most = BATCH_BYTES // page_size
    lock, largest, unpack = lock_page(page_size), largest_block(page_size), SIZED_PAGE.unpack_from
    pages: list[int] = []
    places: list[int] = []
    rows = [head]
    at, last, end = HEADER_SIZE, 0, len(data)
    try:
        while True:
            if at + 10 > end or len(pages) > most:
                return None
            page, flag, size = unpack(data, at)
            if not page:
                break
            block, stop = at + 10, at + 10 + size
            if flag != SIZED or not last < page <= commit or page == lock or not 0 < size <= largest or stop > end:
                return None
            image = lz4.block.decompress(data[block:stop], uncompressed_size=page_size)
            if len(image) != page_size:
                return None
            pages.append(page)
            places.append(at)
            rows += (data[at:block], image)
            last, at = page, stop
    except (lz4.block.LZ4BlockError, ValueError, MemoryError):
        return None
    count = len(pages)
    if not count or header.flags != NO_CHECKSUM or (header.is_snapshot and count != commit - (lock <= commit)):
        return None
    places.append(at)
    index = pack_index(pages, places) + b"\0"
    tail = bytes(6) + index + len(index).to_bytes(8, "big") + bytes(8)
    if data[at:-8] != tail:
        return None
    rows.append(tail)
    content = b"".join(rows)
    if checksum_of(fastcrc.crc64.go_iso(content)) != data[-8:]:
        return None
    images = np.ndarray((count, page_size), np.uint8, content, HEADER_SIZE + 10, (page_size + 10, 1))
    return header, PageBatch(np.array(pages, np.uint32), images, places)
