"""The stage for tests of screens: the app over a world in memory, and what stands on its screen as text."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hsmctl.screens.app import HsmctlApp
from textual.events import Paste
from textual.pilot import Pilot
from world import World

from hsmctl.bootstrap import Hsmctl
from hsmctl.cli import form
from hsmctl.settings import Context

_PIECE = re.compile(r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)" textLength[^>]*>([^<]*)</text>')
"""A piece of text in an exported screenshot."""

NEVER = 3_600.0
"""Seconds between looks that a test does not live to see."""
_CELL = 12.2
"""The width of a cell in an exported screenshot."""


@dataclass(frozen=True)
class Stage:
    """A running app and the hand on its keyboard."""

    app: HsmctlApp
    pilot: Pilot[None]

    @property
    def text(self) -> str:
        """What is on the screen, line by line."""
        lines: dict[float, str] = defaultdict(str)
        pieces = [(float(y), float(x), piece) for x, y, piece in _PIECE.findall(self.app.export_screenshot())]
        for y, x, piece in sorted(pieces):
            text = html.unescape(piece).replace("\xa0", " ").rstrip("\n")
            lines[y] = lines[y].ljust(round(x / _CELL)) + text
        return "\n".join(lines.values())

    def line(self, part: str) -> str:
        """The first line on the screen with this text in it."""
        return next((line for line in self.text.splitlines() if part in line), "")

    async def sees(self, *parts: str) -> None:
        """Wait until all of this is on the screen."""
        await self._until(lambda text: all(part in text for part in parts), parts)

    async def sees_line(self, *parts: str) -> None:
        """Wait until one line of the screen holds all of this."""
        await self._until(lambda text: any(all(part in line for part in parts) for line in text.splitlines()), parts)

    async def misses(self, part: str) -> None:
        """Wait until this is nowhere on the screen."""
        await self._until(lambda text: part not in text, (f"the absence of {part}",))

    async def settle(self) -> None:
        """Wait until nothing is being asked any more and everything is drawn."""
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys and let what they asked for be answered."""
        await self.pilot.press(*keys)
        await self.app.workers.wait_for_complete()

    async def enter(self, line: str) -> None:
        """Give a line after `:`."""
        await self.pilot.press("colon")
        self.app.post_message(Paste(line))
        await self.pilot.press("enter")

    async def _until(self, shown: Callable[[str], bool], parts: Sequence[str]) -> None:
        for _ in range(300):
            if shown(self.text):
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"{parts} is not on the screen:\n{self.text}")


@asynccontextmanager
async def opened(
    world: World | None = None,
    context: Context | None = None,
    size: tuple[int, int] = (80, 24),
    *,
    settled: bool = True,
    ascii_only: bool = False,
) -> AsyncIterator[Stage]:
    """The app over a world, a healthy lab unless told; `settled` waits until it has found out what there is."""
    facade = (world or World()).hsmctl(context)
    async with staged(facade, size, settled=settled, ascii_only=ascii_only, every=NEVER) as stage:
        yield stage


@asynccontextmanager
async def staged(
    facade: Hsmctl,
    size: tuple[int, int] = (80, 24),
    *,
    settled: bool = True,
    **options: Any,  # noqa: ANN401 - of the app's constructor
) -> AsyncIterator[Stage]:
    """The app over a façade, with more of its options."""
    app = HsmctlApp(facade, forms=form, **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        stage = Stage(app, pilot)
        if settled:
            await stage.settle()
        yield stage
