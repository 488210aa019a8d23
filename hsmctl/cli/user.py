"""`user`: the users of a cluster, as cloudhsm-cli on a client host reports them over every HSM it reaches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.user import HsmUser
from hsmctl.errors import ExitCode
from hsmctl.mark import Mark
from hsmctl.services.user import Users


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


noun = Noun("user", "The users of a cluster's HSMs.", list_users)


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
