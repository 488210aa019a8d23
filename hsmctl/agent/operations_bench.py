"""How fast a session uses a key: C_SignInit and C_Sign, or their encrypting kin, in a loop with prepared arguments.

Through ctypes, because a few microseconds of Python count where an operation takes sixty.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Mapping
from typing import Any

from hsmctl.agent.inventory import Module, Operation, Reader, Refused, Session, ckr_name
from hsmctl.agent.operations_mechanism import prepared
from hsmctl.agent.operations_token import data_of, only, opened
from hsmctl.agent.operations_use import functions

_WORD = ctypes.c_ulong
_ROOM = 8192
_SAMPLES = 20_000
"""Most latencies that are kept; the loop goes on."""
_LONGEST = 60.0
_PAIRS = {"sign": ("C_SignInit", "C_Sign"), "encrypt": ("C_EncryptInit", "C_Encrypt")}


def bench(module: Module, session: Session, args: Mapping[str, Any]) -> dict[str, object]:
    """How often the key did `how` with `data` in `seconds`, and how long each took.

    Raises:
        Refused: the key may not, or the token does not.
    """
    how, data, seconds = args.get("how"), data_of(args, "data"), float(args.get("seconds") or 0)
    if how not in _PAIRS or not 0 < seconds <= _LONGEST:
        raise Refused("CKR_ARGUMENTS_BAD", f"no bench of {how} for {seconds} s")
    with opened(module, session) as token:
        handle = only(token, Reader(module, session), args.get("key") or {}).handle
    once = _operation(module, session.handle, handle, how, args, data)
    once()
    return _measured(once, seconds)


BENCHES: Mapping[str, Operation] = {"bench": bench}


def _operation(
    module: Module, session: int, key: int, how: str, args: Mapping[str, Any], data: bytes
) -> Callable[[], None]:
    """One operation, everything it needs prepared."""
    ready = prepared(args.get("mechanism") or {})
    parameter = ready.parameter or b""
    buffer = ctypes.create_string_buffer(parameter, len(parameter) or 1)
    mechanism = (_WORD * 3)(int(ready.mechanism), ctypes.addressof(buffer) if parameter else 0, len(parameter))
    begin, do = (functions(module.path)[name] for name in _PAIRS[how])
    output, length = ctypes.create_string_buffer(_ROOM), _WORD(_ROOM)
    beginning = (_WORD(session), mechanism, _WORD(key))
    doing = (beginning[0], data, _WORD(len(data)), output, ctypes.byref(length))

    def once(kept: object = (buffer, ready)) -> None:  # noqa: ARG001 - the mechanism points into them
        length.value = _ROOM
        value = begin(*beginning) or do(*doing)
        if value:
            raise Refused(ckr_name(value), f"{how} failed")

    return once


def _measured(once: Callable[[], None], seconds: float) -> dict[str, object]:
    """Do it until the time is up."""
    clock, latencies, count = time.perf_counter, [], 0
    began = now = clock()
    end = began + seconds
    while now < end:
        once()
        after = clock()
        if count < _SAMPLES:
            latencies.append(after - now)
        now = after
        count += 1
    return {"count": count, "seconds": now - began, "latencies": sorted(round(each, 7) for each in latencies)}
