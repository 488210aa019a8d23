"""Proves that moto answers what is not our own, sees the lab's network, and remembers what was done to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_lab import (
    ACCOUNT,
    OTHER_REGION,
    REGION,
    SUBNET_IDS,
    SUBNETS,
    VPC,
    ZONES,
    BotoClient,
    EmulatedAws,
    Shown,
    active,
    add_hsm,
    cluster,
)
from boto3.session import Session
from botocore.exceptions import ClientError

from hsmctl.lab.machines import MachineState, Place
from hsmctl.lab.motojournal import MotoJournal


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[EmulatedAws]:
    with EmulatedAws(tmp_path, whole=True) as aws:
        yield aws


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedAws]:
    """For tests that leave nothing behind; moto's state is the process's, so they come first."""
    with EmulatedAws(tmp_path_factory.mktemp("lab"), whole=True) as aws:
        yield aws


def error_of(client: BotoClient, operation: str, **asked: object) -> tuple[str, int, int]:
    """Code, status and number of retries of a refused call."""
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)(**asked)
    metadata = refused.value.response["ResponseMetadata"]
    return refused.value.response["Error"]["Code"], metadata["HTTPStatusCode"], metadata["RetryAttempts"]


def test_neither_a_supervisor_nor_an_hsm_waits_for_moto() -> None:
    program = "import sys, hsmctl.lab.supervisor, hsmctl.lab.node; print({'moto', 'flask', 'boto3'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("service", "operation", "asked"),
    [
        ("ec2", "describe_client_vpn_endpoints", {}),
        ("kms", "describe_custom_key_stores", {}),
        ("iam", "simulate_principal_policy", {"PolicySourceArn": "arn:aws:iam::1:user/x", "ActionNames": ["a:b"]}),
        ("networkmanager", "start_organization_service_access_update", {"Action": "ENABLE"}),
        ("pricing", "describe_services", {}),
    ],
)
def test_what_nobody_emulates_is_refused_in_aws_shape_and_not_tried_again(
    shared: EmulatedAws, service: str, operation: str, asked: dict[str, object]
) -> None:
    assert error_of(shared.client(service), operation, **asked) == ("NotImplementedInLab", 501, 0)


def test_mistakes_get_the_service_s_own_error(shared: EmulatedAws) -> None:
    assert error_of(shared.client("ec2"), "describe_vpcs", VpcIds=["vpc-00000000"])[0] == "InvalidVpcID.NotFound"
    assert error_of(shared.client("logs"), "describe_log_streams", logGroupName="x")[0] == "ResourceNotFoundException"
    assert error_of(shared.client("iam"), "get_user", UserName="nobody")[0] == "NoSuchEntity"


def test_every_call_is_announced_once_before_it_is_answered(shared: EmulatedAws) -> None:
    shared.before.clear()
    shared.client("ec2", OTHER_REGION).describe_vpcs()
    shared.client().describe_clusters()
    shared.client("sts").get_caller_identity()
    assert shared.before == [
        ("ec2", "DescribeVpcs", OTHER_REGION),
        ("cloudhsm", "DescribeClusters", REGION),
        ("sts", "GetCallerIdentity", REGION),
    ]


def test_the_network_of_the_lab_is_in_ec2(aws: EmulatedAws) -> None:
    hsms, ec2 = aws.client(), aws.client("ec2")
    cluster_id = active(aws, hsms)
    hsm = cluster(hsms, cluster_id)["Hsms"][0]
    [vpc] = ec2.describe_vpcs(VpcIds=[VPC])["Vpcs"]
    assert (vpc["CidrBlock"], vpc["OwnerId"]) == ("127.16.0.0/18", ACCOUNT)
    subnets = ec2.describe_subnets(SubnetIds=SUBNET_IDS)["Subnets"]
    shown = {subnet["AvailabilityZone"]: (subnet["SubnetId"], subnet["CidrBlock"]) for subnet in subnets}
    assert shown == {zone: (subnet.subnet_id, subnet.cidr) for zone, subnet in SUBNETS.items()}
    group_id = cluster(hsms, cluster_id)["SecurityGroup"]
    [group] = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    assert group["GroupName"] == f"cloudhsm-cluster-{cluster_id}-sg"
    [rule] = group["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"]) == (2223, 2225)
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [group_id]
    [interface] = interfaces(ec2, group_id)
    assert (interface["NetworkInterfaceId"], interface["PrivateIpAddress"]) == (hsm["EniId"], hsm["EniIp"])
    assert (interface["SubnetId"], interface["Status"]) == (hsm["SubnetId"], "in-use")

    added = add_hsm(hsms, cluster_id, ZONES[1])
    assert {each["NetworkInterfaceId"] for each in interfaces(ec2, group_id)} == {hsm["EniId"], added["EniId"]}
    for each in (hsm, added):
        hsms.delete_hsm(ClusterId=cluster_id, HsmId=each["HsmId"])
    assert interfaces(ec2, group_id) == []
    hsms.delete_cluster(ClusterId=cluster_id)
    hsms.describe_clusters()
    assert error_of(ec2, "describe_security_groups", GroupIds=[group_id])[:2] == ("InvalidGroup.NotFound", 400)


def interfaces(ec2: BotoClient, group_id: str) -> list[Shown]:
    found: list[Shown] = ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": [group_id]}])[
        "NetworkInterfaces"
    ]
    return found


def test_what_was_done_is_there_after_a_restart(tmp_path: Path) -> None:
    with EmulatedAws(tmp_path, whole=True) as aws:
        active(aws, aws.client())
        before = worked(aws)
        seen = described(aws)
    with EmulatedAws(tmp_path, whole=True) as aws:
        assert described(aws) == seen
        assert before <= json.dumps(seen).count(VPC)
        again = aws.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        assert again not in json.dumps(seen)


def worked(aws: EmulatedAws) -> int:
    """Change a few services in two regions, reading in between; how often our VPC is at least named then."""
    ec2, elsewhere, keys, logs = (aws.client(*at) for at in (("ec2",), ("ec2", OTHER_REGION), ("kms",), ("logs",)))
    elsewhere.describe_vpcs()
    vpc_id = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    far_id = elsewhere.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    ec2.describe_vpcs()
    peering = ec2.create_vpc_peering_connection(VpcId=VPC, PeerVpcId=vpc_id)["VpcPeeringConnection"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering["VpcPeeringConnectionId"])
    ec2.create_vpc_peering_connection(VpcId=VPC, PeerVpcId=far_id, PeerRegion=OTHER_REGION)
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [VPC]}])["RouteTables"]
    ec2.create_route(
        RouteTableId=tables[0]["RouteTableId"],
        DestinationCidrBlock="10.1.0.0/16",
        VpcPeeringConnectionId=peering["VpcPeeringConnectionId"],
    )
    error_of(ec2, "create_route", RouteTableId="rtb-00000000", DestinationCidrBlock="10.1.0.0/16", GatewayId="local")
    ec2.create_network_interface(SubnetId=SUBNET_IDS[0])
    keys.create_key(Description="kept")
    logs.create_log_group(logGroupName="kept")
    return 4


def described(aws: EmulatedAws) -> dict[str, Any]:
    """Ids and links of what is there, without the times, which move."""
    ec2, elsewhere = aws.client("ec2"), aws.client("ec2", OTHER_REGION)
    return {
        "vpcs": [client.describe_vpcs()["Vpcs"] for client in (ec2, elsewhere)],
        "subnets": ec2.describe_subnets()["Subnets"],
        "peerings": [
            (each["VpcPeeringConnectionId"], each["RequesterVpcInfo"]["VpcId"], each["Status"]["Code"])
            for client in (ec2, elsewhere)
            for each in client.describe_vpc_peering_connections()["VpcPeeringConnections"]
        ],
        "routes": ec2.describe_route_tables()["RouteTables"],
        "groups": ec2.describe_security_groups()["SecurityGroups"],
        "rules": ec2.describe_security_group_rules()["SecurityGroupRules"],
        "acls": ec2.describe_network_acls()["NetworkAcls"],
        "interfaces": sorted(
            (each["NetworkInterfaceId"], each["PrivateIpAddress"])
            for each in ec2.describe_network_interfaces()["NetworkInterfaces"]
        ),
        "keys": [key["KeyId"] for key in aws.client("kms").list_keys()["Keys"]],
        "groups of logs": [each["logGroupName"] for each in aws.client("logs").describe_log_groups()["logGroups"]],
    }


def test_an_unfinished_line_of_the_journal_is_dropped(tmp_path: Path) -> None:
    with EmulatedAws(tmp_path, whole=True) as aws:
        aws.client("logs").create_log_group(logGroupName="first")
    path = tmp_path / "aws" / "moto.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("ab") as stream:
        stream.write(b'{"seed": 1, "ca')
    with EmulatedAws(tmp_path, whole=True) as aws:
        aws.client("logs").create_log_group(logGroupName="second")
    assert [entry.call.operation for entry in MotoJournal(path).entries()] == ["CreateLogGroup"] * 2
    with EmulatedAws(tmp_path, whole=True) as aws:
        groups = aws.client("logs").describe_log_groups()["logGroups"]
        assert [group["logGroupName"] for group in groups] == ["first", "second"]


def test_keys_that_sts_gave_out_are_let_in_and_are_somebody_else(aws: EmulatedAws) -> None:
    policy = {"Version": "2012-10-17", "Statement": []}
    role = aws.client("iam").create_role(RoleName="auditor", AssumeRolePolicyDocument=json.dumps(policy))["Role"]
    given = aws.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="me")["Credentials"]
    session = Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name=REGION)
    identity = session.client("sts", endpoint_url=aws.url).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/auditor/me"
    assert session.client("cloudhsmv2", endpoint_url=aws.url).describe_clusters()["Clusters"] == []
    assert aws.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/lab"


def test_metrics_are_what_the_hsms_count(aws: EmulatedAws) -> None:
    hsms, cloudwatch = aws.client(), aws.client("cloudwatch")
    cluster_id = active(aws, hsms)
    well = cluster(hsms, cluster_id)["Hsms"][0]["HsmId"]
    dead = add_hsm(hsms, cluster_id, ZONES[1])["HsmId"]
    cluster(hsms, cluster_id)
    aws.machines.states[dead] = MachineState.DEAD
    expected = {
        "HsmUnhealthy": 0.0,
        "HsmKeysTokenOccupied": 7.0,
        "HsmKeysSessionOccupied": 0.0,
        "HsmSessionCount": 2.0,
        "HsmUsersAvailable": 1021.0,
    }
    for name, value in expected.items():
        assert values(cloudwatch, name, cluster_id, well) == [value]
    assert values(cloudwatch, "HsmUnhealthy", cluster_id, dead) == [1.0]
    assert values(cloudwatch, "HsmKeysTokenOccupied", cluster_id, dead) == []
    assert values(cloudwatch, "HsmTemperature", cluster_id, well) == []
    listed = cloudwatch.list_metrics(Namespace="AWS/CloudHSM", MetricName="HsmUnhealthy")["Metrics"]
    dimensions = [sorted(each["Name"] for each in metric["Dimensions"]) for metric in listed]
    assert sorted(dimensions) == [["ClusterId"], ["ClusterId", "HsmId"], ["ClusterId", "HsmId"], ["Region"]]


def values(cloudwatch: BotoClient, name: str, cluster_id: str, hsm_id: str) -> list[float]:
    """An HSM's values of the last minutes."""
    dimensions = [{"Name": "ClusterId", "Value": cluster_id}, {"Name": "HsmId", "Value": hsm_id}]
    metric = {"Namespace": "AWS/CloudHSM", "MetricName": name, "Dimensions": dimensions}
    now = datetime.now(UTC)
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Maximum"}}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
    )
    found: list[float] = answer["MetricDataResults"][0]["Values"]
    return found


