"""The README says what is true: every command, and the keys from the one table of actions."""

from __future__ import annotations

from pathlib import Path

from litetui.cli import cli
from litetui.tui import keys

README = Path(__file__).parents[1] / "README.md"


def key_table() -> str:
    """The README's list of keys, as the table of actions has them."""
    rows = [f"| `{a.shown_keys}` | {a.help} |" for a in keys.ACTIONS if a.group != keys.LATER]
    return "\n".join(["| key | action |", "|---|---|", *rows])


def test_every_command_is_documented() -> None:
    text = README.read_text()
    assert [name for name in cli.commands if f"litetui {name} " not in text] == []


def test_the_keys_are_those_of_the_program() -> None:
    assert key_table() in README.read_text()


def test_every_picture_is_there() -> None:
    pictures = [line.split("](")[1].rstrip(")") for line in README.read_text().splitlines() if line.startswith("![")]
    assert pictures
    assert [p for p in pictures if not (README.parent / p).is_file()] == []
