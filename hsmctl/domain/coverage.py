"""What a cluster's own evidence says about keys, users and policies: who reported it, on how much, and the verdict.

A CloudHSM cluster is one replica to its clients, so nothing here names an HSM that lacks something: the service says
`full` or `inconsistent` over the HSMs a client host is connected to, AWS counts objects per HSM. What was not seen is
said, and never counts as agreeing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hsmctl.domain.audit_trace import Missed
from hsmctl.domain.evidence import Grade
from hsmctl.domain.mtls import Anchor
from hsmctl.domain.quorum import QuorumToken, Values
from hsmctl.domain.user import UNKNOWN, HsmUser

KEY_METRIC = "HsmKeysTokenOccupied"
USER_METRIC = "HsmUsersAvailable"
_COUNTED = {KEY_METRIC: "token keys by count", USER_METRIC: "places for users by count"}
"""Of users CloudWatch tells how many more an HSM takes."""
"""CloudWatch's per-HSM metrics (user guide, hsm-metrics-cw)."""

SESSION = "session"
"""The coverage of a session key, which lives on one HSM by design."""


class Source(StrEnum):
    """The levels of evidence, each with what it asks (architecture, section 6)."""

    CONTROL = "control"
    HOST = "host"
    LOGIN = "login"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedKey:
    """One key of `key list --verbose`."""

    reference: str
    label: str = ""
    key_type: str = ""
    object_class: str = ""
    check_value: str = ""
    coverage: str = UNKNOWN
    owners: Mapping[str, str] = field(default_factory=dict)
    """Coverage by owner."""
    shared: Mapping[str, str] = field(default_factory=dict)
    """Coverage by user it is shared with."""
    differing: tuple[str, ...] = ()
    """Attributes that HSMs disagree about."""
    attributes: Mapping[str, object] = field(default_factory=dict)
    """Every attribute by cloudhsm-cli's name, as it stands: true, a number, text, `0x…`, or `inconsistent`."""
    manage_quorum: int | None = 0
    """Approvals that a change needs; None where HSMs disagree or it is no number."""
    use_quorum: int | None = None
    """Approvals that a use needs; None where HSMs disagree, it is no number, or this cloudhsm-cli tells none."""
    token: bool = True
    more: Mapping[str, object] = field(default_factory=dict)


MENDABLE: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "derive", "destroyable"), ("true", "false")
    ),
    **dict.fromkeys(("extractable", "modifiable"), ("false",)),
    "wrap-with-trusted": ("true",),
}
"""The attributes that `key set-attribute` sets anew where HSMs disagree, with the values that every HSM can still take:
some go one way only (user guide, cloudhsm_cli-key-attributes-table)."""


class Kind(StrEnum):
    """What a finding is about."""

    CONNECTION = "connection"
    USER = "user"
    KEY = "key"
    QUORUM = "quorum"
    ANCHOR = "trust anchor"
    COUNT = "count"
    AUDIT = "audit log"


class Severity(StrEnum):
    """How bad a finding is, worst first."""

    DRIFT = "drift"
    ATTRIBUTES = "attributes"
    UNSEEN = "unseen"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageFinding:
    """One thing that is not as it should be, or could not be seen."""

    kind: Kind
    name: str
    says: str
    severity: Severity
    source: Source
    grade: Grade = Grade.REPORTED
    repair: str = ""
    """The command that mends it, where there is one."""

    @property
    def sentence(self) -> str:
        """What it is about and what is the matter; what CloudWatch counts by what that is, not by its metric."""
        return f"{_COUNTED.get(self.name) or f'{self.kind} {self.name}'}: {self.says}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that was found out about one cluster; None is what was not asked or not answered."""

    cluster_id: str
    active: tuple[str, ...]
    """The ids of the ACTIVE HSMs."""
    moving: tuple[str, ...] = ()
    """HSMs that are joining or leaving."""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """CloudWatch's last numbers by metric and HSM."""
    lasting: frozenset[str] = frozenset()
    """The metrics by which two HSMs never had a number in common, for as long as was looked back."""
    host: str = ""
    connected: int | None = None
    users: tuple[HsmUser, ...] | None = None
    anchors: tuple[Anchor, ...] | None = None
    values: Values | None = None
    tokens: Sequence[QuorumToken] = ()
    as_user: str = ""
    enforcement: str = ""
    """none or cluster, or what else is said; empty where nobody logged in."""
    keys: tuple[ReportedKey, ...] | None = None
    total: int | None = None
    """Keys the user may see, by the service's word."""
    failures: Mapping[Source, str] = field(default_factory=dict)
    """Why a level told nothing."""
    missed: tuple[Missed, ...] = ()
    """What HSMs have not heard of, by their audit logs; read only where users or quorum values differ."""
