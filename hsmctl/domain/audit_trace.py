"""Which HSM has missed a change, by the audit logs: one that was there and has no entry for what the others logged.

`cloudhsm-cli` says that HSMs disagree and never which; each HSM's audit stream names what reached that HSM. An entry
that is not there may also be lost or late, so this is inferred, and nothing is said of an HSM whose log has a gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hsmctl.domain.audit import OPCODES, SUCCESS, AuditEntry, gaps

WRITES = frozenset({"CN_CREATE_USER", "CN_CREATE_CO", "CN_DELETE_USER", "CN_CHANGE_PSWD", "CN_SET_M_VALUE"})
"""Opcodes of what cloudhsm-cli writes to each HSM in turn and the service never copies."""

TOGETHER = timedelta(seconds=30)
"""How far apart the HSMs may log one change: the client writes to one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A change that reached others and, by its log, not this HSM."""

    hsm_id: str
    at: datetime
    """When the others logged it."""
    what: str
    """The change, in words."""
    user: str
    """Whose it is about, where it is about one."""
    others: int
    """How many HSMs logged it."""


def missed(logs: Mapping[str, Sequence[AuditEntry]]) -> tuple[Missed, ...]:
    """What each HSM has missed, oldest first, by the logs of all HSMs over the same time."""
    whole = {hsm_id: entries for hsm_id, entries in logs.items() if entries and not any(gaps(entries))}
    return tuple(sorted(_missed(whole), key=lambda each: (each.at, each.hsm_id)))


def _missed(logs: Mapping[str, Sequence[AuditEntry]]) -> Iterator[Missed]:
    begun = {hsm_id: min(each.at for each in entries) for hsm_id, entries in logs.items()}
    told: set[tuple[str, str, str]] = set()
    for hsm_id, entries in logs.items():
        for entry in filter(_is_write, entries):
            have = {other for other, theirs in logs.items() if any(_same(entry, each) for each in theirs)}
            for other in logs.keys() - have:
                # Whoever logged nothing earlier may not have been there yet: it came with a copy of the users.
                if begun[other] < entry.at and (other, entry.opcode, entry.user) not in told and hsm_id == min(have):
                    told.add((other, entry.opcode, entry.user))
                    yield Missed(
                        hsm_id=other, at=entry.at, what=OPCODES[entry.opcode], user=entry.user, others=len(have)
                    )


def _is_write(entry: AuditEntry) -> bool:
    return entry.opcode in WRITES and entry.code == SUCCESS


def _same(one: AuditEntry, other: AuditEntry) -> bool:
    return (one.opcode, one.user, one.code) == (other.opcode, other.user, other.code) and abs(
        one.at - other.at
    ) <= TOGETHER
