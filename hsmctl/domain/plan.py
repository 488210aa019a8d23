"""An intended change as data: what would be called, on what, what must hold first, what cannot be undone.

A plan only describes. `--dry-run` prints it, the confirmation shows it, the journal records it and the operation
service applies it: four readers of one value.

A noun that changes things adds its members to `Action`, builds a `Plan` with its own name as `noun`, and hands a
`services.operation.Playbook` (how each action is run, how each precondition is read) to `Operations.apply`; one line
in `bootstrap.Hsmctl.playbook` lets `operation resume` find that playbook again. Everything a step needs travels in
`inputs` as text, never a secret: the journal keeps the plan whole, and another process goes on with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from hsmctl.domain.cluster import ClusterState, OpenEnum
from hsmctl.domain.evidence import Grade

CONFIRMATION_LIFE = timedelta(minutes=15)
"""How long after it was shown a plan may still be started."""

CONFIRMED_BY = 6
"""How many characters of the cluster's id somebody types to confirm what cannot be undone."""


class Effect(StrEnum):
    """What a step does to the estate."""

    WAIT = "wait"
    """Looks, waits or works on this machine; it may be repeated."""
    CHANGE = "change"
    DESTROY = "destroy"
    """Cannot be undone; it resumes only after a new confirmation."""


