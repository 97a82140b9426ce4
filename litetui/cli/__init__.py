"""The command line: words in, operations called, tables or JSON out. Imports the terminal UI only to open it.

numpy and the codecs are imported by the commands that need them, so that `--help` stays fast.
"""

from litetui.cli import check, live, look, restore, retention
from litetui.cli.main import cli, run

__all__ = ["check", "cli", "live", "look", "restore", "retention", "run"]
