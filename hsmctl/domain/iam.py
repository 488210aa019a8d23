"""Least-privilege IAM policies for what hsmctl does (service authorization reference, list_cloudhsm; user guide, IAM).

DeleteHsm and the Describe actions have no resource-level permissions: they are allowed on `*`, and who may have them is
the guard. Where the user guide says that no CloudHSM action has any, the newer reference is followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What somebody is let do."""

    VIEWER = "viewer"
    """Every question hsmctl asks, no change."""
    SCALER = "scaler"
    """A viewer who adds and removes HSMs."""
    PROVISIONER = "provisioner"
    """A scaler who creates and initializes clusters."""
    BACKUP = "backup"
    """Lists, copies, retains, deletes and restores backups that are tagged for it."""
    BREAK_GLASS = "break-glass"
    """What cannot be undone: to be assumed with a reason, and alarmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a policy."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    conditions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the ARNs in a policy name; `*` where nothing is said."""

    partition: str = "aws"
    region: str = "*"
    account: str = "*"
    cluster: str = "*"
    tag: str = "hsmctl"
    """The tag key that lets a backup be touched and a cluster be made."""

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a CloudHSM resource."""
        return f"arn:{self.partition}:cloudhsm:{self.region}:{self.account}:{kind}/{name}"


_NETWORK = (
    "ec2:DescribeInstances",
    "ec2:DescribeManagedPrefixLists",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeTransitGateway*",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeVpcs",
    "ec2:DescribeVpnConnections",
    "ec2:DescribeVpnGateways",
    "ec2:GetManagedPrefixListEntries",
    "ec2:GetTransitGateway*",
    "ec2:SearchTransitGatewayRoutes",
    "directconnect:Describe*",
)
_HSM_DEPENDENTS = (
    "ec2:AuthorizeSecurityGroupEgress",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:CreateNetworkInterface",
    "ec2:CreateSecurityGroup",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaceAttribute",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DetachNetworkInterface",
    "ec2:RevokeSecurityGroupEgress",
)


def policy(role: Role, scope: Scope) -> tuple[Statement, ...]:
    """The statements of a role's policy."""
    return {
        Role.VIEWER: _viewer,
        Role.SCALER: _scaler,
        Role.PROVISIONER: _provisioner,
        Role.BACKUP: _backup,
        Role.BREAK_GLASS: _break_glass,
    }[role](scope)


def _viewer(scope: Scope) -> tuple[Statement, ...]:
    logs = f"arn:{scope.partition}:logs:{scope.region}:{scope.account}:log-group:/aws/cloudhsm/*"
    return (
        Statement(
            sid="CloudHsmRead", actions=("cloudhsm:DescribeBackups", "cloudhsm:DescribeClusters", "cloudhsm:ListTags")
        ),
        Statement(
            sid="CloudHsmSharing", actions=("cloudhsm:GetResourcePolicy",), resources=(scope.arn("backup", "*"),)
        ),
        Statement(sid="NetworkRead", actions=_NETWORK),
        Statement(
            sid="HealthRead",
            actions=("cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics"),
        ),
        Statement(
            sid="AuditLogRead",
            actions=("logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"),
            resources=(logs, f"{logs}:*"),
        ),
        Statement(
            sid="DependentsRead",
            actions=(
                "cloudtrail:LookupEvents",
                "kms:DescribeCustomKeyStores",
                "logs:DescribeLogGroups",
                "servicequotas:ListServiceQuotas",
            ),
        ),
    )


def _scaler(scope: Scope) -> tuple[Statement, ...]:
    return (
        *_viewer(scope),
        Statement(sid="HsmCreate", actions=("cloudhsm:CreateHsm",), resources=(scope.arn("cluster", scope.cluster),)),
        Statement(sid="HsmDelete", actions=("cloudhsm:DeleteHsm",)),
        Statement(sid="HsmNetwork", actions=_HSM_DEPENDENTS),
    )


def _provisioner(scope: Scope) -> tuple[Statement, ...]:
    tagged = {"StringLike": {f"aws:RequestTag/{scope.tag}": "*"}}
    service = {"StringEquals": {"iam:AWSServiceName": "cloudhsm.amazonaws.com"}}
    role = f"arn:{scope.partition}:iam::{scope.account}:role/aws-service-role/cloudhsm.amazonaws.com/*"
    clusters = (scope.arn("cluster", scope.cluster),)
    return (
        *_scaler(scope),
        Statement(sid="ClusterCreate", actions=("cloudhsm:CreateCluster",), conditions=tagged),
        Statement(sid="ClusterClaim", actions=("cloudhsm:InitializeCluster",), resources=clusters),
        Statement(sid="ClusterTag", actions=("cloudhsm:TagResource", "cloudhsm:UntagResource"), resources=clusters),
        Statement(sid="ServiceRole", actions=("iam:CreateServiceLinkedRole",), resources=(role,), conditions=service),
    )


def _backup(scope: Scope) -> tuple[Statement, ...]:
    tagged = {"StringLike": {f"aws:ResourceTag/{scope.tag}": "*"}}
    return (
        Statement(
            sid="BackupRead", actions=("cloudhsm:DescribeBackups", "cloudhsm:DescribeClusters", "cloudhsm:ListTags")
        ),
        Statement(
            sid="BackupKeep",
            actions=(
                "cloudhsm:CopyBackupToRegion",
                "cloudhsm:DeleteBackup",
                "cloudhsm:ModifyBackupAttributes",
                "cloudhsm:RestoreBackup",
                "cloudhsm:TagResource",
                "cloudhsm:UntagResource",
            ),
            resources=(scope.arn("backup", "*"),),
            conditions=tagged,
        ),
    )


def _break_glass(scope: Scope) -> tuple[Statement, ...]:
    return (
        *_viewer(scope),
        Statement(
            sid="DestroyCluster",
            actions=("cloudhsm:DeleteCluster", "cloudhsm:ModifyCluster"),
            resources=(scope.arn("cluster", scope.cluster),),
        ),
        Statement(sid="DestroyHsm", actions=("cloudhsm:DeleteHsm", "ec2:DeleteNetworkInterface")),
        Statement(sid="DestroyBackup", actions=("cloudhsm:DeleteBackup",), resources=(scope.arn("backup", "*"),)),
        Statement(sid="DestroyGroup", actions=("ec2:DeleteSecurityGroup",)),
    )
