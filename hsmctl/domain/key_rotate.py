"""The making of a key as a step of a plan: what is to be made travels as text, its id included, so that it is found."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hsmctl.domain.key import PAIRED, Identity, Key, KeyKind, KeySpec, ObjectClass, text
from hsmctl.domain.plan import Action, Step
from hsmctl.domain.uri import uri_of


def make_step(spec: KeySpec, old: Key, replica: str) -> Step:
    """Make the successor of a key."""
    says = f"make {old.algorithm} {text(spec.label)} on {replica}, with the uses of {uri_of(old.identity)}"
    inputs = {
        "kind": spec.kind.value,
        "size": spec.size,
        "label": spec.label.hex(),
        "id": spec.key_id.hex(),
        "extractable": str(spec.extractable),
        "attributes": json.dumps(spec.attributes),
        "on": replica,
    }
    return Step(action=Action.MAKE_KEY, says=says, inputs=inputs)


def spec_of(inputs: Mapping[str, str]) -> KeySpec:
    """What a step's inputs mean."""
    return KeySpec(
        kind=KeyKind(inputs["kind"]),
        size=inputs["size"],
        label=bytes.fromhex(inputs["label"]),
        key_id=bytes.fromhex(inputs["id"]),
        extractable=inputs["extractable"] == "True",
        attributes=json.loads(inputs["attributes"]),
    )


def made_of(spec: KeySpec) -> tuple[Identity, ...]:
    """What the new objects are called."""
    classes = (ObjectClass.PRIVATE, ObjectClass.PUBLIC) if spec.kind in PAIRED else (ObjectClass.SECRET,)
    return tuple(Identity(each, spec.key_id, spec.label) for each in classes)
