"""Proves with live HSMs that backups bring back keys and users, and that metrics and audit logs are the HSMs' own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_lab import BotoClient
from boto3.session import Session
from live import LiveLab, until

from hsmctl.domain.cluster import Hsm
from hsmctl.domain.key import KeyKind
from hsmctl.errors import Denied
from hsmctl.ports import LabOptions, Login
from hsmctl.secret import Secret


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveLab]:
    """A cluster of one HSM with a pair and a key."""
    live = LiveLab(tmp_path_factory.mktemp("lab"), LabOptions(hsms=1, zones=1, seed_keys=0))
    try:
        live.start()
        live.create()
        (only,) = live.hsms()
        live.generate(only, KeyKind.AES, "256", "secret")
        live.generate(only, KeyKind.EC, "P-256", "pair")
        yield live
    finally:
        live.program.reset()


def client(lab: LiveLab, service: str) -> BotoClient:
    status = lab.program.status()
    made: Any = Session()
    return made.client(
        service,
        region_name=status.env["AWS_REGION"],
        endpoint_url=status.endpoint_url,
        aws_access_key_id=status.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=status.env["AWS_SECRET_ACCESS_KEY"],
    )


def test_metrics_and_audit_log_are_those_of_the_hsm(lab: LiveLab) -> None:
    (hsm,) = lab.hsms()
    with pytest.raises(Denied):
        lab.inventory(hsm, Login(user="ops_cu", password=Secret("wrong wrong")))
    dimensions = [{"Name": "ClusterId", "Value": lab.cluster().cluster_id}, {"Name": "HsmId", "Value": hsm.hsm_id}]
    metric = {"Namespace": "AWS/CloudHSM", "MetricName": "HsmKeysTokenOccupied", "Dimensions": dimensions}
    now = datetime.now(UTC)
    answer = client(lab, "cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Maximum"}}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
    )
    assert answer["MetricDataResults"][0]["Values"] == [3.0]

    events = client(lab, "logs").get_log_events(
        logGroupName=f"/aws/cloudhsm/{lab.cluster().cluster_id}", logStreamName=hsm.hsm_id, startFromHead=True
    )["events"]
    logged = [
        line.split(":")[1].split()[0] for event in events for line in event["message"].splitlines() if "Opcode" in line
    ]
    assert logged[:4] == ["CN_INIT_TOKEN", "CN_GEN_PSWD_ENC_KEY", "CN_CREATE_APPLIANCE_USER", "CN_INIT_DONE"]
    assert logged[4:7] == ["CN_CHANGE_PSWD", "CN_LOGIN", "CN_CREATE_USER"]
    assert [name for name in logged[7:] if name != "CN_LOGIN"] == ["CN_GENERATE_KEY", "CN_GENERATE_KEY_PAIR"]
    assert "RET_USER_LOGIN_FAILURE" in events[-1]["message"]


def test_ec2_and_what_was_done_there_outlive_the_supervisor(lab: LiveLab) -> None:
    (hsm,) = lab.hsms()
    vpc_id = client(lab, "ec2").create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    lab.program.stop()
    lab.start()
    ec2 = client(lab, "ec2")
    assert ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]["CidrBlock"] == "10.7.0.0/16"
    [interface] = ec2.describe_network_interfaces(NetworkInterfaceIds=[hsm.eni_id])["NetworkInterfaces"]
    assert (interface["PrivateIpAddress"], interface["VpcId"]) == (str(hsm.address), lab.cluster().vpc_id)


def test_keys_and_users_come_back_from_a_backup(lab: LiveLab) -> None:
    hsms = client(lab, "cloudhsmv2")
    cluster_id = lab.cluster().cluster_id
    (hsm,) = lab.hsms()
    keys = lab.inventory(hsm).keys
    assert len(keys) == 3
    hsms.delete_hsm(ClusterId=cluster_id, HsmId=hsm.hsm_id)
    until(lambda: not lab.cluster().hsms)
    lab.add(str(hsm.zone))
    (again,) = lab.hsms()
    assert again.hsm_id != hsm.hsm_id
    assert set(lab.inventory(again).keys) == set(keys)

    backup = hsms.describe_backups()["Backups"][0]
    subnets = list((lab.program.status().subnets or {}).values())
    asked = {"HsmType": "hsm2m.medium", "Mode": "FIPS", "SubnetIds": subnets, "SourceBackupId": backup["BackupId"]}
    other_id = hsms.create_cluster(**asked)["Cluster"]["ClusterId"]
    hsms.create_hsm(ClusterId=other_id, AvailabilityZone=hsm.zone)
    until(lambda: bool(restored(lab, other_id)))
    (copy,) = restored(lab, other_id)
    assert set(lab.inventory(copy).keys) == set(keys)


def restored(lab: LiveLab, cluster_id: str) -> list[Hsm]:
    (cluster,) = [cluster for cluster in lab.plane.clusters() if cluster.cluster_id == cluster_id]
    return list(cluster.active_hsms)
