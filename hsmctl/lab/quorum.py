"""The quorum tokens that are open on one HSM, and whether enough admins have approved one.

A token is a number the HSM makes for a user and a service; it is used once, dies with the connection that asked for it
and after a time (user guide, quorum-auth-chsm-cli). What approvers sign is the SHA-256 digest of the approval data, in
which every connected HSM finds its own number. `cryptography` is imported where it is used.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hsmctl.agent.inventory import Refused
from hsmctl.lab.policy import Policies
from hsmctl.lab.user import Role, User, Users

NUMBER_BYTES = 32
APPROVAL_REQUIRED = "Quorum approval is required for this operation"
QUORUM_FAILED = "Quorum Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenToken:
    """One token that was not used yet."""

    user: str
    service: str
    number: bytes
    born: float
    guest: int
    """The connection it dies with."""


class Quorum:
    """The open tokens of one HSM."""

    def __init__(self, policies: Callable[[], Policies], clock: Callable[[], float]) -> None:
        self._policies = policies
        self._clock = clock
        self._tokens: tuple[OpenToken, ...] = ()

    def open(self, user: str, service: str, guest: int) -> bytes:
        """The number of a new token; an earlier one of the user for the service is gone."""
        others = tuple(each for each in self._alive() if (each.user, each.service) != (user, service))
        made = OpenToken(
            user=user, service=service, number=secrets.token_bytes(NUMBER_BYTES), born=self._clock(), guest=guest
        )
        self._tokens = (*others, made)
        return made.number

    def listed(self) -> list[dict[str, object]]:
        """Every open token, with the seconds it has left."""
        return [
            {
                "username": each.user,
                "service": each.service,
                "required": self._policies().quorum.get(each.service, 0),
                "seconds": max(0, int(self._left(each))),
                "number": each.number.hex(),
            }
            for each in self._alive()
        ]

    def forget(self, guest: int) -> None:
        """Drop the tokens of a connection that ended, or logged out."""
        self._tokens = tuple(each for each in self._tokens if each.guest != guest)

    def delete(self, user: str | None) -> None:
        """Drop the tokens of a user, or all."""
        self._tokens = () if user is None else tuple(each for each in self._tokens if each.user != user)

    def approve(self, user: str, service: str, approval: Mapping[str, Any] | None, users: Users) -> bool:
        """Let a user do something of a service, where that needs approvals with these; whether a token was used up.

        Raises:
            Refused: approvals are needed and these are none, too few, for another token or too late.
        """
        needed = self._policies().quorum.get(service, 0)
        if not needed:
            return False
        if approval is None:
            raise Refused("", APPROVAL_REQUIRED)
        data = _decoded(approval.get("data"))
        own = [each for each in self._alive() if (each.user, each.service) == (user, service) and each.number in data]
        digest = hashlib.sha256(data).digest()
        given = list(approval.get("signatures") or ())
        approvers = {name for name in map(str.lower, (each["username"] for each in given)) if _is_approver(users, name)}
        signed = [name for name in approvers if _approved(users, name, given, digest)]
        if not own or len(signed) < needed:
            raise Refused("", QUORUM_FAILED)
        self._tokens = tuple(each for each in self._tokens if each not in own)
        return True

    def _alive(self) -> tuple[OpenToken, ...]:
        self._tokens = tuple(each for each in self._tokens if self._left(each) > 0)
        return self._tokens

    def _left(self, token: OpenToken) -> float:
        return token.born + self._policies().generated - self._clock()


def verifies(public_key: str, digest: bytes, signature: bytes) -> bool:
    """Whether an RSA key signed a SHA-256 digest with PKCS#1 v1.5 (user guide, reference-mfa-cloudhsm-cli)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(public_key.encode())
        if not isinstance(key, rsa.RSAPublicKey) or len(digest) != hashlib.sha256().digest_size:
            return False
        key.verify(signature, digest, padding.PKCS1v15(), Prehashed(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def check_challenge(public_key: str | None, number: bytes | None, tokens: object) -> None:
    """Refuse a signed token file whose entry for this HSM's number was not signed by the key.

    Raises:
        Refused: it has no such entry, or the signature is another's.
    """
    entries = tokens if isinstance(tokens, list) else []
    for entry in entries:
        if number and public_key and _decoded(entry.get("unsigned")) == number:
            if verifies(public_key, number, _decoded(entry.get("signed"))):
                return
            raise Refused("", "Token signature verification failed")
    raise Refused("", "The token file holds no token of this HSM")


def _is_approver(users: Users, name: str) -> bool:
    user = users.get(name)
    return user is not None and user.role is Role.ADMIN and user.quorum


def _approved(users: Users, name: str, given: list[Mapping[str, Any]], digest: bytes) -> bool:
    user: User | None = users.get(name)
    signatures = [_decoded(each.get("signature")) for each in given if str(each["username"]).lower() == name]
    return bool(user and user.public_key and any(verifies(user.public_key, digest, each) for each in signatures))


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except ValueError:
        return b""
