"""Leaving while jobs run: wait for them, cancel them, or stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Static

from litetui.jobs.job import Job
from litetui.tui.messages import JobChanged
from litetui.tui.replication import ReplicateJob
from litetui.tui.screens.dialog import Dialog
from litetui.tui.textutil import clean

Answer = Literal["wait", "cancel", "stay"]


class QuitDialog(Dialog[Answer]):
    """The question; `stay` has the focus, as nothing is lost by it."""

    box_id = "quit-dialog"
    keys_line = "esc stays"

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__()
        self.jobs = jobs

    @property
    def title_text(self) -> str:
        if not self.jobs:
            return "All jobs have ended"
        return "A job runs" if len(self.jobs) == 1 else f"{len(self.jobs)} jobs run"

    def body(self) -> ComposeResult:
        yield Static(id="quit-jobs")
        with Horizontal(classes="buttons"):
            yield Button("Stay", id="stay", compact=True, variant="primary")
            yield Button("Wait, then quit", id="wait", compact=True)
            yield Button("Cancel and quit", id="cancel", compact=True)

    def on_mount(self) -> None:
        self.show()
        self.query_one("#stay").focus()

    @on(JobChanged)
    def show(self) -> None:
        """The jobs as they are now: one may end while the question stands."""
        self.jobs = self.app.runner.unfinished
        lasting = [job for job in self.jobs if isinstance(job, ReplicateJob)]
        lines = [f"{job.state.value}: {job.kind} {job.title}" for job in self.jobs[:8]]
        if len(self.jobs) > 8:
            lines.append(f"and {len(self.jobs) - 8} more")
        parts: list[Content | str | tuple[str, str]] = ["\n".join(map(clean, lines))] if lines else []
        hints = ["A replication ends after a last sync."] if lasting else []
        if len(lasting) < len(self.jobs):
            hints.append("A cancelled restore leaves nothing behind.")
        if hints:
            parts += ["\n", (" ".join(hints), "$foreground-muted")]
        self.query_one("#quit-jobs", Static).update(Content.assemble(*parts) if parts else "Nothing runs any more.")
        self.query_one("#quit-dialog").border_title = Content(self.title_text)
        self.query_one("#wait", Button).display = len(lasting) < len(self.jobs)
        go = "Stop and quit" if len(lasting) == len(self.jobs) else "Cancel and quit"
        self.query_one("#cancel", Button).label = Content(go if self.jobs else "Quit")

    @on(Button.Pressed)
    def _answered(self, event: Button.Pressed) -> None:
        answers: dict[str | None, Answer] = {"wait": "wait", "cancel": "cancel"}
        self.dismiss(answers.get(event.button.id, "stay"))

    def action_close(self) -> None:
        self.dismiss("stay")
