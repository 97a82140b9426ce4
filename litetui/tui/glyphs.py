"""Every glyph of the app, one meaning each, with the ASCII form that `--ascii` shows instead."""

from __future__ import annotations

from typing import NamedTuple


class Glyphs(NamedTuple):
    """The glyphs in use. The default values are the Unicode forms; `ASCII` holds the others."""

    # verdicts
    ok: str = "✔"
    damaged: str = "✗"
    unrestorable: str = "⊘"
    unchecked: str = "·"
    unreadable: str = "?"
    # findings
    error: str = "✗"
    warning: str = "!"
    info: str = "·"
    # things
    snapshot: str = "◆"
    window: str = "━"
    hole: str = "░"
    active: str = "▸"
    blank: str = " "
    # states of jobs
    queued: str = "…"
    running: str = "▶"
    cancelling: str = "◌"
    done: str = "✔"
    failed: str = "✗"
    cancelled: str = "⊘"
    # parts of widgets
    opened: str = "▾"
    closed: str = "▸"
    bar_done: str = "━"
    bar_left: str = "─"
    chosen: str = "(•)"
    unchosen: str = "( )"
    cut: str = "…"
    from_: str = "←"
    rule: str = "─"
    mark: str = "▎"
    between: str = "–"
    up: str = "▲"
    down: str = "▼"
    here: str = "┃"
    levels: str = " ▁▂▃▄▅▆▇█"


UNICODE = Glyphs()
ASCII = Glyphs(
    ok="OK",
    damaged="X",
    unrestorable="-",
    unchecked=".",
    unreadable="?",
    error="X",
    warning="!",
    info=".",
    snapshot="#",
    window="=",
    hole=":",
    active=">",
    queued="..",
    running=">",
    cancelling="~",
    done="OK",
    failed="X",
    cancelled="-",
    opened="v",
    closed=">",
    bar_done="=",
    bar_left="-",
    chosen="(*)",
    unchosen="( )",
    cut="~",
    from_="<-",
    rule="-",
    mark="|",
    between="-",
    up="^",
    down="v",
    here="|",
    levels=" ._-~+*%@",
)
