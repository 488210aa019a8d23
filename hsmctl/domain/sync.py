"""Whether the replicas of a key set agree, key by key, and how that is known.

A *replica* is a place where an object should be and that can be asked by itself: a lab node, an on-premises HSM, any
PKCS#11 token, a cluster seen through its client library. `compare` takes one reading per replica and judges nothing it
did not see: an unreadable replica is never counted as agreeing, a key without a fingerprint is unproven, and
fingerprints of different kinds are never called different. What one key amounts to is `sync_row`'s business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import attrgetter

from hsmctl.domain.evidence import Failed, Ok, Outcome
from hsmctl.domain.key import Identity, Key
from hsmctl.domain.sync_rename import with_renamed
from hsmctl.domain.sync_row import ACCUSED as ACCUSED
from hsmctl.domain.sync_row import PROVENANCE, UNSETTLED, Holding, order, row
from hsmctl.domain.sync_row import Cell as Cell
from hsmctl.domain.sync_row import Row as Row
from hsmctl.errors import Denied, ExitCode


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
    hsm_type: str = ""
    """What kind of CloudHSM it is, `hsm2m.medium`, which limits what it holds; empty elsewhere."""

    def __str__(self) -> str:
        """Its name: what a message calls it."""
        return self.name

    def lasting(self, serial: str) -> str:
        """What the token is for good: its cluster, whose HSMs share what they hold, or its serial number.

        The name is only this context's; it is what is left to a token without a serial number.
        """
        return self.realm or (serial if serial.strip("0 ") else self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The objects one replica showed to one user."""

    keys: tuple[Key, ...]
    taken_at: datetime
    user: str
    total: int | None = None
    """Token objects on the replica whoever owns them, or None where it cannot say."""
    vendor: str = ""
    """Who made the token, as it says itself; vendors differ in what they tell."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of asking one replica."""

    replica: Replica
    outcome: Outcome[Inventory]


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
    uneven: bool = False
    """Whether the replicas hold different numbers of objects that were not shown: something differs out of sight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A comparison: the verdict, its scope and every row, worst first."""

    readings: tuple[Reading, ...]
    rows: tuple[Row, ...]
    verdict: Verdict
    scope: Scope
    proved: int
    unproven: int
    sessions: int = 0
    """Keys of sessions that were seen: each is on one HSM by design, and none is compared."""
    reads: int = 0
    """How often a replica was asked for this: each time one connection and one login at most."""
    uses: int = 0
    """How often a key was used for this, on whichever replica."""

    @property
    def exit_code(self) -> ExitCode:
        """The verdict as an exit code; DENIED where every replica refused us."""
        if self.verdict is Verdict.UNKNOWN and self.readings and all(map(_refused, self.readings)):
            return ExitCode.DENIED
        return _EXITS[self.verdict]

    @property
    def differences(self) -> tuple[Row, ...]:
        """The rows in which something is wrong."""
        return tuple(row for row in self.rows if row.worst in ACCUSED)

    @property
    def unsettled(self) -> tuple[Row, ...]:
        """The rows in which nothing is known to be wrong, and something is on its way."""
        return tuple(row for row in self.rows if row.worst in UNSETTLED)

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
        match self.verdict:
            case Verdict.NO_DIFFERENCE_SEEN if len(self.readings) == 1:
                return f"nothing to compare: one replica only (keys seen: {len(self.rows):,})"
            case Verdict.NO_DIFFERENCE_SEEN:
                seen = "no difference seen" if self.scope.full else "visible keys agree"
                return f"{seen} ({self.proved:,} proved, {self.unproven:,} unproven)"
            case Verdict.NOT_IN_SYNC | Verdict.ATTRIBUTES_DIFFER:
                count = len(self.differences)
                return f"{self.verdict}: {_keys(count)} {'differs' if count == 1 else 'differ'}"
            case Verdict.INCOMPLETE | Verdict.UNKNOWN if why := "; ".join(self._gaps()):
                return f"{self.verdict}: {why}"
        return str(self.verdict)

    def _gaps(self) -> list[str]:
        """What keeps the verdict from being more than it is."""
        joining = sum(bool(reading.replica.absent) for reading in self.unreadable)
        silent, of = len(self.unreadable) - joining, f"of {len(self.readings)} replicas"
        by_cell = Counter(row.worst for row in self.unsettled)
        found = {
            f"{silent} {of} not readable": silent,
            f"{joining} {of} not ready": joining,
            f"{_keys(by_cell[Cell.CHANGING])} changing": by_cell[Cell.CHANGING],
            f"{_keys(by_cell[Cell.HEALING])} healing": by_cell[Cell.HEALING],
            "visible keys agree, the numbers of others do not": self.scope.uneven,
        }
        return [words for words, holds in found.items() if holds]


