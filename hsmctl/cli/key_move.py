"""`key import|export|wrap|unwrap`: keys between files and a token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hsmctl.cli.key_generate import parse_id
from hsmctl.cli.key_place import Place, at_token, read_all
from hsmctl.cli.key_row import KeyRow, row, rows_table
from hsmctl.cli.key_written import kept, out_option, published, written_view
from hsmctl.cli.session import Session, ask
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.key import Key, KeyKind, ObjectClass
from hsmctl.domain.key_material import Imported
from hsmctl.domain.key_name import KeyName
from hsmctl.domain.key_purpose import Purpose, hidden, parse_attributes, unlike
from hsmctl.domain.mechanism import Mechanism
from hsmctl.domain.uri import uri_of
from hsmctl.errors import ExitCode
from hsmctl.mark import Mark
from hsmctl.secret import Source, SourceKind, read_secret

if TYPE_CHECKING:
    from hsmctl.services.key_move import Wanted

_MOST = 65_536
_FILE = click.Path(dir_okay=False, allow_dash=True)
WRAPS = {
    "aes-kwp": "AES_KEY_WRAP_PAD",
    "aes-kw": "AES_KEY_WRAP",
    "aes-gcm": "AES_GCM",
    "rsa-oaep": "RSA_PKCS_OAEP",
    "rsa-aes": "RSA_AES_KEY_WRAP",
}
"""How a key is wrapped, as `--algorithm` and as PKCS#11 call it; a token may have names of its own."""
_UNWRAPPED = ("aes", "generic", "rsa", "ec")
_RAW = ("auto", "aes", "generic", "ed25519", "x25519")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBrought:
    """An object that came in, as the token lists it."""

    key: KeyRow
    source: str
    """What the file held."""
    seen_on: tuple[str, ...]
    missing_on: tuple[str, ...]
    """HSMs of the cluster that did not show it in time, or could not be read."""


def naming_options(function: Callable[..., int]) -> Callable[..., int]:
    """The options of what comes in: its names and what it may do."""
    purposes = [each.value for each in Purpose]
    for option in (
        click.option("--break-glass", metavar="REASON", default="", help="Change a protected context; it is kept."),
        click.option("--allow-duplicate", is_flag=True, help="Although the label or id is taken."),
        click.option("--extractable", is_flag=True, help="Let it be wrapped and taken out again."),
        click.option("--attr", "named", multiple=True, metavar="NAME=BOOL", help="One attribute."),
        click.option("--for", "purpose", type=click.Choice(purposes), help="What it may be used for, and no more."),
        click.option("--id", "key_id", metavar="HEX", help="CKA_ID; random if not given."),
        click.option("--label", required=True, help="CKA_LABEL, by which people find it."),
    ):
        option(function)
    return function


@verb(
    "import",
    "hsmctl key import tls-key.pem --label tls-2027 --for tls",
    "hsmctl key import public.jwk --label partner --id 0a01",
    "hsmctl key import signer.p8 --passphrase-file signer.pass --label signer",
    "hsmctl key import kek.bin --kind aes --label old-kek --for kek",
)
@click.argument("file", type=_FILE)
@click.option("--kind", type=click.Choice(_RAW), default="auto", help="What raw bytes are.")
@click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="It has the passphrase of an encrypted key; otherwise it is asked for.",
)
@naming_options
@at_token
def import_key(
    session: Session,
    place: Place,
    file: str,
    kind: str,
    passphrase_file: Path | None,
    label: str,
    key_id: str | None,
    purpose: str | None,
    named: tuple[str, ...],
    break_glass: str,
    *,
    extractable: bool,
    allow_duplicate: bool,
) -> int:
    """Bring a key or certificate in: PEM, DER, PKCS#8, JWK, or raw bytes; secrets are wrapped where they must be."""
    from hsmctl.services.key_move import Wanted

    source = Source(SourceKind.FILE, (str(passphrase_file),)) if passphrase_file else Source(SourceKind.PROMPT)
    passphrase = partial(read_secret, source, lambda: ask(f"passphrase of {file}"))
    imported = session.hsmctl.keys.formats.parse(read_all(file, _MOST, "key"), kind, passphrase)
    wanted = Wanted(
        label=label.encode(errors="surrogateescape"),
        key_id=parse_id(key_id),
        purpose=Purpose(purpose) if purpose else None,
        attributes=parse_attributes(named),
        extractable=extractable,
        allow_duplicate=allow_duplicate,
    )
    _check_from_outside(session, imported)
    check_change(session, place, break_glass)
    key = session.hsmctl.keys.move.bring(place.chosen(), imported, wanted, seconds=place.seconds)
    return brought(session, place, IMPORTED, key, imported.says, wanted)


@verb(
    "export",
    "hsmctl key export tls-2027",
    "hsmctl key export jwt-2027 --format jwk --out jwt.json",
    "hsmctl key export 'pkcs11:object=root;type=cert' --format der --out root.der",
)
@click.argument("key")
@click.option("--format", "encoding", type=click.Choice(["pem", "der", "jwk", "ssh"]), default="pem", show_default=True)
@out_option
@at_token
def export_key(session: Session, place: Place, key: str, encoding: str, out: Path | None) -> int:
    """Write a public key or a certificate; private and secret keys only leave wrapped (`key wrap`)."""
    name = KeyName.parse(key)
    found, data = session.hsmctl.keys.move.public(place.chosen(name.uri), name, encoding, seconds=place.seconds)
    return session.show(EXPORTED, published(uri_of(found.identity), encoding, out, data))