def test_audit_entries_reach_their_stream_once_and_in_order(aws: EmulatedAws) -> None:
    logs = aws.client("logs")
    place = Place(cluster_id="cluster-aaaaaaaaaaa", hsm_id="hsm-aaaaaaaaaaa", zone=ZONES[0], address="127.16.1.10")
    aws.audit.initialized(place)
    aws.audit.activated(place, ("ops_cu",))
    stream = {"logGroupName": "/aws/cloudhsm/cluster-aaaaaaaaaaa", "logStreamName": "hsm-aaaaaaaaaaa"}
    first = logs.get_log_events(**stream, startFromHead=True)["events"]
    assert len(first) == 7
    aws.audit.heard(place, {"event": "login", "user": "ops_cu", "role": "crypto-user", "response": "CKR_PIN_INCORRECT"})
    aws.audit.heard(place, {"event": "created", "user": "ops_cu", "names": ["a.object", "b.object"]})
    aws.audit.heard(place, {"event": "destroyed", "user": "ops_cu", "names": ["a.object"]})
    aws.audit.heard(place, {"event": "something else"})
    entries = [fields(event["message"]) for event in logs.get_log_events(**stream, startFromHead=True)["events"]]
    assert [int(entry["Sequence No"], 16) for entry in entries] == list(range(10))
    assert [entry["Opcode"].split()[0] for entry in entries] == [
        *("CN_INIT_TOKEN", "CN_GEN_PSWD_ENC_KEY", "CN_CREATE_APPLIANCE_USER", "CN_INIT_DONE"),
        *("CN_CHANGE_PSWD", "CN_LOGIN", "CN_CREATE_USER"),
        *("CN_LOGIN", "CN_GENERATE_KEY_PAIR", "CN_TOMBSTONE_OBJECT"),
    ]
    assert entries[4]["User Type"] == "CN_CRYPTO_PRE_OFFICER (6)"
    assert (entries[7]["User Name"], entries[7]["Response"].split(":")[0]) == ("ops_cu", "163")
    pair, gone = entries[8], entries[9]
    assert pair["Priv/Secret Key Handle"] == gone["Priv/Secret Key Handle"] != pair["Public Key Handle"] != "0"
    assert gone["Public Key Handle"] == "0"
    seconds = int(entries[0]["Time"].rpartition("usecs:")[2]) / 1_000_000
    assert seconds == aws.now()
    found = logs.filter_log_events(logGroupName=stream["logGroupName"], filterPattern="CN_CREATE_USER")["events"]
    assert len(found) == 1


def fields(message: str) -> dict[str, str]:
    """An entry's fields, split as the user guide says."""
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in message.splitlines())}
