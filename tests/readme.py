"""The README's list of keys, made from the table of actions: `python -m tests.readme` writes it into the README."""

from __future__ import annotations

from pathlib import Path

from litetui.tui import keys

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- keys -->", "<!-- /keys -->"
UPDATE = "python -m tests.readme"


def key_table() -> str:
    """The table of keys, as Markdown."""
    rows = [f"| `{action.shown_keys}` | {action.help} |" for action in keys.ACTIONS]
    return "\n".join(["| key | action |", "|---|---|", *rows])


def with_keys(text: str) -> str:
    """A README with the table of keys between its marks. Raises ValueError where there are none."""
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the README has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{key_table()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_keys(README.read_text()))
