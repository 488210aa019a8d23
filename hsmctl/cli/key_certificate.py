"""`key csr`, `key selfsign`, `key cert`: X.509 for keys that never leave their token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hsmctl.cli.key_move import brought, brought_view, check_change
from hsmctl.cli.key_place import Place, at_token, read_all
from hsmctl.cli.key_written import out_option, published, written_view
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.key import ObjectClass, text
from hsmctl.domain.key_material import Subject
from hsmctl.domain.key_name import KeyName
from hsmctl.errors import UsageError
from hsmctl.words import brief

if TYPE_CHECKING:
    from hsmctl.domain.sync import Replica
    from hsmctl.ports import Token
    from hsmctl.secret import Secret

_MOST = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """A certificate of a token."""

    label: str
    key_id: bytes
    subject: str
    issuer: str
    serial: str
    not_before: str
    not_after: str
    authority: bool
    has_private: bool
    """Whether the token shows a private key of the same id."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateList:
    """The certificates one replica showed."""

    replica: str
    certificates: tuple[CertificateRow, ...]


def _subject_options(function: Callable[..., int]) -> Callable[..., int]:
    """The options of who a certificate is for."""
    hashes = ["sha256", "sha384", "sha512"]
    for option in (
        out_option,
        click.option("--hash", "digest", type=click.Choice(hashes), default="sha256", show_default=True),
        click.option(
            "--host", "hosts", multiple=True, metavar="NAME", help="A DNS name or address, as often as needed."
        ),
        click.option(
            "--subject", required=True, metavar="NAME", help="RFC 4514, such as CN=www.example.com,O=Example."
        ),
    ):
        option(function)
    return function


@verb("csr", "hsmctl key csr tls-2027 --subject CN=www.example.com,O=Example --host www.example.com --out tls.csr")
@click.argument("key")
@_subject_options
@at_token
def request_certificate(
    session: Session, place: Place, key: str, subject: str, hosts: tuple[str, ...], digest: str, out: Path | None
) -> int:
    """Make a certificate signing request; the token signs it."""
    name = KeyName.parse(key)
    pem = session.hsmctl.keys.certificates.request(
        place.chosen(name.uri), name, Subject(subject, hosts), digest, seconds=place.seconds
    )
    return session.show(REQUESTED, published(key, "csr", out, pem))


@verb(
    "selfsign",
    "hsmctl key selfsign root-2027 --subject CN=Root --ca --days 3650 --out root.pem",
    "hsmctl key selfsign tls-2027 --subject CN=localhost --host localhost --out tls.pem",
)
@click.argument("key")
@_subject_options
@click.option("--days", type=click.IntRange(1, 36_500), default=365, show_default=True, help="How long it is valid.")
@click.option("--ca", is_flag=True, help="The certificate of an authority.")
@at_token
def sign_own_certificate(
    session: Session,
    place: Place,
    key: str,
    subject: str,
    hosts: tuple[str, ...],
    digest: str,
    out: Path | None,
    days: int,
    *,
    ca: bool,
) -> int:
    """Make a certificate that the key signs for itself; the token signs it."""
    name = KeyName.parse(key)
    pem = session.hsmctl.keys.certificates.selfsigned(
        place.chosen(name.uri), name, Subject(subject, hosts), digest, days, ca=ca, seconds=place.seconds
    )
    return session.show(SELFSIGNED, published(key, "certificate", out, pem))


