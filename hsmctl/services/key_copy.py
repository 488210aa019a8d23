"""`key copy`: keys from one token to another that has nothing to do with it, wrapped all the way, proved on both sides.

The target makes an RSA pair, the source wraps a fresh AES key under its public half and the key itself under that AES
key, the target unwraps both. Each token is talked to in turn, never both at once: they may live behind one module.
Whatever carries a key is journaled before it exists and destroyed afterwards (`services.key_transport`).

What never happens here: a key that an HSM holds does not go to software or to a lab; no key goes to a token whose
serial number the context does not pin, or to a cluster it does not name; a key that only a trusted key may wrap is not
copied, and no key is made trusted.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from hsmctl.domain.evidence import Ok
from hsmctl.domain.key import Key, ObjectClass, Proof, ProofKind
from hsmctl.domain.key_change import meant
from hsmctl.domain.key_copy import (
    NUMBERS,
    SECRET,
    End,
    Seen,
    arrival_step,
    copy_step,
    directions,
    keys_may_go,
    other_halves,
    template_of,
)
from hsmctl.domain.key_transport import TransportName, oaep_hash
from hsmctl.domain.mechanism import Mechanism, TokenFacts
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Plan, Step
from hsmctl.domain.proof import NONCE_BYTES, settle
from hsmctl.domain.sync import Inventory, Reading, Replica
from hsmctl.domain.uri import uri_of
from hsmctl.errors import Conflict
from hsmctl.ports import Clock, SignatureVerifier, Token
from hsmctl.ports_key import Value
from hsmctl.services.key_door import KeyDoor
from hsmctl.services.key_transport import KeyTransport, closed, key_wrap, unwrapped
from hsmctl.services.operation import Runner
from hsmctl.services.wait import Wait

T = TypeVar("T")
_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A key on its way."""

    sealed: bytes
    """The AES key between, under RSA-OAEP."""
    data: bytes
    listed: Key
    """The key as the source lists it."""
    hash_name: str
    """OAEP's hash, which both ends understand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCopy:
    """Plans copies and runs them."""

    clock: Clock
    door: KeyDoor
    transport: KeyTransport
    verifier: Callable[[], SignatureVerifier]
    place: Callable[[str, str | None], Replica]

    def plan(self, source: End, target: End, choose: Callable[[Sequence[Key]], Sequence[Key]], account: str) -> Plan:
        """Copy keys, and the public halves that belong to them.

        Raises:
            Conflict: no key is meant, or one is on the target already.
        """
        here, there = self._seen(source), self._seen(target)
        chosen = tuple(choose(here.keys))
        if not chosen:
            raise Conflict("no key to copy", f"none on {source.replica.name} is like that", "hsmctl key list")
        whole = (*chosen, *other_halves(chosen, here.keys))
        return Plan(
            title=f"copy {len(whole)} object{'s' if len(whole) > 1 else ''} to {target.replica.name}",
            region="",
            account=account,
            made_at=self.clock.now(),
            cluster_id=target.cluster_id,
            subject="" if target.cluster_id else target.replica.name,
            noun="key",
            steps=(*(copy_step(key, source, target) for key in whole), *arrival_step(whole, target)),
            preconditions=(*directions(source, target, here, there), *keys_may_go(whole, there.keys)),
        )

    @property
    def runners(self) -> Mapping[Action, Runner]:
        """How the steps that copy are run."""
        return {Action.COPY_KEY: Runner(run=self._run, look=self._look)}

    def _seen(self, end: End) -> Seen:
        def look(_: Replica, token: Token) -> Seen:
            return Seen(facts=token.objects.describe(), keys=token.inventory().keys)

        return self.door.look([end.replica], _SECONDS, look)

    def _run(self, step: Step, _: Found) -> Wait[Found]:
        source, target = self._ends(step)
        key = meant(step.inputs)
        if key.identity.object_class not in SECRET:
            yield f"creating {uri_of(key.identity)} on {target.name}"
            self._create_public(source, target, key)
            return {}
        listed = yield from self._carried(source, target, key)
        yield "having both keys prove themselves"
        return {"proved": self._proved(source, target, listed)}

    def _look(self, step: Step, _: Found) -> Found | None:
        """What a copy found that was cut off and had arrived; whatever carried it is gone from both ends first."""
        source, target = self._ends(step)
        for end in (source, target):
            self._on(end, partial(self.transport.sweep, end))
        key = meant(step.inputs)
        arrived = self._listed(target, key)
        if arrived is None:
            return None
        if key.identity.object_class not in SECRET:
            return {}
        listed = self._on(source, lambda token: _exactly(token, key, source))
        proved = self._proved(source, target, listed)
        if not self._on(target, lambda token: _is_closed(token, arrived)):
            raise _open_copy(target, arrived, "it is there all the same: hsmctl key delete")
        return {"proved": proved}

    def _ends(self, step: Step) -> tuple[Replica, Replica]:
        inputs = step.inputs
        return self.place(inputs["from"], inputs["from_cluster"] or None), self.place(
            inputs["to"], inputs["to_cluster"] or None
        )

    def _carried(self, source: Replica, target: Replica, key: Key) -> Wait[Key]:
        """Carry one private or secret key over; as the source lists it."""
        name = self._on(target, lambda token: self.transport.begin(target, token))
        try:
            yield f"{target.name} makes a pair for the journey"
            values, there = self._on(target, lambda token: self._receive(target, token, name))
            yield f"{source.name} wraps {uri_of(key.identity)}"
            parcel = self._on(source, lambda token: self._pack(source, token, key, values, there))
            yield f"{target.name} unwraps it"
            self._on(target, lambda token: self._unpack(target, token, name, parcel))
        finally:
            self._on(target, lambda token: self.transport.end(target, token, name))
        return parcel.listed

    def _receive(self, target: Replica, token: Token, name: TransportName) -> tuple[dict[str, bytes], TokenFacts]:
        """The public half of a new pair, and what the target is."""
        self.transport.sweep(target, token, keep=name)
        private = self.transport.make_pair(token, name)
        return dict(token.objects.values(private)), token.objects.describe()

    def _pack(self, source: Replica, token: Token, key: Key, values: dict[str, bytes], there: TokenFacts) -> _Parcel:
        """The key under a fresh AES key, and that under the target's public half; both go from here afterwards."""
        self.transport.sweep(source, token)
        here = token.objects.describe()
        listed = _exactly(token, key, source)
        name = self.transport.begin(source, token)
        try:
            between = self.transport.make_between(token, name)
            public: dict[str, Value] = {"class": 2, "key_type": 0, "label": name.label, "id": name.key_id, "wrap": True}
            numbers = {part: values[part] for part in ("modulus", "public_exponent")}
            sealing = token.objects.create({**public, **numbers, "encrypt": False, "verify": False})
            hash_name = oaep_hash(here, there)
            sealed = token.uses.wrap(sealing, between, Mechanism(name="RSA_PKCS_OAEP", hash=hash_name)).data
            return _Parcel(sealed, token.uses.wrap(between, listed, key_wrap(here)).data, listed, hash_name)
        finally:
            self.transport.end(source, token, name)

    def _unpack(self, target: Replica, token: Token, name: TransportName, parcel: _Parcel) -> None:
        """The key out of its parcel, with the attributes it had; a copy that is not like it is destroyed."""
        facts, listed = token.objects.describe(), parcel.listed
        _refuse_present(token, listed, target)
        private = next(key for key in token.objects.find({"label": name.label, "id": name.key_id, "class": 3}))
        between = self.transport.unseal_between(token, private, parcel.sealed, parcel.hash_name, name)
        made = unwrapped(token, between, parcel.data, key_wrap(facts), template_of(listed))
        if listed.bits and made.bits and listed.bits != made.bits:
            token.objects.destroy(made)
            why = f"it arrived with {made.bits} bits instead of {listed.bits}: this token pads what it unwraps"
            raise Conflict(f"{listed.identity} not copied", why, "copy keys of whole 8-byte blocks only")
        if not _is_closed(token, made):
            token.objects.destroy(made)
            raise _open_copy(target, made, "hsmctl key generate, on the target")

    def _create_public(self, source: Replica, target: Replica, key: Key) -> None:
        def read(token: Token) -> tuple[Key, dict[str, bytes]]:
            listed = _exactly(token, key, source)
            return listed, dict(token.objects.values(listed))

        listed, values = self._on(source, read)

        def create(token: Token) -> None:
            _refuse_present(token, listed, target)
            token.objects.create({**template_of(listed), **values})

        self._on(target, create)

    def _proved(self, source: Replica, target: Replica, listed: Key) -> str:
        """Whether both keys give the same answer to one challenge; keys that cannot answer are named so.

        Raises:
            Conflict: they answer differently; the copy is destroyed.
        """
        nonce, wanted = secrets.token_bytes(NONCE_BYTES), {listed.identity}
        readings = [
            Reading(end, Ok(_only_related(self._on(end, lambda token: token.prove(nonce, wanted)), listed)))
            for end in (source, target)
        ]
        verifier = self.verifier()
        here, there = (_proof(reading, listed) for reading in settle(readings, nonce, verifier.fits, verifier.certify))
        if ProofKind.DIGEST not in (here.kind, there.kind) or here.how != there.how:
            return f"not proved: {here.reason or there.reason or 'the tokens prove it in different ways'}"
        if here.value != there.value:
            self._on(target, lambda token: token.objects.destroy(_present(token, listed)))
            raise Conflict(f"{listed.identity} is not the same", "the two keys answer differently", "hsmctl key show")
        return "both keys gave the same answer to one challenge"

    def _listed(self, at: Replica, key: Key) -> Key | None:
        found = self._on(at, lambda token: token.objects.find(_place(key)))
        return next((each for each in found if each.identity == key.identity), None)

    def _on(self, at: Replica, work: Callable[[Token], T]) -> T:
        return self.door.change([at], _SECONDS, lambda _, token: work(token))


