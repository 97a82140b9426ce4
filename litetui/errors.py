"""Every error that litetui raises on purpose.

    LitetuiError            what failed, where, why, what to do next
    ├── UsageError          the words of a command do not fit together (exit 2)
    ├── NotAReplicaError    this path is something else
    ├── NoSuchTargetError   a restore target that the replica cannot reach
    ├── DamageError         bytes that are not what they must be
    ├── UnreadableError     the system did not let us read (EACCES, EIO)
    │   └── ChangedError    … because a writer removed or replaced the file meanwhile
    ├── OutputError         the output of an operation cannot be written there
    ├── PrimaryError        the live database, or its folder beside it, does not let us replicate
    │   └── LockedError     … because another process holds it locked: it may go by itself
    └── Cancelled           a person or a signal stopped the operation (exit 130)

Nothing else may reach a person: whoever calls a library or the system turns its exceptions into these.
"""

from __future__ import annotations

import os


class LitetuiError(Exception):
    """An error made for an operator.

    operation  what was being done, as a short verb phrase ("restore", "read the snapshot")
    cause      what is wrong, one sentence without a full stop
    path       the file or folder it is about
    position   where in it, in the reader's words ("frame 21, offset 86552")
    hint       the next safe step
    """

    exit_code = 1

    def __init__(
        self,
        operation: str,
        cause: str,
        *,
        path: str | os.PathLike[str] | None = None,
        position: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(cause)
        self.operation = operation
        self.cause = cause
        self.path = None if path is None else os.fspath(path)
        self.position = position
        self.hint = hint

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.path, self.position) if part)
        return f"cannot {self.operation}: {where + ': ' if where else ''}{self.cause}"


class UsageError(LitetuiError):
    """The words of a command do not fit together."""

    exit_code = 2


class NotAReplicaError(LitetuiError):
    """The path holds no replica; the hint says what it may be instead.

    meant  the path of the replica that is meant, as far as that can be told, else ""
    """

    meant = ""


class NoSuchTargetError(LitetuiError):
    """A restore target that this replica cannot reach."""


class UnreadableError(LitetuiError):
    """The system did not let us read."""


class ChangedError(UnreadableError):
    """A file went, or was replaced, while it was read: a writer is at work, and reading again may help."""


class OutputError(LitetuiError):
    """The output cannot be written where it was asked for."""


class PrimaryError(LitetuiError):
    """The live database, or its folder beside it, does not let us replicate."""


class LockedError(PrimaryError):
    """Another process holds the database locked; trying again may help."""


class DamageError(LitetuiError):
    """Bytes that are not what their place says they are.

    code    the finding code of the command line's contract ("wal-checksum")
    index, offset, frame   where in the generation's WAL, as far as it is known; frames count from 0
    """

    def __init__(
        self,
        operation: str,
        cause: str,
        *,
        code: str,
        path: str | os.PathLike[str] | None = None,
        index: int | None = None,
        offset: int | None = None,
        frame: int | None = None,
        hint: str | None = None,
    ) -> None:
        parts = []
        if index is not None:
            parts.append(f"index {index:08x}")
        if frame is not None:
            parts.append(f"frame {frame}")
        if offset is not None:
            parts.append(f"offset {offset}")
        super().__init__(operation, cause, path=path, position=", ".join(parts) or None, hint=hint)
        self.code = code
        self.index = index
        self.offset = offset
        self.frame = frame


class Cancelled(LitetuiError):
    """The operation was stopped before its end; nothing of it is left behind."""

    exit_code = 130

    def __init__(self, operation: str = "go on", so_far: str = "cancelled") -> None:
        super().__init__(operation, so_far)

    def __str__(self) -> str:
        return self.cause
