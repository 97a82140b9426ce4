"""Help: what the pane in focus shows, and the keys, from the table of actions."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from litetui.tui import keys
from litetui.tui.screens.dialog import Dialog

PANES = {
    "tree": "The generations of the replica, the newest first. A generation is one unbroken chain of snapshots "
    "and WAL files. WALs are grouped by day and hour, or by ranges of indexes where the times of the files "
    "cannot be trusted.",
    "detail": "What the line of the tree holds. Enter on a row goes there; on a transaction, to its frames.",
    "jobs": "What runs and what ran in this session. Enter shows a job's log and its result, x cancels it.",
    "log": "The lines that jobs write, the newest last.",
}
EVIDENCE = (
    "Names complete means: every file that a restore needs is there. Only a restore, or reading a WAL, reads "
    "the bytes; nothing is shown in green before that."
)


class HelpScreen(Dialog[None]):
    """All actions, with their keys."""

    box_id = "help-dialog"
    keys_line = "esc closes; j k scroll"

    def __init__(self, pane: str) -> None:
        super().__init__()
        self.pane = pane

    @property
    def title_text(self) -> str:
        return "Help"

    def body(self) -> ComposeResult:
        with VerticalScroll(classes="scroll"):
            yield Static(self._text(), id="help-text")

    def _text(self) -> Content:
        parts: list[Content | str | tuple[str, str]] = []
        if self.pane in PANES:
            parts += [PANES[self.pane], "\n", (EVIDENCE, "$foreground-muted"), "\n"]
        for group, actions in keys.groups():
            parts.append((f"\n{group}\n", "bold $text-primary"))
            for action in actions:
                parts.append((f"  {action.shown_keys:<12}", "bold"))
                parts.append(f"{action.help}\n")
        return Content.assemble(*parts)

    def key_j(self) -> None:
        self.query_one(VerticalScroll).scroll_down(animate=False)

    def key_k(self) -> None:
        self.query_one(VerticalScroll).scroll_up(animate=False)
