"""What a token can do beyond its listing, through python-pkcs11 on a module the process has initialized already.

Knows python-pkcs11's traps and avoids them here, once: its own C_Initialize asks for no locks, so it is never called;
closing a session that was opened with a PIN logs the whole token out, so sessions are opened without one; it takes
labels to be UTF-8, so ours travel as bytes. It is imported on first use. Refuses to decide who may do what.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from hsmctl.agent.inventory import Module, Operation, Reader, Refused, Session, ckr_name

if TYPE_CHECKING:
    import pkcs11
    from pkcs11._pkcs11 import lib

CURVES: Mapping[str, bytes] = {
    "P-256": bytes.fromhex("06082a8648ce3d030107"),
    "P-384": bytes.fromhex("06052b81040022"),
    "P-521": bytes.fromhex("06052b81040023"),
    "secp256k1": bytes.fromhex("06052b8104000a"),
}
"""CKA_EC_PARAMS, DER, of the curves by their usual names."""


def generate(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """The new objects as the token lists them: always token objects and private, and sensitive unless extractable.

    Raises:
        Refused: the arguments describe no key, or the token does not make it.
    """
    with _opened(module, session) as opened:
        reader = Reader(module, session)
        return {"keys": [reader.read(item.handle) for item in _generated(opened, args)]}


OPERATIONS: Mapping[str, Operation] = {"generate": generate}
"""By the name they have in a request."""


def _generated(session: pkcs11.Session, args: Mapping[str, Any]) -> tuple[Any, ...]:
    """The objects of one C_GenerateKey or C_GenerateKeyPair."""
    from pkcs11 import Attribute, KeyType

    kind, size = args.get("kind"), str(args.get("size"))
    public, secret = _templates(args)
    pair: dict[str, Any] = {"public_template": public, "private_template": secret, "store": True}
    if kind == "aes" and size.isdecimal():
        return (session.generate_key(KeyType.AES, int(size), template=secret, store=True),)
    if kind == "rsa" and size.isdecimal():
        return session.generate_keypair(KeyType.RSA, int(size), **pair)
    if kind == "ec" and size in CURVES:
        curve = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: CURVES[size]}, local=True)
        return curve.generate_keypair(**pair)
    raise Refused("CKR_ARGUMENTS_BAD", f"no key of kind {kind} and size {size}")


def _templates(args: Mapping[str, Any]) -> tuple[dict[pkcs11.Attribute, object], dict[pkcs11.Attribute, object]]:
    """The attributes of a public object, and those of a private or secret one."""
    from pkcs11 import Attribute

    try:
        label, key_id, extractable = bytes.fromhex(args["label"]), bytes.fromhex(args["id"]), bool(args["extractable"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("CKR_ARGUMENTS_BAD", "label, id and extractable are needed, the first two in hex") from error
    public = {Attribute.LABEL: label, Attribute.ID: key_id, Attribute.PRIVATE: True}
    return public, {**public, Attribute.SENSITIVE: not extractable, Attribute.EXTRACTABLE: extractable}


@contextmanager
def _opened(module: Module, session: Session) -> Iterator[pkcs11.Session]:
    """A read/write session of python-pkcs11 on the token `session` is logged in to; its errors become Refused."""
    from pkcs11 import Attribute, PKCS11Error
    from pkcs11.attributes import AttributeMapper

    mapper = AttributeMapper()
    mapper.register_handler(Attribute.LABEL, bytes, bytes)
    try:
        slot = next(slot for slot in _attached(module.path).get_slots() if slot.slot_id == session.slot_id)
        with slot.get_token().open(rw=True, attribute_mapper=mapper) as opened:
            yield opened
    except PKCS11Error as error:
        raise Refused(_ckr(error), "the token refused") from error


@cache
def _attached(path: str) -> lib:
    """The library this process has loaded and initialized, seen through python-pkcs11."""
    from pkcs11._pkcs11 import lib

    class Attached(lib):
        """Leaves C_Initialize to those who did it with locks."""

        def initialize(self) -> None:
            """Nothing: the module is initialized."""

    return Attached(path)


def _ckr(error: pkcs11.PKCS11Error) -> str:
    """The return value's name, from python-pkcs11's name for it or from the number it had no name for."""
    number = re.search(r"0x[0-9a-f]+", str(error))
    if number:
        return ckr_name(int(number[0], 16))
    return "CKR_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).upper()
