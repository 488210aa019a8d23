"""Why a client can or cannot reach an HSM, from what the AWS APIs say about the network between them.

A pair of client and HSM is walked twice, as the packets go: the client's request to the HSM's port, and the reply
to the port the client chose. Each direction meets route tables, network ACLs, peerings, gateways and links; the
opening packet also meets the security groups of both ends. Every station is judged, also behind one that blocks, so
a pair shows *all* its blockers.

    client ─ sg ─ acl ─ route table ─ peering | transit gateway | VPN, Direct Connect ─ acl ─ sg ─ HSM     forward
    HSM ─ acl ─ route table ─ ... ─ acl ─ client                                                          reply

The verdict is the worst of what was found: blocked beats unknown beats degraded. What could not be read is unknown
and names the IAM action that would read it; it is never taken for reachable, nor for blocked. Nothing here asks
AWS: the input is a snapshot. What it cannot know, as what a firewall appliance or the customer's own routers do, it
says.

The rules live by their nouns: `net_security_group`, `net_acl`, `net_route`, `net_peering`, `net_transit_gateway`,
`net_vpn`, `net_direct_connect`; `net_walk` and `net_transit` go from one to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hsmctl.domain.cluster import Hsm
from hsmctl.domain.net_acl import ephemeral_ports
from hsmctl.domain.net_cause import causes_first, merge_directions
from hsmctl.domain.net_cidr import Cidr, TooFragmentedError, atoms
from hsmctl.domain.net_endpoint import Client, Endpoint
from hsmctl.domain.net_finding import Direction, Finding, HopKind, Pair, Path, verdict_of
from hsmctl.domain.net_locate import locate_client, locate_hsm, platform_of
from hsmctl.domain.net_range import merge, too_fragmented
from hsmctl.domain.net_remark import remark
from hsmctl.domain.net_security_group import Opening, judge_opening, judge_stale
from hsmctl.domain.net_snapshot import Snapshot
from hsmctl.domain.net_trail import Flow, Judged, Trail, hop_of
from hsmctl.domain.net_walk import walk, walk_from_site


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about a client: which HSM, on which ports, over which address family."""

    hsm: Hsm
    ports: tuple[int, ...]
    family: int = 4
    group_id: str = ""
    """The security group of the HSM's cluster, "" where it is not known."""


def explain(snapshot: Snapshot, client: Client, question: Question) -> tuple[Pair, ...]:
    """The answer for each port."""
    if client.cidr is not None:
        return _explain_range(snapshot, client, client.cidr, question)
    there = locate_hsm(snapshot, question.hsm, question.family, question.group_id)
    here = locate_client(snapshot, client, question.family, there.endpoint)
    ends = _Ends(client.name, here.findings, there.findings)
    if here.endpoint is None or there.endpoint is None:
        return tuple(_answer(question, port, ends) for port in question.ports)
    forward, reply = _walk_both(snapshot, here.endpoint, there.endpoint)
    remarks = tuple(remark(here.endpoint, forward, reply))
    back = tuple(reply.judge(ephemeral_ports(platform_of(snapshot, client))))
    return tuple(
        _answer(question, port, ends, tuple(_open(snapshot, forward, port)), back, remarks) for port in question.ports
    )


@dataclass(frozen=True, slots=True)
class _Ends:
    """What is the matter with the two ends themselves."""

    client: str
    client_findings: tuple[Finding, ...]
    hsm_findings: tuple[Finding, ...] = ()


def _walk_both(snapshot: Snapshot, client: Endpoint, hsm: Endpoint) -> tuple[Trail, Trail]:
    """Both directions; for a client outside AWS the reply shows which way packets take, so it is walked first."""
    reply = walk(snapshot, Flow(direction=Direction.RETURN, source=hsm, destination=client))
    flow = Flow(direction=Direction.FORWARD, source=client, destination=hsm)
    forward = walk(snapshot, flow) if client.subnet else walk_from_site(snapshot, flow, reply)
    return forward, reply


def _open(snapshot: Snapshot, forward: Trail, port: int) -> Iterator[Judged]:
    """The opening packet: past the client's groups, along the trail, past the HSM's groups."""
    client, hsm = forward.flow.source, forward.flow.destination
    if client.interface is not None:
        out = Opening(egress=True, near=client, far=hsm, port=port, identity=forward.identity)
        yield _ask_groups(out, judge_opening(out, snapshot.groups))
    yield from forward.judge((port, port))
    into = Opening(egress=False, near=hsm, far=client, port=port, identity=forward.identity)
    closed = None if forward.rewritten else judge_opening(into, snapshot.groups)
    yield _ask_groups(into, closed, judge_stale(into, snapshot.groups))


def _ask_groups(opening: Opening, *findings: Finding | None) -> Judged:
    found = tuple(finding for finding in findings if finding is not None)
    return hop_of(HopKind.SECURITY_GROUP, "|".join(opening.near.group_ids or ()), found), found


def _answer(
    question: Question,
    port: int,
    ends: _Ends,
    forward: Sequence[Judged] = (),
    reply: Sequence[Judged] = (),
    remarks: Sequence[Finding] = (),
) -> Pair:
    """Everything that was found, put together; without hops where an end is not there."""
    there = (*ends.client_findings, *(f for _, found in forward for f in found), *ends.hsm_findings)
    back = tuple(f for _, found in reply for f in found)
    findings = (*merge_directions(causes_first(there), causes_first(back)), *remarks)
    client = hop_of(HopKind.CLIENT, ends.client, ends.client_findings)
    hsm = hop_of(HopKind.HSM, question.hsm.hsm_id, ends.hsm_findings)
    return Pair(
        client=ends.client,
        hsm=question.hsm.hsm_id,
        port=port,
        family=question.family,
        verdict=verdict_of(findings),
        findings=findings,
        forward=Path(direction=Direction.FORWARD, hops=(client, *(hop for hop, _ in forward), hsm)),
        reply=Path(direction=Direction.RETURN, hops=(hsm, *(hop for hop, _ in reply), client)),
    )


def _explain_range(snapshot: Snapshot, client: Client, cidr: Cidr, question: Question) -> tuple[Pair, ...]:
    """Every part of a range that could be treated differently is asked about by its first address."""
    try:
        parts = atoms(cidr, snapshot.prefixes())
    except TooFragmentedError:
        ends = _Ends(client.name, (too_fragmented(client.name),))
        return tuple(_answer(question, port, ends) for port in question.ports)
    asked = (replace(client, name=str(part), cidr=None, address=part.address) for part in parts)
    answers = [explain(snapshot, one, question) for one in asked]
    return tuple(merge(client.name, dict(zip(parts, pairs, strict=True))) for pairs in zip(*answers, strict=True))
