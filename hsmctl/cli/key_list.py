"""`key list`, `key find`, `key show`: what one user sees of a token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import click

from hsmctl.cli.key_place import Place, at_token
from hsmctl.cli.key_row import COLUMNS, KeyRow, cells, fingerprint, row, rows_table
from hsmctl.cli.session import Session
from hsmctl.cli.table import details
from hsmctl.cli.verb import Seconds, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.filter import Filter, searchable
from hsmctl.domain.key import Key
from hsmctl.domain.key_name import KeyName
from hsmctl.errors import ExitCode, UsageError
from hsmctl.words import shortened, whoever

if TYPE_CHECKING:
    from hsmctl.domain.sync import Replica
    from hsmctl.ports import Token

_SORTS: Mapping[str, Callable[[Key], tuple[object, ...]]] = {
    "label": lambda key: (key.identity.label, key.identity),
    "type": lambda key: (key.key_type, key.bits or 0, key.curve or "", key.identity.label),
    "class": lambda key: (key.identity.object_class, key.identity.label, key.identity.key_id),
    "id": lambda key: (key.identity.key_id, key.identity),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyList:
    """The keys one replica showed to one user."""

    replica: str
    user: str
    taken_at: datetime
    total: int | None
    """Token objects there whoever owns them, or null where the token cannot say."""
    keys: tuple[KeyRow, ...]
    seen: int
    """Objects this user sees; a filter or a limit may show fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyShown:
    """Everything about one object."""

    replica: str
    key: KeyRow
    values: Mapping[str, bytes]
    """Its public values, such as modulus or ec_point."""


@verb(
    "list",
    "hsmctl key list",
    "hsmctl key list --filter 'db-* class:secret' --sort type --limit 20",
    "hsmctl key list --on hsm-aaaaaaaaaaa -o wide",
    "hsmctl key list -o jsonl",
)
@click.argument("cluster", required=False)
@click.option("--on", metavar="HSM", help="Ask this HSM or token; otherwise the first that answers.")
@click.option(
    "--filter", "terms", metavar="TERMS", default="", help="Show only these: text, !text, te*t, column:value."
)
@click.option("--sort", type=click.Choice(list(_SORTS)), default="label", show_default=True, help="The order.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Show no more than this.")
@click.option("--deadline", type=Seconds(), default="30s", show_default=True, help="Give up after this time.")
def list_keys(
    session: Session, cluster: str | None, on: str | None, terms: str, sort: str, limit: int | None, deadline: float
) -> int:
    """List the keys the context's user sees; to PKCS#11 a cluster is one token."""
    place = Place(session=session, cluster=cluster, name=on, seconds=deadline)
    return session.show(LIST, _listed(place, terms, sort, limit))


@verb("find", "hsmctl key find 'pin-*'", "hsmctl key find type:rsa attributes:extractable -o name")
@click.argument("terms", nargs=-1, required=True)
@at_token
def find_keys(session: Session, place: Place, terms: tuple[str, ...]) -> int:
    """List the keys for which all terms hold; exit 1 where there is none, as grep does."""
    found = _listed(place, " ".join(terms), "label", None)
    return session.show(FOUND, found, code=ExitCode.OK if found.keys else ExitCode.NO)


@verb(
    "show",
    "hsmctl key show db-kek-001",
    "hsmctl key show 'pkcs11:object=tls;type=public' -o json",
    "hsmctl key show id:0a01 --on hsm-aaaaaaaaaaa",
)
@click.argument("key")
@at_token
def show_key(session: Session, place: Place, key: str) -> int:
    """Show everything about one object that may be read."""
    from hsmctl.services.key_door import only

    name = KeyName.parse(key)

    def look(replica: Replica, token: Token) -> KeyShown:
        found = only(token, name, where=replica.name)
        shown = row(found, place.label(replica))
        return KeyShown(replica=replica.name, key=shown, values=token.objects.values(found))

    return session.show(SHOWN, session.hsmctl.keys.door.look(place.replicas(name.uri), place.seconds, look))


def _listed(place: Place, query: str, sort: str, limit: int | None) -> KeyList:
    wanted = Filter.parse(query, COLUMNS)
    if query.strip() and not wanted:
        raise UsageError(f"--filter {query}", "it asks for nothing", "--filter 'db-* class:secret'")
    listing = place.session.hsmctl.key.list(place.replicas(), seconds=place.seconds)
    label = place.label(listing.replica)
    inventory = listing.inventory
    rows = [row(key, label) for key in sorted(inventory.keys, key=_SORTS[sort])]
    kept = [each for each in rows if wanted.keeps(searchable(cells(each)))] if wanted else rows
    return KeyList(
        replica=listing.replica.name,
        user=inventory.user,
        taken_at=inventory.taken_at,
        total=inventory.total,
        keys=tuple(kept[:limit]),
        seen=len(rows),
    )


def _list_lines(found: KeyList, page: Page) -> list[str]:
    of = f" of {found.total:,}" if found.total is not None else ""
    scope = f"{found.seen:,}{of} objects seen as {whoever([found.user])} on {found.replica}"
    shown = f"{len(found.keys):,} shown; " if len(found.keys) < found.seen else ""
    return [*rows_table(found.keys, page), "", shown + scope]


def _shown_lines(found: KeyShown, page: Page) -> list[str]:
    key = found.key
    pairs = [
        ("label", key.label),
        ("type", key.algorithm),
        ("class", key.object_class),
        ("id", key.key_id.hex()),
        ("fingerprint", fingerprint(key)),
        ("attributes", " ".join(key.attributes)),
        ("uri", key.uri),
        ("seen on", found.replica),
    ]
    width = None if page.wide else 64
    return details([*pairs, *((name.replace("_", " "), _short(value, width)) for name, value in found.values.items())])


def _short(value: bytes, width: int | None) -> str:
    return value.hex() if width is None else shortened(value.hex(), width)


def _names(keys: Sequence[KeyRow]) -> list[str]:
    return [shown.label for shown in keys]


LIST: View[KeyList] = View(
    schema="key.list@1",
    document=KeyList,
    lines=_list_lines,
    names=lambda found: _names(found.keys),
    items=lambda found: found.keys,
    nothing="no keys that this user sees",
)
FOUND: View[KeyList] = View(
    schema="key.find@1",
    document=KeyList,
    lines=_list_lines,
    names=lambda found: _names(found.keys),
    items=lambda found: found.keys,
    nothing="no key is like that",
)
SHOWN: View[KeyShown] = View(
    schema="key.show@1",
    document=KeyShown,
    lines=_shown_lines,
    names=lambda found: [found.key.uri],
    items=lambda found: [found.key],
)

verbs = (list_keys, find_keys, show_key)
