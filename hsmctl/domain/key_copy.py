"""Which keys may be copied where, by what both tokens and the keys themselves say: decisions, and steps of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hsmctl.domain.key import CLASSES, KEY_TYPES, Identity, Key, ObjectClass
from hsmctl.domain.key_change import named
from hsmctl.domain.key_purpose import ABLE
from hsmctl.domain.key_transport import is_software
from hsmctl.domain.mechanism import TokenFacts
from hsmctl.domain.plan import Action, Effect, Precondition, Step
from hsmctl.domain.sync import Replica
from hsmctl.domain.uri import uri_of

NUMBERS = {object_class: number for number, object_class in CLASSES.items()}
"""Class to CKO_*."""
_TYPES = {name: number for number, name in KEY_TYPES.items()}
SECRET = (ObjectClass.PRIVATE, ObjectClass.SECRET)
"""The classes whose objects have something to hide."""
_CARRIED = ("wrap_with_trusted",)
"""What a copy keeps beside its uses; CKA_TRUSTED is not among it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of a copy: a token, and what is known of it beforehand."""

    replica: Replica
    serial: str = ""
    """The serial number that the context pins."""
    cluster_id: str | None = None
    """The cluster that the context names."""
    lab: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one end showed when a copy was planned."""

    facts: TokenFacts
    keys: tuple[Key, ...]


def copy_step(key: Key, source: End, target: End) -> Step:
    """Copy one object."""
    way = {"from": source.replica.name, "from_cluster": source.cluster_id or ""}
    way |= {"to": target.replica.name, "to_cluster": target.cluster_id or ""}
    says = f"copy {key.identity.object_class} {uri_of(key.identity)} from {way['from']} to {way['to']}"
    secret = key.identity.object_class in SECRET
    # What has left a token cannot be called back: such a step is confirmed as one that destroys is.
    effect = Effect.DESTROY if secret else Effect.CHANGE
    return Step(action=Action.COPY_KEY, says=says, effect=effect, inputs={**named(key), **way})


def arrival_step(keys: Sequence[Key], target: End) -> tuple[Step, ...]:
    """See that every HSM lists what came to one of them; nothing to do where the target is no cluster."""
    if target.cluster_id is None:
        return ()
    names = (key.identity for key in keys)
    told = " ".join(f"{each.object_class.value}:{each.key_id.hex()}:{each.label.hex()}" for each in names)
    inputs = {"keys": told, "to": target.replica.name, "to_cluster": target.cluster_id}
    says = f"see that every HSM of {target.cluster_id} lists {'it' if len(keys) == 1 else 'them'}"
    return (Step(action=Action.WAIT_KEYS, says=says, effect=Effect.WAIT, inputs=inputs),)


def awaited(inputs: Mapping[str, str]) -> tuple[Identity, ...]:
    """What an arrival step's inputs mean."""
    told = (each.split(":") for each in inputs["keys"].split())
    return tuple(Identity(ObjectClass(kind), bytes.fromhex(own), bytes.fromhex(label)) for kind, own, label in told)


def directions(source: End, target: End, here: Seen, there: Seen) -> tuple[Precondition, ...]:
    """Whether keys may go from this token to that one."""
    facts, soft = there.facts, is_software(there.facts) or target.lab
    guarded = not (is_software(here.facts) or source.lab)
    pinned = target.cluster_id is not None or (target.serial and target.serial == facts.serial)
    return (
        Precondition(
            what=f"from {_said(source, here.facts)} to {_said(target, facts)}",
            holds=(here.facts.serial, source.replica.realm) != (facts.serial, target.replica.realm),
            why="" if here.facts.serial != facts.serial else "they are one token",
            way_out="name two tokens",
        ),
        Precondition(
            what="no key of an HSM goes to software or to a lab",
            holds=not (guarded and soft),
            why=f"{target.replica.name} is {'a lab' if target.lab else 'software'}" if soft else "",
            way_out="copy to another HSM; make test keys with hsmctl key generate",
        ),
        Precondition(
            what=f"the context pins {target.replica.name}",
            holds=bool(pinned),
            why=_pinned(target, facts),
            way_out=f'serial = "{facts.serial}" in its [[context.NAME.tokens]], once you know it is the right one',
        ),
    )


def _said(end: End, facts: TokenFacts) -> str:
    """A token by everything that says which it is."""
    cluster = f"{end.cluster_id}, " if end.cluster_id else ""
    return f"{end.replica.name} ({cluster}{facts.label}, {facts.manufacturer} {facts.model}, serial {facts.serial})"


def _pinned(target: End, facts: TokenFacts) -> str:
    if target.cluster_id is not None:
        return f"by its cluster {target.cluster_id}"
    if not target.serial:
        return "its entry names no serial number"
    return f"serial {facts.serial}" + ("" if target.serial == facts.serial else f", not {target.serial}")


def keys_may_go(keys: Sequence[Key], there: Sequence[Key]) -> tuple[Precondition, ...]:
    """What each key's own attributes say, and whether its place is free."""
    taken = {key.identity for key in there}
    found = []
    for key in keys:
        if key.identity in taken:
            why = "the target has an object of this class, id and label"
            found.append(Precondition(what=f"{uri_of(key.identity)} is new there", holds=False, why=why))
        if key.identity.object_class not in SECRET:
            continue
        if "extractable" not in key.attributes:
            why = "it was made not to leave its token"
            found.append(Precondition(what=f"{key.identity} may leave", holds=False, why=why, way_out=_ANEW))
        elif "wrap_with_trusted" in key.attributes:
            why = "only a trusted key may wrap it, and hsmctl makes no key trusted"
            found.append(Precondition(what=f"{key.identity} may leave", holds=False, why=why, way_out=_BY_HAND))
    return tuple(found)


_ANEW = "make a new key on the target: hsmctl key generate"
_BY_HAND = "hsmctl key wrap --by a key that an admin has made trusted"


def other_halves(chosen: Sequence[Key], keys: Sequence[Key]) -> tuple[Key, ...]:
    """The public keys that belong to chosen private ones: of the same id and label."""
    pairs = {key.identity[1:] for key in chosen if key.identity.object_class is ObjectClass.PRIVATE}
    known = {key.identity for key in chosen}
    return tuple(
        key
        for key in keys
        if key.identity.object_class is ObjectClass.PUBLIC and key.identity[1:] in pairs and key.identity not in known
    )


def template_of(listed: Key) -> dict[str, bool | int | bytes]:
    """What the copy is to be: everything the original is allowed, and nothing more."""
    identity = listed.identity
    uses = {use: use in listed.attributes for use in ABLE[identity.object_class]}
    carried = {name: True for name in _CARRIED if name in listed.attributes}
    hidden: dict[str, bool | int | bytes] = {}
    if identity.object_class in SECRET:
        # A key in a template without it would be sensitive or not as the token pleases.
        hidden = {"sensitive": True, "extractable": "extractable" in listed.attributes}
    kind = {"class": NUMBERS[identity.object_class], "key_type": _TYPES[listed.key_type]}
    hidden["private"] = identity.object_class in SECRET or "private" in listed.attributes
    return {**kind, "label": identity.label, "id": identity.key_id, **uses, **carried, **hidden}
