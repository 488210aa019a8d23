"""Proves that several sessions read at once, list what one lists, and do not stay open."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from asking import Asking
from softhsm_token import MODULE

from hsmctl.agent import listing
from hsmctl.agent.inventory import Module, Refused, Session


class Waiting(Module):
    """A module whose objects are read only while `sessions` ask at once, each in a session of its own."""

    def __init__(self, sessions: int) -> None:
        super().__init__(MODULE)
        self.opened: list[Session] = []
        self.closed: list[Session] = []
        self._get = self.functions["C_GetAttributeValue"]
        self._together = threading.Barrier(sessions, timeout=20)
        self.functions["C_GetAttributeValue"] = self._read
        self.asked: set[int] = set()

    def _read(self, session: int, handle: int, template: object, count: int) -> int:
        if session not in self.asked:
            self.asked.add(session)
            self._together.wait()
        return self._get(session, handle, template, count)

    def open(self, slot_id: int) -> Session:
        self.opened.append(super().open(slot_id))
        return self.opened[-1]

    def close(self, session: Session) -> None:
        super().close(session)
        self.closed.append(session)


class Full(Waiting):
    """A token that has `room` for no more sessions than these."""

    room = 2

    def open(self, slot_id: int) -> Session:
        if len(self.opened) == self.room:
            raise Refused("CKR_SESSION_COUNT", "C_OpenSession failed")
        return super().open(slot_id)


@pytest.fixture
def first(asking: Asking, module: Module) -> Session:
    """A session on a token with objects enough to be shared out."""
    for label in ("6c31", "6c32"):
        asking.ok("generate", kind="rsa", size="2048", label=label, id="", extractable=False, attributes={})
    return module.open(next(slot.slot_id for slot in module.slots() if slot.label == "replica"))


@pytest.mark.parametrize(("made", "sessions"), [(Waiting, listing.SESSIONS), (Full, Full.room + 1)])
def test_sessions_read_at_once_and_list_what_one_lists(
    module: Module, first: Session, made: Callable[[int], Waiting], sessions: int
) -> None:
    expected = [key for batch in module.batches(first) for key in batch]
    watched = made(sessions)

    found = [key for batch in listing.inventory(watched, first, {}, few=1) for key in batch]

    assert found == expected
    assert len(watched.asked) == sessions
    assert watched.opened == watched.closed


def test_few_objects_take_one_session(module: Module, first: Session) -> None:
    watched = Waiting(1)

    assert list(listing.inventory(watched, first, {}, few=1000)) == list(module.batches(first, 400))
    assert watched.opened == []


class Losing(Waiting):
    """The session that was there first is lost while the others read."""

    def _read(self, session: int, handle: int, template: object, count: int) -> int:
        value = super()._read(session, handle, template, count)
        lost = session not in [each.handle for each in self.opened]
        return _SESSION_HANDLE_INVALID if lost else value


_SESSION_HANDLE_INVALID = 0x0B3


def test_a_session_that_is_lost_ends_the_listing_and_closes_the_others(first: Session) -> None:
    watched = Losing(listing.SESSIONS)

    with pytest.raises(Refused, match="C_GetAttributeValue"):
        list(listing.inventory(watched, first, {}, few=1))

    assert len(watched.opened) == listing.SESSIONS - 1
    assert watched.opened == watched.closed
