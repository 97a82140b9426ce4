"""The newest good state of a whole replica: of the newest generation, or of the one before where nothing of that
restores. Whoever asks is told which one it is, and what is not reached: it is for a person who looks at the plan."""

from __future__ import annotations

from dataclasses import replace

from litetui.errors import DamageError, NoSuchTargetError
from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops.others import restores_by_names
from litetui.ops.plan import RestorePlan, choose_generation, plan
from litetui.ops.settle import settle
from litetui.ops.target import Target
from litetui.replica.file import FileReplica
from litetui.units import format_time


def plan_anywhere(
    replica: FileReplica, settle_with: tuple[Reporter, CancelToken] | None = None
) -> tuple[RestorePlan, str]:
    """The plan to the newest good state, by names, or settled; and what was passed over, in words ("": nothing), which
    is also the plan's first note.

    Raises DamageError, NoSuchTargetError: nothing restores; of the newest generation. UnreadableError: what cannot be
    read is not known to be damaged.
    """
    names = replica.generations()
    names = names[names.index(choose_generation(replica, Target(last_good=True))) :]
    first: DamageError | NoSuchTargetError | None = None
    for name in names:
        try:
            found = plan(replica, Target(name, last_good=True))
            if found.fault is not None and not restores_by_names(replica, name):
                raise found.fault
            found = settle(found, *settle_with) if settle_with is not None else found
        except (DamageError, NoSuchTargetError) as error:
            first = first or error
            continue
        if first is None:
            return found, ""
        span = replica.generation_stats(names[0]).times
        lost = f", to {format_time(span.end_ns)}," if span is not None else ""
        words = f"{first.cause}: {name} is taken instead; what came after it{lost} is not reached"
        return replace(found, notes=(words, *found.notes)), words
    assert first is not None
    raise first
