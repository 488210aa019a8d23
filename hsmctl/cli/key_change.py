"""`key delete|disable|enable|set|rename|rotate`: changes to keys that exist, one or all that a filter keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from hsmctl.cli.key_generate import KeyMade as KeyMade
from hsmctl.cli.key_place import Place, at_token, token_named
from hsmctl.cli.key_row import COLUMNS, cells, row
from hsmctl.cli.plan import Wish, carry_out, changes
from hsmctl.cli.session import Session, named
from hsmctl.cli.verb import verb
from hsmctl.domain.filter import Filter, searchable
from hsmctl.domain.key import Key, ObjectClass
from hsmctl.domain.key_name import KeyName, choose
from hsmctl.domain.key_purpose import parse_attributes
from hsmctl.errors import Conflict, UsageError
from hsmctl.settings import ContextKind

if TYPE_CHECKING:
    from hsmctl.domain.key_copy import End
    from hsmctl.domain.plan import Plan
    from hsmctl.services.key_change import Choose, Scope

_FILTER = "Every key for which these terms hold, shown before anything is done."


def _which(function: Callable[..., int]) -> Callable[..., int]:
    """The argument and option that say which keys are meant."""
    click.option("--filter", "terms", metavar="TERMS", default="", help=_FILTER)(function)
    click.argument("keys", nargs=-1, metavar="[KEY]...")(function)
    return function


@verb(
    "delete",
    "hsmctl key delete old-kek --confirm 4d5e6f",
    "hsmctl key delete --filter 'tmp-* class:secret' --dry-run",
    "hsmctl key delete 'pkcs11:object=tls;type=public' --now 'it was a test' --confirm 4d5e6f",
)
@_which
@click.option("--now", metavar="REASON", default="", help="Although it was not disabled for 7 days.")
@changes
@at_token
def delete_keys(session: Session, place: Place, wish: Wish, keys: tuple[str, ...], terms: str, now: str) -> int:
    """Destroy exactly the objects that are shown; only a backup brings them back, and the plan says which."""
    pick, name = _picked(keys, terms)
    return carry_out(
        session,
        wish,
        lambda: session.hsmctl.keys.change.plan_delete(_scope(place, name), pick, now=now, seconds=place.seconds),
    )


@verb("disable", "hsmctl key disable old-kek older-kek", "hsmctl key disable --filter 'tmp-*' --dry-run")
@_which
@changes
@at_token
def disable_keys(session: Session, place: Place, wish: Wish, keys: tuple[str, ...], terms: str) -> int:
    """Take every use from keys, so that whoever needs them cries out in time; `key enable` undoes it."""
    pick, name = _picked(keys, terms)
    return carry_out(
        session,
        wish,
        lambda: session.hsmctl.keys.change.plan_disable(_scope(place, name), pick, seconds=place.seconds),
    )


@verb("enable", "hsmctl key enable old-kek")
@_which
@changes
@at_token
def enable_keys(session: Session, place: Place, wish: Wish, keys: tuple[str, ...], terms: str) -> int:
    """Give keys back the uses that `key disable` took, as the journal of this machine has them."""
    pick, name = _picked(keys, terms)
    return carry_out(
        session,
        wish,
        lambda: session.hsmctl.keys.change.plan_enable(_scope(place, name), pick, seconds=place.seconds),
    )


@verb("set", "hsmctl key set data-2027 extractable=false", "hsmctl key set tls derive=true --dry-run")
@click.argument("key")
@click.argument("attributes", nargs=-1, required=True, metavar="NAME=BOOL...")
@changes
@at_token
def set_attributes(session: Session, place: Place, wish: Wish, key: str, attributes: tuple[str, ...]) -> int:
    """Change attributes of one object; on a cluster through cloudhsm-cli on a client host."""
    pick, name = _picked((key,), "")
    wanted = {attribute.rpartition(".")[2]: value for attribute, value in parse_attributes(attributes).items()}
    return carry_out(
        session,
        wish,
        lambda: session.hsmctl.keys.change.plan_set(_scope(place, name), pick, wanted, seconds=place.seconds),
    )


@verb("rename", "hsmctl key rename tls tls-2026")
@click.argument("key")
@click.argument("label")
@changes
@at_token
def rename_key(session: Session, place: Place, wish: Wish, key: str, label: str) -> int:
    """Give one object another label; on a cluster through cloudhsm-cli on a client host."""
    pick, name = _picked((key,), "")
    wanted = {"label": label.encode(errors="surrogateescape")}
    return carry_out(
        session,
        wish,
        lambda: session.hsmctl.keys.change.plan_set(_scope(place, name), pick, wanted, seconds=place.seconds),
    )


@verb(
    "copy",
    "hsmctl key copy data-2027 --from alpha --to beta --confirm beta",
    "hsmctl key copy --filter 'app-* class:secret' --from hsm-aaaaaaaaaaa --to vault --dry-run",
)
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--filter", "terms", metavar="TERMS", default="", help=_FILTER)
@click.option("--from", "source", metavar="TOKEN", required=True, help="The token or HSM that has it.")
@click.option("--to", "target", metavar="TOKEN", required=True, help="The token or HSM that gets it.")
@click.option("--cluster", metavar="ID", help="The cluster, by id or name, where one end is an HSM.")
@changes
def copy_keys(
    session: Session,
    wish: Wish,
    keys: tuple[str, ...],
    terms: str,
    source: str,
    target: str,
    cluster: str | None,
) -> int:
    """Copy keys to an unrelated token, wrapped all the way, and have both prove that they are the same.

    Attributes come along, public halves too. Keys of an HSM never go to software or to a lab, and none goes to a token
    whose serial number the context does not pin.
    """
    pick, _ = _picked(keys, terms)

    def plan() -> Plan:
        here, there = (_end(session, name, cluster) for name in (source, target))
        account = _account(session) if here.cluster_id or there.cluster_id else ""
        return session.hsmctl.keys.copy.plan(here, there, pick, account)

    return carry_out(session, wish, plan)


@verb(
    "rotate",
    "hsmctl key rotate data-2026 --label data-2027",
    "hsmctl key rotate tls-2026 --label tls-2027 --disable-old --dry-run",
)
@click.argument("key")
@click.option("--label", required=True, help="The label of the new key.")
@click.option("--disable-old", is_flag=True, help="Take the old key's uses once the new one is on every HSM.")
@changes
@at_token
def rotate_key(session: Session, place: Place, wish: Wish, key: str, label: str, *, disable_old: bool) -> int:
    """Make a key of the same kind, size and uses under a new label, and see it on every HSM.

    The old one stays for what it still has to open; disabled, key enable gives it back what it could do.
    """
    name = KeyName.parse(key)

    def plan() -> Plan:
        scope = _scope(place, name)
        return session.hsmctl.keys.rotate.plan(scope, name, label, disable=disable_old, seconds=place.seconds)

    return carry_out(session, wish, plan)


def _picked(names: Sequence[str], terms: str) -> tuple[Choose, KeyName | None]:
    """Which of a token's objects are meant: those that are named, or all that a filter keeps; the first name, too."""
    if bool(names) == bool(terms.strip()):
        raise UsageError("which keys?", "name some, or give --filter, and not both", "hsmctl key delete old-kek")
    if names:
        wanted_keys = [KeyName.parse(name) for name in names]
        return lambda keys: list(dict.fromkeys(_one(name, keys) for name in wanted_keys)), wanted_keys[0]
    wanted = Filter.parse(terms, COLUMNS)
    if not wanted:
        raise UsageError(f"--filter {terms}", "it asks for nothing", "--filter 'tmp-* class:secret'")
    return (lambda keys: [each for each in keys if wanted.keeps(searchable(cells(row(each))))]), None


