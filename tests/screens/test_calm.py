"""Proves that the garbage collector looks at everything only while nobody is at the keys."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator

import pytest
from hsmctl.screens import calm
from stage import opened
from world import World


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Leave the interpreter as it was found."""
    thresholds, switch = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    sys.setswitchinterval(switch)


@pytest.mark.parametrize(("quiet", "kept"), [(calm.QUIET, True), (0.0, False)])
async def test_garbage_waits_until_the_keys_are_quiet(
    monkeypatch: pytest.MonkeyPatch, quiet: float, kept: bool
) -> None:
    async with opened(World()) as stage:
        stage.app.calm.keep(stage.app)
        assert gc.get_threshold()[0] == calm.YOUNG
        await stage.press("j")
        gc.disable()
        ring = weakref.ref(Ring())
        monkeypatch.setattr(calm, "QUIET", quiet)
        stage.app.calm.tidy()
        gc.enable()
        assert (ring() is not None) == kept
