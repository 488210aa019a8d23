"""Clusters, HSMs and backups as the control plane describes them, and what may be done in which state.

Shapes follow the cloudhsmv2 service model (API 2017-04-28); legal states follow the user guide's life cycle. Words this
version does not know are kept as they are: a newer service must never break a listing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from hsmctl.errors import Conflict


class OpenEnum(StrEnum):
    """An enumeration that keeps words it does not know instead of refusing them."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = "UNKNOWN"
        member._value_ = value
        return member


class ClusterState(OpenEnum):
    """CloudHSMv2 `ClusterState`, in lower case."""

    CREATE_IN_PROGRESS = "create_in_progress"
    UNINITIALIZED = "uninitialized"
    INITIALIZE_IN_PROGRESS = "initialize_in_progress"
    INITIALIZED = "initialized"
    ACTIVE = "active"
    UPDATE_IN_PROGRESS = "update_in_progress"
    MODIFY_IN_PROGRESS = "modify_in_progress"
    ROLLBACK_IN_PROGRESS = "rollback_in_progress"
    DELETE_IN_PROGRESS = "delete_in_progress"
    DELETED = "deleted"
    DEGRADED = "degraded"


class HsmState(OpenEnum):
    """CloudHSMv2 `HsmState`, in lower case."""

    CREATE_IN_PROGRESS = "create_in_progress"
    ACTIVE = "active"
    DEGRADED = "degraded"
    DELETE_IN_PROGRESS = "delete_in_progress"
    DELETED = "deleted"


class BackupState(OpenEnum):
    """CloudHSMv2 `BackupState`, in lower case."""

    CREATE_IN_PROGRESS = "create_in_progress"
    READY = "ready"
    DELETED = "deleted"
    PENDING_DELETION = "pending_deletion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hsm:
    """One HSM of a cluster; only its id is certain (the service model requires nothing else)."""

    hsm_id: str
    state: HsmState
    zone: str = ""
    subnet_id: str = ""
    eni_id: str = ""
    address: str | None = None
    address6: str | None = None
    hsm_type: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """The five PEM documents of a cluster; each is absent until its time comes."""

    csr: str | None = None
    hsm: str | None = None
    aws_hardware: str | None = None
    manufacturer_hardware: str | None = None
    cluster: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster as DescribeClusters shows it."""

    cluster_id: str
    state: ClusterState
    region: str
    message: str = ""
    hsm_type: str = ""
    mode: str = ""
    network_type: str = ""
    vpc_id: str = ""
    security_group: str = ""
    subnets: Mapping[str, str] = field(default_factory=dict)
    """Availability Zone name to subnet id."""
    hsms: tuple[Hsm, ...] = ()
    created: datetime | None = None
    backup_retention_days: int | None = None
    source_backup_id: str | None = None
    certificates: Certificates = Certificates()
    tags: Mapping[str, str] = field(default_factory=dict)
    rollback_until: datetime | None = None
    """Until when a change of the HSM type can be taken back."""

    @property
    def name(self) -> str:
        """What people call it: its tag Name, which AWS does not keep unique; empty without one."""
        return self.tags.get("Name", "")

    @property
    def active_hsms(self) -> tuple[Hsm, ...]:
        """The HSMs in state ACTIVE."""
        return tuple(hsm for hsm in self.hsms if hsm.state is HsmState.ACTIVE)

    def hsms_by_zone(self) -> dict[str, tuple[Hsm, ...]]:
        """Every zone of the cluster with its HSMs, empty zones too, zones sorted."""
        zones = sorted(set(self.subnets) | {hsm.zone for hsm in self.hsms})
        return {zone: tuple(hsm for hsm in self.hsms if hsm.zone == zone) for zone in zones}


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup as DescribeBackups shows it."""

    backup_id: str
    state: BackupState
    cluster_id: str = ""
    created: datetime | None = None
    never_expires: bool = False
    hsm_type: str = ""
    mode: str = ""
    arn: str = ""
    copied: datetime | None = None
    deleted: datetime | None = None
    """When a deleted backup is gone for good."""
    source_region: str = ""
    source_backup: str = ""
    source_cluster: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def check_may_create_hsm(cluster: Cluster, zone: str) -> None:
    """Refuse an HSM that CloudHSM would refuse.

    Raises:
        Conflict: the cluster's state, zone or activation forbids it (user guide, create-hsm; the second HSM is refused
            before activation).
    """
    first = not cluster.hsms and cluster.state is ClusterState.UNINITIALIZED
    if not first and cluster.state is not ClusterState.ACTIVE:
        raise Conflict(
            f"{cluster.cluster_id} is {cluster.state}",
            "an HSM is added to an UNINITIALIZED cluster (the first) or to an ACTIVE one",
            f"hsmctl cluster show {cluster.cluster_id}",
        )
    if zone not in cluster.subnets:
        raise Conflict(
            f"{cluster.cluster_id} has no subnet in {zone}",
            f"its zones are {', '.join(sorted(cluster.subnets))}",
            "name one of these zones",
        )


def check_may_initialize(cluster: Cluster) -> None:
    """Refuse an initialization that CloudHSM would refuse.

    Raises:
        Conflict: the cluster is not UNINITIALIZED, or its first HSM has made no CSR yet (user guide,
            initialize-cluster).
    """
    if cluster.state is not ClusterState.UNINITIALIZED:
        raise Conflict(
            f"{cluster.cluster_id} is {cluster.state}",
            "only an UNINITIALIZED cluster can be initialized",
            f"hsmctl cluster show {cluster.cluster_id}",
        )
    if not cluster.certificates.csr:
        raise Conflict(
            f"{cluster.cluster_id} has no certificate signing request yet",
            "the request appears when the first HSM is ACTIVE",
            f"hsmctl hsm list {cluster.cluster_id}",
        )


def is_id(text: str) -> bool:
    """Whether this is written as the id of a cluster, and not as a name."""
    return text.startswith("cluster-")


def called(text: str, clusters: Sequence[Cluster]) -> Cluster:
    """The one cluster of this id or name.

    Raises:
        Conflict: none is called so, or more than one.
    """
    found = [cluster for cluster in clusters if text in (cluster.cluster_id, cluster.name)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(cluster.cluster_id for cluster in found)
        raise Conflict(f"{len(found)} clusters are called {text}", ids, "name one by its id")
    known = ", ".join(f"{each.cluster_id} ({each.name})" if each.name else each.cluster_id for each in clusters)
    raise Conflict(f"no cluster {text}", f"there are {known}" if known else "there is none", "hsmctl cluster list")


def legal_now(cluster: Cluster) -> str:
    """What a cluster can be asked for in its state, as a command (user guide, life cycle)."""
    name = cluster.cluster_id
    match cluster.state:
        case ClusterState.UNINITIALIZED if not cluster.hsms:
            return f"hsmctl hsm add {name}"
        case ClusterState.UNINITIALIZED:
            return f"hsmctl cluster init {name}"
        case ClusterState.INITIALIZED:
            return f"hsmctl cluster activate {name}"
        case ClusterState.ACTIVE:
            return f"hsmctl hsm list {name}; an ACTIVE cluster takes HSMs, gives them back and is modified"
        case ClusterState.DELETED | ClusterState.DELETE_IN_PROGRESS:
            return "hsmctl cluster list"
        case ClusterState.DEGRADED:
            return f"hsmctl cluster show {name}, then ask AWS Support"
        case _:
            return f"hsmctl cluster wait {name}, for nothing is legal before it is done"
