"""What a line of the tree is called elsewhere: in the breadcrumb, and on the command line."""

from __future__ import annotations

import re
import shlex

from litetui.tui.textutil import clean
from litetui.tui.tree_line import GROUPS, LTX_KINDS, Key

_REMEDY = re.compile(
    r"(?:^|: )((?:litetui (?:info|generations|snapshots|wal|ltx|frames|validate|restore|sync|snapshot|replicate)"
    r"|litestream (?:replicate|restore|sync)|sqlite3|cp|rm|chown|chmod) .+)"
)
_STANDS_FOR = re.compile(r"'[^']*'|(?<!\S)(DB|REPLICA|URL|OUT)(?!\S)")  # no part of what is quoted


def remedy(advice: str, path: str, database: str | None) -> str:
    """The command that an advice ends with, filled in for the replica at `path` and the attached database; "" where it
    ends with none that can be pasted."""
    found = _REMEDY.search(advice)
    return "" if found is None or "…" in found[1] else filled(found[1], path, database)


def filled(command: str, path: str, database: str | None) -> str:
    """A command with what its bare words stand for: DB, REPLICA, and OUT, which becomes a name in the folder where it
    is pasted; "" where nothing is known that one of them stands for."""
    from litetui.tui.preview import restored_name

    known = {"DB": database, "REPLICA": path, "OUT": restored_name(path), "URL": None}
    if any(known[word] is None for word in _STANDS_FOR.findall(command) if word):
        return ""
    return _STANDS_FOR.sub(lambda found: shlex.quote(clean(known[found[1]] or "")) if found[1] else found[0], command)


def crumb(root: str, key: Key, name: str) -> str:
    """The way from the replica, which is called `root`, to the line, whose `name` says which group it is."""
    if key[0] in LTX_KINDS:
        from litetui.tui.ltx.view import ltx_crumb

        return " / ".join([root, *ltx_crumb(key)])
    last: list[str] = []
    if key[0] in ("index", "snapshot"):
        last = [f"{'WAL' if key[0] == 'index' else 'snapshot'} {int(key[2]):08x}"]
    elif key[0] in ("snapshots", "wals"):
        last = [str(key[0])]
    elif key[0] in GROUPS:
        last = ["snapshots" if key[2] == "snapshot" else "wals", name]
    return " / ".join([root, *([str(key[1])] if len(key) > 1 else []), *last])


def command_for(path: str, key: Key, *, ltx_alone: bool) -> str:
    """The command line that shows what a line of the tree shows. `ltx_alone`: the replica has LTX files only."""
    words = ["litetui"]
    place = clean(path)
    if key[0] in LTX_KINDS or (ltx_alone and len(key) == 1):
        words += ["ltx", place, "--level", str(key[1]) if len(key) > 1 else "all"]
    elif key[0] == "index":
        words += ["frames", place, "--generation", str(key[1]), "--index", f"{int(key[2]):08x}"]
    elif "snapshot" in (key[0], *key[2:3]) or key[0] == "snapshots":
        words += ["snapshots", place, "--generation", str(key[1])]
    elif len(key) > 1:
        words += ["wal", place, "--generation", str(key[1])]
    else:
        words += ["generations", place]
    return shlex.join(words)