def _keys(count: int) -> str:
    return f"{count:,} key{'' if count == 1 else 's'}"


def compare(readings: Sequence[Reading]) -> Report:
    """The report on these readings; linear in keys × replicas."""
    ignored = frozenset[str]() if _of_one_origin(readings) else PROVENANCE
    rows = [row(identity, holdings, ignored) for identity, holdings in _table(readings).items()]
    return judged(readings, with_renamed(rows))


def judged(readings: Sequence[Reading], rows: Sequence[Row]) -> Report:
    """The report on rows that are known already, in any order."""
    proved = sum(row.proved for row in rows)
    scope = _scope(readings)
    return Report(
        readings=tuple(readings),
        rows=tuple(sorted(rows, key=order)),
        verdict=_verdict(rows, readings, scope, sure=0 < proved == len(rows) and scope.full),
        scope=scope,
        proved=proved,
        unproven=len(rows) - proved,
        sessions=sum(map(_sessions, _inventories(readings))),
    )


def _table(readings: Sequence[Reading]) -> Mapping[Identity, list[Holding | None]]:
    """By identity what each replica holds; None where it could not be read."""
    nothing: list[Holding | None] = [None if isinstance(reading.outcome, Failed) else () for reading in readings]
    table: dict[Identity, list[Holding | None]] = {}
    for place, reading in enumerate(readings):
        for key in () if isinstance(reading.outcome, Failed) else reading.outcome.value.keys:
            if not key.session:
                holdings = table.get(key.identity)
                if holdings is None:
                    holdings = table[key.identity] = nothing.copy()
                held = holdings[place]
                holdings[place] = (*held, key) if held else (key,)
    return table


def _of_one_origin(readings: Sequence[Reading]) -> bool:
    """Whether all keys were made in one cluster, or on tokens of one make."""
    read = [
        (reading.replica.realm, reading.outcome.value.vendor) for reading in readings if isinstance(reading.outcome, Ok)
    ]
    return len({realm or vendor for realm, vendor in read}) <= 1


def _scope(readings: Sequence[Reading]) -> Scope:
    """What the readable replicas together showed."""
    read = _inventories(readings)
    shown = [len(inventory.keys) - _sessions(inventory) for inventory in read]
    totals = [inventory.total for inventory in read]
    hidden = {total - seen for total, seen in zip(totals, shown, strict=True) if total is not None}
    return Scope(
        users=tuple(sorted({inventory.user for inventory in read})),
        visible=max(shown, default=0),
        total=None if None in totals else max((total for total in totals if total is not None), default=None),
        full=bool(read) and totals == shown,
        uneven=len(hidden) > 1 and len({reading.replica.realm for reading in readings}) == 1,
    )


def _sessions(inventory: Inventory) -> int:
    """The keys of sessions in it."""
    return sum(map(attrgetter("session"), inventory.keys))


def _inventories(readings: Sequence[Reading]) -> list[Inventory]:
    """What the readable replicas showed."""
    return [reading.outcome.value for reading in readings if isinstance(reading.outcome, Ok)]


def _verdict(rows: Sequence[Row], readings: Sequence[Reading], scope: Scope, *, sure: bool) -> Verdict:
    """The one word, by the table of the design: what is known to be wrong beats what is not known."""
    worst = {row.worst for row in rows}
    unreadable = sum(isinstance(reading.outcome, Failed) for reading in readings)
    if worst & {Cell.MISSING, Cell.DIFFERENT}:
        return Verdict.NOT_IN_SYNC
    if Cell.ATTRIBUTES in worst:
        return Verdict.ATTRIBUTES_DIFFER
    if unreadable == len(readings):
        return Verdict.UNKNOWN
    if unreadable or scope.uneven or worst.intersection(UNSETTLED):
        return Verdict.INCOMPLETE
    return Verdict.IN_SYNC if sure and len(readings) > 1 else Verdict.NO_DIFFERENCE_SEEN


def _refused(reading: Reading) -> bool:
    """Whether the replica was there and said no."""
    return isinstance(reading.outcome, Failed) and isinstance(reading.outcome.error, Denied)
