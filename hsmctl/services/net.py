"""Connectivity of clients and HSMs, explained from a snapshot document: every client × HSM × port × address family.

The document is JSON that somebody has parsed already: `client` (or `clients`), `hsm` and `hsms`, `port` (or `ports`),
`platform`, `cluster`, and `snapshot` with the describe_* answers. Other keys are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

from hsmctl.domain.cluster import Hsm, HsmState
from hsmctl.domain.net import Question
from hsmctl.domain.net import explain as explain_client
from hsmctl.domain.net_endpoint import Client, ClientKind
from hsmctl.domain.net_finding import Pair, Verdict
from hsmctl.domain.net_row import Row, malformed, row_of
from hsmctl.domain.net_snapshot import Snapshot, read_snapshot
from hsmctl.errors import ExitCode

DEFAULT_PORT = 2223
"""The port every client SDK talks to (CloudHSM user guide, security group of the cluster)."""

_EXITS = {Verdict.BLOCKED: ExitCode.NO, Verdict.DEGRADED: ExitCode.PARTIAL, Verdict.UNKNOWN: ExitCode.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """A snapshot and what is asked of it."""

    snapshot: Snapshot
    clients: tuple[Client, ...]
    hsms: tuple[Hsm, ...]
    asked: Hsm | None
    """The HSM the document singles out, or None."""
    ports: tuple[int, ...]
    families: tuple[int, ...] = ()
    """The address families to ask about; without any, each client's own."""
    group_id: str = ""
    """The cluster's security group, "" where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetReport:
    """The matrix of answers and the one that was singled out."""

    pairs: tuple[Pair, ...]
    """By client, then HSM, then family, then port."""
    asked: Pair | None
    """The first client's and the first port's answer about the HSM the document singles out."""

    @property
    def exit_code(self) -> ExitCode:
        """OK only if every pair is reachable; else blocked beats degraded beats unknown."""
        verdicts = {pair.verdict for pair in (*self.pairs, *((self.asked,) if self.asked else ()))}
        return next((code for verdict, code in _EXITS.items() if verdict in verdicts), ExitCode.OK)


def load(document: object) -> Inquiry:
    """The inquiry a parsed snapshot document holds.

    Raises:
        UsageError: something in it has another shape than it should; the error names the place.
    """
    row = row_of(document, "document")
    clients = row.rows("clients") or (row.row("client"),)
    platform = row.text("platform")
    asked = _read_hsm(row.row("hsm")) if row.has("hsm") else None
    hsms = tuple(map(_read_hsm, row.rows("hsms"))) or ((asked,) if asked else ())
    if not hsms:
        raise malformed(row.place, "it names no HSM in hsms or hsm")
    return Inquiry(
        snapshot=read_snapshot(row.row("snapshot").value),
        clients=tuple(_read_client(client, platform) for client in clients),
        hsms=hsms,
        asked=asked,
        ports=_read_ports(row),
        group_id=row.row("cluster").text("SecurityGroup"),
    )


def explain(inquiry: Inquiry) -> NetReport:
    """The answers to an inquiry."""
    pairs = tuple(
        pair
        for client in inquiry.clients
        for hsm in inquiry.hsms
        for family in _families(client, inquiry.families)
        for pair in _pairs(inquiry, client, hsm, family)
    )
    client, asked = inquiry.clients[0], inquiry.asked
    single = _pairs(inquiry, client, asked, _families(client, inquiry.families)[0])[0] if asked else None
    return NetReport(pairs=pairs, asked=single)


def _pairs(inquiry: Inquiry, client: Client, hsm: Hsm, family: int) -> tuple[Pair, ...]:
    question = Question(hsm=hsm, ports=inquiry.ports, family=family, group_id=inquiry.group_id)
    return explain_client(inquiry.snapshot, client, question)


def _families(client: Client, families: tuple[int, ...]) -> tuple[int, ...]:
    """The families to ask about: an address has but one, whichever others were asked for."""
    wanted = families or client.families or (client.family,)
    return tuple(family for family in wanted if family in client.families) or wanted


def _read_client(row: Row, platform: str) -> Client:
    """The client of a row: `kind` is eni, instance, ip or cidr; `id` or `addr` says which."""
    kind = row.need("kind")
    if kind not in set(ClientKind):
        raise malformed(f"{row.place}.kind", f"it is none of {', '.join(ClientKind)}")
    by_address = kind in (ClientKind.IP, ClientKind.CIDR)
    return Client(
        kind=ClientKind(kind),
        name=row.need("addr" if by_address else "id"),
        address=row.address("addr") if kind == ClientKind.IP else None,
        cidr=row.cidr("addr") if kind == ClientKind.CIDR else None,
        vpc_id=row.text("vpc"),
        platform=row.text("platform") or platform,
        family=_read_family(row),
    )


def _read_hsm(row: Row) -> Hsm:
    """The HSM of a DescribeClusters row."""
    return Hsm(
        hsm_id=row.need("HsmId"),
        state=HsmState(row.text("State").lower()),
        zone=row.text("AvailabilityZone"),
        subnet_id=row.text("SubnetId"),
        eni_id=row.text("EniId"),
        address=row.text("EniIp") or None,
        address6=row.text("EniIpV6") or None,
        message=row.text("StateMessage"),
    )


def _read_ports(row: Row) -> tuple[int, ...]:
    found = row.numbers("ports") or (row.number("port") or DEFAULT_PORT,)
    if not all(0 < port < 65536 for port in found):
        raise malformed(f"{row.place}.port", "it is no TCP port")
    return found


def _read_family(row: Row) -> int:
    family = row.number("family") or 4
    if family not in (4, 6):
        raise malformed(f"{row.place}.family", "it is neither 4 nor 6")
    return family
