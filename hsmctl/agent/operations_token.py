"""python-pkcs11 on a module the process has initialized already: sessions, templates, and exactly one object.

Knows python-pkcs11's traps and avoids them here, once: its own C_Initialize asks for no locks, so it is never called;
closing a session that was opened with a PIN logs the whole token out, so sessions are opened without one; it takes
labels to be UTF-8, so ours travel as bytes; a search that is left early blocks the next, so it is always drained.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from hsmctl.agent.ckr import ckr_name
from hsmctl.agent.inventory import Module, Reader, Refused, Session

if TYPE_CHECKING:
    import pkcs11
    from pkcs11._pkcs11 import lib
    from pkcs11.attributes import AttributeMapper

MONTGOMERY = 0x41
"""CKK_EC_MONTGOMERY."""
_KEY_TYPES = {"EC_MONTGOMERY": MONTGOMERY, "HKDF": 0x42}
"""PKCS#11 3.1's, which python-pkcs11 does not name: it takes none but its own members, so these are made members."""
Template = dict["pkcs11.Attribute", Any]
_BYTES = (
    "LABEL",
    "ID",
    "VALUE",
    "MODULUS",
    "PUBLIC_EXPONENT",
    "PRIVATE_EXPONENT",
    "PRIME_1",
    "PRIME_2",
    "EXPONENT_1",
    "EXPONENT_2",
    "COEFFICIENT",
    "EC_PARAMS",
    "EC_POINT",
    "SUBJECT",
    "ISSUER",
    "SERIAL_NUMBER",
    "APPLICATION",
    "OBJECT_ID",
)
"""Attributes whose value is bytes, which travel as hex; labels too, whatever python-pkcs11 thinks of them."""


@contextmanager
def opened(module: Module, session: Session) -> Iterator[pkcs11.Session]:
    """A read/write session of python-pkcs11 on the token `session` is logged in to; its errors become Refused."""
    from pkcs11 import PKCS11Error

    learn_key_types()
    try:
        slot = next(slot for slot in _attached(module.path).get_slots() if slot.slot_id == session.slot_id)
        with slot.get_token().open(rw=True, attribute_mapper=_mapper()) as ready:
            yield ready
    except StopIteration:
        raise Refused("CKR_TOKEN_NOT_PRESENT", f"slot {session.slot_id} has no token any more") from None
    except PKCS11Error as error:
        raise Refused(ckr_of(error), "the token refused") from error


def template(raw: Mapping[str, Any]) -> Template:
    """Attributes by their PKCS#11 names in lower case, with booleans, numbers or hex, as python-pkcs11 has them.

    Raises:
        Refused: there is no such attribute, or its value is of the wrong kind.
    """
    from pkcs11 import Attribute

    try:
        values = {Attribute[name.upper()]: _value(name, value) for name, value in raw.items()}
        for attribute, value in values.items():
            # python-pkcs11 frees what it never allocated where it cannot pack a value, which ends the process.
            _mapper().pack_attribute(attribute, value)
    except (AttributeError, KeyError, NotImplementedError, TypeError, ValueError, struct.error) as error:
        raise Refused("CKR_ARGUMENTS_BAD", f"no attributes: {error!r}") from error
    return values


def objects(session: pkcs11.Session, wanted: Template) -> list[Any]:
    """Every object with these attributes."""
    return list(session.get_objects(wanted))


def only(session: pkcs11.Session, reader: Reader, reference: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of python-pkcs11's many classes
    """The one object a reference means: its class, id and label, and where those are shared, its material.

    Raises:
        Refused: it means none, or more than one: nothing is done to an object that may be another.
    """
    names = template({name: reference.get(name) for name in ("class", "id", "label")})
    found = objects(session, {**names, **template({"token": True})})
    material = reference.get("material")
    if len(found) > 1 or material:
        found = [item for item in found if _is_of(reader.read(item.handle), material)]
    if len(found) != 1:
        raise Refused("CKR_OBJECT_HANDLE_INVALID", f"{len(found) or 'no'} objects are what was meant")
    return found[0]


def data_of(args: Mapping[str, Any], name: str) -> bytes:
    """An argument that is bytes.

    Raises:
        Refused: it is none.
    """
    try:
        return bytes.fromhex(args[name])
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("CKR_ARGUMENTS_BAD", f"{name} is needed, in hex") from error


def ckr_of(error: pkcs11.PKCS11Error) -> str:
    """The return value's name, from python-pkcs11's name for it or from the number it had no name for."""
    number = re.search(r"0x[0-9a-f]+", str(error))
    if number:
        return ckr_name(int(number[0], 16))
    if "Buffer was too small" in str(error):
        return "CKR_BUFFER_TOO_SMALL"
    return "CKR_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).upper()


def _value(name: str, value: object) -> object:
    if isinstance(value, str):
        return bytes.fromhex(value)
    if isinstance(value, bool | int) and name.upper() not in _BYTES:
        return value
    raise TypeError(f"a {type(value).__name__} is no {name}")


def _is_of(key: Mapping[str, Any] | None, material: Mapping[str, str] | None) -> bool:
    """Whether an object is there and has this fingerprint, where there is one."""
    return key is not None and (material is None or key["material"] == material)


@cache
def learn_key_types() -> None:
    """Make the key types that python-pkcs11 does not name members of its own."""
    from pkcs11 import KeyType

    for name, number in _KEY_TYPES.items():
        if number not in KeyType._value2member_map_:
            member = int.__new__(KeyType, number)
            member._name_, member._value_ = name, number
            KeyType._value2member_map_[number] = member


@cache
def _mapper() -> AttributeMapper:
    """What python-pkcs11 takes values for: labels are bytes, or the empty text of its own templates."""
    from pkcs11 import Attribute
    from pkcs11.attributes import AttributeMapper

    mapper = AttributeMapper()
    for name in _BYTES:
        mapper.register_handler(Attribute[name], lambda value: value.encode() if value == "" else bytes(value), bytes)
    return mapper


@cache
def _attached(path: str) -> lib:
    """The library this process has loaded and initialized, seen through python-pkcs11."""
    from pkcs11 import PKCS11Error
    from pkcs11._pkcs11 import lib

    class Attached(lib):
        """Leaves C_Initialize to those who did it with locks."""

        def initialize(self) -> None:
            """Nothing: the module is initialized."""

    try:
        return Attached(path)
    except PKCS11Error as error:
        # p11-kit-proxy makes a new module for each C_GetFunctionList: its tokens are the same, logged in already, and
        # p11-kit gives them its own locks.
        if "not initialized" not in str(error):
            raise
        return lib(path)
