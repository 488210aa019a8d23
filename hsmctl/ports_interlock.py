"""What interlocks ask: KMS key stores, CloudWatch and where the customer CA is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hsmctl.domain.cluster import Cluster
    from hsmctl.domain.interlock import KeyStore, Samples


class KeyStores(Protocol):
    """KMS custom key stores of the account in this region."""

    def all(self) -> tuple[KeyStore, ...]:
        """Every one that is linked to a CloudHSM cluster.

        Raises:
            Denied: IAM does not allow kms:DescribeCustomKeyStores.
            Unreachable: KMS did not answer.
        """
        ...


class Metrics(Protocol):
    """CloudWatch, namespace AWS/CloudHSM."""

    def samples(self, cluster_id: str, hsm_ids: Sequence[str], metric: str, span: timedelta) -> Samples:
        """The values of a metric of these HSMs in the time before now, the oldest first.

        Raises:
            Denied: IAM does not allow cloudwatch:GetMetricData.
            Unreachable: CloudWatch did not answer.
        """
        ...


class CustomerCa(Protocol):
    """The customer CA's certificate, as far as the context tells where it is."""

    def located(self, cluster: Cluster) -> str:
        """Where it is and its fingerprint.

        Raises:
            Conflict: there is none, or it did not issue the cluster's certificate.
        """
        ...
