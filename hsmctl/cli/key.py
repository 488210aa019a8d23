"""`key`: the keys one user sees, and new ones."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import click

from hsmctl.cli.session import Session, named
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Noun, Seconds, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.key import SIZES, Key, KeyKind, KeySpec, check_spec, text
from hsmctl.errors import ExitCode, UsageError
from hsmctl.mark import Mark
from hsmctl.words import counted

if TYPE_CHECKING:
    from hsmctl.domain.sync import Replica
    from hsmctl.services.key import Made


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One object of a token."""

    object_class: str
    label: str
    """As text; bytes that are not printable are escaped."""
    label_bytes: bytes
    key_id: bytes
    algorithm: str
    key_type: str
    bits: int | None
    curve: str | None
    attributes: tuple[str, ...]
    """The boolean attributes that are true, sorted."""
    fingerprint_kind: str | None
    fingerprint: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyList:
    """The keys one replica showed to one user."""

    replica: str
    user: str
    taken_at: datetime
    total: int | None
    """Token objects there whoever owns them, or null where the token cannot say."""
    keys: tuple[KeyRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMade:
    """New objects, and where they were seen afterwards."""

    keys: tuple[KeyRow, ...]
    made_on: str
    seen_on: tuple[str, ...]
    missing_on: tuple[str, ...]
    """Replicas that did not show them in time, or could not be read."""


@verb("list", "hsmctl key list", "hsmctl key list --on hsm-aaaaaaaaaaa -o wide", "hsmctl key list -o jsonl")
@click.argument("cluster", required=False)
@click.option("--on", "replica", metavar="HSM", help="Ask this HSM or token; otherwise the first that answers.")
@click.option("--deadline", type=Seconds(), default="30s", show_default=True, help="Give up after this time.")
def list_keys(session: Session, cluster: str | None, replica: str | None, deadline: float) -> int:
    """List the keys the context's user sees; to PKCS#11 a cluster is one token."""
    replicas = session.replicas(cluster, [replica] if replica else ())
    listing = session.hsmctl.key.list(replicas, seconds=deadline)
    inventory = listing.inventory
    found = KeyList(
        replica=listing.replica.name,
        user=inventory.user,
        taken_at=inventory.taken_at,
        total=inventory.total,
        keys=tuple(map(_row, sorted(inventory.keys, key=lambda key: (key.identity.label, key.identity)))),
    )
    return session.show(LIST, found)


@verb(
    "generate",
    "hsmctl key generate AES --label db-kek",
    "hsmctl key generate EC --size P-384 --label tls-2027 --id 0a01",
    "hsmctl key generate RSA --size 3072 --label code-sign --on hsm-aaaaaaaaaaa",
)
@click.argument("kind", type=click.Choice([kind.value for kind in KeyKind], case_sensitive=False), metavar="AES|RSA|EC")
@click.argument("cluster", required=False)
@click.option("--label", required=True, help="CKA_LABEL, by which people find it.")
@click.option("--size", help="Bits, or the curve of an EC key; the default is 256, 2048 or P-256.")
@click.option("--id", "key_id", metavar="HEX", help="CKA_ID; random if not given.")
@click.option("--extractable", is_flag=True, help="Let it be wrapped and taken out.")
@click.option("--on", "replica", metavar="HSM", help="Make it on this HSM or token.")
@click.option(
    "--deadline", type=Seconds(), default="30s", show_default=True, help="Wait so long for it to be everywhere."
)
@click.option("--break-glass", metavar="REASON", default="", help="Change a protected context; the reason is kept.")
def generate_key(
    session: Session,
    kind: str,
    cluster: str | None,
    label: str,
    size: str | None,
    key_id: str | None,
    replica: str | None,
    deadline: float,
    break_glass: str,
    *,
    extractable: bool,
) -> int:
    """Make a token key that never leaves in the clear, and see that every HSM has it."""
    spec = _spec(KeyKind(kind.lower()), size, label, key_id, extractable=extractable)
    session.hsmctl.break_glass = break_glass
    session.hsmctl.check_may_write()
    session.check_account(cluster)
    replicas = _beginning_with(replica, session.replicas(cluster))
    made = session.hsmctl.key.generate(replicas, spec, seconds=deadline)
    return session.show(MADE, _document(made), code=ExitCode.PARTIAL if made.missing_on else ExitCode.OK)


noun = Noun("key", "Keys: list them, make them.", list_keys, generate_key)


def _spec(kind: KeyKind, size: str | None, label: str, key_id: str | None, *, extractable: bool) -> KeySpec:
    """What was asked for, refused before anything is contacted if CloudHSM would refuse it."""
    try:
        raw_id = bytes.fromhex(key_id) if key_id else secrets.token_bytes(8)
    except ValueError:
        raise UsageError(f"--id {key_id}", "not hexadecimal", "--id 0a01") from None
    spec = KeySpec(
        kind=kind,
        size=size or SIZES[kind][0],
        label=label.encode(errors="surrogateescape"),
        key_id=raw_id,
        extractable=extractable,
    )
    check_spec(spec)
    return spec


def _beginning_with(name: str | None, replicas: Sequence[Replica]) -> list[Replica]:
    """The replicas, the named one first."""
    first = named(replicas, [name]) if name else ()
    return [*first, *(replica for replica in replicas if replica not in first)]


def _document(made: Made) -> KeyMade:
    return KeyMade(
        keys=tuple(map(_row, made.keys)), made_on=made.made_on, seen_on=made.seen_on, missing_on=made.missing_on
    )


def _row(key: Key) -> KeyRow:
    return KeyRow(
        object_class=key.identity.object_class,
        label=text(key.identity.label),
        label_bytes=key.identity.label,
        key_id=key.identity.key_id,
        algorithm=key.algorithm,
        key_type=key.key_type,
        bits=key.bits,
        curve=key.curve,
        attributes=tuple(sorted(key.attributes)),
        fingerprint_kind=key.material.kind if key.material else None,
        fingerprint=key.material.digest if key.material else None,
    )


def _table(keys: Sequence[KeyRow], page: Page) -> list[str]:
    columns: tuple[Column[KeyRow], ...] = (
        Column(title="LABEL", cell=lambda row: row.label or "–"),
        Column(title="TYPE", cell=lambda row: row.algorithm or "–"),
        Column(title="CLASS", cell=lambda row: row.object_class),
        Column(title="ID", cell=lambda row: row.key_id.hex() or "–", shrinks=True),
        Column(title="FINGERPRINT", cell=_fingerprint, wide=True),
        Column(title="ATTRIBUTES", cell=lambda row: " ".join(row.attributes), wide=True),
    )
    return table(columns, keys, wide=page.wide, width=page.width)


def _fingerprint(row: KeyRow) -> str:
    return f"{row.fingerprint_kind} {row.fingerprint.hex()}" if row.fingerprint else "–"


def _list_lines(found: KeyList, page: Page) -> list[str]:
    of = f" of {found.total:,}" if found.total is not None else ""
    scope = f"{len(found.keys):,}{of} objects seen as {found.user} on {found.replica}"
    return [*_table(found.keys, page), "", scope]


def _made_lines(made: KeyMade, page: Page) -> list[str]:
    everywhere = f"{Mark.REPORTED.glyph} seen on {counted(len(made.seen_on), 'replica')}: {', '.join(made.seen_on)}"
    nowhere = [f"{Mark.BAD.glyph} not seen in time on {', '.join(made.missing_on)}"] if made.missing_on else []
    return [*_table(made.keys, page), "", everywhere, *nowhere]


LIST: View[KeyList] = View(
    schema="key.list@1",
    document=KeyList,
    lines=_list_lines,
    names=lambda found: [row.label for row in found.keys],
    items=lambda found: found.keys,
    nothing="no keys that this user sees",
)
MADE: View[KeyMade] = View(
    schema="key.generate@1",
    document=KeyMade,
    lines=_made_lines,
    names=lambda made: [row.label for row in made.keys],
    items=lambda made: made.keys,
)
