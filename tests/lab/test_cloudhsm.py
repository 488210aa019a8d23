"""Proves that a real AWS client sees CloudHSMv2: the whole life of a cluster, and every refusal in AWS's own shape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_lab import (
    ACCOUNT,
    ANYBODY,
    OTHER_REGION,
    REGION,
    SUBNET_IDS,
    SUBNETS,
    VPC,
    ZONES,
    BotoClient,
    EmulatedAws,
    active,
    add_hsm,
    backups,
    claim,
    cluster,
    create,
    refusal,
)
from botocore.awsrequest import AWSRequest
from botocore.loaders import Loader
from certificates import csr, public_key, root
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hsmctl.errors import Conflict
from hsmctl.lab.cloudhsm import OPERATIONS
from hsmctl.lab.machines import MachineState


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[EmulatedAws]:
    with EmulatedAws(tmp_path) as aws:
        yield aws


@pytest.fixture
def hsms(aws: EmulatedAws) -> BotoClient:
    return aws.client("cloudhsmv2")


def test_every_operation_of_the_service_model_is_answered() -> None:
    model = Loader().load_service_model("cloudhsmv2", "service-2")
    assert set(OPERATIONS) == set(model["operations"])


def test_a_cluster_lives_from_creation_to_deletion(aws: EmulatedAws, hsms: BotoClient) -> None:
    created = hsms.create_cluster(
        HsmType="hsm2m.medium", SubnetIds=SUBNET_IDS, Mode="FIPS", TagList=[{"Key": "Name", "Value": "demo"}]
    )["Cluster"]
    cluster_id = created["ClusterId"]
    assert created["State"] == "CREATE_IN_PROGRESS"
    seen = cluster(hsms, cluster_id)
    assert seen["State"] == "UNINITIALIZED"
    assert seen["SubnetMapping"] == {zone: subnet.subnet_id for zone, subnet in SUBNETS.items()}
    assert seen["VpcId"] == VPC
    assert seen["SecurityGroup"] == created["SecurityGroup"]
    assert seen["Mode"] == "FIPS"
    assert seen["TagList"] == [{"Key": "Name", "Value": "demo"}]
    assert seen["Certificates"] == {}

    first = add_hsm(hsms, cluster_id)
    assert first["State"] == "CREATE_IN_PROGRESS"
    assert first["SubnetId"] == SUBNETS[ZONES[0]].subnet_id
    seen = cluster(hsms, cluster_id)
    assert seen["Hsms"] == [{**first, "State": "ACTIVE"}]
    assert "ClusterCsr" in seen["Certificates"]

    signed = claim(aws, hsms, cluster_id)
    seen = cluster(hsms, cluster_id)
    assert seen["State"] == "INITIALIZED"
    assert seen["Certificates"] == {"ClusterCertificate": signed}
    certificate, key = aws.machines.certified[first["HsmId"]]
    private_key = load_pem_private_key(key.encode(), None)
    assert private_key.public_key() == public_key(certificate) == public_key(signed)

    aws.cloudhsm.activate(cluster_id)
    assert cluster(hsms, cluster_id)["State"] == "ACTIVE"
    second = add_hsm(hsms, cluster_id, ZONES[1])
    assert aws.machines.originals == {first["HsmId"]: None, second["HsmId"]: first["HsmId"]}

    code, _ = refusal(hsms, "delete_cluster", ClusterId=cluster_id)
    assert code == "CloudHsmInvalidRequestException"
    for hsm in (first, second):
        assert hsms.delete_hsm(ClusterId=cluster_id, HsmId=hsm["HsmId"])["HsmId"] == hsm["HsmId"]
    assert cluster(hsms, cluster_id)["Hsms"] == []
    assert hsms.delete_cluster(ClusterId=cluster_id)["Cluster"]["State"] == "DELETE_IN_PROGRESS"
    assert cluster(hsms, cluster_id)["State"] == "DELETED"
    assert refusal(hsms, "delete_cluster", ClusterId=cluster_id)[0] == "CloudHsmResourceNotFoundException"
    aws.now.advance(3600)
    assert hsms.describe_clusters()["Clusters"] == []
    assert len(backups(hsms, clusterIds=[cluster_id])) == 4


def test_transitions_take_their_time_and_the_machine_its_own(tmp_path: Path) -> None:
    with EmulatedAws(tmp_path, delay=10) as aws:
        hsms = aws.client()
        cluster_id = create(hsms)
        aws.now.advance(9.9)
        assert cluster(hsms, cluster_id)["State"] == "CREATE_IN_PROGRESS"
        assert refusal(hsms, "create_hsm", ClusterId=cluster_id, AvailabilityZone=ZONES[0])[0].endswith("Exception")
        aws.now.advance(0.1)
        assert cluster(hsms, cluster_id)["State"] == "UNINITIALIZED"

        aws.machines.built = MachineState.BUILDING
        hsm_id = add_hsm(hsms, cluster_id)["HsmId"]
        aws.now.advance(10)
        assert cluster(hsms, cluster_id)["Hsms"][0]["State"] == "CREATE_IN_PROGRESS"
        assert cluster(hsms, cluster_id)["Certificates"] == {}
        aws.machines.states[hsm_id] = MachineState.DEAD
        assert "process" in cluster(hsms, cluster_id)["Hsms"][0]["StateMessage"]
        aws.machines.states[hsm_id] = MachineState.RUNNING
        recovered = cluster(hsms, cluster_id)["Hsms"][0]
        assert recovered["State"] == "ACTIVE"
        assert "StateMessage" not in recovered

        claim(aws, hsms, cluster_id)
        assert cluster(hsms, cluster_id)["State"] == "INITIALIZE_IN_PROGRESS"
        assert aws.machines.certified == {}
        refused = refusal(hsms, "delete_hsm", ClusterId=cluster_id, HsmId=hsm_id)
        assert refused[1] == f"Cluster '{cluster_id}' is INITIALIZE_IN_PROGRESS."
        aws.now.advance(10)
        aws.cloudhsm.activate(cluster_id)

        aws.machines.removed = MachineState.RUNNING
        hsms.delete_hsm(ClusterId=cluster_id, HsmId=hsm_id)
        aws.now.advance(10)
        assert cluster(hsms, cluster_id)["Hsms"][0]["State"] == "DELETE_IN_PROGRESS"
        aws.machines.states[hsm_id] = MachineState.GONE
        assert cluster(hsms, cluster_id)["Hsms"] == []


def test_certificates_prove_the_hardware_through_both_roots(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = create(hsms)
    add_hsm(hsms, cluster_id)
    shown = cluster(hsms, cluster_id)["Certificates"]
    hsm = x509.load_pem_x509_certificate(shown["HsmCertificate"].encode())
    for hardware, root_file in (
        ("AwsHardwareCertificate", "aws-root.pem"),
        ("ManufacturerHardwareCertificate", "manufacturer-root.pem"),
    ):
        middle = x509.load_pem_x509_certificate(shown[hardware].encode())
        hsm.verify_directly_issued_by(middle)
        top = x509.load_pem_x509_certificate((aws.folder.pki / root_file).read_bytes())
        middle.verify_directly_issued_by(top)
    request = x509.load_pem_x509_csr(shown["ClusterCsr"].encode())
    assert request.is_signature_valid
    assert request.public_key() == hsm.public_key()

    hsms.delete_hsm(ClusterId=cluster_id, HsmId=cluster(hsms, cluster_id)["Hsms"][0]["HsmId"])
    assert cluster(hsms, cluster_id)["Certificates"] == {}
    assert cluster(hsms, cluster_id)["Hsms"] == []
    add_hsm(hsms, cluster_id)
    assert cluster(hsms, cluster_id)["Certificates"]["ClusterCsr"] != shown["ClusterCsr"]


def test_a_second_hsm_is_refused_until_the_cluster_is_activated(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = create(hsms)
    add_hsm(hsms, cluster_id)
    text = f"Cluster '{cluster_id}' already contains an HSM but has not yet been fully activated"
    expected = ("CloudHsmInvalidRequestException", text)
    assert refusal(hsms, "create_hsm", ClusterId=cluster_id, AvailabilityZone=ZONES[1]) == expected
    claim(aws, hsms, cluster_id)
    assert refusal(hsms, "create_hsm", ClusterId=cluster_id, AvailabilityZone=ZONES[1]) == expected
    aws.cloudhsm.activate(cluster_id)
    add_hsm(hsms, cluster_id, ZONES[1])
    with pytest.raises(Conflict, match="is ACTIVE, not INITIALIZED"):
        aws.cloudhsm.activate(cluster_id)


def test_a_cluster_is_claimed_through_a_chain_of_four(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = create(hsms)
    add_hsm(hsms, cluster_id)
    chain = [root("root", aws.now.moment)]
    for depth in range(3):
        chain.append(chain[-1].below(f"intermediate {depth}", aws.now.moment))
    request = cluster(hsms, cluster_id)["Certificates"]["ClusterCsr"]
    answer = hsms.initialize_cluster(
        ClusterId=cluster_id,
        SignedCert=chain[-1].sign(request, aws.now.moment),
        TrustAnchor="".join(issuer.pem for issuer in reversed(chain)),
    )
    assert answer["State"] == "INITIALIZE_IN_PROGRESS"
    assert cluster(hsms, cluster_id)["State"] == "INITIALIZED"


def test_wrong_certificates_are_refused_and_change_nothing(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = create(hsms)
    code, why = refusal(hsms, "initialize_cluster", ClusterId=cluster_id, SignedCert="x", TrustAnchor="x")
    assert code == "CloudHsmInvalidRequestException"
    assert "no certificate signing request yet" in why
    add_hsm(hsms, cluster_id)
    now = aws.now.moment
    request = cluster(hsms, cluster_id)["Certificates"]["ClusterCsr"]
    good, other = root("good", now), root("other", now)
    below = good.below("below", now)
    stranger = csr(ec.generate_private_key(ec.SECP256R1()))
    plain = root("plain", now, ca=False)
    weak = root("weak", now, key=rsa.generate_private_key(65537, 1024))
    small_curve = root("small curve", now, key=ec.generate_private_key(ec.SECP224R1()))
    old = root("old", now, days=(-20, -10))
    deep = [good]
    for depth in range(4):
        deep.append(deep[-1].below(f"{depth}", now))
    signed = good.sign(request, now)
    wrong = {
        "SignedCert is not a PEM certificate": ("junk", good.pem),
        "TrustAnchor is not a PEM certificate": (signed, "junk"),
        "SignedCert does not belong to this cluster": (good.sign(stranger, now), good.pem),
        "SignedCert was not issued by": (signed, other.pem),
        "certificate 1 of the TrustAnchor was not issued by": (below.sign(request, now), below.pem + other.pem),
        "TrustAnchor does not end in a self-signed root": (below.sign(request, now), below.pem),
        "TrustAnchor is too long": (deep[-1].sign(request, now), "".join(link.pem for link in reversed(deep))),
        "a certificate of the TrustAnchor is no authority": (plain.sign(request, now), plain.pem),
        "a key of the TrustAnchor is not accepted": (weak.sign(request, now), weak.pem),
        "a key of the TrustAnchor is not accepted: RSA": (small_curve.sign(request, now), small_curve.pem),
        "CN=old is not valid now": (old.sign(request, now), old.pem),
        "is not valid now": (good.sign(request, now, days=(1, 10)), good.pem),
    }
    for expected, (certificate, anchor) in wrong.items():
        asked = {"ClusterId": cluster_id, "SignedCert": certificate, "TrustAnchor": anchor}
        code, why = refusal(hsms, "initialize_cluster", **asked)
        assert (code, expected in why) == ("CloudHsmInvalidRequestException", True), why
    assert cluster(hsms, cluster_id)["State"] == "UNINITIALIZED"
    hsms.initialize_cluster(ClusterId=cluster_id, SignedCert=signed, TrustAnchor=good.pem)
    code, why = refusal(hsms, "initialize_cluster", ClusterId=cluster_id, SignedCert=signed, TrustAnchor=good.pem)
    assert "only an UNINITIALIZED cluster can be initialized" in why


@pytest.mark.parametrize(
    ("operation", "asked", "message"),
    [
        (
            "delete_cluster",
            {"ClusterId": "!!"},
            "1 validation error detected: Value '!!' at 'clusterId' failed to satisfy constraint: Member must satisfy "
            "regular expression pattern: cluster-[2-7a-zA-Z]{11,16}",
        ),
        (
            "create_cluster",
            {"HsmType": "hsm2m.medium", "SubnetIds": ["subnet-1"], "Mode": "MAYBE"},
            "2 validation errors detected: Value 'subnet-1' at 'subnetIds.1.member' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: subnet-[0-9a-fA-F]{8,17}; Value 'MAYBE' at 'mode' failed "
            "to satisfy constraint: Member must satisfy enum value set: [FIPS, NON_FIPS]",
        ),
        (
            "describe_clusters",
            {"MaxResults": 26},
            "1 validation error detected: Value '26' at 'maxResults' failed to satisfy constraint: Member must have "
            "value less than or equal to 25",
        ),
        (
            "tag_resource",
            {"ResourceId": ANYBODY, "TagList": [{"Key": "a;b", "Value": "ü"}]},
            "1 validation error detected: Value 'a;b' at 'tagList.1.member.key' failed to satisfy constraint: Member "
            r"must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$",
        ),
        (
            "describe_clusters",
            {"Filters": {"a b": ["c"]}},
            "1 validation error detected: Value 'a b' at 'filters.key' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z0-9_-]+",
        ),
    ],
)
def test_what_the_shapes_forbid_is_refused_in_the_words_of_aws(
    hsms: BotoClient, operation: str, asked: dict[str, Any], message: str
) -> None:
    assert refusal(hsms, operation, **asked) == ("CloudHsmInvalidRequestException", message)


def test_what_a_client_would_not_send_is_refused_too(aws: EmulatedAws) -> None:
    hsms = aws.client()
    bodies = {
        b'{"SubnetIds": null}': "CloudHsmInvalidRequestException",
        b'{"HsmType": 1, "SubnetIds": []}': "SerializationException",
        b'{"HsmType": "hsm2m.medium", "SubnetIds": "subnet-1"}': "SerializationException",
        b"[]": "SerializationException",
        b"{": "SerializationException",
    }
    for body, code in bodies.items():

        def put(request: AWSRequest, body: bytes = body, **_: object) -> None:
            request.data = body

        hsms.meta.events.register("before-sign", put, unique_id="put")
        assert refusal(hsms, "create_cluster", HsmType="hsm2m.medium", SubnetIds=["x"])[0] == code, body
        hsms.meta.events.unregister("before-sign", unique_id="put")


def test_a_cluster_that_cannot_be_is_not_created(hsms: BotoClient, aws: EmulatedAws) -> None:
    good: dict[str, Any] = {"HsmType": "hsm2m.medium", "SubnetIds": SUBNET_IDS[:1], "Mode": "FIPS"}
    days = "BackupRetentionPolicy must be of Type DAYS with a Value from 7 to 379."
    for change, expected in (
        ({"HsmType": "hsm1.medium"}, "Provided HsmType is not supported."),
        ({"SubnetIds": ["subnet-0ffffffffffffffff"]}, "The subnet ID 'subnet-0ffffffffffffffff' does not exist."),
        ({"SubnetIds": SUBNET_IDS[:1] * 2}, "More than one subnet is in Availability Zone eu-central-1a."),
        ({"NetworkType": "DUALSTACK"}, "The subnets have no IPv6 CIDR block."),
        ({"BackupRetentionPolicy": {"Type": "DAYS", "Value": "6"}}, days),
        ({"BackupRetentionPolicy": {"Type": "DAYS", "Value": "380"}}, days),
        ({"BackupRetentionPolicy": {"Value": "30"}}, days),
    ):
        assert refusal(hsms, "create_cluster", **{**good, **change}) == ("CloudHsmInvalidRequestException", expected)
    without_mode = {name: value for name, value in good.items() if name != "Mode"}
    assert "mode" in refusal(hsms, "create_cluster", **without_mode)[1]
    elsewhere = aws.client(region=OTHER_REGION)
    assert "does not exist" in refusal(elsewhere, "create_cluster", **good)[1]
    assert hsms.describe_clusters()["Clusters"] == []


def test_an_hsm_has_the_address_it_asks_for_if_that_is_free(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = active(aws, hsms)
    used = cluster(hsms, cluster_id)["Hsms"][0]
    wanted = add_hsm(hsms, cluster_id, ZONES[0], IpAddress="127.16.1.77")
    assert wanted["EniIp"] == "127.16.1.77"
    assert aws.machines.places[wanted["HsmId"]].address == "127.16.1.77"
    asked = {"ClusterId": cluster_id, "AvailabilityZone": ZONES[0], "IpAddress": used["EniIp"]}
    assert refusal(hsms, "create_hsm", **asked)[1] == (
        f"The IP address {used['EniIp']} is not free in the subnet of {ZONES[0]}."
    )
    asked = {"ClusterId": cluster_id, "AvailabilityZone": "eu-central-1f"}
    assert "has no subnet in eu-central-1f" in refusal(hsms, "create_hsm", **asked)[1]


def test_an_hsm_is_deleted_by_exactly_one_of_its_names(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = active(aws, hsms)
    by_eni, by_ip = add_hsm(hsms, cluster_id), add_hsm(hsms, cluster_id)
    one_of = "Exactly one of HsmId, EniId and EniIp must be given."
    assert refusal(hsms, "delete_hsm", ClusterId=cluster_id)[1] == one_of
    both = {"HsmId": by_ip["HsmId"], "EniIp": by_ip["EniIp"]}
    assert refusal(hsms, "delete_hsm", ClusterId=cluster_id, **both)[1] == one_of
    assert hsms.delete_hsm(ClusterId=cluster_id, EniId=by_eni["EniId"])["HsmId"] == by_eni["HsmId"]
    assert hsms.delete_hsm(ClusterId=cluster_id, EniIp=by_ip["EniIp"])["HsmId"] == by_ip["HsmId"]
    gone = refusal(hsms, "delete_hsm", ClusterId=cluster_id, HsmId=by_ip["HsmId"])
    assert gone[0] == "CloudHsmResourceNotFoundException"


def test_an_hsm_is_cloned_only_from_one_that_is_active(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = active(aws, hsms)
    [only] = cluster(hsms, cluster_id)["Hsms"]
    aws.machines.removed = MachineState.RUNNING
    hsms.delete_hsm(ClusterId=cluster_id, HsmId=only["HsmId"])
    asked = {"ClusterId": cluster_id, "AvailabilityZone": ZONES[0]}
    assert "has no ACTIVE HSM" in refusal(hsms, "create_hsm", **asked)[1]
    again = refusal(hsms, "delete_hsm", ClusterId=cluster_id, HsmId=only["HsmId"])
    assert again[1] == f"HSM '{only['HsmId']}' is being deleted already."
    aws.machines.states[only["HsmId"]] = MachineState.GONE
    for backup in backups(hsms):
        hsms.delete_backup(BackupId=backup["BackupId"])
    assert "neither an HSM nor a READY backup" in refusal(hsms, "create_hsm", **asked)[1]


def test_what_is_not_there_is_not_found(hsms: BotoClient) -> None:
    arn = f"arn:aws:cloudhsm:{REGION}:{ACCOUNT}:backup/backup-aaaaaaaaaaa"
    for operation, asked in (
        ("create_hsm", {"ClusterId": ANYBODY, "AvailabilityZone": ZONES[0]}),
        ("delete_hsm", {"ClusterId": ANYBODY, "HsmId": "hsm-aaaaaaaaaaa"}),
        ("delete_cluster", {"ClusterId": ANYBODY}),
        ("modify_cluster", {"ClusterId": ANYBODY}),
        ("initialize_cluster", {"ClusterId": ANYBODY, "SignedCert": "x", "TrustAnchor": "x"}),
        ("delete_backup", {"BackupId": "backup-aaaaaaaaaaa"}),
        ("restore_backup", {"BackupId": "backup-aaaaaaaaaaa"}),
        ("modify_backup_attributes", {"BackupId": "backup-aaaaaaaaaaa", "NeverExpires": True}),
        ("copy_backup_to_region", {"BackupId": "backup-aaaaaaaaaaa", "DestinationRegion": OTHER_REGION}),
        ("list_tags", {"ResourceId": ANYBODY}),
        ("tag_resource", {"ResourceId": ANYBODY, "TagList": [{"Key": "a", "Value": "b"}]}),
        ("untag_resource", {"ResourceId": "backup-aaaaaaaaaaa", "TagKeyList": ["a"]}),
        ("get_resource_policy", {"ResourceArn": arn}),
        ("put_resource_policy", {"ResourceArn": arn, "Policy": "{}"}),
        ("delete_resource_policy", {"ResourceArn": arn}),
    ):
        assert refusal(hsms, operation, **asked)[0] == "CloudHsmResourceNotFoundException", operation
    assert hsms.describe_clusters(Filters={"clusterIds": [ANYBODY]})["Clusters"] == []


def test_clusters_are_filtered_and_paged_without_loss(aws: EmulatedAws, hsms: BotoClient) -> None:
    made = [create(hsms) for _ in range(7)]
    pages = list(hsms.get_paginator("describe_clusters").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["Clusters"]) for page in pages] == [3, 3, 1]
    assert [found["ClusterId"] for page in pages for found in page["Clusters"]] == made
    hsms.delete_cluster(ClusterId=made[0])

    def found(**filters: list[str]) -> int:
        return len(hsms.describe_clusters(Filters=filters)["Clusters"])

    assert found(states=["DELETED"]) == 1
    assert found(states=["UNINITIALIZED", "DELETED"]) == 7
    assert found(states=["UNINITIALIZED"], clusterIds=made[:2]) == 1
    assert found(vpcIds=[VPC]) == 7
    assert found(vpcIds=["vpc-0"]) == 0
    assert "valid filters are clusterIds, vpcIds, states" in refusal(hsms, "describe_clusters", Filters={"x": []})[1]
    assert refusal(hsms, "describe_clusters", NextToken="x")[1] == "The NextToken is not valid."


def test_a_restart_loses_nothing_and_asks_again_for_what_was_cut_off(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = create(hsms)
    first = add_hsm(hsms, cluster_id)
    before = cluster(hsms, cluster_id)
    aws.restart()
    assert cluster(hsms, cluster_id) == before
    claim(aws, hsms, cluster_id)
    aws.restart()
    assert cluster(hsms, cluster_id)["State"] == "INITIALIZED"
    assert first["HsmId"] in aws.machines.certified
    aws.cloudhsm.activate(cluster_id)

    aws.machines.built = MachineState.BUILDING
    cut_off, deleted = add_hsm(hsms, cluster_id), add_hsm(hsms, cluster_id)
    aws.machines.removed = MachineState.RUNNING
    hsms.delete_hsm(ClusterId=cluster_id, HsmId=deleted["HsmId"])
    aws.machines.removed = MachineState.GONE
    for hsm in (cut_off, deleted):
        del aws.machines.originals[hsm["HsmId"]]
    del aws.machines.states[cut_off["HsmId"]]
    aws.restart()
    assert aws.machines.originals == {first["HsmId"]: None, cut_off["HsmId"]: first["HsmId"]}
    assert aws.machines.states[deleted["HsmId"]] is MachineState.GONE
    assert [hsm["HsmId"] for hsm in cluster(hsms, cluster_id)["Hsms"]] == [first["HsmId"], cut_off["HsmId"]]


def test_the_state_is_a_private_file_that_reads_leave_alone(aws: EmulatedAws, hsms: BotoClient) -> None:
    create(hsms)
    hsms.describe_clusters()
    path = aws.folder.aws / "cloudhsm.json"
    written = path.stat()
    assert written.st_mode & 0o777 == 0o600
    hsms.describe_clusters()
    aws.client(region=OTHER_REGION).describe_clusters()
    assert path.stat().st_mtime_ns == written.st_mtime_ns


def test_a_cluster_is_modified_only_where_there_is_something_to_modify(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = create(hsms)
    policy = {"Type": "DAYS", "Value": "30"}
    for asked, expected in (
        ({"HsmType": "hsm1.medium"}, "Provided HsmType is not supported."),
        ({"HsmType": "hsm2m.medium"}, "The cluster is hsm2m.medium already."),
        ({}, "HsmType or BackupRetentionPolicy must be given."),
        ({"BackupRetentionPolicy": policy}, f"Cluster '{cluster_id}' is UNINITIALIZED, not ACTIVE."),
    ):
        assert refusal(hsms, "modify_cluster", ClusterId=cluster_id, **asked)[1] == expected
