"""One client's conversation with an HSM: keys as the agent has them, and everything `desk` and `desk_key` answer.

Knows when a conversation may be in the middle of something, so that the module can be opened anew between two answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hsmctl.agent.frame import LIMIT
from hsmctl.agent.inventory import Conversation, Refused
from hsmctl.lab import desk, desk_key, desk_policy
from hsmctl.lab.desk import Guest

if TYPE_CHECKING:
    from hsmctl.lab.administration import Administration

OPERATIONS: Mapping[str, desk.Operation] = {
    **desk.OPERATIONS,
    **desk_policy.OPERATIONS,
    **desk_key.OPERATIONS,
}
"""Everything that is asked by name and answered at once."""


@dataclass(eq=False, kw_only=True)
class Reception(Conversation):
    """One connection to one HSM."""

    hsm: Administration
    guest: Guest

    def answer(self, request: Mapping[str, Any]) -> Iterator[dict[str, object]]:
        """The replies to one request."""
        op, args = request.get("op"), request.get("args")
        if self._greeted and isinstance(args, dict):
            if op in OPERATIONS or op == "sign out":
                yield self._of_the_desk(request.get("id"), str(op), args)
                return
            if op == desk_key.LISTING:
                yield from self._listed(request.get("id"), args)
                return
        with self.hsm.turn.together():
            yield from super().answer(request)

    def reopen(self) -> None:
        """Open the session again after the module was opened anew; called with the lock held and nobody in."""
        if self._session:
            self._session = self.module.open(self._session.slot_id)

    def close(self) -> None:
        """End the conversation; what it had open ends with it."""
        self.hsm.leave(self)
        super().close()

    def _of_the_desk(self, number: object, op: str, args: Mapping[str, Any]) -> dict[str, object]:
        try:
            ok = self._sign_out() if op == "sign out" else desk.answer(OPERATIONS[op], self.hsm, self.guest, args)
        except Refused as refused:
            return refused.reply(number)
        if self.guest.user:
            self.limit = LIMIT  # somebody the HSM knows may send certificates
        return {"id": number, "ok": ok}

    def _listed(self, number: object, args: Mapping[str, Any]) -> Iterator[dict[str, object]]:
        """A listing in parts."""
        if not self.guest.user:
            yield Refused("CKR_USER_NOT_LOGGED_IN", desk.NOT_LOGGED_IN).reply(number)
            return
        *batches, last = desk_key.listing(self.hsm, self.guest, args)
        for batch in batches:
            yield {"id": number, "ok": batch, "more": True}
        yield {"id": number, "ok": last}

    def _sign_out(self) -> Mapping[str, object]:
        """Log out; the connection stays."""
        self.hsm.quorum.forget(self.guest.number)
        self.guest.user, self.guest.role = "", None
        session, self._session = self._session, None
        if session:
            with self.hsm.turn.together(), self.lock, suppress(Refused):
                self.module.close(session)
        return {}
