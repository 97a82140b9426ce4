"""Every built-in theme made readable: text colours are moved towards white or black until they can be read.

Text needs a contrast of 4.5 to every background that it stands on, muted text 3 (WCAG 2.1, section 1.4.3). Several
of Textual's themes stay below that; the hue is kept as far as the contrast allows.
"""

from __future__ import annotations

from textual.color import BLACK, WHITE, Color, ColorParseError

TEXT, MUTED = 4.5, 3.0
TEXT_ON = ("background", "surface", "panel")
COLOURS = ("text-primary", "text-success", "text-warning", "text-error")
FILLED = {"block-cursor-background": "block-cursor-foreground", "error": "button-color-foreground"}  # ground: text


def readable(variables: dict[str, str]) -> dict[str, str]:
    """The theme variables with the text colours that litetui uses mended, and what is filled with a colour."""
    variables = {"foreground-disabled": variables["foreground-muted"], **variables}
    if variables["background"].startswith("ansi_"):  # its blue is hard to read on black; what has it is bold as well
        return {**variables, "text-primary": "ansi_default"}
    try:
        grounds = [Color.parse(variables[name]) for name in TEXT_ON]
        focused = Color.parse(variables["primary-muted"])
        foreground = _until(Color.parse(variables["foreground"]), grounds, TEXT)
        mended = {name: _until(Color.parse(variables[name]), grounds, TEXT) for name in COLOURS}
        mended["text-primary"] = _until(mended["text-primary"], [*grounds, focused], TEXT)
        filled = {name: Color.parse(variables[name]) for name in FILLED}
    except (KeyError, ColorParseError):
        return variables  # a theme of the terminal's own colours: nothing can be measured
    if any(colour.a < 1 for colour in (*grounds, foreground, *mended.values(), *filled.values())):
        return variables
    mended["foreground"] = foreground
    muted = grounds[0].blend(foreground, 0.6)
    mended["foreground-muted"] = _until(muted, [*grounds, focused], MUTED, towards=foreground)
    mended["foreground-disabled"] = _until(grounds[0].blend(foreground, 0.38), grounds, MUTED, towards=foreground)
    for name, ground in filled.items():
        ink = WHITE if contrast(WHITE, ground) >= MUTED else BLACK
        mended[FILLED[name]] = ink
        mended[name] = _until(ground, [ink], TEXT)
    return {**variables, **{name: colour.hex for name, colour in mended.items()}}


def contrast(one: Color, other: Color) -> float:
    """WCAG's contrast ratio, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Color) -> float:
    def linear(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(colour.r) + 0.7152 * linear(colour.g) + 0.0722 * linear(colour.b)


def _until(colour: Color, grounds: list[Color], wanted: float, towards: Color | None = None) -> Color:
    """The colour, moved in small steps towards white or black (or a given one) until it can be read."""
    if towards is None:
        towards = max(WHITE, BLACK, key=lambda end: min(contrast(end, ground) for ground in grounds))
    for step in range(21):
        moved = colour.blend(towards, step / 20)
        if min(contrast(moved, ground) for ground in grounds) >= wanted:
            return moved
    return towards
