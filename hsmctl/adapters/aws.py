"""AWS behind the ports: the only importer of boto3's core, and only once something is asked of AWS.

Knows credentials, endpoints, retries and paging, and which operation stands behind which method of the ports. Refuses
to decide anything about clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hsmctl import __version__
from hsmctl.adapters import aws_value
from hsmctl.adapters.aws_error import translated
from hsmctl.adapters.aws_throttle import Unthrottled
from hsmctl.domain.cluster import Backup, Cluster, Hsm
from hsmctl.errors import Denied, UsageError
from hsmctl.loopback import is_loopback
from hsmctl.ports import Caller
from hsmctl.secret import Secret

if TYPE_CHECKING:
    from boto3.session import Session as Boto3Session
    from botocore.client import BaseClient
    from botocore.config import Config
    from botocore.session import Session
    from mypy_boto3_cloudhsmv2 import CloudHSMV2Client
    from mypy_boto3_sts import STSClient

Page = TypeVar("Page", bound=Mapping[str, Any])

_CONNECT_SECONDS = 3
_READ_SECONDS = 10
_TRIES = 4

_VARIABLES: dict[str, tuple[Any, Any, Any, Any]] = {
    "region": ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)
}
"""Where botocore finds the region: as the AWS CLI does, which botocore alone does not."""

_VARIABLES_OF_THE_LAB = {**_VARIABLES, "profile": (None, None, None, None)}
"""With an access key of its own no profile counts, whatever the environment names."""


class Aws:
    """One account in one region: boto3's own credential chain, or the access key that is given."""

    def __init__(
        self,
        *,
        profile: str | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: Secret | None = None,
        tries: int = _TRIES,
    ) -> None:
        """Name what to use; nothing is read or imported yet. A question is asked at most `tries` times.

        Raises:
            UsageError: the endpoint is no URL.
        """
        self._profile = profile
        self._region = region
        self._endpoint_url = endpoint_url
        self._access_key_id = access_key_id
        self._secret_access_key = secret_access_key
        self._tries = tries
        self._local = endpoint_url is not None and is_loopback(endpoint_url)
        self._making = Lock()  # boto3 makes clients in one thread at a time only
        self._counting = Lock()
        self.requests = 0
        """How many requests were sent, every page and every retry counted."""

    @cached_property
    def plane(self) -> CloudHsmPlane:
        """The cloudhsmv2 service."""
        return CloudHsmPlane(self._named_region, partial(self._cloudhsm, self._tries), self._changing)

    def regions(self) -> list[str]:
        """Every region that CloudHSM is in, as botocore knows them; an account need not be let into each."""
        with translated("AWS configuration"):
            return list(self._boto3.get_available_regions("cloudhsmv2"))

    def changing(self) -> CloudHSMV2Client:
        """A client of cloudhsmv2 that sends everything once, except what was throttled."""
        return self._changing()

    def plane_in(self, region: str, tries: int) -> CloudHsmPlane:
        """The cloudhsmv2 service of another region."""
        client = self._connect("cloudhsmv2", region, self._endpoint_url if self._local else None, tries)
        return CloudHsmPlane(lambda: region, lambda: cast("CloudHSMV2Client", client), self._changing)

    def identity(self, account_id: str | None = None) -> StsIdentity:
        """Who we are, which must be somebody of this account if one is named."""
        return StsIdentity(self._sts, account_id)

    def client(self, service: str, region: str) -> BaseClient:
        """A client of another service in this Region; a custom endpoint serves it only where that is the lab."""
        return self._connect(service, region, self._endpoint_url if self._local else None, self._tries)

    def _connect(self, service: str, region: str | None, endpoint_url: str | None, tries: int) -> BaseClient:
        secret = self._secret_access_key
        with translated(service), self._making:
            client: BaseClient = self._boto3.client(
                service,
                region_name=region,
                endpoint_url=endpoint_url,
                aws_access_key_id=self._access_key_id,
                aws_secret_access_key=None if secret is None else secret.reveal(),
                config=self._config(tries),
            )
        self._check_endpoint(service, client.meta.endpoint_url)
        client.meta.events.register("before-send.*.*", self._count)
        return client

    def _count(self, **_: object) -> None:
        """Count one request; what is returned, None, lets botocore send it."""
        with self._counting:
            self.requests += 1

    def _check_endpoint(self, service: str, endpoint_url: str) -> None:
        """Refuse this machine's address from AWS_ENDPOINT_URL_* or a profile: only a lab context goes there."""
        if not self._local and is_loopback(endpoint_url):
            raise UsageError(
                f"{service} at {endpoint_url}", "that is this machine, not AWS", "work in the lab with --lab"
            )

    @cached_property
    def _boto3(self) -> Boto3Session:
        from boto3.session import Session

        return Session(botocore_session=self._session)

    @cached_property
    def _session(self) -> Session:
        """The configuration under boto3's session, which finds the region where the AWS CLI does."""
        from botocore.session import Session

        return Session(_VARIABLES if self._access_key_id is None else _VARIABLES_OF_THE_LAB, profile=self._profile)

    def _named_region(self) -> str:
        """The region of the settings, the environment or the profile, empty where none of them names one."""
        if self._region is not None:
            return self._region
        with translated("AWS configuration"):
            return self._session.get_config_variable("region") or ""

    def _changing(self) -> CloudHSMV2Client:
        return cast("CloudHSMV2Client", Unthrottled(self._cloudhsm(1)))

    def _cloudhsm(self, tries: int) -> CloudHSMV2Client:
        return cast("CloudHSMV2Client", self._connect("cloudhsmv2", self._region, self._endpoint_url, tries))

    def _sts(self) -> STSClient:
        # An endpoint outside this machine is CloudHSM's own, such as a VPC endpoint; the lab is all of AWS.
        endpoint_url = self._endpoint_url if self._local else None
        return cast("STSClient", self._connect("sts", self._region, endpoint_url, self._tries))

    def _config(self, tries: int) -> Config:
        """Short time-outs and counted retries; on a custom endpoint nothing that would change its address."""
        from botocore.config import Config

        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "adaptive", "total_max_attempts": tries},
            user_agent_extra=f"hsmctl/{__version__}",
        )
        if self._endpoint_url is None:
            return config
        custom = Config(inject_host_prefix=False, use_fips_endpoint=False, use_dualstack_endpoint=False)
        return config.merge(custom).merge(Config(proxies={}) if self._local else Config())


