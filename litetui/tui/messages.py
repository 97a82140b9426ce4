"""Every message that does not belong to one widget: jobs, log lines, answers of loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from litetui.jobs.job import Job, LogLine
from litetui.jobs.runner import Load

if TYPE_CHECKING:
    from litetui.tui.sight import Sight


class JobChanged(Message, bubble=False):
    """A job is in another state. May come from any thread."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job


class JobsMoved(Message, bubble=False):
    """Progress of the jobs that run, ten times a second while any does."""


class LogLines(Message, bubble=False):
    """New lines of any jobs' logs, in one batch."""

    def __init__(self, lines: list[LogLine]) -> None:
        super().__init__()
        self.lines = lines


class LoadAnswered(Message):
    """A load has a result or an error. Comes from the load's thread."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        self.load = load


class Glanced(Message):
    """The names of a big replica that is being opened. Comes from the load's thread."""

    def __init__(self, path: str, sight: Sight) -> None:
        super().__init__()
        self.path = path
        self.sight = sight


class Stopped(Message):
    """A signal asked litetui to end."""

    def __init__(self, signal: int) -> None:
        super().__init__()
        self.signal = signal
