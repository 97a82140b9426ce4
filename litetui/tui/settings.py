"""What the app is started with, in one value; tests put in a fixed clock and no waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from litetui.tui.glyphs import ASCII, UNICODE, Glyphs

if TYPE_CHECKING:
    from textual.geometry import Size

NARROW_WIDTH, NARROW_HEIGHT = 100, 30
ANSI = "ansi-dark"  # its text and ground are those of the terminal, dark or light


def locale_is_utf8(environ: Mapping[str, str]) -> bool:
    """Whether the terminal's locale is UTF-8. Python itself cannot be asked: under LANG=C it pretends that it is, and
    puts LC_CTYPE=C.UTF-8 into the environment."""
    names = [environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if names[1] in ("C.UTF-8", "C.utf8", "UTF-8") and names[2] in ("", "C", "POSIX"):
        names[1] = ""
    chosen = next((name for name in names if name), "")
    return "utf8" in chosen.lower().replace("-", "")


def theme_of_terminal(environ: Mapping[str, str]) -> str:
    """The theme where the config file names none: the terminal's own colours where it has no more than 16, or where
    NO_COLOR forbids them; "" for litetui's own choice."""
    from rich.console import Console

    if "NO_COLOR" in environ:
        return ANSI
    few = Console(force_terminal=True, _environ=environ).color_system in (None, "standard")
    return ANSI if few else ""


def is_narrow(size: Size) -> bool:
    """Whether a screen has room for one pane at a time, and a dialog fills it."""
    return size.width < NARROW_WIDTH or size.height < NARROW_HEIGHT


@dataclass(frozen=True, slots=True)
class Settings:
    """readonly, ascii: the options of the command line.

    theme, time_zone, config_path, troubles  of the config file (config.py)
    now_ns      the clock of the screen
    watch_s     seconds between looks for changes; 0: none by itself
    debounce_s  seconds without a key after which a dialog makes its plan
    """

    readonly: bool = False
    ascii: bool = False
    theme: str = ""
    time_zone: str = ""
    config_path: str = ""
    troubles: tuple[str, ...] = ()
    now_ns: Callable[[], int] = field(default=time.time_ns)
    watch_s: float = 2.0
    debounce_s: float = 0.25

    @property
    def glyphs(self) -> Glyphs:
        return ASCII if self.ascii else UNICODE
