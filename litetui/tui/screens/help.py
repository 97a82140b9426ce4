"""Help: what the pane in focus shows, its keys, then all others, from the table of actions."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from litetui.tui import keys
from litetui.tui.keys import Action
from litetui.tui.screens.dialog import Dialog
from litetui.tui.textutil import clean

PANES = {
    "tree": "The generations of the replica, the newest first. A generation is one unbroken chain of snapshots "
    "and WAL files. WALs are grouped by day and hour, or by ranges of indexes where the times of the files "
    "cannot be trusted. A replica of Litestream 0.5 has levels of LTX files instead: 0 from syncs, then what was "
    "compacted from it; 9 holds snapshots.",
    "detail": "What the line of the tree holds. Enter on a row goes there; on a transaction, to its pages; on "
    "an LTX file, to its pages.",
    "timeline": "The restore points of what the tree's line stands for: snapshots, the files between them and how much "
    "they hold, and the holes. The cursor is a restore point; the line below says what a restore to it takes.",
    "jobs": "What runs and what ran in this session. Enter shows a job's log and its result, x cancels it.",
    "log": "The lines that jobs write, the newest last.",
    "report": "What a validation found, by generation. A bar shows which spans of time restore, and the holes between "
    "them. Enter goes to the file of a finding, r restores to the last position that restores completely.",
}
WIDGETS = {"tree": ("tree", "rows"), "detail": ("table", "rows"), "jobs": ("table", "rows"), "log": ("rows",)}
EVIDENCE = (
    "Names complete means: every file that a restore needs is there. Only what read the bytes makes anything green: a "
    "restore, or a validation of content; what came since is unchecked again."
)
WIDTH, INDENT = 100, 14  # of the dialog, and of what stands beside the keys
Part = str | tuple[str, str]


class HelpScreen(Dialog[None]):
    """All actions with their keys; `why_not` says of each why it is not possible now."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", show=False),
        Binding("j", "scroll(1)", "Down", show=False),
        Binding("k", "scroll(-1)", "Up", show=False),
        Binding("ctrl+d", "scroll(10)", "Half down", show=False),
        Binding("ctrl+u", "scroll(-10)", "Half up", show=False),
        Binding("g", "scroll(-9999)", "First", show=False),
        Binding("G", "scroll(9999)", "Last", show=False),
        Binding("question_mark,f1,q", "close", "Close", show=False),
    ]
    box_id = "help-dialog"
    keys_line = "esc closes; j k scroll; / filters"

    def __init__(self, pane: str, why_not: Callable[[Action], str] = lambda _: "") -> None:
        super().__init__()
        self.pane = pane
        self.why_not = why_not

    @property
    def title_text(self) -> str:
        return "Help"

    def body(self) -> ComposeResult:
        yield Input(id="help-filter", placeholder="a key, or words", compact=True)
        with VerticalScroll(classes="scroll"):
            yield Static(id="help-text")

    def on_mount(self) -> None:
        self.query_one("#help-filter").display = False
        self.query_one(VerticalScroll).focus()

    # the text

    def _text(self, wanted: str) -> Content:
        parts: list[Part] = []
        if self.pane in PANES and not wanted:
            parts += [PANES[self.pane], "\n", (EVIDENCE, "$foreground-muted"), "\n"]
        here = [action for action in keys.ACTIONS if self._of_pane(action)]
        here.sort(key=lambda action: 99 if action.rank is None else action.rank or 98)
        parts += self._section("Here", here, wanted)
        for group, actions in keys.groups():
            parts += self._section(group, [action for action in actions if action not in here], wanted)
        return Content.assemble(*(parts or [f"nothing has {wanted!r}"]))

    def _of_pane(self, action: Action) -> bool:
        return self.pane in action.panes or action.where in WIDGETS.get(self.pane, (self.pane,))

    def _section(self, title: str, actions: Iterable[Action], wanted: str) -> list[Part]:
        lines: list[Part] = []
        for action in actions:
            text = f"{action.shown_keys} {action.label} {action.help} :{action.name}".casefold()
            exact = wanted in action.shown_keys.split()
            if wanted and not exact and (len(wanted) == 1 or wanted.casefold() not in text):
                continue
            reason = clean(self.why_not(action))
            lines.append((f"  {action.shown_keys:<12}", "bold $foreground-disabled" if reason else "bold"))
            lines.append((self._wrapped(action.help), "$foreground-muted" if reason else ""))
            if reason:
                lines.append((" " * INDENT + self._wrapped(f"not now: {reason}"), "$text-warning"))
        return [(f"\n{title}\n", "bold $text-primary"), *lines] if lines else []

    def _wrapped(self, text: str) -> str:
        """A text beside the column of keys."""
        room = min(WIDTH, self.app.size.width) - 5 - INDENT
        return f"\n{' ' * INDENT}".join(textwrap.wrap(text, room, break_on_hyphens=False)) + "\n"

    # keys

    def on_resize(self) -> None:
        self._tell()

    def _tell(self) -> None:
        wanted = self.query_one("#help-filter", Input).value.strip()
        self.query_one("#help-text", Static).update(self._text(wanted))

    def redirects(self, key: str) -> bool:
        """Keys that come with the one that opens the filter's field are meant for that."""
        return key == "slash" and not isinstance(self.focused, Input)

    async def action_filter(self) -> None:
        field = self.query_one("#help-filter")
        field.display = True
        self.set_focus(field)
        await self.app.let_keys_through()

    @on(Input.Changed, "#help-filter")
    def _filtered(self) -> None:
        self._tell()

    @on(Input.Submitted, "#help-filter")
    def _kept(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_close(self) -> None:
        """Close the filter first, then the help."""
        field = self.query_one("#help-filter", Input)
        if field.display:
            field.value, field.display = "", False
            self.query_one(VerticalScroll).focus()
        else:
            self.dismiss(None)
