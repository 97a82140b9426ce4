"""A state of a replica's database in a scratch file, to be looked into and thrown away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from litetui.jobs.progress import CancelToken, Reporter
from litetui.ops import ltx_merge, restore, wal_merge
from litetui.ops.drill import check_room, default_scratch, scratch_error, scratch_folder
from litetui.ops.ltx_plan import LTXPlan
from litetui.ops.owners import PageOwners, page_owners
from litetui.ops.pages import PageFile
from litetui.ops.restore import AnyPlan


@contextmanager
def scratch_state(
    plan: AnyPlan, size: int, report: Reporter, cancel: CancelToken, scratch: str | None = None
) -> Iterator[tuple[PageFile, str]]:
    """The state that a settled plan leads to, in a file that may grow to `size` bytes, and its path. The file may be
    longer than the database. It lies in `scratch`, or where drills go, and is gone at the end.

    Raises OutputError (no room, or it cannot be written), DamageError, UnreadableError, Cancelled.
    """
    parent = scratch or default_scratch()
    check_room(parent, size)
    with scratch_folder(parent) as folder:
        path = os.path.join(folder, "state.db")
        try:
            file = PageFile(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            try:
                if isinstance(plan, LTXPlan):
                    ltx_merge.merge(plan, file, report, cancel)
                else:
                    wal_merge.merge(plan, file, report, cancel)
                file.limit = None
                yield file, path
            finally:
                file.close()
        except OSError as error:
            raise scratch_error(error, path) from None


def owners_at(
    plan: AnyPlan, report: Reporter | None = None, cancel: CancelToken | None = None, scratch: str | None = None
) -> PageOwners:
    """Whose all pages are, in the state that a plan leads to. Raises as `restore.settle` and `scratch_state`."""
    report, cancel = report or Reporter(), cancel or CancelToken()
    plan = restore.settle(plan, report, cancel)
    size = plan.database_size or 0
    with scratch_state(plan, size, report, cancel, scratch) as (file, path):
        report.phase("look whose pages", size)
        page_size = file.page_size
        return page_owners(path, cancel, lambda done: report.advance(done * page_size), pages=size // page_size)
