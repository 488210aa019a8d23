"""The bulk listing through several sessions at once.

CloudHSM answers every C_GetAttributeValue with a request to an HSM and keeps nothing, so that 16,000 keys are 16,000
waits, one after the other in one session; SoftHSM opens files. Refuses to be used by a process that lists many tokens.
Standard library alone; sent to client hosts together with inventory.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from hsmctl.agent.inventory import Listing, Module, Reader, ReadPage, Refused, Session
from hsmctl.agent.proof import prove

SESSIONS = 4
"""Few: an HSM has other clients."""
_PAGE, _FEW = 400, 50
"""Objects read before the parent hears of them, and how many one session reads by itself."""


def inventory(
    module: Module, session: Session, _args: Mapping[str, Any], few: int = _FEW
) -> Iterator[list[dict[str, Any]]]:
    """Every token object as `Module.batches` lists it; no session reads while a batch is on its way."""
    with _side_by_side(module, session, few) as read:
        yield from module.batches(session, _PAGE, read)


LISTINGS: Mapping[str, Listing] = {"inventory": inventory, "prove": prove}
"""What a process that has its module to itself lists, by the name it has in a request."""


@contextmanager
def _side_by_side(module: Module, session: Session, few: int) -> Iterator[ReadPage]:
    """Reads pages, long ones with further sessions, which are opened for the first such and closed at the end."""
    readers, others = [Reader(module, session)], list[Session]()

    def read(page: list[int]) -> list[dict[str, Any] | None]:
        if len(page) > few and len(readers) == 1:
            others.extend(_further(module, session.slot_id))
            readers.extend(Reader(module, each) for each in others)
        whole, shares = len(page), len(readers)
        parts = [page[whole * place // shares : whole * (place + 1) // shares] for place in range(shares)]
        return [key for keys in pool.map(Reader.page, readers, parts) for key in keys]

    try:
        with ThreadPoolExecutor(SESSIONS) as pool:
            yield read
    finally:
        for each in others:
            with suppress(Refused):
                module.close(each)


def _further(module: Module, slot_id: int) -> list[Session]:
    """More sessions, logged in as the first is: a login is the process's. Fewer where the token has no more."""
    sessions: list[Session] = []
    with suppress(Refused):
        while len(sessions) < SESSIONS - 1:
            sessions.append(module.open(slot_id))
    return sessions
