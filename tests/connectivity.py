"""The connectivity scenarios of tests/data: documents to read, to change and to ask about."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Finding, Pair
from hsmctl.services.net import explain, load

FOLDER = Path(__file__).parent / "data" / "connectivity"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("S*.json")))

Document = dict[str, Any]


def scenario(name: str) -> Document:
    """A scenario's document, to be changed at will."""
    document: Document = json.loads(_text(name))
    return document


def row(document: Document, section: str, identifier: str) -> Document:
    """The row of a section that has this id somewhere at its top."""
    found: Document = next(row for row in document["snapshot"][section] if identifier in row.values())
    return found


def ask(document: Document) -> Pair:
    """The answer about the HSM the document singles out."""
    asked = explain(load(document)).asked
    assert asked is not None
    return asked


def codes(pair: Pair) -> set[Code]:
    """The codes of everything found."""
    return {finding.code for finding in pair.findings}


def deciding(pair: Pair) -> set[Code]:
    """The codes of what made the verdict other than reachable."""
    return {finding.code for finding in pair.findings if finding.severity in ("block", "unknown", "degraded")}


def finding(pair: Pair, code: Code) -> Finding:
    """The first finding with this code."""
    return next(found for found in pair.findings if found.code is code)


def estate() -> Document:
    """S25 grown to 32 HSMs, 20 clients and 3 ports, with tables and ACLs of the size real ones have."""
    document = scenario("S25")
    snapshot = document["snapshot"]
    interfaces = snapshot["NetworkInterfaces"]
    for number in range(32):
        zone = number % 3 + 1
        own = {"NetworkInterfaceId": f"eni-x{number}", "PrivateIpAddress": f"10.0.{zone}.{100 + number}"}
        interfaces.append(copy.deepcopy(row(document, "NetworkInterfaces", f"eni-h{zone}")) | own)
    for number in range(20):
        own = {"NetworkInterfaceId": f"eni-c{number}", "PrivateIpAddress": f"10.1.11.{50 + number}"}
        interfaces.append(copy.deepcopy(row(document, "NetworkInterfaces", "eni-c")) | own)
    for acl in snapshot["NetworkAcls"]:
        deny = {"RuleAction": "deny", "Protocol": "-1"}
        acl["Entries"] += [
            {**deny, "RuleNumber": number + 1, "Egress": bool(number % 2), "CidrBlock": f"172.16.{number}.0/24"}
            for number in range(20)
        ]
    for table in snapshot["RouteTables"]:
        table["Routes"] += [
            {"DestinationCidrBlock": f"172.16.{number}.0/24", "GatewayId": "igw-1", "State": "active"}
            for number in range(100)
        ]
    hop = {"ResourceId": "vpc-z", "ResourceType": "vpc", "TransitGatewayAttachmentId": "att-z"}
    snapshot["TgwRoutes"]["tgw-rtb-1"] += [
        {
            "DestinationCidrBlock": f"172.{20 + number // 250}.{number % 250}.0/24",
            "Type": "propagated",
            "State": "active",
            "TransitGatewayAttachments": [hop],
        }
        for number in range(1000)
    ]
    hsms = [{"HsmId": f"hsm-x{number}", "EniId": f"eni-x{number}", "State": "ACTIVE"} for number in range(32)]
    clients = [{"kind": "eni", "id": f"eni-c{number}"} for number in range(20)]
    return document | {"hsms": hsms, "hsm": hsms[0], "clients": clients, "ports": [2223, 2224, 2225]}


@cache
def _text(name: str) -> str:
    return (FOLDER / f"{name}.json").read_text(encoding="utf-8")
