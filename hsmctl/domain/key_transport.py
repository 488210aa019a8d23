"""How keys that carry other keys are called: a name that nothing else has, by which they are found and ended again."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from hsmctl.domain.mechanism import TokenFacts

_SOFTWARE = frozenset({"soft", "nss", "kryoptic"})
"""Words by which openCryptoki's soft token (model Soft), NSS and Kryoptic say it."""
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


def oaep_hash(*tokens: TokenFacts) -> str:
    """The hash for RSA-OAEP that all of these understand: SoftHSM knows SHA-1 alone."""
    return "sha1" if any(is_software(facts) for facts in tokens) else "sha256"


def is_software(facts: TokenFacts) -> bool:
    """Whether the token says that it is software."""
    said = f"{facts.manufacturer} {facts.model} {facts.library}".lower()
    return "softhsm" in said or not _SOFTWARE.isdisjoint(said.split())
