"""Proves that the lab's CloudTrail tells who asked for which change, keeps it over a restart, and hides secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aws_lab import ANYBODY, EmulatedAws, add_hsm, create, refusal


def events(aws: EmulatedAws, key: str, value: str, **more: object) -> list[Any]:
    """What LookupEvents answers about one attribute."""
    asked = [{"AttributeKey": key, "AttributeValue": value}]
    found: list[Any] = aws.client("cloudtrail").lookup_events(LookupAttributes=asked, **more)["Events"]
    return found


def test_changes_are_told_with_who_and_what_and_reads_are_not(tmp_path: Path) -> None:
    with EmulatedAws(tmp_path, whole=True) as aws:
        hsms = aws.client()
        cluster_id = create(hsms)
        hsms.describe_clusters()
        hsm = add_hsm(hsms, cluster_id)
        aws.now.advance(60)
        hsms.delete_hsm(ClusterId=cluster_id, HsmId=hsm["HsmId"])
        refusal(hsms, "delete_cluster", ClusterId=ANYBODY)
        told = events(aws, "EventSource", "cloudhsm.amazonaws.com")
        assert [each["EventName"] for each in told] == ["DeleteCluster", "DeleteHsm", "CreateHsm", "CreateCluster"]
        assert {each["Username"] for each in told} == {"lab"}
        record = json.loads(next(each for each in told if each["EventName"] == "DeleteCluster")["CloudTrailEvent"])
        assert record["errorCode"] == "CloudHsmResourceNotFoundException"
        interface = events(aws, "ResourceName", hsm["EniId"])
        service = [each for each in interface if each["EventSource"] == "ec2.amazonaws.com"]
        assert [each["EventName"] for each in service] == ["DeleteNetworkInterface", "CreateNetworkInterface"]
        assert json.loads(service[0]["CloudTrailEvent"])["userIdentity"]["invokedBy"] == "cloudhsm.amazonaws.com"
        assert [each["EventName"] for each in events(aws, "EventName", "DeleteHsm", StartTime=aws.now.moment)] == [
            "DeleteHsm"
        ]
        first = aws.client("cloudtrail").lookup_events(MaxResults=2)
        assert len(first["Events"]) == 2
        assert len(aws.client("cloudtrail").lookup_events(NextToken=first["NextToken"])["Events"]) == 4


def test_who_it_was_comes_from_iam_and_a_torn_line_and_secrets_are_left_out(tmp_path: Path) -> None:
    with EmulatedAws(tmp_path, whole=True) as aws:
        aws.client("iam").create_user(UserName="mallory")
        key = aws.client("iam").create_access_key(UserName="mallory")["AccessKey"]["AccessKeyId"]
        create(aws.client(key_id=key))
        kept = tmp_path / "aws" / "cloudtrail.jsonl"
        assert kept.stat().st_mode & 0o777 == 0o600
        with kept.open("ab") as stream:
            stream.write(b'{"torn')
        refusal(aws.client(), "delete_cluster", ClusterId=ANYBODY)
        assert events(aws, "EventName", "CreateCluster")[0]["Username"] == "mallory"
        assert len(events(aws, "EventName", "DeleteCluster")) == 1
        assert "SecretAccessKey" not in kept.read_text()
