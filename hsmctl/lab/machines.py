"""The seam between the emulated service and the processes that are its HSMs.

The service decides what should exist and in which state; the machines make it so. Nothing here blocks for long:
building and removing an HSM goes on in the background and `state` tells how far it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class MachineState(StrEnum):
    """How far an HSM's process is."""

    BUILDING = "building"
    RUNNING = "running"
    UNRESPONSIVE = "unresponsive"
    """It runs and does not answer: stopped by a signal, or hanging."""
    DEAD = "dead"
    STOPPED = "stopped"
    """The whole lab is down."""
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an HSM stands."""

    cluster_id: str
    hsm_id: str
    zone: str
    address: str
    hsm_type: str = "hsm2m.medium"
    """Decides how much it holds."""
    mode: str = "FIPS"
    """FIPS or NON_FIPS, as its cluster."""


class Machines(Protocol):
    """The HSM processes of one lab."""

    def free_address(self, zone: str, wanted: str | None = None) -> str | None:
        """An address of the zone's subnet nobody uses (the wanted one or none), or None."""
        ...

    def build(self, place: Place, clone_of: str | None) -> None:
        """Start the HSM's process, empty or as a clone of another HSM or a backup; returns before it is up."""
        ...

    def back_up(self, hsm_id: str, backup_id: str) -> bool:
        """Keep what the HSM holds under the backup's id, for `build`; whether it could be read."""
        ...

    def state(self, hsm_id: str) -> MachineState:
        """How far the process is."""
        ...

    def certify(self, hsm_id: str, certificate: str, key: str) -> None:
        """Give the HSM the certificate and the private key (PEM) its inner TLS presents from now on."""
        ...

    def remove(self, hsm_id: str) -> None:
        """End the process and move its folder away; returns before it is gone."""
        ...
