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
from textual.containers import Horizontal
from textual.widgets import Button, Input

from litetui.errors import OutputError
from litetui.jobs.job import Job
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.screens.dialog import Dialog, field, plain
from litetui.tui.sources import Source

if TYPE_CHECKING:
    from litetui.ops.verdict import Report


@dataclass(frozen=True, slots=True)
class Export:
    """What is written: its title, a word on forms, a name for the file, and how."""

    title: str
    words: str
    name: str
    write: Callable[[str, Reporter, CancelToken], object]


def table_export(source: Source, title: str) -> Export:
    """A table's rows, as they are shown."""
    name = re.sub(r"[^0-9a-zA-Z]+", "-", title).strip("-").lower() or "table"
    return Export(
        f"{len(source)} rows",
        "The ending decides the form: .csv or .json.",
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


class ExportDialog(Dialog[None]):
    """Asks for the file; its ending decides the form. The writing is a job."""

    box_id = "export-dialog"
    keys_line = "enter writes; esc closes"

    def __init__(self, export: Export) -> None:
        super().__init__()
        self.export = export

    @property
    def title_text(self) -> str:
        return f"Export {self.export.title}"

    def body(self) -> ComposeResult:
        yield plain(f"{self.export.words} An existing file is never overwritten.", classes="wrapped")
        yield plain("")
        yield field("Into", Input(self.export.name, id="path", compact=True))
        with Horizontal(classes="buttons"):
            yield Button("Write", id="write", compact=True, variant="primary")

    def on_mount(self) -> None:
        self.query_one("#path").focus()

    @on(Input.Submitted)
    @on(Button.Pressed)
    def _write(self) -> None:
        path = os.path.abspath(os.path.expanduser(self.query_one("#path", Input).value.strip() or self.export.name))
        write = self.export.write

        def work(report: Reporter, cancel: CancelToken) -> object:
            return write(path, report, cancel)

        self.app.submit(Job("export", work, title=f"{self.export.title} into {path}", target=path, output=path))
        self.dismiss(None)


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
            except BaseException:
                os.unlink(path)
                raise
    except FileExistsError:
        raise OutputError("export", "it exists already", path=path, hint="choose another name") from None
    except OSError as error:
        raise OutputError("export", error.strerror or str(error), path=path) from None


def write_table(source: Source, path: str, report: Reporter, cancel: CancelToken) -> int:
    """Write all rows; the number written. Raises OutputError, and leaves nothing behind then."""
    names = [column.title or "state" for column in source.columns]
    as_json = path.endswith(".json")
    report.phase("write", len(source), "rows")
    with _new_file(path) as file:
        writer = csv.writer(file)
        if as_json:
            file.write("[")
        else:
            writer.writerow(names)
        for row in range(len(source)):
            if row % 1024 == 0:
                cancel.check()
                report.advance(row)
            cells = [cell if isinstance(cell, str) else cell[0] for cell in source.cells(row)]
            if as_json:
                file.write((",\n" if row else "\n") + json.dumps(dict(zip(names, cells, strict=True))))
            else:
                writer.writerow(cells)
        if as_json:
            file.write("\n]\n")
    return len(source)
