"""Proves that a service on a thread gets the password the operator types, or a refusal, and nobody else sees it."""

from __future__ import annotations

import asyncio

import pytest
from hsmctl.screens.asking import asker
from hsmctl.screens.offload import call
from stage import Stage, opened

from hsmctl.errors import UsageError
from hsmctl.secret import Secret


async def test_what_is_typed_reaches_the_service_and_not_the_screen() -> None:
    async with opened() as stage:
        asking = await _asked(stage)
        await stage.sees("password of ops_cu")
        await stage.pilot.press(*"s3cret")
        await stage.misses("s3cret")
        await stage.pilot.press("enter")
        assert (await asking).reveal() == "s3cret"
        await stage.misses("password of ops_cu")


async def test_escape_refuses() -> None:
    async with opened() as stage:
        asking = await _asked(stage)
        await stage.pilot.press("escape")
        with pytest.raises(UsageError, match="none was given"):
            await asking


async def _asked(stage: Stage) -> asyncio.Task[Secret]:
    """A service's question, which is on the screen."""
    ask = asker(stage.app)
    asking = asyncio.create_task(call(lambda: ask("password of ops_cu")))
    while len(stage.app.screen_stack) == 1:
        await stage.pilot.pause()
    await stage.pilot.pause()
    return asking
