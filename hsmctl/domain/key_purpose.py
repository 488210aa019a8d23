"""What a key is for, and the attributes that follow: one purpose, one family of uses, and nothing beside it.

A key that both wraps and decrypts gives out what it wrapped (NIST SP 800-57 part 1, 5.2: one use for a key), so that no
purpose mixes the two; who needs a mixture names its attributes one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum

from hsmctl.domain.key import PAIRED, Key, KeyKind, ObjectClass
from hsmctl.errors import UsageError


class Purpose(StrEnum):
    """What `--for` takes."""

    SIGN = "sign"
    TLS = "tls"
    KEK = "kek"
    DATA = "data"
    JWT = "jwt"
    CA = "ca"
    HMAC = "hmac"
    AGREE = "agree"


_SIGNS: Mapping[str, tuple[str, ...]] = {"secret": ("sign", "verify"), "private": ("sign",), "public": ("verify",)}
_USES: Mapping[Purpose, Mapping[str, tuple[str, ...]]] = {
    Purpose.SIGN: _SIGNS,
    Purpose.TLS: {"private": ("sign",), "public": ("verify",)},
    Purpose.KEK: {"secret": ("wrap", "unwrap"), "private": ("unwrap",), "public": ("wrap",)},
    Purpose.DATA: {"secret": ("encrypt", "decrypt"), "private": ("decrypt",), "public": ("encrypt",)},
    Purpose.JWT: _SIGNS,
    Purpose.CA: {"private": ("sign",), "public": ("verify",)},
    Purpose.HMAC: {"secret": ("sign", "verify")},
    Purpose.AGREE: {"private": ("derive",), "public": ()},
}
_KINDS: Mapping[Purpose, frozenset[KeyKind]] = {
    Purpose.SIGN: frozenset(KeyKind) - {KeyKind.X25519},
    Purpose.TLS: frozenset({KeyKind.RSA, KeyKind.EC, KeyKind.ED25519}),
    Purpose.KEK: frozenset({KeyKind.AES, KeyKind.RSA}),
    Purpose.DATA: frozenset({KeyKind.AES, KeyKind.RSA}),
    Purpose.JWT: frozenset({KeyKind.RSA, KeyKind.EC, KeyKind.ED25519, KeyKind.GENERIC}),
    Purpose.CA: PAIRED - {KeyKind.X25519},
    Purpose.HMAC: frozenset({KeyKind.GENERIC}),
    Purpose.AGREE: frozenset({KeyKind.EC, KeyKind.X25519}),
}
_DEFAULTS: Mapping[KeyKind, Purpose] = {
    KeyKind.AES: Purpose.DATA,
    KeyKind.GENERIC: Purpose.HMAC,
    KeyKind.X25519: Purpose.AGREE,
}
USES = ("encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "derive")
"""The attributes that allow a key something."""
ABLE = {
    ObjectClass.SECRET: ("encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "derive"),
    ObjectClass.PRIVATE: ("decrypt", "sign", "unwrap", "derive"),
    ObjectClass.PUBLIC: ("encrypt", "verify", "wrap"),
}
"""The uses that an object of a class can have."""
HALVES = {ObjectClass.SECRET: "secret", ObjectClass.PRIVATE: "private", ObjectClass.PUBLIC: "public"}
"""What the half of a key is called that an object of a class is."""
_HIDDEN = ("sensitive", "extractable", "wrap_with_trusted")
_SETTABLE = (*USES, "private", "sensitive", "extractable", "wrap_with_trusted", "modifiable", "destroyable", "copyable")
"""The attributes `--attr` takes; CKA_TRUSTED is not among them: nobody but an admin makes a key trusted."""


def attributes_for(
    kind: KeyKind, purpose: Purpose | None = None, named: Mapping[str, bool] | None = None
) -> dict[str, dict[str, bool]]:
    """By half, the attributes of a new key; a name such as `public.encrypt` is of one half, a bare one of the secret.

    Named uses stand alone; where none is named, the key has those of its purpose, or of its kind.

    Raises:
        UsageError: the purpose does not go with the kind, or an attribute is none that can be set.
    """
    if purpose is not None and kind not in _KINDS[purpose]:
        able = ", ".join(sorted(_KINDS[purpose]))
        raise UsageError(f"no {kind} key for {purpose}", f"{purpose} keys are {able}", "--for")
    halves = ("private", "public") if kind in PAIRED else ("secret",)
    tells = any(name.rpartition(".")[2] in USES for name in named or ())
    uses = {} if purpose is None and tells else _USES[purpose or _DEFAULTS.get(kind, Purpose.SIGN)]
    found = {half: dict.fromkeys(uses.get(half, ()), True) for half in halves}
    for name, value in (named or {}).items():
        half, attribute = _placed(name, halves)
        found[half][attribute] = value
    return found


def alone(half: str, named: Mapping[str, bool]) -> dict[str, bool]:
    """Named attributes of an object that comes without its other half: a bare name is of the half that comes.

    Raises:
        UsageError: one is of the other half, or none that this half can have.
    """
    found = {}
    for name, value in named.items():
        of, _, attribute = name.rpartition(".")
        if of not in ("", half):
            raise UsageError(f"--attr {name}", f"a {half} key comes, and no {of} one", f"--attr {attribute}=BOOL")
        if half == "public" and attribute in _HIDDEN:
            raise UsageError(f"--attr {name}", "a public key has no such attribute", "leave it out")
        found[f"{half}.{attribute}"] = value
    return found


def check_extractable(told: Mapping[str, bool], *, extractable: bool) -> None:
    """Refuse to be told both.

    Raises:
        UsageError: `--extractable` and `--attr extractable=false` were typed.
    """
    if extractable and told.get("extractable") is False:
        raise UsageError("--extractable", "--attr extractable=false says the opposite", "give one of the two")


def hidden(named: Mapping[str, bool], *, extractable: bool) -> dict[str, bool]:
    """Named attributes, and those by which a new secret stays one where nobody named them."""
    told = {name.rpartition(".")[2] for name in named}
    usual = {"sensitive": True, "extractable": extractable}
    return {**{name: value for name, value in usual.items() if name not in told}, **named}


def unlike(named: Mapping[str, bool], keys: Iterable[Key]) -> Iterator[str]:
    """What an operator should hear of attributes they named: what the token made otherwise, and a value in the open."""
    for key in keys:
        object_class = key.identity.object_class
        for name, value in named.items():
            half, _, attribute = name.rpartition(".")
            if half != HALVES[object_class] and (half or object_class is ObjectClass.PUBLIC):
                continue
            if (attribute in key.attributes) is not value:
                asked = f"{attribute}={str(value).lower()}"
                yield f"{key.identity}: {asked} was asked for, and the token lists it otherwise"
            elif (attribute, value) == ("sensitive", False):
                yield f"{key.identity} is not sensitive: whoever logs in as its user can read its value"


def parse_attributes(words: Iterable[str]) -> dict[str, bool]:
    """`name=true` or `name=false`, as they are typed.

    Raises:
        UsageError: it is neither, or no attribute that can be set.
    """
    found = {}
    for word in words:
        name, _, value = word.lower().partition("=")
        if value not in ("true", "false", "1", "0"):
            raise UsageError(f"--attr {word}", "it is neither true nor false", f"--attr {name}=true")
        attribute = name.removeprefix("cka_").replace("-", "_").rpartition(".")[2]
        if attribute not in _SETTABLE:
            near = get_close_matches(attribute, _SETTABLE, 1)
            why = "only an admin makes a key trusted" if attribute == "trusted" else "no attribute that can be set"
            raise UsageError(f"--attr {word}", why, f"did you mean {near[0]}?" if near else ", ".join(_SETTABLE))
        found[name.removeprefix("cka_").replace("-", "_")] = value in ("true", "1")
    return found


def _placed(name: str, halves: tuple[str, ...]) -> tuple[str, str]:
    """The half an attribute is of, and its name."""
    half, _, attribute = name.rpartition(".")
    if half and half not in halves:
        raise UsageError(f"--attr {name}", f"the key has no {half} half", f"--attr {halves[0]}.{attribute}=true")
    return half or halves[0], attribute
