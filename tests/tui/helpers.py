"""Running the app in tests: a fixed clock, no watching, and waiting for idle instead of sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input

from litetui.tui.app import LitetuiApp
from litetui.tui.settings import Settings
from litetui.units import parse_time

NOW = parse_time("2026-11-22T21:00:00Z")
SETTINGS = Settings(now_ns=lambda: NOW, watch_s=0, debounce_s=0)


class Session:
    """An app under a pilot."""

    def __init__(self, app: LitetuiApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    async def idle(self) -> None:
        """Until no load, no delayed call and no job but a running replication is left, and messages are handled."""
        await self.pilot.pause(0)  # what was posted is handled: it may begin something
        async with asyncio.timeout(30):
            while True:
                while self.app.bridge.busy:
                    await asyncio.sleep(0.005)
                await self.pilot.pause()
                if not self.app.bridge.busy:
                    return

    async def still(self) -> None:
        """Until the screen stays as it is: one layout may lead to the next, as where a table leaves room for more."""
        async with asyncio.timeout(30):
            before = ""
            while (now := self.screen_text) != before:
                before = now
                await self.pilot.pause(0.05)

    async def until(self, condition: Callable[[], object], seconds: float = 30) -> None:
        """Until something has come about; `idle` does not wait for a replication, which has no end."""
        async with asyncio.timeout(seconds):
            while not condition():
                await self.pilot.pause(0.02)

    async def left(self) -> None:
        """Until the app has decided to end."""
        async with asyncio.timeout(30):
            while not self.app._exit:
                await self.pilot.pause(0.01)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.idle()

    async def type(self, text: str) -> None:
        """Put a text into the field in focus, at once; "" takes a letter away."""
        await self.until(lambda: isinstance(self.app.focused, Input))
        if text:
            self.app.post_message(Paste(text))
            await self.idle()
        else:
            await self.press("backspace")

    @property
    def screen_text(self) -> str:
        """Everything on the screen, as text."""
        width, height = self.app.size
        lines = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in lines[:height])[: (width + 1) * height]

    @property
    def in_browser(self) -> bool:
        """Whether no other screen is before it."""
        return self.app.screen is self.app.browser

    @property
    def attention(self) -> str:
        """The lines under the facts that say what needs attention."""
        return "\n".join(" ".join([b.words, *b.tails]) for b in self.app.browser.detail_pane.stats.briefs)

    @property
    def toasts(self) -> list[str]:
        return [str(toast.message) for toast in self.app._notifications]


@asynccontextmanager
async def session(
    path: Path | str | None,
    size: tuple[int, int] = (120, 40),
    settings: Settings = SETTINGS,
    database: Path | str | None = None,
) -> AsyncIterator[Session]:
    app = LitetuiApp(None if path is None else str(path), settings, None if database is None else str(database))
    async with app.run_test(size=size, notifications=True) as pilot:
        one = Session(app, pilot)
        await one.idle()
        yield one
