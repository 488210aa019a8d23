"""`quorum`: approvals: who can give them, how many are needed, which are open, and giving one off-line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import click

from hsmctl.cli.plan import Wish, carry_out, changes
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.cli.way import Reach, through
from hsmctl.domain.plan import Plan
from hsmctl.domain.quorum import Bundle, QuorumToken, Service, approvers, largest
from hsmctl.domain.uri import SCHEME
from hsmctl.domain.user import HsmUser, check_name
from hsmctl.errors import ExitCode
from hsmctl.mark import Mark
from hsmctl.services.quorum import QuorumState
from hsmctl.words import instant

KEY = "Their private RSA-2048 key: a PEM file, or the pkcs11: URI of a key on a token of the context; it stays there."
_SERVICES = click.Choice(list(map(str, Service)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverRow:
    """One admin."""

    name: str
    registered: str | None
    """The status of the registration: enabled or inconsistent; null where there is none."""
    approves: bool
    """Whether their approval counts: registered on every HSM the host reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """One open token."""

    user: str
    service: str
    required: int | None
    approvals: int | None
    seconds: int | None
    """What is left of it, as cloudhsm-cli says."""
    coverage: str | None
    key_reference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumStatus:
    """The quorum of a cluster."""

    cluster_id: str
    host: str
    active: int
    connected: int
    values: Mapping[str, int | None]
    """Approvals needed by service; null where the HSMs do not agree."""
    needed: int
    """Approvers that should be there: the largest value and one more."""
    approvers: int
    admins: tuple[ApproverRow, ...]
    tokens: tuple[TokenRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A bundle that was signed."""

    cluster_id: str
    service: str
    says: str
    """What is approved."""
    asked_by: str
    needs: int
    signers: tuple[str, ...]
    expires_at: datetime


@verb("status", "hsmctl --lab quorum status", "hsmctl -c prod quorum status cluster-a2b3c4d5e6f -o json")
@click.argument("cluster", required=False)
@click.option("--client", metavar="NAME", help="Ask this client host; without it the first that answers.")
def status(session: Session, cluster: str | None, client: str | None) -> int:
    """Show how many approvals each service needs, who can give them and which tokens are open; nobody logs in.

    Exit 1 where fewer than M + 1 approvers are registered, so that losing one would leave the cluster unmanageable, or
    where the HSMs do not agree about a value.
    """
    facade = session.hsmctl
    found = _document(facade.quorum.state(facade.cluster.only(cluster), client))
    wrong = found.approvers < found.needed or None in found.values.values()
    code = ExitCode.NO if wrong else ExitCode.OK
    return session.show(STATUS, found, region=facade.aws.plane.region, code=code)


@verb("register", "hsmctl -c prod quorum register alice --key alice.pem")
@click.argument("name")
@click.option("--key", metavar="KEY", required=True, help=KEY)
@through(approved=False, admin=False)
@changes
def register(session: Session, name: str, key: str, reach: Reach, wish: Wish) -> int:
    """Make an admin an approver; they log in themselves, and their key proves that it is theirs."""

    def plan() -> Plan:
        cluster, way = replace(reach, admin=check_name(name)).found(session)
        return session.hsmctl.quorum.plan_register(cluster, way, key)

    return carry_out(session, wish, plan)


@verb("set", "hsmctl -c prod quorum set user 2", "hsmctl -c prod quorum set quorum 3 --bundle approve.json")
@click.argument("service", type=_SERVICES)
@click.argument("value", type=int)
@through()
@changes
def set_value(session: Session, service: str, value: int, reach: Reach, wish: Wish) -> int:
    """Set how many approvals a service needs; refused unless one more approver than that is registered."""

    def plan() -> Plan:
        cluster, way = reach.found(session)
        return session.hsmctl.quorum.plan_set(cluster, way, Service(service), value)

    return carry_out(session, wish, plan)


@verb(
    "sign",
    "hsmctl quorum sign approve-bob.json --user alice --key alice.pem",
    "hsmctl -c prod quorum sign approve-bob.json --user alice --key 'pkcs11:token=alice;object=approval'",
)
@click.argument("bundle")
@click.option("--user", metavar="NAME", required=True, help="The admin who approves.")
@click.option("--key", metavar="KEY", required=True, help=KEY)
def sign(session: Session, bundle: str, user: str, key: str) -> int:
    """Approve what a bundle asks for, off-line: neither AWS nor the cluster is needed. What it is for is said first."""
    signing = session.hsmctl.signing if key.startswith(SCHEME) else session.unbound.signing
    asked = signing.read(bundle)
    session.out.say(f"{asked.asked_by} asks on {asked.cluster_id}: {asked.says}")
    return session.show_local(SIGN, _signed(signing.sign(bundle, user, key)))


@verb("token", "hsmctl -c prod quorum token", "hsmctl -c prod user create bob --role admin --bundle approve-bob.json")
@click.argument("cluster", required=False)
@click.option("--client", metavar="NAME", help="Ask this client host; without it the first that answers.")
def list_tokens(session: Session, cluster: str | None, client: str | None) -> int:
    """List the open tokens; nobody logs in.

    There is no command that makes one, because a token dies with the session that made it: the command that needs
    approval makes its own with --bundle FILE, waits while others sign, and goes on in the same session.
    """
    facade = session.hsmctl
    found = facade.quorum.state(facade.cluster.only(cluster), client)
    return session.show(TOKENS, tuple(map(_token, found.tokens)), region=facade.aws.plane.region)


@verb("delete", "hsmctl -c prod quorum delete", "hsmctl -c prod quorum delete --everybody")
@click.option("--everybody", is_flag=True, help="Everybody's tokens, not only one's own.")
@through(approved=False)
@changes
def delete_tokens(session: Session, reach: Reach, wish: Wish, *, everybody: bool) -> int:
    """Delete open tokens; what they were asked for has to be asked again."""

    def plan() -> Plan:
        cluster, way = reach.found(session)
        return session.hsmctl.quorum.plan_delete_tokens(cluster, way, everybody=everybody)

    return carry_out(session, wish, plan)


noun = Noun("quorum", "Approvals by several admins.", status, register, set_value, sign, list_tokens, delete_tokens)


def _document(state: QuorumState) -> QuorumStatus:
    needed = largest(state.values)
    return QuorumStatus(
        cluster_id=state.cluster_id,
        host=state.host,
        active=state.active,
        connected=state.connected,
        values=state.values,
        needed=needed + 1 if needed else 0,
        approvers=len(approvers(state.admins)),
        admins=tuple(map(_approver, state.admins)),
        tokens=tuple(map(_token, state.tokens)),
    )


def _approver(user: HsmUser) -> ApproverRow:
    return ApproverRow(name=user.name, registered=user.quorum or None, approves=user.approves)


def _token(token: QuorumToken) -> TokenRow:
    return TokenRow(
        user=token.user,
        service=token.service,
        required=token.required,
        approvals=token.approvals,
        seconds=token.seconds,
        coverage=token.coverage or None,
        key_reference=token.key_reference or None,
    )


def _signed(bundle: Bundle) -> Signed:
    return Signed(
        cluster_id=bundle.cluster_id,
        service=bundle.service,
        says=bundle.says,
        asked_by=bundle.asked_by,
        needs=bundle.needs,
        signers=bundle.signers,
        expires_at=bundle.expires_at,
    )


def _status_lines(found: QuorumStatus, page: Page) -> Iterator[str]:
    values = ", ".join(f"{name} {'differs' if value is None else value}" for name, value in found.values.items())
    yield f"approvals needed: {values}"
    enough = Mark.REPORTED if found.approvers >= found.needed else Mark.BAD
    needed = f"; {found.needed} are needed so that one may be lost" if found.needed else ""
    yield f"{enough.glyph} {found.approvers} of {len(found.admins)} admins can approve{needed}"
    columns: tuple[Column[ApproverRow], ...] = (
        Column(title="", cell=lambda row: (Mark.REPORTED if row.approves else Mark.UNPROVEN).glyph),
        Column(title="ADMIN", cell=lambda row: row.name),
        Column(title="REGISTERED", cell=lambda row: row.registered or "no"),
    )
    yield from table(columns, found.admins, wide=page.wide, width=page.width)
    if found.tokens:
        yield "open tokens"
        yield from table(_TOKENS, found.tokens, wide=page.wide, width=page.width)
    yield f"seen from {found.host}, on {found.connected} of {found.active} ACTIVE HSMs"


_TOKENS: tuple[Column[TokenRow], ...] = (
    Column(title="BY", cell=lambda row: row.user),
    Column(title="FOR", cell=lambda row: row.service),
    Column(title="APPROVED", cell=lambda row: f"{_number(row.approvals)} of {_number(row.required)}"),
    Column(title="ENDS IN", cell=lambda row: "" if row.seconds is None else f"{row.seconds} s"),
    Column(title="COVERAGE", cell=lambda row: row.coverage or ""),
    Column(title="KEY", cell=lambda row: row.key_reference or ""),
)


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)


def _signed_lines(signed: Signed, _: Page) -> Iterator[str]:
    missing = signed.needs - len(signed.signers)
    yield f"{Mark.PROVED.glyph} signed: {signed.says}"
    yield f"  {len(signed.signers)} of {signed.needs} approvals: {', '.join(signed.signers)}"
    yield f"  {'enough' if missing <= 0 else f'{missing} more'}, by {instant(signed.expires_at)}"


STATUS: View[QuorumStatus] = View(
    schema="quorum.status@1",
    document=QuorumStatus,
    lines=_status_lines,
    names=lambda found: [row.name for row in found.admins if row.approves],
    items=lambda found: found.admins,
)
TOKENS: View[tuple[TokenRow, ...]] = View(
    schema="quorum.token@1",
    document=tuple[TokenRow, ...],
    lines=lambda found, page: table(_TOKENS, found, wide=page.wide, width=page.width),
    names=lambda found: [f"{row.user}/{row.service}" for row in found],
    items=lambda found: found,
    nothing="no token is open; the command that needs approval makes its own: --bundle FILE",
)
SIGN: View[Signed] = View(
    schema="quorum.sign@1",
    document=Signed,
    lines=_signed_lines,
    names=lambda signed: signed.signers,
)
