"""open_replica(path): which replica is this, or why it is none and what it may be instead.

Files are judged by their names and neighbours, never by opening them: opening and closing a live SQLite database
would drop the locks that this process may hold on it (FORMAT-v0.3, section 10).
"""

from __future__ import annotations

import os
import re
import shlex

from litetui.errors import NotAReplicaError
from litetui.format import names
from litetui.replica.file import FileReplica
from litetui.replica.ltx import LTXReplica
from litetui.replica.storage import unreadable
from litetui.units import printable

_DATABASE = (".db", ".sqlite", ".sqlite3", ".db3")
_CONFIG_PATH = re.compile(r"""^\s*-?\s*(?:path|url)\s*:\s*["']?(?:file://)?(/[^"'\s#]+)""", re.MULTILINE)


def open_any(path: str | os.PathLike[str], *, listed: bool = True) -> FileReplica | LTXReplica:
    """Open the replica at `path`, of v0.3 or of v0.5 alone; where both lie in one folder, the v0.3 generations, whose
    `ltx` is the other. `listed`: with its files, which else are listed when it is first asked.
    Raises NotAReplicaError or UnreadableError, with a hint."""
    full = os.path.abspath(os.path.expanduser(os.fspath(path).removeprefix("file://")))
    if "\0" not in full and os.path.isdir(full) and not _has(full, "generations") and is_ltx(full):
        replica: FileReplica | LTXReplica = LTXReplica(full)
    else:
        replica = _find(path)
    if listed:
        replica.refresh()
    return replica


def is_ltx(path: str) -> bool:
    """Whether a folder holds the levels of a v0.5 replica, as Litestream or as a bucket has them."""
    try:
        return _has(path, "ltx") or any(
            names.is_bucket_level(name) and any(n.endswith(".ltx") for n in os.listdir(os.path.join(path, name)))
            for name in os.listdir(path)
        )
    except OSError:
        return False


def _has(path: str, folder: str) -> bool:
    return os.path.isdir(os.path.join(path, folder))


def open_replica(path: str | os.PathLike[str]) -> FileReplica:
    """Open the v0.3 replica at `path`. Raises NotAReplicaError or UnreadableError, with a hint."""
    replica = _find(path)
    replica.refresh()
    return replica


def _find(path: str | os.PathLike[str]) -> FileReplica:
    text = os.fspath(path).removeprefix("file://")
    if "://" in text or not text:
        cause = "only folders can be opened" if text else "the path is empty"
        raise NotAReplicaError("open the replica", cause, path=text, hint="copy the bucket to a folder, with its times")
    full = os.path.abspath(os.path.expanduser(text))
    if "\0" in full:
        raise _not(full, "no path holds a null character", "check the path")
    try:
        info = os.stat(full)
        if not os.path.isdir(full):
            raise _not(full, *_what_file(full, info.st_size))
        listing = sorted(os.listdir(full))
        if "generations" in listing and os.path.isdir(os.path.join(full, "generations")):
            if _is_meta(full, listing):
                raise _not(full, "this is Litestream's own folder beside the database, not the replica", _META_HINT)
            os.listdir(os.path.join(full, "generations"))
            return FileReplica(full)
    except FileNotFoundError:
        raise _not(
            full, "there is no such folder", "check the path; the replica is where litestream.yml says"
        ) from None
    except OSError as error:
        raise unreadable(error, error.filename or full) from None
    raise _not(full, *_what_folder(full, listing))


_META_HINT = "the replica's path is in litestream.yml, under replicas"


def _not(path: str, cause: str, hint: str, meant: str = "") -> NotAReplicaError:
    error = NotAReplicaError("open the replica", cause, path=path, hint=hint)
    error.meant = meant
    return error


def _is_meta(path: str, listing: list[str]) -> bool:
    name = os.path.basename(path)
    return "generation" in listing or (name.startswith(".") and name.endswith("-litestream"))


def _what_file(path: str, size: int) -> tuple[str, ...]:
    """What a file is instead, what to do, and which replica is meant, if any."""
    folder, name = os.path.split(path)
    beside = os.path.join(folder, f".{name}-litestream")
    if name.endswith(_DATABASE) or os.path.exists(path + "-wal") or os.path.isdir(beside):
        found = " that Litestream replicates" if os.path.isdir(beside) else ""
        return f"this looks like a SQLite database{found}, not a replica", _META_HINT
    if name.endswith((".yml", ".yaml")):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                paths = [p for p in _CONFIG_PATH.findall(file.read(1 << 20)) if os.path.isdir(p)]
        except OSError:
            paths = []
        hint = "open the folder of a replica" + (f": {_command(paths[0])}" if paths else " instead")
        return "this is a configuration, not a replica", hint, *paths[:1]
    parsed = names.parse_wal(name) or names.parse_snapshot(name)
    if parsed is not None or (name.endswith(".ltx") and _root_above(path) != path):
        root = _root_above(path)
        return "this is one file of a replica", f"open the replica's folder: {_command(root)}", root
    hint = "a replica is a folder that holds generations/ or ltx/"
    return f"this is a file ({size} bytes), not a replica's folder", hint


def _command(path: str) -> str:
    return f"litetui {shlex.quote(printable(path))}"


def _what_folder(path: str, listing: list[str]) -> tuple[str, ...]:
    """The same of a folder."""
    if is_ltx(path):
        cause = "this is a replica of Litestream v0.5: it has LTX files, and no generations, snapshots and WALs of v0.3"
        return cause, f"litetui info, ltx, restore and validate read it: litetui ltx {shlex.quote(printable(path))}"
    root = _root_above(path)
    if root != path:
        return "this is a folder inside a replica", f"open the replica itself: {_command(root)}", root
    if not listing:
        return "this folder is empty", "Litestream has not written here yet, or the path is another one"
    below = [n for n in listing if any(_has(os.path.join(path, n), kind) for kind in ("generations", "ltx"))]
    below = [n for n in below if not _is_meta(os.path.join(path, n), os.listdir(os.path.join(path, n)))]
    below.sort(key=lambda name: "-litestream" in name)  # Litestream's own folder is not what is meant
    if below:
        more = f" ({len(below)} replicas are below it)" if len(below) > 1 else ""
        first = os.path.join(path, below[0])
        return f"this is the folder above a replica{more}", f"open it: {_command(first)}", first
    return "this folder holds no generations/, no ltx/, and is no replica", "a replica holds one of them"


def _is_level(name: str) -> bool:
    return len(name) == 1 and name.isdigit()


def _root_above(path: str) -> str:
    """The replica's folder above a path inside it, or the path itself."""
    parts = path.split(os.sep)
    below = {"generations": names.is_generation, "ltx": _is_level}
    for i in range(len(parts) - 1, 0, -1):
        after = parts[i + 1 : i + 2]
        if parts[i] in below and (not after or below[parts[i]](after[0])):
            return os.sep.join(parts[:i]) or os.sep
    return path
