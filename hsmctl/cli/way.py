"""How a command that changes a cluster through cloudhsm-cli says which way: cluster, client host, admin, approvals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import click

from hsmctl.cli.session import Session
from hsmctl.domain.cluster import Cluster
from hsmctl.services.readiness import Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What was typed about the way."""

    cluster: str | None
    client: str | None
    admin: str
    admin_key: str
    bundle: str

    def found(self, session: Session) -> tuple[Cluster, Way]:
        """The cluster, and the way to it through the named client host or the first that answers."""
        facade = session.hsmctl
        cluster = facade.cluster.only(self.cluster)
        host = self.client or facade.console.speaker(cluster.cluster_id)
        return cluster, Way(
            cluster_id=cluster.cluster_id, host=host, admin=self.admin, admin_key=self.admin_key, bundle=self.bundle
        )


def through(*, approved: bool = True, admin: bool = True) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command the options of the way; it gets them as `reach`.

    `approved` says that a quorum may have to approve it, `admin` that another than the named user may log in.
    """

    def declare(function: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(function)
        def call(
            *values: object,
            cluster: str | None,
            client: str | None,
            admin: str = "admin",
            admin_key: str = "",
            bundle: str = "",
            **named: object,
        ) -> int:
            reach = Reach(cluster=cluster, client=client, admin=admin, admin_key=admin_key, bundle=bundle)
            return function(*values, reach=reach, **named)

        for option in reversed((*_PLACE, *(_ADMIN if admin else ()), *_FACTOR, *(_BUNDLE if approved else ()))):
            option(call)
        return call

    return declare


_PLACE = (
    click.option("--cluster", metavar="ID", help="The cluster, by id or name, where there are several."),
    click.option("--client", metavar="NAME", help="Through this client host; without it the first that answers."),
)
_ADMIN = (click.option("--admin", metavar="NAME", default="admin", show_default=True, help="Who logs in."),)
_FACTOR = (
    click.option("--admin-key", metavar="FILE", default="", help="The private key of the admin's second factor."),
)
_BUNDLE = (click.option("--bundle", metavar="FILE", default="", help="Where a quorum's approval is asked for."),)
