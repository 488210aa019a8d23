"""How keys that carry other keys are called: a name that nothing else has, by which they are found and ended again."""

from __future__ import annotations

import secrets
from typing import NamedTuple

PREFIX = b"hsmctl-transport-"
"""How the labels of transport keys begin."""


class TransportName(NamedTuple):
    """What a transport key, or its two halves, are called."""

    label: bytes
    key_id: bytes

    @classmethod
    def fresh(cls) -> TransportName:
        """A name that nothing else has."""
        return cls.of(secrets.token_bytes(16))

    @classmethod
    def of(cls, key_id: bytes) -> TransportName:
        """The name with this id."""
        return cls(PREFIX + key_id.hex().encode(), key_id)
