"""What keys do: sign, verify, encrypt, decrypt, over whole data or over data that arrives in parts."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import cache
from typing import Any

from hsmctl.agent.inventory import Module, Operation, Reader, Refused, Session, ckr_name
from hsmctl.agent.operations_mechanism import prepared
from hsmctl.agent.operations_token import data_of, only, opened


def use(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """What the one key `key` means makes of `data`: `how` is sign, encrypt or decrypt; an IV the token made too.

    Raises:
        Refused: it may not do that, or the token does not.
    """
    how, data = str(args.get("how")), data_of(args, "data")
    if how not in ("sign", "encrypt", "decrypt"):
        raise Refused("CKR_ARGUMENTS_BAD", f"no use {how}")
    with opened(module, session) as token:
        key = only(token, Reader(module, session), args.get("key") or {})
        if not hasattr(key, how):
            raise Refused("CKR_KEY_FUNCTION_NOT_PERMITTED", f"the key may not {how}")
        mechanism = prepared(args.get("mechanism") or {})
        return {"data": getattr(key, how)(data, **mechanism.arguments).hex(), **mechanism.told}


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
    ready = prepared(args.get("mechanism") or {})
    parameter = ready.parameter or b""
    mechanism = (_WORD * 3)(int(ready.mechanism), 0, len(parameter))
    buffer = ctypes.create_string_buffer(parameter, len(parameter) or 1)
    mechanism[1] = ctypes.addressof(buffer) if parameter else 0
    module.call("C_SignInit", session.handle, mechanism, handle)
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
_FUNCTIONS: Mapping[str, int] = {
    "C_GetMechanismInfo": 0x09,
    "C_SignInit": 0x2B,
    "C_Sign": 0x2C,
    "C_SignUpdate": 0x2D,
    "C_SignFinal": 0x2E,
    "C_EncryptInit": 0x1E,
    "C_Encrypt": 0x1F,
    "C_GenerateKey": 0x3B,
    "C_GenerateKeyPair": 0x3C,
}
"""Places in CK_FUNCTION_LIST, in words; the version fills one."""


@cache
def functions(path: str) -> Mapping[str, Any]:
    """The functions of a loaded module that are called often, or that a listing does not need."""
    table = ctypes.POINTER(ctypes.c_void_p)()
    ctypes.CDLL(path).C_GetFunctionList(ctypes.byref(table))
    function = ctypes.CFUNCTYPE(_WORD)
    return {name: function(table[place]) for name, place in _FUNCTIONS.items()}


def _call(module: Module, name: str, *arguments: object) -> None:
    value = functions(module.path)[name](*arguments)
    if value:
        raise Refused(ckr_name(value), f"{name} failed")
