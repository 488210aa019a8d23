"""Proves that backups, their tags and their policies behave as CloudHSM's do, on a clock that moves by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_lab import (
    ACCOUNT,
    OTHER_REGION,
    REGION,
    SUBNET_IDS,
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

DAY = 86_400


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[EmulatedAws]:
    with EmulatedAws(tmp_path) as aws:
        yield aws


@pytest.fixture
def hsms(aws: EmulatedAws) -> BotoClient:
    return aws.client("cloudhsmv2")


def test_backups_are_taken_when_the_cluster_changes(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = create(hsms)
    hsm = add_hsm(hsms, cluster_id)
    claim(aws, hsms, cluster_id)
    assert backups(hsms) == []
    aws.cloudhsm.activate(cluster_id)
    assert [backup["BackupState"] for backup in backups(hsms)] == ["READY"]
    aws.now.advance(60)
    add_hsm(hsms, cluster_id)
    aws.now.advance(60)
    hsms.delete_hsm(ClusterId=cluster_id, HsmId=hsm["HsmId"])
    taken = backups(hsms, clusterIds=[cluster_id])
    assert [backup["CreateTimestamp"].timestamp() - aws.now() for backup in taken] == [0, -60, -120]
    ascending = hsms.describe_backups(SortAscending=True)["Backups"]
    assert ascending == taken[::-1]
    assert taken[0]["BackupArn"] == f"arn:aws:cloudhsm:{REGION}:{ACCOUNT}:backup/{taken[0]['BackupId']}"
    assert hsms.describe_backups(Shared=True)["Backups"] == []
    pages = list(hsms.get_paginator("describe_backups").paginate(PaginationConfig={"PageSize": 2}))
    assert [backup for page in pages for backup in page["Backups"]] == taken


def test_a_backup_is_copied_to_another_region(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = active(aws, hsms)
    [source] = backups(hsms)
    hsms.tag_resource(ResourceId=source["BackupId"], TagList=[{"Key": "a", "Value": "1"}])
    aws.now.advance(60)
    told = hsms.copy_backup_to_region(BackupId=source["BackupId"], DestinationRegion=OTHER_REGION)["DestinationBackup"]
    assert told == {
        "CreateTimestamp": source["CreateTimestamp"],
        "SourceRegion": REGION,
        "SourceBackup": source["BackupId"],
        "SourceCluster": cluster_id,
    }
    elsewhere = aws.client(region=OTHER_REGION)
    [copy] = backups(elsewhere, sourceBackupIds=[source["BackupId"]], states=["READY"])
    assert copy["TagList"] == [{"Key": "a", "Value": "1"}]
    assert copy["CopyTimestamp"].timestamp() == aws.now()
    assert copy["BackupId"] != source["BackupId"]
    assert "ClusterId" not in copy
    tags = [{"Key": "b", "Value": "2"}]
    elsewhere.copy_backup_to_region(BackupId=copy["BackupId"], DestinationRegion="eu-west-1", TagList=tags)
    [third] = backups(aws.client(region="eu-west-1"))
    assert (third["TagList"], third["SourceCluster"]) == (tags, cluster_id)
    for region in (REGION, "us-east-9"):
        asked = {"BackupId": source["BackupId"], "DestinationRegion": region}
        assert "cannot be copied" in refusal(hsms, "copy_backup_to_region", **asked)[1]


def test_a_deleted_backup_can_be_restored_for_seven_days(aws: EmulatedAws, hsms: BotoClient) -> None:
    active(aws, hsms)
    backup_id = backups(hsms)[0]["BackupId"]
    assert refusal(hsms, "restore_backup", BackupId=backup_id)[0] == "CloudHsmInvalidRequestException"
    deleted = hsms.delete_backup(BackupId=backup_id)["Backup"]
    assert deleted["BackupState"] == "PENDING_DELETION"
    assert deleted["DeleteTimestamp"].timestamp() == aws.now() + 7 * DAY
    for operation, asked in (
        ("delete_backup", {}),
        ("copy_backup_to_region", {"DestinationRegion": OTHER_REGION}),
    ):
        assert "PENDING_DELETION, not READY" in refusal(hsms, operation, BackupId=backup_id, **asked)[1]
    aws.now.advance(7 * DAY - 1)
    restored = hsms.restore_backup(BackupId=backup_id)["Backup"]
    assert restored["BackupState"] == "READY"
    assert "DeleteTimestamp" not in restored
    hsms.delete_backup(BackupId=backup_id)
    aws.now.advance(7 * DAY)
    assert backups(hsms)[0]["BackupState"] == "DELETED"
    assert refusal(hsms, "restore_backup", BackupId=backup_id)[0] == "CloudHsmResourceNotFoundException"
    aws.now.advance(3600)
    assert backups(hsms) == []


def test_old_backups_are_purged_by_policy_but_never_the_last(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = active(aws, hsms)
    kept, purged, last = "kept", "purged", "last"
    for _ in (purged, last):
        aws.now.advance(60)
        add_hsm(hsms, cluster_id)
    kept, purged, last = (backup["BackupId"] for backup in hsms.describe_backups(SortAscending=True)["Backups"])
    assert hsms.modify_backup_attributes(BackupId=kept, NeverExpires=True)["Backup"]["NeverExpires"] is True
    policy = {"Type": "DAYS", "Value": "7"}
    modified = hsms.modify_cluster(ClusterId=cluster_id, BackupRetentionPolicy=policy)["Cluster"]
    assert modified["BackupRetentionPolicy"] == policy
    aws.now.advance(7 * DAY)
    states = {backup["BackupId"]: backup["BackupState"] for backup in backups(hsms)}
    assert states == {kept: "READY", purged: "PENDING_DELETION", last: "READY"}
    assert [backup["BackupId"] for backup in backups(hsms, neverExpires=["true"])] == [kept]


def test_a_cluster_scaled_to_zero_comes_back_from_its_newest_backup(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = active(aws, hsms)
    [hsm] = cluster(hsms, cluster_id)["Hsms"]
    aws.now.advance(60)
    hsms.delete_hsm(ClusterId=cluster_id, HsmId=hsm["HsmId"])
    assert cluster(hsms, cluster_id)["Hsms"] == []
    newest, activation = (backup["BackupId"] for backup in backups(hsms))
    restored = add_hsm(hsms, cluster_id)
    assert aws.machines.originals[restored["HsmId"]] == newest
    assert len(backups(hsms)) == 2, "there was no HSM to back up"
    hsms.delete_hsm(ClusterId=cluster_id, HsmId=cluster(hsms, cluster_id)["Hsms"][0]["HsmId"])
    for backup in backups(hsms):
        if backup["BackupId"] != activation:
            hsms.delete_backup(BackupId=backup["BackupId"])
    assert aws.machines.originals[add_hsm(hsms, cluster_id)["HsmId"]] == activation


def test_a_cluster_made_from_a_backup_is_active_and_shares_its_certificate(aws: EmulatedAws, hsms: BotoClient) -> None:
    source = active(aws, hsms)
    backup = backups(hsms)[0]
    hsms.copy_backup_to_region(BackupId=backup["BackupId"], DestinationRegion=OTHER_REGION)
    for name in (backup["BackupId"], backup["BackupArn"]):
        restored = cluster(hsms, create(hsms, SourceBackupId=name))
        assert (restored["State"], restored["Hsms"]) == ("ACTIVE", [])
        assert restored["SourceBackupId"] == backup["BackupId"]
        assert restored["Certificates"] == cluster(hsms, source)["Certificates"]
        hsm = add_hsm(hsms, restored["ClusterId"])
        assert aws.machines.originals[hsm["HsmId"]] == backup["BackupId"]


def test_what_a_backup_forbids_is_not_restored(aws: EmulatedAws, hsms: BotoClient) -> None:
    active(aws, hsms)
    backup = backups(hsms)[0]
    asked: dict[str, Any] = {"HsmType": "hsm2m.medium", "SubnetIds": SUBNET_IDS, "Mode": "FIPS"}
    for other, expected in (
        ({"SourceBackupId": backup["BackupArn"].replace(ACCOUNT, "999999999999")}, "is not a backup of this region"),
        ({"SourceBackupId": "backup-aaaaaaaaaaa"}, "does not exist"),
        ({"SourceBackupId": backup["BackupId"], "Mode": "NON_FIPS"}, "is FIPS and cannot be restored to NON_FIPS"),
    ):
        assert expected in refusal(hsms, "create_cluster", **(asked | other))[1]
    hsms.delete_backup(BackupId=backup["BackupId"])
    refused = refusal(hsms, "create_cluster", SourceBackupId=backup["BackupId"], **asked)
    assert "PENDING_DELETION, not READY" in refused[1]


def test_the_contents_of_a_backup_go_with_its_last_copy(aws: EmulatedAws, hsms: BotoClient) -> None:
    active(aws, hsms)
    [backup] = backups(hsms)
    content = aws.folder.backups / backup["BackupId"]
    content.mkdir(parents=True)
    hsms.copy_backup_to_region(BackupId=backup["BackupId"], DestinationRegion=OTHER_REGION)
    elsewhere = aws.client(region=OTHER_REGION)
    [copy] = backups(elsewhere)
    for client, backup_id, kept in ((hsms, backup["BackupId"], True), (elsewhere, copy["BackupId"], False)):
        client.delete_backup(BackupId=backup_id)
        for seconds in (7 * DAY, 3600):
            aws.now.advance(seconds)
            backups(client)
        assert content.exists() is kept


def test_contents_without_a_backup_are_swept_by_the_next_service(aws: EmulatedAws, hsms: BotoClient) -> None:
    active(aws, hsms)
    known = backups(hsms)[0]["BackupId"]
    for name in (known, "backup-aaaaaaaaaaa", ".backup-bbbbbbbbbbb"):
        (aws.folder.backups / name).mkdir(parents=True)
    aws.restart()
    assert [folder.name for folder in aws.folder.backups.iterdir()] == [known]


def test_tags_are_added_changed_listed_and_removed(hsms: BotoClient) -> None:
    cluster_id = create(hsms, TagList=[{"Key": "stage", "Value": "test"}])
    many = [{"Key": f"key {number:02}", "Value": ""} for number in range(49)]
    hsms.tag_resource(ResourceId=cluster_id, TagList=[*many[:48], {"Key": "stage", "Value": "prod"}])
    hsms.tag_resource(ResourceId=cluster_id, TagList=many[48:])
    pages = list(hsms.get_paginator("list_tags").paginate(ResourceId=cluster_id, PaginationConfig={"PageSize": 20}))
    listed = [tag for page in pages for tag in page["TagList"]]
    assert listed == [*many, {"Key": "stage", "Value": "prod"}]
    one_more = [{"Key": "one more", "Value": ""}]
    full = refusal(hsms, "tag_resource", ResourceId=cluster_id, TagList=one_more)
    assert full[0] == "CloudHsmResourceLimitExceededException"
    for wrong in ([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], [{"Key": "aws:a", "Value": "1"}]):
        assert refusal(hsms, "tag_resource", ResourceId=cluster_id, TagList=wrong)[0] == "CloudHsmTagException"
    hsms.untag_resource(ResourceId=cluster_id, TagKeyList=[*(tag["Key"] for tag in many), "never there"])
    assert hsms.list_tags(ResourceId=cluster_id)["TagList"] == [{"Key": "stage", "Value": "prod"}]
    assert cluster(hsms, cluster_id)["TagList"] == [{"Key": "stage", "Value": "prod"}]


def test_policies_belong_to_ready_backups_alone(aws: EmulatedAws, hsms: BotoClient) -> None:
    cluster_id = active(aws, hsms)
    backup = backups(hsms)[0]
    arn = backup["BackupArn"]
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]}'
    assert hsms.put_resource_policy(ResourceArn=arn, Policy=policy)["Policy"] == policy
    aws.restart()
    assert hsms.get_resource_policy(ResourceArn=arn)["Policy"] == policy
    assert hsms.delete_resource_policy(ResourceArn=arn)["Policy"] == policy
    assert refusal(hsms, "get_resource_policy", ResourceArn=arn)[0] == "CloudHsmResourceNotFoundException"
    of_cluster = f"arn:aws:cloudhsm:{REGION}:{ACCOUNT}:cluster/{cluster_id}"
    for asked, expected in (
        ({"ResourceArn": arn, "Policy": "{"}, "The policy is not JSON."),
        ({"ResourceArn": arn, "Policy": "[1]"}, "The policy has no Statement."),
        ({"ResourceArn": of_cluster, "Policy": policy}, "Only backups have resource policies."),
        ({"Policy": policy}, "ResourceArn must be given."),
    ):
        assert refusal(hsms, "put_resource_policy", **asked)[1] == expected
    foreign = arn.replace(ACCOUNT, "999999999999")
    gone = refusal(hsms, "put_resource_policy", ResourceArn=foreign, Policy=policy)
    assert gone[0] == "CloudHsmResourceNotFoundException"
    hsms.delete_backup(BackupId=backup["BackupId"])
    refused = refusal(hsms, "put_resource_policy", ResourceArn=arn, Policy=policy)
    assert "PENDING_DELETION, not READY" in refused[1]
