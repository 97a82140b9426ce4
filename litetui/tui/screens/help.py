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
    "cannot be trusted. A replica of Litestream 0.5 has levels of LTX files instead: 0 from syncs, then what was "
    "compacted from it; 9 holds snapshots.",
    "detail": "What the line of the tree holds. Enter on a row goes there; on a transaction, to its frames; on "
    "an LTX file, to its pages.",
    "jobs": "What runs and what ran in this session. Enter shows a job's log and its result, x cancels it.",
    "log": "The lines that jobs write, the newest last.",
    "report": "What a validation found, by generation. A bar shows which spans of time restore, and the holes between "
    "them. Enter goes to the file of a finding, r restores to the last position that restores completely.",
}
EVIDENCE = (
    "Names complete means: every file that a restore needs is there. Only what read the bytes makes anything green: a "
    "restore, or a validation of content; what came since is unchecked again."
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
        # The keys of the report come first where it is asked from there; else they stand at their place.
        for group, actions in sorted(keys.groups(), key=lambda one: self.pane == "report" and one[0] != keys.REPORT):
            parts.append((f"\n{group}\n", "bold $text-primary"))
            for action in actions:
                parts.append((f"  {action.shown_keys:<12}", "bold"))
                parts.append(f"{action.help}\n")
        return Content.assemble(*parts)

    def key_j(self) -> None:
        self.query_one(VerticalScroll).scroll_down(animate=False)

    def key_k(self) -> None:
        self.query_one(VerticalScroll).scroll_up(animate=False)
