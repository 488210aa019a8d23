"""Proofs by challenge: what a key is asked, which keys may be asked, and what their answers prove.

Using a key is never free: HSMs log it and may count it. So outside the lab a key proves itself only if the operator's
patterns name it and nothing that is known about it speaks against it. Refuses to know how answers are obtained; what
needs a cryptographic library comes in as a function.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from hsmctl.domain.evidence import Ok
from hsmctl.domain.key import Identity, Key, ObjectClass, Proof, ProofKind, text
from hsmctl.domain.sync import Inventory, Reading, Replica

NONCE_BYTES = 32
USED = (ProofKind.DIGEST, ProofKind.SIGNATURE)
"""The answers for which a key was used; the others are public bytes, or none."""
USES_PER_SECOND = 20.0
"""How fast the keys of one replica are used outside the lab."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Which keys may be used for proofs."""

    everything: bool = False
    """As in the lab."""
    patterns: tuple[str, ...] = ()
    """Labels, with `*` and `?`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """What a certificate says about its key."""

    point: bytes | None
    """Its EC point; None if it has none, or the certificate cannot be read."""
    authority: bool
    """Whether it is a CA's; a certificate that cannot be read may be one."""


Certify = Callable[[bytes], Certified]
"""Reads a certificate, DER."""
Fits = Callable[[str, bytes, bytes, bytes], bool]
"""Whether, on a curve and for a public point, a digest has this ECDSA signature, r and s as PKCS#11 writes them."""
Spread = Callable[[Callable[[Inventory], tuple[Key, ...]], Iterable[Inventory]], Iterable[tuple[Key, ...]]]
"""Does as `map` does, and may use threads."""


def challenge(nonce: bytes, identity: Identity) -> bytes:
    """What the key of this identity is given in the run with this nonce; the agent computes the same by itself."""
    number = _CLASSES[identity.object_class].to_bytes(4, "big")
    name = number + len(identity.key_id).to_bytes(4, "big") + identity.key_id + identity.label
    return hashlib.sha256(b"hsmctl proof v1" + nonce + name).digest()


def usable(inventory: Inventory) -> frozenset[Identity]:
    """The keys that can be used at all: public halves, certificates and data only lie there."""
    return frozenset(key.identity for key in inventory.keys if key.identity.object_class in _CLASSES)


def refusals(
    replica: Replica, inventory: Inventory, permission: Permission, certify: Certify
) -> Mapping[Identity, str]:
    """The keys that must not be used, and why; of keys that share an identity, what speaks against one counts.

    The inventory comes with its certificates.
    """
    if permission.everything:
        return {}
    authorities = [key.identity for key in inventory.keys if _is_authority(key, certify)]
    known = {identity.key_id for identity in authorities} | {identity.label for identity in authorities}
    certified = known - {b""}
    found = {}
    for key in inventory.keys:
        if key.identity.object_class in _CLASSES:
            authority = key.identity.key_id in certified or key.identity.label in certified
            objections = _objections(key, replica, inventory.user, permission, authority=authority)
            if why := next((why for applies, why in objections if applies), None):
                found[key.identity] = why
    return found


def refused(inventory: Inventory, why: Mapping[Identity, str]) -> Inventory:
    """The inventory, with why the keys that were not used were not."""
    return replace(
        inventory,
        keys=tuple(
            key.answering(Proof(ProofKind.NONE, reason=why[key.identity])) if key.identity in why else key
            for key in inventory.keys
        ),
    )


def settle(
    readings: Iterable[Reading], nonce: bytes, fits: Fits, certify: Certify, spread: Spread = map
) -> tuple[Reading, ...]:
    """The readings with every signature verified against the public halves that any of them shows.

    A signature that fits none is a key of its own where another replica's does; else nobody knows, and the reason is
    said.
    """
    readings = tuple(readings)
    inventories = [reading.outcome.value for reading in readings if isinstance(reading.outcome, Ok)]
    settling = _Settling(nonce, fits, _public_halves(inventories, certify))
    verified = list(spread(lambda inventory: tuple(map(settling.verify, inventory.keys)), inventories))
    settled = iter(
        replace(inventory, keys=tuple(map(settling.conclude, keys)))
        for inventory, keys in zip(inventories, verified, strict=True)
    )
    return tuple(
        replace(reading, outcome=Ok(next(settled))) if isinstance(reading.outcome, Ok) else reading
        for reading in readings
    )


def foresee(inventory: Inventory, nonce: bytes, fits: Fits, certify: Certify) -> None:
    """Ask ahead of `settle` what the public halves that a replica shows itself answer; `fits` is to remember it."""
    settling = _Settling(nonce, fits, _public_halves([inventory], certify))
    for key in inventory.keys:
        settling.verify(key)


