"""The panes of the browser: a title line, and what is below it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from litetui.jobs.job import Job, LogLine
from litetui.tui.glyphs import Glyphs
from litetui.tui.job_rows import JobSource, LogSource, summary
from litetui.tui.settings import Settings
from litetui.tui.sources import Cell, Source
from litetui.tui.widgets.bars import Line, Part, TabBar
from litetui.tui.widgets.replica_tree import ReplicaTree
from litetui.tui.widgets.stats import Stats
from litetui.tui.widgets.virtual_table import VirtualTable
from litetui.units import format_clock

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

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.tree_view

    def on_mount(self) -> None:
        self.title(("Generations", "bold"))


class DetailPane(Pane):
    """What the line of the tree is about: facts, tabs, a table, and the filter's field."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(2, "detail", id="detail-pane")
        self.stats = Stats(glyphs, id="stats")
        self.tab_bar = TabBar(id="tabs")
        self.table = VirtualTable(glyphs, id="table")
        self.row_note = Stats(glyphs, id="row-note")
        self.filter = FilterInput(id="filter")

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.stats
        yield self.tab_bar
        yield self.table
        yield self.row_note
        yield self.filter

    def on_mount(self) -> None:
        self.filter.display = False


class FilterInput(Input):
    """The field that a filter is typed into; enter keeps the filter, esc drops it."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, placeholder="filter: text, or !text for rows without it", compact=True)


class JobsPane(Pane):
    """Jobs: one line while nothing runs, rows while something does or the pane has the focus."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(3, "jobs", id="jobs-pane")
        self.settings = settings
        self.table = VirtualTable(settings.glyphs, id="jobs")
        self._rows: list[tuple[Cell, ...]] = []

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.table

    def on_mount(self) -> None:
        self.show([])

    def show(self, jobs: Sequence[Job]) -> None:
        """Show the jobs; rows and title follow, the height too."""
        unfinished = any(not job.state.ended for job in jobs)
        self.title(("Jobs  ", "bold"), *summary(jobs, self.settings.glyphs, self.settings.now_ns()))
        source = JobSource(jobs, self.settings.glyphs, self.settings.now_ns)
        shown = [self.table.source.key(n) for n in range(len(self.table.source))]
        if [source.key(n) for n in range(len(source))] != shown:
            new = len(source) > len(shown)
            self.table.show(source, same=len(shown) > 0)
            if unfinished and new:
                self.table.set_cursor(0)
        rows = [tuple(self.table.source.cells(row)) for row in range(len(self.table.source))]
        if rows != self._rows:  # this comes ten times a second
            self._rows = rows
            self.table.refresh()
        self.set_class(unfinished, "-running")
        self.styles.height = 1 if not unfinished and not self.has_focus_within else min(len(jobs), 6) + 2

    def job_of(self, jobs: Sequence[Job]) -> Job | None:
        """The job under the cursor."""
        key = self.table.key
        return next((job for job in jobs if job.id == key), None)


class LogPane(Pane):
    """The log: its last line while it is closed, rows while the pane has the focus."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(4, "log", id="log-pane")
        self.settings = settings
        self.lines: deque[LogLine] = deque(maxlen=LOG_KEPT)
        self.table = VirtualTable(settings.glyphs, id="log")

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.table

    def on_mount(self) -> None:
        self.add([])

    def add(self, lines: Sequence[LogLine]) -> None:
        """New lines; a cursor that stands on the last one stays on the last one."""
        self.lines.extend(lines)
        at_end = self.table.cursor >= len(self.table.source) - 1
        if lines or not len(self.table.source):
            source: Source = LogSource(self.lines, self.settings.now_ns)
            self.table.show(source, same=True)
            if at_end and len(source):
                self.table.set_cursor(len(source) - 1)
        shown = [line for line in self.lines if line.level != "debug"]
        if not shown:
            self.title(("Log  ", "bold"), ("nothing yet", "$foreground-muted"))
            return
        last = shown[-1]
        style = {"error": "$text-error", "warning": "$text-warning"}.get(last.level, "$foreground-muted")
        clock = format_clock(last.at_ns, self.settings.now_ns(), millis=False)
        self.title(("Log  ", "bold"), (f"{clock} {last.kind}: {last.text}", style))
