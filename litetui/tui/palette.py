"""The command palette over the table of actions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from litetui.tui.keys import ACTIONS, Action


class ActionCommands(Provider):
    """Every action of the browser; one that is not possible says why when it is chosen."""

    def _actions(self) -> list[tuple[Action, str, Callable[[], None]]]:
        from litetui.tui.screens.browser import Browser

        if not isinstance(self.screen, Browser):
            return []
        browser = self.screen
        at = browser.situation()
        found: list[tuple[Action, str, Callable[[], None]]] = []
        for action in ACTIONS:
            if action.where == "browser" and action.id != "palette":
                why_not = action.why_not(at)
                words = f"{action.shown_keys}: {action.help}" + (f" (not now: {why_not})" if why_not else "")
                found.append((action, words, partial(browser.act, action.id)))
        return found

    async def discover(self) -> Hits:
        for action, words, call in self._actions():
            yield DiscoveryHit(action.label, call, text=action.label, help=words)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action, words, call in self._actions():
            score = matcher.match(f"{action.label} {action.help}")
            if score > 0:
                yield Hit(score, matcher.highlight(action.label), call, text=action.label, help=words)
