"""Attach the database that the replica belongs to: one field, judged while one types, by stat and names alone."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Input, Static

from litetui.errors import LitetuiError
from litetui.tui.primary import Candidate, candidate_words, judge, propose
from litetui.tui.screens.dialog import Dialog, buttons, field, plain
from litetui.tui.textutil import clean
from litetui.tui.widgets.ordered_input import OrderedInput
from litetui.units import printable

EXPLAIN = (
    "Then litetui shows who replicates it and how far the replica is behind, and can sync. Attaching writes nothing."
)
DETACH = ""


class AttachDialog(Dialog[str | None]):
    """Answers with the database's real path, DETACH, or None."""

    box_id = "attach-dialog"
    keys_line = "enter attaches; esc closes"
    loads = ("judge", "judge-typed", "propose")

    def __init__(self, replica: str, database: str, error: LitetuiError | None = None) -> None:
        super().__init__()
        self.replica = replica
        self.database = database
        self.error = error
        self.judged: Candidate | None = None
        self.wanted = ""  # the path that enter was pressed for

    @property
    def title_text(self) -> str:
        return "Attach another database" if self.database else "Attach the database"

    def body(self) -> ComposeResult:
        yield plain(EXPLAIN, classes="wrapped")
        yield plain("")
        path = self.error.path if self.error is not None and self.error.path else ""
        yield field("Database", OrderedInput(printable(path), id="path", placeholder="/var/lib/app.db", compact=True))
        yield Static(id="verdict", classes="under")
        detach = [Button("Detach", id="detach", compact=True)] if self.database else []
        yield buttons(*detach, Button("Attach", id="attach", compact=True, variant="primary"))

    def on_mount(self) -> None:
        self.query_one("#path").focus()
        if self.error is not None:
            self._refuse(self.error)
        elif not self.database:
            replica = self.replica
            self.app.bridge.load("propose", lambda: propose(replica), self._fill_in, self._refuse, path=replica)

    def _fill_in(self, path: str) -> None:
        there = self.query_one("#path", Input)
        if path and not there.value and path.isprintable():
            there.value = path
            there.cursor_position = len(path)

    @on(Input.Changed)
    def _typed(self) -> None:
        if self.closing:
            return
        self.judged = None
        self.app.bridge.forget("judge")
        self.app.bridge.delay("judge-typed", self.app.settings.debounce_s, self._judge)

    @property
    def typed(self) -> str:
        return self.query_one("#path", Input).value.strip()

    def _judge(self) -> None:
        if self.closing:
            return
        text, replica = self.typed, self.replica
        if not text:
            self.query_one("#verdict", Static).update("")
            return
        self.app.bridge.load("judge", lambda: judge(text, replica), self._accept, self._refuse, path=text)

    def _accept(self, one: Candidate) -> None:
        self.judged = one
        words, status = candidate_words(one)
        self.query_one("#verdict", Static).update(Content.styled(clean(words), f"$text-{status}" if status else ""))
        if self.wanted and self.wanted == self.typed:
            self.dismiss(one.path)

    def _refuse(self, error: LitetuiError) -> None:
        self.wanted = ""
        words = clean(error.cause) + (f"\nTry: {clean(error.hint)}" if error.hint else "")
        self.query_one("#verdict", Static).update(Content.styled(words, "$text-error"))

    @on(Input.Submitted)
    @on(Button.Pressed, "#attach")
    def _go(self) -> None:
        if self.judged is not None:
            self.dismiss(self.judged.path)
        elif self.typed:
            self.wanted = self.typed
            self.app.bridge.forget("judge-typed")
            self._judge()
        else:
            self.app.say("write the path of the database's file", severity="warning")

    @on(Button.Pressed, "#detach")
    def _let_go(self) -> None:
        self.dismiss(DETACH)
