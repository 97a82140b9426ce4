"""The README says what is true: every command, and the keys from the one table of actions."""

from __future__ import annotations

from click import Context

from litetui.cli import cli
from tests.readme import README, UPDATE, with_keys


def test_every_command_is_documented() -> None:
    text = README.read_text()
    assert [name for name in cli.list_commands(Context(cli)) if f"litetui {name} " not in text] == []


def test_the_keys_are_those_of_the_program() -> None:
    text = README.read_text()
    assert with_keys(text) == text, f"the table of actions has changed: {UPDATE}"


def test_every_picture_is_there() -> None:
    pictures = [line.split("](")[1].rstrip(")") for line in README.read_text().splitlines() if line.startswith("![")]
    assert pictures
    assert [p for p in pictures if not (README.parent / p).is_file()] == []
