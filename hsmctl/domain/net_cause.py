"""Which finding explains which: a black-holed route is the consequence, the pending peering its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Direction, Finding

_LINK_DOWN = frozenset(
    {
        Code.NO_HYBRID_LINK,
        Code.VPN_STATE,
        Code.VPN_TUNNELS_ALL_DOWN,
        Code.VPN_BGP_DOWN,
        Code.VPN_STATIC_ROUTE_MISSING,
        Code.VPN_NO_ACCEPTED_ROUTES,
        Code.VPN_IPV6_UNSUPPORTED,
        Code.DX_CONNECTION_DOWN,
        Code.DX_VIF_DOWN,
        Code.DX_BGP_DOWN,
        Code.DX_BGP_NO_PEER_FOR_FAMILY,
        Code.DX_PREFIX_NOT_RECEIVED,
        Code.DX_NO_VIF,
        Code.DX_VIF_TYPE_MISMATCH,
        Code.DX_DXGW_STATE,
        Code.DX_ASSOC_MISSING,
        Code.DX_ASSOC_STATE,
    }
)

CAUSES: Mapping[Code, frozenset[Code]] = {
    Code.RT_NO_ROUTE: _LINK_DOWN | {Code.NO_CANDIDATE_PATH, Code.VGW_PROPAGATION_OFF},
    Code.TGW_NO_ROUTE: _LINK_DOWN,
    Code.RT_BLACKHOLE: frozenset(
        {
            Code.PCX_NOT_ACTIVE,
            Code.PCX_CIDR_OVERLAP,
            Code.TGW_ATTACHMENT_MISSING,
            Code.TGW_ATTACHMENT_STATE,
            Code.VGW_NOT_ATTACHED,
        }
    ),
    Code.DX_BGP_DOWN: frozenset({Code.DX_CONNECTION_DOWN, Code.DX_VIF_DOWN}),
    Code.DX_VIF_DOWN: frozenset({Code.DX_CONNECTION_DOWN}),
}
"""Each consequence and what explains it when both are found on one way."""


def causes_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings of one direction with causes marked and moved before what they explain, else in their order."""
    places: dict[int, int] = {}
    marked = list(findings)
    for place, consequence in enumerate(findings):
        for index, finding in enumerate(findings):
            if finding.code in CAUSES.get(consequence.code, ()) and index not in places:
                places[index] = place
                marked[index] = replace(finding, cause_of=consequence.code)
    order = sorted(range(len(marked)), key=lambda index: (places.get(index, index), index not in places, index))
    return tuple(marked[index] for index in order)


def merge_directions(forward: Sequence[Finding], reply: Sequence[Finding]) -> tuple[Finding, ...]:
    """Both directions' findings, those that say the same of both said once."""
    merged: dict[tuple[object, ...], Finding] = {}
    for finding in (*forward, *reply):
        key = (finding.code, finding.severity, finding.evidence, finding.sentence)
        known = merged.setdefault(key, finding)
        if known is not finding:
            direction = known.direction if known.direction is finding.direction else Direction.BOTH
            merged[key] = replace(known, direction=direction, cause_of=known.cause_of or finding.cause_of)
    return tuple(merged.values())
