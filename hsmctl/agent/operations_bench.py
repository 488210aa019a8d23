"""How fast a token uses a key: C_SignInit and C_Sign, or their encrypting kin, in a loop with prepared arguments.

The key is a session key made for it, and gone with the conversation: a key of the token is refused, whoever asks.
Through ctypes, because a few microseconds of Python count where an operation takes sixty.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from hsmctl.agent.ckr import ckr_name
from hsmctl.agent.inventory import Module, Operation, Refused, Session
from hsmctl.agent.operations_make import CURVES, ED25519
from hsmctl.agent.operations_mechanism import prepared
from hsmctl.agent.operations_token import data_of
from hsmctl.agent.operations_use import functions

_WORD = ctypes.c_ulong
_ROOM = 8192
_SAMPLES = 20_000
"""Most latencies that are kept; the loop goes on."""
_LONGEST, _MOST_THREADS = 60.0, 64
_PAIRS = {"sign": ("C_SignInit", "C_Sign"), "encrypt": ("C_EncryptInit", "C_Encrypt")}
_NO, _YES = b"\0", b"\1"
_CKA_TOKEN = 0x001


class _Attribute(NamedTuple):
    """CK_ATTRIBUTE."""

    number: int
    value: bytes


_SESSION_KEY = (_Attribute(_CKA_TOKEN, _NO), _Attribute(0x002, _YES))
"""CKA_TOKEN false, CKA_PRIVATE true."""
_SECRET = (*_SESSION_KEY, _Attribute(0x103, _YES), _Attribute(0x162, _NO))
"""And CKA_SENSITIVE true, CKA_EXTRACTABLE false."""
_ENCRYPT, _SIGN, _VERIFY = _Attribute(0x104, _YES), _Attribute(0x108, _YES), _Attribute(0x10A, _YES)
_SECRET_KEYS = {"aes": (0x1080, _ENCRYPT), "generic": (0x350, _SIGN)}
"""CKM_AES_KEY_GEN and CKM_GENERIC_SECRET_KEY_GEN."""


def bench_key(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """The handle of a new session key of `kind` and `size`, which signs or, where it is an AES key, encrypts.

    Raises:
        Refused: the token makes none.
    """
    kind, size = str(args.get("kind")), str(args.get("size"))
    handle = _WORD()
    if kind in _SECRET_KEYS and size.isdecimal():
        number, use = _SECRET_KEYS[kind]
        wanted = (*_SECRET, use, _Attribute(0x161, bytes(_WORD(int(size) // 8))))
        _generate(module, "C_GenerateKey", session, number, [wanted], handle)
    else:
        number, domain = _domain(kind, size)
        public, private = (*_SESSION_KEY, _VERIFY, *domain), (*_SECRET, _SIGN)
        _generate(module, "C_GenerateKeyPair", session, number, [public, private], _WORD(), handle)
    return {"handle": handle.value}


def bench(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """How often a session key did `how` with `data` in `seconds`, in `threads` sessions, and how long each took.

    Raises:
        Refused: it is a key of the token, it may not, or the token does not.
    """
    how, data, seconds = args.get("how"), data_of(args, "data"), float(args.get("seconds") or 0)
    handle, threads = int(args.get("handle") or 0), int(args.get("threads") or 1)
    if how not in _PAIRS or not 0 < seconds <= _LONGEST or not 1 <= threads <= _MOST_THREADS:
        raise Refused("CKR_ARGUMENTS_BAD", f"no bench of {how} for {seconds} s in {threads} threads")
    _refuse_token_key(module, session, handle)
    others = [module.open(session.slot_id) for _ in range(threads - 1)]
    try:
        works = [_work(module, each.handle, handle, how, args, data) for each in (session, *others)]
        return _measured(works, seconds)
    finally:
        for each in others:
            module.close(each)


BENCHES: Mapping[str, Operation] = {"bench-key": bench_key, "bench": bench}


def _domain(kind: str, size: str) -> tuple[int, tuple[_Attribute, ...]]:
    """The mechanism that makes such a pair, and the attributes that say of what kind."""
    if kind == "rsa" and size.isdecimal():
        return 0x0000, (_Attribute(0x121, bytes(_WORD(int(size)))), _Attribute(0x122, b"\x01\x00\x01"))
    if kind == "ec" and size in CURVES:
        return 0x1040, (_Attribute(0x180, CURVES[size]),)
    if kind == "ed25519":
        return 0x1055, (_Attribute(0x180, ED25519),)
    raise Refused("CKR_ARGUMENTS_BAD", f"no bench with a key of kind {kind} and size {size}")


def _generate(
    module: Module,
    name: str,
    session: Session,
    number: int,
    templates: list[tuple[_Attribute, ...]],
    *handles: ctypes.c_ulong,
) -> None:
    """One C_GenerateKey or C_GenerateKeyPair in the conversation's own session, with which the keys end."""
    arguments: list[object] = [_WORD(session.handle), (_WORD * 3)(number, 0, 0)]
    kept = []
    for template in templates:
        packed = (_WORD * (3 * len(template)))()
        for place, (attribute, value) in enumerate(template):
            buffer = ctypes.create_string_buffer(value, len(value))
            kept.append(buffer)
            packed[3 * place : 3 * place + 3] = [attribute, ctypes.addressof(buffer), len(value)]
        arguments += [packed, _WORD(len(template))]
    value = functions(module)[name](*arguments, *map(ctypes.byref, handles))
    if value:
        raise Refused(ckr_name(value), f"{name} failed")


