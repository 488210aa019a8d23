"""Whether the replicas of a key set agree, key by key, and how that is known.

A *replica* is a place where an object should be and that can be asked by itself: a lab node, an on-premises HSM, any
PKCS#11 token. `compare` takes one reading per replica and judges nothing it did not see: an unreadable replica is never
counted as agreeing, a key without a fingerprint is unproven, and fingerprints of different kinds are never called
different. Fingerprints and proofs are two witnesses: what either of them calls different is different.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import repeat
from typing import TypeVar

from hsmctl.domain.evidence import Failed, Ok, Outcome
from hsmctl.domain.key import Identity, Key, MaterialKind, ProofKind
from hsmctl.errors import Denied, ExitCode

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A place where the keys should be."""

    name: str
    """The HSM's id or the token's name."""
    group: str = ""
    """The Availability Zone or site it stands in."""
    address: str = ""
    """Where it is asked: `tls:127.16.1.10:2223`, `module:/usr/lib/...`."""
    realm: str = ""
    """The cluster whose users it has; empty where its users are its own."""
    absent: str = ""
    """Why it cannot be asked yet, such as an HSM that is being created; it counts as unreadable."""

    def __str__(self) -> str:
        """Its name: what a message calls it."""
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The token objects one replica showed to one user."""

    keys: tuple[Key, ...]
    taken_at: datetime
    user: str
    total: int | None = None
    """Token objects on the replica whoever owns them, or None where it cannot say."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of asking one replica."""

    replica: Replica
    outcome: Outcome[Inventory]


class Cell(StrEnum):
    """One key on one replica, worst first."""

    MISSING = "missing"
    DIFFERENT = "different"
    ATTRIBUTES = "attributes"
    UNREADABLE = "unreadable"
    UNPROVEN = "unproven"
    REPORTED = "reported"
    PROVED = "proved"


