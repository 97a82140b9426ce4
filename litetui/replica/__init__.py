"""What a replica holds, and how it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litetui.replica.detect import open_replica
    from litetui.replica.file import FileReplica

__all__ = ["FileReplica", "open_replica"]


def __getattr__(name: str) -> Any:
    # They bring numpy along, which a module that only wants the types of this package must not wait for.
    if name == "open_replica":
        from litetui.replica.detect import open_replica

        return open_replica
    if name == "FileReplica":
        from litetui.replica.file import FileReplica

        return FileReplica
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
