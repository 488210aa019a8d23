"""Keys that carry other keys: made for one journey, journaled before they exist, destroyed whatever happens.

A transport key is found again by its own random id and label alone, as the journal keeps them, so that nothing else is
ever destroyed in its place. One that a killed process left behind goes at the start of the next journey to its token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from hsmctl.domain.key import Key, KeyKind, KeySpec, ObjectClass
from hsmctl.domain.key_algorithm import GCM_IV_BYTES
from hsmctl.domain.key_transport import TransportName
from hsmctl.domain.mechanism import Mechanism, Output, TokenFacts
from hsmctl.domain.sync import Replica
from hsmctl.errors import Conflict, DeviceError, HsmctlError
from hsmctl.ports import Journal, Token
from hsmctl.ports_key import Value
from hsmctl.services.key_door import lasting

_RSA_BITS = "3072"
_KEY_WRAPS = ("AES_KEY_WRAP_KWP", "CLOUDHSM_AES_KEY_WRAP_ZERO_PAD", "AES_KEY_WRAP_PAD")
"""AES key wrap with padding (RFC 5649) by its names; SoftHSM does that under the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTransport:
    """Makes transport keys and sees that they are gone."""

    journal: Journal

    def sweep(self, replica: Replica, token: Token, keep: TransportName | None = None) -> int:
        """Destroy what earlier runs left on this token, but for the name in use; how many objects that were."""
        # The first records have the name that a context gave the token.
        places = {replica.name, lasting(replica, token)}
        left = [name for place, name in self._left() if place in places and name != keep]
        return sum(self.end(replica, token, name) for name in left)

    def begin(self, replica: Replica, token: Token) -> TransportName:
        """A name, journaled before anything of it exists."""
        name = TransportName.fresh()
        self._record("transport-made", replica, name, place=lasting(replica, token))
        return name

    def end(self, replica: Replica, token: Token, name: TransportName) -> int:
        """Destroy whatever has this name; how many objects that were."""
        found = token.objects.find({"label": name.label, "id": name.key_id})
        for key in found:
            token.objects.destroy(key)
        self._record("transport-gone", replica, name)
        return len(found)

    @contextmanager
    def pair(self, replica: Replica, token: Token) -> Iterator[Key]:
        """The private half of an RSA pair that only unwraps, gone after the context."""
        name = self.begin(replica, token)
        try:
            yield self.make_pair(token, name)
        finally:
            self._end_quietly(replica, token, name)

    def make_pair(self, token: Token, name: TransportName) -> Key:
        """An RSA pair of this name; its private half, which only unwraps."""
        attributes = {"private": {"unwrap": True}, "public": {"wrap": True}}
        spec = KeySpec(kind=KeyKind.RSA, size=_RSA_BITS, label=name.label, key_id=name.key_id, attributes=attributes)
        made = token.generate(spec)
        return next(key for key in made if key.identity.object_class is ObjectClass.PRIVATE)

    def make_between(self, token: Token, name: TransportName) -> Key:
        """An AES key of this name that wraps and may be wrapped."""
        spec = KeySpec(
            kind=KeyKind.AES,
            size="256",
            label=name.label,
            key_id=name.key_id,
            extractable=True,
            attributes={"secret": {"wrap": True}},
        )
        return token.generate(spec)[0]

    def unseal_between(self, token: Token, by: Key, sealed: bytes, hash_name: str, name: TransportName) -> Key:
        """The AES key that came under RSA-OAEP, which only unwraps here."""
        template: dict[str, Value] = {
            "class": 4,
            "key_type": 0x1F,
            "label": name.label,
            "id": name.key_id,
            "unwrap": True,
        }
        hidden = {"sensitive": True, "extractable": False, "private": True}
        return unwrapped(token, by, sealed, Mechanism(name="RSA_PKCS_OAEP", hash=hash_name), {**template, **hidden})

    def _end_quietly(self, replica: Replica, token: Token, name: TransportName) -> None:
        """Destroy what has this name; where that fails, the journal remembers it for the next run."""
        try:
            self.end(replica, token, name)
        except HsmctlError as error:
            self._record("transport-left", replica, name, error=str(error))

    def _left(self) -> list[tuple[str, TransportName]]:
        """Transport keys whose end is not on record, with their places."""
        made: dict[str, tuple[str, TransportName]] = {}
        for record in self.journal.records():
            if record.get("kind") == "transport-made":
                name = TransportName.of(bytes.fromhex(str(record["id"])))
                made[str(record["id"])] = str(record["place"]), name
            elif record.get("kind") == "transport-gone":
                made.pop(str(record["id"]), None)
        return list(made.values())

    def _record(self, kind: str, replica: Replica, name: TransportName, **more: str) -> None:
        self.journal.append(kind, {"on": replica.name, "id": name.key_id.hex(), **more})


def unwrapped(token: Token, by: Key, data: bytes, how: Mechanism, template: Mapping[str, Value]) -> Key:
    """A new token key out of wrapped data, closed (`closed`)."""
    return closed(token, token.uses.unwrap(by, data, how, template), template)


def closed(token: Token, key: Key, template: Mapping[str, Value]) -> Key:
    """A key that was to be sensitive, or not extractable, and that its token left open, closed now.

    openCryptoki takes every key it unwraps for extractable and not sensitive. Where a token does not let it be closed
    either, it stays as the token lists it: the caller compares.
    """
    closing = {
        name: value
        for name, value in (("sensitive", True), ("extractable", False))
        if template.get(name) is value and (name in key.attributes) is not value
    }
    if not closing:
        return key
    try:
        return token.objects.change(key, closing)
    except DeviceError:
        return key


def key_wrap(facts: TokenFacts) -> Mechanism:
    """AES key wrap with padding as the token calls it.

    Raises:
        Conflict: it offers none.
    """
    for name in _KEY_WRAPS:
        if facts.offers(name):
            return Mechanism(name=name)
    raise Conflict(f"{facts.label} wraps no keys with AES", "it offers none of RFC 5649", "hsmctl token show")


def as_offered(facts: TokenFacts, mechanism: Mechanism) -> Mechanism:
    """The same key wrap by the name it has on this token: CloudHSM has names of its own.

    Raises:
        Conflict: the token offers it under no name.
    """
    if mechanism.name == "AES_KEY_WRAP_PAD":
        return key_wrap(facts)
    own = {"AES_KEY_WRAP": "CLOUDHSM_AES_KEY_WRAP_NO_PAD", "AES_GCM": "CLOUDHSM_AES_GCM"}.get(mechanism.name)
    # CloudHSM's own GCM carries its IV in front of what it wraps; the standard one would lose what the HSM made.
    if own and facts.offers(own):
        return replace(mechanism, name=own)
    if mechanism.name == "AES_GCM" and not facts.offers("AES_GCM", "wrap"):
        way_out = "--algorithm aes-kwp"
        raise Conflict(f"{facts.label} wraps no keys with AES-GCM", "it encrypts data alone with it", way_out)
    return mechanism


def sealed(mechanism: Mechanism, made: Output) -> bytes:
    """A wrapped key as a file has it: the standard GCM's IV stands in front, as CloudHSM's own puts it."""
    return made.iv + made.data if mechanism.name == "AES_GCM" else made.data


def unsealed(mechanism: Mechanism, data: bytes) -> tuple[Mechanism, bytes]:
    """How such a file is unwrapped, and what of it."""
    if mechanism.name != "AES_GCM":
        return mechanism, data
    return replace(mechanism, iv=data[:GCM_IV_BYTES]), data[GCM_IV_BYTES:]
