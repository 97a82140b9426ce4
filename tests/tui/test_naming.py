"""What a line of the tree is called in the breadcrumb and on the command line."""

from __future__ import annotations

import pytest

from litetui.tui.naming import command_for, crumb
from litetui.tui.tree_line import Key

G = "0123456789abcdef"


@pytest.mark.parametrize(
    ("key", "command", "way"),
    [
        (("replica",), "generations /r", "r"),
        (("generation", G), f"wal /r --generation {G}", f"r / {G}"),
        (("wals", G), f"wal /r --generation {G}", f"r / {G} / wals"),
        (("day", G, "index", 19000), f"wal /r --generation {G}", f"r / {G} / wals / 8 Jan"),
        (("index", G, 255), f"frames /r --generation {G} --index 000000ff", f"r / {G} / WAL 000000ff"),
        (("snapshots", G), f"snapshots /r --generation {G}", f"r / {G} / snapshots"),
        (("hour", G, "snapshot", 19000, 5), f"snapshots /r --generation {G}", f"r / {G} / snapshots / 8 Jan"),
        (("snapshot", G, 1), f"snapshots /r --generation {G}", f"r / {G} / snapshot 00000001"),
        (("level", 9), "ltx /r --level 9", "r / level 9"),
    ],
)
def test_each_line_has_a_command_and_a_way_to_it(key: Key, command: str, way: str) -> None:
    assert command_for("/r", key, ltx_alone=False) == f"litetui {command}"
    assert crumb("r", key, "8 Jan") == way


def test_the_own_line_of_a_v05_replica() -> None:
    assert command_for("/r", ("replica",), ltx_alone=True) == "litetui ltx /r --level all"
