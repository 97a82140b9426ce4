"""An Input whose editing keys act in the order in which they were typed."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

_EDITS = {
    "backspace": "delete_left",
    "delete": "delete_right",
    "ctrl+u": "delete_left_all",
    "ctrl+k": "delete_right_all",
    "ctrl+w": "delete_left_word",
}


class OrderedInput(Input):
    """Letters are taken by the widget itself, but bindings only after a round through the app: of `ctrl+u 10m` that
    arrive in one read, as they do over a slow line, the deletion would come last and leave the field empty.
    """

    async def _on_key(self, event: events.Key) -> None:
        edit = _EDITS.get(event.key)
        if edit is not None:
            getattr(self, f"action_{edit}")()
            event.stop()
            event.prevent_default()
