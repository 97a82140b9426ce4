"""The live database that is being replicated."""

from litetui.primary.database import Change, Database, Limits

__all__ = ["Change", "Database", "Limits"]