class StsIdentity:
    """ports.Identity over STS."""

    def __init__(self, client: Callable[[], STSClient], account_id: str | None) -> None:
        self._new_client = client
        self._account_id = account_id

    def caller(self) -> Caller:
        """The caller.

        Raises:
            Denied: AWS does not accept the credentials, or they belong to another account than the context.
            Unreachable: AWS did not answer.
        """
        with translated("sts:GetCallerIdentity"):
            answer = self._client.get_caller_identity()
        caller = Caller(account=answer["Account"], arn=answer["Arn"])
        if self._account_id not in (None, caller.account):
            raise Denied(
                "wrong account",
                f"{caller.arn} is in {caller.account}, the context is for {self._account_id}",
                "choose another profile or context: --profile, --context",
            )
        return caller

    @cached_property
    def _client(self) -> STSClient:
        return self._new_client()


class CloudHsmPlane:
    """ports.ControlPlane over cloudhsmv2.

    A change is sent once, whatever happens to its answer: the service takes no client token, so that sending CreateHsm
    again could buy a second HSM.
    """

    def __init__(
        self,
        region: Callable[[], str],
        patient: Callable[[], CloudHSMV2Client],
        once: Callable[[], CloudHSMV2Client],
    ) -> None:
        """Name what makes a client that tries again, for questions, and one that does not, for changes."""
        self._name_region = region
        self._new_patient_client = patient
        self._new_client_for_changes = once

    @cached_property
    def region(self) -> str:
        """The region's name, empty where neither settings nor profile nor environment name one."""
        return self._name_region()

    def clusters(self, ids: Sequence[str] = ()) -> tuple[Cluster, ...]:
        """These clusters, or all; unknown ids are left out (DescribeClusters does not report them)."""
        filters = {"clusterIds": list(ids)} if ids else {}
        with translated("cloudhsm:DescribeClusters"):
            pages = _pages(self._questions.describe_clusters, Filters=filters)
            return tuple(aws_value.cluster(raw, self.region) for page in pages for raw in page["Clusters"])

    def backups(self, cluster_id: str | None = None) -> tuple[Backup, ...]:
        """The backups of a cluster, or all of the region."""
        filters = {"clusterIds": [cluster_id]} if cluster_id else {}
        with translated("cloudhsm:DescribeBackups"):
            pages = _pages(self._questions.describe_backups, Filters=filters)
            return tuple(aws_value.backup(raw) for page in pages for raw in page["Backups"])

    def create_cluster(
        self,
        *,
        hsm_type: str,
        subnets: Sequence[str],
        mode: str,
        tags: Mapping[str, str],
        network_type: str = "",
        source_backup: str = "",
        retention_days: int | None = None,
    ) -> Cluster:
        """The cluster that is being created."""
        asked: dict[str, Any] = {"HsmType": hsm_type, "SubnetIds": list(subnets), "Mode": mode}
        if tags:
            asked["TagList"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        if network_type:
            asked["NetworkType"] = network_type
        if source_backup:
            asked["SourceBackupId"] = source_backup
        if retention_days is not None:
            asked["BackupRetentionPolicy"] = {"Type": "DAYS", "Value": str(retention_days)}
        with translated("cloudhsm:CreateCluster"):
            return aws_value.cluster(self._changes.create_cluster(**asked)["Cluster"], self.region)

    def create_hsm(self, cluster_id: str, zone: str, address: str | None = None) -> Hsm:
        """The HSM that is being created; it has its id and address at once."""
        wanted: dict[str, Any] = {"IpAddress": address} if address else {}
        with translated("cloudhsm:CreateHsm"):
            answer = self._changes.create_hsm(ClusterId=cluster_id, AvailabilityZone=zone, **wanted)
            return aws_value.hsm(answer["Hsm"])

    def initialize(self, cluster_id: str, signed_certificate: str, trust_anchor: str) -> None:
        """Claim the cluster with the signed CSR and the customer CA, both PEM."""
        with translated("cloudhsm:InitializeCluster"):
            self._changes.initialize_cluster(
                ClusterId=cluster_id, SignedCert=signed_certificate, TrustAnchor=trust_anchor
            )

    def delete_hsm(self, cluster_id: str, hsm_id: str) -> None:
        """Start the deletion of an HSM."""
        with translated("cloudhsm:DeleteHsm"):
            self._changes.delete_hsm(ClusterId=cluster_id, HsmId=hsm_id)

    def delete_cluster(self, cluster_id: str) -> None:
        """Start the deletion of a cluster without HSMs."""
        with translated("cloudhsm:DeleteCluster"):
            self._changes.delete_cluster(ClusterId=cluster_id)

    @cached_property
    def _questions(self) -> CloudHSMV2Client:
        return self._new_patient_client()

    @cached_property
    def _changes(self) -> CloudHSMV2Client:
        return self._new_client_for_changes()


def _pages(operation: Callable[..., Page], **asked: object) -> Iterator[Page]:
    """Every page of an answer; boto3's own paginators take longer to load than the lab to answer."""
    while True:
        page = operation(**asked)
        yield page
        if not page.get("NextToken"):
            return
        asked["NextToken"] = page["NextToken"]
