"""What a token agent's reply lists, as keys of the domain.

Knows the fields of a listing and PKCS#11's numbers. Refuses to know how replies get here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from hsmctl.agent.frame import Malformed
from hsmctl.agent.inventory import BITS
from hsmctl.domain.key import (
    CLASSES,
    CURVES,
    KEY_TYPES,
    Identity,
    Key,
    Material,
    MaterialKind,
    ObjectClass,
    Proof,
    ProofKind,
)


def keys_of(reply: Mapping[str, Any], vendor: str) -> tuple[Key, ...]:
    """The listed keys of a reply of a token of this make.

    Raises:
        Malformed: a field is missing or of the wrong kind.
    """
    try:
        return tuple(_key(raw, vendor) for raw in reply["keys"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Malformed(f"a key that is none: {error!r}") from error


def _key(raw: Mapping[str, Any], vendor: str) -> Key:
    """One listed key; what replicas list alike exists once, which makes comparing it quick and holding it cheap."""
    material = raw["material"] or {}
    key = _made(
        (raw["class"], raw["id"], raw["label"]),
        (raw["key_type"], raw["bits"], raw["ec_params"]),
        (raw["attributes"], raw["unknown"]),
        (material.get("kind"), material.get("digest"), vendor),
    )
    return key.answering(_proof(raw["proof"])) if "proof" in raw else key


@lru_cache(maxsize=50_000)
def _made(
    name: tuple[int, str, str],
    form: tuple[int | None, int | None, str | None],
    flags: tuple[int, int],
    material: tuple[str | None, str, str],
) -> Key:
    """The key of these fields of a listing."""
    key_type, bits, params = form
    attributes, unknown = flags
    return Key(
        identity=Identity(CLASSES.get(name[0], ObjectClass.OTHER), bytes.fromhex(name[1]), bytes.fromhex(name[2])),
        key_type=_key_type(key_type),
        bits=bits,
        curve=params and CURVES.get(params, sys.intern(params)),
        attributes=_attributes(attributes),
        unknown=_attributes(unknown),
        material=_material(material[0], *material[1:]) if material[0] else None,
    )


def _material(kind: str, digest: str, vendor: str) -> Material:
    """A fingerprint; how check values come about is the vendor's own business."""
    by = vendor if kind == MaterialKind.CHECK_VALUE else ""
    return Material(MaterialKind(kind), bytes.fromhex(digest), by)


def _proof(raw: Mapping[str, str]) -> Proof:
    """What one object answered; ways and reasons are few, and exist once."""
    how, reason = sys.intern(raw["how"]), sys.intern(raw["reason"])
    return Proof(_PROOF_KINDS[raw["kind"]], bytes.fromhex(raw["value"]), how, reason)


_PROOF_KINDS = {str(kind): kind for kind in ProofKind}
"""By word; asking the enumeration takes longer."""


@lru_cache(maxsize=256)
def _key_type(number: int | None) -> str:
    """CKK_* as it is shown."""
    return "" if number is None else KEY_TYPES.get(number, f"0x{number:x}")


@lru_cache(maxsize=4096)
def _attributes(bits: int) -> frozenset[str]:
    """A set of attributes, shared by all keys that have the same."""
    return frozenset(name for name, bit in BITS.items() if bits & bit)
