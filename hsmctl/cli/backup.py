"""`backup`: what clusters leave behind, kept, copied, shared, let go, and checked for age."""

from __future__ import annotations

from datetime import timedelta

import click

from hsmctl.cli.backup_view import CHECK, INSPECT, LIST, SHOW, STALE, freshness_row, inspected, row
from hsmctl.cli.plan import Wish, carry_out, changes
from hsmctl.cli.session import Session
from hsmctl.cli.verb import Noun, Seconds, verb
from hsmctl.errors import ExitCode


@verb("list", "hsmctl backup list", "hsmctl backup list cluster-a2b3c4d5e6f -o wide", "hsmctl backup list --shared")
@click.argument("cluster", required=False)
@click.option("--shared", is_flag=True, help="Those that other accounts share with this one.")
def list_backups(session: Session, cluster: str | None, *, shared: bool) -> int:
    """List the backups of the region or of a cluster, the newest first."""
    found = session.hsmctl.backup.list(cluster, shared=shared)
    return session.show(LIST, tuple(map(row, found)), region=session.hsmctl.aws.plane.region)


@verb("show", "hsmctl backup show backup-q2w3e4r5t6y")
@click.argument("backup")
def show_backup(session: Session, backup: str) -> int:
    """Show one backup."""
    return session.show(SHOW, row(session.hsmctl.backup.show(backup)), region=session.hsmctl.aws.plane.region)


@verb("inspect", "hsmctl backup inspect backup-q2w3e4r5t6y")
@click.argument("backup")
def inspect_backup(session: Session, backup: str) -> int:
    """Show one backup, whom it is shared with, whether it may go and what it can be restored to."""
    found = session.hsmctl.backup.inspect(backup)
    return session.show(INSPECT, inspected(found), region=session.hsmctl.aws.plane.region)


@verb("check", "hsmctl backup check", "hsmctl backup check --max-age 26h -o nagios", checks=True)
@click.argument("cluster", required=False)
@click.option("--max-age", type=Seconds(), default="26h", show_default=True, help="How old the newest may be.")
def check_backups(session: Session, cluster: str | None, max_age: float) -> int:
    """Say whether every cluster's newest READY backup is young enough; exit 1 where one is not."""
    session.check_account()
    facade = session.hsmctl
    clusters = (facade.cluster.show(cluster),) if cluster else facade.cluster.list()
    found = tuple(map(freshness_row, facade.backup.check(clusters, timedelta(seconds=max_age))))
    bad = any(each.freshness in STALE for each in found)
    return session.show(CHECK, found, region=facade.aws.plane.region, code=ExitCode.NO if bad else ExitCode.OK)


@verb("copy", "hsmctl backup copy backup-q2w3e4r5t6y --to eu-west-1")
@click.argument("backup")
@click.option("--to", "region", metavar="REGION", required=True, help="Where it is copied to.")
@changes
def copy_backup(session: Session, backup: str, region: str, wish: Wish) -> int:
    """Copy a backup to another region and follow the copy until it is READY there."""
    service = session.hsmctl.backup
    return carry_out(session, wish, lambda: service.plan_copy(service.show(backup), region))


@verb("delete", "hsmctl backup delete backup-q2w3e4r5t6y --confirm 4r5t6y")
@click.argument("backup")
@changes
def delete_backup(session: Session, backup: str, wish: Wish) -> int:
    """Delete a backup that can be spared; for seven days it can be restored."""
    service = session.hsmctl.backup
    return carry_out(session, wish, lambda: service.plan_delete(service.show(backup)))


@verb("restore", "hsmctl backup restore backup-q2w3e4r5t6y")
@click.argument("backup")
@changes
def restore_backup(session: Session, backup: str, wish: Wish) -> int:
    """Take the pending deletion of a backup back; `cluster create --from-backup` restores a cluster."""
    service = session.hsmctl.backup
    return carry_out(session, wish, lambda: service.plan_restore(service.show(backup)))


@verb("retain", "hsmctl backup retain backup-q2w3e4r5t6y")
@click.argument("backup")
@changes
def retain_backup(session: Session, backup: str, wish: Wish) -> int:
    """Exempt a backup from its cluster's retention policy."""
    service = session.hsmctl.backup
    return carry_out(session, wish, lambda: service.plan_retain(service.show(backup), for_ever=True))


@verb("release", "hsmctl backup release backup-q2w3e4r5t6y")
@click.argument("backup")
@changes
def release_backup(session: Session, backup: str, wish: Wish) -> int:
    """Put a backup back under its cluster's retention policy."""
    service = session.hsmctl.backup
    return carry_out(session, wish, lambda: service.plan_retain(service.show(backup), for_ever=False))


@verb("share", "hsmctl backup share backup-q2w3e4r5t6y --with 111122223333")
@click.argument("backup")
@click.option("--with", "accounts", metavar="ACCOUNT", multiple=True, required=True, help="May be repeated.")
@changes
def share_backup(session: Session, backup: str, accounts: tuple[str, ...], wish: Wish) -> int:
    """Let other accounts restore a backup."""
    service = session.hsmctl.backup
    return carry_out(session, wish, lambda: service.plan_share(service.show(backup), accounts))


@verb("unshare", "hsmctl backup unshare backup-q2w3e4r5t6y --with 111122223333")
@click.argument("backup")
@click.option("--with", "accounts", metavar="ACCOUNT", multiple=True, help="Only these; otherwise all.")
@changes
def unshare_backup(session: Session, backup: str, accounts: tuple[str, ...], wish: Wish) -> int:
    """Let other accounts restore a backup no more; what they restored stays."""
    service = session.hsmctl.backup
    return carry_out(session, wish, lambda: service.plan_unshare(service.show(backup), accounts))


noun = Noun(
    "backup",
    "What clusters leave behind.",
    list_backups,
    show_backup,
    inspect_backup,
    check_backups,
    copy_backup,
    delete_backup,
    restore_backup,
    retain_backup,
    release_backup,
    share_backup,
    unshare_backup,
)
