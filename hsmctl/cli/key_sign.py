"""`key sign|verify|mac`: the signatures and MACs one key makes of a file or of standard input."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from hsmctl.cli.key_place import Place, at_token, parts, read_all, written
from hsmctl.cli.session import Session
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.key_algorithm import HASHES, SIGNING
from hsmctl.domain.key_name import KeyName
from hsmctl.domain.uri import uri_of
from hsmctl.errors import Conflict, ExitCode
from hsmctl.mark import Mark
from hsmctl.words import clipped

_SIGNATURE_MOST = 16_384
_FILE = click.Path(dir_okay=False, allow_dash=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureMade:
    """A signature or MAC."""

    key: str
    """The key's URI."""
    replica: str
    algorithm: str
    hash: str
    """Empty where the algorithm has its own."""
    signature: bytes
    encoding: str
    """raw, or der for ECDSA in ASN.1."""
    written_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureChecked:
    """Whether a signature fits."""

    key: str
    """As it was named."""
    fits: bool


def _signing_options(function: Callable[..., int]) -> Callable[..., int]:
    """The options of signing and verifying."""
    for option in (
        click.option("--der", is_flag=True, help="ECDSA signatures in ASN.1, as OpenSSL has them."),
        click.option("--prehashed", is_flag=True, help="FILE is the digest."),
        click.option(
            "--hash", "digest", type=click.Choice(HASHES), default="sha256", show_default=True, help="The hash."
        ),
        click.option("--algorithm", type=click.Choice(SIGNING), help="The default is the usual one of the key's type."),
    ):
        option(function)
    return function


@verb(
    "sign",
    "hsmctl key sign code-sign release.tar.gz --out release.sig",
    "hsmctl key sign tls-2027 --hash sha384 --der --out sig.der -",
    "hsmctl key sign pkcs11:object=root;type=private digest.bin --prehashed --algorithm rsa-pss",
)
@click.argument("key")
@click.argument("file", type=_FILE, default="-")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the signature's bytes here.")
@_signing_options
@at_token
def sign_file(
    session: Session,
    place: Place,
    key: str,
    file: str,
    out: Path | None,
    algorithm: str | None,
    digest: str,
    *,
    prehashed: bool,
    der: bool,
) -> int:
    """Sign a file of any size; RSA and ECDSA hash it here, and the key sees the digest alone."""
    return _signed(session, place, key, file, out, algorithm, digest, prehashed=prehashed, der=der)


@verb("mac", "hsmctl key mac webhook message.json", "hsmctl key mac pin-block --algorithm cmac block.bin -o name")
@click.argument("key")
@click.argument("file", type=_FILE, default="-")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the MAC's bytes here.")
@click.option(
    "--algorithm", type=click.Choice(["hmac", "cmac"]), help="The default is the usual one of the key's type."
)
@click.option("--hash", "digest", type=click.Choice(HASHES), default="sha256", show_default=True, help="HMAC's hash.")
@at_token
def mac_file(
    session: Session, place: Place, key: str, file: str, out: Path | None, algorithm: str | None, digest: str
) -> int:
    """Compute the MAC of a file with a secret key; the token sees all of it."""
    return _signed(session, place, key, file, out, algorithm, digest, prehashed=False, der=False)


@verb(
    "verify",
    "hsmctl key verify code-sign release.tar.gz --signature release.sig",
    "hsmctl key verify tls-2027 message --signature sig.der --der",
)
@click.argument("key")
@click.argument("file", type=_FILE, default="-")
@click.option(
    "--signature", type=click.Path(dir_okay=False), required=True, help="The file with the signature's bytes."
)
@_signing_options
@at_token
def verify_file(
    session: Session,
    place: Place,
    key: str,
    file: str,
    signature: str,
    algorithm: str | None,
    digest: str,
    *,
    prehashed: bool,
    der: bool,
) -> int:
    """Say whether a signature or MAC fits, by the key on the token; exit 1 where it does not."""
    name = KeyName.parse(key)
    raw = read_all(signature, _SIGNATURE_MOST, "signature")
    fits = session.hsmctl.keys.use.verify(
        place.chosen(name.uri),
        name,
        parts(file),
        raw,
        seconds=place.seconds,
        algorithm=algorithm,
        digest=digest,
        prehashed=prehashed,
        der=der,
    )
    return session.show(CHECKED, SignatureChecked(key=key, fits=fits), code=ExitCode.OK if fits else ExitCode.NO)


def _signed(
    session: Session,
    place: Place,
    key: str,
    file: str,
    out: Path | None,
    algorithm: str | None,
    digest: str,
    *,
    prehashed: bool,
    der: bool,
) -> int:
    name = KeyName.parse(key)
    if out is not None and out.exists():
        raise Conflict(str(out), "it exists", "choose another name, or move it away")
    made = session.hsmctl.keys.use.sign(
        place.chosen(name.uri),
        name,
        parts(file),
        seconds=place.seconds,
        algorithm=algorithm,
        digest=digest,
        prehashed=prehashed,
    )
    signature = session.hsmctl.keys.formats.der_signature(made.signature) if der else made.signature
    if out is not None:
        with written(out) as stream:
            stream.write(signature)
    document = SignatureMade(
        key=uri_of(made.key.identity),
        replica=made.replica,
        algorithm=made.algorithm,
        hash=made.hash,
        signature=signature,
        encoding="der" if der else "raw",
        written_to=str(out) if out else None,
    )
    return session.show(SIGNED, document)


def _signed_lines(made: SignatureMade, _: Page) -> Iterator[str]:
    how = f"{made.algorithm} {made.hash}".strip()
    if made.written_to:
        yield f"{Mark.REPORTED.glyph} {how} by {clipped(made.key)} on {made.replica}: {made.written_to}"
    else:
        yield base64.b64encode(made.signature).decode()


def _checked_lines(checked: SignatureChecked, _: Page) -> Iterator[str]:
    mark, says = (Mark.PROVED, "the signature fits") if checked.fits else (Mark.BAD, "the signature does not fit")
    yield f"{mark.glyph} {says}: {clipped(checked.key)}"


SIGNED: View[SignatureMade] = View(
    schema="key.sign@1",
    document=SignatureMade,
    lines=_signed_lines,
    names=lambda made: [made.signature.hex()],
)
CHECKED: View[SignatureChecked] = View(
    schema="key.verify@1", document=SignatureChecked, lines=_checked_lines, names=lambda checked: [checked.key]
)

verbs = (sign_file, verify_file, mac_file)
