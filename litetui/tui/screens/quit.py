"""Leaving while jobs run: wait for them, cancel them, or stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button

from litetui.jobs.job import Job
from litetui.tui.screens.dialog import Dialog, plain

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
        return "A job runs" if len(self.jobs) == 1 else f"{len(self.jobs)} jobs run"

    def body(self) -> ComposeResult:
        for job in self.jobs[:8]:
            yield plain(f"{job.state.value}: {job.title}")
        if len(self.jobs) > 8:
            yield plain(f"and {len(self.jobs) - 8} more")
        yield plain("A cancelled restore leaves nothing behind.", classes="hint")
        with Horizontal(classes="buttons"):
            yield Button("Stay", id="stay", compact=True, variant="primary")
            yield Button("Wait, then quit", id="wait", compact=True)
            yield Button("Cancel and quit", id="cancel", compact=True)

    def on_mount(self) -> None:
        self.query_one("#stay").focus()

    @on(Button.Pressed)
    def _answered(self, event: Button.Pressed) -> None:
        answers: dict[str | None, Answer] = {"wait": "wait", "cancel": "cancel"}
        self.dismiss(answers.get(event.button.id, "stay"))

    def action_close(self) -> None:
        self.dismiss("stay")
