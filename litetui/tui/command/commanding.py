"""The browser's command line: what a text after `:` would do, what it could become, and doing it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from litetui.errors import LitetuiError, UsageError
from litetui.tui.command.places import Found, place_of
from litetui.tui.command.words import VIEWS, Suggestion, Word, chosen, near, words
from litetui.tui.ltx.model import SNAPSHOTS
from litetui.tui.ltx.view import shows_ltx
from litetui.tui.reasons import needs_replica
from litetui.tui.screens.command import CommandLine
from litetui.tui.tree_line import Key, generation_of
from litetui.tui.ways import Way

if TYPE_CHECKING:
    from litetui.tui.app import LitetuiApp
    from litetui.tui.model import ReplicaView
    from litetui.tui.screens.browser import Browser

Call = Callable[[], object]
PLACES_SHOWN = 6


class Commanding:
    """The browser's hand on its command line; `history` holds what was run in this session, the newest last."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.history: list[str] = []

    @property
    def app(self) -> LitetuiApp:
        return self.browser.app

    def ask(self) -> None:
        """Open the line; what it answers with is done once it is closed."""

        def then(call: Call | None) -> None:
            if call is not None:
                call()

        self.app.push_screen(CommandLine(self), then)

    def words(self) -> list[Word]:
        shown = self.browser.shown
        reasons = {name: reason for name in VIEWS if (reason := self._why_no_view(name))}
        tabs = [(tab.id, tab.label) for tab in shown.tabs] if shown is not None else []
        return words(self.browser.situation(), reasons, tabs)

    # what it could become

    def suggestions(self, text: str) -> list[Suggestion]:
        """What a text can be completed to, the likeliest first; all words where it is empty."""
        name, space, rest = text.lstrip().partition(" ")
        every = self.words()
        if space and (word := chosen(name, every)) is not None:
            return self._following(word, rest.strip())
        found = [
            Suggestion(f"{word.name} " if word.follows else word.name, word.meaning, word.reason)
            for word in near(name, every)
        ]
        return [*self._places(text.strip()), *found] if name else found

    def _following(self, word: Word, rest: str) -> list[Suggestion]:
        if not word.follows:
            return [Suggestion(word.name, word.meaning, word.reason or f"nothing follows {word.name}")]
        if word.action == "theme":
            names = [name for name in self.app.themes.names if name.startswith(rest)]
            return [Suggestion(f"theme {name}", "a colour theme") for name in names]
        return [Suggestion(f"{word.name} {rest}", f"{word.follows}: {word.meaning}", word.reason)]

    def _places(self, text: str) -> list[Suggestion]:
        """Places that a text names, or begins to name."""
        view = self.browser.view
        if view is None:
            return []
        lower = text.lower()
        names = [g.name for g in view.generations if len(lower) > 1 and g.name.startswith(lower)]
        found = [Suggestion(name, "generation") for name in names[:PLACES_SHOWN]]
        generation = view.generation(generation_of(self.browser.shown_key)) or view.newest
        if generation is not None and 1 < len(lower) < 8:
            found += [
                Suggestion(f"{index:08x}", f"WAL of {generation.name}")
                for index in _beginning(lower, generation.indexes.index)
            ]
        try:
            way, said = self._place(text)
        except LitetuiError:
            return found
        known = {suggestion.text for suggestion in found}
        return found if text in known else [Suggestion(text, said or _key_words(way.key)), *found]

    def _place(self, text: str) -> Found:
        view, replica = self.browser.view, self.app.replica
        if view is None or replica is None:
            raise UsageError("go there", needs_replica(self.browser.situation()))
        return place_of(text, view, replica, self.browser.shown_key, self.browser.settings.now_ns())

    # what it does

    def resolve(self, text: str) -> Call:
        """What a text does, a word before a place. Raises LitetuiError: why it is not possible, or what is near."""
        name, _, rest = text.strip().partition(" ")
        every = self.words()
        word = next((one for one in every if one.name == name), None)
        if word is None:
            try:
                way, said = self._place(text.strip())
            except UsageError as error:
                word = chosen(name, every)
                if word is None:
                    raise _unknown(name, every, error) from None
            else:
                return lambda: self._go(way, said)
        return self._call(word, rest.strip())

    def _call(self, word: Word, rest: str) -> Call:
        if word.reason:
            raise UsageError(word.name, word.reason)
        if word.view and not rest:
            return lambda: self._show(word.view)
        if not rest:
            return lambda: self.browser.act(word.action)
        if word.action == "theme":
            if rest not in self.app.themes.names:
                raise UsageError("theme", f"there is no theme {rest!r}", hint=" ".join(self.app.themes.names))
            return lambda: self.app.themes.choose(rest)
        if word.action == "open":
            return lambda: self.app.opening.open(rest)
        if word.action == "filter":
            return lambda: self.browser.filter_by(rest)
        if word.action == "restore":
            return lambda: self.browser.do_restore(rest)
        raise UsageError(word.name, f"nothing follows {word.name}")

    def _go(self, way: Way, said: str) -> None:
        """Go to a place."""
        if way.tab:
            self.browser.going.to_place(way.key, way.tab, way.row)
        elif self.browser.tree_view.reveal(way.key):
            self.browser.go_to("tree")
        if said:
            self.app.say(said)

    # views

    def _show(self, view: str) -> None:
        """Show a tab, of where one stands if that has it."""
        browser = self.browser
        if view == "timeline":
            browser.go_to("timeline")
            return
        ids = [tab.id for tab in browser.shown.tabs] if browser.shown is not None else []
        if view in ids:
            browser.go_to("detail")
            browser.pick_tab(view)
        elif browser.view is not None:
            browser.going.to_place(self._line_of(view, browser.view), view, 0)

    def _line_of(self, view: str, of: ReplicaView) -> Key:
        """The line of the tree that has a tab."""
        if view in ("snapshots", "wal"):
            if of.newest is None or (of.ltx is not None and shows_ltx(of, self.browser.shown_key)):
                return ("level", SNAPSHOTS)
            return ("generation", generation_of(self.browser.shown_key) or of.newest.name)
        if view in ("levels", "points") and not of.ltx_alone:
            return ("ltx",)
        return ("replica",)

    def _why_no_view(self, name: str) -> str:
        of = self.browser.view
        if of is None:
            return needs_replica(self.browser.situation())
        if name == "gen" and of.ltx_alone:
            return "a v0.5 replica has levels: write levels"
        if name in ("snap", "wal") and not of.generations:
            levels = "levels shows its files" if of.ltx is not None else "there is no generation"
            return levels if name == "wal" or of.ltx is None or of.ltx.level(SNAPSHOTS) is None else ""
        if name in ("levels", "points") and of.ltx is None:
            return "this replica has no LTX files: it is one of v0.3"
        if name == "timeline" and not self.browser.timeline.there:
            return "there is nothing to draw here"
        return ""


