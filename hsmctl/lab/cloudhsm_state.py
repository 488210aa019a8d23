"""What the emulated CloudHSMv2 service remembers: clusters, HSMs and backups of every region, in one file.

Knows the records and how they are kept: written whole whenever an operation changed them, so that a killed lab
continues where its last answer left it. Times are seconds since the epoch. Refuses to know what may become what.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hsmctl.domain.cluster import BackupState, Certificates, Cluster, ClusterState, Hsm, HsmState
from hsmctl.lab.folder import write_private

_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(slots=True, kw_only=True)
class HsmRecord:
    """One HSM; `since` is when its state began."""

    hsm_id: str
    hsm_type: str
    zone: str
    subnet_id: str
    eni_id: str
    address: str
    state: HsmState
    since: float
    message: str = ""
    replaces: str = ""
    """The HSM whose place it took, and everything that one had."""


@dataclass(slots=True, kw_only=True)
class ClusterRecord:
    """One cluster; `since` is when its state began."""

    cluster_id: str
    hsm_type: str
    mode: str
    vpc_id: str
    security_group: str
    subnets: dict[str, str]
    """Availability Zone name to subnet id."""
    retention_days: str
    created: float
    state: ClusterState
    since: float
    message: str = ""
    source_backup: str | None = None
    """The backup it was made from."""
    tags: dict[str, str] = field(default_factory=dict)
    certificates: dict[str, str] = field(default_factory=dict)
    """By the names they have in DescribeClusters."""
    hsm_key: str = ""
    """The first HSM's private key, until the HSM itself has it."""
    hsms: dict[str, HsmRecord] = field(default_factory=dict)

    @property
    def active_hsms(self) -> list[HsmRecord]:
        """The HSMs that are ACTIVE."""
        return [hsm for hsm in self.hsms.values() if hsm.state is HsmState.ACTIVE]

    def in_domain(self, region: str) -> Cluster:
        """The cluster as the domain's rules look at it."""
        return Cluster(
            cluster_id=self.cluster_id,
            state=self.state,
            region=region,
            subnets=self.subnets,
            hsms=tuple(Hsm(hsm_id=hsm.hsm_id, state=hsm.state, zone=hsm.zone) for hsm in self.hsms.values()),
            certificates=Certificates(csr=self.certificates.get("ClusterCsr")),
        )


@dataclass(slots=True, kw_only=True)
class BackupRecord:
    """One backup; `since` is when its state began."""

    backup_id: str
    hsm_type: str
    mode: str
    created: float
    state: BackupState
    since: float
    content: str
    """The folder of what it holds: its own id, or that of the backup it is a copy of."""
    certificate: str
    """The cluster's certificate (PEM), which every cluster of the same history shows."""
    cluster_id: str | None = None
    """None for a copy from another region, which belongs to no cluster here."""
    copied: float | None = None
    deleted: float | None = None
    """When a deleted backup is gone for good."""
    never_expires: bool = False
    source_region: str | None = None
    source_backup: str | None = None
    source_cluster: str | None = None
    policy: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Region:
    """What one region holds, oldest first."""

    name: str
    clusters: dict[str, ClusterRecord] = field(default_factory=dict)
    backups: dict[str, BackupRecord] = field(default_factory=dict)


class State:
    """Every region's records, kept in a file."""

    def __init__(self, path: Path) -> None:
        """Read the file, or start empty where there is none."""
        self._path = path
        self._written = path.read_text() if path.exists() else ""
        self._regions: dict[str, Region] = {}
        if self._written:
            self._regions = {name: _region(raw) for name, raw in json.loads(self._written).items()}

    def holds(self, content: str) -> bool:
        """Whether a backup of any region has this content."""
        backups = (backup for region in self._regions.values() for backup in region.backups.values())
        return any(backup.content == content for backup in backups)

    def region(self, name: str) -> Region:
        """The region's records."""
        return self._regions.setdefault(name, Region(name))

    def save(self) -> None:
        """Write the file, durably, if anything changed."""
        used = {name: region for name, region in self._regions.items() if region.clusters or region.backups}
        text = json.dumps(used, default=_fields)
        if text != self._written:
            write_private(self._path, text.encode())
            self._written = text


def new_id(kind: str) -> str:
    """An identifier as CloudHSM makes them: `cluster-`, `hsm-` or `backup-` and eleven characters."""
    return f"{kind}-{''.join(secrets.choice(_BASE32) for _ in range(11))}"


def new_ec2_id(kind: str) -> str:
    """An identifier as EC2 makes them: `eni-` or `sg-` and 17 hexadecimal digits."""
    return f"{kind}-0{secrets.token_hex(8)}"


def _fields(record: Region | ClusterRecord | HsmRecord | BackupRecord) -> dict[str, Any]:
    """A record as JSON has it; `asdict` would copy everything below it once more."""
    return {each.name: getattr(record, each.name) for each in fields(record)}


def _region(raw: Mapping[str, Any]) -> Region:
    """A region from the file."""
    return Region(
        raw["name"],
        {cluster_id: _cluster(cluster) for cluster_id, cluster in raw["clusters"].items()},
        {backup_id: _backup(backup) for backup_id, backup in raw["backups"].items()},
    )


def _cluster(raw: Mapping[str, Any]) -> ClusterRecord:
    """A cluster from the file."""
    hsms = {hsm_id: HsmRecord(**{**hsm, "state": HsmState(hsm["state"])}) for hsm_id, hsm in raw["hsms"].items()}
    return ClusterRecord(**{**raw, "state": ClusterState(raw["state"]), "hsms": hsms})


def _backup(raw: Mapping[str, Any]) -> BackupRecord:
    """A backup from the file."""
    return BackupRecord(**{**raw, "state": BackupState(raw["state"])})
