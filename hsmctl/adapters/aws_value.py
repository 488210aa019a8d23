"""Answers of cloudhsmv2 as values of the domain.

Knows the wire names of the service model (API 2017-04-28) and that almost every member may be missing. Words of
enumerations this version does not know are kept.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hsmctl.domain.cluster import Backup, BackupState, Certificates, Cluster, ClusterState, Hsm, HsmState

if TYPE_CHECKING:
    from mypy_boto3_cloudhsmv2.type_defs import BackupTypeDef, CertificatesTypeDef, ClusterTypeDef, HsmTypeDef


def cluster(raw: ClusterTypeDef, region: str) -> Cluster:
    """A cluster from DescribeClusters."""
    days = raw.get("BackupRetentionPolicy", {}).get("Value", "")
    return Cluster(
        cluster_id=raw["ClusterId"],
        state=ClusterState(raw.get("State", "").lower()),
        region=region,
        message=raw.get("StateMessage", ""),
        hsm_type=raw.get("HsmType", ""),
        mode=raw.get("Mode", ""),
        network_type=raw.get("NetworkType", ""),
        vpc_id=raw.get("VpcId", ""),
        security_group=raw.get("SecurityGroup", ""),
        subnets=raw.get("SubnetMapping", {}),
        hsms=tuple(hsm(each) for each in raw.get("Hsms", ())),
        created=_utc(raw.get("CreateTimestamp")),
        backup_retention_days=int(days) if days.isdecimal() else None,
        source_backup_id=raw.get("SourceBackupId"),
        certificates=_certificates(raw.get("Certificates", {})),
        tags={tag["Key"]: tag["Value"] for tag in raw.get("TagList", ())},
        rollback_until=_utc(raw.get("HsmTypeRollbackExpiration")),
    )


def hsm(raw: HsmTypeDef) -> Hsm:
    """An HSM from DescribeClusters or CreateHsm."""
    return Hsm(
        hsm_id=raw["HsmId"],
        state=HsmState(raw.get("State", "").lower()),
        zone=raw.get("AvailabilityZone", ""),
        subnet_id=raw.get("SubnetId", ""),
        eni_id=raw.get("EniId", ""),
        address=raw.get("EniIp"),
        address6=raw.get("EniIpV6"),
        hsm_type=raw.get("HsmType", ""),
        message=raw.get("StateMessage", ""),
    )


def _certificates(raw: CertificatesTypeDef) -> Certificates:
    """A cluster's certificates; the service sends empty texts for those it does not have."""
    return Certificates(
        csr=raw.get("ClusterCsr") or None,
        hsm=raw.get("HsmCertificate") or None,
        aws_hardware=raw.get("AwsHardwareCertificate") or None,
        manufacturer_hardware=raw.get("ManufacturerHardwareCertificate") or None,
        cluster=raw.get("ClusterCertificate") or None,
    )


def backup(raw: BackupTypeDef) -> Backup:
    """A backup from DescribeBackups."""
    return Backup(
        backup_id=raw["BackupId"],
        state=BackupState(raw.get("BackupState", "").lower()),
        cluster_id=raw.get("ClusterId", ""),
        created=_utc(raw.get("CreateTimestamp")),
        never_expires=raw.get("NeverExpires", False),
        hsm_type=raw.get("HsmType", ""),
        mode=raw.get("Mode", ""),
        arn=raw.get("BackupArn", ""),
        copied=_utc(raw.get("CopyTimestamp")),
        deleted=_utc(raw.get("DeleteTimestamp")),
        source_region=raw.get("SourceRegion", ""),
        source_backup=raw.get("SourceBackup", ""),
        source_cluster=raw.get("SourceCluster", ""),
        tags={tag["Key"]: tag["Value"] for tag in raw.get("TagList", ())},
    )


def _utc(time: datetime | None) -> datetime | None:
    """A time of boto3 in UTC; one without a zone is UTC already, as some emulators send it."""
    if time is None or time.tzinfo is None:
        return time and time.replace(tzinfo=UTC)
    return time.astimezone(UTC)
