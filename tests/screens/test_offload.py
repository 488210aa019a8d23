"""Proves that waiting for a service has an end, can be given up, and never holds the process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from threading import Barrier, Event

import pytest
from hsmctl.screens.offload import THREADS, call, stream

from hsmctl.errors import Conflict, Unreachable


async def test_a_value_and_an_error_come_back() -> None:
    assert await call(lambda: 7) == 7
    with pytest.raises(Conflict):
        await call(_fail)


async def test_an_answer_that_does_not_come_is_given_up() -> None:
    hang = Event()
    with pytest.raises(Unreachable, match="no answer"):
        await call(lambda: hang.wait(10), seconds=0.02)
    hang.set()


async def test_thirty_two_calls_run_at_once() -> None:
    together = Barrier(THREADS)
    await asyncio.gather(*(call(lambda: together.wait(10)) for _ in range(THREADS)))


async def test_a_stream_hands_over_what_has_come_and_ends_with_its_error() -> None:
    go = Event()

    def source() -> Iterator[int]:
        yield 1
        go.wait(10)
        yield 2
        raise Conflict("the end")

    seen: list[int] = []

    async def listen() -> None:
        async for batch in stream(source):
            seen.extend(batch)
            go.set()

    with pytest.raises(Conflict, match="the end"):
        await listen()
    assert seen == [1, 2]


async def test_a_stream_nobody_listens_to_ends_after_its_item() -> None:
    begun, go, closed = Event(), Event(), Event()
    asked: list[int] = []

    def source() -> Iterator[int]:
        try:
            for number in range(100):
                asked.append(number)
                begun.set()
                yield number
                go.wait(10)
        finally:
            closed.set()

    async def listen() -> None:
        async for _ in stream(source):
            pass

    listening = asyncio.create_task(listen())
    assert await call(lambda: begun.wait(10))
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    go.set()
    assert await call(lambda: closed.wait(10))
    assert len(asked) <= 2


def test_a_call_that_hangs_does_not_keep_the_process() -> None:
    program = """
import asyncio, threading
from hsmctl.screens.offload import call
async def main():
    try:
        await call(lambda: threading.Event().wait(60), seconds=0.05)
    except Exception as error:
        print(error)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.startswith("no answer")
    assert done.stderr == ""


def _fail() -> None:
    raise Conflict("no")
