"""The attached database on the screen: who replicates it, how far the replica is behind, why generations began.

Everything here works by stat, by names and by the WAL: the database's own file and its -shm are never opened, as
closing them would drop the locks of whoever replicates in this very process (FORMAT-v0.3, section 10).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from litetui.errors import DamageError, LitetuiError, PrimaryError
from litetui.tui.attention.entries import Entry
from litetui.tui.cards import Note
from litetui.units import NS, format_age, format_clock, format_size

if TYPE_CHECKING:
    from litetui.ops.lag import Lag
    from litetui.primary.guard import Watch
    from litetui.replica.file import FileReplica
    from litetui.replica.ltx import LTXReplica
    from litetui.tui.work.replication import ReplicateJob

LATE_NS = 60 * NS
SIDES = ("-wal", "-shm", "-journal")
NO_FOLLOW = "does not follow"


@dataclass(frozen=True, slots=True)
class PrimaryView:
    """The database as it was when it was looked at; `error` where that was not possible, then `lag` is None.

    synced_ns  when the newest file of the replica's newest generation was written
    watch      who is at work on it, for a replica of v0.5, of which no `lag` is known
    file       which file it is, by device and inode: it may be replaced while one looks
    """

    database: str
    lag: Lag | None
    error: LitetuiError | None
    synced_ns: int | None
    watch: Watch | None = None
    file: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        return os.path.basename(self.database)

    def reason(self, generation: str) -> str:
        """Why a generation began, "" where nobody wrote that down."""
        return self.lag.reasons.get(generation, "") if self.lag is not None else ""


def look_at(database: str, replica: FileReplica | LTXReplica) -> PrimaryView:
    """Blocks; raises nothing that a look can meet."""
    return replace(_look(database, replica), file=_identity(database))


def _identity(database: str) -> tuple[int, int] | None:
    try:
        info = os.stat(database)
    except OSError:
        return None
    return info.st_dev, info.st_ino


def _look(database: str, replica: FileReplica | LTXReplica) -> PrimaryView:
    from litetui.ops.lag import lag
    from litetui.replica.ltx import LTXReplica

    if isinstance(replica, LTXReplica):
        return _beside_ltx(database, replica)
    newest = next(iter(replica.generations()), None)
    synced_ns = replica.generation_stats(newest).updated_ns if newest is not None else None
    try:
        return PrimaryView(database, lag(database, replica), None, synced_ns)
    except LitetuiError as error:
        return PrimaryView(database, None, error, synced_ns)
    except OSError as error:
        words = error.strerror or str(error)
        return PrimaryView(database, None, PrimaryError("look at the database", words, path=database), synced_ns)


def _beside_ltx(database: str, replica: LTXReplica) -> PrimaryView:
    """Who replicates it; how far the replica is behind is not read from the WAL of v0.5."""
    from litetui.primary import guard
    from litetui.primary.meta import meta_path

    span = replica.times
    synced_ns = span.end_ns if span is not None else None
    if not os.path.exists(database):
        gone = PrimaryError("look at the database", "there is no such file", path=database)
        return PrimaryView(database, None, gone, synced_ns)
    watch = guard.look(database, meta_path(database), versions=True)
    return PrimaryView(database, None, None, synced_ns, watch)


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
    watch = view.lag.watch if view.lag is not None else view.watch
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
    """The lines that stand above the tables: what is so, where nothing is wrong with it (`entries`)."""
    if view.error is not None:
        return []
    lines: list[Note] = [(f"Replicator: {who(view, own)}", "")]
    if view.watch is None and not any(entry.code in BEHIND for entry in entries(view, own, now_ns)):
        lines.append((f"Not in the replica: {behind(view, now_ns)[0]}", ""))
    return lines


BEHIND = ("behind", "stopped", "does-not-follow")
AWAY = "what it writes from now on does not reach the replica"


def entries(
    view: PrimaryView, own: ReplicateJob | None, now_ns: int, *, replaced: bool = False, ltx: bool = False
) -> Iterator[Entry]:
    """What is wrong with the replication. `ltx`: Litestream 0.5 keeps the replica, and litetui cannot write it."""
    name = view.name
    if view.error is not None:
        words = f"{name} cannot be looked at: {view.error.cause}"
        yield Entry("warning", "no-database", words, None, view.error.hint or "", "attach", "attaches another")
        return
    if own is not None and own.trouble is not None:
        yield _trouble_of(own, own.trouble)
    if replaced:
        words = f"{name} is another file than when it was attached: it was replaced, and may be another database"
        yield Entry("warning", "replaced", words, None, f"compare: validate with {name}", "validate", "compares")
    watch = view.lag.watch if view.lag is not None else view.watch
    if watch is None:
        return
    others = watch.replicators
    if len(others) + (own is not None) > 1:
        words = f"more than one replicator is at work on {name}, {', '.join(map(str, others))}: they ruin each other"
        helps = ("replicate", "ends this one") if own is not None else ("", "")
        yield Entry("error", "two-replicators", words, None, "stop all but one", *helps)
    if view.lag is not None and watch.newest_ltx_ns is not None and watch.newest_ltx_ns > (view.synced_ns or 0):
        words = f"Litestream v0.5 has been at work on {name}: this replica is of v0.3, and gets nothing from it"
        hint = "look into litestream.yml for where it replicates to"
        yield Entry("warning", "v0.5-beside", words, watch.newest_ltx_ns, hint, "open", "opens that replica")
    unknown = bool(watch.unseen)
    yield from _standstill(view, now_ns, runs=own is not None or bool(others), unknown=unknown, ltx=ltx)


def _standstill(view: PrimaryView, now_ns: int, *, runs: bool, unknown: bool, ltx: bool) -> Iterator[Entry]:
    """Nobody replicates, or whoever does is behind."""
    lag, since = view.lag, view.synced_ns
    since = since if since is not None or lag is None else lag.since_ns
    missing = lag.bytes if lag is not None else None
    late = bool(missing) and (since is None or now_ns - since > LATE_NS)
    helps = ("", "") if ltx else ("replicate", "replicates")
    advice = "start the replicator again" if not runs else "look into the replicator's log"
    if lag is not None and lag.bytes is None and NO_FOLLOW in lag.why:
        words = f"not known how far the replica is behind: {lag.why}; {view.name} may be another database"
        yield Entry("warning", "does-not-follow", words, since, "is this the right database?", "sync", "shows the plan")
    elif missing and (late or not (runs or unknown)):
        size = f"{format_size(missing)} committed and not in the replica"
        if runs:
            yield Entry("warning", "behind", f"the replica is behind: {size}", since, advice)
        elif unknown:
            words = f"the replica is behind: {size}; no replicator is seen"
            yield Entry("warning", "behind", words, since, advice, *helps)
        else:
            severity = "error" if late else "warning"
            yield Entry(severity, "stopped", f"no replicator runs: {size}", since, advice, *helps)
        return
    if not runs and not unknown:
        yield Entry("warning", "no-replicator", f"no replicator runs on {view.name}: {AWAY}", None, advice, *helps)


def _trouble_of(own: ReplicateJob, error: LitetuiError) -> Entry:
    """What goes wrong with this session's own replication: a sync, or its comparison with the database."""
    at = own.at
    compared = at is not None and at.validation is not None and at.validation.status == "mismatch"
    words = f"the last sync failed, it is tried again: {error}"
    if compared:
        words = f"the replica is not what the database holds, as its validation found: {error.cause}"
    since = at.synced_ns if at is not None else None
    return Entry("error", error.code if isinstance(error, DamageError) else "sync-failed", words, since,
                 error.hint or "", "pane_3", "shows its log", job=own.id)  # fmt: skip
