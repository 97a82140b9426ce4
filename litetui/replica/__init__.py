"""What a replica holds, and how it is written."""

from litetui.replica.detect import open_replica
from litetui.replica.file import FileReplica

__all__ = ["FileReplica", "open_replica"]