@verb("import", "hsmctl key cert import tls.pem --label tls-2027 --key tls-2027")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--label", required=True, help="CKA_LABEL.")
@click.option("--key", metavar="KEY", help="The key it is for: the certificate gets its id.")
@click.option("--break-glass", metavar="REASON", default="", help="Change a protected context; the reason is kept.")
@at_token
def import_certificate(session: Session, place: Place, file: str, label: str, key: str | None, break_glass: str) -> int:
    """Store a certificate beside its key; CloudHSM must have certificate storage enabled (hsm2m, 60 a cluster)."""
    from hsmctl.services.key_door import only
    from hsmctl.services.key_move import Wanted

    check_change(session, place, break_glass)
    services = session.hsmctl.keys
    imported = services.formats.parse(read_all(file, _MOST, "certificate"), "auto", _no_passphrase)
    if imported.object_class is not ObjectClass.CERTIFICATE:
        raise UsageError(file, f"it holds a {imported.object_class}", "hsmctl key import")
    replicas, key_id = place.chosen(), b""
    if key is not None:
        name, classes = KeyName.parse(key), (ObjectClass.PRIVATE, ObjectClass.PUBLIC)
        found = services.door.look(replicas, place.seconds, lambda at, token: only(token, name, classes, at.name))
        key_id = found.identity.key_id
    wanted = Wanted(label=label.encode(errors="surrogateescape"), key_id=key_id)
    made = services.move.bring(replicas, imported, wanted, seconds=place.seconds)
    return brought(session, place, CERTIFICATE_IMPORTED, made, imported.says)


@verb("export", "hsmctl key cert export tls-2027")
@click.argument("key")
@click.option("--format", "encoding", type=click.Choice(["pem", "der"]), default="pem", show_default=True)
@out_option
@at_token
def export_certificate(session: Session, place: Place, key: str, encoding: str, out: Path | None) -> int:
    """Write a certificate of the token."""
    from hsmctl.services.key_door import only

    name, services = KeyName.parse(key), session.hsmctl.keys
    classes = (ObjectClass.CERTIFICATE,)

    def look(at: Replica, token: Token) -> bytes:
        found = only(token, name, classes, at.name)
        return services.formats.public(found, token.objects.values(found), encoding)

    data = services.door.look(place.chosen(name.uri), place.seconds, look)
    return session.show(CERTIFICATE_EXPORTED, published(key, encoding, out, data))


@verb("list", "hsmctl key cert list", "hsmctl key cert list -o json")
@at_token
def list_certificates(session: Session, place: Place) -> int:
    """List the certificates a token holds, and whether their private keys are there too."""
    replica, held = session.hsmctl.keys.certificates.held(place.chosen(), seconds=place.seconds)
    rows = tuple(
        CertificateRow(
            label=text(each.key.identity.label),
            key_id=each.key.identity.key_id,
            has_private=each.has_private,
            **{name: getattr(each.facts, name) for name in _FACTS},
        )
        for each in held
    )
    return session.show(CERTIFICATES, CertificateList(replica=replica, certificates=rows))


certificates = Noun("cert", "Certificates on a token.", list_certificates, import_certificate, export_certificate)

_FACTS = ("subject", "issuer", "serial", "not_before", "not_after", "authority", "sha256")


def _no_passphrase() -> Secret:
    raise UsageError("no certificate", "it is an encrypted private key", "hsmctl key import")


def _list_lines(found: CertificateList, page: Page) -> Iterator[str]:
    columns: tuple[Column[CertificateRow], ...] = (
        Column(title="LABEL", cell=lambda shown: brief(shown.label) or "–", shrinks=True),
        Column(title="SUBJECT", cell=lambda shown: brief(shown.subject), shrinks=True),
        Column(title="ISSUER", cell=_issuer, shrinks=True),
        Column(title="UNTIL", cell=lambda shown: shown.not_after[:10]),
        Column(title="KEY", cell=lambda shown: "here" if shown.has_private else "–"),
        Column(title="CA", cell=lambda shown: "yes" if shown.authority else "", wide=True),
        Column(title="SHA-256", cell=lambda shown: shown.sha256, wide=True),
    )
    yield from table(columns, found.certificates, wide=page.wide, width=page.width)


def _issuer(shown: CertificateRow) -> str:
    return "itself" if shown.issuer == shown.subject else brief(shown.issuer)


CERTIFICATES: View[CertificateList] = View(
    schema="key.cert.list@1",
    document=CertificateList,
    lines=_list_lines,
    names=lambda found: [shown.label for shown in found.certificates],
    items=lambda found: found.certificates,
    nothing="no certificates that this user sees",
)
REQUESTED, SELFSIGNED = written_view("key.csr@1"), written_view("key.selfsign@1")
CERTIFICATE_EXPORTED = written_view("key.cert.export@1")
CERTIFICATE_IMPORTED = brought_view("key.cert.import@1")

verbs = (request_certificate, sign_own_certificate, certificates)
