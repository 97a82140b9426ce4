"""What a line of the tree is called elsewhere: in the breadcrumb, and on the command line."""

from __future__ import annotations

import re
import shlex

from litetui.tui.textutil import clean
from litetui.tui.tree_line import LTX_KINDS, Key

_REMEDY = re.compile(
    r"(?:^|: )((?:litetui (?:info|generations|snapshots|wal|ltx|frames|validate|restore|sync|snapshot|replicate)"
    r"|litestream (?:replicate|restore|sync)|sqlite3|cp|rm|chown|chmod) .+)"
)


def remedy(advice: str) -> str:
    """The command that an advice ends with, "" where it ends with none that can be pasted."""
    found = _REMEDY.search(advice)
    return "" if found is None or "…" in found[1] else found[1]


def crumb(root: str, key: Key) -> str:
    """The way from the replica, which is called `root`, to the line."""
    if key[0] in LTX_KINDS:
        from litetui.tui.ltx.view import ltx_crumb

        return " / ".join([root, *ltx_crumb(key)])
    last: list[str] = []
    if key[0] in ("index", "snapshot"):
        last = [f"{'WAL' if key[0] == 'index' else 'snapshot'} {int(key[2]):08x}"]
    elif key[0] in ("snapshots", "wals"):
        last = [str(key[0])]
    return " / ".join([root, *([str(key[1])] if len(key) > 1 else []), *last])


def command_for(path: str, key: Key) -> str:
    """The command line that shows what a line of the tree shows."""
    words = ["litetui"]
    place = clean(path)
    if key[0] in LTX_KINDS:
        words += ["ltx", place, "--level", str(key[1]) if len(key) > 1 else "all"]
    elif key[0] == "index":
        words += ["frames", place, "--generation", str(key[1]), "--index", f"{int(key[2]):08x}"]
    elif key[0] in ("snapshot", "snapshots"):
        words += ["snapshots", place, "--generation", str(key[1])]
    elif len(key) > 1:
        words += ["wal", place, "--generation", str(key[1])]
    else:
        words += ["generations", place]
    return shlex.join(words)
