"""`key sign|verify|mac|encrypt|decrypt|derive`: what one key does with a file or with standard input."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from hsmctl.cli.key_place import Place, at_token, parts, read_all, written
from hsmctl.cli.session import Session
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.key_algorithm import ENCRYPTION, HASHES, SIGNING
from hsmctl.domain.key_name import KeyName
from hsmctl.domain.uri import uri_of
from hsmctl.errors import Conflict, ExitCode, UsageError
from hsmctl.mark import Mark

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DataMade:
    """What a key made of data, in a file."""

    key: str
    """As it was named."""
    algorithm: str
    written_to: str
    bytes: int


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


def _cipher_options(function: Callable[..., int]) -> Callable[..., int]:
    """The options of encrypting and decrypting."""
    for option in (
        click.option(
            "--hash", "digest", type=click.Choice(HASHES), default="sha256", show_default=True, help="OAEP's."
        ),
        click.option("--aad", metavar="HEX", default="", help="Data that GCM authenticates and does not hide."),
        click.option(
            "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Write to this file."
        ),
        click.option("--algorithm", type=click.Choice(ENCRYPTION), required=True, help="How."),
    ):
        option(function)
    return function


@verb(
    "encrypt",
    "hsmctl key encrypt backup-key dump.sql --algorithm aes-ctr --out dump.sql.enc",
    "hsmctl key encrypt pin-key block.bin --algorithm aes-gcm --aad 01 --out block.enc",
)
@click.argument("key")
@click.argument("file", type=_FILE, default="-")
@_cipher_options
@at_token
def encrypt_file(
    session: Session, place: Place, key: str, file: str, algorithm: str, out: Path, aad: str, digest: str
) -> int:
    """Encrypt a file; a fresh IV, the HSM's own where it makes one, stands in front of the ciphertext.

    CBC and CTR take any size and do not authenticate; GCM takes what an HSM takes at once.
    """
    name, raw = KeyName.parse(key), _hex(aad)
    made = session.hsmctl.keys.use.encrypt(
        place.chosen(name.uri), name, parts(file), seconds=place.seconds, algorithm=algorithm, aad=raw, digest=digest
    )
    return session.show(ENCRYPTED, _kept(key, algorithm, out, made, secret=False))


@verb("decrypt", "hsmctl key decrypt backup-key dump.sql.enc --algorithm aes-ctr --out dump.sql")
@click.argument("key")
@click.argument("file", type=_FILE, default="-")
@_cipher_options
@at_token
def decrypt_file(
    session: Session, place: Place, key: str, file: str, algorithm: str, out: Path, aad: str, digest: str
) -> int:
    """Decrypt what `key encrypt` wrote; the file appears, readable for you alone, only when all of it was decrypted."""
    name, raw = KeyName.parse(key), _hex(aad)
    made = session.hsmctl.keys.use.decrypt(
        place.chosen(name.uri), name, parts(file), seconds=place.seconds, algorithm=algorithm, aad=raw, digest=digest
    )
    return session.show(DECRYPTED, _kept(key, algorithm, out, made, secret=True))


@verb("derive", "hsmctl key derive agree-2027 --peer their-public.pem --out shared.bin")
@click.argument("key")
@click.option(
    "--peer", type=click.Path(dir_okay=False), required=True, help="The other side's EC public key, PEM or DER."
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Write to this file, mode 0600."
)
@at_token
def derive_secret(session: Session, place: Place, key: str, peer: str, out: Path) -> int:
    """Agree on a secret by ECDH; it is written in the clear, as it is before any derivation function."""
    name = KeyName.parse(key)
    point, size = session.hsmctl.keys.formats.peer(read_all(peer, _SIGNATURE_MOST, "public key"))
    secret = session.hsmctl.keys.use.agree(place.chosen(name.uri), name, point, size, seconds=place.seconds)
    return session.show(DERIVED, _kept(key, "ecdh", out, [secret], secret=True))


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


def _kept(key: str, algorithm: str, out: Path, pieces: Iterable[bytes], *, secret: bool) -> DataMade:
    """The pieces in a file."""
    count = 0
    with written(out, secret=secret) as stream:
        for piece in pieces:
            count += stream.write(piece)
    return DataMade(key=key, algorithm=algorithm, written_to=str(out), bytes=count)


def _hex(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except binascii.Error:
        raise UsageError(f"--aad {text}", "not hexadecimal", "--aad 0a01") from None


def _signed_lines(made: SignatureMade, _: Page) -> Iterator[str]:
    how = f"{made.algorithm} {made.hash}".strip()
    if made.written_to:
        yield f"{Mark.REPORTED.glyph} {how} by {made.key} on {made.replica}: {made.written_to}"
    else:
        yield base64.b64encode(made.signature).decode()


def _checked_lines(checked: SignatureChecked, _: Page) -> Iterator[str]:
    mark, says = (Mark.PROVED, "the signature fits") if checked.fits else (Mark.BAD, "the signature does not fit")
    yield f"{mark.glyph} {says}: {checked.key}"


def _made_lines(made: DataMade, _: Page) -> Iterator[str]:
    yield f"{Mark.REPORTED.glyph} {made.written_to}: {made.bytes:,} bytes, {made.algorithm} with {made.key}"


def _data_view(schema: str) -> View[DataMade]:
    return View(schema=schema, document=DataMade, lines=_made_lines, names=lambda made: [made.written_to])


SIGNED: View[SignatureMade] = View(
    schema="key.sign@1",
    document=SignatureMade,
    lines=_signed_lines,
    names=lambda made: [made.signature.hex()],
)
CHECKED: View[SignatureChecked] = View(
    schema="key.verify@1", document=SignatureChecked, lines=_checked_lines, names=lambda checked: [checked.key]
)
ENCRYPTED = _data_view("key.encrypt@1")
DECRYPTED = _data_view("key.decrypt@1")
DERIVED = _data_view("key.derive@1")

verbs = (sign_file, verify_file, mac_file, encrypt_file, decrypt_file, derive_secret)
