"""Leaving while jobs run: wait for them, cancel them, or stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from litetui.jobs.job import Job
from litetui.tui.messages import JobChanged, JobsMoved
from litetui.tui.screens.dialog import Dialog
from litetui.tui.textutil import clean
from litetui.tui.work.job_rows import job_status, progress_text, state_glyph
from litetui.tui.work.replication import ReplicateJob
from litetui.tui.work.report import so_far

Answer = Literal["wait", "cancel", "stay"]


class QuitDialog(Dialog[Answer]):
    """The question; `stay` has the focus, as nothing is lost by it. Jobs that end meanwhile stay in the list."""

    box_id = "quit-dialog"
    keys_line = "enter: the filled button; tab: next; esc: stay"

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__()
        self.jobs = list(jobs)

    @property
    def unfinished(self) -> list[Job]:
        return [job for job in self.jobs if not job.state.ended]

    @property
    def title_text(self) -> str:
        count = len(self.unfinished)
        if not count:
            return "All jobs have ended"
        return "A job runs" if count == 1 else f"{count} jobs run"

    def body(self) -> ComposeResult:
        with VerticalScroll(classes="scroll"):
            yield Static(id="quit-jobs")
        with Horizontal(classes="buttons"):
            yield Button("Stay", id="stay", compact=True, variant="primary")
            yield Button("Wait, then quit", id="wait", compact=True)
            yield Button("Cancel and quit", id="cancel", compact=True)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).can_focus = False
        self.show()
        self.query_one("#stay").focus()

    @on(JobChanged)
    @on(JobsMoved)
    def show(self) -> None:
        """The jobs as they are now: one may end, or begin, while the question stands."""
        if self.closing:
            return
        self.jobs += [job for job in self.app.runner.unfinished if job not in self.jobs]
        unfinished = self.unfinished
        lasting = [job for job in unfinished if isinstance(job, ReplicateJob)]
        lines: list[Content] = []
        for job in self.jobs:
            lines += self._lines(job)
        self.query_one("#quit-jobs", Static).update(Content("\n").join(lines))
        self.query_one(f"#{self.box_id}").border_title = Content(self.title_text)
        self.query_one("#wait", Button).display = len(lasting) < len(unfinished)
        go = "Stop and quit" if len(lasting) == len(unfinished) else "Cancel and quit"
        self.query_one("#cancel", Button).label = Content(go if unfinished else "Quit")

    def _lines(self, job: Job) -> list[Content]:
        """A job, how far it is, and what its end would leave."""
        settings, status = self.app.settings, job_status(job)
        style = f"$text-{status}" if status else "$text-primary"
        lines = [
            Content.assemble(
                (f"{state_glyph(job, settings.glyphs)} ", style),
                (f"{job.kind} {job.id}", "bold"),
                f"  {clean(job.title)}",
            ),
            Content("  " + clean(progress_text(job, settings.glyphs, settings.now_ns()))),
        ]
        if not job.state.ended:
            word = "stopped" if isinstance(job, ReplicateJob) else "cancelled"
            lines.append(Content.styled(f"  {word} now: {clean(so_far(job))}", "$foreground-muted"))
        return lines

    @on(Button.Pressed)
    def _answered(self, event: Button.Pressed) -> None:
        answers: dict[str | None, Answer] = {"wait": "wait", "cancel": "cancel"}
        self.dismiss(answers.get(event.button.id, "stay"))

    def action_close(self) -> None:
        self.dismiss("stay")
