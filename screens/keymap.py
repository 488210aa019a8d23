"""The operator's own keys: by the name of a command, the keys that run it instead of those it was declared with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from hsmctl.errors import UsageError

from .command import ALL

_KEY = r"(?:(?:ctrl|shift|alt|super)\+)*[A-Za-z0-9_]+"
_KEYS = re.compile(f"{_KEY}(?:,{_KEY})*")
"""Names of keys as Textual calls them, with commas between."""


def checked(keys: Mapping[str, str]) -> Mapping[str, str]:
    """The keymap, if every name is that of a command with a key, and every key could be one.

    Raises:
        UsageError: one is not.
    """
    known = {command.name: command.key for command in ALL}
    if not set(keys) <= set(known):
        known |= _all_keys()
    for name, wanted in keys.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise UsageError(f"ui.keys.{name}", "no command is called so", f"did you mean {near[0]}?" if near else "")
        if not known[name]:
            raise UsageError(f"ui.keys.{name}", "it has no key: what changes an estate is typed", f":{name}")
        if not _KEYS.fullmatch(wanted):
            hint = "such as f5, ctrl+r or S; commas between several"
            raise UsageError(f"ui.keys.{name}", f"{wanted or 'nothing'} is no key", hint)
    return keys


def _all_keys() -> dict[str, str]:
    """All commands by name; the start of the screens waits for this only where a place's own command is named."""
    from .declared import declared

    return {command.name: command.key for _, command in declared()}
