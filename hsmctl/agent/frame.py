"""Frames: what an agent and those who ask it send each other.

A frame is a 32-bit big-endian length and as many bytes of UTF-8 JSON. A request is `{id, op, args, deadline_ms}`, its
reply `{id, ok}` or `{id, error: {ckr, what}}`, with `more: true` on all frames but the last. Bytes travel as hex.
Python 3.9 and the standard library: it is sent to client hosts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

PROTOCOL = 3
LOGIN_LIMIT = 4 * 1024
"""Most bytes of a frame before the login: a stranger makes nobody allocate more."""
LIMIT = 8 * 1024 * 1024
"""Most bytes of a frame after the login."""

ReadExactly = Callable[[int], bytes]
"""As many bytes as asked for; fewer only where the stream ends."""
Write = Callable[[bytes], object]


class Malformed(Exception):
    """The peer does not speak these frames: torn, too large, no JSON object, or a field of the wrong kind."""


def read_frame(read_exactly: ReadExactly, limit: int) -> dict[str, Any] | None:
    """The next message, or None where the stream ended between two; anything else than a frame is Malformed."""
    header = read_exactly(4)
    if not header:
        return None
    length = int.from_bytes(header, "big")
    if len(header) == 4 and length > limit:
        raise Malformed(f"a frame of {length} bytes where {limit} are allowed")
    body = read_exactly(length)
    if len(header) < 4 or len(body) < length:
        raise Malformed("the stream ended inside a frame")
    try:
        message = json.loads(body)
    except ValueError as error:
        raise Malformed("a frame that is no JSON") from error
    if not isinstance(message, dict):
        raise Malformed("a frame that is no JSON object")
    return message


def write_frame(write: Write, message: Mapping[str, object]) -> None:
    """Write one message as one frame; one that is larger than any reader accepts is Malformed."""
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > LIMIT:
        raise Malformed(f"a frame of {len(body)} bytes where {LIMIT} are allowed")
    write(len(body).to_bytes(4, "big") + body)
