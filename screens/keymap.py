"""The operator's own keys: by the name of a command, the keys that run it instead of those it was declared with."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from hsmctl.errors import UsageError

from .command import ALL


def checked(keys: Mapping[str, str]) -> Mapping[str, str]:
    """The keymap, if every name is a command's.

    Raises:
        UsageError: one is not.
    """
    known = [command.name for command in ALL]
    for name in keys:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise UsageError(f"ui.keys.{name}", "no command is called so", f"did you mean {near[0]}?" if near else "")
    return keys
