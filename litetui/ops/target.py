"""What a restore is asked for: the values and their text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from litetui.errors import UsageError
from litetui.format.position import TXID
from litetui.replica.types import Pos
from litetui.units import NS, parse_duration, parse_time

_INDEX = re.compile(r"(?:0x)?([0-9a-f]{1,8})", re.IGNORECASE)
_TXID = re.compile(r"(?:0x)?([0-9a-f]{1,16})", re.IGNORECASE)
_LOCAL = re.compile(
    r"(?:([0-9]{4}-[0-9]{2}-[0-9]{2})[T ])?([0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)"
    r"(Z|[+-][0-9]{2}(?::[0-9]{2})?)?"
)
_SHORT_POSITION = re.compile(r"([0-9a-f]{8}):([0-9]+)")


@dataclass(frozen=True, slots=True)
class Target:
    """Which state to restore; nothing set is the latest.

    index alone       up to and with the whole of that WAL
    index and offset  all transactions that end at or before the offset
    timestamp_ns      the highest position whose file is not newer than that
    last_good         the newest state that the sound part of the replica leads to
    txid              of a v0.5 replica: the state after that transaction
    """

    generation: str | None = None
    index: int | None = None
    offset: int | None = None
    timestamp_ns: int | None = None
    last_good: bool = False
    txid: int | None = None

    @classmethod
    def at(cls, pos: Pos) -> Target:
        return cls(txid=pos.value) if isinstance(pos, TXID) else cls(pos.generation, pos.index, pos.offset)


def option(pos: Pos) -> str:
    """How the command line names the state at a position, or of a v0.5 replica after a TXID."""
    return f"--txid {pos}" if isinstance(pos, TXID) else f"--position {pos}"


def parse_index(text: str) -> int:
    """An index in hex as every table prints it, `0x` allowed. Raises UsageError."""
    m = _INDEX.fullmatch(text.strip())
    if m is None:
        raise UsageError("read the index", f"{text!r} is no index", hint="an index has 8 hex digits, e.g. 0000007f")
    return int(m[1], 16)


def parse_txid(text: str) -> int:
    """A TXID in hex as Litestream prints it, `0x` allowed. Raises UsageError."""
    m = _TXID.fullmatch(text.strip())
    if m is None or not int(m[1], 16):
        raise UsageError(
            "read the TXID", f"{text!r} is no TXID", hint="a TXID has 16 hex digits, e.g. 000000000000007f"
        )
    return int(m[1], 16)


def parse_target(text: str, *, now_ns: int, generation: str | None = None, zone: tzinfo | None = None) -> Target:
    """Whatever a person may write into the one target field. Raises UsageError.

    Empty is the latest; `10m` is ago; times are RFC 3339, or shorter (`14:03`, the last such one;
    `2026-11-22 14:03:22`), with a Z, with an offset, or without in `zone` (None: that of this machine); 8 hex digits
    are an index; then positions, with or without their generation; and `last-good`.
    """
    text = text.strip()
    base = Target(generation)
    if text in ("", "latest"):
        return base
    if text == "last-good":
        return replace(base, last_good=True)
    if "/" in text:
        return Target.at(Pos.parse(text))
    if (short := _SHORT_POSITION.fullmatch(text)) is not None:
        return replace(base, index=int(short[1], 16), offset=int(short[2]))
    if len(text.removeprefix("0x")) == 8 and _INDEX.fullmatch(text):
        return replace(base, index=parse_index(text))
    if (local := _LOCAL.fullmatch(text)) is not None:
        return replace(base, timestamp_ns=_short_time(local, now_ns, zone))
    if re.fullmatch(r"(?:[0-9.]+[a-z]+)+( ago)?", text):
        return replace(base, timestamp_ns=now_ns - parse_duration(text.removesuffix(" ago")))
    try:
        return replace(base, timestamp_ns=parse_time(text))
    except UsageError:
        raise UsageError(
            "read the target",
            f"{text!r} is no target",
            hint="write 10m, 14:03, a time, an index (8 hex digits), a position, a generation, last-good, or nothing "
            "for the latest",
        ) from None


def _short_time(m: re.Match[str], now_ns: int, zone: tzinfo | None) -> int:
    """A time of day, the last such one, or a date and time; without a Z or an offset in `zone`."""
    clock = m[2].rjust(5, "0") if m[2].count(":") == 1 else m[2]
    clock = clock if clock[2] == ":" else "0" + clock
    whole, _, fraction = clock.partition(".")
    whole = whole if whole.count(":") == 2 else whole + ":00"
    try:
        if m[3]:
            zone = datetime.fromisoformat(f"2000-01-01T00:00{m[3]}").tzinfo
        today = datetime.fromtimestamp(now_ns // NS, UTC).astimezone(zone).date()
        moment = _in_zone(f"{m[1] or today.isoformat()}T{whole}", zone)
        if m[1] is None and moment.timestamp() > now_ns / NS:
            moment = _in_zone(f"{(today - timedelta(days=1)).isoformat()}T{whole}", zone)
    except (ValueError, OverflowError) as error:
        hint = "write it like 14:03 or 2026-11-22 14:03:22"
        raise UsageError("read the time", f"{m[0]!r}: {error}", hint=hint) from None
    return round(moment.timestamp()) * NS + int(fraction.ljust(9, "0") or "0")


def _in_zone(text: str, zone: tzinfo | None) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone() if zone is None else moment.replace(tzinfo=zone)
