"""What keys do: sign, verify, encrypt, decrypt, over whole data or over data that arrives in parts."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from hsmctl.agent.ckr import ckr_name
from hsmctl.agent.inventory import Module, Operation, Reader, Refused, Session
from hsmctl.agent.operations_mechanism import prepared
from hsmctl.agent.operations_token import data_of, only, opened


def use(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """What the one key `key` means makes of `data`: `how` is sign, encrypt or decrypt; an IV the token made too.

    Raises:
        Refused: it may not do that, or the token does not.
    """
    how, data = str(args.get("how")), data_of(args, "data")
    if how not in _PAIRS:
        raise Refused("CKR_ARGUMENTS_BAD", f"no use {how}")
    with opened(module, session) as token:
        key = only(token, Reader(module, session), args.get("key") or {})
        if not hasattr(key, how):
            raise Refused("CKR_KEY_FUNCTION_NOT_PERMITTED", f"the key may not {how}")
        mechanism, handle = prepared(args.get("mechanism") or {}), _WORD(session.handle)
        begin, do = (functions(module)[name] for name in _PAIRS[how])
        value = begin(handle, mechanism.packed(), _WORD(key.handle))
        if value:
            raise Refused(ckr_name(value), "the token refused")
        made = fitted(lambda output, length: do(handle, data, _WORD(len(data)), output, length), len(data))
        return {"data": made.hex(), **mechanism.told}


def verify(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """Whether the one key `key` means made this signature of `data`.

    Raises:
        Refused: it may not verify, or the token does not.
    """
    data, signature = data_of(args, "data"), data_of(args, "signature")
    with opened(module, session) as token:
        key = only(token, Reader(module, session), args.get("key") or {})
        if not hasattr(key, "verify"):
            raise Refused("CKR_KEY_FUNCTION_NOT_PERMITTED", "the key may not verify")
        mechanism = prepared(args.get("mechanism") or {})
        return {"fits": bool(key.verify(data, signature, **mechanism.arguments))}


def mac_begin(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """Begin a signature or MAC over data that follows in parts, in the conversation's own session.

    Raises:
        Refused: the key may not sign, or the token does not.
    """
    with opened(module, session) as token:
        handle = only(token, Reader(module, session), args.get("key") or {}).handle
    mechanism = prepared(args.get("mechanism") or {})
    module.call("C_SignInit", session.handle, mechanism.packed(), handle)
    return {}


def mac_update(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """Take the next part.

    Raises:
        Refused: nothing was begun, or the token does not.
    """
    data = data_of(args, "data")
    _call(module, "C_SignUpdate", _WORD(session.handle), data, _WORD(len(data)))
    return {}


def mac_end(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:  # noqa: ARG001 - an operation
    """The signature or MAC over all parts.

    Raises:
        Refused: nothing was begun, or the token does not.
    """
    output, length = ctypes.create_string_buffer(_ROOM), _WORD(_ROOM)
    _call(module, "C_SignFinal", _WORD(session.handle), output, ctypes.byref(length))
    return {"data": output.raw[: length.value].hex()}


USES: Mapping[str, Operation] = {
    "use": use,
    "verify": verify,
    "mac-begin": mac_begin,
    "mac-update": mac_update,
    "mac-end": mac_end,
}
"""The operations of this family."""

_WORD = ctypes.c_ulong
_ROOM = 1024
_SLACK = 8192
"""Bytes that what is made may have more than what it is made of; an ML-DSA-87 signature takes 4,627."""
_CKR_BUFFER_TOO_SMALL = 0x150
_PAIRS = {
    "sign": ("C_SignInit", "C_Sign"),
    "encrypt": ("C_EncryptInit", "C_Encrypt"),
    "decrypt": ("C_DecryptInit", "C_Decrypt"),
}
_FUNCTIONS: Mapping[str, int] = {
    "C_GetMechanismInfo": 0x09,
    "C_SignInit": 0x2B,
    "C_Sign": 0x2C,
    "C_SignUpdate": 0x2D,
    "C_SignFinal": 0x2E,
    "C_EncryptInit": 0x1E,
    "C_Encrypt": 0x1F,
    "C_DecryptInit": 0x22,
    "C_Decrypt": 0x23,
    "C_WrapKey": 0x3D,
    "C_GenerateKey": 0x3B,
    "C_GenerateKeyPair": 0x3C,
}
"""Places in CK_FUNCTION_LIST, in words; the version fills one."""


@cache
def functions(module: Module) -> Mapping[str, Any]:
    """The functions of a loaded module that are called often, or that a listing does not need."""
    function = ctypes.CFUNCTYPE(_WORD)
    return {name: function(module.table[place]) for name, place in _FUNCTIONS.items()}


def fitted(call: Callable[[object, object], int], least: int) -> bytes:
    """What a call writes that is given a buffer and its length.

    The room is there from the start: NSS, asked for it, forgets the tag of AES-GCM and the header of a wrapped key.

    Raises:
        Refused: it does not return CKR_OK.
    """
    length = _WORD(least + _SLACK)
    while True:
        room = length.value
        output = ctypes.create_string_buffer(room)
        value = call(output, ctypes.byref(length))
        if value == _CKR_BUFFER_TOO_SMALL and length.value > room:
            continue
        if value:
            raise Refused(ckr_name(value), "the token refused")
        return output.raw[: length.value]


def _call(module: Module, name: str, *arguments: object) -> None:
    value = functions(module)[name](*arguments)
    if value:
        raise Refused(ckr_name(value), f"{name} failed")
