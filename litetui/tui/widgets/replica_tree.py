"""The tree of a replica: generations, snapshots, WALs down to the index. Draws the lines of `outline`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import events
from textual.message import Message

from litetui.tui import keys
from litetui.tui.glyphs import Glyphs
from litetui.tui.textutil import clean, cut_middle
from litetui.tui.tree_line import Key, Line
from litetui.tui.widgets.row_view import RowView, Span

if TYPE_CHECKING:
    from litetui.tui.checks import Checks
    from litetui.tui.marks import Marks
    from litetui.tui.model import ReplicaView
    from litetui.tui.tree_filter import Found


class ReplicaTree(RowView):
    """Lines with a cursor; open branches and the cursor are kept by key when the replica changes."""

    BINDINGS = [*keys.bindings("tree")]  # noqa: RUF012

    class LeafChosen(Message):
        """Enter on a line that has no branch below it."""

    class FilterEnded(Message):
        """All lines are there again: one was gone to that the filter had left out."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self.lines: list[Line] = []
        self.opened: set[Key] = {("replica",)}
        self.view: ReplicaView | None = None
        self.now_ns = 0
        self.checks: Checks = {}
        self.marks: Marks | None = None
        self.words = "reading the replica"
        self.filter_text = ""
        self._found: tuple[ReplicaView, Found] | None = None  # what the filter leaves, and of which state
        self._seen: ReplicaView | None = None  # what it has not is new

    @property
    def row_count(self) -> int:
        return len(self.lines)

    @property
    def line(self) -> Line | None:
        """The line under the cursor."""
        return self.lines[self.cursor] if self.cursor < len(self.lines) else None

    def show(self, view: ReplicaView, now_ns: int) -> None:
        """Show another state of the replica. At first sight the newest generation is open, and under the cursor
        where there is no other: the replica's overview would say the same with fewer words."""
        first = self.view is None
        if self._seen is None:
            self._seen = view
        if first and view.newest is not None:
            self.opened.add(("generation", view.newest.name))
        self.view = view
        self.now_ns = now_ns
        self._rebuild()
        if self.following and (newest := _newest(view)) is not None:
            self._go(newest)
        if first and len(view.generations) == 1 and view.ltx is None:
            self.set_cursor(1)

    def follow(self, on: bool) -> bool:
        """Keep the cursor on the newest WAL, or no more; False where the tree has no lines for what comes."""
        newest = _newest(self.view) if self.view is not None else None
        if newest is None:
            return False
        self.following = on
        if on:
            self._go(newest)
        return True

    def seen(self) -> None:
        """A key was pressed: what came until now is new no more."""
        if self._seen is not self.view:
            self._seen = self.view
            self.refresh()

    def show_lines(self, lines: list[Line]) -> None:
        """Lines that stand there until the view of a replica comes."""
        if lines != self.lines:
            self.lines = lines
            self.rows_changed(0)

    def tick(self, now_ns: int, checks: Checks, marks: Marks) -> None:
        """Time goes on: badges grow old, and new ones come with validations."""
        self.now_ns, self.checks, self.marks = now_ns, checks, marks
        if self.view is not None and self.lines != self._outline(self.view):
            self._rebuild()

    def _outline(self, view: ReplicaView) -> list[Line]:
        from litetui.tui.marks import NONE
        from litetui.tui.outline import outline

        marks = self.marks or NONE
        if not self.filter_text.strip():
            return outline(view, self.opened, self.now_ns, self.checks, marks)
        from litetui.tui.tree_filter import find, narrowed

        if self._found is None or self._found[0] is not view:
            self._found = (view, find(view, self.filter_text))
        return narrowed(view, self._found[1], self.opened, self.now_ns, self.checks, marks)

    def filter(self, text: str) -> None:
        """Only the lines that hold a text, wherever they are in the tree, and the branches above them. All lines again
        ("") open what hides the one under the cursor."""
        self.filter_text, self._found = text, None
        self.moved_by_hand()
        self._rebuild()
        if text.strip() and self.line is not None and not self._holds(self.line):
            self.set_cursor(self._first_held())

    def _holds(self, line: Line) -> bool:
        """Whether a line is not only on the way to what the filter leaves."""
        return not line.branch or (self._found is not None and self._found[1].word in line.text)

    def _first_held(self) -> int:
        return next((n for n, line in enumerate(self.lines) if self._holds(line)), 0)

    def forget(self, words: str) -> None:
        """Another replica comes, or none; `words` say so."""
        self.words = words
        self.view = self._seen = self._found = None
        self.following = False
        if self.filter_text:
            self.filter_text = ""
            self.post_message(self.FilterEnded())
        self.lines = []
        self.opened = {("replica",)}
        self.rows_changed(0)

    def reveal(self, key: Key) -> bool:
        """Open what hides a line, and go there; False if there is no such line."""
        self.moved_by_hand()
        return self._go(key)

    def _go(self, key: Key) -> bool:
        from litetui.tui.outline import branches_above

        if self.view is None:
            return False
        self.opened.update(branches_above(self.view, key))
        if self.filter_text and self._find(key) is None:
            self.filter_text = ""
            self.post_message(self.FilterEnded())
        self._rebuild()
        at = self._find(key)
        if at is None:
            return False
        self.set_cursor(at)
        return True

    def _rebuild(self) -> None:
        if self.view is None:
            return
        line, on_page = self.line, self.cursor - round(self.scroll_y)
        self.lines = self._outline(self.view)
        self._keep_place(0 if line is None else self._place_of(line), on_page)
        if line is not None and self.line is not None and self.line.key != line.key:
            self.post_message(self.Highlighted(self))  # also where the cursor's number is the same

    def _place_of(self, line: Line) -> int:
        """Where a line stands now. Lines that are grouped otherwise by now may hide it: what does is opened. Where it
        is gone, the next one of its branch takes its place, or the one before it."""
        from litetui.tui.outline import branches_above

        if (at := self._find(line.key)) is not None:
            return at
        if self.filter_text.strip():
            return self._first_held()
        if self.view is not None:
            self.opened.update(branches_above(self.view, line.key))
            self.lines = self._outline(self.view)
            if (at := self._find(line.key)) is not None:
                return at
        at = max(0, min(self.cursor, len(self.lines) - 1))
        return at - 1 if self.lines[at].depth < line.depth else at

    def _find(self, key: Key) -> int | None:
        return next((n for n, line in enumerate(self.lines) if line.key == key), None)

    # keys

    def action_open(self) -> None:
        line = self.line
        if line is None or not line.branch:
            return
        if line.open:
            self._move(self.cursor + 1)
        else:
            self.opened.add(line.key)
            self._rebuild()

    def action_close(self) -> None:
        from litetui.tui.outline import parent_of

        line = self.line
        if line is None:
            return
        if not self._close(line) and (parent := parent_of(self.lines, self.cursor)) is not None:
            self._move(parent)

    def _close(self, line: Line) -> bool:
        """Close a branch; False where it is none that is open, or a filter holds it open."""
        if not line.open or self.view is None:
            return False
        before = self.opened
        self.opened = before - {line.key}
        if any(one.open for one in self._outline(self.view) if one.key == line.key):
            self.opened = before
            return False
        self._rebuild()
        return True

    def action_choose(self) -> None:
        line = self.line
        if line is None:
            return
        if not line.branch:
            self.post_message(self.LeafChosen())
        elif line.open:
            self._close(line)
        else:
            self.action_open()

    def on_click(self, event: events.Click) -> None:
        row = self.row_at(event.y)
        if row is None:
            return
        event.prevent_default()
        line = self.lines[row]
        self._move(row)
        on_marker = line.branch and event.x <= 2 * line.depth + 1
        if on_marker or event.chain > 1:
            self.action_choose()

    # drawing

    def spans(self, row: int, width: int) -> Sequence[Span]:
        line = self.lines[row]
        marker = "  "
        if line.branch:
            marker = (self.glyphs.opened if line.open else self.glyphs.closed) + " "
        spans: list[Span] = [("  " * line.depth, ""), (marker, "muted")]
        if self._is_new(line):
            spans[0] = ("+" + ("  " * line.depth)[1:], "accent")
        if line.glyph:
            plain = "muted" if line.glyph == "unchecked" else "accent"
            spans.append((getattr(self.glyphs, line.glyph) + " ", line.status or plain))
        room = width - sum(cell_len(text) for text, _ in spans) - 1
        text, note = clean(line.text), clean(line.note)
        if cell_len(text) + 1 + cell_len(note) > room and line.kind == "generation":
            text = cut_middle(text, min(14, room), self.glyphs.cut)
        left = room - cell_len(text) - 1
        note = next((words for words in (note, *map(clean, line.shorter)) if cell_len(words) <= left), "")
        spans.append((cut_middle(text, room, self.glyphs.cut), "" if line.status != "error" else "error"))
        if note:
            spans.append((" " + note, line.status or "muted"))
        return spans

    def _is_new(self, line: Line) -> bool:
        view, seen = self.view, self._seen
        if view is None or seen is None or seen is view:
            return False
        from litetui.tui.newness import is_news

        return is_news(seen, view, line)

    def empty_text(self) -> str:
        return self.words  # a replica has a line at least


def _newest(view: ReplicaView) -> Key | None:
    """The line of what came last: the last WAL of the newest generation."""
    newest = view.newest
    if newest is None:
        return None
    if not len(newest.indexes):
        return ("generation", newest.name)
    return ("index", newest.name, int(newest.indexes.index[-1]))
