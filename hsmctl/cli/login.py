"""`login`: PINs that an HSM refused, which are not tried again until somebody says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import click

from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.mark import Mark
from hsmctl.ports import RefusedLogin
from hsmctl.words import instant


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRow:
    """One PIN that was refused."""

    user: str
    realm: str
    """Whose user it is: the cluster's id, or the token's name."""
    refused_by: str
    """The HSM or token."""
    refused_at: datetime


@verb("status", "hsmctl login status")
def status(session: Session) -> int:
    """List the users whose PIN was refused: with the same PIN nobody on this machine logs in again."""
    return session.show_local(STATUS, _rows(session.unbound.logins.refused()))


@verb("reset", "hsmctl login reset", "hsmctl login reset ops_cu")
@click.argument("user", required=False)
def reset(session: Session, user: str | None) -> int:
    """Let refused PINs be tried once more: a user's, or all. Five wrong ones lock the user on the HSMs."""
    return session.show_local(RESET, _rows(session.unbound.logins.reset(user)))


noun = Noun("login", "PINs that were refused and are not tried again.", status, reset)


def _rows(logins: Sequence[RefusedLogin]) -> tuple[LoginRow, ...]:
    """The logins without anything that comes from a PIN."""
    return tuple(
        LoginRow(user=each.user, realm=each.realm, refused_by=each.replica, refused_at=each.at) for each in logins
    )


def _status_lines(logins: tuple[LoginRow, ...], page: Page) -> list[str]:
    columns: tuple[Column[LoginRow], ...] = (
        Column(title="", cell=lambda _: Mark.BAD.glyph),
        Column(title="USER", cell=lambda row: row.user),
        Column(title="OF", cell=lambda row: row.realm, shrinks=True),
        Column(title="REFUSED BY", cell=lambda row: row.refused_by, shrinks=True),
        Column(title="AT", cell=lambda row: instant(row.refused_at)),
    )
    return table(columns, logins, wide=page.wide, width=page.width)


def _reset_lines(logins: tuple[LoginRow, ...], _: Page) -> list[str]:
    return [f"the PIN of {row.user} of {row.realm}, refused by {row.refused_by}, may be tried again" for row in logins]


def _users(logins: tuple[LoginRow, ...]) -> list[str]:
    return [row.user for row in logins]


STATUS: View[tuple[LoginRow, ...]] = View(
    schema="login.status@1",
    document=tuple[LoginRow, ...],
    lines=_status_lines,
    names=_users,
    items=lambda logins: logins,
    nothing="no PIN was refused",
)
RESET: View[tuple[LoginRow, ...]] = View(
    schema="login.reset@1",
    document=tuple[LoginRow, ...],
    lines=_reset_lines,
    names=_users,
    items=lambda logins: logins,
    nothing="no PIN was refused: there is nothing to reset",
)
