"""Proves that CloudTrail's events and the HSMs' audit logs are read as AWS sends them, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from aws_lab import ANYBODY, ZONES, EmulatedAws, active, add_hsm, refusal

from hsmctl.adapters.aws_trail import AwsAuditLog, AwsTrail
from hsmctl.errors import Conflict
from hsmctl.lab.machines import Place

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedAws]:
    with EmulatedAws(tmp_path_factory.mktemp("aws"), whole=True) as served:
        yield served


def test_events_say_who_did_what_to_which_and_why_not(aws: EmulatedAws) -> None:
    hsms = aws.client()
    cluster_id = active(aws, hsms)
    hsm = add_hsm(hsms, cluster_id, ZONES[1])
    refusal(hsms, "delete_cluster", ClusterId=ANYBODY)
    trail, now = AwsTrail(lambda: aws.client("cloudtrail")), aws.now.moment
    recorded = trail.of_service(now - HOUR, now + HOUR)
    assert not recorded.cut
    refused = next(each for each in recorded.events if each.name == "DeleteCluster")
    assert refused.error.startswith("CloudHsmResourceNotFoundException: ")
    made = next(each for each in recorded.events if each.name == "CreateHsm")
    assert {cluster_id, hsm["HsmId"], hsm["EniId"]} <= made.mentions
    assert (made.who, made.service, made.read_only) == ("arn:aws:iam::123456789012:user/lab", "cloudhsm", False)
    (interface,) = (each for each in trail.of_resource(hsm["EniId"], now - HOUR, now).events if each.service == "ec2")
    assert (interface.name, interface.invoked_by) == ("CreateNetworkInterface", "cloudhsm.amazonaws.com")
    assert trail.of_service(now + HOUR, now + 2 * HOUR).events == []


def test_more_pages_than_are_asked_for_are_said(aws: EmulatedAws) -> None:
    for _ in range(60):
        refusal(aws.client(), "delete_cluster", ClusterId=ANYBODY)
    now = aws.now.moment
    recorded = AwsTrail(lambda: aws.client("cloudtrail"), pages=1).of_service(now - HOUR, now + HOUR)
    assert (recorded.cut, len(recorded.events)) == (True, 50)


def test_audit_logs_are_read_stream_by_stream_and_a_group_that_is_not_there_is_told(aws: EmulatedAws) -> None:
    place = Place(hsm_id="hsm-aaaaaaaaaaa", cluster_id="cluster-logged0000", zone=ZONES[0], address="127.16.1.9")
    aws.audit.initialized(place)
    aws.audit.activated(place, ("ops",))
    log, now = AwsAuditLog(lambda: aws.client("logs")), aws.now.moment
    assert log.streams("cluster-logged0000", now - HOUR) == ("hsm-aaaaaaaaaaa",)
    logged = log.entries("cluster-logged0000", "hsm-aaaaaaaaaaa", now - HOUR, now + HOUR)
    assert [each.sequence for each in logged.entries] == list(range(7))
    assert (logged.entries[-1].opcode, logged.entries[-1].user) == ("CN_CREATE_USER", "ops")
    assert logged.unreadable == 0
    with pytest.raises(Conflict, match="no log group /aws/cloudhsm/cluster-none0000000"):
        log.streams("cluster-none0000000", now - HOUR)
