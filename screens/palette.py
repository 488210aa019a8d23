"""The palette's source: the commands of the place it was opened at, found by name or by what they do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from .command import BASIC, COMMON, Command
from .place import Place

_KEYS, _NAMES = 8, 14
"""Cells of keys, and of a command's name."""
_WINDOW, _FRAME = 110, 6
"""Cells the window is wide at most, and those of its frame and scrollbar."""


class Commands(Provider):
    """What can be done here and now."""

    async def discover(self) -> Hits:
        """Every command."""
        for keys, command, run in self._runs():
            yield DiscoveryHit(_line(keys, command, Content(command.name), self._room), run, text=command.name)

    async def search(self, query: str) -> Hits:
        """The commands whose name or help matches."""
        matcher = self.matcher(query)
        for keys, command, run in self._runs():
            score = max(matcher.match(command.name), matcher.match(command.help) / 2)
            if score > 0:
                line = _line(keys, command, matcher.highlight(command.name), self._room)
                yield Hit(score, line, run, text=command.name)

    @property
    def _room(self) -> int:
        """Cells of a line."""
        return min(_WINDOW, self.screen.size.width) - _FRAME

    def _runs(self) -> Iterator[tuple[str, Command, Callable[[], Awaitable[None]]]]:
        """Each command, the place's own first, and what runs it; none over a window, which has its own keys."""
        place = self.screen
        if isinstance(place, Place):
            commands = place.available_commands()
            for command in sorted(commands, key=lambda each: (each in BASIC, each in COMMON, not each.noun)):
                yield " ".join(place.keys_of(command)), command, partial(place.perform, command)


def _line(keys: str, command: Command, name: Content, room: int) -> Content:
    """A command on one line: its keys, its name, what it does."""
    lead = (f"{keys:<{_KEYS}}", "$text-accent"), name.stylize("bold"), " " * (_NAMES - name.cell_length)
    line = Content.assemble(*lead, (command.help, "$text-muted"))
    return line.truncate(room, ellipsis=True)
