"""litetui: look into a Litestream replica, and restore from it."""

__version__ = "0.1.0"
