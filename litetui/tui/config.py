"""The config file: what a person wants of every session. Read at the start, written only when asked to.

`config.toml` in the folder that the system has for such files (~/.config/litetui). Keys: `theme`, `time_zone`, `ascii`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from litetui.errors import LitetuiError, OutputError, UsageError
from litetui.units import printable, zone_of

_THEME = re.compile(r"([ \t]*theme[ \t]*=[ \t]*)(?:\"[^\"\r\n]*\"|'[^'\r\n]*')")
_TABLE = re.compile(r"[ \t]*\[")


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says; defaults where it says nothing, or nothing that can be used.

    theme      name of a colour theme, "" for the default; whether there is such a one only the app knows
    time_zone  of all clocks on the screen: "" for the default, "UTC", "local", or a name such as "Europe/Berlin"
    ascii      whether to draw with ASCII only
    troubles   what is wrong with the file, in words for the person who wrote it
    """

    path: str
    theme: str = ""
    time_zone: str = ""
    ascii: bool = False
    troubles: tuple[str, ...] = ()


def config_path() -> str:
    """Where the file is, whether there is one or not."""
    from platformdirs import user_config_dir

    return os.path.join(user_config_dir("litetui", appauthor=False), "config.toml")


def load(path: str) -> Config:
    """Read the file; a bad one gives defaults and `troubles`, a missing one defaults alone."""
    shown = printable(path)
    try:
        with open(path, "rb") as file:
            text = file.read().decode()
    except FileNotFoundError:
        return Config(path)
    except OSError as error:
        return Config(path, troubles=(f"{shown} cannot be read: {error.strerror}; defaults are used",))
    except UnicodeDecodeError as error:
        return Config(path, troubles=(f"{shown} is no TOML: {error}; defaults are used",))
    import tomllib  # not before there is a file: it would hold up the first frame

    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Config(path, troubles=(f"{shown} is no TOML: {printable(str(error))}; defaults are used",))
    good: dict[str, Any] = {}
    troubles: list[str] = []
    for key, value in values.items():
        reason = _KEYS[key](value) if key in _KEYS else f"there is no such setting; there are {', '.join(_KEYS)}"
        if reason:
            troubles.append(f"{shown}: {printable(key)}: {printable(reason)}")
        else:
            good[key] = value
    return Config(path, **good, troubles=tuple(troubles))


def _text(value: object) -> str:
    return "" if isinstance(value, str) else 'it must be a text, such as "nord"'


def _zone(value: object) -> str:
    if not isinstance(value, str):
        return 'it must be a text, such as "Europe/Berlin"'
    try:
        zone_of(value)
    except UsageError as error:
        return f"{error.cause}: {error.hint}"
    return ""


def _flag(value: object) -> str:
    return "" if isinstance(value, bool) else "it must be true or false"


# For each key what is wrong with its value, "" where it is good.
_KEYS: dict[str, Callable[[object], str]] = {"theme": _text, "time_zone": _zone, "ascii": _flag}


def save_theme(path: str, theme: str) -> None:
    """Put the theme into the file; the rest of it, comments too, stays as it is. Written beside it and renamed.

    Raises OutputError, and then the file is as it was.
    """
    import tomllib

    target = os.path.realpath(path)  # it may be a link to where a person keeps such files
    try:
        with open(target, encoding="utf-8", newline="") as file:
            before = file.read()
    except FileNotFoundError:
        before = ""
    except (OSError, UnicodeDecodeError) as error:
        raise _failed(path, str(error)) from None
    text = _with_theme(before, theme)
    try:
        expected = {**tomllib.loads(before), "theme": theme}
    except tomllib.TOMLDecodeError as error:
        raise _failed(path, f"it is no TOML: {error}") from None
    with suppress(tomllib.TOMLDecodeError):
        if tomllib.loads(text) == expected:
            expected = {}
    if expected:
        raise _failed(path, "its theme is written in a way that is not understood")
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _replace(target, text)
    except OSError as error:
        raise _failed(path, error.strerror or str(error)) from None


def _with_theme(text: str, theme: str) -> str:
    lines = text.splitlines(keepends=True)
    for number, old in enumerate(lines):
        if _TABLE.match(old):
            break
        if (found := _THEME.match(old)) is not None:
            lines[number] = f'{found[1]}"{theme}"{old[found.end() :]}'
            return "".join(lines)
    return "".join([f'theme = "{theme}"\n', *lines])


def _replace(target: str, text: str) -> None:
    """Write a file beside the target, and put it in its place. Raises OSError."""
    import tempfile

    handle, beside = tempfile.mkstemp(prefix=".config-", suffix=".toml", dir=os.path.dirname(target))
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        mode = os.stat(target).st_mode & 0o777 if os.path.exists(target) else 0o644
        os.chmod(beside, mode)
        os.replace(beside, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


def _failed(path: str, cause: str) -> LitetuiError:
    return OutputError(
        "save the theme", printable(cause), path=path, hint='write theme = "NAME" into the file yourself'
    )
