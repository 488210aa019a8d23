"""What the user configured, as frozen values: a context is everything that is true of one environment.

How they are found and read is the business of `settings_loader`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from hsmctl.errors import Denied

if TYPE_CHECKING:
    from hsmctl.secret import Source
    from hsmctl.settings_entry import ClientEntry, TokenEntry


class ContextKind(StrEnum):
    """What a context points at."""

    AWS = "aws"
    LAB = "lab"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything that is true of one environment (architecture, section 8)."""

    name: str = ""
    kind: ContextKind = ContextKind.AWS
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    account_id: str | None = None
    access_key_id: str | None = None
    """The lab's own access key; real credentials come from AWS's own chain."""
    secret_access_key: Source | None = None
    clusters: tuple[str, ...] = ()
    user: str = ""
    """The crypto user that checks and works with keys."""
    password: Source | None = None
    customer_ca: Path | None = None
    hardware_roots: tuple[Path, ...] = ()
    """The AWS root and the manufacturer root that hardware certificates chain to, PEM."""
    subnets: Mapping[str, str] = field(default_factory=dict)
    tokens: tuple[TokenEntry, ...] = ()
    clients: tuple[ClientEntry, ...] = ()
    ssh_config: Path | None = None
    """Read instead of the user's and the system's SSH configuration."""
    deep_allow: tuple[str, ...] = ()
    """Labels, with `*` and `?`, of keys that a deep check may use; the lab allows all."""
    canary: bool = False
    """Whether `sync canary` may make and destroy keys of its own here."""
    protect: bool = False
    read_only: bool = False
    price_per_hour: Decimal | None = None
    """USD per HSM and hour, as the account pays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ui:
    """How the terminal UI looks and what its keys are, whatever the context."""

    theme: str = ""
    """The theme it opens with; without one the last one that was chosen."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """By the name of a command, the keys that run it, comma-separated, instead of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run's settings."""

    context: Context
    state_folder: Path
    lab_home: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What was typed before everything else is looked at; None is what was not typed."""

    context: str | None = None
    lab: bool = False
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None


def check_may_write(context: Context, break_glass: str = "") -> None:
    """Refuse a change that the context forbids; `break_glass` is the reason that overrides protection.

    Raises:
        Denied: no context is chosen, or it is read-only, or protected.
    """
    name = f"context {context.name}"
    if not context.name:
        raise Denied("no context", "without one hsmctl only reads", "choose one with --context NAME or --lab")
    if context.read_only:
        raise Denied(name, "it is read-only", "use a context that may write")
    if context.protect and not break_glass:
        raise Denied(name, "it is protected", "--break-glass REASON, if this cannot wait")
