"""The app's colour theme: the one of the config file, the next one, one by its name, and saving it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litetui.errors import LitetuiError

if TYPE_CHECKING:
    from litetui.tui.app import LitetuiApp


class Themes:
    """The app's hand on its theme."""

    def __init__(self, app: LitetuiApp) -> None:
        self.app = app

    @property
    def names(self) -> list[str]:
        return sorted(self.app.available_themes)

    def start(self) -> None:
        """Take the theme of the config file, and say what is wrong with that file."""
        settings = self.app.settings
        if settings.theme in self.names:
            self.app.theme = settings.theme
        elif settings.theme:
            words = f"{settings.config_path}: theme: there is no {settings.theme!r}; there are {', '.join(self.names)}"
            self.app.say(words, severity="warning")
        for trouble in settings.troubles:
            self.app.say(trouble, severity="warning")

    def next(self) -> None:
        names = self.names
        self.choose(names[(names.index(self.app.theme) + 1) % len(names)])

    def choose(self, name: str) -> None:
        """Take a theme that there is."""
        self.app.theme = name
        self.app.say(f"theme {name}", kind="theme")

    def save(self) -> None:
        """Write the theme that is seen into the config file."""
        path, theme = self.app.settings.config_path, self.app.theme

        def work() -> str:
            from litetui.tui.config import save_theme

            save_theme(path, theme)
            return path

        def then(answer: str) -> None:
            self.app.say(f"theme {theme} saved in {answer}")

        def fail(error: LitetuiError) -> None:
            self.app.say(f"{error}; {error.hint}", severity="error")

        self.app.bridge.load("save-theme", work, then, fail, path=path)
