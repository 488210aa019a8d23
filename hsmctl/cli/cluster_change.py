"""`cluster create`, `delete`, `wait`, `tag`, `untag` and `modify`: whole clusters, changed as plans."""

from __future__ import annotations

import click

from hsmctl.cli.plan import Wish, carry_out, changes, waited
from hsmctl.cli.session import Session
from hsmctl.cli.verb import Seconds, verb
from hsmctl.cli.waiver import waives
from hsmctl.domain.cluster import Cluster, ClusterState
from hsmctl.domain.plan import Plan
from hsmctl.domain.preflight import HSM_TYPE, MODES, NETWORK_TYPES
from hsmctl.errors import ExitCode, UsageError
from hsmctl.services.cluster_change import NewCluster
from hsmctl.services.interlock import Waivers

_AWAITED = tuple(state.value for state in ClusterState)


@verb(
    "create",
    "hsmctl cluster create --subnet subnet-0a1b2c3d --subnet subnet-1a2b3c4d --tag Name=orders --dry-run",
    "hsmctl cluster create --subnet subnet-0a1b2c3d --subnet subnet-1a2b3c4d --from-backup backup-q2w3e4r5t6y",
)
@click.option("--subnet", "subnets", metavar="ID", multiple=True, help="One for each zone; of one VPC.")
@click.option("--type", "hsm_type", default=HSM_TYPE, show_default=True, help="The HSM type.")
@click.option("--mode", type=click.Choice(MODES, case_sensitive=False), help="Stays for ever; FIPS unless told.")
@click.option("--network-type", type=click.Choice(NETWORK_TYPES, case_sensitive=False), help="IPV4 unless told.")
@click.option("--retention", type=int, metavar="DAYS", help="Keep backups so long, 7 to 379 days; AWS's default is 90.")
@click.option("--tag", "tags", metavar="NAME=VALUE", multiple=True, help="A tag; may be repeated.")
@click.option("--from-backup", "backup", metavar="ID|ARN", default="", help="Restore this backup.")
@waives("--allow-single-az")
@changes
def create(
    session: Session,
    subnets: tuple[str, ...],
    hsm_type: str,
    mode: str | None,
    network_type: str | None,
    retention: int | None,
    tags: tuple[str, ...],
    backup: str,
    waivers: Waivers,
    wish: Wish,
) -> int:
    """Create a cluster without HSMs, or restore one from a backup; it costs nothing until it has HSMs."""
    wanted = NewCluster(
        subnets=subnets or tuple(session.hsmctl.context.subnets.values()),
        hsm_type=hsm_type,
        mode=(mode or "").upper(),
        network_type=(network_type or "").upper(),
        retention_days=retention,
        tags=_tags(tags),
        backup=backup,
    )
    return carry_out(session, wish, lambda: session.hsmctl.changes.plan_create(wanted, waivers))


@verb("delete", "hsmctl cluster delete cluster-a2b3c4d5e6f --confirm 3d4e5f", "hsmctl cluster delete --dry-run")
@click.argument("cluster", required=False)
@waives("--allow-no-backup")
@changes
def delete(session: Session, cluster: str | None, waivers: Waivers, wish: Wish) -> int:
    """Delete a cluster that has no HSMs any more; its backups stay."""
    return carry_out(
        session, wish, lambda: session.hsmctl.changes.plan_delete(session.hsmctl.cluster.only(cluster), waivers)
    )


@verb(
    "wait", "hsmctl cluster wait --for active", "hsmctl cluster wait cluster-a2b3c4d5e6f --for deleted --deadline 20m"
)
@click.argument("cluster", required=False)
@click.option("--for", "state", type=click.Choice(_AWAITED), default="active", show_default=True, help="The state.")
@click.option("--deadline", type=Seconds(), default="60m", show_default=True, help="Give up after this time.")
def wait(session: Session, cluster: str | None, state: str, deadline: float) -> int:
    """Wait until a cluster is in a state and nobody joins or leaves; changes nothing."""
    service = session.hsmctl.cluster
    found = service.only(cluster)

    def done(each: Cluster) -> bool:
        moving = any(hsm.state.endswith("in_progress") for hsm in each.hsms)
        return each.state == state and not moving

    waited(session, service.waiting(found.cluster_id, done, deadline))
    session.out.say(f"{found.cluster_id} is {state}")
    return ExitCode.OK


@verb(
    "tag",
    "hsmctl cluster tag cluster-a2b3c4d5e6f Name=orders owner=payments",
    "hsmctl cluster tag cluster-a2b3c4d5e6f a=b --dry-run",
)
@click.argument("cluster")
@click.argument("tags", nargs=-1, required=True, metavar="NAME=VALUE...")
@changes
def tag(session: Session, cluster: str, tags: tuple[str, ...], wish: Wish) -> int:
    """Set tags of a cluster."""
    return carry_out(
        session, wish, lambda: session.hsmctl.changes.plan_tag(session.hsmctl.cluster.only(cluster), _tags(tags))
    )


@verb("untag", "hsmctl cluster untag cluster-a2b3c4d5e6f owner")
@click.argument("cluster")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@changes
def untag(session: Session, cluster: str, names: tuple[str, ...], wish: Wish) -> int:
    """Take tags away from a cluster."""
    return carry_out(
        session, wish, lambda: session.hsmctl.changes.plan_untag(session.hsmctl.cluster.only(cluster), names)
    )


@verb(
    "modify",
    "hsmctl cluster modify cluster-a2b3c4d5e6f --retention 120",
    "hsmctl cluster modify cluster-a2b3c4d5e6f --type hsm2m.medium --dry-run",
)
@click.argument("cluster", required=False)
@click.option("--retention", type=int, metavar="DAYS", help="Keep backups so long, 7 to 379 days.")
@click.option("--type", "hsm_type", metavar="TYPE", help="Move every HSM to this type, or back while that is possible.")
@waives("--allow-unequal", "--allow-degraded")
@changes
def modify(
    session: Session,
    cluster: str | None,
    retention: int | None,
    hsm_type: str | None,
    waivers: Waivers,
    wish: Wish,
) -> int:
    """Change how long backups are kept, or the type of the HSMs."""
    if (retention is None) == (hsm_type is None):
        raise UsageError("cluster modify", "either --retention or --type says what", "--retention 120")

    def plan() -> Plan:
        found = session.hsmctl.cluster.only(cluster)
        if retention is not None:
            return session.hsmctl.changes.plan_retention(found, retention)
        return session.hsmctl.changes.plan_migrate(found, hsm_type or "", waivers)

    return carry_out(session, wish, plan)


verbs = (create, delete, wait, tag, untag, modify)


def _tags(words: tuple[str, ...]) -> dict[str, str]:
    """Tags as they are typed.

    Raises:
        UsageError: a word is none.
    """
    pairs = [word.partition("=") for word in words]
    for (name, sign, _), word in zip(pairs, words, strict=True):
        if not name or not sign:
            raise UsageError(f"tag {word}", "it has no name, or no equals sign", "Name=orders")
    return {name: value for name, _, value in pairs}
