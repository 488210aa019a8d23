"""`user`: the users of a cluster, as cloudhsm-cli on a client host reports and changes them on every HSM it reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click

from hsmctl.cli.plan import Wish, carry_out, changes
from hsmctl.cli.quorum import KEY
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.cli.way import Reach, through
from hsmctl.domain.cluster import Cluster
from hsmctl.domain.plan import Plan
from hsmctl.domain.user import HsmUser, Role
from hsmctl.errors import ExitCode
from hsmctl.mark import Mark
from hsmctl.services.readiness import Way
from hsmctl.services.user import Users, UserService

_ROLES = click.Choice(list(map(str, Role)))


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """One user."""

    name: str
    role: str
    locked: str
    """true, false, inconsistent, or unknown."""
    mfa: str | None
    """The status of the second factor: enabled or inconsistent; null where there is none."""
    quorum: str | None
    """The same of the registration as an approver."""
    coverage: str
    """full: on every HSM the host is connected to."""
    troubles: tuple[str, ...]
    """What is wrong, in the order in which it is repaired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserList:
    """The users of a cluster."""

    cluster_id: str
    host: str
    """The client host that was asked."""
    active: int
    connected: int
    users: tuple[UserRow, ...]


@verb("list", "hsmctl --lab user list", "hsmctl -c prod user list cluster-a2b3c4d5e6f --client app1 -o json")
@click.argument("cluster", required=False)
@click.option("--client", metavar="NAME", help="Ask this client host; without it the first that answers.")
def list_users(session: Session, cluster: str | None, client: str | None) -> int:
    """List a cluster's users with role, lock, second factor, quorum registration and coverage; nobody logs in.

    Exit 1 where a user is locked or not the same on every HSM, 6 where the host does not reach all of them.
    """
    facade = session.hsmctl
    found = facade.user.list(facade.cluster.only(cluster), client)
    code = ExitCode.OK
    if found.connected != found.active:
        code = ExitCode.PARTIAL
    if any(not user.sound for user in found.users):
        code = ExitCode.NO
    return session.show(LIST, document(found), region=facade.aws.plane.region, warnings=_warnings(found), code=code)


@verb(
    "create",
    "hsmctl --lab user create alice --role crypto-user",
    "hsmctl -c prod user create bob --role admin --bundle approve-bob.json",
)
@click.argument("name")
@click.option("--role", type=_ROLES, required=True, help="What the user is.")
@through()
@changes
def create_user(session: Session, name: str, role: str, reach: Reach, wish: Wish) -> int:
    """Make a user on every HSM; both passwords are asked for at the terminal.

    Refused while this host misses an HSM, or one is joining or leaving: such an HSM would never get the user.
    """
    return _carried(
        session, wish, reach, lambda cluster, way: _users(session).plan_create(cluster, way, name, Role(role))
    )


@verb("delete", "hsmctl -c prod user delete bob --confirm d5e6f7")
@click.argument("name")
@through()
@changes
def delete_user(session: Session, name: str, reach: Reach, wish: Wish) -> int:
    """Delete a user from every HSM, after the end of the cluster's id was typed; who owns keys cannot be deleted."""
    return _carried(session, wish, reach, lambda cluster, way: _users(session).plan_delete(cluster, way, name))


@verb("change-password", "hsmctl -c prod user change-password alice")
@click.argument("name")
@through()
@changes
def change_password(session: Session, name: str, reach: Reach, wish: Wish) -> int:
    """Set a user's password on every HSM; an approver has to register again afterwards."""
    return _carried(session, wish, reach, lambda cluster, way: _users(session).plan_password(cluster, way, name))


@verb("unlock", "hsmctl -c prod user unlock alice")
@click.argument("name")
@through()
@changes
def unlock_user(session: Session, name: str, reach: Reach, wish: Wish) -> int:
    """Let a locked user in again, which only a new password does; it may be the old one."""
    return _carried(session, wish, reach, lambda cluster, way: _users(session).plan_unlock(cluster, way, name))


