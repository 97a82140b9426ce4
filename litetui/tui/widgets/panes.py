"""The panes of the browser: a title line, and what is below it."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from litetui.tui.glyphs import Glyphs
from litetui.tui.widgets.bars import Line, Part, TabBar
from litetui.tui.widgets.replica_tree import ReplicaTree
from litetui.tui.widgets.stats import Stats
from litetui.tui.widgets.timeline import TimelineView
from litetui.tui.widgets.virtual_table import VirtualTable


class Pane(Vertical):
    """A title line with the pane's number, widgets below it, and the filter's field as long as it is wanted."""

    _field: FilterInput | None = None
    filter_words = "filter: words, or !words for rows without them"

    def __init__(self, number: int, name: str, *, id: str) -> None:
        super().__init__(id=id)
        self.number = number
        self.pane_name = name
        self.title_line = Line(classes="pane-title")

    def title(self, *parts: Part) -> None:
        self.title_line.say((f" {self.number} ", "$foreground-muted"), *parts)

    def open_filter(self, text: str, then: Callable[[], object] | None = None) -> None:
        """Show the field that the filter is typed into, with this text in it. `then`: called once it has the focus,
        which it is given only if somebody wants to know."""
        if self._field is None:
            self._field = FilterInput(text, self.filter_words, then, id=f"{self.pane_name}-filter")
            self.mount(self._field)
            return
        self._field.value, self._field.display = text, True
        self._field.take_focus(then)

    @property
    def filter(self) -> FilterInput | None:
        """The field, while it is open."""
        return self._field if self._field is not None and self._field.display else None

    def close_filter(self) -> None:
        """Hidden, not removed: that would take its time, and it may be wanted again at once."""
        if self._field is not None:
            self._field.value, self._field.display = "", False


class TreePane(Pane):
    """The tree of generations."""

    filter_words = "filter: an index, a TXID, a generation"

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(1, "tree", id="tree-pane")
        self.tree_view = ReplicaTree(glyphs, id="tree")
        self.attention = Stats(glyphs, id="tree-attention")  # where there is no room for the details beside the tree

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.tree_view
        yield self.attention

    def on_mount(self) -> None:
        self.title(("Generations", "bold"))

    @on(ReplicaTree.FilterEnded)
    def clear_filter(self) -> None:
        """All lines again."""
        self.close_filter()
        self._filter()

    @on(Input.Changed, "#tree-filter")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.tree_view.call_later(self._filter)  # what the tree says while this pane is at work ends here

    def _filter(self) -> None:
        text = self.filter.value if self.filter is not None else ""
        if text != self.tree_view.filter_text:
            self.tree_view.filter(text)

    @on(Input.Submitted, "#tree-filter")
    def _kept(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value:
            self.clear_filter()
        self.tree_view.focus()


class DetailPane(Pane):
    """What the line of the tree is about: facts, the timeline, tabs, and a table."""

    def __init__(self, glyphs: Glyphs, timeline: TimelineView) -> None:
        super().__init__(2, "detail", id="detail-pane")
        self.timeline = timeline
        self.stats = Stats(glyphs, id="stats")
        self.tab_bar = TabBar(id="tabs")
        self.table = VirtualTable(glyphs, id="table", marks_new=True)
        self.row_note = Stats(glyphs, id="row-note")

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.stats
        yield self.timeline
        yield self.tab_bar
        yield self.table
        yield self.row_note


class FilterInput(Input):
    """The field that a filter is typed into; enter keeps the filter, esc drops it."""

    def __init__(self, text: str, words: str, then: Callable[[], object] | None, *, id: str) -> None:
        super().__init__(text, words, id=id, compact=True)
        self._then = then

    def on_mount(self) -> None:
        self.take_focus(self._then)

    def take_focus(self, then: Callable[[], object] | None) -> None:
        if then is not None:
            self.screen.set_focus(self)
            self.call_later(then)
