"""What AWS leaves out of an answer without a word, because it belongs to another account.

To take such an answer for whole would block a way that may work: a gateway would seem detached, an attachment without
a route table, a Direct Connect gateway without virtual interfaces. So what is incomplete is taken out of the snapshot,
and said to be a hole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from hsmctl.domain.net_gap import ACTIONS
from hsmctl.domain.network import Chosen, JsonObject, NetworkKind
from hsmctl.services.net_gathering import Hole
from hsmctl.services.net_want import Want, text

Sections = Mapping[str, object]

_TYPES = {"PrivateVirtualInterface": "private", "TransitVirtualInterface": "transit"}


def without_hidden(
    sections: Sections, asked: Collection[Want], account: str
) -> tuple[dict[str, object], tuple[Hole, ...]]:
    """The sections without what is incomplete, and the holes that leaves."""
    kept = {**sections, **_with_unseen_interfaces(sections)}
    kept, holes = _without_foreign_attachments(kept, account)
    for hole in _unseen(kept, asked):
        kept[hole.kind] = None
        holes.append(hole)
    return kept, tuple(holes)


def _with_unseen_interfaces(sections: Sections) -> dict[str, object]:
    """The virtual interfaces, and of those that other accounts own what their Direct Connect gateway tells of them."""
    if sections[NetworkKind.VIRTUAL_INTERFACES] is None:
        return {}
    seen = _rows(sections, NetworkKind.VIRTUAL_INTERFACES)
    ids = {text(row, "virtualInterfaceId") for row in seen}
    unseen = [
        {
            "virtualInterfaceId": text(row, "virtualInterfaceId"),
            "virtualInterfaceType": _TYPES.get(text(row, "attachmentType"), ""),
            "directConnectGatewayId": text(row, "directConnectGatewayId"),
        }
        for row in _rows(sections, NetworkKind.DX_ATTACHMENTS)
        if text(row, "attachmentState") != "detached" and text(row, "virtualInterfaceId") not in ids
    ]
    return {NetworkKind.VIRTUAL_INTERFACES: [*seen, *unseen]}


def _without_foreign_attachments(sections: Sections, account: str) -> tuple[dict[str, object], list[Hole]]:
    """Only the owner of a transit gateway is told which route table an attachment uses."""
    rows = _rows(sections, NetworkKind.TRANSIT_ATTACHMENTS)
    foreign = [row for row in rows if not row.get("Association") and _owner(row) not in ("", account)]
    if not foreign:
        return dict(sections), []
    ids = tuple(text(row, "TransitGatewayAttachmentId") for row in foreign)
    why = f"{text(foreign[0], 'TransitGatewayId')} is {_owner(foreign[0])}'s, which alone sees its route tables"
    kept = {**sections, NetworkKind.TRANSIT_ATTACHMENTS: [row for row in rows if row not in foreign]}
    return kept, [_hole(NetworkKind.TRANSIT_ATTACHMENTS, ids, why)]


def _unseen(sections: Sections, asked: Collection[Want]) -> Iterator[Hole]:
    """The sections from whose silence nothing follows: a route names a gateway that AWS does not show."""
    for named, section, key in (
        (NetworkKind.VPN_GATEWAYS, NetworkKind.VPN_GATEWAYS, "VpnGatewayId"),
        (NetworkKind.TRANSIT_GATEWAYS, NetworkKind.VPC_ATTACHMENTS, "TransitGatewayId"),
    ):
        shown = {text(row, key) for row in _rows(sections, named)}
        ids = {value for kind, _, chosen, value in asked if kind is named and chosen is Chosen.BY_ID} - shown
        if ids and sections[named] is not None and sections[section] is not None:
            yield _hole(section, tuple(sorted(ids)), "a route names it, and AWS does not show it to this account")
    gateways = {text(row, "directConnectGatewayId") for row in _rows(sections, NetworkKind.DX_ASSOCIATIONS)}
    told = {text(row, "directConnectGatewayId") for row in _rows(sections, NetworkKind.VIRTUAL_INTERFACES)}
    if sections[NetworkKind.DX_ATTACHMENTS] is not None:
        told |= {text(row, "directConnectGatewayId") for row in _rows(sections, NetworkKind.DX_GATEWAYS)}
    if gateways - told and sections[NetworkKind.VIRTUAL_INTERFACES] is not None:
        why = "the virtual interfaces of this gateway are another account's, or in Regions that could not be read"
        yield _hole(NetworkKind.VIRTUAL_INTERFACES, tuple(sorted(gateways - told)), why)


def _rows(sections: Sections, kind: NetworkKind) -> list[JsonObject]:
    rows = sections[kind]
    return rows if isinstance(rows, list) else []


def _owner(row: JsonObject) -> str:
    return text(row, "TransitGatewayOwnerId")


def _hole(kind: NetworkKind, values: tuple[str, ...], why: str) -> Hole:
    return Hole(kind=kind, region="", values=values, action=ACTIONS[kind], why=why, denied=False)
