"""What the app is started with, in one value; tests put in a fixed clock and no waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from litetui.tui.glyphs import ASCII, UNICODE, Glyphs


@dataclass(frozen=True, slots=True)
class Settings:
    """readonly, ascii: the options of the command line.

    now_ns      the clock of the screen
    watch_s     seconds between looks for changes; 0: none by itself
    debounce_s  seconds without a key after which a dialog makes its plan
    """

    readonly: bool = False
    ascii: bool = False
    now_ns: Callable[[], int] = field(default=time.time_ns)
    watch_s: float = 2.0
    debounce_s: float = 0.25

    @property
    def glyphs(self) -> Glyphs:
        return ASCII if self.ascii else UNICODE
