"""Where clusters can be put: what EC2 and Service Quotas say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hsmctl.adapters.aws_error import translated
from hsmctl.domain.preflight import DOCUMENTED_CLUSTERS, Quota, Subnet
from hsmctl.errors import HsmctlError


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
        free=raw.get("AvailableIpAddressCount"),
        ipv6=bool(raw.get("Ipv6CidrBlockAssociationSet")),
    )
