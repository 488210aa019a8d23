"""Proves that a copy that arrived before its run was cut off is closed where its token left it open, or is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from token_fake import FakeObjects
from world import FakeClock, FakeToken, FakeTokens, MemoryJournal, aes

from hsmctl.adapters.verifier import CryptographyVerifier
from hsmctl.domain.key import Key
from hsmctl.domain.key_copy import End, copy_step
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action
from hsmctl.domain.sync import Replica
from hsmctl.errors import Conflict, DeviceError
from hsmctl.ports import Login
from hsmctl.ports_key import Template
from hsmctl.secret import Secret
from hsmctl.services.key_copy import KeyCopy
from hsmctl.services.key_door import KeyDoor
from hsmctl.services.key_transport import KeyTransport

HERE, THERE = (Replica(name=name, address=f"module:/lib/{name}.so") for name in ("here", "there"))
WHOLE = aes("data", extractable=True)
OPEN = replace(WHOLE, attributes=WHOLE.attributes - {"sensitive"})


class FixedObjects(FakeObjects):
    """Changes no attribute."""

    def change(self, key: Key, template: Template) -> Key:
        raise DeviceError("the token refused", ckr="CKR_FUNCTION_NOT_SUPPORTED")


class FixedTokens(FakeTokens):
    """Tokens of such objects."""

    @contextmanager
    def open(self, replica: Replica, login: Login, deadline: float) -> Iterator[FakeToken]:
        with super().open(replica, login, deadline) as token:
            token.objects = FixedObjects(self.held[replica.name], lambda: [self.held[replica.name]])
            yield token


def looked_for(tokens: FakeTokens) -> Found | None:
    """What a resumed copy of the key finds."""
    tokens.replicate = False
    clock = FakeClock()
    copy = KeyCopy(
        clock=clock,
        door=KeyDoor(clock=clock, tokens=tokens, login=lambda _: Login("user", Secret("pin"))),
        transport=KeyTransport(journal=MemoryJournal()),
        verifier=CryptographyVerifier,
        place=lambda name, _: {"here": HERE, "there": THERE}[name],
    )
    look = copy.runners[Action.COPY_KEY].look
    assert look is not None
    return look(copy_step(WHOLE, End(replica=HERE), End(replica=THERE)), {})


def test_a_copy_that_is_open_is_closed() -> None:
    tokens = FakeTokens({"here": [WHOLE], "there": [OPEN]})
    assert looked_for(tokens) == {"proved": "both keys gave the same answer to one challenge"}
    (copy,) = tokens.held["there"]
    assert "sensitive" in copy.attributes


def test_a_copy_that_cannot_be_closed_is_told_and_nothing_that_was_there_is_destroyed() -> None:
    tokens = FixedTokens({"here": [WHOLE], "there": [OPEN]})
    with pytest.raises(Conflict, match="data not copied: there shows its value"):
        looked_for(tokens)
    assert tokens.held == {"here": [WHOLE], "there": [OPEN]}


def test_a_copy_that_is_closed_is_let_alone() -> None:
    tokens = FixedTokens({"here": [WHOLE], "there": [WHOLE]})
    assert looked_for(tokens)
    assert tokens.held == {"here": [WHOLE], "there": [WHOLE]}