def _unknown(name: str, every: list[Word], error: LitetuiError) -> UsageError:
    """What was typed is nothing: what is near."""
    begun = near(name, every)
    if begun:
        several = all(word.name.startswith(name) for word in begun)
        names = ", ".join(word.name for word in begun)
        return UsageError(
            "go there", f"several words begin with {name}: {names}" if several else f"there is no {name}; near: {names}"
        )
    return UsageError("go there", error.cause, hint=error.hint)


def _key_words(key: Key) -> str:
    """What a line of the tree is, in a word or two."""
    kind = str(key[0])
    if kind in ("index", "snapshot"):
        return f"{'WAL' if kind == 'index' else 'snapshot'} of {key[1]}"
    if kind == "ltxfile":
        return f"LTX file of level {key[1]}"
    return kind


def _beginning(text: str, indexes: Any) -> list[int]:
    """The first indexes whose eight hex digits begin with a text."""
    import numpy as np

    if any(letter not in "0123456789abcdef" for letter in text):
        return []
    shift = 4 * (8 - len(text))
    first = int(text, 16) << shift
    start, stop = np.searchsorted(indexes, np.array([first, first + (1 << shift) - 1], indexes.dtype), "left")
    return [
        int(index)
        for index in indexes[start : min(int(stop) + 1, start + PLACES_SHOWN)]
        if int(index) >> shift == int(text, 16)
    ]