@verb("repair", "hsmctl -c prod user repair alice --dry-run", "hsmctl -c prod user repair alice --role crypto-user")
@click.argument("name")
@click.option("--role", type=_ROLES, help="The right role, where HSMs disagree about it.")
@through()
@changes
def repair_user(session: Session, name: str, role: str | None, reach: Reach, wish: Wish) -> int:
    """Mend a user that is missing, locked or another on some HSM; CloudHSM never does that by itself."""
    wanted = Role(role) if role else None
    return _carried(session, wish, reach, lambda cluster, way: _users(session).plan_repair(cluster, way, name, wanted))


@verb("replicate", "hsmctl -c prod user replicate alice", "hsmctl -c prod user replicate alice --bundle approve.json")
@click.argument("name")
@through()
@changes
def replicate_user(session: Session, name: str, reach: Reach, wish: Wish) -> int:
    """Make a user on the HSMs that lack it, with its current password; nothing is deleted or changed on the others.

    Another password than the current one would make two users of one name.
    """
    return _carried(session, wish, reach, lambda cluster, way: _users(session).plan_replicate(cluster, way, name))


@verb("enrol", "hsmctl -c prod user mfa enrol alice --key alice.pem")
@click.argument("name")
@click.option("--key", metavar="KEY", required=True, help=KEY)
@through()
@changes
def enrol(session: Session, name: str, key: str, reach: Reach, wish: Wish) -> int:
    """Give a user a second factor: the key signs a token for each HSM, now and at every login."""
    return _carried(session, wish, reach, lambda cluster, way: _users(session).plan_enrol(cluster, way, name, key))


@verb("remove", "hsmctl -c prod user mfa remove alice")
@click.argument("name")
@through()
@changes
def disenrol(session: Session, name: str, reach: Reach, wish: Wish) -> int:
    """Take a user's second factor away; it sets their password, and ends their registration as an approver."""
    return _carried(session, wish, reach, lambda cluster, way: _users(session).plan_disenrol(cluster, way, name))


noun = Noun(
    "user",
    "The users of a cluster's HSMs.",
    *(list_users, create_user, delete_user, change_password, unlock_user, repair_user, replicate_user),
    Noun("mfa", "Second factors of users.", enrol, disenrol),
)


def _users(session: Session) -> UserService:
    return session.hsmctl.user


def _carried(session: Session, wish: Wish, reach: Reach, make: Callable[[Cluster, Way], Plan]) -> int:
    """Plan a change of the reached cluster and carry it out; the exit code."""
    return carry_out(session, wish, lambda: make(*reach.found(session)))


def document(found: Users) -> UserList:
    """The answer as it is written."""
    return UserList(
        cluster_id=found.cluster_id,
        host=found.host,
        active=found.active,
        connected=found.connected,
        users=tuple(map(_row, found.users)),
    )


def _row(user: HsmUser) -> UserRow:
    return UserRow(
        name=user.name,
        role=user.role,
        locked=user.locked,
        mfa=user.mfa or None,
        quorum=user.quorum or None,
        coverage=user.coverage,
        troubles=tuple(map(str, user.troubles)),
    )


def _warnings(found: Users) -> tuple[str, ...]:
    """How far the answer goes, where that is not everywhere."""
    if found.connected == found.active:
        return ()
    return (f"{found.host} is connected to {found.connected} of {found.active} ACTIVE HSMs: full is about those",)


def _lines(found: UserList, page: Page) -> Iterator[str]:
    columns: tuple[Column[UserRow], ...] = (
        Column(title="", cell=lambda row: (Mark.BAD if row.troubles else Mark.REPORTED).glyph),
        Column(title="USER", cell=lambda row: row.name),
        Column(title="ROLE", cell=lambda row: row.role),
        Column(title="LOCKED", cell=lambda row: "no" if row.locked == "false" else row.locked),
        Column(title="MFA", cell=lambda row: row.mfa or ""),
        Column(title="QUORUM", cell=lambda row: row.quorum or ""),
        Column(title="COVERAGE", cell=lambda row: row.coverage),
        Column(title="WHAT IS WRONG", cell=lambda row: "; ".join(row.troubles)),
    )
    yield from table(columns, found.users, wide=page.wide, width=page.width)
    yield f"seen from {found.host}, on {found.connected} of {found.active} ACTIVE HSMs"


LIST: View[UserList] = View(
    schema="user.list@1",
    document=UserList,
    lines=_lines,
    names=lambda found: [row.name for row in found.users],
    items=lambda found: found.users,
)
