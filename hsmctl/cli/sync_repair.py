"""`sync repair`: attributes and sharing of a key made equal on every HSM of a cluster again; never its material."""

from __future__ import annotations

import click

from hsmctl.cli.plan import Wish, carry_out, changes
from hsmctl.cli.session import Session
from hsmctl.cli.verb import verb
from hsmctl.cli.way import Reach
from hsmctl.domain.plan import Plan
from hsmctl.errors import UsageError


@verb(
    "repair",
    "hsmctl -c prod sync repair db-kek --set wrap=true --dry-run",
    "hsmctl -c prod sync repair 0x00000000001a2b3c --share app_cu",
)
@click.argument("key")
@click.option("--set", "setting", metavar="NAME=VALUE", help="Set this attribute to the value that is right.")
@click.option("--share", metavar="USER", help="Share the key with this user on every HSM.")
@click.option("--unshare", metavar="USER", help="Share it with this user on none.")
@click.option("--cluster", metavar="ID", help="The cluster, by id or name, where there are several.")
@click.option("--client", metavar="NAME", help="Through this client host; without it the first that answers.")
@changes
def repair_key(
    session: Session,
    key: str,
    setting: str | None,
    share: str | None,
    unshare: str | None,
    cluster: str | None,
    client: str | None,
    wish: Wish,
) -> int:
    """Mend a key about which the HSMs disagree, through cloudhsm-cli as the context's crypto user, who owns it.

    The cluster is held first. A key that some HSM lacks, or holds with other material, is not touched: the service
    copies it, or AWS Support does.
    """
    if [setting, share, unshare].count(None) != 2:
        raise UsageError(
            "sync repair", "one thing is mended at a time", "--set NAME=VALUE, --share USER or --unshare USER"
        )
    name, equals, value = (setting or "").partition("=")
    if setting is not None and not (name and equals and value):
        raise UsageError(f"--set {setting}", "it is no NAME=VALUE", "--set wrap=true")

    def plan() -> Plan:
        reach = Reach(cluster=cluster, client=client, admin="", admin_key="", bundle="")
        found, way = reach.found(session)
        repair = session.hsmctl.key_repair
        if setting is not None:
            return repair.plan_attribute(found, way, key, name, value)
        return repair.plan_sharing(found, way, key, share or unshare or "", shared=share is not None)

    return carry_out(session, wish, plan)
