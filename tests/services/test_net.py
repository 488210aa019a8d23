"""Proves that each connectivity scenario gets its verdict, and that what was not read is never taken for an answer."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from connectivity import NAMES, Document, ask, codes, deciding, estate, finding, row, scenario
from hypothesis import given, settings
from hypothesis import strategies as st

from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Direction, Verdict
from hsmctl.domain.net_gap import ACTIONS
from hsmctl.errors import ExitCode, HsmctlError, UsageError
from hsmctl.services.net import explain, load

Spot = tuple[Any, Any, str]
"""A container, a key in it, and the way there."""


def test_there_are_48_scenarios() -> None:
    assert len(NAMES) == 48


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_gets_its_verdict_and_its_codes(name: str) -> None:
    document = scenario(name)
    expected = document["expect"]
    pair = ask(document)
    assert pair.verdict == expected["verdict"].lower()
    assert set(expected["codes"]) <= codes(pair)
    assert not set(expected["absent"]) & codes(pair)


@pytest.mark.parametrize("name", [name for name in NAMES if scenario(name)["expect"]["per_hsm"]])
def test_a_scenario_gets_its_verdict_for_each_hsm(name: str) -> None:
    document = scenario(name)
    verdicts = [pair.verdict for pair in explain(load(document)).pairs]
    assert verdicts == [word.lower() for word in document["expect"]["per_hsm"]]


@pytest.mark.parametrize("name", NAMES)
def test_what_the_scenario_expects_is_not_read(name: str) -> None:
    document = scenario(name)
    full = explain(load(document))
    for key in ("expect", "id", "title"):
        del document[key]
    assert explain(load(document)) == full


@pytest.mark.parametrize("name", NAMES)
def test_every_finding_says_what_it_is_what_shows_it_and_what_to_do(name: str) -> None:
    for pair in explain(load(scenario(name))).pairs:
        for found in pair.findings:
            assert found.sentence.endswith(".")
            assert found.evidence
            assert all(found.evidence)
            assert found.fix.split()[0] in ("aws", "hsmctl")
            assert bool(found.action) == (found.code is Code.PERMISSION_GAP)


@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_broken_exactly_where_something_blocks_it(name: str) -> None:
    for pair in explain(load(scenario(name))).pairs:
        for path in (pair.forward, pair.reply):
            either = (path.direction, Direction.BOTH)
            blocked = any(found.blocks and found.direction in either for found in pair.findings)
            assert (path.broken is not None) == blocked
            assert path.hops[0].id == (pair.client if path.direction is Direction.FORWARD else pair.hsm)
            assert path.hops[-1].id == (pair.hsm if path.direction is Direction.FORWARD else pair.client)


@pytest.mark.parametrize("name", NAMES)
def test_the_primary_finding_made_the_verdict(name: str) -> None:
    pair = ask(scenario(name))
    if pair.verdict is Verdict.REACHABLE:
        assert pair.primary is None
    else:
        assert pair.primary is not None
        assert pair.primary.severity == {"blocked": "block"}.get(pair.verdict, pair.verdict)


@pytest.mark.parametrize(
    ("name", "cause", "consequence"),
    [
        ("S19", Code.PCX_NOT_ACTIVE, Code.RT_BLACKHOLE),
        ("S36", Code.VPN_TUNNELS_ALL_DOWN, Code.RT_NO_ROUTE),
        ("S37", Code.VPN_BGP_DOWN, Code.RT_NO_ROUTE),
        ("S38", Code.VGW_PROPAGATION_OFF, Code.RT_NO_ROUTE),
    ],
)
def test_the_cause_is_named_before_its_consequence(name: str, cause: Code, consequence: Code) -> None:
    pair = ask(scenario(name))
    assert pair.primary is not None
    assert (pair.primary.code, pair.primary.cause_of) == (cause, consequence)
    assert consequence in codes(pair)


def test_all_four_crossings_of_closed_acls_are_reported() -> None:
    assert deciding(ask(scenario("S10"))) == {
        Code.NACL_FWD_EGRESS_DENY,
        Code.NACL_FWD_INGRESS_DENY,
        Code.NACL_RET_EGRESS_DENY,
        Code.NACL_RET_INGRESS_DENY,
    }


@pytest.mark.parametrize("section", sorted(set(ACTIONS) - {"Hsms", "Instances", "NatGateways", "PrefixLists"}))
def test_a_section_that_was_not_read_makes_a_verdict_unknown_or_leaves_it(section: str) -> None:
    for name in NAMES:
        document = scenario(name)
        before = ask(document)
        document["snapshot"][section] = None
        after = ask(document)
        assert after.verdict in (before.verdict, Verdict.UNKNOWN)
        if after.verdict is not before.verdict:
            assert ACTIONS[section] in {found.action for found in after.findings}
        del document["snapshot"][section]
        assert ask(document) == after


@pytest.mark.parametrize(
    ("name", "sections"),
    [
        ("S01", ["Subnets", "RouteTables", "NetworkAcls", "SecurityGroups", "NetworkInterfaces"]),
        ("S17", ["VpcPeeringConnections"]),
        ("S31", ["TransitGateways", "TransitGatewayAttachments", "TransitGatewayVpcAttachments", "TgwRoutes"]),
        ("S34", ["VpnGateways", "VpnConnections"]),
        ("S44", ["Vpcs", "VirtualInterfaces", "DxGateways", "DxAssociations"]),
    ],
)
def test_what_a_reachable_path_needs_is_unknown_when_not_read(name: str, sections: list[str]) -> None:
    assert ask(scenario(name)).verdict is Verdict.REACHABLE
    for section in sections:
        document = scenario(name)
        document["snapshot"][section] = None
        pair = ask(document)
        assert pair.verdict is Verdict.UNKNOWN
        assert ACTIONS[section] in {found.action for found in pair.findings}


ABSENT_MEANS_NONE = (
    ".platform",
    ".port",
    ".hsms",
    ".NetworkInterfaces[].PrivateIpAddress",
    ".IpRanges",
    ".TransitGatewayAttachments[].Association",
    ".VpnConnections[].VpnGatewayId",
)
"""Where null says something: AWS leaves these out when there is none, or the question has a default."""


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(NAMES), pick=st.integers(min_value=0))
def test_a_value_taken_away_never_makes_a_better_verdict_nor_a_block(name: str, pick: int) -> None:
    document = scenario(name)
    before = explain(load(document))
    spots = [spot for spot in _spots(document) if not spot[2].startswith(".expect")]
    box, key, way = spots[pick % len(spots)]
    if isinstance(box, list) or way.endswith(ABSENT_MEANS_NONE):
        return
    box[key] = None
    try:
        after = explain(load(document))
    except UsageError:
        return
    for old, new in zip(before.pairs, after.pairs, strict=True):
        assert new.verdict in (old.verdict, Verdict.UNKNOWN), way


ODD = st.sampled_from(
    [
        None,
        0,
        -1,
        True,
        "",
        [],
        {},
        "x",
        2.5,
        ["x"],
        {"a": 1},
        "10.0.0.0/8",
        "::/0",
        "6",
        10**30,
        [None],
        "vpc-h",
        "vpn",
    ]
)


DAMAGE = st.lists(st.tuples(st.integers(0, 2000), st.booleans(), ODD), min_size=1, max_size=3)


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(NAMES), damage=DAMAGE)
def test_a_damaged_document_raises_nothing_but_our_own_error(name: str, damage: list[tuple[int, bool, object]]) -> None:
    document = scenario(name)
    for pick, remove, odd in damage:
        spots = _spots(document)
        box, key, _ = spots[pick % len(spots)]
        if remove:
            del box[key]
        else:
            box[key] = copy.deepcopy(odd)
    try:
        report = explain(load(document))
    except HsmctlError:
        return
    assert report.exit_code in (ExitCode.OK, ExitCode.NO, ExitCode.UNKNOWN, ExitCode.PARTIAL)


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["client", "hsms", "snapshot", "kind"]), inner),
    )
)
def test_any_json_at_all_is_refused_with_our_own_error(document: object) -> None:
    with pytest.raises(UsageError):
        load(document)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_lists_and_the_way_protocols_are_written_change_nothing(name: str) -> None:
    document = scenario(name)
    before = ask(document)
    for value in list(document["snapshot"].values()):
        if isinstance(value, list):
            value.reverse()
    for table in document["snapshot"]["RouteTables"]:
        table["Routes"].reverse()
    for acl in document["snapshot"]["NetworkAcls"]:
        acl["Entries"].reverse()
        for entry in acl["Entries"]:
            entry["Protocol"] = {"6": "tcp"}.get(entry["Protocol"], entry["Protocol"])
    for group in document["snapshot"]["SecurityGroups"]:
        for rule in group["IpPermissions"] + group["IpPermissionsEgress"]:
            rule["IpProtocol"] = {"tcp": "6"}.get(rule["IpProtocol"], rule["IpProtocol"])
    after = ask(document)
    assert (after.verdict, codes(after)) == (before.verdict, codes(before))


def test_the_matrix_has_a_row_for_each_client_hsm_and_port() -> None:
    document = scenario("S11")
    document["ports"] = [2223, 2225]
    document["clients"] = [document["client"], {"kind": "ip", "addr": "10.0.11.5"}]
    report = explain(load(document))
    asked = [(pair.client, pair.hsm, pair.port, pair.verdict) for pair in report.pairs]
    assert asked == [
        (client, hsm, port, verdict)
        for client in ("eni-app", "10.0.11.5")
        for hsm in ("hsm-1", "hsm-2", "hsm-3")
        for port, verdict in ((2223, "reachable"), (2225, "blocked"))
    ]
    assert report.asked == report.pairs[0]


@pytest.mark.parametrize(
    ("names", "exit_code"),
    [
        (["S01"], ExitCode.OK),
        (["S33"], ExitCode.UNKNOWN),
        (["S06"], ExitCode.PARTIAL),
        (["S26"], ExitCode.NO),
    ],
)
def test_the_exit_code_is_that_of_the_worst_pair(names: list[str], exit_code: ExitCode) -> None:
    assert explain(load(scenario(names[0]))).exit_code is exit_code


def test_degraded_beats_unknown_in_the_exit_code() -> None:
    degraded, unknown = explain(load(scenario("S06"))), explain(load(scenario("S33")))
    mixed = type(degraded)(pairs=(*unknown.pairs, *degraded.pairs), asked=None)
    assert mixed.exit_code is ExitCode.PARTIAL


def test_a_range_of_clients_is_judged_part_by_part() -> None:
    document = scenario("S34")
    document["client"] = {"kind": "cidr", "addr": "192.168.0.0/15"}
    pair = ask(document)
    assert pair.client == "192.168.0.0/15"
    assert pair.verdict is Verdict.BLOCKED
    assert finding(pair, Code.RT_NO_ROUTE).ranges == ("192.169.0.0/16",)
    assert finding(pair, Code.SG_INGRESS_NO_MATCH).ranges == ("192.169.0.0/16",)
    assert finding(pair, Code.ONPREM_UNVERIFIABLE).ranges == ("192.168.0.0/15",)


def test_a_range_that_overlaps_the_vpc_says_where_once() -> None:
    document = scenario("S34")
    document["client"] = {"kind": "cidr", "addr": "10.0.0.0/15"}
    overlaps = [found for found in ask(document).findings if found.code is Code.ONPREM_CIDR_OVERLAPS_VPC]
    assert [found.ranges for found in overlaps] == [("10.0.0.0/16",)]


def test_a_range_that_falls_into_too_many_parts_is_unknown() -> None:
    document = scenario("S34")
    document["client"] = {"kind": "cidr", "addr": "192.168.0.0/16"}
    entries = document["snapshot"]["NetworkAcls"][0]["Entries"]
    for number in range(2200):
        prefix = f"192.168.{number // 128}.{number % 128 * 2}/32"
        entries.append({**entries[0], "RuleNumber": 1000 + number, "CidrBlock": prefix})
    pair = ask(document)
    assert (pair.verdict, deciding(pair)) == (Verdict.UNKNOWN, {Code.CIDR_TOO_FRAGMENTED})


def test_a_detached_cluster_group_is_a_warning() -> None:
    document = scenario("S01")
    document["cluster"] = {"SecurityGroup": "sg-other"}
    pair = ask(document)
    assert pair.verdict is Verdict.REACHABLE
    assert codes(pair) == {Code.HSM_SG_DETACHED}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"client": {"kind": "router", "id": "x"}}, "document.client.kind"),
        ({"client": {"kind": "ip", "addr": "somewhere"}}, "document.client.addr: it is not an address"),
        ({"client": {"kind": "eni", "id": "eni-app", "family": 5}}, "document.client.family"),
        ({"port": 70000}, "document.port: it is no TCP port"),
        ({"hsms": [], "hsm": None}, "it names no HSM"),
        ({"snapshot": {"Subnets": {}}}, "snapshot.Subnets: it is dict, not a list"),
        ({"snapshot": {"Subnets": [{"SubnetId": 7}]}}, "snapshot.Subnets[0].SubnetId: it is int, not text"),
    ],
)
def test_a_malformed_document_is_refused_with_the_place(change: Document, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        load(scenario("S01") | change)
    assert words in str(refused.value)
    assert refused.value.hint


def test_an_error_never_repeats_what_may_be_a_secret() -> None:
    document = scenario("S34")
    row(document, "VpnConnections", "vpn-1")["Options"]["LocalIpv4NetworkCidr"] = "hunter2-psk"
    with pytest.raises(UsageError) as refused:
        load(document)
    assert "hunter2" not in str(refused.value) + refused.value.hint


def test_a_secret_that_was_not_redacted_comes_out_nowhere() -> None:
    document = scenario("S44")
    document["snapshot"]["VirtualInterfaces"][0] |= {"authKey": "hunter2", "customerRouterConfig": "hunter2"}
    document["snapshot"]["VirtualInterfaces"][0]["bgpPeers"][0]["authKey"] = "hunter2"
    document["snapshot"]["VpnConnections"] = [
        {
            "VpnConnectionId": "vpn-9",
            "VpnGatewayId": "vgw-1",
            "State": "available",
            "CustomerGatewayConfiguration": "<xml>hunter2</xml>",
            "Options": {"StaticRoutesOnly": False, "TunnelOptions": [{"PreSharedKey": "hunter2"}]},
            "VgwTelemetry": [{"Status": "DOWN", "OutsideIpAddress": "203.0.113.9"}],
        }
    ]
    inquiry = load(document)
    assert "hunter2" not in repr(inquiry)
    assert "hunter2" not in repr(explain(inquiry))


def test_an_estate_of_32_hsms_and_20_clients_is_explained_in_time() -> None:
    document = estate()
    started = time.perf_counter()
    report = explain(load(document))
    took = time.perf_counter() - started
    assert len(report.pairs) == 32 * 20 * 3
    assert {pair.verdict for pair in report.pairs} == {Verdict.REACHABLE}
    assert took < 5  # about 0.4 s on two slow cores (scripts/bench net); the bound only catches a blow-up


def _spots(value: object, way: str = "") -> list[Spot]:
    """Every place of a document."""
    found: list[Spot] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += [(value, key, f"{way}.{key}"), *_spots(inner, f"{way}.{key}")]
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += [(value, index, f"{way}[]"), *_spots(inner, f"{way}[]")]
    return found


def test_documents_survive_a_trip_through_json() -> None:
    document = scenario("S31")
    assert explain(load(json.loads(json.dumps(document)))) == explain(load(document))