class Action(OpenEnum):
    """Everything a step can be; each noun's playbook knows how to run its own.

    A word of another version is kept, so that its operations can be listed; none of them is resumed here.
    """

    CREATE_CLUSTER = "create-cluster"
    WAIT_CLUSTER = "wait-cluster"
    CREATE_HSM = "create-hsm"
    WAIT_HSM = "wait-hsm"
    DELETE_HSM = "delete-hsm"
    WAIT_GONE = "wait-gone"
    WAIT_COUNTS = "wait-counts"
    WAIT_BACKUP = "wait-backup"
    DELETE_CLUSTER = "delete-cluster"
    MODIFY_CLUSTER = "modify-cluster"
    WAIT_DELETED = "wait-deleted"
    TAG = "tag"
    UNTAG = "untag"
    WRITE_SECRET = "write-secret"  # noqa: S105 - a step's name
    ACTIVATE = "activate"
    PROVE_LOGIN = "prove-login"
    CREATE_ADMIN = "create-admin"
    COPY_BACKUP = "copy-backup"
    WAIT_COPY = "wait-copy"
    DELETE_BACKUP = "delete-backup"
    RESTORE_BACKUP = "restore-backup"
    RETAIN_BACKUP = "retain-backup"
    SHARE_BACKUP = "share-backup"
    WAIT_CSR = "wait-csr"
    VERIFY_IDENTITY = "verify-identity"
    SIGN_CSR = "sign-csr"
    INITIALIZE = "initialize-cluster"
    CREATE_USER = "create-user"
    DELETE_USER = "delete-user"
    CHANGE_PASSWORD = "change-password"  # noqa: S105 - an action, not a password
    ENROL_MFA = "enrol-mfa"
    REMOVE_MFA = "remove-mfa"
    CHECK_USER = "check-user"
    REGISTER_APPROVER = "register-approver"
    SET_QUORUM = "set-quorum-value"
    DELETE_TOKENS = "delete-quorum-tokens"
    REGISTER_ANCHOR = "register-trust-anchor"
    DEREGISTER_ANCHOR = "deregister-trust-anchor"
    CHECK_ANCHOR = "check-trust-anchor"
    SET_ENFORCEMENT = "set-mtls-enforcement"
    CONFIGURE_CLIENT = "configure-client"
    INSTALL_CA = "install-customer-ca"
    CLOSE_FILE = "close-client-file"
    CHECK_CLIENT = "check-client"
    MAKE_KEY = "make-key"
    DELETE_KEY = "delete-key"
    CHANGE_KEY = "change-key"
    COPY_KEY = "copy-key"
    WAIT_KEYS = "wait-keys"
    HOLD = "hold-cluster"
    SET_ATTRIBUTE = "set-key-attribute"
    SHARE_KEY = "share-key"
    CHECK_KEY = "check-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """Something that must hold, whether it does, and how that is known."""

    what: str
    holds: bool
    unknown: bool = False
    """It does not hold because nobody could look, and not because of what was seen."""
    grade: Grade = Grade.REPORTED
    why: str = ""
    """What was seen, or what stands against it."""
    way_out: str = ""
    """What to do where it does not hold."""
    key: str = ""
    """The name of the reader that looks again; without one it was true of the moment of planning only."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """What that reader needs to know."""
    waiver: str = ""
    """The option by which somebody may go on although it does not hold, such as --allow-outage; empty: nobody may."""
    waived: str = ""
    """The reason why the operator goes on although it does not hold."""

    @property
    def met(self) -> bool:
        """Whether it stands in nobody's way."""
        return self.holds or bool(self.waived)

    def waived_by(self, reason: str) -> Precondition:
        """The same, which need not hold if there is a reason; not where it holds, or where nothing may waive it."""
        return self if self.holds or not self.waiver else replace(self, waived=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do."""

    action: Action
    says: str
    effect: Effect = Effect.CHANGE
    inputs: Mapping[str, str] = field(default_factory=dict)
    """What the step needs to know beforehand; what earlier steps find comes on top."""
    states: frozenset[ClusterState] = frozenset()
    """The cluster states the step may start in; empty where there is no cluster yet."""
    permissions: tuple[str, ...] = ()
    """The IAM actions it calls."""
    usual: timedelta | None = None
    """How long it takes as a rule."""
    preconditions: tuple[Precondition, ...] = ()
    """What must hold when this very step begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A change: ordered steps and what must hold before each of them that changes anything."""

    title: str
    region: str
    account: str
    made_at: datetime
    cluster_id: str | None
    """The cluster that is changed, or None while the plan is what creates it."""
    steps: tuple[Step, ...]
    preconditions: tuple[Precondition, ...] = ()
    noun: str = "cluster"
    """Whose playbook runs it."""
    subject: str = ""
    """What is changed where it is no cluster, such as a host or a token."""
    warnings: tuple[str, ...] = ()
    """What an operator should know before starting."""
    cost: str = ""
    """What it changes in USD per hour, where the price is known."""

    @property
    def target(self) -> str:
        """What one writer at a time may change, in a file name's words."""
        return self.cluster_id or self.subject or f"create-{self.region}"

    @property
    def destructive(self) -> bool:
        """Whether any step cannot be undone."""
        return any(step.effect is Effect.DESTROY for step in self.steps)

    @property
    def unmet(self) -> tuple[Precondition, ...]:
        """What stands in its way, as it was seen when the plan was made."""
        own = (each for step in self.steps for each in step.preconditions)
        return tuple(each for each in (*self.preconditions, *own) if not each.met)

    def waiving(self, reasons: Mapping[str, str]) -> Plan:
        """The plan with what does not hold waived for these reasons, each by the option it is given with."""

        def waived(all_of: tuple[Precondition, ...]) -> tuple[Precondition, ...]:
            return tuple(each.waived_by(reasons.get(each.waiver, each.waived)) for each in all_of)

        steps = tuple(replace(step, preconditions=waived(step.preconditions)) for step in self.steps)
        return replace(self, preconditions=waived(self.preconditions), steps=steps)

    @property
    def confirmation(self) -> str:
        """What is typed to confirm it: the end of what it changes."""
        return self.target[-CONFIRMED_BY:]

    @property
    def permissions(self) -> tuple[str, ...]:
        """Every IAM action the plan calls, sorted."""
        return tuple(sorted({action for step in self.steps for action in step.permissions}))


def plan_of(record: Mapping[str, Any]) -> Plan:
    """The plan that the journal kept.

    Raises:
        KeyError, ValueError: it is no plan of this format.
    """
    kept = {name: record[name] for name in ("title", "region", "account", "cluster_id")}
    # These came later than the first plans that journals hold.
    later = {name: record[name] for name in ("noun", "subject", "cost") if name in record}
    return Plan(
        **kept,
        **later,
        made_at=datetime.fromisoformat(record["made_at"]),
        steps=tuple(map(_step_of, record["steps"])),
        preconditions=tuple(map(_precondition_of, record["preconditions"])),
        warnings=tuple(record.get("warnings", ())),
    )


def _step_of(record: Mapping[str, Any]) -> Step:
    usual = record["usual"]
    return Step(
        action=Action(record["action"]),
        says=record["says"],
        effect=Effect(record["effect"]),
        inputs=record["inputs"],
        states=frozenset(map(ClusterState, record["states"])),
        permissions=tuple(record["permissions"]),
        usual=None if usual is None else timedelta(seconds=usual),
        preconditions=tuple(map(_precondition_of, record.get("preconditions", ()))),
    )


def _precondition_of(record: Mapping[str, Any]) -> Precondition:
    return Precondition(**{**record, "grade": Grade(record["grade"])})