_RANK: Mapping[Cell, int] = {cell: rank for rank, cell in enumerate(Cell)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One key over all replicas."""

    identity: Identity
    algorithm: str
    cells: tuple[Cell, ...]
    """In the order of the report's readings."""
    holdings: tuple[tuple[Key, ...], ...] = ()
    """Per replica what it holds under this identity; kept only where something differs."""
    reasons: tuple[str, ...] = ()
    """Why it is not proved though it agrees, where keys were used."""

    @property
    def worst(self) -> Cell:
        """The cell that decides, unreadable replicas apart."""
        return min(set(self.cells), key=_judged_rank)

    @property
    def agrees(self) -> bool:
        """Whether every replica that could be read holds the same key with the same attributes."""
        return _judged_rank(self.worst) > _RANK[Cell.ATTRIBUTES]

    @property
    def proved(self) -> bool:
        """Whether every replica proved to hold this key."""
        return all(cell is Cell.PROVED for cell in self.cells)


class Verdict(StrEnum):
    """What a check says in the end; the words are fixed, scripts read them."""

    NOT_IN_SYNC = "not in sync"
    ATTRIBUTES_DIFFER = "attributes differ"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"
    NO_DIFFERENCE_SEEN = "no difference seen"
    IN_SYNC = "in sync"


_EXITS: Mapping[Verdict, ExitCode] = {
    Verdict.NOT_IN_SYNC: ExitCode.NO,
    Verdict.ATTRIBUTES_DIFFER: ExitCode.NO,
    Verdict.INCOMPLETE: ExitCode.PARTIAL,
    Verdict.UNKNOWN: ExitCode.UNKNOWN,
    Verdict.NO_DIFFERENCE_SEEN: ExitCode.OK,
    Verdict.IN_SYNC: ExitCode.OK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """About how much a verdict speaks."""

    users: tuple[str, ...]
    visible: int
    """Objects seen, at most, on one replica."""
    total: int | None
    """Token objects there, at most, whoever owns them, or None where some replica could not say."""
    full: bool
    """Whether every replica that was read showed every token object it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A comparison: the verdict, its scope and every row, worst first."""

    readings: tuple[Reading, ...]
    rows: tuple[Row, ...]
    verdict: Verdict
    scope: Scope
    proved: int
    unproven: int

    @property
    def exit_code(self) -> ExitCode:
        """The verdict as an exit code; DENIED where every replica refused us."""
        if self.verdict is Verdict.UNKNOWN and self.readings and all(map(_refused, self.readings)):
            return ExitCode.DENIED
        return _EXITS[self.verdict]

    @property
    def differences(self) -> tuple[Row, ...]:
        """The rows that do not agree."""
        return tuple(row for row in self.rows if not row.agrees)

    @property
    def unreadable(self) -> tuple[Reading, ...]:
        """The replicas that gave no inventory."""
        return tuple(reading for reading in self.readings if isinstance(reading.outcome, Failed))

    @property
    def reasons(self) -> Mapping[str, int]:
        """Why keys that agree are not proved, and how many those are, most first; empty where no key was used."""
        return dict(Counter(reason for row in self.rows for reason in row.reasons).most_common())

    @property
    def words(self) -> str:
        """The verdict as a sentence that states its scope and its proof."""
        if self.verdict is Verdict.NO_DIFFERENCE_SEEN:
            if len(self.readings) == 1:
                return f"nothing to compare: one replica only (keys seen: {len(self.rows):,})"
            seen = "no difference seen" if self.scope.full else "visible keys agree"
            return f"{seen} ({self.proved:,} proved, {self.unproven:,} unproven)"
        if self.verdict in (Verdict.NOT_IN_SYNC, Verdict.ATTRIBUTES_DIFFER):
            count = len(self.differences)
            return f"{self.verdict}: {count:,} {'key differs' if count == 1 else 'keys differ'}"
        if self.unreadable:
            return f"{self.verdict}: {len(self.unreadable)} of {len(self.readings)} replicas not readable"
        return str(self.verdict)


def compare(readings: Sequence[Reading]) -> Report:
    """The report on these readings; linear in keys × replicas."""
    columns = [_by_identity(reading) for reading in readings]
    identities = dict.fromkeys(identity for column in columns if column for identity in column)
    rows = sorted((_row(identity, columns) for identity in identities), key=_order)
    proved = sum(row.proved for row in rows)
    scope = _scope(readings)
    return Report(
        readings=tuple(readings),
        rows=tuple(rows),
        verdict=_verdict(rows, readings, sure=0 < proved == len(rows) and scope.full),
        scope=scope,
        proved=proved,
        unproven=len(rows) - proved,
    )


_Holding = tuple[Key, ...]
"""What one replica holds under one identity; more than one key where label and id are shared."""
_Prints = tuple[tuple[str, bytes], ...]
"""Kinds and digests of a holding's keys, sorted; both empty where a key has none."""


def _by_identity(reading: Reading) -> Mapping[Identity, _Holding] | None:
    """What the replica holds under each identity, or None if it could not be read."""
    if isinstance(reading.outcome, Failed):
        return None
    held: dict[Identity, _Holding] = {}
    for key in reading.outcome.value.keys:
        held[key.identity] = (*held.get(key.identity, ()), key)
    return held


def _row(identity: Identity, columns: Sequence[Mapping[Identity, _Holding] | None]) -> Row:
    """The judgement on one identity."""
    holdings = tuple(() if column is None else column.get(identity, ()) for column in columns)
    present = [held for held in holdings if held]
    judged = iter(_judge(present))
    cells = tuple(
        Cell.UNREADABLE if column is None else next(judged) if held else Cell.MISSING
        for column, held in zip(columns, holdings, strict=True)
    )
    row = Row(identity=identity, algorithm=present[0][0].algorithm, cells=_CELLS.setdefault(cells, cells))
    if not row.agrees:
        return replace(row, holdings=holdings)
    return row if row.worst is Cell.PROVED else replace(row, reasons=_reasons(present))


_CELLS: dict[tuple[Cell, ...], tuple[Cell, ...]] = {}
"""Equal rows share their cells: half a million healthy cells cost one tuple."""


def _judge(holdings: Sequence[_Holding]) -> Iterator[Cell]:
    """The cell of each holding of one identity, in order."""
    if all(held == holdings[0] for held in holdings):
        yield from repeat(_worth(holdings[0], material=True, proof=True), len(holdings))
        return
    form = _usual(map(_form, holdings))
    attributes = _usual(map(_attributes, holdings))
    materials, proofs = (_compared([prints(held) for held in holdings]) for prints in (_materials, _proofs))
    for held, material, proof in zip(holdings, materials, proofs, strict=True):
        if _form(held) != form or material is False or proof is False:
            yield Cell.DIFFERENT
        elif _attributes(held) != attributes:
            yield Cell.ATTRIBUTES
        else:
            yield _worth(held, material=material is True, proof=proof is True)


def _compared(prints: Sequence[_Prints]) -> list[bool | None]:
    """For each holding whether its digests are the usual ones of its kinds; None where those are not the usual."""
    kinds = _usual(map(_kinds, prints))
    usual = {kind: _usual(each for each in prints if _kinds(each) == kind) for kind in map(_kinds, prints)}
    return [each == usual[_kinds(each)] and (True if _kinds(each) == kinds else None) for each in prints]


def _usual(values: Iterable[T]) -> T | None:
    """The value most replicas have, or None where no value has a majority over every other."""
    counted = Counter(values).most_common(2)
    return None if len(counted) == 2 and counted[0][1] == counted[1][1] else counted[0][0]


def _form(held: _Holding) -> tuple[str, ...]:
    """The algorithms of a holding."""
    return tuple(sorted(key.algorithm for key in held))


def _kinds(prints: _Prints) -> tuple[str, ...]:
    """How the digests of a holding came about; only those of equal kinds can be compared."""
    return tuple(kind for kind, _ in prints)


def _materials(held: _Holding) -> _Prints:
    """The fingerprints of a holding."""
    return tuple(sorted(key.material or _NOTHING for key in held))


def _proofs(held: _Holding) -> _Prints:
    """The proofs of a holding."""
    return tuple(
        sorted(
            (key.proof.how, key.proof.value) if key.proof and key.proof.kind is ProofKind.DIGEST else _NOTHING
            for key in held
        )
    )


_NOTHING = ("", b"")


def _attributes(held: _Holding) -> tuple[tuple[str, ...], ...]:
    """The true attributes of a holding."""
    return tuple(sorted(tuple(sorted(key.attributes)) for key in held))


def _worth(held: _Holding, *, material: bool, proof: bool) -> Cell:
    """How much a holding that agrees is known to agree: as much as its weakest key, by the witnesses that count."""
    return max((_key_worth(key, material=material, proof=proof) for key in held), key=lambda cell: -_RANK[cell])


def _key_worth(key: Key, *, material: bool, proof: bool) -> Cell:
    """PROVED for an answer or for bytes that are the object itself, REPORTED for what an HSM's attributes say."""
    if proof and key.proof and key.proof.kind is ProofKind.DIGEST:
        return Cell.PROVED
    if not material or key.material is None:
        return Cell.UNPROVEN
    return Cell.PROVED if key.material.kind is MaterialKind.PUBLIC else Cell.REPORTED


def _reasons(holdings: Sequence[_Holding]) -> tuple[str, ...]:
    """Why an identity is not proved, where its keys were asked to prove themselves."""
    proofs = [key.proof for held in holdings for key in held if key.proof]
    told = dict.fromkeys(proof.reason for proof in proofs if proof.reason)
    answered = any(proof.kind is ProofKind.DIGEST for proof in proofs)
    return tuple(told) or (("its replicas proved it in different ways",) if answered else ())


def _judged_rank(cell: Cell) -> int:
    """A cell's place for judging a row: what could not be read neither helps nor harms it."""
    return len(_RANK) if cell is Cell.UNREADABLE else _RANK[cell]


def _order(row: Row) -> tuple[int, bytes, str, bytes]:
    """Worst first, then by label, class and id."""
    identity = row.identity
    return _RANK[row.worst], identity.label, identity.object_class, identity.key_id


def _scope(readings: Sequence[Reading]) -> Scope:
    """What the readable replicas together showed."""
    read = [reading.outcome.value for reading in readings if isinstance(reading.outcome, Ok)]
    totals = [inventory.total for inventory in read]
    return Scope(
        users=tuple(sorted({inventory.user for inventory in read})),
        visible=max((len(inventory.keys) for inventory in read), default=0),
        total=None if None in totals else max((total for total in totals if total is not None), default=None),
        full=bool(read) and all(inventory.total == len(inventory.keys) for inventory in read),
    )


def _verdict(rows: Sequence[Row], readings: Sequence[Reading], *, sure: bool) -> Verdict:
    """The one word, by the table of the design: what is known to be wrong beats what is not known."""
    worst = {row.worst for row in rows}
    unreadable = sum(isinstance(reading.outcome, Failed) for reading in readings)
    if worst & {Cell.MISSING, Cell.DIFFERENT}:
        return Verdict.NOT_IN_SYNC
    if Cell.ATTRIBUTES in worst:
        return Verdict.ATTRIBUTES_DIFFER
    if unreadable == len(readings):
        return Verdict.UNKNOWN
    if unreadable:
        return Verdict.INCOMPLETE
    return Verdict.IN_SYNC if sure and len(readings) > 1 else Verdict.NO_DIFFERENCE_SEEN


def _refused(reading: Reading) -> bool:
    """Whether the replica was there and said no."""
    return isinstance(reading.outcome, Failed) and isinstance(reading.outcome.error, Denied)
