"""What a line is typed into: once it is handed over, keys that came in the same burst go where they belong by then."""

from __future__ import annotations

from textual.events import Key
from textual.widgets import Input


class LineInput(Input):
    """The input of the command line."""

    handed = False
    """Whether its line was handed over."""

    async def _on_key(self, event: Key) -> None:
        """Type, hand the line over with the keyboard, or pass on what is not for this line any more."""
        if self.handed:
            self.app.post_message(Key(event.key, event.character))
        elif event.key == "enter":
            # Here and not by the binding, which comes after keys that wait for this line already.
            self.handed = True
            self.screen.set_focus(None)
            await self.action_submit()
        else:
            return  # and have Input's own method type it
        event.stop()
        event.prevent_default()
