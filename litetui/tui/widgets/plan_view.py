"""A plan as labels and texts, each text wrapped beside its label."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from litetui.tui.glyphs import Glyphs
from litetui.tui.textutil import clean, fit
from litetui.tui.widgets.stats import wrap
from litetui.tui.work.write_plan import Item

LABEL = 10


class PlanView(Widget):
    """The items of a plan, and the command that does the same."""

    DEFAULT_CSS = "PlanView { height: auto; width: 1fr; }"

    def __init__(self, items: Sequence[Item], command: str, glyphs: Glyphs) -> None:
        super().__init__()
        self.items = items
        self.command = command
        self.glyphs = glyphs

    def tell(self, items: Sequence[Item], command: str) -> None:
        """Show another plan."""
        self.items, self.command = tuple(items), command
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.size.width))

    def _lines(self, width: int) -> list[Content]:
        lines: list[Content] = []
        mark = f"{self.glyphs.mark} "
        for item in self.items:
            label = fit(item.label, LABEL)
            for text in wrap(clean(item.text), max(10, width - len(mark) - LABEL)):
                words = (text, f"$text-{item.status}") if item.status else text
                lines.append(Content.assemble((mark, "$text-primary"), (label, "$foreground-muted"), words))
                label = " " * LABEL
        if not self.command:
            return lines
        lines.append(Content(""))
        command = wrap(f"$ {clean(self.command)}", max(10, width))
        return lines + [Content.styled(line, "$foreground-muted") for line in command]
