"""Proves which rule of which group lets a connection open, and what is said when none does."""

from __future__ import annotations

import pytest
from connectivity import Document, ask, codes, deciding, finding, row, scenario

from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Verdict


def hsm_rules(document: Document) -> list[Document]:
    """The ingress rules of the cluster's group."""
    found: list[Document] = row(document, "SecurityGroups", "sg-hsm")["IpPermissions"]
    return found


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.11.0/24"}]}, set()),
        ({"IpProtocol": "6", "FromPort": 2223, "ToPort": 2223, "IpRanges": [{"CidrIp": "10.0.11.5/32"}]}, set()),
        ({"IpProtocol": "tcp", "FromPort": 2223, "ToPort": 2225, "UserIdGroupPairs": [{"GroupId": "sg-app"}]}, set()),
        ({"IpProtocol": "udp", "FromPort": 0, "ToPort": 65535, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, None),
        ({"IpProtocol": "tcp", "FromPort": 2224, "ToPort": 2225, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, None),
        ({"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}, None),
        ({"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-1"}]}, set()),
        ({"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-2"}]}, None),
        ({"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-9"}]}, {Code.PERMISSION_GAP}),
    ],
)
def test_a_rule_matches_by_protocol_port_and_source(rule: Document, expected: set[Code] | None) -> None:
    document = scenario("S02")
    document["snapshot"]["PrefixLists"] = {"pl-1": ["10.0.11.0/24"], "pl-2": ["10.9.0.0/16"], "pl-9": None}
    hsm_rules(document)[:] = [rule]
    assert deciding(ask(document)) == ({Code.SG_INGRESS_NO_MATCH} if expected is None else expected)


def test_the_groups_on_the_interface_count_not_the_clusters() -> None:
    document = scenario("S01")
    row(document, "NetworkInterfaces", "eni-h1")["Groups"] = [{"GroupId": "sg-app"}]
    assert deciding(ask(document)) == {Code.SG_INGRESS_NO_MATCH}


def test_a_closed_egress_is_told_with_the_fix() -> None:
    document = scenario("S02")
    row(document, "SecurityGroups", "sg-app")["IpPermissionsEgress"] = []
    pair = ask(document)
    assert deciding(pair) == {Code.SG_EGRESS_NO_MATCH, Code.SG_INGRESS_NO_MATCH}
    assert finding(pair, Code.SG_EGRESS_NO_MATCH).fix == (
        "aws ec2 authorize-security-group-egress --group-id sg-app --ip-permissions "
        "'IpProtocol=tcp,FromPort=2223,ToPort=2223,UserIdGroupPairs=[{GroupId=sg-hsm}]'"
    )


def test_across_vpcs_the_fix_names_the_address() -> None:
    assert "IpRanges=[{CidrIp=10.1.11.5/32}]" in finding(ask(scenario("S18")), Code.SG_REF_NOT_PRESERVED).fix


def test_a_group_that_was_not_read_is_unknown_unless_another_one_lets_the_connection_open() -> None:
    document = scenario("S01")
    row(document, "NetworkInterfaces", "eni-h1")["Groups"].append({"GroupId": "sg-unread"})
    assert ask(document).verdict is Verdict.REACHABLE
    hsm_rules(document).clear()
    pair = ask(document)
    assert deciding(pair) == {Code.PERMISSION_GAP}
    assert finding(pair, Code.PERMISSION_GAP).action == "ec2:DescribeSecurityGroups"


def test_a_reference_across_a_deleted_peering_is_stale() -> None:
    document = scenario("S17")
    pairs = hsm_rules(document)[0]["UserIdGroupPairs"]
    pairs[1] |= {"PeeringStatus": "active"}
    assert codes(ask(document)) == set()
    pairs[1] |= {"PeeringStatus": "deleted"}
    pair = ask(document)
    assert codes(pair) == {Code.SG_INGRESS_NO_MATCH, Code.SG_REF_STALE}
    assert finding(pair, Code.SG_REF_STALE).severity == "warn"


def test_between_regions_the_reason_is_named() -> None:
    found = finding(ask(scenario("S18")), Code.SG_REF_NOT_PRESERVED)
    assert "pcx-1 joins eu-west-1 and us-east-1" in found.sentence


def test_a_peering_whose_regions_are_not_known_is_unknown() -> None:
    document = scenario("S17")
    del row(document, "VpcPeeringConnections", "pcx-1")["AccepterVpcInfo"]["Region"]
    assert deciding(ask(document)) == {Code.PERMISSION_GAP}


def test_a_command_made_of_hostile_ids_is_quoted() -> None:
    document = scenario("S02")
    for group in document["snapshot"]["SecurityGroups"]:
        group["GroupId"] = group["GroupId"].replace("sg-hsm", "sg-hsm; rm -rf ~")
    for interface in document["snapshot"]["NetworkInterfaces"]:
        for group in interface["Groups"]:
            group["GroupId"] = group["GroupId"].replace("sg-hsm", "sg-hsm; rm -rf ~")
    assert "--group-id 'sg-hsm; rm -rf ~'" in finding(ask(document), Code.SG_INGRESS_NO_MATCH).fix