def _refuse_token_key(module: Module, session: Session, handle: int) -> None:
    on_token = ctypes.create_string_buffer(_YES, 1)
    module.call(
        "C_GetAttributeValue", session.handle, handle, (_WORD * 3)(_CKA_TOKEN, ctypes.addressof(on_token), 1), 1
    )
    if on_token.raw != _NO:
        raise Refused("CKR_KEY_FUNCTION_NOT_PERMITTED", "only a session key is used for a bench")


class _Work(NamedTuple):
    """One operation, everything it needs prepared: arguments are what ctypes makes of them, made once."""

    how: str
    begin: Callable[..., int]
    beginning: tuple[object, ...]
    do: Callable[..., int]
    doing: tuple[object, ...]
    length: ctypes.c_ulong
    """The room for the result before a call, its length after."""
    kept: tuple[object, ...]
    """What the arguments point into."""


def _work(module: Module, session: int, key: int, how: str, args: Mapping[str, Any], data: bytes) -> _Work:
    ready = prepared(args.get("mechanism") or {})
    begin, do = (functions(module)[name] for name in _PAIRS[how])
    output, length = ctypes.create_string_buffer(_ROOM), _WORD(_ROOM)
    mechanism = ready.packed()
    beginning = (_word(session), ctypes.byref(mechanism), _word(key))
    doing = (_word(session), data, _word(len(data)), ctypes.byref(output), ctypes.byref(length))
    return _Work(how, begin, beginning, do, doing, length, (ready, mechanism))


def _word(value: int) -> object:
    """A CK_ULONG as an argument that ctypes need not convert at each call."""
    return _WORD.from_param(value)


def _measured(works: list[_Work], seconds: float) -> dict[str, object]:
    """Do all of it side by side until the time is up; one at a time where there is one, without a thread more."""
    for work in works:
        _repeated(work, 0, 0)
    began = time.monotonic()
    samples = _SAMPLES // len(works)
    if len(works) == 1:
        told = [_repeated(works[0], began + seconds, samples)]
    else:
        with ThreadPoolExecutor(len(works)) as pool:
            told = list(pool.map(lambda work: _repeated(work, began + seconds, samples), works))
    spent = time.monotonic() - began
    latencies = sorted(round(each, 7) for _, kept in told for each in kept)
    return {"count": sum(count for count, _ in told), "began": began, "seconds": spent, "latencies": latencies}


def _repeated(work: _Work, end: float, samples: int) -> tuple[int, list[float]]:
    """How often it was done before the end, at least once, and how long each took, as far as samples are kept.

    Both calls are made right here: after a signature nothing of Python is in the processor's caches, and what this loop
    goes through it goes through cold.
    """
    how, begin, beginning, do, doing, length, _ = work
    clock, latencies, count, room = time.monotonic, [], 0, _ROOM
    now = clock()
    while True:
        length.value = room
        value = begin(*beginning) or do(*doing)
        if value:
            raise Refused(ckr_name(value), f"{how} failed")
        after = clock()
        if count < samples:
            latencies.append(after - now)
        now = after
        count += 1
        if now >= end:
            return count, latencies
