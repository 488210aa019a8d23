"""What a token lacks where it refuses to make a key, and what it has instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hsmctl.domain.key import KeyKind
from hsmctl.domain.mechanism import TokenFacts

NOT_OFFERED = frozenset(
    {
        "CKR_MECHANISM_INVALID",
        "CKR_FUNCTION_NOT_SUPPORTED",
        "CKR_CURVE_NOT_SUPPORTED",
        "CKR_DOMAIN_PARAMS_INVALID",
    }
)
"""How tokens say that they do no such thing."""
MAKES: Mapping[KeyKind, tuple[str, ...]] = {
    KeyKind.AES: ("AES_KEY_GEN",),
    KeyKind.GENERIC: ("GENERIC_SECRET_KEY_GEN",),
    KeyKind.RSA: ("RSA_PKCS_KEY_PAIR_GEN",),
    KeyKind.EC: ("EC_KEY_PAIR_GEN",),
    KeyKind.ED25519: ("EC_EDWARDS_KEY_PAIR_GEN",),
    KeyKind.X25519: ("EC_MONTGOMERY_KEY_PAIR_GEN", "EC_EDWARDS_KEY_PAIR_GEN"),
    KeyKind.ML_DSA: ("ML_DSA_KEY_PAIR_GEN",),
}
"""The mechanisms of which a token needs one to make a key of a kind."""
DERIVES = ("ECDH1_DERIVE", "HKDF_DERIVE", "SP800_108_COUNTER_KDF")
"""The mechanisms by which keys come out of keys that operators look for."""
GENERATES = tuple(dict.fromkeys(name for names in MAKES.values() for name in names))
"""All by which hsmctl makes keys."""


def lacking(facts: TokenFacts, wanted: Sequence[str], instead: Sequence[str]) -> str:
    """In a line, which of the wanted mechanisms the token names, and what else it has of those that would serve."""
    named = [name for name in wanted if facts.offers(name)]
    lacks = f"it names {' and '.join(named)}, and refuses" if named else f"it has no {' or '.join(wanted)}"
    others = [name for name in instead if facts.offers(name) and name not in wanted]
    return f"{lacks}; it has {', '.join(others) or 'nothing instead'}"
