"""Sizes, durations and times: read and printed in one place.

Inside, sizes are bytes, durations are ns, times are ns since the epoch in UTC. Words for people come from humanize.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from litetui.errors import UsageError

NS = 1_000_000_000
_DAY = 86400 * NS
_DURATION_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": NS, "m": 60 * NS, "h": 3600 * NS, "d": _DAY}
_DURATION_UNITS["w"] = 7 * _DAY
_DURATION_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ns|us|ms|s|m|h|d|w)")
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f]")


def parse_duration(text: str) -> int:
    """`90s`, `15m`, `24h`, `7d`, `1d12h` to ns. Raises UsageError."""
    parts = list(_DURATION_PART.finditer(text.strip()))
    if not parts or "".join(m[0] for m in parts) != text.strip():
        raise UsageError("read the duration", f"{text!r} is no duration", hint="write 90s, 15m, 24h, 7d or 1d12h")
    return sum(round(float(m[1]) * _DURATION_UNITS[m[2]]) for m in parts)


def duration_text(ns: int) -> str:
    """A duration as `parse_duration` reads it back exactly: `1d12h`."""
    parts = []
    for unit in ("d", "h", "m", "s", "ms", "us", "ns"):
        count, ns = divmod(ns, _DURATION_UNITS[unit])
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def parse_time(text: str) -> int:
    """An RFC 3339 time with its zone to ns since the epoch, exactly. Raises UsageError."""
    m = _RFC3339.fullmatch(text.strip())
    hint = "write it with its zone, e.g. 2026-11-22T14:03:22Z or 2026-11-22T15:03:22.118+01:00"
    if m is None:
        raise UsageError("read the time", f"{text!r} is no RFC 3339 time with a zone", hint=hint)
    zone = "+00:00" if m[8] in "Zz" else m[8]
    try:
        whole = datetime.fromisoformat(f"{m[1]}-{m[2]}-{m[3]}T{m[4]}:{m[5]}:{m[6]}{zone}")
        seconds = int(whole.timestamp())
    except (ValueError, OverflowError) as error:
        raise UsageError("read the time", f"{text!r}: {error}", hint=hint) from None
    return seconds * NS + int((m[7] or "0").ljust(9, "0"))


def format_time(ns: int) -> str:
    """ns since the epoch as RFC 3339 in UTC, with as many digits as are needed to give it back exactly."""
    seconds, fraction = divmod(ns, NS)
    try:
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"@{ns}ns"
    if len(text) < 19:
        text = text.rjust(19, "0")
    return f"{text}{'.' + f'{fraction:09d}'.rstrip('0') if fraction else ''}Z"


def zone_of(name: str) -> tzinfo | None:
    """A time zone by its name: `UTC`, `local` (None: that of this machine), `Europe/Berlin`. Raises UsageError."""
    if name in ("UTC", "local"):
        return UTC if name == "UTC" else None
    from zoneinfo import ZoneInfo

    with suppress(KeyError, OSError, ValueError):
        return ZoneInfo(name)
    hint = "write UTC, local, or a name such as Europe/Berlin; names need the zones of the system (package tzdata)"
    raise UsageError("read the time zone", f"{name!r} is no time zone that this machine knows", hint=hint)


class _Clocks:
    """The zone of the clocks on the screen, and of times that are typed without one (None: that of this machine)."""

    shown: tzinfo | None = UTC
    typed: tzinfo | None = None


_IN_UTC: ContextVar[bool] = ContextVar("in_utc", default=False)


def set_clock_zone(name: str) -> None:
    """The zone of all clocks of the terminal UI, and of times typed into it; "": clocks are UTC, what is typed is in
    the zone of this machine. Raises UsageError."""
    zone = zone_of(name) if name else None
    _Clocks.shown, _Clocks.typed = (zone, zone) if name else (UTC, None)


def typed_zone() -> tzinfo | None:
    """The zone of times that are typed without one; None: that of this machine."""
    return _Clocks.typed


@contextmanager
def utc_clocks() -> Iterator[None]:
    """Clocks are UTC in here: for what is copied or written to a file."""
    token = _IN_UTC.set(True)
    try:
        yield
    finally:
        _IN_UTC.reset(token)


def _shown_zone() -> tzinfo | None:
    return UTC if _IN_UTC.get() else _Clocks.shown


def _at(seconds: int) -> datetime:
    """A time in the zone of the screen."""
    zone = _shown_zone()
    return (
        datetime.fromtimestamp(seconds, UTC) if zone is UTC else datetime.fromtimestamp(seconds, UTC).astimezone(zone)
    )


def offset_ns(ns: int) -> int:
    """What the zone of the screen adds to UTC at a time."""
    zone = _shown_zone()
    return 0 if zone is UTC else _offset(zone, ns // (900 * NS))


@lru_cache(maxsize=1 << 17)
def _offset(zone: tzinfo | None, quarter: int) -> int:
    """Zones change at quarters of an hour. Raises nothing: no time that is out of range gets an offset."""
    try:
        offset = datetime.fromtimestamp(quarter * 900, UTC).astimezone(zone).utcoffset()
    except (ValueError, OverflowError, OSError):
        return 0
    return 0 if offset is None else round(offset.total_seconds()) * NS


def zone_mark(at: datetime) -> str:
    """What follows a clock: `Z` for UTC, else the offset as ISO 8601 has it: `+01`, `+05:30`."""
    if at.tzinfo is UTC:
        return "Z"
    return at.strftime("%z")[:3] + (f":{minutes}" if (minutes := at.strftime("%z")[3:5]) != "00" else "")


def zone_heading(now_ns: int) -> str:
    """The zone of a table's clocks, for its heading: `UTC`, `+01`."""
    mark = zone_mark(_at(now_ns // NS))
    return "UTC" if mark == "Z" else mark


def format_clock(ns: int, now_ns: int, *, millis: bool = True) -> str:
    """A time for a screen: `14:03:22.118Z`, with the date in front unless it is that of `now_ns`. In another zone than
    UTC (`set_clock_zone`) its offset stands for the Z: `15:03:22.118+01`."""
    seconds, fraction = divmod(ns, NS)
    try:
        at = _at(seconds)
        today = _at(now_ns // NS)
    except (ValueError, OverflowError, OSError):
        return f"@{ns}ns"
    clock = at.strftime("%H:%M:%S") + (f".{fraction // 1_000_000:03d}" if millis else "") + zone_mark(at)
    return clock if at.date() == today.date() else f"{_day(at, today)} {clock}"


def format_day(ns: int, now_ns: int) -> str:
    """The day of a time for a screen: `22 Nov`, with the year unless it is that of `now_ns`."""
    try:
        return _day(_at(ns // NS), _at(now_ns // NS))
    except (ValueError, OverflowError, OSError):
        return f"@{ns}ns"


def _day(at: datetime, today: datetime) -> str:
    return f"{at.day} {at.strftime('%b')}" + ("" if at.year == today.year else f" {at.year}")


def counted(count: int, noun: str) -> str:
    """`1 file`, `1,200 files`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def format_size(size: int) -> str:
    """Bytes for people: `824.3 kB`."""
    import humanize

    return humanize.naturalsize(size, format="%.1f").replace(" Bytes", " B").replace(" Byte", " B")


def format_duration(ns: int) -> str:
    """A length of time for people, two units at most: `26 h 14 min`, `2 s`, `340 ms`."""
    ns = abs(ns)
    if ns < NS:
        return f"{ns // 1_000_000} ms"
    seconds = ns // NS
    if seconds < 10:
        return f"{ns / NS:.1f} s"
    for size, unit, below, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            rest = seconds % size // below
            return f"{seconds // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{seconds} s"


def format_age(ns: int, now_ns: int) -> str:
    """How long ago a time is; a time ahead of this clock says so instead of a negative age."""
    age = now_ns - ns
    if age < -NS:
        return f"in {format_duration(-age)} (clocks differ)"
    seconds = max(0, age) // NS
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def printable(text: str) -> str:
    """Text from outside made harmless for a terminal: control characters and undecodable bytes as escapes."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda m: m[0].encode("unicode_escape").decode("ascii"), text)
