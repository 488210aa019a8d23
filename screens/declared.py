"""Every command there is, whichever place has it; reading them loads all places."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .command import Command

_PLACES = (
    *("fleet", "cluster", "sync", "coverage", "key", "net"),
    *("user", "ceremony", "timeline", "operation", "lab", "log"),
)
"""The modules that have a place each."""


def declared() -> Iterator[tuple[str, Command]]:
    """Each command with the noun of the place that has it."""
    for module in _PLACES:
        where = f"{__package__}.{module}"
        own = (each for each in vars(import_module(where)).values() if getattr(each, "__module__", "") == where)
        for place in own:
            for command in getattr(place, "commands", ()):
                yield "sync" if module == "coverage" else module, command
