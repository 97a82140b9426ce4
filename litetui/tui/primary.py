"""The attached database on the screen: who replicates it, how far the replica is behind, why generations began.

Everything here works by stat, by names and by the WAL: the database's own file and its -shm are never opened, as
closing them would drop the locks of whoever replicates in this very process (FORMAT-v0.3, section 10).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litetui.errors import LitetuiError, PrimaryError
from litetui.units import format_age, format_clock, format_size

if TYPE_CHECKING:
    from litetui.ops.lag import Lag
    from litetui.primary.guard import Watch
    from litetui.replica.file import FileReplica
    from litetui.tui.replication import ReplicateJob

Note = tuple[str, str]  # text, status
NS = 1_000_000_000
LATE_NS = 60 * NS
SIDES = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class PrimaryView:
    """The database as it was when it was looked at; `error` where that was not possible, then `lag` is None.

    synced_ns  when the newest file of the replica's newest generation was written
    """

    database: str
    lag: Lag | None
    error: LitetuiError | None
    synced_ns: int | None

    @property
    def name(self) -> str:
        return os.path.basename(self.database)

    def reason(self, generation: str) -> str:
        """Why a generation began, "" where nobody wrote that down."""
        return self.lag.reasons.get(generation, "") if self.lag is not None else ""


def look_at(database: str, replica: FileReplica) -> PrimaryView:
    """Blocks; raises nothing that a look can meet."""
    from litetui.ops.lag import lag

    newest = next(iter(replica.generations()), None)
    synced_ns = replica.generation_stats(newest).updated_ns if newest is not None else None
    try:
        return PrimaryView(database, lag(database, replica), None, synced_ns)
    except LitetuiError as error:
        return PrimaryView(database, None, error, synced_ns)
    except OSError as error:
        words = error.strerror or str(error)
        return PrimaryView(database, None, PrimaryError("look at the database", words, path=database), synced_ns)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A path that may be attached: the database's real path, its size, and who is at work on it."""

    path: str
    size: int
    watch: Watch


def judge(text: str, replica: str) -> Candidate:
    """Whether a path is that of a database, by stat and names alone. Blocks; raises LitetuiError."""
    from litetui.primary import guard
    from litetui.primary.meta import meta_path

    def no(cause: str, hint: str) -> PrimaryError:
        return PrimaryError("attach the database", cause, path=path, hint=hint)

    path = os.path.abspath(os.path.expanduser(text))
    if not text or "\0" in text:
        raise no("this is no path", "write the path of the database's file")
    try:
        path = os.path.realpath(path)
        info = os.stat(path)
    except FileNotFoundError:
        raise no("there is no such file", "check the path of the database") from None
    except OSError as error:
        raise no(error.strerror or str(error), "run litetui as the owner of the database") from None
    if stat.S_ISDIR(info.st_mode):
        raise no("this is a folder", "write the path of the database's file")
    if not stat.S_ISREG(info.st_mode):
        raise no("this is no regular file", "write the path of the database's file")
    for side in SIDES:
        if path.endswith(side) and os.path.exists(path.removesuffix(side)):
            raise no(f"this is the {side} file of a database", f"attach {path.removesuffix(side)}")
    if replica and os.path.commonpath([os.path.realpath(replica), path]) == os.path.realpath(replica):
        raise no("this file lies in the replica", "attach the live database, not a file of its replica")
    return Candidate(path, info.st_size, guard.look(path, meta_path(path), versions=True))


def propose(replica: str) -> str:
    """The database that a replica's name and place point to, "" where none is there."""
    folder, name = os.path.split(os.path.normpath(replica))
    for ending in ("-replica", ".replica", "-litestream"):
        path = os.path.join(folder, name.removesuffix(ending))
        if name.endswith(ending) and os.path.isfile(path):
            return path
    return ""


def candidate_words(one: Candidate) -> Note:
    """What is known of a path before it is attached."""
    words = f"a file of {format_size(one.size)}"
    if one.watch.replicators:
        return f"{words}; {', '.join(map(str, one.watch.replicators))} is at work on it", ""
    if not os.path.exists(one.path + "-wal"):
        words += f"; no {os.path.basename(one.path)}-wal: closed, or not in WAL mode"
    return f"{words}; no replicator found", ""


def who(view: PrimaryView, own: ReplicateJob | None) -> str:
    """The replicator in words."""
    if own is not None:
        return "litetui, this session"
    watch = view.lag.watch if view.lag is not None else None
    if watch is None:
        return "not known"
    if watch.replicators:
        return ", ".join(map(str, watch.replicators))
    return f"none seen, and not knowable from here ({watch.unseen})" if watch.unseen else "none found"


def behind(view: PrimaryView, now_ns: int) -> Note:
    """How far the replica is behind, in words."""
    lag = view.lag
    if lag is None:
        return "not known", ""
    if lag.bytes is None:
        return f"not known: {lag.why}", ""
    if not lag.bytes:
        return "nothing that is committed", ""
    words = f"{format_size(lag.bytes)} committed"
    since = view.synced_ns if view.synced_ns is not None else lag.since_ns
    if since is None:
        return words, "warning"
    words += f" since {format_clock(since, now_ns, millis=False)} ({format_age(since, now_ns)})"
    return words, "warning" if now_ns - since > LATE_NS else ""


def notes(view: PrimaryView, own: ReplicateJob | None, now_ns: int) -> list[Note]:
    """The lines that stand above the tables."""
    if view.error is not None:
        return [(f"{view.name} cannot be looked at: {view.error.cause}", "warning")]
    lines: list[Note] = [(f"Replicator: {who(view, own)}", "")]
    if own is not None and own.trouble is not None:
        lines.append((f"The last sync failed: {own.trouble}", "error"))
    words, status = behind(view, now_ns)
    lines.append((f"Not in the replica: {words}", status))
    return lines
