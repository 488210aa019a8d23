"""The judgement on one key over all replicas: what is odd where, and how well the others are known.

Refuses to know what a replica is and what a verdict says. Fingerprints and proofs are two witnesses: what either calls
different is different.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from hsmctl.domain.key import Identity, Key, MaterialKind, ProofKind
from hsmctl.domain.sync_print import Holding as Holding
from hsmctl.domain.sync_print import usual_attributes, usual_forms, usual_materials, usual_proofs


class Cell(StrEnum):
    """One key on one replica, worst first."""

    MISSING = "missing"
    DIFFERENT = "different"
    ATTRIBUTES = "attributes"
    CHANGING = "changing"
    """It seemed wrong in one reading only: it came, went or changed while it was read."""
    HEALING = "healing"
    """It is missing, and so young that the service may still be copying it."""
    UNREADABLE = "unreadable"
    UNPROVEN = "unproven"
    REPORTED = "reported"
    PROVED = "proved"


_RANK: Mapping[Cell, int] = {cell: rank for rank, cell in enumerate(Cell)}
ACCUSED = (Cell.MISSING, Cell.DIFFERENT, Cell.ATTRIBUTES)
"""What says that something is wrong."""
UNSETTLED = (Cell.CHANGING, Cell.HEALING)
"""What has not come to rest yet."""
PROVENANCE = frozenset(("local", "always_sensitive", "never_extractable"))
"""Attributes that say how a key came to a token, and so differ where it was imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One key over all replicas."""

    identity: Identity
    algorithm: str
    cells: tuple[Cell, ...]
    """In the order of the report's readings."""
    holdings: tuple[Holding, ...] = ()
    """Per replica what it holds under this identity; kept only where something differs."""
    reasons: tuple[str, ...] = ()
    """Why it is not proved though it agrees, where keys were used."""
    drift: tuple[str, ...] = ()
    """The attributes in which its copies differ."""
    copies: int = 0
    """The replicas seen to hold it with the usual material."""
    shared: int = 1
    """The keys one replica holds under this identity, at most; more than one is ambiguous to whoever looks it up."""
    renamed: Identity | None = None
    """The name under which the replicas that miss it hold the same material."""

    @property
    def worst(self) -> Cell:
        """The cell that decides, unreadable replicas apart."""
        return _worst(self.cells)

    @property
    def agrees(self) -> bool:
        """Whether every replica that could be read holds the same key with the same attributes."""
        return _judged_rank(self.worst) > _RANK[Cell.HEALING]

    @property
    def proved(self) -> bool:
        """Whether every replica proved to hold this key."""
        return all(cell is Cell.PROVED for cell in self.cells)


def row(identity: Identity, holdings: Sequence[Holding | None], ignored: frozenset[str]) -> Row:
    """The judgement on one identity; None is a replica that could not be read, and at least one holds the key.

    Attributes that are `ignored` are not compared.
    """
    present = [held for held in holdings if held]
    first = present[0]
    if present.count(first) == len(present):
        return _row(identity, holdings, [first], [_worth(first, material=True, proof=True)] * len(present))
    judged, drift = _judge(present, ignored)
    return _row(identity, holdings, present, judged, drift)


def _row(
    identity: Identity,
    holdings: Sequence[Holding | None],
    telling: Sequence[Holding],
    judged: Sequence[Cell],
    drift: tuple[str, ...] = (),
) -> Row:
    """The row of judgements, one for each replica that holds the key; `telling` has every kind of holding."""
    cells = _cells(holdings, judged)
    worst = _worst(cells)
    settled = _RANK[worst] > _RANK[Cell.HEALING]
    return Row(
        identity=identity,
        algorithm=max((key.algorithm for held in telling for key in held), key=len),
        cells=cells,
        holdings=() if settled else tuple(held or () for held in holdings),
        reasons=_reasons(telling) if settled and worst is not Cell.PROVED else (),
        drift=drift,
        copies=len(judged) - judged.count(Cell.DIFFERENT),
        shared=max(map(len, telling)),
    )


def _cells(holdings: Sequence[Holding | None], judged: Sequence[Cell]) -> tuple[Cell, ...]:
    """The judgements with those who miss the key and those who could not be read in their places."""
    if len(judged) == len(holdings):
        cells = tuple(judged)
    else:
        findings = iter(judged)
        cells = tuple(
            Cell.UNREADABLE if held is None else next(findings) if held else Cell.MISSING for held in holdings
        )
    return _CELLS.setdefault(cells, cells)


_CELLS: dict[tuple[Cell, ...], tuple[Cell, ...]] = {}
"""Equal rows share their cells: half a million healthy cells cost one tuple."""


def order(row: Row) -> tuple[int, bytes, str, bytes]:
    """Worst first, then by label, class and id."""
    identity = row.identity
    return _RANK[row.worst], identity.label, identity.object_class, identity.key_id


def _judge(holdings: Sequence[Holding], ignored: frozenset[str]) -> tuple[list[Cell], tuple[str, ...]]:
    """The cell of each holding of one identity, in order, and the attributes in which they differ."""
    forms, materials, proofs = usual_forms(holdings), usual_materials(holdings), usual_proofs(holdings)
    usual, drift = usual_attributes(holdings, ignored)
    cells = []
    for held, form, material, proof, common in zip(holdings, forms, materials, proofs, usual, strict=True):
        if not form or material is False or proof is False:
            cells.append(Cell.DIFFERENT)
        elif not common:
            cells.append(Cell.ATTRIBUTES)
        else:
            cells.append(_worth(held, material=material is True, proof=proof is True))
    return cells, drift


def _worth(held: Holding, *, material: bool, proof: bool) -> Cell:
    """How much a holding that agrees is known to agree: as much as its weakest key, by the witnesses that count."""
    return min((_key_worth(key, material=material, proof=proof) for key in held), key=_RANK.__getitem__)


def _key_worth(key: Key, *, material: bool, proof: bool) -> Cell:
    """PROVED for an answer or for bytes that are the object itself, REPORTED for what an HSM's attributes say."""
    if proof and key.proof and key.proof.kind is ProofKind.DIGEST:
        return Cell.PROVED
    if not material or key.material is None:
        return Cell.UNPROVEN
    return Cell.PROVED if key.material.kind is MaterialKind.PUBLIC else Cell.REPORTED


def _reasons(holdings: Sequence[Holding]) -> tuple[str, ...]:
    """Why an identity is not proved, where its keys were asked to prove themselves."""
    proofs = [key.proof for held in holdings for key in held if key.proof]
    told = dict.fromkeys(proof.reason for proof in proofs if proof.reason)
    answered = any(proof.kind is ProofKind.DIGEST for proof in proofs)
    return tuple(told) or (("its replicas proved it in different ways",) if answered else ())


@lru_cache(maxsize=4096)
def _worst(cells: tuple[Cell, ...]) -> Cell:
    return min(set(cells), key=_judged_rank)


def _judged_rank(cell: Cell) -> int:
    """A cell's place for judging a row: what could not be read neither helps nor harms it."""
    return len(_RANK) if cell is Cell.UNREADABLE else _RANK[cell]
