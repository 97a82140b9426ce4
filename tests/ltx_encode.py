"""Writes LTX files for tests and builders; litetui itself only reads them."""

from __future__ import annotations

from collections.abc import Iterable

import fastcrc
import lz4.block
import xxhash

from litetui.format.ltx import FRAME_HEADER, SIZED, checksum_of, pack_index
from litetui.format.ltx_header import LTXHeader


def encode(header: LTXHeader, pages: Iterable[tuple[int, bytes]], *, sized: bool = True, post_apply: int = 0) -> bytes:
    """A whole file. `sized`: the encoding of v0.5.16 on, else the one before it. Pages as they come, unchecked."""
    head = header.pack()
    out = bytearray(head)
    crc = fastcrc.crc64.go_iso(head)
    index = bytearray()
    for page, image in pages:
        at = len(out)
        start = page.to_bytes(4, "big") + (SIZED if sized else 0).to_bytes(2, "big")
        block = lz4.block.compress(image, store_size=False)
        if sized:
            start += len(block).to_bytes(4, "big")
            out += start + block
        else:
            if len(block) >= len(image):  # a frame keeps as it is what does not get smaller
                block = image
            length = len(block) | (1 << 31 if block is image else 0)
            out += start + FRAME_HEADER + length.to_bytes(4, "little") + block + bytes(4)
            out += xxhash.xxh32_intdigest(image).to_bytes(4, "little")
        crc = fastcrc.crc64.go_iso(start + image, crc)
        index += pack_index([page], [at, len(out)])
    index += b"\0"
    index += len(index).to_bytes(8, "big")
    end = bytes(6) + index + post_apply.to_bytes(8, "big")
    crc = fastcrc.crc64.go_iso(end, crc)
    return bytes(out) + end + checksum_of(crc)
