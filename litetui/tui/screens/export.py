"""Write a table to a file, as CSV or JSON: rows as they are shown, sorted and filtered."""

from __future__ import annotations

import csv
import json
import os
import re

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Input

from litetui.errors import OutputError
from litetui.jobs.job import Job
from litetui.jobs.progress import CancelToken, Reporter
from litetui.tui.screens.dialog import Dialog, field, plain
from litetui.tui.sources import Source


class ExportDialog(Dialog[None]):
    """Asks for the file; its ending decides the form. The writing is a job."""

    box_id = "export-dialog"
    keys_line = "enter writes; esc closes"

    def __init__(self, source: Source, title: str) -> None:
        super().__init__()
        self.source = source
        self.name_of_table = re.sub(r"[^0-9a-zA-Z]+", "-", title).strip("-").lower() or "table"

    @property
    def title_text(self) -> str:
        return f"Export {len(self.source)} rows"

    def body(self) -> ComposeResult:
        yield plain("The ending decides the form: .csv or .json. An existing file is never overwritten.")
        yield plain("")
        yield field("Into", Input(f"{self.name_of_table}.csv", id="path", compact=True))
        with Horizontal(classes="buttons"):
            yield Button("Write", id="write", compact=True, variant="primary")

    def on_mount(self) -> None:
        self.query_one("#path").focus()

    @on(Input.Submitted)
    @on(Button.Pressed)
    def _write(self) -> None:
        path = os.path.abspath(self.query_one("#path", Input).value.strip() or f"{self.name_of_table}.csv")
        source = self.source

        def work(report: Reporter, cancel: CancelToken) -> int:
            return write_table(source, path, report, cancel)

        self.app.submit(Job("export", work, title=f"{len(source)} rows into {path}", target=path, output=path))
        self.dismiss(None)


def write_table(source: Source, path: str, report: Reporter, cancel: CancelToken) -> int:
    """Write all rows; the number written. Raises OutputError, and leaves nothing behind then."""
    names = [column.title or "state" for column in source.columns]
    as_json = path.endswith(".json")
    report.phase("write", len(source), "rows")
    try:
        with open(path, "x", encoding="utf-8", errors="surrogateescape", newline="") as file:
            try:
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
            except BaseException:
                os.unlink(path)
                raise
    except FileExistsError:
        raise OutputError("export", "it exists already", path=path, hint="choose another name") from None
    except OSError as error:
        raise OutputError("export", error.strerror or str(error), path=path) from None
    return len(source)