_CLASSES: Mapping[ObjectClass, int] = {ObjectClass.PRIVATE: 3, ObjectClass.SECRET: 4}
"""The objects that can be used, and their CKO_* numbers."""
_OTHER_USES = frozenset(("encrypt", "decrypt", "sign", "derive"))


def _objections(
    key: Key, replica: Replica, user: str, permission: Permission, *, authority: bool
) -> Iterable[tuple[bool, str]]:
    """What can speak against the use of a key (architecture, section 6), and whether it does."""
    label = text(key.identity.label)
    # KMS writes the key's ARN into the label (KMS developer guide, key stores).
    yield user.lower() == "kmsuser" or (label.startswith("arn:aws") and ":kms:" in label), "it is kmsuser's"
    yield not any(fnmatchcase(label, pattern) for pattern in permission.patterns), "deep_allow does not name it"
    yield "cloudhsm" in replica.address, "it may need a quorum, which CloudHSM's PKCS#11 library does not show"
    yield "trusted" in key.attributes, "it is trusted"
    yield authority, "its certificate is a CA's"
    wraps = [use for use in ("wrap", "unwrap") if use in key.attributes]
    yield bool(wraps) and not _OTHER_USES & key.attributes, f"it can only {' and '.join(wraps)}"


def _is_authority(key: Key, certify: Certify) -> bool:
    return key.proof is not None and key.proof.kind is ProofKind.CERTIFICATE and certify(key.proof.value).authority


_Halves = Mapping[tuple[bytes | None, bytes | None], Sequence[bytes]]
"""Public points by id and label, by id alone, and by label alone."""


def _public_halves(inventories: Iterable[Inventory], certify: Certify) -> _Halves:
    """Every public point that was shown."""
    halves: dict[tuple[bytes | None, bytes | None], dict[bytes, None]] = {}
    for inventory in inventories:
        for key in inventory.keys:
            if key.proof is not None and (point := _point(key, certify)):
                for place in _places(key.identity):
                    halves.setdefault(place, {})[point] = None
    return {place: tuple(points) for place, points in halves.items()}


def _point(key: Key, certify: Certify) -> bytes | None:
    """The public point that an object shows."""
    match key.proof:
        case Proof(kind=ProofKind.PUBLIC, value=point):
            return point
        case Proof(kind=ProofKind.CERTIFICATE, value=certificate):
            return certify(certificate).point
    return None


def _places(identity: Identity) -> list[tuple[bytes | None, bytes | None]]:
    """Where the halves of a pair meet, the surest first; an empty id or label says nothing."""
    key_id, label = identity.key_id or None, identity.label or None
    return [place for place in dict.fromkeys([(key_id, label), (key_id, None), (None, label)]) if any(place)]


class _Settling:
    """Makes digests of signatures, replica by replica, then says what is to be thought of those that fit nothing."""

    def __init__(self, nonce: bytes, fits: Fits, halves: _Halves) -> None:
        self._nonce = nonce
        self._fits = fits
        self._halves = halves
        self._fitted: set[Identity] = set()

    def verify(self, key: Key) -> Key:
        """The key with a proof instead of its signature, if that fits a public half of its id or label."""
        if key.proof is None or key.proof.kind is not ProofKind.SIGNATURE or not key.curve:
            return key
        digest = challenge(self._nonce, key.identity)
        for point in self._candidates(key.identity):
            if self._fits(key.curve, point, digest, key.proof.value):
                self._fitted.add(key.identity)
                return self._proved(key, key.proof, point)
        return key

    def conclude(self, key: Key) -> Key:
        """The key with what remains open decided, once the signatures of all replicas were tried."""
        if key.proof is None or key.proof.kind is ProofKind.DIGEST:
            return key
        match key.proof:
            case Proof(kind=ProofKind.PUBLIC | ProofKind.CERTIFICATE):
                return key.answering(None)
            case Proof(kind=ProofKind.SIGNATURE, value=signature) as proof if key.identity in self._fitted:
                return self._proved(key, proof, signature)
            case Proof(kind=ProofKind.SIGNATURE):
                seen = (
                    "its signature fits no public half" if self._candidates(key.identity) else "it has no public half"
                )
                return key.answering(Proof(ProofKind.NONE, reason=f"{seen} that any replica shows"))
        return key

    def _candidates(self, identity: Identity) -> list[bytes]:
        """The public points that may belong to a private key, the likeliest first."""
        return list(dict.fromkeys(point for place in _places(identity) for point in self._halves.get(place, ())))

    def _proved(self, key: Key, proof: Proof, output: bytes) -> Key:
        digest = hmac.digest(self._nonce, output, "sha256")
        return key.answering(Proof(ProofKind.DIGEST, digest, proof.how))
