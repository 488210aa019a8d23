"""Quorum: who must approve what, who can, and how many must be left afterwards.

A value of M asks for M approvals. An approver who is lost must not make the cluster unmanageable, so M + 1 of them have
to be left after every change (user guide, best practices for HSM user management). Only registrations that every
connected HSM has count.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from hsmctl.domain.user import HsmUser
from hsmctl.errors import Conflict, UsageError

MAX_VALUE = 8
"""The largest quorum value (user guide, quorum token-sign set-quorum-value)."""
TOKEN_LIFE = timedelta(minutes=10)
"""How long a token lasts where the answer does not say (user guide 2023, list-timeouts: 600 s)."""
BUNDLE_VERSION = 1


class Service(StrEnum):
    """What a token approves."""

    USER = "user"
    """user create, delete, change-password, change-mfa"""
    QUORUM = "quorum"
    """set-quorum-value"""
    CLUSTER = "cluster"
    """mTLS anchors and enforcement; hsm2m.medium only"""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumToken:
    """One open token as `quorum token-sign list` shows it."""

    user: str
    """Who asked for it."""
    service: str
    required: int | None = None
    approvals: int | None = None
    seconds: int | None = None
    """What is left of its life, or its whole life: the pages do not say which (UNCONFIRMED)."""
    coverage: str = ""
    key_reference: str = ""
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A token with what its approvers should know about it; the file that is passed around."""

    cluster_id: str
    service: str
    says: str
    """What it is for, in a sentence."""
    asked_by: str
    needs: int
    expires_at: datetime
    token: Mapping[str, Any]
    """cloudhsm-cli's own token file, signatures included."""

    @property
    def signers(self) -> tuple[str, ...]:
        """Who has signed, by name."""
        return tuple(str(entry.get("username", "")) for entry in self.token.get("signatures") or ())

    @property
    def digest(self) -> bytes:
        """The SHA-256 digest that is signed.

        Raises:
            UsageError: the token is not the base64 of one.
        """
        return token_digest(str(self.token.get("token", "")))

    def signed(self, user: str, role: str, signature: bytes) -> Bundle:
        """The bundle with one more signature; a second of the same user takes the first one's place."""
        others = [each for each in self.token.get("signatures") or () if each.get("username") != user]
        mine = {"username": user, "role": role, "signature": base64.b64encode(signature).decode()}
        return replace(self, token={**self.token, "signatures": [*others, mine]})

    def merged(self, other: Bundle) -> Bundle:
        """The bundle with the signatures of another copy; one of another token brings none."""
        if other.token.get("token") != self.token.get("token"):
            return self
        seen = {each.get("username"): each for each in other.token.get("signatures") or ()}
        mine = {each.get("username"): each for each in self.token.get("signatures") or ()}
        return replace(self, token={**self.token, "signatures": list((mine | seen).values())})


def token_digest(text: str) -> bytes:
    """The digest in a token.

    Raises:
        UsageError: it is not the base64 of a SHA-256 digest (user guide, quorum token files).
    """
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 32:
        raise UsageError(
            "the token", "it is not the base64 of a SHA-256 digest", "take the file as cloudhsm-cli wrote it"
        )
    return digest


def bundle_text(bundle: Bundle) -> str:
    """The bundle as a file."""
    return json.dumps(
        {
            "hsmctl": "quorum bundle",
            "v": BUNDLE_VERSION,
            "cluster_id": bundle.cluster_id,
            "service": bundle.service,
            "says": bundle.says,
            "asked_by": bundle.asked_by,
            "needs": bundle.needs,
            "expires_at": bundle.expires_at.isoformat(),
            "token": bundle.token,
        },
        indent=2,
    )


def parse_bundle(text: str) -> Bundle:
    """The bundle of a file.

    Raises:
        UsageError: it is none.
        Conflict: a newer hsmctl wrote it.
    """
    try:
        raw = json.loads(text)
        version = int(raw["v"])
        token = _token(raw["token"])
        expires = datetime.fromisoformat(raw["expires_at"]).astimezone(UTC)
        words = {name: str(raw[name]) for name in ("cluster_id", "service", "says", "asked_by")}
        found = Bundle(needs=int(raw["needs"]), expires_at=expires, token=token, **words)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UsageError("the bundle", "it is not a file that --bundle wrote", "ask for it again") from error
    if version > BUNDLE_VERSION:
        raise Conflict("the bundle", f"its format is {version}, this hsmctl knows {BUNDLE_VERSION}", "update hsmctl")
    return found


def _token(raw: Any) -> Mapping[str, Any]:  # noqa: ANN401 - anything JSON may hold
    """cloudhsm-cli's token file, as far as its shape matters here.

    Raises:
        TypeError: it has another shape.
    """
    signatures = raw.get("signatures", []) if isinstance(raw, dict) else None
    if not isinstance(signatures, list) or not all(isinstance(each, dict) for each in signatures):
        raise TypeError("no token file")
    return dict(raw)


def approvers(users: Sequence[HsmUser]) -> tuple[str, ...]:
    """Who can approve: admins whose registration every connected HSM has."""
    return tuple(user.name for user in users if user.approves)


Values = Mapping[str, int | None]
"""Approvals needed by service; None where HSMs do not agree."""


def largest(values: Values) -> int:
    """The value that counts: the largest of any service about which the HSMs agree."""
    return max((value for value in values.values() if value is not None), default=0)


def disputed(values: Values) -> tuple[str, ...]:
    """The services about which the HSMs do not agree."""
    return tuple(service for service, value in values.items() if value is None)


def check_enough_left(users: Sequence[HsmUser], values: Values, without: str = "", *, doing: str = "this") -> None:
    """Refuse a change after which fewer than M + 1 approvers would be left.

    `without` is the user who stops being an approver by it, if any.

    Raises:
        Conflict: too few would be left, or nobody can tell.
    """
    if disputed(values) and without in approvers(users):
        why = f"the HSMs do not agree how many approvals {', '.join(disputed(values))} needs"
        raise Conflict(f"{doing} would lose an approver", why, "hsmctl quorum set SERVICE NUMBER")
    needed = largest(values)
    if not needed:
        return
    left = [name for name in approvers(users) if name != without]
    lost = without in approvers(users)
    if lost and len(left) < needed + 1:
        raise Conflict(
            f"{doing} would leave {len(left)} approvers",
            f"the largest quorum value is {needed}, so {needed + 1} must be left: {', '.join(left) or 'nobody'}",
            "register another admin first: hsmctl quorum register NAME",
        )


def check_value(users: Sequence[HsmUser], values: Values, service: Service, value: int) -> None:
    """Refuse a quorum value that cannot be worked with.

    Raises:
        UsageError: CloudHSM takes 0 to 8.
        Conflict: the cluster does not know the service, or fewer than M + 1 admins are registered.
    """
    if not 0 <= value <= MAX_VALUE:
        raise UsageError(f"value {value}", f"a quorum is 1 to {MAX_VALUE} approvals, and 0 is none", "choose another")
    if service not in values:
        known = ", ".join(values) or "none"
        raise Conflict(f"no quorum service {service}", f"this cluster has {known}", "name one of these")
    able = approvers(users)
    needed = max(value, largest({name: each for name, each in values.items() if name != service}))
    if value and len(able) < needed + 1:
        raise Conflict(
            f"a quorum of {value}",
            f"{needed + 1} registered admins are needed so that one may be lost; there are {len(able)}: "
            f"{', '.join(able) or 'nobody'}",
            "hsmctl quorum register NAME",
        )
