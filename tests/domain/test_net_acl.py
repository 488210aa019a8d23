"""Proves that spans of ports behave as sets, and that an ACL decides every port by the first rule that names it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmctl.domain.net_acl import (
    LAST_RULE,
    Acl,
    Crossing,
    Entry,
    Span,
    ephemeral_ports,
    intersect,
    judge_crossing,
    passage,
    subtract,
    union,
    width,
    words,
)
from hsmctl.domain.net_cidr import Address, Cidr
from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Direction
from hsmctl.domain.net_row import Row
from hsmctl.errors import UsageError

HERE = Address.parse("10.0.0.7")
PORTS = st.integers(0, 60)
SPANS = st.tuples(PORTS, PORTS).map(lambda ends: (min(ends), max(ends)))
ENTRIES = st.builds(
    Entry,
    number=st.integers(1, 50),
    egress=st.just(False),
    allow=st.booleans(),
    cidr=st.sampled_from([Cidr.parse("10.0.0.0/8"), Cidr.parse("10.0.0.0/24"), Cidr.parse("192.168.0.0/16")]),
    ports=SPANS,
)


def ports(spans: tuple[Span, ...]) -> set[int]:
    """The ports of some spans."""
    return {port for low, high in spans for port in range(low, high + 1)}


def acl(*entries: Entry, name: str = "acl-1") -> Acl:
    """An ACL of these rules."""
    rules = tuple(sorted(entries, key=lambda entry: entry.number))
    return Acl(
        id=name,
        vpc_id="vpc-1",
        subnet_ids=("subnet-1",),
        egress=tuple(rule for rule in rules if rule.egress),
        ingress=tuple(rule for rule in rules if not rule.egress),
    )


def entry(number: int, *, allow: bool, span: Span) -> Entry:
    """A rule for everybody on the way in."""
    return Entry(number=number, egress=False, allow=allow, cidr=Cidr.parse("0.0.0.0/0"), ports=span)


@given(st.lists(SPANS), SPANS)
def test_span_algebra_is_set_algebra(spans: list[Span], other: Span) -> None:
    merged = union(spans)
    assert ports(merged) == ports(tuple(spans))
    assert width(merged) == len(ports(tuple(spans)))
    assert ports(intersect(merged, other)) == ports(merged) & ports((other,))
    assert ports(subtract(merged, other)) == ports(merged) - ports((other,))


@given(st.lists(SPANS))
def test_a_union_is_written_in_the_fewest_spans(spans: list[Span]) -> None:
    merged = union(spans)
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(merged))


@given(st.lists(ENTRIES, max_size=8, unique_by=lambda entry: entry.number), SPANS)
def test_every_port_is_decided_by_the_first_rule_that_names_it(entries: list[Entry], span: Span) -> None:
    rules = acl(*entries)
    found = passage(rules, egress=False, remote=HERE, span=span)
    expected = set()
    for port in range(span[0], span[1] + 1):
        named = [rule for rule in rules.ingress if rule.cidr.holds(HERE) and rule.ports[0] <= port <= rule.ports[1]]
        if named and named[0].allow:
            expected.add(port)
    assert ports(found.allowed) == expected
    denied = subtract((span,), (70, 80))
    for allowed in found.allowed:
        denied = subtract(denied, allowed)
    assert width(found.allowed) + width(denied) == width((span,))


def test_the_rule_that_denies_most_is_named() -> None:
    rules = acl(
        entry(10, allow=False, span=(0, 9)), entry(20, allow=False, span=(10, 99)), entry(30, allow=True, span=(0, 99))
    )
    assert passage(rules, egress=False, remote=HERE, span=(0, 99)).denied_by == 20
    assert passage(acl(), egress=False, remote=HERE, span=(0, 99)).denied_by == LAST_RULE


@pytest.mark.parametrize(
    ("platform", "expected"), [("linux", (32768, 60999)), ("windows", (49152, 65535)), ("", (1024, 65535))]
)
def test_reply_ports_are_the_platforms(platform: str, expected: Span) -> None:
    assert ephemeral_ports(platform) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 99), (0, 99), None),
        ((0, 99), (200, 300), Code.NACL_SOME_TGW_SUBNETS_DENY),
        ((200, 300), (200, 300), Code.NACL_RET_INGRESS_DENY),
        ((0, 49), (0, 99), Code.NACL_EPHEMERAL_PARTIAL),
    ],
)
def test_several_subnets_block_only_together(first: Span, second: Span, expected: Code | None) -> None:
    places = tuple(
        (f"subnet-{number}", acl(entry(100, allow=True, span=span), name=f"acl-{number}"))
        for number, span in enumerate((first, second))
    )
    found = judge_crossing(Crossing(places=places, egress=False, remote=HERE), (0, 99), Direction.RETURN)
    assert (found.code if found else None) == expected


def test_a_partly_closed_acl_says_how_many_ports_pass_and_which() -> None:
    place = (("subnet-1", acl(entry(100, allow=True, span=(0, 24)))),)
    found = judge_crossing(Crossing(places=place, egress=False, remote=HERE), (0, 99), Direction.RETURN)
    assert found is not None
    assert "25%" in found.sentence
    assert "(0-24)" in found.sentence
    assert words(((1, 1), (3, 4))) == "1, 3-4"


def test_the_fix_comes_before_the_rule_that_denies_and_takes_a_free_number() -> None:
    rules = acl(entry(50, allow=False, span=(0, 99)), entry(49, allow=True, span=(200, 300)))
    crossing = Crossing(places=(("subnet-1", rules),), egress=False, remote=HERE)
    found = judge_crossing(crossing, (7, 7), Direction.FORWARD)
    assert found is not None
    assert "--rule-number 48" in found.fix
    assert "--cidr-block 10.0.0.7/32" in found.fix


@pytest.mark.parametrize("protocol", ["-1", "6", "tcp", "TCP"])
def test_tcp_has_many_names(protocol: str) -> None:
    rule = {"RuleNumber": 1, "Egress": True, "RuleAction": "allow", "CidrBlock": "0.0.0.0/0", "Protocol": protocol}
    rule |= {"PortRange": {"From": 5, "To": 6}}
    read = Acl.read(Row({"NetworkAclId": "acl-1", "Entries": [rule]}, "acl"))
    assert read.egress[0].ports == ((0, 65535) if protocol == "-1" else (5, 6))


def test_rules_of_other_protocols_are_no_matter() -> None:
    rule = {"RuleNumber": 1, "Egress": True, "RuleAction": "deny", "CidrBlock": "0.0.0.0/0", "Protocol": "17"}
    assert Acl.read(Row({"NetworkAclId": "acl-1", "Entries": [rule]}, "acl")).egress == ()


def test_a_tcp_rule_without_ports_is_refused() -> None:
    rule = {"RuleNumber": 1, "Egress": True, "RuleAction": "deny", "CidrBlock": "0.0.0.0/0", "Protocol": "6"}
    with pytest.raises(UsageError, match=r"acl.Entries\[0\]"):
        Acl.read(Row({"NetworkAclId": "acl-1", "Entries": [rule]}, "acl"))
