"""Which rows hold a word, for whole columns of numbers at once: a million rows in hundredths of a second.

numpy gives up the interpreter's lock while it computes, so that the screen goes on meanwhile. Every function returns
an array of truth values, one for each number.
"""

from __future__ import annotations

import re
from typing import Any

from litetui.units import NS, offset_ns

DAY_NS, QUARTER_NS = 86400 * NS, 900 * NS  # zones change at quarters of an hour
_HEX = re.compile(r"[0-9a-f]+")
_CLOCK = "00:00:00.000"
# How long a time is, in ns, of which so many characters are given.
_LENGTHS = [n * NS for n in (36000, 3600, 3600, 600, 60, 60, 10, 1, 1)] + [NS // 10, NS // 100, NS // 1000]


def hex_holds(values: Any, digits: int, word: str) -> Any:
    """Whether numbers that are written with so many hex digits hold a word."""
    import numpy as np

    found = np.zeros(len(values), np.bool_)
    if len(word) > digits or not _HEX.fullmatch(word):
        return found
    kind = values.dtype.type
    wanted, mask = kind(int(word, 16)), kind((1 << 4 * len(word)) - 1)
    for place in range(digits - len(word) + 1):
        found |= ((values >> kind(4 * place)) & mask) == wanted
    return found


def decimal_holds(values: Any, word: str) -> Any:
    """Whether decimal numbers, not negative and without leading zeros, hold a word."""
    import numpy as np

    found = np.zeros(len(values), np.bool_)
    if not len(values) or len(word) > 19 or not (word.isascii() and word.isdigit()):
        return found
    numbers = np.asarray(values).astype(np.uint64)
    top, wanted, base, power = int(numbers.max()), int(word), 10 ** len(word), 1
    while power * base // 10 <= max(top, 1):
        here = (numbers // np.uint64(power)) % np.uint64(base) == np.uint64(wanted)
        if word[0] == "0":  # a zero is written only behind another digit, or alone
            behind = numbers >= np.uint64(power * base) if power * base <= top else np.zeros_like(found)
            here &= behind | (numbers == 0) if word == "0" and power == 1 else behind
        found |= here
        power *= 10
    return found


def clock_holds(times_ns: Any, word: str) -> Any:
    """Whether times of day on the screen's clocks begin with a word: `14:`, `14:03`, `14:03:22.1`."""
    import numpy as np

    word = word.removesuffix("z")
    shape = "".join("0" if c.isascii() and c.isdigit() else c for c in word)
    if len(word) < 3 or not _CLOCK.startswith(shape):
        return np.zeros(len(times_ns), np.bool_)
    whole = word + _CLOCK[len(word) :]
    seconds = 3600 * int(whole[:2]) + 60 * int(whole[3:5]) + int(whole[6:8])
    begin = seconds * NS + int(whole[9:]) * NS // 1000
    quarters, at = np.unique(times_ns // QUARTER_NS, return_inverse=True)
    offsets = np.array([offset_ns(int(quarter) * QUARTER_NS) for quarter in quarters], np.int64)
    of_day = (times_ns + offsets[at]) % DAY_NS
    return (of_day >= begin) & (of_day < begin + _LENGTHS[len(word) - 1])
