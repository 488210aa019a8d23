"""The successor of a key: the same kind, size and uses under another label and id."""

from __future__ import annotations

import secrets

from hsmctl.domain.key import PAIRED, SIZES, Key, KeyKind, KeySpec, ObjectClass
from hsmctl.domain.key_name import KeyName
from hsmctl.domain.key_purpose import USES
from hsmctl.errors import Conflict
from hsmctl.ports import Token
from hsmctl.services.key_door import only

_KINDS = {
    "RSA": KeyKind.RSA,
    "EC": KeyKind.EC,
    "AES": KeyKind.AES,
    "GENERIC": KeyKind.GENERIC,
    "EDWARDS": KeyKind.ED25519,
}
_KEPT = (*USES, "wrap_with_trusted")


def successor(token: Token, name: KeyName, label: str, where: str) -> KeySpec:
    """What `key rotate` makes.

    Raises:
        Conflict: the name means no key, or one of a kind or size that hsmctl does not make.
    """
    key = only(token, name, (ObjectClass.SECRET, ObjectClass.PRIVATE), where)
    kind = KeyKind.X25519 if key.curve == "X25519" else _KINDS.get(key.key_type)
    size = key.curve or (str(key.bits) if key.bits else "")
    if kind is None or size not in SIZES[kind]:
        why = f"a key like {key.algorithm} is not made" if kind else f"hsmctl makes no {key.key_type} keys"
        raise Conflict(f"{key.identity} not rotated", why, "hsmctl key generate")
    return KeySpec(
        kind=kind,
        size=size,
        label=label.encode(errors="surrogateescape"),
        key_id=secrets.token_bytes(8),
        extractable="extractable" in key.attributes,
        attributes=_attributes(token, key, kind),
    )


def _attributes(token: Token, key: Key, kind: KeyKind) -> dict[str, dict[str, bool]]:
    """The uses of a key, and those of its public half."""
    uses = {name: True for name in _KEPT if name in key.attributes}
    if kind not in PAIRED:
        return {"secret": uses}
    wanted = {"id": key.identity.key_id} if key.identity.key_id else {"label": key.identity.label}
    halves = token.objects.find({"class": 2, **wanted})
    public = {name: True for name in USES if any(name in half.attributes for half in halves)}
    return {"private": uses, "public": public}
