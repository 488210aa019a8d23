"""What creating and changing clusters asks of cloudhsmv2, EC2 and Service Quotas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from hsmctl.adapters.aws_error import translated
from hsmctl.domain.preflight import DOCUMENTED_CLUSTERS, Quota, Subnet
from hsmctl.errors import HsmctlError


class AwsClusterEdits:
    """ports_cluster.ClusterEdits over cloudhsmv2; a change is sent once."""

    def __init__(self, client: Callable[[], Any]) -> None:
        """Name what makes the client; nothing is asked yet."""
        self._new_client = client

    def keep_backups(self, cluster_id: str, days: int) -> None:
        """Change how long backups are kept."""
        policy = {"Type": "DAYS", "Value": str(days)}
        with translated("cloudhsm:ModifyCluster"):
            self._client.modify_cluster(ClusterId=cluster_id, BackupRetentionPolicy=policy)

    def change_type(self, cluster_id: str, hsm_type: str) -> None:
        """Begin to move every HSM to another type, or back."""
        with translated("cloudhsm:ModifyCluster"):
            self._client.modify_cluster(ClusterId=cluster_id, HsmType=hsm_type)

    def tag(self, resource_id: str, tags: Mapping[str, str]) -> None:
        """Set these tags."""
        listed = [{"Key": name, "Value": value} for name, value in tags.items()]
        with translated("cloudhsm:TagResource"):
            self._client.tag_resource(ResourceId=resource_id, TagList=listed)

    def untag(self, resource_id: str, names: Sequence[str]) -> None:
        """Take these tags away; harmless where they are missing."""
        with translated("cloudhsm:UntagResource"):
            self._client.untag_resource(ResourceId=resource_id, TagKeyList=list(names))

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - one client for all operations
        return self._new_client()


class AwsGrounds:
    """ports_cluster.Grounds over EC2 and Service Quotas."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        """Name what makes the client of a service; nothing is asked yet."""
        self._client = client

    def subnets(self, ids: Sequence[str]) -> tuple[Subnet, ...]:
        """These subnets; unknown ones are left out.

        Raises:
            Denied: IAM does not allow ec2:DescribeSubnets.
            Unreachable: EC2 did not answer.
        """
        # A filter leaves out what does not exist; a list of ids would fail whole.
        chosen = [{"Name": "subnet-id", "Values": list(ids)}]
        with translated("ec2:DescribeSubnets"):
            answer = self._client("ec2").describe_subnets(Filters=chosen)
        return tuple(_subnet(raw) for raw in answer["Subnets"])

    def quota(self) -> Quota:
        """How many clusters the account may have in this region: Service Quotas' word, else the documented figure.

        The service code `cloudhsm` is UNCONFIRMED; where it is another, the documented figure is what is known.
        """
        try:
            with translated("servicequotas:ListServiceQuotas"):
                answer = self._client("service-quotas").list_service_quotas(ServiceCode="cloudhsm")
        except HsmctlError:
            return Quota(DOCUMENTED_CLUSTERS, documented=True)
        for raw in answer.get("Quotas", ()):
            if "cluster" in raw.get("QuotaName", "").lower() and "hsms per" not in raw["QuotaName"].lower():
                return Quota(int(raw["Value"]), documented=False)
        return Quota(DOCUMENTED_CLUSTERS, documented=True)


def _subnet(raw: Mapping[str, Any]) -> Subnet:
    return Subnet(
        subnet_id=raw["SubnetId"],
        vpc_id=raw.get("VpcId", ""),
        zone=raw.get("AvailabilityZone", ""),
        free=raw.get("AvailableIpAddressCount", 0),
        ipv6=bool(raw.get("Ipv6CidrBlockAssociationSet")),
    )
