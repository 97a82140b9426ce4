"""One session of the terminal UI, from the command line to the line for each job on the normal screen."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from litetui.tui.app import LitetuiApp
from litetui.tui.config import config_path, load
from litetui.tui.opening import DEMO
from litetui.tui.settings import Settings, locale_is_utf8, theme_of_terminal
from litetui.tui.signals import ending_on_signals


def run_app(
    path: str | None,
    *,
    readonly: bool = False,
    ascii: bool = False,
    demo: bool = False,
    database: str | None = None,
) -> int:
    """Run the terminal UI; afterwards one line a job on the normal screen. Returns the exit code.

    `demo` without a path: a live database and its replica, made for the occasion.
    """
    config = load(config_path())
    settings = Settings(
        readonly=readonly,
        ascii=ascii or config.ascii or not locale_is_utf8(os.environ),
        theme=config.theme or theme_of_terminal(os.environ),
        time_zone=config.time_zone,
        config_path=config.path,
        troubles=config.troubles,
    )
    app = LitetuiApp(DEMO if demo and path is None else path, settings, database)
    code: int | None = None
    with ending_on_signals(app):
        try:
            code = app.run()
        finally:
            app.runner.cancel_all()
            stuck = app.leaving.stuck or app.leaving.drain()
            with app.opening.demos, suppress(OSError):  # the terminal may be gone
                from litetui.tui.work.report import job_lines

                for line in job_lines(app.runner.jobs, stuck):
                    sys.stdout.write(line + "\n")
                sys.stdout.flush()
    return 1 if code is None else code