def _one(name: KeyName, keys: Sequence[Key]) -> Key:
    """The one object a name means; of several, the private or secret one, unless the name itself says which."""
    alone = name.uri.object_class is not None or sum(name.fits(each) for each in keys) == 1
    return choose(name, keys, () if alone else (ObjectClass.SECRET, ObjectClass.PRIVATE))


def _scope(place: Place, name: KeyName | None) -> Scope:
    """Where a change is made, and what is known about backups there."""
    from hsmctl.domain.key_change import way_back
    from hsmctl.services.key_change import Scope

    facade = place.session.hsmctl
    replicas = place.everywhere(name.uri if name else None)
    realm = replicas[0].realm or None
    if realm is None:
        back = "nothing here knows of a backup of this token"
        return Scope(replicas=replicas, cluster_id=None, account="", region="", way_back=back)
    cluster = facade.cluster.show(realm)
    return Scope(
        replicas=replicas,
        cluster_id=realm,
        account=_account(place.session),
        region=facade.aws.plane.region,
        way_back=way_back(facade.aws.plane.backups(realm), cluster.backup_retention_days),
    )


def _end(session: Session, name: str, cluster: str | None) -> End:
    """One end of a copy: a token of the context by its name, else an HSM of the cluster."""
    from hsmctl.domain.key_copy import End

    facade = session.hsmctl
    name = token_named(facade.context, name)
    entry = next((entry for entry in facade.context.tokens if entry.name == name), None)
    if entry is not None:
        (replica,) = named(facade.token_replicas(), [name])
        return End(replica=replica, serial=entry.serial, cluster_id=entry.cluster or None)
    if not name.startswith("hsm-"):
        known = ", ".join(entry.name for entry in facade.context.tokens) or "none"
        raise Conflict(f"no token {name}", f"the context has {known}", "hsmctl token list, or an HSM by its hsm- id")
    found = facade.cluster.only(cluster)
    (replica,) = named(facade.replicas(found), [name])
    lab = facade.context.kind is ContextKind.LAB
    return End(replica=replica, cluster_id=found.cluster_id, lab=lab)


def _account(session: Session) -> str:
    facade = session.hsmctl
    return facade.aws.identity(facade.context.account_id).caller().account


verbs = (copy_keys, disable_keys, enable_keys, set_attributes, rename_key, rotate_key, delete_keys)
