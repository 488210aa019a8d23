"""What breaks a rule by a key's attributes alone, as a listing shows them.

An attribute that the token does not tell is neither true nor false: a rule that hangs on it is in doubt, not kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hsmctl.domain.key import Key, ObjectClass, text
from hsmctl.domain.key_purpose import ABLE
from hsmctl.domain.key_rule import Broken, Doubt
from hsmctl.domain.key_transport import PREFIX

Seen = Broken | Doubt | None
"""What came of looking at a key: it breaks the rule, nobody can say, or it keeps it."""

HIDDEN = frozenset({ObjectClass.PRIVATE, ObjectClass.SECRET})
"""The classes that hold something secret."""
_ANY_KEY = HIDDEN | {ObjectClass.PUBLIC}
_CONFLICTS = (("wrap", "decrypt"), ("unwrap", "encrypt"), ("sign", "decrypt"), ("sign", "unwrap"))
_APPROVED_CURVES = frozenset({"P-256", "P-384", "P-521", "P-224", "Ed25519"})
_DATED = frozenset({"DES", "DES3", "DES2", "DSA", "DH", "SHA1-HMAC"})
_HMACS = frozenset({"GENERIC", "SHA224-HMAC", "SHA256-HMAC", "SHA384-HMAC", "SHA512-HMAC"})
_LEAST_BITS: Mapping[str, int] = {"RSA": 2048, **dict.fromkeys(_HMACS, 112)}
_CURVED = frozenset({"EC", "EDWARDS", "MONTGOMERY"})
_SOUND = frozenset({"AES", "ML-DSA"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one rule is judged."""

    classes: frozenset[ObjectClass]
    """The objects it is about."""
    see: Callable[[Key], Seen]


def names_authority(key: Key) -> bool:
    """Whether the label says that the key is an authority's."""
    words = text(key.identity.label).lower().replace("_", "-").replace(".", "-").replace(" ", "-").split("-")
    return bool({"ca", "root", "issuing", "authority"} & set(words))


def shared_labels(keys: Sequence[Key]) -> Look:
    """Keys without a label, and keys of one class that share one."""
    having = Counter((key.identity.object_class, key.identity.label) for key in keys)

    def see(key: Key) -> Seen:
        object_class, label = key.identity.object_class, key.identity.label
        if not label:
            return Broken("has no label")
        same = having[object_class, label]
        return Broken(f"has a label that {same} {object_class}s have") if same > 1 else None

    return Look(classes=_ANY_KEY, see=see)


def _may_leave(key: Key) -> Seen:
    return _told(key, "extractable") or (Broken("is extractable") if "extractable" in key.attributes else None)


def _was_outside(key: Key) -> Seen:
    if not names_authority(key):
        return None
    lacks = [said for name, said in _BORN.items() if name not in key.attributes | key.unknown]
    return Broken(", ".join(lacks)) if lacks else _told(key, *_BORN)


_BORN = {
    "local": "was not made inside",
    "always_sensitive": "was not always sensitive",
    "never_extractable": "was extractable once",
}


def _leaves_under_any(key: Key) -> Seen:
    if "extractable" not in key.attributes or "wrap_with_trusted" in key.attributes:
        return _told(key, "extractable")
    return _told(key, "wrap_with_trusted") or Broken("leaves under any wrapping key")


def _trusted_leaves(key: Key) -> Seen:
    if {"trusted", "extractable"} <= key.attributes:
        return Broken("is trusted and extractable")
    certain = any(name not in key.attributes | key.unknown for name in ("trusted", "extractable"))
    return None if certain else _told(key, "trusted", "extractable")


def _is_weak(key: Key) -> Seen:
    kind = key.key_type
    if kind in _DATED:
        return Broken(f"is a {kind} key")
    if kind in _CURVED:
        return _on_curve(key)
    least = _LEAST_BITS.get(kind)
    if least is None:
        return None if kind in _SOUND else Doubt(f"hsmctl knows no key type {kind}", "hsmctl key show KEY")
    if key.bits is None:
        return Doubt("the token does not tell how long it is", "hsmctl key show KEY")
    return Broken(f"has {key.bits} bits, of {least} that a {kind} key needs") if key.bits < least else None


def _on_curve(key: Key) -> Seen:
    if not key.curve:
        return Doubt("the token does not tell its curve, or hsmctl does not know it", "hsmctl key show KEY")
    return None if key.curve in _APPROVED_CURVES else Broken(f"is on the curve {key.curve}")


def _mixes(key: Key) -> Seen:
    both = next((pair for pair in _CONFLICTS if {*pair} <= key.attributes), None)
    if both:
        return Broken(f"may {both[0]} and {both[1]}")
    able = ABLE[key.identity.object_class]
    maybe = key.attributes | key.unknown & {*able}
    return _told(key, *sorted({name for pair in _CONFLICTS if {*pair} <= maybe for name in pair}))


def _left_over(key: Key) -> Seen:
    return Broken("is a transport key") if key.identity.label.startswith(PREFIX) else None


def _told(key: Key, *names: str) -> Doubt | None:
    """The doubt where the token does not tell one of these attributes."""
    silent = [name.replace("_", "-") for name in names if name in key.unknown]
    if not silent:
        return None
    return Doubt(
        f"the token does not tell {', '.join(silent)}",
        "cloudhsm-cli tells it of a cluster, other tokens' own tools of theirs",
    )


LOOKS: Mapping[str, Look] = {
    "KY-01": Look(classes=HIDDEN, see=_may_leave),
    "KY-02": Look(classes=frozenset({ObjectClass.PRIVATE}), see=_was_outside),
    "KY-03": Look(classes=HIDDEN, see=_leaves_under_any),
    "KY-04": Look(classes=frozenset({ObjectClass.SECRET}), see=_trusted_leaves),
    "KY-05": Look(classes=_ANY_KEY, see=_is_weak),
    "KY-06": Look(classes=HIDDEN, see=_mixes),
    "KY-10": Look(classes=_ANY_KEY, see=_left_over),
}
"""By rule, those that one key's attributes decide."""
