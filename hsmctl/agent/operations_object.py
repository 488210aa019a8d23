"""What is done to objects: found, read as far as public, wrapped, changed, destroyed; and what a token offers."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import partial
from typing import Any

from hsmctl.agent.inventory import Module, Operation, Reader, Refused, Session
from hsmctl.agent.operations_mechanism import NAMES, prepared
from hsmctl.agent.operations_token import objects, only, opened, template
from hsmctl.agent.operations_use import fitted, functions

_PUBLIC_VALUES: Mapping[int, tuple[str, ...]] = {
    0: ("value", "application", "object_id"),
    1: ("value", "subject", "issuer", "serial_number"),
    2: ("modulus", "public_exponent", "ec_params", "ec_point", "value"),
    3: ("modulus", "public_exponent", "ec_params"),
    4: (),
}
"""By class, the values that are nobody's secret; CKA_VALUE of a private or secret key is never asked for."""


def find(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """The token objects with the attributes of `template`, as they are listed.

    Raises:
        Refused: the template makes no sense.
    """
    wanted = {**template(args.get("template") or {}), **template({"token": True})}
    with opened(module, session) as token:
        reader = Reader(module, session)
        return {"keys": [key for item in objects(token, wanted) if (key := reader.read(item.handle))]}


def read(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """The public values of one object, in hex; those it does not have are left out.

    Raises:
        Refused: there is no such object.
    """
    from pkcs11 import Attribute, PKCS11Error

    reference = args.get("key") or {}
    with opened(module, session) as token:
        item = only(token, Reader(module, session), reference)
        values = {}
        for name in _PUBLIC_VALUES[reference["class"]]:
            try:
                values[name] = item[Attribute[name.upper()]].hex()
            except PKCS11Error:
                continue
        return {"values": values}


def wrap(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """The one key `key` means, wrapped by the one key `by` means.

    Raises:
        Refused: the token does not let it go, or not under this key.
    """
    with opened(module, session) as token:
        reader = Reader(module, session)
        by, key = (only(token, reader, args.get(name) or {}) for name in ("by", "key"))
        if not hasattr(by, "wrap_key"):
            raise Refused("CKR_KEY_FUNCTION_NOT_PERMITTED", "the key may not wrap")
        how, call = prepared(args.get("mechanism") or {}), functions(module)["C_WrapKey"]
        which = (_WORD(session.handle), how.packed(), _WORD(by.handle), _WORD(key.handle))
        return {"data": fitted(partial(call, *which), 0).hex(), **how.told}


def destroy(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """Destroy the one object `key` means.

    Raises:
        Refused: it means none or several, or the token keeps it.
    """
    with opened(module, session) as token:
        only(token, Reader(module, session), args.get("key") or {}).destroy()
    return {}


def change(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """The one object `key` means, with other attributes: those of `template`, one C_SetAttributeValue each.

    Raises:
        Refused: the token does not change them; CloudHSM's library changes none (user guide, PKCS#11 APIs).
    """
    with opened(module, session) as token:
        reader = Reader(module, session)
        item = only(token, reader, args.get("key") or {})
        for attribute, value in template(args.get("template") or {}).items():
            item[attribute] = value
        return {"keys": [reader.read(item.handle)]}


def token(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:  # noqa: ARG001 - an operation
    """What the token says of itself, and its mechanisms with their key sizes and uses (C_GetMechanismInfo)."""
    slot = module.slot(session.slot_id)
    with opened(module, session) as ready:
        place = ready.token.slot
        mechanisms = [_mechanism(module, session.slot_id, each) for each in place.get_mechanisms()]
        return {
            **slot._asdict(),
            "firmware": ".".join(map(str, ready.token.firmware_version)),
            "library": module.manufacturer(),
            "mechanisms": sorted(mechanisms, key=lambda each: each["number"]),
        }


DESTROYING: Mapping[str, Operation] = {"destroy": destroy}
"""The operations after which a token object may be gone."""
CHANGING: Mapping[str, Operation] = {"change": change}
"""The operations after which a token object may be another."""
OBJECTS: Mapping[str, Operation] = {"find": find, "read": read, "wrap": wrap, "token": token, **CHANGING}
"""The others of this family."""


def _mechanism(module: Module, slot_id: int, mechanism: int) -> dict[str, Any]:
    """A mechanism with its number, name and what it is good for; an unknown vendor's has its number for a name.

    The structure is zeroed before it is filled: SoftHSM only adds flags to what it finds in it.
    """
    name = NAMES.get(int(mechanism)) or getattr(mechanism, "name", f"0x{mechanism:08X}").lstrip("_")
    told = {"number": int(mechanism), "name": name}
    info = (_WORD * 3)()
    if functions(module)["C_GetMechanismInfo"](_WORD(slot_id), _WORD(int(mechanism)), info):
        return {**told, "least": None, "most": None, "uses": []}
    least, most, flags = info
    uses = [use for use, flag in _USES.items() if flags & flag]
    return {**told, "least": least, "most": most, "uses": uses}


_WORD = ctypes.c_ulong
_USES = {
    "encrypt": 0x100,
    "decrypt": 0x200,
    "digest": 0x400,
    "sign": 0x800,
    "verify": 0x2000,
    "generate": 0x8000,
    "generate_key_pair": 0x10000,
    "wrap": 0x20000,
    "unwrap": 0x40000,
    "derive": 0x80000,
}
"""CKF_*."""
