"""What a dialog says before something is written: plans as labels and texts, one frozen value. No textual."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litetui.errors import LitetuiError
from litetui.units import format_size

if TYPE_CHECKING:
    from litetui.ops.replicate import ReplicaState
    from litetui.ops.sync import SyncPlan

SHRUNK_TO = 4


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a plan."""

    label: str
    text: str
    status: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """A choice that a plan leaves: its name, the words to choose from, and what each adds to the command."""

    label: str
    words: tuple[str, ...]
    adds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WritePlan:
    """A plan on the screen. `go` is the word of its button; `error` is why there is none."""

    title: str
    items: tuple[Item, ...]
    command: str
    go: str
    error: LitetuiError | None = None
    options: Options | None = None


EVERY = ("", "1h", "24h")  # how often a replication may be compared with its database; "": never
VALIDATE = Options("Validate", ("never", *EVERY[1:]), tuple(f" --validation-interval {e}" if e else "" for e in EVERY))


@dataclass(frozen=True, slots=True)
class Room:
    """What a snapshot needs to know beside the sync's plan: the database's size and what is free at the replica."""

    size: int
    free: int | None


def room(database: str, replica: str) -> Room:
    """Blocks; raises LitetuiError."""
    folder = replica
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    free = None
    try:
        size = os.stat(database).st_size
    except OSError as error:
        raise LitetuiError("look at the database", error.strerror or str(error), path=database) from None
    try:
        fs = os.statvfs(folder)
        free = fs.f_bavail * fs.f_frsize
    except OSError:
        free = None  # then the dialog says that it is not known
    return Room(size, free)


def sync_plan(plan: SyncPlan) -> WritePlan:
    """The plan of a sync."""
    name = os.path.basename(plan.database)
    items = [*_database(plan), *_generation(plan), *_writes(plan), *_others(plan)]
    return WritePlan(
        f"Sync {name}", tuple(items), shlex.join(plan.command), "" if plan.refusal else "Sync", plan.refusal
    )


def replicate_command(database: str, replica: str, every: str = "") -> str:
    """The command line that replicates as the session does, which deletes nothing of its own accord."""
    words = ["litetui", "replicate", database, replica, "--retention", "0"]
    return shlex.join(words) + VALIDATE.adds[EVERY.index(every)]


def replicate_plan(plan: SyncPlan) -> WritePlan:
    """The plan of a replication: its first sync, and what goes on."""
    name = os.path.basename(plan.database)
    goes_on = Item("goes on", "syncs every second and checkpoints while litetui is open; x on its job ends it, and so "
                   "does quitting, both with a last sync")  # fmt: skip
    keeps_out = Item("excludes", "any other replicator of this database: Litestream must not run beside it")
    deletes = Item("deletes", "nothing: t does, when you say so")
    validates = Item("validates", "compares a restore of the replica with the database, as often as is chosen below")
    items = [goes_on, keeps_out, deletes, *_database(plan), *_generation(plan), *_writes(plan), *_others(plan)]
    command = replicate_command(plan.database, plan.replica)
    if plan.refusal:
        return WritePlan(f"Replicate {name}", tuple(items), command, "", plan.refusal)
    items.insert(3, validates)
    return WritePlan(f"Replicate {name}", tuple(items), command, "Replicate", options=VALIDATE)


def replicating(database: str, replica: str, at: ReplicaState | None, command: str) -> WritePlan:
    """While the session replicates: the question whether it shall go on."""
    items = [Item("replica", replica)]
    if at is not None:
        items.append(Item("position", str(at.pos)))
        items.append(Item("written", f"{format_size(at.wal_bytes)} of WAL in this session"))
    items.append(Item("stop", "a last sync is made; then nothing holds the WAL in place any more, and what restarts it "
                      "begins a new generation"))  # fmt: skip
    return WritePlan(f"Replicating {os.path.basename(database)}", tuple(items), command, "Stop")


def snapshot_plan(
    database: str, replica: str, space: Room, plan: SyncPlan | None, at: ReplicaState | None
) -> WritePlan:
    """The plan of a snapshot; `plan` None and `at` set while the session replicates."""
    items = [Item("database", f"{format_size(space.size)}; stored with LZ4, so mostly less")]
    generation = at.pos.generation if at is not None else plan.generation if plan is not None else ""
    where = f"{replica}/generations/{generation}/snapshots" if generation else f"{replica}, in a new generation"
    items.append(Item("into", where))
    items.append(_free(space))
    if plan is not None:
        items += [*_generation(plan), *_others(plan)]
    else:
        items.append(Item("sync", "the running replication syncs first, and waits with checkpoints meanwhile"))
    command = shlex.join(["litetui", "snapshot", database, replica])
    refusal = plan.refusal if plan is not None else None
    name = os.path.basename(database)
    return WritePlan(f"Snapshot of {name}", tuple(items), command, "" if refusal else "Snapshot", refusal)


def _free(space: Room) -> Item:
    if space.free is None:
        return Item("free", "not known where the replica lies", "warning")
    short = space.free < space.size
    words = f"{format_size(space.free)} where the replica lies"
    return Item("free", words + ("; the snapshot may not fit" if short else ""), "warning" if short else "")


def _database(plan: SyncPlan) -> list[Item]:
    items = []
    if plan.extent is not None:
        items.append(Item("database", f"{plan.extent}, at its last commit"))
    else:
        items.append(Item("database", f"a file of {format_size(plan.size)}"))
    if plan.before is not None:
        size = plan.extent.size if plan.extent is not None else plan.size
        shrunk = size * SHRUNK_TO < plan.before.size
        words = f"{plan.before}, at the end of the replica's newest generation"
        if shrunk:
            words += ": is this the right database? it is far smaller now"
        items.append(Item("before", words, "warning" if shrunk else ""))
    if plan.extent is None:
        words = (
            "nothing is in it, or it is not there: the application has closed the database, or it is not in WAL mode; "
        )
        items.append(Item("WAL", words + "then the sync says so and writes nothing"))
    return items


def _generation(plan: SyncPlan) -> list[Item]:
    if plan.generation:
        return [Item("goes on", f"generation {plan.generation}")]
    items = [Item("begins", f"a new generation: {plan.reason}", "warning" if not plan.new_replica else "")]
    if plan.avoids:
        items.append(Item("avoid it", plan.avoids))
    return items


def _writes(plan: SyncPlan) -> list[Item]:
    from litetui.ops.sync import NEW_REPLICA_NOTE

    items = [Item("into", plan.replica + (", which is new" if plan.new_replica else ""))]
    layout = f"layout {plan.layout}" + (": a segment a sync" if plan.layout == "segments" else ": a file an index")
    items.append(Item("", NEW_REPLICA_NOTE if plan.new_replica and plan.layout == "segments" else layout))
    if plan.snapshot:
        items.append(Item("snapshot", f"yes, reads {format_size(plan.size)}: this generation has none yet"))
    else:
        items.append(Item("snapshot", "none: this generation has one"))
    lacking = "as much as is committed" if plan.wal_bytes is None else f"{format_size(plan.wal_bytes)}, uncompressed"
    items.append(Item("WAL", lacking))
    beside = f".{os.path.basename(plan.database)}-litestream"
    items.append(Item("beside it", f"the folder {beside} and two small tables _litestream_*, as Litestream has them"))
    return items


def _others(plan: SyncPlan) -> list[Item]:
    names = ", ".join(map(str, plan.replicators)) if plan.replicators else "no other replicator found"
    return [Item("others", names), *(Item("warning", words, "warning") for words in plan.warnings)]
