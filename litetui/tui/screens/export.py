"""Write to a file: a table's rows as they are shown, sorted and filtered, or the report of a validation."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TextIO

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Input

from litetui.errors import OutputError
from litetui.jobs.job import Job
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.preview import next_free
from litetui.tui.screens.dialog import Dialog, buttons, field, plain
from litetui.tui.tables.sources import Source
from litetui.tui.textutil import clean
from litetui.units import counted, utc_clocks

if TYPE_CHECKING:
    from litetui.ops.verdict import Report


@dataclass(frozen=True, slots=True)
class Export:
    """What is written: its title, a word on forms, a name for the file, how, and what that is called."""

    title: str
    words: str
    name: str
    write: Callable[[str, Reporter, CancelToken], object]
    verb: str = "Export"


def table_export(source: Source, title: str) -> Export:
    """A table's rows, as they are shown."""
    name = re.sub(r"[^0-9a-zA-Z]+", "-", title).strip("-").lower() or "table"
    return Export(
        counted(len(source), "row"),
        "The ending decides the form: .csv or .json. Times are UTC, sizes bytes.",
        f"{name}.csv",
        partial(write_table, source),
    )


def report_export(report: Report) -> Export:
    """The report of a validation, as the command line prints it."""
    return Export(
        "the report",
        "The ending decides the form: .json, or anything else for text.",
        "validation.json",
        partial(write_report, report),
    )


def text_export(name: str, text: str) -> Export:
    """A text that can be copied."""
    words = "What is written is the text and an end of line."
    return Export(f"the {name}", words, f"{name.lower()}.txt", partial(write_text, text), "Save")


class ExportDialog(Dialog[None]):
    """Asks for the file; its ending decides the form. The writing is a job."""

    box_id = "export-dialog"
    keys_line = "enter writes; esc closes"
    loads = ("export-path",)

    def __init__(self, export: Export) -> None:
        super().__init__()
        self.export = export
        self.note = plain(classes="under error-text")

    @property
    def title_text(self) -> str:
        return f"{self.export.verb} {self.export.title}"

    def body(self) -> ComposeResult:
        yield plain(f"{self.export.words} An existing file is never overwritten.", classes="wrapped")
        yield plain("")
        yield field("Into", Input(self.export.name, id="path", compact=True))
        yield self.note
        yield buttons(Button("Write", id="write", compact=True, variant="primary"))

    def on_mount(self) -> None:
        self.note.display = False
        self.query_one("#path").focus()
        self._look(self.export.name, self._proposed)

    def _look(self, typed: str, then: Callable[[Place], None]) -> None:
        """Look what stands at a path, in a thread: it may lie on a mount that hangs."""
        name = self.export.name
        self.app.bridge.load("export-path", lambda: place(typed, name), then, self.app.complain, path=typed)

    def _proposed(self, at: Place) -> None:
        field = self.query_one("#path", Input)
        if at.error == EXISTS and field.value == self.export.name:
            field.value = at.typed

    @on(Input.Submitted)
    @on(Button.Pressed, "#write")
    def _write(self) -> None:
        self._look(self.query_one("#path", Input).value.strip() or self.export.name, self._go)

    def _go(self, at: Place) -> None:
        if at.error:
            self.query_one("#path", Input).value = at.typed
            self.note.update(Content(at.error))
            self.note.display = True
            return
        write, path = self.export.write, at.path

        def work(report: Reporter, cancel: CancelToken) -> object:
            return write(path, report, cancel)

        self.app.submit(Job("export", work, title=f"{self.export.title} into {path}", target=path, output=path))
        self.dismiss(None)


EXISTS = "This file exists: the next free name stands there now, enter takes it."


@dataclass(frozen=True, slots=True)
class Place:
    """Where to write: the whole path, why that cannot be, and what stands in the field then."""

    path: str
    error: str
    typed: str


def place(typed: str, name: str) -> Place:
    """What stands at a path; a file of this name in it, where it is a folder. Blocks."""
    if os.path.isdir(os.path.expanduser(typed)):
        typed = os.path.join(typed, name)
    path = os.path.abspath(os.path.expanduser(typed))
    folder = os.path.dirname(path)
    error = ""
    if os.path.lexists(path):
        error, typed = EXISTS, next_free(os.path.expanduser(typed))
    elif not os.path.isdir(folder):
        error = f"There is no folder {clean(folder)}."
    elif not os.access(folder, os.W_OK | os.X_OK):
        error = f"The folder {clean(folder)} is not writable for you."
    return Place(path, error, typed)


def write_text(text: str, path: str, report: Reporter, cancel: CancelToken) -> None:
    """Write a text. Raises OutputError."""
    report.phase("write", 0, "")
    with _new_file(path) as file:
        file.write(text.rstrip("\n") + "\n")


def write_report(report: Report, path: str, reporter: Reporter, cancel: CancelToken) -> None:
    """Write a report as JSON or as text. Raises OutputError, and leaves nothing behind then."""
    from litetui.ops.verdict_text import as_json, as_text

    reporter.phase("write", 0, "")
    text = json.dumps(as_json(report), indent=2) if path.endswith(".json") else as_text(report)
    with _new_file(path) as file:
        file.write(text.rstrip("\n") + "\n")


@contextmanager
def _new_file(path: str) -> Iterator[TextIO]:
    """A new file, gone again where it could not be written to its end. Raises OutputError."""
    try:
        with open(path, "x", encoding="utf-8", errors="surrogateescape", newline="") as file:
            try:
                yield file
                file.flush()  # else a disk that is full would say so only when the file is closed
            except BaseException:
                os.unlink(path)
                raise
    except FileExistsError:
        raise OutputError("export", "it exists already", path=path, hint="choose another name") from None
    except OSError as error:
        raise OutputError("export", error.strerror or str(error), path=path) from None


def write_table(source: Source, path: str, report: Reporter, cancel: CancelToken) -> int:
    """Write all rows, one after the other; the number written. Raises OutputError, and leaves nothing behind then."""
    count = len(source)
    report.phase("write", count, "rows")
    with _new_file(path) as file, utc_clocks():
        lines = _json(source) if path.endswith(".json") else _csv(source, file)
        for row, line in enumerate(lines):
            if row % 1024 == 0:
                cancel.check()
                report.advance(row)
            file.write(line)
    return count


def _json(source: Source) -> Iterator[str]:
    for row in range(len(source)):
        yield ("[\n" if row == 0 else ",\n") + json.dumps(source.record(row))
    yield "\n]\n" if len(source) else "[]\n"


def _csv(source: Source, file: TextIO) -> Iterator[str]:
    """Rows; the file's own writer makes their text."""
    writer = csv.writer(file)
    for row in range(len(source)):
        record = source.record(row)
        if row == 0:
            writer.writerow(record)
        writer.writerow("" if value is None else value for value in record.values())
        yield ""