_how = click.option(
    "--algorithm",
    type=click.Choice(list(WRAPS)),
    default="aes-kwp",
    show_default=True,
    help="How; aes-gcm and rsa-aes where the token offers them.",
)


@verb(
    "wrap",
    "hsmctl key wrap data-2027 --by backup-kek --out data-2027.wrapped",
    "hsmctl key wrap tls-2027 --by partner --algorithm rsa-aes --out tls.wrapped",
)
@click.argument("key")
@click.option("--by", required=True, metavar="KEY", help="The key that wraps.")
@_how
@click.option("--hash", "digest", type=click.Choice(["sha256", "sha384", "sha512", "sha1"]), default="sha256")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Write to this file.")
@click.option("--break-glass", metavar="REASON", default="", help="Change a protected context; the reason is kept.")
@at_token
def wrap_key(
    session: Session, place: Place, key: str, by: str, algorithm: str, digest: str, out: Path, break_glass: str
) -> int:
    """Take a key out under another key of the same token; wrap-with-trusted is the token's to enforce."""
    check_change(session, place, break_glass)
    name, wrapping = KeyName.parse(key), KeyName.parse(by)
    made = session.hsmctl.keys.move.wrap(
        place.chosen(name.uri), name, wrapping, _mechanism(algorithm, digest), seconds=place.seconds
    )
    return session.show(WRAPPED, kept(key, algorithm, out, made, secret=True))


@verb("unwrap", "hsmctl key unwrap data-2027.wrapped --by backup-kek --kind aes --label data-2027 --for data")
@click.argument("file", type=_FILE)
@click.option("--by", required=True, metavar="KEY", help="The key that unwraps.")
@click.option("--kind", type=click.Choice(_UNWRAPPED), required=True, help="What is in it.")
@_how
@click.option("--hash", "digest", type=click.Choice(["sha256", "sha384", "sha512", "sha1"]), default="sha256")
@naming_options
@at_token
def unwrap_key(
    session: Session,
    place: Place,
    file: str,
    by: str,
    kind: str,
    algorithm: str,
    digest: str,
    label: str,
    key_id: str | None,
    purpose: str | None,
    named: tuple[str, ...],
    break_glass: str,
    *,
    extractable: bool,
    allow_duplicate: bool,
) -> int:
    """Bring in a key that was wrapped; it is sensitive, and extractable only if you say so."""
    from hsmctl.services.key_move import Wanted

    check_change(session, place, break_glass)
    wanted = Wanted(
        label=label.encode(errors="surrogateescape"),
        key_id=parse_id(key_id),
        purpose=Purpose(purpose) if purpose else None,
        attributes=parse_attributes(named),
        extractable=extractable,
        allow_duplicate=allow_duplicate,
    )
    data, unwrapping = read_all(file, _MOST, "wrapped key"), KeyName.parse(by)
    key = session.hsmctl.keys.move.unwrap(
        place.chosen(unwrapping.uri),
        data,
        unwrapping,
        _mechanism(algorithm, digest),
        KeyKind(kind),
        wanted,
        seconds=place.seconds,
    )
    return brought(session, place, UNWRAPPED, key, f"{kind} under {algorithm}", wanted)


def brought(
    session: Session,
    place: Place,
    view: View[KeyBrought],
    key: Key,
    source: str,
    wanted: Wanted | None = None,
) -> int:
    """Look for a key that came in on every HSM of its cluster, and show it; PARTIAL where one does not."""
    seen = session.hsmctl.key.seen((key,), place.everywhere(), seconds=place.seconds)
    shown = KeyBrought(key=row(key), source=source, seen_on=seen.seen_on, missing_on=seen.missing_on)
    code = ExitCode.PARTIAL if seen.missing_on else ExitCode.OK
    asked = hidden(wanted.attributes or {}, extractable=wanted.extractable) if wanted else {}
    return session.show(view, shown, warnings=tuple(unlike(asked, [key])), code=code)


def check_change(session: Session, place: Place, break_glass: str) -> None:
    """Refuse a change, before anything is opened, that the context or the account forbids."""
    session.hsmctl.break_glass = break_glass
    session.hsmctl.check_may_write()
    session.check_account(place.cluster)


def _check_from_outside(session: Session, imported: Imported) -> None:
    """Say plainly what an imported private key is worth: it has been outside."""
    if imported.object_class in (ObjectClass.PRIVATE, ObjectClass.SECRET):
        session.out.say(f"note: {imported.says}: a key that has been in a file is no safer for being in an HSM now")


def _mechanism(algorithm: str, digest: str) -> Mechanism:
    return Mechanism(name=WRAPS[algorithm], hash=digest if algorithm.startswith("rsa") else "")


def _brought_lines(brought: KeyBrought, page: Page) -> list[str]:
    seen = f"{Mark.REPORTED.glyph} seen on {', '.join(brought.seen_on)}; from {brought.source}"
    missing = [f"{Mark.BAD.glyph} not seen in time on {', '.join(brought.missing_on)}"] if brought.missing_on else []
    return [*rows_table([brought.key], page), "", seen, *missing]


def brought_view(schema: str) -> View[KeyBrought]:
    """How an object that came in is shown."""
    return View(schema=schema, document=KeyBrought, lines=_brought_lines, names=lambda brought: [brought.key.uri])


IMPORTED, UNWRAPPED = brought_view("key.import@1"), brought_view("key.unwrap@1")
EXPORTED, WRAPPED = written_view("key.export@1"), written_view("key.wrap@1")

verbs = (import_key, export_key, wrap_key, unwrap_key)
