"""A key's successor: the same kind, size and uses under another label and id, seen everywhere; then the old one rests.

The id is chosen when the plan is made: whoever goes on after an end finds what was made by it, and makes no second one.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hsmctl.domain.key import PAIRED, SIZES, Key, KeyKind, KeySpec, ObjectClass, text
from hsmctl.domain.key_copy import End, arrival_step
from hsmctl.domain.key_name import KeyName
from hsmctl.domain.key_purpose import USES
from hsmctl.domain.key_rotate import made_of, make_step, spec_of
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Plan, Precondition, Step
from hsmctl.domain.sync import Replica
from hsmctl.domain.uri import typed, uri_of
from hsmctl.errors import Conflict
from hsmctl.ports import Journal, Token
from hsmctl.services.key import KeyService
from hsmctl.services.key_change import KeyChange, Scope
from hsmctl.services.key_door import KeyDoor, only
from hsmctl.services.operation import Runner
from hsmctl.services.wait import Wait

_KINDS = {
    "RSA": KeyKind.RSA,
    "EC": KeyKind.EC,
    "AES": KeyKind.AES,
    "GENERIC": KeyKind.GENERIC,
    "EDWARDS": KeyKind.ED25519,
}
_KEPT = (*USES, "wrap_with_trusted")
_HELD = (ObjectClass.SECRET, ObjectClass.PRIVATE)
_SECONDS = 60.0
"""How long making a key may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotate:
    """Plans rotations and runs them."""

    door: KeyDoor
    journal: Journal
    change: KeyChange
    key: Callable[[], KeyService]
    place: Callable[[str, str | None], Replica]

    def plan(self, scope: Scope, name: KeyName, label: str, *, disable: bool, seconds: float) -> Plan:
        """Make a key's successor and see it everywhere; with `disable`, take the old one's uses after that.

        Raises:
            Conflict: the name means no key, one of a kind or size that hsmctl does not make, or one without a use.
        """

        def look(replica: Replica, token: Token) -> tuple[Replica, Key, KeySpec, tuple[Key, ...]]:
            key = only(token, name, _HELD, replica.name)
            spec = successor(token, key, label)
            return replica, key, spec, token.objects.find({"label": spec.label})

        replica, old, spec, taken = self.door.look(scope.replicas, seconds, look)
        new = [Key(identity=each, key_type="") for each in made_of(spec)]
        steps = (
            make_step(spec, old, replica.name),
            *arrival_step(new, End(replica=replica, cluster_id=scope.cluster_id)),
        )
        why = f"{replica.name} has {taken[0].algorithm} {taken[0].identity}" if taken else ""
        free = Precondition(what=f"no object is called {label}", holds=not taken, why=why, way_out="another --label")
        if disable:
            rest = self.change.plan_disable(scope, lambda keys: [each for each in keys if each == old], seconds=seconds)
            plan = replace(rest, steps=(*steps, *rest.steps), preconditions=(free, *rest.preconditions))
        else:
            named = shlex.quote(typed(old.identity))
            said = f"the old key stays as it is: use {label}, then hsmctl key disable {named}"
            plan = self.change.planned("", scope, replica, steps, (free,), (said,))
        return replace(plan, title=f"rotate {old.identity} to {label}")

    @property
    def runners(self) -> Mapping[Action, Runner]:
        """How the steps of these plans are run."""
        return {Action.MAKE_KEY: Runner(run=self._make, look=self._look)}

    def _make(self, step: Step, found: Found) -> Wait[Found]:
        spec, replica = spec_of(step.inputs), self.place(step.inputs["on"], found.get("cluster_id"))
        yield f"making {text(spec.label)}"
        self.key().generate([replica], spec, seconds=_SECONDS)
        return {"made": uri_of(made_of(spec)[0])}

    def _look(self, step: Step, found: Found) -> Found | None:
        """Whether it was made, by its id and label; the journal gets to know then."""
        spec, replica = spec_of(step.inputs), self.place(step.inputs["on"], found.get("cluster_id"))

        def look(_: Replica, token: Token) -> bool:
            listed = {key.identity for key in token.objects.find({"label": spec.label, "id": spec.key_id})}
            return listed >= {*made_of(spec)}

        if not self.door.look([replica], _SECONDS, look):
            return None
        self.journal.append("key-generated", {"label": spec.label, "seen_on": [replica.name]})
        return {"made": uri_of(made_of(spec)[0])}


def successor(token: Token, key: Key, label: str) -> KeySpec:
    """What a key is replaced by.

    Raises:
        Conflict: it is of a kind or size that hsmctl does not make.
    """
    kind = KeyKind.X25519 if key.curve == "X25519" else _KINDS.get(key.key_type)
    size = key.curve or (str(key.bits) if key.bits else "")
    if kind is None or size not in SIZES[kind]:
        why = f"a key like {key.algorithm} is not made" if kind else f"hsmctl makes no {key.key_type} keys"
        raise Conflict(f"{key.identity} not rotated", why, "hsmctl key generate")
    return KeySpec(
        kind=kind,
        size=size,
        label=label.encode(errors="surrogateescape"),
        key_id=secrets.token_bytes(8),
        extractable="extractable" in key.attributes,
        attributes=_attributes(token, key, kind),
    )


def _attributes(token: Token, key: Key, kind: KeyKind) -> dict[str, dict[str, bool]]:
    """The uses of a key, and those of its public half."""
    uses = {name: True for name in _KEPT if name in key.attributes}
    if kind not in PAIRED:
        return {"secret": uses}
    wanted = {"id": key.identity.key_id} if key.identity.key_id else {"label": key.identity.label}
    halves = token.objects.find({"class": 2, **wanted})
    public = {name: True for name in USES if any(name in half.attributes for half in halves)}
    return {"private": uses, "public": public}
