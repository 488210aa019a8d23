"""Proves that the adapter brings CloudHSM's answers and refusals home in our words, over HTTP with the real boto3."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aws_lab import ACCOUNT, KEY_ID, REGION, SUBNET_IDS, ZONES, EmulatedAws
from certificates import root

from hsmctl.adapters.aws import Aws
from hsmctl.domain.cluster import BackupState, Cluster, ClusterState, Hsm, HsmState
from hsmctl.errors import Conflict, Denied, HsmctlError, Unreachable, UsageError
from hsmctl.lab.wire import Answer, AwsError, Call
from hsmctl.ports import Caller, ControlPlane, Identity
from hsmctl.secret import Secret

NOBODY = "cluster-aaaaaaaaaaa"


@pytest.fixture(autouse=True)
def no_configuration_of_the_developer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def emulated(tmp_path: Path) -> Iterator[EmulatedAws]:
    with EmulatedAws(tmp_path) as emulated:
        yield emulated


def connect(url: str, *, region: str | None = REGION, key_id: str | None = KEY_ID, tries: int = 1) -> Aws:
    secret = Secret("secret") if key_id else None
    return Aws(region=region, endpoint_url=url, access_key_id=key_id, secret_access_key=secret, tries=tries)


@pytest.fixture
def plane(emulated: EmulatedAws) -> ControlPlane:
    return connect(emulated.url).plane


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmulatedAws, ControlPlane]]:
    with EmulatedAws(tmp_path_factory.mktemp("lab")) as emulated:
        yield emulated, connect(emulated.url).plane


class Canned:
    """A service with one thing to say."""

    def __init__(self, says: object) -> None:
        self._says = says

    def answer(self, call: Call) -> Answer:
        if isinstance(self._says, AwsError):
            raise self._says
        return Answer(body=json.dumps(self._says).encode(), content_type="application/x-amz-json-1.1")


def create(plane: ControlPlane, **tags: str) -> str:
    return plane.create_cluster(hsm_type="hsm2m.medium", subnets=SUBNET_IDS, mode="FIPS", tags=tags).cluster_id


def only(plane: ControlPlane) -> Cluster:
    [cluster] = plane.clusters()
    return cluster


def test_boto3_speaks_json_to_the_service(emulated: EmulatedAws) -> None:
    client = emulated.client("cloudhsmv2")
    assert client.meta.service_model.resolved_protocol == "json"


def test_a_cluster_is_led_through_its_life(emulated: EmulatedAws, plane: ControlPlane) -> None:
    cluster_id = create(plane, Name="demo")
    cluster = only(plane)
    assert (cluster.cluster_id, cluster.region, cluster.state) == (cluster_id, REGION, ClusterState.UNINITIALIZED)
    assert (cluster.hsm_type, cluster.mode, cluster.network_type) == ("hsm2m.medium", "FIPS", "IPV4")
    assert cluster.subnets == dict(zip(ZONES, SUBNET_IDS, strict=True))
    assert (cluster.tags, cluster.backup_retention_days) == ({"Name": "demo"}, 90)
    assert cluster.certificates.csr is None
    assert cluster.created == emulated.now.moment
    assert cluster.created.tzinfo is UTC

    hsm = plane.create_hsm(cluster_id, ZONES[0], "127.16.1.9")
    assert (hsm.state, hsm.address, hsm.zone) == (HsmState.CREATE_IN_PROGRESS, "127.16.1.9", ZONES[0])
    cluster = only(plane)
    assert [seen.hsm_id for seen in cluster.active_hsms] == [hsm.hsm_id]
    certificates = cluster.certificates
    assert None not in (certificates.hsm, certificates.aws_hardware, certificates.manufacturer_hardware)

    authority = root("customer CA", emulated.now.moment)
    signed = authority.sign(certificates.csr or "", emulated.now.moment)
    plane.initialize(cluster_id, signed, authority.pem)
    cluster = only(plane)
    assert (cluster.state, cluster.certificates.cluster) == (ClusterState.INITIALIZED, signed)
    assert cluster.certificates.csr is None
    emulated.cloudhsm.activate(cluster_id)
    [backup] = plane.backups(cluster_id)
    assert (backup.state, backup.cluster_id, backup.created) == (BackupState.READY, cluster_id, emulated.now.moment)

    plane.delete_hsm(cluster_id, hsm.hsm_id)
    plane.delete_cluster(cluster_id)
    assert only(plane).state is ClusterState.DELETED
    assert len(plane.backups()) == 2
    assert plane.backups(NOBODY) == ()


def test_every_page_is_read_and_unknown_ids_are_left_out(plane: ControlPlane) -> None:
    made = [create(plane) for _ in range(27)]
    assert [cluster.cluster_id for cluster in plane.clusters()] == made
    assert [cluster.cluster_id for cluster in plane.clusters([made[3], NOBODY])] == [made[3]]


def test_words_of_a_newer_service_are_kept_and_times_without_a_zone_are_utc(
    emulated: EmulatedAws, plane: ControlPlane
) -> None:
    hsm = {"HsmId": "hsm-aaaaaaaaaaa", "State": "REBOOT_IN_PROGRESS", "EniIpV6": "fd00::1"}
    emulated.instead = Canned(
        {
            "Clusters": [
                {
                    "ClusterId": NOBODY,
                    "State": "HIBERNATED",
                    "Hsms": [hsm],
                    "Certificates": {"ClusterCsr": ""},
                    "CreateTimestamp": "2026-01-02T03:04:05",
                }
            ]
        }
    )
    cluster = only(plane)
    assert cluster.state == "hibernated"
    assert cluster.certificates.csr is None
    assert cluster.created == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    expected = Hsm(hsm_id="hsm-aaaaaaaaaaa", state=HsmState("reboot_in_progress"), address6="fd00::1")
    assert cluster.hsms == (expected,)


@pytest.mark.parametrize(
    ("says", "error", "hint"),
    [
        (("CloudHsmAccessDeniedException", 400), Denied("cloudhsm:CreateHsm denied", "why"), "cloudhsm:CreateHsm"),
        (("AccessDeniedException", 403), Denied("cloudhsm:CreateHsm denied", "why"), "cloudhsm:CreateHsm"),
        (("ExpiredTokenException", 400), Denied("AWS session expired", "why"), "aws sso login"),
        (("UnrecognizedClientException", 400), Denied("AWS does not know these credentials", "why"), "aws sso login"),
        (("CloudHsmInvalidRequestException", 400), Conflict("cloudhsm:CreateHsm refused", "why"), "hsmctl"),
        (("CloudHsmResourceNotFoundException", 400), Conflict("cloudhsm:CreateHsm refused", "why"), "hsmctl"),
        (
            ("CloudHsmInternalFailureException", 500),
            Unreachable("cloudhsm:CreateHsm failed", "CloudHsmInternalFailureException after 1 try: why"),
            "try again",
        ),
        (("NotImplementedInLab", 501), UsageError("cloudhsm:CreateHsm", "why"), "AWS"),
        # Last, because boto3 slows down what follows a throttled call.
        (
            ("ThrottlingException", 400),
            Unreachable("cloudhsm:CreateHsm failed", "ThrottlingException after 5 tries: why"),
            "try again",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_refusals_become_errors_of_ours(
    refusing: tuple[EmulatedAws, ControlPlane], says: tuple[str, int], error: HsmctlError, hint: str
) -> None:
    (code, status), (emulated, plane) = says, refusing
    emulated.instead = Canned(AwsError(code, "why.", status))
    with pytest.raises(type(error)) as raised:
        plane.create_hsm(NOBODY, ZONES[0])
    assert str(raised.value) == str(error)
    assert hint in raised.value.hint


def test_a_question_is_asked_as_often_as_was_said_and_a_change_only_once(emulated: EmulatedAws) -> None:
    aws = connect(emulated.url, tries=2)
    plane = aws.plane
    emulated.instead = Canned(AwsError("CloudHsmInternalFailureException", "try later", 500))
    with pytest.raises(Unreachable, match="after 2 tries: try later"):
        plane.clusters()
    assert emulated.answer_calls == 2
    with pytest.raises(Unreachable, match="after 1 try: try later"):
        plane.create_hsm(NOBODY, ZONES[0])
    assert emulated.answer_calls == aws.requests == 3, "every try is counted"


def test_nobody_at_the_endpoint_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="cloudhsm:DescribeClusters: Could not connect"):
        connect("http://127.0.0.1:1").plane.clusters()


def test_the_environment_does_not_lead_away_from_this_machine(
    emulated: EmulatedAws, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    assert plane.clusters() == ()
    assert connect(emulated.url).identity().caller().account == ACCOUNT


@pytest.mark.parametrize(
    ("make", "error", "why"),
    [
        (lambda url: connect(url, key_id=None), Denied, "no AWS credentials"),
        (lambda url: connect(url, region=None), UsageError, "no AWS region"),
        (lambda url: Aws(profile="nowhere", region=REGION, endpoint_url=url), UsageError, "nowhere"),
        (lambda url: connect(url, key_id="AKIAIOSFODNN7EXAMPLE"), Denied, "does not know these credentials"),
        (lambda _: connect("127.0.0.1:80"), UsageError, "no http or https URL"),
    ],
    ids=["credentials", "region", "profile", "foreign key", "endpoint"],
)
def test_configuration_that_leads_nowhere_is_named(
    emulated: EmulatedAws, make: Callable[[str], Aws], error: type[HsmctlError], why: str
) -> None:
    def ask() -> None:
        make(emulated.url).plane.clusters()

    with pytest.raises(error, match=why):
        ask()


def test_the_region_is_found_where_the_aws_cli_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("[profile test]\nregion = eu-west-3\n")
    assert Aws().plane.region == ""
    assert Aws(profile="test").plane.region == "eu-west-3"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert Aws(profile="test").plane.region == "eu-west-2"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert Aws(profile="test").plane.region == "eu-west-1"
    assert Aws(profile="test", region=REGION).plane.region == REGION


def test_a_value_boto3_refuses_is_a_usage_error(plane: ControlPlane) -> None:
    with pytest.raises(UsageError, match="cloudhsm:CreateCluster: Parameter validation failed"):
        plane.create_cluster(hsm_type="hsm2m.medium", subnets=(), mode="FIPS", tags={})


def test_the_caller_must_be_in_the_account_of_the_context(emulated: EmulatedAws) -> None:
    aws = connect(emulated.url)
    us = Caller(account=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:user/lab")
    identities: tuple[Identity, ...] = (aws.identity(), aws.identity(ACCOUNT))
    assert [identity.caller() for identity in identities] == [us, us]
    with pytest.raises(Denied, match="wrong account"):
        aws.identity("999999999999").caller()


def test_boto3_is_imported_only_when_aws_is_asked() -> None:
    code = (
        "import sys; from hsmctl.adapters.aws import Aws\n"
        "aws = Aws(region='eu-central-1'); aws.plane.region; aws.identity()\n"
        "print([name for name in ('boto3', 'botocore') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
