"""The panes of the browser: a title line, and what is below it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from litetui.tui.glyphs import Glyphs
from litetui.tui.widgets.bars import Line, Part, TabBar
from litetui.tui.widgets.replica_tree import ReplicaTree
from litetui.tui.widgets.stats import Stats
from litetui.tui.widgets.timeline import TimelineView
from litetui.tui.widgets.virtual_table import VirtualTable

LOG_KEPT = 5_000


class Pane(Vertical):
    """A title line with the pane's number, and widgets below it."""

    def __init__(self, number: int, name: str, *, id: str) -> None:
        super().__init__(id=id)
        self.number = number
        self.pane_name = name
        self.title_line = Line(classes="pane-title")

    def title(self, *parts: Part) -> None:
        self.title_line.say((f" {self.number} ", "$foreground-muted"), *parts)


class TreePane(Pane):
    """The tree of generations."""

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


class DetailPane(Pane):
    """What the line of the tree is about: facts, the timeline, tabs, a table, and the filter's field."""

    def __init__(self, glyphs: Glyphs, timeline: TimelineView) -> None:
        super().__init__(2, "detail", id="detail-pane")
        self.timeline = timeline
        self.stats = Stats(glyphs, id="stats")
        self.tab_bar = TabBar(id="tabs")
        self.table = VirtualTable(glyphs, id="table", marks_new=True)
        self.row_note = Stats(glyphs, id="row-note")
        self.filter = FilterInput(id="filter")

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.stats
        yield self.timeline
        yield self.tab_bar
        yield self.table
        yield self.row_note
        yield self.filter

    def on_mount(self) -> None:
        self.filter.display = False


class FilterInput(Input):
    """The field that a filter is typed into; enter keeps the filter, esc drops it."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, placeholder="filter: words, or !words for rows without them", compact=True)
