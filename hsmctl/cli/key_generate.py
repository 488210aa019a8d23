"""`key generate`: a new key for one purpose, and where it was seen afterwards."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from hsmctl.cli.key_place import Place
from hsmctl.cli.key_row import KeyRow, row, rows_table
from hsmctl.cli.session import Session
from hsmctl.cli.verb import Seconds, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.key import SIZES, KeyKind, KeySpec, check_spec
from hsmctl.domain.key_purpose import Purpose, attributes_for, check_extractable, hidden, parse_attributes, unlike
from hsmctl.errors import ExitCode, UsageError
from hsmctl.mark import Mark
from hsmctl.words import counted

if TYPE_CHECKING:
    from hsmctl.services.key import Made


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMade:
    """New objects, and where they were seen afterwards."""

    keys: tuple[KeyRow, ...]
    made_on: str
    seen_on: tuple[str, ...]
    missing_on: tuple[str, ...]
    """Replicas that did not show them in time, or could not be read."""


@verb(
    "generate",
    "hsmctl key generate AES --label db-kek --for kek",
    "hsmctl key generate EC --size P-384 --label tls-2027 --for tls --id 0a01",
    "hsmctl key generate RSA --size 3072 --label code-sign --on hsm-aaaaaaaaaaa",
    "hsmctl key generate GENERIC --size 512 --label webhook --for hmac",
)
@click.argument(
    "kind", type=click.Choice([kind.value for kind in KeyKind], case_sensitive=False), metavar="AES|RSA|EC|GENERIC|…"
)
@click.argument("cluster", required=False)
@click.option("--label", required=True, help="CKA_LABEL, by which people find it.")
@click.option("--size", help="Bits, or the curve of an EC key; the default is 256, 2048 or P-256.")
@click.option("--id", "key_id", metavar="HEX", help="CKA_ID; random if not given.")
@click.option(
    "--for",
    "purpose",
    type=click.Choice([each.value for each in Purpose]),
    help="What it may be used for, and no more.",
)
@click.option("--attr", "named", multiple=True, metavar="NAME=BOOL", help="One attribute; public.NAME is of that half.")
@click.option("--extractable", is_flag=True, help="Let it be wrapped and taken out.")
@click.option("--allow-duplicate", is_flag=True, help="Make it although the label or id is taken.")
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
    purpose: str | None,
    named: tuple[str, ...],
    replica: str | None,
    deadline: float,
    break_glass: str,
    *,
    extractable: bool,
    allow_duplicate: bool,
) -> int:
    """Make a token key for one purpose that never leaves in the clear, and see that every HSM has it."""
    kind_of_key, told = KeyKind(kind.lower()), parse_attributes(named)
    attributes = attributes_for(kind_of_key, Purpose(purpose) if purpose else None, told)
    spec = _spec(kind_of_key, size, label, key_id, attributes, extractable=extractable)
    session.hsmctl.break_glass = break_glass
    session.hsmctl.check_may_write()
    session.check_account(cluster)
    replicas = Place(session=session, cluster=cluster, name=replica, seconds=deadline).everywhere()
    made = session.hsmctl.key.generate(replicas, spec, seconds=deadline, allow_duplicate=allow_duplicate)
    code = ExitCode.PARTIAL if made.missing_on else ExitCode.OK
    return session.show(
        MADE, document(made), warnings=tuple(unlike(hidden(told, extractable=extractable), made.keys)), code=code
    )


def _spec(
    kind: KeyKind,
    size: str | None,
    label: str,
    key_id: str | None,
    attributes: dict[str, dict[str, bool]],
    *,
    extractable: bool,
) -> KeySpec:
    """What was asked for, refused before anything is contacted if CloudHSM would refuse it."""
    for half in attributes.keys() - {"public"}:
        check_extractable(attributes[half], extractable=extractable)
        attributes[half].setdefault("sensitive", True)
    spec = KeySpec(
        kind=kind,
        size=size or SIZES[kind][0],
        label=label.encode(errors="surrogateescape"),
        key_id=parse_id(key_id),
        extractable=extractable,
        attributes=attributes,
    )
    check_spec(spec)
    return spec


def parse_id(text: str | None) -> bytes:
    """CKA_ID as it was typed; a random one where it was not.

    Raises:
        UsageError: it is not hexadecimal.
    """
    try:
        return bytes.fromhex(text) if text else secrets.token_bytes(8)
    except ValueError:
        raise UsageError(f"--id {text}", "not hexadecimal", "--id 0a01") from None


def document(made: Made) -> KeyMade:
    """New objects as they are written."""
    return KeyMade(
        keys=tuple(map(row, made.keys)), made_on=made.made_on, seen_on=made.seen_on, missing_on=made.missing_on
    )


def made_lines(made: KeyMade, page: Page) -> list[str]:
    """New objects as people read them."""
    everywhere = f"{Mark.REPORTED.glyph} seen on {counted(len(made.seen_on), 'replica')}: {', '.join(made.seen_on)}"
    nowhere = [f"{Mark.BAD.glyph} not seen in time on {', '.join(made.missing_on)}"] if made.missing_on else []
    return [*rows_table(made.keys, page), "", everywhere, *nowhere]


MADE: View[KeyMade] = View(
    schema="key.generate@1",
    document=KeyMade,
    lines=made_lines,
    names=lambda made: [shown.label for shown in made.keys],
    items=lambda made: made.keys,
)

verbs = (generate_key,)
