"""`key encrypt|decrypt`: what one key hides of a file or of standard input, and shows again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from hsmctl.cli.key_data import data_view, from_hex, kept
from hsmctl.cli.key_place import Place, at_token, parts
from hsmctl.cli.session import Session
from hsmctl.cli.verb import verb
from hsmctl.domain.key_algorithm import ENCRYPTION, HASHES
from hsmctl.domain.key_name import KeyName

_FILE = click.Path(dir_okay=False, allow_dash=True)


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
    name, raw = KeyName.parse(key), from_hex("--aad", aad)
    made = session.hsmctl.keys.use.encrypt(
        place.chosen(name.uri), name, parts(file), seconds=place.seconds, algorithm=algorithm, aad=raw, digest=digest
    )
    return session.show(ENCRYPTED, kept(key, algorithm, out, made, secret=False))


@verb("decrypt", "hsmctl key decrypt backup-key dump.sql.enc --algorithm aes-ctr --out dump.sql")
@click.argument("key")
@click.argument("file", type=_FILE, default="-")
@_cipher_options
@at_token
def decrypt_file(
    session: Session, place: Place, key: str, file: str, algorithm: str, out: Path, aad: str, digest: str
) -> int:
    """Decrypt what `key encrypt` wrote; the file appears, readable for you alone, only when all of it was decrypted."""
    name, raw = KeyName.parse(key), from_hex("--aad", aad)
    made = session.hsmctl.keys.use.decrypt(
        place.chosen(name.uri), name, parts(file), seconds=place.seconds, algorithm=algorithm, aad=raw, digest=digest
    )
    return session.show(DECRYPTED, kept(key, algorithm, out, made, secret=True))


ENCRYPTED = data_view("key.encrypt@1")
DECRYPTED = data_view("key.decrypt@1")

verbs = (encrypt_file, decrypt_file)
