"""Where blocking services run: 32 threads of our own, so that 32 HSMs are asked at once on any machine.

A cancelled wait drops its result: nobody listens any more when the thread comes back. Threads are daemons, because a
call that hangs in a vendor's library must not keep the process alive after the user has quit; that is why this is not
a ThreadPoolExecutor, which the interpreter joins at exit.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from hsmctl.errors import Unreachable

THREADS = 32
DEADLINE = 30.0
"""Seconds after which a call's answer is given up, unless the caller says otherwise."""

T = TypeVar("T")


class Pool:
    """Daemon threads that take work from one queue; they start when there is work for them."""

    def __init__(self, threads: int) -> None:
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._slots = threads
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """The future of the work's value or error."""
        future: Future[T] = Future()
        self._work.put(lambda: _run(work, future))
        with self._lock:
            if not self._idle.acquire(blocking=False) and self._slots:
                self._slots -= 1
                threading.Thread(target=self._serve, daemon=True, name="hsmctl-call").start()
        return future

    def _serve(self) -> None:
        while True:
            self._work.get()()
            self._idle.release()


_POOL = Pool(THREADS)


async def call(work: Callable[[], T], *, seconds: float = DEADLINE) -> T:
    """The value of `work`, which runs on a thread.

    Raises:
        Unreachable: it has not come back in time; what it does later is dropped.
    """
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(_POOL.submit(work))
    except TimeoutError:
        raise Unreachable("no answer", f"waited {seconds:.0f} s", "r tries again") from None


def start(work: Callable[[], T]) -> Future[T]:
    """The future of `work`, which runs on a thread to its end whoever waits for it."""
    return _POOL.submit(work)


async def answered(future: Future[T], seconds: float | None = None) -> T:
    """The value of what was started.

    Raises:
        TimeoutError: it has not come in this time; it goes on.
    """
    async with asyncio.timeout(seconds):
        return await asyncio.shield(asyncio.wrap_future(future))


async def stream(source: Callable[[], Iterator[T]]) -> AsyncIterator[tuple[T, ...]]:
    """What a generator yields, as it comes: each time everything that has come since the last time.

    One thread runs the generator from beginning to end. The generator keeps its own deadline.
    """

    def run(tell: Callable[[T], None]) -> None:
        for item in source():
            tell(item)

    async for batch in told(run):
        yield batch


async def told(work: Callable[[Callable[[T], None]], object]) -> AsyncIterator[tuple[T, ...]]:
    """What `work` tells on its thread, as it comes: each time everything that has come since the last time.

    Work to which nobody listens any more ends when it next tells something. It keeps its own deadline.
    """
    loop = asyncio.get_running_loop()
    items: list[T] = []
    news = asyncio.Event()
    stopped = threading.Event()

    def arrived(item: T) -> None:
        items.append(item)
        news.set()

    def tell(item: T) -> None:
        if stopped.is_set():
            raise _Unheard
        loop.call_soon_threadsafe(arrived, item)

    running = asyncio.wrap_future(_POOL.submit(lambda: work(tell)))
    running.add_done_callback(lambda _: news.set())
    try:
        while not running.done() or items:
            await news.wait()
            news.clear()
            batch = tuple(items)
            items.clear()
            if batch:
                yield batch
        await running
    finally:
        stopped.set()
        running.cancel()


class _Unheard(Exception):
    """Nobody listens any more."""


def _run(work: Callable[[], T], future: Future[T]) -> None:
    """Do the work unless nobody wants it any more."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - raised again where the future is awaited
        future.set_exception(error)
