"""`key derive`: a secret agreed with another side by ECDH, or made out of one key by HKDF."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hsmctl.cli.key_data import from_hex, kept
from hsmctl.cli.key_generate import parse_id
from hsmctl.cli.key_move import check_change
from hsmctl.cli.key_place import Place, at_token, read_all
from hsmctl.cli.key_row import KeyRow, row, rows_table
from hsmctl.cli.session import Session
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.key import KeyKind
from hsmctl.domain.key_algorithm import HASHES
from hsmctl.domain.key_name import KeyName
from hsmctl.domain.key_purpose import Purpose
from hsmctl.domain.mechanism import Mechanism
from hsmctl.errors import Conflict, ExitCode, UsageError
from hsmctl.mark import Mark

if TYPE_CHECKING:
    from hsmctl.domain.key import Key

_PEER_MOST = 16_384
_MOST_BITS = 8 * 255 * 20
"""What HKDF makes at most with the shortest hash (RFC 5869, 2.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDerived:
    """What came out of a key: bytes in a file, or another key."""

    key: str
    """As it was named."""
    algorithm: str
    written_to: str
    """Empty where it became a key."""
    bytes: int
    made: KeyRow | None = None
    """The new key."""
    seen_on: tuple[str, ...] = ()
    missing_on: tuple[str, ...] = ()
    """HSMs of the cluster that did not show it in time, or could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """What the new key is to be."""

    label: str
    key_id: str | None
    kind: KeyKind
    purpose: str | None
    break_glass: str


@verb(
    "derive",
    "hsmctl key derive agree-2027 --peer their-public.pem --out shared.bin",
    "hsmctl key derive master --hkdf sha256 --info 'tenant 42' --label tenant-42 --for data",
    "hsmctl key derive master --hkdf sha384 --salt 0a0b0c --info session --bits 384 --out secret.bin",
)
@click.argument("key")
@click.option("--peer", type=click.Path(dir_okay=False), help="ECDH: the other side's EC or X25519 public key.")
@click.option("--hkdf", type=click.Choice(HASHES), help="HKDF (RFC 5869) with this hash, out of a secret key.")
@click.option("--salt", metavar="HEX", default="", help="HKDF's salt; zeros if not given.")
@click.option("--info", default="", help="What the HKDF output is for; another purpose makes another output.")
@click.option("--bits", type=click.IntRange(8, _MOST_BITS), default=256, show_default=True, help="HKDF: how much.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file, in the clear, mode 0600."
)
@click.option("--label", help="HKDF: make it a token key of this label, which nobody sees.")
@click.option("--id", "key_id", metavar="HEX", help="The new key's CKA_ID; random if not given.")
@click.option("--kind", type=click.Choice(["aes", "generic"]), default="aes", show_default=True, help="Its kind.")
@click.option("--for", "purpose", type=click.Choice([each.value for each in Purpose]), help="What it may be used for.")
@click.option("--break-glass", metavar="REASON", default="", help="Change a protected context; the reason is kept.")
@at_token
def derive_secret(
    session: Session,
    place: Place,
    key: str,
    peer: str | None,
    hkdf: str | None,
    salt: str,
    info: str,
    bits: int,
    out: Path | None,
    label: str | None,
    key_id: str | None,
    kind: str,
    purpose: str | None,
    break_glass: str,
) -> int:
    """Agree on a secret by ECDH, or make one out of a secret key by HKDF: a file in the clear, or another key.

    ECDH's secret is as it is before any derivation function.
    """
    if bool(peer) == bool(hkdf):
        raise UsageError("derive how?", "either by ECDH or by HKDF", "--peer FILE, or --hkdf sha256")
    how = Mechanism(name="HKDF_DERIVE", hash=hkdf or "", seasoning=from_hex("--salt", salt), info=info.encode())
    if label and hkdf and not out:
        new = _New(label=label, key_id=key_id, kind=KeyKind(kind), purpose=purpose, break_glass=break_glass)
        return _made(session, place, key, how, bits, new)
    if out is None or label:
        raise UsageError("derive what?", "either a file, or by HKDF a key", "--out FILE, or --label NAME")
    if out.exists():
        raise Conflict(str(out), "it exists", "choose another name, or move it away")
    name, services = KeyName.parse(key), session.hsmctl.keys
    replicas = place.chosen(name.uri)
    if peer:
        other = services.formats.peer(read_all(peer, _PEER_MOST, "public key"))
        secret = services.derive.agree(replicas, name, other, seconds=place.seconds)
    else:
        secret = services.derive.expand(replicas, name, how, _octets(bits), seconds=place.seconds)
    done = kept(key, f"hkdf {hkdf}" if hkdf else "ecdh", out, [secret], secret=True)
    shown = KeyDerived(key=key, algorithm=done.algorithm, written_to=done.written_to, bytes=done.bytes)
    return session.show(DERIVED, shown)


def _made(session: Session, place: Place, key: str, how: Mechanism, bits: int, new: _New) -> int:
    """A new token key, looked for on every HSM of its cluster."""
    from hsmctl.services.key_move import Wanted

    check_change(session, place, new.break_glass)
    wanted = Wanted(
        label=new.label.encode(errors="surrogateescape"),
        key_id=parse_id(new.key_id),
        purpose=Purpose(new.purpose) if new.purpose else None,
    )
    name = KeyName.parse(key)
    made: Key = session.hsmctl.keys.derive.key(
        place.chosen(name.uri), name, how, new.kind, 8 * _octets(bits), wanted, seconds=place.seconds
    )
    seen = session.hsmctl.key.seen((made,), place.everywhere(name.uri), seconds=place.seconds)
    shown = KeyDerived(
        key=key,
        algorithm=f"hkdf {how.hash}",
        written_to="",
        bytes=bits // 8,
        made=row(made),
        seen_on=seen.seen_on,
        missing_on=seen.missing_on,
    )
    return session.show(DERIVED, shown, code=ExitCode.PARTIAL if seen.missing_on else ExitCode.OK)


def _octets(bits: int) -> int:
    if bits % 8:
        raise UsageError(f"--bits {bits}", "a secret is made of whole bytes", f"--bits {bits - bits % 8 + 8}")
    return bits // 8


def _derived_lines(derived: KeyDerived, page: Page) -> Iterator[str]:
    if derived.made is None:
        size = f"{derived.bytes:,} bytes"
        yield f"{Mark.REPORTED.glyph} {derived.written_to}: {size}, {derived.algorithm} with {derived.key}"
        return
    yield from rows_table([derived.made], page)
    yield ""
    yield f"{Mark.REPORTED.glyph} seen on {', '.join(derived.seen_on)}; {derived.algorithm} with {derived.key}"
    if derived.missing_on:
        yield f"{Mark.BAD.glyph} not seen in time on {', '.join(derived.missing_on)}"


DERIVED: View[KeyDerived] = View(
    schema="key.derive@1",
    document=KeyDerived,
    lines=_derived_lines,
    names=lambda derived: [derived.made.uri if derived.made else derived.written_to],
)

verbs = (derive_secret,)
