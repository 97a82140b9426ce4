"""Text that fits: cutting and padding in terminal cells. What comes from outside passes `clean` here."""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size

from litetui.errors import LitetuiError
from litetui.units import format_clock, parse_time, printable


def clean(text: str) -> str:
    """Text made harmless; the common case of plain ASCII is passed through untouched."""
    return text if text.isascii() and text.isprintable() else printable(text)


def in_a_line(text: str, mark: str = "…") -> str:
    """A text made harmless: of several lines the first, and how many there are."""
    first, *more = text.split("\n")
    return clean(first.replace("\t", "  ")) + (f" {mark} ({len(more) + 1} lines)" if more else "")


_LONG_TIME = re.compile(r"(?<!--timestamp )\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z")


def short_times(text: str, now_ns: int) -> str:
    """A sentence for the screen: its times as all others there are; those that a command names stay whole."""

    def short(found: re.Match[str]) -> str:
        try:
            return format_clock(parse_time(found[0]), now_ns)
        except LitetuiError:
            return found[0]  # in a file's name, say

    return _LONG_TIME.sub(short, text)


def cut_end(text: str, width: int, mark: str = "…") -> str:
    """At most `width` cells, the end replaced by `mark` where it does not fit."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - cell_len(mark))) + mark if width > 0 else ""


def cut_middle(text: str, width: int, mark: str = "…") -> str:
    """At most `width` cells, the middle replaced by `mark`: ids keep both of their ends."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(mark)
    if room <= 0:
        return set_cell_size(mark, max(0, width))
    head = room - room // 2
    tail = text
    while cell_len(tail) > room // 2:
        tail = tail[1:]
    return set_cell_size(text, head) + mark + tail


def cut_path(path: str, width: int, mark: str = "…") -> str:
    """At most `width` cells of a path: its end is what tells paths apart."""
    if cell_len(path) <= width:
        return path
    tail = path
    while tail and cell_len(tail) > width - cell_len(mark):
        tail = tail[1:]
    return mark + tail if width > 0 else ""


def fit(text: str, width: int, *, right: bool = False, mark: str = "…") -> str:
    """Exactly `width` cells."""
    text = cut_end(text, width, mark)
    pad = " " * max(0, width - cell_len(text))
    return pad + text if right else text + pad
