"""The panes of the jobs and of the log: one line each, rows where there is something to see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from litetui.jobs.job import Job, LogLine
from litetui.tui.settings import Settings
from litetui.tui.tables.sources import Cell
from litetui.tui.widgets.bars import Line, Part
from litetui.tui.widgets.panes import Pane
from litetui.tui.widgets.row_view import RowView
from litetui.tui.widgets.stats import Stats
from litetui.tui.widgets.virtual_table import VirtualTable
from litetui.tui.work.job_rows import JobSource, summary
from litetui.tui.work.log_book import LogBook, LogSource, Wanted
from litetui.tui.work.replication import ReplicateJob
from litetui.units import format_clock

ROWS = 6
LOG_EMPTY = "no log lines yet: jobs write them; r restores, v validates"


class JobsPane(Pane):
    """Jobs: one line while nothing runs, rows while something does or the pane has the focus."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(3, "jobs", id="jobs-pane")
        self.settings = settings
        self.table = VirtualTable(settings.glyphs, id="jobs")
        self.command = Line(id="job-command")
        self.chosen = False  # it is the pane that has the focus, or is about to get it
        self.low = False  # the screen is: only the focus opens the pane
        self.whole = False  # it has the whole screen
        self._rows: list[tuple[Cell, ...]] = []
        self._height = ""

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.table
        yield self.command

    def on_mount(self) -> None:
        self.show([])

    def show(self, jobs: Sequence[Job]) -> None:
        """Show the jobs; rows and title follow, the height too."""
        unfinished = any(not job.state.ended and not _goes_well(job) for job in jobs)
        self.title(("Jobs  ", "bold"), *summary(jobs, self.settings.glyphs, self.settings.now_ns()))
        source = JobSource(jobs, self.settings.glyphs, self.settings.now_ns)
        shown = [self.table.source.key(n) for n in range(len(self.table.source))]
        if [source.key(n) for n in range(len(source))] != shown:
            # The cursor goes to a job that has come, and then with it: what ends moves down.
            key = source.last if len(source) > len(shown) else self.table.key
            self.table.show(source, same=len(shown) > 0)
            self.table.set_cursor(source.find(key) or 0)
        rows = [tuple(self.table.source.cells(row)) for row in range(len(self.table.source))]
        if rows != self._rows:  # this comes ten times a second
            self._rows = rows
            self.table.refresh()
        opened = self.chosen or (unfinished and not self.low)
        self.set_class(opened, "-open")
        job = self.job_of(jobs)
        self.command.display = self.chosen and job is not None and bool(job.command)
        self.command.say((f"  $ {job.command}" if job is not None else "", "$foreground-muted"))
        height = str(min(len(jobs), ROWS) + 2 + self.command.display) if opened else "1"
        height = "1fr" if self.whole else height
        if height != self._height:
            self._height = height
            self.styles.height = height

    def job_of(self, jobs: Sequence[Job]) -> Job | None:
        """The job under the cursor."""
        key = self.table.key
        return next((job for job in jobs if job.id == key), None)

    @on(RowView.Highlighted)
    def _moved(self) -> None:
        source = self.table.source
        self.show(sorted(source.jobs, key=lambda job: job.id) if isinstance(source, JobSource) else [])


def _goes_well(job: Job) -> bool:
    """A replication that goes its way: the line of all jobs has room for what it has to say."""
    return isinstance(job, ReplicateJob) and job.steady and job.trouble is None


class LogPane(Pane):
    """The log: its last line while it is closed; rows, and the whole of the line under the cursor, while it has the
    focus. The cursor follows as long as it stands on the last line."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(4, "log", id="log-pane")
        self.settings = settings
        self.book = LogBook()
        self.table = VirtualTable(settings.glyphs, id="log")
        self.note = Stats(settings.glyphs, id="log-note")

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.table
        yield self.note

    def on_mount(self) -> None:
        self._show()

    def add(self, lines: Sequence[LogLine]) -> None:
        """New lines."""
        if lines:
            self.book.add(lines)
            self._show()

    @property
    def lines(self) -> Sequence[LogLine]:
        """All lines that are kept, whatever is shown of them."""
        return self.book.lines

    @property
    def line(self) -> LogLine | None:
        """The line under the cursor."""
        source = self.table.source
        return source.lines[self.table.cursor] if isinstance(source, LogSource) and len(source) else None

    @property
    def filtered(self) -> bool:
        return self.book.wanted != Wanted() or self.filter is not None

    def want(self, wanted: Wanted) -> None:
        """Show other lines; the cursor stays on its line where that is one of them."""
        self.book.want(wanted)
        self._show()

    def next_level(self) -> None:
        self.book.next_level()
        self._show()

    def one_job(self) -> None:
        """Only the lines of the job under the cursor, or of all again."""
        line = self.line
        job = line.job_id if line is not None and not self.book.wanted.job else 0
        self.want(replace(self.book.wanted, job=job))

    def clear(self) -> None:
        """All lines again."""
        self.close_filter()
        self.want(Wanted())

    @on(Input.Changed, "#log-filter")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.input is self.filter and event.value != self.book.wanted.text:
            self.want(replace(self.book.wanted, text=event.value))

    @on(Input.Submitted, "#log-filter")
    def _kept(self, event: Input.Submitted) -> None:
        event.stop()
        if not self.book.wanted.text:
            self.close_filter()
        self.table.focus()

    def _show(self) -> None:
        at_end = self.table.cursor >= len(self.table.source) - 1
        words = "no line is like that\nesc shows all again" if self.book.lines else LOG_EMPTY
        source = LogSource(self.book.shown, self.settings.now_ns, words)
        self.table.show(source, same=True)
        if at_end and len(source):
            self.table.set_cursor(len(source) - 1)
        self.tell()

    @on(RowView.Highlighted)
    def tell(self) -> None:
        """The title, and the whole of a line that a row is too short for."""
        line, last = self.line, self.book.last
        room = self.size.width - 40
        long = line is not None and len(line.text) > room
        self.note.tell([], [(line.text, "")] if line is not None and long else [])
        self.note.set_class(long, "-wanted")
        if self.has_focus_within:
            self.title(("Log  ", "bold"), *self._state())
        elif last is None:
            self.title(("Log  ", "bold"), ("nothing yet", "$foreground-muted"))
        else:
            style = {"error": "$text-error", "warning": "$text-warning"}.get(last.level, "$foreground-muted")
            clock = format_clock(last.at_ns, self.settings.now_ns(), millis=False)
            self.title(("Log  ", "bold"), (f"{clock} {last.kind}: {last.text}", style))

    def _state(self) -> list[Part]:
        """What of it is shown, and whether it follows."""
        shown, there, wanted = len(self.book.shown), len(self.book.lines), self.book.wanted
        count = f"{there} line{'s' if there != 1 else ''}" if shown == there else f"{shown} of {there} lines"
        parts: list[Part] = [(count, "$foreground-muted")]
        if wanted.words:
            parts.append((f"  {wanted.words}", "$text-warning"))
        behind = len(self.table.source) - 1 - self.table.cursor
        parts.append(("  follows" if behind <= 0 else f"  {behind} newer below, G follows", "$foreground-muted"))
        return parts
