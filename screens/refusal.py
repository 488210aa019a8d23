"""Why a command that was typed is not done here and now, and what leads to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .command import Command
    from .place import Place


def named(name: str, commands: Sequence[Command]) -> Command | None:
    """The command of this name, in the plural too, or the only one that begins so."""
    exact = next((command for command in commands if command.name in (name, name.removesuffix("s"))), None)
    beginning = [command for command in commands if name and command.name.startswith(name)]
    return exact or (beginning[0] if len(beginning) == 1 else None)


def hindrance(name: str, place: Place) -> str:
    """What stands in the way of a command that this place has; nothing where it has none of this name."""
    command = named(name, place.commands)
    if command is None or command.runs(place):
        return ""
    if command.available(place):
        return f"{command.name} changes something: :arm allows that"
    return f"{command.name} is not for this, as it stands"


def refusal(name: str, place: Place) -> str:
    """Why the command of this name cannot be run."""
    if why := hindrance(name, place):
        return why
    from .declared import declared

    others = sorted({f":{noun}" for noun, command in declared() if command.name == name})
    if others:
        return f"{name} belongs to another place: {' '.join(others)}"
    return f"{name}: no such command here; ? lists what there is"
