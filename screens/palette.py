"""The palette's source: the commands of the place it was opened at, found by name or by what they do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from .command import BASIC, COMMON, Command
from .place import Place


class Commands(Provider):
    """What can be done here and now."""

    async def discover(self) -> Hits:
        """Every command."""
        for title, command, run in self._runs():
            yield DiscoveryHit(title, run, help=command.help)

    async def search(self, query: str) -> Hits:
        """The commands whose name or help matches."""
        matcher = self.matcher(query)
        for title, command, run in self._runs():
            score = max(matcher.match(command.name), matcher.match(command.help) / 2)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, help=command.help)

    def _runs(self) -> Iterator[tuple[str, Command, Callable[[], Awaitable[None]]]]:
        """Each command, the place's own first, and what runs it; none over a window, which has its own keys."""
        place = self.screen
        if isinstance(place, Place):
            commands = place.available_commands()
            for command in sorted(commands, key=lambda each: (each in BASIC, each in COMMON, not each.noun)):
                keys = " ".join(place.keys_of(command))
                yield f"{command.name}  {keys}".strip(), command, partial(place.perform, command)
