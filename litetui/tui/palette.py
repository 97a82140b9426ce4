"""The command palette over the table of actions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape

from litetui.tui.keys import ACTIONS, Action
from litetui.tui.textutil import clean

GREYED = "$foreground-disabled"
Offer = tuple[Action, str, str, Callable[[], None]]  # with its words, why it is not possible, and doing it


class ActionCommands(Provider):
    """Every action of the browser or of a report; one that is not possible says why, in the list and when chosen."""

    def _offers(self) -> list[Offer]:
        from litetui.tui.screens.browser import Browser
        from litetui.tui.screens.report import ReportScreen

        screen = self.screen
        if not isinstance(screen, Browser | ReportScreen):
            return []
        where, at = "browser" if isinstance(screen, Browser) else "report", screen.situation()
        found: list[Offer] = []
        for action in ACTIONS:
            if action.where == where and action.id != "palette":
                reason = clean(action.why_not(at))
                words = f"not now: {reason}" if reason else f"{action.shown_keys}: {action.help}"
                found.append((action, escape(words), reason, partial(screen.act, action.id)))
        return found

    async def discover(self) -> Hits:
        for action, words, reason, call in self._offers():
            label = Content.styled(action.label, GREYED) if reason else Content(action.label)
            yield DiscoveryHit(label, call, text=action.label, help=words)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action, words, reason, call in self._offers():
            score = max(matcher.match(f"{action.label} {action.help}"), matcher.match(action.name))
            if score > 0:
                label = matcher.highlight(action.label)
                yield Hit(score, label.stylize(GREYED) if reason else label, call, text=action.label, help=words)
