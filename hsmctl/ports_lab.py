"""The lab's supervisor as hsmctl sees it: what it is asked, and what it answers; part of `hsmctl.ports`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

LAB_NETWORKS = ("same-vpc", "peering", "tgw", "vpn", "dx")
"""The ways the lab's client host can be connected to the HSMs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabOptions:
    """The lab that is wanted."""

    hsms: int = 3
    zones: int = 3
    hsm_type: str = "hsm2m.medium"
    delay: float = 0.0
    """Seconds each state transition of the emulated service takes."""
    seed_keys: int = 200
    network: str = LAB_NETWORKS[0]
    """How the client host is connected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabNode:
    """One emulated HSM."""

    hsm_id: str
    cluster_id: str
    zone: str
    address: str
    state: str
    """running, unresponsive, building, dead, stopped."""
    pid: int | None
    pss_kib: int | None = None
    """Proportional set size of its process."""
    quarantined: int = 0
    """Objects a killed process left unfinished, put aside when the HSM started."""
    waiting: int = 0
    """Changes of its siblings that have not reached it."""
    faults: tuple[str, ...] = ()
    """The names of the faults it suffers from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabClientHost:
    """The lab's client host, reached over SSH."""

    name: str
    state: str
    """running, dead, stopped, or missing where this machine has no sshd."""
    address: str
    port: int
    ssh_config: str
    """The file by which `ssh -F` reaches it under its name."""
    cli: str
    """Its cloudhsm-cli, which runs on this machine too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStatus:
    """A lab as its supervisor, or its folder, describes it."""

    running: bool
    healthy: bool
    folder: str
    endpoint_url: str | None
    env: Mapping[str, str]
    """The variables that make any AWS client talk to the lab."""
    clusters: tuple[str, ...]
    nodes: tuple[LabNode, ...]
    options: LabOptions | None
    pid: int | None = None
    subnets: Mapping[str, str] | None = None
    """Zone to subnet id, for CreateCluster."""
    client_host: LabClientHost | None = None
    """The machine that clients of the lab's HSMs run on; None before there is a lab."""
    faults: tuple[LabFault, ...] = ()
    """Those in force, oldest first."""


class LabControl(Protocol):
    """The lab's supervisor: a separate program, reached through its own commands."""

    def start(self, options: LabOptions) -> LabStatus:
        """The running lab, started or repaired; its clusters are made through the AWS port like anywhere else.

        Raises:
            Conflict: a lab with other options exists in this folder.
        """
        ...

    def activate(self, cluster_id: str) -> None:
        """Do what `cloudhsm-cli cluster activate` does, and make the lab's crypto user."""
        ...

    def equip(self, cluster_id: str) -> None:
        """Configure the client host's CloudHSM client for a cluster, if nobody has configured it."""
        ...

    def status(self) -> LabStatus:
        """The lab as it is; only reports."""
        ...

    def stop(self) -> None:
        """End every process of the lab and keep its state."""
        ...

    def reset(self) -> None:
        """Stop the lab and remove its folder."""
        ...

    def logs(self) -> Iterator[str]:
        """The lab's log, line by line."""
        ...

    def clone_for(self, name: str, folder: str | None) -> LabClone:
        """A clone of an HSM for an outside program, made if there is none of this name; replication keeps it in step.

        Raises:
            Conflict: the lab is down, or something else is in the folder.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LabClone:
    """An outside program's own copy of the crypto user's keys."""

    name: str
    """Also its token's label."""
    folder: str
    env: Mapping[str, str]
    """What leads a program to it: SOFTHSM2_CONF, and where module, token and PIN are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFaultKind:
    """One kind of fault the lab can have."""

    name: str
    family: str
    takes: tuple[str, ...]
    """What it is about: hsm, key, user, region, seconds."""
    lasts: bool
    """Whether there is anything to clear."""
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFault:
    """One fault; without an id it is a wish."""

    name: str
    hsm: str | None = None
    key: str | None = None
    user: str | None = None
    region: str | None = None
    seconds: float | None = None
    fault_id: str = ""
    since: float | None = None
    """Seconds since the epoch."""
    heals: float | None = None
    """When it clears by itself."""


class LabFaults(Protocol):
    """The bad days of a lab, on command; they last until they are cleared, also over restarts."""

    def kinds(self) -> tuple[LabFaultKind, ...]:
        """Every kind there is."""
        ...

    def faults(self) -> tuple[LabFault, ...]:
        """The faults in force, oldest first."""
        ...

    def inject(self, fault: LabFault, heal: float | None) -> LabFault:
        """The fault as it is in force now, for `heal` seconds if that is given.

        Raises:
            UsageError: there is no such fault, or it takes something else.
            Conflict: it makes no sense as things are.
        """
        ...

    def clear(self, fault_id: str | None) -> tuple[LabFault, ...]:
        """The faults that were cleared: the one of this id, or all.

        Raises:
            Conflict: there is none of this id.
        """
        ...

    def scenarios(self) -> Mapping[str, str]:
        """The scripts that come with the lab, by name: TOML, for `services.scenario`."""
        ...
