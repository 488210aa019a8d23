"""An intended change as data: what would be called, on what, what must hold first, what cannot be undone.

A plan only describes. `--dry-run` prints it, the confirmation shows it, the journal records it and the operation
service applies it: four readers of one value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from hsmctl.domain.cluster import ClusterState
from hsmctl.domain.evidence import Grade

CONFIRMATION_LIFE = timedelta(minutes=15)
"""How long after it was shown a plan may still be started."""


class Effect(StrEnum):
    """What a step does to the estate."""

    WAIT = "wait"
    CHANGE = "change"
    DESTROY = "destroy"
    """Cannot be undone; it resumes only after a new confirmation."""


class Action(StrEnum):
    """Everything a step can be; the operation service knows how to run each."""

    CREATE_CLUSTER = "create-cluster"
    WAIT_CLUSTER = "wait-cluster"
    CREATE_HSM = "create-hsm"
    WAIT_HSM = "wait-hsm"
    WAIT_CSR = "wait-csr"
    VERIFY_IDENTITY = "verify-identity"
    SIGN_CSR = "sign-csr"
    INITIALIZE = "initialize-cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """Something that must hold, whether it does, and how that is known."""

    what: str
    holds: bool
    grade: Grade = Grade.REPORTED
    why: str = ""
    """What was seen, or what stands against it."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A change: ordered steps and what must hold before the first."""

    title: str
    region: str
    account: str
    made_at: datetime
    cluster_id: str | None
    """The cluster that is changed, or None while the plan is what creates it."""
    steps: tuple[Step, ...]
    preconditions: tuple[Precondition, ...] = ()

    @property
    def destructive(self) -> bool:
        """Whether any step cannot be undone."""
        return any(step.effect is Effect.DESTROY for step in self.steps)

    @property
    def permissions(self) -> tuple[str, ...]:
        """Every IAM action the plan calls, sorted."""
        return tuple(sorted({action for step in self.steps for action in step.permissions}))
