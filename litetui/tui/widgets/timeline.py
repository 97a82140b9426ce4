"""The timeline: a picture of what restores, over time, and a cursor on it that is a restore point.

Three lines (ticks, bar, histogram), and with the focus, or where there is room, two more that say what stands at the
cursor. Draws what timeline/picture.py makes; what a restore there reads is told by its owner, who plans it in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from litetui.tui import keys
from litetui.tui.settings import Settings
from litetui.tui.textutil import clean, cut_end
from litetui.units import offset_ns

if TYPE_CHECKING:
    from litetui.tui.cards import Note
    from litetui.tui.timeline.model import Timeline
    from litetui.tui.timeline.picture import Picture, Range
    from litetui.tui.timeline.points import Spot

LOW, HIGH = 3, 5  # rows of the picture, and with the cursor's text
ROOMY_HEIGHT = 40  # rows of the terminal from which on the text is always there
MARGIN = 21  # cells to the right of the picture: "peak 999.9 MB/340 ms"
_STYLES = {"": "", "muted": "$foreground-muted", "strong": "bold"}


class TimelineView(Widget, can_focus=True):
    """Shows a `Timeline`; the cursor stays on its restore point when a newer state of it comes."""

    BINDINGS = [*keys.bindings("timeline")]  # noqa: RUF012
    DEFAULT_CSS = """
    TimelineView { height: auto; width: 1fr; margin: 0 0 0 1; text-wrap: nowrap; text-overflow: clip; }
    """

    class Moved(Message):
        """The cursor stands on another restore point, or the files around it have changed."""

    class Asked(Message):
        """An action of the table was asked for here."""

        def __init__(self, action_id: str) -> None:
            super().__init__()
            self.action_id = action_id

    def __init__(self, settings: Settings, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.settings = settings
        self.glyphs = settings.glyphs
        self.timeline: Timeline | None = None
        self.cursor = -1
        self.shown: Range | None = None  # None: all of it
        self.way: tuple[Note, ...] = ()
        self._room = False
        self._drawn: tuple[object, Picture] | None = None

    # what is shown

    def show(self, timeline: Timeline | None, *, same: bool = False, point: int | None = None) -> None:
        """Show a timeline; `same`: a newer state of the one before, so that the cursor and the stretch stay. `point`:
        where to put the cursor; else it begins at the newest."""
        was, way = self.here, self.way
        kept: int | None = None
        if same and timeline is not None and self.timeline is not None and 0 <= self.cursor < len(self.timeline) - 1:
            from litetui.tui.timeline.points import find

            x = int(self.timeline.x[self.cursor])
            kept = find(timeline, was) if was is not None else None
            kept = timeline.near(x) if kept is None and timeline.by_order == self.timeline.by_order else kept
        if not same:
            self.shown = None
        self.timeline = timeline
        self._drawn = None
        newest = len(timeline) - 1 if timeline is not None else -1
        self._put(point if point is not None else kept if kept is not None else newest)
        if same and was is not None and was == self.here:
            self.way = way  # until it is planned anew

    def put(self, point: int) -> None:
        """Move the cursor to a restore point."""
        if point != self.cursor:
            self._put(point)

    def _put(self, point: int) -> None:
        self.cursor = point
        self.way = ()
        if self.timeline is not None and self.shown is not None and point >= 0:
            from litetui.tui.timeline.picture import following

            self.shown = following(self.shown, self._full(self.timeline), int(self.timeline.x[point]))
        self.post_message(self.Moved())
        self.refresh(layout=True)

    def tell_way(self, words: Sequence[Note]) -> None:
        """What a restore to the cursor takes and reads."""
        self.way = tuple(words)
        self.refresh()

    @property
    def here(self) -> Spot | None:
        """What the cursor stands on."""
        if self.timeline is None or self.cursor < 0:
            return None
        from litetui.tui.timeline.points import spot

        return spot(self.timeline, self.cursor)

    @property
    def roomy(self) -> bool:
        """Whether the cursor's text is in sight."""
        return self.has_focus or self._room or self.app.size.height >= ROOMY_HEIGHT

    def take_room(self, room: bool) -> None:
        """`room`: there is room for the cursor's text."""
        if room != self._room:
            self._room = room
            self.refresh(layout=True)

    def _full(self, timeline: Timeline, now: int | None = None) -> Range:
        from litetui.tui.timeline.picture import whole

        return whole(timeline, self.settings.now_ns() if now is None else now)

    # keys

    def action_do(self, action_id: str) -> None:
        self.post_message(self.Asked(action_id))

    def action_point_before(self) -> None:
        self._step(-1)

    def action_point_after(self) -> None:
        self._step(1)

    def _step(self, step: int) -> None:
        if self.timeline is not None and self.cursor >= 0:
            self.put(max(0, min(self.cursor + step, len(self.timeline) - 1)))

    def action_landmark_before(self) -> None:
        self._landmark(-1)

    def action_landmark_after(self) -> None:
        self._landmark(1)

    def _landmark(self, step: int) -> None:
        if self.timeline is not None and self.cursor >= 0:
            self.put(self.timeline.landmark(self.cursor, step))

    def action_point_first(self) -> None:
        self._step(-(self.cursor + 1))

    def action_point_last(self) -> None:
        if self.timeline is not None:
            self._step(len(self.timeline))

    def action_zoom_in(self) -> None:
        self._zoom(0.5)

    def action_zoom_out(self) -> None:
        self._zoom(2.0)

    def _zoom(self, factor: float) -> None:
        from litetui.tui.timeline.picture import following, zoomed

        if self.timeline is None or self.cursor < 0:
            return
        full, at = self._full(self.timeline), int(self.timeline.x[self.cursor])
        new = zoomed(self.shown or full, full, at, factor, self._width, self.timeline.by_order)
        self.shown = None if new[1] - new[0] >= full[1] - full[0] else following(new, full, at)
        self.refresh()

    # the mouse

    def on_click(self, event: events.Click) -> None:
        if self.timeline is None or not self.cursor >= 0 or event.x >= self._width:
            return
        start, end = self.shown or self._full(self.timeline)
        cell = [start + n * (end - start) // self._width for n in (event.x, event.x + 1)]
        self.put(self.timeline.within(*cell))
        if event.chain > 1:
            self.post_message(self.Asked("timeline_restore"))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._zoom(0.5)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._zoom(2.0)

    # drawing

    def on_focus(self) -> None:
        self.refresh(layout=True)

    def on_blur(self) -> None:
        self.refresh(layout=True)

    @property
    def _width(self) -> int:
        return max(10, self.size.width - MARGIN)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return HIGH if self.roomy else LOW

    def render(self) -> Content:
        timeline = self.timeline
        if timeline is None:
            return Content("")
        now = self.settings.now_ns()
        picture = self._picture(timeline, now)
        lines = [
            Content.assemble((picture.ticks, "$foreground-muted"), (self._aside(timeline, now), "$foreground-muted")),
            self._bar(picture, timeline),
            Content.assemble(
                "".join(self.glyphs.levels[level] for level in picture.levels),
                (f" {picture.peak}", "$foreground-muted"),
            ),
        ]
        if self.roomy:
            lines += self._text(timeline, now)
        return Content("\n").join(lines)

    def _picture(self, timeline: Timeline, now: int) -> Picture:
        from litetui.tui.timeline.picture import draw

        shown = self.shown or self._full(timeline, now)
        made_of = (id(timeline), shown, self._width, self.cursor, offset_ns(shown[0]))
        if self._drawn is None or self._drawn[0] != made_of:
            self._drawn = (made_of, draw(timeline, shown, self._width, self.cursor))
        return self._drawn[1]

    def _aside(self, timeline: Timeline, now: int) -> str:
        """Beside the ticks: where the axis ends, or that it is none of time."""
        if timeline.by_order:
            return " by order, not time"
        end = self._full(timeline, now)[1]
        return " now" if end == now and (self.shown is None or self.shown[1] >= timeline.end) else ""

    def _bar(self, picture: Picture, timeline: Timeline) -> Content:
        texts: list[tuple[str, str]] = [
            (getattr(self.glyphs, kind) if kind else " ", f"$text-{status}" if status else "")
            for kind, status in picture.cells
        ]
        for at, words in picture.labels:
            for n, letter in enumerate(words):
                texts[at + n] = (letter, texts[at + n][1])
        if picture.cursor >= 0:
            strong = "bold reverse $text-primary" if self.has_focus else "bold reverse"
            texts[picture.cursor] = (self.glyphs.here, strong)
        parts: list[str | tuple[str, str]] = []
        for style, run in groupby(texts, key=lambda one: one[1]):
            text = "".join(letter for letter, _ in run)
            parts.append((text, style) if style else text)
        newest = self.glyphs.active if any(track.newest for track in timeline.tracks) and self._at_end else " "
        parts.append((newest + self._zoom_words(timeline), "$foreground-muted"))
        return Content.assemble(*parts)

    @property
    def _at_end(self) -> bool:
        return self.timeline is not None and (self.shown is None or self.shown[1] >= self.timeline.end)

    def _zoom_words(self, timeline: Timeline) -> str:
        if self.shown is None:
            return ""
        full = self._full(timeline)
        times = (full[1] - full[0]) / max(1, self.shown[1] - self.shown[0])
        return f" zoom {times:.0f}:1" if times >= 1.5 else ""

    def _text(self, timeline: Timeline, now: int) -> list[Content]:
        """What stands at the cursor, in its two lines."""
        from litetui.tui.timeline.points import beside_words, evidence_words, nothing_words, point_words

        width = self.size.width - 1
        if self.cursor < 0:
            return [_line([nothing_words(timeline)], width, self.glyphs.cut), Content("")]
        first = point_words(timeline, self.cursor, now)
        evidence = evidence_words(timeline, self.cursor, now)
        beside = beside_words(timeline, self.cursor)
        way = self.way or (("planning the way there", "muted"),)
        second = [*([beside] if beside is not None else []), evidence, *way]
        if not evidence[1]:  # the headline says so already
            second.append(second.pop(-1 - len(way)))
        return [_line(first, width, self.glyphs.cut), _line(second, width, self.glyphs.cut)]


def _line(notes: Sequence[Note], width: int, cut: str) -> Content:
    """Notes beside each other in one line, cut at its end; it never wraps."""
    parts: list[str | tuple[str, str]] = []
    left = width
    for text, status in notes:
        if left <= 2 or not text:
            continue
        text = cut_end(clean(text), left, cut)
        style = _STYLES.get(status, f"$text-{status}")
        parts += [(text, style) if style else text, "  "]
        left -= cell_len(text) + 2
    return Content.assemble(*parts)
