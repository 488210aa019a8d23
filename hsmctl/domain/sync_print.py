"""What replicas show of one key, compared: type and length, fingerprints and proofs, attributes.

Every function takes what each replica holds under one identity and says, in that order, which holding is unlike the
usual one. What one replica does not tell is compared with nothing; what is usual is what more replicas say than say
anything else, and where no value is, none of them is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from hsmctl.domain.key import Key, ProofKind

T = TypeVar("T", bound=Hashable)

Holding = tuple[Key, ...]
"""What one replica holds under one identity; more than one key where label and id are shared."""


def usual_forms(holdings: Sequence[Holding]) -> list[bool]:
    """Whether each holding is of the usual types, lengths and curves."""
    return _forms_of_one(holdings) if _alone(holdings) else _forms_of_many(holdings)


def usual_materials(holdings: Sequence[Holding]) -> list[bool | None]:
    """Whether each holding has the usual fingerprints; None where that cannot be said."""
    return _compared(holdings, _material_print)


def usual_proofs(holdings: Sequence[Holding]) -> list[bool | None]:
    """Whether each holding proved what is usual; None where that cannot be said."""
    return _compared(holdings, _proof_print)


def usual_attributes(holdings: Sequence[Holding], ignored: frozenset[str]) -> tuple[list[bool], tuple[str, ...]]:
    """Whether each holding has the usual attributes, and those in which the holdings differ."""
    return (_attributes_of_one if _alone(holdings) else _attributes_of_many)(holdings, ignored)


def _alone(holdings: Sequence[Holding]) -> bool:
    """Whether no replica holds two keys under this identity."""
    return all(len(held) == 1 for held in holdings)


def _usual(values: Iterable[T]) -> T | None:
    """The value most have, or None where no value has a majority over every other."""
    counted = Counter(values).most_common(2)
    return None if len(counted) == 2 and counted[0][1] == counted[1][1] else counted[0][0] if counted else None


def _forms_of_one(holdings: Sequence[Holding]) -> list[bool]:
    """Whether the one key of each holding is of the usual type, length and curve, as far as it tells them."""
    forms = [(held[0].key_type, held[0].bits, held[0].curve) for held in holdings]
    usual = [_usual(value for value in values if value) for values in zip(*forms, strict=True)]
    return [all(not value or value == common for value, common in zip(form, usual, strict=True)) for form in forms]


def _forms_of_many(holdings: Sequence[Holding]) -> list[bool]:
    """Whether each holding has the usual number of keys of each type, and their lengths where all are told."""
    types = [tuple(sorted(key.key_type for key in held)) for held in holdings]
    told = [all(key.bits or key.curve for key in held) for held in holdings]
    sizes = [tuple(sorted(key.algorithm for key in held)) for held in holdings]
    usual_type, usual_size = _usual(types), _usual(size for size, all_told in zip(sizes, told, strict=True) if all_told)
    return [
        kind == usual_type and (not all_told or size == usual_size)
        for kind, size, all_told in zip(types, sizes, told, strict=True)
    ]


class _Print(NamedTuple):
    """What a holding shows of its keys, for comparison with holdings that show the same things."""

    kinds: tuple[str, ...]
    """How its digests came about; only those of equal kinds can be compared."""
    definitions: tuple[str, ...]
    """Whose definition made them; where these differ, only equality says anything."""
    digests: tuple[bytes, ...]


def _compared(holdings: Sequence[Holding], printed: Callable[[Key], tuple[str, str, bytes]]) -> list[bool | None]:
    """For each holding whether its digests are the usual ones: False if others are, None if that cannot be said."""
    prints = [_print(sorted(map(printed, held))) for held in holdings]
    usual_kinds = _usual(each.kinds for each in prints)
    of_kinds = _usual_of_each(prints, lambda each: each.kinds)
    of_definition = _usual_of_each(prints, lambda each: (each.kinds, each.definitions))
    return [
        False
        if each.digests != of_definition[each.kinds, each.definitions]
        else True
        if each.kinds == usual_kinds and each.digests == of_kinds[each.kinds]
        else None
        for each in prints
    ]


def _usual_of_each(
    prints: Sequence[_Print], lane: Callable[[_Print], Hashable]
) -> dict[Hashable, tuple[bytes, ...] | None]:
    """By lane, the digests most of its prints have."""
    lanes: dict[Hashable, list[tuple[bytes, ...]]] = {}
    for each in prints:
        lanes.setdefault(lane(each), []).append(each.digests)
    return {name: _usual(digests) for name, digests in lanes.items()}


def _print(parts: Sequence[tuple[str, str, bytes]]) -> _Print:
    return _Print(
        kinds=tuple(kind for kind, _, _ in parts),
        definitions=tuple(definition for _, definition, _ in parts),
        digests=tuple(digest for _, _, digest in parts),
    )


def _material_print(key: Key) -> tuple[str, str, bytes]:
    """A key's fingerprint: its kind, whose definition, and the digest."""
    return (key.material.kind, key.material.by, key.material.digest) if key.material else _NOTHING


def _proof_print(key: Key) -> tuple[str, str, bytes]:
    """A key's proof: the way it came about, and the digest."""
    answered = key.proof is not None and key.proof.kind is ProofKind.DIGEST
    return (key.proof.how, "", key.proof.value) if answered and key.proof else _NOTHING


_NOTHING = ("", "", b"")


def _attributes_of_one(holdings: Sequence[Holding], ignored: frozenset[str]) -> tuple[list[bool], tuple[str, ...]]:
    """Whether the one key of each holding has the usual attributes, and those in which the holdings differ."""
    told = [(held[0].attributes, held[0].unknown) for held in holdings]
    if told.count(told[0]) == len(told):
        return [True] * len(told), ()
    names = frozenset[str]().union(*(attributes for attributes, _ in told)) - ignored
    odd: set[int] = set()
    drift = []
    for name in sorted(names):
        values = {place: name in true for place, (true, unknown) in enumerate(told) if name not in unknown}
        usual = _usual(values.values())
        other = {place for place, value in values.items() if value != usual}
        drift += [name] if other else []
        odd |= other
    return [place not in odd for place in range(len(told))], tuple(drift)


def _attributes_of_many(holdings: Sequence[Holding], ignored: frozenset[str]) -> tuple[list[bool], tuple[str, ...]]:
    """The same of holdings that share an identity: each key's attributes together with its fingerprint.

    An attribute that any of the keys does not tell is left out.
    """
    keys = [key for held in holdings for key in held]
    left_out = ignored.union(*(key.unknown for key in keys))
    whole = [
        tuple(sorted((_material_print(key), tuple(sorted(key.attributes - left_out))) for key in held))
        for held in holdings
    ]
    lanes = [tuple(kind for kind, _ in parts) for parts in whole]
    usual = {lane: _usual(parts for parts, its in zip(whole, lanes, strict=True) if its == lane) for lane in {*lanes}}
    common = [parts == usual[lane] for parts, lane in zip(whole, lanes, strict=True)]
    if all(common):
        return common, ()
    everywhere = frozenset.intersection(*(key.attributes for key in keys))
    somewhere = frozenset[str]().union(*(key.attributes for key in keys))
    return common, tuple(sorted(somewhere - everywhere - left_out))
