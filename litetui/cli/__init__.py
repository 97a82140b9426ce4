"""The command line: words in, operations called, tables or JSON out. Imports the terminal UI only to open it.

The modules of the commands are imported when a command is looked for, numpy and the codecs by the commands that need
them: `litetui REPLICA` and `--help` stay fast.
"""

from litetui.cli.main import cli, run

__all__ = ["cli", "run"]
