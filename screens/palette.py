"""The palette's source: the commands of the place it was opened at, found by name or by what they do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from .command import Command
from .place import Place


class Commands(Provider):
    """What can be done here and now."""

    async def discover(self) -> Hits:
        """Every command."""
        for command, run in self._runs():
            yield DiscoveryHit(_title(command), run, help=command.help)

    async def search(self, query: str) -> Hits:
        """The commands whose name or help matches."""
        matcher = self.matcher(query)
        for command, run in self._runs():
            score = max(matcher.match(command.name), matcher.match(command.help) / 2)
            if score > 0:
                yield Hit(score, matcher.highlight(_title(command)), run, help=command.help)

    def _runs(self) -> Iterator[tuple[Command, Callable[[], Awaitable[None]]]]:
        """Each command with what runs it; none over a window, which has its own keys."""
        place = self.screen
        if isinstance(place, Place):
            for command in place.available_commands():
                yield command, partial(place.perform, command)


def _title(command: Command) -> str:
    return f"{command.name}  {' '.join(command.keys)}".strip()