def _exactly(token: Token, key: Key, where: Replica) -> Key:
    """The object as its token lists it now, which must be the one that was shown.

    Raises:
        Conflict: it is gone, or another is in its place.
    """
    present = _present(token, key)
    if key.material is not None and present.material != key.material:
        raise Conflict(f"{key.identity} on {where.name}", "it is another key than the one shown", "plan anew")
    return present


def _is_closed(token: Token, copy: Key) -> bool:
    """Whether a copy is sensitive, as its original, once its token was told again."""
    return "sensitive" in closed(token, copy, {"sensitive": True}).attributes


def _open_copy(target: Replica, copy: Key, way_out: str) -> Conflict:
    why = f"{target.name} shows its value to whoever logs in: it keeps no unwrapped key sensitive"
    return Conflict(f"{copy.identity} not copied", why, way_out)


def _present(token: Token, key: Key) -> Key:
    identity = key.identity
    found = token.objects.find(
        {"label": identity.label, "id": identity.key_id, "class": NUMBERS[identity.object_class]}
    )
    if len(found) != 1:
        raise Conflict(f"{identity} is not there once", f"{len(found)} objects are it", "hsmctl key list")
    return found[0]


def _refuse_present(token: Token, key: Key, target: Replica) -> None:
    identity = key.identity
    if token.objects.find(_place(key)):
        raise Conflict(f"{identity} not copied", f"{target.name} has one of its class, id and label", "hsmctl key show")


def _only_related(inventory: Inventory, listed: Key) -> Inventory:
    """The key, and the public halves that can verify for it."""
    identity = listed.identity
    related = tuple(
        key
        for key in inventory.keys
        if key.identity == identity
        or (key.identity.object_class is ObjectClass.PUBLIC and key.identity[1:] == identity[1:])
    )
    return replace(inventory, keys=related, total=None)


def _proof(reading: Reading, listed: Key) -> Proof:
    """What the key answered on one token."""
    keys = reading.outcome.value.keys if isinstance(reading.outcome, Ok) else ()
    found = (key.proof for key in keys if key.identity == listed.identity)
    return next(found, None) or Proof(ProofKind.NONE, reason="it was not listed")


def _place(key: Key) -> dict[str, Value]:
    """What a token looks for to find this object, or whatever is in its place."""
    identity = key.identity
    return {"label": identity.label, "id": identity.key_id, "class": NUMBERS[identity.object_class]}
