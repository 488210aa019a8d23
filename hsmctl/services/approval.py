"""Having a change approved: a token is made, its bundle passed around, signatures collected while it lives.

A token is good for one operation and dies with the session that made it or after ten minutes, so asking, waiting and
executing happen in one session. A token that ends unsigned is replaced, and everybody signs again.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hsmctl.domain.quorum import TOKEN_LIFE, Bundle, QuorumToken, Service
from hsmctl.errors import Denied, Unreachable
from hsmctl.ports import Clock
from hsmctl.ports_cli import Approval, Bundles, Console, ConsoleSession
from hsmctl.words import counted

ROUNDS = 6
"""Tokens that are made for one change before it is given up: an hour of waiting."""
_MARGIN = timedelta(seconds=2)
"""A token that ends this soon is not used: the command has to arrive before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What approval is asked for."""

    cluster_id: str
    service: Service
    says: str
    asked_by: str
    path: str
    """Where the bundle is written; empty where nobody said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Collects approvals."""

    clock: Clock
    bundles: Bundles
    every: float = 1.0
    """Seconds between two looks at the bundle."""

    def collect(
        self, console: Console, session: ConsoleSession, request: Request
    ) -> Generator[str, None, Approval | None]:
        """The approval, or None where none is needed; where HSMs disagree how many are, those that want some refuse.

        Raises:
            Denied: approvals are needed and nobody said where the bundle goes.
            Unreachable: nobody signed in time, again and again.
        """
        needed = console.quorum()[0].get(request.service) or 0
        if not needed:
            return None
        if not request.path:
            raise Denied(request.says, f"{counted(needed, 'approval')} needed", "--bundle FILE, and have FILE signed")
        for _ in range(ROUNDS):
            bundle = self._asked(console, session, request, needed)
            yield f"to be signed by {needed}: hsmctl quorum sign {request.path} --user NAME --key FILE"
            signed = yield from self._signed(request.path, bundle)
            if len(signed.signers) >= needed:
                return signed.token
            yield f"the token has ended with {len(signed.signers)} of {needed} signatures: a new one, sign again"
        raise Unreachable(request.says, f"not approved in {ROUNDS} rounds", "agree on a time, then run it again")

    def _asked(self, console: Console, session: ConsoleSession, request: Request, needed: int) -> Bundle:
        """A new token in a new bundle."""
        token = session.new_token(request.service)
        bundle = Bundle(
            cluster_id=request.cluster_id,
            service=request.service,
            says=request.says,
            asked_by=request.asked_by,
            needs=needed,
            expires_at=self.clock.now() + _life(console.quorum()[1], request),
            token=token,
        )
        self.bundles.write(request.path, bundle)
        return bundle

    def _signed(self, path: str, asked: Bundle) -> Generator[str, None, Bundle]:
        """The bundle with enough signatures, or with what it had when its token ended."""
        bundle = asked
        while (
            len(bundle.signers) < asked.needs and (left := asked.expires_at - _MARGIN - self.clock.now()) > timedelta()
        ):
            yield _waiting(bundle, left)
            self.clock.sleep(self.every)
            bundle = asked.merged(self.bundles.collect(path))
        return bundle


def _life(tokens: Sequence[QuorumToken], request: Request) -> timedelta:
    """How long the token lives, by the list of open ones where that says so."""
    found = [
        each.seconds
        for each in tokens
        if (each.user, each.service) == (request.asked_by, request.service) and each.seconds
    ]
    return timedelta(seconds=min(found)) if found else TOKEN_LIFE


def _waiting(bundle: Bundle, left: timedelta) -> str:
    """Who has signed and how long is left, in words that change once a minute."""
    signers = f" ({', '.join(bundle.signers)})" if bundle.signers else ""
    minutes = int(left.total_seconds() // 60)
    ends = f"{minutes} min" if minutes else "less than a minute"
    return f"{len(bundle.signers)} of {bundle.needs} signed{signers}; {ends} left"
