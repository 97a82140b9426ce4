"""Bars on one time axis: which spans of time restore, and what a retention leaves of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from litetui.tui.glyphs import Glyphs
from litetui.tui.textutil import clean, cut_end, fit
from litetui.tui.timeline.axis import Axis, Bar, drawn


class TimeBars(Widget):
    """The axis in one line, then a line for each bar: label, cells, note."""

    DEFAULT_CSS = "TimeBars { height: auto; width: 1fr; }"

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self.bars: Sequence[Bar] = ()

    def tell(self, bars: Sequence[Bar]) -> None:
        """Show bars; the axis reaches from the first to the last time of all."""
        self.bars = tuple(bars)
        self.display = bool(self.bars)
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self.bars) + 1 if self.bars else 0

    def render(self) -> Content:
        spans = [s for bar in self.bars for s in (*bar.spans, *((bar.ground,) if bar.ground else ()))]
        label = max((cell_len(clean(bar.label)) for bar in self.bars), default=0) + 2
        note = max((cell_len(clean(bar.note)) for bar in self.bars), default=0)
        width = self.size.width - 2 - label
        note = note + 2 if note and note + 2 <= width // 3 else 0
        axis = Axis(
            min((s.start_ns for s in spans), default=0),
            max((s.end_ns for s in spans), default=1),
            max(10, width - note),
        )
        lines = [Content.assemble(" " * (label + 1), (axis.line(), "$foreground-muted"))]
        return Content("\n").join([*lines, *(self._line(bar, axis, label, note) for bar in self.bars)])

    def _line(self, bar: Bar, axis: Axis, label: int, note: int) -> Content:
        parts: list[str | tuple[str, str]] = [(" " + fit(clean(bar.label), label), "$foreground-muted")]
        for (kind, status), run in groupby(drawn(bar, axis)):
            glyph = {"span": self.glyphs.window, "hole": self.glyphs.hole}.get(kind, " ")
            text = glyph * len(list(run))
            parts.append((text, f"$text-{status}") if status else text)
        if note:
            parts.append(("  " + cut_end(clean(bar.note), note - 2, self.glyphs.cut), "$foreground-muted"))
        return Content.assemble(*parts)
