"""Proves that a frame is read back as it was written, and that nothing else passes for one."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmctl.agent.frame import LIMIT, LOGIN_LIMIT, Malformed, read_frame, write_frame

MESSAGES = st.lists(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()), max_size=3)


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


@given(MESSAGES)
def test_messages_arrive_in_order_and_then_the_end(messages: list[dict[str, object]]) -> None:
    wire = io.BytesIO()
    for message in messages:
        write_frame(wire.write, message)
    wire.seek(0)

    assert [read_frame(wire.read, LIMIT) for _ in messages] == messages
    assert read_frame(wire.read, LIMIT) is None


@pytest.mark.parametrize("kept", range(1, len(frame(b'{"id":1}'))))
def test_a_torn_frame_is_no_end(kept: int) -> None:
    with pytest.raises(Malformed, match="ended inside"):
        read_frame(io.BytesIO(frame(b'{"id":1}')[:kept]).read, LIMIT)


def test_a_frame_that_is_too_large_is_refused_before_it_is_read() -> None:
    wire = io.BytesIO(frame(json.dumps({"id": "x" * LOGIN_LIMIT}).encode()))

    with pytest.raises(Malformed, match=f"where {LOGIN_LIMIT} are allowed"):
        read_frame(wire.read, LOGIN_LIMIT)
    assert wire.tell() == 4


def test_a_message_that_is_too_large_is_not_written() -> None:
    wire = io.BytesIO()

    with pytest.raises(Malformed):
        write_frame(wire.write, {"id": "x" * LIMIT})
    assert wire.getvalue() == b""


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b"\xff", b'{"id":1}{'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match="no JSON"):
        read_frame(io.BytesIO(frame(body)).read, LIMIT)
