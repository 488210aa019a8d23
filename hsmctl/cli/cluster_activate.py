"""`cluster activate`: the first admin and a second one, their passwords in sinks before the HSM hears of them."""

from __future__ import annotations

import click

from hsmctl.cli.plan import Wish, carry_out, changes
from hsmctl.cli.session import Session
from hsmctl.cli.verb import verb
from hsmctl.domain.plan import Plan


@verb(
    "activate",
    "hsmctl cluster activate --sink file:/media/a/admin --second-sink file:/media/b/admin2 --confirm 3d4e5f",
    "hsmctl cluster activate --sink keyring:hsm/admin --second-sink file:/media/b/anna --second-admin anna --dry-run",
)
@click.argument("cluster", required=False)
@click.option(
    "--sink", "first", metavar="WHERE", default="", help="file:PATH or keyring:SERVICE/USER for the password."
)
@click.option("--second-sink", "second", metavar="WHERE", default="", help="The same for a second admin's.")
@click.option("--second-admin", "name", metavar="NAME", default="admin2", show_default=True, help="Its name.")
@changes
def activate(session: Session, cluster: str | None, first: str, second: str, name: str, wish: Wish) -> int:
    """Activate an initialized cluster: new passwords into their sinks, read back, set, proved by login; two admins."""

    def plan() -> Plan:
        found = session.hsmctl.cluster.only(cluster)
        return session.hsmctl.activation.plan(found, first, second, name)

    return carry_out(session, wish, plan)


verbs = (activate,)
