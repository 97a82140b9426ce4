"""Facts as cards: a label, a value, a note. As many beside each other as fit, else one a line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, chop_cells
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from litetui.tui.cards import Brief, Card
from litetui.tui.glyphs import Glyphs
from litetui.tui.textutil import clean, cut_end, fit


class Stats(Widget):
    """Cards, and lines of text below them."""

    DEFAULT_CSS = "Stats { height: auto; width: 1fr; }"

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self.cards: Sequence[Card] = ()
        self.notes: Sequence[tuple[str, str]] = ()
        self.briefs: Sequence[Brief] = ()

    def tell(self, cards: Sequence[Card], notes: Sequence[tuple[str, str]] = (), briefs: Sequence[Brief] = ()) -> None:
        """Show cards, then what needs attention, then notes: text and status each."""
        if (tuple(cards), tuple(notes), tuple(briefs)) == (self.cards, self.notes, self.briefs):
            return
        self.cards, self.notes, self.briefs = tuple(cards), tuple(notes), tuple(briefs)
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.size.width))

    def _lines(self, width: int) -> list[Content]:
        lines: list[Content] = []
        if self.cards:
            fitting = _fitting(self.cards, width)
            lines.extend(self._beside(fitting, width) if fitting else self._below(width))
        lines.extend(self._brief(brief, width) for brief in self.briefs)
        for text, status in self.notes:
            style = f"$text-{status}" if status else ""
            wrapped = wrap(clean(text), max(10, width - 2))
            lines.extend(Content.assemble(" ", (line, style) if style else line) for line in wrapped)
        return lines

    def _brief(self, brief: Brief, width: int) -> Content:
        """Glyph and words, and at the right end what there is room for beside most of the words."""
        style = f"$text-{brief.severity}" if brief.severity in ("error", "warning") else "$foreground-muted"
        glyph = f" {getattr(self.glyphs, brief.severity)} " if brief.severity else "   "
        words, tails = clean(brief.words), list(brief.tails)
        room = width - cell_len(glyph) - 1
        while tails and room - _tail_width(tails) < min(cell_len(words), room // 2):
            tails.pop(0)
        room -= _tail_width(tails)
        parts: list[tuple[str, str]] = [(glyph, style), (fit(words, max(room, 4), mark=self.glyphs.cut), style)]
        parts += [(f"  {clean(tail)}", "$foreground-muted") for tail in tails[:-1]]
        parts += [(f"  {clean(tail)}", "$text-primary") for tail in tails[-1:]]
        return Content.assemble(*parts)

    def _beside(self, cards: Sequence[Card], width: int) -> list[Content]:
        """Three lines; what is left of the width is shared out."""
        widths = [_card_width(card) for card in cards]
        extra = min(8, (width - sum(widths)) // len(widths))
        lines: list[Content] = []
        for field, style in (("label", "$foreground-muted"), ("value", "bold"), ("note", "$foreground-muted")):
            parts: list[Content | str | tuple[str, str]] = []
            for card, natural in zip(cards, widths, strict=True):
                text = fit(clean(getattr(card, field)), natural + extra - 2, mark=self.glyphs.cut)
                mark = f"$text-{card.status}" if card.status else "$foreground-disabled"
                strong = f"bold $text-{card.status}" if card.status and field == "value" else style
                parts += [(f"{self.glyphs.mark} ", mark), (text, strong)]
            lines.append(Content.assemble(*parts))
        return lines

    def _below(self, width: int) -> list[Content]:
        """One line a card, where there is no room for more."""
        label_width = max(cell_len(card.label) for card in self.cards) + 2
        lines = []
        for card in self.cards:
            room = max(0, width - label_width - 3 - cell_len(clean(card.value)))
            lines.append(
                Content.assemble(
                    " ",
                    (fit(card.label, label_width), "$foreground-muted"),
                    (clean(card.value), f"bold $text-{card.status}" if card.status else "bold"),
                    "  ",
                    (cut_end(clean(card.note), room, self.glyphs.cut), "$foreground-muted"),
                )
            )
        return lines


def wrap(text: str, width: int) -> list[str]:
    """Words into lines of at most `width` cells; a word that is longer is broken."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and cell_len(line) + 1 + cell_len(word) <= width:
            line += f" {word}"
            continue
        *full, rest = chop_cells(word, width) or [""]
        lines += [line, *full] if line else full
        line = rest
    return [*lines, line]


def _fitting(cards: Sequence[Card], width: int) -> Sequence[Card]:
    """The cards that fit beside each other, the others gone by their `drop`; none where not even the rest does."""
    for most in (9, 1, 0):
        chosen = [card for card in cards if card.drop <= most]
        if sum(map(_card_width, chosen)) <= width:
            return chosen
    return ()


def _tail_width(tails: Sequence[str]) -> int:
    return sum(cell_len(clean(tail)) + 2 for tail in tails)


def _card_width(card: Card) -> int:
    return max(cell_len(clean(text)) for text in (card.label, card.value, card.note)) + 4
