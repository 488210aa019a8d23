"""What happens while a plan is applied, as frozen values that the CLI prints, the UI draws and the journal keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from hsmctl.domain.plan import Plan, Step


@dataclass(frozen=True, slots=True)
class Started:
    """An operation began; its id finds it again."""

    operation_id: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step's preconditions held and it began; `number` counts from 1."""

    number: int
    step: Step


@dataclass(frozen=True, slots=True)
class Progress:
    """Word of a step that takes its time."""

    number: int
    text: str
    elapsed: timedelta
    usual: timedelta | None = None


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step ended well; `found` is what later steps and readers need to know, such as new ids."""

    number: int
    found: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """Every step is done; `found` is all they found."""

    operation_id: str
    found: Mapping[str, str] = field(default_factory=dict)


Event = Started | StepStarted | Progress | StepDone | Finished
