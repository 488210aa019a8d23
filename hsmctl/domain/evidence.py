"""How we know a thing, and what one target of many answered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from hsmctl.errors import HsmctlError

T = TypeVar("T")


class Grade(StrEnum):
    """How a statement is known, best first."""

    PROVED = "proved"
    """Computed on that very replica: a challenge it answered, or public bytes it handed over."""
    REPORTED = "reported"
    """Somebody's word: the service's coverage, or the attributes an HSM lists."""
    INFERRED = "inferred"
    """Concluded from counts or streams."""


@dataclass(frozen=True, slots=True)
class Ok(Generic[T]):
    """A target's answer."""

    value: T


@dataclass(frozen=True, slots=True)
class Failed:
    """A target that did not answer, and the error that says why."""

    error: HsmctlError


Outcome = Ok[T] | Failed
"""What one target of a fan-out came back with; a failed one never hides the others."""
